/*
 * qmp.c - QEMU's control socket (qmp.h): connect until it is there, negotiate, then lines.
 */
#include "guest/qmp.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_S 0.01
#define PATH_ROOM 108 /* of a unix socket */

struct vmm_qmp {
    struct ev_loop *loop;
    const struct vmm_qmp_handler *handler;
    void *user;
    struct vmm_lines *lines; /* NULL: not connected yet */
    ev_timer retry;
    ev_tstamp until;
    bool ready;
    char path[PATH_ROOM];
};

bool vmm_qmp_is_ready(const struct vmm_qmp *q)
{
    return q->ready;
}

static void tell_closed(struct vmm_qmp *q, const char *why)
{
    q->ready = false;
    if (q->handler->on_closed)
        q->handler->on_closed(q->user, why);
}

static void on_closed(void *user, const char *why)
{
    tell_closed(user, why);
}

static void on_negotiated(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_qmp *q = user;

    (void)m, (void)why;
    if (kind != VMM_DONE)
        return; /* the end is told by on_closed */
    q->ready = true;
    if (q->handler->on_ready)
        q->handler->on_ready(q->user);
}

static void on_message(void *user, json_t *m)
{
    struct vmm_qmp *q = user;
    const char *event = json_string_value(json_object_get(m, "event"));

    if (json_object_get(m, "QMP")) {
        vmm_lines_ask(q->lines, json_pack("{s:s}", "execute", "qmp_capabilities"), 0, on_negotiated,
                      q);
        return;
    }
    if (event && q->handler->on_event)
        q->handler->on_event(q->user, event, json_object_get(m, "data"));
}

static void on_bad(void *user, const char *why)
{
    (void)user, (void)why; /* QEMU answers an answer with an error: say nothing */
}

static const struct vmm_lines_handler lines_handler = { .on_message = on_message,
                                                        .on_bad = on_bad,
                                                        .on_closed = on_closed };

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_qmp *q = w->data;
    char why[300];
    const int fd = vmm_lines_dial(q->path, why, sizeof why);

    (void)events;
    if (fd >= 0) {
        ev_timer_stop(loop, &q->retry);
        if (vmm_lines_new(&q->lines, loop, fd, &lines_handler, q, why, sizeof why) != 0)
            tell_closed(q, why);
    } else if (ev_now(loop) >= q->until) {
        ev_timer_stop(loop, &q->retry);
        tell_closed(q, why);
    }
}

static struct vmm_qmp *make(struct ev_loop *loop, const struct vmm_qmp_handler *handler, void *user,
                            char *why, size_t why_size)
{
    struct vmm_qmp *q = calloc(1, sizeof *q);

    if (!q) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    *q = (struct vmm_qmp){ .loop = loop, .handler = handler, .user = user };
    ev_timer_init(&q->retry, on_retry, 0, RETRY_S);
    q->retry.data = q;
    return q;
}

int vmm_qmp_new(struct vmm_qmp **out, struct ev_loop *loop, const char *path, double patience_s,
                const struct vmm_qmp_handler *handler, void *user, char *why, size_t why_size)
{
    struct vmm_qmp *q;

    *out = NULL;
    if (strlen(path) >= PATH_ROOM) {
        snprintf(why, why_size, "%s: longer than a socket's path may be", path);
        return -1;
    }
    q = make(loop, handler, user, why, why_size);
    if (!q)
        return -1;
    snprintf(q->path, sizeof q->path, "%s", path);
    ev_now_update(loop);
    q->until = ev_now(loop) + patience_s;
    ev_timer_start(loop, &q->retry);
    *out = q;
    return 0;
}

int vmm_qmp_new_on(struct vmm_qmp **out, struct ev_loop *loop, int fd,
                   const struct vmm_qmp_handler *handler, void *user, char *why, size_t why_size)
{
    struct vmm_qmp *q = make(loop, handler, user, why, why_size);

    *out = NULL;
    if (!q || vmm_lines_new(&q->lines, loop, fd, &lines_handler, q, why, why_size) != 0) {
        free(q);
        return -1;
    }
    *out = q;
    return 0;
}

void vmm_qmp_free(struct vmm_qmp *q)
{
    struct vmm_lines *lines;

    if (!q)
        return;
    ev_timer_stop(q->loop, &q->retry);
    lines = q->lines;
    q->lines = NULL;
    q->ready = false;
    vmm_lines_free(lines);
    free(q);
}

uint64_t vmm_qmp_ask(struct vmm_qmp *q, const char *command, json_t *arguments, double timeout_s,
                     vmm_answer_fn *fn, void *user)
{
    json_t *m;

    if (!q->ready) {
        json_decref(arguments);
        return 0;
    }
    m = json_pack("{s:s}", "execute", command);
    if (arguments)
        json_object_set_new(m, "arguments", arguments);
    return vmm_lines_ask(q->lines, m, timeout_s > 0 ? timeout_s : VMM_QMP_TIMEOUT_S, fn, user);
}

void vmm_qmp_forget(struct vmm_qmp *q, uint64_t id)
{
    if (q->lines)
        vmm_lines_forget(q->lines, id);
}

json_t *vmm_qmp_value(json_t *m)
{
    return json_object_get(m, "return");
}

uint64_t vmm_qmp_give_fd(struct vmm_qmp *q, const char *name, int fd, vmm_answer_fn *fn, void *user)
{
    if (!q->ready || vmm_lines_carry(q->lines, fd) != 0)
        return 0;
    return vmm_qmp_ask(q, "getfd", json_pack("{s:s}", "fdname", name), 0, fn, user);
}
