/* dgrams.c - see dgrams.h. */
#include "dgrams.h"

#include <stdlib.h>
#include <string.h>

static struct tvl_dgram *make(const uint8_t *bytes, size_t len, tvl_time deadline)
{
    struct tvl_dgram *g = malloc(sizeof *g + len);

    if (!g)
        return NULL;
    *g = (struct tvl_dgram){ .deadline = deadline, .len = len };
    if (len > 0)
        memcpy(g->bytes, bytes, len);
    return g;
}

static struct tvl_dgram *pop(struct tvl_dgram_queue *q)
{
    struct tvl_dgram *g = q->first;

    if (!g)
        return NULL;
    q->first = g->next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    q->bytes -= g->len;
    return g;
}

/* Behind `before`, or in front for NULL. */
static void link_after(struct tvl_dgram_queue *q, struct tvl_dgram *before, struct tvl_dgram *g)
{
    struct tvl_dgram **at = before ? &before->next : &q->first;

    g->next = *at;
    *at = g;
    if (!g->next)
        q->last = g;
    q->count++;
    q->bytes += g->len;
}

static bool is_full(const struct tvl_dgram_queue *q, size_t len)
{
    return q->count > 0 && (q->count == TVL_DGRAMS_MAX || q->bytes + len > TVL_DGRAMS_BYTES_MAX);
}

static void drop_all(struct tvl_dgram_queue *q)
{
    struct tvl_dgram *g;

    while ((g = pop(q)) != NULL)
        free(g);
}

void tvl_dgrams_fini(struct tvl_dgrams *d)
{
    drop_all(&d->out);
    drop_all(&d->in);
    free(d->polled);
    d->polled = NULL;
}

/* ---- to the peer ---- */

int tvl_dgrams_write(struct tvl_dgrams *d, const uint8_t *bytes, size_t len, tvl_time deadline)
{
    struct tvl_dgram *g, *before = d->out.last;

    if (is_full(&d->out, len))
        return TVL_ERR_FULL;
    g = make(bytes, len, deadline);
    if (!g)
        return TVL_ERR_NOMEM;
    if (before && before->deadline > deadline) { /* seldom: lifetimes are mostly equal */
        before = NULL;
        for (struct tvl_dgram *x = d->out.first; x->deadline <= deadline; x = x->next)
            before = x;
    }
    link_after(&d->out, before, g);
    return 0;
}

const struct tvl_dgram *tvl_dgrams_first(const struct tvl_dgrams *d)
{
    return d->out.first;
}

void tvl_dgrams_left(struct tvl_dgrams *d)
{
    free(pop(&d->out));
    d->sent++;
}

void tvl_dgrams_unfit(struct tvl_dgrams *d)
{
    free(pop(&d->out));
    d->lost++;
}

void tvl_dgrams_on_acked(struct tvl_dgrams *d, bool was_lost)
{
    d->acked++;
    d->lost -= was_lost;
}

void tvl_dgrams_on_lost(struct tvl_dgrams *d)
{
    d->lost++;
}

tvl_time tvl_dgrams_next_deadline(const struct tvl_dgrams *d)
{
    return d->out.first ? d->out.first->deadline : TVL_TIME_NEVER;
}

void tvl_dgrams_tick(struct tvl_dgrams *d, tvl_time now)
{
    while (d->out.first && d->out.first->deadline <= now && now != TVL_TIME_NEVER) {
        free(pop(&d->out));
        d->expired++;
    }
}

/* ---- from the peer ---- */

void tvl_dgrams_take(struct tvl_dgrams *d, const uint8_t *bytes, size_t len)
{
    struct tvl_dgram *g = make(bytes, len, TVL_TIME_NEVER);

    d->received++;
    if (!g) {
        d->dropped++;
        return;
    }
    while (is_full(&d->in, len)) {
        free(pop(&d->in));
        d->dropped++;
    }
    link_after(&d->in, d->in.last, g);
}

const struct tvl_dgram *tvl_dgrams_poll(struct tvl_dgrams *d)
{
    free(d->polled);
    d->polled = pop(&d->in);
    return d->polled;
}
