/* loop.c - see loop.h. */
#include "loop.h"

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define TIMERS_MAX 64
#define BELLS_MAX 8 /* ev_async */

struct ev_loop {
    bool broken;
};

struct pending {
    ev_timer *timer; /* NULL: free */
    struct ev_loop *loop;
    int64_t due;
    uint64_t order; /* of starting: who comes first at the same time */
};

static struct {
    int64_t now;
    uint64_t order;
    bool stopped;
    struct pending pending[TIMERS_MAX];
    struct {
        ev_async *bell; /* NULL: free */
        struct ev_loop *loop;
        bool rung;
    } bells[BELLS_MAX];
    struct loop_network network;
} world = { .now = LOOP_BEGIN_US };

int64_t loop_now(void)
{
    return world.now;
}

void loop_set_network(const struct loop_network *n)
{
    world.network = *n;
}

void loop_stop(void)
{
    world.stopped = true;
}

/* ---- the clock ---- */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME)
        return __real_clock_gettime(id, ts);
    const int64_t at = world.now + (id == CLOCK_REALTIME ? LOOP_TODAY_S * INT64_C(1000000) : 0);
    ts->tv_sec = at / 1000000;
    ts->tv_nsec = at % 1000000 * 1000;
    return 0;
}

/* ---- libev ---- */

struct ev_loop *ev_loop_new(unsigned flags)
{
    static struct ev_loop one;
    (void)flags;
    one.broken = false;
    return &one;
}

void ev_loop_destroy(struct ev_loop *loop)
{
    (void)loop;
}

ev_tstamp ev_now(struct ev_loop *loop)
{
    (void)loop;
    return (double)world.now / 1e6;
}

void ev_now_update(struct ev_loop *loop)
{
    (void)loop;
}

void ev_break(struct ev_loop *loop, int how)
{
    (void)how;
    loop->broken = true;
}

void ev_signal_start(struct ev_loop *loop, ev_signal *w)
{
    (void)loop;
    (void)w;
}

void ev_async_start(struct ev_loop *loop, ev_async *w)
{
    for (size_t i = 0; i < BELLS_MAX; i++)
        if (!world.bells[i].bell) {
            world.bells[i].bell = w;
            world.bells[i].loop = loop;
            world.bells[i].rung = false;
            w->active = 1;
            return;
        }
    assert(!"BELLS_MAX");
}

void ev_async_stop(struct ev_loop *loop, ev_async *w)
{
    (void)loop;
    for (size_t i = 0; i < BELLS_MAX; i++)
        if (world.bells[i].bell == w)
            world.bells[i].bell = NULL;
    w->active = 0;
}

void ev_async_send(struct ev_loop *loop, ev_async *w)
{
    (void)loop;
    for (size_t i = 0; i < BELLS_MAX; i++)
        if (world.bells[i].bell == w)
            world.bells[i].rung = true;
}

/* No time passes until all that was rung for is done. */
static bool answer_bells(void)
{
    bool any = false;
    for (size_t i = 0; i < BELLS_MAX; i++) {
        if (!world.bells[i].bell || !world.bells[i].rung)
            continue;
        world.bells[i].rung = false;
        world.bells[i].bell->cb(world.bells[i].loop, world.bells[i].bell, EV_ASYNC);
        any = true;
    }
    return any;
}

static void start_at(struct ev_loop *loop, ev_timer *t, int64_t due)
{
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (!world.pending[i].timer) {
            world.pending[i] = (struct pending){ t, loop, due, world.order++ };
            t->active = 1;
            return;
        }
    assert(!"TIMERS_MAX");
}

void ev_timer_start(struct ev_loop *loop, ev_timer *t)
{
    if (!ev_is_active(t))
        start_at(loop, t, world.now + (int64_t)(t->at * 1e6 + 0.5));
}

void ev_timer_stop(struct ev_loop *loop, ev_timer *t)
{
    (void)loop;
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (world.pending[i].timer == t)
            world.pending[i].timer = NULL;
    t->active = 0;
}

/* The first that is due until `until` and was started before `order`; NULL: none. */
static struct pending *first(int64_t until, uint64_t order)
{
    struct pending *best = NULL;

    for (size_t i = 0; i < TIMERS_MAX; i++) {
        struct pending *p = &world.pending[i];

        if (!p->timer || p->due > until || p->order >= order)
            continue;
        if (!best || p->due < best->due || (p->due == best->due && p->order < best->order))
            best = p;
    }
    return best;
}

/* Those that are due; what they start anew waits for the next round, as in libev. */
static void fire(void)
{
    const uint64_t before = world.order;
    struct pending *p;

    while (!world.stopped && (p = first(world.now, before)) != NULL) {
        const struct pending due = *p;

        p->timer = NULL;
        due.timer->active = 0;
        if (due.timer->repeat > 0)
            start_at(due.loop, due.timer, due.due + (int64_t)(due.timer->repeat * 1e6 + 0.5));
        due.timer->cb(due.loop, due.timer, EV_TIMER);
    }
}

int ev_run(struct ev_loop *loop, int flags)
{
    (void)flags;
    while (!loop->broken && !world.stopped) {
        if (answer_bells())
            continue;
        const struct pending *p = first(LOOP_NEVER, UINT64_MAX);
        int64_t next = world.network.next(world.network.user);

        if (p && p->due < next)
            next = p->due;
        if (next == LOOP_NEVER)
            break;
        if (next > world.now)
            world.now = next;
        world.network.run(world.network.user);
        fire();
    }
    return 0;
}
