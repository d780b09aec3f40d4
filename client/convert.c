/* convert.c - see convert.h. */
#include "convert.h"

#include <libswscale/swscale.h>

#include <stdlib.h>

struct convert {
    struct SwsContext *sws; /* for `kind`, or NULL */
    struct kind {
        uint16_t width, height;
        uint8_t depth, matrix;
        bool full_range;
    } kind;
};

struct convert *convert_new(void)
{
    return calloc(1, sizeof(struct convert));
}

void convert_free(struct convert *c)
{
    if (!c)
        return;
    sws_freeContext(c->sws);
    free(c);
}

static enum AVPixelFormat format_of(uint8_t depth)
{
    return depth == 10   ? AV_PIX_FMT_YUV420P10
           : depth == 12 ? AV_PIX_FMT_YUV420P12
           : depth <= 8  ? AV_PIX_FMT_YUV420P
                         : AV_PIX_FMT_NONE;
}

static int colourspace_of(uint8_t matrix)
{
    switch (matrix) {
    case SVC_MATRIX_BT601:
        return SWS_CS_ITU601;
    case SVC_MATRIX_BT2020:
        return SWS_CS_BT2020;
    case SVC_MATRIX_SMPTE240:
        return SWS_CS_SMPTE240M;
    default:
        return SWS_CS_ITU709;
    }
}

static int prepare(struct convert *c, const struct svc_image *img)
{
    const struct kind kind = { img->width, img->height, img->depth, img->matrix, img->full_range };
    const enum AVPixelFormat from = format_of(img->depth);

    if (c->sws && kind.width == c->kind.width && kind.height == c->kind.height &&
        kind.depth == c->kind.depth && kind.matrix == c->kind.matrix &&
        kind.full_range == c->kind.full_range)
        return 0;
    sws_freeContext(c->sws);
    c->sws = from == AV_PIX_FMT_NONE
                 ? NULL
                 : sws_getContext(kind.width, kind.height, from, kind.width, kind.height,
                                  AV_PIX_FMT_BGRA, SWS_BILINEAR, NULL, NULL, NULL);
    if (!c->sws)
        return -1;
    sws_setColorspaceDetails(c->sws, sws_getCoefficients(colourspace_of(kind.matrix)),
                             kind.full_range, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16,
                             1 << 16);
    c->kind = kind;
    return 0;
}

int convert_picture(struct convert *c, const struct svc_image *img, uint8_t *bgra, int pitch)
{
    if (prepare(c, img) != 0)
        return -1;
    const uint8_t *const from[4] = { img->plane[0], img->plane[1], img->plane[2], NULL };
    const int from_stride[4] = { (int)img->stride[0], (int)img->stride[1], (int)img->stride[2], 0 };
    uint8_t *const to[4] = { bgra, NULL, NULL, NULL };
    const int to_stride[4] = { pitch, 0, 0, 0 };
    return sws_scale(c->sws, from, from_stride, 0, img->height, to, to_stride) == img->height ? 0
                                                                                              : -1;
}
