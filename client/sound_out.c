/* sound_out.c - see sound_out.h. The card's thread calls on_card; the card's lock is the lock. */
#include "sound_out.h"

#include "sound_card.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD 512 /* samples that the card takes at a time */
#define PERIOD_QUICK 256
#define SMOOTH 16 /* of the card's times: its thread is not always on time */

struct sound_out {
    struct sound_out_config cfg;
    struct sound_card *card; /* NULL: the clock plays */
    int64_t period_us;
    size_t period; /* samples of each channel */
    int16_t *ring;
    size_t cap, head, n; /* frames */
    bool running;        /* the card, or the clock, has asked once */
    int64_t asked_us;    /* when it last asked, smoothed */
    int64_t began_us;    /* the clock that plays: when it asked for the first time ... */
    uint64_t asked;      /* ... and how often since */
};

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The card takes `frames`; `to` may be NULL. */
static void pull(struct sound_out *o, int16_t *to, size_t frames)
{
    const size_t channels = o->cfg.channels, got = frames < o->n ? frames : o->n;
    for (size_t i = 0; to && i < got; i++)
        memcpy(to + i * channels, o->ring + (o->head + i) % o->cap * channels,
               channels * sizeof *to);
    if (to)
        memset(to + got * channels, 0, (frames - got) * channels * sizeof *to);
    o->head = (o->head + got) % o->cap;
    o->n -= got;
}

static void note_time(struct sound_out *o, int64_t now, int64_t period_us)
{
    const int64_t due = o->asked_us + period_us, off = now - due;
    const bool odd = off > 2 * period_us || off < -2 * period_us;
    o->asked_us = !o->running || odd ? now : due + off / SMOOTH;
    o->running = true;
}

static void on_card(void *user, int16_t *samples, size_t frames)
{
    struct sound_out *o = user;
    pull(o, samples, frames);
    note_time(o, clock_us(), (int64_t)frames * 1000000 / o->cfg.rate);
}

/* The clock asks for the nth time. */
static int64_t asked_at(const struct sound_out *o, uint64_t n)
{
    return o->began_us + (int64_t)(n * o->period * 1000000 / o->cfg.rate);
}

/* No card: what it would have asked for until now. */
static void play_by_clock(struct sound_out *o, int64_t now)
{
    if (o->card)
        return;
    if (!o->running || now - o->asked_us > SOUND_OUT_QUEUE_US) {
        o->began_us = o->asked_us = now;
        o->asked = 0;
        o->running = true;
    }
    for (int64_t next; now >= (next = asked_at(o, o->asked + 1)); o->asked++) {
        o->asked_us = next;
        pull(o, NULL, o->period);
    }
}

struct sound_out *sound_out_new(const struct sound_out_config *cfg)
{
    struct sound_out *o = calloc(1, sizeof *o);
    const size_t cap = (size_t)(SOUND_OUT_QUEUE_US / 1000) * cfg->rate / 1000;
    if (o)
        o->ring = calloc(cap, cfg->channels * sizeof *o->ring);
    if (!o || !o->ring) {
        free(o);
        return NULL;
    }
    o->cfg = *cfg;
    o->cap = cap;
    o->period = cfg->quick ? PERIOD_QUICK : PERIOD;
    if (cfg->device)
        o->card = sound_card_open(cfg->rate, cfg->channels, &o->period, on_card, o);
    o->period_us = (int64_t)o->period * 1000000 / cfg->rate;
    sound_card_start(o->card);
    return o;
}

void sound_out_free(struct sound_out *o)
{
    if (!o)
        return;
    sound_card_close(o->card);
    free(o->ring);
    free(o);
}

void sound_out_write(struct sound_out *o, const int16_t *samples, size_t frames, int64_t now_us)
{
    const size_t channels = o->cfg.channels;
    play_by_clock(o, now_us);
    sound_card_lock(o->card);
    for (size_t i = 0; i < frames && o->n < o->cap; i++, o->n++)
        memcpy(o->ring + (o->head + o->n) % o->cap * channels, samples + i * channels,
               channels * sizeof *samples);
    sound_card_unlock(o->card);
}

int64_t sound_out_delay(struct sound_out *o, int64_t now_us)
{
    play_by_clock(o, now_us);
    sound_card_lock(o->card);
    const int64_t asked = o->running ? o->asked_us : now_us;
    const int64_t queue = (int64_t)o->n * 1000000 / o->cfg.rate;
    sound_card_unlock(o->card);
    /* what it took last has been heard two periods after it asked */
    const int64_t card = asked + 2 * o->period_us - now_us;
    return (card > 0 ? card : 0) + queue + o->cfg.extra_us;
}

void sound_out_clear(struct sound_out *o)
{
    sound_card_lock(o->card);
    o->n = 0;
    sound_card_unlock(o->card);
}
