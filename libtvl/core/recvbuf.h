/*
 * recvbuf.h - puts the bytes of one stream (or CRYPTO level) back in order.
 *
 * Takes pieces in any order, overlapping, repeated; the first copy of a byte counts. Bounded by the
 * flow-control end its owner passes in, so that its memory is at most twice the bytes between what
 * was read (with what is kept of it, tvl_recvbuf_keep) and the highest byte received.
 */
#ifndef TVL_CORE_RECVBUF_H
#define TVL_CORE_RECVBUF_H

#include "error.h"
#include "ranges.h"

#define TVL_RECVBUF_RANGES_MAX 16384 /* separate pieces held at once; more is an abuse */
#define TVL_SIZE_UNKNOWN UINT64_MAX

struct tvl_recvbuf {
    uint8_t *ring; /* a power of two of bytes; offset o lies at (o - origin) & (cap - 1) */
    size_t cap;
    uint64_t origin;
    uint64_t base;         /* everything below was read */
    uint64_t kept;         /* bytes from here on are still there though they were read */
    size_t keep;           /* so many of them, at most */
    uint64_t highest;      /* end of the highest piece seen */
    uint64_t final_size;   /* TVL_SIZE_UNKNOWN until the end is known */
    struct tvl_ranges got; /* at or above base */
    bool dropped;          /* nobody will read: only sizes are kept */
};

void tvl_recvbuf_init(struct tvl_recvbuf *b); /* allocates nothing */
void tvl_recvbuf_fini(struct tvl_recvbuf *b);
/* As after init, but a ring of at most `most` bytes stays for what comes next. */
void tvl_recvbuf_renew(struct tvl_recvbuf *b, size_t most);

/*
 * Take one piece; offset + len <= `limit` or -TVL_WIRE_FLOW_CONTROL_ERROR. Others:
 * -TVL_WIRE_FINAL_SIZE_ERROR, -TVL_WIRE_INTERNAL_ERROR (memory, or too many pieces). Result >= 0:
 * how much `highest` has risen (what connection flow control counts), at most INT64_MAX.
 */
int64_t tvl_recvbuf_take(struct tvl_recvbuf *b, uint64_t offset, const uint8_t *bytes, size_t len,
                         uint64_t limit);
/* The stream ends at `size`: 0 or -TVL_WIRE_FINAL_SIZE_ERROR. Call after taking the fin's bytes;
 * a reset calls it alone. Repeating the same size is fine. */
int tvl_recvbuf_finish(struct tvl_recvbuf *b, uint64_t size);

size_t tvl_recvbuf_read(struct tvl_recvbuf *b, uint8_t *out, size_t cap); /* in order */
/* Look at the next bytes without a copy, as far as they lie in one piece; *len 0: none. */
const uint8_t *tvl_recvbuf_peek(const struct tvl_recvbuf *b, size_t *len);
void tvl_recvbuf_skip(struct tvl_recvbuf *b, size_t len); /* len <= what is readable */
/* From now on up to `span` bytes stay after they were read, until the end has been. */
void tvl_recvbuf_keep(struct tvl_recvbuf *b, size_t span);
bool tvl_recvbuf_has(const struct tvl_recvbuf *b, uint64_t offset, size_t len); /* to copy */
void tvl_recvbuf_copy(const struct tvl_recvbuf *b, uint64_t offset, size_t len, uint8_t *out);
void tvl_recvbuf_drop(struct tvl_recvbuf *b); /* free all bytes, keep none from now on */
void tvl_recvbuf_trim(struct tvl_recvbuf *b); /* as tvl_sendbuf_trim */

uint64_t tvl_recvbuf_readable(const struct tvl_recvbuf *b);
bool tvl_recvbuf_complete(const struct tvl_recvbuf *b); /* every byte up to the end has arrived */
bool tvl_recvbuf_at_end(const struct tvl_recvbuf *b);   /* every byte has been read */

#endif
