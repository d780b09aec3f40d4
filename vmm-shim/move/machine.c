/*
 * machine.c - the steps of a move (machine.h).
 *
 * A step is a row of `steps`: a function that begins it, and the modes that have it. What a step
 * waits for ends in next() or fail(). Failing leads to the steps of undoing, which cannot fail:
 * they do what can be done, and the result says whether the source runs.
 */
#include "move/machine.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_S 0.005
#define SETTLE_S 5.0 /* for QEMU to be able to go on after a cancelled migration */

enum {
    SHARED = 1 << VMM_MOVE_SHARED,
    POSTCOPY = 1 << VMM_MOVE_POSTCOPY,
    STOP = 1 << VMM_MOVE_STOP,
    PRECOPY = 1 << VMM_MOVE_PRECOPY,
    ALL = 15
};

struct vmm_move_machine {
    struct ev_loop *loop;
    struct vmm_move_plan plan;
    struct vmm_qmp *source, *destination;
    const struct vmm_move_ops *ops;
    void *user;
    size_t at;      /* step */
    uint64_t asked; /* the request that the step waits for, 0: none */
    struct vmm_qmp *asked_of;
    ev_timer poll, limit;
    double limit_s; /* that runs */
    ev_tstamp begun, down_since, copy_since, settle_until;
    double down_by_qemu_ms;
    json_t *facts;  /* what the source said in a comparison */
    bool opened;    /* something of the destination is to be undone */
    bool stopped;   /* the source was told to stop, or does by itself soon */
    bool migrating; /* and may have to be cancelled */
    bool postcopy_asked;
    bool ran; /* the guest may have run there */
    bool undoing;
    bool waits_for_owner;
    struct vmm_move_result result;
};

static void next(struct vmm_move_machine *m);
static void fail(struct vmm_move_machine *m, const char *why);
static void begin_step(struct vmm_move_machine *m);

static const char *const mode_names[] = { "shared", "postcopy", "stop-and-copy", "precopy" };

const char *vmm_move_mode_name(enum vmm_move_mode mode)
{
    return mode_names[mode];
}

int vmm_move_mode_parse(const char *word, enum vmm_move_mode *out)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
        if (strcmp(word, mode_names[i]) == 0) {
            *out = (enum vmm_move_mode)i;
            return 0;
        }
    return -1;
}

/* ---- asking ---- */

static void ask(struct vmm_move_machine *m, struct vmm_qmp *q, const char *command,
                json_t *arguments, vmm_answer_fn *fn)
{
    m->asked_of = q;
    m->asked = q ? vmm_qmp_ask(q, command, arguments, 0, fn, m) : 0;
    if (!q)
        json_decref(arguments);
    if (m->asked == 0)
        fn(m, VMM_FAILED, NULL, "QEMU is not there any more");
}

static void forget(struct vmm_move_machine *m)
{
    if (m->asked && m->asked_of)
        vmm_qmp_forget(m->asked_of, m->asked);
    m->asked = 0;
}

/* Well is on with the next step. */
static void on_plain(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;

    (void)answer;
    m->asked = 0;
    if (kind == VMM_DONE)
        next(m);
    else
        fail(m, why);
}

static void poll_again(struct vmm_move_machine *m)
{
    ev_timer_stop(m->loop, &m->poll);
    ev_timer_set(&m->poll, POLL_S, 0);
    ev_timer_start(m->loop, &m->poll);
}

static double ms_since(const struct vmm_move_machine *m, ev_tstamp then)
{
    ev_now_update(m->loop);
    return then > 0 ? (ev_now(m->loop) - then) * 1e3 : 0;
}

static ev_tstamp now(const struct vmm_move_machine *m)
{
    ev_now_update(m->loop);
    return ev_now(m->loop);
}

/* What follows has this long. */
static void limit(struct vmm_move_machine *m, double seconds)
{
    m->limit_s = seconds;
    ev_timer_stop(m->loop, &m->limit);
    ev_timer_set(&m->limit, seconds, 0);
    ev_timer_start(m->loop, &m->limit);
}

/* ---- the owner's ---- */

static void owner(struct vmm_move_machine *m, void (*what)(void *user))
{
    m->waits_for_owner = true;
    what(m->user);
}

static void do_open(struct vmm_move_machine *m)
{
    m->opened = true;
    owner(m, m->ops->open);
}

static void do_start(struct vmm_move_machine *m)
{
    owner(m, m->ops->start);
}

static void do_keep_ram(struct vmm_move_machine *m)
{
    owner(m, m->ops->keep_ram);
}

static void do_arrive(struct vmm_move_machine *m)
{
    m->result.down_ms = m->down_since > 0 ? ms_since(m, m->down_since) : m->down_by_qemu_ms;
    m->result.copy_ms = ms_since(m, m->copy_since);
    limit(m, m->plan.agent_s > 0 ? m->plan.agent_s : VMM_MOVE_AGENT_S);
    owner(m, m->ops->arrive);
}

static void do_commit(struct vmm_move_machine *m)
{
    ev_timer_stop(m->loop, &m->limit);
    owner(m, m->ops->commit);
}

void vmm_move_done(struct vmm_move_machine *m, const char *why)
{
    if (!m->waits_for_owner)
        return;
    m->waits_for_owner = false;
    if (why)
        fail(m, why);
    else
        next(m);
}

/* ---- what both are ---- */

/* Facts that QEMU does not compare itself, and guests do not survive. */
static void on_there(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    json_t *there = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;
    char text[300], *a, *b;

    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
        return;
    }
    if (json_is_array(there) ? json_array_size(there) == json_array_size(m->facts)
                             : json_equal(there, m->facts)) {
        next(m);
        return;
    }
    a = json_is_array(m->facts) ? NULL : json_dumps(m->facts, JSON_COMPACT);
    b = json_is_array(there) ? NULL : json_dumps(there, JSON_COMPACT);
    if (a && b)
        snprintf(text, sizeof text, "the two QEMUs differ: %.100s here, %.100s there", a, b);
    else
        snprintf(text, sizeof text, "the two QEMUs differ: %zu vCPUs here, %zu there",
                 json_array_size(m->facts), json_array_size(there));
    free(a);
    free(b);
    fail(m, text);
}

static const char *question(const struct vmm_move_machine *m);

static void on_here(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;

    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
        return;
    }
    json_decref(m->facts);
    m->facts = json_incref(vmm_qmp_value(answer));
    ask(m, m->destination, question(m), NULL, on_there);
}

static void do_compare(struct vmm_move_machine *m)
{
    ask(m, m->source, question(m), NULL, on_here);
}

/* ---- preparation ---- */

static json_t *capabilities(enum vmm_move_mode mode)
{
    json_t *list = json_array();
    const struct {
        const char *name;
        bool on;
    } all[] = { { "x-ignore-shared", mode == VMM_MOVE_SHARED },
                { "postcopy-ram", mode == VMM_MOVE_POSTCOPY },
                { "events", true } };

    /* Off is said too: a QEMU that a guest came to by another mode still has that one's. */
    for (int on = 0; on < 2; on++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (all[i].on == on)
                json_array_append_new(
                    list, json_pack("{s:s, s:b}", "capability", all[i].name, "state", on));
    return json_pack("{s:o}", "capabilities", list);
}

static void do_source_abilities(struct vmm_move_machine *m)
{
    ask(m, m->source, "migrate-set-capabilities", capabilities(m->plan.mode), on_plain);
}

static void do_destination_abilities(struct vmm_move_machine *m)
{
    ask(m, m->destination, "migrate-set-capabilities", capabilities(m->plan.mode), on_plain);
}

static void do_rate(struct vmm_move_machine *m)
{
    const uint64_t rate = m->plan.rate_bytes_per_s ? m->plan.rate_bytes_per_s : 8ull << 30;

    ask(m, m->source, "migrate-set-parameters",
        json_pack("{s:I, s:I}", "max-bandwidth", (json_int_t)rate, "max-postcopy-bandwidth",
                  (json_int_t)m->plan.rate_bytes_per_s),
        on_plain);
}

static void do_listen(struct vmm_move_machine *m)
{
    ask(m, m->destination, "migrate-incoming", json_pack("{s:s}", "uri", m->plan.uri), on_plain);
}

/* ---- the move itself ---- */

static void do_stop(struct vmm_move_machine *m)
{
    m->stopped = true;
    m->down_since = now(m);
    ask(m, m->source, "stop", NULL, on_plain);
}

static void do_migrate(struct vmm_move_machine *m)
{
    m->stopped = m->migrating = true; /* it stops by itself at the end */
    m->copy_since = now(m);
    ask(m, m->source, "migrate", json_pack("{s:s}", "uri", m->plan.uri), on_plain);
}

static void on_postcopy(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;

    (void)answer;
    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
        return;
    }
    poll_again(m);
}

static void start_postcopy(struct vmm_move_machine *m)
{
    m->postcopy_asked = true;
    m->down_since = now(m);
    ask(m, m->source, "migrate-start-postcopy", NULL, on_postcopy);
}

static void on_copy(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    json_t *v = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;
    const char *status = json_string_value(json_object_get(v, "status"));
    const char *error = json_string_value(json_object_get(v, "error-desc"));
    char text[400];

    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
        return;
    }
    status = status ? status : "";
    m->result.bytes =
        (uint64_t)json_integer_value(json_object_get(json_object_get(v, "ram"), "transferred"));
    if (strcmp(status, "completed") == 0 || strcmp(status, "postcopy-active") == 0) {
        m->down_by_qemu_ms = json_number_value(json_object_get(v, "downtime"));
        next(m);
    } else if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0 ||
               strcmp(status, "postcopy-paused") == 0) {
        snprintf(text, sizeof text, "%s%s%s", status, error ? ": " : "", error ? error : "");
        fail(m, text);
    } else if (strcmp(status, "active") == 0 && m->plan.mode == VMM_MOVE_POSTCOPY &&
               !m->postcopy_asked) {
        start_postcopy(m);
    } else {
        poll_again(m);
    }
}

static void do_copy(struct vmm_move_machine *m)
{
    ask(m, m->source, "query-migrate", NULL, on_copy);
}

/* The destination has its state when it does not wait for one any more. */
static void on_loaded(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    const char *status = json_string_value(
        json_object_get(kind == VMM_DONE ? vmm_qmp_value(answer) : NULL, "status"));
    char text[200];

    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
    } else if (status && (strcmp(status, "running") == 0 || strcmp(status, "paused") == 0)) {
        if (*status == 'r') {
            m->ran = true;
            next(m);
        } else if (m->plan.mode == VMM_MOVE_STOP || m->plan.mode == VMM_MOVE_SHARED) {
            next(m);
        } else {
            poll_again(m); /* on its way to run */
        }
    } else if (status && (strcmp(status, "inmigrate") == 0 || strcmp(status, "postmigrate") == 0)) {
        poll_again(m);
    } else {
        snprintf(text, sizeof text, "the destination is in state %s", status ? status : "?");
        fail(m, text);
    }
}

static void do_loaded(struct vmm_move_machine *m)
{
    ask(m, m->destination, "query-status", NULL, on_loaded);
}

static void do_go_on(struct vmm_move_machine *m)
{
    m->ran = true;
    ask(m, m->destination, "cont", NULL, on_plain);
}

static void on_running(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    json_t *v = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;

    m->asked = 0;
    if (kind != VMM_DONE)
        fail(m, why);
    else if (json_is_true(json_object_get(v, "running")))
        next(m);
    else
        fail(m, "the destination does not run");
}

static void do_running(struct vmm_move_machine *m)
{
    m->ran = true;
    ask(m, m->destination, "query-status", NULL, on_running);
}

/* Postcopy: every page is there. */
static void on_drain(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    json_t *v = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;
    const char *status = json_string_value(json_object_get(v, "status"));

    m->asked = 0;
    if (kind != VMM_DONE) {
        fail(m, why);
    } else if (status && strcmp(status, "completed") == 0) {
        m->result.bytes =
            (uint64_t)json_integer_value(json_object_get(json_object_get(v, "ram"), "transferred"));
        next(m);
    } else if (status && strcmp(status, "postcopy-active") == 0) {
        poll_again(m);
    } else {
        fail(m, "its last pages do not come");
    }
}

static void do_drain(struct vmm_move_machine *m)
{
    limit(m, m->plan.limit_s > 0 ? m->plan.limit_s : VMM_MOVE_LIMIT_S);
    ask(m, m->source, "query-migrate", NULL, on_drain);
}

/* ---- undoing ---- */

static void on_whatever(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;

    (void)kind, (void)answer, (void)why;
    m->asked = 0;
    next(m);
}

static void do_cancel(struct vmm_move_machine *m)
{
    if (m->migrating && m->source)
        ask(m, m->source, "migrate_cancel", NULL, on_whatever);
    else
        next(m);
}

static void do_undo(struct vmm_move_machine *m)
{
    m->destination = NULL;
    m->settle_until = now(m) + SETTLE_S;
    if (!m->opened) {
        next(m);
        return;
    }
    m->waits_for_owner = true;
    m->ops->undo(m->user, m->ran);
}

static void look_at_source(struct vmm_move_machine *m);

static void on_source_goes_on(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;

    (void)kind, (void)answer, (void)why;
    m->asked = 0;
    poll_again(m); /* whether it does; a migration that is being cancelled must settle first */
}

static void on_source_status(void *user, enum vmm_answer kind, json_t *answer, const char *why)
{
    struct vmm_move_machine *m = user;
    json_t *v = kind == VMM_DONE ? vmm_qmp_value(answer) : NULL;

    (void)why;
    m->asked = 0;
    m->result.source_runs = json_is_true(json_object_get(v, "running"));
    if (kind != VMM_DONE || m->result.source_runs || now(m) >= m->settle_until)
        next(m);
    else
        ask(m, m->source, "cont", NULL, on_source_goes_on);
}

static void look_at_source(struct vmm_move_machine *m)
{
    if (m->source)
        ask(m, m->source, "query-status", NULL, on_source_status);
    else
        next(m);
}

static void do_finish(struct vmm_move_machine *m)
{
    m->result.total_ms = ms_since(m, m->begun);
    m->result.moved = !m->undoing;
    ev_timer_stop(m->loop, &m->limit);
    m->ops->finished(m->user, &m->result);
}

/* ---- the order ---- */

struct step {
    const char *name, *question;
    unsigned modes;
    void (*begin)(struct vmm_move_machine *m);
};

static const struct step steps[] = {
    { "ports of the network", NULL, ALL, do_open },
    { "start of the destination", NULL, ALL, do_start },
    { "comparison of versions", "query-version", ALL, do_compare },
    { "comparison of memory", "query-memory-size-summary", ALL, do_compare },
    { "comparison of CPUs", "query-cpus-fast", ALL, do_compare },
    { "preparation of the source", NULL, ALL, do_source_abilities },
    { "preparation of the destination", NULL, ALL, do_destination_abilities },
    { "preparation of the source", NULL, ALL, do_rate },
    { "a copy to go back to", NULL, SHARED, do_keep_ram },
    { "listening of the destination", NULL, ALL, do_listen },
    { "stop", NULL, SHARED | STOP, do_stop },
    { "a copy to go back to", NULL, SHARED, do_keep_ram },
    { "start of the copy", NULL, ALL, do_migrate },
    { "copy", NULL, ALL, do_copy },
    { "loading at the destination", NULL, ALL, do_loaded },
    { "going on at the destination", NULL, SHARED | STOP, do_go_on },
    { "running at the destination", NULL, ALL, do_running },
    { "agent's answer from the destination", NULL, ALL, do_arrive },
    { "copy of the last pages", NULL, POSTCOPY, do_drain },
    { "commit", NULL, ALL, do_commit },
    { "end", NULL, ALL, do_finish },
};

static const struct step undo_steps[] = {
    { "cancel", NULL, ALL, do_cancel },
    { "undo", NULL, ALL, do_undo },
    { "source goes on", NULL, ALL, look_at_source },
    { "end", NULL, ALL, do_finish },
};

static const struct step *step_of(const struct vmm_move_machine *m)
{
    return m->undoing ? &undo_steps[m->at] : &steps[m->at];
}

static const char *question(const struct vmm_move_machine *m)
{
    return step_of(m)->question;
}

static void begin_step(struct vmm_move_machine *m)
{
    if (m->ops->step)
        m->ops->step(m->user, step_of(m)->name);
    step_of(m)->begin(m);
}

static void next(struct vmm_move_machine *m)
{
    do
        m->at++;
    while (!(step_of(m)->modes & 1u << m->plan.mode));
    begin_step(m);
}

/* While undoing, what fails is passed over. */
static void fail(struct vmm_move_machine *m, const char *why)
{
    forget(m);
    ev_timer_stop(m->loop, &m->poll);
    ev_timer_stop(m->loop, &m->limit);
    m->waits_for_owner = false;
    if (m->undoing) {
        next(m);
        return;
    }
    snprintf(m->result.why, sizeof m->result.why, "%s: %s", step_of(m)->name, why);
    m->undoing = true;
    m->at = 0;
    begin_step(m);
}

static void on_poll(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_move_machine *m = w->data;
    void (*const begin)(struct vmm_move_machine *) = step_of(m)->begin;

    (void)loop, (void)events;
    if (begin == do_drain) /* without its limit anew */
        ask(m, m->source, "query-migrate", NULL, on_drain);
    else
        begin(m);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_move_machine *m = w->data;
    char why[64];

    (void)loop, (void)events;
    snprintf(why, sizeof why, "not within %g s", m->limit_s);
    fail(m, why);
}

/* ---- life ---- */

struct vmm_move_machine *vmm_move_new(struct ev_loop *loop, const struct vmm_move_plan *plan,
                                      struct vmm_qmp *source, const struct vmm_move_ops *ops,
                                      void *user)
{
    struct vmm_move_machine *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    *m = (struct vmm_move_machine){
        .loop = loop, .plan = *plan, .source = source, .ops = ops, .user = user
    };
    ev_timer_init(&m->poll, on_poll, 0, 0);
    ev_init(&m->limit, on_limit);
    m->poll.data = m->limit.data = m;
    return m;
}

void vmm_move_begin(struct vmm_move_machine *m)
{
    m->begun = now(m);
    limit(m, m->plan.limit_s > 0 ? m->plan.limit_s : VMM_MOVE_LIMIT_S);
    begin_step(m);
}

void vmm_move_free(struct vmm_move_machine *m)
{
    if (!m)
        return;
    forget(m);
    ev_timer_stop(m->loop, &m->poll);
    ev_timer_stop(m->loop, &m->limit);
    json_decref(m->facts);
    free(m);
}

void vmm_move_set_destination(struct vmm_move_machine *m, struct vmm_qmp *destination)
{
    m->destination = destination;
}

void vmm_move_lost(struct vmm_move_machine *m, struct vmm_qmp *qmp, const char *why)
{
    if (m->asked_of == qmp)
        m->asked = 0; /* its requests have gone with it */
    if (qmp == m->source)
        m->source = NULL;
    if (qmp == m->destination)
        m->destination = NULL;
    if (!m->undoing)
        fail(m, why);
}
