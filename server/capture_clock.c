/* capture_clock.c - see capture_clock.h. */
#include "capture_clock.h"

void capture_clock_init(struct capture_clock *c, int64_t margin_us)
{
    *c = (struct capture_clock){ .margin_us = margin_us };
}

static void begin_span(struct capture_clock *c, int64_t late_us, int64_t now)
{
    c->late_us = late_us;
    c->span_from_us = now;
}

/* Nothing has come as late as the offset bears for a whole span: a step down. */
static void end_span(struct capture_clock *c, int64_t late_us, int64_t now)
{
    const int64_t spare = c->offset_us - (c->late_us + c->margin_us);

    if (spare > CAPTURE_CLOCK_SPARE_US)
        c->offset_us -= spare / 4 > CAPTURE_CLOCK_STEP_US ? spare / 4 : CAPTURE_CLOCK_STEP_US;
    begin_span(c, late_us, now);
}

int64_t capture_clock_play(struct capture_clock *c, int64_t pts, int64_t now, bool *anew)
{
    const int64_t late = now - pts;
    const int64_t off = late + c->margin_us - c->offset_us;

    *anew = c->begun && (off > CAPTURE_CLOCK_JUMP_US || off < -CAPTURE_CLOCK_JUMP_US);
    if (!c->begun || *anew) {
        c->begun = true;
        c->offset_us = late + c->margin_us;
        begin_span(c, late, now);
    }
    if (late > c->late_us)
        c->late_us = late;
    if (late > c->offset_us)
        c->offset_us = late;
    if (now - c->span_from_us >= CAPTURE_CLOCK_SPAN_US)
        end_span(c, late, now);
    return pts + c->offset_us;
}
