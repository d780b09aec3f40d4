/*
 * erasure.h - repair symbols over equally long pieces, so that any k of k pieces and n symbols give
 * all k: a systematic Cauchy code over GF(2^8), polynomial 0x11d, computed by ISA-L.
 *
 *     symbol i = sum over pieces j of  piece j / ((255 - i) xor j)
 *
 * The coefficient depends on neither k nor n: a symbol means the same however many there are. Pure
 * arithmetic; which piece belongs where is the caller's business (docs/decisions/0009).
 */
#ifndef TVL_CORE_ERASURE_H
#define TVL_CORE_ERASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TVL_ERASURE_PIECES_MAX 64u
#define TVL_ERASURE_SYMBOLS_MAX 32u

/* `pieces` [1, TVL_ERASURE_PIECES_MAX] of `len` bytes into symbols 0 to `symbols` - 1
 * [1, TVL_ERASURE_SYMBOLS_MAX] of `len` bytes each. */
void tvl_erasure_encode(size_t len, unsigned pieces, uint8_t *const *piece, unsigned symbols,
                        uint8_t *const *symbol);

struct tvl_erasure {
    size_t len;
    unsigned pieces;
    uint8_t *piece[TVL_ERASURE_PIECES_MAX]; /* `len` bytes each; those missing are written */
    bool missing[TVL_ERASURE_PIECES_MAX];
    unsigned symbols; /* at least as many as are missing */
    uint8_t *symbol[TVL_ERASURE_SYMBOLS_MAX];
    uint8_t index[TVL_ERASURE_SYMBOLS_MAX]; /* of symbol[i]; each once */
};

/* Find the missing pieces. The symbols used are scratch afterwards. false: too few symbols. */
bool tvl_erasure_decode(struct tvl_erasure *e);

#endif
