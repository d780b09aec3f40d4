/*
 * wire.h - the messages between a child's link and its parent's, over a SOCK_SEQPACKET pair.
 *
 *     child                              parent
 *     HELLO version, weight, names  ──►
 *                                   ◄──  OFFER depth and limits; again when they change
 *                                        (or REFUSED with a line, and the end)
 *     FRAME way, head, bytes        ──►  passes the parent's link
 *                                   ◄──  FRAME the same way and head: deliver it
 *                                   ◄──  CREDIT way, bytes let go on in all: send as much again
 *
 * Both run on one machine: numbers are in its byte order. The head is the child's own business
 * (frame.h) and comes back as it was sent. Pure.
 */
#ifndef VLINK_WIRE_H
#define VLINK_WIRE_H

#include "link.h"

#define VLINK_WIRE_VERSION 1u
#define VLINK_WIRE_FRAME_HEAD (4u + VLINK_HEAD_MAX) /* bytes before a frame's own, at most */
#define VLINK_WIRE_MAX (VLINK_WIRE_FRAME_HEAD + VLINK_FRAME_MAX)
#define VLINK_WIRE_NEWS_MAX 512u /* bytes of any message but FRAME */

enum vlink_wire_kind {
    VLINK_WIRE_HELLO = 1,
    VLINK_WIRE_REFUSED,
    VLINK_WIRE_OFFER,
    VLINK_WIRE_FRAME,
    VLINK_WIRE_CREDIT,
};

struct vlink_wire {
    enum vlink_wire_kind kind;
    uint32_t version, weight;                         /* HELLO */
    char slice[VLINK_NAME_MAX], link[VLINK_NAME_MAX]; /* HELLO */
    char why[VLINK_WHY_MAX];                          /* REFUSED */
    uint32_t depth;                                   /* OFFER: of the parent's link, 0: no child */
    struct vlink_limit limit[VLINK_WAYS];             /* OFFER */
    enum vlink_way way;                               /* FRAME, CREDIT */
    uint64_t credit;                                  /* CREDIT */
    const uint8_t *head, *bytes;                      /* FRAME: inside the message */
    size_t head_len, len;
};

/* 0, or -1: not a message of this version, in any part. */
int vlink_wire_read(struct vlink_wire *out, const uint8_t *message, size_t len);
/* Any but FRAME into `message` (VLINK_WIRE_NEWS_MAX); its length. */
size_t vlink_wire_write(const struct vlink_wire *m, uint8_t *message);
/* What goes before a frame's bytes, into `head` (VLINK_WIRE_FRAME_HEAD); its length. */
size_t vlink_wire_frame_head(const struct vlink_frame *f, uint8_t *head);

#endif
