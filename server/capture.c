/* capture.c - see capture.h. */
#include "capture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture_clock.h"
#include "capture_reader.h"
#include "clock.h"
#include "log.h"
#include "nudge.h"
#include "source.h"

#define US 1000000
#define RATE SOURCE_RATE
#define SOUND_APART_US 80000           /* sound that is so far from its place is put there anew, */
#define SOUND_STRETCH_EVERY (RATE / 2) /* else it is stretched, frames, */
#define SOUND_STRETCH_MAX (RATE / 200) /* by so many a second */

struct line { /* one source and its reading thread */
    struct capture *capture;
    const struct capture_reader_ops *ops;
    struct capture_reader_config cfg;
    void *reader; /* NULL: it is lost */
    struct capture_clock clock;
    pthread_t thread;
    bool runs;
    uint64_t retry_us;
    size_t until_stretch; /* frames */
};

struct picture {
    uint8_t *plane[3];
    int64_t at; /* when it is to be played */
    int64_t came;
};

struct capture {
    struct capture_config cfg;
    char *input, *sound;
    struct capture_info info;
    struct line line[2];
    size_t n_lines;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t moved; /* monotonic clock */
    bool stopping;
    struct picture picture[CAPTURE_PICTURES_MAX], last; /* last: that was given */
    size_t head, n;
    bool dimmed;      /* the last one is */
    int64_t given_at; /* when the last one was, or the beginning */
    int16_t *samples; /* ring of CAPTURE_SOUND_MAX frames */
    size_t sound_head, n_sound;
    int64_t sound_at; /* when the first frame is to be heard */
    struct capture_stats stats;
};

static bool is_device(const char *input)
{
    return source_is_device(input);
}

static int64_t us_of(int64_t frames)
{
    return frames * US / RATE;
}

/* ---- pictures that wait ---- */

static size_t plane_height(const struct capture *c, int p)
{
    return p ? c->info.height / 2u : c->info.height;
}

static size_t plane_width(const struct capture *c, int p)
{
    return p ? c->info.width / 2u : c->info.width;
}

static int make_picture(const struct capture *c, struct picture *to)
{
    for (int p = 0; p < 3; p++) {
        const size_t size = plane_width(c, p) * plane_height(c, p);

        to->plane[p] = malloc(size);
        if (!to->plane[p])
            return -1;
        memset(to->plane[p], p ? 128 : 16, size);
    }
    return 0;
}

static void take_picture(struct capture *c, const struct capture_item *item, int64_t at,
                         int64_t now)
{
    if (item->image.width != c->info.width || item->image.height != c->info.height)
        return; /* no reader gives that */
    if (c->n == CAPTURE_PICTURES_MAX) {
        c->head = (c->head + 1) % CAPTURE_PICTURES_MAX;
        c->n--;
        c->stats.left_out++;
    }
    struct picture *to = &c->picture[(c->head + c->n++) % CAPTURE_PICTURES_MAX];
    for (int p = 0; p < 3; p++)
        for (size_t y = 0; y < plane_height(c, p); y++)
            memcpy(to->plane[p] + y * plane_width(c, p),
                   item->image.plane[p] + y * item->image.stride[p], plane_width(c, p));
    to->at = at;
    to->came = now;
    pthread_cond_signal(&c->moved);
}

/* ---- sound that waits ---- */

static void drop_sound(struct capture *c, size_t frames)
{
    frames = frames < c->n_sound ? frames : c->n_sound;
    c->sound_head = (c->sound_head + frames) % CAPTURE_SOUND_MAX;
    c->n_sound -= frames;
    c->sound_at += us_of((int64_t)frames);
}

static void stretch(struct line *l, int64_t skew_us, size_t frames)
{
    l->until_stretch += frames;
    if (l->until_stretch < SOUND_STRETCH_EVERY)
        return;
    l->until_stretch = 0;
    int64_t by = skew_us * RATE / US;
    by = by > SOUND_STRETCH_MAX ? SOUND_STRETCH_MAX : by;
    by = by < -SOUND_STRETCH_MAX ? -SOUND_STRETCH_MAX : by;
    l->ops->stretch(l->reader, (int)by, RATE);
}

static void take_sound(struct line *l, const struct capture_item *item, int64_t at)
{
    struct capture *c = l->capture;
    const size_t channels = c->info.channels;
    const int64_t skew = at - (c->sound_at + us_of((int64_t)c->n_sound));

    if (item->n_frames > CAPTURE_SOUND_MAX)
        return;
    if (c->n_sound == 0 || skew > SOUND_APART_US || skew < -SOUND_APART_US) {
        c->n_sound = 0;
        c->sound_at = at;
    } else {
        c->stats.sound_skew_us = skew;
        stretch(l, skew, item->n_frames);
    }
    if (c->n_sound + item->n_frames > CAPTURE_SOUND_MAX)
        drop_sound(c, c->n_sound + item->n_frames - CAPTURE_SOUND_MAX);
    for (size_t i = 0; i < item->n_frames; i++) {
        const size_t to = (c->sound_head + c->n_sound++) % CAPTURE_SOUND_MAX;
        memcpy(c->samples + to * channels, item->samples + i * channels,
               channels * sizeof *c->samples);
    }
}

void capture_sound(struct capture *c, uint64_t at_us, int16_t *out, size_t n)
{
    const size_t channels = c->info.channels;

    memset(out, 0, n * channels * sizeof *out);
    pthread_mutex_lock(&c->lock);
    const int64_t off = (c->sound_at - (int64_t)at_us) * RATE / US; /* frames until it begins */
    if (off < 0)
        drop_sound(c, (size_t)-off);
    for (size_t i = off > 0 ? (size_t)off : 0; i < n && c->n_sound > 0; i++) {
        memcpy(out + i * channels, c->samples + c->sound_head * channels, channels * sizeof *out);
        c->sound_head = (c->sound_head + 1) % CAPTURE_SOUND_MAX;
        c->n_sound--;
        c->sound_at = (int64_t)at_us + us_of((int64_t)i + 1);
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- the reading thread ---- */

static void take(struct line *l, const struct capture_item *item)
{
    struct capture *c = l->capture;
    const int64_t now = (int64_t)clock_now_us();
    bool anew;
    const int64_t at = capture_clock_play(&l->clock, item->pts, now, &anew);

    pthread_mutex_lock(&c->lock);
    if (anew && item->picture)
        c->n = 0;
    if (item->picture)
        take_picture(c, item, at, now);
    else if (c->info.channels > 0)
        take_sound(l, item, at);
    pthread_mutex_unlock(&c->lock);
}

static bool stopping(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    const bool stop = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

static int asked_to_stop(void *user)
{
    struct capture *c = user;
    return stopping(c) || (c->cfg.stop && c->cfg.stop(c->cfg.stop_user));
}

static void wait_to_retry(struct line *l)
{
    struct capture *c = l->capture;
    const int64_t at = (int64_t)clock_now_us() + (int64_t)l->retry_us;
    const struct timespec ts = { .tv_sec = at / US, .tv_nsec = (long)(at % US * 1000) };

    pthread_mutex_lock(&c->lock);
    c->stats.losses++;
    while (!c->stopping && (int64_t)clock_now_us() < at)
        pthread_cond_timedwait(&c->moved, &c->lock, &ts);
    pthread_mutex_unlock(&c->lock);
    l->retry_us = l->retry_us * 2 < CAPTURE_RETRY_MAX_US ? l->retry_us * 2 : CAPTURE_RETRY_MAX_US;
}

static void lose(struct line *l, const char *why)
{
    l->ops->free(l->reader);
    l->reader = NULL;
    log_line(LOG_WARN, "%s: %s; again in %.1f s", l->cfg.input, why, (double)l->retry_us / US);
    wait_to_retry(l);
}

static void come_back(struct line *l)
{
    struct capture_reader_info info;
    char why[300];

    if (l->ops->open(&l->reader, &l->cfg, &info, why, sizeof why) == 0) {
        capture_clock_init(&l->clock, is_device(l->cfg.input) ? 0 : CAPTURE_MARGIN_US);
        log_line(LOG_INFO, "%s: it is there", l->cfg.input);
        return;
    }
    l->reader = NULL;
    if (asked_to_stop(l->capture))
        return;
    log_line(LOG_WARN, "%s; again in %.1f s", why, (double)l->retry_us / US);
    wait_to_retry(l);
}

static void *run(void *arg)
{
    struct line *l = arg;

    while (!asked_to_stop(l->capture)) {
        struct capture_item item;

        if (!l->reader) {
            come_back(l);
            continue;
        }
        const int got = l->ops->read(l->reader, &item);
        if (got == 1) {
            l->retry_us = CAPTURE_RETRY_MIN_US;
            take(l, &item);
        } else if (!asked_to_stop(l->capture)) {
            lose(l, got == 0 ? "it has ended" : "it is damaged");
        }
    }
    return NULL;
}

/* ---- the encoder's thread ---- */

static bool due(const struct capture *c, int64_t now)
{
    return c->n > 0 && c->picture[c->head].at <= now;
}

void capture_await(struct capture *c, uint64_t until_us)
{
    pthread_mutex_lock(&c->lock);
    for (;;) {
        const int64_t now = (int64_t)clock_now_us();
        int64_t until = (int64_t)until_us;

        if (due(c, now) || now >= until || c->stopping)
            break;
        if (c->n > 0 && c->picture[c->head].at < until)
            until = c->picture[c->head].at;
        const struct timespec ts = { .tv_sec = until / US, .tv_nsec = (long)(until % US * 1000) };
        pthread_cond_timedwait(&c->moved, &c->lock, &ts);
    }
    pthread_mutex_unlock(&c->lock);
}

/* The newest that is due becomes the last one given; those before it are left out. */
static void advance(struct capture *c, int64_t now)
{
    for (bool first = true; due(c, now); first = false) {
        const struct picture before = c->last;

        c->last = c->picture[c->head];
        c->picture[c->head] = before; /* its memory */
        c->head = (c->head + 1) % CAPTURE_PICTURES_MAX;
        c->n--;
        c->given_at = now;
        c->dimmed = false;
        c->stats.left_out += !first;
        c->stats.delay_us = now - c->last.came;
    }
}

/* So that one sees that it stands still. */
static void dim(struct capture *c)
{
    const size_t size = plane_width(c, 0) * plane_height(c, 0);

    for (size_t i = 0; i < size && !c->dimmed; i++)
        c->last.plane[0][i] = (uint8_t)(16 + (c->last.plane[0][i] - 16) / 3);
    c->dimmed = true;
}

void capture_picture(struct capture *c, const struct svc_image_buffer *to)
{
    pthread_mutex_lock(&c->lock);
    const int64_t now = (int64_t)clock_now_us();
    advance(c, now);
    c->stats.signal = now - c->given_at <= CAPTURE_LOST_US;
    if (!c->stats.signal)
        dim(c);
    for (int p = 0; p < 3; p++)
        for (size_t y = 0; y < plane_height(c, p); y++)
            memcpy(to->plane[p] + y * to->stride[p], c->last.plane[p] + y * plane_width(c, p),
                   plane_width(c, p));
    pthread_mutex_unlock(&c->lock);
}

void capture_get_stats(struct capture *c, struct capture_stats *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->stats;
    pthread_mutex_unlock(&c->lock);
}

const struct capture_info *capture_info(const struct capture *c)
{
    return &c->info;
}

/* ---- life ---- */

static int add_line(struct capture *c, const char *input, bool sound_only, char *why,
                    size_t why_size)
{
    struct line *l = &c->line[c->n_lines++];
    struct capture_reader_info info = { 0 };
    const bool device = is_device(input), gst = strncmp(input, "gst:", 4) == 0;

    l->capture = c;
    l->ops = gst ? &capture_reader_gst : &capture_reader_libav;
    l->retry_us = CAPTURE_RETRY_MIN_US;
    l->cfg = (struct capture_reader_config){ .input = input,
                                             .sound_only = sound_only,
                                             .width = c->cfg.width,
                                             .height = c->cfg.height,
                                             .fps_num = c->cfg.fps_num,
                                             .fps_den = c->cfg.fps_den,
                                             .stop = asked_to_stop,
                                             .stop_user = c };
    if (!device) {
        l->cfg.width = l->cfg.width ? l->cfg.width : CAPTURE_WIDTH;
        l->cfg.height = l->cfg.height ? l->cfg.height : CAPTURE_HEIGHT;
        if (!l->cfg.fps_num) {
            l->cfg.fps_num = CAPTURE_FPS;
            l->cfg.fps_den = 1;
        }
        l->cfg.channels = gst && !sound_only ? 0 : 2; /* one end, one kind */
    }
    capture_clock_init(&l->clock, device ? 0 : CAPTURE_MARGIN_US);
    if ((device || gst) && l->ops->open(&l->reader, &l->cfg, &info, why, why_size) < 0)
        return -1;
    if (!sound_only) {
        c->info.width = device ? info.width : l->cfg.width;
        c->info.height = device ? info.height : l->cfg.height;
        c->info.fps_num = device ? info.fps_num : l->cfg.fps_num;
        c->info.fps_den = device ? info.fps_den : l->cfg.fps_den;
    }
    if (sound_only || !c->cfg.sound)
        c->info.channels = device ? info.channels : l->cfg.channels;
    /* Whatever it comes back with, it is to be as now. */
    l->cfg.width = c->info.width;
    l->cfg.height = c->info.height;
    l->cfg.fps_num = c->info.fps_num;
    l->cfg.fps_den = c->info.fps_den;
    l->cfg.channels = device ? info.channels : l->cfg.channels;
    return 0;
}

static int start(struct capture *c)
{
    for (size_t i = 0; i < CAPTURE_PICTURES_MAX; i++)
        if (make_picture(c, &c->picture[i]) < 0)
            return -1;
    c->samples = calloc(CAPTURE_SOUND_MAX * 2, sizeof *c->samples);
    if (!c->samples || make_picture(c, &c->last) < 0)
        return -1;
    c->given_at = (int64_t)clock_now_us();
    for (size_t i = 0; i < c->n_lines; i++) {
        c->line[i].runs = nudge_start(&c->line[i].thread, run, &c->line[i]) == 0;
        if (!c->line[i].runs)
            return -1;
    }
    return 0;
}

int capture_open(struct capture **out, const struct capture_config *cfg, char *why, size_t why_size)
{
    struct capture *c = calloc(1, sizeof *c);
    pthread_condattr_t monotonic;

    snprintf(why, why_size, "%s: out of memory", cfg->input);
    if (!c)
        return -1;
    c->cfg = *cfg;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
    c->input = strdup(cfg->input);
    c->sound = cfg->sound ? strdup(cfg->sound) : NULL;
    if (!c->input || (cfg->sound && !c->sound))
        goto free_capture;
    c->cfg.input = c->input;
    c->cfg.sound = c->sound;
    if (add_line(c, c->input, false, why, why_size) < 0 ||
        (c->sound && add_line(c, c->sound, true, why, why_size) < 0) || start(c) < 0)
        goto free_capture;
    *out = c;
    return 0;
free_capture:
    capture_free(c);
    return -1;
}

static void free_picture(const struct picture *p)
{
    for (int i = 0; i < 3; i++)
        free(p->plane[i]);
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->n_lines; i++) {
        if (c->line[i].runs)
            nudge_join(c->line[i].thread);
        if (c->line[i].reader)
            c->line[i].ops->free(c->line[i].reader);
    }
    for (size_t i = 0; i < CAPTURE_PICTURES_MAX; i++)
        free_picture(&c->picture[i]);
    free_picture(&c->last);
    free(c->samples);
    free(c->input);
    free(c->sound);
    pthread_cond_destroy(&c->moved);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
