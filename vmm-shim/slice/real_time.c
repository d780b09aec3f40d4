/*
 * real_time.c - requests about what a slice's nodes get of the host.
 *
 *     {"do":"rt-set","node":NAME|"network","set":"policy=fifo,priority=50"} -> the node's report
 *     {"do":"rt-show"[,"node":NAME|"network"]}                            -> {"nodes":[report...]}
 *
 * Reports: vmm_rt_report() of rt/rt.h.
 */
#include "rt/rt.h"
#include "slice/inside.h"

#include <stdio.h>
#include <string.h>

#define NETWORK "network"

/* Index of the node that is asked for, a node called "network" before the network process; -1:
 * there is none, and `call` has been answered. */
static int find(struct vmm_keeper *k, struct vmm_call *call, const char *name, size_t *node)
{
    char names[VMM_WHY_MAX] = "";
    int i = name ? vmm_topology_node(k->topology, name) : -1;
    if (!k->rt) {
        vmm_call_error(call, "slice %s has not started yet", k->topology->name);
        return -1;
    }
    if (i >= 0 || (name && strcmp(name, NETWORK) == 0)) {
        *node = i >= 0 ? (size_t)i : VMM_RT_NETWORK;
        return 0;
    }
    for (size_t n = 0; n < k->topology->n_nodes; n++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                 k->topology->node[n].name);
    vmm_keeper_not_there(call, "slice %s has no node '%s'; it has:%s " NETWORK, k->topology->name,
                         name ? name : "", names);
    return -1;
}

static void begin_set(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    char why[VMM_WHY_MAX];
    size_t node;
    const char *words = json_string_value(json_object_get(args, "set"));
    if (find(k, call, json_string_value(json_object_get(args, "node")), &node) < 0)
        return;
    if (vmm_rt_set(k->rt, node, words ? words : "", why, sizeof why) < 0)
        vmm_call_error(call, "%s", why);
    else
        vmm_call_ok(call, vmm_rt_report(k->rt, node));
}

static void begin_show(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    const char *name = json_string_value(json_object_get(args, "node"));
    size_t node;
    if (find(k, call, name ? name : NETWORK, &node) < 0)
        return;
    json_t *all = json_array();
    for (size_t i = 0; !name && i < k->topology->n_nodes; i++)
        if (k->topology->node[i].kind != VMM_NAMESPACE)
            json_array_append_new(all, vmm_rt_report(k->rt, i));
    json_array_append_new(all, vmm_rt_report(k->rt, node));
    vmm_call_ok(call, json_pack("{s:o, s:s}", "nodes", all, "note", vmm_rt_note(k->rt)));
}

const struct vmm_request_kind vmm_request_rt_set = { "rt-set", begin_set };
const struct vmm_request_kind vmm_request_rt_show = { "rt-show", begin_show };
