/*
 * svcav1parse.c - layers of AV1 into stock AV1, bit by bit as they came: video/x-svc in, whole
 * temporal units out, for muxers and whoever else knows AV1 alone.
 *
 *     buffers ─► held: units of one picture ─► those that are decodable, behind a delimiter ─► src
 *                until MARKER, or the next picture's first unit
 *
 * The tracker of dependencies is in front, so that any decoder can take all that is written. What
 * is missing is counted, and asked for upstream (layer_event.h). Not autoplugged: what shows
 * pictures wants svcav1dec. Works in the streaming thread.
 */
#include <string.h>

#include "elements.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"

GST_DEBUG_CATEGORY_STATIC(svcav1parse_debug);
#define GST_CAT_DEFAULT svcav1parse_debug

struct parse_counts {
    guint64 pictures, units; /* that went on */
    guint64 missed, refused; /* units: not decodable; no unit */
};

typedef struct {
    GstElement parent;
    GstPad *sink, *src; /* borrowed from the element */
    /* Under the object's lock. */
    struct parse_counts counts;
    /* Of the streaming thread. */
    struct svc_tracker tracker;
    GstBuffer *held[SVC_SPATIAL_MAX]; /* of one picture, by rising layer */
    guint n_held;
    gboolean begun; /* a key unit has gone on */
    guint64 next;   /* picture that may go on, or any after it */
    gboolean hole;  /* something was left out since */
    struct tvl_layer_want want;
} SvcAv1Parse;

typedef struct {
    GstElementClass parent_class;
} SvcAv1ParseClass;

GType svc_av1_parse_get_type(void);
G_DEFINE_TYPE(SvcAv1Parse, svc_av1_parse, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(svcav1parse, "svcav1parse", GST_RANK_NONE, svc_av1_parse_get_type())

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(TVL_CAPS_LAYERS_AV1));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(TVL_CAPS_AV1));

enum { PROP_0, PROP_STATS };

#define COUNT(self, member, by)        \
    do {                               \
        GST_OBJECT_LOCK(self);         \
        (self)->counts.member += (by); \
        GST_OBJECT_UNLOCK(self);       \
    } while (0)

/* ---- a picture ---- */

static void forget_held(SvcAv1Parse *self)
{
    for (guint i = 0; i < self->n_held; i++)
        gst_buffer_unref(self->held[i]);
    self->n_held = 0;
}

/* The next picture that goes on is a key picture. */
static void begin_anew(SvcAv1Parse *self)
{
    forget_held(self);
    self->tracker = (struct svc_tracker){ 0 };
    self->begun = FALSE;
    self->hole = TRUE;
    self->want = TVL_LAYER_WANT_NONE;
}

static gboolean usable(const SvcAv1Parse *self, const struct svc_unit *unit)
{
    return unit->key || (self->begun && unit->picture >= self->next &&
                         svc_tracker_decodable(&self->tracker, unit));
}

/* What is left of the held units without those that cannot be decoded; the lowest of these, if it
 * will not heal by itself, is asked for. */
static void sort_out(SvcAv1Parse *self)
{
    guint n = 0, missed = SVC_SPATIAL_MAX;
    GstClockTime now = 0;
    for (guint i = 0; i < self->n_held; i++) {
        GstBuffer *b = self->held[i];
        struct svc_unit unit;
        tvl_layer_meta_unit(tvl_buffer_get_layer_meta(b), NULL, 0, 0, &unit);
        now = GST_BUFFER_PTS_IS_VALID(b) ? GST_BUFFER_PTS(b) : now;
        if (usable(self, &unit)) {
            svc_tracker_decoded(&self->tracker, &unit);
            self->held[n++] = b;
            self->begun = TRUE;
            self->next = unit.picture;
            continue;
        }
        if (unit.layer.temporal == 0)
            missed = MIN(missed, unit.layer.spatial);
        COUNT(self, missed, 1);
        self->hole = TRUE;
        gst_buffer_unref(b);
    }
    self->n_held = n;
    if (n > 0)
        tvl_layer_want_met(&self->want, tvl_buffer_get_layer_meta(self->held[n - 1])->spatial);
    if (tvl_layer_want_due(&self->want, missed, now)) {
        GST_DEBUG_OBJECT(self, "layers from %u up are asked for", missed);
        gst_pad_push_event(self->sink, tvl_layer_refresh_event_new(missed, &self->tracker));
    }
}

/* One buffer of the held units' bytes, which are not copied. */
static GstBuffer *joined(SvcAv1Parse *self)
{
    static const guint8 delimiter[] = { 0x12, 0x00 }; /* OBU_TEMPORAL_DELIMITER, of size 0 */
    GstBuffer *out = gst_buffer_new_memdup(delimiter, sizeof delimiter);
    gboolean droppable = TRUE;
    for (guint i = 0; i < self->n_held; i++) {
        gst_buffer_copy_into(out, self->held[i], GST_BUFFER_COPY_MEMORY, 0, -1);
        droppable &= GST_BUFFER_FLAG_IS_SET(self->held[i], GST_BUFFER_FLAG_DROPPABLE);
    }
    gst_buffer_copy_into(out, self->held[0], GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
    GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_MARKER);
    if (GST_BUFFER_FLAG_IS_SET(self->held[0], GST_BUFFER_FLAG_DELTA_UNIT))
        GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DELTA_UNIT);
    if (droppable)
        GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DROPPABLE);
    if (self->hole)
        GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DISCONT);
    return out;
}

static GstFlowReturn push_held(SvcAv1Parse *self)
{
    sort_out(self);
    if (!self->n_held)
        return GST_FLOW_OK;
    GstBuffer *out = joined(self);
    self->next = tvl_buffer_get_layer_meta(self->held[0])->picture + 1;
    self->hole = FALSE;
    COUNT(self, pictures, 1);
    COUNT(self, units, self->n_held);
    forget_held(self);
    return gst_pad_push(self->src, out);
}

/* Holds `b` in the order of layers; FALSE: its layer is there already. */
static gboolean hold(SvcAv1Parse *self, GstBuffer *b)
{
    const guint8 spatial = tvl_buffer_get_layer_meta(b)->spatial;
    guint at = self->n_held;
    for (; at > 0; at--) {
        const guint8 below = tvl_buffer_get_layer_meta(self->held[at - 1])->spatial;
        if (below == spatial)
            return FALSE;
        if (below < spatial)
            break;
    }
    memmove(&self->held[at + 1], &self->held[at], (self->n_held - at) * sizeof *self->held);
    self->held[at] = b;
    self->n_held++;
    return TRUE;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *b)
{
    SvcAv1Parse *self = (SvcAv1Parse *)parent;
    GstFlowReturn flow = GST_FLOW_OK;
    (void)pad;
    if (!tvl_buffer_is_layer_unit(b)) {
        COUNT(self, refused, 1);
        GST_INFO_OBJECT(self, "a buffer is no layer unit");
        gst_buffer_unref(b);
        return GST_FLOW_OK;
    }
    const guint64 picture = tvl_buffer_get_layer_meta(b)->picture;
    const gboolean last = GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_MARKER);
    if (self->n_held && tvl_buffer_get_layer_meta(self->held[0])->picture != picture)
        flow = push_held(self);
    if (flow != GST_FLOW_OK || !hold(self, b))
        gst_buffer_unref(b);
    return flow == GST_FLOW_OK && last ? push_held(self) : flow;
}

/* ---- events ---- */

static void copy_field(const GstStructure *from, GstCaps *to, const gchar *name)
{
    const GValue *v = gst_structure_get_value(from, name);
    if (v)
        gst_caps_set_value(to, name, v);
}

/* Takes `event`. */
static gboolean take_caps(SvcAv1Parse *self, GstEvent *event)
{
    static const gchar *const kept[] = { "width", "height", "framerate", "pixel-aspect-ratio",
                                         "colorimetry" };
    GstCaps *caps;
    struct svc_stream_info info;
    gst_event_parse_caps(event, &caps);
    const gboolean known = tvl_layer_caps_parse(caps, &info);
    if (known) {
        GstCaps *stock = gst_caps_from_string(TVL_CAPS_AV1);
        for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
            copy_field(gst_caps_get_structure(caps, 0), stock, kept[i]);
        gst_pad_push_event(self->src, gst_event_new_caps(stock));
        gst_caps_unref(stock);
    } else {
        GST_WARNING_OBJECT(self, "not caps of layers: %" GST_PTR_FORMAT, (void *)caps);
    }
    gst_event_unref(event);
    return known;
}

static gboolean sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    SvcAv1Parse *self = (SvcAv1Parse *)parent;
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
        push_held(self);
        return take_caps(self, event);
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_EOS:
        push_held(self);
        break;
    case GST_EVENT_FLUSH_STOP:
        begin_anew(self);
        break;
    default:
        break;
    }
    return gst_pad_event_default(pad, parent, event);
}

static gboolean sink_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    return GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION &&
           gst_pad_query_default(pad, parent, query);
}

static GstStateChangeReturn change_state(GstElement *e, GstStateChange change)
{
    SvcAv1Parse *self = (SvcAv1Parse *)e;
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED) {
        GST_OBJECT_LOCK(self);
        self->counts = (struct parse_counts){ 0 };
        GST_OBJECT_UNLOCK(self);
    }
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(svc_av1_parse_parent_class)->change_state(e, change);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
        begin_anew(self);
    return result;
}

/* ---- the class ---- */

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    SvcAv1Parse *self = (SvcAv1Parse *)object;
    if (id != PROP_STATS) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        return;
    }
    GST_OBJECT_LOCK(self);
    const struct parse_counts c = self->counts;
    GST_OBJECT_UNLOCK(self);
    g_value_take_boxed(value, gst_structure_new("svcav1parse-stats", "pictures", G_TYPE_UINT64,
                                                c.pictures, "units", G_TYPE_UINT64, c.units,
                                                "units-missed", G_TYPE_UINT64, c.missed,
                                                "buffers-refused", G_TYPE_UINT64, c.refused, NULL));
}

static void finalize(GObject *object)
{
    forget_held((SvcAv1Parse *)object);
    G_OBJECT_CLASS(svc_av1_parse_parent_class)->finalize(object);
}

static void svc_av1_parse_class_init(SvcAv1ParseClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GST_DEBUG_CATEGORY_INIT(svcav1parse_debug, "svcav1parse", 0, "layered AV1 into stock AV1");
    object->get_property = get_property;
    object->finalize = finalize;
    element->change_state = change_state;
    g_object_class_install_property(
        object, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Pictures and units that went on, units that came without their "
                           "references, buffers that are no units",
                           GST_TYPE_STRUCTURE,
                           (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
    gst_element_class_set_static_metadata(
        element, "Layered AV1 into stock AV1", "Codec/Parser/Converter/Video",
        "Joins the layers that came to whole pictures of AV1, without decoding",
        "The svc-suite authors");
    gst_element_class_add_static_metadata(
        element, "example",
        "gst-launch-1.0 -e tvlsrc uri=moqt://HOST/live audio=false ! svcav1parse ! matroskamux ! "
        "filesink location=live.mkv");
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
}

static void svc_av1_parse_init(SvcAv1Parse *self)
{
    self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
    gst_pad_set_chain_function(self->sink, chain);
    gst_pad_set_event_function(self->sink, sink_event);
    gst_pad_set_query_function(self->sink, sink_query);
    gst_element_add_pad(GST_ELEMENT(self), self->sink);
    self->src = gst_pad_new_from_static_template(&src_template, "src");
    gst_pad_use_fixed_caps(self->src);
    gst_element_add_pad(GST_ELEMENT(self), self->src);
    begin_anew(self);
}
