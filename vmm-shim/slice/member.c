/*
 * member.c - a node of a slice: started, ready, its command, ended.
 *
 *     NONE ─► STARTING ─► READY ─► RUNNING ─► DONE        DEAD from anywhere: ended by itself
 *
 * A guest's command lives in the guest: what QEMU process that is may change (vmm_keeper_moved).
 */
#include "guest/guest.h"
#include "move/suspended.h"
#include "rt/rt.h"
#include "slice/confined.h"
#include "slice/inside.h"
#include "slice/member.h"
#include "slice/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STOP_PATIENCE_S 2.0   /* for a guest to power off before it is killed */
#define OTHERS_BEGIN_S 1.0    /* after this, who says nothing is taken to have begun */
#define OUTPUT_MAX (64 << 20) /* bytes of output.log; what comes after that is dropped */

const char *vmm_member_state_name(enum vmm_member_state state)
{
    static const char *const name[] = { "none", "starting",  "ready", "running",
                                        "done", "suspended", "dead" };
    return name[state];
}

struct vmm_member *vmm_keeper_member(struct vmm_keeper *k, const char *name)
{
    int i = name ? vmm_topology_node(k->topology, name) : -1;
    return i < 0 ? NULL : &k->member[i];
}

struct vmm_member *vmm_keeper_asked(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    const char *name = json_string_value(json_object_get(args, "node"));
    struct vmm_member *m = vmm_keeper_member(k, name);
    char names[VMM_WHY_MAX] = "";
    if (m)
        return m;
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                 k->topology->node[i].name);
    vmm_keeper_not_there(call, "slice %s has no node '%s'; it has:%s", k->topology->name,
                         name ? name : "", names);
    return NULL;
}

static void run_rest_if_all_spoke(struct vmm_keeper *k);

static void check_all_ready(struct vmm_keeper *k)
{
    if (k->phase != VMM_PHASE_STARTING)
        return;
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (k->member[i].state < VMM_MEMBER_READY)
            return;
    vmm_keeper_enter(k, VMM_PHASE_READY);
}

void vmm_member_state_set(struct vmm_member *m, enum vmm_member_state state)
{
    m->state = state;
    check_all_ready(m->keeper);
}

static bool has_result(const struct vmm_keeper *k, const struct vmm_member *m)
{
    return m->node->result && m->node->n_run > 0 && k->phase < VMM_PHASE_RESULT;
}

/* It ended by itself, or could not be started. */
void vmm_member_dead(struct vmm_member *m, const char *why)
{
    struct vmm_keeper *k = m->keeper;
    char line[2 * VMM_WHY_MAX];
    bool starting = k->phase == VMM_PHASE_STARTING, was_done = m->state == VMM_MEMBER_DONE;
    snprintf(m->why, sizeof m->why, "%s", why);
    m->pid = 0;
    m->exec_id = 0;
    m->state = VMM_MEMBER_DEAD;
    if (k->rt)
        vmm_rt_stopped(k->rt, m->index);
    if (k->phase >= VMM_PHASE_STOPPING) {
        vmm_keeper_check_end(k);
        return;
    }
    snprintf(line, sizeof line, "%s has ended%s%s", m->node->name, why[0] ? ": " : "", why);
    if (starting) {
        vmm_keeper_stop(k, "%.*s", VMM_WHY_MAX - 1, line);
        return;
    }
    vmm_keeper_say(k, "%s", line);
    if (has_result(k, m) && !was_done)
        vmm_keeper_fail_waiters(k, line);
    if (vmm_members_all_gone(k))
        vmm_keeper_stop(k, "no node is left");
}

/* The member's command has ended; `code` as a shell has it. */
void vmm_member_done(struct vmm_member *m, int code)
{
    struct vmm_keeper *k = m->keeper;
    m->exec_id = 0;
    m->exit_code = code;
    m->state = VMM_MEMBER_DONE;
    if (k->phase >= VMM_PHASE_STOPPING)
        return;
    vmm_keeper_say(k, "%s: %s has ended with %d", m->node->name, m->node->run[0], code);
    if (m->node->result)
        vmm_keeper_enter(k, VMM_PHASE_RESULT);
    run_rest_if_all_spoke(k);
}

void vmm_member_settle(struct vmm_member *m)
{
    struct vmm_agent *agent = m->guest && !m->moving ? vmm_guest_agent(m->guest) : NULL;
    if (agent && vmm_agent_is_ready(agent))
        vmm_agent_ask(agent,
                      json_pack("{s:s, s:s}", "do", m->held ? "hold" : "go-on", "name", "main"), 5,
                      vmm_lines_ignore, NULL);
}

static void hold(struct vmm_member *m, bool held)
{
    if (m->held == held)
        return;
    m->held = held;
    if (m->confined)
        vmm_confined_hold(m, held);
    else
        vmm_member_settle(m);
}

void vmm_members_go_on(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (k->member[i].held)
            hold(&k->member[i], false);
}

/* A part of its command's output: into output.log, and to who waits for a result. */
void vmm_member_output(struct vmm_member *m, json_t *part)
{
    static const char *const key[] = { "out", "err" };
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        char *bytes = vmm_text_get(part, key[i], &n);
        if (bytes && lseek(m->output, 0, SEEK_END) < OUTPUT_MAX && write(m->output, bytes, n) < 0)
            errno = 0; /* a full disk does not end the stream */
        free(bytes);
    }
    if (m->node->result)
        vmm_keeper_show(m->keeper, part);
    if (m->node->result && m->keeper->phase < VMM_PHASE_STOPPING &&
        vmm_keeper_is_crowded(m->keeper))
        hold(m, true);
    m->spoke = true;
    run_rest_if_all_spoke(m->keeper);
}

int vmm_member_exit_code(json_t *m)
{
    json_t *signal = json_object_get(m, "signal");
    return json_is_integer(signal) ? 128 + (int)json_integer_value(signal)
                                   : (int)json_integer_value(json_object_get(m, "exit"));
}

static void on_command(void *user, enum vmm_answer kind, json_t *part, const char *why)
{
    struct vmm_member *m = user;
    switch (kind) {
    case VMM_PART:
        vmm_member_output(m, part);
        break;
    case VMM_DONE:
        vmm_member_done(m, vmm_member_exit_code(part));
        break;
    case VMM_FAILED:
        m->exec_id = 0;
        if (m->moving || !part)
            break; /* the guest has gone or moves: on_ended or move/ sees to it */
        vmm_keeper_say(m->keeper, "%s: %s cannot be run: %s", m->node->name, m->node->run[0], why);
        vmm_member_done(m, 127);
        break;
    }
}

void vmm_member_address(const struct vmm_topology *t, size_t link, size_t node, bool away,
                        char out[16])
{
    const int port = vmm_topology_port(t, link, node);
    const uint32_t a =
        port < 0 ? 0 : vmm_topology_address(t, link, (size_t)port) + (away ? 100 : 0);

    snprintf(out, 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

void vmm_member_follow(struct vmm_member *m, uint64_t exec_id)
{
    if (!exec_id || vmm_agent_expect(vmm_guest_agent(m->guest), exec_id, on_command, m) != 0)
        return;
    m->exec_id = exec_id;
    m->state = VMM_MEMBER_RUNNING;
}

static void run_in_guest(struct vmm_member *m)
{
    const struct vmm_node *n = m->node;
    const struct vmm_real_time *rt = &n->real_time;
    const struct vmm_agent_exec exec = {
        .argv = (const char *const *)n->run,
        .name = "main",
        .sched = !rt->guest                      ? NULL
                 : rt->policy == VMM_POLICY_NICE ? "nice"
                 : rt->policy == VMM_POLICY_NONE ? NULL
                                                 : "fifo",
        .priority = rt->priority ? rt->priority : 50,
    };
    m->state = VMM_MEMBER_RUNNING;
    m->exec_id = vmm_agent_exec(vmm_guest_agent(m->guest), &exec, on_command, m);
    if (m->exec_id)
        return;
    vmm_keeper_say(m->keeper, "%s: the agent does not take its command", n->name);
    vmm_member_done(m, 127);
}

static void run_command(struct vmm_member *m)
{
    vmm_keeper_say(m->keeper, "%s: runs %s", m->node->name, m->node->run[0]);
    if (m->guest)
        run_in_guest(m);
    else if (m->process)
        vmm_confined_go(m);
}

static void run_those(struct vmm_keeper *k, bool after_all)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++) {
        struct vmm_member *m = &k->member[i];
        if (m->node->n_run && m->node->after_all == after_all && m->state == VMM_MEMBER_READY)
            run_command(m);
    }
}

static void run_rest(struct vmm_keeper *k)
{
    ev_timer_stop(k->loop, &k->others_limit);
    if (k->all_begun || k->phase >= VMM_PHASE_STOPPING)
        return;
    k->all_begun = true;
    run_those(k, true);
}

/* A server that was started and says nothing yet may not listen yet. */
static void run_rest_if_all_spoke(struct vmm_keeper *k)
{
    if (k->phase < VMM_PHASE_READY || k->all_begun)
        return;
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (k->member[i].state == VMM_MEMBER_RUNNING && !k->member[i].spoke)
            return;
    run_rest(k);
}

static void on_others_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    run_rest(w->data);
}

void vmm_members_run(struct vmm_keeper *k)
{
    run_those(k, false);
    ev_timer_init(&k->others_limit, on_others_limit, OTHERS_BEGIN_S, 0);
    k->others_limit.data = k;
    ev_timer_start(k->loop, &k->others_limit);
    run_rest_if_all_spoke(k);
}

/* A guest's threads are there: they get their policy. */
static int apply_policy(struct vmm_member *m)
{
    char why[VMM_WHY_MAX];
    size_t n;
    const pid_t *vcpus = vmm_guest_vcpus(m->guest, &n);
    if (vmm_rt_apply(m->keeper->rt, m->index, vcpus, n, why, sizeof why) == 0)
        return 0;
    vmm_keeper_say(m->keeper, "%s: %s", m->node->name, why);
    return -1;
}

static void join_group(struct vmm_member *m)
{
    char why[VMM_WHY_MAX];
    m->pid = vmm_guest_pid(m->guest);
    if (vmm_rt_started(m->keeper->rt, m->index, m->pid, why, sizeof why) < 0)
        vmm_keeper_stop(m->keeper, "%s: %s", m->node->name, why);
}

static void on_running(void *user, struct vmm_guest *g)
{
    struct vmm_member *m = user;
    if (vmm_guest_pid(g) != m->pid && m->keeper->phase < VMM_PHASE_STOPPING)
        join_group(m); /* the second try, with TCG */
}

/* Guests have no clock of their own that is right: certificates and logs want one. */
static void set_clock(struct vmm_member *m)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    vmm_agent_ask(vmm_guest_agent(m->guest),
                  json_pack("{s:s, s:I}", "do", "time", "ns",
                            (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec),
                  5, vmm_lines_ignore, NULL);
}

static void on_ready(void *user, struct vmm_guest *g, const struct vmm_agent_hello *h)
{
    struct vmm_member *m = user;
    struct vmm_keeper *k = m->keeper;
    snprintf(m->kernel, sizeof m->kernel, "%s", h->kernel);
    set_clock(m);
    vmm_exec_resume(k, m);
    if (m->state != VMM_MEMBER_STARTING || k->phase >= VMM_PHASE_STOPPING)
        return;
    vmm_keeper_say(k, "%s: %s answers after %.1f s (%s)", m->node->name, h->kernel,
                   vmm_guest_boot_s(g), vmm_accel_name(vmm_guest_config(g)->accel));
    if (apply_policy(m) < 0) {
        vmm_keeper_stop(k, "%s cannot have what it asks for; keeper.log has more", m->node->name);
        return;
    }
    vmm_member_state_set(m, VMM_MEMBER_READY);
}

static void on_ended(void *user, struct vmm_guest *g, const char *why)
{
    struct vmm_member *m = user;
    (void)g;
    vmm_member_dead(m, why);
}

static void on_note(void *user, struct vmm_guest *g, const char *line)
{
    struct vmm_member *m = user;
    (void)g;
    vmm_keeper_say(m->keeper, "%s: %s", m->node->name, line);
}

static const struct vmm_guest_handler handler = {
    .on_running = on_running, .on_ready = on_ready, .on_ended = on_ended, .on_note = on_note
};

void vmm_keeper_moved(struct vmm_keeper *k, struct vmm_member *m, struct vmm_guest *g)
{
    char why[VMM_WHY_MAX];
    m->guest = g;
    m->pid = vmm_guest_pid(g);
    vmm_guest_set_handler(g, &handler, m);
    if (vmm_rt_started(k->rt, m->index, m->pid, why, sizeof why) < 0)
        vmm_keeper_say(k, "%s: %s", m->node->name, why);
    else
        apply_policy(m); /* says what it cannot do: better a guest without it than none */
    vmm_exec_resume(k, m);
}

static void start_guest(struct vmm_member *m)
{
    struct vmm_keeper *k = m->keeper;
    char why[VMM_WHY_MAX];
    const char *root = k->launch->may_fall_back ? k->root : NULL;
    m->state = VMM_MEMBER_STARTING;
    if (vmm_guest_start(&m->guest, k->loop, &k->launch->guest[m->index], -1, root, &handler, m, why,
                        sizeof why) < 0)
        vmm_keeper_stop(k, "%s: %s", m->node->name, why);
    else
        join_group(m);
}

/* Before anybody but us may write into the node's folder. */
static int open_output(struct vmm_member *m)
{
    char path[VMM_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/node/%s/output.log", m->keeper->folder, m->node->name) >=
        (int)sizeof path)
        return -1;
    m->output = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return m->output;
}

void vmm_members_init(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        k->member[i] = (struct vmm_member){
            .keeper = k, .node = &k->topology->node[i], .index = i, .output = -1
        };
}

void vmm_members_start(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (open_output(&k->member[i]) < 0) {
            vmm_keeper_stop(k, "%s: cannot write its output.log: %s", k->topology->node[i].name,
                            strerror(errno));
            return;
        }
    for (size_t i = 0; i < k->topology->n_nodes && k->phase == VMM_PHASE_STARTING; i++) {
        struct vmm_member *m = &k->member[i];
        switch (m->node->kind) {
        case VMM_GUEST:
            start_guest(m);
            break;
        case VMM_PROCESS:
            vmm_confined_start(m);
            break;
        case VMM_NAMESPACE:
            m->state = VMM_MEMBER_READY;
            break;
        }
    }
    check_all_ready(k);
}

void vmm_members_stop(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++) {
        struct vmm_member *m = &k->member[i];
        if (m->guest && vmm_guest_state(m->guest) != VMM_GUEST_ENDED)
            vmm_guest_stop(m->guest, STOP_PATIENCE_S);
        if (m->process)
            vmm_confined_stop(m);
    }
}

/* Nothing of it runs any more. A namespace of the host counts as gone: it is not ours. */
static bool is_gone(const struct vmm_member *m)
{
    if (m->guest)
        return vmm_guest_state(m->guest) == VMM_GUEST_ENDED;
    return !m->process || m->pid == 0;
}

bool vmm_members_all_gone(const struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (!is_gone(&k->member[i]) ||
            (k->phase < VMM_PHASE_STOPPING && k->member[i].state == VMM_MEMBER_SUSPENDED))
            return false;
    return true;
}

void vmm_members_free(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++) {
        struct vmm_member *m = &k->member[i];
        vmm_guest_free(m->guest);
        vmm_suspended_free(m->suspended);
        vmm_confined_free(m);
        if (m->output >= 0)
            close(m->output);
        m->guest = NULL;
        m->output = -1;
    }
}
