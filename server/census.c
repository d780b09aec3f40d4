/* census.c - see census.h. */
#include "census.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct census {
    atomic_uint refs;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t answered;
    unsigned workers, missing;
    struct census_part part[TVL_WORKERS_MAX];
    bool has_part[TVL_WORKERS_MAX];
};

struct census *census_new(unsigned workers)
{
    struct census *c = calloc(1, sizeof *c);
    pthread_condattr_t monotonic;
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->workers = c->missing = workers;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return c;
}

struct census *census_ref(struct census *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void census_unref(struct census *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < c->workers; i++)
        free(c->part[i].session);
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void census_answer(struct census *c, unsigned worker, const struct census_part *part)
{
    pthread_mutex_lock(&c->lock);
    c->part[worker] = *part;
    c->has_part[worker] = true;
    if (--c->missing == 0)
        pthread_cond_signal(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

static void add_endpoint(struct tvl_endpoint_stats *sum, const struct tvl_endpoint_stats *s)
{
    sum->conns += s->conns;
    sum->handshakes += s->handshakes;
    sum->accepted += s->accepted;
    sum->refused_conns_max += s->refused_conns_max;
    sum->refused_handshakes_max += s->refused_handshakes_max;
    sum->refused_host += s->refused_host;
    sum->refused_knock += s->refused_knock;
    sum->refused_draining += s->refused_draining;
    sum->retries_sent += s->retries_sent;
    sum->tokens_bad += s->tokens_bad;
    sum->resets_sent += s->resets_sent;
    sum->versions_sent += s->versions_sent;
    sum->datagrams_unroutable += s->datagrams_unroutable;
}

static void add_totals(struct snapshot_totals *sum, const struct snapshot_totals *t)
{
    sum->sent_bytes += t->sent_bytes;
    sum->received_bytes += t->received_bytes;
    sum->resent_bytes += t->resent_bytes;
    sum->packets_sent += t->packets_sent;
    sum->packets_lost += t->packets_lost;
    sum->units_offered += t->units_offered;
    sum->units_sent += t->units_sent;
    sum->units_dropped_broken += t->units_dropped_broken;
    sum->units_dropped_rate += t->units_dropped_rate;
    sum->units_dropped_queue += t->units_dropped_queue;
    sum->units_dropped_full += t->units_dropped_full;
    sum->units_expired += t->units_expired;
}

/* Under the lock. */
static int gather(const struct census *c, struct snapshot *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < c->workers; i++)
        n += c->part[i].n;
    out->session = calloc(n ? n : 1, sizeof *out->session);
    if (!out->session)
        return -1;
    for (unsigned i = 0; i < c->workers; i++) {
        const struct census_part *p = &c->part[i];
        if (p->n > 0)
            memcpy(out->session + out->n_sessions, p->session, p->n * sizeof *p->session);
        out->n_sessions += p->n;
        add_endpoint(&out->endpoint, &p->endpoint);
        add_totals(&out->totals, &p->totals);
    }
    return (int)c->missing;
}

int census_wait(struct census *c, struct snapshot *out)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CENSUS_PATIENCE_MS / 1000;
    pthread_mutex_lock(&c->lock);
    while (c->missing > 0 && pthread_cond_timedwait(&c->answered, &c->lock, &until) != ETIMEDOUT)
        ;
    const int result = gather(c, out);
    pthread_mutex_unlock(&c->lock);
    return result;
}
