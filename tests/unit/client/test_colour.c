/*
 * test_colour.c - colour bars of known red, green and blue go through real codecs, the decoder, the
 * conversion and the screen, and come out as they were: with each matrix, range and depth that a
 * bitstream can say, turned, and with pixels that are not square.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frames.h"
#include "screen.h"

#include <svc/svc.h>

#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <png.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 256
#define HEIGHT 128
#define BARS 8
#define BAR (WIDTH / BARS)
#define NEAR 5 /* of 255: quantizers and rounding */

static const uint8_t bars[BARS][3] = { { 235, 235, 235 }, { 230, 220, 20 }, { 20, 210, 220 },
                                       { 30, 200, 40 },   { 210, 30, 200 }, { 220, 30, 30 },
                                       { 30, 40, 210 },   { 20, 20, 20 } };

struct row {
    const char *codec, *encoder; /* of svc_codecs, of libavcodec */
    enum AVColorSpace space;
    enum svc_matrix matrix;
    double kr, kb;
    bool full;
    unsigned depth;
};

static const struct row rows[] = {
    { "av1", "libaom-av1", AVCOL_SPC_BT709, SVC_MATRIX_BT709, .2126, .0722, false, 8 },
    { "av1", "libaom-av1", AVCOL_SPC_SMPTE170M, SVC_MATRIX_BT601, .299, .114, false, 8 },
    { "av1", "libaom-av1", AVCOL_SPC_BT2020_NCL, SVC_MATRIX_BT2020, .2627, .0593, false, 10 },
    { "av1", "libaom-av1", AVCOL_SPC_BT709, SVC_MATRIX_BT709, .2126, .0722, true, 8 },
    { "av1", "libaom-av1", AVCOL_SPC_BT709, SVC_MATRIX_BT709, .2126, .0722, true, 10 },
    { "av1", "libaom-av1", AVCOL_SPC_UNSPECIFIED, SVC_MATRIX_UNKNOWN, .2126, .0722, false, 8 },
    { "vp9", "libvpx-vp9", AVCOL_SPC_BT709, SVC_MATRIX_BT709, .2126, .0722, false, 8 },
    { "vp9", "libvpx-vp9", AVCOL_SPC_SMPTE170M, SVC_MATRIX_BT601, .299, .114, true, 8 },
    { "vp9", "libvpx-vp9", AVCOL_SPC_BT2020_NCL, SVC_MATRIX_BT2020, .2627, .0593, false, 10 },
    { "h264", "libx264", AVCOL_SPC_BT709, SVC_MATRIX_BT709, .2126, .0722, false, 8 },
    { "h264", "libx264", AVCOL_SPC_SMPTE170M, SVC_MATRIX_BT601, .299, .114, true, 8 },
};

/* Y', Cb, Cr of one bar as numbers of `depth` bits (ITU-T H.273, 8.3). */
static void code_bar(const struct row *r, const uint8_t rgb[3], unsigned out[3])
{
    const double R = rgb[0] / 255., G = rgb[1] / 255., B = rgb[2] / 255.;
    const double y = r->kr * R + (1 - r->kr - r->kb) * G + r->kb * B;
    const double cb = (B - y) / (2 * (1 - r->kb)), cr = (R - y) / (2 * (1 - r->kr));
    const double unit = 1u << (r->depth - 8), top = (1u << r->depth) - 1;
    out[0] = (unsigned)lround(r->full ? y * top : (219 * y + 16) * unit);
    out[1] = (unsigned)lround(r->full ? cb * top + 128 * unit : (224 * cb + 128) * unit);
    out[2] = (unsigned)lround(r->full ? cr * top + 128 * unit : (224 * cr + 128) * unit);
}

static void put(AVFrame *f, int plane, int x, int y, unsigned value, unsigned depth)
{
    uint8_t *at = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    if (depth > 8)
        ((uint16_t *)(void *)at)[x] = (uint16_t)value;
    else
        at[x] = (uint8_t)value;
}

static AVFrame *draw(const struct row *r, AVRational par)
{
    AVFrame *f = av_frame_alloc();
    f->format = r->depth > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    f->width = WIDTH;
    f->height = HEIGHT;
    f->colorspace = r->space;
    f->color_range = r->full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    f->sample_aspect_ratio = par;
    assert_true(av_frame_get_buffer(f, 0) >= 0);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            unsigned c[3];
            code_bar(r, bars[x / BAR], c);
            put(f, 0, x, y, c[0], r->depth);
            if (x % 2 == 0 && y % 2 == 0) {
                put(f, 1, x / 2, y / 2, c[1], r->depth);
                put(f, 2, x / 2, y / 2, c[2], r->depth);
            }
        }
    return f;
}

/* One key picture; NULL: there is no such encoder here. */
static AVPacket *encode(const struct row *r, AVRational par)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(r->encoder);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!c)
        return NULL;
    AVPacket *pkt = av_packet_alloc();
    AVFrame *f = draw(r, par);
    c->width = WIDTH;
    c->height = HEIGHT;
    c->pix_fmt = (enum AVPixelFormat)f->format;
    c->time_base = (AVRational){ 1, 30 };
    c->colorspace = r->space;
    c->color_range = f->color_range;
    c->sample_aspect_ratio = par;
    c->max_b_frames = 0;
    av_opt_set_double(c->priv_data, "crf", 4, 0);
    av_opt_set(c->priv_data, "cpu-used", "8", 0);
    av_opt_set(c->priv_data, "lag-in-frames", "0", 0);
    av_opt_set(c->priv_data, "tune", "zerolatency", 0);
    if (avcodec_open2(c, codec, NULL) < 0 || avcodec_send_frame(c, f) < 0 ||
        avcodec_send_frame(c, NULL) < 0 || avcodec_receive_packet(c, pkt) < 0)
        av_packet_free(&pkt);
    av_frame_free(&f);
    avcodec_free_context(&c);
    return pkt;
}

/* The pixels that are seen, BGRA. */
static uint8_t *shown(struct screen *s, int *w, int *h)
{
    char file[] = "/tmp/test_colour_XXXXXX", why[300];
    const int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(screen_save(s, file, why, sizeof why), 0);
    assert_int_equal(screen_finish_saving(s), 0);
    png_image png = { .version = PNG_IMAGE_VERSION };
    assert_true(png_image_begin_read_from_file(&png, file));
    png.format = PNG_FORMAT_BGRA;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(png));
    assert_true(png_image_finish_read(&png, NULL, pixels, 0, NULL));
    *w = (int)png.width;
    *h = (int)png.height;
    unlink(file);
    return pixels;
}

static void expect(const char *what, const uint8_t *bgra, const uint8_t rgb[3])
{
    for (int i = 0; i < 3; i++)
        if (abs(bgra[2 - i] - rgb[i]) > NEAR)
            fail_msg("%s: %d %d %d in place of %d %d %d", what, bgra[2], bgra[1], bgra[0], rgb[0],
                     rgb[1], rgb[2]);
}

static const uint8_t black[3] = { 0, 0, 0 };

/* Decodes and shows; the result is the decoder's, to be freed with it. */
static struct screen *show(const struct row *r, AVRational par, const struct screen_config *cfg,
                           struct svc_image *found)
{
    char why[300];
    struct screen *s;
    struct svc_decoder *d;
    struct svc_picture pic;
    AVPacket *pkt = encode(r, par);
    if (!pkt)
        return NULL;
    const struct svc_unit unit = { .bytes = pkt->data, .len = (size_t)pkt->size, .key = true };
    assert_int_equal(svc_decoder_new(&d, r->codec, 1), 0);
    assert_int_equal(svc_decoder_decode(d, &unit, 1, &pic), 1);
    *found = pic.image;
    assert_int_equal(screen_new(&s, cfg, why, sizeof why), 0);
    assert_int_equal(screen_show(s, &pic.image), 0);
    svc_picture_release(d, &pic);
    svc_decoder_free(d);
    av_packet_free(&pkt);
    return s;
}

static void test_matrices(void **state)
{
    (void)state;
    const struct screen_config cfg = { .kind = SCREEN_MEMORY, .width = WIDTH, .height = HEIGHT };
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct svc_image img;
        struct screen *s = show(r, (AVRational){ 1, 1 }, &cfg, &img);
        char what[80];
        int w, h;
        if (!s)
            continue;
        seen++;
        snprintf(what, sizeof what, "%s %d full %d depth %u", r->codec, (int)r->matrix, r->full,
                 r->depth);
        if (img.matrix != r->matrix || img.full_range != r->full || img.depth != r->depth)
            fail_msg("%s: found %d full %d depth %u", what, img.matrix, img.full_range, img.depth);
        uint8_t *p = shown(s, &w, &h);
        for (int b = 0; b < BARS; b++)
            expect(what, p + 4 * ((ptrdiff_t)h / 2 * w + b * BAR + BAR / 2), bars[b]);
        free(p);
        screen_free(s);
    }
    assert_true(seen > 0);
}

/* The middles of what is seen where the bars run from left to right, or downwards when turned. */
static void test_turned(void **state)
{
    (void)state;
    for (unsigned turn = 90; turn < 360; turn += 90) {
        const bool lies = turn != 180;
        const struct screen_config cfg = { .kind = SCREEN_MEMORY,
                                           .width = lies ? HEIGHT : WIDTH,
                                           .height = lies ? WIDTH : HEIGHT,
                                           .rotate = turn };
        struct svc_image img;
        struct screen *s = show(&rows[0], (AVRational){ 1, 1 }, &cfg, &img);
        char what[40];
        int w, h;
        if (!s)
            skip();
        uint8_t *p = shown(s, &w, &h);
        snprintf(what, sizeof what, "turned by %u", turn);
        for (int b = 0; b < BARS; b++) {
            const int along = (turn == 90 ? b : BARS - 1 - b) * BAR + BAR / 2;
            const int x = lies ? w / 2 : along, y = lies ? along : h / 2;
            expect(what, p + 4 * ((ptrdiff_t)y * w + x), bars[b]);
        }
        free(p);
        screen_free(s);
    }
}

/* Pixels twice as wide as high: the picture is twice as wide, with bars of black above and below.
 */
static void test_pixel_aspect(void **state)
{
    (void)state;
    static const struct row row = { "h264", "libx264", AVCOL_SPC_BT709, SVC_MATRIX_BT709,
                                    .2126,  .0722,     false,           8 };
    const struct screen_config cfg = { .kind = SCREEN_MEMORY, .width = 512, .height = 512 };
    struct svc_image img;
    struct screen *s = show(&row, (AVRational){ 2, 1 }, &cfg, &img);
    int w, h;
    if (!s)
        skip();
    assert_true(img.par_num == 2 && img.par_den == 1);
    uint8_t *p = shown(s, &w, &h); /* 512 x 128 in the middle */
    expect("within", p + 4 * ((ptrdiff_t)200 * w + 100), bars[1]);
    expect("above", p + 4 * ((ptrdiff_t)180 * w + 100), black);
    expect("below", p + 4 * ((ptrdiff_t)330 * w + 100), black);
    free(p);
    screen_free(s);
}

/* Shown pictures as files: what was shown, by its number, also where the size changes. */
static void test_frames(void **state)
{
    (void)state;
    static uint8_t grey[96 * 64 * 2];
    char dir[] = "/tmp/test_frames_XXXXXX", file[64], why[300];
    struct frames *f;
    memset(grey, 128, sizeof grey);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(frames_new(&f, dir, why, sizeof why), 0);
    for (unsigned n = 0; n < 2 * FRAMES_WAITING_MAX; n++) {
        const uint16_t w = n % 2 ? 96 : 48, h = n % 2 ? 64 : 32;
        const struct svc_image img = {
            .width = w, .height = h, .plane = { grey, grey, grey }, .stride = { w, w / 2, w / 2 }
        };
        assert_int_equal(frames_add(f, 7 + n, &img, why, sizeof why), 0);
    }
    assert_int_equal(frames_free(f), 0);
    for (unsigned n = 0; n < 2 * FRAMES_WAITING_MAX; n++) {
        png_image png = { .version = PNG_IMAGE_VERSION };
        uint8_t pixels[96 * 64 * 3];
        snprintf(file, sizeof file, "%s/%010u.png", dir, 7 + n);
        assert_true(png_image_begin_read_from_file(&png, file));
        assert_int_equal(png.width, n % 2 ? 96 : 48);
        png.format = PNG_FORMAT_RGB;
        assert_true(png_image_finish_read(&png, NULL, pixels, 0, NULL));
        assert_in_range(pixels[300], 129, 132); /* (128 - 16) / 219 of 255 */
        unlink(file);
    }
    rmdir(dir);
    assert_int_equal(frames_new(&f, "/dev/null/frames", why, sizeof why), -1);
    assert_non_null(strstr(why, "/dev/null/frames"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_turned),
        cmocka_unit_test(test_pixel_aspect),
        cmocka_unit_test(test_frames),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
