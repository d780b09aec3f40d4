/*
 * vp9_decoder.c - the decoding half of the VP9 backend, on libvpx. Its pictures live until its next
 * call, those given out until their release, so they are copied.
 */
#include "vp9.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

struct vp9_decoder {
    vpx_codec_ctx_t vpx;
    bool vpx_open;
    unsigned threads;
};

static int open_vpx(struct vp9_decoder *d)
{
    const vpx_codec_dec_cfg_t cfg = { .threads = d->threads };

    d->vpx_open = vpx_codec_dec_init(&d->vpx, vpx_codec_vp9_dx(), &cfg, 0) == 0;
    return d->vpx_open ? 0 : SVC_ERR_CODEC;
}

int svc_vp9_decoder_open(void **state, unsigned threads)
{
    struct vp9_decoder *d = calloc(1, sizeof(*d));

    if (!d)
        return SVC_ERR_NOMEM;
    d->threads = threads;
    if (open_vpx(d) < 0) {
        free(d);
        return SVC_ERR_CODEC;
    }
    *state = d;
    return 0;
}

static size_t copy_plane(uint8_t *out, const uint8_t *from, ptrdiff_t stride, size_t w, size_t h)
{
    for (size_t y = 0; y < h; y++)
        memcpy(out + y * w, from + (ptrdiff_t)y * stride, w);
    return w * h;
}

static enum svc_matrix matrix_of(vpx_color_space_t cs)
{
    switch (cs) {
    case VPX_CS_BT_601:
    case VPX_CS_SMPTE_170:
        return SVC_MATRIX_BT601;
    case VPX_CS_BT_709:
        return SVC_MATRIX_BT709;
    case VPX_CS_BT_2020:
        return SVC_MATRIX_BT2020;
    case VPX_CS_SMPTE_240:
        return SVC_MATRIX_SMPTE240;
    default:
        return SVC_MATRIX_UNKNOWN;
    }
}

int svc_vp9_decode(void *state, const struct svc_unit *unit, struct svc_picture *out)
{
    struct vp9_decoder *d = state;
    vpx_codec_iter_t iter = NULL;

    if (!d->vpx_open || vpx_codec_decode(&d->vpx, unit->bytes, (unsigned)unit->len, NULL, 0))
        return SVC_ERR_CODEC;
    const vpx_image_t *img = vpx_codec_get_frame(&d->vpx, &iter);

    if (!img || (img->fmt != VPX_IMG_FMT_I420 && img->fmt != VPX_IMG_FMT_I42016) ||
        img->bit_depth > 12 || img->d_w < 1 || img->d_h < 1 || img->d_w > UINT16_MAX ||
        img->d_h > UINT16_MAX)
        return SVC_ERR_CODEC;
    const size_t sample = img->fmt == VPX_IMG_FMT_I42016 ? 2 : 1, h = img->d_h, ch = (h + 1) / 2;
    const size_t w = img->d_w * sample, cw = (img->d_w + 1) / 2 * sample; /* bytes */
    uint8_t *bytes = malloc(w * h + 2 * cw * ch);

    if (!bytes)
        return SVC_ERR_NOMEM;
    size_t at = 0;
    out->image = (struct svc_image){ .width = (uint16_t)img->d_w,
                                     .height = (uint16_t)h,
                                     .depth = (uint8_t)img->bit_depth,
                                     .matrix = (uint8_t)matrix_of(img->cs),
                                     .full_range = img->range == VPX_CR_FULL_RANGE };
    if (img->r_w > 0 && img->r_h > 0)
        svc_image_set_par(&out->image, img->r_w * img->d_h, img->r_h * img->d_w);
    for (int p = 0; p < 3; p++) {
        out->image.plane[p] = bytes + at;
        out->image.stride[p] = (ptrdiff_t)(p ? cw : w);
        at += copy_plane(bytes + at, img->planes[p], img->stride[p], p ? cw : w, p ? ch : h);
    }
    out->opaque = bytes;
    return 0;
}

void svc_vp9_release(void *opaque)
{
    free(opaque);
}

void svc_vp9_flush(void *state)
{
    struct vp9_decoder *d = state;

    if (d->vpx_open)
        vpx_codec_destroy(&d->vpx);
    open_vpx(d); /* if it fails, so does every decode */
}

void svc_vp9_decoder_close(void *state)
{
    struct vp9_decoder *d = state;

    if (d->vpx_open)
        vpx_codec_destroy(&d->vpx);
    free(d);
}
