/*
 * sound.c - a small jitter buffer of Opus packets by media time, the decoder, and a resampler that
 * plays a little faster or slower. sound_plan.c decides; this file does; sound_out.c is the card.
 */
#include "sound.h"

#include "log.h"
#include "sound_out.h"
#include "sound_plan.h"
#include "sound_stretch.h"

#include <opus/opus.h>

#include <math.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 5760 /* per channel: 120 ms at 48 kHz, Opus's longest packet */
#define STEPS_MAX 32     /* per sound_run */
#define STRETCHED_MAX (SAMPLES_MAX + SAMPLES_MAX / 8) /* of them at the slowest speed, and some */
#define SETTLE_US 300000 /* after a gap: until then where the sound is says nothing */

struct packet {
    int64_t pts;
    size_t len;
    uint8_t bytes[SOUND_PACKET_BYTES_MAX];
};

struct sound {
    struct sound_config cfg;
    OpusDecoder *opus;
    struct sound_out *out;
    struct sound_stretch *stretch; /* NULL: there is none, sound is played as it is */
    struct packet *packets;        /* by rising pts */
    size_t n;
    bool started;
    int64_t next_us, frame_us, concealed_us;
    int64_t disturbed_us; /* when something else than sound was last queued; 0: never */
    struct sound_counts counts;
    double volume;      /* percent */
    double speed, more; /* more: samples that are still to be put in, less than one */
    int16_t samples[SAMPLES_MAX * 2], stretched[STRETCHED_MAX * 2];
};

int sound_new(struct sound **out, const struct sound_config *cfg, char *why, size_t why_size)
{
    int error = OPUS_ALLOC_FAIL;
    struct sound *s = calloc(1, sizeof *s);
    if (s)
        s->packets = calloc(SOUND_PACKETS_MAX, sizeof *s->packets);
    if (s && s->packets)
        s->opus = opus_decoder_create((opus_int32)cfg->rate, cfg->channels, &error);
    if (s && s->opus)
        s->out = sound_out_new(&(struct sound_out_config){ .rate = cfg->rate,
                                                           .channels = cfg->channels,
                                                           .device = cfg->device,
                                                           .quick = cfg->low,
                                                           .extra_us = cfg->extra_us });
    if (!s || !s->out) {
        snprintf(why, why_size, "no sound decoder: %s", opus_strerror(error));
        sound_free(s);
        return -1;
    }
    s->cfg = *cfg;
    s->speed = 1;
    s->stretch = sound_stretch_new(cfg->rate, cfg->channels);
    s->frame_us = 20000;
    s->volume = 100;
    *out = s;
    return 0;
}

void sound_free(struct sound *s)
{
    if (!s)
        return;
    sound_out_free(s->out);
    sound_stretch_free(s->stretch);
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

/* How long until what would be queued now is heard. */
static int64_t queued_us(struct sound *s, int64_t now)
{
    const int64_t inside = s->stretch ? sound_stretch_delay(s->stretch) : 0;
    return sound_out_delay(s->out, now) + inside;
}

static void set_loudness(struct sound *s, size_t n)
{
    /* loudness is heard by the square, about */
    const double gain = s->cfg.muted ? 0 : s->volume * s->volume / 1e4;
    for (size_t i = 0; i < n && gain != 1; i++) {
        const double v = s->samples[i] * gain;
        s->samples[i] = (int16_t)lround(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
    }
}

static void queue_samples(struct sound *s, int frames, int64_t now)
{
    set_loudness(s, (size_t)frames * s->cfg.channels);
    if (s->stretch) {
        s->more += (1 / s->speed - 1) * frames; /* and what was too little for a sample before */
        const int more = (int)lround(s->more);
        s->more -= more;
        const int got = sound_stretch_run(s->stretch, s->samples, frames, more, s->stretched,
                                          frames + frames / 8);
        if (got >= 0) {
            sound_out_write(s->out, s->stretched, (size_t)got, now);
            return;
        }
    }
    sound_out_write(s->out, s->samples, (size_t)frames, now);
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
    s->disturbed_us = now;
}

/* The sound goes on as it was for a moment; what comes next is none the later heard for that. */
static void stretch(struct sound *s, int64_t us, int64_t now)
{
    const int frames = (int)(us * s->cfg.rate / 1000000);
    int got = opus_decode(s->opus, NULL, 0, s->samples, frames, 0);
    if (got <= 0) {
        memset(s->samples, 0, sizeof s->samples);
        got = frames;
    }
    queue_samples(s, got, now);
    s->concealed_us += us;
    s->counts.stretched++;
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
    s->disturbed_us = now;
    if (kind == SILENCE_INSTEAD)
        s->next_us += length_us(s, (int)frames);
}

static struct sound_state look(struct sound *s, int64_t media_now, int64_t now)
{
    return (struct sound_state){ .media_now_us = media_now,
                                 .queued_us = queued_us(s, now),
                                 .next_us = s->next_us,
                                 .has_packet = s->n > 0,
                                 .packet_us = s->n > 0 ? s->packets[0].pts : 0,
                                 .frame_us = s->frame_us,
                                 .concealed_us = s->concealed_us,
                                 .ahead_us = s->cfg.extra_us +
                                             (s->cfg.low ? SOUND_AHEAD_LOW_US : SOUND_AHEAD_US) };
}

/* Begins exactly where it belongs, so that nothing has to be made up for. False: not yet. */
static bool begin(struct sound *s, int64_t media_now, int64_t now)
{
    const int64_t due = media_now + queued_us(s, now); /* what is heard first is due then */
    /* what was said before the first picture was not missed */
    while (s->n > 0 && s->packets[0].pts < due)
        drop_first(s);
    if (s->n == 0)
        return false;
    const int64_t early = s->packets[0].pts - due;
    if (early > 0)
        silence(s, early, now, SILENCE_WAITING);
    s->started = true;
    s->next_us = s->packets[0].pts;
    return true;
}

void sound_run(struct sound *s, int64_t media_now, int64_t now)
{
    if (!s->started && !begin(s, media_now, now))
        return;
    for (int i = 0; i < STEPS_MAX; i++) {
        struct sound_state state = look(s, media_now, now);
        /* after a long silence or a jump the next packet sets the place anew */
        if (s->n > 0 &&
            (state.packet_us > s->next_us + 1000000 || state.packet_us < s->next_us - 10000000))
            s->next_us = state.next_us = state.packet_us;
        struct sound_step step = sound_plan(&state);
        if (step.action == SOUND_WAIT)
            return;
        s->speed = sound_speed(state.next_us - state.queued_us - media_now);
        if (step.action == SOUND_PLAY) {
            play(s, now);
        } else if (step.action == SOUND_CONCEAL) {
            conceal(s, now);
        } else if (step.action == SOUND_STRETCH) {
            stretch(s, step.length_us, now);
        } else if (step.action == SOUND_DROP) {
            if (s->packets[0].pts + s->frame_us > s->next_us)
                s->next_us = s->packets[0].pts + s->frame_us;
            drop_first(s);
            s->counts.lost++;
            s->disturbed_us = now;
        } else {
            int64_t early = state.next_us - media_now - state.queued_us;
            silence(s, step.length_us, now,
                    early > SOUND_TOLERANCE_US ? SILENCE_WAITING : SILENCE_INSTEAD);
        }
    }
}

bool sound_heard(struct sound *s, int64_t now, int64_t *media_us)
{
    if (!s->started || (s->disturbed_us && now - s->disturbed_us < SETTLE_US))
        return false;
    *media_us = s->next_us - queued_us(s, now);
    return true;
}

void sound_set_volume(struct sound *s, double percent)
{
    s->volume = percent;
}

void sound_clear(struct sound *s)
{
    s->n = 0;
    s->started = false;
    s->concealed_us = 0;
    (void)opus_decoder_ctl(s->opus, OPUS_RESET_STATE);
    sound_out_clear(s->out);
}

void sound_set_muted(struct sound *s, bool muted)
{
    s->cfg.muted = muted;
}

struct sound_counts sound_get_counts(const struct sound *s)
{
    return s->counts;
}
