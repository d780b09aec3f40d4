/*
 * test_recovery.c - RTT, loss detection, PTO and the congestion hooks of one packet number space,
 * against RFC 9002. The controller is a plug-in that writes down what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>
#include "recovery.h"

#define MTU 1200u
#define MS 1000u
#define T0 1000000u /* us */

/* ---- a controller with a fixed window that keeps notes ---- */

struct notes {
    uint64_t cwnd;
    unsigned acks, losses, sents;
    struct tvl_cc_ack ack;
    struct tvl_cc_loss loss;
};
_Static_assert(sizeof(struct notes) <= TVL_CC_STATE_MAX, "the notes must fit");

static void notes_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    (void)now;
    ((struct notes *)cc)->cwnd = 100u * datagram_bytes;
}

static void notes_on_sent(void *cc, const struct tvl_cc_sent *sent)
{
    (void)sent;
    ((struct notes *)cc)->sents++;
}

static void notes_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    ((struct notes *)cc)->acks++;
    ((struct notes *)cc)->ack = *ack;
}

static void notes_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    ((struct notes *)cc)->losses++;
    ((struct notes *)cc)->loss = *loss;
}

static struct tvl_cc_limit notes_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct notes *)cc)->cwnd };
}

static const struct tvl_cc_ops notes_ops = { .name = "notes",
                                             .init = notes_init,
                                             .on_sent = notes_on_sent,
                                             .on_ack = notes_on_ack,
                                             .on_loss = notes_on_loss,
                                             .limit = notes_limit };

/* ---- a space and what it reported ---- */

#define PNS_MAX 40000

struct fixture {
    struct tvl_path_cc cc;
    struct tvl_recovery r;
    unsigned acked, lost, late;
    uint8_t n_acked[PNS_MAX], n_lost[PNS_MAX];
    tvl_time now;
};

/* Few or many, the records that were given come back. */
static void assert_own_frames(const struct tvl_sent_packet *p)
{
    assert_int_equal(p->n_frames, 1 + p->pn % TVL_PACKET_FRAMES_MAX);
    for (unsigned i = 0; i < p->n_frames; i++)
        assert_int_equal(p->frame[i].offset, p->pn * 7 + i);
}

static void on_acked(void *user, const struct tvl_sent_packet *p)
{
    struct fixture *f = user;

    f->acked++;
    f->late += p->lost;
    f->n_acked[p->pn]++;
    assert_own_frames(p);
}

static void on_lost(void *user, const struct tvl_sent_packet *p)
{
    struct fixture *f = user;

    f->lost++;
    f->n_lost[p->pn]++;
    assert_own_frames(p);
}

static const struct tvl_recovery_handler handler = { .acked = on_acked, .lost = on_lost };

static struct fixture fix; /* large */

static struct fixture *begin(void)
{
    struct fixture *f = &fix;

    tvl_recovery_fini(&f->r);
    memset(f, 0, sizeof *f);
    f->now = T0;
    tvl_path_cc_init(&f->cc, &notes_ops, MTU, f->now);
    tvl_recovery_init(&f->r, &f->cc, &handler, f, f->now);
    f->r.max_ack_delay = 25 * MS;
    return f;
}

static struct notes *notes(struct fixture *f)
{
    return (struct notes *)(void *)f->cc.state;
}

static uint64_t send_packet(struct fixture *f, struct tvl_sent_packet p)
{
    struct tvl_sent_frame frame[TVL_PACKET_FRAMES_MAX];

    p.pn = tvl_recovery_next_pn(&f->r);
    p.n_frames = (uint8_t)(1 + p.pn % TVL_PACKET_FRAMES_MAX);
    for (unsigned i = 0; i < p.n_frames; i++)
        frame[i] = (struct tvl_sent_frame){ .offset = p.pn * 7 + i };
    p.frame = frame;
    assert_int_equal(tvl_recovery_sent(&f->r, &p, f->now), 0);
    return p.pn;
}

static uint64_t send_data(struct fixture *f)
{
    return send_packet(
        f, (struct tvl_sent_packet){ .bytes = MTU, .ack_eliciting = true, .in_flight = true });
}

static uint64_t send_ack_only(struct fixture *f)
{
    return send_packet(f, (struct tvl_sent_packet){ .bytes = 50 });
}

/* ACK of [first, last], and what on_ack said. */
static int ack_range(struct fixture *f, uint64_t first, uint64_t last,
                     struct tvl_recovery_result *out)
{
    const struct tvl_pn_range range = { first, last };
    const struct tvl_recovery_ack ack = { .range = &range, .n_ranges = 1 };

    return tvl_recovery_on_ack(&f->r, &ack, f->now, out);
}

static void must_ack(struct fixture *f, uint64_t first, uint64_t last)
{
    assert_int_equal(ack_range(f, first, last, NULL), 0);
}

/* One packet there and back: an RTT of 40 ms, variance 20 ms. */
static void know_rtt(struct fixture *f)
{
    const uint64_t pn = send_data(f);

    f->now += 40 * MS;
    must_ack(f, pn, pn);
}

/* ---- RTT ---- */

struct rtt_row {
    tvl_time sample, ack_delay;  /* us */
    tvl_time smoothed, var, min; /* us, after it */
};

/* computed by hand from RFC 9002 5.3 */
static const struct rtt_row rtt_rows[] = {
    { 40000, 5000, 40000, 20000, 40000 }, /* the first ignores the delay */
    { 80000, 20000, 42500, 20000, 40000 },
    { 45000, 20000, 42812, 15625, 40000 }, /* the delay would undercut the minimum: not used */
    { 30000, 0, 41210, 14921, 30000 },
    { 0, 0, 36058, 21493, 1 }, /* zero means "none": the least sample is 1 us */
};

static void rtt_follows_the_rfc(void **state)
{
    struct tvl_rtt r = { 0 };

    (void)state;
    assert_false(tvl_rtt_known(&r));
    assert_int_equal(tvl_rtt_srtt(&r), TVL_RTT_INITIAL);
    assert_int_equal(tvl_rtt_pto_base(&r), 333000 + 4 * 166500);
    for (size_t i = 0; i < sizeof rtt_rows / sizeof rtt_rows[0]; i++) {
        const struct rtt_row *row = &rtt_rows[i];

        tvl_rtt_update(&r, row->sample, row->ack_delay, T0 + i);
        assert_in_range(r.smoothed, row->smoothed - 1, row->smoothed + 1);
        assert_in_range(r.var, row->var - 1, row->var + 1);
        assert_int_equal(r.min, row->min);
        assert_int_equal(r.first_sample_at, T0);
    }
}

static void ack_delay_is_limited_to_the_peers_promise(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    const uint64_t pn = send_data(f);
    const struct tvl_pn_range range = { pn, pn };
    const struct tvl_recovery_ack ack = { .range = &range, .n_ranges = 1, .ack_delay = 900 * MS };

    f->now += 80 * MS;
    assert_int_equal(tvl_recovery_on_ack(&f->r, &ack, f->now, NULL), 0);
    assert_int_equal(f->cc.rtt.latest, 80 * MS);
    assert_int_equal(f->cc.rtt.smoothed, (7 * 40 * MS + 55 * MS) / 8); /* 80 - 25 */
}

static void waiting_here_is_not_the_path(void **state)
{
    static const struct {
        tvl_time waited, sample; /* of 80 ms */
    } rows[] = { { 0, 80 * MS }, { 30 * MS, 50 * MS }, { 80 * MS, 80 * MS } /* cannot be */ };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin();
        const uint64_t pn = send_data(f);
        const struct tvl_pn_range range = { pn, pn };
        const struct tvl_recovery_ack ack = { .range = &range,
                                              .n_ranges = 1,
                                              .waited = rows[i].waited };

        f->now += 80 * MS;
        assert_int_equal(tvl_recovery_on_ack(&f->r, &ack, f->now, NULL), 0);
        assert_int_equal(f->cc.rtt.latest, rows[i].sample);
    }
}

static void no_sample_unless_the_largest_is_new(void **state)
{
    struct fixture *f = begin();

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        send_data(f);
    f->now += 40 * MS;
    must_ack(f, 2, 2);
    f->now += 500 * MS;
    must_ack(f, 1, 2); /* the largest is old news */
    assert_int_equal(f->cc.rtt.latest, 40 * MS);
    assert_int_equal(notes(f)->ack.rtt, 0);
    send_ack_only(f);
    f->now += 70 * MS;
    must_ack(f, 3, 3); /* nobody had to answer that at once */
    assert_int_equal(f->cc.rtt.latest, 40 * MS);
}

/* ---- losses ---- */

static void packet_threshold(void **state)
{
    struct fixture *f = begin();
    struct tvl_recovery_result res;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        send_data(f);
    f->now += 40 * MS;
    assert_int_equal(ack_range(f, 3, 3, &res), 0);
    assert_int_equal(f->lost, 1); /* 0 is three below; 1 and 2 are not */
    assert_int_equal(f->n_lost[0], 1);
    assert_true(res.any);
    assert_int_equal(res.acked, 1);
    assert_int_equal(res.lost, 1);
    assert_int_equal(res.newest_sent_at, T0);
    assert_int_equal(f->cc.in_flight, 3 * MTU);
    must_ack(f, 4, 4);
    assert_int_equal(f->lost, 2);
    assert_int_equal(f->n_lost[1], 1);
    assert_int_equal(notes(f)->losses, 2);
    assert_int_equal(f->r.packets_lost, 2);
    assert_int_equal(f->r.bytes_lost, 2 * MTU);
}

static void time_threshold(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f); /* pn 0 */
    send_data(f);
    f->now += 1 * MS;
    send_data(f);
    f->now += 40 * MS;
    must_ack(f, 2, 2);
    assert_int_equal(f->lost, 0);
    /* 9/8 of max(latest, smoothed) after it was sent */
    const tvl_time at = tvl_recovery_next_time(&f->r);

    assert_int_equal(at, T0 + 40 * MS + 45 * MS);
    f->now = at - 1;
    assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now), 0);
    assert_int_equal(f->lost, 0);
    f->now = at;
    assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now), 0); /* no probe for it */
    assert_int_equal(f->n_lost[1], 1);
    assert_int_equal(notes(f)->losses, 1);
    assert_int_equal(notes(f)->loss.bytes, MTU);
    assert_int_equal(f->cc.in_flight, 0);
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
}

static void late_acknowledgement_is_recognised(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    for (unsigned i = 0; i < 4; i++)
        send_data(f);
    f->now += 40 * MS;
    must_ack(f, 4, 4);
    assert_int_equal(f->n_lost[1], 1);
    f->now += 20 * MS;
    must_ack(f, 1, 4);
    assert_int_equal(f->n_acked[1], 1);
    assert_int_equal(f->late, 1);
    assert_int_equal(f->r.spurious, 1);
    assert_int_equal(notes(f)->ack.bytes, 2 * MTU); /* 2 and 3: 1 had left the flight before */
    assert_int_equal(f->cc.in_flight, 0);
    must_ack(f, 1, 4); /* and again: nothing */
    assert_int_equal(f->n_acked[1], 1);
    assert_int_equal(f->r.spurious, 1);
}

static void tombstones_do_not_stay_for_ever(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    for (unsigned i = 0; i < 4; i++)
        send_data(f);
    f->now += 40 * MS;
    must_ack(f, 2, 4);
    must_ack(f, 4, 4);
    assert_int_equal(f->n_lost[1], 1);
    f->now += 60000 * MS;
    know_rtt(f);
    must_ack(f, 1, 1); /* a minute late: no news, no violation */
    assert_int_equal(f->n_acked[1], 0);
}

static void unsent_numbers_are_a_violation(void **state)
{
    struct fixture *f = begin();

    (void)state;
    assert_int_equal(ack_range(f, 0, 0, NULL), TVL_ERR_PEER); /* before anything was sent */
    for (unsigned i = 0; i < 3; i++)
        send_data(f);
    assert_int_equal(ack_range(f, 0, 3, NULL), TVL_ERR_PEER);
    assert_int_equal(ack_range(f, 0, UINT64_MAX - 1, NULL), TVL_ERR_PEER);
    assert_int_equal(f->acked, 0);
    assert_int_equal(f->cc.in_flight, 3 * MTU);
    assert_int_equal(tvl_recovery_skip_pn(&f->r, f->now), 0);
    send_data(f);
    assert_int_equal(ack_range(f, 2, 4, NULL), TVL_ERR_PEER); /* 3 was never sent */
    assert_int_equal(f->acked, 0);
    must_ack(f, 4, 4);
    must_ack(f, 0, 2);
    assert_int_equal(f->acked, 4);
}

static void a_number_left_out_is_forgotten_in_time(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    const uint64_t first = tvl_recovery_next_pn(&f->r);
    send_data(f);
    assert_int_equal(tvl_recovery_skip_pn(&f->r, f->now), 0);
    send_data(f);
    must_ack(f, first + 2, first + 2);
    assert_int_equal(ack_range(f, first, first + 2, NULL), TVL_ERR_PEER);
    must_ack(f, first, first);
    f->now += 1000 * MS; /* more than three PTOs */
    tvl_recovery_quiet(&f->r, f->now);
    assert_int_equal(f->r.cap, 0); /* it keeps no memory */
}

/* ---- PTO ---- */

static void pto_backs_off_and_returns(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f); /* srtt 40, var 20: 40 + 80 + 25 */
    tvl_time sent = f->now, pto = 145 * MS;

    send_data(f);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tvl_recovery_next_time(&f->r), sent + pto);
        f->now = sent + pto;
        assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now - 1), 0);
        assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now), TVL_PTO_PROBES);
        assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now), 0); /* once */
        send_data(f);
        sent = f->now;
        pto *= 2;
    }
    assert_int_equal(f->lost, 0); /* a PTO is no loss */
    assert_int_equal(notes(f)->losses, 0);
    f->now += 40 * MS;
    must_ack(f, 5, 5);
    assert_int_equal(f->cc.pto_count, 0);
    assert_int_equal(f->n_lost[1], 1); /* now it is known */
}

static void pto_that_cannot_send_does_not_spin(void **state)
{
    struct fixture *f = begin();
    unsigned fired = 0;

    (void)state;
    know_rtt(f);
    send_data(f);
    while (f->now < T0 + 600000 * MS && fired < 1000) { /* ten minutes, nothing may leave */
        f->now = tvl_recovery_next_time(&f->r);
        fired += tvl_recovery_on_timeout(&f->r, f->now) > 0;
        assert_true(tvl_recovery_pto(&f->r) <= TVL_PTO_MAX);
    }
    assert_in_range(fired, 5, 30);
}

static void pto_of_an_idle_space(void **state)
{
    struct fixture *f = begin();

    (void)state;
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
    f->r.pto_when_idle = true; /* client, address not validated: RFC 9002 6.2.2.1 */
    assert_true(tvl_recovery_next_time(&f->r) != TVL_TIME_NEVER);
    f->now = tvl_recovery_next_time(&f->r);
    assert_int_equal(tvl_recovery_on_timeout(&f->r, f->now), 1);
    f->r.pto_when_idle = false;
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
    send_data(f);
    f->r.pto_off = true;
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
}

static void client_backs_off_until_validated(void **state)
{
    struct fixture *f = begin();

    (void)state;
    f->r.pto_when_idle = true;
    send_data(f);
    f->now = tvl_recovery_next_time(&f->r);
    (void)tvl_recovery_on_timeout(&f->r, f->now);
    send_data(f);
    must_ack(f, 1, 1);
    assert_int_equal(f->cc.pto_count, 1);
}

static void spaces_of_a_path_share_backoff_and_flight(void **state)
{
    struct fixture *f = begin();
    struct tvl_recovery other;
    const struct tvl_sent_packet p = { .bytes = 1000, .ack_eliciting = true, .in_flight = true };

    (void)state;
    tvl_recovery_init(&other, &f->cc, &handler, f, f->now);
    send_data(f);
    assert_int_equal(tvl_recovery_sent(&other, &p, f->now), 0);
    assert_int_equal(f->cc.in_flight, MTU + 1000);
    f->now = T0 + 5000 * MS;
    assert_true(tvl_recovery_on_timeout(&f->r, f->now) > 0);
    assert_true(tvl_recovery_on_timeout(&other, f->now) > 0);
    assert_int_equal(f->cc.pto_count, 1);
    tvl_recovery_discard(&other);
    assert_int_equal(f->cc.in_flight, MTU);
    assert_true(tvl_recovery_next_time(&other) == TVL_TIME_NEVER);
    assert_int_equal(f->lost + f->acked, 0);
    tvl_recovery_fini(&other);
}

/* ---- the controller's side ---- */

static void controller_is_told_once_per_event(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    for (unsigned i = 0; i < 10; i++) {
        send_data(f);
        f->now += 1 * MS;
    }
    f->now += 30 * MS;
    const unsigned acks = notes(f)->acks;
    const tvl_time last_lost = T0 + 40 * MS + 6 * MS, last_acked = T0 + 40 * MS + 9 * MS;

    must_ack(f, 10, 10); /* 1..7 are lost in one event */
    assert_int_equal(notes(f)->losses, 1);
    assert_int_equal(notes(f)->loss.bytes, 7 * MTU);
    assert_int_equal(notes(f)->loss.in_flight, 10 * MTU);
    assert_int_equal(notes(f)->loss.sent_at, last_lost);
    assert_false(notes(f)->loss.persistent);
    assert_int_equal(notes(f)->acks, acks + 1);
    assert_int_equal(notes(f)->ack.bytes, MTU);
    assert_int_equal(notes(f)->ack.in_flight, 10 * MTU);
    assert_int_equal(notes(f)->ack.sent_at, last_acked);
    assert_int_equal(notes(f)->ack.rtt, 31 * MS);
    assert_int_equal(notes(f)->ack.rtt_min, 31 * MS);
    assert_int_equal(notes(f)->sents, 11);
}

static void only_packets_in_flight_count(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    const unsigned acks = notes(f)->acks;

    for (unsigned i = 0; i < 5; i++)
        send_ack_only(f);
    assert_int_equal(f->cc.in_flight, 0);
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
    f->now += 40 * MS;
    must_ack(f, 1, 5);
    assert_int_equal(f->acked, 6); /* the owner of the ACK frames wants to know */
    assert_int_equal(notes(f)->acks, acks);
}

static void app_limited_reaches_the_controller(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    tvl_path_cc_app_limited(&f->cc);
    uint64_t pn = send_data(f);
    f->now += 40 * MS;
    must_ack(f, pn, pn);
    assert_true(notes(f)->ack.app_limited);
    send_data(f);
    f->now += 40 * MS;
    pn = send_data(f);
    must_ack(f, pn - 1, pn - 1);
    f->now += 40 * MS;
    must_ack(f, pn, pn);
    assert_false(notes(f)->ack.app_limited);
    notes(f)->cwnd = MTU;
    pn = send_data(f);
    tvl_path_cc_app_limited(&f->cc); /* the window is full: it is not the application */
    f->now += 40 * MS;
    must_ack(f, pn, pn);
    send_data(f);
    f->now += 40 * MS;
    must_ack(f, pn + 1, pn + 1);
    assert_false(notes(f)->ack.app_limited);
}

struct persistent_row {
    const char *what;
    tvl_time span; /* us between the first and the last lost */
    int acked;     /* number in between that was acknowledged, -1: none */
    bool want;
};

/* srtt 40, var 20, max_ack_delay 25 when they leave; the sample of the last makes it shorter */
static const struct persistent_row persistent_rows[] = {
    { "longer than three PTOs", 600 * MS, -1, true },
    { "shorter", 200 * MS, -1, false },
    { "one between arrived", 600 * MS, 5, false },
};

static void persistent_congestion(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof persistent_rows / sizeof persistent_rows[0]; i++) {
        const struct persistent_row *row = &persistent_rows[i];
        struct fixture *f = begin();

        know_rtt(f);
        for (unsigned k = 1; k <= 10; k++) {
            send_data(f);
            f->now += row->span / 9;
        }
        const uint64_t last = send_data(f);

        f->now += 40 * MS;
        if (row->acked > 0) {
            const struct tvl_pn_range range[] = { { last, last },
                                                  { (uint64_t)row->acked, (uint64_t)row->acked } };
            const struct tvl_recovery_ack ack = { .range = range, .n_ranges = 2 };

            assert_int_equal(tvl_recovery_on_ack(&f->r, &ack, f->now, NULL), 0);
        } else {
            must_ack(f, last, last);
        }
        assert_int_equal(notes(f)->losses, 1);
        if (notes(f)->loss.persistent != row->want)
            fail_msg("%s", row->what);
    }
}

static void no_persistent_congestion_before_the_first_sample(void **state)
{
    struct fixture *f = begin();

    (void)state;
    for (unsigned k = 0; k < 10; k++) {
        send_data(f);
        f->now += 2000 * MS;
    }
    const uint64_t last = send_data(f);

    f->now += 40 * MS;
    must_ack(f, last, last);
    assert_int_equal(notes(f)->losses, 1);
    assert_false(notes(f)->loss.persistent);
}

/* ---- window and pacer ---- */

static void room_is_the_smaller_of_window_and_pacer(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    f->now += 1000 * MS;
    assert_int_equal(tvl_path_cc_pacing_bps(&f->cc),
                     UINT64_C(100) * MTU * 8 * 1000000 / (40 * MS) / 4 * 5);
    assert_int_equal(tvl_path_cc_rate_bps(&f->cc), UINT64_C(100) * MTU * 8 * 1000000 / (40 * MS));
    unsigned n = 0;

    for (; tvl_path_cc_room(&f->cc, f->now) >= MTU; n++)
        send_data(f);
    assert_int_equal(n, TVL_PACER_BURST_DATAGRAMS);
    assert_true(tvl_path_cc_next_send(&f->cc, f->now) > f->now);
    while (tvl_path_cc_next_send(&f->cc, f->now) != TVL_TIME_NEVER) {
        f->now = tvl_path_cc_next_send(&f->cc, f->now);
        assert_true(tvl_path_cc_room(&f->cc, f->now) >= MTU);
        send_data(f);
        n++;
    }
    assert_int_equal(n, 100);
    assert_int_equal(tvl_path_cc_window_room(&f->cc), 0);
    assert_int_equal(tvl_path_cc_room(&f->cc, f->now + 1000 * MS), 0);
    send_data(f); /* a probe goes beyond */
    assert_int_equal(tvl_path_cc_window_room(&f->cc), 0);
}

/* Credit used up, how many datagrams leave at the next instant of sending? */
static unsigned datagrams_a_turn(uint64_t cwnd)
{
    struct fixture *f = begin();
    unsigned n = 0;

    know_rtt(f);
    notes(f)->cwnd = cwnd;
    f->now += 1000 * MS;
    while (tvl_path_cc_room(&f->cc, f->now) > 0)
        send_data(f);
    f->now = tvl_path_cc_next_send(&f->cc, f->now);
    assert_true(f->now != TVL_TIME_NEVER);
    for (; tvl_path_cc_room(&f->cc, f->now) > 0; n++)
        send_data(f);
    assert_true(tvl_path_cc_next_send(&f->cc, f->now) > f->now);
    return n;
}

/* cwnd bytes in 40 ms, and a quarter more, are the pacer's rate. */
static void a_fast_path_sends_a_quantum_at_a_time(void **state)
{
    const uint64_t ms_of_1_gbps = 125000;

    (void)state;
    assert_int_equal(datagrams_a_turn(UINT64_C(100) * MTU), 1);
    assert_int_equal(datagrams_a_turn(40 * ms_of_1_gbps * 4 / 5),
                     ms_of_1_gbps * TVL_QUANTUM_TIME / 1000 / MTU);
    /* the clock's last microsecond brings one more */
    assert_in_range(datagrams_a_turn(400 * ms_of_1_gbps * 4 / 5), TVL_QUANTUM_MAX / MTU,
                    TVL_QUANTUM_MAX / MTU + 1);
}

/* ---- bounds, and a path that dies ---- */

static void take_all_gives_everything_back(void **state)
{
    struct fixture *f = begin();

    (void)state;
    know_rtt(f);
    for (unsigned i = 0; i < 8; i++)
        send_data(f);
    f->now += 100 * MS;
    assert_int_equal(tvl_recovery_take_all(&f->r, f->now, "test"), 8);
    assert_int_equal(f->lost, 8);
    assert_int_equal(f->cc.in_flight, 0);
    assert_int_equal(f->r.n_eliciting, 0);
    assert_int_equal(notes(f)->losses, 0); /* silence is not congestion */
    assert_true(tvl_recovery_next_time(&f->r) == TVL_TIME_NEVER);
    assert_int_equal(tvl_recovery_take_all(&f->r, f->now, "test"), 0);
    const uint64_t probe = send_data(f);

    f->now += 30 * MS;
    must_ack(f, 1, probe); /* the path had only been slow */
    assert_int_equal(f->late, 8);
    assert_int_equal(f->n_lost[1], 1);
    f->cc.rtt.smoothed = 3000 * MS; /* that of a probe which waited through the silence */
    tvl_path_cc_return(&f->cc, f->now);
    assert_int_equal(f->cc.rtt.min, 30 * MS); /* what is known stays */
    assert_int_equal(tvl_rtt_srtt(&f->cc.rtt), 30 * MS);
}

static void a_full_space_takes_probes_after_take_all(void **state)
{
    struct fixture *f = begin();
    unsigned n = 0;

    (void)state;
    for (; n <= TVL_SENT_MAX && tvl_recovery_can_send(&f->r); n++)
        send_data(f);
    assert_int_equal(n, TVL_SENT_MAX);
    const struct tvl_sent_packet p = { .pn = tvl_recovery_next_pn(&f->r), .bytes = MTU };

    assert_int_equal(tvl_recovery_sent(&f->r, &p, f->now), TVL_ERR_FULL);
    assert_int_equal(tvl_recovery_take_all(&f->r, f->now, "test"), TVL_SENT_MAX);
    assert_true(tvl_recovery_can_send(&f->r)); /* or the path could never be revived */
    const uint64_t probe = send_data(f);

    must_ack(f, probe, probe);
    assert_int_equal(f->n_acked[probe], 1);
}

static void a_listener_forgets_its_acks(void **state)
{
    struct fixture *f = begin();

    (void)state;
    for (unsigned i = 0; i < PNS_MAX - 10; i++) { /* nobody answers a pure ACK */
        f->now += 10;
        assert_true(tvl_recovery_can_send(&f->r));
        send_ack_only(f);
    }
    assert_true(f->r.next_pn - f->r.first_pn <= TVL_SENT_QUIET_MAX + 1);
    const uint64_t pn = send_data(f);

    f->now += 40 * MS;
    must_ack(f, 0, pn);
    assert_int_equal(f->n_acked[pn], 1);
}

static uint64_t visited[8];
static size_t n_visited;

static void visit(void *user, const struct tvl_sent_packet *p)
{
    (void)user;
    visited[n_visited++] = p->pn;
}

static void probes_know_the_oldest(void **state)
{
    struct fixture *f = begin();

    (void)state;
    send_ack_only(f);
    for (unsigned i = 0; i < 4; i++)
        send_data(f);
    must_ack(f, 2, 2);
    n_visited = 0;
    tvl_recovery_oldest(&f->r, 2, visit, NULL);
    assert_int_equal(n_visited, 2);
    assert_int_equal(visited[0], 1);
    assert_int_equal(visited[1], 3);
}

/* ---- a life drawn at random, and the books balance ---- */

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void balance(const struct fixture *f)
{
    uint64_t out = 0;

    for (uint64_t pn = 0; pn < f->r.next_pn; pn++) {
        assert_true(f->n_acked[pn] <= 1 && f->n_lost[pn] <= 1);
        out += f->n_acked[pn] == 0 && f->n_lost[pn] == 0;
    }
    assert_int_equal(out * MTU, f->cc.in_flight);
    assert_int_equal(out, f->r.n_eliciting);
    assert_int_equal(f->late, f->r.spurious);
}

static void live(struct fixture *f, uint64_t seed)
{
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    for (unsigned step = 0; step < 3000; step++) {
        const uint64_t what = next_random(&x) % 16;

        f->now += next_random(&x) % 4000;
        if (what < 9) {
            send_data(f);
        } else if (what < 15 && f->r.next_pn > 0) {
            const uint64_t back = next_random(&x) % 20;
            const uint64_t last = f->r.next_pn - 1 > back ? f->r.next_pn - 1 - back : 0;
            const uint64_t len = next_random(&x) % 6;

            must_ack(f, last > len ? last - len : 0, last);
        } else if (next_random(&x) % 40 == 0) {
            (void)tvl_recovery_take_all(&f->r, f->now, "test");
        }
        if (tvl_recovery_next_time(&f->r) <= f->now)
            (void)tvl_recovery_on_timeout(&f->r, f->now);
        if (step % 100 == 0)
            balance(f);
    }
    (void)tvl_recovery_take_all(&f->r, f->now, "test");
    balance(f);
    assert_int_equal(f->cc.in_flight, 0);
}

static void books_balance(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        live(begin(), seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rtt_follows_the_rfc),
        cmocka_unit_test(ack_delay_is_limited_to_the_peers_promise),
        cmocka_unit_test(waiting_here_is_not_the_path),
        cmocka_unit_test(no_sample_unless_the_largest_is_new),
        cmocka_unit_test(packet_threshold),
        cmocka_unit_test(time_threshold),
        cmocka_unit_test(late_acknowledgement_is_recognised),
        cmocka_unit_test(tombstones_do_not_stay_for_ever),
        cmocka_unit_test(unsent_numbers_are_a_violation),
        cmocka_unit_test(a_number_left_out_is_forgotten_in_time),
        cmocka_unit_test(pto_backs_off_and_returns),
        cmocka_unit_test(pto_that_cannot_send_does_not_spin),
        cmocka_unit_test(pto_of_an_idle_space),
        cmocka_unit_test(client_backs_off_until_validated),
        cmocka_unit_test(spaces_of_a_path_share_backoff_and_flight),
        cmocka_unit_test(controller_is_told_once_per_event),
        cmocka_unit_test(only_packets_in_flight_count),
        cmocka_unit_test(app_limited_reaches_the_controller),
        cmocka_unit_test(persistent_congestion),
        cmocka_unit_test(no_persistent_congestion_before_the_first_sample),
        cmocka_unit_test(room_is_the_smaller_of_window_and_pacer),
        cmocka_unit_test(a_fast_path_sends_a_quantum_at_a_time),
        cmocka_unit_test(take_all_gives_everything_back),
        cmocka_unit_test(a_full_space_takes_probes_after_take_all),
        cmocka_unit_test(a_listener_forgets_its_acks),
        cmocka_unit_test(probes_know_the_oldest),
        cmocka_unit_test(books_balance),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    tvl_recovery_fini(&fix.r);
    return failed;
}
