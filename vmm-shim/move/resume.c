/*
 * resume.c - "resume" to a keeper: a guest goes on out of a file.
 *
 *     {"do":"resume","node":NAME,"file":ABSOLUTE[,"replace":bool]} -> {"ok":{"node","pid","ms"}}
 *
 * What it was is compared first. Until the agent answers the file is all there is: it is not
 * removed.
 */
#include "move/state_file.h"
#include "move/suspended.h"
#include "rt/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_S 0.02
#define LIMIT_S 300.0
#define OTHERS_IDS 100000 /* ids of another keeper's requests that came after that one */

extern const struct vmm_request_kind vmm_request_resume;

struct loading {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_call *call;
    struct vmm_guest *guest;
    struct vmm_state_head head;
    struct vmm_suspended *kept; /* the member's */
    bool foreign;               /* the file is of another keeper */
    int fd;                     /* what QEMU reads */
    pid_t zstd;                 /* 0: none */
    ev_child child;
    ev_timer poll, limit;
    ev_tstamp begun;
};

static void release(struct loading *r)
{
    struct ev_loop *loop = vmm_keeper_loop(r->keeper);

    ev_timer_stop(loop, &r->poll);
    ev_timer_stop(loop, &r->limit);
    ev_child_stop(loop, &r->child);
    if (r->zstd > 0)
        kill(r->zstd, SIGKILL);
    if (r->fd >= 0)
        close(r->fd);
    r->member->moving = false;
    vmm_exec_resume(r->keeper, r->member);
    free(r);
}

static void fail(struct loading *r, const char *why)
{
    char words[300] = "";

    if (r->guest) {
        vmm_guest_last_words(r->guest, words, sizeof words);
        if (r->kept && r->kept->parked && vmm_guest_agent(r->guest))
            vmm_agent_adopt(r->kept->parked, vmm_guest_agent(r->guest));
        vmm_guest_free(r->guest);
        r->guest = NULL;
    }
    vmm_keeper_say(r->keeper, "%s: not resumed: %s", r->member->node->name, why);
    vmm_call_error(r->call, "%s was not resumed: %s%s%s%s; its file is as it was",
                   r->member->node->name, why, *words ? " (" : "", words, *words ? ")" : "");
    release(r);
}

/* ---- it is there ---- */

static void on_ready(void *user, struct vmm_guest *g, const struct vmm_agent_hello *h)
{
    struct loading *r = user;
    struct vmm_member *m = r->member;
    struct timespec t;

    (void)h;
    clock_gettime(CLOCK_REALTIME, &t);
    vmm_agent_ask(vmm_guest_agent(g), json_pack("{s:s}", "do", "announce"), 0, vmm_lines_ignore,
                  NULL);
    vmm_agent_ask(
        vmm_guest_agent(g),
        json_pack("{s:s, s:I}", "do", "time", "ns", (json_int_t)t.tv_sec * 1000000000 + t.tv_nsec),
        0, vmm_lines_ignore, NULL);
    r->guest = NULL;
    vmm_keeper_moved(r->keeper, m, g);
    vmm_member_state_set(m, r->kept->state);
    if (r->foreign)
        vmm_member_follow(m, r->head.running ? r->head.exec_id : 0);
    m->suspended = NULL;
    vmm_suspended_free(r->kept);
    vmm_keeper_say(r->keeper, "%s: resumed", m->node->name);
    ev_now_update(vmm_keeper_loop(r->keeper));
    vmm_call_ok(r->call, json_pack("{s:s, s:i, s:f}", "node", m->node->name, "pid", (int)m->pid,
                                   "ms", (ev_now(vmm_keeper_loop(r->keeper)) - r->begun) * 1e3));
    release(r);
}

static void on_ended(void *user, struct vmm_guest *g, const char *why)
{
    (void)g;
    fail(user, *why ? why : "QEMU has ended");
}

static void ask(struct loading *r, const char *command, json_t *arguments, vmm_answer_fn *fn)
{
    if (vmm_qmp_ask(vmm_guest_qmp(r->guest), command, arguments, 0, fn, r) == 0)
        fail(r, "QEMU is not there any more");
}

/* A request of ours has failed; when QEMU has gone, its end says more. */
static bool failed(struct loading *r, enum vmm_answer kind, json_t *m, const char *why)
{
    if (kind == VMM_DONE)
        return false;
    if (m)
        fail(r, why);
    return true;
}

static void on_runs(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct loading *r = user;

    if (failed(r, kind, m, why))
        return;
    if (r->kept->parked)
        vmm_agent_adopt(vmm_guest_agent(r->guest), r->kept->parked);
    else
        vmm_agent_release(vmm_guest_agent(r->guest), r->head.exec_id + OTHERS_IDS);
}

static void on_status(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct loading *r = user;
    const char *status =
        json_string_value(json_object_get(kind == VMM_DONE ? vmm_qmp_value(m) : NULL, "status"));

    if (failed(r, kind, m, why))
        return;
    if (status && (strcmp(status, "paused") == 0 || strcmp(status, "running") == 0)) {
        ask(r, "cont", NULL, on_runs);
    } else {
        ev_timer_set(&r->poll, POLL_S, 0);
        ev_timer_start(vmm_keeper_loop(r->keeper), &r->poll);
    }
}

static void on_poll(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop, (void)events;
    ask(w->data, "query-status", NULL, on_status);
}

static void on_listens(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    if (!failed(user, kind, m, why))
        ask(user, "query-status", NULL, on_status);
}

static void on_given(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    if (!failed(user, kind, m, why))
        ask(user, "migrate-incoming", json_pack("{s:s}", "uri", "fd:state"), on_listens);
}

static void on_running(void *user, struct vmm_guest *g)
{
    struct loading *r = user;

    if (vmm_qmp_give_fd(vmm_guest_qmp(g), "state", r->fd, on_given, r) == 0)
        fail(r, "QEMU is not there any more");
}

static const struct vmm_guest_handler handler = { .on_running = on_running,
                                                  .on_ready = on_ready,
                                                  .on_ended = on_ended };

/* ---- begin ---- */

static void on_zstd(struct ev_loop *loop, ev_child *w, int events)
{
    struct loading *r = w->data;

    (void)events;
    ev_child_stop(loop, w);
    r->zstd = 0; /* a stream that is cut short is QEMU's to notice */
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop, (void)events;
    fail(w->data, "it does not answer");
}

/* A slice of another name gives its NICs another last byte (vmm_topology_mac()): the guest keeps
 * those that it knows. */
static void keep_macs(struct vmm_guest_config *c, const struct vmm_guest_config *known)
{
    for (size_t i = 0; i < c->n_nics && i < known->n_nics; i++)
        if (memcmp(c->nic[i].mac, known->nic[i].mac, sizeof c->nic[i].mac - 1) == 0)
            memcpy(c->nic[i].mac, known->nic[i].mac, sizeof c->nic[i].mac);
}

/* The file, judged; r->fd is what QEMU will read. */
static int open_file(struct loading *r, const char *path, struct vmm_guest_config *c, char *why,
                     size_t why_size)
{
    char difference[400];
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    r->fd = file;
    if (vmm_state_read(file, path, &r->head, why, why_size) != 0)
        return -1;
    keep_macs(c, &r->head.config);
    vmm_guest_difference(&r->head.config, c, difference, sizeof difference);
    if (*difference) {
        snprintf(why, why_size, "%s has another machine (the file is \"here\"): %s", path,
                 difference);
        return -1;
    }
    if (!r->head.zstd)
        return 0;
    r->fd = -1;
    if (vmm_state_unsqueeze(file, &r->zstd, &r->fd, why, why_size) == 0) {
        ev_child_set(&r->child, r->zstd, 0);
        ev_child_start(vmm_keeper_loop(r->keeper), &r->child);
    }
    close(file);
    return r->fd >= 0 ? 0 : -1;
}

/* The guest that is there makes room; what it was is kept, for another try if this one fails. */
static int replace_guest(struct loading *r, bool replace, char *why, size_t why_size)
{
    struct vmm_member *m = r->member;
    struct vmm_suspended *kept;

    if (vmm_guest_state(m->guest) != VMM_GUEST_ENDED && !replace) {
        snprintf(why, why_size, "a guest runs there: --replace ends it");
        return -1;
    }
    kept = calloc(1, sizeof *kept);
    if (!kept) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    kept->config = *vmm_guest_config(m->guest);
    kept->state = VMM_MEMBER_READY;
    vmm_guest_free(m->guest);
    m->guest = NULL;
    m->pid = 0;
    m->suspended = r->kept = kept;
    vmm_rt_stopped(vmm_keeper_rt(r->keeper), m->index);
    vmm_member_state_set(m, VMM_MEMBER_SUSPENDED);
    r->foreign = true;
    return 0;
}

static int start(struct loading *r, const char *path, bool replace, char *why, size_t why_size)
{
    struct vmm_member *m = r->member;
    struct vmm_guest_config c = r->kept ? r->kept->config : *vmm_guest_config(m->guest);

    if (open_file(r, path, &c, why, why_size) != 0)
        return -1;
    if (!r->kept && replace_guest(r, replace, why, why_size) != 0)
        return -1;
    c.incoming = true;
    c.postcopy = false;
    return vmm_guest_start(&r->guest, vmm_keeper_loop(r->keeper), &c, -1, NULL, &handler, r, why,
                           why_size);
}

static void begin_resume(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    struct vmm_member *m = vmm_keeper_asked(k, call, args);
    const char *path = json_string_value(json_object_get(args, "file"));
    struct loading *r;
    char why[VMM_WHY_MAX];

    if (!m)
        return;
    if (m->node->kind != VMM_GUEST || (!m->guest && !m->suspended) || m->moving || !path ||
        *path != '/' || !(r = calloc(1, sizeof *r))) {
        vmm_call_error(call, "%s %s", m->node->name,
                       m->node->kind != VMM_GUEST ? "is no guest"
                                                  : "is being moved, or not started");
        return;
    }
    *r = (struct loading){ .keeper = k,
                           .member = m,
                           .call = call,
                           .fd = -1,
                           .kept = m->suspended,
                           .begun = ev_now(vmm_keeper_loop(k)) };
    ev_timer_init(&r->poll, on_poll, POLL_S, 0);
    ev_timer_init(&r->limit, on_limit, LIMIT_S, 0);
    ev_child_init(&r->child, on_zstd, 0, 0);
    r->poll.data = r->limit.data = r->child.data = r;
    m->moving = true;
    ev_timer_start(vmm_keeper_loop(k), &r->limit);
    if (start(r, path, json_is_true(json_object_get(args, "replace")), why, sizeof why) != 0)
        fail(r, why);
}

const struct vmm_request_kind vmm_request_resume = { "resume", begin_resume };
