/* varint.c - see varint.h. */
#include "varint.h"

#include <assert.h>
#include <string.h>

size_t tvl_varint_size(uint64_t v)
{
    assert(v <= TVL_VARINT_MAX);
    if (v < 0x40)
        return 1;
    if (v < 0x4000)
        return 2;
    return v < 0x40000000 ? 4 : 8;
}

struct tvl_rd tvl_rd_over(const uint8_t *bytes, size_t len)
{
    return (struct tvl_rd){ .p = bytes, .end = len > 0 ? bytes + len : bytes };
}

size_t tvl_rd_left(const struct tvl_rd *rd)
{
    return (size_t)(rd->end - rd->p);
}

const uint8_t *tvl_rd_bytes(struct tvl_rd *rd, uint64_t len)
{
    if (rd->bad || len > tvl_rd_left(rd)) {
        rd->bad = true;
        return NULL;
    }
    const uint8_t *at = rd->p;
    if (len > 0)
        rd->p += len;
    return at;
}

void tvl_rd_copy(struct tvl_rd *rd, uint8_t *out, size_t len)
{
    const uint8_t *at = tvl_rd_bytes(rd, len);
    if (len == 0)
        return;
    if (rd->bad)
        memset(out, 0, len);
    else
        memcpy(out, at, len);
}

static uint32_t be32(const uint8_t at[4])
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* `n` is 1, 2, 4 or 8. */
static uint64_t read_be(struct tvl_rd *rd, size_t n)
{
    const uint8_t *at = tvl_rd_bytes(rd, n);
    if (at == NULL)
        return 0;
    switch (n) { /* of a fixed length each: one load and one swap */
    case 8:
        return (uint64_t)be32(at) << 32 | be32(at + 4);
    case 4:
        return be32(at);
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    default:
        return at[0];
    }
}

uint8_t tvl_rd_u8(struct tvl_rd *rd)
{
    return (uint8_t)read_be(rd, 1);
}

uint16_t tvl_rd_u16(struct tvl_rd *rd)
{
    return (uint16_t)read_be(rd, 2);
}

uint32_t tvl_rd_u32(struct tvl_rd *rd)
{
    return (uint32_t)read_be(rd, 4);
}

uint64_t tvl_rd_u64(struct tvl_rd *rd)
{
    return read_be(rd, 8);
}

uint64_t tvl_rd_varint(struct tvl_rd *rd)
{
    if (rd->bad || rd->p == rd->end) {
        rd->bad = true;
        return 0;
    }
    size_t n = (size_t)1 << (rd->p[0] >> 6);
    uint64_t v = read_be(rd, n);
    return v & (((uint64_t)1 << (8 * n - 2)) - 1);
}

struct tvl_wr tvl_wr_over(uint8_t *bytes, size_t cap)
{
    return (struct tvl_wr){ .p = bytes, .end = cap > 0 ? bytes + cap : bytes };
}

size_t tvl_wr_left(const struct tvl_wr *w)
{
    return (size_t)(w->end - w->p);
}

static uint8_t *take_room(struct tvl_wr *w, size_t len)
{
    if (w->full || len > tvl_wr_left(w)) {
        w->full = true;
        return NULL;
    }
    uint8_t *at = w->p;
    if (len > 0)
        w->p += len;
    return at;
}

static void put_be32(uint8_t at[4], uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static void write_be(struct tvl_wr *w, uint64_t v, size_t n)
{
    uint8_t *at = take_room(w, n);
    if (at == NULL)
        return;
    switch (n) {
    case 8:
        put_be32(at, (uint32_t)(v >> 32));
        put_be32(at + 4, (uint32_t)v);
        break;
    case 4:
        put_be32(at, (uint32_t)v);
        break;
    case 2:
        at[0] = (uint8_t)(v >> 8);
        at[1] = (uint8_t)v;
        break;
    default:
        at[0] = (uint8_t)v;
    }
}

void tvl_wr_u8(struct tvl_wr *w, uint8_t v)
{
    write_be(w, v, 1);
}

void tvl_wr_u16(struct tvl_wr *w, uint16_t v)
{
    write_be(w, v, 2);
}

void tvl_wr_u32(struct tvl_wr *w, uint32_t v)
{
    write_be(w, v, 4);
}

void tvl_wr_u64(struct tvl_wr *w, uint64_t v)
{
    write_be(w, v, 8);
}

void tvl_wr_varint(struct tvl_wr *w, uint64_t v)
{
    tvl_wr_varint_in(w, v, tvl_varint_size(v));
}

void tvl_wr_varint_in(struct tvl_wr *w, uint64_t v, size_t n)
{
    assert((n == 1 || n == 2 || n == 4 || n == 8) && v >> (8 * n - 2) == 0);
    uint64_t prefix = n == 1 ? 0 : n == 2 ? 1 : n == 4 ? 2 : 3;
    write_be(w, v | prefix << (8 * n - 2), n);
}

void tvl_wr_bytes(struct tvl_wr *w, const uint8_t *bytes, size_t len)
{
    const bool lent = w->lends && len >= TVL_WR_LEND_MIN && len == tvl_wr_left(w);
    uint8_t *at = take_room(w, len);
    if (at != NULL && lent) {
        w->tail = bytes;
        w->tail_len = len;
    } else if (at != NULL && len > 0) {
        memcpy(at, bytes, len);
    }
}

void tvl_wr_zeroes(struct tvl_wr *w, size_t len)
{
    uint8_t *at = take_room(w, len);
    if (at != NULL && len > 0)
        memset(at, 0, len);
}
