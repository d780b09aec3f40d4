/* test_listen.c - tvlsrc that waits for its publisher (mode=listener), and tvlsink that calls it.
 */
#include "elements.h"
#include "ports.h"
#include "test_pki.h"

#include <ev.h>
#include <gst/gst.h>
#include <moq/moq.h>
#include <tvl/ev.h>
#include <gst/video/video.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE (20 * GST_SECOND)

struct stage { /* a listener and what it has seen */
    struct test_pki pki;
    guint port;
    GstElement *to;
    gint buffers, disconts, keys;
};

static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    const GstBuffer *b = GST_PAD_PROBE_INFO_BUFFER(info);
    struct stage *s = data;
    (void)pad;
    g_atomic_int_add(&s->disconts, GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DISCONT) ? 1 : 0);
    g_atomic_int_add(&s->keys, GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DELTA_UNIT) ? 0 : 1);
    g_atomic_int_inc(&s->buffers);
    return GST_PAD_PROBE_OK;
}

static GstElement *launch(gchar *line)
{
    GError *why = NULL;
    GstElement *p = gst_parse_launch(line, &why);
    assert_null(why);
    g_free(line);
    if (GST_IS_PIPELINE(p))
        return p;
    GstElement *pipeline = gst_pipeline_new(NULL);
    gst_bin_add(GST_BIN(pipeline), p);
    return pipeline;
}

/* Listens and plays, with these properties beside what it needs. */
static void open_stage(struct stage *s, const char *more)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    *s = (struct stage){ .port = free_udp_port() };
    assert_int_equal(0, test_pki_init(&s->pki, &cfg));
    s->to = launch(g_strdup_printf(
        "tvlsrc name=s mode=listener uri=moqt://127.0.0.1:%u/live latency=200 tls-certificate=%s "
        "tls-key=%s %s s. ! fakesink name=v sync=false",
        s->port, s->pki.server, s->pki.server_key, more));
    GstElement *v = gst_bin_get_by_name(GST_BIN(s->to), "v");
    GstPad *pad = gst_element_get_static_pad(v, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, s, NULL);
    gst_object_unref(pad);
    gst_object_unref(v);
    assert_int_equal(GST_STATE_CHANGE_NO_PREROLL, gst_element_set_state(s->to, GST_STATE_PAUSED));
    gst_element_set_state(s->to, GST_STATE_PLAYING);
}

static void close_stage(struct stage *s)
{
    gst_element_set_state(s->to, GST_STATE_NULL);
    gst_object_unref(s->to);
    test_pki_fini(&s->pki);
}

#define DATA                                                                         \
    "fakesrc is-live=true do-timestamp=true format=time sizetype=fixed sizemax=100 " \
    "datarate=10000 filltype=zero ! application/x-test ! t.data_0 "
#define VIDEO                                                                       \
    "videotestsrc is-live=true ! video/x-raw,width=128,height=64,framerate=30/1 ! " \
    "svcav1enc speed=10 layers=L2T2 threads=1 keyframe-max-dist=0 pace=never ! t.svc_0 "

/* Calls and publishes. */
static GstElement *publisher(const struct stage *s, const char *media, const char *ns,
                             const char *more)
{
    GstElement *p = launch(g_strdup_printf("%s tvlsink name=t uri=moqt://127.0.0.1:%u/%s "
                                           "latency=200 paths=127.0.0.1 tls-ca=%s %s",
                                           media, s->port, ns, s->pki.ca, more));
    gst_element_set_state(p, GST_STATE_PLAYING);
    return p;
}

static void wait_for(const gint *value, gint least)
{
    const gint64 until = g_get_monotonic_time() + (gint64)(PATIENCE / GST_USECOND);
    while (g_atomic_int_get(value) < least && g_get_monotonic_time() < until)
        g_usleep(10000);
    assert_true(g_atomic_int_get(value) >= least);
}

/* The next element message of that name; what came before it is dropped. Errors end the test. */
static GstStructure *message(GstElement *pipeline, const char *name)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstStructure *found = NULL;
    while (!found) {
        GstMessage *m =
            gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
        assert_non_null(m);
        assert_int_equal(GST_MESSAGE_ELEMENT, GST_MESSAGE_TYPE(m));
        if (gst_message_has_name(m, name))
            found = gst_structure_copy(gst_message_get_structure(m));
        gst_message_unref(m);
    }
    gst_object_unref(bus);
    return found;
}

static void expect_message(GstElement *pipeline, const char *name, const char *field,
                           const char *part)
{
    GstStructure *m = message(pipeline, name);
    const gchar *text = gst_structure_get_string(m, field);
    if (!text || !strstr(text, part))
        fail_msg("%s: %s \"%s\" without \"%s\"", name, field, text, part);
    gst_structure_free(m);
}

static void expect_error(GstElement *pipeline, const char *part)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_ERROR);
    GError *why = NULL;
    assert_non_null(m);
    gst_message_parse_error(m, &why, NULL);
    if (!strstr(why->message, part))
        fail_msg("\"%s\" without \"%s\"", why->message, part);
    g_error_free(why);
    gst_message_unref(m);
    gst_object_unref(bus);
}

static void close_pipeline(GstElement *p)
{
    gst_element_set_state(p, GST_STATE_NULL);
    gst_object_unref(p);
}

/* ---- a viewer who falls silent ---- */

/* Calls a tvlsink, and from the first answer on does nothing: it is awaited in the last test, that
 * the others' time is its time. */
static struct silent {
    struct test_pki pki;
    GstElement *sink;
    struct ev_loop *loop;
    struct tvl_tls *tls;
    struct tvl_ev *driver;
    gint64 since, noticed; /* us */
} silent;

static void on_viewer_removed(GstElement *sink, const gchar *address, gpointer data)
{
    (void)sink;
    (void)address;
    (void)data;
    silent.noticed = g_get_monotonic_time();
}

static void on_silent_event(void *user, const struct tvl_event *ev)
{
    (void)user;
    if (ev->type == TVL_EVENT_CONNECTED)
        ev_break(silent.loop, EVBREAK_ALL);
}

static void a_viewer_falls_silent(void **state)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct test_pki_config pki = { .kind = TEST_PKI_P256 };
    const guint port = free_udp_port();
    const struct tvl_ev_path path = { .local = "127.0.0.1" };
    struct tvl_conn *conn;
    char why[200];
    (void)state;
    assert_int_equal(0, test_pki_init(&silent.pki, &pki));
    silent.sink =
        launch(g_strdup_printf(DATA "tvlsink name=t mode=listener uri=moqt://127.0.0.1:%u/live "
                                    "tls-certificate=%s tls-key=%s",
                               port, silent.pki.server, silent.pki.server_key));
    GstElement *t = gst_bin_get_by_name(GST_BIN(silent.sink), "t");
    g_signal_connect(t, "caller-removed", G_CALLBACK(on_viewer_removed), NULL);
    gst_object_unref(t);
    gst_element_set_state(silent.sink, GST_STATE_PLAYING);
    silent.loop = ev_loop_new(EVFLAG_AUTO);
    const struct tvl_tls_config tls = { .alpn = alpn, .ca_file = silent.pki.ca };
    assert_int_equal(0, tvl_tls_new(&silent.tls, &tls, why, sizeof why));
    struct tvl_ev_config cfg = { .loop = silent.loop, .on_event = on_silent_event };
    tvl_config_init(&cfg.tvl);
    cfg.tvl.tls = silent.tls;
    assert_int_equal(0, tvl_ev_new(&silent.driver, &cfg, why, sizeof why));
    gchar *server = g_strdup_printf("127.0.0.1:%u", port);
    assert_int_equal(
        0, tvl_ev_connect(silent.driver, server, "127.0.0.1", &path, &conn, why, sizeof why));
    g_free(server);
    ev_run(silent.loop, 0);
    tvl_ev_kick(silent.driver);
    expect_message(silent.sink, "tvl-caller-added", "address", "127.0.0.1:");
    silent.since = g_get_monotonic_time();
}

static void it_is_noticed(void **state)
{
    (void)state;
    expect_message(silent.sink, "tvl-caller-removed", "address", "127.0.0.1:");
    const gint64 after = silent.noticed - silent.since;
    assert_true(after < 20 * G_TIME_SPAN_SECOND); /* and not the 30 s of the transport's default */
    close_pipeline(silent.sink);
    tvl_ev_free(silent.driver);
    tvl_tls_free(silent.tls);
    ev_loop_destroy(silent.loop);
    test_pki_fini(&silent.pki);
}

/* ---- tests ---- */

static void what_a_listener_needs_is_said(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    struct test_pki pki;
    (void)state;
    GstElement *p = launch(g_strdup("tvlsrc mode=listener uri=moqt://127.0.0.1:4/live"));
    assert_int_equal(GST_STATE_CHANGE_FAILURE, gst_element_set_state(p, GST_STATE_PAUSED));
    expect_error(p, "tls-certificate");
    close_pipeline(p);
    const int taken = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(0, bind(taken, (struct sockaddr *)&at, sizeof at));
    assert_int_equal(0, getsockname(taken, (struct sockaddr *)&at, &len));
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    p = launch(g_strdup_printf(
        "tvlsrc mode=listener uri=moqt://127.0.0.1:%u/live tls-certificate=%s tls-key=%s",
        ntohs(at.sin_port), pki.server, pki.server_key));
    gst_element_set_state(p, GST_STATE_PLAYING);
    expect_error(p, "in use");
    close_pipeline(p);
    close(taken);
    p = launch(g_strdup_printf("tvlsrc mode=listener uri=moqt://127.0.0.1:%u/live reconnect=0.2 "
                               "tls-certificate=%s tls-key=%s",
                               ntohs(at.sin_port), pki.server, pki.server_key));
    gst_element_set_state(p, GST_STATE_PLAYING);
    expect_error(p, "no publisher has called 127.0.0.1");
    close_pipeline(p);
    test_pki_fini(&pki);
}

/* Each layer of a publisher's `stats`: what was sent, and came in time. */
static void layers_are_counted(GstElement *from)
{
    static const char *const names[] = { "s0t0", "s0t1", "s1t0", "s1t1" };
    GstElement *t = gst_bin_get_by_name(GST_BIN(from), "t");
    GstStructure *stats;
    g_object_get(t, "stats", &stats, NULL);
    const GValue *layers = gst_structure_get_value(stats, "layers");
    assert_int_equal(4, gst_value_array_get_size(layers));
    for (guint i = 0; i < 4; i++) {
        const GstStructure *l = gst_value_get_structure(gst_value_array_get_value(layers, i));
        guint64 sent, in_time, expired;
        assert_string_equal(names[i], gst_structure_get_string(l, "name"));
        assert_string_equal("svc_0", gst_structure_get_string(l, "pad"));
        assert_true(gst_structure_get_uint64(l, "objects-sent", &sent));
        assert_true(gst_structure_get_uint64(l, "objects-in-time", &in_time));
        assert_true(gst_structure_get_uint64(l, "objects-expired", &expired));
        assert_true(in_time > 0 && in_time + expired <= sent);
    }
    gst_structure_free(stats);
    gst_object_unref(t);
}

/* Pictures come, a key picture when it is asked for, and the publisher's end is the listener's. */
static void a_publisher_calls(void **state)
{
    struct stage s;
    (void)state;
    open_stage(&s, "");
    GstElement *from = publisher(&s, VIDEO, "live", "");
    expect_message(s.to, "tvl-caller-added", "address", "127.0.0.1:");
    expect_message(s.to, "tvl-path-up", "path", "127.0.0.1:");
    wait_for(&s.buffers, 40);
    const gint keys = g_atomic_int_get(&s.keys);
    assert_true(keys >= 1);
    gst_element_send_event(
        s.to, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
    wait_for(&s.keys, keys + 1);
    layers_are_counted(from);
    gst_element_send_event(from, gst_event_new_eos());
    GstBus *bus = gst_element_get_bus(s.to);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    assert_non_null(m);
    assert_string_equal("eos", GST_MESSAGE_TYPE_NAME(m));
    gst_message_unref(m);
    gst_object_unref(bus);
    close_pipeline(from);
    close_stage(&s);
}

static guint64 sent_by(GstElement *from)
{
    GstElement *t = gst_bin_get_by_name(GST_BIN(from), "t");
    GstStructure *stats;
    guint64 n = 0;
    g_object_get(t, "stats", &stats, NULL);
    const GValue *layers = gst_structure_get_value(stats, "layers");
    for (guint i = 0; layers && i < gst_value_array_get_size(layers); i++) {
        guint64 sent;
        gst_structure_get_uint64(gst_value_get_structure(gst_value_array_get_value(layers, i)),
                                 "objects-sent", &sent);
        n += sent;
    }
    gst_structure_free(stats);
    gst_object_unref(t);
    return n;
}

/* A broadcast's last pictures wait for their time when it ends: they are shown. */
static void nothing_is_lost_at_the_end(void **state)
{
    const gint64 until = g_get_monotonic_time() + (gint64)(PATIENCE / GST_USECOND);
    struct stage s;
    (void)state;
    open_stage(&s, "keep-listening=true");
    GstElement *from = publisher(&s, VIDEO, "live", "");
    wait_for(&s.buffers, 20);
    gst_element_send_event(from, gst_event_new_eos());
    expect_message(s.to, "tvl-caller-removed", "reason", "the broadcast has ended");
    while ((guint64)g_atomic_int_get(&s.buffers) != sent_by(from) && g_get_monotonic_time() < until)
        g_usleep(10000);
    assert_int_equal(sent_by(from), g_atomic_int_get(&s.buffers));
    close_pipeline(from);
    close_stage(&s);
}

/* Both ends say why; whoever is right is served afterwards. */
static void who_is_not_wanted_is_told(void **state)
{
    static const struct {
        const char *ns, *more, *why;
    } rows[] = {
        { "live", "", "token is needed" },
        { "live", "auth-token=a.b.d", "token is needed" },
        { "lively", "auth-token=a.b.c", "only \"live\" is wanted here, not \"lively\"" },
    };
    struct stage s;
    (void)state;
    open_stage(&s, "auth-token=a.b.c");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstElement *from = publisher(&s, DATA, rows[i].ns, rows[i].more);
        expect_error(from, rows[i].why);
        expect_message(s.to, "tvl-caller-rejected", "reason", rows[i].why);
        close_pipeline(from);
    }
    assert_int_equal(0, g_atomic_int_get(&s.buffers));
    GstElement *from = publisher(&s, DATA, "live", "auth-token=a.b.c");
    wait_for(&s.buffers, 10);
    close_pipeline(from);
    close_stage(&s);
}

/* Who has a certificate of ours is served, who has none is not; that is for TLS to say. */
static void certificates_are_asked_for(void **state)
{
    struct stage s;
    (void)state;
    open_stage(&s, "");
    gst_element_set_state(s.to, GST_STATE_READY);
    GstElement *src = gst_bin_get_by_name(GST_BIN(s.to), "s");
    g_object_set(src, "tls-ca", s.pki.ca, NULL);
    gst_object_unref(src);
    gst_element_set_state(s.to, GST_STATE_PLAYING);
    GstElement *from = publisher(&s, DATA, "live", "");
    expect_error(from, "certificate");
    close_pipeline(from);
    gchar *own = g_strdup_printf("tls-certificate=%s tls-key=%s", s.pki.client, s.pki.client_key);
    from = publisher(&s, DATA, "live", own);
    wait_for(&s.buffers, 10);
    close_pipeline(from);
    close_stage(&s);
    g_free(own);
}

/* The first is not disturbed; when it has gone, the next is welcome, and what it brings does not
 * join on. */
static void one_after_another(void **state)
{
    struct stage s;
    (void)state;
    open_stage(&s, "keep-listening=true");
    GstElement *first = publisher(&s, DATA, "live", "");
    wait_for(&s.buffers, 10);
    GstElement *second = publisher(&s, DATA, "live", "");
    expect_error(second, "another publisher is there");
    close_pipeline(second);
    const gint before = g_atomic_int_get(&s.buffers);
    wait_for(&s.buffers, before + 10);
    assert_int_equal(1, g_atomic_int_get(&s.disconts));
    expect_message(s.to, "tvl-caller-rejected", "reason", "another publisher");
    gst_element_send_event(first, gst_event_new_eos()); /* which is not the listener's */
    expect_message(s.to, "tvl-caller-removed", "reason", "the broadcast has ended");
    GstElement *third = publisher(&s, DATA, "live", "");
    expect_message(s.to, "tvl-caller-added", "address", "127.0.0.1:");
    wait_for(&s.disconts, 2);
    const gint then = g_atomic_int_get(&s.buffers);
    wait_for(&s.buffers, then + 10);
    close_pipeline(third);
    close_pipeline(first); /* it did not call again: it had nothing more */
    close_stage(&s);
}

static int set_up(void **state)
{
    (void)state;
    gst_init(NULL, NULL);
    GST_ELEMENT_REGISTER(svcav1enc, NULL);
    GST_ELEMENT_REGISTER(tvlsink, NULL);
    GST_ELEMENT_REGISTER(tvlsrc, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_falls_silent),
        cmocka_unit_test(what_a_listener_needs_is_said),
        cmocka_unit_test(a_publisher_calls),
        cmocka_unit_test(nothing_is_lost_at_the_end),
        cmocka_unit_test(who_is_not_wanted_is_told),
        cmocka_unit_test(certificates_are_asked_for),
        cmocka_unit_test(one_after_another),
        cmocka_unit_test(it_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
