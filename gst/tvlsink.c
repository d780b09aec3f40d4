/*
 * tvlsink.c - the element tvlsink: publishes what comes into its pads as one broadcast, to a MoQT
 * server or relay (mode=caller) or to whoever calls (mode=listener).
 *
 *     request pad -> ghost -> track (a GstBaseSink: clock, preroll, EOS, flush) --queue-->
 * publish.c
 *
 * Pads: svc_%u (video/x-svc, its layers become tracks), audio_%u (Opus), data_%u for whatever else,
 * each an opaque track; of each kind several. The catalog is made when every pad has its caps, and
 * anew when one comes or goes, or its tags say something else. No buffer ever waits for the
 * network: what cannot be taken or is not through in time is left out, counted in `stats`.
 */
#include "elements.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "net_log.h"
#include "tvlsink_internal.h"

#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()
#define WAITING_LOOKS 12    /* at `stats`, each 250 ms: then a pad that waits is told of */
#define LATENCY_DEFAULT 400 /* ms */

static const gchar *const base_names[BASE_N] = {
    "sync", "async", "ts-offset", "max-lateness", "processing-deadline", "render-delay"
};

typedef GstBinClass TvlSinkClass;

enum {
    PROP_LATENCY = NET_N,
    PROP_OF_BASE, /* BASE_N of them */
};
static const gchar *const pad_prefix[N_OF] = { "svc", "audio", "data" };

static GType tvl_sink_get_type(void);
G_DEFINE_TYPE_WITH_CODE(TvlSink, tvl_sink, GST_TYPE_BIN,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, tvl_net_sink_uri_init))
GST_ELEMENT_REGISTER_DEFINE(tvlsink, "tvlsink", GST_RANK_PRIMARY, tvl_sink_get_type())

static GstStaticPadTemplate templates[N_OF] = {
    [OF_SVC] = GST_STATIC_PAD_TEMPLATE("svc_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                                       GST_STATIC_CAPS(TVL_CAPS_LAYERS)),
    [OF_AUDIO] = GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                                         GST_STATIC_CAPS("audio/x-opus")),
    [OF_DATA] =
        GST_STATIC_PAD_TEMPLATE("data_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY),
};
/* ---- pads ---- */

static enum track_of of_template(GstPadTemplate *t)
{
    const gchar *name = GST_PAD_TEMPLATE_NAME_TEMPLATE(t);
    return g_str_has_prefix(name, "svc")     ? OF_SVC
           : g_str_has_prefix(name, "audio") ? OF_AUDIO
                                             : OF_DATA;
}

/* Under the lock. */
static guint count_of(TvlSink *s, enum track_of of)
{
    guint n = 0;
    for (GList *l = s->tracks; l; l = l->next)
        n += ((TvlSinkTrack *)l->data)->of == of;
    return n;
}

static const guint most[N_OF] = { PUBLISHER_VIDEOS_MAX, PUBLISHER_SOUNDS_MAX,
                                  PUBLISHER_OPAQUE_MAX };

/* Under the lock. */
static gboolean is_taken(TvlSink *s, enum track_of of, guint which)
{
    for (GList *l = s->tracks; l; l = l->next)
        if (((TvlSinkTrack *)l->data)->of == of && ((TvlSinkTrack *)l->data)->which == (int)which)
            return TRUE;
    return FALSE;
}

/* Under the lock, when there is room. The number of a video or sound: that of its pad where
 * somebody asked for it, else the least that is free: names of tracks come of it. */
static int which_of(TvlSink *s, enum track_of of, gboolean asked, guint number)
{
    guint which = 0;
    if (of == OF_DATA)
        return -1;
    if (asked && number < most[of] && !is_taken(s, of, number))
        return (int)number;
    while (is_taken(s, of, which))
        which++;
    return (int)which;
}

static TvlSinkTrack *new_track(TvlSink *s, enum track_of of, const gchar *name)
{
    TvlSinkTrack *t = NULL;
    guint number;
    const gboolean asked =
        name && strchr(name, '_') && sscanf(strchr(name, '_'), "_%u", &number) == 1;
    g_mutex_lock(&s->lock);
    if (count_of(s, of) < most[of]) {
        t = g_object_new(tvl_sink_track_get_type(), NULL);
        for (int i = 0; i < BASE_N; i++)
            g_object_set_property(G_OBJECT(t), base_names[i], &s->of_base[i]);
        if (!asked)
            number = s->next_number[of];
        s->next_number[of] = MAX(s->next_number[of], number + 1);
        t->implicit = name == NULL;
        t->sink = s;
        t->of = of;
        t->number = number;
        t->which = which_of(s, of, asked, number);
        s->tracks = g_list_append(s->tracks, t);
    }
    g_mutex_unlock(&s->lock);
    return t;
}

static GstPad *request_new_pad(GstElement *e, GstPadTemplate *template, const gchar *name,
                               const GstCaps *caps)
{
    TvlSink *s = (TvlSink *)e;
    const enum track_of of = of_template(template);
    TvlSinkTrack *t = new_track(s, of, name);
    gchar own[32];
    (void)caps;
    if (!t) {
        GST_WARNING_OBJECT(s, "no further pad %s is to be had: %u is the most", pad_prefix[of],
                           most[of]);
        return NULL;
    }
    g_snprintf(own, sizeof own, "%s_%u", pad_prefix[of], t->number);
    gst_bin_add(GST_BIN(s), GST_ELEMENT(t));
    GstPad *inner = gst_element_get_static_pad(GST_ELEMENT(t), "sink");
    GstPad *ghost = gst_ghost_pad_new_from_template(own, inner, template);
    gst_object_unref(inner);
    gst_pad_set_active(ghost, TRUE);
    gst_element_add_pad(e, ghost);
    gst_element_sync_state_with_parent(GST_ELEMENT(t));
    return ghost;
}

static void release_pad(GstElement *e, GstPad *pad)
{
    TvlSink *s = (TvlSink *)e;
    GstPad *inner = gst_ghost_pad_get_target(GST_GHOST_PAD(pad));
    GstElement *track = inner ? gst_pad_get_parent_element(inner) : NULL;
    gst_clear_object(&inner);
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(e, pad);
    if (!track)
        return;
    g_mutex_lock(&s->lock);
    s->tracks = g_list_remove(s->tracks, track);
    tvl_sink_describe(s);
    g_mutex_unlock(&s->lock);
    gst_element_set_locked_state(track, TRUE);
    gst_element_set_state(track, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(s), track);
    gst_object_unref(track);
}

/* ---- what the publication tells, on its thread ---- */

static void on_failed(gpointer user, const gchar *why)
{
    tvl_run_failed(user, GST_RESOURCE_ERROR_OPEN_WRITE, why);
}

static void on_away(gpointer user, const gchar *why)
{
    tvl_run_away(user, GST_RESOURCE_ERROR_OPEN_WRITE, why);
}

/* Names in `out` the pads that have no caps while others have; FALSE: it is not so. */
static gboolean waiting_pads(TvlSink *s, GString *out)
{
    gboolean any = FALSE;
    g_mutex_lock(&s->lock);
    for (GList *l = s->tracks; l; l = l->next) {
        const TvlSinkTrack *t = l->data;
        if (t->caps)
            any = TRUE;
        else
            g_string_append_printf(out, " %s_%u", pad_prefix[t->of], t->number);
    }
    g_mutex_unlock(&s->lock);
    return any && out->len > 0;
}

/* A pad into which nothing comes keeps the others waiting: it is said, once. */
static void look_for_waiting(TvlSink *s)
{
    if (++s->looks != WAITING_LOOKS)
        return;
    GString *names = g_string_new(NULL);
    if (waiting_pads(s, names))
        GST_ELEMENT_WARNING(s, STREAM, FAILED,
                            ("nothing comes into%s: the broadcast begins when every pad has its "
                             "caps",
                             names->str),
                            (NULL));
    g_string_free(names, TRUE);
}

static void on_caller(gpointer user, const gchar *address, gboolean added)
{
    const struct tvl_run *r = user;
    if (!tvl_run_is_current(r))
        return;
    g_signal_emit_by_name(r->element, added ? "caller-added" : "caller-removed", address);
    tvl_run_post(r, gst_structure_new(added ? "tvl-caller-added" : "tvl-caller-removed", "address",
                                      G_TYPE_STRING, address, NULL));
}

struct wish { /* of a video's encoder */
    int video;
    GstEvent *event;
};

static void wish_free(gpointer data)
{
    struct wish *w = data;
    gst_event_unref(w->event);
    g_free(w);
}

/* Up to the encoder; not on the connection's thread, as nobody knows how long that takes. */
static void ask_upstream(GstElement *e, gpointer data)
{
    TvlSink *s = (TvlSink *)e;
    const struct wish *w = data;
    GstPad *pad = NULL;
    g_mutex_lock(&s->lock);
    for (GList *l = s->tracks; l && !pad; l = l->next)
        if (((TvlSinkTrack *)l->data)->of == OF_SVC && ((TvlSinkTrack *)l->data)->which == w->video)
            pad = gst_object_ref(GST_BASE_SINK_PAD(l->data));
    g_mutex_unlock(&s->lock);
    if (pad)
        gst_pad_push_event(pad, gst_event_ref(w->event));
    gst_clear_object(&pad);
}

/* Takes the event. */
static void ask(const struct tvl_run *r, gsize video, GstEvent *event)
{
    struct wish *w = g_new(struct wish, 1);
    *w = (struct wish){ (int)video, event };
    if (tvl_run_is_current(r))
        gst_element_call_async(r->element, ask_upstream, w, wish_free);
    else
        wish_free(w);
}

static void on_key_wanted(gpointer user, gsize video)
{
    ask(user, video, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

static void on_missed(gpointer user, gsize video, guint spatial, const struct svc_tracker *held)
{
    ask(user, video, tvl_layer_refresh_event_new(spatial, held));
}

static void on_stats(gpointer user, GstStructure *stats)
{
    const struct tvl_run *r = user;
    tvl_run_on_stats(user, stats);
    if (tvl_run_is_current(r))
        look_for_waiting((TvlSink *)r->element);
}

static const struct publish_handler publish_handler = { .on_failed = on_failed,
                                                        .on_away = on_away,
                                                        .on_interrupted = tvl_run_on_interrupted,
                                                        .on_caller = on_caller,
                                                        .on_path = tvl_run_on_path,
                                                        .on_key_wanted = on_key_wanted,
                                                        .on_missed = on_missed,
                                                        .on_stats = on_stats };

/* ---- states ---- */

static gboolean start(TvlSink *s)
{
    struct publish_config cfg = { .handler = &publish_handler, .user_gone = tvl_run_free };
    if (!tvl_net_check(GST_ELEMENT(s)))
        return FALSE;
    s->looks = 0;
    cfg.user = tvl_net_start(GST_ELEMENT(s), &cfg.settings);
    GST_OBJECT_LOCK(s);
    cfg.listen = s->net.listen;
    cfg.latency_ms = s->latency_ms;
    GST_OBJECT_UNLOCK(s);
    struct publish *p = publish_start(&cfg);
    g_mutex_lock(&s->lock);
    s->publish = p;
    tvl_sink_describe(s);
    g_mutex_unlock(&s->lock);
    if (!p) {
        tvl_net_stop(GST_ELEMENT(s));
        GST_ELEMENT_ERROR(s, RESOURCE, FAILED, ("no thread for the connection"), (NULL));
    }
    return p != NULL;
}

static void stop(TvlSink *s)
{
    g_mutex_lock(&s->lock);
    struct publish *p = s->publish;
    s->publish = NULL;
    for (GList *l = s->tracks; l; l = l->next) {
        tvl_sink_track_forget(l->data);
    }
    g_mutex_unlock(&s->lock);
    tvl_net_stop(GST_ELEMENT(s));
    publish_stop(p);
}

static GstStateChangeReturn change_state(GstElement *e, GstStateChange change)
{
    TvlSink *s = (TvlSink *)e;
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED && !start(s))
        return GST_STATE_CHANGE_FAILURE;
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(tvl_sink_parent_class)->change_state(e, change);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (change == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
        stop(s);
    return result;
}

/* ---- properties ---- */

static void set_of_base(TvlSink *s, guint i, const GValue *value)
{
    g_mutex_lock(&s->lock);
    g_value_copy(value, &s->of_base[i]);
    for (GList *l = s->tracks; l; l = l->next)
        g_object_set_property(l->data, base_names[i], value);
    g_mutex_unlock(&s->lock);
}

static void set_latency(TvlSink *s, const GValue *value)
{
    GST_OBJECT_LOCK(s);
    s->latency_ms = g_value_get_uint(value);
    GST_OBJECT_UNLOCK(s);
    g_mutex_lock(&s->lock);
    tvl_sink_describe(s);
    g_mutex_unlock(&s->lock);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    TvlSink *s = (TvlSink *)object;
    if (id >= PROP_OF_BASE && id < PROP_OF_BASE + BASE_N) {
        set_of_base(s, id - PROP_OF_BASE, value);
        return;
    }
    if (id == PROP_LATENCY) {
        set_latency(s, value);
        return;
    }
    GST_OBJECT_LOCK(s);
    if (!tvl_net_set(&s->net, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    TvlSink *s = (TvlSink *)object;
    if (id >= PROP_OF_BASE && id < PROP_OF_BASE + BASE_N) {
        g_mutex_lock(&s->lock);
        g_value_copy(&s->of_base[id - PROP_OF_BASE], value);
        g_mutex_unlock(&s->lock);
        return;
    }
    GST_OBJECT_LOCK(s);
    if (id == PROP_LATENCY)
        g_value_set_uint(value, s->latency_ms);
    else if (!tvl_net_get(&s->net, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

/* ---- class ---- */

static void finalize(GObject *object)
{
    TvlSink *s = (TvlSink *)object;
    tvl_net_clear(&s->net);
    g_list_free(s->tracks);
    for (int i = 0; i < BASE_N; i++)
        g_value_unset(&s->of_base[i]);
    g_mutex_clear(&s->lock);
    G_OBJECT_CLASS(tvl_sink_parent_class)->finalize(object);
}

/* The tracks go with the bin, before its last part: no pad remembers them then. */
static void dispose(GObject *object)
{
    TvlSink *s = (TvlSink *)object;
    g_mutex_lock(&s->lock);
    g_clear_pointer(&s->tracks, g_list_free);
    g_mutex_unlock(&s->lock);
    G_OBJECT_CLASS(tvl_sink_parent_class)->dispose(object);
}

static void tvl_sink_init(TvlSink *s)
{
    tvl_net_init(GST_ELEMENT(s), &s->net);
    for (int i = 0; i < BASE_N; i++)
        g_param_value_set_default(
            g_object_class_find_property(G_OBJECT_GET_CLASS(s), base_names[i]),
            g_value_init(
                &s->of_base[i],
                g_object_class_find_property(G_OBJECT_GET_CLASS(s), base_names[i])->value_type));
    s->latency_ms = LATENCY_DEFAULT;
    g_mutex_init(&s->lock);
    GST_OBJECT_FLAG_SET(s, GST_ELEMENT_FLAG_SINK);
    gst_bin_set_suppressed_flags(GST_BIN(s), GST_ELEMENT_FLAG_SINK); /* also without a pad */
}

static void install_properties(GObjectClass *object)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    tvl_net_class_init(object,
                       "Who calls whom: caller publishes to a server, a relay or a tvlsrc that "
                       "listens; listener waits for viewers",
                       "Objects sent and dropped, callers, and figures of each path and layer, "
                       "renewed four times a second");
    g_object_class_install_property(
        object, PROP_LATENCY,
        g_param_spec_uint(
            "latency", "Latency",
            "Milliseconds that the broadcast asks of its viewers; what is not through "
            "in that time is given up",
            1, 10000, LATENCY_DEFAULT, flags | GST_PARAM_MUTABLE_PLAYING));
}

/* As GstBaseSink has them; what is sent on is never too late, and takes no time to be shown. */
static void install_of_base(GObjectClass *object)
{
    const GParamFlags flags =
        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
    GParamSpec *const spec[BASE_N] = {
        [BASE_SYNC] = g_param_spec_boolean(
            "sync", "Sync", "Send each buffer at its time on the clock", TRUE, flags),
        [BASE_ASYNC] = g_param_spec_boolean(
            "async", "Async", "Go to PAUSED only when every pad has its first buffer", TRUE, flags),
        [BASE_TS_OFFSET] =
            g_param_spec_int64("ts-offset", "Timestamp offset",
                               "Nanoseconds to send each buffer later than its time (sync)",
                               G_MININT64, G_MAXINT64, 0, flags),
        [BASE_MAX_LATENESS] = g_param_spec_int64("max-lateness", "Maximum lateness",
                                                 "Nanoseconds that a buffer may come after its "
                                                 "time, else it is not sent (sync; -1: what "
                                                 "is late is the receiver's to judge)",
                                                 -1, G_MAXINT64, -1, flags),
        [BASE_PROCESSING_DEADLINE] =
            g_param_spec_uint64("processing-deadline", "Processing deadline",
                                "Nanoseconds that a live pipeline may take to process a buffer", 0,
                                G_MAXUINT64, 0, flags),
        [BASE_RENDER_DELAY] = g_param_spec_uint64("render-delay", "Render delay",
                                                  "Nanoseconds added to the pipeline's latency", 0,
                                                  G_MAXUINT64, 0, flags),
    };
    for (guint i = 0; i < BASE_N; i++)
        g_object_class_install_property(object, PROP_OF_BASE + i, spec[i]);
}

static void tvl_sink_class_init(TvlSinkClass *c)
{
    GObjectClass *object = G_OBJECT_CLASS(c);
    GstElementClass *element = GST_ELEMENT_CLASS(c);
    object->finalize = finalize;
    object->dispose = dispose;
    object->set_property = set_property;
    object->get_property = get_property;
    element->change_state = change_state;
    element->request_new_pad = request_new_pad;
    element->release_pad = release_pad;
    install_properties(object);
    install_of_base(object);
    for (int i = 0; i < N_OF; i++)
        gst_element_class_add_static_pad_template(element, &templates[i]);
    gst_element_class_set_static_metadata(
        element, "Layered multipath video sink", "Sink/Network",
        "Publishes layered video, sound and data over several network paths at once",
        "The svc-suite authors");
    gst_element_class_add_static_metadata(
        element, "example",
        "gst-launch-1.0 -e videotestsrc is-live=true ! svcav1enc ! tvlsink mode=listener "
        "uri=moqt://0.0.0.0:4433/live tls-certificate=server.pem tls-key=server.key");
}
