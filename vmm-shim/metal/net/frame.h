/* frame.h - the header of an Ethernet frame. */
#ifndef METAL_FRAME_H
#define METAL_FRAME_H

#include <string.h>

#include "bytes.h"

#define FRAME_HEADER 14u
#define FRAME_FROM 6u  /* offset of the sender */
#define FRAME_TYPE 12u /* of the type */
#define FRAME_IPV4 0x0800u
#define FRAME_ARP 0x0806u

/* `to` may lie in the frame; NULL: zero, to be filled in later. */
static inline void frame_header(uint8_t *frame, const uint8_t *to, const uint8_t from[6],
                                uint16_t type)
{
    if (to)
        memmove(frame, to, 6);
    else
        memset(frame, 0, 6);
    memcpy(frame + FRAME_FROM, from, 6);
    put16(frame + FRAME_TYPE, type);
}

#endif
