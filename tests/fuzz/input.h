/* input.h - a fuzzer's bytes as a row of decisions; when they end, zeroes. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
    const uint8_t *p, *end;
};

static inline bool input_left(const struct input *in)
{
    return in->p < in->end;
}

static inline uint8_t input_u8(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

static inline uint16_t input_u16(struct input *in)
{
    const uint8_t high = input_u8(in);

    return (uint16_t)(high << 8 | input_u8(in));
}

/* Small numbers mostly, sometimes enormous ones. */
static inline uint64_t input_u64(struct input *in)
{
    const uint8_t how = input_u8(in);

    return (uint64_t)input_u8(in) << (how & 63) | (how >> 6);
}

/* Up to *len of the bytes; *len becomes how many. */
static inline const uint8_t *input_bytes(struct input *in, size_t *len)
{
    const uint8_t *at = in->p;
    const size_t left = (size_t)(in->end - in->p);

    *len = *len < left ? *len : left;
    in->p += *len;
    return at;
}

static inline void must(bool truth)
{
    if (!truth)
        abort();
}

#endif
