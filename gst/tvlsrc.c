/*
 * tvlsrc.c - the element tvlsrc: a broadcast of a MoQT server (mode=caller), or of a publisher that
 * calls (mode=listener), over all paths there are, as pads.
 *
 *     link's thread (source.c) --buffers--> queue of each pad --task of each pad--> downstream
 *
 * Pads come with the catalog: svc_%u (video/x-svc, all layers of a video), audio_%u (Opus),
 * data_%u (opaque tracks); what GST_EVENT_SELECT_STREAMS leaves out has none, and is not sent.
 * Live: nothing flows in PAUSED, no state change waits for the network.
 */
#include "elements.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"
#include "net_log.h"
#include "source.h"
#include "src_pad.h"
#include "track_caps.h"

#include <gst/video/video.h>
#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()

enum {
    PROP_LATENCY = SETTINGS_N,
    PROP_MODE,
    PROP_KEEP,
    PROP_LAYERS,
    PROP_AUDIO,
    PROP_STATS,
};
enum {
    SIGNAL_PATH_UP,
    SIGNAL_PATH_DOWN,
    SIGNAL_LAYER_CHANGED,
    SIGNAL_CALLER_ADDED,
    SIGNAL_CALLER_REMOVED,
    SIGNAL_CALLER_REJECTED,
    N_SIGNALS
};
static guint signals[N_SIGNALS];

/* ---- the element ---- */

typedef struct {
    GstElement element;
    /* the object's lock is for these */
    struct tvl_settings settings;
    guint latency_ms, used_latency_ms;
    gchar *layers;
    gboolean audio, listen, keep;
    GstStructure *stats;
    struct tvl_link *link; /* also under it, but started and stopped by state changes alone */
    guint run;             /* number of the link: what an earlier one says late is not heard */
    GMutex pads_lock;      /* of these */
    TvlSrcPad *pad[SOURCE_SLOTS]; /* borrowed from the element */
    struct stream {               /* of the catalog; caps NULL: none */
        GstCaps *caps;
        GstTagList *tags; /* may be NULL */
        GstStream *stream;
    } stream[SOURCE_SLOTS];
    guint selected;       /* slots, as a bit set */
    GList *retired;       /* of TvlSrcPad, likewise: removed when their EOS has gone */
    guint group;          /* id of the streams of this run */
    gboolean adding, eos; /* pads are on their way; the application has sent EOS */
    guint32 seqnum;       /* likewise, of its events */
} TvlSrc;
typedef GstElementClass TvlSrcClass;

static void uri_handler_init(gpointer iface, gpointer data);
static GType tvl_src_get_type(void);
G_DEFINE_TYPE_WITH_CODE(TvlSrc, tvl_src, GST_TYPE_ELEMENT,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(tvlsrc, "tvlsrc", GST_RANK_PRIMARY, tvl_src_get_type())

#define AUDIO_CAPS "audio/x-opus, channel-mapping-family=(int)0"
static GstStaticPadTemplate templates[] = {
    GST_STATIC_PAD_TEMPLATE("svc_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                            GST_STATIC_CAPS(TVL_CAPS_LAYERS)),
    GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                            GST_STATIC_CAPS(AUDIO_CAPS)),
    GST_STATIC_PAD_TEMPLATE("data_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
};

static const struct { /* as the templates */
    const gchar *name;
    GstStreamType type;
    guint first; /* slot */
} kinds[] = { { "svc", GST_STREAM_TYPE_VIDEO, SOURCE_VIDEO },
              { "audio", GST_STREAM_TYPE_AUDIO, SOURCE_SOUND },
              { "data", GST_STREAM_TYPE_UNKNOWN, SOURCE_DATA } };

static guint kind_of(guint slot)
{
    return slot < SOURCE_SOUND ? 0 : slot < SOURCE_DATA ? 1 : 2;
}

/* As GST_PAD_NAME of that slot. */
static void pad_name(guint slot, gchar *out, gsize size)
{
    const guint kind = kind_of(slot);
    g_snprintf(out, size, "%s_%u", kinds[kind].name, slot - kinds[kind].first);
}

struct run { /* what a link's callbacks get: the element, and which of its runs */
    TvlSrc *src;
    guint number;
};

static gboolean is_current(const struct run *r)
{
    GST_OBJECT_LOCK(r->src);
    const gboolean current = r->number == r->src->run;
    GST_OBJECT_UNLOCK(r->src);
    return current;
}

static void run_free(gpointer data)
{
    struct run *r = data;
    gst_object_unref(r->src);
    g_free(r);
}

/* ---- pads of a catalog ---- */

static gboolean answer_latency(TvlSrc *s, GstQuery *query)
{
    GST_OBJECT_LOCK(s);
    const GstClockTime latency = s->used_latency_ms * GST_MSECOND;
    GST_OBJECT_UNLOCK(s);
    gst_query_set_latency(query, TRUE, latency, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean pad_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_LATENCY:
        return answer_latency((TvlSrc *)parent, query);
    case GST_QUERY_SCHEDULING:
        gst_query_set_scheduling(
            query, GST_SCHEDULING_FLAG_SEQUENTIAL | GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED, 1, -1,
            0);
        gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
        return TRUE;
    case GST_QUERY_SEEKING:
        gst_query_set_seeking(query, GST_FORMAT_TIME, FALSE, 0, -1);
        return TRUE;
    case GST_QUERY_DURATION:
        return FALSE;
    default:
        return gst_pad_query_default(pad, parent, query);
    }
}

/* Of layers that are lost the server knows by itself; without the base nothing is left. */
static gboolean wants_key(GstEvent *event)
{
    guint spatial;
    return gst_video_event_is_force_key_unit(event) ||
           (tvl_layer_refresh_event_parse(event, &spatial, NULL) && spatial == 0);
}

static void ask_for_key(TvlSrc *s, GstPad *pad, GstEvent *event)
{
    guint slot = 0;
    if (!wants_key(event))
        return;
    g_mutex_lock(&s->pads_lock);
    while (slot < SOURCE_SLOTS && (GstPad *)s->pad[slot] != pad)
        slot++;
    g_mutex_unlock(&s->pads_lock);
    GST_OBJECT_LOCK(s);
    if (s->link && slot < SOURCE_SLOTS)
        source_ask_key(s->link, slot);
    GST_OBJECT_UNLOCK(s);
}

/* Those of the streams that are named; the link's thread sees to it. */
static gboolean select_streams(TvlSrc *s, GstEvent *event)
{
    GList *ids = NULL;
    guint slots = 0;
    gst_event_parse_select_streams(event, &ids);
    g_mutex_lock(&s->pads_lock);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream &&
            g_list_find_custom(ids, gst_stream_get_stream_id(s->stream[slot].stream),
                               (GCompareFunc)g_strcmp0))
            slots |= 1u << slot;
    g_mutex_unlock(&s->pads_lock);
    g_list_free_full(ids, g_free);
    GST_OBJECT_LOCK(s);
    if (s->link && slots)
        source_select(s->link, slots);
    GST_OBJECT_UNLOCK(s);
    return slots != 0;
}

static gboolean pad_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CUSTOM_UPSTREAM:
        ask_for_key((TvlSrc *)parent, pad, event);
        gst_event_unref(event);
        return TRUE;
    case GST_EVENT_SELECT_STREAMS: {
        const gboolean selected = select_streams((TvlSrc *)parent, event);
        gst_event_unref(event);
        return selected;
    }
    case GST_EVENT_SEEK: /* live */
    case GST_EVENT_QOS:
        gst_event_unref(event);
        return FALSE;
    case GST_EVENT_RECONFIGURE:
    case GST_EVENT_LATENCY:
        gst_event_unref(event);
        return TRUE;
    default:
        return gst_pad_event_default(pad, parent, event);
    }
}

/* Under pads_lock. */
static TvlSrcPad *make_pad(TvlSrc *s, guint slot)
{
    gchar own[32];
    GstPadTemplate *t = gst_static_pad_template_get(&templates[kind_of(slot)]);
    pad_name(slot, own, sizeof own);
    TvlSrcPad *p = tvl_src_pad_new(t, own);
    gst_object_unref(t);
    p->seqnum = s->seqnum;
    gst_pad_set_query_function(GST_PAD(p), pad_query);
    gst_pad_set_event_function(GST_PAD(p), pad_event);
    return p;
}

/* Of several videos and sounds the first are what is shown unless somebody chooses. */
static GstStream *make_stream(TvlSrc *s, GstPad *pad, guint slot)
{
    const guint kind = kind_of(slot);
    const gboolean first = slot == kinds[kind].first || kind == 2;
    gchar *id = gst_pad_create_stream_id(pad, GST_ELEMENT(s), GST_PAD_NAME(pad));
    GstStream *stream = gst_stream_new(id, s->stream[slot].caps, kinds[kind].type,
                                       first ? GST_STREAM_FLAG_SELECT : GST_STREAM_FLAG_NONE);
    g_free(id);
    return stream;
}

/* Under pads_lock. What comes before the first buffer, of the slot's stream and among those of
 * `all`; either may be none. The pad is active, held and nobody's yet: it has what it is for when
 * it is added, and what flows flows from then on, the segment first. */
static void push_beginning(TvlSrc *s, TvlSrcPad *p, GstStream *stream, GstStreamCollection *all,
                           const struct stream *of)
{
    GstPad *pad = GST_PAD(p);
    GstEvent *start = gst_event_new_stream_start(gst_stream_get_stream_id(stream));
    GstSegment segment;
    gst_event_set_group_id(start, s->group);
    gst_event_set_stream(start, stream);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, start);
    if (all)
        gst_pad_push_event(pad, gst_event_new_stream_collection(all));
    if (of->caps)
        gst_pad_push_event(pad, gst_event_new_caps(of->caps));
    tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_segment(&segment)));
    if (of->tags)
        tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_tag(gst_tag_list_ref(of->tags))));
}

/* Under pads_lock. */
static void number_run(TvlSrc *s)
{
    s->group = gst_util_group_id_next();
    s->seqnum = gst_util_seqnum_next();
}

/* Under pads_lock. What the catalog has. */
static GstStreamCollection *collection_of(TvlSrc *s)
{
    GstStreamCollection *all = gst_stream_collection_new(GST_OBJECT_NAME(s));
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream)
            gst_stream_collection_add_stream(all, gst_object_ref(s->stream[slot].stream));
    return all;
}

static void add_pad(TvlSrc *s, TvlSrcPad *p)
{
    gst_object_ref(p); /* who stops the element may remove it at once */
    gst_element_add_pad(GST_ELEMENT(s), GST_PAD(p));
    tvl_src_pad_open(p);
    gst_object_unref(p);
}

static void remove_pad(TvlSrc *s, TvlSrcPad *p)
{
    gst_pad_set_active(GST_PAD(p), FALSE);
    gst_element_remove_pad(GST_ELEMENT(s), GST_PAD(p));
}

/* A retired pad has pushed its EOS; or the element has stopped, and whoever finds it in the list
 * removes it. */
static void on_gone(GstElement *e, gpointer pad)
{
    TvlSrc *s = (TvlSrc *)e;
    g_mutex_lock(&s->pads_lock);
    GList *found = g_list_find(s->retired, pad);
    s->retired = found ? g_list_delete_link(s->retired, found) : s->retired;
    g_mutex_unlock(&s->pads_lock);
    if (found)
        remove_pad(s, pad);
}

/* One of that name that has not got rid of its EOS yet makes room. */
static void remove_retired(TvlSrc *s, const gchar *name)
{
    TvlSrcPad *found = NULL;
    g_mutex_lock(&s->pads_lock);
    for (GList *l = s->retired; l && !found; l = l->next)
        if (strcmp(GST_PAD_NAME(l->data), name) == 0)
            found = l->data;
    s->retired = found ? g_list_remove(s->retired, found) : s->retired;
    g_mutex_unlock(&s->pads_lock);
    if (found)
        remove_pad(s, found);
}

static void add_pads(TvlSrc *s, TvlSrcPad *const fresh[SOURCE_SLOTS], GstStreamCollection *all)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        GstPad *pad = GST_PAD(fresh[slot]);
        if (!pad)
            continue;
        remove_retired(s, GST_PAD_NAME(pad));
        gst_pad_set_active(pad, TRUE);
        g_mutex_lock(&s->pads_lock);
        const gboolean there = s->stream[slot].stream != NULL; /* else it has stopped meanwhile */
        if (there) {
            push_beginning(s, fresh[slot], s->stream[slot].stream, all, &s->stream[slot]);
            s->pad[slot] = fresh[slot];
        }
        g_mutex_unlock(&s->pads_lock);
        if (there) {
            add_pad(s, fresh[slot]);
        } else {
            gst_pad_set_active(pad, FALSE);
            gst_object_unref(gst_object_ref_sink(pad));
        }
    }
}

/* Under pads_lock. */
static void retire_pad(TvlSrc *s, guint slot)
{
    TvlSrcPad *p = s->pad[slot];
    s->pad[slot] = NULL;
    s->retired = g_list_prepend(s->retired, p);
    g_mutex_lock(&p->lock);
    p->gone = on_gone;
    g_mutex_unlock(&p->lock);
    tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_eos()));
}

/* Under pads_lock. What of the streams is selected has a pad, with these caps; a new one comes in
 * `fresh`. `anew`: slots that have another stream now. */
static void change_pads(TvlSrc *s, guint anew, TvlSrcPad *fresh[SOURCE_SLOTS])
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        struct stream *of = &s->stream[slot];
        const gboolean wanted = of->caps && s->selected >> slot & 1;
        if (s->pad[slot] && (!wanted || anew >> slot & 1))
            retire_pad(s, slot);
        if (!wanted)
            continue;
        if (s->pad[slot]) {
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_caps(of->caps)));
            if (of->tags)
                tvl_src_pad_put(s->pad[slot],
                                GST_MINI_OBJECT(gst_event_new_tag(gst_tag_list_ref(of->tags))));
            continue;
        }
        fresh[slot] = make_pad(s, slot);
        if (!of->stream)
            of->stream = make_stream(s, GST_PAD(fresh[slot]), slot);
    }
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream) {
            gst_stream_set_caps(s->stream[slot].stream, s->stream[slot].caps);
            gst_stream_set_tags(s->stream[slot].stream, s->stream[slot].tags);
        }
}

/* On the link's thread. Pads for the streams that are; `anew` as above, `others`: they are not the
 * same as before. */
static void set_pads(TvlSrc *s, guint anew, gboolean others)
{
    TvlSrcPad *fresh[SOURCE_SLOTS] = { NULL };
    g_mutex_lock(&s->pads_lock);
    const gboolean first = s->group == GST_GROUP_ID_INVALID;
    if (first)
        number_run(s);
    if (s->eos) {
        g_mutex_unlock(&s->pads_lock);
        return;
    }
    change_pads(s, anew, fresh);
    s->adding = TRUE;
    GstStreamCollection *all = collection_of(s);
    for (guint slot = 0; slot < SOURCE_SLOTS && others; slot++)
        if (s->pad[slot])
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_stream_collection(all)));
    g_mutex_unlock(&s->pads_lock);
    if (others)
        gst_element_post_message(GST_ELEMENT(s),
                                 gst_message_new_stream_collection(GST_OBJECT(s), all));
    add_pads(s, fresh, all);
    gst_object_unref(all);
    g_mutex_lock(&s->pads_lock);
    s->adding = FALSE;
    for (guint slot = 0; slot < SOURCE_SLOTS && s->eos; slot++)
        if (fresh[slot])
            tvl_src_pad_put(fresh[slot], GST_MINI_OBJECT(gst_event_new_eos()));
    g_mutex_unlock(&s->pads_lock);
    if (first)
        gst_element_no_more_pads(GST_ELEMENT(s));
}

static void stream_clear(struct stream *of)
{
    gst_clear_caps(&of->caps);
    gst_clear_tag_list(&of->tags);
    gst_clear_object(&of->stream);
}

/* Under pads_lock. Result: the streams are not the same as before. */
static gboolean take_streams(TvlSrc *s, const struct source_tracks *t)
{
    gboolean others = FALSE;
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        struct stream *of = &s->stream[slot];
        const struct msf_track *track = t->slot[slot];
        const gboolean anew = !track || t->fresh >> slot & 1;
        others = others || (anew && (track || of->caps));
        if (anew)
            stream_clear(of);
        if (!track)
            continue;
        gst_clear_caps(&of->caps);
        gst_clear_tag_list(&of->tags);
        of->caps = kind_of(slot) == 0   ? track_video_caps(t->catalog, t->plan, track)
                   : kind_of(slot) == 1 ? track_sound_caps(track)
                                        : track_data_caps(track);
        of->tags = track_tags(track);
    }
    s->selected |= t->fresh;
    return others;
}

/* On the link's thread. A catalog that comes again changes the caps of pads that are there. */
static void on_tracks(gpointer user, const struct source_tracks *t)
{
    const struct run *r = user;
    TvlSrc *s = r->src;
    if (!is_current(r))
        return;
    g_mutex_lock(&s->pads_lock);
    const gboolean others = take_streams(s, t);
    g_mutex_unlock(&s->pads_lock);
    set_pads(s, t->fresh, others);
}

/* On the link's thread. */
static void on_selected(gpointer user, guint slots)
{
    const struct run *r = user;
    TvlSrc *s = r->src;
    if (!is_current(r))
        return;
    g_mutex_lock(&s->pads_lock);
    s->selected = slots;
    g_mutex_unlock(&s->pads_lock);
    set_pads(s, 0, FALSE);
    g_mutex_lock(&s->pads_lock);
    GstStreamCollection *all = collection_of(s);
    GstMessage *message = gst_message_new_streams_selected(GST_OBJECT(s), all);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->pad[slot])
            gst_message_streams_selected_add(message, s->stream[slot].stream);
    g_mutex_unlock(&s->pads_lock);
    gst_object_unref(all);
    gst_element_post_message(GST_ELEMENT(s), message);
}

static void remove_pads(TvlSrc *s)
{
    g_mutex_lock(&s->pads_lock);
    GList *all = g_steal_pointer(&s->retired);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (s->pad[slot])
            all = g_list_prepend(all, s->pad[slot]);
        s->pad[slot] = NULL;
        stream_clear(&s->stream[slot]);
    }
    s->selected = SOURCE_ALL_SLOTS;
    s->group = GST_GROUP_ID_INVALID;
    g_mutex_unlock(&s->pads_lock);
    for (GList *l = all; l; l = l->next)
        remove_pad(s, l->data);
    g_list_free(all);
}

/* ---- what the source tells, on its thread ---- */

static GstClockTime running_time(gpointer user)
{
    const struct run *r = user;
    return gst_element_get_current_running_time(GST_ELEMENT(r->src));
}

static void put(const struct run *r, guint slot, GstMiniObject *o)
{
    TvlSrc *s = r->src;
    const gboolean current = is_current(r);
    g_mutex_lock(&s->pads_lock);
    if (current && s->pad[slot] && !s->eos)
        tvl_src_pad_put(s->pad[slot], o);
    else
        gst_mini_object_unref(o);
    g_mutex_unlock(&s->pads_lock);
}

static void on_latency(gpointer user, guint latency_ms)
{
    const struct run *r = user;
    if (!is_current(r))
        return;
    GST_OBJECT_LOCK(r->src);
    r->src->used_latency_ms = latency_ms;
    GST_OBJECT_UNLOCK(r->src);
    gst_element_post_message(GST_ELEMENT(r->src), gst_message_new_latency(GST_OBJECT(r->src)));
}

static void on_buffer(gpointer user, guint slot, GstBuffer *buffer)
{
    put(user, slot, GST_MINI_OBJECT(buffer));
}

static void on_end(gpointer user)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        put(user, slot, GST_MINI_OBJECT(gst_event_new_eos()));
}

static void post(const struct run *r, GstStructure *what)
{
    if (is_current(r))
        gst_element_post_message(GST_ELEMENT(r->src),
                                 gst_message_new_element(GST_OBJECT(r->src), what));
    else
        gst_structure_free(what);
}

static void on_failed(gpointer user, const gchar *why)
{
    const struct run *r = user;
    if (!is_current(r))
        return;
    GST_ELEMENT_ERROR(r->src, RESOURCE, OPEN_READ, ("%s%s", why, tvl_settings_hint(why)), (NULL));
    on_end(user);
}

static void on_away(gpointer user, const gchar *why)
{
    const struct run *r = user;
    if (is_current(r))
        GST_ELEMENT_WARNING(r->src, RESOURCE, OPEN_READ, ("%s; it is tried again", why), (NULL));
}

static void on_interrupted(gpointer user, const gchar *why)
{
    post(user, gst_structure_new("tvl-interrupted", "reason", G_TYPE_STRING, why, NULL));
}

static void on_path(gpointer user, const gchar *path, gboolean up)
{
    const struct run *r = user;
    if (!is_current(r))
        return;
    g_signal_emit(r->src, signals[up ? SIGNAL_PATH_UP : SIGNAL_PATH_DOWN], 0, path);
    post(r, gst_structure_new(up ? "tvl-path-up" : "tvl-path-down", "path", G_TYPE_STRING, path,
                              NULL));
}

static void on_caller(gpointer user, enum session_caller what, const gchar *address,
                      const gchar *why)
{
    static const struct {
        int signal;
        const gchar *message;
    } told[] = {
        [SESSION_CALLER_ADDED] = { SIGNAL_CALLER_ADDED, "tvl-caller-added" },
        [SESSION_CALLER_REMOVED] = { SIGNAL_CALLER_REMOVED, "tvl-caller-removed" },
        [SESSION_CALLER_REFUSED] = { SIGNAL_CALLER_REJECTED, "tvl-caller-rejected" },
    };
    const struct run *r = user;
    if (!is_current(r))
        return;
    if (what == SESSION_CALLER_REFUSED)
        g_signal_emit(r->src, signals[told[what].signal], 0, address, why);
    else
        g_signal_emit(r->src, signals[told[what].signal], 0, address);
    post(r, gst_structure_new(told[what].message, "address", G_TYPE_STRING, address, "reason",
                              G_TYPE_STRING, why, NULL));
}

static void on_layer(gpointer user, guint slot, guint spatial)
{
    const struct run *r = user;
    gchar pad[32];
    if (!is_current(r))
        return;
    pad_name(slot, pad, sizeof pad);
    g_signal_emit(r->src, signals[SIGNAL_LAYER_CHANGED], g_quark_from_string(pad), spatial);
    post(r, gst_structure_new("tvl-layer-changed", "spatial", G_TYPE_UINT, spatial, "pad",
                              G_TYPE_STRING, pad, NULL));
}

static void on_stats(gpointer user, GstStructure *stats)
{
    const struct run *r = user;
    GST_OBJECT_LOCK(r->src);
    if (r->number == r->src->run) {
        GstStructure *old = r->src->stats;
        r->src->stats = stats;
        stats = old;
    }
    GST_OBJECT_UNLOCK(r->src);
    if (stats)
        gst_structure_free(stats);
}

static const struct source_handler source_handler = { .now = running_time,
                                                      .on_tracks = on_tracks,
                                                      .on_latency = on_latency,
                                                      .on_selected = on_selected,
                                                      .on_buffer = on_buffer,
                                                      .on_end = on_end,
                                                      .on_failed = on_failed,
                                                      .on_away = on_away,
                                                      .on_interrupted = on_interrupted,
                                                      .on_path = on_path,
                                                      .on_caller = on_caller,
                                                      .on_layer = on_layer,
                                                      .on_stats = on_stats };

/* ---- states ---- */

/* "L2T1", or several with ';' between, by svc pad; the last is also of those that follow. An empty
 * one or NULL: all. */
static gboolean layers_of(const gchar *text, struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX])
{
    gchar **part = g_strsplit(text ? text : "", ";", -1);
    gboolean right = g_strv_length(part) <= SUBSCRIPTION_VIDEOS_MAX;
    struct svc_layer last = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };
    gchar **at = part;
    for (guint i = 0; i < SUBSCRIPTION_VIDEOS_MAX && right; i++) {
        struct svc_structure st = { .n_spatial = SVC_SPATIAL_MAX, .n_temporal = SVC_TEMPORAL_MAX };
        const gchar *one = *at ? g_strstrip(*at) : NULL;
        right = !one || !*one || svc_structure_parse(&st, one) == 0;
        if (one)
            last = (struct svc_layer){ (uint8_t)(st.n_spatial - 1), (uint8_t)(st.n_temporal - 1) };
        top[i] = last;
        at += one != NULL;
    }
    g_strfreev(part);
    return right;
}

/* What can be known to be wrong without asking anybody. */
static gboolean check(TvlSrc *s)
{
    struct path_spec paths[SESSION_PATHS_MAX];
    struct session_to to;
    struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX];
    char why[300] = "";
    GST_OBJECT_LOCK(s);
    gboolean right = tvl_settings_to(&s->settings, &to, why, sizeof why) &&
                     tvl_settings_paths(&s->settings, paths, why, sizeof why) >= 0;
    if (right && !layers_of(s->layers, top)) {
        g_snprintf(why, sizeof why, "layers: \"%s\" is not like L2T2", s->layers);
        right = FALSE;
    }
    const gboolean no_pair = right && s->listen && !to.cert_file;
    GST_OBJECT_UNLOCK(s);
    if (no_pair)
        GST_ELEMENT_ERROR(s, RESOURCE, SETTINGS, ("a listener needs tls-certificate and tls-key"),
                          (TVL_SETTINGS_CERTIFICATE_HINT));
    else if (!right)
        GST_ELEMENT_ERROR(s, RESOURCE, SETTINGS, ("%s", why), (NULL));
    return right && !no_pair;
}

static gboolean start(TvlSrc *s)
{
    struct source_config cfg = { .handler = &source_handler, .user_gone = run_free };
    struct run *r = g_new(struct run, 1);
    if (!check(s)) {
        g_free(r);
        return FALSE;
    }
    GST_OBJECT_LOCK(s);
    *r = (struct run){ gst_object_ref(s), ++s->run };
    cfg.user = r;
    s->eos = s->adding = FALSE;
    tvl_settings_copy(&cfg.settings, &s->settings);
    cfg.latency_ms = s->latency_ms;
    cfg.audio = s->audio;
    cfg.listen = s->listen;
    cfg.keep = s->keep;
    layers_of(s->layers, cfg.top);
    s->used_latency_ms = s->latency_ms ? s->latency_ms : SOURCE_LATENCY_DEFAULT;
    GST_OBJECT_UNLOCK(s);
    struct tvl_link *l = source_start(&cfg);
    GST_OBJECT_LOCK(s);
    s->link = l;
    GST_OBJECT_UNLOCK(s);
    if (!l)
        GST_ELEMENT_ERROR(s, RESOURCE, FAILED, ("no thread for the connection"), (NULL));
    return l != NULL;
}

static void stop(TvlSrc *s)
{
    GST_OBJECT_LOCK(s);
    struct tvl_link *l = s->link;
    s->link = NULL;
    s->run++;
    GST_OBJECT_UNLOCK(s);
    tvl_link_stop(l);
    remove_pads(s);
}

static GstStateChangeReturn change_state(GstElement *e, GstStateChange change)
{
    TvlSrc *s = (TvlSrc *)e;
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED && !start(s))
        return GST_STATE_CHANGE_FAILURE;
    if (change == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
        source_play(s->link, FALSE);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
        stop(s);
    GstStateChangeReturn result = GST_ELEMENT_CLASS(tvl_src_parent_class)->change_state(e, change);
    if (result == GST_STATE_CHANGE_FAILURE) {
        if (change == GST_STATE_CHANGE_READY_TO_PAUSED)
            stop(s);
        return result;
    }
    if (change == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
        source_play(s->link, TRUE);
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED || change == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
        return GST_STATE_CHANGE_NO_PREROLL;
    return result;
}

static gboolean element_query(GstElement *e, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        return answer_latency((TvlSrc *)e, query);
    return GST_ELEMENT_CLASS(tvl_src_parent_class)->query(e, query);
}

/* ---- events of the application ---- */

/* Before the catalog there are no pads, and whoever waits for them would wait for ever: they come
 * without caps, to end. */
static void add_pads_to_end(TvlSrc *s)
{
    for (guint kind = 0; kind <= (s->audio ? 1 : 0); kind++) {
        const guint slot = kinds[kind].first;
        g_mutex_lock(&s->pads_lock);
        TvlSrcPad *p = s->pad[slot] = make_pad(s, slot);
        GstStream *stream = make_stream(s, GST_PAD(p), slot);
        g_mutex_unlock(&s->pads_lock);
        gst_pad_set_active(GST_PAD(p), TRUE);
        g_mutex_lock(&s->pads_lock);
        push_beginning(s, p, stream, NULL, &(struct stream){ NULL });
        g_mutex_unlock(&s->pads_lock);
        gst_object_unref(stream);
        tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_eos()));
        add_pad(s, p);
    }
    gst_element_no_more_pads(GST_ELEMENT(s));
}

static void end_all(TvlSrc *s)
{
    g_mutex_lock(&s->pads_lock);
    const gboolean again = s->eos;
    gboolean none = !s->adding;
    s->eos = TRUE;
    for (guint slot = 0; slot < SOURCE_SLOTS && !again; slot++) {
        if (!s->pad[slot])
            continue;
        none = FALSE;
        tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_eos()));
    }
    if (none)
        number_run(s);
    g_mutex_unlock(&s->pads_lock);
    if (none && !again)
        add_pads_to_end(s);
}

/* FLUSH_START or FLUSH_STOP, to every pad. */
static void flush_all(TvlSrc *s, GstEvent *event)
{
    TvlSrcPad *pad[SOURCE_SLOTS];
    g_mutex_lock(&s->pads_lock);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        pad[slot] = s->pad[slot] ? gst_object_ref(s->pad[slot]) : NULL;
    s->eos = FALSE;
    g_mutex_unlock(&s->pads_lock);
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
        GST_OBJECT_LOCK(s);
        source_flush(s->link);
        GST_OBJECT_UNLOCK(s);
    }
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (pad[slot])
            tvl_src_pad_flush(pad[slot], gst_event_ref(event));
        gst_clear_object(&pad[slot]);
    }
}

/* As a GstBaseSrc has them: EOS, which gst-launch-1.0 -e sends, and flushes, which are all pads'.
 */
static gboolean element_event(GstElement *e, GstEvent *event)
{
    TvlSrc *s = (TvlSrc *)e;
    const GstEventType type = GST_EVENT_TYPE(event);
    if (type == GST_EVENT_SELECT_STREAMS) {
        const gboolean selected = select_streams(s, event);
        gst_event_unref(event);
        return selected;
    }
    if (type != GST_EVENT_EOS && type != GST_EVENT_FLUSH_START && type != GST_EVENT_FLUSH_STOP)
        return GST_ELEMENT_CLASS(tvl_src_parent_class)->send_event(e, event);
    GST_OBJECT_LOCK(s);
    const gboolean running = s->link != NULL;
    GST_OBJECT_UNLOCK(s);
    if (running && type == GST_EVENT_EOS)
        end_all(s);
    else if (running)
        flush_all(s, event);
    gst_event_unref(event);
    return running;
}

/* ---- properties ---- */

static GType mode_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { 0, "Calls a server or a listening publisher, and subscribes", "caller" },
        { 1, "Waits for a publisher to call", "listener" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        const gsize made = g_enum_register_static("TvlSrcMode", values);
        g_once_init_leave(&type, made);
    }
    return type;
}

static void set_layers(TvlSrc *s, const GValue *value)
{
    struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX];
    g_free(s->layers);
    s->layers = g_value_dup_string(value);
    if (s->link && layers_of(s->layers, top))
        source_ask(s->link, top);
}

static void set_latency(TvlSrc *s, const GValue *value)
{
    s->latency_ms = g_value_get_uint(value);
    if (s->link)
        source_set_latency(s->link, s->latency_ms);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    TvlSrc *s = (TvlSrc *)object;
    GST_OBJECT_LOCK(s);
    if (id == PROP_LATENCY)
        set_latency(s, value);
    else if (id == PROP_MODE)
        s->listen = g_value_get_enum(value) == 1;
    else if (id == PROP_KEEP)
        s->keep = g_value_get_boolean(value);
    else if (id == PROP_LAYERS)
        set_layers(s, value);
    else if (id == PROP_AUDIO)
        s->audio = g_value_get_boolean(value);
    else if (!tvl_settings_set(&s->settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    TvlSrc *s = (TvlSrc *)object;
    GST_OBJECT_LOCK(s);
    if (id == PROP_LATENCY)
        g_value_set_uint(value, s->latency_ms);
    else if (id == PROP_MODE)
        g_value_set_enum(value, s->listen);
    else if (id == PROP_KEEP)
        g_value_set_boolean(value, s->keep);
    else if (id == PROP_LAYERS)
        g_value_set_string(value, s->layers);
    else if (id == PROP_AUDIO)
        g_value_set_boolean(value, s->audio);
    else if (id == PROP_STATS)
        g_value_set_boxed(value, s->stats);
    else if (!tvl_settings_get(&s->settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

static GstURIType uri_type(GType type)
{
    (void)type;
    return GST_URI_SRC;
}

static const gchar *const *uri_protocols(GType type)
{
    static const gchar *const protocols[] = { "moqt", NULL };
    (void)type;
    return protocols;
}

static gchar *uri_get(GstURIHandler *handler)
{
    TvlSrc *s = (TvlSrc *)handler;
    GST_OBJECT_LOCK(s);
    gchar *uri = g_strdup(s->settings.text[SETTINGS_URI]);
    GST_OBJECT_UNLOCK(s);
    return uri;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *uri, GError **error)
{
    TvlSrc *s = (TvlSrc *)handler;
    GST_OBJECT_LOCK(s);
    const gboolean running = s->link != NULL;
    const gboolean right = !running && tvl_settings_set_uri(&s->settings, uri, error);
    GST_OBJECT_UNLOCK(s);
    if (running)
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                    "the uri is set in NULL or READY only");
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
    TvlSrc *s = (TvlSrc *)object;
    tvl_settings_clear(&s->settings);
    g_free(s->layers);
    if (s->stats)
        gst_structure_free(s->stats);
    g_mutex_clear(&s->pads_lock);
    G_OBJECT_CLASS(tvl_src_parent_class)->finalize(object);
}

static void tvl_src_init(TvlSrc *s)
{
    tvl_settings_init(&s->settings);
    s->audio = TRUE;
    s->used_latency_ms = SOURCE_LATENCY_DEFAULT;
    s->selected = SOURCE_ALL_SLOTS;
    s->group = GST_GROUP_ID_INVALID;
    s->stats = gst_structure_new_empty("tvl-stats");
    g_mutex_init(&s->pads_lock);
    GST_OBJECT_FLAG_SET(s, GST_ELEMENT_FLAG_SOURCE);
}

static void install_properties(GObjectClass *object)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    tvl_settings_install(object);
    g_object_class_install_property(
        object, PROP_MODE,
        g_param_spec_enum(
            "mode", "Mode",
            "Who calls whom. A listener needs tls-certificate and tls-key; auth-token "
            "and tls-ca are what a publisher has to show then",
            mode_get_type(), 0, flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        object, PROP_KEEP,
        g_param_spec_boolean("keep-listening", "Keep listening",
                             "As listener: wait for the next publisher when a broadcast has ended, "
                             "instead of EOS",
                             FALSE, flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        object, PROP_LATENCY,
        g_param_spec_uint("latency", "Latency",
                          "Milliseconds from a picture's capture to its showing, on top of the way "
                          "here (0: what the broadcast asks for)",
                          0, 10000, 0, flags | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        object, PROP_LAYERS,
        g_param_spec_string("layers", "Layers",
                            "Ask for no more layers than these, as in L2T1 (unset: all); of "
                            "several videos with ';' between, the last also for those that follow",
                            NULL, flags | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(object, PROP_AUDIO,
                                    g_param_spec_boolean("audio", "Audio", "Ask for the sound, too",
                                                         TRUE, flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        object, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "State, and figures of each path and layer, renewed four times a second",
                           GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void tvl_src_class_init(TvlSrcClass *c)
{
    GObjectClass *object = G_OBJECT_CLASS(c);
    object->finalize = finalize;
    object->set_property = set_property;
    object->get_property = get_property;
    c->change_state = change_state;
    c->query = element_query;
    c->send_event = element_event;
    install_properties(object);
    const GType type = G_TYPE_FROM_CLASS(c);
    signals[SIGNAL_PATH_UP] = g_signal_new("path-up", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                           G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_PATH_DOWN] = g_signal_new("path-down", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                             NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_LAYER_CHANGED] =
        g_signal_new("layer-changed", type, G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, 0, NULL, NULL,
                     NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
    signals[SIGNAL_CALLER_ADDED] = g_signal_new("caller-added", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_CALLER_REMOVED] = g_signal_new("caller-removed", type, G_SIGNAL_RUN_LAST, 0,
                                                  NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_CALLER_REJECTED] =
        g_signal_new("caller-rejected", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     2, G_TYPE_STRING, G_TYPE_STRING);
    for (gsize i = 0; i < G_N_ELEMENTS(templates); i++)
        gst_element_class_add_static_pad_template(c, &templates[i]);
    gst_type_mark_as_plugin_api(mode_get_type(), 0);
    gst_element_class_set_static_metadata(c, "Layered multipath video source", "Source/Network",
                                          "Receives layered video, sound and data of a MoQT server "
                                          "over several network paths at once",
                                          "The svc-suite authors");
    gst_element_class_add_static_metadata(
        c, "example",
        "gst-launch-1.0 tvlsrc uri=moqt://HOST/live ! svcav1dec ! videoconvert ! autovideosink");
}
