/* frame.c - see frame.h. */
#include "frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ETH_IPV4 0x0800u
#define ETH_IPV6 0x86ddu
#define ETH_VLAN 0x8100u
#define VLAN_BYTES 4u
#define ECN_MASK 3u /* 0: not capable, 3: congestion experienced */

struct vlink_frame *vlink_frame_new(const void *bytes, size_t len)
{
    assert(len <= VLINK_FRAME_MAX);
    struct vlink_frame *f = malloc(sizeof *f + len);
    if (!f)
        return NULL;
    *f = (struct vlink_frame){ .refs = 1, .len = (uint16_t)len };
    memcpy(f->bytes, bytes, len);
    return f;
}

struct vlink_frame *vlink_frame_ref(struct vlink_frame *f)
{
    f->refs++;
    return f;
}

void vlink_frame_unref(struct vlink_frame *f)
{
    if (f && --f->refs == 0)
        free(f);
}

int vlink_frame_push_origin(struct vlink_frame *f)
{
    if (f->head_len + sizeof f->origin > VLINK_HEAD_MAX)
        return -1;
    memmove(f->head + sizeof f->origin, f->head, f->head_len);
    memcpy(f->head, &f->origin, sizeof f->origin);
    f->head_len = (uint16_t)(f->head_len + sizeof f->origin);
    return 0;
}

int vlink_frame_pop_origin(struct vlink_frame *f)
{
    if (f->head_len < sizeof f->origin)
        return -1;
    memcpy(&f->origin, f->head, sizeof f->origin);
    f->head_len = (uint16_t)(f->head_len - sizeof f->origin);
    memmove(f->head, f->head + sizeof f->origin, f->head_len);
    return 0;
}

static unsigned read16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The ECN bits are the low ones of the IPv4 header's second byte: the first 16-bit word of the
 * checksum changes by `change` (RFC 1624, equation 3). */
static void mark_ipv4(uint8_t *ip)
{
    uint32_t old = read16(ip), sum = read16(ip + 10);
    ip[1] |= ECN_MASK;
    sum = (~sum & 0xffffu) + (~old & 0xffffu) + read16(ip);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = ~((sum & 0xffffu) + (sum >> 16)) & 0xffffu;
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
}

bool vlink_frame_mark(struct vlink_frame *f)
{
    size_t at = 12;
    if (f->len < VLINK_FRAME_MIN + VLAN_BYTES)
        return false;
    if (read16(f->bytes + at) == ETH_VLAN)
        at += VLAN_BYTES;
    unsigned type = read16(f->bytes + at);
    uint8_t *ip = f->bytes + at + 2;
    size_t left = f->len - (at + 2);
    if (type == ETH_IPV4 && left >= 20 && ip[1] & ECN_MASK) {
        mark_ipv4(ip);
        return true;
    }
    if (type == ETH_IPV6 && left >= 40 && ip[1] >> 4 & ECN_MASK) {
        ip[1] |= ECN_MASK << 4; /* traffic class: low nibble of byte 0, high nibble of byte 1 */
        return true;
    }
    return false;
}
