/* test_metal_galois.c - the plain Galois arithmetic of the bare-metal guest gives ISA-L's results.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <isa-l/erasure_code.h>

/* The same names twice in one program: ours get others. */
#define gf_inv ours_inv
#define ec_init_tables ours_init_tables
#define ec_encode_data ours_encode_data
#define ec_encode_data_update ours_encode_data_update
#define gf_invert_matrix ours_invert_matrix
unsigned char ours_inv(unsigned char a);
void ours_init_tables(int k, int rows, unsigned char *a, unsigned char *gftbls);
void ours_encode_data(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
                      unsigned char **coding);
void ours_encode_data_update(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
                             unsigned char *data, unsigned char **coding);
int ours_invert_matrix(unsigned char *in, unsigned char *out, const int n);
#include "../../../vmm-shim/metal/galois.c"
#undef gf_inv
#undef ec_init_tables
#undef ec_encode_data
#undef ec_encode_data_update
#undef gf_invert_matrix

#define PIECES 9
#define SYMBOLS 4
#define BYTES 200

static void inverses(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        assert_int_equal(ours_inv((unsigned char)a), gf_inv((unsigned char)a));
}

static void symbols(void **state)
{
    static unsigned char data[PIECES][BYTES], ours[SYMBOLS][BYTES], theirs[SYMBOLS][BYTES],
        matrix[PIECES * SYMBOLS], table[32 * PIECES * SYMBOLS];
    unsigned char *in[PIECES], *a[SYMBOLS], *b[SYMBOLS];

    (void)state;
    for (unsigned i = 0; i < PIECES; i++)
        in[i] = memset(data[i], 0, BYTES);
    for (unsigned i = 0; i < PIECES * BYTES; i++)
        data[i / BYTES][i % BYTES] = (unsigned char)(i * 2654435761u >> 24);
    for (unsigned i = 0; i < PIECES * SYMBOLS; i++)
        matrix[i] = gf_inv((unsigned char)(i + 3));
    for (unsigned i = 0; i < SYMBOLS; i++) {
        a[i] = ours[i];
        b[i] = theirs[i];
    }
    ours_init_tables(PIECES, SYMBOLS, matrix, table);
    ours_encode_data(BYTES, PIECES, SYMBOLS, table, in, a);
    ec_init_tables(PIECES, SYMBOLS, matrix, table);
    ec_encode_data(BYTES, PIECES, SYMBOLS, table, in, b);
    assert_memory_equal(ours, theirs, sizeof ours);
}

/* Regular, singular, and with a zero where the first pivot would be. */
static void matrices(void **state)
{
    static const unsigned char rows[][9] = { { 1, 2, 3, 4, 5, 6, 7, 8, 10 },
                                             { 1, 2, 3, 1, 2, 3, 7, 8, 9 },
                                             { 0, 2, 3, 4, 0, 6, 7, 8, 9 } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char m[2][9], out[2][9];

        memcpy(m[0], rows[i], 9);
        memcpy(m[1], rows[i], 9);
        const int r = ours_invert_matrix(m[0], out[0], 3);
        assert_int_equal(r, gf_invert_matrix(m[1], out[1], 3));
        if (r == 0)
            assert_memory_equal(out[0], out[1], 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(inverses), cmocka_unit_test(symbols),
                                        cmocka_unit_test(matrices) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
