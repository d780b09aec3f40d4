/* bits.h - a reader of single bits that stops at the end and remembers that it did. */
#ifndef SVC_BITS_H
#define SVC_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct svc_bits { /* zero `at` and `bad` to begin */
    const uint8_t *bytes;
    size_t len; /* bytes */
    size_t at;  /* bits taken */
    bool bad;   /* more was asked for than there is */
};

static inline unsigned svc_bit(struct svc_bits *b)
{
    if (b->at / 8 >= b->len) {
        b->bad = true;
        return 0;
    }
    unsigned bit = b->bytes[b->at / 8] >> (7 - b->at % 8) & 1u;
    b->at++;
    return bit;
}

/* `n` in [0, 32], most significant first */
static inline uint32_t svc_bits(struct svc_bits *b, unsigned n)
{
    uint32_t v = 0;
    while (n-- > 0)
        v = v << 1 | svc_bit(b);
    return v;
}

#endif
