/* live.c - see live.h. */
#include "live.h"

#include <ev.h>
#include <math.h>
#include <opus.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svc/pace.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "nudge.h"

#define OPUS_FRAME_MAX (LIVE_RATE * 60 / 1000) /* samples of a packet's channel: 60 ms */
#define OPUS_PACKET_MAX 1500
#define OPUS_BPS_PER_CHANNEL 48000
#define SPEED_MAX 10
#define US 1000000
#define WHY_MAX 512

struct item { /* one packet on its way; owns bytes */
    struct svc_packet pkt;
    uint8_t *bytes;
};

struct live {
    struct feed feed;
    struct feed_sink sink;
    ev_async handed;
    struct svc_stream_info info;
    struct encoder_orders orders;
    bool started; /* the thread runs, or has run */
    bool told;    /* the sink knows that it is open */
    pthread_t thread;

    pthread_mutex_t lock; /* of what both sides use: */
    pthread_cond_t moved; /* room in the ring, or stopping; monotonic clock */
    struct item ring[LIVE_RING_MAX];
    size_t head, n;
    bool begun, stopping, over;
    int opened; /* 0: not yet; 1; -1: and why */
    char why[WHY_MAX];
    enum feed_end end;
    struct live_stats stats;

    struct live_config cfg; /* from here on the thread's; owns path and sound */
    struct live_input *input;
    struct svc_encoder *encoder;
    struct svc_image_buffer picture;
    OpusEncoder *opus;
    struct svc_pace pace;
    bool paced, drawn;
    uint32_t bitrate_bps[SVC_SPATIAL_MAX];
    uint64_t zero; /* clock, us, of pts 0 */
    uint64_t n_pictures, n_sound;
    unsigned left_out_row, errors_row;
};

static uint64_t pts_of(const struct live *l, uint64_t picture)
{
    return picture * US * l->info.fps_den / l->info.fps_num;
}

/* ---- the thread's end of the ring ---- */

/* Waits for room. -1: stopping, or no memory; the packet is not taken. */
static int hand_over(struct live *l, const struct svc_packet *pkt)
{
    const bool video = pkt->kind == SVC_VIDEO;
    const size_t len = video ? pkt->unit.len : pkt->audio_len;
    struct item item = { .pkt = *pkt, .bytes = malloc(len) };

    if (!item.bytes)
        return -1;
    memcpy(item.bytes, video ? pkt->unit.bytes : pkt->audio, len);
    item.pkt.unit.bytes = video ? item.bytes : NULL;
    item.pkt.audio = video ? NULL : item.bytes;
    pthread_mutex_lock(&l->lock);
    while (l->n == LIVE_RING_MAX && !l->stopping)
        pthread_cond_wait(&l->moved, &l->lock);
    const bool taken = !l->stopping;
    if (taken)
        l->ring[(l->head + l->n++) % LIVE_RING_MAX] = item;
    pthread_mutex_unlock(&l->lock);
    if (!taken)
        free(item.bytes);
    return taken ? 0 : -1;
}

static bool stopping(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    const bool stop = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

/* Until `at`, us. False: stopping. */
static bool wait_until(struct live *l, uint64_t at)
{
    const struct timespec ts = { .tv_sec = (time_t)(at / US), .tv_nsec = (long)(at % US * 1000) };

    pthread_mutex_lock(&l->lock);
    while (!l->stopping && clock_now_us() < at)
        pthread_cond_timedwait(&l->moved, &l->lock, &ts);
    const bool stop = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return !stop;
}

/* ---- sound ---- */

/* All that has been heard in full by `pts`. */
static void put_sound(struct live *l, uint64_t pts)
{
    int16_t samples[OPUS_FRAME_MAX * 2];
    uint8_t bytes[OPUS_PACKET_MAX];
    const size_t frame = (size_t)l->cfg.sound_packet_us * LIVE_RATE / US;
    const size_t channels = l->info.audio_channels;

    while (l->opus && (l->n_sound + 1) * l->cfg.sound_packet_us <= pts) {
        const uint64_t at = l->zero + l->n_sound * l->cfg.sound_packet_us;
        const size_t got = live_input_sound(l->input, at, samples, frame);

        memset(samples + got * channels, 0, (frame - got) * channels * sizeof *samples);
        const int len = opus_encode(l->opus, samples, (int)frame, bytes, sizeof bytes);
        const struct svc_packet pkt = { .kind = SVC_AUDIO,
                                        .audio = bytes,
                                        .audio_len = len > 0 ? (size_t)len : 0,
                                        .pts = (int64_t)(l->n_sound++ * l->cfg.sound_packet_us) };
        if (len > 0 && hand_over(l, &pkt) < 0)
            return;
        ev_async_send(l->sink.loop, &l->handed); /* it does not wait for the picture to be coded */
    }
}

/* ---- pictures ---- */

static void obey_pace(struct live *l)
{
    const struct svc_pace_orders o = svc_pace_orders(&l->pace);

    (void)svc_encoder_set_speed(l->encoder, o.speed);
    (void)svc_encoder_set_temporal(l->encoder, o.n_temporal);
    log_line(LOG_INFO, "encoder: load %.2f: speed %u, %u temporal and %u spatial layers",
             svc_pace_load(&l->pace), o.speed, o.n_temporal, o.n_spatial);
}

/* What viewers need, within what pace allows. */
static void obey_orders(struct live *l)
{
    const struct encoder_order o = encoder_orders_take(&l->orders, clock_now_us());
    const uint8_t most = l->paced ? svc_pace_orders(&l->pace).n_spatial : l->info.n_spatial;

    (void)svc_encoder_set_top(l->encoder, o.n_spatial < most ? o.n_spatial : most);
    if (o.rates_changed) {
        for (unsigned s = 0; s < l->info.n_spatial; s++)
            if (o.bitrate_bps[s])
                l->bitrate_bps[s] = o.bitrate_bps[s];
        (void)svc_encoder_set_rates(l->encoder, l->bitrate_bps);
    }
    if (o.refresh < 0)
        return;
    (void)svc_encoder_recover(l->encoder, (unsigned)o.refresh, o.has_held ? &o.held : NULL);
    pthread_mutex_lock(&l->lock);
    l->stats.refreshes += o.refresh > 0;
    pthread_mutex_unlock(&l->lock);
}

static void account(struct live *l, const struct svc_unit *units, int n, uint64_t late_us)
{
    const struct svc_pace_orders o = svc_pace_orders(&l->pace);
    struct live_stats *s = &l->stats;

    pthread_mutex_lock(&l->lock);
    s->pictures += n > 0;
    s->left_out_pace += n == 0;
    s->errors += n < 0;
    s->keys += n > 0 && units[0].key;
    for (int i = 0; i < n; i++)
        s->bytes[i] += units[i].len;
    s->copies = svc_encoder_copies(l->encoder);
    s->restarts = svc_encoder_restarts(l->encoder);
    s->speed = l->paced ? o.speed : s->speed;
    s->n_temporal = l->paced ? o.n_temporal : l->info.n_temporal;
    s->n_spatial = n > 0 ? (uint8_t)n : s->n_spatial;
    s->pace_downs = l->pace.downs;
    s->pace_ups = l->pace.ups;
    s->load = svc_pace_load(&l->pace);
    s->late_us = late_us;
    s->late_max_us = late_us > s->late_max_us ? late_us : s->late_max_us;
    s->took_us = clock_now_us() - l->zero - pts_of(l, l->n_pictures);
    s->captures = live_input_capture_stats(l->input, &s->capture);
    pthread_mutex_unlock(&l->lock);
}

static int64_t wall_clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * US + ts.tv_nsec / 1000;
}

static int code(struct live *l, struct svc_unit *units, int64_t captured)
{
    const struct svc_image img = {
        .width = l->picture.width,
        .height = l->picture.height,
        .plane = { l->picture.plane[0], l->picture.plane[1], l->picture.plane[2] },
        .stride = { l->picture.stride[0], l->picture.stride[1], l->picture.stride[2] }
    };
    const int n =
        svc_encoder_encode(l->encoder, &img, (int64_t)pts_of(l, l->n_pictures), false, units);
    const int64_t took = wall_clock_us() - captured; /* negative: the clock was set back */

    for (int i = 0; i < n; i++) {
        units[i].captured = captured;
        units[i].encode_us = took > 0 && took < US * 60ll ? (uint32_t)took : 0;
        const struct svc_packet pkt = {
            .kind = SVC_VIDEO, .unit = units[i], .pts = units[i].pts, .end_of_picture = i == n - 1
        };
        if (hand_over(l, &pkt) < 0)
            break;
    }
    if (n > 0 && units[0].key)
        encoder_orders_keyed(&l->orders, clock_now_us());
    return n;
}

/* The next picture, begun `late_us` after it was due. 1: go on. 0: the end. -1: damaged. */
static int put_picture(struct live *l, uint64_t late_us)
{
    struct svc_unit units[SVC_SPATIAL_MAX];
    const uint64_t from = clock_now_us();

    obey_orders(l);
    const bool skips = svc_encoder_skips(l->encoder);
    const int64_t began = wall_clock_us();
    const int got = skips ? live_input_skip(l->input) : live_input_picture(l->input, &l->picture);

    if (got != 1)
        return got;
    /* a drawn picture is taken when the drawing of it begins, any other when it has been read */
    const int n = code(l, units, l->drawn ? began : wall_clock_us());
    const uint64_t now = clock_now_us();

    l->errors_row = n < 0 ? l->errors_row + 1 : 0;
    if (l->paced && n >= 0 && svc_pace_picture(&l->pace, now, skips ? 0 : now - from, late_us))
        obey_pace(l);
    account(l, units, n, late_us);
    return l->errors_row > LIVE_ERRORS_MAX ? -1 : 1;
}

/* There is no time for the next picture. As put_picture. */
static int leave_out(struct live *l)
{
    l->left_out_row++;
    pthread_mutex_lock(&l->lock);
    l->stats.left_out_late++;
    pthread_mutex_unlock(&l->lock);
    return live_input_skip(l->input);
}

static uint64_t period_us(const struct live *l)
{
    return (uint64_t)US * l->info.fps_den / l->info.fps_num;
}

static int next(struct live *l, uint64_t due)
{
    const uint64_t late_us = clock_now_us() - due;
    const uint64_t period = period_us(l);

    if (late_us > LIVE_CLOCK_LATE_US)
        l->zero += late_us;
    put_sound(l, pts_of(l, l->n_pictures));
    if (late_us > LIVE_LATE_PERIODS * period && l->left_out_row < LIVE_LEFT_OUT_MAX)
        return leave_out(l);
    l->left_out_row = 0;
    return put_picture(l, late_us);
}

/* The turn of a picture: when it is due, or, of what comes in its own time, when one is there, at
 * most a period later; then the last one is coded again. False: stopping. */
static bool await_turn(struct live *l, uint64_t *due)
{
    const bool captured = live_input_capture_stats(l->input, NULL);

    *due = l->zero + pts_of(l, l->n_pictures);
    while (l->opus && !captured && l->zero + (l->n_sound + 1) * l->cfg.sound_packet_us < *due) {
        /* a packet of sound is full before that */
        if (!wait_until(l, l->zero + (l->n_sound + 1) * l->cfg.sound_packet_us))
            return false;
        put_sound(l, (l->n_sound + 1) * l->cfg.sound_packet_us);
    }
    if (!wait_until(l, *due))
        return false;
    if (captured) { /* it is late only from its coming on */
        const uint64_t over = *due + period_us(l);
        live_input_await(l->input, over);
        const uint64_t now = clock_now_us();
        *due = now < over ? now : over;
    }
    return true;
}

/* It was opened; the loop lets it begin. False: stopping. */
static bool wait_for_begin(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stopping && !l->begun)
        pthread_cond_wait(&l->moved, &l->lock);
    const bool stop = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return !stop;
}

static int open_all(struct live *l, char *why, size_t why_size);

static bool open_here(struct live *l)
{
    char why[WHY_MAX] = "";
    const int result = open_all(l, why, sizeof why);

    pthread_mutex_lock(&l->lock);
    l->opened = result < 0 ? -1 : 1;
    memcpy(l->why, why, sizeof l->why);
    pthread_mutex_unlock(&l->lock);
    ev_async_send(l->sink.loop, &l->handed);
    return result == 0;
}

static void *run(void *arg)
{
    struct live *l = arg;
    int got = 1;
    uint64_t due;

    if (!open_here(l) || !wait_for_begin(l))
        return NULL;
    while (got == 1 && await_turn(l, &due)) {
        got = next(l, due);
        l->n_pictures++;
        ev_async_send(l->sink.loop, &l->handed);
    }
    pthread_mutex_lock(&l->lock);
    l->over = true;
    l->end = got < 0 ? FEED_DAMAGED : FEED_END;
    pthread_mutex_unlock(&l->lock);
    ev_async_send(l->sink.loop, &l->handed);
    return NULL;
}

/* ---- the loop's end ---- */

/* Tells the sink once how the opening went. False: it is not open. */
static bool is_open(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    const int opened = l->opened;
    pthread_mutex_unlock(&l->lock);
    if (!l->told && opened != 0) {
        l->told = true;
        l->sink.on_open(l->sink.user, opened < 0 ? l->why : NULL);
    }
    return opened > 0;
}

static void on_handed(struct ev_loop *loop, ev_async *async, int events)
{
    struct live *l = async->data;
    struct item item;
    bool over = false;

    (void)loop;
    (void)events;
    if (!is_open(l))
        return;
    for (size_t i = 0; i <= LIVE_RING_MAX; i++) { /* then the loop gets its turn */
        pthread_mutex_lock(&l->lock);
        const bool some = l->n > 0;
        if (some) {
            item = l->ring[l->head];
            l->head = (l->head + 1) % LIVE_RING_MAX;
            l->n--;
            pthread_cond_signal(&l->moved);
        }
        over = !some && l->over && !l->stopping;
        pthread_mutex_unlock(&l->lock);
        if (!some)
            break;
        l->sink.on_packet(l->sink.user, &item.pkt);
        free(item.bytes);
    }
    l->sink.on_burst(l->sink.user);
    if (over) {
        ev_async_stop(l->sink.loop, &l->handed);
        l->sink.on_end(l->sink.user, l->end);
    }
}

static struct live *of(struct feed *f)
{
    return (struct live *)f;
}

static const struct svc_stream_info *live_info(const struct feed *f)
{
    const struct live *l = (const struct live *)f;

    return l->told ? &l->info : NULL;
}

static int asked_to_stop(void *user)
{
    return stopping(user);
}

static void live_start(struct feed *f, uint64_t delay_us)
{
    struct live *l = of(f);

    pthread_mutex_lock(&l->lock);
    if (!l->begun)
        l->zero = clock_now_us() + delay_us;
    l->begun = true;
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

static void live_stop(struct feed *f)
{
    struct live *l = of(f);

    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    ev_async_stop(l->sink.loop, &l->handed);
}

static void live_free(struct feed *f)
{
    struct live *l = of(f);

    live_stop(f);
    if (l->started) /* it may wait for a pipe */
        nudge_join(l->thread);
    for (; l->n > 0; l->n--, l->head = (l->head + 1) % LIVE_RING_MAX)
        free(l->ring[l->head].bytes);
    svc_encoder_free(l->encoder);
    live_input_free(l->input);
    if (l->opus)
        opus_encoder_destroy(l->opus);
    if (l->opened > 0)
        encoder_orders_fini(&l->orders);
    free((char *)l->cfg.input.path);
    free((char *)l->cfg.input.sound);
    pthread_cond_destroy(&l->moved);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct encoder_orders *live_orders(struct feed *f)
{
    return &of(f)->orders;
}

static void live_stats(struct feed *f, struct live_stats *out)
{
    struct live *l = of(f);

    pthread_mutex_lock(&l->lock);
    *out = l->stats;
    pthread_mutex_unlock(&l->lock);
}

static const struct feed_ops live_ops = {
    .info = live_info,
    .start = live_start,
    .stop = live_stop,
    .free = live_free,
    .orders = live_orders,
    .stats = live_stats,
};

/* ---- set-up ---- */

static int open_sound(struct live *l, uint8_t channels)
{
    int err;

    if (channels == 0)
        return 0;
    l->opus = opus_encoder_create(LIVE_RATE, channels, OPUS_APPLICATION_AUDIO, &err);
    if (!l->opus)
        return SVC_ERR_CODEC;
    opus_encoder_ctl(l->opus, OPUS_SET_BITRATE(OPUS_BPS_PER_CHANNEL * channels));
    l->info.has_audio = true;
    l->info.audio_rate = LIVE_RATE;
    l->info.audio_channels = channels;
    l->info.audio_bitrate_bps = OPUS_BPS_PER_CHANNEL * (uint32_t)channels;
    return 0;
}

static void open_pace(struct live *l, const struct svc_encoder_config *enc)
{
    const struct svc_pace_config pace = {
        .period_us = (uint32_t)((uint64_t)US * enc->fps_den / enc->fps_num),
        .best = { enc->speed, enc->structure.n_temporal, enc->structure.n_spatial },
        .speed_max = strcmp(enc->codec, "h264") == 0 ? enc->speed : SPEED_MAX, /* it has none */
    };

    l->paced = svc_pace_init(&l->pace, &pace);
    l->stats.speed = enc->speed;
    l->stats.n_temporal = enc->structure.n_temporal;
    l->stats.n_spatial = enc->structure.n_spatial;
}

static int open_encoder(struct live *l, const struct live_config *cfg, char *why, size_t why_size)
{
    const struct live_input_info *in = live_input_info(l->input);
    struct svc_encoder_config enc = cfg->encoder;

    enc.width = in->width;
    enc.height = in->height;
    enc.fps_num = in->fps_num;
    enc.fps_den = in->fps_den;
    enc.isolated = true;
    if (cfg->key_interval_s > 0)
        enc.key_interval = (uint32_t)ceil(cfg->key_interval_s * in->fps_num / in->fps_den);
    int err = svc_encoder_new(&l->encoder, &enc);
    if (err == 0) {
        l->info = *svc_encoder_info(l->encoder);
        memcpy(l->bitrate_bps, enc.bitrate_bps, sizeof l->bitrate_bps);
        err = open_sound(l, in->channels);
    }
    if (err == 0 && encoder_orders_init(&l->orders, l->info.n_spatial) < 0)
        err = SVC_ERR_NOMEM;
    if (err < 0) {
        snprintf(why, why_size, "%ux%u at %u/%u pictures a second cannot be encoded: %s", enc.width,
                 enc.height, enc.fps_num, enc.fps_den, svc_strerror(err));
        return -1;
    }
    (void)svc_encoder_image(l->encoder, &l->picture);
    open_pace(l, &enc);
    return 0;
}

static int open_all(struct live *l, char *why, size_t why_size)
{
    struct live_input_config in = l->cfg.input;

    in.stop = asked_to_stop;
    in.stop_user = l;
    return live_input_open(&l->input, &in, why, why_size) < 0
               ? -1
               : open_encoder(l, &l->cfg, why, why_size);
}

/* False: out of memory. */
static bool copy_config(struct live *l, const struct live_config *cfg)
{
    l->cfg = *cfg;
    l->cfg.input.path = cfg->input.path ? strdup(cfg->input.path) : NULL;
    l->cfg.input.sound = cfg->input.sound ? strdup(cfg->input.sound) : NULL;
    return !cfg->input.path == !l->cfg.input.path && !cfg->input.sound == !l->cfg.input.sound;
}

int live_open(struct feed **out, const struct feed_sink *sink, const struct live_config *cfg,
              char *why, size_t why_size)
{
    struct live *l = calloc(1, sizeof *l);
    pthread_condattr_t monotonic;

    if (!l) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    l->feed.ops = &live_ops;
    l->sink = *sink;
    l->drawn = cfg->input.kind == LIVE_TEST;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
    ev_async_init(&l->handed, on_handed);
    l->handed.data = l;
    ev_async_start(l->sink.loop, &l->handed);
    l->started = copy_config(l, cfg) && nudge_start(&l->thread, run, l) == 0;
    if (!l->started) {
        snprintf(why, why_size, "cannot start the encoder's thread");
        live_free(&l->feed);
        return -1;
    }
    *out = &l->feed;
    return 0;
}
