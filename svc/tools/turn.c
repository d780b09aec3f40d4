/* turn.c - see turn.h. */
#include "turn.h"

#include <libavutil/display.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct turn {
    unsigned quarters;
    struct SwsContext *sws;
    AVFrame *plain; /* as 4:2:0, not turned */
};

unsigned turn_of(const AVStream *st)
{
    const int32_t *matrix =
        (const int32_t *)(const void *)av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    const double degrees = matrix ? -av_display_rotation_get(matrix) : 0; /* clockwise */

    if (isnan(degrees))
        return 0;
    const long quarters = lround(degrees / 90);
    return fabs(degrees - 90. * (double)quarters) < 1 ? (unsigned)(quarters & 3) : 0;
}

struct turn *turn_new(unsigned quarters)
{
    struct turn *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->quarters = quarters;
    t->plain = av_frame_alloc();
    if (!t->plain) {
        free(t);
        return NULL;
    }
    return t;
}

void turn_free(struct turn *t)
{
    if (!t)
        return;
    sws_freeContext(t->sws);
    av_frame_free(&t->plain);
    free(t);
}

static int make_plain(struct turn *t, const AVFrame *f)
{
    AVFrame *p = t->plain;

    if (p->width != f->width || p->height != f->height) {
        av_frame_unref(p);
        p->format = AV_PIX_FMT_YUV420P;
        p->width = f->width;
        p->height = f->height;
        if (av_frame_get_buffer(p, 0) < 0)
            return -1;
    }
    t->sws =
        sws_getCachedContext(t->sws, f->width, f->height, (enum AVPixelFormat)f->format, f->width,
                             f->height, AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!t->sws)
        return -1;
    sws_scale(t->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, p->data,
              p->linesize);
    return 0;
}

/* One plane of `w` x `h` samples, before it is turned. */
static void turn_plane(unsigned quarters, const uint8_t *from, int from_stride, int w, int h,
                       uint8_t *to, int to_stride)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const int column = quarters == 1 ? h - 1 - y : quarters == 2 ? w - 1 - x : y;
            const int row = quarters == 1 ? x : quarters == 2 ? h - 1 - y : w - 1 - x;
            to[(ptrdiff_t)row * to_stride + column] = from[(ptrdiff_t)y * from_stride + x];
        }
}

int turn_frame(struct turn *t, AVFrame *f)
{
    const bool sideways = (t->quarters & 1) != 0;
    AVFrame *out = av_frame_alloc();

    if (!out || make_plain(t, f) < 0)
        goto free_out;
    out->format = AV_PIX_FMT_YUV420P;
    out->width = sideways ? f->height : f->width;
    out->height = sideways ? f->width : f->height;
    if (av_frame_get_buffer(out, 0) < 0 || av_frame_copy_props(out, f) < 0)
        goto free_out;
    if (sideways && f->sample_aspect_ratio.num > 0)
        out->sample_aspect_ratio = av_inv_q(f->sample_aspect_ratio);
    for (int p = 0; p < 3; p++) {
        const int w = p ? (f->width + 1) / 2 : f->width, h = p ? (f->height + 1) / 2 : f->height;
        turn_plane(t->quarters, t->plain->data[p], t->plain->linesize[p], w, h, out->data[p],
                   out->linesize[p]);
    }
    av_frame_unref(f);
    av_frame_move_ref(f, out);
    av_frame_free(&out);
    return 0;
free_out:
    av_frame_free(&out);
    return -1;
}
