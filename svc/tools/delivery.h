/*
 * delivery.h - which units of a layered file arrived when, and what a receiver can decode of that.
 *
 * A delivery log is JSON, one object a line, in any order:
 *
 *     {"picture": 12, "spatial": 1, "at_us": 433120}
 *
 * the unit of spatial layer 1 of the file's 13th picture came 433.12 ms after some beginning. Other
 * keys are passed over, a unit named twice came when it came first, one not named never came. The
 * replay is the player's: the first arrival starts the clock, each picture is due `latency` after
 * its place in the file, what comes later is decoded if its references still fit and heals slots.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "svc/svc.h"

#define DELIVERY_LINE_MAX 1024
#define DELIVERY_NEVER INT64_MAX
#define DELIVERY_TIME_MAX (INT64_C(1) << 50) /* us */

struct delivery_line {
    uint64_t picture;
    uint8_t spatial;
    int64_t at_us; /* [0, DELIVERY_TIME_MAX] */
};
/* 1: *out. 0: an empty line. SVC_ERR_FORMAT. `len` without the line's end. */
int delivery_parse_line(struct delivery_line *out, const char *text, size_t len);

enum delivery_fate {
    DELIVERY_ABSENT,      /* not wanted, dropped, or it never came */
    DELIVERY_KEPT,        /* decoded in turn */
    DELIVERY_LATE,        /* decoded behind its turn: its picture was not better for it */
    DELIVERY_UNDECODABLE, /* it came, but what it reads did not, or not in time */
};

struct delivery_unit {
    struct svc_unit unit; /* bytes and len are not used */
    int64_t at_us;        /* DELIVERY_NEVER: absent */
    enum delivery_fate fate;
};
/*
 * Settles the fate of each of `n` units, in the file's order. `codec` as in svc_decoder_new: where
 * it decodes in order only, nothing is healed. latency_us < 0: everything that is not absent came
 * in time.
 */
void delivery_replay(struct delivery_unit *units, size_t n, const char *codec, int64_t latency_us);

#endif
