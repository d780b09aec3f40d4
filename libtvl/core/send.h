/*
 * send.h - the packet under construction: header, frames, records of the frames, protection.
 */
#ifndef TVL_CORE_SEND_H
#define TVL_CORE_SEND_H

#include "conn.h"

struct tvl_unmasked { /* 1-RTT packets whose headers are to be protected together */
    struct tvl_packet_mark mark[TVL_MASKS_MAX];
    size_t n;
};

struct tvl_builder {
    struct tvl_conn *conn;
    struct tvl_path *path;
    struct tvl_place *place; /* of the path: where the datagram goes */
    struct tvl_space *space;
    enum tvl_level level;
    uint8_t *start; /* of the packet */
    uint8_t *payload;
    struct tvl_wr w; /* ends where the tag must begin */
    struct tvl_packet_mark mark;
    struct tvl_sent_packet packet;
    struct tvl_sent_list list; /* over `record` */
    bool eliciting, padded;
    bool leading; /* has a frame that is not for probing only: the peer follows us, RFC 9000 9.1 */
    bool full_size;             /* the datagram must be padded to TVL_MTU */
    const char *trigger;        /* for the trace: why it leaves here; NULL: the scheduler chose */
    struct tvl_unmasked *later; /* where the header waits for its protection; NULL: done at once */
    struct tvl_sent_frame record[TVL_PACKET_FRAMES_MAX]; /* not cleared */
};

/* Start a packet in at most `room` bytes. false: too little room, or no keys. */
bool tvl_builder_begin(struct tvl_builder *b, struct tvl_path *path, enum tvl_level level,
                       uint8_t *bytes, size_t room);
/* The same, 1-RTT, to a place that is not where the path's packets go. */
bool tvl_builder_begin_aside(struct tvl_builder *b, struct tvl_path *path, struct tvl_place *place,
                             uint8_t *bytes, size_t room);
/* Append a frame with its record (NULL: none is kept). false: it does not fit. */
bool tvl_builder_frame(struct tvl_builder *b, const struct tvl_frame *f,
                       const struct tvl_sent_frame *record);
bool tvl_builder_is_empty(const struct tvl_builder *b);
/* PADDING until the packet, sealed, has `len` bytes. */
void tvl_builder_pad(struct tvl_builder *b, size_t len);
/* Seal, record as sent. Bytes of the packet, or 0: it was not made. */
size_t tvl_builder_finish(struct tvl_builder *b);

#endif
