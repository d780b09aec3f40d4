/* test_layer.c - what layer units' caps, metas and events say, both ways. */
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"
#include "raw.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static const struct svc_unit unit = {
    .bytes = (const uint8_t *)"abc",
    .len = 3,
    .picture = 7,
    .pts = 1000,
    .layer = { .spatial = 1, .temporal = 1 },
    .captured = 1234567,
    .encode_us = 89,
    .deps = { .n_reads = 2,
              .reads = { { .slot = 1, .spatial = 1, .picture = 6 },
                         { .slot = 3, .spatial = 0, .picture = 7 } } },
};

static void meta_gives_the_unit_back(void **state)
{
    (void)state;
    GstBuffer *b = gst_buffer_new_memdup(unit.bytes, unit.len);
    assert_null(tvl_buffer_get_layer_meta(b));
    TvlLayerMeta *m = tvl_buffer_add_unit_meta(b, &unit);
    assert_false(m->sync);
    assert_true(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DELTA_UNIT));
    assert_true(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DROPPABLE));
    GstBuffer *copy = gst_buffer_copy(b);
    GstBuffer *part = gst_buffer_copy_region(b, GST_BUFFER_COPY_ALL, 1, 1);
    struct svc_unit got;
    tvl_layer_meta_unit(tvl_buffer_get_layer_meta(copy), unit.bytes, unit.len, unit.pts, &got);
    assert_int_equal(7, got.picture);
    assert_int_equal(1, got.layer.spatial);
    assert_int_equal(1, got.layer.temporal);
    assert_int_equal(1234567, got.captured);
    assert_int_equal(89, got.encode_us);
    assert_memory_equal(&unit.deps, &got.deps, sizeof got.deps);
    assert_null(tvl_buffer_get_layer_meta(part));
    gst_buffer_unref(part);
    gst_buffer_unref(copy);
    gst_buffer_unref(b);
}

/* As another element adds it, by the installed header alone. */
static void others_may_add_it_within_its_ranges(void **state)
{
    (void)state;
    TvlLayerMeta says = { .picture = 9,
                          .spatial = 3,
                          .temporal = 3,
                          .deps = { .refreshes = 1, .n_reads = 1, .reads = { { 7, 3, 8 } } } };
    GstBuffer *b = gst_buffer_new_memdup("abc", 3);
    struct svc_unit u;
    assert_non_null(tvl_buffer_add_layer_meta(b, &says));
    assert_true(tvl_buffer_is_layer_unit(b));
    tvl_layer_meta_unit(tvl_buffer_get_layer_meta(b), NULL, 0, 0, &u);
    assert_int_equal(9, u.picture);
    assert_int_equal(8, u.deps.reads[0].picture);
    assert_int_equal(7, u.deps.reads[0].slot);
    assert_true(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DELTA_UNIT));
    assert_false(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DROPPABLE));
    tvl_buffer_get_layer_meta(b)->deps.reads[0].slot = 8; /* what no such call has written */
    assert_false(tvl_buffer_is_layer_unit(b));
    gst_buffer_unref(b);
    b = gst_buffer_new_memdup("abc", 3);
    TvlLayerMeta wrong[5] = { says, says, says, says, says };
    wrong[0].spatial = 4;
    wrong[1].temporal = 4;
    wrong[2].deps.n_reads = 9;
    wrong[3].deps.reads[0].slot = 8;
    wrong[4].deps.reads[0].spatial = 4;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_null(tvl_buffer_add_layer_meta(b, &wrong[i]));
    gst_buffer_ref(b); /* not writable */
    assert_null(tvl_buffer_add_layer_meta(b, &says));
    gst_buffer_unref(b);
    assert_null(tvl_buffer_get_layer_meta(b));
    gst_buffer_unref(b);
}

static void sync_is_what_reads_its_own_picture_alone(void **state)
{
    (void)state;
    struct svc_unit u = unit;
    u.deps.reads[0].picture = 7;
    u.deps.refreshes = 2;
    GstBuffer *b = gst_buffer_new();
    assert_true(tvl_buffer_add_unit_meta(b, &u)->sync);
    assert_false(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DROPPABLE));
    gst_buffer_unref(b);
}

static void caps_round_trip(void **state)
{
    (void)state;
    struct svc_stream_info in = { .codec = "av01.0.05M.08",
                                  .n_spatial = 2,
                                  .n_temporal = 2,
                                  .width = 640,
                                  .height = 360,
                                  .fps_num = 30000,
                                  .fps_den = 1001,
                                  .n_layers = 4 };
    for (size_t i = 0; i < 4; i++)
        in.layers[i] = (struct svc_layer_info){ .layer = { (uint8_t)(i % 2), (uint8_t)(i / 2) },
                                                .width = (uint16_t)(320 * (i % 2 + 1)),
                                                .height = (uint16_t)(180 * (i % 2 + 1)),
                                                .bitrate_bps = (uint32_t)(1000 * (i + 1)),
                                                .bitrate_max_bps = (uint32_t)(2000 * (i + 1)) };
    struct svc_structure st;
    assert_int_equal(0, svc_structure_parse(&st, "L2T2_KEY"));
    GstCaps *caps = tvl_layer_caps_new(&in, &st);
    assert_string_equal("L2T2_KEY",
                        gst_structure_get_string(gst_caps_get_structure(caps, 0), "scalability"));
    gchar *text = gst_caps_to_string(caps); /* as it goes through a file or a command line */
    GstCaps *again = gst_caps_from_string(text);
    struct svc_stream_info out;
    assert_true(tvl_layer_caps_parse(again, &out));
    assert_memory_equal(&in, &out, sizeof in);
    g_free(text);
    gst_caps_unref(again);
    gst_caps_unref(caps);
}

static void foreign_caps_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "video/x-av1, codec=av1, scalability=L1T1",
        "video/x-svc, codec=av1",
        "video/x-svc, scalability=L1T1",
        "video/x-svc, codec=av1, scalability=L9T1",
        "video/x-svc, codec=theora, scalability=L1T1",
        "video/x-svc, codec=av1, scalability=L1T1, width=70000",
        "video/x-svc, codec=av1, scalability=L1T1, width=-1",
        "video/x-svc, codec=av1, codec-string=av01.0.0000000000000000000000000000, "
        "scalability=L1T1",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct svc_stream_info out;
        GstCaps *caps = gst_caps_from_string(bad[i]);
        if (tvl_layer_caps_parse(caps, &out))
            fail_msg("taken: %s", bad[i]);
        gst_caps_unref(caps);
    }
}

static void refresh_round_trip(void **state)
{
    (void)state;
    struct svc_tracker in = { 0 }, out;
    in.slot[5].valid = true;
    in.slot[5].spatial = 3;
    in.slot[5].picture = 123456789;
    guint spatial = 9;
    GstEvent *e = tvl_layer_refresh_event_new(2, &in);
    assert_true(tvl_layer_refresh_event_parse(e, &spatial, &out));
    assert_int_equal(2, spatial);
    assert_memory_equal(&in, &out, sizeof in);
    gst_event_unref(e);
    e = gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new_empty(TVL_LAYER_REFRESH));
    assert_true(tvl_layer_refresh_event_parse(e, &spatial, &out));
    assert_int_equal(0, spatial);
    assert_false(out.slot[5].valid);
    gst_event_unref(e);
    e = gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new_empty("Other"));
    assert_false(tvl_layer_refresh_event_parse(e, &spatial, &out));
    gst_event_unref(e);
}

int main(int argc, char **argv)
{
    gst_test_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meta_gives_the_unit_back),
        cmocka_unit_test(others_may_add_it_within_its_ranges),
        cmocka_unit_test(sync_is_what_reads_its_own_picture_alone),
        cmocka_unit_test(caps_round_trip),
        cmocka_unit_test(foreign_caps_are_refused),
        cmocka_unit_test(refresh_round_trip),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gst_deinit(); /* where GST_TRACERS=leaks tells what is left */
    return failed;
}
