/*
 * sent_frame.h - the record of one frame in a sent packet: what must be known when the packet is
 * acknowledged or lost. Small and plain, kept by the packet records of loss recovery.
 *
 * Frames that need no care either way (PADDING, CONNECTION_CLOSE, PATH_RESPONSE) have no record.
 */
#ifndef TVL_CORE_SENT_FRAME_H
#define TVL_CORE_SENT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum tvl_sent_kind {
    TVL_SENT_NONE,
    /* owned by tvl_streams */
    TVL_SENT_STREAM,              /* id, offset, len, fin */
    TVL_SENT_RESET_STREAM,        /* id */
    TVL_SENT_STOP_SENDING,        /* id */
    TVL_SENT_MAX_STREAM_DATA,     /* id, offset = the maximum */
    TVL_SENT_MAX_DATA,            /* offset = the maximum */
    TVL_SENT_MAX_STREAMS,         /* id = enum tvl_dir, offset = the maximum */
    TVL_SENT_DATA_BLOCKED,        /* offset = the limit */
    TVL_SENT_STREAM_DATA_BLOCKED, /* id, offset = the limit */
    TVL_SENT_STREAMS_BLOCKED,     /* id = enum tvl_dir, offset = the limit */
    /* owned by the connection */
    TVL_SENT_CRYPTO, /* id = level, offset, len */
    TVL_SENT_ACK,    /* id = path ID, offset = largest acknowledged; also PATH_ACK */
    TVL_SENT_PING,
    TVL_SENT_HANDSHAKE_DONE,
    TVL_SENT_NEW_TOKEN,
    TVL_SENT_NEW_CID,           /* id = path ID, offset = sequence number; both forms */
    TVL_SENT_RETIRE_CID,        /* id = path ID, offset = sequence number; both forms */
    TVL_SENT_PATH_CHALLENGE,    /* id = path ID */
    TVL_SENT_PATH_ABANDON,      /* id = path ID */
    TVL_SENT_PATH_STATUS,       /* id = path ID, offset = status sequence number */
    TVL_SENT_MAX_PATH_ID,       /* offset = the maximum */
    TVL_SENT_PATHS_BLOCKED,     /* offset = the maximum */
    TVL_SENT_PATH_CIDS_BLOCKED, /* id = path ID, offset = next sequence number */
    TVL_SENT_DATAGRAM,          /* len; never sent again */
    TVL_SENT_MTU_PROBE,         /* len */
    TVL_SENT_REPAIR,            /* id = stream, offset = its block's, len = index; never again */
};

struct tvl_sent_frame {
    uint8_t kind; /* enum tvl_sent_kind */
    bool fin;
    bool again; /* STREAM: it was sent before */
    uint32_t len;
    uint64_t id;
    uint64_t offset;
};

/* Where a builder puts its records; the array is the caller's. */
struct tvl_sent_list {
    struct tvl_sent_frame *v;
    uint32_t count, cap;
};

#endif
