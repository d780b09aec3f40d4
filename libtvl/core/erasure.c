/* erasure.c - see erasure.h. */
#include "erasure.h"

#include <assert.h>

#include <isa-l/erasure_code.h>

#define TABLE 32u /* bytes ISA-L wants for one coefficient */

static uint8_t coefficient(unsigned symbol, unsigned piece)
{
    return gf_inv((uint8_t)((255u - symbol) ^ piece));
}

void tvl_erasure_encode(size_t len, unsigned pieces, uint8_t *const *piece, unsigned symbols,
                        uint8_t *const *symbol)
{
    uint8_t row[TVL_ERASURE_PIECES_MAX], table[TVL_ERASURE_PIECES_MAX * TABLE];

    assert(pieces >= 1 && pieces <= TVL_ERASURE_PIECES_MAX && symbols <= TVL_ERASURE_SYMBOLS_MAX);
    for (unsigned i = 0; i < symbols; i++) {
        uint8_t *out[1] = { symbol[i] };

        for (unsigned j = 0; j < pieces; j++)
            row[j] = coefficient(i, j);
        ec_init_tables((int)pieces, 1, row, table);
        ec_encode_data((int)len, (int)pieces, 1, table, (uint8_t **)(uintptr_t)piece, out);
    }
}

/* What the pieces that are there have put into the symbol is taken out of it again. */
static void subtract_known(struct tvl_erasure *e, unsigned i)
{
    uint8_t table[TABLE];

    for (unsigned j = 0; j < e->pieces; j++) {
        uint8_t c = coefficient(e->index[i], j);

        if (e->missing[j])
            continue;
        ec_init_tables(1, 1, &c, table);
        ec_encode_data_update((int)e->len, 1, 1, 0, table, e->piece[j], &e->symbol[i]);
    }
}

bool tvl_erasure_decode(struct tvl_erasure *e)
{
    uint8_t matrix[TVL_ERASURE_SYMBOLS_MAX * TVL_ERASURE_SYMBOLS_MAX];
    uint8_t inverse[TVL_ERASURE_SYMBOLS_MAX * TVL_ERASURE_SYMBOLS_MAX];
    uint8_t table[TVL_ERASURE_SYMBOLS_MAX * TABLE];
    unsigned gap[TVL_ERASURE_SYMBOLS_MAX], m = 0;

    for (unsigned j = 0; j < e->pieces; j++) {
        if (!e->missing[j])
            continue;
        if (m == e->symbols)
            return false;
        gap[m++] = j;
    }
    for (unsigned i = 0; i < m; i++) {
        subtract_known(e, i);
        for (unsigned j = 0; j < m; j++)
            matrix[i * m + j] = coefficient(e->index[i], gap[j]);
    }
    if (m == 0 || gf_invert_matrix(matrix, inverse, (int)m) != 0) /* any part of it is regular */
        return m == 0;
    for (unsigned i = 0; i < m; i++) {
        ec_init_tables((int)m, 1, inverse + i * m, table);
        ec_encode_data((int)e->len, (int)m, 1, table, e->symbol, &e->piece[gap[i]]);
    }
    return true;
}
