/* test_msf.c - the catalog: round trip, closure, and what is refused with which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <moq/moq.h>
#include <moq/msf.h>

#include "mutate.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char sample[] =
    "{\"version\":\"draft-01\",\"generatedAt\":1790000000000,\"tracks\":["
    "{\"name\":\"s0\",\"packaging\":\"loc\",\"isLive\":true,\"role\":\"video\",\"renderGroup\":1,"
    "\"targetLatency\":400,\"codec\":\"av01.0.04M.08\",\"width\":640,\"height\":360,"
    "\"framerate\":29.97,\"bitrate\":500000,\"spatialId\":0,\"temporalId\":0},"
    "{\"name\":\"s1\",\"packaging\":\"loc\",\"isLive\":true,\"width\":1280,\"height\":720,"
    "\"framerate\":30,\"spatialId\":1,\"depends\":[\"s0\"],\"label\":\"unknown to us\"},"
    "{\"name\":\"s2\",\"packaging\":\"loc\",\"isLive\":true,\"depends\":[\"s1\"]},"
    "{\"name\":\"a\",\"packaging\":\"loc\",\"isLive\":true,\"samplerate\":48000,"
    "\"channelConfig\":\"2\",\"lang\":\"de-AT\",\"timescale\":48000}]}";

static void read_write_read(void **state)
{
    (void)state;
    static struct msf_catalog first, second;
    char why[128] = "";
    assert_int_equal(msf_catalog_read(&first, sample, strlen(sample), why, sizeof why), 0);
    assert_int_equal(first.n_tracks, 4);
    assert_string_equal(first.tracks[1].name, "s1");
    assert_true(first.tracks[1].has_spatial_id && !first.tracks[1].has_temporal_id);
    assert_true(first.tracks[0].has_temporal_id && first.tracks[0].width == 640);
    assert_true(first.tracks[0].framerate > 29.9 && first.tracks[0].framerate < 30);
    static char out[MSF_CATALOG_MAX + 1];
    int len = msf_catalog_write(&first, out, sizeof out);
    assert_true(len > 0 && strlen(out) == (size_t)len);
    assert_int_equal(msf_catalog_read(&second, out, (size_t)len, NULL, 0), 0);
    assert_memory_equal(&first, &second, sizeof first);
    assert_string_equal(first.tracks[1].label, "unknown to us");
    assert_string_equal(second.tracks[3].lang, "de-AT");
    assert_int_equal(msf_catalog_write(&first, out, (size_t)len), MOQ_ERR_ARG);
    assert_int_equal(msf_catalog_write(&first, out, (size_t)len + 1), len);
    assert_int_equal(msf_track_find(&first, "a"), 3);
    assert_int_equal(msf_track_find(&first, "b"), -1);
    assert_int_equal(msf_track_closure(&first, 0), 0x1);
    assert_int_equal(msf_track_closure(&first, 2), 0x7);
    assert_int_equal(msf_track_closure(&first, 3), 0x8);
}

#define TRACK(more) "{\"name\":\"x\",\"packaging\":\"loc\",\"isLive\":true" more "}"
#define CATALOG(tracks) "{\"version\":\"draft-01\",\"tracks\":[" tracks "]}"

static void bad_catalogs(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why; /* why: NULL when it is good */
    } rows[] = {
        { CATALOG(""), NULL },
        { "{\"version\":\"1\",\"tracks\":[]}", NULL },
        { CATALOG(TRACK("")), NULL },
        { "", "line 1" },
        { "[]", "no JSON object" },
        { "{\"version\":\"draft-99\",\"tracks\":[]}", "draft-99" },
        { "{\"tracks\":[]}", "(none)" },
        { "{\"version\":\"draft-01\"}", "tracks" },
        { "{\"version\":\"draft-01\",\"generatedAt\":-1,\"tracks\":[]}", "generatedAt" },
        { CATALOG("1"), "no object" },
        { CATALOG("{\"packaging\":\"loc\",\"isLive\":true}"), "no name" },
        { CATALOG("{\"name\":\"x\",\"isLive\":true}"), "no packaging" },
        { CATALOG("{\"name\":\"x\",\"packaging\":\"loc\"}"), "isLive" },
        { CATALOG("{\"name\":\"\",\"packaging\":\"loc\",\"isLive\":true}"), "empty name" },
        { CATALOG("{\"name\":\"x\",\"packaging\":\"a packaging too long\",\"isLive\":true}"),
          "bad packaging" },
        { CATALOG(TRACK(",\"label\":1,\"lang\":\"a language tag that is longer than we keep\"")),
          NULL },
        { CATALOG(TRACK(",\"width\":70000")), "bad width" },
        { CATALOG(TRACK(",\"width\":-1")), "bad width" },
        { CATALOG(TRACK(",\"spatialId\":\"0\"")), "bad spatialId" },
        { CATALOG(TRACK(",\"framerate\":\"30\"")), "bad framerate" },
        { CATALOG(TRACK(",\"codec\":\"a\\u0000b\"")), "line 1" },
        { CATALOG(TRACK(",\"depends\":\"y\"")), "depends" },
        { CATALOG(TRACK(",\"depends\":[1]")), "depends[0]" },
        { CATALOG(TRACK(",\"depends\":[\"y\"]")), "not there" },
        { CATALOG(TRACK(",\"depends\":[\"x\"]")), "itself" },
        { CATALOG(TRACK("") "," TRACK("")), "two tracks" },
        { CATALOG(TRACK(",\"depends\":[\"y\"]") ",{\"name\":\"y\",\"packaging\":\"loc\","
                                                "\"isLive\":true,\"depends\":[\"x\"]}"),
          "itself" },
        { CATALOG(TRACK(",\"depends\":[\"two\\nlines\"]")), "two?lines" },
    };
    static struct msf_catalog c;
    for (size_t i = 0; i < N(rows); i++) {
        char why[160] = "";
        int rc = msf_catalog_read(&c, rows[i].json, strlen(rows[i].json), why, sizeof why);
        if (rc != (rows[i].why ? MOQ_ERR_WIRE : 0))
            fail_msg("%s: %d", rows[i].json, rc);
        if (rows[i].why && (!strstr(why, rows[i].why) || strchr(why, '\n')))
            fail_msg("%s: said \"%s\"", rows[i].json, why);
    }
}

/* Beyond the 32nd, too: a bit each. */
static void last_track_leans_on_first(void **state)
{
    (void)state;
    static struct msf_catalog c;
    memset(&c, 0, sizeof c);
    c.n_tracks = MSF_TRACKS_MAX;
    for (size_t i = 0; i < c.n_tracks; i++) {
        snprintf(c.tracks[i].name, MSF_NAME_MAX, "t%zu", i);
        snprintf(c.tracks[i].depends[0], MSF_NAME_MAX, "t%zu", i - 1);
        c.tracks[i].n_depends = i > 0;
    }
    assert_true(msf_track_closure(&c, MSF_TRACKS_MAX - 1) == UINT64_MAX);
    assert_true(msf_track_closure(&c, 32) == (UINT64_C(1) << 33) - 1);
}

static void too_many_tracks(void **state)
{
    (void)state;
    static char json[MSF_CATALOG_MAX];
    static struct msf_catalog c;
    for (size_t n = MSF_TRACKS_MAX; n <= MSF_TRACKS_MAX + 1; n++) {
        char *at = json + sprintf(json, "{\"version\":\"1\",\"tracks\":[");
        for (size_t i = 0; i < n; i++)
            at += sprintf(at, "%s{\"name\":\"t%zu\",\"packaging\":\"loc\",\"isLive\":true}",
                          i ? "," : "", i);
        at += sprintf(at, "]}");
        assert_int_equal(msf_catalog_read(&c, json, (size_t)(at - json), NULL, 0),
                         n <= MSF_TRACKS_MAX ? 0 : MOQ_ERR_WIRE);
    }
}

static void damaged_catalogs_are_survived(void **state)
{
    (void)state;
    struct mutate rng = { 4711 };
    static struct msf_catalog c;
    for (int i = 0; i < 3000; i++) {
        char why[80];
        size_t len = strlen(sample);
        uint8_t *bytes = malloc(len);
        memcpy(bytes, sample, len);
        len = mutate_bytes(&rng, bytes, len);
        msf_catalog_read(&c, (const char *)bytes, len, why, sizeof why);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_write_read),
        cmocka_unit_test(bad_catalogs),
        cmocka_unit_test(too_many_tracks),
        cmocka_unit_test(last_track_leans_on_first),
        cmocka_unit_test(damaged_catalogs_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
