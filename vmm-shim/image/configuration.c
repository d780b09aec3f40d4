/* configuration.c - see configuration.h. */
#include "image/configuration.h"

#include <jansson.h>
#include <stdio.h>

#define PREFIX 24
#define MTU 1500

static json_t *address_text(uint32_t ip)
{
    return json_sprintf("%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static json_t *nic(const struct vmm_topology *t, size_t link, size_t port)
{
    uint8_t mac[6];

    vmm_topology_mac(t, link, port, mac);
    return json_pack("{s:o,s:o,s:i,s:i,s:s}", "mac",
                     json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                                  mac[4], mac[5]),
                     "address", address_text(vmm_topology_address(t, link, port)), "prefix", PREFIX,
                     "mtu", MTU, "link", t->link[link].name);
}

static void add_hosts(const struct vmm_topology *t, size_t node, json_t *hosts)
{
    for (size_t other = 0; other < t->n_nodes; other++)
        for (size_t l = 0; l < t->n_links; l++) {
            const int port = vmm_topology_port(t, l, other);
            if (port < 0 || vmm_topology_port(t, l, node) < 0)
                continue;
            json_object_set_new(hosts, t->node[other].name,
                                address_text(vmm_topology_address(t, l, (size_t)port)));
            break;
        }
}

char *configuration_text(const struct vmm_topology *t, size_t node)
{
    const struct vmm_node *n = &t->node[node];
    json_t *nics = json_array(), *hosts = json_object(), *run = json_array();

    for (size_t l = 0; l < t->n_links; l++) {
        const int port = vmm_topology_port(t, l, node);
        if (port >= 0)
            json_array_append_new(nics, nic(t, l, (size_t)port));
    }
    add_hosts(t, node, hosts);
    for (size_t i = 0; i < n->n_run; i++)
        json_array_append_new(run, json_string(n->run[i]));
    json_t *all = json_pack("{s:s,s:s,s:o,s:o,s:b,s:o}", "node", n->name, "slice", t->name, "nics",
                            nics, "hosts", hosts, "disk", n->disk, "run", run);
    char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
    json_decref(all);
    return text;
}
