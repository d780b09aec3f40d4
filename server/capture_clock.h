/*
 * capture_clock.h - when what comes in its own time is played: pictures and sound of one source
 * carry times of its clock, come more or less late, and shall keep their distances. Pure; all times
 * are us.
 *
 *     play(pts) = pts + offset,  offset = the latest arrival - pts of the last seconds, and a
 * margin
 *
 * The offset goes up at once when something comes later than it bears, and down little by little
 * when for CAPTURE_CLOCK_SPAN_US nothing needed it. So jitter is held back, a clock that runs
 * slower or faster is followed, and delay does not grow.
 */
#ifndef SERVER_CAPTURE_CLOCK_H
#define SERVER_CAPTURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CAPTURE_CLOCK_SPAN_US 4000000
#define CAPTURE_CLOCK_SPARE_US 15000  /* earlier than needed by less than this is left as it is */
#define CAPTURE_CLOCK_STEP_US 5000    /* down at the end of a span, or a quarter of what is spare */
#define CAPTURE_CLOCK_JUMP_US 1000000 /* a step in the source's time: everything begins anew */

struct capture_clock {
    int64_t margin_us; /* held back at least */
    bool begun;
    int64_t offset_us;
    int64_t late_us, span_from_us; /* the latest of this span */
};

void capture_clock_init(struct capture_clock *c, int64_t margin_us);
/* Something of `pts` came `now`. Result: when it is to be played. *anew: the source's time has
 * stepped, and what waits is of no use any more. */
int64_t capture_clock_play(struct capture_clock *c, int64_t pts, int64_t now, bool *anew);

#endif
