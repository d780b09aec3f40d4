/*
 * galois.c - the four calls of ISA-L that libtvl makes (repair symbols over GF(2^8), polynomial
 * 0x11d), in plain C: Debian has ISA-L as a shared library only, which a program without an
 * operating system cannot load. Same names, same results, not the same speed; tests compare them.
 *
 * Of a coefficient's 32 bytes of tables only the first is used here: it is the coefficient.
 */
#include <isa-l/erasure_code.h>

#include <string.h>

#define TABLE 32 /* bytes of tables per coefficient */

static unsigned char multiply(unsigned char a, unsigned char b)
{
    unsigned product = 0, x = a;

    for (; b; b >>= 1) {
        product ^= b & 1 ? x : 0;
        x = x << 1 ^ (x & 0x80 ? 0x11d : 0);
    }
    return (unsigned char)product;
}

unsigned char gf_inv(unsigned char a)
{
    unsigned char r = 1;

    for (unsigned i = 0; i < 7; i++) { /* a to the power of 254 = 2 + 4 + ... + 128 */
        a = multiply(a, a);
        r = multiply(r, a);
    }
    return r;
}

void ec_init_tables(int k, int rows, unsigned char *a, unsigned char *gftbls)
{
    for (int i = 0; i < k * rows; i++)
        gftbls[i * TABLE] = a[i];
}

/* out += c * in, `n` bytes. */
static void add_product(unsigned char *out, const unsigned char *in, unsigned char c, size_t n)
{
    unsigned char row[256];

    for (unsigned v = 0; v < 256; v++)
        row[v] = multiply((unsigned char)v, c);
    for (size_t i = 0; i < n; i++)
        out[i] ^= row[in[i]];
}

void ec_encode_data_update(int len, int k, int rows, int vec_i, unsigned char *g_tbls,
                           unsigned char *data, unsigned char **coding)
{
    for (int r = 0; r < rows; r++)
        add_product(coding[r], data, g_tbls[(r * k + vec_i) * TABLE], (size_t)len);
}

void ec_encode_data(int len, int k, int rows, unsigned char *gftbls, unsigned char **data,
                    unsigned char **coding)
{
    for (int r = 0; r < rows; r++)
        memset(coding[r], 0, (size_t)len);
    for (int i = 0; i < k; i++)
        ec_encode_data_update(len, k, rows, i, gftbls, data[i], coding);
}

/* Gauss and Jordan: `in` becomes the identity, `out` the inverse. -1: it has none. */
int gf_invert_matrix(unsigned char *in, unsigned char *out, const int n)
{
    memset(out, 0, (size_t)n * (size_t)n);
    for (int i = 0; i < n; i++)
        out[i * n + i] = 1;
    for (int i = 0; i < n; i++) {
        int pivot = i;

        while (pivot < n && in[pivot * n + i] == 0)
            pivot++;
        if (pivot == n)
            return -1;
        for (int k = 0; k < n && pivot != i; k++) {
            const unsigned char a = in[i * n + k], b = out[i * n + k];

            in[i * n + k] = in[pivot * n + k];
            in[pivot * n + k] = a;
            out[i * n + k] = out[pivot * n + k];
            out[pivot * n + k] = b;
        }
        const unsigned char scale = gf_inv(in[i * n + i]);
        for (int k = 0; k < n; k++) {
            in[i * n + k] = multiply(in[i * n + k], scale);
            out[i * n + k] = multiply(out[i * n + k], scale);
        }
        for (int j = 0; j < n; j++) {
            const unsigned char c = j == i ? 0 : in[j * n + i];

            for (int k = 0; k < n && c; k++) {
                in[j * n + k] ^= multiply(c, in[i * n + k]);
                out[j * n + k] ^= multiply(c, out[i * n + k]);
            }
        }
    }
    return 0;
}
