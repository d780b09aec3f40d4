/* mutate.h - deterministic damage for parser tests: one generator, one way to spoil a message. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct mutate {
    uint64_t state; /* seed, not 0 */
};

static inline uint64_t mutate_next(struct mutate *m) /* xorshift64* */
{
    m->state ^= m->state >> 12;
    m->state ^= m->state << 25;
    m->state ^= m->state >> 27;
    return m->state * UINT64_C(2685821657736338717);
}

static inline size_t mutate_below(struct mutate *m, size_t n)
{
    return n == 0 ? 0 : (size_t)(mutate_next(m) % n);
}

/* Change one to four bytes and cut the end off now and then; the new length. */
static inline size_t mutate_bytes(struct mutate *m, uint8_t *bytes, size_t len)
{
    size_t changes = 1 + mutate_below(m, 4);
    for (size_t i = 0; i < changes && len > 0; i++) {
        uint8_t with = mutate_below(m, 2) ? (uint8_t)mutate_next(m) : 0xff;
        bytes[mutate_below(m, len)] = with;
    }
    return mutate_below(m, 3) == 0 ? mutate_below(m, len + 1) : len;
}

#endif
