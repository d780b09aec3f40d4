/* test_network.c - tvlsrc and tvlsink: properties, addresses, states without a server, and each
 * other through real sockets. */
#include "elements.h"
#include "ports.h"
#include "layer_caps.h"
#include "../shares.h"
#include "test_pki.h"

#include <gst/check/gstharness.h>
#include <gst/gst.h>
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

#define CLOSED "moqt://127.0.0.1:1/live" /* nobody listens on port 1 */
#define PATIENCE (20 * GST_SECOND)
#define SOON (G_TIME_SPAN_SECOND) /* a state change that waits for no server */

static const char *const names[] = { "tvlsrc", "tvlsink" };

static GstElement *make(const char *name)
{
    GstElement *e = gst_element_factory_make(name, NULL);
    assert_non_null(e);
    return gst_object_ref_sink(e);
}

/* The text of the first error on the element's bus within `patience`; "": none. */
static gchar *error_of(GstElement *e, GstClockTime patience)
{
    GstBus *bus = gst_element_get_bus(e);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, patience, GST_MESSAGE_ERROR);
    GError *why = NULL;
    gchar *text = g_strdup("");
    gst_object_unref(bus);
    if (!m)
        return text;
    gst_message_parse_error(m, &why, NULL);
    g_free(text);
    text = g_strdup(why->message);
    g_error_free(why);
    gst_message_unref(m);
    return text;
}

/* ---- properties and addresses ---- */

static void properties_come_back(void **state)
{
    static const char *const texts[] = {
        "uri",        "paths",  "scheduler",       "congestion-control",
        "auth-token", "tls-ca", "tls-certificate", "tls-key",
        "qlog-dir"
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElement *e = make(names[i]);
        gdouble reconnect;
        guint latency;
        for (gsize k = 0; k < G_N_ELEMENTS(texts); k++) {
            gchar *back;
            g_object_set(e, texts[k], texts[k], NULL);
            g_object_get(e, texts[k], &back, NULL);
            assert_string_equal(texts[k], back);
            g_free(back);
        }
        g_object_set(e, "reconnect", 2.5, "latency", 123u, NULL);
        g_object_get(e, "reconnect", &reconnect, "latency", &latency, NULL);
        assert_true(reconnect == 2.5);
        assert_int_equal(123, latency);
        gst_object_unref(e);
    }
}

static void addresses_are_checked(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElement *e = make(names[i]);
        GError *why = NULL;
        assert_true(gst_uri_handler_set_uri(GST_URI_HANDLER(e), "moqt://host:99/a/b", &why));
        gchar *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(e));
        assert_string_equal("moqt://host:99/a/b", uri);
        g_free(uri);
        assert_false(gst_uri_handler_set_uri(GST_URI_HANDLER(e), "moqt://host", &why));
        assert_true(g_error_matches(why, GST_URI_ERROR, GST_URI_ERROR_BAD_URI));
        g_clear_error(&why);
        uri = gst_uri_handler_get_uri(GST_URI_HANDLER(e));
        assert_string_equal("moqt://host:99/a/b", uri); /* as it was */
        g_free(uri);
        gst_object_unref(e);
    }
    GstElement *e = gst_element_make_from_uri(GST_URI_SRC, "moqt://host/live", NULL, NULL);
    assert_non_null(e);
    assert_string_equal("tvlsrc", GST_OBJECT_NAME(gst_element_get_factory(e)));
    gst_object_unref(gst_object_ref_sink(e));
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *element, *property, *value, *said;
    } rows[] = {
        { "tvlsrc", "uri", NULL, "no uri" },
        { "tvlsrc", "uri", "moqt://", "host" },
        { "tvlsrc", "paths", "to=nowhere", "path" },
        { "tvlsrc", "layers", "all", "L2T2" },
        { "tvlsrc", "tls-key", "k.pem", "go together" },
        { "tvlsrc", "mode", "listener", "needs tls-certificate" },
        { "tvlsink", "mode", "listener", "needs tls-certificate" },
        { "tvlsrc", "congestion-control", "fast", "is none of cubic" },
        { "tvlsink", "scheduler", "fast", "is none of" },
        { "tvlsink", "uri", "http://host/live", "moqt://" },
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstElement *pipeline = gst_pipeline_new(NULL), *e = make(rows[i].element);
        g_object_set(e, "uri", CLOSED, NULL);
        if (rows[i].value)
            gst_util_set_object_arg(G_OBJECT(e), rows[i].property, rows[i].value);
        else
            g_object_set(e, rows[i].property, NULL, NULL);
        gst_bin_add(GST_BIN(pipeline), e);
        assert_int_equal(GST_STATE_CHANGE_FAILURE,
                         gst_element_set_state(pipeline, GST_STATE_PAUSED));
        gchar *said = error_of(pipeline, 0);
        if (!strstr(said, rows[i].said))
            fail_msg("%s=%s: \"%s\"", rows[i].property, rows[i].value, said);
        g_free(said);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(e);
        gst_object_unref(pipeline);
    }
}

/* ---- nobody there ---- */

static void no_state_change_waits_for_a_server(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElement *pipeline = gst_pipeline_new(NULL), *e = make(names[i]);
        g_object_set(e, "uri", i ? CLOSED : "moqt://no-such-host.invalid/live", NULL);
        gst_bin_add(GST_BIN(pipeline), e);
        for (int round = 0; round < 3; round++) {
            gint64 began = g_get_monotonic_time();
            assert_int_not_equal(GST_STATE_CHANGE_FAILURE,
                                 gst_element_set_state(pipeline, GST_STATE_PLAYING));
            assert_true(g_get_monotonic_time() - began < SOON);
            began = g_get_monotonic_time();
            gst_element_set_state(pipeline, GST_STATE_NULL);
            assert_true(g_get_monotonic_time() - began < SOON);
        }
        gchar *said = error_of(pipeline, 0);
        assert_string_equal("", said);
        g_free(said);
        gst_object_unref(e);
        gst_object_unref(pipeline);
    }
}

static void who_gives_up_says_so(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElement *pipeline = gst_pipeline_new(NULL), *e = make(names[i]);
        g_object_set(e, "uri", CLOSED, "reconnect", 0.4, "paths", "127.0.0.1", NULL);
        gst_bin_add(GST_BIN(pipeline), e);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        gchar *said = error_of(pipeline, PATIENCE);
        if (!strstr(said, "127.0.0.1"))
            fail_msg("%s: \"%s\"", names[i], said);
        g_free(said);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(e);
        gst_object_unref(pipeline);
    }
}

/* Ten times what the queue holds, and no server that takes it. */
static void a_sink_without_a_server_takes_all(void **state)
{
    GstElement *e = make("tvlsink");
    (void)state;
    g_object_set(e, "uri", CLOSED, "sync", FALSE, "async", FALSE, "paths", "127.0.0.1", NULL);
    GstHarness *h = gst_harness_new_with_element(e, "data_0", NULL);
    gst_harness_set_src_caps_str(h, "application/x-test");
    const gint64 began = g_get_monotonic_time();
    for (guint n = 0; n < 80; n++) {
        GstBuffer *b = gst_buffer_new_allocate(NULL, 1 << 20, NULL);
        GST_BUFFER_PTS(b) = n * 10 * GST_MSECOND;
        assert_int_equal(GST_FLOW_OK, gst_harness_push(h, b));
    }
    assert_true(g_get_monotonic_time() - began < 10 * SOON);
    assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    gst_harness_teardown(h);
    gst_object_unref(e);
}

/* What is told of a pipeline that is started, of its own bus: the first error or warning. */
struct trouble {
    const char *pipeline, *said;
    gboolean error;
};

static void await_trouble(GstElement *p, const struct trouble *row)
{
    GstBus *bus = gst_element_get_bus(p);
    GstMessage *m =
        gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
    GError *why = NULL;
    if (!m)
        fail_msg("%s: nothing is said", row->pipeline);
    if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR)
        gst_message_parse_error(m, &why, NULL);
    else
        gst_message_parse_warning(m, &why, NULL);
    if (!strstr(why->message, row->said))
        fail_msg("%s: \"%s\"", row->pipeline, why->message);
    assert_int_equal(row->error, GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR);
    g_error_free(why);
    gst_message_unref(m);
    gst_object_unref(bus);
}

#define RAW "videotestsrc is-live=true ! video/x-raw,width=64,height=64 ! "
#define LAYERS RAW "svcav1enc speed=10 layers=L1T1 threads=1 ! "

/* Puts `by` in the place of `word`; frees `line`. */
static gchar *replaced(gchar *line, const gchar *word, const gchar *by)
{
    GString *s = g_string_new(line);
    g_string_replace(s, word, by, 0);
    g_free(line);
    return g_string_free(s, FALSE);
}

static GstElement *start_line(const char *pipeline, const struct test_pki *pki, guint taken)
{
    GError *why = NULL;
    gchar *port = g_strdup_printf("127.0.0.1:%u", taken);
    gchar *line = replaced(g_strdup(pipeline), "TAKEN", port);
    g_free(port);
    port = g_strdup_printf("127.0.0.1:%u", free_udp_port());
    line = replaced(replaced(replaced(line, "FREE", port), "CERT", pki->server), "KEY",
                    pki->server_key);
    g_free(port);
    GstElement *p = gst_parse_launch(line, &why);
    if (why)
        fail_msg("%s: %s", line, why->message);
    g_free(line);
    gst_element_set_state(p, GST_STATE_PLAYING);
    return p;
}

/* A UDP socket at a port of 127.0.0.1. */
static int bound(guint *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&at, len));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&at, &len));
    *port = ntohs(at.sin_port);
    return fd;
}

/* All at once, as some of it is said after a while only. */
static void mistakes_are_told_on_the_bus(void **state)
{
    static const struct trouble rows[] = {
        { LAYERS "tvlsink paths=no-such-if uri=" CLOSED, "no network interface called", TRUE },
        { "tvlsrc paths=no-such-if uri=" CLOSED " ! fakesink", "no network interface called",
          TRUE },
        { LAYERS "tvlsink mode=listener uri=moqt://TAKEN/live tls-certificate=CERT tls-key=KEY",
          "another program listens there", TRUE },
        { LAYERS "tvlsink paths=127.0.0.1 auth-token=/nowhere/token.jwt uri=" CLOSED,
          "No such file", TRUE },
        { "tvlsrc paths=127.0.0.1 uri=" CLOSED " ! fakesink", "it is tried again", FALSE },
        { LAYERS "tvlsink paths=127.0.0.1 uri=" CLOSED, "it is tried again", FALSE },
        { RAW "tvlsink paths=127.0.0.1 uri=" CLOSED, "svcav1enc makes", FALSE },
        { LAYERS "t.svc_0 appsrc ! audio/x-opus ! t.audio_0 tvlsink name=t mode=listener "
                 "uri=moqt://FREE/live tls-certificate=CERT tls-key=KEY",
          "nothing comes into audio_0", FALSE },
    };
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    GstElement *p[G_N_ELEMENTS(rows)];
    guint port;
    (void)state;
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    const int taken = bound(&port);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        p[i] = start_line(rows[i].pipeline, &pki, port);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        await_trouble(p[i], &rows[i]);
        gst_element_set_state(p[i], GST_STATE_NULL);
        gst_object_unref(p[i]);
    }
    close(taken);
    test_pki_fini(&pki);
}

/* ---- each other ---- */

struct count {
    gint pictures, keys;
};

static void on_handoff(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer data)
{
    (void)sink;
    (void)b;
    (void)pad;
    g_atomic_int_inc((gint *)data);
}

static GstPadProbeReturn on_unit(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    (void)pad;
    if (!GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_DELTA_UNIT))
        g_atomic_int_inc((gint *)data);
    return GST_PAD_PROBE_OK;
}

static GstElement *receiver(const struct test_pki *pki, guint port, struct count *count)
{
    GError *why = NULL;
    gchar *line = g_strdup_printf(
        "tvlsrc name=s uri=moqt://127.0.0.1:%u/live paths=127.0.0.1 tls-ca=%s latency=300 "
        "s. ! video/x-svc ! svcav1dec name=d ! fakesink name=v sync=true signal-handoffs=true",
        port, pki->ca);
    GstElement *p = gst_parse_launch(line, &why);
    assert_null(why);
    GstElement *v = gst_bin_get_by_name(GST_BIN(p), "v");
    g_signal_connect(v, "handoff", G_CALLBACK(on_handoff), &count->pictures);
    gst_object_unref(v);
    GstElement *d = gst_bin_get_by_name(GST_BIN(p), "d");
    GstPad *pad = gst_element_get_static_pad(d, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_unit, &count->keys, NULL);
    gst_object_unref(pad);
    gst_object_unref(d);
    g_free(line);
    return p;
}

static GstElement *sender(const struct test_pki *pki, guint port)
{
    GError *why = NULL;
    gchar *line = g_strdup_printf(
        "videotestsrc is-live=true ! video/x-raw,width=128,height=64,framerate=30/1 ! "
        "svcav1enc name=e speed=10 pace=never layers=L2T2 threads=1 keyframe-max-dist=0 ! tvlsink "
        "name=t "
        "mode=listener latency=300 "
        "uri=moqt://127.0.0.1:%u/live tls-certificate=%s tls-key=%s",
        port, pki->server, pki->server_key);
    GstElement *p = gst_parse_launch(line, &why);
    assert_null(why);
    g_free(line);
    return p;
}

static gboolean wait_for(const gint *value, gint least)
{
    const gint64 until = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    while (g_atomic_int_get(value) < least && g_get_monotonic_time() < until)
        g_usleep(10000);
    return g_atomic_int_get(value) >= least;
}

/* Bits/s of all layers, as the decoder's caps have it. */
static guint rate_at(GstElement *pipeline)
{
    GstElement *d = gst_bin_get_by_name(GST_BIN(pipeline), "d");
    GstPad *pad = gst_element_get_static_pad(d, "sink");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    struct svc_stream_info info;
    guint sum = 0;
    assert_true(tvl_layer_caps_parse(caps, &info));
    for (gsize i = 0; i < info.n_layers; i++)
        sum += info.layers[i].bitrate_max_bps;
    gst_caps_unref(caps);
    gst_object_unref(pad);
    gst_object_unref(d);
    return sum;
}

/* Another bit rate of the encoder's is in the catalog, and so in the viewer's caps. */
static void other_rates_arrive(GstElement *from, GstElement *to, gint *pictures)
{
    const guint before = rate_at(to);
    GstElement *encoder = gst_bin_get_by_name(GST_BIN(from), "e");
    const gint64 until = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    g_object_set(encoder, "bitrate", 500u, NULL);
    gst_object_unref(encoder);
    while (rate_at(to) == before && g_get_monotonic_time() < until)
        g_usleep(10000);
    assert_in_range(rate_at(to), before / 4 - 10, before / 4 + 10); /* of 2000 */
    assert_true(wait_for(pictures, g_atomic_int_get(pictures) + 5));
}

/* The viewer is there first; pictures come, other rates are told, a key picture when it is asked
 * for, and the sender's EOS is the viewer's. */
static void sink_to_source(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    struct count count = { 0 };
    const guint port = free_udp_port();
    (void)state;
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    GstElement *from = sender(&pki, port), *to = receiver(&pki, port, &count);
    assert_int_equal(GST_STATE_CHANGE_NO_PREROLL, gst_element_set_state(to, GST_STATE_PAUSED));
    gst_element_set_state(to, GST_STATE_PLAYING); /* the server is away */
    gst_element_set_state(from, GST_STATE_PLAYING);
    assert_true(wait_for(&count.pictures, 30));
    other_rates_arrive(from, to, &count.pictures);
    const gint keys = g_atomic_int_get(&count.keys);
    assert_true(keys >= 1);
    gst_element_send_event(
        to, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
    assert_true(wait_for(&count.keys, keys + 1)); /* through both, from the encoder */
    gst_element_send_event(from, gst_event_new_eos());
    GstBus *bus = gst_element_get_bus(to);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    assert_non_null(m);
    assert_string_equal("eos", GST_MESSAGE_TYPE_NAME(m));
    gst_message_unref(m);
    gst_object_unref(bus);
    gst_element_set_state(to, GST_STATE_NULL);
    gst_element_set_state(from, GST_STATE_NULL);
    gst_object_unref(to);
    gst_object_unref(from);
    test_pki_fini(&pki);
}

/* Takes units and asks for nothing. */
static GstElement *taker(const struct test_pki *pki, guint port, gint *keys)
{
    GError *why = NULL;
    gchar *line = g_strdup_printf("tvlsrc uri=moqt://127.0.0.1:%u/live paths=127.0.0.1 tls-ca=%s "
                                  "latency=200 ! video/x-svc ! fakesink name=v sync=false",
                                  port, pki->ca);
    GstElement *p = gst_parse_launch(line, &why);
    assert_null(why);
    GstElement *v = gst_bin_get_by_name(GST_BIN(p), "v");
    GstPad *pad = gst_element_get_static_pad(v, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_unit, keys, NULL);
    gst_object_unref(pad);
    gst_object_unref(v);
    g_free(line);
    gst_element_set_state(p, GST_STATE_PLAYING);
    return p;
}

/* The encoder makes key pictures when asked only; the second viewer comes within the time in which
 * tvlsink asks for no other. */
static void each_viewer_gets_a_key_picture(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    gint first = 0, second = 0;
    const guint port = free_udp_port();
    (void)state;
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    GstElement *from = sender(&pki, port);
    gst_element_set_state(from, GST_STATE_PLAYING);
    GstElement *one = taker(&pki, port, &first);
    assert_true(wait_for(&first, 1));
    GstElement *two = taker(&pki, port, &second);
    assert_true(wait_for(&second, 1));
    gst_element_set_state(two, GST_STATE_NULL);
    gst_element_set_state(one, GST_STATE_NULL);
    gst_element_set_state(from, GST_STATE_NULL);
    gst_object_unref(two);
    gst_object_unref(one);
    gst_object_unref(from);
    test_pki_fini(&pki);
}

struct bytes {
    const gchar *pad, *type;
    GMutex lock;
    GString *all;
    gint n;
    guint32 segment; /* numbers of these events */
    gint eos;
};

static void on_bytes(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer data)
{
    struct bytes *bytes = data;
    GstMapInfo map;
    (void)sink;
    (void)pad;
    assert_true(gst_buffer_map(b, &map, GST_MAP_READ));
    g_mutex_lock(&bytes->lock);
    g_string_append_len(bytes->all, (const gchar *)map.data, (gssize)map.size);
    g_mutex_unlock(&bytes->lock);
    gst_buffer_unmap(b, &map);
    g_atomic_int_inc(&bytes->n);
}

static GstPadProbeReturn on_number(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    struct bytes *bytes = data;
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    (void)pad;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
        bytes->segment = gst_event_get_seqnum(event);
    else if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
        g_atomic_int_set(&bytes->eos, (gint)gst_event_get_seqnum(event));
    return GST_PAD_PROBE_OK;
}

/* What the pad is for is on it; who looks on from now on sees the segment, too. */
static void on_any_pad(GstElement *src, GstPad *pad, gpointer data)
{
    GstElement *pipeline = GST_ELEMENT(gst_element_get_parent(src));
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    struct bytes *bytes = data;
    g_object_set(sink, "signal-handoffs", TRUE, "sync", FALSE, NULL);
    if (strcmp(GST_PAD_NAME(pad), bytes->pad) == 0) {
        GstCaps *caps = gst_pad_get_current_caps(pad);
        const GstStructure *s = gst_caps_get_structure(caps, 0);
        gint rate = 48000; /* Opus' own, whatever it was made of */
        assert_string_equal(bytes->type, gst_structure_get_name(s));
        gst_structure_get_int(s, "rate", &rate);
        assert_int_equal(48000, rate);
        gst_caps_unref(caps);
        g_signal_connect(sink, "handoff", G_CALLBACK(on_bytes), data);
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_number, data, NULL);
        assert_null(gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0));
    }
    gst_bin_add(GST_BIN(pipeline), sink);
    gst_element_sync_state_with_parent(sink);
    GstPad *peer = gst_element_get_static_pad(sink, "sink");
    assert_int_equal(GST_PAD_LINK_OK, gst_pad_link(pad, peer));
    gst_object_unref(peer);
    gst_object_unref(pipeline);
}

static void alone(const gchar *pad, const gchar *type, const gchar *caps)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    struct bytes bytes = { .pad = pad, .type = type, .all = g_string_new(NULL) };
    const guint port = free_udp_port();
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    gchar *uri = g_strdup_printf("moqt://127.0.0.1:%u/live", port);
    GstElement *to = gst_pipeline_new(NULL), *src = gst_element_factory_make("tvlsrc", NULL);
    g_object_set(src, "uri", uri, "paths", "127.0.0.1", "tls-ca", pki.ca, "latency", 300u, NULL);
    g_signal_connect(src, "pad-added", G_CALLBACK(on_any_pad), &bytes);
    gst_bin_add(GST_BIN(to), src);
    GstElement *sink = make("tvlsink");
    gst_util_set_object_arg(G_OBJECT(sink), "mode", "listener");
    g_object_set(sink, "uri", uri, "sync", FALSE, "async", FALSE, "tls-certificate", pki.server,
                 "tls-key", pki.server_key, NULL);
    GstHarness *h = gst_harness_new_with_element(sink, pad, NULL);
    gst_harness_set_src_caps_str(h, caps);
    gst_element_set_state(to, GST_STATE_PLAYING);
    for (guint n = 0; g_atomic_int_get(&bytes.n) < 20 && n < 1000; n++) {
        GstBuffer *b = gst_buffer_new_allocate(NULL, 1, NULL);
        gst_buffer_memset(b, 0, (guint8)('a' + n % 26), 1);
        GST_BUFFER_PTS(b) = n * 20 * GST_MSECOND;
        assert_int_equal(GST_FLOW_OK, gst_harness_push(h, b));
        g_usleep(20000);
    }
    assert_true(g_atomic_int_get(&bytes.n) >= 20);
    assert_true(gst_element_send_event(to, gst_event_new_eos()));
    assert_true(wait_for(&bytes.eos, 1));
    assert_int_equal((gint)bytes.segment, bytes.eos);
    gst_element_set_state(to, GST_STATE_NULL);
    for (gsize i = 1; i < bytes.all->len; i++)
        assert_int_equal((bytes.all->str[i - 1] - 'a' + 1) % 26, bytes.all->str[i] - 'a');
    gst_harness_teardown(h);
    gst_object_unref(sink);
    gst_object_unref(to);
    g_free(uri);
    g_string_free(bytes.all, TRUE);
    test_pki_fini(&pki);
}

/* A broadcast without any video: what is in it arrives in order, unchanged. */
static void data_alone_arrives(void **state)
{
    (void)state;
    alone("data_0", "text/x-raw", "text/x-raw, format=utf8");
}

static void sound_alone_arrives(void **state)
{
    (void)state;
    alone("audio_0", "audio/x-opus",
          "audio/x-opus, channel-mapping-family=0, channels=2, rate=8000");
}

struct pads {
    gint added, removed, ends;
};

static GstPadProbeReturn on_pad_event(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    struct pads *pads = data;
    (void)pad;
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
        g_atomic_int_inc(&pads->ends);
    return GST_PAD_PROBE_OK;
}

static void on_pad_added(GstElement *src, GstPad *pad, gpointer data)
{
    struct pads *pads = data;
    (void)src;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_pad_event, pads, NULL);
    g_atomic_int_inc(&pads->added);
}

static void on_pad_removed(GstElement *src, GstPad *pad, gpointer data)
{
    struct pads *pads = data;
    (void)src;
    (void)pad;
    g_atomic_int_inc(&pads->removed);
}

/* The streams of the last collection that was posted by now. */
static guint streams_of(GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *m;
    guint n = 0;
    while ((m = gst_bus_pop_filtered(bus, GST_MESSAGE_STREAM_COLLECTION))) {
        GstStreamCollection *all;
        gst_message_parse_stream_collection(m, &all);
        n = gst_stream_collection_get_size(all);
        gst_object_unref(all);
        gst_message_unref(m);
    }
    gst_object_unref(bus);
    return n;
}

/* A pad that comes late to tvlsink is one that comes late from tvlsrc; one that is released ends
 * there and goes, and the first is as it was. */
static void later_catalogs_are_followed(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    struct pads pads = { 0 };
    const guint port = free_udp_port();
    (void)state;
    assert_int_equal(0, test_pki_init(&pki, &cfg));
    gchar *uri = g_strdup_printf("moqt://127.0.0.1:%u/live", port);
    GstElement *to = gst_pipeline_new(NULL), *src = gst_element_factory_make("tvlsrc", NULL);
    g_object_set(src, "uri", uri, "paths", "127.0.0.1", "tls-ca", pki.ca, NULL);
    g_signal_connect(src, "pad-added", G_CALLBACK(on_pad_added), &pads);
    g_signal_connect(src, "pad-removed", G_CALLBACK(on_pad_removed), &pads);
    gst_bin_add(GST_BIN(to), src);
    GstElement *sink = make("tvlsink");
    gst_util_set_object_arg(G_OBJECT(sink), "mode", "listener");
    g_object_set(sink, "uri", uri, "sync", FALSE, "async", FALSE, "tls-certificate", pki.server,
                 "tls-key", pki.server_key, NULL);
    GstHarness *one = gst_harness_new_with_element(sink, "data_0", NULL);
    gst_harness_set_src_caps_str(one, "application/x-one");
    gst_element_set_state(to, GST_STATE_PLAYING);
    assert_true(wait_for(&pads.added, 1));
    assert_int_equal(1, streams_of(to));
    GstHarness *two = gst_harness_new_with_element(sink, "data_1", NULL);
    gst_harness_set_src_caps_str(two, "application/x-two");
    assert_true(wait_for(&pads.added, 2));
    assert_int_equal(2, streams_of(to));
    assert_int_equal(0, g_atomic_int_get(&pads.removed));
    gst_harness_teardown(two); /* releases its pad */
    assert_true(wait_for(&pads.removed, 1));
    assert_int_equal(1, g_atomic_int_get(&pads.ends));
    assert_int_equal(1, streams_of(to));
    GstPad *left = gst_element_get_static_pad(src, "data_0");
    assert_non_null(left);
    gst_object_unref(left);
    gst_element_set_state(to, GST_STATE_NULL);
    gst_harness_teardown(one);
    gst_object_unref(sink);
    gst_object_unref(to);
    g_free(uri);
    test_pki_fini(&pki);
}

static int set_up(void **state)
{
    (void)state;
    gst_init(NULL, NULL);
    GST_ELEMENT_REGISTER(svcav1enc, NULL);
    GST_ELEMENT_REGISTER(svcav1dec, NULL);
    GST_ELEMENT_REGISTER(tvlsink, NULL);
    GST_ELEMENT_REGISTER(tvlsrc, NULL);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_come_back),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(no_state_change_waits_for_a_server),
        cmocka_unit_test(who_gives_up_says_so),
        cmocka_unit_test(mistakes_are_told_on_the_bus),
        cmocka_unit_test(a_sink_without_a_server_takes_all),
        cmocka_unit_test(sink_to_source),
        cmocka_unit_test(each_viewer_gets_a_key_picture),
        cmocka_unit_test(data_alone_arrives),
        cmocka_unit_test(sound_alone_arrives),
        cmocka_unit_test(later_catalogs_are_followed),
    };
    struct shares s;
    shares_begin(&s, tests, G_N_ELEMENTS(tests));
    return shares_end(&s, cmocka_run_group_tests(tests, set_up, NULL));
}
