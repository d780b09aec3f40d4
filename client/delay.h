/*
 * delay.h - where a picture's time goes on its way from the camera to the screen, in parts that sum
 * to the whole. Pure.
 *
 *     captured --encode--> bytes --queue, network--> arrived --buffer--> decoder --> screen
 *
 * The sender stamps a picture with its own clock, so between two machines only the sum of queue and
 * network and the difference of the clocks is seen. Where the fastest pictures of the last minute
 * seem to have been on their way for no less than nothing and no more than DELAY_SAME_CLOCK_US
 * beyond half a round trip, the clocks are taken to agree; else the fastest is taken to have needed
 * half a round trip, and the difference is said (clock_ms).
 */
#ifndef CLIENT_DELAY_H
#define CLIENT_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#define DELAY_SAME_CLOCK_US 100000
#define DELAY_MINUTES 2        /* halves of the minute that the fastest picture is looked for in */
#define DELAY_HALF_US 30000000 /* length of one */
#define DELAY_CAPTURE_MAX_US 3600000000ll /* stamps that are further off say nothing */

struct delay_stamps { /* of one shown picture, us by the receiver's clock (monotonic) */
    int64_t
        captured; /* by the sender's clock, put on the receiver's as if they agreed; 0: not known */
    uint32_t encode_us;
    int64_t arrived, decode_began, decoded, due, shown; /* due: when it was handed to the screen */
};

enum delay_part {
    DELAY_ENCODE,
    DELAY_QUEUE,   /* in the sender: what is neither network nor known otherwise */
    DELAY_NETWORK, /* half of the least round trip among the paths */
    DELAY_BUFFER,  /* waiting for its turn, and decoded for its time */
    DELAY_DECODE,
    DELAY_DISPLAY,
    DELAY_PARTS
};
const char *delay_part_name(enum delay_part p); /* static */

struct delay { /* zero is a fresh one */
    bool any, has_capture;
    double part_ms[DELAY_PARTS]; /* means of about the last second; of parts that are not known 0 */
    double total_ms;             /* their sum */
    double clock_ms;             /* by which the sender's clock is ahead, as estimated; 0: agrees */
    int64_t fastest_us[DELAY_MINUTES], half_began_us; /* way of the fastest, this half and before */
    bool has_fastest[DELAY_MINUTES];
};

/* `rtt_us`: least smoothed round trip of the paths that are up; 0: not known. */
void delay_add(struct delay *d, const struct delay_stamps *s, int64_t rtt_us);

#endif
