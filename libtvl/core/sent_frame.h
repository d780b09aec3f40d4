/*
 * sent_frame.h - what is remembered of a frame that was sent, until its packet is acknowledged or
 * lost.
 */
#ifndef TVL_CORE_SENT_FRAME_H
#define TVL_CORE_SENT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

struct tvl_sent_frame {
    uint8_t kind;
    bool fin;
    uint32_t len;
    uint64_t id;
    uint64_t offset;
};

#endif
