/*
 * share.h - the weighted fair queue before a link's bottleneck: who is served next.
 *
 *     tenant 0 ─► [ queue ]─┐
 *     tenant 1 ─► [ queue ]─┼─► pop: the packet with the least start tag ─► vlink_dir
 *     tenant 2 ─► [ queue ]─┘
 *
 * Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a packet's start tag is the larger of
 * the link's virtual time and the finish tag of the one before it in its queue; finish = start +
 * bytes / weight; virtual time is the start tag of the packet in service. Unlike WF2Q it needs no
 * rate, so it is as fair on a recorded trace; a tenant that sends less than its share waits for no
 * more than the packet in service and one of each other tenant, whatever they offer.
 *
 * Pure: a packet is its bytes, the time it came, and the caller's pointer.
 */
#ifndef VLINK_SHARE_H
#define VLINK_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dir.h"

#define VLINK_TENANTS_MAX 64u          /* of one share */
#define VLINK_WEIGHT_MAX 1000u         /* weights are [1, VLINK_WEIGHT_MAX] */
#define VLINK_SHARE_PACKETS_MAX 32768u /* waiting, of one tenant */

struct vlink_share_item {
    void *packet;
    vlink_time came;
    uint32_t bytes; /* as they count on the link, at least 1 */
    unsigned tenant;
};

struct vlink_share;

struct vlink_share *vlink_share_new(void);    /* NULL: no memory */
void vlink_share_free(struct vlink_share *s); /* packets inside are forgotten: pop them first */

/* A new tenant; its number, or -1: VLINK_TENANTS_MAX are there. */
int vlink_share_join(struct vlink_share *s, uint32_t weight);
/* The tenant goes. Its packets must have been taken with vlink_share_pop_of. */
void vlink_share_leave(struct vlink_share *s, unsigned tenant);
void vlink_share_weigh(struct vlink_share *s, unsigned tenant, uint32_t weight);

/* False: VLINK_SHARE_PACKETS_MAX or memory; the packet stays the caller's. */
bool vlink_share_push(struct vlink_share *s, const struct vlink_share_item *item);
/* The next packet to be served; false: none waits. */
bool vlink_share_pop(struct vlink_share *s, struct vlink_share_item *out);
/* The oldest packet of one tenant, out of turn (to discard it). */
bool vlink_share_pop_of(struct vlink_share *s, unsigned tenant, struct vlink_share_item *out);

size_t vlink_share_packets(const struct vlink_share *s, unsigned tenant);
uint64_t vlink_share_bytes(const struct vlink_share *s, unsigned tenant);
size_t vlink_share_packets_all(const struct vlink_share *s);
uint64_t vlink_share_bytes_all(const struct vlink_share *s);
/* When the oldest packet of the tenant came; VLINK_NEVER: none waits. */
vlink_time vlink_share_oldest(const struct vlink_share *s, unsigned tenant);
/* About how many bytes will be served before a packet that this tenant adds now. */
uint64_t vlink_share_ahead(const struct vlink_share *s, unsigned tenant);

#endif
