/* test_policy.c - the layer policy as tables: rows of rate, queue and unit, and the verdict; and
 * scenarios over pictures of three spatial and two temporal layers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy.h"

#define SECOND 1000000u
#define START (100u * SECOND)
#define PICTURE_US 33333u
#define GOP 60u
#define N_SPATIAL 3

/* The reference structure of the project's own encoder: T0 in slots 0-2, T1 in 3 and 4. */
static struct svc_unit unit_at(uint64_t picture, uint8_t spatial)
{
    uint8_t t = picture & 1;
    bool key_picture = picture % GOP == 0;
    struct svc_unit u = { .len = 1000, .picture = picture, .layer = { spatial, t } };
    u.key = key_picture && spatial == 0;
    if (!key_picture)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ spatial, spatial, picture - (t ? 1 : 2) };
    if (spatial > 0)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ (uint8_t)(3 * t + spatial - 1), (uint8_t)(spatial - 1), picture };
    if (t == 0)
        u.deps.refreshes = (uint8_t)(1u << spatial);
    else if (spatial < N_SPATIAL - 1)
        u.deps.refreshes = (uint8_t)(1u << (3 + spatial));
    if (u.key)
        u.deps.refreshes = 0xff;
    return u;
}

/* 0.4, 1.2 and 3 Mbit/s with T1, in order of sending. */
static const uint64_t needed[N_SPATIAL][2] = { { 300000, 400000 },
                                               { 900000, 1200000 },
                                               { 2200000, 3000000 } };

static struct policy_view view_of(const struct svc_unit *u, uint64_t now, uint64_t rate_bps,
                                  uint64_t backlog)
{
    unsigned s = u->layer.spatial, t = u->layer.temporal;
    return (struct policy_view){ .now = now,
                                 .rate_bps = rate_bps,
                                 .sure_bps = rate_bps,
                                 .backlog_bytes = backlog,
                                 .budget_us = 400000,
                                 .needed_bps = needed[s][t],
                                 .above_bps = t   ? needed[s][0]
                                              : s ? needed[s - 1][1]
                                                  : 0 };
}

static enum policy_verdict offer(struct policy *p, uint64_t picture, uint8_t spatial,
                                 uint64_t rate_bps, uint64_t backlog)
{
    struct svc_unit u = unit_at(picture, spatial);
    uint64_t now = START + picture * PICTURE_US;
    struct policy_view v = view_of(&u, now, rate_bps, backlog);
    enum policy_verdict verdict = policy_judge(p, &v, &u).verdict;
    if (verdict == POLICY_SEND)
        policy_sent(p, &u, now);
    return verdict;
}

/* Pictures [from, to) under a constant rate and no queue; how many units of `spatial` went. */
static unsigned play(struct policy *p, uint64_t from, uint64_t to, uint64_t rate_bps,
                     uint8_t spatial)
{
    unsigned sent = 0;
    for (uint64_t i = from; i < to; i++)
        for (uint8_t s = 0; s < N_SPATIAL; s++)
            sent += offer(p, i, s, rate_bps, 0) == POLICY_SEND && s == spatial;
    return sent;
}

/* A viewer for whom all has gone well for one GOP. */
static struct policy well(void)
{
    struct policy p = { 0 };
    assert_int_equal(play(&p, 0, GOP, 5000000, 2), GOP);
    assert_int_equal(policy_top(&p), 2);
    return p;
}

static const struct row {
    const char *what;
    uint64_t picture; /* after one good GOP */
    uint8_t spatial;
    uint64_t rate_bps, backlog;
    enum policy_verdict verdict;
} rows[] = {
    { "base goes whatever the queue", 60, 0, 1000, 10000000, POLICY_SEND },
    { "base goes without a rate", 60, 0, 0, 10000000, POLICY_SEND },
    { "a layer that went well is kept a little below its need", 60, 2, 1600000, 50000,
      POLICY_SEND },
    { "and kept at any rate while no queue grows", 60, 2, 400000, 0, POLICY_SEND },
    { "but let go when the rate is far below and a queue stands", 60, 2, 1500000, 50000,
      POLICY_DROP_RATE },
    { "T0 in good time", 62, 2, 3000000, 140000, POLICY_SEND },
    { "T0 too late", 62, 2, 3000000, 160000, POLICY_DROP_QUEUE },
    { "T0 without a live path", 62, 1, 0, 0, POLICY_DROP_QUEUE },
    { "T1 in good time", 61, 1, 1500000, 10000, POLICY_SEND },
    { "T1 gives way earlier than T0", 61, 1, 1500000, 20000, POLICY_DROP_QUEUE },
    { "T1 of the base holds longer", 61, 0, 1500000, 30000, POLICY_SEND },
    { "but not for ever", 61, 0, 1500000, 60000, POLICY_DROP_QUEUE },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct policy p = well();
        for (uint64_t n = GOP; n <= r->picture; n++)
            for (uint8_t s = 0; s < (n == r->picture ? r->spatial : N_SPATIAL); s++)
                assert_int_equal(offer(&p, n, s, 5000000, 0), POLICY_SEND);
        enum policy_verdict got = offer(&p, r->picture, r->spatial, r->rate_bps, r->backlog);
        if (got != r->verdict)
            fail_msg("%s: verdict %d, should be %d", r->what, got, r->verdict);
    }
}

/* A unit lives as long as somebody may still read it, and is protected by what losing it costs. */
static void test_lifetimes_and_protection(void **state)
{
    static const struct {
        uint64_t picture;
        uint8_t spatial;
        uint32_t loss_ppm;
        uint64_t lifetime_us;
        enum policy_protection protection;
    } cases[] = {
        { 62, 0, 0, 800000, POLICY_PLAIN },      { 62, 0, 40000, 800000, POLICY_REPAIR },
        { 62, 1, 40000, 600000, POLICY_RESCUE }, { 61, 1, 10000, 400000, POLICY_PLAIN },
        { 61, 0, 10000, 400000, POLICY_PLAIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy p = well();
        const struct svc_unit u = unit_at(cases[i].picture, cases[i].spatial);
        struct policy_view v = view_of(&u, START + 62 * PICTURE_US, 5000000, 0);
        v.loss_ppm = cases[i].loss_ppm;
        const struct policy_order o = policy_judge(&p, &v, &u);
        assert_int_equal(o.lifetime_us, cases[i].lifetime_us);
        assert_int_equal(o.protection, cases[i].protection);
    }
    struct policy p = well();
    struct svc_unit u = unit_at(62, 2); /* kept for long: it is never too late to be sent */
    u.deps.refreshes |= 1u << 7;
    for (uint8_t s = 0; s < 3; s++)
        assert_int_equal(offer(&p, 60, s, 5000000, 0), POLICY_SEND);
    for (uint8_t s = 0; s < 2; s++)
        assert_int_equal(offer(&p, 62, s, 5000000, 0), POLICY_SEND);
    const struct policy_view v = view_of(&u, START + 62 * PICTURE_US, 3000000, 160000);
    const struct policy_order o = policy_judge(&p, &v, &u);
    assert_int_equal(o.verdict, POLICY_SEND);
    assert_int_equal(o.lifetime_us, 600000);
}

static void test_first_try_is_free(void **state)
{
    (void)state;
    struct policy p = { 0 };
    /* A young connection's rate is low; nothing has failed yet, so all is tried. */
    for (uint8_t s = 0; s < N_SPATIAL; s++)
        assert_int_equal(offer(&p, 0, s, 200000, 60000), POLICY_SEND);
    /* And a queue in the first second is no evidence. */
    assert_int_equal(offer(&p, 1, 0, 200000, 60000), POLICY_SEND);
    assert_int_equal(offer(&p, 1, 1, 200000, 60000), POLICY_SEND);
    assert_int_equal(policy_top(&p), 2);
}

static void test_nothing_before_the_base(void **state)
{
    (void)state;
    struct policy p = { 0 };
    assert_false(policy_begun(&p));
    assert_int_equal(policy_top(&p), -1);
    assert_int_equal(offer(&p, 5, 1, 5000000, 0), POLICY_DROP_BROKEN);
    assert_int_equal(offer(&p, 5, 2, 5000000, 0), POLICY_DROP_BROKEN);
    assert_false(policy_begun(&p));
    assert_int_equal(play(&p, GOP, GOP + 2, 5000000, 2), 2);
    assert_true(policy_begun(&p));
}

static void test_dropped_t0_breaks_until_sync(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, GOP, GOP + 2, 5000000, 2), 2);
    assert_int_equal(offer(&p, 62, 0, 3000000, 0), POLICY_SEND);
    assert_int_equal(offer(&p, 62, 1, 3000000, 0), POLICY_SEND);
    assert_int_equal(offer(&p, 62, 2, 3000000, 200000), POLICY_DROP_QUEUE);
    assert_int_equal(policy_top(&p), 1);
    for (uint64_t i = 63; i < 120; i++) {
        assert_int_equal(offer(&p, i, 0, 9000000, 0), POLICY_SEND);
        assert_int_equal(offer(&p, i, 1, 9000000, 0), POLICY_SEND);
        assert_int_equal(offer(&p, i, 2, 9000000, 0), POLICY_DROP_BROKEN);
    }
    /* The key picture takes it up again: the rate holds it by far. */
    assert_int_equal(play(&p, 120, 180, 9000000, 2), 60);
}

static void test_t1_spares_a_late_t0(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, GOP, GOP + 1, 5000000, 2), 1);
    const struct svc_unit u = unit_at(61, 0);
    struct policy_view v = view_of(&u, START + 61 * PICTURE_US, 5000000, 0);
    v.delay_us = 399999;
    assert_int_equal(policy_judge(&p, &v, &u).verdict, POLICY_SEND);
    v.delay_us = 400001;
    assert_int_equal(policy_judge(&p, &v, &u).verdict, POLICY_DROP_QUEUE);
    const struct svc_unit next = unit_at(62, 0);
    assert_int_equal(policy_judge(&p, &v, &next).verdict, POLICY_SEND);
}

/* The encoder is asked for a layer that is broken once it would be admitted, and not before. */
static void test_broken_layer_is_asked_for(void **state)
{
    static const struct {
        uint64_t picture;
        uint64_t rate_bps;
        bool refresh;
    } cases[] = { { 80, 4000000, false }, /* one second has not passed */
                  { 94, 2000000, false }, /* the rate does not hold it */
                  { 94, 4000000, true },
                  { 95, 4000000, false } }; /* T1 comes with T0 */

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy p = well();
        assert_int_equal(play(&p, 60, 62, 5000000, 2), 2);
        for (uint8_t s = 0; s < 2; s++)
            assert_int_equal(offer(&p, 62, s, 5000000, 0), POLICY_SEND);
        assert_int_equal(offer(&p, 62, 2, 3000000, 200000), POLICY_DROP_QUEUE);
        assert_int_equal(play(&p, 63, cases[i].picture, 5000000, 2), 0);
        for (uint8_t s = 0; s < 2; s++)
            assert_int_equal(offer(&p, cases[i].picture, s, 5000000, 0), POLICY_SEND);
        const struct svc_unit u = unit_at(cases[i].picture, 2);
        const struct policy_view v =
            view_of(&u, START + cases[i].picture * PICTURE_US, cases[i].rate_bps, 0);
        const struct policy_order o = policy_judge(&p, &v, &u);
        assert_int_equal(o.verdict, POLICY_DROP_BROKEN);
        assert_int_equal(o.refresh, cases[i].refresh);
    }
}

static void test_dropped_t1_breaks_its_picture_only(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, GOP, GOP + 1, 5000000, 2), 1);
    assert_int_equal(offer(&p, 61, 0, 5000000, 0), POLICY_SEND);
    assert_int_equal(offer(&p, 61, 1, 5000000, 500000), POLICY_DROP_QUEUE);
    assert_int_equal(offer(&p, 61, 2, 5000000, 0), POLICY_DROP_BROKEN); /* reads S1 of 61 */
    assert_int_equal(play(&p, 62, 120, 5000000, 2), 58);
    assert_int_equal(policy_top(&p), 2);
}

static void test_failed_layer_waits(void **state)
{
    (void)state;
    struct policy p = well();
    /* A rate that holds S1 and not S2, with queues that say so. */
    unsigned tries = 0; /* bit i: at the sync of GOP i, one every 2 s */
    for (uint64_t i = GOP; i < GOP * 16; i++) {
        assert_int_equal(offer(&p, i, 0, 1500000, 0), POLICY_SEND);
        assert_int_equal(offer(&p, i, 1, 1500000, 0), POLICY_SEND);
        bool key_picture = i % GOP == 0;
        enum policy_verdict got = offer(&p, i, 2, 1500000, 80000);
        if (key_picture && got == POLICY_SEND)
            tries |= 1u << i / GOP;
        if (!key_picture)
            assert_int_not_equal(got, POLICY_SEND);
    }
    /* Let go at 2 s; each try fails 67 ms later; waits of 1, 2 and 4 s, up to the next sync. */
    assert_int_equal(tries, 1u << 2 | 1u << 4 | 1u << 7 | 1u << 10 | 1u << 13);
    /* A path comes: at once again. */
    policy_path_up(&p, START + GOP * 16 * PICTURE_US);
    assert_int_equal(play(&p, GOP * 16, GOP * 17, 3000000, 2), GOP);
}

static void test_rate_near_the_need_does_not_flap(void **state)
{
    (void)state;
    struct policy p = well();
    unsigned sent = 0;
    for (uint64_t gop = 1; gop < 10; gop++) /* the estimate sways around the need */
        sent += play(&p, gop * GOP, (gop + 1) * GOP, gop & 1 ? 2000000 : 2600000, 2);
    assert_int_equal(sent, 9 * GOP);
}

static void test_lost_unit_breaks_what_leans_on_it(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, 60, 71, 5000000, 2), 11);
    uint64_t now = START + 71 * PICTURE_US;
    policy_lost(&p, (struct svc_layer){ 1, 0 }, 66, now);
    assert_int_equal(policy_top(&p), 0);
    assert_int_equal(offer(&p, 71, 0, 5000000, 0), POLICY_SEND);
    assert_int_equal(offer(&p, 71, 1, 5000000, 0), POLICY_DROP_BROKEN);
    assert_int_equal(offer(&p, 72, 0, 5000000, 0), POLICY_SEND);
    assert_int_equal(offer(&p, 72, 1, 5000000, 0), POLICY_DROP_BROKEN);
    assert_int_equal(play(&p, 120, 130, 5000000, 2), 10);
    /* News of what was lost before the sync comes late: no matter. */
    policy_lost(&p, (struct svc_layer){ 1, 0 }, 70, now + SECOND);
    policy_lost(&p, (struct svc_layer){ 2, 0 }, 118, now + SECOND);
    assert_int_equal(play(&p, 130, 140, 5000000, 2), 10);
}

static void test_lost_t1_hurts_nothing_later(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, 60, 70, 5000000, 2), 10);
    policy_lost(&p, (struct svc_layer){ 0, 1 }, 69, START + 70 * PICTURE_US);
    assert_int_equal(play(&p, 70, 80, 5000000, 2), 10);
    assert_int_equal(policy_top(&p), 2);
}

static void test_lost_base_waits_for_key(void **state)
{
    (void)state;
    struct policy p = well();
    assert_int_equal(play(&p, 60, 70, 5000000, 2), 10);
    policy_lost(&p, (struct svc_layer){ 0, 0 }, 68, START + 70 * PICTURE_US);
    assert_int_equal(play(&p, 70, 71, 5000000, 2), 0);
    struct policy copy = p;
    assert_int_equal(play(&copy, 71, 120, 5000000, 1), 0);
    assert_int_equal(play(&p, 71, 120, 5000000, 0), 24); /* of T0, which is never dropped */
    assert_int_equal(play(&p, 120, 130, 5000000, 2), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_lifetimes_and_protection),
        cmocka_unit_test(test_first_try_is_free),
        cmocka_unit_test(test_nothing_before_the_base),
        cmocka_unit_test(test_dropped_t0_breaks_until_sync),
        cmocka_unit_test(test_t1_spares_a_late_t0),
        cmocka_unit_test(test_broken_layer_is_asked_for),
        cmocka_unit_test(test_dropped_t1_breaks_its_picture_only),
        cmocka_unit_test(test_failed_layer_waits),
        cmocka_unit_test(test_rate_near_the_need_does_not_flap),
        cmocka_unit_test(test_lost_unit_breaks_what_leans_on_it),
        cmocka_unit_test(test_lost_t1_hurts_nothing_later),
        cmocka_unit_test(test_lost_base_waits_for_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
