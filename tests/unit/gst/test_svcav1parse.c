/* test_svcav1parse.c - svcav1parse alone, in a harness: what it writes of what arrived. */
#include "elements.h"
#include "layer_event.h"
#include "layer_meta.h"
#include "raw.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#define W 256
#define H 128
#define PICTURES 12u
#define LAYERS 2u
#define PROPS "layers=L2T2 keyframe-max-dist=0 threads=1"

static GstBuffer *units[PICTURES * LAYERS]; /* by picture, then layer; picture 0 is the only key */
static GstBuffer *whole[PICTURES];          /* the same, as svcav1enc gives stock AV1 */
static GstCaps *units_caps;

static int make_units(void **state)
{
    (void)state;
    GstHarness *h = encoder_new(PROPS, W, H, NULL);
    encoder_push(h, W, H, 0, PICTURES);
    for (guint i = 0; i < PICTURES * LAYERS; i++)
        units[i] = gst_harness_pull(h);
    units_caps = gst_pad_get_current_caps(h->sinkpad);
    gst_harness_teardown(h);
    h = encoder_new(PROPS, W, H, "video/x-av1");
    encoder_push(h, W, H, 0, PICTURES);
    for (guint i = 0; i < PICTURES; i++)
        whole[i] = gst_harness_pull(h);
    gst_harness_teardown(h);
    return 0;
}

static int drop_units(void **state)
{
    (void)state;
    for (guint i = 0; i < PICTURES * LAYERS; i++)
        gst_buffer_unref(units[i]);
    for (guint i = 0; i < PICTURES; i++)
        gst_buffer_unref(whole[i]);
    gst_caps_unref(units_caps);
    return 0;
}

static GstHarness *parser_new(void)
{
    GstHarness *h = gst_harness_new("svcav1parse");
    gst_harness_set_src_caps(h, gst_caps_ref(units_caps));
    return h;
}

static GstBuffer *unit(guint picture, guint spatial)
{
    return units[picture * LAYERS + spatial];
}

static void push(GstHarness *h, guint picture, guint spatial)
{
    assert_int_equal(GST_FLOW_OK, gst_harness_push(h, gst_buffer_ref(unit(picture, spatial))));
}

static guint64 stat_of(GstHarness *h, const char *name)
{
    GstStructure *s;
    guint64 value = G_MAXUINT64;
    g_object_get(h->element, "stats", &s, NULL);
    assert_true(gst_structure_get_uint64(s, name, &value));
    gst_structure_free(s);
    return value;
}

static gboolean asked_for(GstHarness *h, guint *spatial)
{
    GstEvent *e;
    gboolean asked = FALSE;
    while (!asked && (e = gst_harness_try_pull_upstream_event(h))) {
        asked = tvl_layer_refresh_event_parse(e, spatial, NULL);
        gst_event_unref(e);
    }
    return asked;
}

/* The next buffer is picture `n` with all its layers, byte by byte. */
static void pull_whole(GstHarness *h, guint n)
{
    GstBuffer *b = gst_harness_try_pull(h);
    GstMapInfo map;
    assert_non_null(b);
    assert_true(gst_buffer_map(whole[n], &map, GST_MAP_READ));
    assert_int_equal(map.size, gst_buffer_get_size(b));
    assert_int_equal(0, gst_buffer_memcmp(b, 0, map.data, map.size));
    gst_buffer_unmap(whole[n], &map);
    assert_int_equal(n * FRAME_TIME, GST_BUFFER_PTS(b));
    assert_int_equal(FRAME_TIME, GST_BUFFER_DURATION(b));
    assert_int_equal(n > 0, GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DELTA_UNIT));
    assert_true(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_MARKER));
    gst_buffer_unref(b);
}

static void what_comes_out_is_what_the_encoder_makes_of_stock_av1(void **state)
{
    (void)state;
    GstHarness *h = parser_new();
    for (guint p = 0; p < PICTURES; p++) {
        push(h, p, 0);
        assert_null(gst_harness_try_pull(h));
        push(h, p, 1);
        pull_whole(h, p);
    }
    assert_int_equal(PICTURES, stat_of(h, "pictures"));
    assert_int_equal(PICTURES * LAYERS, stat_of(h, "units"));
    assert_int_equal(0, gst_harness_query_latency(h));
    gst_harness_teardown(h);
}

static void the_caps_are_stock(void **state)
{
    (void)state;
    GstHarness *h = parser_new();
    push(h, 0, 0);
    push(h, 0, 1);
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    GstCaps *right = gst_caps_from_string("video/x-av1, stream-format=obu-stream, alignment=tu, "
                                          "width=256, height=128, framerate=30/1");
    assert_true(gst_caps_is_subset(caps, right));
    assert_false(gst_structure_has_field(gst_caps_get_structure(caps, 0), "layer-widths"));
    gst_caps_unref(right);
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

static void without_marker_the_next_picture_or_the_end_tells(void **state)
{
    (void)state;
    GstHarness *h = parser_new();
    for (guint i = 0; i < 3 * LAYERS; i++) {
        GstBuffer *b = gst_buffer_copy(units[i]);
        GST_BUFFER_FLAG_UNSET(b, GST_BUFFER_FLAG_MARKER);
        assert_int_equal(GST_FLOW_OK, gst_harness_push(h, b));
    }
    pull_whole(h, 0);
    pull_whole(h, 1);
    assert_null(gst_harness_try_pull(h));
    assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    pull_whole(h, 2);
    gst_harness_teardown(h);
}

/* Of picture 2 the upper layer is lost: those that read it are left out, and it is asked for. */
static void what_lacks_its_references_is_left_out(void **state)
{
    guint spatial = 9;
    (void)state;
    GstHarness *h = parser_new();
    for (guint p = 0; p < 2; p++)
        for (guint s = 0; s < LAYERS; s++)
            push(h, p, s);
    pull_whole(h, 0);
    pull_whole(h, 1);
    push(h, 2, 0);
    push(h, 4, 0);
    GstBuffer *b = gst_harness_try_pull(h); /* picture 2 */
    assert_int_equal(gst_buffer_get_size(unit(2, 0)) + 2, gst_buffer_get_size(b));
    gst_buffer_unref(b);
    push(h, 4, 1);
    b = gst_harness_try_pull(h); /* 4, without its upper layer */
    assert_int_equal(gst_buffer_get_size(unit(4, 0)) + 2, gst_buffer_get_size(b));
    assert_true(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DISCONT));
    gst_buffer_unref(b);
    assert_int_equal(1, stat_of(h, "units-missed"));
    assert_true(asked_for(h, &spatial));
    assert_int_equal(1, spatial);
    push(h, 3, 0); /* late */
    push(h, 3, 1);
    assert_null(gst_harness_try_pull(h));
    gst_harness_teardown(h);
}

static void it_begins_with_a_key_picture(void **state)
{
    guint spatial = 9;
    (void)state;
    GstHarness *h = parser_new();
    push(h, 2, 0);
    push(h, 2, 1);
    assert_null(gst_harness_try_pull(h));
    assert_true(asked_for(h, &spatial));
    assert_int_equal(0, spatial);
    push(h, 0, 0);
    push(h, 0, 1);
    pull_whole(h, 0);
    assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push(h, 1, 0);
    push(h, 1, 1);
    assert_null(gst_harness_try_pull(h));
    push(h, 0, 0);
    push(h, 0, 1);
    pull_whole(h, 0);
    gst_harness_teardown(h);
}

static void what_is_no_unit_is_counted(void **state)
{
    (void)state;
    GstHarness *h = parser_new();
    assert_int_equal(GST_FLOW_OK, gst_harness_push(h, gst_buffer_new_allocate(NULL, 10, NULL)));
    push(h, 0, 0);
    push(h, 0, 0); /* twice */
    push(h, 0, 1);
    pull_whole(h, 0);
    assert_int_equal(1, stat_of(h, "buffers-refused"));
    gst_harness_teardown(h);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out_is_what_the_encoder_makes_of_stock_av1),
        cmocka_unit_test(the_caps_are_stock),
        cmocka_unit_test(without_marker_the_next_picture_or_the_end_tells),
        cmocka_unit_test(what_lacks_its_references_is_left_out),
        cmocka_unit_test(it_begins_with_a_key_picture),
        cmocka_unit_test(what_is_no_unit_is_counted),
    };
    gst_test_init(&argc, &argv);
    return cmocka_run_group_tests(tests, make_units, drop_units);
}
