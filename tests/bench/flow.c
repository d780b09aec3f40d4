/* flow.c - see flow.h. */
#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD \
    65521u /* bytes after which the content repeats: a prime, so no packet size divides it */
#define WINDOW (64u << 20)
#define BIN_NS 100000u /* of the histogram of queueing delays */
#define BINS 100000u   /* 10 s; longer counts as that */
#define SECOND_US 1000000u

struct flow {
    const struct flow_job *job;
    uint64_t id, written, read;
    tvl_time began, next_sample; /* 0: not yet */
    uint64_t read_skipped, read_sampled;
    tvl_time sampled_at;
    unsigned swapped;
    uint64_t swaps_later;
    bool over, damaged;
    double cwnd_sum;
    uint64_t samples;
    struct tvl_path_model model_at[FLOW_MODELS];
    unsigned models;
    /* the queue */
    uint64_t newest_ns, packets, carried;
    uint64_t delivered, in_time, within[FLOW_WAITS]; /* bytes of packets */
    double waited_sum;
    uint32_t *bin;
};

static const uint8_t *content(uint64_t at)
{
    static uint8_t bytes[2 * PERIOD];

    if (bytes[1] == 0)
        for (uint32_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(((i % PERIOD) * 2654435761u) >> 13 | 1);
    return bytes + at % PERIOD;
}

static void write_more(struct flow *f, struct tvl_conn *conn)
{
    int64_t r;

    do {
        r = tvl_stream_write(conn, f->id, content(f->written), PERIOD, false);
        f->written += r > 0 ? (uint64_t)r : 0;
    } while (r == PERIOD);
}

static void read_all(struct flow *f, struct net *n, uint64_t id)
{
    static uint8_t bytes[PERIOD];
    bool fin = false;
    int64_t r;

    while ((r = tvl_stream_read(net_conn(n, NET_CLIENT), id, bytes, sizeof bytes, &fin)) > 0) {
        f->damaged = f->damaged || memcmp(bytes, content(f->read), (size_t)r) != 0;
        f->read += (uint64_t)r;
    }
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct flow *f = user;

    if (side == NET_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE)
        read_all(f, n, ev->stream.id);
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED &&
        tvl_stream_open(ev->conn, TVL_UNI, &f->id) == 0) {
        f->began = f->sampled_at = net_now(n);
        write_more(f, ev->conn);
    }
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONTROLLER && f->began)
        f->swaps_later += net_now(n) > f->began + FLOW_SETTLED;
    if (side == NET_SERVER && ev->type == TVL_EVENT_STREAM_WRITABLE)
        write_more(f, ev->conn);
}

static bool measuring(const struct flow *f, tvl_time now)
{
    return f->began && now >= f->began + f->job->skip;
}

static void on_passed(void *user, enum net_side to, unsigned link, const struct vlink_out *o)
{
    struct flow *f = user;
    const uint64_t bin = o->waited_ns / BIN_NS;

    (void)link;
    if (to != NET_CLIENT || o->fate == VLINK_DROP_DOWN)
        return;
    f->newest_ns = o->waited_ns;
    f->carried += o->bytes;
    if (!measuring(f, o->at / 1000))
        return;
    f->packets++;
    f->waited_sum += (double)o->waited_ns;
    f->bin[bin < BINS ? bin : BINS - 1]++;
    if (o->fate != VLINK_PASS)
        return;
    f->delivered += o->bytes;
    if (o->waited_ns + f->job->link->delay_ns <= f->job->deadline * 1000)
        f->in_time += o->bytes;
    for (unsigned i = 0; i < FLOW_WAITS; i++)
        if (o->waited_ns <= (uint64_t)FLOW_WAIT_LEAST * 1000 << i)
            f->within[i] += o->bytes;
}

static void take_sample(struct flow *f, struct net *n)
{
    const tvl_time now = net_now(n);
    struct tvl_path_stats s;

    if (!net_conn(n, NET_SERVER) || tvl_paths(net_conn(n, NET_SERVER), &s, 1) != 1)
        return;
    if (measuring(f, now)) {
        f->cwnd_sum += (double)s.cwnd;
        f->samples++;
    }
    if (f->job->sample && now > f->sampled_at) {
        const struct flow_sample sample = { .at = now - f->began,
                                            .srtt = s.srtt,
                                            .rtt_min = s.rtt_min,
                                            .queue = f->newest_ns / 1000,
                                            .cwnd = s.cwnd,
                                            .in_flight = s.in_flight,
                                            .goodput_bps = (f->read - f->read_sampled) * 8 *
                                                           SECOND_US / (now - f->sampled_at),
                                            .lost = s.packets_lost,
                                            .carried = f->carried };

        f->job->sample(f->job->user, &sample);
    }
    f->read_sampled = f->read;
    f->sampled_at = now;
}

/* When something of ours is due. */
static tvl_time due(const struct flow *f)
{
    const struct flow_job *j = f->job;
    tvl_time next;

    if (f->began == 0)
        return TVL_TIME_NEVER;
    next = f->began + j->skip + j->span;
    if (f->read_skipped == UINT64_MAX && f->began + j->skip < next)
        next = f->began + j->skip;
    if (j->every && f->next_sample < next)
        next = f->next_sample > f->began ? f->next_sample : f->began;
    if (f->swapped < j->swaps && f->began + j->swap_at[f->swapped] < next)
        next = f->began + j->swap_at[f->swapped];
    if (f->models < FLOW_MODELS && j->model_at[f->models] &&
        f->began + j->model_at[f->models] < next)
        next = f->began + j->model_at[f->models];
    return next;
}

static tvl_time next_due(void *user)
{
    return due(user);
}

static void on_tick(void *user, struct net *n)
{
    struct flow *f = user;
    const struct flow_job *j = f->job;
    const tvl_time now = net_now(n);

    if (f->read_skipped == UINT64_MAX && now >= f->began + j->skip)
        f->read_skipped = f->read;
    while (f->swapped < j->swaps && now >= f->began + j->swap_at[f->swapped]) {
        if (tvl_path_set_cc(net_conn(n, NET_SERVER), 0, j->swap_to[f->swapped], now) != 0)
            f->damaged = true;
        f->swapped++;
    }
    while (f->models < FLOW_MODELS && j->model_at[f->models] &&
           now >= f->began + j->model_at[f->models]) {
        (void)tvl_path_get_model(net_conn(n, NET_SERVER), 0, &f->model_at[f->models]);
        f->models++;
    }
    if (j->every && now >= f->next_sample) {
        take_sample(f, n);
        f->next_sample = now + j->every;
    }
    f->over = f->over || now >= f->began + j->skip + j->span;
}

static bool is_over(void *user)
{
    return ((struct flow *)user)->over;
}

/* ---- results ---- */

static double percentile_ms(const struct flow *f, double share)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BINS; i++) {
        seen += f->bin[i];
        if ((double)seen >= share * (double)f->packets)
            return (i + 0.5) * BIN_NS / 1e6;
    }
    return 0;
}

static double capacity_bps(const struct flow *f)
{
    const struct vlink_config *c = f->job->link;
    const uint64_t from = (f->began + f->job->skip - NET_START) * 1000;

    if (!c->trace)
        return (double)c->rate_bps;
    const uint64_t n =
        vlink_trace_after(c->trace, from + f->job->span * 1000) - vlink_trace_after(c->trace, from);
    return (double)n * VLINK_TRACE_BYTES * 8 / ((double)f->job->span / 1e6);
}

static void fill(struct run_result *out, const struct flow *f, struct net *n)
{
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    struct tvl_path_stats s;

    out->goodput_bps = (double)(f->read - f->read_skipped) * 8 / ((double)f->job->span / 1e6);
    out->capacity_bps = capacity_bps(f);
    out->queue_mean_ms = f->packets ? f->waited_sum / (double)f->packets / 1e6 : 0;
    out->queue_p95_ms = percentile_ms(f, 0.95);
    out->in_time = f->delivered ? (double)f->in_time / (double)f->delivered : 0;
    for (unsigned i = 0; i < FLOW_WAITS; i++)
        out->within[i] = f->delivered ? (double)f->within[i] / (double)f->delivered : 0;
    memcpy(out->model_at, f->model_at, sizeof out->model_at);
    out->cwnd_mean = f->samples ? f->cwnd_sum / (double)f->samples : 0;
    if (!conn || tvl_paths(conn, &s, 1) != 1 || s.packets_sent == 0)
        return;
    out->swaps = s.cc_chosen;
    out->swaps_later = f->swaps_later;
    out->cc = s.cc;
    out->whole = f->over && !f->damaged;
    out->loss = (double)(s.packets_lost - s.packets_spurious) / (double)s.packets_sent;
    (void)tvl_path_get_model(conn, 0, &out->model);
    out->marked = (double)s.ecn_ce_sent / (double)s.packets_sent;
}

const struct test_pki *flow_pki(void)
{
    static const struct test_pki_config how = { .kind = TEST_PKI_ED25519 };
    static struct test_pki made;
    static bool done;

    if (!done && test_pki_init(&made, &how) != 0)
        return NULL;
    done = true;
    return &made;
}

struct run_result flow_run(const struct flow_job *wanted)
{
    struct flow_job job = *wanted;
    const struct vlink_config back = { .delay_ns = job.link->delay_ns,
                                       .overhead_bytes = job.link->overhead_bytes };
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = next_due, .passed = on_passed, .done = is_over
    };
    struct net_config cfg = { .cc = job.cc,
                              .objective = job.objective,
                              .deadline = job.deadline,
                              .knowledge = job.knowledge,
                              .links = 1,
                              .link = { *job.link },
                              .back = { &back },
                              .seed = job.seed,
                              .window = WINDOW,
                              .pki = flow_pki() };
    struct run_result out = { .whole = false };
    struct flow f = { .job = &job, .read_skipped = UINT64_MAX };

    job.span = job.span ? job.span : FLOW_SPAN;
    f.bin = calloc(BINS, sizeof *f.bin);
    if (!f.bin || !cfg.pki)
        abort();
    struct net *n = net_new(&cfg, &app, &f);

    if (n && net_run(n, NET_START + 60 * SECOND_US + job.skip + job.span))
        fill(&out, &f, n);
    net_free(n);
    free(f.bin);
    return out;
}

struct run_result cc_run(const char *cc, const struct vlink_config *link, uint64_t seed)
{
    const struct flow_job job = { .cc = cc, .link = link, .seed = seed };

    return flow_run(&job);
}
