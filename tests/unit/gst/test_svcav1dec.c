/* test_svcav1dec.c - svcav1dec alone, in a harness: what it shows of what arrived. */
#include "layer_event.h"
#include "layer_meta.h"
#include "raw.h"

#include <gst/video/video.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#define W 256
#define H 128
#define PICTURES 24u
#define LAYERS 2u

static GstBuffer *units[PICTURES * LAYERS]; /* of L2T2 with one key, by picture, then layer */
static GstCaps *units_caps;
static uint32_t crc[PICTURES][LAYERS]; /* of each picture decoded up to that layer */

static void decode_all(guint top)
{
    struct svc_decoder *d;
    assert_int_equal(0, svc_decoder_new(&d, "av1", 1));
    for (guint p = 0; p < PICTURES; p++) {
        struct svc_unit u[LAYERS];
        struct svc_picture pic;
        GstMapInfo map[LAYERS];
        for (guint s = 0; s <= top; s++) {
            GstBuffer *b = units[p * LAYERS + s];
            gst_buffer_map(b, &map[s], GST_MAP_READ);
            tvl_layer_meta_unit(tvl_buffer_get_layer_meta(b), map[s].data, map[s].size, 0, &u[s]);
        }
        assert_int_equal(1, svc_decoder_decode(d, u, top + 1, &pic));
        crc[p][top] = svc_image_crc(&pic.image);
        svc_picture_release(d, &pic);
        for (guint s = 0; s <= top; s++)
            gst_buffer_unmap(units[p * LAYERS + s], &map[s]);
    }
    svc_decoder_free(d);
}

static int make_units(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2 keyframe-max-dist=0 threads=1", W, H, NULL);
    encoder_push(h, W, H, 0, PICTURES);
    for (guint i = 0; i < PICTURES * LAYERS; i++)
        units[i] = gst_harness_pull(h);
    units_caps = gst_pad_get_current_caps(h->sinkpad);
    gst_harness_teardown(h);
    decode_all(0);
    decode_all(1);
    return 0;
}

static int drop_units(void **state)
{
    (void)state;
    for (guint i = 0; i < PICTURES * LAYERS; i++)
        gst_buffer_unref(units[i]);
    gst_caps_unref(units_caps);
    return 0;
}

static GstHarness *decoder_new(void)
{
    GstHarness *h = gst_harness_new("svcav1dec");
    gst_harness_set_src_caps(h, gst_caps_ref(units_caps));
    return h;
}

static void push(GstHarness *h, guint picture, guint spatial)
{
    assert_int_equal(GST_FLOW_OK,
                     gst_harness_push(h, gst_buffer_ref(units[picture * LAYERS + spatial])));
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

/* The next picture out is that picture up to that layer, pixel by pixel. */
static void pull_and_compare(GstHarness *h, guint picture, guint top)
{
    GstBuffer *b = gst_harness_try_pull(h);
    assert_non_null(b);
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    GstVideoInfo info;
    GstVideoFrame f;
    assert_true(gst_video_info_from_caps(&info, caps));
    assert_true(gst_video_frame_map(&f, &info, b, GST_MAP_READ));
    struct svc_image img = { .width = (uint16_t)info.width, .height = (uint16_t)info.height };
    for (guint i = 0; i < 3; i++) {
        img.plane[i] = GST_VIDEO_FRAME_PLANE_DATA(&f, i);
        img.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&f, i);
    }
    assert_int_equal(W >> (LAYERS - 1 - top), info.width);
    assert_int_equal(picture * FRAME_TIME, GST_BUFFER_PTS(b));
    assert_int_equal(FRAME_TIME, GST_BUFFER_DURATION(b));
    assert_int_equal(crc[picture][top], svc_image_crc(&img));
    assert_null(tvl_buffer_get_layer_meta(b));
    gst_video_frame_unmap(&f);
    gst_caps_unref(caps);
    gst_buffer_unref(b);
}

static void all_of_it_is_shown_at_once(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    for (guint p = 0; p < PICTURES; p++) {
        push(h, p, 0);
        assert_null(gst_harness_try_pull(h));
        push(h, p, 1);
        pull_and_compare(h, p, 1);
    }
    assert_int_equal(PICTURES, stat_of(h, "shown"));
    assert_int_equal(0, gst_harness_query_latency(h));
    gst_harness_teardown(h);
}

static void without_marker_the_next_picture_tells(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    for (guint p = 0; p < 4; p++) {
        for (guint s = 0; s < LAYERS; s++) {
            GstBuffer *b = gst_buffer_copy(units[p * LAYERS + s]);
            GST_BUFFER_FLAG_UNSET(b, GST_BUFFER_FLAG_MARKER);
            assert_int_equal(GST_FLOW_OK, gst_harness_push(h, b));
        }
        if (p)
            pull_and_compare(h, p - 1, 1);
        assert_null(gst_harness_try_pull(h));
    }
    assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    pull_and_compare(h, 3, 1);
    gst_harness_teardown(h);
}

static void the_size_changes_and_the_shape_does_not(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    GstCaps *odd = gst_caps_copy(units_caps); /* as if the lower layer's height were rounded */
    gst_caps_set_simple(odd, "height", G_TYPE_INT, H - 2, "pixel-aspect-ratio", GST_TYPE_FRACTION,
                        2, 1, NULL);
    gst_harness_set_src_caps(h, odd);
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    push(h, 1, 0);
    push(h, 2, 0); /* that was all of picture 1 */
    pull_and_compare(h, 1, 0);
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    GstVideoInfo info;
    assert_true(gst_video_info_from_caps(&info, caps));
    assert_int_equal(W / 2, info.width);
    assert_int_equal(30, info.fps_n);
    /* 2 : 1 pixels of 256 x 126 are as broad as those */
    assert_int_equal(2 * W * info.height * info.par_d, (H - 2) * info.width * info.par_n);
    gst_caps_unref(caps);
    assert_int_equal(1, stat_of(h, "size-changes"));
    gst_harness_teardown(h);
}

static guint caps_events(GstHarness *h)
{
    guint n = 0;
    for (GstEvent *e; (e = gst_harness_try_pull_event(h)); gst_event_unref(e))
        n += GST_EVENT_TYPE(e) == GST_EVENT_CAPS;
    return n;
}

/* Also in the middle of a picture, which stays whole. */
static void other_rates_change_nothing(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    push(h, 1, 0);
    GstCaps *less = gst_caps_copy(units_caps);
    GstStructure *s = gst_caps_get_structure(less, 0);
    gst_structure_remove_field(s, "layer-bitrates");
    gst_structure_remove_field(s, "layer-bitrates-max");
    gst_harness_set_src_caps(h, less);
    push(h, 1, 1);
    pull_and_compare(h, 1, 1);
    assert_int_equal(1, caps_events(h));
    gst_harness_teardown(h);
}

/* Colours, and the shape of pixels, as caps say, where the bits do not. */
static void colours_are_those_of_the_caps(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    GstCaps *caps = gst_caps_copy(units_caps);
    gst_caps_set_simple(caps, "colorimetry", G_TYPE_STRING, "bt2100-pq", "chroma-site",
                        G_TYPE_STRING, "mpeg2", "content-light-level", G_TYPE_STRING, "1000:400",
                        NULL);
    gst_harness_set_src_caps(h, caps);
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    caps = gst_pad_get_current_caps(h->sinkpad);
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    assert_string_equal("bt2100-pq", gst_structure_get_string(s, "colorimetry"));
    assert_string_equal("mpeg2", gst_structure_get_string(s, "chroma-site"));
    assert_string_equal("1000:400", gst_structure_get_string(s, "content-light-level"));
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

/* A pool of downstream's with rows of a multiple of 256 bytes, as hardware has. */
static GstPadProbeReturn offer_pool(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstQuery *q = GST_PAD_PROBE_INFO_QUERY(info);
    const gboolean with_meta = GPOINTER_TO_INT(data);
    (void)pad;
    if (GST_QUERY_TYPE(q) != GST_QUERY_ALLOCATION)
        return GST_PAD_PROBE_OK;
    GstCaps *caps;
    GstVideoInfo video;
    GstVideoAlignment align;
    gst_query_parse_allocation(q, &caps, NULL);
    assert_true(gst_video_info_from_caps(&video, caps));
    gst_video_alignment_reset(&align);
    for (guint i = 0; i < 3; i++)
        align.stride_align[i] = 255;
    GstBufferPool *pool = gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)video.size, 2, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
    gst_buffer_pool_config_set_video_alignment(config, &align);
    assert_true(gst_buffer_pool_set_config(pool, config));
    gst_query_add_allocation_pool(q, pool, (guint)video.size, 2, 0);
    gst_object_unref(pool);
    if (with_meta)
        gst_query_add_allocation_meta(q, GST_VIDEO_META_API_TYPE, NULL);
    return GST_PAD_PROBE_HANDLED;
}

static void downstreams_pool_chooses_the_strides(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    gst_pad_add_probe(h->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH,
                      offer_pool, GINT_TO_POINTER(TRUE), NULL);
    for (guint p = 0; p < 3; p++) { /* another size, another pool */
        push(h, p, 0);
        if (p < 2)
            push(h, p, 1);
        else
            gst_harness_push_event(h, gst_event_new_eos());
        GstBuffer *b = gst_harness_try_pull(h);
        const GstVideoMeta *meta = gst_buffer_get_video_meta(b);
        assert_non_null(meta);
        assert_int_equal(0, meta->stride[0] % 256);
        assert_int_equal(256, meta->stride[1]); /* of 128 or 64 */
        GstVideoFrame f;
        GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
        GstVideoInfo info;
        assert_true(gst_video_info_from_caps(&info, caps));
        assert_true(gst_video_frame_map(&f, &info, b, GST_MAP_READ));
        struct svc_image img = { .width = (uint16_t)info.width, .height = (uint16_t)info.height };
        for (guint i = 0; i < 3; i++) {
            img.plane[i] = GST_VIDEO_FRAME_PLANE_DATA(&f, i);
            img.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&f, i);
        }
        assert_int_equal(crc[p][p < 2], svc_image_crc(&img));
        gst_video_frame_unmap(&f);
        gst_caps_unref(caps);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void the_frame_rate_changes(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    GstCaps *slow = gst_caps_copy(units_caps);
    gst_caps_set_simple(slow, "framerate", GST_TYPE_FRACTION, 15, 1, NULL);
    gst_harness_set_src_caps(h, slow);
    push(h, 1, 0);
    push(h, 1, 1);
    pull_and_compare(h, 1, 1); /* goes on where it was */
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    GstVideoInfo info;
    assert_true(gst_video_info_from_caps(&info, caps));
    assert_int_equal(15, info.fps_n);
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

/* By rising numbers of a generator with a fixed seed: what is shown is exact whatever is lost. */
static void nothing_wrong_is_ever_shown(void **state)
{
    (void)state;
    GRand *rand = g_rand_new_with_seed(7);
    guint shown = 0, lost = 0;
    for (guint run = 0; run < 20; run++) {
        GstHarness *h = decoder_new();
        for (guint p = 0; p < PICTURES; p++) {
            const gboolean base = p == 0 || g_rand_int_range(rand, 0, 100) < 90;
            const gboolean upper = g_rand_int_range(rand, 0, 100) < 80;
            lost += !base + !upper;
            if (base)
                push(h, p, 0);
            if (upper)
                push(h, p, 1);
            gst_harness_push_event(h, gst_event_new_gap(p * FRAME_TIME, 0)); /* drains */
            for (GstBuffer *b; (b = gst_harness_try_pull(h)); shown++) {
                GstMapInfo map;
                gst_buffer_map(b, &map, GST_MAP_READ);
                const guint top = map.size == W * H * 3 / 2;
                const guint w = W >> (1 - top), hh = H >> (1 - top);
                const struct svc_image img = {
                    .width = (uint16_t)w,
                    .height = (uint16_t)hh,
                    .plane = { map.data, map.data + w * hh, map.data + w * hh * 5 / 4 },
                    .stride = { w, w / 2, w / 2 },
                };
                assert_int_equal(w * hh * 3 / 2, map.size);
                assert_int_equal(crc[GST_BUFFER_PTS(b) / FRAME_TIME][top], svc_image_crc(&img));
                gst_buffer_unmap(b, &map);
                gst_buffer_unref(b);
            }
        }
        gst_harness_teardown(h);
    }
    g_rand_free(rand);
    assert_in_range(lost, 50, 20 * PICTURES);
    assert_in_range(shown, 20, 20 * PICTURES);
}

/* The next refresh that was asked for upstream; -1: none. */
static int asked(GstHarness *h)
{
    for (GstEvent *e; (e = gst_harness_try_pull_upstream_event(h));) {
        guint spatial;
        const gboolean is = tvl_layer_refresh_event_parse(e, &spatial, NULL);
        gst_event_unref(e);
        if (is)
            return (int)spatial;
    }
    return -1;
}

static void what_is_missing_is_asked_for_once(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    push(h, 0, 0);
    push(h, 0, 1);
    assert_int_equal(-1, asked(h));
    for (guint p = 3; p < 15; p++) { /* 1 and 2 are lost, and T0 of 2 is read by 4 */
        push(h, p, 0);
        push(h, p, 1);
    }
    assert_int_equal(0, asked(h));
    assert_int_equal(-1, asked(h)); /* not again within half a second */
    assert_true(stat_of(h, "units-missed") > 0);
    assert_true(stat_of(h, "undecodable") > 0);
    for (guint p = 15; p < PICTURES; p++)
        push(h, p, 0);
    assert_int_equal(0, asked(h));
    gst_harness_teardown(h);
}

static void damage_is_counted_and_not_fatal(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    GstBuffer *bad = gst_buffer_copy_deep(units[1 * LAYERS]);
    gst_buffer_memset(bad, 0, 0xff, gst_buffer_get_size(bad));
    assert_int_equal(GST_FLOW_OK, gst_harness_push(h, bad));
    push(h, 1, 1);
    assert_int_equal(0, asked(h));
    GstBuffer *foreign = gst_buffer_new_memdup("hello", 5); /* no layer unit at all */
    assert_int_equal(GST_FLOW_OK, gst_harness_push(h, foreign));
    push(h, 2, 0);
    push(h, 2, 1);
    assert_int_equal(1, stat_of(h, "damaged"));
    assert_int_equal(1, stat_of(h, "buffers-refused"));
    assert_null(gst_harness_try_pull(h)); /* until a key comes */
    push(h, 0, 0);
    push(h, 0, 1);
    gst_harness_teardown(h);
}

static void more_errors_than_it_may_are_fatal(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(h->element, bus);
    g_object_set(h->element, "max-errors", 2, NULL);
    GstFlowReturn last = GST_FLOW_OK;
    guint n = 0;
    for (; n < 10 && last == GST_FLOW_OK; n++)
        last = gst_harness_push(h, gst_buffer_new_memdup("hello", 5));
    assert_int_equal(GST_FLOW_ERROR, last);
    assert_int_equal(3, n);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    assert_non_null(m);
    gst_message_unref(m);
    gst_element_set_bus(h->element, NULL);
    gst_object_unref(bus);
    gst_harness_teardown(h);
}

static gboolean knows_no_refresh(GstPad *pad, GstObject *parent, GstEvent *event)
{
    guint *keys = pad->eventdata;
    (void)parent;
    const gboolean key = gst_video_event_is_force_key_unit(event);
    *keys += key;
    gst_event_unref(event);
    return key;
}

/* Upstream that has never heard of layers is asked for a key picture, and not too often. */
static void others_are_asked_for_a_key(void **state)
{
    (void)state;
    guint keys = 0;
    GstHarness *h = decoder_new();
    gst_pad_set_event_function_full(h->srcpad, knows_no_refresh, &keys, NULL);
    g_object_set(h->element, "min-force-key-unit-interval", (guint64)GST_SECOND, NULL);
    push(h, 2, 0);
    push(h, 2, 1);
    assert_int_equal(1, keys);
    for (guint p = 3; p < PICTURES; p++) { /* half a second later that would be due again */
        push(h, p, 0);
        push(h, p, 1);
    }
    assert_int_equal(1, keys);
    assert_true(stat_of(h, "refreshes-asked") > 1);
    gst_harness_teardown(h);
}

static void after_a_flush_a_key_is_awaited(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    push(h, 1, 0); /* held */
    assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push(h, 2, 0);
    push(h, 2, 1);
    assert_null(gst_harness_try_pull(h));
    assert_int_equal(0, asked(h));
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    gst_harness_teardown(h);
}

/* Another sender took over, whose pictures count from their own beginning: they are no old ones. A
 * key picture that comes twice is. */
static void a_later_key_of_a_lower_number_is_shown(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    for (guint p = 0; p < PICTURES; p++) {
        push(h, p, 0);
        push(h, p, 1);
        pull_and_compare(h, p, 1);
    }
    push(h, 0, 0);
    push(h, 0, 1);
    assert_null(gst_harness_try_pull(h));
    for (guint u = 0; u < 2 * LAYERS; u++) {
        GstBuffer *b = gst_buffer_copy(units[u]);
        GST_BUFFER_PTS(b) += 2 * PICTURES * FRAME_TIME;
        assert_int_equal(GST_FLOW_OK, gst_harness_push(h, b));
    }
    assert_int_equal(PICTURES + 2, stat_of(h, "shown"));
    gst_harness_teardown(h);
}

static void late_pictures_are_left_out(void **state)
{
    (void)state;
    GstHarness *h = decoder_new();
    push(h, 0, 0);
    push(h, 0, 1);
    pull_and_compare(h, 0, 1);
    assert_true(gst_harness_push_upstream_event(
        h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 0.5, (GstClockTimeDiff)(3 * FRAME_TIME), 0)));
    for (guint p = 1; p < 12; p++) {
        push(h, p, 0);
        push(h, p, 1);
    }
    const guint64 late = stat_of(h, "late");
    assert_in_range(late, 2, 10);
    for (guint p = 1 + (guint)late; p < 12; p++)
        pull_and_compare(h, p, 1);
    gst_harness_teardown(h);
}

int main(int argc, char **argv)
{
    gst_test_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_shown_at_once),
        cmocka_unit_test(without_marker_the_next_picture_tells),
        cmocka_unit_test(the_size_changes_and_the_shape_does_not),
        cmocka_unit_test(other_rates_change_nothing),
        cmocka_unit_test(colours_are_those_of_the_caps),
        cmocka_unit_test(downstreams_pool_chooses_the_strides),
        cmocka_unit_test(the_frame_rate_changes),
        cmocka_unit_test(nothing_wrong_is_ever_shown),
        cmocka_unit_test(what_is_missing_is_asked_for_once),
        cmocka_unit_test(damage_is_counted_and_not_fatal),
        cmocka_unit_test(more_errors_than_it_may_are_fatal),
        cmocka_unit_test(others_are_asked_for_a_key),
        cmocka_unit_test(after_a_flush_a_key_is_awaited),
        cmocka_unit_test(a_later_key_of_a_lower_number_is_shown),
        cmocka_unit_test(late_pictures_are_left_out),
    };
    const int failed = cmocka_run_group_tests(tests, make_units, drop_units);
    gst_deinit(); /* where GST_TRACERS=leaks tells what is left */
    return failed;
}
