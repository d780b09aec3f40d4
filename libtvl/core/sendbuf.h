/*
 * sendbuf.h - the bytes one stream still owes its peer, and what has become of each.
 *
 *      base          sent             end
 *  ────┴──────────────┴────────────────┴──▶ offset
 *  gone  acked · lost   never sent        not written
 *        or in flight
 *
 * What is lost goes first, then what was never sent. An acknowledgement always wins: bytes that
 * were declared lost and turn out acknowledged are not sent again. Bytes acknowledged at the front
 * are freed. The end of the stream (fin) is treated like one byte behind the last.
 */
#ifndef TVL_CORE_SENDBUF_H
#define TVL_CORE_SENDBUF_H

#include <tvl/tvl.h>

#include "ranges.h"

#define TVL_SENDBUF_RANGES_MAX 16384 /* separate pieces acknowledged, or lost, at once */

struct tvl_sendbuf {
    uint8_t *ring; /* a power of two of bytes; offset o lies at o & (cap - 1) */
    size_t cap;
    uint64_t base;           /* everything below is acknowledged and freed */
    uint64_t sent;           /* everything from here on was never sent */
    uint64_t end;            /* everything from here on was never written */
    struct tvl_ranges acked; /* above base */
    struct tvl_ranges lost;  /* to be sent again; may overlap `acked`, which wins */
    bool fin;                /* the stream ends at `end` */
    bool fin_sent, fin_acked, fin_lost;
    bool lost_all; /* memory was short: whatever is not acknowledged counts as lost */
};

/* One piece to send; `bytes` borrowed until the next append, acked or fini. */
struct tvl_send_chunk {
    const uint8_t *bytes;
    uint64_t offset;
    size_t len;
    bool fin;   /* the stream ends with this piece */
    bool again; /* no new bytes: needs no flow-control credit */
};

void tvl_sendbuf_init(struct tvl_sendbuf *b); /* allocates nothing */
void tvl_sendbuf_fini(struct tvl_sendbuf *b);
/* As after init, but a ring of at most `most` bytes stays for what is appended next. */
void tvl_sendbuf_renew(struct tvl_sendbuf *b, size_t most);
void tvl_sendbuf_drop(struct tvl_sendbuf *b); /* free all bytes; nothing is left to send */
/* Give an empty ring back, cut one nearly empty. In a busy stream it is empty often, and getting
 * memory again costs more than all else, so only its owner knows when. */
void tvl_sendbuf_trim(struct tvl_sendbuf *b);

/* Room in the ring for `len` bytes more. 0 or TVL_ERR_NOMEM. */
int tvl_sendbuf_reserve(struct tvl_sendbuf *b, size_t len);
/* Copy up to `len` bytes in; how many [0, len], fewer at TVL_STREAM_BUFFER_MAX; or TVL_ERR_NOMEM.
 */
int64_t tvl_sendbuf_append(struct tvl_sendbuf *b, const uint8_t *bytes, size_t len);
void tvl_sendbuf_finish(struct tvl_sendbuf *b); /* nothing is appended any more */
size_t tvl_sendbuf_room(const struct tvl_sendbuf *b);

/*
 * The next piece of at most `max_len` bytes; new bytes lie below `limit` (the flow-control end).
 * false: none. An empty piece carries just the end. Not marked sent until tvl_sendbuf_sent.
 */
bool tvl_sendbuf_next(struct tvl_sendbuf *b, size_t max_len, uint64_t limit,
                      struct tvl_send_chunk *out);
bool tvl_sendbuf_has_again(const struct tvl_sendbuf *b); /* something to send without credit */

bool tvl_sendbuf_has_lost(const struct tvl_sendbuf *b); /* bytes sent are to be sent again */

void tvl_sendbuf_sent(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin);
/* Both accept any range ever sent, any number of times. */
void tvl_sendbuf_acked(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin);
void tvl_sendbuf_lost(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin);

/*
 * Of [*from, to), which was sent: the first bytes that are not acknowledged, at most `max_len` in
 * one piece. *from moves on to them. false: all of it has been acknowledged.
 */
bool tvl_sendbuf_outstanding(const struct tvl_sendbuf *b, uint64_t *from, uint64_t to,
                             size_t max_len, struct tvl_send_chunk *out);

/* Bytes of [base, end) out. */
void tvl_sendbuf_copy(const struct tvl_sendbuf *b, uint64_t offset, size_t len, uint8_t *out);

uint64_t tvl_sendbuf_unsent(const struct tvl_sendbuf *b); /* bytes never sent */
uint64_t
tvl_sendbuf_in_flight(const struct tvl_sendbuf *b); /* bytes sent, neither acked nor lost */
bool tvl_sendbuf_done(const struct tvl_sendbuf *b); /* finished and everything acknowledged */

#endif
