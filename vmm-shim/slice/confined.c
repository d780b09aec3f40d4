/*
 * confined.c - nodes that are confined processes, as members. See confined.h.
 *
 *     vmm_process_start() ─► the network makes its NICs in its namespace ─► READY ─► go ─► DONE
 *
 * The node's command and what `exec` runs beside it speak through pipes; what they print comes in
 * parts, as a guest's does. A child has ended when it was waited for and both pipes are at their
 * end. What nobody reads is not made: a pipe whose output waits for a client is not read. Input
 * waits here until the child takes it, bounded by the client's window.
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
#define INPUT_MAX (256u << 10) /* of a child that does not read it */

/* The node's command, or one of `exec`. */
struct child {
    struct vmm_confined *node;
    struct child *next;
    struct vmm_call *call; /* of `exec`; NULL: the node's command */
    ev_child ended;
    ev_io pipe[2]; /* output, errors */
    ev_io feed;    /* input; its descriptor is -1 where there is none (any more) */
    char *input;   /* what is to be fed, input_at to input_end */
    size_t input_at, input_end;
    bool input_ends;
    unsigned open; /* what has not ended: process and pipes */
    int status;
    bool own_pipes, gone;
    bool reads[2]; /* that have not ended */
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
    free(c->input);
    free(c);
}

static void close_input(struct child *c)
{
    if (c->feed.fd < 0)
        return;
    ev_io_stop(loop_of(c), &c->feed);
    close(c->feed.fd);
    ev_io_set(&c->feed, -1, EV_WRITE);
}

/* The client may send so much more. */
static void say_taken(struct child *c, size_t bytes)
{
    if (bytes && !c->gone)
        vmm_call_part(c->call, json_pack("{s:I}", "taken", (json_int_t)bytes));
}

static void on_feed(struct ev_loop *loop, ev_io *w, int events)
{
    struct child *c = w->data;
    size_t waits = c->input_end - c->input_at;
    (void)loop;
    (void)events;
    ssize_t n = waits ? write(w->fd, c->input + c->input_at, waits) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t taken = n < 0 ? waits : (size_t)n; /* it has closed its input: it takes all to come */
    c->input_at += taken;
    say_taken(c, taken);
    if (c->input_at == c->input_end)
        ev_io_stop(loop, w);
    if (n < 0 || (c->input_ends && c->input_at == c->input_end))
        close_input(c);
}

/* Takes what the client sent as its input. */
static void add_input(struct child *c, json_t *line)
{
    size_t n = 0, waits = c->input_end - c->input_at;
    char *bytes = vmm_text_get(line, "in", &n);
    if (bytes && c->feed.fd < 0) {
        say_taken(c, n);
    } else if (bytes && waits + n <= INPUT_MAX) {
        memmove(c->input, c->input + c->input_at, waits);
        memcpy(c->input + waits, bytes, n);
        c->input_at = 0;
        c->input_end = waits + n;
    }
    free(bytes);
    c->input_ends = c->input_ends || json_is_true(json_object_get(line, "eof"));
    if (c->feed.fd >= 0)
        ev_io_start(loop_of(c), &c->feed);
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
    close_input(c);
    vmm_keeper_on_flow(c->node->member->keeper, c->call, NULL, NULL);
    vmm_call_ok(c->call, json_pack("{s:i}", "exit", exit_code(c->status)));
    forget(c);
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
        c->reads[w - c->pipe] = false;
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
    if (c->call && !c->gone && vmm_flow_is_crowded(c->call))
        ev_io_stop(loop, w); /* until on_drained() */
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
    ev_child_init(&c->ended, on_ended, pid, 0);
    c->ended.data = c;
    ev_child_start(loop, &c->ended);
    c->open = 3;
    for (size_t i = 0; i < 2; i++) {
        ev_io_init(&c->pipe[i], on_pipe, fd[i], EV_READ);
        c->pipe[i].data = c;
        c->reads[i] = true;
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

static void read_on(struct child *c)
{
    for (size_t i = 0; i < 2; i++)
        if (c->reads[i])
            ev_io_start(loop_of(c), &c->pipe[i]);
}

void vmm_confined_hold(struct vmm_member *m, bool held)
{
    struct child *c = &m->confined->main;
    if (!held)
        read_on(c);
    for (size_t i = 0; i < 2 && held; i++)
        ev_io_stop(loop_of(c), &c->pipe[i]);
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
        vmm_keeper_on_flow(m->keeper, o->call, NULL, NULL);
        vmm_call_error(o->call, "%s has ended", m->node->name);
        close_input(o);
        ev_child_stop(loop, &o->ended);
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
    read_on(c);
    if (c->ended.pid > 0)
        kill(c->ended.pid, VMM_PROCESS_END_ALL);
}

static void on_exec_input(void *user, json_t *line)
{
    struct child *c = user;
    json_t *number = json_object_get(line, "signal");
    if (!json_is_integer(number))
        add_input(c, line);
    else if (c->ended.pid > 0)
        kill(c->ended.pid, (int)json_integer_value(number));
}

static void on_exec_drained(void *user)
{
    read_on(user);
}

void vmm_confined_exec(struct vmm_member *m, struct vmm_call *call,
                       const struct vmm_process_exec *e)
{
    static const struct vmm_flow flow = { .input = on_exec_input, .drained = on_exec_drained };
    char why[VMM_WHY_MAX] = "out of memory";
    struct vmm_process_pipes pipes;
    struct child *c = m->pid ? calloc(1, sizeof *c) : NULL;
    char *input = c ? malloc(INPUT_MAX) : NULL;
    pid_t pid = input ? vmm_process_exec(m->process, e, &pipes, why, sizeof why) : -1;
    if (pid < 0) {
        free(input);
        free(c);
        vmm_call_error(call, "%s: %s", m->node->name, m->pid ? why : "it has ended");
        return;
    }
    *c = (struct child){ .node = m->confined,
                         .next = m->confined->others,
                         .call = call,
                         .own_pipes = true,
                         .input = input };
    m->confined->others = c;
    ev_io_init(&c->feed, on_feed, pipes.in, EV_WRITE);
    c->feed.data = c;
    watch(c, pid, pipes.out, pipes.err);
    vmm_call_on_gone(call, on_exec_gone, c);
    vmm_keeper_on_flow(m->keeper, call, &flow, c);
}
