/*
 * confined.c - nodes that are confined processes, as members. See confined.h.
 *
 *     vmm_process_start() ─► the network makes its NICs in its namespace ─► READY ─► go ─► DONE
 *
 * The node's command and what `exec` runs beside it speak through pipes; what they print comes in
 * parts, as a guest's does. A child has ended when it was waited for and both pipes are at their
 * end.
 */
#include "slice/confined.h"
#include "lines.h"
#include "process/process.h"
#include "rt/rt.h"
#include "slice/inside.h"
#include "slice/member.h"
#include "slice/network.h"
#include "slice/text.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 16384
#define QUEUE_MAX (1 << 20) /* bytes that wait for a client before the pipes are not read */
#define LOOK_S 0.02         /* whether it has read them */

/* The node's command, or one of `exec`. */
struct child {
    struct vmm_confined *node;
    struct child *next;
    struct vmm_call *call; /* of `exec`; NULL: the node's command */
    ev_child ended;
    ev_io pipe[2]; /* output, errors */
    unsigned open; /* what has not ended: process and pipes */
    int status;
    bool own_pipes, gone;
    bool at_end[2]; /* of the pipes */
    ev_timer look;  /* runs while they are not read, as who asked reads more slowly */
};

struct vmm_confined {
    struct vmm_member *member;
    struct child main;
    struct child *others;
    unsigned unanswered; /* NICs, and our own look */
    bool failed;
};

static struct ev_loop *loop_of(const struct child *c)
{
    return c->node->member->keeper->loop;
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void forget(struct child *c)
{
    struct child **p = &c->node->others;
    while (*p && *p != c)
        p = &(*p)->next;
    if (*p)
        *p = c->next;
    free(c);
}

/* The node's own command: its end is the end of the confinement, as pid 1 goes with it. */
static void end_main(struct child *c)
{
    struct vmm_member *m = c->node->member;
    m->pid = 0;
    if (m->keeper->rt)
        vmm_rt_stopped(m->keeper->rt, m->index);
    if (m->state == VMM_MEMBER_RUNNING && m->keeper->phase < VMM_PHASE_STOPPING)
        vmm_member_done(m, exit_code(c->status));
    else
        vmm_member_dead(m,
                        m->keeper->phase < VMM_PHASE_STOPPING ? "it ended before it was run" : "");
}

static void end_part(struct child *c)
{
    if (--c->open > 0)
        return;
    if (!c->call) {
        end_main(c);
        return;
    }
    vmm_keeper_on_input(c->node->member->keeper, c->call, NULL, NULL);
    vmm_call_ok(c->call, json_pack("{s:i}", "exit", exit_code(c->status)));
    forget(c);
}

static size_t queued(const struct child *c)
{
    struct vmm_lines *l = c->call ? vmm_call_channel(c->call) : NULL;
    return l ? vmm_lines_queued(l) : 0;
}

static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
    struct child *c = w->data;
    (void)events;
    if (queued(c) > QUEUE_MAX / 2)
        return;
    ev_timer_stop(loop, w);
    for (size_t i = 0; i < 2; i++)
        if (!c->at_end[i])
            ev_io_start(loop, &c->pipe[i]);
}

static void hold_back(struct child *c)
{
    if (queued(c) < QUEUE_MAX || ev_is_active(&c->look))
        return;
    for (size_t i = 0; i < 2; i++)
        ev_io_stop(loop_of(c), &c->pipe[i]);
    ev_timer_set(&c->look, LOOK_S, LOOK_S);
    ev_timer_start(loop_of(c), &c->look);
}

static void on_pipe(struct ev_loop *loop, ev_io *w, int events)
{
    struct child *c = w->data;
    char bytes[READ_BYTES];
    (void)events;
    ssize_t n = read(w->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        ev_io_stop(loop, w);
        c->at_end[w - c->pipe] = true;
        if (c->own_pipes)
            close(w->fd);
        end_part(c);
        return;
    }
    json_t *part = json_object();
    vmm_text_put(part, w == &c->pipe[0] ? "out" : "err", bytes, (size_t)n);
    if (!c->call)
        vmm_member_output(c->node->member, part);
    if (c->call && !c->gone)
        vmm_call_part(c->call, part);
    else
        json_decref(part);
    hold_back(c);
}

static void on_ended(struct ev_loop *loop, ev_child *w, int events)
{
    struct child *c = w->data;
    (void)events;
    ev_child_stop(loop, w);
    c->status = w->rstatus;
    end_part(c);
}

static void watch(struct child *c, pid_t pid, int out, int err)
{
    struct ev_loop *loop = loop_of(c);
    const int fd[2] = { out, err };
    ev_init(&c->look, on_look);
    c->look.data = c;
    ev_child_init(&c->ended, on_ended, pid, 0);
    c->ended.data = c;
    ev_child_start(loop, &c->ended);
    c->open = 3;
    for (size_t i = 0; i < 2; i++) {
        ev_io_init(&c->pipe[i], on_pipe, fd[i], EV_READ);
        c->pipe[i].data = c;
        ev_io_start(loop, &c->pipe[i]);
    }
}

static void ready_if_all(struct vmm_confined *c)
{
    char why[VMM_WHY_MAX];
    struct vmm_member *m = c->member;
    if (--c->unanswered > 0 || c->failed || m->keeper->phase >= VMM_PHASE_STOPPING)
        return;
    if (vmm_rt_apply(m->keeper->rt, m->index, NULL, 0, why, sizeof why) < 0)
        vmm_keeper_stop(m->keeper, "%s: %s", m->node->name, why);
    else
        vmm_member_state_set(m, VMM_MEMBER_READY);
}

static void on_nic(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_confined *c = user;
    (void)answer;
    if (kind == VMM_PART)
        return;
    if (kind == VMM_FAILED && !c->failed) {
        c->failed = true;
        vmm_keeper_stop(c->member->keeper, "%s: %s", c->member->node->name, why);
    }
    ready_if_all(c);
}

static void make_nics(struct vmm_confined *c)
{
    struct vmm_member *m = c->member;
    struct vmm_keeper *k = m->keeper;
    char namespace[64], interface[VMM_NAME_MAX];
    unsigned n = 0;
    snprintf(namespace, sizeof namespace, "/proc/%d/ns/net", (int)m->pid);
    c->unanswered = 1;
    for (size_t l = 0; l < k->topology->n_links && !c->failed; l++) {
        int port = vmm_topology_port(k->topology, l, m->index);
        if (port < 0)
            continue;
        snprintf(interface, sizeof interface, "eth%u", n++);
        json_t *request = vmm_network_interface(k->topology, l, (size_t)port, namespace, interface);
        c->unanswered++;
        if (vmm_network_ask(k->network, request, on_nic, c) < 0)
            on_nic(c, VMM_FAILED, NULL, "the network process cannot be asked");
    }
    ready_if_all(c);
}

static int start_process(struct vmm_member *m, char *why, size_t why_size)
{
    struct vmm_keeper *k = m->keeper;
    char folder[VMM_PATH_MAX], hosts[VMM_NODES_MAX * 64];
    struct vmm_file extra[3] = { { .to = "/etc/slice/ca.pem" },
                                 { .to = "/etc/slice/cert.pem" },
                                 { .to = "/etc/slice/key.pem" } };
    const char *name = m->node->name;
    if (snprintf(folder, sizeof folder, "%s/node/%s", k->folder, name) >= (int)sizeof folder ||
        snprintf(extra[0].from, VMM_PATH_MAX, "%s/ca/ca.pem", k->folder) >= VMM_PATH_MAX ||
        snprintf(extra[1].from, VMM_PATH_MAX, "%s/node/%s/cert.pem", k->folder, name) >=
            VMM_PATH_MAX ||
        snprintf(extra[2].from, VMM_PATH_MAX, "%s/node/%s/key.pem", k->folder, name) >=
            VMM_PATH_MAX) {
        snprintf(why, why_size, "the folder of the slice has too long a name");
        return -1;
    }
    vmm_network_hosts(k->topology, m->index, hosts, sizeof hosts);
    const struct vmm_process_spec spec = { .node = m->node,
                                           .folder = folder,
                                           .user = k->topology->user,
                                           .hosts = hosts,
                                           .extra = extra,
                                           .n_extra = 3 };
    return vmm_process_start(&m->process, &spec, why, why_size);
}

void vmm_confined_start(struct vmm_member *m)
{
    char why[VMM_WHY_MAX] = "out of memory";
    struct vmm_confined *c = calloc(1, sizeof *c);
    if (!c || start_process(m, why, sizeof why) < 0) {
        free(c);
        vmm_keeper_stop(m->keeper, "%s: %s", m->node->name, why);
        return;
    }
    c->member = m;
    c->main.node = c;
    m->confined = c;
    m->pid = vmm_process_pid(m->process);
    m->state = VMM_MEMBER_STARTING;
    watch(&c->main, m->pid, vmm_process_out(m->process), vmm_process_err(m->process));
    if (vmm_rt_started(m->keeper->rt, m->index, m->pid, why, sizeof why) < 0)
        vmm_keeper_stop(m->keeper, "%s: %s", m->node->name, why);
    else
        make_nics(c);
}

void vmm_confined_go(struct vmm_member *m)
{
    char why[VMM_WHY_MAX];
    m->state = VMM_MEMBER_RUNNING;
    if (vmm_process_go(m->process, why, sizeof why) < 0) {
        vmm_keeper_say(m->keeper, "%s: %s", m->node->name, why);
        vmm_member_done(m, 127);
    } else if (vmm_rt_apply(m->keeper->rt, m->index, NULL, 0, why, sizeof why) < 0) {
        /* DEADLINE goes to the command itself, which is there only now. */
        vmm_keeper_say(m->keeper, "%s: %s", m->node->name, why);
    }
}

void vmm_confined_stop(struct vmm_member *m)
{
    if (m->pid)
        kill(m->pid, SIGKILL);
}

void vmm_confined_free(struct vmm_member *m)
{
    struct vmm_confined *c = m->confined;
    struct ev_loop *loop = m->keeper->loop;
    if (!c)
        return;
    while (c->others) {
        struct child *o = c->others;
        vmm_keeper_on_input(m->keeper, o->call, NULL, NULL);
        vmm_call_error(o->call, "%s has ended", m->node->name);
        ev_child_stop(loop, &o->ended);
        ev_timer_stop(loop, &o->look);
        for (size_t i = 0; i < 2; i++)
            ev_io_stop(loop, &o->pipe[i]);
        forget(o);
    }
    ev_child_stop(loop, &c->main.ended);
    for (size_t i = 0; i < 2; i++)
        ev_io_stop(loop, &c->main.pipe[i]);
    vmm_process_free(m->process);
    m->process = NULL;
    m->confined = NULL;
    free(c);
}

static void on_exec_gone(void *user)
{
    struct child *c = user;
    c->gone = true;
    if (c->ended.pid > 0)
        kill(c->ended.pid, SIGKILL);
}

static void on_exec_input(void *user, json_t *line)
{
    struct child *c = user;
    json_t *number = json_object_get(line, "signal");
    if (json_is_integer(number) && c->ended.pid > 0)
        kill(c->ended.pid, (int)json_integer_value(number));
}

void vmm_confined_exec(struct vmm_member *m, struct vmm_call *call, char *const *argv)
{
    char why[VMM_WHY_MAX] = "out of memory";
    int out, err;
    struct child *c = m->pid ? calloc(1, sizeof *c) : NULL;
    pid_t pid = c ? vmm_process_exec(m->process, argv, &out, &err, why, sizeof why) : -1;
    if (pid < 0) {
        free(c);
        vmm_call_error(call, "%s: %s", m->node->name, m->pid ? why : "it has ended");
        return;
    }
    *c = (struct child){
        .node = m->confined, .next = m->confined->others, .call = call, .own_pipes = true
    };
    m->confined->others = c;
    watch(c, pid, out, err);
    vmm_call_on_gone(call, on_exec_gone, c);
    vmm_keeper_on_input(m->keeper, call, on_exec_input, c);
}
