/*
 * track_counts.h - what became of the objects of each track that is published, by the track's name:
 * over all connections, those that are gone included. A track has the same flow of the transport
 * (<tvl/tvl.h>) on each, for the life of the counts; the transport counts what was in time there.
 */
#ifndef PEER_TRACK_COUNTS_H
#define PEER_TRACK_COUNTS_H

#include <moq/msf.h>
#include <tvl/tvl.h>

struct track_count {
    char name[MSF_NAME_MAX];
    uint64_t written, bytes; /* objects that were queued on a connection, and their payload */
    uint64_t left_out;       /* not queued: no room on a connection */
    uint64_t in_time;        /* acknowledged within their lifetime */
    uint64_t expired;        /* given up: their lifetime passed first */
};

struct track_counts { /* zero to begin with */
    size_t n;
    struct track_count of[TVL_FLOWS_MAX]; /* by flow; in_time and expired: of what is gone */
};

/* The track's flow: 0 for the `base` of the video, as the schedulers take it; the same for the same
 * name. When all are taken, the last is shared. */
uint32_t track_counts_flow(struct track_counts *c, const char *name, bool base);
/* Adds what the transport has counted on a connection. */
void track_counts_add(struct track_counts *c, const struct tvl_conn *conn);

#endif
