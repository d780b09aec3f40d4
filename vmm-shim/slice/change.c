/*
 * change.c - requests that change a link of a slice that runs: passed to its network process.
 *
 *     {"do":"link-set","link":NAME,"up":{..},"down":{..},"both":{..},"weight":N}
 *     {"do":"link-program","link":NAME,"path":FILE or null[,"argument":TEXT]}
 *     {"do":"link-state","link":NAME,"state":"up"|"down"[,"port":NODE][,"way":"up"|"down"]}
 */
#include "slice/inside.h"
#include "slice/network.h"

#include <stdio.h>
#include <string.h>

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_call *call = user;
    if (kind == VMM_DONE)
        vmm_call_ok(call, json_deep_copy(json_object_get(m, "ok")));
    else if (kind == VMM_FAILED)
        vmm_call_error(call, "%s%s", m ? "" : "the network process: ", why);
}

/* Whether the link that is asked for is there; else `call` has been answered. */
static bool has_link(struct vmm_keeper *k, struct vmm_call *call, const char *name)
{
    char names[VMM_WHY_MAX] = "";
    if (name && vmm_topology_link(k->topology, name) >= 0)
        return true;
    for (size_t i = 0; i < k->topology->n_links; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                 k->topology->link[i].name);
    vmm_keeper_not_there(call, "slice %s has no link '%s'; it has:%s", k->topology->name,
                         name ? name : "", names[0] ? names : " none");
    return false;
}

static void ask(struct vmm_keeper *k, struct vmm_call *call, json_t *args, const char *what)
{
    json_t *request = json_copy(args);
    json_object_del(request, "id");
    json_object_del(request, "state");
    json_object_set_new(request, "do", json_string(what));
    if (vmm_network_ask(k->network, request, on_answer, call) < 0)
        vmm_call_error(call, "the network of the slice does not run yet");
}

static void begin_set(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    if (has_link(k, call, json_string_value(json_object_get(args, "link"))))
        ask(k, call, args, "set");
}

static void begin_program(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    if (has_link(k, call, json_string_value(json_object_get(args, "link"))))
        ask(k, call, args, "program");
}

static void begin_state(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    const char *state = json_string_value(json_object_get(args, "state"));
    if (!has_link(k, call, json_string_value(json_object_get(args, "link"))))
        return;
    if (!state || (strcmp(state, "up") != 0 && strcmp(state, "down") != 0))
        vmm_call_error(call, "a link is set up or down, not '%s'", state ? state : "");
    else
        ask(k, call, args, state);
}

const struct vmm_request_kind vmm_request_link_set = { "link-set", begin_set };
const struct vmm_request_kind vmm_request_link_program = { "link-program", begin_program };
const struct vmm_request_kind vmm_request_link_state = { "link-state", begin_state };
