/* demand.c - see demand.h. */
#include "demand.h"

#include <string.h>

#define PERCENT 100u
#define ENLARGED_PERCENT 110u /* a picture enlarged by less looks no better with a layer more */

const char *demand_reason_text(enum demand_reason r)
{
    static const char *const texts[] = {
        [DEMAND_SAME] = "as before",
        [DEMAND_BEGIN] = "to begin with",
        [DEMAND_DISPLAY] = "the window shows no more",
        [DEMAND_DECODER] = "this machine is too slow for more",
        [DEMAND_PATHS] = "more came for nothing",
        [DEMAND_PROOF] = "all of it came in time",
        [DEMAND_WISH] = "no more is wanted",
    };
    return (unsigned)r < sizeof texts / sizeof *texts ? texts[r] : "";
}

/* ---- input ---- */

void demand_came(struct demand_input *in, struct svc_layer l, int64_t margin_us)
{
    int32_t *least = &in->margin_us[l.spatial][l.temporal];
    if (margin_us >= 0)
        in->in_time[l.spatial][l.temporal]++;
    if (margin_us < *least)
        *least = margin_us > INT32_MIN ? (int32_t)margin_us : INT32_MIN;
}

void demand_useless(struct demand_input *in, struct svc_layer l)
{
    in->useless[l.spatial][l.temporal]++;
}

void demand_next(struct demand_input *in, int64_t now_us)
{
    in->now_us = now_us;
    in->elapsed_us = in->busy_us = in->too_slow = 0;
    memset(in->in_time, 0, sizeof in->in_time);
    memset(in->useless, 0, sizeof in->useless);
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
            in->margin_us[s][t] = DEMAND_NO_MARGIN;
}

/* ---- levels ---- */

static unsigned top_level(const struct demand_input *in)
{
    return in->n_temporal - 1u + in->n_spatial - 1u;
}

static unsigned spatial_of(const struct demand_input *in, unsigned level)
{
    return level < in->n_temporal ? 0 : level - (in->n_temporal - 1u);
}

static unsigned temporal_of(const struct demand_input *in, unsigned level)
{
    return level < in->n_temporal ? level : in->n_temporal - 1u;
}

uint8_t demand_levels_to(const struct demand_input *in, struct svc_layer top)
{
    if (top.temporal + 1u < in->n_temporal) /* spatial layers come with all temporal ones */
        return (uint8_t)(top.temporal + 1u);
    return (uint8_t)(in->n_temporal +
                     (top.spatial < in->n_spatial ? top.spatial : in->n_spatial - 1u));
}

/* The most that the person wants. */
static unsigned wished_level(const struct demand_input *in)
{
    unsigned top = top_level(in);
    return in->levels_max > 0 && in->levels_max - 1u < top ? in->levels_max - 1u : top;
}

/* The level with everything that the window can show; a picture keeps its shape in it. */
static unsigned display_level(const struct demand_input *in)
{
    unsigned s = 0, top = in->n_spatial - 1u;
    if (in->display_width == 0 || in->display_height == 0)
        return top_level(in);
    while (s < top &&
           (uint64_t)in->width[s] * ENLARGED_PERCENT < (uint64_t)in->display_width * PERCENT &&
           (uint64_t)in->height[s] * ENLARGED_PERCENT < (uint64_t)in->display_height * PERCENT)
        s++;
    while (s < top && in->width[s + 1] == in->width[s]) /* layers of quality */
        s++;
    return in->n_temporal - 1u + s;
}

/* ---- what the last inputs say ---- */

static struct demand_part take_part(const struct demand *d, const struct demand_input *in)
{
    struct demand_part p = { .elapsed_us = in->elapsed_us,
                             .busy_us = in->busy_us,
                             .too_slow = in->too_slow };
    for (unsigned s = 0; s <= spatial_of(in, d->level); s++)
        for (unsigned t = 0; t <= temporal_of(in, d->level); t++) {
            p.in_time += in->in_time[s][t];
            p.useless += in->useless[s][t];
        }
    return p;
}

static void push(struct demand *d, struct demand_part part)
{
    memmove(d->part + 1, d->part, (DEMAND_WINDOW - 1) * sizeof *d->part);
    d->part[0] = part;
    if (d->n_parts < DEMAND_WINDOW)
        d->n_parts++;
}

/* Of the last `n` inputs at this level, or what there is of them. */
static struct demand_part sum(const struct demand *d, unsigned n)
{
    struct demand_part all = { 0 };
    for (unsigned i = 0; i < d->n_parts && i < n; i++) {
        all.bad += d->part[i].useless > 0;
        all.slow += d->part[i].too_slow > 0;
        all.elapsed_us += d->part[i].elapsed_us;
        all.busy_us += d->part[i].busy_us;
        all.in_time += d->part[i].in_time;
        all.useless += d->part[i].useless;
    }
    return all;
}

static unsigned busy_percent(const struct demand_part *p)
{
    uint64_t v = p->elapsed_us ? (uint64_t)p->busy_us * PERCENT / p->elapsed_us : 0;
    return v < UINT8_MAX ? (unsigned)v : UINT8_MAX;
}

/* Whether units of the level came so late that a little more would be too much. */
static bool is_tight(const struct demand *d, const struct demand_input *in)
{
    int64_t least = (int64_t)in->latency_us * DEMAND_MARGIN_PERCENT / PERCENT;
    for (unsigned s = 0; s <= spatial_of(in, d->level); s++)
        for (unsigned t = 0; t <= temporal_of(in, d->level); t++)
            if (in->margin_us[s][t] < least)
                return true;
    return false;
}

/* Of the level above: as it was there, or by the number of pixels. */
static unsigned busy_above(const struct demand *d, const struct demand_input *in)
{
    unsigned next = d->level + 1u;
    if (d->busy_percent[next])
        return d->busy_percent[next];
    if (next < in->n_temporal)
        return d->busy_percent[d->level] * 2u;
    uint64_t before = 0, after = 0;
    for (unsigned s = 0; s <= spatial_of(in, next); s++) {
        before = after;
        after += (uint64_t)in->width[s] * in->height[s];
    }
    return before ? (unsigned)(d->busy_percent[d->level] * after / before) : 0;
}

/* ---- changes ---- */

static void go(struct demand *d, unsigned level, int64_t now_us)
{
    d->level = (uint8_t)level;
    d->n_parts = 0; /* what comes of the level that was left proves nothing */
    d->clean_since_us = d->forgiven_at_us = now_us;
}

static void fail(struct demand_try *t, int64_t now_us)
{
    t->retry_at_us = now_us + ((int64_t)DEMAND_BACKOFF_US << t->failures);
    if (t->failures < DEMAND_BACKOFF_STEPS - 1)
        t->failures++;
}

static void forgive(struct demand *d, int64_t now_us)
{
    if (now_us - d->forgiven_at_us < DEMAND_FORGIVE_US)
        return;
    d->forgiven_at_us = now_us;
    for (unsigned l = 0; l <= d->level; l++) {
        if (d->by_paths[l].failures > 0)
            d->by_paths[l].failures--;
        if (d->by_decoder[l].failures > 0)
            d->by_decoder[l].failures--;
    }
}

static enum demand_reason judge_down(struct demand *d, const struct demand_input *in)
{
    const struct demand_part decoder = sum(d, DEMAND_WINDOW_DECODER), paths = sum(d, DEMAND_WINDOW);
    unsigned busy = busy_percent(&decoder);
    if (d->n_parts >= DEMAND_WINDOW_DECODER / 2)
        d->busy_percent[d->level] = (uint8_t)(busy > 0 ? busy : 1);
    if (d->level == 0)
        return DEMAND_SAME;
    if (decoder.slow >= DEMAND_SLOW_MIN ||
        (d->n_parts >= DEMAND_WINDOW_DECODER && busy > DEMAND_BUSY_PERCENT)) {
        fail(&d->by_decoder[d->level], in->now_us);
        return DEMAND_DECODER;
    }
    if (paths.bad >= DEMAND_BAD_MIN && paths.useless >= DEMAND_USELESS_MIN &&
        paths.useless * PERCENT >= (paths.useless + paths.in_time) * DEMAND_USELESS_PERCENT) {
        fail(&d->by_paths[d->level], in->now_us);
        return DEMAND_PATHS;
    }
    return DEMAND_SAME;
}

static bool may_rise(const struct demand *d, const struct demand_input *in)
{
    unsigned next = d->level + 1u;
    bool doubt = busy_above(d, in) > DEMAND_BUSY_PERCENT && d->by_decoder[next].failures == 0;
    int64_t proof_us = doubt ? DEMAND_DOUBT_US : DEMAND_PROOF_US;
    return in->now_us - d->clean_since_us >= proof_us &&
           in->now_us >= d->by_paths[next].retry_at_us &&
           in->now_us >= d->by_decoder[next].retry_at_us;
}

static enum demand_reason decide(struct demand *d, const struct demand_input *in)
{
    unsigned wish = wished_level(in), shows = display_level(in);
    unsigned most = wish < shows ? wish : shows;
    if (!d->begun) {
        d->begun = true;
        go(d, most, in->now_us);
        return DEMAND_BEGIN;
    }
    struct demand_part part = take_part(d, in);
    push(d, part);
    if (d->level > most) {
        go(d, most, in->now_us);
        return wish < shows ? DEMAND_WISH : DEMAND_DISPLAY;
    }
    enum demand_reason down = judge_down(d, in);
    if (down != DEMAND_SAME) {
        go(d, d->level - 1u, in->now_us);
        return down;
    }
    if (part.useless > 0 || part.too_slow > 0 || is_tight(d, in)) {
        d->clean_since_us = d->forgiven_at_us = in->now_us;
        return DEMAND_SAME;
    }
    forgive(d, in->now_us);
    if (d->level == most || !may_rise(d, in))
        return DEMAND_SAME;
    go(d, d->level + 1u, in->now_us);
    return DEMAND_PROOF;
}

void demand_decide(struct demand *d, const struct demand_input *in, struct demand_decision *out)
{
    if (in->n_spatial < 1 || in->n_spatial > SVC_SPATIAL_MAX || in->n_temporal < 1 ||
        in->n_temporal > SVC_TEMPORAL_MAX) {
        *out = (struct demand_decision){ 0 };
        return;
    }
    if (in->paths > d->paths) /* what failed before is no evidence any more */
        memset(d->by_paths, 0, sizeof d->by_paths);
    d->paths = in->paths;
    enum demand_reason reason = decide(d, in);
    *out = (struct demand_decision){ (uint8_t)spatial_of(in, d->level),
                                     (uint8_t)temporal_of(in, d->level), (uint8_t)reason };
}
