/*
 * mover.c - moves a member into another QEMU (mover.h): the owner of the machine.
 */
#include "move/mover.h"

#include "guest/spawn.h"
#include "move/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NUMBER_MAX 9999 /* of folders of one node; then from 1 again */

struct vmm_mover {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_mover_plan plan;
    struct vmm_guest *source, *destination;
    struct vmm_move_machine *machine;
    struct vmm_ram *ram;
    char uri[VMM_SOCKET_MAX + 16];
    unsigned ports_open; /* answers that are to come */
    bool ports_failed, ports_up;
    char ports_why[300];
    bool arrived; /* requests to the agent are the destination's */
    char last_words[300];
};

/* ---- what the destination is ---- */

/* The number at the end of a folder that a move made, node/NAME/N; 0: the first one, node/NAME. */
static unsigned number_of(const struct vmm_guest_config *c)
{
    char parent[VMM_SOCKET_MAX];
    const char *last = strrchr(c->folder, '/'), *name;

    if (!last)
        return 0;
    snprintf(parent, sizeof parent, "%.*s", (int)(last - c->folder), c->folder);
    name = strrchr(parent, '/');
    return name && strcmp(name + 1, c->name) == 0 ? (unsigned)strtoul(last + 1, NULL, 10) : 0;
}

int vmm_mover_destination(struct vmm_keeper *k, const struct vmm_member *m, const char *netns,
                          struct vmm_guest_config *out, char *why, size_t why_size)
{
    const unsigned n = number_of(vmm_guest_config(m->guest)) % NUMBER_MAX + 1;
    const char *slice = vmm_keeper_folder(k), *name = m->node->name;
    bool fits;

    *out = *vmm_guest_config(m->guest);
    out->incoming = true;
    if (strcmp(netns, "none") == 0)
        *out->netns = 0;
    else if (*netns)
        snprintf(out->netns, sizeof out->netns, "%s", netns);
    fits = snprintf(out->folder, sizeof out->folder, "%s/node/%s/%u", slice, name, n) <
           (int)sizeof out->folder - (int)sizeof "/serial.log";
    for (size_t i = 0; i < out->n_nics; i++) {
        struct vmm_guest_nic *nic = &out->nic[i];

        fits = fits &&
               snprintf(nic->local, sizeof nic->local, "%s/net/%s.%s.%u.nic", slice, nic->link,
                        name, n) < (int)sizeof nic->local &&
               snprintf(nic->remote, sizeof nic->remote, "%s/net/%s.%s.%u.shim", slice, nic->link,
                        name, n) < (int)sizeof nic->remote;
    }
    if (!fits)
        snprintf(why, why_size, "%s/...: longer than the path of a socket may be", slice);
    return fits ? 0 : -1;
}

void vmm_mover_objection(const struct vmm_guest_config *here, const struct vmm_guest_config *there,
                         enum vmm_move_mode mode, char *out, size_t size)
{
    char difference[400];

    *out = 0;
    vmm_guest_difference(here, there, difference, sizeof difference);
    if (*difference)
        snprintf(out, size, "the destination is another machine: %s", difference);
    else if (mode == VMM_MOVE_PRECOPY && here->accel != VMM_ACCEL_KVM)
        snprintf(out, size,
                 "precopy needs KVM: under TCG pages that are written while they are sent can be "
                 "missed, which damages the guest; use postcopy or stop-and-copy");
}

/* ---- ports ---- */

static void port_name(const struct vmm_mover *v, const struct vmm_guest_config *c, char out[32])
{
    const unsigned n = number_of(c);

    if (n)
        snprintf(out, 32, "%s-%u", v->member->node->name, n);
    else
        snprintf(out, 32, "%s", v->member->node->name);
}

static const char *side_of(const struct vmm_mover *v, const char *link)
{
    const struct vmm_topology *t = vmm_keeper_topology(v->keeper);
    const int l = vmm_topology_link(t, link);

    return l >= 0 && vmm_topology_port(t, (size_t)l, v->member->index) == 0 ? "up" : "down";
}

static json_t *port_request(const char *what, const struct vmm_guest_nic *nic, const char *port)
{
    return json_pack("{s:s, s:s, s:s}", "do", what, "link", nic->link, "port", port);
}

static void remove_ports(struct vmm_mover *v, const struct vmm_guest_config *c)
{
    struct vmm_lines *net = vmm_keeper_network(v->keeper);
    char port[32];

    port_name(v, c, port);
    for (size_t i = 0; i < c->n_nics && net; i++)
        vmm_lines_ask(net, port_request("remove", &c->nic[i], port), 10, vmm_lines_ignore, NULL);
}

static void on_port(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_mover *v = user;

    (void)m;
    if (kind == VMM_FAILED) {
        v->ports_failed = true;
        snprintf(v->ports_why, sizeof v->ports_why, "%s", why);
    }
    if (--v->ports_open == 0)
        vmm_move_done(v->machine, v->ports_failed ? v->ports_why : NULL);
}

static void open_ports(void *user)
{
    struct vmm_mover *v = user;
    const struct vmm_guest_config *c = &v->plan.there;
    struct vmm_lines *net = vmm_keeper_network(v->keeper);
    char port[32];

    port_name(v, c, port);
    v->ports_open = 1; /* ours, until all are asked for */
    for (size_t i = 0; i < c->n_nics && net; i++) {
        json_t *m =
            json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "do", "add", "link",
                      c->nic[i].link, "port", port, "side", side_of(v, c->nic[i].link), "unix",
                      "local", c->nic[i].remote, "remote", c->nic[i].local, "user", c->user);

        v->ports_open++;
        if (vmm_lines_ask(net, m, 10, on_port, v) == 0)
            on_port(v, VMM_FAILED, NULL, "the network does not listen");
        /* Until it stays there it must tell nobody anything that its source would not know of. */
        vmm_lines_ask(net, port_request("down", &c->nic[i], port), 10, vmm_lines_ignore, NULL);
    }
    on_port(v, VMM_DONE, NULL, "");
}

/* ---- the destination ---- */

static void on_there(void *user, struct vmm_guest *g)
{
    struct vmm_mover *v = user;

    vmm_move_set_destination(v->machine, vmm_guest_qmp(g));
    vmm_move_done(v->machine, NULL);
}

static void on_there_ended(void *user, struct vmm_guest *g, const char *why)
{
    struct vmm_mover *v = user;

    vmm_move_lost(v->machine, vmm_guest_qmp(g), *why ? why : "QEMU there has ended");
}

/* Others, in the same networks, or those of before. */
static void readdress(struct vmm_mover *v, struct vmm_guest *g)
{
    const struct vmm_topology *t = vmm_keeper_topology(v->keeper);
    const struct vmm_guest_config *c = vmm_guest_config(g);

    for (size_t i = 0; i < c->n_nics; i++) {
        const uint8_t *a = c->nic[i].mac;
        const int link = vmm_topology_link(t, c->nic[i].link);
        char mac[18], address[16];

        if (link < 0)
            continue;
        vmm_member_address(t, (size_t)link, v->member->index, !v->member->away, address);
        snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4],
                 a[5]);
        vmm_agent_ask(vmm_guest_agent(g),
                      json_pack("{s:s, s:s, s:s}", "do", "address", "mac", mac, "address", address),
                      0, vmm_lines_ignore, NULL);
    }
}

/* It was asleep for the time of the move, and others look for it where it was. */
static void wake(struct vmm_mover *v)
{
    struct vmm_agent *agent = vmm_guest_agent(v->destination);
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (v->plan.new_addresses)
        readdress(v, v->destination);
    vmm_agent_ask(agent, json_pack("{s:s}", "do", "announce"), 0, vmm_lines_ignore, NULL);
    vmm_agent_ask(
        agent,
        json_pack("{s:s, s:I}", "do", "time", "ns", (json_int_t)t.tv_sec * 1000000000 + t.tv_nsec),
        0, vmm_lines_ignore, NULL);
}

static void on_port_up(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_mover *v = user;

    (void)m;
    if (kind == VMM_FAILED) {
        v->ports_failed = true;
        snprintf(v->ports_why, sizeof v->ports_why, "%s", why);
    }
    if (--v->ports_open != 0 || !v->destination)
        return;
    if (!v->ports_failed)
        wake(v);
    vmm_move_done(v->machine, v->ports_failed ? v->ports_why : NULL);
}

/* It answers: it stays, and may speak. */
static void on_there_ready(void *user, struct vmm_guest *g, const struct vmm_agent_hello *h)
{
    struct vmm_mover *v = user;
    const struct vmm_guest_config *c = vmm_guest_config(g);
    struct vmm_lines *net = vmm_keeper_network(v->keeper);
    char port[32];

    (void)h;
    if (v->ports_up)
        return;
    v->ports_up = true;
    port_name(v, c, port);
    v->ports_open = 1; /* ours, until all are asked for */
    for (size_t i = 0; i < c->n_nics && net; i++) {
        v->ports_open++;
        if (vmm_lines_ask(net, port_request("up", &c->nic[i], port), 10, on_port_up, v) == 0)
            on_port_up(v, VMM_FAILED, NULL, "the network does not listen");
    }
    on_port_up(v, VMM_DONE, NULL, "");
}

static const struct vmm_guest_handler there_handler = { .on_running = on_there,
                                                        .on_ready = on_there_ready,
                                                        .on_ended = on_there_ended };

/* One log for all QEMUs of a node: its first folder's. */
static void share_log(const struct vmm_mover *v, const char *name)
{
    char first[VMM_PATH_MAX], here[VMM_PATH_MAX];

    snprintf(first, sizeof first, "%s/node/%s/%s", vmm_keeper_folder(v->keeper),
             v->member->node->name, name);
    snprintf(here, sizeof here, "%s/%s", v->plan.there.folder, name);
    unlink(here);
    (void)!link(first, here); /* else it begins a log of its own */
}

static void start(void *user)
{
    struct vmm_mover *v = user;
    const struct vmm_guest_config *c = &v->plan.there;
    const int ram = v->plan.mode == VMM_MOVE_SHARED ? vmm_guest_ram(v->source) : -1;
    char why[300];

    if (vmm_spawn_folder(c->folder, c->user, why, sizeof why) != 0) {
        vmm_move_done(v->machine, why);
        return;
    }
    share_log(v, "serial.log");
    share_log(v, "qemu.log");
    if (vmm_guest_start(&v->destination, vmm_keeper_loop(v->keeper), c, ram, NULL, &there_handler,
                        v, why, sizeof why) != 0)
        vmm_move_done(v->machine, why);
}

static void remove_folder(const struct vmm_guest_config *c)
{
    static const char *const names[] = { "serial.log", "qemu.log", "qmp", "agent", "state" };
    char path[VMM_PATH_MAX];

    if (!number_of(c))
        return; /* the first: its logs are the node's */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", c->folder, names[i]);
        unlink(path);
    }
    rmdir(c->folder);
}

/* ---- the rest of what the machine asks for ---- */

static void keep_ram(void *user)
{
    struct vmm_mover *v = user;
    char why[300];

    if (!v->ram && vmm_ram_new(&v->ram, vmm_guest_ram(v->source), why, sizeof why) != 0) {
        vmm_move_done(v->machine, why);
        return;
    }
    vmm_ram_keep(v->ram);
    vmm_move_done(v->machine, NULL);
}

static void arrive(void *user)
{
    struct vmm_mover *v = user;

    v->arrived = true;
    vmm_agent_adopt(vmm_guest_agent(v->destination), vmm_guest_agent(v->source));
}

static void commit(void *user)
{
    struct vmm_mover *v = user;
    struct vmm_guest_config was = *vmm_guest_config(v->source);

    v->member->away ^= v->plan.new_addresses;
    vmm_keeper_moved(v->keeper, v->member, v->destination);
    v->destination = NULL;
    remove_ports(v, &was);
    vmm_guest_free(v->source);
    v->source = NULL;
    remove_folder(&was);
    vmm_move_done(v->machine, NULL);
}

static const struct vmm_guest_handler nobody;

static void undo(void *user, bool ran)
{
    struct vmm_mover *v = user;

    if (v->destination) {
        vmm_guest_set_handler(v->destination, &nobody, NULL);
        vmm_guest_last_words(v->destination, v->last_words, sizeof v->last_words);
        if (v->arrived)
            vmm_agent_adopt(vmm_guest_agent(v->source), vmm_guest_agent(v->destination));
        vmm_guest_free(v->destination);
        v->destination = NULL;
    }
    if (ran && v->ram)
        vmm_ram_restore(v->ram);
    remove_ports(v, &v->plan.there);
    remove_folder(&v->plan.there);
    vmm_move_done(v->machine, NULL);
}

static void on_step(void *user, const char *step)
{
    struct vmm_mover *v = user;

    if (v->plan.on_step)
        v->plan.on_step(v->plan.user, step);
}

static void finished(void *user, const struct vmm_move_result *r)
{
    struct vmm_mover *v = user;
    struct vmm_move_result result = *r;

    v->member->moving = false;
    if (!r->moved && *v->last_words && !strstr(r->why, v->last_words)) {
        const size_t n = strlen(result.why);

        snprintf(result.why + n, sizeof result.why - n, " (%s)", v->last_words);
    }
    vmm_move_free(v->machine);
    vmm_ram_free(v->ram);
    v->plan.on_end(v->plan.user, &result);
    free(v);
}

static const struct vmm_move_ops ops = { .open = open_ports,
                                         .start = start,
                                         .keep_ram = keep_ram,
                                         .arrive = arrive,
                                         .commit = commit,
                                         .undo = undo,
                                         .finished = finished,
                                         .step = on_step };

int vmm_mover_begin(struct vmm_keeper *k, struct vmm_member *m, const struct vmm_mover_plan *plan,
                    char *why, size_t why_size)
{
    struct vmm_mover *v = calloc(1, sizeof *v);
    struct vmm_move_plan p = { .mode = plan->mode,
                               .rate_bytes_per_s = plan->rate_bytes_per_s,
                               .agent_s = plan->agent_s };

    if (!v) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    *v = (struct vmm_mover){ .keeper = k, .member = m, .plan = *plan, .source = m->guest };
    snprintf(v->uri, sizeof v->uri, "unix:%s/state", plan->there.folder);
    v->plan.there.postcopy = plan->mode == VMM_MOVE_POSTCOPY;
    p.uri = v->uri;
    v->machine = vmm_move_new(vmm_keeper_loop(k), &p, vmm_guest_qmp(m->guest), &ops, v);
    if (!v->machine) {
        snprintf(why, why_size, "out of memory");
        free(v);
        return -1;
    }
    m->moving = true;
    vmm_move_begin(v->machine);
    return 0;
}
