/*
 * varint.h - variable-length integers (RFC 9000 16) and the two bounded cursors over bytes that
 * every parser and builder of libtvl uses.
 *
 * A cursor never passes its end. The first read or write that does not fit sets the sticky mark
 * (`bad`, `full`); all later calls then do nothing and read as zero, so a caller may check once.
 */
#ifndef TVL_CORE_VARINT_H
#define TVL_CORE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TVL_VARINT_MAX ((UINT64_C(1) << 62) - 1)

struct tvl_rd {
    const uint8_t *p, *end;
    bool bad;
};

struct tvl_wr {
    uint8_t *p, *end;
    bool full;
    bool lends; /* bytes that fill the rest exactly, and are many, may stay where they are */
    const uint8_t *tail; /* then they are here and the room for them, at the end, is not written */
    size_t tail_len;
};
#define TVL_WR_LEND_MIN 256 /* bytes; below, a copy is cheaper than to remember */

/* Bytes the shortest form of `v` takes: 1, 2, 4 or 8. `v` <= TVL_VARINT_MAX. */
size_t tvl_varint_size(uint64_t v);

struct tvl_rd tvl_rd_over(const uint8_t *bytes, size_t len);
size_t tvl_rd_left(const struct tvl_rd *rd);
uint8_t tvl_rd_u8(struct tvl_rd *rd);
uint16_t tvl_rd_u16(struct tvl_rd *rd);
uint32_t tvl_rd_u32(struct tvl_rd *rd);
uint64_t tvl_rd_u64(struct tvl_rd *rd);
uint64_t tvl_rd_varint(struct tvl_rd *rd);
/* The next `len` bytes, borrowed, or NULL (and bad). `len` is 64-bit: it often comes off the wire.
 */
const uint8_t *tvl_rd_bytes(struct tvl_rd *rd, uint64_t len);
/* Copy `len` bytes out; zeroes when they are not there. */
void tvl_rd_copy(struct tvl_rd *rd, uint8_t *out, size_t len);

struct tvl_wr tvl_wr_over(uint8_t *bytes, size_t cap);
size_t tvl_wr_left(const struct tvl_wr *w);
void tvl_wr_u8(struct tvl_wr *w, uint8_t v);
void tvl_wr_u16(struct tvl_wr *w, uint16_t v);
void tvl_wr_u32(struct tvl_wr *w, uint32_t v);
void tvl_wr_u64(struct tvl_wr *w, uint64_t v);
void tvl_wr_varint(struct tvl_wr *w, uint64_t v);              /* shortest form */
void tvl_wr_varint_in(struct tvl_wr *w, uint64_t v, size_t n); /* exactly n of 1, 2, 4, 8 bytes */
void tvl_wr_bytes(struct tvl_wr *w, const uint8_t *bytes, size_t len);
void tvl_wr_zeroes(struct tvl_wr *w, size_t len);

#endif
