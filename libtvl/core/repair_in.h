/*
 * repair_in.h - repair symbols that arrive, and what they bring back (docs/decisions/0009).
 *
 * Symbols of a block wait until as many are there as units are missing; then the units are computed
 * and taken as if they had come in STREAM frames, and RECOVERED tells the peer. A stream that the
 * peer protects keeps what has been read of it (tvl_recvbuf_keep), for that is part of the sum.
 */
#ifndef TVL_CORE_REPAIR_IN_H
#define TVL_CORE_REPAIR_IN_H

#include "frame.h"

struct tvl_conn;
struct tvl_builder;

#define TVL_REPAIR_KEPT_MAX 64    /* streams that keep what was read, at once */
#define TVL_REPAIR_WAITING_MAX 64 /* blocks with symbols that do not suffice; the oldest goes */
#define TVL_REPAIR_WAITING_BYTES (1u << 20) /* of their symbols */
#define TVL_REPAIR_TOLD_MAX 64 /* RECOVERED frames to be written; what is more is not told */

struct tvl_mend { /* a block that is not whole */
    struct tvl_mend *next;
    struct tvl_frame_repair block; /* of its first symbol; `bytes` is not used */
    uint32_t symbols;
    uint8_t index[TVL_REPAIR_SYMBOLS_MAX];
    uint8_t *symbol[TVL_REPAIR_SYMBOLS_MAX]; /* owned */
};

struct tvl_recovered {
    uint64_t id, offset, len;
    bool fin;
};

struct tvl_repair_in { /* zeroed: nothing */
    struct tvl_mend *first;
    uint32_t waiting;           /* of them */
    size_t bytes;               /* of their symbols */
    uint64_t *kept;             /* IDs of streams, TVL_REPAIR_KEPT_MAX; owned, from the first on */
    struct tvl_recovered *told; /* TVL_REPAIR_TOLD_MAX; the same */
    uint32_t n_kept, n_told;
    uint64_t received, recovered; /* symbols; bytes */
};

void tvl_repair_in_fini(struct tvl_repair_in *r);
/* The frame is of the extension: may the peer send it? */
bool tvl_repair_agreed(const struct tvl_conn *conn, uint64_t type);
/* 0 or the negative of an enum tvl_wire_error. */
int tvl_repair_on_frame(struct tvl_conn *conn, const struct tvl_frame *f);
/* After a frame of a stream, while something waits: it may suffice now. The same. */
int tvl_repair_retry(struct tvl_conn *conn, const struct tvl_frame *f);
/* Write what is to be told. */
void tvl_repair_tell(struct tvl_conn *conn, struct tvl_builder *b);

#endif
