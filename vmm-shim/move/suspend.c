/*
 * suspend.c - "suspend" to a keeper: a guest stops, its state goes to a file, its QEMU ends.
 *
 *     {"do":"suspend","node":NAME,"file":ABSOLUTE[,"zstd":bool]} ->
 * {"ok":{"bytes","file_bytes","ms"}}
 *
 * The file appears under its name when all of it is there; if anything fails the guest goes on.
 */
#include "move/state_file.h"
#include "move/suspended.h"
#include "rt/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_S 0.02
#define LIMIT_S 300.0

extern const struct vmm_request_kind vmm_request_suspend;

struct saving {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_call *call;
    char path[VMM_PATH_MAX], fresh[VMM_PATH_MAX + 8];
    int file;   /* -1: closed */
    pid_t zstd; /* 0: none, or ended */
    ev_child child;
    bool zstd_failed, copied;
    ev_timer poll, limit;
    ev_tstamp begun;
    uint64_t bytes;
};

static void fail(struct saving *s, const char *why);
static void look(struct saving *s);

static struct vmm_qmp *qmp(const struct saving *s)
{
    return vmm_guest_qmp(s->member->guest);
}

static void release(struct saving *s)
{
    struct ev_loop *loop = vmm_keeper_loop(s->keeper);

    ev_timer_stop(loop, &s->poll);
    ev_timer_stop(loop, &s->limit);
    ev_child_stop(loop, &s->child);
    if (s->file >= 0)
        close(s->file);
    s->member->moving = false;
    vmm_exec_resume(s->keeper, s->member);
    free(s);
}

/* The file is whole and has its name; QEMU may go. */
static void commit(struct saving *s)
{
    struct vmm_member *m = s->member;
    struct vmm_suspended *kept = calloc(1, sizeof *kept);
    struct stat st = { 0 };

    if (!kept || s->zstd_failed || fsync(s->file) != 0 || fstat(s->file, &st) != 0 ||
        rename(s->fresh, s->path) != 0) {
        const int error = errno;

        free(kept);
        fail(s, s->zstd_failed ? "zstd has failed" : strerror(error));
        return;
    }
    kept->config = *vmm_guest_config(m->guest);
    kept->state = m->state;
    kept->exec_id = m->exec_id;
    kept->parked = vmm_agent_park(vmm_guest_agent(m->guest));
    vmm_guest_free(m->guest);
    m->guest = NULL;
    m->pid = 0;
    m->suspended = kept;
    vmm_rt_stopped(vmm_keeper_rt(s->keeper), m->index);
    vmm_member_state_set(m, VMM_MEMBER_SUSPENDED);
    vmm_keeper_say(s->keeper, "%s: suspended to %s", m->node->name, s->path);
    vmm_call_ok(s->call,
                json_pack("{s:s, s:s, s:I, s:I, s:f}", "node", m->node->name, "file", s->path,
                          "bytes", (json_int_t)s->bytes, "file_bytes", (json_int_t)st.st_size, "ms",
                          (ev_now(vmm_keeper_loop(s->keeper)) - s->begun) * 1e3));
    release(s);
}

/* ---- back ---- */

static void on_back(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct saving *s = user;

    (void)answer;
    if (kind == VMM_FAILED && strstr(why, "not finalized")) { /* it is being cancelled still */
        ev_timer_set(&s->poll, POLL_S, 0);
        ev_timer_start(vmm_keeper_loop(s->keeper), &s->poll);
        return;
    }
    release(s);
}

static void go_back(struct saving *s)
{
    if (!s->member->guest || vmm_qmp_ask(qmp(s), "cont", NULL, 0, on_back, s) == 0)
        release(s);
}

static void fail(struct saving *s, const char *why)
{
    ev_timer_stop(vmm_keeper_loop(s->keeper), &s->poll);
    ev_timer_stop(vmm_keeper_loop(s->keeper), &s->limit);
    unlink(s->fresh);
    vmm_keeper_say(s->keeper, "%s: not suspended: %s", s->member->node->name, why);
    vmm_call_error(s->call, "%s was not suspended: %s; it goes on", s->member->node->name, why);
    s->call = NULL;
    if (s->member->guest)
        vmm_qmp_ask(qmp(s), "migrate_cancel", NULL, 0, vmm_lines_ignore, NULL);
    go_back(s);
}

/* ---- forth ---- */

static void on_zstd(struct ev_loop *loop, ev_child *w, int events)
{
    struct saving *s = w->data;

    (void)events;
    ev_child_stop(loop, w);
    s->zstd = 0;
    s->zstd_failed = w->rstatus != 0;
    if (s->copied)
        commit(s);
}

static void on_migration(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct saving *s = user;
    json_t *v = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;
    const char *status = json_string_value(json_object_get(v, "status"));

    if (kind != VMM_DONE) {
        fail(s, why);
    } else if (status && strcmp(status, "completed") == 0) {
        s->bytes =
            (uint64_t)json_integer_value(json_object_get(json_object_get(v, "ram"), "transferred"));
        s->copied = true;
        if (s->zstd == 0) /* else when it has ended */
            commit(s);
    } else if (status && (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)) {
        fail(s, "the state cannot be written");
    } else {
        ev_timer_set(&s->poll, POLL_S, 0);
        ev_timer_start(vmm_keeper_loop(s->keeper), &s->poll);
    }
}

static void look(struct saving *s)
{
    if (vmm_qmp_ask(qmp(s), "query-migrate", NULL, 0, on_migration, s) == 0)
        fail(s, "QEMU is not there any more");
}

static void on_poll(struct ev_loop *loop, ev_timer *w, int events)
{
    struct saving *s = w->data;

    (void)loop, (void)events;
    if (s->call)
        look(s);
    else
        go_back(s);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop, (void)events;
    fail(w->data, "it takes too long");
}

static void on_begun(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct saving *s = user;

    (void)answer;
    if (kind == VMM_DONE)
        look(s);
    else
        fail(s, why);
}

static void on_given(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct saving *s = user;

    (void)answer;
    if (kind != VMM_DONE)
        fail(s, why);
    else if (vmm_qmp_ask(qmp(s), "migrate", json_pack("{s:s}", "uri", "fd:state"), 0, on_begun,
                         s) == 0)
        fail(s, "QEMU is not there any more");
}

/* The descriptor that QEMU writes to: the file, or zstd's input. */
static void on_stopped(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct saving *s = user;
    char text[300];
    int fd = s->file;

    (void)answer;
    if (kind != VMM_DONE) {
        fail(s, why);
        return;
    }
    if (s->zstd < 0) {
        if (vmm_state_squeeze(s->file, &s->zstd, &fd, text, sizeof text) != 0) {
            s->zstd = 0;
            fail(s, text);
            return;
        }
        ev_child_set(&s->child, s->zstd, 0);
        ev_child_start(vmm_keeper_loop(s->keeper), &s->child);
    }
    if (vmm_qmp_give_fd(qmp(s), "state", fd, on_given, s) == 0)
        fail(s, "QEMU is not there any more");
    if (fd != s->file)
        close(fd); /* QEMU has it; its closing is the end for zstd */
}

/* Switched off as they may be on from a move; the rate is not limited. */
static void prepare(struct saving *s)
{
    struct vmm_qmp *q = qmp(s);

    vmm_qmp_ask(q, "migrate-set-capabilities",
                json_pack("{s:[{s:s, s:b}, {s:s, s:b}]}", "capabilities", "capability",
                          "x-ignore-shared", "state", 0, "capability", "postcopy-ram", "state", 0),
                0, vmm_lines_ignore, NULL);
    vmm_qmp_ask(q, "migrate-set-parameters",
                json_pack("{s:I}", "max-bandwidth", (json_int_t)8 << 30), 0, vmm_lines_ignore,
                NULL);
    if (vmm_qmp_ask(q, "stop", NULL, 0, on_stopped, s) == 0)
        fail(s, "QEMU is not there any more");
}

static int open_file(struct saving *s, char *why, size_t why_size)
{
    const struct vmm_state_head head = { .config = *vmm_guest_config(s->member->guest),
                                         .zstd = s->zstd < 0,
                                         .running = s->member->state == VMM_MEMBER_RUNNING,
                                         .exec_id = s->member->exec_id };

    if (access(s->path, F_OK) == 0) {
        snprintf(why, why_size, "%.300s is there already: remove it or name another", s->path);
        return -1;
    }
    snprintf(s->fresh, sizeof s->fresh, "%s.part", s->path);
    s->file = open(s->fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->file >= 0 && vmm_state_write(s->file, &head) == 0)
        return 0;
    snprintf(why, why_size, "%.300s: %s", s->path, strerror(errno));
    return -1;
}

static void begin_suspend(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    struct vmm_member *m = vmm_keeper_asked(k, call, args);
    const char *path = json_string_value(json_object_get(args, "file"));
    struct saving *s;
    char why[VMM_WHY_MAX];

    if (!m)
        return;
    if (!m->guest || vmm_guest_state(m->guest) != VMM_GUEST_READY || m->moving || !path ||
        *path != '/' || !(s = calloc(1, sizeof *s))) {
        vmm_call_error(call, "%s %s", m->node->name,
                       m->state == VMM_MEMBER_SUSPENDED ? "is suspended already"
                       : m->node->kind != VMM_GUEST ? "is no guest: processes cannot be suspended"
                       : m->moving                  ? "is being moved"
                                                    : "does not run");
        return;
    }
    *s = (struct saving){ .keeper = k,
                          .member = m,
                          .call = call,
                          .file = -1,
                          .zstd = json_is_true(json_object_get(args, "zstd")) ? -1 : 0,
                          .begun = ev_now(vmm_keeper_loop(k)) };
    snprintf(s->path, sizeof s->path, "%s", path);
    ev_timer_init(&s->poll, on_poll, POLL_S, 0);
    ev_timer_init(&s->limit, on_limit, LIMIT_S, 0);
    ev_child_init(&s->child, on_zstd, 0, 0);
    s->poll.data = s->limit.data = s->child.data = s;
    m->moving = true;
    if (open_file(s, why, sizeof why) != 0) {
        if (s->file >= 0)
            unlink(s->fresh);
        vmm_call_error(call, "%s was not suspended: %s", m->node->name, why);
        release(s);
        return;
    }
    ev_timer_start(vmm_keeper_loop(k), &s->limit);
    prepare(s);
}

const struct vmm_request_kind vmm_request_suspend = { "suspend", begin_suspend };

void vmm_suspended_free(struct vmm_suspended *s)
{
    if (s)
        vmm_agent_free(s->parked);
    free(s);
}
