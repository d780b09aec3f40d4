/* test_trouble.c - tvlsrc and tvlsink where things go wrong, or are done to them that applications
 * do: broadcasts that are not there yet, times, latency, EOS, flushes. Over real sockets; what is
 * sent are lines of text, an opaque track. */
#include "elements.h"
#include "ports.h"
#include "../shares.h"
#include "test_pki.h"

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_US (20 * G_TIME_SPAN_SECOND)
#define LATENCY 200u /* ms */

static struct test_pki pki;

/* ---- a sender of text, and a receiver ---- */

struct sender {
    GstElement *sink;
    GstHarness *h;
    guint n;
    gint64 began;
};

static void sender_start(struct sender *s, guint port, const gchar *ns)
{
    gchar *uri = g_strdup_printf("moqt://127.0.0.1:%u/%s", port, ns);
    s->sink = gst_object_ref_sink(gst_element_factory_make("tvlsink", NULL));
    gst_util_set_object_arg(G_OBJECT(s->sink), "mode", "listener");
    g_object_set(s->sink, "uri", uri, "sync", FALSE, "async", FALSE, "tls-certificate", pki.server,
                 "tls-key", pki.server_key, "latency", LATENCY, NULL);
    s->h = gst_harness_new_with_element(s->sink, "data_0", NULL);
    gst_harness_set_src_caps_str(s->h, "text/x-raw, format=utf8");
    s->n = 0;
    s->began = g_get_monotonic_time();
    g_free(uri);
}

static void sender_push(struct sender *s)
{
    GstBuffer *b = gst_buffer_new_allocate(NULL, 4, NULL);
    gst_buffer_memset(b, 0, (guint8)('a' + s->n % 26), 4);
    s->n++;
    GST_BUFFER_PTS(b) = (GstClockTime)(g_get_monotonic_time() - s->began) * GST_USECOND;
    assert_int_equal(GST_FLOW_OK, gst_harness_push(s->h, b));
}

static void sender_stop(struct sender *s)
{
    gst_harness_teardown(s->h);
    gst_object_unref(s->sink);
}

struct receiver {
    GstElement *pipeline, *src;
    gint buffers, disconts, eos, segments, flushes; /* atomic */
    GMutex lock;
    GstClockTime pts,
        at; /* of the last buffer: its time, and the running time when it was pushed */
    GstSegment segment;
};

static GstPadProbeReturn on_event(struct receiver *r, GstEvent *e)
{
    if (GST_EVENT_TYPE(e) == GST_EVENT_EOS)
        g_atomic_int_inc(&r->eos);
    if (GST_EVENT_TYPE(e) == GST_EVENT_FLUSH_START)
        g_atomic_int_inc(&r->flushes);
    if (GST_EVENT_TYPE(e) == GST_EVENT_SEGMENT) {
        g_mutex_lock(&r->lock);
        gst_event_copy_segment(e, &r->segment);
        g_mutex_unlock(&r->lock);
        g_atomic_int_inc(&r->segments);
    }
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn on_item(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    struct receiver *r = data;
    (void)pad;
    if (!(info->type & GST_PAD_PROBE_TYPE_BUFFER))
        return on_event(r, GST_PAD_PROBE_INFO_EVENT(info));
    GstBuffer *b = GST_PAD_PROBE_INFO_BUFFER(info);
    g_mutex_lock(&r->lock);
    r->pts = GST_BUFFER_PTS(b);
    r->at = gst_element_get_current_running_time(r->src);
    g_mutex_unlock(&r->lock);
    if (GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DISCONT))
        g_atomic_int_inc(&r->disconts);
    g_atomic_int_inc(&r->buffers);
    return GST_PAD_PROBE_OK;
}

static void on_pad(GstElement *src, GstPad *pad, gpointer data)
{
    struct receiver *r = data;
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    (void)src;
    g_object_set(sink, "sync", FALSE, "async", FALSE, NULL);
    gst_bin_add(GST_BIN(r->pipeline), sink);
    gst_element_sync_state_with_parent(sink);
    GstPad *peer = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(peer,
                      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                          GST_PAD_PROBE_TYPE_EVENT_FLUSH,
                      on_item, r, NULL);
    assert_int_equal(GST_PAD_LINK_OK, gst_pad_link(pad, peer));
    gst_object_unref(peer);
}

static void receiver_make(struct receiver *r, guint port, gdouble reconnect)
{
    gchar *uri = g_strdup_printf("moqt://127.0.0.1:%u/live", port);
    *r = (struct receiver){ .pipeline = gst_pipeline_new(NULL) };
    g_mutex_init(&r->lock);
    r->src = gst_element_factory_make("tvlsrc", NULL);
    g_object_set(r->src, "uri", uri, "paths", "127.0.0.1", "tls-ca", pki.ca, "reconnect", reconnect,
                 NULL);
    g_signal_connect(r->src, "pad-added", G_CALLBACK(on_pad), r);
    gst_bin_add(GST_BIN(r->pipeline), r->src);
    g_free(uri);
}

static void receiver_stop(struct receiver *r)
{
    gst_element_set_state(r->pipeline, GST_STATE_NULL);
    gst_object_unref(r->pipeline);
    g_mutex_clear(&r->lock);
}

/* Pushes on, each 10 ms, until `count` is at least `n`. */
static gboolean push_until(struct sender *s, const gint *count, gint n)
{
    const gint64 until = g_get_monotonic_time() + PATIENCE_US;
    while (g_atomic_int_get(count) < n && g_get_monotonic_time() < until) {
        sender_push(s);
        g_usleep(10000);
    }
    return g_atomic_int_get(count) >= n;
}

/* Until so many have come in all. */
static gboolean run_until(struct sender *s, struct receiver *r, gint n)
{
    return push_until(s, &r->buffers, n);
}

/* Soon nothing comes any more, whatever is pushed. */
static gboolean comes_to_rest(struct sender *s, struct receiver *r)
{
    const gint64 until = g_get_monotonic_time() + PATIENCE_US;
    for (gint n = -1; g_get_monotonic_time() < until;) {
        if (n == g_atomic_int_get(&r->buffers))
            return TRUE;
        n = g_atomic_int_get(&r->buffers);
        for (int i = 0; i < 20; i++) {
            sender_push(s);
            g_usleep(10000);
        }
    }
    return FALSE;
}

/* The next message of these types on the bus within `patience`: the caller's, or NULL. */
static GstMessage *message(struct receiver *r, GstClockTime patience, GstMessageType types)
{
    GstBus *bus = gst_element_get_bus(r->pipeline);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, patience, types);
    gst_object_unref(bus);
    return m;
}

static void nothing_went_wrong(struct receiver *r)
{
    GstMessage *m = message(r, 0, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
    if (m)
        fail_msg("%s", GST_MESSAGE_TYPE_NAME(m));
}

static guint a_port(void)
{
    return free_udp_port();
}

static gboolean gives_as_reason(struct receiver *r, const gchar *words)
{
    GstStructure *stats;
    g_object_get(r->src, "stats", &stats, NULL);
    const gchar *reason = gst_structure_get_string(stats, "reason");
    const gboolean so = reason && strstr(reason, words);
    gst_structure_free(stats);
    return so;
}

/* ---- what is not there yet ---- */

/* The server has another broadcast; then it is gone; then the right one is there. */
static void a_broadcast_that_comes_later_is_waited_for(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "another");
    receiver_make(&r, port, -1);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    const gint64 until = g_get_monotonic_time() + PATIENCE_US;
    while (!gives_as_reason(&r, "no such track") && g_get_monotonic_time() < until)
        g_usleep(10000);
    assert_true(gives_as_reason(&r, "no such track"));
    sender_stop(&s);
    sender_start(&s, port, "live");
    assert_true(run_until(&s, &r, 5));
    nothing_went_wrong(&r);
    GstMessage *m = message(&r, 0, GST_MESSAGE_ELEMENT);
    while (m && !gst_message_has_name(m, "tvl-interrupted")) {
        gst_message_unref(m);
        m = message(&r, 0, GST_MESSAGE_ELEMENT);
    }
    assert_null(m); /* it had not begun */
    receiver_stop(&r);
    sender_stop(&s);
}

static void who_does_not_want_to_wait_is_told_at_once(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    GError *why;
    (void)state;
    sender_start(&s, port, "another");
    receiver_make(&r, port, 0);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    GstMessage *m = message(&r, 5 * GST_SECOND, GST_MESSAGE_ERROR);
    assert_non_null(m);
    gst_message_parse_error(m, &why, NULL);
    assert_non_null(strstr(why->message, "no such track"));
    g_error_free(why);
    gst_message_unref(m);
    receiver_stop(&r);
    sender_stop(&s);
}

/* ---- latency ---- */

static GstClockTime latency_of(struct receiver *r)
{
    GstQuery *q = gst_query_new_latency();
    GstClockTime least, most;
    gboolean live;
    assert_true(gst_element_query(r->src, q));
    gst_query_parse_latency(q, &live, &least, &most);
    assert_true(live);
    assert_true(most == GST_CLOCK_TIME_NONE); /* what comes waits, however long */
    gst_query_unref(q);
    return least;
}

/* Whether tvlsrc says within `patience` that it is another. */
static gboolean is_told(struct receiver *r, GstClockTime patience)
{
    for (GstMessage *m; (m = message(r, patience, GST_MESSAGE_LATENCY));) {
        const gboolean ours = GST_MESSAGE_SRC(m) == GST_OBJECT(r->src); /* sinks say it, too */
        gst_message_unref(m);
        if (ours)
            return TRUE;
    }
    return FALSE;
}

static void latency_becomes(struct receiver *r, guint ms)
{
    assert_true(is_told(r, PATIENCE_US * GST_USECOND));
    assert_int_equal(ms, latency_of(r) / GST_MSECOND);
}

static void latency_is_told_and_may_change(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "live");
    g_object_set(s.sink, "latency", 350u, NULL);
    receiver_make(&r, port, -1);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    assert_true(run_until(&s, &r, 2));
    latency_becomes(&r, 350); /* the broadcast's */
    g_object_set(s.sink, "latency", 450u, NULL);
    latency_becomes(&r, 450);
    g_object_set(r.src, "latency", 500u, NULL);
    latency_becomes(&r, 500);
    assert_true(run_until(&s, &r, g_atomic_int_get(&r.buffers) + 2));
    g_object_set(r.src, "latency", 500u, NULL); /* no other */
    g_object_set(s.sink, "latency", 400u, NULL);
    assert_true(run_until(&s, &r, g_atomic_int_get(&r.buffers) + 2));
    assert_false(is_told(&r, 0));
    assert_true(gst_element_send_event(r.pipeline, gst_event_new_latency(GST_SECOND)));
    nothing_went_wrong(&r);
    receiver_stop(&r);
    sender_stop(&s);
}

/* ---- states and clocks ---- */

/* Each buffer is pushed before it is due, and not long before. */
static void times_are_right(struct receiver *r)
{
    g_mutex_lock(&r->lock);
    const GstClockTimeDiff early = GST_CLOCK_DIFF(r->at, r->pts + LATENCY * GST_MSECOND);
    const gboolean in_segment = r->segment.format == GST_FORMAT_TIME && r->segment.start == 0;
    g_mutex_unlock(&r->lock);
    assert_true(in_segment);
    if (early < -2 * (GstClockTimeDiff)GST_SECOND || early > (LATENCY + 100) * GST_MSECOND)
        fail_msg("%d ms before it is due", (int)(early / GST_MSECOND));
}

static void playing_goes_on_after_a_pause(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "live");
    receiver_make(&r, port, -1);
    GstClock *clock =
        g_object_new(GST_TYPE_SYSTEM_CLOCK, "clock-type", GST_CLOCK_TYPE_REALTIME, NULL);
    gst_pipeline_use_clock(GST_PIPELINE(r.pipeline), clock); /* not the one that the network uses */
    for (int round = 0; round < 2; round++) {
        gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
        assert_true(run_until(&s, &r, g_atomic_int_get(&r.buffers) + 5));
        times_are_right(&r);
        assert_true(g_atomic_int_get(&r.disconts) >= round + 1);
        assert_int_equal(GST_STATE_CHANGE_NO_PREROLL,
                         gst_element_set_state(r.pipeline, GST_STATE_PAUSED));
        assert_true(comes_to_rest(&s, &r)); /* live */
    }
    assert_int_equal(1, g_atomic_int_get(&r.segments));
    gst_element_set_state(r.pipeline, GST_STATE_READY);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    assert_true(run_until(&s, &r, g_atomic_int_get(&r.buffers) + 5));
    times_are_right(&r);
    assert_int_equal(2, g_atomic_int_get(&r.segments)); /* of another pad */
    nothing_went_wrong(&r);
    receiver_stop(&r);
    sender_stop(&s);
    gst_object_unref(clock);
}

static void another_base_time_is_followed(void **state)
{
    static const GstClockTimeDiff by[] = { 3 * GST_SECOND, -20 * (GstClockTimeDiff)GST_SECOND };
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "live");
    receiver_make(&r, port, -1);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    gst_element_set_base_time(r.src, gst_element_get_base_time(r.src) - 10 * GST_SECOND);
    assert_true(run_until(&s, &r, 5));
    for (gsize i = 0; i < G_N_ELEMENTS(by); i++) {
        const gint disconts = g_atomic_int_get(&r.disconts);
        gst_element_set_base_time(
            r.src, (GstClockTime)((GstClockTimeDiff)gst_element_get_base_time(r.src) + by[i]));
        assert_true(push_until(&s, &r.disconts, disconts + 1));
        assert_true(run_until(&s, &r, g_atomic_int_get(&r.buffers) + 1));
        times_are_right(&r);
    }
    nothing_went_wrong(&r);
    receiver_stop(&r);
    sender_stop(&s);
}

/* ---- what an application sends ---- */

static void flushes_pass_and_seeks_do_not(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "live");
    receiver_make(&r, port, -1);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    assert_true(run_until(&s, &r, 5));
    assert_false(gst_element_seek_simple(r.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
    assert_int_equal(0, g_atomic_int_get(&r.flushes));
    assert_true(gst_element_send_event(r.src, gst_event_new_flush_start()));
    assert_int_equal(1, g_atomic_int_get(&r.flushes));
    const gint n = g_atomic_int_get(&r.buffers);
    for (int i = 0; i < 10; i++) {
        sender_push(&s);
        g_usleep(10000);
    }
    assert_int_equal(n, g_atomic_int_get(&r.buffers));
    assert_true(gst_element_send_event(r.src, gst_event_new_flush_stop(FALSE)));
    assert_true(run_until(&s, &r, n + 5));
    assert_int_equal(2, g_atomic_int_get(&r.segments));
    times_are_right(&r);
    nothing_went_wrong(&r);
    receiver_stop(&r);
    sender_stop(&s);
}

static void eos_is_the_last_that_comes(void **state)
{
    const guint port = a_port();
    struct sender s;
    struct receiver r;
    (void)state;
    sender_start(&s, port, "live");
    receiver_make(&r, port, -1);
    gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
    assert_true(run_until(&s, &r, 5));
    assert_true(gst_element_send_event(r.pipeline, gst_event_new_eos()));
    GstMessage *m = message(&r, 2 * GST_SECOND, GST_MESSAGE_EOS);
    assert_non_null(m);
    gst_message_unref(m);
    const gint n = g_atomic_int_get(&r.buffers);
    for (int i = 0; i < 20; i++) {
        sender_push(&s);
        g_usleep(10000);
    }
    assert_int_equal(n, g_atomic_int_get(&r.buffers));
    assert_int_equal(1, g_atomic_int_get(&r.eos));
    nothing_went_wrong(&r);
    receiver_stop(&r);
    sender_stop(&s);
}

/* Nobody answers, or nobody is there, or nothing of that name: EOS ends the pipeline all the same,
 * and no state change takes long. */
static void nothing_hangs_on_a_server(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    const int mute = socket(AF_INET, SOCK_DGRAM, 0);
    (void)state;
    assert_int_equal(0, bind(mute, (struct sockaddr *)&at, len));
    assert_int_equal(0, getsockname(mute, (struct sockaddr *)&at, &len));
    gchar *hosts[] = { g_strdup_printf("127.0.0.1:%u", ntohs(at.sin_port)), g_strdup("127.0.0.1:1"),
                       g_strdup("no-such-host.invalid") };
    static const char *const lines[] = {
        "tvlsrc uri=moqt://%s/live name=s s. ! svcav1dec ! fakesink s. ! audio/x-opus ! fakesink",
        "fakesrc is-live=true sizetype=fixed sizemax=10 do-timestamp=true ! "
        "capsfilter caps=a/b ! tvlsink uri=moqt://%s/live",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(hosts) * G_N_ELEMENTS(lines); i++) {
        gchar *line =
            g_strdup_printf(lines[i / G_N_ELEMENTS(hosts)], hosts[i % G_N_ELEMENTS(hosts)]);
        GError *why = NULL;
        struct receiver r = { .pipeline = gst_parse_launch(line, &why) };
        assert_null(why);
        const gint64 began = g_get_monotonic_time();
        gst_element_set_state(r.pipeline, GST_STATE_PLAYING);
        assert_true(g_get_monotonic_time() - began < G_TIME_SPAN_SECOND);
        g_usleep(50000);
        assert_true(gst_element_send_event(r.pipeline, gst_event_new_eos()));
        GstMessage *m = message(&r, 2 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        if (!m || GST_MESSAGE_TYPE(m) != GST_MESSAGE_EOS)
            fail_msg("%s: %s", line, m ? GST_MESSAGE_TYPE_NAME(m) : "does not end");
        gst_message_unref(m);
        const gint64 ended = g_get_monotonic_time();
        gst_element_set_state(r.pipeline, GST_STATE_NULL);
        assert_true(g_get_monotonic_time() - ended < G_TIME_SPAN_SECOND);
        gst_object_unref(r.pipeline);
        g_free(line);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++)
        g_free(hosts[i]);
    close(mute);
}

static int set_up(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    (void)state;
    gst_init(NULL, NULL);
    GST_ELEMENT_REGISTER(svcav1dec, NULL);
    GST_ELEMENT_REGISTER(tvlsink, NULL);
    GST_ELEMENT_REGISTER(tvlsrc, NULL);
    return test_pki_init(&pki, &cfg);
}

static int tear_down(void **state)
{
    (void)state;
    test_pki_fini(&pki);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broadcast_that_comes_later_is_waited_for),
        cmocka_unit_test(who_does_not_want_to_wait_is_told_at_once),
        cmocka_unit_test(latency_is_told_and_may_change),
        cmocka_unit_test(playing_goes_on_after_a_pause),
        cmocka_unit_test(another_base_time_is_followed),
        cmocka_unit_test(flushes_pass_and_seeks_do_not),
        cmocka_unit_test(eos_is_the_last_that_comes),
        cmocka_unit_test(nothing_hangs_on_a_server),
    };
    struct shares s;
    shares_begin(&s, tests, G_N_ELEMENTS(tests));
    return shares_end(&s, cmocka_run_group_tests(tests, set_up, tear_down));
}
