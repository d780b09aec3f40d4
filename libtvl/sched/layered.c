/*
 * layered.c - for layered media with deadlines: each unit where it will arrive in time most surely.
 *
 * A path's next packet is expected, and its arrival is as uncertain as the round trip is uneven:
 *
 *     round   = max(least round trip, in flight / capacity, age of what is overdue)
 *     arrival = round - least round trip / 2
 *     sigma   = 5/4 spread + swing * (queue) + what is overdue
 *     doubt   = sigma^2 / (sigma^2 + slack^2), slack = deadline - arrival      (Cantelli)
 *               + loss ^ (attempts that fit)
 *
 *     base layer (flow 0)   whole on the path of least doubt, or spread over those that are as
 *                           good; a copy on the next best when the doubt is above DOUBT_COPY
 *     upper layers          on every path, the earliest arrival first, as long as they come in time
 *                           and the path's queue stays below QUEUE_US and QUEUE_BYTES: what is
 *                           queued cannot be overtaken by the next base unit; of those whose flow
 *                           asks for it (TVL_FLOW_RESCUE) a copy when in doubt above DOUBT_RESCUE
 *     late                  a unit that all paths together cannot deliver in time is held, and an
 *                           upper one that would take more than SHARE_UPPER of that: others get
 *                           its share
 *     no deadline, or past  as ecf: a reliable flow outlives it (TVL_FLOW_RELIABLE)
 *
 * A path is so left before its queue makes a deadline fail, and long before it proves to be dead.
 */
#include <tvl/sched.h>

#include "all.h"

#define DOUBT_COPY 0.01    /* chance of a base unit's packet to be late above which it goes twice */
#define DOUBT_RESCUE 0.05  /* the same of another flow's, if that is to be rescued */
#define DOUBT_UPPER 0.8    /* the chance of an upper layer's, above which it does not go there */
#define DOUBT_ALIKE 1.2    /* times the least doubt: as good as the surest path */
#define QUEUE_US 20000.0   /* us of queue on a path that upper layers may make, */
#define QUEUE_BYTES 2944   /* and two packets, however slow it is */
#define SHARE_UPPER 0.4    /* of what can be delivered by then, for more urgent ones will come */
#define UNSEEN 3           /* times what was delivered: what it may be without a queue */
#define SOONER 1e-7        /* of doubt, that a us is worth */
#define SIGMA_LEAST 1000.0 /* us */
#define ATTEMPTS_MAX 3
#define FIRST_BYTES 14720 /* in flight on a path of which nothing is known, RFC 9002 7.2 */

struct outlook {                                  /* of one path */
    double round, arrival, sigma, queue, overdue; /* us */
    double bps;
};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* bits/s: what it was seen to carry, or UNSEEN times that while nothing speaks against more. */
static double capacity(const struct tvl_sched_path *p, double least)
{
    const double first = FIRST_BYTES * 8e6 / least;

    if (p->full)
        return (double)p->capacity_bps;
    return larger(UNSEEN * (double)p->capacity_bps, first);
}

static struct outlook look(const struct tvl_sched_path *p, size_t bytes)
{
    const double least = p->rtt_min ? (double)p->rtt_min : larger((double)p->srtt, 1);
    const double bps = capacity(p, least);
    struct outlook o = { .round = larger(least, (double)(p->in_flight + bytes) * 8e6 / bps) };

    const tvl_time usual = p->rtt_last ? p->rtt_last : p->srtt;
    const double overdue = p->unproved_age > usual ? (double)(p->unproved_age - usual) : 0;

    o.overdue = overdue;
    o.round = larger(o.round, (double)p->unproved_age);
    o.bps = bps;
    o.queue = o.round - least;
    o.arrival = o.round - least / 2;
    o.sigma = 1.25 * p->spread + p->swing * o.queue + overdue + SIGMA_LEAST;
    return o;
}

/* Chance that a packet is not there `slack` us after it was expected. */
static double doubt(const struct tvl_sched_path *p, const struct outlook *o, double slack)
{
    double lost = p->loss;

    if (slack <= 0)
        return 1;
    for (unsigned i = 1; i < ATTEMPTS_MAX && slack > i * (o->round + 3 * o->sigma); i++)
        lost *= p->loss;
    const double late = o->sigma * o->sigma / (o->sigma * o->sigma + slack * slack);

    return late + lost - late * lost;
}

static double slack_of(const struct outlook *o, const struct tvl_sched_packet *pkt, tvl_time now)
{
    return pkt->deadline > now ? (double)(pkt->deadline - now) - o->arrival : -o->arrival;
}

/* The next base unit would find more than QUEUE_US there, and it cannot overtake. */
static bool is_queued(const struct outlook *o)
{
    return o->queue > QUEUE_US + QUEUE_BYTES * 8e6 / o->bps;
}

struct choice {
    int path; /* index, TVL_SCHED_NONE: none will do */
    double doubt;
};

/* The path of least doubt beside path[but], with room for `room`. Among sure ones the doubts differ
 * by nothing, and the earlier arrival is the better by as much as it is earlier. */
static struct choice surest(const struct tvl_sched_path *path, size_t n, int but, size_t room,
                            const struct tvl_sched_packet *pkt, uint64_t bytes, tvl_time now)
{
    struct choice best = { .path = TVL_SCHED_NONE, .doubt = 2 };

    for (size_t i = 0; i < n; i++) {
        const struct outlook o = look(&path[i], bytes);
        const double d = doubt(&path[i], &o, slack_of(&o, pkt, now)) + o.arrival * SOONER;

        if (path[i].room >= room && (int)i != but && d < best.doubt)
            best = (struct choice){ .path = (int)i, .doubt = d };
    }
    return best;
}

static bool is_base(const struct tvl_sched_packet *pkt)
{
    return pkt->flow == 0;
}

/* All paths together deliver what waits of the unit before its deadline. */
static bool is_feasible(const struct tvl_sched_path *path, size_t n,
                        const struct tvl_sched_packet *pkt, tvl_time now, double part)
{
    double bytes = 0;

    for (size_t i = 0; i < n; i++) {
        const struct outlook o = look(&path[i], 0);
        const double slack = slack_of(&o, pkt, now);

        if (slack > 0)
            bytes += (double)pkt->bytes + slack * o.bps / 8e6;
    }
    return part * bytes >= (double)pkt->left;
}

/* On the surest path, or one that is as good: what is late on a bad one spoils the unit. */
static int base(const struct tvl_sched_path *path, size_t n, const struct tvl_sched_packet *pkt,
                tvl_time now)
{
    if (!is_feasible(path, n, pkt, now, is_base(pkt) ? 1 : SHARE_UPPER))
        return TVL_SCHED_NONE;
    const uint64_t whole = pkt->left > pkt->bytes ? pkt->left : pkt->bytes;
    const struct choice all = surest(path, n, TVL_SCHED_NONE, pkt->bytes, pkt, whole, now);

    if (all.doubt <= DOUBT_COPY)
        return all.path;
    const struct choice best = surest(path, n, TVL_SCHED_NONE, 0, pkt, pkt->bytes, now);
    const struct choice free = surest(path, n, TVL_SCHED_NONE, pkt->bytes, pkt, pkt->bytes, now);

    if (free.doubt <= DOUBT_COPY || free.doubt <= DOUBT_ALIKE * best.doubt)
        return free.path;
    return TVL_SCHED_NONE;
}

static int upper(const struct tvl_sched_path *path, size_t n, const struct tvl_sched_packet *pkt,
                 tvl_time now)
{
    int best = TVL_SCHED_NONE;
    double first = 0;

    if (!is_feasible(path, n, pkt, now, is_base(pkt) ? 1 : SHARE_UPPER))
        return TVL_SCHED_NONE;
    for (size_t i = 0; i < n; i++) {
        const struct outlook o = look(&path[i], pkt->bytes);

        if (path[i].room < pkt->bytes || is_queued(&o) ||
            doubt(&path[i], &o, slack_of(&o, pkt, now)) > DOUBT_UPPER)
            continue;
        if (best < 0 || o.arrival < first) {
            best = (int)i;
            first = o.arrival;
        }
    }
    return best;
}

static int layered_pick(void *s, const struct tvl_sched_path *path, size_t n,
                        const struct tvl_sched_packet *pkt, tvl_time now)
{
    if (pkt->deadline == TVL_TIME_NEVER || pkt->deadline <= now)
        return tvl_sched_ecf.pick(s, path, n, pkt, now);
    if (is_base(pkt))
        return base(path, n, pkt, now);
    return upper(path, n, pkt, now);
}

/* us until what left on the path `age` ago is there: before what would leave now, but not before
 * what is overdue has come. */
static double remaining(const struct outlook *o, double age)
{
    return larger(o->arrival - age, o->overdue);
}

static uint64_t layered_also(void *s, const struct tvl_sched_path *path, size_t n, int on,
                             const struct tvl_sched_packet *pkt, tvl_time now)
{
    (void)s;
    if (pkt->deadline == TVL_TIME_NEVER || pkt->deadline <= now || !(is_base(pkt) || pkt->rescue))
        return 0;
    const struct outlook o = look(&path[on], 0);
    const double left = (double)(pkt->deadline - now) - remaining(&o, (double)pkt->age);
    const double d = doubt(&path[on], &o, left);
    const struct choice second = surest(path, n, on, pkt->bytes, pkt, pkt->bytes, now);

    if (d < (is_base(pkt) ? DOUBT_COPY : DOUBT_RESCUE) || second.path < 0 ||
        second.doubt > DOUBT_UPPER)
        return TVL_SCHED_WATCH;
    const struct outlook there = look(&path[second.path], pkt->bytes);

    if (is_queued(&there))
        return TVL_SCHED_WATCH;
    return UINT64_C(1) << second.path;
}

const struct tvl_sched_ops tvl_sched_layered = {
    .name = "layered", .alone = true, .pick = layered_pick, .also = layered_also
};
