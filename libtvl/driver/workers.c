/*
 * workers.c - one server on several threads. Contract in <tvl/workers.h>.
 *
 * What threads share is here and nowhere else: each worker's mailbox (datagrams read by another,
 * jobs from outside) under one lock, and a signal to its loop that there is something in it.
 */
#include <tvl/workers.h>

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ev_internal.h"
#include "steer.h"

struct letter { /* a datagram that another worker has read */
    struct letter *next;
    struct tvl_datagram dgram;
    uint8_t bytes[];
};

struct job {
    void (*run)(void *arg, unsigned worker, struct tvl_ev *driver);
    void *arg;
};

struct worker {
    struct tvl_workers *all;
    unsigned number;
    struct ev_loop *loop;
    struct tvl_ev *driver;
    ev_async bell;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* of what follows */
    struct letter *first, **last;
    size_t letters;
    struct job job[TVL_WORKERS_JOBS_MAX];
    size_t jobs;
    bool stop;
};

struct tvl_workers {
    unsigned count;
    bool steered;
    void (*on_event)(void *user, unsigned worker, const struct tvl_event *ev);
    void *user;
    atomic_uint_fast64_t passed_on, dropped;
    struct worker worker[TVL_WORKERS_MAX];
};

/* ---- passing on ---- */

static unsigned owner_of(void *user, const uint8_t *bytes, size_t len)
{
    const struct worker *w = user;

    return tvl_steer(bytes, len, w->all->count);
}

/* The reader's thread: put it into the owner's mailbox. */
static void pass_on(void *user, unsigned owner, const struct tvl_datagram *dgram,
                    const uint8_t *bytes)
{
    struct worker *w = &((struct worker *)user)->all->worker[owner];
    struct letter *l = malloc(sizeof *l + dgram->len);
    bool taken = false;

    atomic_fetch_add(&w->all->passed_on, 1);
    if (l) {
        l->next = NULL;
        l->dgram = *dgram;
        memcpy(l->bytes, bytes, dgram->len);
        pthread_mutex_lock(&w->lock);
        taken = w->letters < TVL_WORKERS_MAILBOX_MAX;
        if (taken) {
            *w->last = l;
            w->last = &l->next;
            w->letters++;
        }
        pthread_mutex_unlock(&w->lock);
    }
    if (taken) {
        ev_async_send(w->loop, &w->bell);
    } else {
        free(l); /* lost, as a full socket loses */
        atomic_fetch_add(&w->all->dropped, 1);
    }
}

/* ---- a worker's thread ---- */

static struct letter *take_letters(struct worker *w)
{
    struct letter *l;

    pthread_mutex_lock(&w->lock);
    l = w->first;
    w->first = NULL;
    w->last = &w->first;
    w->letters = 0;
    pthread_mutex_unlock(&w->lock);
    return l;
}

static bool take_job(struct worker *w, struct job *out)
{
    bool any;

    pthread_mutex_lock(&w->lock);
    any = w->jobs > 0;
    if (any) {
        *out = w->job[0];
        memmove(&w->job[0], &w->job[1], --w->jobs * sizeof w->job[0]);
    }
    pthread_mutex_unlock(&w->lock);
    return any;
}

static bool must_stop(struct worker *w)
{
    bool stop;

    pthread_mutex_lock(&w->lock);
    stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop;
}

static void on_bell(struct ev_loop *loop, ev_async *bell, int revents)
{
    struct worker *w = bell->data;
    struct letter *l = take_letters(w);
    struct job job;

    (void)revents;
    while (l) {
        struct letter *next = l->next;

        tvl_ev_take(w->driver, &l->dgram, l->bytes);
        free(l);
        l = next;
    }
    while (take_job(w, &job))
        job.run(job.arg, w->number, w->driver);
    tvl_ev_kick(w->driver);
    if (must_stop(w))
        ev_break(loop, EVBREAK_ALL);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    const struct worker *w = user;

    if (w->all->on_event)
        w->all->on_event(w->all->user, w->number, ev);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    ev_run(w->loop, 0);
    return NULL;
}

/* ---- set-up ---- */

static uint32_t share_of(uint32_t whole, unsigned parts)
{
    return (whole + parts - 1) / parts;
}

static int prepare(struct tvl_config *tvl, unsigned count)
{
    static const uint8_t none[sizeof tvl->secret];

    tvl->workers = (uint8_t)count;
    tvl->conns_max = share_of(tvl->conns_max, count);
    tvl->handshakes_max = share_of(tvl->handshakes_max, count);
    tvl->conns_per_host = share_of(tvl->conns_per_host, count);
    if (memcmp(tvl->secret, none, sizeof none) == 0 &&
        getrandom(tvl->secret, sizeof tvl->secret, 0) != (ssize_t)sizeof tvl->secret)
        return TVL_ERR_SYS;
    return 0;
}

/* Loop, driver and socket of one; the first decides the port. */
static int worker_init(struct tvl_workers *all, unsigned i, const struct tvl_workers_config *cfg,
                       const char *listen, char *why, size_t why_size)
{
    struct worker *w = &all->worker[i];
    const struct tvl_ev_share share = {
        .self = i, .owner_of = owner_of, .pass_on = pass_on, .user = w
    };
    struct tvl_ev_config ec = {
        .tvl = cfg->tvl, .listen = listen, .on_event = on_event, .user = w
    };

    w->all = all;
    w->number = i;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    w->loop = ev_loop_new(EVFLAG_AUTO);
    if (!w->loop) {
        tvl_ev_say(why, why_size, "no event loop");
        return TVL_ERR_SYS;
    }
    ev_async_init(&w->bell, on_bell);
    w->bell.data = w;
    ev_async_start(w->loop, &w->bell);
    ec.loop = w->loop;
    ec.tvl.worker = (uint8_t)i;
    if (cfg->trace_users)
        ec.tvl.trace_user = cfg->trace_users[i];
    if (ec.tvl.seed[0] | ec.tvl.seed[1] | ec.tvl.seed[2] | ec.tvl.seed[3])
        ec.tvl.seed[3] += i; /* else each draws its own */
    return tvl_ev_new_shared(&w->driver, &ec, &share, why, why_size);
}

/* "ADDRESS:PORT" with the port that the first worker got. */
static void same_port(char *out, size_t size, const char *listen, uint16_t port)
{
    const char *colon = strrchr(listen, ':');

    snprintf(out, size, "%.*s:%u", colon ? (int)(colon - listen) : 0, listen, port);
}

static int start_threads(struct tvl_workers *all, char *why, size_t why_size)
{
    sigset_t every, before;
    int r = 0;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    for (unsigned i = 0; i < all->count && r == 0; i++) {
        r = pthread_create(&all->worker[i].thread, NULL, worker_main, &all->worker[i]);
        all->worker[i].running = r == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        return 0;
    errno = r;
    tvl_ev_say(why, why_size, "no thread: %s", strerror(r));
    return TVL_ERR_SYS;
}

static unsigned how_many(unsigned wanted)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted > 0)
        return wanted;
    return processors < 1                 ? 1
           : processors > TVL_WORKERS_MAX ? TVL_WORKERS_MAX
                                          : (unsigned)processors;
}

int tvl_workers_new(struct tvl_workers **out, const struct tvl_workers_config *cfg, char *why,
                    size_t why_size)
{
    struct tvl_workers_config own = *cfg;
    struct tvl_workers *all;
    char listen[128];
    int r = 0;

    if (!cfg->listen || strlen(cfg->listen) > sizeof listen - 8 || cfg->workers > TVL_WORKERS_MAX ||
        (cfg->trace_users && cfg->workers == 0)) {
        tvl_ev_say(why, why_size, "workers need an address, and are %d at most", TVL_WORKERS_MAX);
        return TVL_ERR_ARG;
    }
    all = calloc(1, sizeof *all);
    if (!all) {
        tvl_ev_say(why, why_size, "out of memory");
        return TVL_ERR_NOMEM;
    }
    all->on_event = cfg->on_event;
    all->user = cfg->user;
    const unsigned count = how_many(cfg->workers);
    r = prepare(&own.tvl, count);
    snprintf(listen, sizeof listen, "%s", cfg->listen);
    while (r == 0 && all->count < count) {
        r = worker_init(all, all->count++, &own, listen, why, why_size);
        if (r == 0)
            same_port(listen, sizeof listen, cfg->listen, tvl_workers_port(all));
    }
    if (r == 0 && !cfg->no_steering)
        all->steered = tvl_steer_in_kernel(tvl_ev_fd(all->worker[0].driver), count);
    if (r == 0)
        r = start_threads(all, why, why_size);
    if (r != 0) {
        tvl_workers_free(all);
        return r;
    }
    *out = all;
    return 0;
}

static void worker_stop(struct worker *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
    ev_async_send(w->loop, &w->bell);
    pthread_join(w->thread, NULL);
}

void tvl_workers_free(struct tvl_workers *all)
{
    if (!all)
        return;
    for (unsigned i = 0; i < all->count; i++)
        worker_stop(&all->worker[i]);
    for (unsigned i = 0; i < all->count; i++) {
        struct worker *w = &all->worker[i];

        for (struct letter *l = take_letters(w), *next; l; l = next) {
            next = l->next;
            free(l);
        }
        tvl_ev_free(w->driver);
        if (w->loop)
            ev_loop_destroy(w->loop);
        pthread_mutex_destroy(&w->lock);
    }
    free(all);
}

/* ---- from outside ---- */

unsigned tvl_workers_count(const struct tvl_workers *w)
{
    return w->count;
}

uint16_t tvl_workers_port(const struct tvl_workers *w)
{
    return tvl_ev_port(w->worker[0].driver);
}

bool tvl_workers_steered(const struct tvl_workers *w)
{
    return w->steered;
}

int tvl_workers_run(struct tvl_workers *all, unsigned worker,
                    void (*job)(void *arg, unsigned worker, struct tvl_ev *driver), void *arg)
{
    struct worker *w;
    bool room;

    if (worker >= all->count || !job)
        return TVL_ERR_ARG;
    w = &all->worker[worker];
    pthread_mutex_lock(&w->lock);
    room = w->jobs < TVL_WORKERS_JOBS_MAX;
    if (room)
        w->job[w->jobs++] = (struct job){ job, arg };
    pthread_mutex_unlock(&w->lock);
    if (room)
        ev_async_send(w->loop, &w->bell);
    return room ? 0 : TVL_ERR_FULL;
}

struct census { /* one question to one worker */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
    struct tvl_endpoint_stats stats;
};

static void count_one(void *arg, unsigned worker, struct tvl_ev *driver)
{
    struct census *c = arg;

    (void)worker;
    pthread_mutex_lock(&c->lock);
    tvl_endpoint_get_stats(tvl_ev_endpoint(driver), &c->stats);
    c->done = true;
    pthread_cond_signal(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

static void add(struct tvl_endpoint_stats *sum, const struct tvl_endpoint_stats *s)
{
    sum->conns += s->conns;
    sum->handshakes += s->handshakes;
    sum->accepted += s->accepted;
    sum->refused_conns_max += s->refused_conns_max;
    sum->refused_handshakes_max += s->refused_handshakes_max;
    sum->refused_host += s->refused_host;
    sum->refused_draining += s->refused_draining;
    sum->refused_knock += s->refused_knock;
    sum->retries_sent += s->retries_sent;
    sum->tokens_bad += s->tokens_bad;
    sum->resets_sent += s->resets_sent;
    sum->versions_sent += s->versions_sent;
    sum->datagrams_unroutable += s->datagrams_unroutable;
}

void tvl_workers_get_stats(struct tvl_workers *w, struct tvl_workers_stats *out)
{
    struct census c = { .done = false };

    *out = (struct tvl_workers_stats){ .passed_on = atomic_load(&w->passed_on),
                                       .passed_on_dropped = atomic_load(&w->dropped) };
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.answered, NULL);
    for (unsigned i = 0; i < w->count; i++) {
        c.done = false;
        while (tvl_workers_run(w, i, count_one, &c) == TVL_ERR_FULL)
            usleep(1000); /* others' jobs are being done */
        pthread_mutex_lock(&c.lock);
        while (!c.done)
            pthread_cond_wait(&c.answered, &c.lock);
        pthread_mutex_unlock(&c.lock);
        add(&out->endpoint, &c.stats);
    }
    pthread_cond_destroy(&c.answered);
    pthread_mutex_destroy(&c.lock);
}
