/*
 * oracle.c - what a scheduler that knew the links could have delivered. Contract in layered.h.
 *
 * Base units: each link by itself carries the base layer and nothing else, and does not begin a
 * unit that it would bring too late; a unit that is in time on any of them could have been carried.
 * Upper layers: beside the base units, each on the link on which it is there first, water is filled
 * into what is left of each link, millisecond by millisecond, the oldest first: any bytes of a unit
 * count that arrive in time, whether the unit is whole or not, so nobody can do better. Of a link's
 * bytes packets' headers take their share.
 */
#include <stdlib.h>
#include <string.h>

#include "layered.h"

#define HEADERS 45u /* QUIC header, tag, stream frame header */
#define TICK 1000u  /* us */

struct river { /* one link: payload bytes by millisecond */
    uint32_t *room;
    size_t n;
    tvl_time delay;
    size_t base_at; /* the millisecond at which the next base unit may begin */
};

static double payload_share(const struct vlink_config *c)
{
    return (double)(TVL_DATAGRAM_MAX - HEADERS) / (double)(TVL_DATAGRAM_MAX + c->overhead_bytes);
}

static bool fill(struct river *r, const struct vlink_config *c, size_t n)
{
    const double share = payload_share(c) * (1 - c->loss_ppm / 1e6);

    *r = (struct river){ .room = calloc(n, sizeof *r->room), .n = n, .delay = c->delay_ns / 1000 };
    if (!r->room)
        return false;
    if (!c->trace) {
        for (size_t i = 0; i < n; i++)
            r->room[i] = (uint32_t)((double)c->rate_bps / 8000 * share);
        return true;
    }
    for (uint64_t k = 0;; k++) {
        const uint64_t ms = vlink_trace_at(c->trace, k) / 1000000;

        if (ms >= n)
            return true;
        r->room[ms] += (uint32_t)(VLINK_TRACE_BYTES * share);
    }
}

/* When `bytes` released at `ms` have all left on `r`; r->n: never. Takes them if `take`. */
static size_t carry(struct river *r, size_t ms, uint32_t bytes, bool take)
{
    size_t i = ms;

    for (; i < r->n && bytes > 0; i++) {
        const uint32_t part = r->room[i] < bytes ? r->room[i] : bytes;

        bytes -= part;
        if (take)
            r->room[i] -= part;
    }
    return bytes > 0 ? r->n : i;
}

static void place_base(const struct feed *f, struct river *r, unsigned links)
{
    for (uint64_t i = feed_first(f); i < feed_pictures(f); i += 2) {
        const tvl_time at = feed_release(f, i), due = at + f->deadline;
        const uint32_t size = feed_size(f, i, 0);
        unsigned best = links;
        tvl_time first = due + 1;

        for (unsigned k = 0; k < links; k++) {
            const tvl_time there =
                carry(&r[k], at / TICK + 1, size, false) * (tvl_time)TICK + r[k].delay;

            if (there < first) {
                first = there;
                best = k;
            }
        }
        if (best < links)
            (void)carry(&r[best], at / TICK + 1, size, true);
    }
}

static void carry_alone(struct oracle *o, const struct feed *f, const struct river *r)
{
    struct river own = { .room = malloc(r->n * sizeof *r->room), .n = r->n };

    if (!own.room)
        return;
    memcpy(own.room, r->room, r->n * sizeof *r->room);
    for (uint64_t i = feed_first(f); i < feed_pictures(f); i += 2) {
        const tvl_time at = feed_release(f, i);
        const uint32_t size = feed_size(f, i, 0);
        const size_t left = carry(&own, at / TICK + 1, size, false);

        if (left == r->n || left * (tvl_time)TICK + r->delay > at + f->deadline)
            continue;
        (void)carry(&own, at / TICK + 1, size, true);
        o->base_could += !o->could[i];
        o->could[i] = true;
    }
    free(own.room);
}

struct waiting {
    tvl_time at, due;
    uint32_t bytes;
};

static void fill_upper(struct oracle *o, const struct feed *f, struct river *r, unsigned links)
{
    struct waiting *w = calloc(feed_pictures(f), sizeof *w);
    size_t first = feed_first(f), n = first;

    if (!w)
        return;
    for (size_t ms = 0; ms < r[0].n; ms++) {
        const tvl_time now = ms * (tvl_time)TICK;

        for (; n < feed_pictures(f) && feed_release(f, n) < now; n++) {
            w[n] = (struct waiting){ feed_release(f, n), feed_release(f, n) + f->deadline, 0 };
            for (unsigned s = n % 2 == 0; s < 3; s++)
                w[n].bytes += feed_size(f, n, s);
        }
        while (first < n && (w[first].due < now || w[first].bytes == 0))
            first++;
        for (unsigned k = 0; k < links; k++)
            for (size_t i = first; i < n && r[k].room[ms] > 0; i++) {
                uint32_t part = r[k].room[ms] < w[i].bytes ? r[k].room[ms] : w[i].bytes;

                if (now + TICK + r[k].delay > w[i].due)
                    continue;
                r[k].room[ms] -= part;
                w[i].bytes -= part;
                o->upper_bytes += part;
            }
    }
    free(w);
}

void oracle_ask(struct oracle *o, const struct feed *f, const struct vlink_config *link,
                unsigned links)
{
    struct river r[NET_LINKS_MAX];
    const size_t n = (f->lead + f->span + f->deadline) / TICK + 2;
    bool good = true;

    memset(o, 0, sizeof *o);
    for (unsigned k = 0; k < links; k++)
        good = fill(&r[k], &link[k], n) && good;
    for (unsigned k = 0; k < links && good; k++)
        carry_alone(o, f, &r[k]);
    o->base_units = (feed_pictures(f) - feed_first(f) + 1) / 2;
    if (good) {
        place_base(f, r, links);
        fill_upper(o, f, r, links);
    }
    for (unsigned k = 0; k < links; k++)
        free(r[k].room);
}
