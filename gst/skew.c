/* skew.c - see skew.h. */
#include "skew.h"

#include <string.h>

#define BUCKET_US (SKEW_WINDOW_US / SKEW_BUCKETS)
#define STEP_MAX_US 1000000 /* of time between two arrivals that counts for the slew */
#define NO_NUMBER INT64_MIN

static void empty_window(struct skew *s, int64_t from)
{
    for (int i = 0; i < SKEW_BUCKETS; i++)
        s->number[i] = NO_NUMBER;
    s->filled_from = from;
}

void skew_init(struct skew *s, int64_t bound_us)
{
    *s = (struct skew){ .bound_us = bound_us };
}

void skew_reset(struct skew *s)
{
    skew_init(s, s->bound_us);
}

/* Puts it into the window; result: the least of that. Times are not negative. */
static int64_t least_with(struct skew *s, int64_t arrival, int64_t diff)
{
    const int64_t number = arrival / BUCKET_US;
    const int at = (int)(number % SKEW_BUCKETS);
    int64_t least = diff;
    if (s->number[at] != number || diff < s->least[at])
        s->least[at] = diff;
    s->number[at] = number;
    for (int i = 0; i < SKEW_BUCKETS; i++)
        if (s->number[i] > number - SKEW_BUCKETS && s->least[i] < least)
            least = s->least[i];
    return least;
}

static double clamp(double v, double most)
{
    return v > most ? most : v < -most ? -most : v;
}

/* What is quicker than ever is proof; that nothing is quick any more takes a whole window. */
static enum skew_result follow(struct skew *s, int64_t arrival, int64_t least)
{
    const bool whole = arrival - s->filled_from >= SKEW_WINDOW_US;
    const int64_t since = arrival - s->last_at;
    const double step = (double)(since < STEP_MAX_US ? since : STEP_MAX_US);
    const double off = (double)least - s->offset;
    if (off > 0 && !whole)
        return SKEW_FOLLOWED;
    if ((off > (double)s->bound_us || off < -(double)s->bound_us) &&
        arrival - s->set_at >= SKEW_HOLD_US) {
        s->offset = (double)least;
        s->set_at = arrival;
        return SKEW_RESYNCED;
    }
    s->offset += clamp(off * step / SKEW_TAU_US, step * SKEW_SLEW_MAX);
    return SKEW_FOLLOWED;
}

enum skew_result skew_put(struct skew *s, int64_t arrival, int64_t media)
{
    const int64_t diff = arrival - media;
    enum skew_result result = SKEW_FOLLOWED;
    if (s->began && s->settled &&
        ((double)diff - s->offset > SKEW_JUMP_US || s->offset - (double)diff > SKEW_JUMP_US))
        return SKEW_JUMPED;
    if (!s->began) {
        s->began = true;
        s->offset = (double)diff;
        s->began_at = s->last_at = arrival;
        empty_window(s, arrival);
    }
    if (arrival < s->last_at) { /* the clock was set back */
        s->began_at = arrival;
        s->set_at = arrival - SKEW_HOLD_US;
    }
    if (arrival < s->last_at || arrival - s->last_at >= SKEW_WINDOW_US)
        empty_window(s, arrival);
    const int64_t least = least_with(s, arrival, diff);
    if (s->settled)
        result = follow(s, arrival, least);
    else if ((double)diff < s->offset)
        s->offset = (double)diff;
    if (!s->settled && arrival - s->began_at >= SKEW_SETTLE_US) {
        s->settled = true;
        s->set_at = arrival;
    }
    s->last_at = arrival;
    return result;
}

int64_t skew_offset(const struct skew *s)
{
    return (int64_t)s->offset;
}

bool skew_is_settled(const struct skew *s, int64_t now, int64_t *rest_us)
{
    *rest_us = s->began_at + SKEW_SETTLE_US - now;
    return s->began && (s->settled || *rest_us <= 0);
}
