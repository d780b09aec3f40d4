/*
 * test_enc_pace.c - svcav1enc on a machine that is too slow for it, and for those that are late.
 *
 * The machine is made up: the clock stands but while a picture is looked at, when it goes on by
 * what that picture costs.
 */
#include "raw.h"

#include <gst/check/gsttestclock.h>
#include <gst/video/video.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#define W 128
#define H 64

struct machine {
    GstHarness *h;
    GstClockTime cost; /* of a picture at speed 9 with all layers */
    gboolean live;     /* what upstream says */
    guint pictures;
};
static struct machine *machine; /* the one of the test */
static gboolean (*plain_map)(GstVideoMeta *, guint, GstMapInfo *, gpointer *, gint *, GstMapFlags);

static GstStructure *stats_of(GstHarness *h)
{
    GstStructure *s;
    gst_harness_get(h, "svcav1enc", "stats", &s, NULL);
    return s;
}

static guint64 stat_of(GstHarness *h, const char *name)
{
    GstStructure *s = stats_of(h);
    guint64 value = G_MAXUINT64;
    guint small;
    if (gst_structure_get_uint(s, name, &small))
        value = small;
    else
        assert_true(gst_structure_get_uint64(s, name, &value));
    gst_structure_free(s);
    return value;
}

static gboolean costly_map(GstVideoMeta *meta, guint plane, GstMapInfo *info, gpointer *data,
                           gint *stride, GstMapFlags flags)
{
    if (plane == 0) {
        GstClockTime cost = machine->cost;
        if (stat_of(machine->h, "speed") > 9)
            cost = cost * 9 / 10;
        if (stat_of(machine->h, "spatial-layers") == 1)
            cost /= 3;
        GstTestClock *clock = gst_harness_get_testclock(machine->h);
        gst_test_clock_advance_time(clock, cost);
        gst_object_unref(clock);
    }
    return plain_map(meta, plane, info, data, stride, flags);
}

static GstPadProbeReturn answer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    const struct machine *m = data;
    GstQuery *q = GST_PAD_PROBE_INFO_QUERY(info);
    (void)pad;
    if (GST_QUERY_TYPE(q) != GST_QUERY_LATENCY)
        return GST_PAD_PROBE_OK;
    gst_query_set_latency(q, m->live, 0, GST_CLOCK_TIME_NONE);
    return GST_PAD_PROBE_HANDLED;
}

static void machine_new(struct machine *m, const char *props, gboolean live, GstClockTime cost)
{
    gchar *all = g_strdup_printf("speed=9 layers=L2T2 threads=1 %s", props);
    *m = (struct machine){ .h = encoder_new(all, W, H, "video/x-svc"), .cost = cost, .live = live };
    g_free(all);
    machine = m;
    gst_pad_add_probe(m->h->srcpad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM | GST_PAD_PROBE_TYPE_PUSH,
                      answer, m, NULL);
    gst_harness_use_testclock(m->h);
}

/* Each picture when it is due, or as soon as the one before is done. Returns buffers that came. */
static guint run(struct machine *m, guint pictures)
{
    guint buffers = 0;
    for (guint end = m->pictures + pictures; m->pictures < end; m->pictures++) {
        GstBuffer *b = raw_picture(W, H, m->pictures);
        GstVideoMeta *meta = gst_buffer_add_video_meta(b, 0, GST_VIDEO_FORMAT_I420, W, H);
        plain_map = meta->map;
        meta->map = costly_map;
        GstTestClock *clock = gst_harness_get_testclock(m->h);
        if (gst_clock_get_time(GST_CLOCK(clock)) < GST_BUFFER_PTS(b))
            gst_test_clock_set_time(clock, GST_BUFFER_PTS(b));
        gst_object_unref(clock);
        assert_int_equal(GST_FLOW_OK, gst_harness_push(m->h, b));
        for (GstBuffer *out; (out = gst_harness_try_pull(m->h)); buffers++)
            gst_buffer_unref(out);
    }
    return buffers;
}

static void it_does_less_until_that_fits_and_more_again(void **state)
{
    (void)state;
    struct machine m;
    machine_new(&m, "pace=auto", TRUE, 60 * GST_MSECOND);
    GstBus *bus = gst_bus_new();
    GstElement *e = gst_harness_find_element(m.h, "svcav1enc");
    gst_element_set_bus(e, bus);
    run(&m, 90); /* a picture of 33 ms takes 60; without every other one of them it fits */
    assert_int_equal(10, stat_of(m.h, "speed"));
    assert_int_equal(1, stat_of(m.h, "temporal-layers"));
    assert_int_equal(2, stat_of(m.h, "spatial-layers"));
    assert_int_equal(2, stat_of(m.h, "pace-downs"));
    assert_int_equal(20, run(&m, 20));
    GstMessage *told = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);
    assert_non_null(told);
    assert_true(gst_message_has_name(told, "svcav1enc-pace"));
    gst_message_unref(told);
    m.cost = 120 * GST_MSECOND;
    run(&m, 60);
    assert_int_equal(1, stat_of(m.h, "spatial-layers"));
    m.cost = 5 * GST_MSECOND;
    run(&m, 400);
    assert_int_equal(9, stat_of(m.h, "speed"));
    assert_int_equal(20, run(&m, 10));
    gst_element_set_bus(e, NULL);
    gst_object_unref(e);
    gst_object_unref(bus);
    gst_harness_teardown(m.h);
}

/* What is one buffer a picture keeps its size, however slow the machine is. */
static void whole_pictures_keep_their_size(void **state)
{
    (void)state;
    struct machine m;
    machine_new(&m, "pace=auto", TRUE, 150 * GST_MSECOND);
    gst_harness_set_sink_caps_str(m.h, "video/x-av1");
    run(&m, 120);
    assert_int_equal(2, stat_of(m.h, "spatial-layers"));
    assert_int_equal(1, stat_of(m.h, "temporal-layers"));
    assert_int_equal(2, stat_of(m.h, "pace-downs"));
    gst_harness_set_sink_caps_str(m.h, "video/x-svc"); /* who takes layers gets fewer */
    run(&m, 60);
    assert_int_equal(1, stat_of(m.h, "spatial-layers"));
    gst_harness_teardown(m.h);
}

static void only_where_it_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *pace;
        gboolean live, paced;
    } table[] = {
        { "pace=auto", TRUE, TRUE },
        { "pace=auto", FALSE, FALSE },
        { "pace=always", FALSE, TRUE },
        { "pace=never", TRUE, FALSE },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        struct machine m;
        gboolean paced;
        machine_new(&m, table[i].pace, table[i].live, 60 * GST_MSECOND);
        run(&m, 60);
        GstStructure *s = stats_of(m.h);
        assert_true(gst_structure_get_boolean(s, "paced", &paced));
        gst_structure_free(s);
        assert_int_equal(table[i].paced, paced);
        assert_int_equal(table[i].paced ? 2 : 0, stat_of(m.h, "pace-downs"));
        gst_harness_teardown(m.h);
    }
}

static void who_becomes_live_is_noticed(void **state)
{
    (void)state;
    struct machine m;
    machine_new(&m, "pace=auto", FALSE, 60 * GST_MSECOND);
    run(&m, 30);
    m.live = TRUE;
    run(&m, 30);
    assert_int_equal(0, stat_of(m.h, "pace-downs"));
    assert_true(gst_harness_push_upstream_event(m.h, gst_event_new_latency(0)));
    run(&m, 60);
    assert_in_range(stat_of(m.h, "pace-downs"), 2, 3); /* it is late already */
    gst_harness_teardown(m.h);
}

/* What the application allows and what pace allows: the less of both; its speed begins anew. */
static void the_application_goes_first(void **state)
{
    (void)state;
    struct machine m;
    machine_new(&m, "pace=auto max-spatial-layers=1", TRUE, 60 * GST_MSECOND);
    run(&m, 60); /* a third of 60 ms fits */
    assert_int_equal(1, stat_of(m.h, "spatial-layers"));
    assert_int_equal(0, stat_of(m.h, "pace-downs"));
    gst_harness_set(m.h, "svcav1enc", "max-spatial-layers", 0u, "speed", 8u, NULL);
    run(&m, 1);
    assert_int_equal(8, stat_of(m.h, "speed"));
    run(&m, 60);
    assert_int_equal(10, stat_of(m.h, "speed"));
    gst_harness_teardown(m.h);
}

static void what_downstream_has_no_time_for_is_left_out(void **state)
{
    (void)state;
    for (guint qos = 0; qos < 2; qos++) {
        struct machine m;
        machine_new(&m, "pace=never", TRUE, 0);
        gst_harness_set(m.h, "svcav1enc", "qos", (gboolean)qos, NULL);
        assert_int_equal(4, run(&m, 2));
        assert_true(gst_harness_push_upstream_event(
            m.h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 0.5, (GstClockTimeDiff)(3 * FRAME_TIME),
                                   FRAME_TIME)));
        assert_int_equal(qos ? 0 : 6, run(&m, 3));
        assert_int_equal(qos ? 3 : 0, stat_of(m.h, "late"));
        assert_true(gst_harness_push_upstream_event(
            m.h, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 1)));
        assert_int_equal(2, run(&m, 1)); /* what somebody asked for comes */
        assert_int_equal(2, stat_of(m.h, "keys"));
        assert_int_equal(qos ? 16 : 20, run(&m, 10)); /* from the eighth on it is in time again */
        gst_harness_teardown(m.h);
    }
}

int main(int argc, char **argv)
{
    gst_test_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_less_until_that_fits_and_more_again),
        cmocka_unit_test(whole_pictures_keep_their_size),
        cmocka_unit_test(only_where_it_is_wanted),
        cmocka_unit_test(who_becomes_live_is_noticed),
        cmocka_unit_test(the_application_goes_first),
        cmocka_unit_test(what_downstream_has_no_time_for_is_left_out),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gst_deinit(); /* where GST_TRACERS=leaks tells what is left */
    return failed;
}
