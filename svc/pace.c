/* pace.c - see svc/pace.h. */
#include "svc/pace.h"

#define WINDOW_US 500000u
#define WINDOW_PICTURES_MIN 8u
/* Less than a window is enough when so many pictures in a row began so many periods late, which one
 * key picture does not bring about, or when two take that much more than they may. */
#define HASTE_LATE 2u
#define HASTE_ROW 3u
#define HASTE_LOAD 2.5
#define HIGH 0.85
#define LOW 0.72               /* what an ascent may be expected to need */
#define FAILED_US 30000000u    /* down again so soon: the ascent was wrong */
#define FORGIVEN_US 120000000u /* an ascent that held so long: `hold` begins anew */
#define FORGET 0.05            /* per window: what was measured once moves towards what is usual */

enum kind { SPEED, TEMPORAL, SPATIAL };
/* What a level costs over the one below it: usually, at least, and at most; what is measured beyond
 * that was something else that used the machine. */
static const double usual[] = { [SPEED] = 1.15, [TEMPORAL] = 1.7, [SPATIAL] = 2.5 };
static const double least[] = { [SPEED] = 1.0, [TEMPORAL] = 1.2, [SPATIAL] = 1.4 };
static const double most[] = { [SPEED] = 1.5, [TEMPORAL] = 2.2, [SPATIAL] = 4.0 };

static unsigned speeds(const struct svc_pace *p)
{
    return p->cfg.speed_max - p->cfg.best.speed;
}

/* What is saved between `level` and the one below it. */
static enum kind kind_of(const struct svc_pace *p, unsigned level)
{
    if (level < speeds(p))
        return SPEED;
    return level < speeds(p) + p->cfg.best.n_temporal - 1u ? TEMPORAL : SPATIAL;
}

bool svc_pace_init(struct svc_pace *p, const struct svc_pace_config *cfg)
{
    const struct svc_pace_orders *b = &cfg->best;

    if (cfg->period_us < 1000 || cfg->period_us > 1000000 || b->n_temporal < 1 ||
        b->n_spatial < 1 || cfg->speed_max < b->speed ||
        cfg->speed_max - b->speed + b->n_temporal + b->n_spatial - 1 > SVC_PACE_LEVELS_MAX)
        return false;
    *p = (struct svc_pace){ .cfg = *cfg, .hold_us = SVC_PACE_HOLD_MIN_US };
    p->n_levels = (uint8_t)(speeds(p) + b->n_temporal + b->n_spatial - 1u);
    for (unsigned l = 0; l < p->n_levels; l++)
        p->cost[l] = usual[kind_of(p, l)];
    return true;
}

struct svc_pace_orders svc_pace_orders(const struct svc_pace *p)
{
    struct svc_pace_orders o = p->cfg.best;

    for (unsigned l = 0; l < p->level; l++) {
        const enum kind kind = kind_of(p, l);

        o.speed = (uint8_t)(o.speed + (kind == SPEED));
        o.n_temporal = (uint8_t)(o.n_temporal - (kind == TEMPORAL));
        o.n_spatial = (uint8_t)(o.n_spatial - (kind == SPATIAL));
    }
    return o;
}

double svc_pace_load(const struct svc_pace *p)
{
    return p->load;
}

static void begin_window(struct svc_pace *p)
{
    p->busy_us = 0;
    p->pictures = p->late_row = 0;
}

static bool down(struct svc_pace *p, uint64_t now_us)
{
    p->proven_since = 0;
    if (p->level + 1u >= p->n_levels)
        return false;
    if (p->rose_at && now_us - p->rose_at < FAILED_US)
        p->hold_us = p->hold_us * 2 < SVC_PACE_HOLD_MAX_US ? p->hold_us * 2 : SVC_PACE_HOLD_MAX_US;
    p->rose_at = 0;
    p->before = p->load;
    p->level++;
    p->downs++;
    return true;
}

/* The first whole window after a descent shows what the level left was worth. */
static void learn(struct svc_pace *p)
{
    if (p->level == 0)
        return;
    const unsigned l = p->level - 1u;
    const enum kind kind = kind_of(p, l);

    if (p->before > 0 && p->load > 0) {
        const double ratio = p->before / p->load;

        p->cost[l] = ratio < least[kind] ? least[kind] : ratio > most[kind] ? most[kind] : ratio;
    } else {
        p->cost[l] += FORGET * (usual[kind] - p->cost[l]);
    }
    p->before = 0;
}

static bool up(struct svc_pace *p, uint64_t now_us)
{
    if (p->level == 0 || p->load * p->cost[p->level - 1] > LOW) {
        p->proven_since = 0;
        return false;
    }
    if (!p->proven_since)
        p->proven_since = now_us;
    if (now_us - p->proven_since < p->hold_us)
        return false;
    p->proven_since = 0;
    p->rose_at = now_us;
    p->level--;
    p->ups++;
    return true;
}

bool svc_pace_picture(struct svc_pace *p, uint64_t now_us, uint64_t busy_us, uint64_t late_us)
{
    p->busy_us += busy_us;
    p->pictures++;
    p->late_row = late_us > HASTE_LATE * (uint64_t)p->cfg.period_us ? p->late_row + 1 : 0;
    const double load = (double)p->busy_us / ((double)p->pictures * p->cfg.period_us);
    const bool whole =
        p->pictures >= WINDOW_PICTURES_MIN && (uint64_t)p->pictures * p->cfg.period_us >= WINDOW_US;
    const bool haste = p->late_row > 0 && load > HIGH &&
                       (p->late_row >= HASTE_ROW || (p->pictures >= 2 && load > HASTE_LOAD));

    if (!whole && !haste)
        return false;
    p->load = load;
    begin_window(p);
    if (p->rose_at && now_us - p->rose_at >= FORGIVEN_US)
        p->hold_us = SVC_PACE_HOLD_MIN_US;
    if (load > HIGH)
        return down(p, now_us);
    learn(p);
    return up(p, now_us);
}
