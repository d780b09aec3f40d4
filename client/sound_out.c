/* sound_out.c - see sound_out.h. The card's thread calls on_card; the device's lock is the lock. */
#include "sound_out.h"

#include "log.h"

#include <SDL.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD 512 /* samples that the card takes at a time */
#define PERIOD_QUICK 256
#define SMOOTH 16 /* of the card's times: its thread is not always on time */

struct sound_out {
    struct sound_out_config cfg;
    SDL_AudioDeviceID device; /* 0: the clock plays */
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

static void lock(const struct sound_out *o)
{
    if (o->device)
        SDL_LockAudioDevice(o->device);
}

static void unlock(const struct sound_out *o)
{
    if (o->device)
        SDL_UnlockAudioDevice(o->device);
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

static void on_card(void *user, uint8_t *stream, int len)
{
    struct sound_out *o = user;
    const size_t frames = (size_t)len / (o->cfg.channels * sizeof(int16_t));
    pull(o, (int16_t *)(void *)stream, frames);
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
    if (o->device)
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

static void open_card(struct sound_out *o)
{
    SDL_AudioSpec got, want = { .freq = (int)o->cfg.rate,
                                .format = AUDIO_S16SYS,
                                .channels = o->cfg.channels,
                                .samples = (uint16_t)o->period,
                                .callback = on_card,
                                .userdata = o };
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0) {
        log_text(LOG_LEVEL_WARN, "no sound: %s", SDL_GetError());
        return;
    }
    o->device = SDL_OpenAudioDevice(NULL, 0, &want, &got, SDL_AUDIO_ALLOW_SAMPLES_CHANGE);
    if (!o->device) {
        log_text(LOG_LEVEL_WARN, "no sound: %s", SDL_GetError());
        return;
    }
    o->period = got.samples;
    o->period_us = (int64_t)o->period * 1000000 / o->cfg.rate;
    SDL_PauseAudioDevice(o->device, 0);
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
    o->period_us = (int64_t)o->period * 1000000 / cfg->rate;
    if (cfg->device)
        open_card(o);
    return o;
}

void sound_out_free(struct sound_out *o)
{
    if (!o)
        return;
    if (o->device)
        SDL_CloseAudioDevice(o->device);
    free(o->ring);
    free(o);
}

void sound_out_write(struct sound_out *o, const int16_t *samples, size_t frames, int64_t now_us)
{
    const size_t channels = o->cfg.channels;
    play_by_clock(o, now_us);
    lock(o);
    for (size_t i = 0; i < frames && o->n < o->cap; i++, o->n++)
        memcpy(o->ring + (o->head + o->n) % o->cap * channels, samples + i * channels,
               channels * sizeof *samples);
    unlock(o);
}

int64_t sound_out_delay(struct sound_out *o, int64_t now_us)
{
    play_by_clock(o, now_us);
    lock(o);
    const int64_t asked = o->running ? o->asked_us : now_us;
    const int64_t queue = (int64_t)o->n * 1000000 / o->cfg.rate;
    unlock(o);
    /* what it took last has been heard two periods after it asked */
    const int64_t card = asked + 2 * o->period_us - now_us;
    return (card > 0 ? card : 0) + queue + o->cfg.extra_us;
}

void sound_out_clear(struct sound_out *o)
{
    lock(o);
    o->n = 0;
    unlock(o);
}
