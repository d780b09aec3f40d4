/* test_held.c - what a viewer holds by its acknowledgements: in any order, with losses, against a
 * decoder's own tracker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "held.h"

#define LONG_TERM 4 /* T0 pictures between long-term references */

/* T0 unit of picture `p`, spatial layer `s` of three: reads its last one and the one below. */
static struct svc_unit unit_of(uint64_t p, uint8_t s)
{
    struct svc_unit u = { .len = 1, .picture = p, .layer = { s, 0 }, .key = p == 0 && s == 0 };

    u.deps.refreshes = (uint8_t)(u.key ? 0xffu : 1u << s);
    if (p % LONG_TERM == 0 && !u.key)
        u.deps.refreshes |= (uint8_t)(1u << (5 + s));
    if (p > 0)
        u.deps.reads[u.deps.n_reads++] = (struct svc_read){ s, s, p - 1 };
    if (s > 0)
        u.deps.reads[u.deps.n_reads++] = (struct svc_read){ (uint8_t)(s - 1), (uint8_t)(s - 1), p };
    return u;
}

static uint64_t stream_of(uint64_t p, uint8_t s)
{
    return 4 * (3 * p + s) + 3;
}

static void nothing_is_held_unasked(void **state)
{
    static struct held h;
    const struct svc_unit u = unit_of(0, 0);

    (void)state;
    held_acked(&h, 77);
    held_sent(&h, stream_of(0, 0), &u);
    assert_false(h.known.slot[0].valid);
    held_acked(&h, stream_of(0, 0));
    assert_true(h.known.slot[0].valid);
    assert_int_equal(h.known.slot[7].picture, 0);
    held_fini(&h);
}

/* Acknowledged in a random order, some lost: in the end exactly what a decoder holds that got the
 * others in order, and at no time more than that. */
static void it_is_what_a_decoder_holds(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        static struct held h;
        struct svc_tracker decoder = { 0 };
        uint32_t random = seed;
        uint64_t streams[3 * 30];
        bool lost[3 * 30] = { false };
        size_t n = 0;

        held_fini(&h);
        for (uint64_t p = 0; p < 30; p++)
            for (uint8_t s = 0; s < 3; s++) {
                const struct svc_unit u = unit_of(p, s);

                random = random * 1664525u + 1013904223u;
                lost[n] = (random >> 8) % 100 < 2 * seed % 12;
                streams[n] = stream_of(p, s);
                held_sent(&h, streams[n], &u);
                if (!lost[n++] && svc_tracker_decodable(&decoder, &u))
                    svc_tracker_decoded(&decoder, &u);
            }
        for (size_t left = n; left > 0; left--) {
            random = random * 1664525u + 1013904223u;
            const size_t i = (random >> 8) % left;

            (lost[i] ? held_lost : held_acked)(&h, streams[i]);
            streams[i] = streams[left - 1];
            lost[i] = lost[left - 1];
        }
        assert_int_equal(h.n, 0);
        for (unsigned i = 0; i < SVC_SLOTS; i++) {
            assert_int_equal(h.known.slot[i].valid, decoder.slot[i].valid);
            assert_int_equal(h.known.slot[i].picture, decoder.slot[i].picture);
        }
        held_fini(&h);
    }
}

static void what_is_open_holds_up_the_rest(void **state)
{
    static struct held h;

    (void)state;
    for (uint64_t p = 0; p < 6; p++)
        for (uint8_t s = 0; s < 3; s++) {
            const struct svc_unit u = unit_of(p, s);

            held_sent(&h, stream_of(p, s), &u);
            if (p != 3 || s != 2)
                held_acked(&h, stream_of(p, s));
        }
    assert_int_equal(h.known.slot[0].picture, 3);
    assert_int_equal(h.known.slot[2].picture, 2);
    held_lost(&h, stream_of(3, 2));
    assert_int_equal(h.known.slot[0].picture, 5);
    assert_int_equal(h.known.slot[2].picture, 2); /* the layer's end, */
    assert_int_equal(h.known.slot[6].picture, 4); /* long-term: of the layer below */
    held_fini(&h);
}

static void too_many_open_ones_are_lost(void **state)
{
    static struct held h;

    (void)state;
    for (uint64_t p = 0; p < 2 * HELD_PENDING_MAX; p++) {
        const struct svc_unit u = unit_of(p, 0);

        held_sent(&h, stream_of(p, 0), &u);
        assert_true(h.n <= HELD_PENDING_MAX);
    }
    for (uint64_t p = 0; p < 2 * HELD_PENDING_MAX; p++)
        held_acked(&h, stream_of(p, 0));
    assert_int_equal(h.n, 0);
    assert_false(h.known.slot[0].valid); /* they lean on what was forgotten */
    held_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_unasked),
        cmocka_unit_test(it_is_what_a_decoder_holds),
        cmocka_unit_test(what_is_open_holds_up_the_rest),
        cmocka_unit_test(too_many_open_ones_are_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
