/*
 * av1_decoder.c - the decoding half of the AV1 backend, on dav1d's own API.
 *
 * Frame threading together with missing layers dead-locks dav1d 1.0, so max_frame_delay is 1; all
 * layers are put out and fed one by one, so that each send gives its picture at once.
 */
#include "av1.h"

#include <dav1d/dav1d.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MAX 8 /* pictures that one unit could give; more is a fault of the library */

static void log_nothing(void *cookie, const char *format, va_list args)
{
    (void)cookie;
    (void)format;
    (void)args;
}

int svc_av1_decoder_open(void **state, unsigned threads)
{
    Dav1dContext *dav1d = NULL;
    Dav1dSettings settings;
    dav1d_default_settings(&settings);
    settings.n_threads = (int)threads;
    settings.max_frame_delay = 1;
    settings.operating_point = 0;
    settings.all_layers = 1;
    settings.logger.callback = log_nothing; /* errors come back as values */
    if (dav1d_open(&dav1d, &settings) < 0)
        return SVC_ERR_CODEC;
    *state = dav1d;
    return 0;
}

/* Takes what the decoder has; the newest picture stays in *best. */
static int drain(Dav1dContext *dav1d, Dav1dPicture *best)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        Dav1dPicture pic = { 0 };
        int err = dav1d_get_picture(dav1d, &pic);
        if (err == DAV1D_ERR(EAGAIN))
            return 0;
        if (err < 0)
            return SVC_ERR_CODEC;
        dav1d_picture_unref(best);
        *best = pic;
    }
    return SVC_ERR_CODEC;
}

static int feed(Dav1dContext *dav1d, const struct svc_unit *unit, Dav1dPicture *best)
{
    Dav1dData data = { 0 };
    uint8_t *bytes = dav1d_data_create(&data, unit->len);
    if (!bytes)
        return SVC_ERR_NOMEM;
    memcpy(bytes, unit->bytes, unit->len);
    int result = 0;
    for (int i = 0; i < DRAIN_MAX && data.sz > 0 && result == 0; i++) {
        int err = dav1d_send_data(dav1d, &data);
        if (err < 0 && err != DAV1D_ERR(EAGAIN))
            result = SVC_ERR_CODEC;
        else
            result = drain(dav1d, best);
    }
    if (data.sz > 0) {
        dav1d_data_unref(&data);
        result = result ? result : SVC_ERR_CODEC;
    }
    return result;
}

static bool usable(const Dav1dPicture *pic)
{
    return pic->data[0] && pic->p.layout == DAV1D_PIXEL_LAYOUT_I420 && pic->p.bpc <= 12 &&
           pic->p.w > 0 && pic->p.h > 0 && pic->p.w <= UINT16_MAX && pic->p.h <= UINT16_MAX;
}

/* What the sequence and frame headers say of colours and shape. */
static void describe(const Dav1dPicture *pic, struct svc_image *img)
{
    const Dav1dFrameHeader *f = pic->frame_hdr;
    const uint32_t num = (uint32_t)f->render_width * (uint32_t)pic->p.h;
    const uint32_t den = (uint32_t)f->render_height * (uint32_t)pic->p.w;

    img->depth = (uint8_t)pic->p.bpc;
    img->matrix = (uint8_t)svc_matrix_of_h273((unsigned)pic->seq_hdr->mtrx);
    img->full_range = pic->seq_hdr->color_range != 0;
    svc_image_set_par(img, num, den);
}

int svc_av1_decode(void *state, const struct svc_unit *unit, struct svc_picture *out)
{
    Dav1dPicture *pic = calloc(1, sizeof(*pic));
    if (!pic)
        return SVC_ERR_NOMEM;
    int err = feed(state, unit, pic);
    if (err == 0 && !usable(pic))
        err = SVC_ERR_CODEC;
    if (err < 0) {
        svc_av1_release(pic);
        return err;
    }
    out->opaque = pic;
    out->image.width = (uint16_t)pic->p.w;
    out->image.height = (uint16_t)pic->p.h;
    describe(pic, &out->image);
    for (int p = 0; p < 3; p++) {
        out->image.plane[p] = pic->data[p];
        out->image.stride[p] = pic->stride[p ? 1 : 0];
    }
    return 0;
}

void svc_av1_release(void *opaque)
{
    Dav1dPicture *pic = opaque;
    dav1d_picture_unref(pic);
    free(pic);
}

void svc_av1_flush(void *state)
{
    dav1d_flush(state);
}

void svc_av1_decoder_close(void *state)
{
    Dav1dContext *dav1d = state;
    dav1d_close(&dav1d);
}
