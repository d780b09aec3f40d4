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
#include "publish.h"
#include "track_caps.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()
#define WAITING_LOOKS 12    /* at `stats`, each 250 ms: then a pad that waits is told of */
#define LATENCY_DEFAULT 400 /* ms */
#define OPUS_RATE \
    48000 /* Hz of its clock, whatever it was made of: the rate of the caps (RFC 7845) */
#define OPUS_BPS 64000           /* until tags or 2 s of it say otherwise */
#define MEASURE_FIRST_US 2000000 /* of sound, for its bit rate where no tag says it */
#define MEASURE_AGAIN_US 10000000

typedef struct TvlSink TvlSink;

/* Properties of GstBaseSink that are ours, too: each track's. */
enum of_base {
    BASE_SYNC,
    BASE_ASYNC,
    BASE_TS_OFFSET,
    BASE_MAX_LATENESS,
    BASE_PROCESSING_DEADLINE,
    BASE_RENDER_DELAY,
    BASE_N
};
static const gchar *const base_names[BASE_N] = {
    "sync", "async", "ts-offset", "max-lateness", "processing-deadline", "render-delay"
};

enum track_of { OF_SVC, OF_AUDIO, OF_DATA, N_OF };

/* ---- a track ---- */

typedef struct {
    GstBaseSink base;
    TvlSink *sink; /* borrowed: it is the bin that has us */
    enum track_of of;
    guint number;      /* of its pad */
    gboolean implicit; /* nobody named the pad: it is for whatever fits nowhere else */
    /* under the sink's lock */
    GstCaps *caps; /* NULL: not yet */
    int which;     /* number of the video or sound; place among the opaque tracks, -1: none yet */
    gboolean ended;
    struct publisher_note note; /* as the tags have it */
    guint bitrate_bps;          /* of a sound, as the catalog has it; 0: not yet */
    gboolean tagged;            /* the tags say that */
    guint64 measured_bytes;
    gint64 measured_from, measure_us; /* media time; of the span under way */
} TvlSinkTrack;
typedef GstBaseSinkClass TvlSinkTrackClass;

struct TvlSink {
    GstBin bin;
    /* the object's lock is for these */
    struct tvl_settings settings;
    gboolean listen;
    guint latency_ms;
    GstStructure *stats;
    guint run; /* what an earlier publication says late is not heard */
    /* `lock` is for these */
    GMutex lock;
    GList *tracks;          /* of TvlSinkTrack, borrowed from the bin */
    GValue of_base[BASE_N]; /* properties of every track */
    struct publish *publish;
    gboolean described;
    guint looks; /* since the start; of the link's thread */
    guint next_number[N_OF];
};
typedef GstBinClass TvlSinkClass;

enum {
    PROP_MODE = SETTINGS_N,
    PROP_LATENCY,
    PROP_STATS,
    PROP_OF_BASE, /* BASE_N of them */
};
enum { SIGNAL_PATH_UP, SIGNAL_PATH_DOWN, SIGNAL_CALLER_ADDED, SIGNAL_CALLER_REMOVED, N_SIGNALS };
static guint signals[N_SIGNALS];

static const gchar *const pad_prefix[N_OF] = { "svc", "audio", "data" };

static GType tvl_sink_track_get_type(void);
G_DEFINE_TYPE(TvlSinkTrack, tvl_sink_track, GST_TYPE_BASE_SINK)

static void uri_handler_init(gpointer iface, gpointer data);
static GType tvl_sink_get_type(void);
G_DEFINE_TYPE_WITH_CODE(TvlSink, tvl_sink, GST_TYPE_BIN,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(tvlsink, "tvlsink", GST_RANK_PRIMARY, tvl_sink_get_type())

static GstStaticPadTemplate templates[N_OF] = {
    [OF_SVC] = GST_STATIC_PAD_TEMPLATE("svc_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                                       GST_STATIC_CAPS(TVL_CAPS_LAYERS)),
    [OF_AUDIO] = GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                                         GST_STATIC_CAPS("audio/x-opus")),
    [OF_DATA] =
        GST_STATIC_PAD_TEMPLATE("data_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY),
};
static GstStaticPadTemplate track_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* ---- the catalog ---- */

static void describe_sound(const TvlSinkTrack *t, struct publisher_sound *out)
{
    const GstStructure *s = gst_caps_get_structure(t->caps, 0);
    gint channels = 2;
    gst_structure_get_int(s, "channels", &channels);
    *out = (struct publisher_sound){ .channels = (uint8_t)CLAMP(channels, 1, 255),
                                     .rate = OPUS_RATE,
                                     .bitrate_bps = t->bitrate_bps ? t->bitrate_bps : OPUS_BPS,
                                     .note = t->note };
}

static void describe_opaque(const TvlSinkTrack *t, struct publisher_opaque *out)
{
    *out = (struct publisher_opaque){ .note = t->note };
    g_snprintf(out->name, sizeof out->name, "d%u", t->number);
    g_snprintf(out->codec, sizeof out->codec, "%.31s",
               gst_structure_get_name(gst_caps_get_structure(t->caps, 0)));
    if (!track_caps_text(t->caps, out->caps, sizeof out->caps))
        GST_INFO_OBJECT(t, "of its caps only the name is told: they are too long");
}

/* Under the lock. What is there, if every track has its caps. */
static gboolean all_known(TvlSink *s, struct publisher_tracks *what)
{
    memset(what, 0, sizeof *what);
    for (GList *l = s->tracks; l; l = l->next)
        if (!((TvlSinkTrack *)l->data)->caps)
            return FALSE; /* `which` of data stays what the publication knows */
    for (GList *l = s->tracks; l; l = l->next) {
        TvlSinkTrack *t = l->data;
        if (t->of == OF_SVC) {
            struct publisher_video *v = &what->video[t->which];
            if (!tvl_layer_caps_parse(t->caps, &v->info))
                return FALSE;
            v->note = t->note;
        } else if (t->of == OF_AUDIO) {
            describe_sound(t, &what->sound[t->which]);
        } else if (what->n_opaque < PUBLISHER_OPAQUE_MAX) {
            describe_opaque(t, &what->opaque[what->n_opaque]);
            t->which = (int)what->n_opaque++;
        }
    }
    return s->tracks != NULL;
}

static void describe_if_known(TvlSink *s)
{
    struct publisher_tracks *what = g_new(struct publisher_tracks, 1);
    GST_OBJECT_LOCK(s);
    const guint latency_ms = s->latency_ms;
    GST_OBJECT_UNLOCK(s);
    if (s->publish && all_known(s, what)) {
        publish_describe(s->publish, what, latency_ms);
        s->described = TRUE;
    }
    g_free(what);
}

/* Under the lock. TRUE: the catalog is to say that instead: it is a quarter off, or `exact`. */
static gboolean take_bitrate(TvlSinkTrack *t, guint64 bps, gboolean exact)
{
    const guint64 told = t->bitrate_bps ? t->bitrate_bps : OPUS_BPS;
    if (bps == 0 || bps > G_MAXINT || (!exact && bps * 4 > told * 3 && bps * 4 < told * 5))
        return FALSE;
    t->bitrate_bps = (guint)bps;
    return bps != told;
}

/* As much of it as fits, in whole characters. */
static gboolean take_text(gchar *out, gsize size, const gchar *text)
{
    gchar cut[MSF_LABEL_MAX];
    const gchar *end;
    g_strlcpy(cut, text, MIN(size, sizeof cut));
    if (!g_utf8_validate(cut, -1, &end))
        cut[end - cut] = '\0';
    if (strcmp(cut, out) == 0)
        return FALSE;
    g_strlcpy(out, cut, size);
    return TRUE;
}

static void take_tags(TvlSinkTrack *t, GstEvent *event)
{
    static const gchar *const rates[] = { GST_TAG_NOMINAL_BITRATE, GST_TAG_BITRATE };
    GstTagList *tags;
    const gchar *text;
    guint bps;
    gboolean other = FALSE;
    gst_event_parse_tag(event, &tags);
    g_mutex_lock(&t->sink->lock);
    if (gst_tag_list_peek_string_index(tags, GST_TAG_LANGUAGE_CODE, 0, &text))
        other = take_text(t->note.lang, sizeof t->note.lang, text);
    /* the title of a whole file is no track's label */
    if (gst_tag_list_get_scope(tags) == GST_TAG_SCOPE_STREAM &&
        gst_tag_list_peek_string_index(tags, GST_TAG_TITLE, 0, &text))
        other = take_text(t->note.label, sizeof t->note.label, text) || other;
    for (gsize i = 0; i < G_N_ELEMENTS(rates) && t->of == OF_AUDIO; i++)
        if (gst_tag_list_get_uint_index(tags, rates[i], 0, &bps)) {
            t->tagged = TRUE;
            other = take_bitrate(t, bps, t->bitrate_bps == 0) || other;
            break;
        }
    if (other && t->caps)
        describe_if_known(t->sink);
    g_mutex_unlock(&t->sink->lock);
}

/* Under the lock. */
static void measure(TvlSinkTrack *t, gsize bytes, gint64 at)
{
    if (t->measured_bytes == 0 || at < t->measured_from)
        t->measured_from = at;
    const gint64 span = at - t->measured_from;
    if (!t->measure_us)
        t->measure_us = MEASURE_FIRST_US;
    if (span >= t->measure_us) {
        const guint64 bps = t->measured_bytes * 8 * 1000000 / (guint64)span;
        t->measured_from = at;
        t->measured_bytes = 0;
        t->measure_us = MEASURE_AGAIN_US;
        if (take_bitrate(t, bps, FALSE))
            describe_if_known(t->sink);
    }
    t->measured_bytes += bytes;
}

/* Whoever links an encoder of another kind to us gets an opaque track, and shall know it. */
static void warn_of_media(TvlSinkTrack *t, const GstCaps *caps)
{
    const gchar *type = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    const gboolean video = g_str_has_prefix(type, "video/");
    if (t->of == OF_DATA && t->implicit && (video || g_str_has_prefix(type, "audio/")))
        GST_ELEMENT_WARNING(
            t->sink, STREAM, FORMAT,
            ("%s is sent as it is, which players do not show: %s makes what they do", type,
             video ? "svcav1enc" : "opusenc"),
            ("data_%u, asked for by name, says that it is meant so", t->number));
}

static gboolean track_set_caps(GstBaseSink *base, GstCaps *caps)
{
    TvlSinkTrack *t = (TvlSinkTrack *)base;
    struct svc_stream_info info;
    if (t->of == OF_SVC && !tvl_layer_caps_parse(caps, &info)) {
        GST_ERROR_OBJECT(t, "not the caps of layers: %" GST_PTR_FORMAT, (void *)caps);
        return FALSE;
    }
    warn_of_media(t, caps);
    g_mutex_lock(&t->sink->lock);
    if (!t->caps || !gst_caps_is_equal(t->caps, caps)) {
        gst_caps_replace(&t->caps, caps);
        describe_if_known(t->sink);
    }
    g_mutex_unlock(&t->sink->lock);
    return TRUE;
}

/* ---- what flows ---- */

static gint64 media_time(GstBaseSink *base, GstBuffer *buffer)
{
    GstClockTime at = GST_CLOCK_TIME_NONE;
    if (GST_BUFFER_PTS_IS_VALID(buffer) && base->segment.format == GST_FORMAT_TIME)
        at = gst_segment_to_running_time(&base->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (!GST_CLOCK_TIME_IS_VALID(at))
        at = gst_element_get_current_running_time(GST_ELEMENT(base));
    return GST_CLOCK_TIME_IS_VALID(at) ? (gint64)(at / GST_USECOND) : 0;
}

static GstFlowReturn track_render(GstBaseSink *base, GstBuffer *buffer)
{
    TvlSinkTrack *t = (TvlSinkTrack *)base;
    TvlSink *s = t->sink;
    static const enum publish_kind kinds[N_OF] = { PUBLISH_VIDEO, PUBLISH_SOUND, PUBLISH_OPAQUE };
    const gint64 at = media_time(base, buffer);
    g_mutex_lock(&s->lock);
    if (t->of == OF_AUDIO && !t->tagged)
        measure(t, gst_buffer_get_size(buffer), at);
    /* of data: the catalog may wait for others yet */
    if (s->publish && t->which >= 0 &&
        !publish_packet(s->publish, kinds[t->of], (gsize)t->which, buffer, at))
        GST_LOG_OBJECT(t, "left out: the connection's thread does not keep up");
    g_mutex_unlock(&s->lock);
    return GST_FLOW_OK;
}

/* The broadcast ends with its last track. */
static gboolean track_event(GstBaseSink *base, GstEvent *event)
{
    TvlSinkTrack *t = (TvlSinkTrack *)base;
    const GstEventType type = GST_EVENT_TYPE(event);
    if (type == GST_EVENT_TAG)
        take_tags(t, event);
    const gboolean taken = GST_BASE_SINK_CLASS(tvl_sink_track_parent_class)->event(base, event);
    if (type != GST_EVENT_EOS && type != GST_EVENT_FLUSH_STOP && type != GST_EVENT_STREAM_START)
        return taken;
    g_mutex_lock(&t->sink->lock);
    t->ended = type == GST_EVENT_EOS;
    gboolean all = t->ended;
    for (GList *l = t->sink->tracks; l && all; l = l->next)
        all = ((TvlSinkTrack *)l->data)->ended;
    if (all && t->sink->publish)
        publish_end(t->sink->publish);
    g_mutex_unlock(&t->sink->lock);
    return taken;
}

static void track_finalize(GObject *object)
{
    gst_clear_caps(&((TvlSinkTrack *)object)->caps);
    G_OBJECT_CLASS(tvl_sink_track_parent_class)->finalize(object);
}

static void tvl_sink_track_class_init(TvlSinkTrackClass *c)
{
    G_OBJECT_CLASS(c)->finalize = track_finalize;
    c->set_caps = track_set_caps;
    c->render = track_render;
    c->event = track_event;
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(c), &track_template);
    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(c), "Track of tvlsink", "Sink/Network",
                                          "One track of a broadcast", "The svc-suite authors");
}

static void tvl_sink_track_init(TvlSinkTrack *t)
{
    gst_base_sink_set_qos_enabled(&t->base, FALSE);
    t->which = -1;
}

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
    describe_if_known(s);
    g_mutex_unlock(&s->lock);
    gst_element_set_locked_state(track, TRUE);
    gst_element_set_state(track, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(s), track);
    gst_object_unref(track);
}

/* ---- what the publication tells, on its thread ---- */

struct run {
    TvlSink *sink;
    guint number;
};

static gboolean is_current(const struct run *r)
{
    GST_OBJECT_LOCK(r->sink);
    const gboolean current = r->number == r->sink->run;
    GST_OBJECT_UNLOCK(r->sink);
    return current;
}

static void run_free(gpointer data)
{
    struct run *r = data;
    gst_object_unref(r->sink);
    g_free(r);
}

static void say(const struct run *r, int signal, const gchar *message, const gchar *field,
                const gchar *value)
{
    if (!is_current(r))
        return;
    if (signal >= 0)
        g_signal_emit(r->sink, signals[signal], 0, value);
    gst_element_post_message(
        GST_ELEMENT(r->sink),
        gst_message_new_element(GST_OBJECT(r->sink),
                                gst_structure_new(message, field, G_TYPE_STRING, value, NULL)));
}

static void on_failed(gpointer user, const gchar *why)
{
    const struct run *r = user;
    if (is_current(r))
        GST_ELEMENT_ERROR(r->sink, RESOURCE, OPEN_WRITE, ("%s%s", why, tvl_settings_hint(why)),
                          (NULL));
}

static void on_away(gpointer user, const gchar *why)
{
    const struct run *r = user;
    if (is_current(r))
        GST_ELEMENT_WARNING(r->sink, RESOURCE, OPEN_WRITE, ("%s; it is tried again", why), (NULL));
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
static void look_for_waiting(const struct run *r)
{
    TvlSink *s = r->sink;
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

static void on_interrupted(gpointer user, const gchar *why)
{
    say(user, -1, "tvl-interrupted", "reason", why);
}

static void on_caller(gpointer user, const gchar *address, gboolean added)
{
    say(user, added ? SIGNAL_CALLER_ADDED : SIGNAL_CALLER_REMOVED,
        added ? "tvl-caller-added" : "tvl-caller-removed", "address", address);
}

static void on_path(gpointer user, const gchar *path, gboolean up)
{
    say(user, up ? SIGNAL_PATH_UP : SIGNAL_PATH_DOWN, up ? "tvl-path-up" : "tvl-path-down", "path",
        path);
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
static void ask(const struct run *r, gsize video, GstEvent *event)
{
    struct wish *w = g_new(struct wish, 1);
    *w = (struct wish){ (int)video, event };
    if (is_current(r))
        gst_element_call_async(GST_ELEMENT(r->sink), ask_upstream, w, wish_free);
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
    const struct run *r = user;
    GST_OBJECT_LOCK(r->sink);
    if (r->number == r->sink->run) {
        GstStructure *old = r->sink->stats;
        r->sink->stats = stats;
        stats = old;
    }
    GST_OBJECT_UNLOCK(r->sink);
    if (is_current(r))
        look_for_waiting(r);
    if (stats)
        gst_structure_free(stats);
}

static const struct publish_handler publish_handler = { .on_failed = on_failed,
                                                        .on_away = on_away,
                                                        .on_interrupted = on_interrupted,
                                                        .on_caller = on_caller,
                                                        .on_path = on_path,
                                                        .on_key_wanted = on_key_wanted,
                                                        .on_missed = on_missed,
                                                        .on_stats = on_stats };

/* ---- states ---- */

static gboolean check(TvlSink *s)
{
    struct path_spec paths[SESSION_PATHS_MAX];
    struct session_to to;
    char why[300] = "";
    GST_OBJECT_LOCK(s);
    gboolean right = tvl_settings_to(&s->settings, &to, why, sizeof why) &&
                     tvl_settings_paths(&s->settings, paths, why, sizeof why) >= 0;
    const gboolean no_pair = right && s->listen && !to.cert_file;
    GST_OBJECT_UNLOCK(s);
    if (no_pair)
        GST_ELEMENT_ERROR(s, RESOURCE, SETTINGS, ("a listener needs tls-certificate and tls-key"),
                          (TVL_SETTINGS_CERTIFICATE_HINT));
    else if (!right)
        GST_ELEMENT_ERROR(s, RESOURCE, SETTINGS, ("%s", why), (NULL));
    return right && !no_pair;
}

static gboolean start(TvlSink *s)
{
    struct publish_config cfg = { .handler = &publish_handler, .user_gone = run_free };
    if (!check(s))
        return FALSE;
    struct run *r = g_new(struct run, 1);
    s->looks = 0;
    GST_OBJECT_LOCK(s);
    *r = (struct run){ gst_object_ref(s), ++s->run };
    cfg.user = r;
    cfg.listen = s->listen;
    cfg.latency_ms = s->latency_ms;
    tvl_settings_copy(&cfg.settings, &s->settings);
    GST_OBJECT_UNLOCK(s);
    struct publish *p = publish_start(&cfg);
    g_mutex_lock(&s->lock);
    s->publish = p;
    describe_if_known(s);
    g_mutex_unlock(&s->lock);
    if (!p)
        GST_ELEMENT_ERROR(s, RESOURCE, FAILED, ("no thread for the connection"), (NULL));
    return p != NULL;
}

/* Under the lock. What its stream said. */
static void forget(TvlSinkTrack *t)
{
    gst_clear_caps(&t->caps);
    t->ended = t->tagged = FALSE;
    t->note = (struct publisher_note){ .label = "" };
    t->bitrate_bps = 0;
    t->measured_bytes = 0;
    t->measure_us = 0;
}

static void stop(TvlSink *s)
{
    g_mutex_lock(&s->lock);
    struct publish *p = s->publish;
    s->publish = NULL;
    for (GList *l = s->tracks; l; l = l->next) {
        forget(l->data);
    }
    g_mutex_unlock(&s->lock);
    GST_OBJECT_LOCK(s);
    s->run++;
    GST_OBJECT_UNLOCK(s);
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

static GType mode_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { 0, "Calls a server or relay and publishes to it", "caller" },
        { 1, "Waits for viewers to call", "listener" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        const gsize made = g_enum_register_static("TvlSinkMode", values);
        g_once_init_leave(&type, made);
    }
    return type;
}

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
    describe_if_known(s);
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
    if (id == PROP_MODE)
        s->listen = g_value_get_enum(value) == 1;
    else if (!tvl_settings_set(&s->settings, id, value))
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
    if (id == PROP_MODE)
        g_value_set_enum(value, s->listen);
    else if (id == PROP_LATENCY)
        g_value_set_uint(value, s->latency_ms);
    else if (id == PROP_STATS)
        g_value_set_boxed(value, s->stats);
    else if (!tvl_settings_get(&s->settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

static GstURIType uri_type(GType type)
{
    (void)type;
    return GST_URI_SINK;
}

static const gchar *const *uri_protocols(GType type)
{
    static const gchar *const protocols[] = { "moqt", NULL };
    (void)type;
    return protocols;
}

static gchar *uri_get(GstURIHandler *handler)
{
    TvlSink *s = (TvlSink *)handler;
    GST_OBJECT_LOCK(s);
    gchar *uri = g_strdup(s->settings.text[SETTINGS_URI]);
    GST_OBJECT_UNLOCK(s);
    return uri;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *uri, GError **error)
{
    TvlSink *s = (TvlSink *)handler;
    g_mutex_lock(&s->lock);
    const gboolean running = s->publish != NULL;
    g_mutex_unlock(&s->lock);
    if (running) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                    "the uri is set in NULL or READY only");
        return FALSE;
    }
    GST_OBJECT_LOCK(s);
    const gboolean right = tvl_settings_set_uri(&s->settings, uri, error);
    GST_OBJECT_UNLOCK(s);
    return right;
}

static void uri_handler_init(gpointer iface, gpointer data)
{
    GstURIHandlerInterface *handler = iface;
    (void)data;
    handler->get_type = uri_type;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}

/* ---- class ---- */

static void finalize(GObject *object)
{
    TvlSink *s = (TvlSink *)object;
    tvl_settings_clear(&s->settings);
    g_list_free(s->tracks);
    if (s->stats)
        gst_structure_free(s->stats);
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
    tvl_settings_init(&s->settings);
    for (int i = 0; i < BASE_N; i++)
        g_param_value_set_default(
            g_object_class_find_property(G_OBJECT_GET_CLASS(s), base_names[i]),
            g_value_init(
                &s->of_base[i],
                g_object_class_find_property(G_OBJECT_GET_CLASS(s), base_names[i])->value_type));
    s->latency_ms = LATENCY_DEFAULT;
    s->stats = gst_structure_new_empty("tvl-stats");
    g_mutex_init(&s->lock);
    GST_OBJECT_FLAG_SET(s, GST_ELEMENT_FLAG_SINK);
    gst_bin_set_suppressed_flags(GST_BIN(s), GST_ELEMENT_FLAG_SINK); /* also without a pad */
}

static void install_properties(GObjectClass *object)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    tvl_settings_install(object);
    g_object_class_install_property(object, PROP_MODE,
                                    g_param_spec_enum("mode", "Mode", "Who calls whom",
                                                      mode_get_type(), 0,
                                                      flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        object, PROP_LATENCY,
        g_param_spec_uint(
            "latency", "Latency",
            "Milliseconds that the broadcast asks of its viewers; what is not through "
            "in that time is given up",
            1, 10000, LATENCY_DEFAULT, flags | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        object, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Objects sent and dropped, callers, and figures of each path, renewed "
                           "four times a second",
                           GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
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
    static const char *const names[N_SIGNALS] = { "path-up", "path-down", "caller-added",
                                                  "caller-removed" };
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
    for (int i = 0; i < N_SIGNALS; i++)
        signals[i] = g_signal_new(names[i], G_TYPE_FROM_CLASS(c), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
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
    gst_type_mark_as_plugin_api(mode_get_type(), 0);
}
