/* response.c - see response.h. No network: an ack comes a round trip after its packet. */
#include "response.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/cc.h>

#include "predict.h"

#define DATAGRAM 1452u
#define FLIGHT (1u << 17) /* packets under way, a power of two */
#define SKIP_MAX 200u     /* losses left out */
#define PACKETS_MAX 60000000u
#define QUEUE_SHARE 10 /* Westwood+ measures a queue; a tenth of the round trip is somebody's */

struct packet {
    tvl_time sent_at;
    uint64_t delivered;
    bool lost, marked;
};

struct lab {
    const struct tvl_cc_ops *ops;
    _Alignas(8) unsigned char state[TVL_CC_STATE_MAX];
    const struct response_job *job;
    struct packet *ring;
    uint64_t head, tail, delivered, lost_bytes;
    tvl_time now, rtt_min;
    uint64_t x, events;
    double enough; /* datagrams: slow start is ended there by a loss; 0: it has been */
};

static double draw(struct lab *l)
{
    l->x ^= l->x << 13;
    l->x ^= l->x >> 7;
    l->x ^= l->x << 17;
    return (double)(l->x >> 11) / 9007199254740992.0;
}

static void fill(struct lab *l)
{
    const uint64_t cwnd = l->ops->limit(l->state).cwnd / DATAGRAM;

    while (l->tail - l->head < cwnd && l->tail - l->head < FLIGHT) {
        struct packet *p = &l->ring[l->tail++ & (FLIGHT - 1)];
        const bool end = l->enough > 0 && (double)(l->tail - l->head) > l->enough;
        const bool hit = draw(l) < l->job->p || end;

        if (hit)
            l->enough = 0;
        *p = (struct packet){ l->now, l->delivered, hit && !l->job->marks, hit && l->job->marks };
        if (l->ops->on_sent) {
            const struct tvl_cc_sent s = { .now = l->now,
                                           .bytes = DATAGRAM,
                                           .in_flight = (l->tail - l->head) * DATAGRAM };
            l->ops->on_sent(l->state, &s);
        }
    }
}

static void lose(struct lab *l, const struct packet *p, uint64_t flight)
{
    const struct tvl_cc_loss loss = {
        .now = l->now, .sent_at = p->sent_at, .bytes = DATAGRAM, .in_flight = flight
    };

    l->lost_bytes += DATAGRAM;
    l->ops->on_loss(l->state, &loss);
}

static void ack(struct lab *l, const struct packet *p, uint64_t flight)
{
    const struct tvl_cc_ack a = { .now = l->now,
                                  .rtt = l->job->rtt,
                                  .srtt = l->job->rtt,
                                  .rtt_min = l->rtt_min,
                                  .bytes = DATAGRAM,
                                  .in_flight = flight,
                                  .in_flight_after = flight - DATAGRAM,
                                  .delivered = l->delivered + DATAGRAM,
                                  .lost = l->lost_bytes,
                                  .sent_at = p->sent_at,
                                  .sent_delivered = p->delivered,
                                  .sent_in_flight = flight,
                                  .packets = 1,
                                  .marked = p->marked,
                                  .growth = 1 };

    l->delivered += DATAGRAM;
    l->ops->on_ack(l->state, &a);
}

/* The oldest packet's fate becomes known. */
static void step(struct lab *l)
{
    const struct packet p = l->ring[l->head & (FLIGHT - 1)];
    const uint64_t flight = (l->tail - l->head) * DATAGRAM;

    l->now = p.sent_at + l->job->rtt;
    l->head++;
    l->events += p.lost || p.marked;
    if (p.lost)
        lose(l, &p, flight);
    else
        ack(l, &p, flight);
    fill(l);
}

struct response response_run(const struct response_job *job)
{
    /* From nothing to 2 / p datagrams, one a round trip, takes some 8 / p marks. */
    const unsigned skip = job->marks ? (unsigned)(8 / job->p) : SKIP_MAX;
    struct lab l = { .ops = tvl_cc_find(job->cc),
                     .job = job,
                     .ring = calloc(FLIGHT, sizeof *l.ring),
                     .now = 1000000,
                     .rtt_min = job->rtt,
                     .x = job->seed * 0x9e3779b97f4a7c15u | 1 };
    struct response r = { .window = 0 };
    uint64_t from = 0;
    tvl_time began = 0;

    if (!l.ops || !l.ring)
        abort();
    if (strcmp(job->cc, "westwood") == 0)
        l.rtt_min -= l.rtt_min / QUEUE_SHARE;
    const struct tvl_response_path path = { job->p, job->rtt, l.rtt_min };

    r.formula = tvl_response_window(job->marks ? "prague-marks" : job->cc, &path);
    l.enough = 2 * r.formula;
    l.ops->init(l.state, DATAGRAM, l.now);
    fill(&l);
    for (uint64_t n = 0; l.events < skip + job->events && n < PACKETS_MAX; n++) {
        step(&l);
        if (began == 0 && l.events >= skip) {
            began = l.now;
            from = l.delivered;
        }
    }
    if (began && l.now > began)
        r.window =
            (double)(l.delivered - from) / DATAGRAM * (double)job->rtt / (double)(l.now - began);
    r.ratio = r.window / r.formula;
    free(l.ring);
    return r;
}

static void note(struct response_spread *s, const char *cc, double ratio)
{
    if (ratio < s->min) {
        s->min = ratio;
        s->min_cc = cc;
    }
    if (ratio > s->max) {
        s->max = ratio;
        s->max_cc = cc;
    }
}

bool response_grid(bool thin,
                   void (*each)(const struct response_job *job, const struct response *r),
                   struct response_spread *out)
{
    static const tvl_time rtts[] = { 20000, 50000, 100000, 300000, 600000 };
    static const double ps[] = { 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2 };
    const double least_marked = thin ? 3e-3 : 1e-3; /* 1e-5 would take 10^11 packets */
    const struct tvl_response_path any = { 0.001, 50000, 50000 };

    *out = (struct response_spread){ .min = INFINITY };
    for (unsigned c = 0; tvl_cc_all[c]; c++) {
        if (isinf(tvl_response_window(tvl_cc_all[c]->name, &any)))
            continue;
        for (unsigned i = thin ? 1 : 0; i < sizeof ps / sizeof ps[0]; i += thin ? 2 : 1)
            for (unsigned k = 0; k < sizeof rtts / sizeof rtts[0]; k += thin ? 2 : 1)
                for (unsigned marks = 0; marks <= (tvl_cc_all[c]->l4s && ps[i] >= least_marked);
                     marks++) {
                    const struct response_job job = { .cc = tvl_cc_all[c]->name,
                                                      .p = ps[i],
                                                      .rtt = rtts[k],
                                                      .marks = marks,
                                                      .events = ps[i] > 3e-3           ? 3000
                                                                : thin && ps[i] < 3e-4 ? 300
                                                                                       : 1500,
                                                      .seed = 1 + i * 16 + k };
                    const struct response r = response_run(&job);

                    note(out, job.cc, r.ratio);
                    if (each)
                        each(&job, &r);
                }
    }
    return out->min_cc != NULL;
}
