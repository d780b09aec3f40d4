/*
 * live.c - layered live video over two unlike links, as the server sends it: units on streams of
 * their own with a rank and a deadline, let through by the server's policy. Contract in bonding.h.
 *
 * The clip is that of the demo in sizes and structure: 30 pictures a second, three spatial and two
 * temporal layers, a sync every 60 pictures, about 3.6 Mbit/s. What counts is what a viewer sees:
 * a unit that arrived within the latency, and all that it reads.
 */
#include <stdlib.h>
#include <string.h>

#include "bonding.h"
#include "policy.h"

#define SPATIAL 3
#define LAYERS (2 * SPATIAL)
#define GOP 60
#define PICTURE_US 33333u
#define PICTURES_MAX 1024
#define TOP (SPATIAL - 1)

/* Bytes by spatial layer: at a sync, T0, T1. */
static const uint32_t sizes[SPATIAL][3] = { { 4400, 1600, 700 },
                                            { 16000, 4700, 2550 },
                                            { 40000, 11800, 7500 } };

struct unit {
    uint64_t stream; /* 0: not sent */
    tvl_time read;   /* whole at the client; 0: not */
};

struct show {
    const struct live *live;
    struct policy policy;
    tvl_time begin, next;
    uint64_t pictures;
    uint64_t last_rank[LAYERS]; /* of the newest unit sent; 0: none yet */
    struct unit unit[PICTURES_MAX][SPATIAL];
};

/* ---- the clip ---- */

static uint32_t size_of(uint64_t picture, unsigned spatial)
{
    return sizes[spatial][picture % GOP == 0 ? 0 : 1 + (picture & 1)];
}

/* Bits/s of the layers up to the unit's own. */
static uint64_t needed_bps(unsigned layer)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < GOP; i++)
        for (unsigned s = 0; s < SPATIAL; s++)
            bytes += 2 * s + (i & 1) <= layer ? size_of(i, s) : 0;
    return bytes * 8 * 1000000 / (GOP * PICTURE_US);
}

uint64_t live_bps(void)
{
    return needed_bps(LAYERS - 1);
}

/* The reference structure of the project's own encoder: T0 in slots 0-2, T1 in 3 and 4. */
static struct svc_unit unit_at(uint64_t picture, uint8_t spatial)
{
    const uint8_t t = picture & 1;
    const bool sync = picture % GOP == 0;
    struct svc_unit u = { .len = size_of(picture, spatial),
                          .picture = picture,
                          .layer = { spatial, t },
                          .key = sync && spatial == 0 };

    if (!sync)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ spatial, spatial, picture - (t ? 1 : 2) };
    if (spatial > 0)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ (uint8_t)(3 * t + spatial - 1), (uint8_t)(spatial - 1), picture };
    if (t == 0)
        u.deps.refreshes = (uint8_t)(1u << spatial);
    else if (spatial < TOP)
        u.deps.refreshes = (uint8_t)(1u << (3 + spatial));
    if (u.key)
        u.deps.refreshes = 0xff;
    return u;
}

/* ---- the server ---- */

static uint64_t backlog(const struct show *w, const struct tvl_conn *conn, unsigned layer)
{
    for (unsigned i = layer + 1; i-- > 0;)
        if (w->last_rank[i])
            return tvl_backlog(conn, w->last_rank[i]);
    return 0;
}

static void offer(struct show *w, struct net *n, uint64_t picture, uint8_t spatial)
{
    static const uint8_t bytes[65536];
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    const struct svc_unit u = unit_at(picture, spatial);
    const unsigned layer = 2u * spatial + u.layer.temporal;
    const tvl_time now = net_now(n), latency = w->live->latency;
    struct tvl_conn_stats stats;
    uint64_t id;

    tvl_conn_get_stats(conn, &stats);
    const struct policy_view view = { .now = now,
                                      .rate_bps = stats.rate_bps,
                                      .sure_bps = stats.sure_bps,
                                      .backlog_bytes = backlog(w, conn, layer),
                                      .budget_us = latency,
                                      .needed_bps = needed_bps(layer),
                                      .above_bps = layer > 0 ? needed_bps(layer - 1) : 0 };
    const struct policy_order order = policy_judge(&w->policy, &view, &u);

    if (order.verdict != POLICY_SEND || tvl_stream_open(conn, TVL_UNI, &id) != 0)
        return;
    w->last_rank[layer] = (uint64_t)(layer + 2) << 46 | picture;
    (void)tvl_stream_set_rank(conn, id, w->last_rank[layer]);
    (void)tvl_stream_set_deadline(conn, id, now + order.lifetime_us, 1);
    (void)tvl_stream_write(conn, id, bytes, u.len, true);
    w->unit[picture][spatial].stream = id;
    policy_sent(&w->policy, &u, now);
}

static void on_tick(void *user, struct net *n)
{
    struct show *w = user;

    if (w->begin == 0 || net_now(n) < w->next || w->pictures == PICTURES_MAX)
        return;
    if (net_conn(n, NET_SERVER))
        for (uint8_t s = 0; s < SPATIAL; s++)
            offer(w, n, w->pictures, s);
    w->pictures++;
    w->next += PICTURE_US;
}

static struct unit *find(struct show *w, uint64_t stream, uint64_t *picture, uint8_t *spatial)
{
    for (uint64_t i = w->pictures; i-- > 0;)
        for (uint8_t s = 0; s < SPATIAL; s++)
            if (w->unit[i][s].stream == stream) {
                *picture = i;
                *spatial = s;
                return &w->unit[i][s];
            }
    return NULL;
}

/* ---- the client ---- */

static void read_unit(struct show *w, struct net *n, uint64_t id)
{
    uint8_t bytes[65536];
    bool fin = false;
    int64_t r;
    uint64_t picture;
    uint8_t spatial;

    do
        r = tvl_stream_read(net_conn(n, NET_CLIENT), id, bytes, sizeof bytes, &fin);
    while (r > 0 && !fin);
    struct unit *u = fin ? find(w, id, &picture, &spatial) : NULL;

    if (u)
        u->read = net_now(n);
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct show *w = user;
    uint64_t picture;
    uint8_t s;

    if (side == NET_CLIENT) {
        if (ev->type == TVL_EVENT_STREAM_READABLE)
            read_unit(w, n, ev->stream.id);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        w->begin = w->next = net_now(n) + 100000; /* the other path is there by then */
    if (ev->type == TVL_EVENT_PATH && ev->path.state == TVL_PATH_UP)
        policy_path_up(&w->policy, net_now(n));
    if (ev->type == TVL_EVENT_STREAM_EXPIRED && find(w, ev->stream.id, &picture, &s))
        policy_lost(&w->policy, (struct svc_layer){ s, picture & 1 }, picture, net_now(n));
}

static tvl_time next_of(void *user)
{
    const struct show *w = user;

    return w->begin ? w->next : TVL_TIME_NEVER;
}

static bool is_done(void *user)
{
    const struct show *w = user;

    return w->begin && w->next > w->begin + w->live->span + 2 * w->live->latency;
}

/* ---- the viewer ---- */

/* Highest spatial layer of the picture that can be shown in time; -1: none. */
static int shown(const struct show *w, struct svc_tracker *t, uint64_t picture)
{
    const tvl_time due = w->begin + picture * PICTURE_US + w->live->latency;
    int top = -1;

    for (uint8_t s = 0; s < SPATIAL && top == s - 1; s++) {
        const struct svc_unit u = unit_at(picture, s);
        const struct unit *at = &w->unit[picture][s];

        if (at->read == 0 || at->read > due || !svc_tracker_decodable(t, &u))
            continue;
        svc_tracker_decoded(t, &u);
        top = s;
    }
    return top;
}

static void judge(const struct show *w, struct lived *out)
{
    struct svc_tracker t = { .slot = { { .valid = false } } };
    uint64_t bytes = 0, full = 0, count = 0;

    for (uint64_t i = 0; i < w->pictures && i * PICTURE_US < w->live->span; i++) {
        const int top = shown(w, &t, i);

        if (i * PICTURE_US < w->live->warm_up)
            continue;
        count++;
        full += top == TOP;
        out->base_lost += top < 0;
        for (int s = 0; s <= top; s++)
            bytes += size_of(i, (unsigned)s);
    }
    out->shown_bps = (double)bytes * 8e6 / (double)(w->live->span - w->live->warm_up);
    out->full_share = count ? (double)full / (double)count : 0;
}

struct lived live_run(const struct net_config *cfg, const struct live *live)
{
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = next_of, .done = is_done
    };
    struct show *w = calloc(1, sizeof *w);
    struct net *n = w ? net_new(cfg, &app, w) : NULL;
    struct lived out = { .whole = false };

    if (n) {
        w->live = live;
        out.whole = net_run(n, NET_START + live->span + 60000000);
        judge(w, &out);
    }
    net_free(n);
    free(w);
    return out;
}

/* ---- the figures ---- */

struct row {
    const char *key, *what;
    double sum;       /* of the links over the clip */
    tvl_time latency; /* us */
    double least_share, least_full;
};

bool live_show(const struct plan *plan, FILE *json)
{
    static const struct row rows[] = {
        { "live_overload", "live video, links 0.9 of it", 0.9, 1000000, 0.9, 0 },
        { "live_fits", "live video, links 1.5 of it", 1.5, 400000, 0, 0.98 },
    };
    bool good = true;

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const struct row *r = &rows[k];
        const double sum = r->sum * (double)live_bps();
        double share[PLAN_SEEDS_MAX], full[PLAN_SEEDS_MAX];
        unsigned i = 0, lost = 0;

        for (; i < plan->seeds && i < PLAN_SEEDS_MAX; i++) {
            const struct net_config cfg = {
                .cc = plan->cc,
                .sched = plan->sched,
                .links = 2,
                .link = { { .rate_bps = (uint64_t)(0.62 * sum),
                            .delay_ns = (13 + i % 5) * MS,
                            .queue_ns = 100 * MS,
                            .overhead_bytes = VLINK_OVERHEAD_BYTES },
                          { .rate_bps = (uint64_t)(0.38 * sum),
                            .delay_ns = (43 + i % 5) * MS,
                            .queue_ns = 100 * MS,
                            .overhead_bytes = VLINK_OVERHEAD_BYTES } },
                .seed = i + 1,
                .pki = plan->pki,
            };
            const struct live live = { .latency = r->latency,
                                       .warm_up = 2000000,
                                       .span = 15000000 };
            const struct lived l = live_run(&cfg, &live);

            share[i] = l.shown_bps / sum;
            full[i] = l.full_share;
            lost += l.base_lost + !l.whole;
            if (plan->verbose)
                printf("  seed %u: share %.3f, full %.3f, lost %u\n", i + 1, share[i], full[i],
                       l.base_lost);
        }
        const struct spread s = spread_of(share, i), f = spread_of(full, i);

        printf("%-42s share of the sum %.3f (%.3f..%.3f), full %.3f (%.3f..%.3f), %u lost\n",
               r->what, s.median, s.min, s.max, f.median, f.min, f.max, lost);
        fprintf(json, "%s\"%s_share\": %.4f, \"%s_full\": %.4f", k ? ", " : "", r->key, s.median,
                r->key, f.median);
        good = good && lost == 0 && s.median >= r->least_share && f.median >= r->least_full;
    }
    return good;
}
