/* bytes.h - numbers in network order, and the Internet checksum (RFC 1071). Pure. */
#ifndef METAL_BYTES_H
#define METAL_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

/* Sum of 16-bit words, not yet folded; an odd last byte counts as the high one. */
static inline uint64_t sum16(const uint8_t *p, size_t n, uint64_t sum)
{
    for (; n >= 2; p += 2, n -= 2)
        sum += get16(p);
    return n ? sum + ((uint64_t)p[0] << 8) : sum;
}

/* The checksum; over data that has a right one in it, 0. */
static inline uint16_t fold16(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

#endif
