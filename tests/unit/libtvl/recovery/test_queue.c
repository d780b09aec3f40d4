/*
 * test_queue.c - controllers over a link with a queue, on virtual time and without a transport:
 * what they make of jitter, pauses, slow long ways and of an application that sends less.
 *
 * An acknowledgement comes for every second datagram; a datagram that finds the queue full is told
 * lost with the next that is acknowledged. Order is kept whatever the jitter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include <tvl/cc.h>

#define MTU 1452u
#define FLIGHT (1u << 14) /* packets under way, a power of two */
#define T0 1000000u       /* us */
#define SECOND 1000000u

struct packet {
    tvl_time sent_at, acked_at;
    uint64_t delivered, lost_before, in_flight;
    bool lost, app_limited;
};

struct link {
    double rate_bps;
    tvl_time rtt, buffer, jitter;    /* us; a round trip takes from rtt to rtt + jitter */
    tvl_time pause_every, pause_for; /* us; 0: never */
    double offered_bps;              /* what the application has; 0: no end */
    double growth;                   /* that a coupling leaves it; 0: all */
};

struct lab {
    const struct tvl_cc_ops *ops;
    _Alignas(8) unsigned char state[TVL_CC_STATE_MAX];
    const struct link *link;
    struct packet ring[FLIGHT];
    uint64_t head, tail, x;
    tvl_time now, free_at, last_ack, next_send, srtt, rtt_min;
    uint64_t delivered, sent, lost, waited; /* bytes, packets, packets, us */
    double has;                             /* bytes the application has ready */
    tvl_time had_at;
};

static struct lab lab;

static double draw(struct lab *l)
{
    l->x ^= l->x << 13;
    l->x ^= l->x >> 7;
    l->x ^= l->x << 17;
    return (double)(l->x >> 11) / 9007199254740992.0;
}

/* When the link is through with a packet that it begins at `at`. */
static tvl_time carried(const struct link *k, tvl_time at)
{
    if (k->pause_every && at % k->pause_every < k->pause_for)
        at += k->pause_for - at % k->pause_every;
    return at + (tvl_time)(MTU * 8e6 / k->rate_bps);
}

static void send_one(struct lab *l, bool app_limited)
{
    const uint64_t in_flight = (l->tail - l->head + 1) * MTU;
    struct packet *p = &l->ring[l->tail++ & (FLIGHT - 1)];
    const tvl_time begins = l->now > l->free_at ? l->now : l->free_at;

    *p = (struct packet){ .sent_at = l->now,
                          .delivered = l->delivered,
                          .lost_before = l->lost * MTU,
                          .in_flight = in_flight,
                          .app_limited = app_limited };
    p->lost = begins - l->now > l->link->buffer;
    if (!p->lost) {
        l->free_at = carried(l->link, begins);
        l->waited += l->free_at - l->now;
    }
    const tvl_time back = l->free_at + l->link->rtt + (tvl_time)(draw(l) * (double)l->link->jitter);

    p->acked_at = l->last_ack = back > l->last_ack ? back : l->last_ack;
    l->sent++;
    if (l->ops->on_sent) {
        const struct tvl_cc_sent s = {
            .now = l->now, .bytes = MTU, .in_flight = in_flight, .app_limited = app_limited
        };
        l->ops->on_sent(l->state, &s);
    }
}

static bool may_send(struct lab *l)
{
    const struct link *k = l->link;

    if (k->offered_bps > 0) {
        l->has += k->offered_bps / 8e6 * (double)(l->now - l->had_at);
        l->had_at = l->now;
    }
    return (l->tail - l->head + 1) * MTU <= l->ops->limit(l->state).cwnd &&
           l->now >= l->next_send && l->tail - l->head < FLIGHT &&
           (k->offered_bps <= 0 || l->has >= MTU);
}

static void send_all(struct lab *l)
{
    while (may_send(l)) {
        const struct tvl_cc_limit m = l->ops->limit(l->state);
        const double bps = m.pacing_bps ? (double)m.pacing_bps
                           : l->srtt    ? 1.25 * (double)m.cwnd * 8e6 / (double)l->srtt
                                        : 1e9;
        const bool full = (l->tail - l->head + 2) * MTU > m.cwnd;

        l->has -= MTU;
        send_one(l, l->link->offered_bps > 0 && !full && l->has < MTU);
        l->next_send = l->now + (tvl_time)(MTU * 8e6 / bps);
    }
}

static void take_rtt(struct lab *l, tvl_time rtt)
{
    l->srtt = l->srtt ? (7 * l->srtt + rtt) / 8 : rtt;
    if (l->rtt_min == 0 || rtt < l->rtt_min)
        l->rtt_min = rtt;
}

/* The newest packet of an acknowledgement is `p`; `bytes` and `lost` came with it. */
static void acknowledge(struct lab *l, const struct packet *p, uint64_t bytes, uint64_t lost,
                        uint64_t before)
{
    take_rtt(l, l->now - p->sent_at);
    l->delivered += bytes;
    if (lost) {
        const struct tvl_cc_loss e = {
            .now = l->now, .sent_at = p->sent_at, .bytes = lost, .in_flight = before
        };
        l->ops->on_loss(l->state, &e);
    }
    const tvl_time took = l->now - p->sent_at;
    const struct tvl_cc_ack a = { .now = l->now,
                                  .rtt = l->now - p->sent_at,
                                  .srtt = l->srtt,
                                  .rtt_min = l->rtt_min,
                                  .bytes = bytes,
                                  .in_flight = before,
                                  .in_flight_after = (l->tail - l->head) * MTU,
                                  .delivered = l->delivered,
                                  .lost = l->lost * MTU,
                                  .delivery_bps = (l->delivered - p->delivered) * 8000000 / took,
                                  .sent_at = p->sent_at,
                                  .sent_delivered = p->delivered,
                                  .sent_lost = p->lost_before,
                                  .sent_in_flight = p->in_flight,
                                  .app_limited = p->app_limited,
                                  .packets = bytes / MTU,
                                  .growth = l->link->growth > 0 ? l->link->growth : 1 };

    l->ops->on_ack(l->state, &a);
}

/* Every second packet that arrives is acknowledged, with what was lost before it. */
static void receive(struct lab *l)
{
    uint64_t bytes = 0, lost = 0;
    const uint64_t before = (l->tail - l->head) * MTU;
    struct packet p = { .lost = true };

    while (l->head < l->tail && l->ring[l->head & (FLIGHT - 1)].acked_at <= l->now &&
           bytes < 2 * MTU) {
        p = l->ring[l->head++ & (FLIGHT - 1)];
        bytes += p.lost ? 0 : MTU;
        lost += p.lost ? MTU : 0;
        l->lost += p.lost;
    }
    if (bytes)
        acknowledge(l, &p, bytes, lost, before);
}

static void begin(const char *cc, const struct link *link)
{
    memset(&lab, 0, sizeof lab);
    lab.ops = tvl_cc_find(cc);
    lab.link = link;
    lab.x = 88172645463325252u;
    lab.now = lab.had_at = T0;
    lab.ops->init(lab.state, MTU, lab.now);
}

static tvl_time next_time(const struct lab *l)
{
    const tvl_time ack =
        l->head < l->tail
            ? l->ring[(l->head + 1 < l->tail ? l->head + 1 : l->head) & (FLIGHT - 1)].acked_at
            : TVL_TIME_NEVER;
    const tvl_time step = l->now + 1000, send = l->next_send > l->now ? l->next_send : step;
    const tvl_time next = send < ack ? send : ack;

    return next > l->now ? next : l->now + 1;
}

/* Until `until` us after the beginning. */
static void run(tvl_time until)
{
    while (lab.now < T0 + until) {
        lab.now = next_time(&lab);
        if (lab.head < lab.tail && lab.ring[lab.head & (FLIGHT - 1)].acked_at <= lab.now)
            receive(&lab);
        send_all(&lab);
    }
}

static double share_of(uint64_t bytes, double rate_bps, tvl_time span)
{
    return (double)bytes * 8e6 / (double)span / rate_bps;
}

/* ---- BBR ---- */

/* One of two coupled paths leaves room between its probes, and one that is not does not. */
static void bbr_yields_where_it_is_coupled(void **state)
{
    struct link k = { .rate_bps = 20e6, .rtt = 40000, .buffer = 40000 };

    (void)state;
    begin("bbr", &k);
    run(30 * SECOND);
    assert_true(share_of(lab.delivered, k.rate_bps, 30 * SECOND) > 0.9);
    k.growth = 0.25;
    begin("bbr", &k);
    run(30 * SECOND);
    const double share = share_of(lab.delivered, k.rate_bps, 30 * SECOND);

    if (share < 0.6 || share > 0.85)
        fail_msg("bbr: %.2f of the link where it is coupled", share);
}

/* ---- Copa ---- */

/* Delays by which single packets are late are no queue, however few of them half a round trip
 * holds. */
static void copa_takes_jitter_for_jitter(void **state)
{
    const struct link k = { .rate_bps = 20e6, .rtt = 30000, .jitter = 20000, .buffer = 80000 };

    (void)state;
    begin("copa", &k);
    run(30 * SECOND);
    const double share = share_of(lab.delivered, k.rate_bps, 30 * SECOND);

    if (share < 0.4)
        fail_msg("copa: %.2f of a link with jitter", share);
}

/* With nobody else there, no queue of its own keeps it in the mode against rivals. */
static void copa_has_no_rival_alone(void **state)
{
    const struct link k = { .rate_bps = 1e6,
                            .rtt = 60000,
                            .jitter = 60000,
                            .buffer = 3 * SECOND,
                            .pause_every = 200000,
                            .pause_for = 80000 };

    (void)state;
    begin("copa", &k);
    run(30 * SECOND);
    const uint64_t sent = lab.sent, waited = lab.waited;

    run(120 * SECOND);
    const double queue = (double)(lab.waited - waited) / (double)(lab.sent - sent);

    if (queue > 500000)
        fail_msg("copa: %.0f ms in its own queue", queue / 1e3);
}

/* ---- SCReAM ---- */

/* A link that carries nothing for 60 ms four times a second is none that is always full. */
static void scream_bears_pauses(void **state)
{
    const struct link k = {
        .rate_bps = 10e6, .rtt = 50000, .buffer = 300000, .pause_every = 250000, .pause_for = 60000
    };

    (void)state;
    begin("scream", &k);
    run(30 * SECOND);
    const double share = share_of(lab.delivered, k.rate_bps * 0.76, 30 * SECOND);

    if (share < 0.8)
        fail_msg("scream: %.2f of a link with pauses", share);
    assert_true((double)lab.waited / (double)lab.sent < 50000); /* us */
}

/* ---- Hybla ---- */

static void hybla_fills_gently(void **state)
{
    const struct link k = { .rate_bps = 5e6, .rtt = 200000, .buffer = 200000 };

    (void)state;
    begin("hybla", &k);
    run(30 * SECOND);
    const double loss = (double)lab.lost / (double)lab.sent;

    if (loss > 0.05)
        fail_msg("hybla: %.3f lost", loss);
    assert_true(share_of(lab.delivered, k.rate_bps, 30 * SECOND) > 0.9);
}

/* ---- Veno ---- */

/* The loss that ends slow start is of its own making, also when the round trip in which it happens
 * began without a queue. */
static void veno_knows_its_own_loss(void **state)
{
    const struct tvl_cc_ops *veno = tvl_cc_find("veno");
    const struct tvl_cc_loss loss = { .now = T0 + 500000, .sent_at = T0 + 400000, .bytes = MTU };
    struct tvl_cc_learnt learnt = {
        .now = T0, .cwnd = 100 * MTU, .ssthresh = 50 * MTU, .srtt = 100000, .rtt_min = 100000
    };

    (void)state;
    veno->init(lab.state, MTU, T0);
    veno->load(lab.state, &learnt);
    for (unsigned i = 0; i < 20; i++) { /* a round trip whose delay rises by a fifth */
        const struct tvl_cc_ack a = { .now = T0 + 100000 + i * 1000,
                                      .rtt = 100000 + i * 1000,
                                      .srtt = 100000,
                                      .rtt_min = 100000,
                                      .bytes = MTU,
                                      .sent_at = i ? T0 : T0 + 1,
                                      .growth = 1 };
        veno->on_ack(lab.state, &a);
    }
    const uint64_t before = veno->limit(lab.state).cwnd;

    veno->on_loss(lab.state, &loss);
    assert_true(veno->limit(lab.state).cwnd <= before * 51 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bbr_yields_where_it_is_coupled),
        cmocka_unit_test(copa_takes_jitter_for_jitter),
        cmocka_unit_test(copa_has_no_rival_alone),
        cmocka_unit_test(scream_bears_pauses),
        cmocka_unit_test(hybla_fills_gently),
        cmocka_unit_test(veno_knows_its_own_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
