/*
 * wire.h - the way of one session's objects: struct moq_quic over libtvl, with an ear on it. moq
 * says that an object was queued, not which stream carries it at which rank; both are heard here,
 * so that an expired stream can be told to its layer and a backlog asked for by layer.
 */
#ifndef PEER_WIRE_H
#define PEER_WIRE_H

#include <moq/moq_tvl.h>

#include "tracks.h"

_Static_assert(TRACKS_MAX <= TVL_FLOWS_MAX, "a flow for each track");

#define WIRE_FLIGHTS_MAX                                                      \
    8192 /* objects remembered until their stream ends; a power of two, above \
            MOQ_STREAMS_MAX. As much room as is needed, from: */
#define WIRE_FLIGHTS_MIN 16

struct wire_flight {
    uint64_t stream; /* 0: none (stream 0 is never ours) */
    uint64_t picture;
    tvl_time at; /* queued */
    uint8_t watch, track;
};

struct wire {           /* at one place for its life: moq holds a pointer to it */
    struct moq_tvl tvl; /* first: it is what moq_quic.ctx points to */
    struct moq_quic inner;
    uint64_t last_stream, last_rank; /* of the last object */
    struct wire_flight *flight;      /* `cap`, by stream number; owned */
    size_t cap;                      /* a power of two, or 0 */
};

void wire_init(struct wire *w, struct tvl_conn *conn, struct moq_quic *out);
void wire_fini(struct wire *w);
/* Objects written to the session from now on go on streams of `flow`. */
void wire_aim(struct wire *w, uint32_t flow);
/* The object just written to the session was `picture` of track number `track` of the session's
 * `watch`. */
void wire_note(struct wire *w, uint8_t watch, size_t track, uint64_t picture);
/* The stream has ended: what it carried, or NULL. Valid until the next wire_note. */
const struct wire_flight *wire_end(struct wire *w, uint64_t stream);
/* All of `watch` that has not ended is of no interest any more. */
void wire_forget(struct wire *w, uint8_t watch);

#endif
