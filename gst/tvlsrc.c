/*
 * tvlsrc.c - the element tvlsrc: a broadcast of a MoQT server (mode=caller), or of a publisher that
 * calls (mode=listener), over all paths there are, as pads.
 *
 *     link's thread (source.c) --buffers--> queue of each pad --task of each pad--> downstream
 *
 * Pads come with the catalog: svc_0 (video/x-svc, all layers), audio_0 (Opus), data_%u (opaque
 * tracks). Live: nothing flows in PAUSED, no state change waits for the network.
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
    GList *retired;               /* of TvlSrcPad, likewise: removed when their EOS has gone */
    guint group;                  /* id of the streams of this run */
    guint32 seqnum;               /* likewise, of its events */
    gboolean adding, eos;         /* pads are on their way; the application has sent EOS */
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

static const struct { /* as the templates, by slot up to SOURCE_DATA */
    const gchar *name;
    GstStreamType type;
} kinds[] = { { "svc", GST_STREAM_TYPE_VIDEO },
              { "audio", GST_STREAM_TYPE_AUDIO },
              { "data", GST_STREAM_TYPE_UNKNOWN } };

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

static void ask_for_key(TvlSrc *s, GstEvent *event)
{
    if (!wants_key(event))
        return;
    GST_OBJECT_LOCK(s);
    if (s->link)
        source_ask_key(s->link);
    GST_OBJECT_UNLOCK(s);
}

static gboolean pad_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CUSTOM_UPSTREAM:
        ask_for_key((TvlSrc *)parent, event);
        gst_event_unref(event);
        return TRUE;
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

static TvlSrcPad *make_pad(guint slot)
{
    const guint kind = MIN(slot, SOURCE_DATA);
    gchar own[32];
    GstPadTemplate *t = gst_static_pad_template_get(&templates[kind]);
    g_snprintf(own, sizeof own, "%s_%u", kinds[kind].name, slot - kind);
    TvlSrcPad *p = tvl_src_pad_new(t, own);
    gst_object_unref(t);
    gst_pad_set_query_function(GST_PAD(p), pad_query);
    gst_pad_set_event_function(GST_PAD(p), pad_event);
    return p;
}

static GstStream *make_stream(TvlSrc *s, GstPad *pad, guint slot, GstCaps *caps)
{
    gchar *id = gst_pad_create_stream_id(pad, GST_ELEMENT(s), GST_PAD_NAME(pad));
    GstStream *stream =
        gst_stream_new(id, caps, kinds[MIN(slot, SOURCE_DATA)].type, GST_STREAM_FLAG_SELECT);
    g_free(id);
    return stream;
}

/* What comes before the first buffer, of `caps` and among the streams of `all`, where there are
 * any. The pad is active, held and nobody's yet: it has what it is for when it is added, and what
 * flows flows from then on, the segment first. */
static void push_beginning(TvlSrcPad *p, GstStreamCollection *all, guint group, GstCaps *caps)
{
    GstPad *pad = GST_PAD(p);
    GstEvent *start = gst_event_new_stream_start(gst_stream_get_stream_id(p->stream));
    GstSegment segment;
    gst_event_set_group_id(start, group);
    gst_event_set_stream(start, p->stream);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, start);
    if (all)
        gst_pad_push_event(pad, gst_event_new_stream_collection(all));
    if (caps)
        gst_pad_push_event(pad, gst_event_new_caps(caps));
    tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_segment(&segment)));
}

/* Under pads_lock. */
static void number_run(TvlSrc *s)
{
    s->group = gst_util_group_id_next();
    s->seqnum = gst_util_seqnum_next();
}

/* Under pads_lock. A pad for `slot`, which nobody sees yet. */
static TvlSrcPad *new_pad(TvlSrc *s, guint slot, GstCaps *caps)
{
    TvlSrcPad *p = make_pad(slot);
    p->stream = make_stream(s, GST_PAD(p), slot, caps);
    p->seqnum = s->seqnum;
    return p;
}

/* Under pads_lock. What is there and what comes. */
static GstStreamCollection *collection_of(TvlSrc *s, TvlSrcPad *const fresh[SOURCE_SLOTS])
{
    GstStreamCollection *all = gst_stream_collection_new(GST_OBJECT_NAME(s));
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        TvlSrcPad *p = s->pad[slot] ? s->pad[slot] : fresh[slot];
        if (p)
            gst_stream_collection_add_stream(all, gst_object_ref(p->stream));
    }
    return all;
}

static void add_pad(TvlSrc *s, TvlSrcPad *p)
{
    gst_object_ref(p); /* who stops the element may remove it at once */
    gst_element_add_pad(GST_ELEMENT(s), GST_PAD(p));
    tvl_src_pad_open(p);
    gst_object_unref(p);
}

static void add_pads(TvlSrc *s, TvlSrcPad *const fresh[SOURCE_SLOTS],
                     GstCaps *const caps[SOURCE_SLOTS], GstStreamCollection *all)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        TvlSrcPad *p = fresh[slot];
        if (!p)
            continue;
        gst_pad_set_active(GST_PAD(p), TRUE);
        push_beginning(p, all, s->group, caps[slot]);
        g_mutex_lock(&s->pads_lock);
        s->pad[slot] = p;
        g_mutex_unlock(&s->pads_lock);
        add_pad(s, p);
    }
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

/* Under pads_lock. What is there stays, with these caps, or ends; what is not comes in `fresh`.
 * Result: the streams are others now: the collection; NULL: they are not. */
static GstStreamCollection *change_pads(TvlSrc *s, GstCaps *const caps[SOURCE_SLOTS],
                                        TvlSrcPad *fresh[SOURCE_SLOTS])
{
    gboolean others = FALSE;
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (caps[slot] && s->pad[slot]) {
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_caps(caps[slot])));
            continue;
        }
        others = others || caps[slot] || s->pad[slot];
        if (s->pad[slot])
            retire_pad(s, slot);
        else if (caps[slot])
            fresh[slot] = new_pad(s, slot, caps[slot]);
    }
    GstStreamCollection *all = others ? collection_of(s, fresh) : NULL;
    for (guint slot = 0; slot < SOURCE_SLOTS && all; slot++)
        if (s->pad[slot])
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_stream_collection(all)));
    return all;
}

/* On the link's thread. */
static void set_pads(TvlSrc *s, GstCaps *const caps[SOURCE_SLOTS])
{
    TvlSrcPad *fresh[SOURCE_SLOTS] = { NULL };
    gboolean first = TRUE;
    g_mutex_lock(&s->pads_lock);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        first = first && !s->pad[slot];
    if (first)
        number_run(s);
    GstStreamCollection *all = s->eos ? NULL : change_pads(s, caps, fresh);
    s->adding = all != NULL;
    g_mutex_unlock(&s->pads_lock);
    if (!all)
        return;
    gst_element_post_message(GST_ELEMENT(s), gst_message_new_stream_collection(GST_OBJECT(s), all));
    add_pads(s, fresh, caps, all);
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

/* On the link's thread. A catalog that comes again changes the caps of pads that are there. */
static void on_tracks(gpointer user, const struct source_tracks *t)
{
    const struct run *r = user;
    TvlSrc *s = r->src;
    GstCaps *caps[SOURCE_SLOTS] = { NULL };
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (t->slot[slot])
            caps[slot] = slot == SOURCE_VIDEO   ? track_video_caps(t->catalog, t->plan)
                         : slot == SOURCE_SOUND ? track_sound_caps(t->slot[slot])
                                                : track_data_caps(t->slot[slot]);
    if (is_current(r))
        set_pads(s, caps);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        gst_clear_caps(&caps[slot]);
}

static void remove_pads(TvlSrc *s)
{
    g_mutex_lock(&s->pads_lock);
    GList *all = g_steal_pointer(&s->retired);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (s->pad[slot])
            all = g_list_prepend(all, s->pad[slot]);
        s->pad[slot] = NULL;
    }
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

static void on_layer(gpointer user, guint spatial)
{
    const struct run *r = user;
    if (!is_current(r))
        return;
    g_signal_emit(r->src, signals[SIGNAL_LAYER_CHANGED], 0, spatial);
    post(r, gst_structure_new("tvl-layer-changed", "spatial", G_TYPE_UINT, spatial, NULL));
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

/* "" or NULL: all. */
static gboolean layers_of(const gchar *text, struct svc_layer *top)
{
    struct svc_structure st;
    *top = (struct svc_layer){ SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };
    if (!text || !*text)
        return TRUE;
    if (svc_structure_parse(&st, text) != 0)
        return FALSE;
    *top = (struct svc_layer){ (uint8_t)(st.n_spatial - 1), (uint8_t)(st.n_temporal - 1) };
    return TRUE;
}

/* What can be known to be wrong without asking anybody. */
static gboolean check(TvlSrc *s)
{
    struct path_spec paths[SESSION_PATHS_MAX];
    struct session_to to;
    struct svc_layer top;
    char why[300] = "";
    GST_OBJECT_LOCK(s);
    gboolean right = tvl_settings_to(&s->settings, &to, why, sizeof why) &&
                     tvl_settings_paths(&s->settings, paths, why, sizeof why) >= 0;
    if (right && !layers_of(s->layers, &top)) {
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
    layers_of(s->layers, &cfg.top);
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
    for (guint slot = 0; slot < SOURCE_DATA; slot++) {
        if (slot == SOURCE_SOUND && !s->audio)
            continue;
        g_mutex_lock(&s->pads_lock);
        TvlSrcPad *p = s->pad[slot] = new_pad(s, slot, NULL);
        g_mutex_unlock(&s->pads_lock);
        gst_pad_set_active(GST_PAD(p), TRUE);
        push_beginning(p, NULL, s->group, NULL);
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
    struct svc_layer top;
    g_free(s->layers);
    s->layers = g_value_dup_string(value);
    if (s->link && layers_of(s->layers, &top))
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
                            "Ask for no more layers than these, as in L2T1 (unset: all)", NULL,
                            flags | GST_PARAM_MUTABLE_PLAYING));
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
    signals[SIGNAL_LAYER_CHANGED] = g_signal_new("layer-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
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
