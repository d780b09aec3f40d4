/* test_source.c - any file as pictures and sound: in place, skipped, each kind for itself, again
 * from the beginning. The clip, two seconds, is argv[1]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <unistd.h>

#include "source.h"
#include "testclip_number.h"

#define PICTURES 60
#define WIDTH 192
#define HEIGHT 108

static const char *clip;

struct place {
    uint8_t bytes[WIDTH * HEIGHT * 2];
    struct svc_image_buffer to;
};

static struct source *opened(struct place *p)
{
    const struct source_config cfg = {
        .path = clip, .width = WIDTH, .height = HEIGHT, .threads = 2, .quick = p != NULL
    };
    struct source *s = NULL;
    char why[200] = "";

    if (source_open(&s, &cfg, why, sizeof why) < 0)
        fail_msg("%s", why);
    if (p) {
        p->to = (struct svc_image_buffer){
            .width = WIDTH,
            .height = HEIGHT,
            .plane = { p->bytes, p->bytes + WIDTH * HEIGHT, p->bytes + WIDTH * HEIGHT * 3 / 2 },
            .stride = { WIDTH, WIDTH, WIDTH / 2 },
        };
        source_write_to(s, &p->to);
    }
    return s;
}

static void pictures_are_put_where_they_are_wanted(void **state)
{
    static struct place p;
    struct source *s = opened(&p);
    struct source_item item;

    (void)state;
    for (int n = 0; n < PICTURES; n++) {
        if (n % 3 == 1) {
            assert_int_equal(source_skip_picture(s), 1);
            continue;
        }
        assert_int_equal(source_next_picture(s, &item), 1);
        assert_int_equal(item.number, n);
        assert_ptr_equal(item.image.plane[0], p.bytes);
        assert_ptr_equal(item.image.plane[2], p.to.plane[2]);
        assert_int_equal(testclip_read_number(&item.image), n);
    }
    assert_int_equal(source_next_picture(s, &item), 0);
    assert_int_equal(source_skip_picture(s), 0);
    source_free(s);
}

static void sound_is_pulled_for_itself(void **state)
{
    struct source *s = opened(NULL);
    struct source_item item;
    size_t frames = 0;

    (void)state;
    assert_int_equal(source_info(s)->channels, 1);
    while (source_next_sound(s, &item) == 1) {
        assert_int_equal(item.kind, SOURCE_SOUND);
        frames += item.n_frames;
    }
    assert_in_range(frames, SOURCE_RATE * 2 - 2048, SOURCE_RATE * 2 + 2048);
    for (int n = 0; n < PICTURES; n++) { /* they were kept meanwhile */
        assert_int_equal(source_next_picture(s, &item), 1);
        assert_int_equal(testclip_read_number(&item.image), n);
    }
    assert_int_equal(source_rewind(s), 0);
    assert_int_equal(source_next_picture(s, &item), 1);
    assert_int_equal(item.number, 0);
    assert_int_equal(testclip_read_number(&item.image), 0);
    assert_int_equal(source_next_sound(s, &item), 1);
    source_free(s);
}

/* A file of one picture, SIDE wide and half as high, whose left half is white, to be turned. */
#define SIDE 128
static void write_turned(const char *path, double degrees_clockwise)
{
    AVFormatContext *f = NULL;
    AVCodecContext *c = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MPEG4));
    AVFrame *frame = av_frame_alloc();
    AVPacket *pkt = av_packet_alloc();

    assert_true(avformat_alloc_output_context2(&f, NULL, "mp4", path) >= 0);
    AVStream *st = avformat_new_stream(f, NULL);
    c->width = frame->width = SIDE;
    c->height = frame->height = SIDE / 2;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    frame->format = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){ 1, 25 };
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    assert_true(avcodec_open2(c, NULL, NULL) >= 0 && av_frame_get_buffer(frame, 0) >= 0);
    for (int y = 0; y < SIDE / 2; y++)
        for (int x = 0; x < SIDE; x++)
            frame->data[0][y * frame->linesize[0] + x] = x < SIDE / 2 ? 235 : 16;
    for (int p = 1; p < 3; p++)
        memset(frame->data[p], 128, (size_t)frame->linesize[p] * (SIDE / 4));
    frame->pts = 0;
    avcodec_parameters_from_context(st->codecpar, c);
    st->time_base = c->time_base;
    int32_t *matrix = (int32_t *)(void *)av_stream_new_side_data(st, AV_PKT_DATA_DISPLAYMATRIX,
                                                                 9 * sizeof *matrix);
    av_display_rotation_set(matrix, degrees_clockwise);
    assert_true(avio_open(&f->pb, path, AVIO_FLAG_WRITE) >= 0);
    assert_true(avformat_write_header(f, NULL) >= 0);
    assert_true(avcodec_send_frame(c, frame) >= 0 && avcodec_send_frame(c, NULL) >= 0);
    assert_true(avcodec_receive_packet(c, pkt) >= 0);
    pkt->duration = 1;
    av_packet_rescale_ts(pkt, c->time_base, st->time_base);
    assert_true(av_write_frame(f, pkt) >= 0 && av_write_trailer(f) >= 0);
    avio_closep(&f->pb);
    avformat_free_context(f);
    avcodec_free_context(&c);
    av_frame_free(&frame);
    av_packet_free(&pkt);
}

/* At a quarter from the left or the top. */
static bool is_white(const struct svc_image *i, double x, double y)
{
    return i->plane[0][(size_t)(y * i->height) * i->stride[0] + (size_t)(x * i->width)] > 128;
}

static void pictures_are_turned_upright(void **state)
{
    static const struct {
        double degrees, x, y; /* where the white half is */
        bool sideways;
    } cases[] = { { 0, .25, .5, false },
                  { 90, .5, .25, true },
                  { 180, .75, .5, false },
                  { 270, .5, .75, true } };
    char path[] = "/tmp/test-source-XXXXXX.mp4";

    (void)state;
    close(mkstemps(path, 4));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct source_config cfg = { .path = path, .threads = 1 };
        struct source *s;
        struct source_item item;
        char why[200];

        write_turned(path, cases[i].degrees);
        assert_int_equal(source_open(&s, &cfg, why, sizeof why), 0);
        assert_int_equal(source_info(s)->width, cases[i].sideways ? SIDE / 2 : SIDE);
        assert_int_equal(source_info(s)->height, cases[i].sideways ? SIDE : SIDE / 2);
        assert_int_equal(source_next_picture(s, &item), 1);
        assert_true(is_white(&item.image, cases[i].x, cases[i].y));
        assert_false(is_white(&item.image, 1 - cases[i].x - .01, 1 - cases[i].y - .01));
        source_free(s);
    }
    unlink(path);
}

static void both_come_by_time(void **state)
{
    struct source *s = opened(NULL);
    struct source_item item;
    size_t frames = 0;
    int pictures = 0, got;

    (void)state;
    while ((got = source_next(s, &item)) == 1) {
        if (item.kind == SOURCE_SOUND) {
            frames += item.n_frames;
            continue;
        }
        assert_int_equal(item.number, pictures);
        assert_true(frames * 30 >= (size_t)pictures * SOURCE_RATE);
        pictures++;
    }
    assert_int_equal(got, 0);
    assert_int_equal(pictures, PICTURES);
    assert_in_range(frames, SOURCE_RATE * 2 - 2048, SOURCE_RATE * 2 + 2048);
    source_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_put_where_they_are_wanted),
        cmocka_unit_test(sound_is_pulled_for_itself),
        cmocka_unit_test(pictures_are_turned_upright),
        cmocka_unit_test(both_come_by_time),
    };
    clip = argc > 1 ? argv[1] : "";
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
