/* test_object.c - tracks, catalog and objects of a layered file with three spatial and two temporal
 * layers and sound. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "object.h"

static struct svc_stream_info info_l3t2(void)
{
    struct svc_stream_info info = { .codec = "av01.0.05M.08",
                                    .n_spatial = 3,
                                    .n_temporal = 2,
                                    .width = 1280,
                                    .height = 720,
                                    .fps_num = 30,
                                    .fps_den = 1,
                                    .n_layers = 6,
                                    .has_audio = true,
                                    .audio_rate = 48000,
                                    .audio_channels = 2,
                                    .audio_bitrate_bps = 64000 };
    for (uint8_t t = 0; t < 2; t++)
        for (uint8_t s = 0; s < 3; s++)
            info.layers[t * 3 + s] = (struct svc_layer_info){
                .layer = { s, t },
                .width = (uint16_t)(320 << s),
                .height = (uint16_t)(180 << s),
                .bitrate_bps = 100000u << s,
                .bitrate_max_bps = 150000u << s,
            };
    return info;
}

static void test_tracks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t needed_bps; /* with 64,000 of sound */
    } expected[] = { { "catalog", 0 },      { "a0", 0 },          { "v-s0t0", 164000 },
                     { "v-s0t1", 264000 },  { "v-s1t0", 464000 }, { "v-s1t1", 664000 },
                     { "v-s2t0", 1064000 }, { "v-s2t1", 1464000 } };
    struct svc_stream_info info = info_l3t2();
    struct tracks t;
    tracks_init(&t, &info, false);
    assert_int_equal(t.n, 8);
    for (size_t i = 0; i < t.n; i++) {
        assert_string_equal(t.track[i].name, expected[i].name);
        assert_int_equal(t.track[i].priority, i);
        assert_int_equal(t.track[i].needed_bps, expected[i].needed_bps);
        /* the base layer is what the path schedulers take flow 0 for */
        assert_int_equal(t.track[i].flow, i == 2 ? 0 : i == 0 ? 2 : i);
        assert_int_equal(tracks_find(&t, expected[i].name, strlen(expected[i].name)), i);
    }
    assert_int_equal(tracks_find(&t, "v-s0t", 5), -1);
    assert_int_equal(tracks_find(&t, "v-s3t0", 6), -1);
    assert_int_equal(tracks_of_layer(&t, (struct svc_layer){ 1, 1 }), 5);
    assert_int_equal(tracks_of_layer(&t, (struct svc_layer){ 3, 0 }), -1);
    info.has_audio = false;
    tracks_init(&t, &info, false);
    assert_int_equal(t.n, 7);
    assert_int_equal(tracks_of_audio(&t), -1);
    assert_int_equal(t.track[1].priority, 2);
    assert_int_equal(t.track[1].needed_bps, 100000);
    assert_int_equal(t.track[1].flow, 0);
}

/* The encoder is told other rates: half, a quarter, nothing. */
static void test_needs_follow_the_rates(void **state)
{
    (void)state;
    static const uint64_t expected[] = { 0, 0, 114000, 164000, 214000, 264000, 264000, 264000 };
    static const uint32_t told[SVC_SPATIAL_MAX] = { 100000, 100000, 0 };
    struct svc_stream_info info = info_l3t2();
    struct tracks t;
    tracks_init(&t, &info, false);
    tracks_need(&t, &info, told);
    for (size_t i = 0; i < t.n; i++)
        assert_int_equal(t.track[i].needed_bps, expected[i]);
    tracks_need(&t, &info, (uint32_t[SVC_SPATIAL_MAX]){ 200000, 400000, 800000 });
    assert_int_equal(t.track[7].needed_bps, 1464000);
}

static void test_catalog(void **state)
{
    (void)state;
    static struct msf_catalog written, c; /* large */
    struct svc_stream_info info = info_l3t2();
    struct tracks t;
    char json[TRACKS_CATALOG_JSON_MAX], why[200];
    tracks_init(&t, &info, false);
    tracks_catalog(&t, &info, 400, 1790000000000, &written);
    int len = msf_catalog_write(&written, json, sizeof json);
    assert_true(len > 0);
    assert_int_equal(msf_catalog_read(&c, json, (size_t)len, why, sizeof why), 0);
    assert_int_equal(c.n_tracks, 8);
    assert_string_equal(c.tracks[7].name, "svc-session"); /* no media: each session's own */
    assert_string_equal(c.tracks[7].packaging, "svc-session");
    assert_string_equal(c.tracks[7].role, "metrics");
    int top = msf_track_find(&c, "v-s2t1"), base = msf_track_find(&c, "v-s0t0");
    const struct msf_track *s2t1 = &c.tracks[top];
    assert_int_equal(s2t1->n_depends, 2);
    assert_string_equal(s2t1->depends[0], "v-s1t1");
    assert_string_equal(s2t1->depends[1], "v-s2t0");
    assert_int_equal(s2t1->spatial_id, 2);
    assert_int_equal(s2t1->temporal_id, 1);
    assert_int_equal(s2t1->width, 1280);
    assert_int_equal(s2t1->bitrate, 600000);
    assert_true(s2t1->framerate > 29.9 && s2t1->framerate < 30.1);
    assert_int_equal(s2t1->target_latency_ms, 400);
    assert_string_equal(s2t1->codec, "av01.0.05M.08");
    assert_int_equal(c.tracks[base].n_depends, 0);
    assert_true(c.tracks[base].framerate > 14.9 && c.tracks[base].framerate < 15.1);
    assert_int_equal(msf_track_closure(&c, (size_t)top), 0x7fu & ~(1u << msf_track_find(&c, "a0")));
    const struct msf_track *sound = &c.tracks[msf_track_find(&c, "a0")];
    assert_string_equal(sound->role, "audio");
    assert_string_equal(sound->channel_config, "2");
    assert_int_equal(sound->samplerate, 48000);
}

static struct svc_packet packet(uint64_t picture, uint8_t s, uint8_t t)
{
    static const uint8_t bytes[3] = { 1, 2, 3 };
    struct svc_packet p = { .kind = SVC_VIDEO, .pts = (int64_t)picture * 33333 };
    p.unit = (struct svc_unit){ .bytes = bytes,
                                .len = 3,
                                .picture = picture,
                                .pts = p.pts,
                                .layer = { s, t },
                                .key = picture % 4 == 0 && s == 0 };
    if (!p.unit.key)
        p.unit.deps = (struct svc_deps){ .n_reads = 1, .reads = { { 0, 0, picture - (s == 0) } } };
    p.unit.deps.refreshes = t ? 0 : 1;
    return p;
}

static void test_numbers(void **state)
{
    (void)state;
    struct svc_stream_info info = info_l3t2();
    struct tracks t;
    struct object_counter c;
    struct object o;
    tracks_init(&t, &info, false);
    object_counter_init(&c, 1000);
    struct svc_packet early = packet(3, 0, 1); /* before any key picture */
    assert_int_equal(object_make(&c, &t, &early, &o), -1);
    for (uint64_t picture = 4; picture < 12; picture++) {
        uint8_t temporal = picture & 1;
        for (uint8_t s = 0; s < 3; s++) {
            struct svc_packet p = packet(picture, s, temporal);
            assert_int_equal(object_make(&c, &t, &p, &o), 0);
            assert_int_equal(o.moq.group, picture < 8 ? 1000 : 1001);
            assert_int_equal(o.moq.object, (picture % 4) / 2); /* on its own track */
            assert_int_equal(o.moq.subgroup, o.moq.object);
            assert_int_equal(o.track, 2 + 2 * s + temporal);
            assert_int_equal(o.moq.priority, o.track);
            assert_ptr_equal(o.moq.payload.bytes, p.unit.bytes);
        }
        struct svc_packet sound = {
            .kind = SVC_AUDIO, .audio = (const uint8_t *)"x", .audio_len = 1, .pts = 20000
        };
        assert_int_equal(object_make(&c, &t, &sound, &o), 0);
        assert_int_equal(o.moq.group, 1000 + picture - 4);
        assert_int_equal(o.moq.object, 0);
        assert_int_equal(o.track, 1);
    }
    struct svc_packet foreign = packet(5, 3, 0);
    assert_int_equal(object_make(&c, &t, &foreign, &o), -1);
}

static void test_properties(void **state)
{
    (void)state;
    struct svc_stream_info info = info_l3t2();
    struct tracks t;
    struct object_counter c;
    struct object o;
    struct loc_properties p;
    struct svc_deps deps;
    tracks_init(&t, &info, false);
    object_counter_init(&c, 0);
    struct svc_packet key = packet(8, 0, 0), other = packet(9, 2, 1);
    assert_int_equal(object_make(&c, &t, &key, &o), 0);
    assert_int_equal(loc_properties_decode(&p, o.moq.properties.bytes, o.moq.properties.len), 0);
    assert_true(p.has_timestamp && p.timestamp == 8 * 33333 && p.timescale == 1000000);
    assert_true(p.has_marking && p.independent && !p.discardable);
    assert_true(p.has_picture && p.picture == 8);
    assert_true(p.captured == 0 && p.encode_us == 0);
    assert_int_equal(svc_deps_decode(&deps, 8, p.dependencies, p.dependencies_len), 0);
    assert_int_equal(deps.n_reads, 0);
    assert_int_equal(object_make(&c, &t, &other, &o), 0);
    assert_int_equal(loc_properties_decode(&p, o.moq.properties.bytes, o.moq.properties.len), 0);
    assert_true(!p.independent && p.discardable && p.base_sync);
    assert_int_equal(p.temporal_id, 1);
    assert_int_equal(p.layer_id, 2);
    assert_int_equal(svc_deps_decode(&deps, 9, p.dependencies, p.dependencies_len), 0);
    assert_int_equal(deps.n_reads, 1);
    assert_int_equal(deps.reads[0].picture, 9);
    key.unit.captured = INT64_C(1800000000000000); /* as of a live source */
    key.unit.encode_us = 21000;
    assert_int_equal(object_make(&c, &t, &key, &o), 0);
    assert_int_equal(loc_properties_decode(&p, o.moq.properties.bytes, o.moq.properties.len), 0);
    assert_true(p.captured == UINT64_C(1800000000000000) && p.encode_us == 21000);
    other.unit.captured = INT64_C(1800000000000000); /* the base layer's says it for all */
    assert_int_equal(object_make(&c, &t, &other, &o), 0);
    assert_int_equal(loc_properties_decode(&p, o.moq.properties.bytes, o.moq.properties.len), 0);
    assert_true(p.captured == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tracks),     cmocka_unit_test(test_needs_follow_the_rates),
        cmocka_unit_test(test_catalog),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
