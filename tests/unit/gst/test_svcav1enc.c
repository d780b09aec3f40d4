/* test_svcav1enc.c - svcav1enc alone, in a harness: what goes in, what comes out. */
#include "layer_caps.h"
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

static const TvlLayerMeta *meta_of(GstBuffer *b)
{
    const TvlLayerMeta *m = tvl_buffer_get_layer_meta(b);
    assert_non_null(m);
    return m;
}

static bool flag(GstBuffer *b, GstBufferFlags f)
{
    return GST_BUFFER_FLAG_IS_SET(b, f);
}

static void a_buffer_a_layer_unit(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2", W, H, NULL);
    encoder_push(h, W, H, 0, 4);
    assert_int_equal(8, gst_harness_buffers_received(h));
    for (guint i = 0; i < 8; i++) {
        GstBuffer *b = gst_harness_pull(h);
        const TvlLayerMeta *m = meta_of(b);
        assert_int_equal(i / 2, m->picture);
        assert_int_equal(i % 2, m->spatial);
        assert_int_equal(i / 2 % 2, m->temporal);
        assert_int_equal(i == 0, m->key);
        assert_int_equal(i < 2, m->sync);
        assert_int_equal(i != 0, flag(b, GST_BUFFER_FLAG_DELTA_UNIT));
        assert_int_equal(i % 2 == 1, flag(b, GST_BUFFER_FLAG_MARKER));
        assert_int_equal(m->deps.refreshes == 0, flag(b, GST_BUFFER_FLAG_DROPPABLE));
        assert_int_equal(i / 2 * FRAME_TIME, GST_BUFFER_PTS(b));
        assert_int_equal(GST_BUFFER_PTS(b), GST_BUFFER_DTS(b));
        assert_int_equal(FRAME_TIME, GST_BUFFER_DURATION(b));
        gst_buffer_unref(b);
    }
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    struct svc_stream_info info;
    assert_true(tvl_layer_caps_parse(caps, &info));
    assert_int_equal(W, info.width);
    assert_int_equal(W / 2, info.layers[0].width);
    assert_int_equal(30, info.fps_num);
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

static void a_buffer_a_picture_for_those_who_know_av1(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2", W, H, "video/x-av1,alignment=tu");
    encoder_push(h, W, H, 0, 3);
    assert_int_equal(3, gst_harness_buffers_received(h));
    for (guint i = 0; i < 3; i++) {
        GstBuffer *b = gst_harness_pull(h);
        assert_int_equal(0, gst_buffer_memcmp(b, 0, "\x12\x00", 2));
        assert_null(tvl_buffer_get_layer_meta(b));
        assert_int_equal(i != 0, flag(b, GST_BUFFER_FLAG_DELTA_UNIT));
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void another_peer_gets_what_it_knows(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2 keyframe-max-dist=0", W, H, "video/x-svc");
    encoder_push(h, W, H, 0, 2);
    assert_int_equal(4, gst_harness_buffers_received(h));
    for (guint i = 0; i < 4; i++)
        gst_buffer_unref(gst_harness_pull(h));
    gst_harness_set_sink_caps_str(h, "video/x-av1,alignment=tu");
    encoder_push(h, W, H, 2, 2);
    assert_int_equal(6, gst_harness_buffers_received(h));
    for (guint i = 0; i < 2; i++) {
        GstBuffer *b = gst_harness_pull(h);
        assert_null(tvl_buffer_get_layer_meta(b));
        assert_int_equal(i != 0, flag(b, GST_BUFFER_FLAG_DELTA_UNIT));
        gst_buffer_unref(b);
    }
    gst_harness_set_sink_caps_str(h, "video/x-svc");
    encoder_push(h, W, H, 4, 1);
    GstBuffer *b = gst_harness_pull(h);
    assert_true(meta_of(b)->key);
    gst_buffer_unref(b);
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    struct svc_stream_info info;
    assert_true(tvl_layer_caps_parse(caps, &info));
    assert_int_equal(W, info.width);
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

static void events_come_in_order_and_eos_last(void **state)
{
    (void)state;
    static const GstEventType want[] = { GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT,
                                         GST_EVENT_TAG, GST_EVENT_EOS };
    GstHarness *h = encoder_new("layers=L1T2", W, H, NULL);
    encoder_push(h, W, H, 0, 2);
    assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        GstEvent *e = gst_harness_pull_event(h);
        assert_non_null(e);
        assert_string_equal(gst_event_type_get_name(want[i]), GST_EVENT_TYPE_NAME(e));
        gst_event_unref(e);
    }
    assert_int_equal(2, gst_harness_buffers_received(h));
    assert_int_equal(0, gst_harness_query_latency(h));
    gst_harness_teardown(h);
}

/* By its number an application knows that a seek is done. */
static void a_segment_keeps_its_number(void **state)
{
    GstSegment segment;
    GstEvent *e;
    (void)state;
    GstHarness *h = encoder_new("layers=L1T2", W, H, NULL);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    GstEvent *ours = gst_event_new_segment(&segment);
    const guint32 number = gst_event_get_seqnum(ours);
    assert_true(gst_harness_push_event(h, ours));
    encoder_push(h, W, H, 0, 1);
    while ((e = gst_harness_pull_event(h)) && GST_EVENT_TYPE(e) != GST_EVENT_SEGMENT)
        gst_event_unref(e);
    assert_non_null(e);
    assert_int_equal(number, gst_event_get_seqnum(e));
    gst_event_unref(e);
    gst_harness_teardown(h);
}

/* Takes all that has come out; returns the number of the last one's picture. */
static guint64 take_all(GstHarness *h)
{
    guint64 last = 0;
    for (GstBuffer *b; (b = gst_harness_try_pull(h));) {
        last = meta_of(b)->picture;
        gst_buffer_unref(b);
    }
    return last;
}

static void it_is_told_when_a_picture_was_taken(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L1T1", W, H, NULL);
    encoder_push(h, W, H, 0, 1);
    GstBuffer *raw = raw_picture(W, H, 1);
    const gint64 taken = g_get_real_time() - 5000;
    GstCaps *unix_time = gst_caps_new_empty_simple("timestamp/x-unix");
    gst_buffer_add_reference_timestamp_meta(raw, unix_time, (GstClockTime)taken * GST_USECOND,
                                            GST_CLOCK_TIME_NONE);
    assert_int_equal(GST_FLOW_OK, gst_harness_push(h, raw));
    GstBuffer *b = gst_harness_pull(h);
    gst_buffer_unref(b);
    b = gst_harness_pull(h);
    assert_int_equal(taken, meta_of(b)->captured);
    assert_in_range(meta_of(b)->encode_us, 5000, G_MAXUINT32);
    gst_buffer_unref(b);
    gst_caps_unref(unix_time);
    gst_harness_teardown(h);
}

/* By the clock, which the test sets: the second picture comes 40 ms after it was due. */
static void else_by_the_pipelines_clock(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L1T1", W, H, NULL);
    gst_harness_use_testclock(h);
    encoder_push(h, W, H, 1, 1); /* before it is due: nothing is known */
    gst_harness_set_time(h, 2 * FRAME_TIME + 40 * GST_MSECOND);
    const gint64 before = g_get_real_time() - 40000;
    encoder_push(h, W, H, 2, 1);
    const gint64 after = g_get_real_time() - 40000;
    GstBuffer *b = gst_harness_pull(h);
    assert_int_equal(0, meta_of(b)->captured);
    assert_int_equal(0, meta_of(b)->encode_us);
    gst_buffer_unref(b);
    b = gst_harness_pull(h);
    assert_true(meta_of(b)->captured >= before && meta_of(b)->captured <= after);
    assert_in_range(meta_of(b)->encode_us, 40000, G_MAXUINT32);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void a_key_is_forced(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T1 keyframe-max-dist=0", W, H, NULL);
    encoder_push(h, W, H, 0, 3);
    take_all(h);
    assert_true(gst_harness_push_upstream_event(
        h, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 1)));
    encoder_push(h, W, H, 3, 2);
    for (guint i = 0; i < 4; i++) {
        GstBuffer *b = gst_harness_pull(h);
        assert_int_equal(i == 0, meta_of(b)->key);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void lost_layers_are_predicted_anew(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T1 keyframe-max-dist=0", W, H, NULL);
    encoder_push(h, W, H, 0, 3);
    take_all(h);
    assert_true(gst_harness_push_upstream_event(h, tvl_layer_refresh_event_new(1, NULL)));
    encoder_push(h, W, H, 3, 2);
    for (guint i = 0; i < 4; i++) {
        GstBuffer *b = gst_harness_pull(h);
        assert_false(meta_of(b)->key);
        assert_int_equal(i == 1, meta_of(b)->sync);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

/* Of an encoder that began anew in between, so that its own numbers are others. */
static void a_long_term_reference_that_is_held_serves(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T1 keyframe-max-dist=0 long-term-interval=4", W, H, NULL);
    encoder_push(h, W, H, 0, 3);
    take_all(h);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=I420,width=128,height=64,framerate=30/1");
    encoder_push(h, 128, 64, 3, 6);
    struct svc_tracker seen = { 0 };
    for (GstBuffer *b; (b = gst_harness_try_pull(h));) {
        struct svc_unit u;
        tvl_layer_meta_unit(meta_of(b), NULL, 0, 0, &u);
        if (u.picture < 8) /* 8 is lost */
            svc_tracker_decoded(&seen, &u);
        gst_buffer_unref(b);
    }
    assert_true(gst_harness_push_upstream_event(h, tvl_layer_refresh_event_new(0, &seen)));
    encoder_push(h, 128, 64, 9, 1);
    for (guint s = 0; s < 2; s++) {
        GstBuffer *b = gst_harness_pull(h);
        struct svc_unit u;
        tvl_layer_meta_unit(meta_of(b), NULL, 0, 0, &u);
        assert_false(u.key);
        assert_true(svc_tracker_decodable(&seen, &u));
        svc_tracker_decoded(&seen, &u);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

/* Of two receivers one has lost all: what serves the other does not do. */
static void what_one_of_two_lacks_is_not_held(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L1T1 keyframe-max-dist=0", W, H, NULL);
    struct svc_tracker seen = { 0 }, nothing = { 0 };
    for (guint both = 0; both < 2; both++) {
        encoder_push(h, W, H, 10 * both, 9);
        for (GstBuffer *b; (b = gst_harness_try_pull(h));) {
            struct svc_unit u;
            tvl_layer_meta_unit(meta_of(b), NULL, 0, 0, &u);
            svc_tracker_decoded(&seen, &u);
            gst_buffer_unref(b);
        }
        assert_true(gst_harness_push_upstream_event(h, tvl_layer_refresh_event_new(0, &seen)));
        if (both)
            assert_true(
                gst_harness_push_upstream_event(h, tvl_layer_refresh_event_new(0, &nothing)));
        encoder_push(h, W, H, 10 * both + 9, 1);
        GstBuffer *b = gst_harness_pull(h);
        assert_int_equal(both, meta_of(b)->key);
        struct svc_unit u;
        tvl_layer_meta_unit(meta_of(b), NULL, 0, 0, &u);
        svc_tracker_decoded(&seen, &u);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void layers_are_left_out_and_come_back(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2 keyframe-max-dist=0 max-spatial-layers=1", W, H, NULL);
    encoder_push(h, W, H, 0, 2);
    assert_int_equal(2, gst_harness_buffers_received(h)); /* marked, though alone */
    GstBuffer *b = gst_harness_pull(h);
    assert_true(flag(b, GST_BUFFER_FLAG_MARKER));
    gst_buffer_unref(b);
    gst_harness_set(h, "svcav1enc", "max-spatial-layers", 0u, "max-temporal-layers", 1u, NULL);
    encoder_push(h, W, H, 2, 4);
    assert_int_equal(2 + 2 * 2, gst_harness_buffers_received(h));
    gst_buffer_unref(gst_harness_pull(h));
    b = gst_harness_pull(h);
    assert_int_equal(0, meta_of(b)->spatial);
    gst_buffer_unref(b);
    b = gst_harness_pull(h); /* what returns needs nothing of before */
    assert_int_equal(1, meta_of(b)->spatial);
    assert_true(meta_of(b)->sync);
    gst_buffer_unref(b);
    b = gst_harness_pull(h);
    assert_int_equal(4 * FRAME_TIME, GST_BUFFER_PTS(b));
    gst_buffer_unref(b);
    GstStructure *stats;
    guint64 pictures;
    gst_harness_get(h, "svcav1enc", "stats", &stats, NULL);
    assert_true(gst_structure_get_uint64(stats, "pictures", &pictures));
    assert_int_equal(4, pictures); /* those that were coded */
    gst_structure_free(stats);
    gst_harness_teardown(h);
}

static void after_a_flush_comes_a_key(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2 keyframe-max-dist=0", W, H, NULL);
    encoder_push(h, W, H, 0, 3);
    const guint64 before = take_all(h);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    encoder_push(h, W, H, 3, 1);
    GstBuffer *b = gst_harness_pull(h);
    assert_true(meta_of(b)->key);
    assert_int_equal(before + 1, meta_of(b)->picture);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void another_size_is_another_stream(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2", W, H, NULL);
    encoder_push(h, W, H, 0, 3);
    const guint64 before = take_all(h);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=I420,width=128,height=64,framerate=15/1");
    encoder_push(h, 128, 64, 3, 3);
    for (guint i = 0; i < 6; i++) {
        GstBuffer *b = gst_harness_pull(h);
        const TvlLayerMeta *m = meta_of(b);
        assert_int_equal(before + 1 + i / 2, m->picture);
        assert_int_equal(i == 0, m->key);
        for (guint r = 0; r < m->deps.n_reads; r++) /* nothing of the old stream */
            assert_in_range(m->deps.reads[r].picture, before + 1, m->picture);
        gst_buffer_unref(b);
    }
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    struct svc_stream_info info;
    assert_true(tvl_layer_caps_parse(caps, &info));
    assert_int_equal(128, info.width);
    assert_int_equal(15, info.fps_num);
    gst_caps_unref(caps);
    gst_harness_teardown(h);
}

static void properties_round_trip(void **state)
{
    (void)state;
    GstElement *e = gst_element_factory_make("svcav1enc", NULL);
    gst_util_set_object_arg(G_OBJECT(e), "layer-bitrates", "<100,300>");
    g_object_set(e, "layers", "L2T3_KEY", "bitrate", 777u, "quantizer", 11u, "keyframe-max-dist",
                 12u, "long-term-interval", 13u, "speed", 8u, "threads", 3u, "isolated", TRUE,
                 "pace", 1, NULL);
    gchar *layers;
    guint bitrate, quantizer, dist, interval, speed, threads;
    gboolean isolated;
    gint pace;
    GValue rates = G_VALUE_INIT;
    g_value_init(&rates, GST_TYPE_ARRAY);
    g_object_get_property(G_OBJECT(e), "layer-bitrates", &rates);
    g_object_get(e, "layers", &layers, "bitrate", &bitrate, "quantizer", &quantizer,
                 "keyframe-max-dist", &dist, "long-term-interval", &interval, "speed", &speed,
                 "threads", &threads, "isolated", &isolated, "pace", &pace, NULL);
    assert_int_equal(1, pace);
    assert_string_equal("L2T3_KEY", layers);
    assert_int_equal(2, gst_value_array_get_size(&rates));
    assert_int_equal(300, g_value_get_int(gst_value_array_get_value(&rates, 1)));
    assert_int_equal(777, bitrate);
    assert_int_equal(11, quantizer);
    assert_int_equal(12, dist);
    assert_int_equal(13, interval);
    assert_int_equal(8, speed);
    assert_int_equal(3, threads);
    assert_true(isolated);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*layers=L9*");
    g_object_set(e, "layers", "L9", NULL);
    g_test_assert_expected_messages();
    g_free(layers);
    g_object_get(e, "layers", &layers, NULL);
    assert_string_equal("L2T3_KEY", layers);
    g_free(layers);
    g_value_unset(&rates);
    gst_object_unref(e);
}

/* What is said on the bus when these pictures are pushed in. */
static void refused(const char *element, const char *caps, const char *why)
{
    GstHarness *h = gst_harness_new_parse(element);
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(h->element, bus);
    gst_harness_set_src_caps_str(h, caps);
    assert_int_equal(GST_FLOW_NOT_NEGOTIATED, gst_harness_push(h, raw_picture(W, H, 0)));
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    assert_non_null(m);
    GError *error;
    gst_message_parse_error(m, &error, NULL);
    if (!strstr(error->message, why))
        fail_msg("%s", error->message);
    g_error_free(error);
    gst_message_unref(m);
    gst_element_set_bus(h->element, NULL);
    gst_object_unref(bus);
    gst_harness_teardown(h);
}

static void what_cannot_be_is_said(void **state)
{
    (void)state;
    refused("svcav1enc layers=L2T1 layer-bitrates=<100>",
            "video/x-raw,format=I420,width=256,height=128,framerate=30/1",
            "layer-bitrates has 1 values");
    refused(
        "svcav1enc",
        "video/x-raw,format=I420,width=256,height=128,framerate=30/1,interlace-mode=interleaved",
        "deinterlace");
}

static gsize bytes_of(GstHarness *h, guint first, guint n)
{
    gsize bytes = 0;
    encoder_push(h, W, H, first, n);
    for (GstBuffer *b; (b = gst_harness_try_pull(h));) {
        bytes += gst_buffer_get_size(b);
        gst_buffer_unref(b);
    }
    return bytes;
}

static void the_rate_changes_while_it_runs(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T1 bitrate=3000 keyframe-max-dist=0", W, H, NULL);
    const gsize high = bytes_of(h, 0, 30);
    gst_harness_set(h, "svcav1enc", "bitrate", 300u, NULL);
    bytes_of(h, 30, 10);
    const gsize low = bytes_of(h, 40, 30);
    if (low * 2 > high)
        fail_msg("%zu bytes, then %zu", high, low);
    GstElement *e = gst_harness_find_element(h, "svcav1enc");
    gst_util_set_object_arg(G_OBJECT(e), "layer-bitrates", "<1000,2000>");
    gst_object_unref(e);
    bytes_of(h, 70, 10);
    const gsize again = bytes_of(h, 80, 30);
    if (low * 2 > again)
        fail_msg("%zu bytes, then %zu", low, again);
    gst_harness_teardown(h);
}

/* Events of that type which have come out since. */
static guint events(GstHarness *h, GstEventType type, GstEvent **last)
{
    guint n = 0;
    for (GstEvent *e; (e = gst_harness_try_pull_event(h)); gst_event_unref(e))
        if (GST_EVENT_TYPE(e) == type) {
            n++;
            if (last)
                gst_event_replace(last, e);
        }
    return n;
}

static guint rate_in_caps(GstHarness *h)
{
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    struct svc_stream_info info;
    guint sum = 0;
    assert_true(tvl_layer_caps_parse(caps, &info));
    for (gsize i = 0; i < info.n_layers; i++) {
        sum += info.layers[i].bitrate_bps;
        assert_in_range(info.layers[i].bitrate_max_bps, info.layers[i].bitrate_bps,
                        2 * info.layers[i].bitrate_bps + 10);
    }
    gst_caps_unref(caps);
    return sum;
}

/* Each picture another rate: tags once a second, caps once in five, and at last the true one. */
static void other_rates_are_told_but_not_too_often(void **state)
{
    (void)state;
    GstHarness *h = encoder_new("layers=L2T2 bitrate=1000 keyframe-max-dist=0", W, H, NULL);
    encoder_push(h, W, H, 0, 1);
    assert_in_range(rate_in_caps(h), 999000, 1000000);
    assert_int_equal(1, events(h, GST_EVENT_CAPS, NULL));
    gst_harness_set(h, "svcav1enc", "bitrate", 1100u, NULL); /* the caps do not care */
    encoder_push(h, W, H, 1, 1);
    GstEvent *tag = NULL;
    guint nominal;
    GstTagList *list;
    assert_int_equal(1, events(h, GST_EVENT_TAG, &tag));
    gst_event_parse_tag(tag, &list);
    assert_true(gst_tag_list_get_uint(list, GST_TAG_NOMINAL_BITRATE, &nominal));
    assert_in_range(nominal, 1099999, 1100000);
    gst_clear_event(&tag);
    assert_in_range(rate_in_caps(h), 999000, 1000000);
    for (guint i = 2; i < 92; i++) {
        gst_harness_set(h, "svcav1enc", "bitrate", 2000 + 10 * i, NULL);
        encoder_push(h, W, H, i, 1);
    }
    assert_in_range(rate_in_caps(h), 2019000, 2020000); /* at once, then not for 5 s */
    encoder_push(h, W, H, 92, 55);
    gst_harness_set(h, "svcav1enc", "layers", "L2T2", NULL);
    guint caps = 0, tags = 0;
    for (GstEvent *e; (e = gst_harness_try_pull_event(h)); gst_event_unref(e)) {
        caps += GST_EVENT_TYPE(e) == GST_EVENT_CAPS;
        tags += GST_EVENT_TYPE(e) == GST_EVENT_TAG;
    }
    assert_int_equal(1, caps);
    assert_in_range(tags, 3, 4);
    encoder_push(h, W, H, 147, 10);
    assert_int_equal(1, events(h, GST_EVENT_CAPS, NULL));
    assert_in_range(rate_in_caps(h), 2909000, 2910000);
    take_all(h);
    gst_harness_teardown(h);
}

static void downstreams_caps_say_how_many_layers(void **state)
{
    (void)state;
    GstHarness *h =
        encoder_new("layers=L3T2 bitrate=900", W, H, "video/x-svc,scalability=(string)L2T1");
    encoder_push(h, W, H, 0, 2);
    assert_int_equal(4, gst_harness_buffers_received(h));
    assert_in_range(rate_in_caps(h), 899000, 900000);
    take_all(h);
    gst_harness_teardown(h);
}

/* What it cannot encode is no part of its caps; what downstream wants is asked of upstream. */
static void caps_say_what_it_takes(void **state)
{
    (void)state;
    static const struct {
        const char *caps;
        gboolean taken;
    } table[] = {
        { "format=I420,width=640,height=360,framerate=30/1", TRUE },
        { "format=I420,width=640,height=360,framerate=0/1", TRUE },
        { "format=I420,width=4096,height=4096,framerate=30/1", TRUE },
        { "format=I420_10LE,width=640,height=360,framerate=30/1", FALSE },
        { "format=NV12,width=640,height=360,framerate=30/1", FALSE },
        { "format=Y444,width=640,height=360,framerate=30/1", FALSE },
        { "format=I420,width=641,height=360,framerate=30/1", FALSE },
        { "format=I420,width=4098,height=360,framerate=30/1", FALSE },
        { "format=I420,width=32,height=32,framerate=30/1", FALSE },
    };
    GstHarness *h = gst_harness_new("svcav1enc");
    GstPad *sink = gst_element_get_static_pad(h->element, "sink");
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        gchar *line = g_strconcat("video/x-raw,", table[i].caps, NULL);
        GstCaps *caps = gst_caps_from_string(line);
        if (gst_pad_query_accept_caps(sink, caps) != table[i].taken)
            fail_msg("%s", line);
        gst_caps_unref(caps);
        g_free(line);
    }
    gst_harness_set_sink_caps_str(h, "video/x-svc,width=320,height=180,framerate=25/1");
    GstCaps *wanted = gst_pad_query_caps(sink, NULL);
    gint width, num, den;
    const GstStructure *s = gst_caps_get_structure(wanted, 0);
    assert_true(gst_structure_get_int(s, "width", &width));
    assert_true(gst_structure_get_fraction(s, "framerate", &num, &den));
    assert_int_equal(320, width);
    assert_int_equal(25, num);
    gst_caps_unref(wanted);
    gst_object_unref(sink);
    gst_harness_teardown(h);
}

#define HDR                                                                                   \
    "colorimetry=(string)bt2100-pq,chroma-site=(string)mpeg2,"                                \
    "mastering-display-info=(string)35400:14600:8500:39850:6550:2300:15635:16450:10000000:1," \
    "content-light-level=(string)1000:400"

/* For those who take layers and for those who take pictures. */
static void colours_are_carried_through(void **state)
{
    (void)state;
    static const char *const peer[] = { "video/x-svc", "video/x-av1" };
    for (size_t i = 0; i < G_N_ELEMENTS(peer); i++) {
        GstHarness *h = encoder_new("layers=L2T1", W, H, peer[i]);
        gst_harness_set_src_caps_str(h, "video/x-raw,format=I420,width=256,height=128,"
                                        "framerate=30/1,pixel-aspect-ratio=4/3," HDR);
        encoder_push(h, W, H, 0, 1);
        GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
        GstCaps *want = gst_caps_from_string("video/x-svc,width=256,pixel-aspect-ratio=4/3," HDR
                                             ";video/x-av1,width=256,pixel-aspect-ratio=4/3," HDR);
        if (!gst_caps_is_subset(caps, want)) {
            gchar *text = gst_caps_to_string(caps);
            fail_msg("%s", text);
        }
        gst_caps_unref(want);
        gst_caps_unref(caps);
        gst_harness_teardown(h);
    }
}

int main(int argc, char **argv)
{
    gst_test_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_a_layer_unit),
        cmocka_unit_test(a_buffer_a_picture_for_those_who_know_av1),
        cmocka_unit_test(another_peer_gets_what_it_knows),
        cmocka_unit_test(events_come_in_order_and_eos_last),
        cmocka_unit_test(a_segment_keeps_its_number),
        cmocka_unit_test(it_is_told_when_a_picture_was_taken),
        cmocka_unit_test(else_by_the_pipelines_clock),
        cmocka_unit_test(a_key_is_forced),
        cmocka_unit_test(lost_layers_are_predicted_anew),
        cmocka_unit_test(a_long_term_reference_that_is_held_serves),
        cmocka_unit_test(what_one_of_two_lacks_is_not_held),
        cmocka_unit_test(layers_are_left_out_and_come_back),
        cmocka_unit_test(after_a_flush_comes_a_key),
        cmocka_unit_test(another_size_is_another_stream),
        cmocka_unit_test(properties_round_trip),
        cmocka_unit_test(what_cannot_be_is_said),
        cmocka_unit_test(the_rate_changes_while_it_runs),
        cmocka_unit_test(other_rates_are_told_but_not_too_often),
        cmocka_unit_test(downstreams_caps_say_how_many_layers),
        cmocka_unit_test(caps_say_what_it_takes),
        cmocka_unit_test(colours_are_carried_through),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gst_deinit(); /* where GST_TRACERS=leaks tells what is left */
    return failed;
}
