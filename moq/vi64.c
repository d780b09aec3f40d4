/* vi64.c - see vi64.h. `extra` is the count of bytes after the first: with extra < 8 the first byte
 * is `extra` ones, a zero and 7 - extra value bits; with extra = 8 it is all ones. */
#include "vi64.h"

#define EXTRA_MAX 8u

size_t moq_vi64_len(uint64_t v)
{
    size_t extra = 0;
    while (extra < EXTRA_MAX && (v >> (7 * (extra + 1))) != 0)
        extra++;
    return extra + 1;
}

size_t moq_vi64_encode(uint8_t *out, uint64_t v)
{
    size_t len = moq_vi64_len(v);
    for (size_t i = len; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
    /* The value left the mark's bits of the first byte zero. */
    out[0] = (uint8_t)(out[0] | (uint8_t) ~(0xffu >> (len - 1)));
    return len;
}

size_t moq_vi64_decode(uint64_t *v, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    size_t extra = 0;
    while (extra < EXTRA_MAX && (bytes[0] & (0x80u >> extra)) != 0)
        extra++;
    if (len < extra + 1)
        return 0;
    uint64_t value = extra < 7 ? bytes[0] & (0x7fu >> extra) : 0;
    for (size_t i = 1; i <= extra; i++)
        value = value << 8 | bytes[i];
    *v = value;
    return extra + 1;
}
