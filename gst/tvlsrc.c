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
#include "net_log.h"
#include "tvlsrc_internal.h"

#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()

enum {
    PROP_LATENCY = NET_N,
    PROP_KEEP,
    PROP_LAYERS,
    PROP_AUDIO,
};
enum { SIGNAL_LAYER_CHANGED, SIGNAL_CALLER_REJECTED, N_SIGNALS };
static guint signals[N_SIGNALS];

typedef GstElementClass TvlSrcClass;

static GType tvl_src_get_type(void);
G_DEFINE_TYPE_WITH_CODE(TvlSrc, tvl_src, GST_TYPE_ELEMENT,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, tvl_net_src_uri_init))
GST_ELEMENT_REGISTER_DEFINE(tvlsrc, "tvlsrc", GST_RANK_PRIMARY, tvl_src_get_type())

/* ---- what the source tells, on its thread ---- */

static GstClockTime running_time(gpointer user)
{
    const struct tvl_run *r = user;
    return gst_element_get_current_running_time(r->element);
}

static void on_tracks(gpointer user, const struct source_tracks *t)
{
    const struct tvl_run *r = user;
    if (tvl_run_is_current(r))
        tvl_src_take_tracks((TvlSrc *)r->element, t);
}

static void on_selected(gpointer user, guint slots)
{
    const struct tvl_run *r = user;
    if (tvl_run_is_current(r))
        tvl_src_take_selected((TvlSrc *)r->element, slots);
}

static void on_latency(gpointer user, guint latency_ms)
{
    const struct tvl_run *r = user;
    if (!tvl_run_is_current(r))
        return;
    GST_OBJECT_LOCK(r->element);
    ((TvlSrc *)r->element)->used_latency_ms = latency_ms;
    GST_OBJECT_UNLOCK(r->element);
    gst_element_post_message(r->element, gst_message_new_latency(GST_OBJECT(r->element)));
}

static void on_buffer(gpointer user, guint slot, GstBuffer *buffer)
{
    const struct tvl_run *r = user;
    if (tvl_run_is_current(r))
        tvl_src_put((TvlSrc *)r->element, slot, GST_MINI_OBJECT(buffer));
    else
        gst_buffer_unref(buffer);
}

static void on_end(gpointer user)
{
    const struct tvl_run *r = user;
    for (guint slot = 0; slot < SOURCE_SLOTS && tvl_run_is_current(r); slot++)
        tvl_src_put((TvlSrc *)r->element, slot, GST_MINI_OBJECT(gst_event_new_eos()));
}

static void on_failed(gpointer user, const gchar *why)
{
    tvl_run_failed(user, GST_RESOURCE_ERROR_OPEN_READ, why);
    on_end(user);
}

static void on_away(gpointer user, const gchar *why)
{
    tvl_run_away(user, GST_RESOURCE_ERROR_OPEN_READ, why);
}

static void on_caller(gpointer user, enum session_caller what, const gchar *address,
                      const gchar *why)
{
    static const gchar *const told[] = {
        [SESSION_CALLER_ADDED] = "tvl-caller-added",
        [SESSION_CALLER_REMOVED] = "tvl-caller-removed",
        [SESSION_CALLER_REFUSED] = "tvl-caller-rejected",
    };
    const struct tvl_run *r = user;
    if (!tvl_run_is_current(r))
        return;
    if (what == SESSION_CALLER_REFUSED)
        g_signal_emit(r->element, signals[SIGNAL_CALLER_REJECTED], 0, address, why);
    else
        g_signal_emit_by_name(r->element, told[what] + strlen("tvl-"), address);
    tvl_run_post(r, gst_structure_new(told[what], "address", G_TYPE_STRING, address, "reason",
                                      G_TYPE_STRING, why, NULL));
}

static void on_layer(gpointer user, guint slot, guint spatial)
{
    const struct tvl_run *r = user;
    gchar pad[32];
    if (!tvl_run_is_current(r))
        return;
    tvl_src_slot_name(slot, pad, sizeof pad);
    g_signal_emit(r->element, signals[SIGNAL_LAYER_CHANGED], g_quark_from_string(pad), spatial);
    tvl_run_post(r, gst_structure_new("tvl-layer-changed", "spatial", G_TYPE_UINT, spatial, "pad",
                                      G_TYPE_STRING, pad, NULL));
}

static const struct source_handler source_handler = { .now = running_time,
                                                      .on_tracks = on_tracks,
                                                      .on_latency = on_latency,
                                                      .on_selected = on_selected,
                                                      .on_buffer = on_buffer,
                                                      .on_end = on_end,
                                                      .on_failed = on_failed,
                                                      .on_away = on_away,
                                                      .on_interrupted = tvl_run_on_interrupted,
                                                      .on_path = tvl_run_on_path,
                                                      .on_caller = on_caller,
                                                      .on_layer = on_layer,
                                                      .on_stats = tvl_run_on_stats };

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

static gboolean check(TvlSrc *s)
{
    struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX];
    if (!tvl_net_check(GST_ELEMENT(s)))
        return FALSE;
    GST_OBJECT_LOCK(s);
    gchar *wrong = layers_of(s->layers, top) ? NULL : g_strdup(s->layers);
    GST_OBJECT_UNLOCK(s);
    if (wrong)
        GST_ELEMENT_ERROR(s, RESOURCE, SETTINGS, ("layers: \"%s\" is not like L2T2", wrong),
                          (NULL));
    g_free(wrong);
    return !wrong;
}

static gboolean start(TvlSrc *s)
{
    struct source_config cfg = { .handler = &source_handler, .user_gone = tvl_run_free };
    if (!check(s))
        return FALSE;
    cfg.user = tvl_net_start(GST_ELEMENT(s), &cfg.settings);
    GST_OBJECT_LOCK(s);
    s->eos = s->adding = FALSE;
    cfg.latency_ms = s->latency_ms;
    cfg.audio = s->audio;
    cfg.listen = s->net.listen;
    cfg.keep = s->keep;
    layers_of(s->layers, cfg.top);
    s->used_latency_ms = s->latency_ms ? s->latency_ms : SOURCE_LATENCY_DEFAULT;
    GST_OBJECT_UNLOCK(s);
    struct tvl_link *l = source_start(&cfg);
    GST_OBJECT_LOCK(s);
    s->link = l;
    GST_OBJECT_UNLOCK(s);
    if (!l) {
        tvl_net_stop(GST_ELEMENT(s));
        GST_ELEMENT_ERROR(s, RESOURCE, FAILED, ("no thread for the connection"), (NULL));
    }
    return l != NULL;
}

static void stop(TvlSrc *s)
{
    GST_OBJECT_LOCK(s);
    struct tvl_link *l = s->link;
    s->link = NULL;
    GST_OBJECT_UNLOCK(s);
    tvl_net_stop(GST_ELEMENT(s));
    tvl_link_stop(l);
    tvl_src_remove_pads(s);
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
        return tvl_src_answer_latency((TvlSrc *)e, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_URI)
        return tvl_src_answer_uri((TvlSrc *)e, query);
    return GST_ELEMENT_CLASS(tvl_src_parent_class)->query(e, query);
}

/* As a GstBaseSrc has them: EOS, which gst-launch-1.0 -e sends, and flushes, which are all pads'.
 */
static gboolean element_event(GstElement *e, GstEvent *event)
{
    TvlSrc *s = (TvlSrc *)e;
    const GstEventType type = GST_EVENT_TYPE(event);
    if (type == GST_EVENT_SELECT_STREAMS) {
        const gboolean selected = tvl_src_select_streams(s, event);
        gst_event_unref(event);
        return selected;
    }
    if (type != GST_EVENT_EOS && type != GST_EVENT_FLUSH_START && type != GST_EVENT_FLUSH_STOP)
        return GST_ELEMENT_CLASS(tvl_src_parent_class)->send_event(e, event);
    GST_OBJECT_LOCK(s);
    const gboolean running = s->link != NULL;
    GST_OBJECT_UNLOCK(s);
    if (running && type == GST_EVENT_EOS)
        tvl_src_end_all(s);
    else if (running)
        tvl_src_flush_all(s, event);
    gst_event_unref(event);
    return running;
}

/* ---- properties ---- */

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
    else if (id == PROP_KEEP)
        s->keep = g_value_get_boolean(value);
    else if (id == PROP_LAYERS)
        set_layers(s, value);
    else if (id == PROP_AUDIO)
        s->audio = g_value_get_boolean(value);
    else if (!tvl_net_set(&s->net, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    TvlSrc *s = (TvlSrc *)object;
    GST_OBJECT_LOCK(s);
    if (id == PROP_LATENCY)
        g_value_set_uint(value, s->latency_ms);
    else if (id == PROP_KEEP)
        g_value_set_boolean(value, s->keep);
    else if (id == PROP_LAYERS)
        g_value_set_string(value, s->layers);
    else if (id == PROP_AUDIO)
        g_value_set_boolean(value, s->audio);
    else if (!tvl_net_get(&s->net, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(s);
}

/* ---- class ---- */

static void finalize(GObject *object)
{
    TvlSrc *s = (TvlSrc *)object;
    tvl_net_clear(&s->net);
    g_free(s->layers);
    g_mutex_clear(&s->pads_lock);
    G_OBJECT_CLASS(tvl_src_parent_class)->finalize(object);
}

static void tvl_src_init(TvlSrc *s)
{
    tvl_net_init(GST_ELEMENT(s), &s->net);
    s->audio = TRUE;
    s->used_latency_ms = SOURCE_LATENCY_DEFAULT;
    s->selected = SOURCE_ALL_SLOTS;
    s->group = GST_GROUP_ID_INVALID;
    g_mutex_init(&s->pads_lock);
    GST_OBJECT_FLAG_SET(s, GST_ELEMENT_FLAG_SOURCE);
}

static void install_properties(GObjectClass *object)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    tvl_net_class_init(object,
                       "Who calls whom: caller subscribes to a server or a tvlsink that listens; "
                       "listener waits for a publisher, needs tls-certificate and tls-key, and "
                       "auth-token and tls-ca are what the publisher has to show then",
                       "State, and figures of each path and layer, renewed four times a second");
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
    signals[SIGNAL_LAYER_CHANGED] =
        g_signal_new("layer-changed", type, G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, 0, NULL, NULL,
                     NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
    signals[SIGNAL_CALLER_REJECTED] =
        g_signal_new("caller-rejected", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     2, G_TYPE_STRING, G_TYPE_STRING);
    tvl_src_add_templates(c);
    gst_element_class_set_static_metadata(c, "Layered multipath video source", "Source/Network",
                                          "Receives layered video, sound and data of a MoQT server "
                                          "over several network paths at once",
                                          "The svc-suite authors");
    gst_element_class_add_static_metadata(
        c, "example",
        "gst-launch-1.0 tvlsrc uri=moqt://HOST/live ! svcav1dec ! videoconvert ! autovideosink");
}
