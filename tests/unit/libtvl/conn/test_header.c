/*
 * test_header.c - what the header of a packet shows to those between: the spin bit (RFC 9000 17.4),
 * the fixed bit (RFC 9287), numbers left out (RFC 9000 21.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../../libtvl/core/rng.h"
#include "../../../../libtvl/core/spin.h"
#include "transfer.h"

#define LONG 0x80
#define FIXED 0x40
#define SPIN 0x20

struct seen { /* first bytes on the wire, by sender */
    struct transfer t;
    unsigned packets[2], ones[2], edges[2], clear_long[2], clear_short[2];
    int last[2];
};

static void look(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                 const uint8_t *bytes)
{
    struct seen *s = p->user;
    const bool spin = (bytes[0] & SPIN) != 0;

    (void)link;
    (void)d;
    if (bytes[0] & LONG) {
        s->clear_long[from] += !(bytes[0] & FIXED);
        return;
    }
    s->clear_short[from] += !(bytes[0] & FIXED);
    s->packets[from]++;
    s->ones[from] += spin;
    s->edges[from] += s->packets[from] > 1 && spin != (s->last[from] == 1);
    s->last[from] = spin;
}

/* Five seconds of a busy connection, RTT 20 ms; all of it arrives. */
static void watch(struct seen *s, const struct pair_options *o)
{
    struct pair p;

    memset(s, 0, sizeof *s);
    s->t.total = UINT64_C(1) << 40;
    pair_init(&p, o);
    p.user = s;
    p.on_event = transfer_serve;
    p.on_datagram = look;
    p.link[0].drop_nth = 400; /* a window that ends */
    pair_connect(&p, o);
    pair_run(&p, 5 * SECOND, NULL);
    assert_false(s->t.damaged);
    assert_true(s->packets[PAIR_CLIENT] > 500 && s->packets[PAIR_SERVER] > 500);
    pair_fini(&p);
}

/* ---- spin ---- */

static unsigned seed; /* of the rows: that both ends show it, and that one does not */

static void seeded(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->seed[1] = seed + (unsigned)side;
}

static void never(const struct pair *p, int side, struct tvl_tls_config *tls,
                  struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->no_spin = side == PAIR_SERVER;
}

/* One turn a round trip, as far as both sides play; queues make it longer, never shorter. */
static void spin_turns_once_a_round_trip(void **state)
{
    const struct pair_options o = { .adjust = seeded };
    unsigned turning = 0;

    (void)state;
    for (seed = 0; seed < 8; seed++) {
        struct seen s;

        watch(&s, &o);
        assert_in_range(s.edges[PAIR_SERVER], 0, 250);
        turning += s.edges[PAIR_SERVER] >= 100 && s.edges[PAIR_CLIENT] >= 100;
    }
    assert_in_range(turning, 4, 8); /* 7 of 8 would, on the average */
}

static void spin_can_be_switched_off(void **state)
{
    const struct pair_options o = { .adjust = never };
    struct seen s;

    (void)state;
    watch(&s, &o);
    assert_int_equal(s.edges[PAIR_SERVER], 0);
    assert_true(s.edges[PAIR_CLIENT] <= 1);
}

static void one_path_in_sixteen_hides_it(void **state)
{
    const uint64_t any[4] = { 5 };
    const unsigned n = 16000;
    unsigned hidden = 0, ones = 0, never_shown = 0;
    struct tvl_rng rng;

    (void)state;
    assert_int_equal(tvl_rng_init(&rng, any), 0);
    for (unsigned i = 0; i < n; i++) {
        struct tvl_spin s;

        tvl_spin_init(&s, &rng, false);
        tvl_spin_heard(&s, false, false);
        hidden += !s.shown;
        ones += !s.shown && s.value;
        assert_true(!s.shown || s.value);
        if (s.shown) /* another connection ID: from zero again */
            assert_false(tvl_spin_next(&s, &rng, 1));
        tvl_spin_init(&s, &rng, true);
        never_shown += !s.shown;
    }
    assert_in_range(hidden, n / 16 - 150, n / 16 + 150);
    assert_in_range(ones, hidden / 2 - 80, hidden / 2 + 80);
    assert_int_equal(never_shown, n);
    tvl_rng_fini(&rng);
}

/* ---- fixed bit ---- */

static int greasing; /* bit 0: the client, bit 1: the server */

static void grease(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->no_grease = !(greasing >> side & 1);
}

/* Free where both say so: to one side because it offers, from the other because it likes to. */
static void fixed_bit_is_free_between_those_who_offer(void **state)
{
    const struct pair_options o = { .adjust = grease };

    (void)state;
    for (greasing = 0; greasing < 4; greasing++) {
        struct seen s;

        watch(&s, &o);
        for (int side = 0; side < 2; side++) {
            const unsigned n = s.packets[side];

            if (greasing == 3)
                assert_in_range(s.clear_short[side], n / 4, n / 4 * 3);
            else
                assert_int_equal(s.clear_short[side] + s.clear_long[side], 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spin_turns_once_a_round_trip),
        cmocka_unit_test(spin_can_be_switched_off),
        cmocka_unit_test(one_path_in_sixteen_hides_it),
        cmocka_unit_test(fixed_bit_is_free_between_those_who_offer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
