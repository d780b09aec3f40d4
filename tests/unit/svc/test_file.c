/* test_file.c - writer to reader: equal units and sound, derived dependencies, damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <libavutil/log.h>

#include "clip.h"

#define PICTURES 40
#define SOUNDS 60
#define SOUND_BYTES 40

struct fixture {
    char path[64], other[64];
    struct kept *kept;
};

static void sound_bytes(uint8_t *out, unsigned n)
{
    memset(out, (int)n, SOUND_BYTES);
    out[0] = 0xfc; /* TOC: one 20 ms frame */
}

enum ending { FINISHED, LEFT_OPEN };

static void write_file(const struct fixture *f, enum ending ending)
{
    struct svc_writer *w = NULL;
    struct svc_stream_info info = f->kept->info;
    char why[200] = "";
    unsigned sounds = 0;
    info.has_audio = true;
    info.audio_channels = 2;
    assert_int_equal(svc_writer_open(&w, f->path, &info, why, sizeof(why)), 0);
    for (unsigned i = 0; i < PICTURES; i++) {
        while (sounds < SOUNDS && sounds * 20000 <= f->kept->unit[i][0].pts) {
            uint8_t opus[SOUND_BYTES];
            sound_bytes(opus, sounds);
            assert_int_equal(svc_writer_audio(w, opus, sizeof(opus), sounds * 20000), 0);
            sounds++;
        }
        assert_int_equal(svc_writer_picture(w, f->kept->unit[i], 3), 0);
    }
    if (ending == FINISHED)
        assert_int_equal(svc_writer_close(w), 0);
    svc_writer_free(w);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct svc_encoder_config cfg;
    av_log_set_level(AV_LOG_QUIET);
    svc_encoder_config_init(&cfg);
    cfg.width = 256;
    cfg.height = 144;
    cfg.key_interval = 16;
    memset(cfg.bitrate_bps, 0, sizeof(cfg.bitrate_bps));
    snprintf(f->path, sizeof(f->path), "/tmp/svc-test-%d.mkv", (int)getpid());
    snprintf(f->other, sizeof(f->other), "/tmp/svc-test-%d-b.mkv", (int)getpid());
    f->kept = kept_new(&cfg, PICTURES);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    unlink(f->other);
    kept_free(f->kept);
    free(f);
    return 0;
}

static void check_unit(const struct svc_packet *p, const struct svc_unit *want, unsigned pass,
                       const struct svc_stream_info *info)
{
    const struct svc_unit *u = &p->unit;
    assert_int_equal(u->picture, want->picture + pass * info->n_pictures);
    assert_in_range(u->pts - want->pts - pass * info->duration + 1, 0, 2);
    assert_int_equal(p->pts, u->pts);
    assert_int_equal(u->key, want->key);
    assert_int_equal(u->layer.spatial, want->layer.spatial);
    assert_int_equal(u->layer.temporal, want->layer.temporal);
    assert_int_equal(u->len, want->len);
    assert_memory_equal(u->bytes, want->bytes, want->len);
    assert_int_equal(u->deps.refreshes, want->deps.refreshes);
    assert_int_equal(u->deps.n_reads, want->deps.n_reads);
    for (unsigned i = 0; i < want->deps.n_reads; i++) {
        assert_int_equal(u->deps.reads[i].slot, want->deps.reads[i].slot);
        assert_int_equal(u->deps.reads[i].spatial, want->deps.reads[i].spatial);
        assert_int_equal(u->deps.reads[i].picture,
                         want->deps.reads[i].picture + pass * info->n_pictures);
    }
    assert_int_equal(p->end_of_picture, u->layer.spatial == 2);
}

static void read_pass(struct svc_reader *r, const struct fixture *f, unsigned pass)
{
    const struct svc_stream_info *info = svc_reader_info(r);
    struct svc_packet p;
    unsigned units = 0, sounds = 0;
    while (svc_reader_next(r, &p) == 1) {
        if (p.kind == SVC_VIDEO) {
            check_unit(&p, &f->kept->unit[units / 3][units % 3], pass, info);
            units++;
            continue;
        }
        uint8_t want[SOUND_BYTES];
        sound_bytes(want, sounds);
        assert_int_equal(p.audio_len, SOUND_BYTES);
        assert_memory_equal(p.audio, want, SOUND_BYTES);
        assert_in_range(p.pts - pass * info->duration - sounds * 20000 + 1000, 0, 2000);
        sounds++;
    }
    assert_int_equal(units, PICTURES * 3);
    assert_int_equal(sounds, SOUNDS);
}

static void what_is_written_is_read(void **state)
{
    const struct fixture *f = *state;
    struct svc_reader *r = NULL;
    char why[200] = "";
    write_file(f, FINISHED);
    assert_int_equal(svc_reader_open(&r, f->path, why, sizeof(why)), 0);
    const struct svc_stream_info *info = svc_reader_info(r);
    assert_int_equal(info->n_spatial, 3);
    assert_int_equal(info->n_temporal, 2);
    assert_int_equal(info->width, 256);
    assert_int_equal(info->height, 144);
    assert_int_equal(info->fps_num, 30);
    assert_int_equal(info->fps_den, 1);
    assert_int_equal(info->n_pictures, PICTURES);
    assert_in_range(info->duration, 1333000, 1334000);
    assert_int_equal(info->audio_channels, 2);
    assert_memory_equal(info->codec, "av01.0.", 7);
    uint64_t bits[6] = { 0 };
    for (unsigned i = 0; i < PICTURES; i++)
        for (unsigned s = 0; s < 3; s++)
            bits[f->kept->unit[i][s].layer.temporal * 3 + s] += f->kept->unit[i][s].len * 8;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(info->layers[i].layer.spatial, i % 3);
        assert_int_equal(info->layers[i].layer.temporal, i / 3);
        assert_int_equal(info->layers[i].width, 64 << i % 3);
        assert_int_equal(info->layers[i].height, 36 << i % 3);
        assert_in_range(info->layers[i].bitrate_bps, bits[i] * 74 / 100, bits[i] * 76 / 100);
        assert_true(info->layers[i].bitrate_max_bps >= info->layers[i].bitrate_bps);
    }
    for (unsigned pass = 0; pass < 3; pass++) {
        read_pass(r, f, pass);
        assert_int_equal(svc_reader_loop(r), 0);
    }
    svc_reader_free(r);
}

static uint8_t *load(const char *path, size_t *len)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    uint8_t *bytes = malloc(1 << 22);
    assert_non_null(bytes);
    *len = fread(bytes, 1, 1 << 22, in);
    fclose(in);
    return bytes;
}

static void store(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(out);
}

/* Reads whatever comes, to the end. */
static void read_anything(struct svc_reader *r)
{
    struct svc_packet p;
    for (unsigned i = 0; i < 1000; i++)
        if (svc_reader_next(r, &p) == 0)
            return;
}

static void bad_files_are_refused_with_one_line(void **state)
{
    const struct fixture *f = *state;
    struct svc_reader *r = NULL;
    char why[200];
    size_t len;
    write_file(f, FINISHED);
    uint8_t *bytes = load(f->path, &len);
    for (unsigned part = 0; part < 20; part++) {
        store(f->other, bytes, len * part / 20);
        why[0] = '\0';
        assert_int_equal(svc_reader_open(&r, f->other, why, sizeof(why)), SVC_ERR_FORMAT);
        assert_non_null(strstr(why, f->other));
        assert_null(strchr(why, '\n'));
    }
    free(bytes);
    assert_int_equal(svc_reader_open(&r, "/nowhere/x.mkv", why, sizeof(why)), SVC_ERR_FILE);
    assert_int_equal(svc_reader_open(&r, "/tmp", why, sizeof(why)), SVC_ERR_FILE);
}

/* The file is cut to nothing while it is read: an error each time, until it is there again. */
static void a_file_that_is_taken_away(void **state)
{
    const struct fixture *f = *state;
    struct svc_reader *r = NULL;
    struct svc_packet p;
    size_t len;
    write_file(f, FINISHED);
    uint8_t *bytes = load(f->path, &len);
    assert_int_equal(svc_reader_open(&r, f->path, NULL, 0), 0);
    store(f->path, bytes, 0);
    assert_true(svc_reader_loop(r) < 0);
    for (int i = 0; i < 3; i++)
        assert_true(svc_reader_next(r, &p) < 0);
    store(f->path, bytes, len);
    assert_int_equal(svc_reader_loop(r), 0);
    assert_int_equal(svc_reader_next(r, &p), 1);
    svc_reader_free(r);
    free(bytes);
}

/* A file whose writer was killed, cut wherever: what is there plays, and ends without an error. */
static void unfinished_files_play_up_to_there(void **state)
{
    const struct fixture *f = *state;
    unsigned before = 0;
    size_t len;
    write_file(f, LEFT_OPEN);
    uint8_t *bytes = load(f->path, &len);
    for (unsigned part = 2; part <= 20; part++) {
        struct svc_reader *r = NULL;
        struct svc_packet p;
        unsigned pictures = 0;
        int got;
        store(f->other, bytes, len * part / 20);
        if (svc_reader_open(&r, f->other, NULL, 0) != 0)
            continue; /* no picture is whole */
        assert_true(svc_reader_info(r)->unfinished);
        while ((got = svc_reader_next(r, &p)) == 1)
            pictures += p.kind == SVC_VIDEO && p.end_of_picture;
        assert_int_equal(got, 0);
        assert_true(pictures >= before && pictures > 0);
        before = pictures;
        svc_reader_free(r);
    }
    assert_true(before > 1);
    free(bytes);
}

static void mutated_files_never_crash(void **state)
{
    const struct fixture *f = *state;
    size_t len;
    uint32_t rng = 3;
    write_file(f, FINISHED);
    uint8_t *bytes = load(f->path, &len);
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    for (unsigned i = 0; i < 300; i++) {
        struct svc_reader *r = NULL;
        memcpy(copy, bytes, len);
        for (unsigned j = 0; j < 1 + i % 8; j++) {
            rng = rng * 1664525u + 1013904223u;
            size_t range = i % 2 ? len : 700; /* headers are where structure is */
            copy[(rng >> 8) % (range < len ? range : len)] = (uint8_t)(rng >> 3);
        }
        store(f->other, copy, len);
        if (svc_reader_open(&r, f->other, NULL, 0) == 0) {
            read_anything(r);
            svc_reader_loop(r);
            read_anything(r);
            svc_reader_free(r);
        }
    }
    free(copy);
    free(bytes);
}

/* Without the notes, what the headers say must cover what the encoder said, and decode. */
static void dependencies_are_derived_without_notes(void **state)
{
    const struct fixture *f = *state;
    struct svc_reader *r = NULL;
    struct svc_tracker t = { 0 };
    struct svc_packet p;
    size_t len;
    unsigned units = 0;
    write_file(f, FINISHED);
    uint8_t *bytes = load(f->path, &len);
    for (size_t i = 0; i + 4 < len; i++)
        if (memcmp(bytes + i, "SVCD", 4) == 0)
            bytes[i] = 'X';
    store(f->other, bytes, len);
    free(bytes);
    assert_int_equal(svc_reader_open(&r, f->other, NULL, 0), 0);
    assert_int_equal(svc_reader_info(r)->layers[0].width, 64);
    while (svc_reader_next(r, &p) == 1) {
        if (p.kind != SVC_VIDEO)
            continue;
        const struct svc_deps *want = &f->kept->unit[units / 3][units % 3].deps;
        units++;
        assert_int_equal(p.unit.deps.refreshes, want->refreshes);
        assert_true(p.unit.deps.n_reads >= want->n_reads);
        for (unsigned i = 0; i < want->n_reads; i++) {
            bool found = false;
            for (unsigned j = 0; j < p.unit.deps.n_reads; j++)
                found |= p.unit.deps.reads[j].slot == want->reads[i].slot &&
                         p.unit.deps.reads[j].picture == want->reads[i].picture &&
                         p.unit.deps.reads[j].spatial == want->reads[i].spatial;
            assert_true(found);
        }
        assert_true(svc_tracker_decodable(&t, &p.unit));
        svc_tracker_decoded(&t, &p.unit);
    }
    assert_int_equal(units, PICTURES * 3);
    svc_reader_free(r);
}

static void writer_refuses_nonsense(void **state)
{
    const struct fixture *f = *state;
    struct svc_writer *w = NULL;
    struct svc_stream_info info = { 0 };
    char why[200] = "";
    assert_int_equal(svc_writer_open(&w, f->other, &info, why, sizeof(why)), SVC_ERR_ARG);
    info = f->kept->info;
    assert_int_equal(svc_writer_open(&w, "/nowhere/x.mkv", &info, why, sizeof(why)), SVC_ERR_FILE);
    assert_non_null(strstr(why, "/nowhere/x.mkv"));
    assert_int_equal(svc_writer_open(&w, f->other, &info, why, sizeof(why)), 0);
    assert_int_equal(svc_writer_picture(w, f->kept->unit[1], 3), SVC_ERR_ARG); /* no key */
    assert_int_equal(svc_writer_picture(w, f->kept->unit[0], 0), SVC_ERR_ARG);
    assert_int_equal(svc_writer_audio(w, (const uint8_t *)"x", 1, 0), SVC_ERR_ARG);
    assert_int_equal(svc_writer_close(w), SVC_ERR_ARG);
    svc_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(bad_files_are_refused_with_one_line),
        cmocka_unit_test(unfinished_files_play_up_to_there),
        cmocka_unit_test(a_file_that_is_taken_away),
        cmocka_unit_test(mutated_files_never_crash),
        cmocka_unit_test(dependencies_are_derived_without_notes),
        cmocka_unit_test(writer_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
