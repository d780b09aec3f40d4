/* test_erasure.c - any pieces, as many as there are, give all; and the code is the documented one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "erasure.h"

#define LEN_MAX 1500u

static uint32_t seed = 1;

static uint32_t dice(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

static uint8_t bytes[TVL_ERASURE_PIECES_MAX][LEN_MAX], work[TVL_ERASURE_PIECES_MAX][LEN_MAX];
static uint8_t symbols[TVL_ERASURE_SYMBOLS_MAX][LEN_MAX];

static void make(size_t len, unsigned pieces, unsigned n)
{
    uint8_t *piece[TVL_ERASURE_PIECES_MAX], *symbol[TVL_ERASURE_SYMBOLS_MAX];

    for (unsigned i = 0; i < pieces; i++) {
        piece[i] = bytes[i];
        for (size_t k = 0; k < len; k++)
            bytes[i][k] = (uint8_t)dice(256);
    }
    for (unsigned i = 0; i < n; i++)
        symbol[i] = symbols[i];
    tvl_erasure_encode(len, pieces, piece, n, symbol);
}

/* Lose `lost` of the pieces and keep as many of the `n` symbols, from index `first` on. */
static struct tvl_erasure damaged(size_t len, unsigned pieces, unsigned lost, unsigned n)
{
    struct tvl_erasure e = { .len = len, .pieces = pieces, .symbols = lost };
    unsigned left = lost;

    for (unsigned i = 0; i < pieces; i++) {
        e.piece[i] = work[i];
        e.missing[i] = dice(pieces - i) < left;
        left -= e.missing[i];
        memcpy(work[i], bytes[i], len);
        if (e.missing[i])
            memset(work[i], 0xa5, len);
    }
    for (unsigned i = 0; i < lost; i++) {
        e.index[i] = (uint8_t)(n - 1 - i);
        e.symbol[i] = symbols[n - 1 - i];
    }
    return e;
}

static void any_losses_are_mended(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        const unsigned pieces = 1 + dice(TVL_ERASURE_PIECES_MAX);
        const unsigned n = 1 + dice(TVL_ERASURE_SYMBOLS_MAX);
        const unsigned lost = dice((pieces < n ? pieces : n) + 1);
        const size_t len = 1 + dice(round % 10 ? 80 : LEN_MAX);

        make(len, pieces, n);
        struct tvl_erasure e = damaged(len, pieces, lost, n);
        assert_true(tvl_erasure_decode(&e));
        for (unsigned i = 0; i < pieces; i++)
            assert_memory_equal(work[i], bytes[i], len);
    }
}

static void too_few_symbols(void **state)
{
    (void)state;
    make(100, 10, 4);
    struct tvl_erasure e = damaged(100, 10, 4, 4);
    e.symbols = 3;
    assert_false(tvl_erasure_decode(&e));
    e.symbols = 4;
    assert_true(tvl_erasure_decode(&e));
}

/* Multiplication in the field, by hand: another implementation than the one under test. */
static uint8_t times(uint8_t a, uint8_t b)
{
    unsigned product = 0;

    for (unsigned i = 0; i < 8; i++)
        if (b >> i & 1)
            product ^= (unsigned)a << i;
    for (unsigned i = 15; i >= 8; i--)
        if (product >> i & 1)
            product ^= 0x11du << (i - 8);
    return (uint8_t)product;
}

/* symbol i = sum of piece j / ((255 - i) xor j), as docs/decisions/0009 has it for other hands. */
static void the_documented_code(void **state)
{
    (void)state;
    make(40, TVL_ERASURE_PIECES_MAX, TVL_ERASURE_SYMBOLS_MAX);
    for (unsigned i = 0; i < TVL_ERASURE_SYMBOLS_MAX; i++)
        for (unsigned k = 0; k < 40; k++) {
            uint8_t sum = 0;

            for (unsigned j = 0; j < TVL_ERASURE_PIECES_MAX; j++) {
                const uint8_t divisor = (uint8_t)((255 - i) ^ j);
                uint8_t inverse = 1;

                while (times(inverse, divisor) != 1)
                    inverse++;
                sum ^= times(bytes[j][k], inverse);
            }
            assert_int_equal(symbols[i][k], sum);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_losses_are_mended),
        cmocka_unit_test(too_few_symbols),
        cmocka_unit_test(the_documented_code),
    };
    return cmocka_run_group_tests_name("erasure", tests, NULL, NULL);
}
