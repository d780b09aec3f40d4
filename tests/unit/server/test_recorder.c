/* test_recorder.c - what is recorded plays: from the first key picture on, from time 0, up to where
 * the disk was full; and nothing is written over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "recorder.h"

#define SIDE 192
#define PICTURES 24
#define KEYS 12 /* from key picture to key picture */
#define PERIOD_US 50000
#define BEGIN_US INT64_C(7777000000) /* media time when recording begins */

static char folder[] = "/tmp/test-recorder-XXXXXX";
static struct svc_stream_info info;
static struct svc_packet packet[PICTURES * 3];
static size_t n_packets;

static void keep(const struct svc_packet *pkt, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len);

    memcpy(copy, bytes, len);
    struct svc_packet *to = &packet[n_packets++];
    *to = *pkt;
    to->unit.bytes = pkt->kind == SVC_VIDEO ? copy : NULL;
    to->audio = pkt->kind == SVC_AUDIO ? copy : NULL;
}

static int encode(void **state)
{
    struct svc_encoder_config cfg;
    struct svc_encoder *e;
    static uint8_t luma[SIDE * SIDE], chroma[SIDE * SIDE / 4];
    const uint8_t opus[] = { 0xf8, 0xff, 0xfe }; /* silence */

    (void)state;
    svc_encoder_config_init(&cfg);
    cfg.width = cfg.height = SIDE;
    cfg.fps_num = 20;
    cfg.fps_den = 1;
    cfg.key_interval = KEYS;
    cfg.threads = 1;
    assert_int_equal(svc_structure_parse(&cfg.structure, "L2T2"), 0);
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    info = *svc_encoder_info(e);
    info.has_audio = true;
    info.audio_rate = 48000;
    info.audio_channels = 1;
    memset(chroma, 128, sizeof chroma);
    for (unsigned n = 0; n < PICTURES; n++) {
        const int64_t pts = BEGIN_US + (int64_t)n * PERIOD_US;
        struct svc_unit units[SVC_SPATIAL_MAX];
        const struct svc_image img = { .width = SIDE,
                                       .height = SIDE,
                                       .plane = { luma, chroma, chroma },
                                       .stride = { SIDE, SIDE / 2, SIDE / 2 } };
        for (unsigned i = 0; i < SIDE * SIDE; i++)
            luma[i] = (uint8_t)((i * 7 + n * 5) ^ (i / SIDE * 3));
        const int layers = svc_encoder_encode(e, &img, pts, false, units);
        assert_int_equal(layers, 2);
        for (int s = 0; s < layers; s++)
            keep(&(struct svc_packet){ .kind = SVC_VIDEO,
                                       .unit = units[s],
                                       .pts = pts,
                                       .end_of_picture = s == layers - 1 },
                 units[s].bytes, units[s].len);
        keep(&(struct svc_packet){ .kind = SVC_AUDIO, .audio_len = sizeof opus, .pts = pts }, opus,
             sizeof opus);
    }
    svc_encoder_free(e);
    return mkdtemp(folder) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_packets; i++)
        free((void *)(uintptr_t)(packet[i].unit.bytes ? packet[i].unit.bytes : packet[i].audio));
    return rmdir(folder);
}

struct found {
    unsigned pictures, sound, broken;
    int64_t first, last;
};

static struct found play(const char *path)
{
    struct found f = { .first = -1 };
    struct svc_reader *r;
    struct svc_tracker t = { 0 };
    struct svc_packet pkt;
    char why[300];

    assert_int_equal(svc_reader_open(&r, path, why, sizeof why), 0);
    while (svc_reader_next(r, &pkt) == 1) {
        if (pkt.kind == SVC_AUDIO) {
            f.sound++;
            continue;
        }
        if (svc_tracker_decodable(&t, &pkt.unit))
            svc_tracker_decoded(&t, &pkt.unit);
        else
            f.broken++;
        f.first = f.first < 0 ? pkt.pts : f.first;
        f.last = pkt.pts;
        f.pictures += pkt.end_of_picture;
    }
    svc_reader_free(r);
    return f;
}

static void put(struct recorder *r, const struct svc_packet *pkt)
{
    const bool video = pkt->kind == SVC_VIDEO;
    const struct object object = { .moq.payload = { video ? pkt->unit.bytes : pkt->audio,
                                                    video ? pkt->unit.len : pkt->audio_len } };
    struct media *m = media_new(1, &object, pkt);

    assert_non_null(m);
    recorder_put(r, m);
    media_unref(m);
}

static struct recorder *make(const char *name)
{
    struct recorder *r;
    char path[300], why[400];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(recorder_new(&r, path, &info, why, sizeof why), 0);
    return r;
}

static struct found play_and_delete(const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    const struct found f = play(path);
    assert_int_equal(unlink(path), 0);
    return f;
}

static void from_the_first_key_picture(void **state)
{
    struct recorder *r = make("a.mkv");

    (void)state;
    for (size_t i = 3; i < n_packets; i++) /* the key picture at the beginning is missed */
        put(r, &packet[i]);
    recorder_free(r);
    const struct found f = play_and_delete("a.mkv");
    assert_int_equal(f.pictures, PICTURES - KEYS);
    assert_int_equal(f.broken, 0);
    assert_int_equal(f.first, 0);
    assert_in_range(f.last, (PICTURES - KEYS - 1) * PERIOD_US - 1000,
                    (PICTURES - KEYS - 1) * PERIOD_US + 1000); /* MKV's clock is of 1 ms */
    assert_in_range(f.sound, PICTURES - KEYS - 1, PICTURES - KEYS);
}

static void nothing_is_written_over(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct recorder *r = make("b.mkv");
        for (size_t k = 0; k < n_packets; k++)
            put(r, &packet[k]);
        recorder_free(r);
    }
    assert_int_equal(play_and_delete("b.mkv").pictures, PICTURES);
    assert_int_equal(play_and_delete("b-2.mkv").pictures, PICTURES);
    assert_int_equal(play_and_delete("b-3.mkv").pictures, PICTURES);
}

static void disk_full(void **state)
{
    const struct rlimit few = { 400000, RLIM_INFINITY };
    struct recorder_stats s;
    struct rlimit before;
    struct recorder *r = make("c.mkv");

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &few);
    for (int again = 0; again < 20; again++) /* as one broadcast that goes on */
        for (size_t i = 0; i < n_packets; i++) {
            struct svc_packet pkt = packet[i];
            pkt.unit.picture += (uint64_t)again * PICTURES;
            for (size_t k = 0; k < pkt.unit.deps.n_reads; k++)
                pkt.unit.deps.reads[k].picture += (uint64_t)again * PICTURES;
            pkt.unit.pts = pkt.pts += (int64_t)again * PICTURES * PERIOD_US;
            put(r, &pkt);
        }
    while (recorder_get_stats(r, &s), s.failures == 0)
        usleep(1000);
    recorder_free(r);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(s.failures, 1); /* and not tried with each picture */
    assert_false(s.writes);
    const struct found f = play_and_delete("c.mkv");
    assert_in_range(f.pictures, 1, 19 * PICTURES);
    assert_int_equal(f.broken, 0);
}

static void what_cannot_be(void **state)
{
    struct recorder *r;
    char why[400];

    (void)state;
    assert_int_equal(recorder_new(&r, "/nonexistent/x.mkv", &info, why, sizeof why), -1);
    assert_non_null(strstr(why, "/nonexistent: No such file"));
    assert_int_equal(recorder_new(&r, "/tmp/x.ivf", &info, why, sizeof why), -1);
    assert_non_null(strstr(why, "/tmp/x.ivf: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_first_key_picture),
        cmocka_unit_test(nothing_is_written_over),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(what_cannot_be),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, encode, clean);
}
