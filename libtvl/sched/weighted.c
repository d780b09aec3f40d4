/*
 * weighted.c - every path by its share of the sum of the rates, however far the windows are open.
 *
 * Stride scheduling (Waldspurger, Weihl: "Stride Scheduling", MIT TM-528, 1995): each path has a
 * pass, the time its rate needs for what it was given, and the path with room whose pass is lowest
 * is next:
 *
 *     pass += bytes / rate
 *
 * A path that had no room, or is new, does not get what it missed: its pass is never further behind
 * than one packet's time behind the path given last. Even load on links of known rates, where
 * minrtt would fill the fastest to its brim before it tries another.
 */
#include <tvl/sched.h>

#include "all.h"

struct share {
    uint32_t id;
    bool used;
    double pass; /* us */
};

struct weighted {
    struct share share[TVL_PATHS_MAX];
    double now; /* the pass of the path given last, before its packet */
};

_Static_assert(sizeof(struct weighted) <= TVL_SCHED_STATE_MAX, "state is bounded");

static struct share *share_of(struct weighted *w, uint32_t id)
{
    struct share *oldest = &w->share[0];

    for (size_t i = 0; i < TVL_PATHS_MAX; i++) {
        struct share *s = &w->share[i];

        if (s->used && s->id == id)
            return s;
        if (oldest->used && (!s->used || s->pass < oldest->pass))
            oldest = s;
    }
    *oldest = (struct share){ .id = id, .used = true, .pass = w->now };
    return oldest;
}

static double stride(const struct tvl_sched_path *p, size_t bytes)
{
    return (double)bytes * 8e6 / (double)(p->rate_bps ? p->rate_bps : 1);
}

static int weighted_pick(void *s, const struct tvl_sched_path *path, size_t n,
                         const struct tvl_sched_packet *pkt, tvl_time now)
{
    struct weighted *w = s;
    struct share *best = NULL;
    int at = TVL_SCHED_NONE;

    (void)now;
    for (size_t i = 0; i < n; i++) {
        if (path[i].room < pkt->bytes)
            continue;
        struct share *h = share_of(w, path[i].id);
        const double least = w->now - stride(&path[i], pkt->bytes);

        if (h->pass < least)
            h->pass = least;
        if (!best || h->pass < best->pass) {
            best = h;
            at = (int)i;
        }
    }
    if (best) {
        w->now = best->pass;
        best->pass += stride(&path[at], pkt->bytes);
    }
    return at;
}

const struct tvl_sched_ops tvl_sched_weighted = { .name = "weighted", .pick = weighted_pick };
