/*
 * agent.c - the host's side of a guest's agent (agent.h).
 *
 *     WAITING ── socket is there ──► ASKED (ping) ── any word of the agent ──► READY
 *        ▲                                └────────── closed ──────────────────┘
 *
 * What is sent before the agent has opened its port waits in the socket: one ping is enough.
 */
#include "guest/agent.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_S 0.02
#define PATH_ROOM 108 /* of a unix socket */

struct vmm_agent {
    struct ev_loop *loop;
    const struct vmm_agent_handler *handler;
    void *user;
    struct vmm_lines *lines; /* NULL: not connected */
    ev_timer retry;
    bool ready;
    bool held;               /* connected, and not listened to until adopt or release */
    int far;                 /* other end of a parked agent's channel, -1: none */
    uint64_t ping_id, above; /* ids we give are above it */
    struct vmm_agent_hello hello;
    char path[PATH_ROOM]; /* "": parked */
};

bool vmm_agent_is_ready(const struct vmm_agent *a)
{
    return a->ready;
}

static void on_closed(void *user, const char *why)
{
    struct vmm_agent *a = user;
    const bool was_ready = a->ready;

    vmm_lines_free(a->lines);
    a->lines = NULL;
    a->ready = false;
    ev_timer_again(a->loop, &a->retry);
    if (was_ready && a->handler->on_lost)
        a->handler->on_lost(a->user, why);
}

/* Any word of it will do. */
static void answers(struct vmm_agent *a)
{
    if (a->ready)
        return;
    a->ready = true;
    if (a->handler->on_ready)
        a->handler->on_ready(a->user, &a->hello);
}

static void on_pong(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    (void)m, (void)why;
    if (kind == VMM_DONE)
        answers(user);
}

static void keep(char *to, size_t size, const json_t *from)
{
    const char *text = json_string_value(from);

    if (text)
        snprintf(to, size, "%s", text);
}

static void on_message(void *user, json_t *m)
{
    struct vmm_agent *a = user;

    if (json_object_get(m, "hello")) {
        keep(a->hello.node, sizeof a->hello.node, json_object_get(m, "node"));
        keep(a->hello.kernel, sizeof a->hello.kernel, json_object_get(m, "kernel"));
        a->hello.uptime_ms = (uint64_t)json_integer_value(json_object_get(m, "uptime_ms"));
        answers(a);
        return;
    }
    if (a->handler->on_message)
        a->handler->on_message(a->user, m);
}

static void on_bad(void *user, const char *why)
{
    (void)user, (void)why; /* half a line of before we came */
}

static const struct vmm_lines_handler lines_handler = { .on_message = on_message,
                                                        .on_bad = on_bad,
                                                        .on_closed = on_closed };

static void ping(struct vmm_agent *a)
{
    vmm_lines_number_from(a->lines, a->above);
    a->ping_id = vmm_lines_ask(a->lines, json_pack("{s:s}", "do", "ping"), 0, on_pong, a);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_agent *a = w->data;
    char why[300];
    const int fd = vmm_lines_dial(a->path, why, sizeof why);

    (void)events;
    if (fd < 0 || vmm_lines_new(&a->lines, loop, fd, &lines_handler, a, why, sizeof why) != 0)
        return;
    ev_timer_stop(loop, &a->retry);
    if (a->held)
        vmm_lines_pause(a->lines);
    else
        ping(a);
}

static struct vmm_agent *make(struct ev_loop *loop, const struct vmm_agent_handler *handler,
                              void *user)
{
    struct vmm_agent *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    *a = (struct vmm_agent){ .loop = loop, .handler = handler, .user = user, .far = -1 };
    ev_timer_init(&a->retry, on_retry, 0, RETRY_S);
    a->retry.data = a;
    return a;
}

int vmm_agent_new(struct vmm_agent **out, struct ev_loop *loop, const char *path,
                  const struct vmm_agent_handler *handler, void *user, char *why, size_t why_size)
{
    struct vmm_agent *a = strlen(path) < PATH_ROOM ? make(loop, handler, user) : NULL;

    *out = a;
    if (!a) {
        snprintf(why, why_size, "%s: longer than a socket's path may be", path);
        return -1;
    }
    snprintf(a->path, sizeof a->path, "%s", path);
    ev_timer_start(loop, &a->retry);
    return 0;
}

int vmm_agent_new_held(struct vmm_agent **out, struct ev_loop *loop, const char *path,
                       const struct vmm_agent_handler *handler, void *user, char *why,
                       size_t why_size)
{
    if (vmm_agent_new(out, loop, path, handler, user, why, why_size) != 0)
        return -1;
    (*out)->held = true;
    return 0;
}

static const struct vmm_agent_handler nobody;

struct vmm_agent *vmm_agent_park(struct vmm_agent *from)
{
    struct vmm_agent *a = make(from->loop, &nobody, NULL);
    int fd[2];
    char why[200];

    if (!a || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) {
        free(a);
        return NULL;
    }
    a->far = fd[1];
    if (vmm_lines_new(&a->lines, a->loop, fd[0], &lines_handler, a, why, sizeof why) != 0) {
        vmm_agent_free(a);
        return NULL;
    }
    vmm_agent_adopt(a, from);
    return a;
}

void vmm_agent_adopt(struct vmm_agent *a, struct vmm_agent *from)
{
    if (!a->lines && *a->path)
        on_retry(a->loop, &a->retry, 0); /* it is there, or all is lost */
    if (from && from->lines && a->lines) {
        vmm_lines_forget(from->lines, from->ping_id); /* ours to answer, not the guest's to move */
        vmm_lines_adopt(a->lines, from->lines);
    }
    if (from)
        a->hello = from->hello;
    vmm_agent_release(a, 0);
}

void vmm_agent_release(struct vmm_agent *a, uint64_t above)
{
    a->above = above;
    if (!a->held)
        return;
    a->held = false;
    if (!a->lines)
        return; /* pings when it has connected */
    vmm_lines_resume(a->lines);
    ping(a);
}

void vmm_agent_free(struct vmm_agent *a)
{
    if (!a)
        return;
    ev_timer_stop(a->loop, &a->retry);
    a->ready = false;
    vmm_lines_free(a->lines);
    if (a->far >= 0)
        close(a->far);
    free(a);
}

uint64_t vmm_agent_ask(struct vmm_agent *a, json_t *m, double timeout_s, vmm_answer_fn *fn,
                       void *user)
{
    if (a->ready)
        return vmm_lines_ask(a->lines, m, timeout_s, fn, user);
    json_decref(m);
    return 0;
}

int vmm_agent_expect(struct vmm_agent *a, uint64_t id, vmm_answer_fn *fn, void *user)
{
    return a->lines ? vmm_lines_expect(a->lines, id, fn, user) : -1;
}

int vmm_agent_tell(struct vmm_agent *a, uint64_t id, json_t *m)
{
    if (!a->ready || json_object_set_new(m, "id", json_integer((json_int_t)id)) != 0) {
        json_decref(m);
        return -1;
    }
    return vmm_lines_send(a->lines, m);
}

/* An array of argv; an object of "NAME=VALUE". */
static json_t *words(const char *const *word)
{
    json_t *list = json_array();

    for (; word && *word; word++)
        json_array_append_new(list, json_string(*word));
    return list;
}

static json_t *pairs(const char *const *word)
{
    json_t *map = json_object();

    for (; word && *word; word++) {
        const char *is = strchr(*word, '=');
        char name[256];

        if (!is || (size_t)(is - *word) >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(is - *word), *word);
        json_object_set_new(map, name, json_string(is + 1));
    }
    return map;
}

uint64_t vmm_agent_exec(struct vmm_agent *a, const struct vmm_agent_exec *e, vmm_answer_fn *fn,
                        void *user)
{
    json_t *m = json_pack("{s:s, s:o, s:o, s:b, s:b}", "do", "exec", "argv", words(e->argv), "env",
                          pairs(e->env), "stdin", e->stdin_, "detach", e->detach);

    if (!m)
        return 0;
    if (e->name)
        json_object_set_new(m, "name", json_string(e->name));
    if (e->sched) {
        json_object_set_new(m, "sched", json_string(e->sched));
        json_object_set_new(m, "priority", json_integer(e->priority));
    }
    return vmm_agent_ask(a, m, 0, fn, user);
}
