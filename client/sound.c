/*
 * sound.c - a small jitter buffer of Opus packets by media time, the decoder, and SDL's audio
 * queue. sound_plan.c decides; this file does.
 */
#include "sound.h"

#include "log.h"
#include "sound_plan.h"

#include <SDL.h>
#include <opus/opus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 5760 /* per channel: 120 ms at 48 kHz, Opus's longest packet */
#define STEPS_MAX 32     /* per sound_run */

struct packet {
    int64_t pts;
    size_t len;
    uint8_t bytes[SOUND_PACKET_BYTES_MAX];
};

struct sound {
    struct sound_config cfg;
    OpusDecoder *opus;
    SDL_AudioDeviceID device; /* 0: none */
    struct packet *packets;   /* by rising pts */
    size_t n;
    bool started;
    int64_t next_us, frame_us, concealed_us;
    int64_t virtual_end; /* no device: wall time at which the queue will be empty */
    struct sound_counts counts;
    double volume; /* percent */
    int16_t samples[SAMPLES_MAX * 2];
};

static void open_device(struct sound *s)
{
    SDL_AudioSpec want = { .freq = (int)s->cfg.rate,
                           .format = AUDIO_S16SYS,
                           .channels = s->cfg.channels,
                           .samples = 512 };
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0) {
        log_text(LOG_LEVEL_WARN, "no sound: %s", SDL_GetError());
        return;
    }
    s->device = SDL_OpenAudioDevice(NULL, 0, &want, NULL, 0);
    if (s->device)
        SDL_PauseAudioDevice(s->device, 0);
    else
        log_text(LOG_LEVEL_WARN, "no sound: %s", SDL_GetError());
}

int sound_new(struct sound **out, const struct sound_config *cfg, char *why, size_t why_size)
{
    int error = OPUS_ALLOC_FAIL;
    struct sound *s = calloc(1, sizeof *s);
    if (s)
        s->packets = calloc(SOUND_PACKETS_MAX, sizeof *s->packets);
    if (s && s->packets)
        s->opus = opus_decoder_create((opus_int32)cfg->rate, cfg->channels, &error);
    if (!s || !s->opus) {
        snprintf(why, why_size, "no sound decoder: %s", opus_strerror(error));
        sound_free(s);
        return -1;
    }
    s->cfg = *cfg;
    s->frame_us = 20000;
    s->volume = 100;
    if (cfg->device)
        open_device(s);
    *out = s;
    return 0;
}

void sound_free(struct sound *s)
{
    if (!s)
        return;
    if (s->device)
        SDL_CloseAudioDevice(s->device);
    if (s->opus)
        opus_decoder_destroy(s->opus);
    free(s->packets);
    free(s);
}

void sound_put(struct sound *s, const uint8_t *opus, size_t len, int64_t pts)
{
    size_t at = s->n;
    while (at > 0 && s->packets[at - 1].pts > pts)
        at--;
    bool twice = at > 0 && s->packets[at - 1].pts == pts;
    if (twice || len == 0 || len > SOUND_PACKET_BYTES_MAX || s->n == SOUND_PACKETS_MAX) {
        s->counts.refused++;
        return;
    }
    memmove(s->packets + at + 1, s->packets + at, (s->n - at) * sizeof *s->packets);
    s->packets[at].pts = pts;
    s->packets[at].len = len;
    memcpy(s->packets[at].bytes, opus, len);
    s->n++;
}

static void drop_first(struct sound *s)
{
    s->n--;
    memmove(s->packets, s->packets + 1, s->n * sizeof *s->packets);
}

static int64_t queued_us(const struct sound *s, int64_t now)
{
    if (!s->device)
        return s->virtual_end > now ? s->virtual_end - now : 0;
    uint32_t bytes = SDL_GetQueuedAudioSize(s->device);
    return (int64_t)bytes * 1000000 / (int64_t)(2u * s->cfg.channels * s->cfg.rate);
}

static void queue_samples(struct sound *s, int frames, int64_t now)
{
    size_t bytes = (size_t)frames * 2 * s->cfg.channels;
    if (s->cfg.muted)
        memset(s->samples, 0, bytes);
    if (s->device) {
        SDL_QueueAudio(s->device, s->samples, (uint32_t)bytes);
        return;
    }
    int64_t from = s->virtual_end > now ? s->virtual_end : now;
    s->virtual_end = from + (int64_t)frames * 1000000 / s->cfg.rate;
}

static int64_t length_us(const struct sound *s, int frames)
{
    return (int64_t)frames * 1000000 / s->cfg.rate;
}

static void play(struct sound *s, int64_t now)
{
    const struct packet *p = &s->packets[0];
    int frames = opus_decode(s->opus, p->bytes, (opus_int32)p->len, s->samples, SAMPLES_MAX, 0);
    if (frames > 0) {
        queue_samples(s, frames, now);
        s->frame_us = length_us(s, frames);
        s->next_us = p->pts + s->frame_us;
        s->concealed_us = 0;
        s->counts.packets++;
    } else {
        s->counts.refused++;
    }
    drop_first(s);
}

/* The packet after the gap may carry a coarse copy of the missing one (in-band FEC). */
static void conceal(struct sound *s, int64_t now)
{
    int frames = (int)(s->frame_us * s->cfg.rate / 1000000);
    bool next_waits = s->n > 0 && s->packets[0].pts < s->next_us + 3 * s->frame_us / 2;
    int got =
        opus_decode(s->opus, next_waits ? s->packets[0].bytes : NULL,
                    next_waits ? (opus_int32)s->packets[0].len : 0, s->samples, frames, next_waits);
    if (got <= 0) {
        memset(s->samples, 0, sizeof s->samples);
        got = frames;
    }
    queue_samples(s, got, now);
    s->next_us += length_us(s, got);
    s->concealed_us += length_us(s, got);
    s->counts.lost++;
}

/* Silence in place of lost sound moves the media place on, silence that waits does not. */
enum silence_kind { SILENCE_INSTEAD, SILENCE_WAITING };

static void silence(struct sound *s, int64_t us, int64_t now, enum silence_kind kind)
{
    int64_t frames = us * s->cfg.rate / 1000000;
    if (frames > SAMPLES_MAX)
        frames = SAMPLES_MAX;
    if (frames < 1)
        frames = 1;
    memset(s->samples, 0, sizeof s->samples);
    queue_samples(s, (int)frames, now);
    if (kind == SILENCE_INSTEAD)
        s->next_us += length_us(s, (int)frames);
}

static struct sound_state look(const struct sound *s, int64_t media_now, int64_t now)
{
    return (struct sound_state){ .media_now_us = media_now,
                                 .queued_us = queued_us(s, now),
                                 .next_us = s->next_us,
                                 .has_packet = s->n > 0,
                                 .packet_us = s->n > 0 ? s->packets[0].pts : 0,
                                 .frame_us = s->frame_us,
                                 .concealed_us = s->concealed_us };
}

void sound_run(struct sound *s, int64_t media_now, int64_t now)
{
    if (!s->started) {
        /* what was said before the first picture was not missed */
        while (s->n > 0 && s->packets[0].pts + s->frame_us <= media_now)
            drop_first(s);
        if (s->n == 0)
            return;
        s->started = true;
        s->next_us = s->packets[0].pts;
    }
    for (int i = 0; i < STEPS_MAX; i++) {
        struct sound_state state = look(s, media_now, now);
        /* after a long silence or a jump the next packet sets the place anew */
        if (s->n > 0 &&
            (state.packet_us > s->next_us + 1000000 || state.packet_us < s->next_us - 10000000))
            s->next_us = state.next_us = state.packet_us;
        struct sound_step step = sound_plan(&state);
        if (step.action == SOUND_WAIT)
            return;
        if (step.action == SOUND_PLAY) {
            play(s, now);
        } else if (step.action == SOUND_CONCEAL) {
            conceal(s, now);
        } else if (step.action == SOUND_DROP) {
            if (s->packets[0].pts + s->frame_us > s->next_us)
                s->next_us = s->packets[0].pts + s->frame_us;
            drop_first(s);
            s->counts.lost++;
        } else {
            int64_t early = state.next_us - media_now - state.queued_us;
            silence(s, step.length_us, now,
                    early > SOUND_TOLERANCE_US ? SILENCE_WAITING : SILENCE_INSTEAD);
        }
    }
}

void sound_set_volume(struct sound *s, double percent)
{
    s->volume = percent;
}

void sound_clear(struct sound *s)
{
    s->n = 0;
    s->started = false;
    s->concealed_us = s->virtual_end = 0;
    (void)opus_decoder_ctl(s->opus, OPUS_RESET_STATE);
    if (s->device)
        SDL_ClearQueuedAudio(s->device);
}

void sound_set_muted(struct sound *s, bool muted)
{
    s->cfg.muted = muted;
}

struct sound_counts sound_get_counts(const struct sound *s)
{
    return s->counts;
}
