/* net_element.c - see net_element.h. */
#include "net_element.h"

#include "net_log.h"

#define GST_CAT_DEFAULT tvl_debug_category()

static GQuark quark(void)
{
    static gsize q;
    if (g_once_init_enter(&q))
        g_once_init_leave(&q, g_quark_from_static_string("tvl-net"));
    return (GQuark)q;
}

static struct tvl_net *net_of(gpointer element)
{
    return g_object_get_qdata(element, quark());
}

/* ---- properties ---- */

static GType mode_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { 0, "Calls the other side", "caller" },
        { 1, "Waits to be called", "listener" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        const GType made = g_enum_register_static("TvlMode", values);
        gst_type_mark_as_plugin_api(made, 0);
        g_once_init_leave(&type, made);
    }
    return type;
}

void tvl_net_class_init(GObjectClass *c, const gchar *mode_blurb, const gchar *stats_blurb)
{
    static const gchar *const names[] = { "path-up", "path-down", "caller-added",
                                          "caller-removed" };
    tvl_settings_install(c);
    g_object_class_install_property(
        c, NET_MODE,
        g_param_spec_enum("mode", "Mode", mode_blurb, mode_get_type(), 0,
                          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(c, NET_STATS,
                                    g_param_spec_boxed("stats", "Statistics", stats_blurb,
                                                       GST_TYPE_STRUCTURE,
                                                       G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_signal_new(names[i], G_TYPE_FROM_CLASS(c), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 1, G_TYPE_STRING);
}

void tvl_net_init(GstElement *e, struct tvl_net *n)
{
    tvl_settings_init(&n->settings);
    n->stats = gst_structure_new_empty("tvl-stats");
    g_object_set_qdata(G_OBJECT(e), quark(), n);
}

void tvl_net_clear(struct tvl_net *n)
{
    tvl_settings_clear(&n->settings);
    gst_clear_structure(&n->stats);
}

gboolean tvl_net_set(struct tvl_net *n, guint id, const GValue *value)
{
    if (id != NET_MODE)
        return tvl_settings_set(&n->settings, id, value);
    n->listen = g_value_get_enum(value) == 1;
    return TRUE;
}

gboolean tvl_net_get(const struct tvl_net *n, guint id, GValue *value)
{
    if (id == NET_MODE)
        g_value_set_enum(value, n->listen);
    else if (id == NET_STATS)
        g_value_set_boxed(value, n->stats);
    else
        return tvl_settings_get(&n->settings, id, value);
    return TRUE;
}

/* ---- GstURIHandler ---- */

static GstURIType uri_type_src(GType type)
{
    (void)type;
    return GST_URI_SRC;
}

static GstURIType uri_type_sink(GType type)
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
    GST_OBJECT_LOCK(handler);
    gchar *uri = g_strdup(net_of(handler)->settings.text[SETTINGS_URI]);
    GST_OBJECT_UNLOCK(handler);
    return uri;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *uri, GError **error)
{
    struct tvl_net *n = net_of(handler);
    GST_OBJECT_LOCK(handler);
    const gboolean running = n->running;
    const gboolean right = !running && tvl_settings_set_uri(&n->settings, uri, error);
    GST_OBJECT_UNLOCK(handler);
    if (running)
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                    "the uri is set in NULL or READY only");
    return right;
}

void tvl_net_src_uri_init(gpointer iface, gpointer data)
{
    GstURIHandlerInterface *handler = iface;
    (void)data;
    handler->get_type = uri_type_src;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}

void tvl_net_sink_uri_init(gpointer iface, gpointer data)
{
    GstURIHandlerInterface *handler = iface;
    tvl_net_src_uri_init(iface, data);
    handler->get_type = uri_type_sink;
}

/* ---- a run ---- */

gboolean tvl_net_check(GstElement *e)
{
    const struct tvl_net *n = net_of(e);
    struct path_spec paths[SESSION_PATHS_MAX];
    struct session_to to;
    char why[300] = "";
    GST_OBJECT_LOCK(e);
    const gboolean right = tvl_settings_to(&n->settings, &to, why, sizeof why) &&
                           tvl_settings_paths(&n->settings, paths, why, sizeof why) >= 0;
    const gboolean no_pair = right && n->listen && !to.cert_file;
    GST_OBJECT_UNLOCK(e);
    if (no_pair)
        GST_ELEMENT_ERROR(e, RESOURCE, SETTINGS, ("a listener needs tls-certificate and tls-key"),
                          (TVL_SETTINGS_CERTIFICATE_HINT));
    else if (!right)
        GST_ELEMENT_ERROR(e, RESOURCE, SETTINGS, ("%s", why), (NULL));
    return right && !no_pair;
}

struct tvl_run *tvl_net_start(GstElement *e, struct tvl_settings *copy)
{
    struct tvl_net *n = net_of(e);
    struct tvl_run *r = g_new(struct tvl_run, 1);
    GST_OBJECT_LOCK(e);
    *r = (struct tvl_run){ gst_object_ref(e), ++n->run };
    n->running = TRUE;
    tvl_settings_copy(copy, &n->settings);
    GST_OBJECT_UNLOCK(e);
    return r;
}

void tvl_net_stop(GstElement *e)
{
    struct tvl_net *n = net_of(e);
    GST_OBJECT_LOCK(e);
    n->run++;
    n->running = FALSE;
    GST_OBJECT_UNLOCK(e);
}

gboolean tvl_run_is_current(const struct tvl_run *r)
{
    GST_OBJECT_LOCK(r->element);
    const gboolean current = r->number == net_of(r->element)->run;
    GST_OBJECT_UNLOCK(r->element);
    return current;
}

void tvl_run_free(gpointer run)
{
    struct tvl_run *r = run;
    gst_object_unref(r->element);
    g_free(r);
}

void tvl_run_post(const struct tvl_run *r, GstStructure *what)
{
    if (tvl_run_is_current(r))
        gst_element_post_message(r->element, gst_message_new_element(GST_OBJECT(r->element), what));
    else
        gst_structure_free(what);
}

/* Takes `text`. */
static void tell(const struct tvl_run *r, GstMessageType type, gint code, gchar *text)
{
    if (tvl_run_is_current(r))
        gst_element_message_full(r->element, type, GST_RESOURCE_ERROR, code, text, NULL, __FILE__,
                                 __func__, __LINE__);
    else
        g_free(text);
}

void tvl_run_failed(const struct tvl_run *r, gint code, const gchar *why)
{
    tell(r, GST_MESSAGE_ERROR, code, g_strconcat(why, tvl_settings_hint(why), NULL));
}

void tvl_run_away(const struct tvl_run *r, gint code, const gchar *why)
{
    tell(r, GST_MESSAGE_WARNING, code, g_strconcat(why, "; it is tried again", NULL));
}

void tvl_run_on_interrupted(gpointer run, const gchar *why)
{
    tvl_run_post(run, gst_structure_new("tvl-interrupted", "reason", G_TYPE_STRING, why, NULL));
}

void tvl_run_on_path(gpointer run, const gchar *path, gboolean up)
{
    const struct tvl_run *r = run;
    if (!tvl_run_is_current(r))
        return;
    g_signal_emit_by_name(r->element, up ? "path-up" : "path-down", path);
    tvl_run_post(r, gst_structure_new(up ? "tvl-path-up" : "tvl-path-down", "path", G_TYPE_STRING,
                                      path, NULL));
}

void tvl_run_on_stats(gpointer run, GstStructure *stats)
{
    const struct tvl_run *r = run;
    struct tvl_net *n = net_of(r->element);
    GST_OBJECT_LOCK(r->element);
    if (r->number == n->run) {
        GstStructure *old = n->stats;
        n->stats = stats;
        stats = old;
    }
    GST_OBJECT_UNLOCK(r->element);
    gst_clear_structure(&stats);
}
