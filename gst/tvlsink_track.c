/* tvlsink_track.c - what comes into a pad of tvlsink, and what the catalog says of it. */
#include "layer_caps.h"
#include "net_log.h"
#include "track_caps.h"
#include "tvlsink_internal.h"

#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()
#define OPUS_RATE \
    48000 /* Hz of its clock, whatever it was made of: the rate of the caps (RFC 7845) */
#define OPUS_BPS 64000           /* until tags or 2 s of it say otherwise */
#define MEASURE_FIRST_US 2000000 /* of sound, for its bit rate where no tag says it */
#define MEASURE_AGAIN_US 10000000

typedef GstBaseSinkClass TvlSinkTrackClass;
G_DEFINE_TYPE(TvlSinkTrack, tvl_sink_track, GST_TYPE_BASE_SINK)

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

void tvl_sink_describe(TvlSink *s)
{
    struct publisher_tracks *what = g_new(struct publisher_tracks, 1);
    GST_OBJECT_LOCK(s);
    const guint latency_ms = s->latency_ms;
    GST_OBJECT_UNLOCK(s);
    if (s->publish && all_known(s, what))
        publish_describe(s->publish, what, latency_ms);
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
        tvl_sink_describe(t->sink);
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
            tvl_sink_describe(t->sink);
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
        tvl_sink_describe(t->sink);
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

void tvl_sink_track_forget(TvlSinkTrack *t)
{
    gst_clear_caps(&t->caps);
    t->ended = t->tagged = FALSE;
    t->note = (struct publisher_note){ .label = "" };
    t->bitrate_bps = 0;
    t->measured_bytes = 0;
    t->measure_us = 0;
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
