/*
 * av1_decoder.c - svc_decoder on dav1d's own API, with the tracker in front.
 *
 * Frame threading together with missing layers dead-locks dav1d 1.0, so max_frame_delay is 1; all
 * layers are put out and fed one by one, so that each send gives its picture at once and the best
 * one is simply the last.
 */
#include "svc/svc.h"

#include <dav1d/dav1d.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 16
#define DRAIN_MAX 8 /* pictures that one unit could give; more is a fault of the library */

struct svc_decoder {
    Dav1dContext *dav1d;
    struct svc_tracker tracker;
    bool started; /* a key frame has been decoded */
};

static void log_nothing(void *cookie, const char *format, va_list args)
{
    (void)cookie;
    (void)format;
    (void)args;
}

int svc_decoder_new(struct svc_decoder **out, unsigned threads)
{
    if (threads < 1 || threads > THREADS_MAX)
        return SVC_ERR_ARG;
    struct svc_decoder *d = calloc(1, sizeof(*d));
    if (!d)
        return SVC_ERR_NOMEM;
    Dav1dSettings settings;
    dav1d_default_settings(&settings);
    settings.n_threads = (int)threads;
    settings.max_frame_delay = 1;
    settings.operating_point = 0;
    settings.all_layers = 1;
    settings.logger.callback = log_nothing; /* errors come back as values */
    if (dav1d_open(&d->dav1d, &settings) < 0) {
        free(d);
        return SVC_ERR_CODEC;
    }
    *out = d;
    return 0;
}

/* Takes what the decoder has; the newest picture stays in *best. */
static int drain(struct svc_decoder *d, Dav1dPicture *best)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        Dav1dPicture pic = { 0 };
        int err = dav1d_get_picture(d->dav1d, &pic);
        if (err == DAV1D_ERR(EAGAIN))
            return 0;
        if (err < 0)
            return SVC_ERR_CODEC;
        dav1d_picture_unref(best);
        *best = pic;
    }
    return SVC_ERR_CODEC;
}

static int feed(struct svc_decoder *d, const struct svc_unit *unit, Dav1dPicture *best)
{
    Dav1dData data = { 0 };
    uint8_t *bytes = dav1d_data_create(&data, unit->len);
    if (!bytes)
        return SVC_ERR_NOMEM;
    memcpy(bytes, unit->bytes, unit->len);
    int result = 0;
    for (int i = 0; i < DRAIN_MAX && data.sz > 0 && result == 0; i++) {
        int err = dav1d_send_data(d->dav1d, &data);
        if (err < 0 && err != DAV1D_ERR(EAGAIN))
            result = SVC_ERR_CODEC;
        else
            result = drain(d, best);
    }
    if (data.sz > 0) {
        dav1d_data_unref(&data);
        result = result ? result : SVC_ERR_CODEC;
    }
    return result;
}

/* After damaged bits nothing that the slots hold can be trusted. */
static void start_over(struct svc_decoder *d)
{
    dav1d_flush(d->dav1d);
    d->tracker = (struct svc_tracker){ 0 };
    d->started = false;
}

static bool usable(const Dav1dPicture *pic)
{
    return pic->p.layout == DAV1D_PIXEL_LAYOUT_I420 && pic->p.bpc == 8 && pic->p.w > 0 &&
           pic->p.h > 0 && pic->p.w <= UINT16_MAX && pic->p.h <= UINT16_MAX;
}

static int give(Dav1dPicture *pic, const struct svc_unit *unit, struct svc_picture *out)
{
    Dav1dPicture *held = malloc(sizeof(*held));
    if (!held) {
        dav1d_picture_unref(pic);
        return SVC_ERR_NOMEM;
    }
    *held = *pic;
    *out = (struct svc_picture){
        .picture = unit->picture, .pts = unit->pts, .layer = unit->layer, .opaque = held
    };
    out->image.width = (uint16_t)pic->p.w;
    out->image.height = (uint16_t)pic->p.h;
    for (int p = 0; p < 3; p++) {
        out->image.plane[p] = pic->data[p];
        out->image.stride[p] = pic->stride[p ? 1 : 0];
    }
    return 1;
}

int svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                       struct svc_picture *out)
{
    if (n > SVC_SPATIAL_MAX)
        return SVC_ERR_ARG;
    Dav1dPicture best = { 0 };
    const struct svc_unit *shown = NULL;
    for (size_t i = 0; i < n; i++) {
        if ((!d->started && !units[i].key) || !svc_tracker_decodable(&d->tracker, &units[i]))
            continue;
        int err = feed(d, &units[i], &best);
        if (err == 0 && (!best.data[0] || !usable(&best)))
            err = SVC_ERR_CODEC;
        if (err < 0) {
            dav1d_picture_unref(&best);
            start_over(d);
            return err;
        }
        svc_tracker_decoded(&d->tracker, &units[i]);
        d->started = true;
        shown = &units[i];
    }
    return shown ? give(&best, shown, out) : 0;
}

void svc_picture_release(struct svc_decoder *d, struct svc_picture *p)
{
    (void)d;
    if (!p || !p->opaque)
        return;
    Dav1dPicture *held = p->opaque;
    dav1d_picture_unref(held);
    free(held);
    p->opaque = NULL;
}

const struct svc_tracker *svc_decoder_tracker(const struct svc_decoder *d)
{
    return &d->tracker;
}

void svc_decoder_free(struct svc_decoder *d)
{
    if (!d)
        return;
    dav1d_close(&d->dav1d);
    free(d);
}
