/*
 * fairness.c - what a connection of two paths takes beside one of a single path (virtual time).
 *
 *     coupled      both paths and the rival over one bottleneck: its rate over the rival's
 *     uncoupled    each path its own bottleneck, the two alike: the rate of both over the sum of
 *                  what each carries alone
 *
 *     fairness [--check] [--seeds N] [--cc NAME] [--coupling NAME] [--verbose]
 *         --check     exit 1 when coupled is above 1.25, or uncoupled below 0.95
 *
 * Delays vary by a millisecond: without, every packet comes in step with the full queue's rhythm,
 * and whose are dropped is decided once for the whole run.
 *
 * Rates are taken over three minutes, after half a minute in which the paths have found out. The
 * last line is one JSON object.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define MS 1000000u /* ns */
#define MBIT 1000000u
#define SEEDS_MAX 32
#define SETTLE 30000000u /* us */
#define SPAN 180000000u  /* us */
#define COUPLED_MOST 1.25
#define UNCOUPLED_LEAST 0.95

enum { MAIN, RIVAL };

struct flow {
    uint64_t id;
    bool open;
    uint64_t read, read_before; /* bytes: all; up to the end of SETTLE */
};

struct run {
    struct flow flow[2];
    tvl_time next;
    bool settled, done;
    unsigned grouped, asked; /* looks at the paths; those that found them in one group */
};

static struct flow *flow_of(struct run *r, struct net *n, enum net_side side,
                            const struct tvl_conn *conn)
{
    return &r->flow[conn == net_rival(n, side) ? RIVAL : MAIN];
}

static void fill(struct tvl_conn *conn, uint64_t id)
{
    static const uint8_t bytes[65536];

    while (tvl_stream_write(conn, id, bytes, sizeof bytes, false) == sizeof bytes)
        ;
}

static void drain(struct tvl_conn *conn, uint64_t id, struct flow *f)
{
    uint8_t bytes[65536];
    bool fin;
    int64_t got;

    while ((got = tvl_stream_read(conn, id, bytes, sizeof bytes, &fin)) > 0)
        f->read += (uint64_t)got;
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct run *r = user;
    struct flow *f = flow_of(r, n, side, ev->conn);

    if (side == NET_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE)
        drain(ev->conn, ev->stream.id, f);
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED) {
        f->open = tvl_stream_open(ev->conn, TVL_UNI, &f->id) == 0;
        fill(ev->conn, f->id);
    }
    if (side == NET_SERVER && ev->type == TVL_EVENT_STREAM_WRITABLE)
        fill(ev->conn, f->id);
}

static void on_tick(void *user, struct net *n)
{
    struct run *r = user;
    struct tvl_path_stats p[2];

    r->next += 1000000;
    if (!r->settled && net_now(n) >= NET_START + SETTLE) {
        r->settled = true;
        for (int i = 0; i < 2; i++)
            r->flow[i].read_before = r->flow[i].read;
    }
    r->done = net_now(n) >= NET_START + SETTLE + SPAN;
    if (!r->settled || !net_conn(n, NET_SERVER) || tvl_paths(net_conn(n, NET_SERVER), p, 2) < 2)
        return;
    r->asked++;
    r->grouped += p[0].bottleneck != 0 && p[0].bottleneck == p[1].bottleneck;
}

static tvl_time on_next(void *user)
{
    return ((struct run *)user)->next;
}

static bool is_done(void *user)
{
    return ((struct run *)user)->done;
}

struct rates {
    double bps[2];
    double grouped; /* share of the time */
};

static struct rates measure(const struct net_config *cfg)
{
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = on_next, .done = is_done
    };
    struct run r = { .next = NET_START + 1000000 };
    struct rates out = { .grouped = 0 };
    struct net *n = net_new(cfg, &app, &r);

    if (n && net_run(n, NET_START + SETTLE + SPAN + 1000000))
        for (int i = 0; i < 2; i++)
            out.bps[i] = (double)(r.flow[i].read - r.flow[i].read_before) * 8e6 / (double)SPAN;
    out.grouped = r.asked ? (double)r.grouped / r.asked : 0;
    net_free(n);
    return out;
}

static struct vlink_config bottleneck(uint64_t rate, uint64_t delay_ms)
{
    return (struct vlink_config){ .rate_bps = rate,
                                  .delay_ns = delay_ms * MS,
                                  .jitter_ns = MS,
                                  .queue_ns = 40 * MS,
                                  .overhead_bytes = VLINK_OVERHEAD_BYTES };
}

static double median(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && v[k] < v[k - 1]; k--) {
            const double x = v[k];

            v[k] = v[k - 1];
            v[k - 1] = x;
        }
    return v[n / 2];
}

struct asked {
    struct net_config cfg; /* what the options say */
    unsigned seeds;
    bool verbose;
};

/* One bottleneck of 20 Mbit/s; the rival's own way is as long as that of the first path. */
static double coupled(const struct asked *a)
{
    double v[SEEDS_MAX];

    for (unsigned i = 0; i < a->seeds; i++) {
        struct net_config cfg = a->cfg;

        cfg.seed = 100 + i;
        cfg.links = 3;
        cfg.shared = 7;
        cfg.common = bottleneck(20 * MBIT, 5);
        cfg.link[0] = cfg.link[2] =
            (struct vlink_config){ .delay_ns = (10 + i) * MS, .jitter_ns = MS };
        cfg.link[1] = (struct vlink_config){ .delay_ns = (15 + i) * MS, .jitter_ns = MS };
        cfg.rival = true;
        cfg.rival_link = 2;
        cfg.skip = 4;
        const struct rates r = measure(&cfg);

        v[i] = r.bps[RIVAL] > 0 ? r.bps[MAIN] / r.bps[RIVAL] : 1e9;
        if (a->verbose)
            printf("shared    %u: two paths %5.2f, rival %5.2f Mbit/s: %.2f; in a group %3.0f %%\n",
                   i, r.bps[MAIN] / 1e6, r.bps[RIVAL] / 1e6, v[i], 100 * r.grouped);
    }
    return median(v, a->seeds);
}

static double uncoupled(const struct asked *a)
{
    double v[SEEDS_MAX];

    for (unsigned i = 0; i < a->seeds; i++) {
        struct net_config cfg = a->cfg;
        double sum = 0;

        cfg.seed = 200 + i;
        cfg.links = 2;
        for (unsigned k = 0; k < 2; k++)
            cfg.link[k] = bottleneck(10 * MBIT, 15 + k * i);
        const struct rates both = measure(&cfg);

        for (unsigned k = 0; k < 2; k++) {
            cfg.skip = 1u << k;
            sum += measure(&cfg).bps[MAIN];
        }
        v[i] = sum > 0 ? both.bps[MAIN] / sum : 0;
        if (a->verbose)
            printf("separate  %u: two paths %5.2f, alone %5.2f Mbit/s: %.3f; in a group %3.0f %%\n",
                   i, both.bps[MAIN] / 1e6, sum / 1e6, v[i], 100 * both.grouped);
    }
    return median(v, a->seeds);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "check", no_argument, NULL, 'x' },    { "seeds", required_argument, NULL, 's' },
        { "cc", required_argument, NULL, 'c' }, { "coupling", required_argument, NULL, 'p' },
        { "verbose", no_argument, NULL, 'v' },  { NULL, 0, NULL, 0 },
    };
    struct asked a = { .seeds = 5 };
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct test_pki pki;
    bool check = false;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'x':
            check = true;
            break;
        case 's':
            a.seeds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            a.cfg.cc = optarg;
            break;
        case 'p':
            a.cfg.coupling = optarg;
            break;
        case 'v':
            a.verbose = true;
            break;
        default:
            return 2;
        }
    if (a.seeds < 1 || a.seeds > SEEDS_MAX)
        return 2;
    if (test_pki_init(&pki, &pc) != 0)
        return 2;
    a.cfg.pki = &pki;
    const double shared = coupled(&a), apart = uncoupled(&a);

    test_pki_fini(&pki);
    printf("{\"coupled_share\": %.3f, \"uncoupled_share\": %.3f}\n", shared, apart);
    return check && (shared > COUPLED_MOST || apart < UNCOUPLED_LEAST);
}
