/* test_pipelines.c - the codec's elements among stock ones: found, fed, started and stopped. */
#include "raw.h"

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#define W 128
#define H 64
#define SOURCE                                                               \
    "videotestsrc name=src ! video/x-raw,format=I420,width=128,height=64 ! " \
    "svcav1enc name=enc speed=10 pace=never layers=L2T2 threads=1 ! "
#define PATIENCE (20 * GST_SECOND)

static gboolean have(const char *element)
{
    GstElementFactory *f = gst_element_factory_find(element);
    if (f)
        gst_object_unref(f);
    return f != NULL;
}

static GstElement *parse(const char *line)
{
    GError *why = NULL;
    GstElement *p = gst_parse_launch(line, &why);
    if (why)
        fail_msg("%s: %s", line, why->message);
    return p;
}

static void come_to(GstElement *p, GstState state)
{
    assert_int_not_equal(GST_STATE_CHANGE_FAILURE, gst_element_set_state(p, state));
    assert_int_equal(GST_STATE_CHANGE_SUCCESS, gst_element_get_state(p, NULL, NULL, PATIENCE));
}

static void wait_for_end(GstElement *p)
{
    GstBus *bus = gst_element_get_bus(p);
    GstMessage *m = gst_bus_timed_pop_filtered(
        bus, PATIENCE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
    assert_non_null(m);
    assert_string_equal("eos", GST_MESSAGE_TYPE_NAME(m));
    gst_message_unref(m);
    gst_object_unref(bus);
}

struct seen {
    guint buffers;
    gsize smallest, largest;
};

static void look(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer data)
{
    struct seen *s = data;
    const gsize size = gst_buffer_get_size(b);
    (void)sink;
    (void)pad;
    s->smallest = s->buffers++ ? MIN(s->smallest, size) : size;
    s->largest = MAX(s->largest, size);
}

/* Runs to the end: 20 whole pictures arrive at the sink. */
static void all_pictures_arrive(const char *line)
{
    struct seen seen = { 0 };
    GstElement *p = parse(line);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(p), "sink");
    GstElement *src = gst_bin_get_by_name(GST_BIN(p), "src");
    g_object_set(src, "num-buffers", 20, NULL);
    g_object_set(sink, "signal-handoffs", TRUE, "sync", FALSE, NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(look), &seen);
    gst_element_set_state(p, GST_STATE_PLAYING);
    wait_for_end(p);
    gst_element_set_state(p, GST_STATE_NULL);
    assert_int_equal(20, seen.buffers);
    assert_int_equal(W * H * 3 / 2, seen.smallest);
    assert_int_equal(W * H * 3 / 2, seen.largest);
    gst_object_unref(src);
    gst_object_unref(sink);
    gst_object_unref(p);
}

static void decodebins_find_the_decoder(void **state)
{
    (void)state;
    if (!have("videotestsrc") || !have("decodebin3"))
        skip();
    all_pictures_arrive(SOURCE "decodebin3 ! fakesink name=sink");
    all_pictures_arrive(SOURCE "decodebin ! fakesink name=sink");
}

static void stock_elements_get_whole_pictures(void **state)
{
    (void)state;
    if (!have("videotestsrc") || !have("av1parse") || !have("av1dec")) {
        print_message("SKIP: no av1parse, av1dec (gstreamer1.0-plugins-bad)\n");
        skip();
    }
    all_pictures_arrive(SOURCE "av1dec ! fakesink name=sink");
    all_pictures_arrive(SOURCE "av1parse ! av1dec ! fakesink name=sink");
}

static guint entries(const char *folder)
{
    guint n = 0;
    DIR *d = opendir(folder);
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static void a_hundred_starts_leave_nothing(void **state)
{
    (void)state;
    if (!have("videotestsrc"))
        skip();
    guint files = 0, threads = 0;
    for (guint i = 0; i < 100; i++) {
        GstElement *p = parse(SOURCE "queue ! svcav1dec name=dec ! fakesink sync=true");
        gpointer encoder = gst_bin_get_by_name(GST_BIN(p), "enc");
        gpointer decoder = gst_bin_get_by_name(GST_BIN(p), "dec");
        gst_object_unref(encoder);
        gst_object_unref(decoder);
        g_object_add_weak_pointer(encoder, &encoder);
        g_object_add_weak_pointer(decoder, &decoder);
        come_to(p, GST_STATE_PLAYING);
        come_to(p, GST_STATE_PAUSED);
        come_to(p, i % 2 ? GST_STATE_PLAYING : GST_STATE_READY);
        come_to(p, GST_STATE_NULL);
        gst_object_unref(p);
        assert_null(encoder);
        assert_null(decoder);
        if (i == 9) {
            files = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
    }
    assert_in_range(entries("/proc/self/fd"), 0, files);
    assert_in_range(entries("/proc/self/task"), 0, threads + 4); /* a pool's come and go */
}

/* What is lost between them is asked for, and comes back without a key picture. */
static GstPadProbeReturn lose(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    guint *n = data;
    (void)pad;
    (void)info;
    ++*n;
    return *n >= 10 && *n < 14 ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static guint64 stat_of(GstElement *e, const char *name)
{
    GstStructure *s;
    guint64 value = G_MAXUINT64;
    g_object_get(e, "stats", &s, NULL);
    assert_true(gst_structure_get_uint64(s, name, &value));
    gst_structure_free(s);
    return value;
}

static void what_is_lost_comes_back(void **state)
{
    (void)state;
    if (!have("videotestsrc"))
        skip();
    guint passed = 0;
    GstElement *p = parse(SOURCE "svcav1dec name=dec ! fakesink sync=false");
    GstElement *enc = gst_bin_get_by_name(GST_BIN(p), "enc");
    GstElement *dec = gst_bin_get_by_name(GST_BIN(p), "dec");
    GstElement *src = gst_bin_get_by_name(GST_BIN(p), "src");
    g_object_set(src, "num-buffers", 40, NULL);
    g_object_set(enc, "keyframe-max-dist", 0u, NULL);
    GstPad *pad = gst_element_get_static_pad(enc, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, lose, &passed, NULL);
    gst_element_set_state(p, GST_STATE_PLAYING);
    wait_for_end(p);
    assert_true(stat_of(dec, "refreshes-asked") >= 1);
    assert_int_equal(stat_of(dec, "refreshes-asked"), stat_of(enc, "refreshes"));
    assert_in_range(stat_of(dec, "shown"), 33, 39);
    assert_int_equal(1, stat_of(enc, "keys"));
    gst_element_set_state(p, GST_STATE_NULL);
    gst_object_unref(pad);
    gst_object_unref(src);
    gst_object_unref(enc);
    gst_object_unref(dec);
    gst_object_unref(p);
}

int main(int argc, char **argv)
{
    gst_test_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodebins_find_the_decoder),
        cmocka_unit_test(stock_elements_get_whole_pictures),
        cmocka_unit_test(a_hundred_starts_leave_nothing),
        cmocka_unit_test(what_is_lost_comes_back),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gst_deinit(); /* where GST_TRACERS=leaks tells what is left */
    return failed;
}
