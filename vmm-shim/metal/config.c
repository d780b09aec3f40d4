/* config.c - see config.h. Pure. */
#include "config.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU 1500

struct report {
    char *why;
    size_t size;
};

static int bad(const struct report *r, const char *what)
{
    snprintf(r->why, r->size, "guest.json: %s", what);
    return -1;
}

int config_address(const char *text, uint32_t *out)
{
    struct in_addr a;

    if (!text || inet_pton(AF_INET, text, &a) != 1)
        return -1;
    *out = ntohl(a.s_addr);
    return 0;
}

static int read_mac(const char *text, uint8_t mac[6])
{
    unsigned v[6];
    char more;

    if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
                        &more) != 6)
        return -1;
    for (unsigned i = 0; i < 6; i++)
        mac[i] = (uint8_t)v[i];
    return 0;
}

/* A whole number of an object, `otherwise` if it is not there; -1: it is something else. */
static json_int_t number(const json_t *o, const char *key, json_int_t otherwise)
{
    const json_t *v = json_object_get(o, key);

    if (!v)
        return otherwise;
    return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : -1;
}

static int read_nic(struct net_interface *nic, const json_t *o, const struct report *r)
{
    const json_int_t prefix = number(o, "prefix", 24), mtu = number(o, "mtu", MTU);

    if (read_mac(json_string_value(json_object_get(o, "mac")), nic->mac) != 0)
        return bad(r, "a NIC needs its mac, as 52:54:00:01:02:03");
    if (config_address(json_string_value(json_object_get(o, "address")), &nic->address) != 0)
        return bad(r, "a NIC needs its IPv4 address");
    if (prefix < 0 || prefix > 32)
        return bad(r, "the prefix of a NIC is from 0 to 32");
    if (mtu < 576 || mtu > MTU)
        return bad(r, "the mtu of a NIC is from 576 to 1500");
    nic->prefix = (unsigned)prefix;
    nic->mtu = (uint16_t)mtu;
    return 0;
}

static int read_nics(struct config *c, const json_t *nics, const struct report *r)
{
    if (nics && !json_is_array(nics))
        return bad(r, "nics is a list");
    if (json_array_size(nics) > NET_INTERFACES_MAX)
        return bad(r, "more than 8 NICs");
    for (size_t i = 0; i < json_array_size(nics); i++)
        if (read_nic(&c->nic[c->n_nics++], json_array_get(nics, i), r) != 0)
            return -1;
    return 0;
}

/* Names longer than fit, and addresses of another family, are not for us. */
static int read_hosts(struct config *c, json_t *hosts, const struct report *r)
{
    const char *name;
    json_t *value;

    if (hosts && !json_is_object(hosts))
        return bad(r, "hosts is an object");
    json_object_foreach(hosts, name, value)
    {
        if (c->n_hosts == CONFIG_HOSTS_MAX)
            return bad(r, "more than 64 hosts");
        if (strlen(name) >= CONFIG_NAME_MAX ||
            config_address(json_string_value(value), &c->host[c->n_hosts].address) != 0)
            continue;
        strcpy(c->host[c->n_hosts++].name, name);
    }
    return 0;
}

static int read_run(struct config *c, const json_t *run, const struct report *r)
{
    if (run && !json_is_array(run))
        return bad(r, "run is a list of words");
    if (json_array_size(run) > CONFIG_ARGS_MAX)
        return bad(r, "run has more than 64 words");
    for (size_t i = 0; i < json_array_size(run); i++) {
        const char *word = json_string_value(json_array_get(run, i));

        if (!word)
            return bad(r, "run is a list of words");
        c->run[c->n_run] = strdup(word);
        if (!c->run[c->n_run++])
            return bad(r, "out of memory");
    }
    return 0;
}

static int read_all(struct config *c, const json_t *o, const struct report *r)
{
    const char *node = json_string_value(json_object_get(o, "node"));
    const json_t *gateway = json_object_get(o, "gateway");

    if (!json_is_object(o))
        return bad(r, "not an object");
    snprintf(c->node, sizeof c->node, "%s", node ? node : "metal");
    if (json_is_string(gateway) && config_address(json_string_value(gateway), &c->gateway) != 0)
        return bad(r, "the gateway is an IPv4 address");
    if (read_nics(c, json_object_get(o, "nics"), r) != 0 ||
        read_hosts(c, json_object_get(o, "hosts"), r) != 0)
        return -1;
    return read_run(c, json_object_get(o, "run"), r);
}

int config_read(struct config *out, const char *json, size_t size, char *why, size_t why_size)
{
    const struct report r = { why, why_size };
    json_error_t error;
    json_t *o = json_loadb(json, size, 0, &error);
    int result;

    memset(out, 0, sizeof *out);
    if (!o) {
        snprintf(why, why_size, "guest.json:%d: %.120s", error.line, error.text);
        return -1;
    }
    result = read_all(out, o, &r);
    json_decref(o);
    if (result != 0)
        config_fini(out);
    return result;
}

void config_fini(struct config *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_run; i++)
        free(c->run[i]);
    memset(c, 0, sizeof *c);
}

int config_resolve(const struct config *c, const char *text, uint32_t *address, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char host[CONFIG_NAME_MAX], *end;
    unsigned long n;

    if (!colon || colon == text || (size_t)(colon - text) >= sizeof host)
        return -1;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    n = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || n > 65535)
        return -1;
    *port = (uint16_t)n;
    if (config_address(host, address) == 0)
        return 0;
    for (size_t i = 0; i < c->n_hosts; i++)
        if (strcmp(c->host[i].name, host) == 0) {
            *address = c->host[i].address;
            return 0;
        }
    return -1;
}
