/*
 * frame.h - an Ethernet frame on its way through links: counted references, and where it came from.
 *
 * `len` bytes from the destination address to the end of the payload, without FCS: that is how a
 * frame counts on a link (plus the link's `overhead`, 0 unless set).
 */
#ifndef VLINK_FRAME_H
#define VLINK_FRAME_H

#include <stdint.h>

#include "dir.h"
#include "spec.h"

#define VLINK_FRAME_MIN 14u   /* addresses and type */
#define VLINK_FRAME_MAX 9216u /* larger ones are dropped and counted */
#define VLINK_DEPTH_MAX 4u    /* slices in slices: links a frame passes */
#define VLINK_HEAD_MAX (VLINK_DEPTH_MAX * sizeof(struct vlink_origin))

enum vlink_origin_kind { VLINK_OF_PORT, VLINK_OF_TENANT };

/* Where a frame entered a link. A child link sends it along to the parent's and gets it back. */
struct vlink_origin {
    uint16_t kind, place;
    uint32_t generation; /* tells a port from a later one in the same place */
    vlink_time came;
};

struct vlink_frame {
    unsigned refs;
    uint16_t len;
    uint16_t head_len; /* of `head` */
    enum vlink_way way;
    bool credited; /* its child may send more: it does not wait at the bottleneck any more */
    struct vlink_origin origin;   /* at the link where it is now */
    uint8_t head[VLINK_HEAD_MAX]; /* origins at child links, the nearest first: theirs to read */
    uint8_t bytes[];
};

struct vlink_frame *vlink_frame_new(const void *bytes, size_t len); /* one reference, or NULL */
struct vlink_frame *vlink_frame_ref(struct vlink_frame *f);
void vlink_frame_unref(struct vlink_frame *f);

/* `origin` into the head, and back out of it (also into *origin). -1: no room, nothing there. */
int vlink_frame_push_origin(struct vlink_frame *f);
int vlink_frame_pop_origin(struct vlink_frame *f);

/* Congestion experienced (RFC 3168 5) on an IPv4 or IPv6 packet that is ECN-capable; false: it is
 * not. The IPv4 header checksum is kept right. At most one VLAN tag is looked through. */
bool vlink_frame_mark(struct vlink_frame *f);

#endif
