/*
 * test_several.c - a broadcast of several videos, sounds and opaque tracks from tvlsink to tvlsrc
 * through real sockets: pads, caps and tags of each, one clock for all, the choice of streams.
 */
#include "elements.h"
#include "ports.h"
#include "layer_meta.h"
#include "test_pki.h"

#include <gst/gst.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_US (20 * G_TIME_SPAN_SECOND)
#define NOTE_CAPS "application/x-note, version=(int)3, title=(string)\"a; b\", rate=(fraction)30/1"
#define NOTES_LATE_MS 100 /* their times are so much before they are sent */

enum { SVC_0, SVC_1, AUDIO_0, AUDIO_1, DATA_0, PADS };
static const gchar *const names[PADS] = { "svc_0", "svc_1", "audio_0", "audio_1", "data_0" };

struct row { /* of one pad of the receiver */
    gint added, removed, ends, buffers;
    gint key_first;          /* the first buffer of the newest pad is a key unit */
    gint upper;              /* buffers in a row of the lowest spatial layer only */
    gint64 offset;           /* us: from the sender's running time to ours, of the last buffer */
    gboolean fresh, offsets; /* no buffer of the newest pad yet; `offset` counts */
};

static struct world {
    struct test_pki pki;
    GstElement *from, *to, *src;
    GMutex lock;
    GHashTable *sent[PADS]; /* hash of a buffer -> its running time, us; -1: of several */
    struct row row[PADS];
    const gchar *unlinked;
} w;

static int place_of(const gchar *name)
{
    for (int i = 0; i < PADS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    fail_msg("a pad called %s", name);
    return -1;
}

static guint hash_of(GstBuffer *b)
{
    GstMapInfo map;
    guint hash = 5381;
    assert_true(gst_buffer_map(b, &map, GST_MAP_READ));
    for (gsize i = 0; i < map.size; i++)
        hash = hash * 33 + map.data[i];
    gst_buffer_unmap(b, &map);
    return hash;
}

/* ---- the sender ---- */

static GstPadProbeReturn on_sent(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstBuffer *b = GST_PAD_PROBE_INFO_BUFFER(info);
    GHashTable *sent = data;
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment *segment;
    assert_non_null(event);
    gst_event_parse_segment(event, &segment);
    const guint64 at =
        gst_segment_to_running_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(b)) / GST_USECOND;
    gst_event_unref(event);
    const gpointer key = GUINT_TO_POINTER(hash_of(b));
    g_mutex_lock(&w.lock);
    g_hash_table_insert(sent, key,
                        GSIZE_TO_POINTER(g_hash_table_contains(sent, key) ? G_MAXSIZE : at));
    g_mutex_unlock(&w.lock);
    return GST_PAD_PROBE_OK;
}

static void begin_sender(guint port)
{
    GError *why = NULL;
    gchar *line = g_strdup_printf(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=128,height=64,framerate=30/1 ! "
        "svcav1enc speed=10 layers=L2T2 threads=1 keyframe-max-dist=0 ! t.svc_0 "
        "videotestsrc is-live=true pattern=snow ! video/x-raw,width=64,height=64,framerate=15/1 ! "
        "svcav1enc speed=10 layers=L2T1 threads=1 keyframe-max-dist=0 ! t.svc_1 "
        "audiotestsrc name=en is-live=true wave=white-noise ! opusenc bitrate=96000 ! t.audio_0 "
        "audiotestsrc name=de is-live=true wave=white-noise ! opusenc ! t.audio_1 "
        "appsrc name=d format=time is-live=true ! t.data_0 "
        "tvlsink name=t mode=listener sync=false latency=300 uri=moqt://127.0.0.1:%u/live "
        "tls-certificate=%s tls-key=%s",
        port, w.pki.server, w.pki.server_key);
    w.from = gst_parse_launch(line, &why);
    assert_null(why);
    g_free(line);
    GstElement *t = gst_bin_get_by_name(GST_BIN(w.from), "t");
    for (int i = 0; i < PADS; i++) {
        GstPad *pad = gst_element_get_static_pad(t, names[i]);
        w.sent[i] = g_hash_table_new(NULL, NULL);
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_sent, w.sent[i], NULL);
        gst_object_unref(pad);
    }
    gst_object_unref(t);
    GstElement *d = gst_bin_get_by_name(GST_BIN(w.from), "d");
    gst_util_set_object_arg(G_OBJECT(d), "caps", NOTE_CAPS);
    gst_object_unref(d);
    gst_element_set_state(w.from, GST_STATE_PLAYING);
    GstElement *de = gst_bin_get_by_name(GST_BIN(w.from), "de");
    assert_true(gst_element_send_event(
        de, gst_event_new_tag(gst_tag_list_new(GST_TAG_LANGUAGE_CODE, "de", GST_TAG_TITLE,
                                               "Kommentar für alle", NULL))));
    gst_object_unref(de);
}

static void send_note(guint n)
{
    GstElement *d = gst_bin_get_by_name(GST_BIN(w.from), "d");
    const GstClockTime now = gst_element_get_current_running_time(w.from);
    GstBuffer *b = gst_buffer_new_memdup(&n, sizeof n);
    GstFlowReturn flow;
    if (GST_CLOCK_TIME_IS_VALID(now) && now > NOTES_LATE_MS * GST_MSECOND) {
        GST_BUFFER_PTS(b) = now - NOTES_LATE_MS * GST_MSECOND;
        g_signal_emit_by_name(d, "push-buffer", b, &flow);
    }
    gst_buffer_unref(b);
    gst_object_unref(d);
}

/* ---- the receiver ---- */

static void on_received(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer data)
{
    const int i = GPOINTER_TO_INT(data);
    struct row *row = &w.row[i];
    gpointer at;
    (void)sink;
    (void)pad;
    g_mutex_lock(&w.lock);
    const TvlLayerMeta *m =
        (const TvlLayerMeta *)gst_buffer_get_meta(b, g_type_from_name("TvlLayerMetaAPI"));
    assert_true((m != NULL) == (i <= SVC_1));
    row->buffers++;
    row->upper = m && m->spatial == 0 ? row->upper + 1 : 0;
    if (row->fresh)
        row->key_first = !GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_DELTA_UNIT);
    row->fresh = FALSE;
    if (!g_hash_table_lookup_extended(w.sent[i], GUINT_TO_POINTER(hash_of(b)), NULL, &at))
        fail_msg("%s: a buffer that was not sent", names[i]);
    if (GPOINTER_TO_SIZE(at) != G_MAXSIZE) {
        row->offset = (gint64)(GST_BUFFER_PTS(b) / GST_USECOND) - (gint64)GPOINTER_TO_SIZE(at);
        row->offsets = TRUE;
    }
    g_mutex_unlock(&w.lock);
}

static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    (void)pad;
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
        g_atomic_int_inc(&((struct row *)data)->ends);
    return GST_PAD_PROBE_OK;
}

static void on_pad_added(GstElement *src, GstPad *pad, gpointer data)
{
    const int i = place_of(GST_PAD_NAME(pad));
    (void)src;
    (void)data;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, &w.row[i], NULL);
    w.row[i].fresh = TRUE;
    if (!w.unlinked || strcmp(names[i], w.unlinked) != 0) {
        GstElement *sink = gst_element_factory_make("fakesink", NULL);
        g_object_set(sink, "signal-handoffs", TRUE, "sync", FALSE, "async", FALSE, NULL);
        g_signal_connect(sink, "handoff", G_CALLBACK(on_received), GINT_TO_POINTER(i));
        gst_bin_add(GST_BIN(w.to), sink);
        gst_element_sync_state_with_parent(sink);
        GstPad *peer = gst_element_get_static_pad(sink, "sink");
        assert_int_equal(GST_PAD_LINK_OK, gst_pad_link(pad, peer));
        gst_object_unref(peer);
    }
    g_atomic_int_inc(&w.row[i].added);
}

static void on_pad_removed(GstElement *src, GstPad *pad, gpointer data)
{
    (void)src;
    (void)data;
    g_atomic_int_inc(&w.row[place_of(GST_PAD_NAME(pad))].removed);
}

static void begin_receiver(guint port)
{
    gchar *uri = g_strdup_printf("moqt://127.0.0.1:%u/live", port);
    w.to = gst_pipeline_new(NULL);
    w.src = gst_element_factory_make("tvlsrc", NULL);
    g_object_set(w.src, "uri", uri, "paths", "127.0.0.1", "tls-ca", w.pki.ca, "latency", 300u,
                 NULL);
    g_signal_connect(w.src, "pad-added", G_CALLBACK(on_pad_added), NULL);
    g_signal_connect(w.src, "pad-removed", G_CALLBACK(on_pad_removed), NULL);
    gst_bin_add(GST_BIN(w.to), w.src);
    g_free(uri);
    gst_element_set_state(w.to, GST_STATE_PLAYING);
}

/* Until `holds` says so; notes are sent meanwhile. */
static void wait_until(gboolean (*holds)(void), const char *what)
{
    static guint n;
    const gint64 until = g_get_monotonic_time() + PATIENCE_US;
    for (;;) {
        g_mutex_lock(&w.lock);
        const gboolean held = holds();
        g_mutex_unlock(&w.lock);
        if (held)
            return;
        if (g_get_monotonic_time() > until)
            fail_msg("not in time: %s", what);
        send_note(n++);
        g_usleep(20000);
    }
}

static gboolean all_flow(void)
{
    for (int i = 0; i < PADS; i++)
        if (i != AUDIO_0 && (w.row[i].buffers < 20 || !w.row[i].offsets))
            return FALSE;
    return g_atomic_int_get(&w.row[AUDIO_0].added) == 1;
}

static gboolean has_tags(const gchar *name, const gchar *lang, const gchar *label, guint bps)
{
    GstPad *pad = gst_element_get_static_pad(w.src, name);
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_TAG, 0);
    GstTagList *tags;
    const gchar *text;
    guint number;
    gst_object_unref(pad);
    if (!event)
        return FALSE;
    gst_event_parse_tag(event, &tags);
    const gboolean has =
        (!lang || (gst_tag_list_peek_string_index(tags, GST_TAG_LANGUAGE_CODE, 0, &text) &&
                   strcmp(text, lang) == 0)) &&
        (!label || (gst_tag_list_peek_string_index(tags, GST_TAG_TITLE, 0, &text) &&
                    strcmp(text, label) == 0)) &&
        gst_tag_list_get_uint_index(tags, GST_TAG_BITRATE, 0, &number) && number == bps;
    gst_event_unref(event);
    return has;
}

static gboolean sounds_are_told(void)
{
    return has_tags("audio_0", NULL, NULL, 96000) &&
           has_tags("audio_1", "de", "Kommentar für alle", 64000);
}

static void assert_caps(const gchar *name, const gchar *field, const gchar *text)
{
    GstPad *pad = gst_element_get_static_pad(w.src, name);
    GstCaps *caps = gst_pad_get_current_caps(pad), *all = gst_caps_from_string(text);
    if (field)
        assert_string_equal(text, gst_structure_get_string(gst_caps_get_structure(caps, 0), field));
    else
        assert_true(gst_caps_is_equal(caps, all));
    gst_clear_caps(&all);
    gst_caps_unref(caps);
    gst_object_unref(pad);
}

/* ---- streams ---- */

/* Of the collection that was posted last; the caller's. */
static GstStreamCollection *collection(void)
{
    GstBus *bus = gst_element_get_bus(w.to);
    GstStreamCollection *last = NULL;
    GstMessage *m;
    while ((m = gst_bus_pop_filtered(bus, GST_MESSAGE_STREAM_COLLECTION))) {
        gst_clear_object(&last);
        gst_message_parse_stream_collection(m, &last);
        gst_message_unref(m);
    }
    gst_object_unref(bus);
    assert_non_null(last);
    return last;
}

static void choose(GstStreamCollection *all, const gchar *const *of, guint n)
{
    GstBus *bus = gst_element_get_bus(w.to);
    GList *ids = NULL;
    for (guint i = 0; i < gst_stream_collection_get_size(all); i++) {
        const gchar *id = gst_stream_get_stream_id(gst_stream_collection_get_stream(all, i));
        for (guint k = 0; k < n; k++)
            if (g_str_has_suffix(id, of[k]))
                ids = g_list_append(ids, (gpointer)id);
    }
    assert_int_equal(n, g_list_length(ids));
    const gsize prefix = strlen(ids->data) - strlen(strrchr(ids->data, '/'));
    for (GList *l = ids; l; l = l->next) /* of one source */
        assert_memory_equal(ids->data, l->data, prefix);
    assert_true(gst_element_send_event(w.src, gst_event_new_select_streams(ids)));
    g_list_free(ids);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_STREAMS_SELECTED);
    assert_non_null(m);
    assert_int_equal(n, gst_message_streams_selected_get_size(m));
    gst_message_unref(m);
    gst_object_unref(bus);
}

static gboolean three_are_gone(void)
{
    return w.row[SVC_1].removed && w.row[AUDIO_0].removed && w.row[DATA_0].removed;
}

static gboolean two_go_on(void)
{
    return w.row[SVC_0].buffers >= 10 && w.row[AUDIO_1].buffers >= 10;
}

static gboolean all_are_back(void)
{
    for (int i = 0; i < PADS; i++)
        if (w.row[i].buffers < 10)
            return FALSE;
    return TRUE;
}

static gboolean only_the_first_is_small(void)
{
    return w.row[SVC_0].upper >= 30 && w.row[SVC_1].upper <= 1; /* longer than the latency */
}

static void forget_counts(void)
{
    g_mutex_lock(&w.lock);
    for (int i = 0; i < PADS; i++)
        w.row[i].buffers = 0;
    g_mutex_unlock(&w.lock);
}

static void all_arrive_together(void)
{
    wait_until(all_flow, "20 buffers of each pad but the one that nobody links");
    wait_until(sounds_are_told, "language, title and bit rates");
    assert_caps("svc_0", "scalability", "L2T2");
    assert_caps("svc_1", "scalability", "L2T1");
    assert_caps("data_0", NULL, NOTE_CAPS);
    for (int i = 0; i < PADS; i++) {
        const gint64 apart = w.row[i].offset - w.row[SVC_0].offset;
        if (i != AUDIO_0 && (apart > 30000 || apart < -30000))
            fail_msg("%s is %+d us from svc_0", names[i], (int)apart);
    }
}

static void some_are_chosen(void)
{
    static const gchar *const two[] = { "svc_0", "audio_1" };
    GstStreamCollection *all = collection();
    assert_int_equal(PADS, gst_stream_collection_get_size(all));
    choose(all, two, 2);
    wait_until(three_are_gone, "pads of what is not chosen go");
    assert_int_equal(1, w.row[SVC_1].ends);
    assert_int_equal(0, w.row[SVC_0].ends);
    forget_counts();
    wait_until(two_go_on, "what is chosen goes on");
    assert_int_equal(0, w.row[SVC_1].buffers);
    assert_int_equal(0, w.row[DATA_0].buffers);
    w.unlinked = NULL;
    forget_counts();
    choose(all, names, PADS);
    wait_until(all_are_back, "10 buffers of each pad");
    assert_int_equal(2, w.row[SVC_1].added);
    assert_int_equal(1, w.row[SVC_0].added);
    assert_true(w.row[SVC_1].key_first);
    gst_object_unref(all);
}

static void everything_at_once(void **state)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    const guint port = free_udp_port();
    (void)state;
    memset(&w, 0, sizeof w);
    w.unlinked = "audio_0";
    g_mutex_init(&w.lock);
    assert_int_equal(0, test_pki_init(&w.pki, &cfg));
    begin_sender(port);
    begin_receiver(port);
    all_arrive_together();
    some_are_chosen();
    g_object_set(w.src, "layers", "L1T2;L2T1", NULL);
    wait_until(only_the_first_is_small, "a limit for each video");
    gst_element_set_state(w.to, GST_STATE_NULL);
    gst_element_set_state(w.from, GST_STATE_NULL);
    gst_object_unref(w.to);
    gst_object_unref(w.from);
    for (int i = 0; i < PADS; i++)
        g_hash_table_unref(w.sent[i]);
    test_pki_fini(&w.pki);
    g_mutex_clear(&w.lock);
}

/* ---- bounds ---- */

static void pads_have_a_bound(void **state)
{
    static const struct {
        const gchar *template;
        guint most;
    } rows[] = { { "svc_%u", 4 }, { "audio_%u", 8 }, { "data_%u", 8 } };
    (void)state;
    GstElement *sink = gst_object_ref_sink(gst_element_factory_make("tvlsink", NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (guint n = 0; n < rows[i].most; n++) {
            GstPad *pad = gst_element_request_pad_simple(sink, rows[i].template);
            assert_non_null(pad);
            gst_object_unref(pad);
        }
        assert_null(gst_element_request_pad_simple(sink, rows[i].template));
    }
    gst_object_unref(sink);
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
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(pads_have_a_bound),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
