/*
 * requests.c - "migrate" to a keeper: what is asked for, judged, begun.
 *
 *     {"do":"migrate","node":NAME[,"mode":WORD][,"to":NAMESPACE][,"with":FILE][,"rate":BYTES_PER_S]
 *      [,"patience_ms":N][,"new_addresses":bool]}
 *     -> {"err": step}*, {"ok":{"node","mode","total_ms","down_ms","copy_ms","bytes","pid"}}
 */
#include "move/mover.h"
#include "systems/match.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct vmm_request_kind vmm_request_migrate;

struct migration {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_call *call;
    enum vmm_move_mode mode;
};

static void on_step(void *user, const char *step)
{
    struct migration *g = user;
    char line[200];

    snprintf(line, sizeof line, "%s\n", step);
    vmm_call_part(g->call, json_pack("{s:s}", "err", line));
}

static void on_end(void *user, const struct vmm_move_result *r)
{
    struct migration *g = user;
    const char *name = g->member->node->name;

    vmm_exec_resume(g->keeper, g->member);
    if (r->moved) {
        vmm_keeper_say(g->keeper, "%s: moved (%s): %.0f ms in all, %.0f ms down", name,
                       vmm_move_mode_name(g->mode), r->total_ms, r->down_ms);
        vmm_call_ok(g->call, json_pack("{s:s, s:s, s:f, s:f, s:f, s:I, s:i}", "node", name, "mode",
                                       vmm_move_mode_name(g->mode), "total_ms", r->total_ms,
                                       "down_ms", r->down_ms, "copy_ms", r->copy_ms, "bytes",
                                       (json_int_t)r->bytes, "pid", (int)g->member->pid));
    } else {
        vmm_keeper_say(g->keeper, "%s: not moved: %s", name, r->why);
        vmm_call_error(g->call, "%s was not moved: %s; %s", name, r->why,
                       r->source_runs ? "it goes on where it was"
                                      : "and where it was it does not run any more");
    }
    free(g);
}

/* What a topology file elsewhere says of the node: memory, CPUs, system, NICs. */
static int take_other(const char *file, const char *node, struct vmm_guest_config *c, char *why,
                      size_t why_size)
{
    struct vmm_topology *t;
    struct vmm_systems *systems = NULL;
    int n, s = -1;

    if (vmm_topology_read(&t, file, NULL, 0, why, why_size) != 0)
        return -1;
    n = vmm_topology_node(t, node);
    if (n < 0)
        snprintf(why, why_size, "%s has no node %s", file, node);
    else if (vmm_systems_read(&systems, NULL, why, why_size) == 0)
        s = vmm_match_node(systems, t, (size_t)n, NULL, why, why_size);
    if (s >= 0) {
        snprintf(c->arch, sizeof c->arch, "%s", systems->system[s].arch);
        snprintf(c->machine, sizeof c->machine, "%s", systems->system[s].machine);
        snprintf(c->cpu, sizeof c->cpu, "%s", systems->system[s].cpu);
        c->memory_bytes = t->node[n].memory_bytes;
        c->vcpus = t->node[n].vcpus;
        c->n_nics = 0;
        for (size_t l = 0; l < t->n_links; l++) {
            const int port = vmm_topology_port(t, l, (size_t)n);

            if (port >= 0)
                vmm_topology_mac(t, l, (size_t)port, c->nic[c->n_nics++].mac);
        }
    }
    free(systems);
    vmm_topology_free(t);
    return s >= 0 ? 0 : -1;
}

static const char *text_of(json_t *args, const char *key)
{
    const char *text = json_string_value(json_object_get(args, key));

    return text ? text : "";
}

/* The usual mode: shared on one host; to another, what the accelerator can do. */
static int choose_mode(json_t *args, const struct vmm_guest_config *here, enum vmm_move_mode *mode)
{
    const char *word = text_of(args, "mode");

    if (*word)
        return vmm_move_mode_parse(word, mode);
    *mode = !*text_of(args, "to")          ? VMM_MOVE_SHARED
            : here->accel == VMM_ACCEL_KVM ? VMM_MOVE_PRECOPY
                                           : VMM_MOVE_POSTCOPY;
    return 0;
}

/* A member whose guest can be moved. False: `call` has been answered. */
static bool can_move(struct vmm_member *m, struct vmm_call *call)
{
    if (m->node->kind != VMM_GUEST)
        vmm_call_error(call, "%s is no guest: processes cannot be moved", m->node->name);
    else if (!m->guest || vmm_guest_state(m->guest) != VMM_GUEST_READY)
        vmm_call_error(call, "%s does not run", m->node->name);
    else if (m->moving)
        vmm_call_error(call, "%s is being moved already", m->node->name);
    else
        return true;
    return false;
}

/* What lets QEMU fetch pages as they are missed. */
static bool has_userfaultfd(void)
{
    const int fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    const long asked = fd < 0 ? syscall(SYS_userfaultfd, O_CLOEXEC) : fd;

    if (asked >= 0)
        close((int)asked);
    return asked >= 0;
}

static int prepare(struct migration *g, json_t *args, struct vmm_mover_plan *p, char *why,
                   size_t why_size)
{
    const struct vmm_guest_config *here = vmm_guest_config(g->member->guest);
    const char *with = text_of(args, "with");

    if (choose_mode(args, here, &g->mode) != 0) {
        snprintf(why, why_size, "\"%s\" is no mode (shared, postcopy, stop-and-copy, precopy)",
                 text_of(args, "mode"));
        return -1;
    }
    if (vmm_mover_destination(g->keeper, g->member, text_of(args, "to"), &p->there, why,
                              why_size) != 0 ||
        (*with && take_other(with, g->member->node->name, &p->there, why, why_size) != 0))
        return -1;
    if (g->mode == VMM_MOVE_POSTCOPY && !has_userfaultfd()) {
        snprintf(why, why_size,
                 "postcopy needs a userfaultfd, which you may not have here: as root, or "
                 "with vm.unprivileged_userfaultfd = 1; or use stop-and-copy");
        return -1;
    }
    vmm_mover_objection(here, &p->there, g->mode, why, why_size);
    if (*why)
        return -1;
    p->mode = g->mode;
    p->rate_bytes_per_s = (uint64_t)json_integer_value(json_object_get(args, "rate"));
    p->agent_s = json_number_value(json_object_get(args, "patience_ms")) / 1e3;
    p->new_addresses = json_is_true(json_object_get(args, "new_addresses"));
    p->on_step = json_is_true(json_object_get(args, "steps")) ? on_step : NULL;
    return vmm_mover_begin(g->keeper, g->member, p, why, why_size);
}

static void begin_migrate(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    struct vmm_member *m = vmm_keeper_asked(k, call, args);
    struct migration *g;
    struct vmm_mover_plan p;
    char why[VMM_WHY_MAX] = "";

    if (!m || !can_move(m, call))
        return;
    g = calloc(1, sizeof *g);
    if (!g) {
        vmm_call_error(call, "out of memory");
        return;
    }
    *g = (struct migration){ .keeper = k, .member = m, .call = call };
    p = (struct vmm_mover_plan){ .on_end = on_end, .user = g };
    if (prepare(g, args, &p, why, sizeof why) == 0)
        return;
    vmm_keeper_say(k, "%s: not moved: %s", m->node->name, why);
    vmm_call_error(call, "%s was not moved: %s; it goes on where it is", m->node->name, why);
    free(g);
}

const struct vmm_request_kind vmm_request_migrate = { "migrate", begin_migrate };
