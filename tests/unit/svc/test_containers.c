/*
 * test_containers.c - every codec in every kind of file that carries it: units, dependencies,
 * layers and sound come back as they were, FFmpeg's libraries play it picture by picture, and
 * shortened or mutated files do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>

#include "clip.h"

#define PICTURES 26
#define SOUND_BYTES 40

static const struct {
    const char *codec, *structure, *ending;
    bool sound;
} all[] = {
    { "av1", "L3T2", "mkv", true },      { "av1", "L3T3", "webm", true },
    { "av1", "L3T2", "mp4", true },      { "av1", "L2T2", "ivf", false },
    { "av1", "L3T2", "obu", false },     { "vp9", "L3T2", "mkv", true },
    { "vp9", "L3T3", "webm", true },     { "vp9", "L2T3", "mp4", true },
    { "vp9", "L3T3_KEY", "ivf", false }, { "vp9", "L1T1", "ivf", false },
    { "vp9", "L1T3", "webm", false },    { "vp9", "L2T1", "mkv", false },
    { "h264", "L1T3", "mkv", true },     { "h264", "L1T2", "mp4", true },
    { "h264", "L1T1", "mp4", false },    { "av1", "L3T3_KEY", "mp4", true },
    { "vp9", "L3T2_KEY", "mkv", true },
};
#define N_ALL (sizeof(all) / sizeof(all[0]))

struct file {
    char path[80], other[80];
    struct kept *kept;
    bool sound;
};

static void write_file(const struct file *f)
{
    struct svc_writer *w = NULL;
    struct svc_stream_info info = f->kept->info;
    char why[200] = "";

    info.has_audio = f->sound;
    info.audio_channels = 2;
    if (svc_writer_open(&w, f->path, &info, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    for (unsigned i = 0; i < f->kept->n; i++) {
        const uint8_t opus[SOUND_BYTES] = { 0xfc, (uint8_t)i };

        if (f->sound)
            assert_int_equal(svc_writer_audio(w, opus, sizeof(opus), i * 20000), 0);
        assert_int_equal(svc_writer_picture(w, f->kept->unit[i], f->kept->n_spatial), 0);
    }
    assert_int_equal(svc_writer_close(w), 0);
    svc_writer_free(w);
}

static void begin(struct file *f, size_t which)
{
    struct svc_encoder_config cfg;

    svc_encoder_config_init(&cfg);
    cfg.codec = all[which].codec;
    cfg.width = 256;
    cfg.height = 144;
    cfg.key_interval = 13;
    cfg.isolated = false;
    cfg.fps_num = which % 2 ? 30000 : 25;
    cfg.fps_den = which % 2 ? 1001 : 1;
    memset(cfg.bitrate_bps, 0, sizeof(cfg.bitrate_bps));
    assert_int_equal(svc_structure_parse(&cfg.structure, all[which].structure), 0);
    snprintf(f->path, sizeof(f->path), "/tmp/svc-containers-%d.%s", (int)getpid(),
             all[which].ending);
    snprintf(f->other, sizeof(f->other), "/tmp/svc-containers-%d-b.%s", (int)getpid(),
             all[which].ending);
    f->sound = all[which].sound;
    f->kept = kept_new(&cfg, PICTURES);
    write_file(f);
}

static void end(struct file *f)
{
    unlink(f->path);
    unlink(f->other);
    kept_free(f->kept);
}

static bool expects(const struct svc_deps *d, const struct svc_read *want)
{
    for (size_t i = 0; i < d->n_reads; i++)
        if (d->reads[i].slot == want->slot && d->reads[i].picture == want->picture &&
            d->reads[i].spatial == want->spatial)
            return true;
    return false;
}

static void check_unit(const struct svc_packet *p, const struct svc_unit *want, uint64_t from,
                       int64_t offset)
{
    const struct svc_unit *u = &p->unit;

    assert_int_equal(u->picture, want->picture + from);
    assert_in_range(u->pts - want->pts - offset + 1001, 0, 2002);
    assert_int_equal(u->key, want->key);
    assert_int_equal(u->layer.spatial, want->layer.spatial);
    assert_int_equal(u->layer.temporal, want->layer.temporal);
    assert_int_equal(u->len, want->len);
    assert_memory_equal(u->bytes, want->bytes, want->len);
    assert_int_equal(u->deps.refreshes, want->deps.refreshes);
    assert_int_equal(u->deps.n_reads, want->deps.n_reads);
    for (size_t i = 0; i < want->deps.n_reads; i++) {
        struct svc_read r = want->deps.reads[i];

        r.picture += from;
        assert_true(expects(&u->deps, &r));
    }
}

static void read_pass(struct svc_reader *r, const struct file *f, unsigned pass)
{
    const struct svc_stream_info *info = svc_reader_info(r);
    const unsigned n_spatial = f->kept->n_spatial;
    struct svc_packet p;
    unsigned units = 0, sounds = 0;
    int got;

    while ((got = svc_reader_next(r, &p)) == 1) {
        if (p.kind == SVC_AUDIO) {
            assert_int_equal(p.audio[1], sounds++);
            continue;
        }
        check_unit(&p, &f->kept->unit[units / n_spatial][units % n_spatial],
                   pass * info->n_pictures, pass * info->duration);
        units++;
        assert_int_equal(p.end_of_picture, units % n_spatial == 0);
    }
    assert_int_equal(got, 0);
    assert_int_equal(units, PICTURES * n_spatial);
    assert_int_equal(sounds, f->sound ? PICTURES : 0);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ALL; i++) {
        struct file f;
        struct svc_reader *r = NULL;
        char why[200] = "";

        begin(&f, i);
        if (svc_reader_open(&r, f.path, why, sizeof(why)) != 0)
            fail_msg("%s", why);
        const struct svc_stream_info *info = svc_reader_info(r), *want = &f.kept->info;

        assert_string_equal(info->container, all[i].ending);
        assert_memory_equal(info->codec, want->codec, 7);
        assert_int_equal(info->n_spatial, want->n_spatial);
        assert_int_equal(info->n_temporal, want->n_temporal);
        assert_int_equal(info->width, 256);
        assert_int_equal(info->height, 144);
        assert_int_equal(info->n_pictures, PICTURES);
        assert_int_equal(info->has_audio, f.sound);
        assert_in_range(
            info->fps_num * 1000 / info->fps_den - want->fps_num * 1000 / want->fps_den + 5, 0, 10);
        for (size_t l = 0; l < want->n_spatial; l++)
            assert_int_equal(info->layers[l].width, want->layers[l].width);
        for (unsigned pass = 0; pass < 2; pass++) {
            read_pass(r, &f, pass);
            assert_int_equal(svc_reader_loop(r), 0);
        }
        svc_reader_free(r);
        end(&f);
    }
}

/* ---- as a player sees it ---- */

struct player {
    AVFormatContext *in;
    AVCodecContext *av;
    AVFrame *frame;
    unsigned shown;
};

static void take_frames(struct player *p, const struct kept *k)
{
    while (avcodec_receive_frame(p->av, p->frame) == 0) {
        const AVFrame *f = p->frame;

        assert_true(p->shown < k->n);
        assert_int_equal(f->width, 256);
        assert_int_equal(svc_image_crc(&(struct svc_image){
                             .width = (uint16_t)f->width,
                             .height = (uint16_t)f->height,
                             .plane = { f->data[0], f->data[1], f->data[2] },
                             .stride = { f->linesize[0], f->linesize[1], f->linesize[2] } }),
                         k->crc[p->shown][k->n_spatial - 1]);
        p->shown++;
    }
}

static void players_show_the_top_layer_of_each_picture(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ALL; i++) {
        struct file f;
        struct player p = { 0 };
        AVPacket *pkt = av_packet_alloc();

        begin(&f, i);
        assert_int_equal(avformat_open_input(&p.in, f.path, NULL, NULL), 0);
        assert_true(avformat_find_stream_info(p.in, NULL) >= 0);
        const int video = av_find_best_stream(p.in, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);

        assert_true(video >= 0);
        p.av =
            avcodec_alloc_context3(avcodec_find_decoder(p.in->streams[video]->codecpar->codec_id));
        p.frame = av_frame_alloc();
        avcodec_parameters_to_context(p.av, p.in->streams[video]->codecpar);
        p.av->thread_count = 1;
        assert_int_equal(avcodec_open2(p.av, NULL, NULL), 0);
        while (av_read_frame(p.in, pkt) == 0) {
            if (pkt->stream_index == video) {
                assert_int_equal(avcodec_send_packet(p.av, pkt), 0);
                take_frames(&p, f.kept);
            }
            av_packet_unref(pkt);
        }
        avcodec_send_packet(p.av, NULL);
        take_frames(&p, f.kept);
        assert_int_equal(p.shown, PICTURES);
        av_packet_free(&pkt);
        av_frame_free(&p.frame);
        avcodec_free_context(&p.av);
        avformat_close_input(&p.in);
        end(&f);
    }
}

/* ---- damage ---- */

static void damaged_files_do_no_harm(void **state)
{
    uint32_t rng = 5;

    (void)state;
    for (size_t i = 0; i < N_ALL; i++) {
        struct file f;
        uint8_t *bytes = malloc(1 << 22), *copy = malloc(1 << 22);

        begin(&f, i);
        FILE *in = fopen(f.path, "rb");

        assert_true(bytes && copy && in);
        const size_t len = fread(bytes, 1, 1 << 22, in);

        fclose(in);
        for (unsigned n = 0; n < 60; n++) {
            struct svc_reader *r = NULL;
            struct svc_packet p;
            const bool cut = n < 10;
            const size_t part = cut ? len * n / 10 : len;
            const size_t range = n % 2 ? len : 700;

            memcpy(copy, bytes, len);
            for (unsigned j = 0; !cut && j < 1 + n % 6; j++) {
                rng = rng * 1664525u + 1013904223u;
                copy[(rng >> 8) % (range < len ? range : len)] = (uint8_t)(rng >> 3);
            }
            FILE *out = fopen(f.other, "wb");

            assert_non_null(out);
            assert_int_equal(fwrite(copy, 1, part, out), part);
            fclose(out);
            const int err = svc_reader_open(&r, f.other, NULL, 0);

            if (cut && strcmp(all[i].ending, "obu") != 0) /* which knows no length */
                assert_int_equal(err, SVC_ERR_FORMAT);
            for (unsigned j = 0; err == 0 && j < 1000 && svc_reader_next(r, &p) != 0; j++) {
            }
            svc_reader_free(r);
        }
        free(bytes);
        free(copy);
        end(&f);
    }
}

static void what_a_container_cannot_hold_is_refused(void **state)
{
    static const struct {
        const char *codec, *path;
        bool sound;
    } cases[] = { { "avc3.42C01E", "/tmp/x.webm", false },  { "avc3.42C01E", "/tmp/x.ivf", false },
                  { "vp09.00.10.08", "/tmp/x.obu", false }, { "av01.0.01M.08", "/tmp/x.ivf", true },
                  { "av01.0.01M.08", "/tmp/x.obu", true },  { "hvc1", "/tmp/x.mkv", false } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct svc_stream_info info = { .width = 256,
                                        .height = 144,
                                        .fps_num = 30,
                                        .fps_den = 1,
                                        .has_audio = cases[i].sound,
                                        .audio_channels = 2 };
        struct svc_writer *w = NULL;
        char why[200] = "";

        snprintf(info.codec, sizeof(info.codec), "%s", cases[i].codec);
        assert_int_equal(svc_writer_open(&w, cases[i].path, &info, why, sizeof(why)), SVC_ERR_ARG);
        assert_non_null(strstr(why, cases[i].path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(players_show_the_top_layer_of_each_picture),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(what_a_container_cannot_hold_is_refused),
    };

    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
