/* crew.c - see crew.h. */
#include "crew.h"

#include <ev.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "subscriber.h"

#define STEP_S 0.01          /* from look to look at the timetable */
#define TICKS 10             /* looks in which every subscriber had its tick once */
#define GOODBYE_US 300000    /* for goodbyes to be said */
#define BEGIN_AT_ONCE_MAX 64 /* connections begun before the loop gets its turn */

struct squad {
    struct crew *crew;
    struct tvl_ev *driver;
    struct subscriber **member; /* n of at most args->per_socket; NULL: free */
    size_t n;
};

struct crew {
    const struct args *args;
    struct timetable *when;
    struct tvl_tls *tls;
    pthread_t thread;
    struct ev_loop *loop;
    ev_timer step;
    struct subscriber_host host;
    struct squad *squad;
    size_t n_squads, share; /* share: subscribers that are wanted */
    uint64_t steps, begun, left;
    size_t next_to_leave; /* the place whose subscriber leaves next */
    bool counts, leaving;
    struct crew_look look;
};

uint64_t timetable_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* ---- subscribers come and go ---- */

static void on_event(void *user, const struct tvl_event *ev)
{
    struct squad *q = user;
    struct subscriber *s = tvl_conn_user(ev->conn);

    if (!s)
        return;
    if (ev->type == TVL_EVENT_CLOSED)
        for (size_t i = 0; i < q->n; i++)
            if (q->member[i] == s)
                q->member[i] = NULL;
    subscriber_on_event(s, ev);
}

/* Its place: a free one of the squads, in turns of whole squads. NULL: all are taken. */
static struct subscriber **free_place(struct crew *c, struct squad **whose)
{
    for (size_t i = 0; i < c->n_squads; i++)
        for (size_t k = 0; k < c->squad[i].n; k++)
            if (!c->squad[i].member[k]) {
                *whose = &c->squad[i];
                return &c->squad[i].member[k];
            }
    return NULL;
}

static void begin_one(struct crew *c)
{
    struct squad *q;
    struct subscriber **place = free_place(c, &q);
    char why[TALLY_REASON_MAX] = "";

    if (!place)
        return;
    c->begun++;
    if (subscriber_new(place, &c->host, q->driver, why, sizeof why) != 0) {
        *place = NULL;
        tally_fail(c->host.tally, why);
    }
}

static void leave_one(struct crew *c)
{
    struct squad *q = &c->squad[c->next_to_leave / c->args->per_socket];
    struct subscriber *s = q->member[c->next_to_leave % c->args->per_socket];

    c->left++;
    c->next_to_leave = (c->next_to_leave + 1) % c->share;
    if (s) {
        subscriber_leave(s);
        tvl_ev_kick(q->driver);
    }
}

/* How many of a rate's events are due `us` after its beginning: this thread's share of them. */
static uint64_t due(const struct crew *c, double rate, uint64_t us)
{
    return (uint64_t)((double)us / 1e6 * rate * (double)c->share / c->args->subscribers);
}

static void keep_up(struct crew *c, uint64_t now)
{
    const struct timetable *when = c->when;
    uint64_t wanted = due(c, c->args->rate, now - when->start) + 1;

    if (wanted > c->share)
        wanted = c->share;
    if (now > when->all_begun && c->args->churn > 0) {
        const uint64_t leavers = due(c, c->args->churn, now - when->all_begun);

        for (unsigned i = 0; i < BEGIN_AT_ONCE_MAX && c->left < leavers; i++)
            leave_one(c);
        wanted += c->left;
    }
    for (unsigned i = 0; i < BEGIN_AT_ONCE_MAX && c->begun < wanted; i++)
        begin_one(c);
}

/* ---- the timetable ---- */

static void for_all(struct crew *c, size_t from, size_t every, void (*what)(struct subscriber *))
{
    size_t at = 0;

    for (size_t i = 0; i < c->n_squads; i++)
        for (size_t k = 0; k < c->squad[i].n; k++, at++)
            if (c->squad[i].member[k] && at % every == from)
                what(c->squad[i].member[k]);
}

static void tick(struct subscriber *s)
{
    subscriber_tick(s, timetable_now());
}

static void kick_all(struct crew *c)
{
    for (size_t i = 0; i < c->n_squads; i++)
        tvl_ev_kick(c->squad[i].driver);
}

static void finish(struct crew *c)
{
    c->leaving = true;
    for_all(c, 0, 1, subscriber_leave);
    kick_all(c);
}

static void on_step(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct crew *c = timer->data;
    const uint64_t now = timetable_now(), ends = atomic_load(&c->when->ends);

    (void)events;
    if (!c->counts && now >= c->when->counts_from) {
        c->counts = true;
        for_all(c, 0, 1, subscriber_count_paths);
        tally_restart(c->host.tally);
    }
    if (!c->leaving && now >= ends)
        finish(c);
    if (!c->leaving)
        keep_up(c, now);
    for_all(c, c->steps++ % TICKS, TICKS, tick);
    atomic_store(&c->look.here, c->host.here);
    atomic_store(&c->look.watching, c->host.watching);
    atomic_store(&c->look.bytes, c->host.bytes);
    atomic_store(&c->look.failed, c->host.tally->failed);
    if (c->leaving && (c->host.here == 0 || now >= ends + GOODBYE_US))
        ev_break(loop, EVBREAK_ALL);
}

static void *run(void *arg)
{
    struct crew *c = arg;

    ev_timer_init(&c->step, on_step, 0., STEP_S);
    c->step.data = c;
    ev_timer_start(c->loop, &c->step);
    ev_run(c->loop, 0);
    ev_timer_stop(c->loop, &c->step);
    return NULL;
}

/* ---- set-up ---- */

static int squad_new(struct squad *q, struct crew *c, char *why, size_t why_size)
{
    struct tvl_ev_config cfg = {
        .loop = c->loop, .share_sockets = true, .on_event = on_event, .user = q
    };

    tvl_config_init(&cfg.tvl);
    cfg.tvl.tls = c->tls;
    cfg.tvl.no_resumption = true; /* each is somebody else */
    q->crew = c;
    q->member = calloc(q->n, sizeof *q->member);
    return q->member && tvl_ev_new(&q->driver, &cfg, why, why_size) == 0 ? 0 : -1;
}

static int fill(struct crew *c, char *why, size_t why_size)
{
    const size_t per = c->args->per_socket;

    c->n_squads = (c->share + per - 1) / per;
    c->loop = ev_loop_new(EVFLAG_AUTO);
    c->squad = calloc(c->n_squads, sizeof *c->squad);
    c->host.tally = malloc(sizeof *c->host.tally);
    c->host.catalog = malloc(sizeof *c->host.catalog);
    if (!c->loop || !c->squad || !c->host.tally || !c->host.catalog)
        return -1;
    tally_init(c->host.tally);
    c->host.origin = &c->when->origin;
    for (size_t i = 0; i < c->n_squads; i++) {
        c->squad[i].n = i + 1 < c->n_squads ? per : c->share - i * per;
        if (squad_new(&c->squad[i], c, why, why_size) != 0)
            return -1;
    }
    return 0;
}

int crew_new(struct crew **out, const struct args *args, struct tvl_tls *tls,
             struct timetable *when, unsigned index, char *why, size_t why_size)
{
    struct crew *c = calloc(1, sizeof *c);

    snprintf(why, why_size, "out of memory");
    if (!c)
        return -1;
    c->args = c->host.args = args;
    c->tls = tls;
    c->when = when;
    c->share = args->subscribers / args->threads + (index < args->subscribers % args->threads);
    if (fill(c, why, why_size) != 0 || pthread_create(&c->thread, NULL, run, c) != 0) {
        crew_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

const struct crew_look *crew_look(const struct crew *c)
{
    return &c->look;
}

const struct tally *crew_join(struct crew *c)
{
    pthread_join(c->thread, NULL);
    return c->host.tally;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->squad && i < c->n_squads; i++) {
        for (size_t k = 0; c->squad[i].member && k < c->squad[i].n; k++)
            subscriber_free(c->squad[i].member[k]);
        tvl_ev_free(c->squad[i].driver);
        free(c->squad[i].member);
    }
    free(c->squad);
    if (c->loop)
        ev_loop_destroy(c->loop);
    free(c->host.tally);
    free(c->host.catalog);
    free(c);
}
