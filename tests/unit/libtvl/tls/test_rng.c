/*
 * test_rng.c - the seeded stream is the same for everybody, and its derived draws are in range.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>
#include "rng.h"

static const uint64_t zero_seed[4];

/* ChaCha20 with a key, counter and nonce of zero: RFC 8439 A.1, test vectors 1 and 2. */
static const uint8_t zero_stream[] = {
    0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
    0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
};
static const uint8_t zero_stream_block_1[] = { 0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a };

static void known_stream(void **state)
{
    struct tvl_rng rng;
    uint8_t b[72];

    (void)state;
    assert_int_equal(tvl_rng_init(&rng, zero_seed), 0);
    for (size_t i = 0; i < sizeof b; i += 3) /* pieces join without a seam */
        tvl_rng_bytes(&rng, b + i, 3);
    assert_memory_equal(b, zero_stream, sizeof zero_stream);
    assert_memory_equal(b + 64, zero_stream_block_1, sizeof zero_stream_block_1);
    tvl_rng_fini(&rng);
    tvl_rng_fini(&rng);
    tvl_rng_fini(NULL);
}

static void same_seed_same_bytes(void **state)
{
    static const uint64_t seed[4] = { 1, 2, 3, 4 }, other[4] = { 1, 2, 3, 5 };
    struct tvl_rng a, b, c;
    uint8_t x[1000], y[1000];

    (void)state;
    assert_int_equal(tvl_rng_init(&a, seed), 0);
    assert_int_equal(tvl_rng_init(&b, seed), 0);
    assert_int_equal(tvl_rng_init(&c, other), 0);
    tvl_rng_bytes(&a, x, sizeof x);
    for (size_t i = 0; i < sizeof y; i++)
        tvl_rng_bytes(&b, y + i, 1);
    assert_memory_equal(x, y, sizeof x);
    assert_true(tvl_rng_u64(&a) == tvl_rng_u64(&b));
    tvl_rng_bytes(&c, y, sizeof y);
    assert_memory_not_equal(x, y, 16);
    tvl_rng_fini(&a);
    tvl_rng_fini(&b);
    tvl_rng_fini(&c);
}

static void below_is_uniform(void **state)
{
    enum { BOUND = 7, DRAWS = 70000 };
    struct tvl_rng rng;
    int hits[BOUND] = { 0 };

    (void)state;
    assert_int_equal(tvl_rng_init(&rng, zero_seed), 0);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t v = tvl_rng_below(&rng, BOUND);

        assert_true(v < BOUND);
        hits[v]++;
    }
    for (int i = 0; i < BOUND; i++) /* 10000 expected; five standard deviations are 463 */
        assert_in_range(hits[i], 9537, 10463);
    assert_true(tvl_rng_below(&rng, 1) == 0);
    for (int i = 0; i < 100; i++)
        assert_true(tvl_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
    tvl_rng_fini(&rng);
}

static void reset_tokens(void **state)
{
    /* RFC 4231 test case 1: key of twenty 0x0b, here zero-padded, which HMAC does itself. */
    uint8_t key[TVL_RESET_KEY_SIZE] = { 0 }, token[TVL_RESET_TOKEN_SIZE], other[16];
    static const uint8_t want[] = { 0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53,
                                    0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b };
    static const uint8_t cid[21] = "Hi There";

    (void)state;
    memset(key, 0x0b, 20);
    assert_int_equal(tvl_reset_token(token, key, cid, 8), 0);
    assert_memory_equal(token, want, sizeof want);
    assert_int_equal(tvl_reset_token(other, key, cid, 7), 0);
    assert_memory_not_equal(token, other, sizeof token);
    assert_int_equal(tvl_reset_token(other, key, NULL, 0), 0);
    assert_int_equal(tvl_reset_token(other, key, cid, 21), TVL_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_stream),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(reset_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
