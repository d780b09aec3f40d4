/*
 * pattern.h - the bytes that are sent: a function of stream and position, so that whoever gets one
 * back knows whether it is right without keeping what was sent. Pure.
 */
#ifndef ECHO_PATTERN_H
#define ECHO_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Byte `at` of `stream`. Neighbours, streams and multiples of powers of two differ. */
static inline uint8_t pattern_byte(uint64_t stream, uint64_t at)
{
    const uint64_t x = (at ^ stream << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint8_t)(x >> 56);
}

static inline void pattern_fill(uint64_t stream, uint64_t at, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = pattern_byte(stream, at + i);
}

/* How many of `n` bytes are right, before the first that is not. */
static inline size_t pattern_check(uint64_t stream, uint64_t at, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != pattern_byte(stream, at + i))
            return i;
    return n;
}

#endif
