/* test_sendbuf.c - loss, late acknowledgements and reordering under seeds: every byte arrives. */
#include "unit.h"

#include "sendbuf.h"

#define TOTAL 60000
#define FLIGHT 64

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8));
}

struct piece {
    uint64_t offset;
    size_t len;
    bool fin, used;
};

struct model { /* what the peer has, and which pieces are under way */
    bool got[TOTAL], acked[TOTAL], fin;
    struct piece flight[FLIGHT];
};

static uint64_t in_flight_by_model(const struct tvl_sendbuf *b, const struct model *m)
{
    uint64_t n = 0;
    for (uint64_t o = b->base; o < b->sent; o++)
        n += !m->acked[o] && !tvl_ranges_contains(&b->lost, o);
    return n;
}

static void send_one(struct tvl_sendbuf *b, struct model *m, uint64_t *dice)
{
    struct piece *slot = &m->flight[seeded_below(dice, FLIGHT)];
    struct tvl_send_chunk c;
    if (slot->used || !tvl_sendbuf_next(b, 1 + (size_t)seeded_below(dice, 1400), UINT64_MAX, &c))
        return;
    for (size_t i = 0; i < c.len; i++) {
        assert_int_equal(c.bytes[i], byte_at(c.offset + i));
        assert_false(m->acked[c.offset + i]); /* an acknowledged byte is never sent again */
    }
    tvl_sendbuf_sent(b, c.offset, c.len, c.fin);
    *slot = (struct piece){ c.offset, c.len, c.fin, true };
}

static void settle_one(struct tvl_sendbuf *b, struct model *m, uint64_t *dice)
{
    struct piece *p = &m->flight[seeded_below(dice, FLIGHT)];
    if (!p->used)
        return;
    uint64_t fate = seeded_below(dice, 10);
    if (fate < 3) { /* declared lost; sometimes wrongly, and then acknowledged later */
        tvl_sendbuf_lost(b, p->offset, p->len, p->fin);
        if (seeded_below(dice, 2) == 0)
            p->used = false;
    } else {
        for (size_t i = 0; i < p->len; i++)
            m->got[p->offset + i] = m->acked[p->offset + i] = true;
        m->fin = m->fin || p->fin;
        tvl_sendbuf_acked(b, p->offset, p->len, p->fin);
        if (seeded_below(dice, 8) == 0)
            tvl_sendbuf_lost(b, p->offset, p->len, p->fin); /* told late, must not harm */
        p->used = false;
    }
}

static void every_byte_arrives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t dice = seed;
        struct model *m = calloc(1, sizeof(*m));
        struct tvl_sendbuf b;
        tvl_sendbuf_init(&b);
        for (unsigned step = 0; !tvl_sendbuf_done(&b); step++) {
            assert_true(step < 1000000);
            if (b.end < TOTAL && seeded_below(&dice, 3) == 0) {
                uint8_t bytes[3000];
                size_t len = 1 + (size_t)seeded_below(&dice, sizeof(bytes));
                if (len > TOTAL - b.end)
                    len = (size_t)(TOTAL - b.end);
                for (size_t i = 0; i < len; i++)
                    bytes[i] = byte_at(b.end + i);
                assert_int_equal(tvl_sendbuf_append(&b, bytes, len), len);
            }
            if (b.end == TOTAL && !b.fin && seeded_below(&dice, 4) == 0)
                tvl_sendbuf_finish(&b);
            send_one(&b, m, &dice);
            settle_one(&b, m, &dice);
            if (step % 64 == 0)
                assert_int_equal(tvl_sendbuf_in_flight(&b), in_flight_by_model(&b, m));
        }
        assert_true(m->fin);
        for (size_t i = 0; i < TOTAL; i++)
            assert_true(m->got[i]);
        assert_null(b.ring); /* nothing is held once all is acknowledged */
        tvl_sendbuf_fini(&b);
        free(m);
    }
}

static void bound_is_kept_and_room_returns(void **state)
{
    (void)state;
    struct tvl_sendbuf b;
    tvl_sendbuf_init(&b);
    uint8_t *big = calloc(1, TVL_STREAM_BUFFER_MAX + 10);
    assert_int_equal(tvl_sendbuf_append(&b, big, 10), 10);
    assert_int_equal(tvl_sendbuf_append(&b, big, TVL_STREAM_BUFFER_MAX),
                     TVL_STREAM_BUFFER_MAX - 10);
    assert_int_equal(tvl_sendbuf_append(&b, big, 1), 0);
    assert_int_equal(tvl_sendbuf_unsent(&b), TVL_STREAM_BUFFER_MAX);
    struct tvl_send_chunk c;
    assert_false(tvl_sendbuf_next(&b, 100, 0, &c)); /* no credit */
    assert_true(tvl_sendbuf_next(&b, 100, 50, &c));
    assert_int_equal(c.len, 50);
    tvl_sendbuf_sent(&b, c.offset, c.len, c.fin);
    tvl_sendbuf_acked(&b, 0, 50, false);
    assert_int_equal(tvl_sendbuf_room(&b), 50);
    assert_int_equal(tvl_sendbuf_append(&b, big, 100), 50);
    tvl_sendbuf_fini(&b);
    free(big);
}

static void lost_goes_first_and_the_end_is_kept(void **state)
{
    (void)state;
    struct tvl_sendbuf b;
    struct tvl_send_chunk c;
    tvl_sendbuf_init(&b);
    assert_int_equal(tvl_sendbuf_append(&b, (const uint8_t *)"0123456789", 10), 10);
    tvl_sendbuf_sent(&b, 0, 8, false);
    tvl_sendbuf_lost(&b, 2, 4, false);
    assert_true(tvl_sendbuf_next(&b, 100, UINT64_MAX, &c));
    assert_true(c.offset == 2 && c.len == 4 && c.again && !c.fin);
    tvl_sendbuf_acked(&b, 3, 2, false); /* not lost after all */
    assert_true(tvl_sendbuf_next(&b, 100, UINT64_MAX, &c));
    assert_true(c.offset == 2 && c.len == 1);
    tvl_sendbuf_sent(&b, 2, 1, false);
    tvl_sendbuf_sent(&b, 5, 1, false);
    tvl_sendbuf_finish(&b);
    assert_true(tvl_sendbuf_next(&b, 100, UINT64_MAX, &c));
    assert_true(c.offset == 8 && c.len == 2 && c.fin && !c.again);
    tvl_sendbuf_sent(&b, 8, 2, true);
    assert_false(tvl_sendbuf_next(&b, 100, UINT64_MAX, &c));
    tvl_sendbuf_lost(&b, 8, 2, true);
    tvl_sendbuf_acked(&b, 0, 10, false); /* the bytes came, the end did not */
    assert_false(tvl_sendbuf_done(&b));
    assert_true(tvl_sendbuf_next(&b, 100, 0, &c));
    assert_true(c.offset == 10 && c.len == 0 && c.fin);
    tvl_sendbuf_sent(&b, 10, 0, true);
    tvl_sendbuf_acked(&b, 10, 0, true);
    assert_true(tvl_sendbuf_done(&b));
    tvl_sendbuf_fini(&b);
}

/* More separate pieces than can be remembered: still nothing is forgotten. */
static void too_many_pieces_are_sent_again(void **state)
{
    (void)state;
    enum { PIECES = TVL_SENDBUF_RANGES_MAX + 100 };
    struct tvl_sendbuf b;
    struct tvl_send_chunk c;
    uint8_t *bytes = calloc(1, 2 * PIECES);
    tvl_sendbuf_init(&b);
    assert_int_equal(tvl_sendbuf_append(&b, bytes, 2 * PIECES), 2 * PIECES);
    tvl_sendbuf_sent(&b, 0, 2 * PIECES, false);
    for (uint64_t i = 0; i < PIECES; i++)
        tvl_sendbuf_acked(&b, 2 * i + 1, 1, false);
    for (uint64_t i = 0; i < PIECES; i++)
        tvl_sendbuf_lost(&b, 2 * i, 1, false);
    uint64_t again = 0;
    while (tvl_sendbuf_next(&b, 1000, UINT64_MAX, &c)) {
        tvl_sendbuf_sent(&b, c.offset, c.len, false);
        again += c.len;
        assert_true(again <= 2 * PIECES - TVL_SENDBUF_RANGES_MAX); /* what is remembered stays */
    }
    assert_true(again >= PIECES);
    tvl_sendbuf_acked(&b, 0, 2 * PIECES, false);
    assert_int_equal(b.base, 2 * PIECES);
    tvl_sendbuf_fini(&b);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives),
        cmocka_unit_test(bound_is_kept_and_room_returns),
        cmocka_unit_test(lost_goes_first_and_the_end_is_kept),
        cmocka_unit_test(too_many_pieces_are_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
