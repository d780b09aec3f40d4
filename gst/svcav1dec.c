/*
 * svcav1dec.c - layers of AV1 into raw video: a GstVideoDecoder over svc_decoder, which has the
 * tracker of dependencies in front, so that a unit whose references are missing is never decoded.
 *
 *     buffers ─► held: units of one picture ─► svc_decoder ─► the best layer's picture ─► src
 *                until MARKER, or the next picture's first unit
 *
 * Each unit is a frame of the base class; the picture leaves as the first of them, the others are
 * released. What is missing is counted, and asked for upstream (layer_event.h); nothing that comes
 * in is fatal. Works in the streaming thread.
 */
#include <gst/video/video.h>
#include <gst/video/gstvideodecoder.h>

#include <string.h>

#include "elements.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"

GST_DEBUG_CATEGORY_STATIC(svcav1dec_debug);
#define GST_CAT_DEFAULT svcav1dec_debug

struct dec_counts {
    guint64 pictures, shown, late, undecodable, damaged; /* pictures */
    guint64 units, missed, refused; /* missed: not decodable; refused: no unit */
    guint64 asked, resized;
};

struct output { /* of the picture that was shown last */
    guint16 width, height, par_num, par_den;
    guint8 depth, matrix;
    gboolean full_range;
};

typedef struct {
    GstVideoDecoder parent;
    /* Under the object's lock. */
    guint threads;
    struct dec_counts counts;
    /* Of the streaming thread. */
    struct svc_decoder *decoder;
    GstVideoCodecState *input;
    GstVideoCodecFrame *held[SVC_SPATIAL_MAX]; /* of one picture, by rising layer */
    guint n_held;
    gboolean shown_any;
    guint64 newest; /* picture shown, and when */
    GstClockTime newest_pts;
    struct output out;
    struct tvl_layer_want want;
} SvcAv1Dec;

typedef struct {
    GstVideoDecoderClass parent_class;
} SvcAv1DecClass;

GType svc_av1_dec_get_type(void);
G_DEFINE_TYPE(SvcAv1Dec, svc_av1_dec, GST_TYPE_VIDEO_DECODER)
GST_ELEMENT_REGISTER_DEFINE(svcav1dec, "svcav1dec", GST_RANK_PRIMARY, svc_av1_dec_get_type())

static SvcAv1Dec *self_of(gpointer object)
{
    return (SvcAv1Dec *)object;
}

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(TVL_CAPS_LAYERS_AV1));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(
                                "{ I420, " GST_VIDEO_NE(I420_10) ", " GST_VIDEO_NE(I420_12) " }")));

enum { PROP_0, PROP_THREADS, PROP_STATS };

#define COUNT(self, member, by)        \
    do {                               \
        GST_OBJECT_LOCK(self);         \
        (self)->counts.member += (by); \
        GST_OBJECT_UNLOCK(self);       \
    } while (0)

/* ---- opened and closed ---- */

static void forget_held(SvcAv1Dec *self)
{
    for (guint i = 0; i < self->n_held; i++)
        gst_video_decoder_release_frame(GST_VIDEO_DECODER(self), self->held[i]);
    self->n_held = 0;
}

/* The next picture that is shown is a key picture. */
static gboolean begin_anew(SvcAv1Dec *self)
{
    svc_decoder_free(self->decoder);
    self->decoder = NULL;
    self->shown_any = FALSE;
    self->want = TVL_LAYER_WANT_NONE;
    GST_OBJECT_LOCK(self);
    const guint threads = self->threads;
    GST_OBJECT_UNLOCK(self);
    const int err = svc_decoder_new(&self->decoder, "av1",
                                    threads ? threads : CLAMP(g_get_num_processors(), 1, 16));
    if (err == 0)
        return TRUE;
    self->decoder = NULL;
    GST_ELEMENT_ERROR(self, LIBRARY, INIT, (NULL), ("%s", svc_strerror(err)));
    return FALSE;
}

static gboolean start(GstVideoDecoder *base)
{
    SvcAv1Dec *self = self_of(base);
    GST_OBJECT_LOCK(self);
    self->counts = (struct dec_counts){ 0 };
    GST_OBJECT_UNLOCK(self);
    self->out = (struct output){ 0 };
    return begin_anew(self);
}

static gboolean stop(GstVideoDecoder *base)
{
    SvcAv1Dec *self = self_of(base);
    forget_held(self);
    svc_decoder_free(self->decoder);
    self->decoder = NULL;
    g_clear_pointer(&self->input, gst_video_codec_state_unref);
    return TRUE;
}

static gboolean flush(GstVideoDecoder *base)
{
    SvcAv1Dec *self = self_of(base);
    forget_held(self);
    return begin_anew(self);
}

/* ---- what is missing ---- */

static GstClockTime time_of(const GstVideoCodecFrame *frame)
{
    return GST_CLOCK_TIME_IS_VALID(frame->pts) ? frame->pts : 0;
}

/* Asks for the layers from `spatial` up once, and again while they stay away: with what is held, so
 * that a key picture need not be; where nobody upstream knows of that, for a key picture. */
static void ask(SvcAv1Dec *self, guint spatial, GstVideoCodecFrame *frame)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    if (!tvl_layer_want_due(&self->want, spatial, time_of(frame)))
        return;
    COUNT(self, asked, 1);
    GST_DEBUG_OBJECT(self, "layers from %u up are asked for", spatial);
    if (!gst_pad_push_event(
            GST_VIDEO_DECODER_SINK_PAD(self),
            tvl_layer_refresh_event_new(spatial, svc_decoder_tracker(self->decoder))) &&
        spatial == 0)
        gst_video_decoder_request_sync_point(base, frame, 0);
}

/* After a picture, of which the layers up to `best` (-1: none) were decoded. A unit of the lowest
 * temporal layer that cannot be decoded stays so until it is predicted anew; others heal. */
static void judge(SvcAv1Dec *self, const struct svc_unit *units, guint n, int best,
                  GstVideoCodecFrame *frame)
{
    guint missed = 0;
    for (guint i = n; i-- > 0 && units[i].layer.spatial > best;)
        missed++;
    if (best >= 0)
        tvl_layer_want_met(&self->want, (guint)best);
    if (!missed)
        return;
    COUNT(self, missed, missed);
    if (units[n - missed].layer.temporal == 0)
        ask(self, units[n - missed].layer.spatial, frame);
}

/* ---- out ---- */

static GstVideoFormat format_of(guint8 depth)
{
    if (depth == 10)
        return gst_video_format_from_string(GST_VIDEO_NE(I420_10));
    return depth == 12 ? gst_video_format_from_string(GST_VIDEO_NE(I420_12))
                       : GST_VIDEO_FORMAT_I420;
}

static void set_colours(GstVideoInfo *info, const struct svc_image *img)
{
    static const GstVideoColorMatrix matrix[] = {
        [SVC_MATRIX_BT601] = GST_VIDEO_COLOR_MATRIX_BT601,
        [SVC_MATRIX_BT709] = GST_VIDEO_COLOR_MATRIX_BT709,
        [SVC_MATRIX_BT2020] = GST_VIDEO_COLOR_MATRIX_BT2020,
        [SVC_MATRIX_SMPTE240] = GST_VIDEO_COLOR_MATRIX_SMPTE240M,
    };
    if (img->matrix != SVC_MATRIX_UNKNOWN && img->matrix < G_N_ELEMENTS(matrix))
        info->colorimetry.matrix = matrix[img->matrix];
    if (img->full_range)
        info->colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;
}

/* As the bitstream says; else so that each layer is shown in the shape of the top one, of which the
 * sides of a lower one are a rounded share. */
static void set_aspect(GstVideoInfo *info, const struct svc_image *img, const GstVideoInfo *top)
{
    gint n, d;
    if (img->par_num && img->par_den) {
        info->par_n = img->par_num;
        info->par_d = img->par_den;
        return;
    }
    info->par_n = GST_VIDEO_INFO_PAR_N(top);
    info->par_d = GST_VIDEO_INFO_PAR_D(top);
    if (GST_VIDEO_INFO_WIDTH(top) > 0 && GST_VIDEO_INFO_HEIGHT(top) > 0 &&
        gst_util_fraction_multiply(info->par_n, info->par_d, GST_VIDEO_INFO_WIDTH(top),
                                   GST_VIDEO_INFO_HEIGHT(top), &n, &d) &&
        gst_util_fraction_multiply(n, d, img->height, img->width, &n, &d)) {
        info->par_n = n;
        info->par_d = d;
    }
}

/* New caps when the picture is another kind of picture than the last. */
static gboolean follow(SvcAv1Dec *self, const struct svc_image *img)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    const struct output now = { .width = img->width,
                                .height = img->height,
                                .par_num = img->par_num,
                                .par_den = img->par_den,
                                .depth = img->depth,
                                .matrix = img->matrix,
                                .full_range = img->full_range };
    const struct output *o = &self->out;
    if (o->width == now.width && o->height == now.height && o->par_num == now.par_num &&
        o->par_den == now.par_den && o->depth == now.depth && o->matrix == now.matrix &&
        o->full_range == now.full_range)
        return TRUE;
    if (o->width)
        COUNT(self, resized, 1);
    GstVideoCodecState *s = gst_video_decoder_set_output_state(
        base, format_of(img->depth), img->width, img->height, self->input);
    if (!s)
        return FALSE;
    set_aspect(&s->info, img, &self->input->info);
    set_colours(&s->info, img);
    gst_video_codec_state_unref(s);
    if (!gst_video_decoder_negotiate(base))
        return FALSE;
    self->out = now;
    return TRUE;
}

static void copy_picture(const struct svc_image *img, GstVideoFrame *to)
{
    for (guint i = 0; i < 3; i++) {
        const guint8 *from = img->plane[i];
        guint8 *at = GST_VIDEO_FRAME_PLANE_DATA(to, i);
        const gsize width =
            (gsize)GST_VIDEO_FRAME_COMP_WIDTH(to, i) * (gsize)GST_VIDEO_FRAME_COMP_PSTRIDE(to, i);
        for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(to, i); y++) {
            memcpy(at, from, width);
            at += GST_VIDEO_FRAME_PLANE_STRIDE(to, i);
            from += img->stride[i];
        }
    }
}

/* Takes `frame`. */
static GstFlowReturn show(SvcAv1Dec *self, GstVideoCodecFrame *frame, const struct svc_picture *pic)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    GstFlowReturn flow = GST_FLOW_NOT_NEGOTIATED;
    if (follow(self, &pic->image))
        flow = gst_video_decoder_allocate_output_frame(base, frame);
    if (flow != GST_FLOW_OK) {
        if (GST_PAD_IS_FLUSHING(GST_VIDEO_DECODER_SRC_PAD(self)))
            flow = GST_FLOW_FLUSHING;
        gst_video_decoder_release_frame(base, frame);
        return flow;
    }
    GstVideoCodecState *state = gst_video_decoder_get_output_state(base);
    GstVideoFrame map;
    const gboolean mapped =
        gst_video_frame_map(&map, &state->info, frame->output_buffer, GST_MAP_WRITE);
    gst_video_codec_state_unref(state);
    if (!mapped) {
        gst_video_decoder_release_frame(base, frame);
        return GST_FLOW_ERROR;
    }
    copy_picture(&pic->image, &map);
    gst_video_frame_unmap(&map);
    self->newest = pic->picture;
    self->newest_pts = frame->pts;
    self->shown_any = TRUE;
    COUNT(self, shown, 1);
    return gst_video_decoder_finish_frame(base, frame);
}

/* ---- a picture ---- */

struct mapped { /* the held units, while they are decoded */
    GstMapInfo map[SVC_SPATIAL_MAX];
    GstBuffer *buffer[SVC_SPATIAL_MAX];
    struct svc_unit unit[SVC_SPATIAL_MAX];
    guint n;
};

/* Without what nothing reads if `late`. */
static void map_held(SvcAv1Dec *self, gboolean late, struct mapped *m)
{
    m->n = 0;
    for (guint i = 0; i < self->n_held; i++) {
        GstVideoCodecFrame *f = self->held[i];
        const TvlLayerMeta *meta = tvl_buffer_get_layer_meta(f->input_buffer);
        if ((late && meta->deps.refreshes == 0) ||
            !gst_buffer_map(f->input_buffer, &m->map[m->n], GST_MAP_READ))
            continue;
        m->buffer[m->n] = f->input_buffer;
        tvl_layer_meta_unit(meta, m->map[m->n].data, m->map[m->n].size,
                            (gint64)(time_of(f) / GST_USECOND), &m->unit[m->n]);
        m->n++;
    }
}

static void unmap_held(struct mapped *m)
{
    for (guint i = 0; i < m->n; i++)
        gst_buffer_unmap(m->buffer[i], &m->map[i]);
}

/* What becomes of a picture that was decoded, or not; takes `first`. */
static GstFlowReturn conclude(SvcAv1Dec *self, GstVideoCodecFrame *first, int result,
                              struct svc_picture *pic, gboolean late)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    GstFlowReturn flow = GST_FLOW_OK;
    if (result < 0) {
        COUNT(self, damaged, 1);
        GST_VIDEO_DECODER_ERROR(self, 1, STREAM, DECODE, (NULL),
                                ("picture is damaged: %s", svc_strerror(result)), flow);
        ask(self, 0, first);
    } else if (late) {
        COUNT(self, late, 1);
        return gst_video_decoder_drop_frame(base, first); /* tells the bus */
    } else if (result == 0) {
        COUNT(self, undecodable, 1);
    } else if (!self->shown_any || pic->picture > self->newest) {
        return show(self, first, pic);
    }
    gst_video_decoder_release_frame(base, first);
    return flow;
}

/* A key picture that is shown later than the newest, of a lower number: another encoder's. */
static gboolean counts_anew(const SvcAv1Dec *self, const GstVideoCodecFrame *first)
{
    const TvlLayerMeta *meta = tvl_buffer_get_layer_meta(first->input_buffer);
    return meta->key && self->shown_any && meta->picture <= self->newest &&
           GST_CLOCK_TIME_IS_VALID(first->pts) && GST_CLOCK_TIME_IS_VALID(self->newest_pts) &&
           first->pts > self->newest_pts;
}

static GstFlowReturn decode_held(SvcAv1Dec *self)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    if (!self->n_held)
        return GST_FLOW_OK;
    GstVideoCodecFrame *first = self->held[0];
    const gboolean late = gst_video_decoder_get_max_decode_time(base, first) < 0;
    struct mapped m;
    struct svc_picture pic = { .opaque = NULL };
    if (counts_anew(self, first))
        self->shown_any = FALSE;
    map_held(self, late, &m);
    const int result = m.n ? svc_decoder_decode(self->decoder, m.unit, m.n, &pic) : 0;
    if (result >= 0)
        judge(self, m.unit, m.n, result ? pic.layer.spatial : -1, first);
    unmap_held(&m);
    for (guint i = 1; i < self->n_held; i++)
        gst_video_decoder_release_frame(base, self->held[i]);
    self->n_held = 0;
    COUNT(self, pictures, 1);
    const GstFlowReturn flow = conclude(self, first, result, &pic, late);
    svc_picture_release(self->decoder, &pic);
    return flow;
}

/* Holds `frame` in the order of layers; FALSE: its layer is there already. */
static gboolean hold(SvcAv1Dec *self, GstVideoCodecFrame *frame, const TvlLayerMeta *meta)
{
    guint at = self->n_held;
    for (; at > 0; at--) {
        const guint8 below = tvl_buffer_get_layer_meta(self->held[at - 1]->input_buffer)->spatial;
        if (below == meta->spatial)
            return FALSE;
        if (below < meta->spatial)
            break;
    }
    memmove(&self->held[at + 1], &self->held[at], (self->n_held - at) * sizeof *self->held);
    self->held[at] = frame;
    self->n_held++;
    return TRUE;
}

static GstFlowReturn handle_frame(GstVideoDecoder *base, GstVideoCodecFrame *frame)
{
    SvcAv1Dec *self = self_of(base);
    GstFlowReturn flow = GST_FLOW_OK;
    if (!tvl_buffer_is_layer_unit(frame->input_buffer)) {
        COUNT(self, refused, 1);
        gst_video_decoder_release_frame(base, frame);
        GST_VIDEO_DECODER_ERROR(self, 1, STREAM, FORMAT, (NULL), ("a buffer is no layer unit"),
                                flow);
        return flow;
    }
    COUNT(self, units, 1);
    const TvlLayerMeta *meta = tvl_buffer_get_layer_meta(frame->input_buffer);
    const gboolean last = GST_BUFFER_FLAG_IS_SET(frame->input_buffer, GST_BUFFER_FLAG_MARKER);
    if (self->n_held &&
        tvl_buffer_get_layer_meta(self->held[0]->input_buffer)->picture != meta->picture)
        flow = decode_held(self);
    if (flow != GST_FLOW_OK || !hold(self, frame, meta))
        gst_video_decoder_release_frame(base, frame);
    return flow == GST_FLOW_OK && last ? decode_held(self) : flow;
}

static GstFlowReturn drain(GstVideoDecoder *base)
{
    return decode_held(self_of(base));
}

/* But for the rates of the layers, which no picture depends on. */
static gboolean is_same_stream(const GstCaps *a, const GstCaps *b)
{
    GstCaps *x = gst_caps_copy(a), *y = gst_caps_copy(b);
    static const gchar *const rates[] = { "layer-bitrates", "layer-bitrates-max" };
    for (gsize i = 0; i < G_N_ELEMENTS(rates); i++) {
        gst_structure_remove_field(gst_caps_get_structure(x, 0), rates[i]);
        gst_structure_remove_field(gst_caps_get_structure(y, 0), rates[i]);
    }
    const gboolean same = gst_caps_is_equal(x, y);
    gst_caps_unref(x);
    gst_caps_unref(y);
    return same;
}

static gboolean set_format(GstVideoDecoder *base, GstVideoCodecState *state)
{
    SvcAv1Dec *self = self_of(base);
    struct svc_stream_info info;
    if (!tvl_layer_caps_parse(state->caps, &info)) {
        GST_WARNING_OBJECT(self, "not caps of layers: %" GST_PTR_FORMAT, state->caps);
        return FALSE;
    }
    if (self->input && is_same_stream(self->input->caps, state->caps))
        return TRUE;
    decode_held(self);
    g_clear_pointer(&self->input, gst_video_codec_state_unref);
    self->input = gst_video_codec_state_ref(state);
    self->out = (struct output){ 0 }; /* the frame rate may be another */
    gst_video_decoder_set_latency(base, 0, 0);
    return TRUE;
}

/* Where downstream knows video meta its pool may choose the strides. */
static gboolean decide_allocation(GstVideoDecoder *base, GstQuery *query)
{
    GstBufferPool *pool;
    if (!GST_VIDEO_DECODER_CLASS(svc_av1_dec_parent_class)->decide_allocation(base, query))
        return FALSE;
    if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL))
        return TRUE;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, NULL, NULL, NULL);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    const gboolean right = gst_buffer_pool_set_config(pool, config);
    gst_object_unref(pool);
    return right;
}

/* What was said of a layer is not true of a picture. */
static gboolean transform_meta(GstVideoDecoder *base, GstVideoCodecFrame *frame, GstMeta *meta)
{
    return meta->info->api != tvl_layer_meta_api_get_type() &&
           GST_VIDEO_DECODER_CLASS(svc_av1_dec_parent_class)->transform_meta(base, frame, meta);
}

/* ---- the class ---- */

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    SvcAv1Dec *self = self_of(object);
    GST_OBJECT_LOCK(self);
    if (id == PROP_THREADS)
        self->threads = g_value_get_uint(value);
    else
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(self);
}

static GstStructure *stats_of(const struct dec_counts *c)
{
    return gst_structure_new(
        "svcav1dec-stats", "pictures", G_TYPE_UINT64, c->pictures, "shown", G_TYPE_UINT64, c->shown,
        "late", G_TYPE_UINT64, c->late, "undecodable", G_TYPE_UINT64, c->undecodable, "damaged",
        G_TYPE_UINT64, c->damaged, "units", G_TYPE_UINT64, c->units, "units-missed", G_TYPE_UINT64,
        c->missed, "buffers-refused", G_TYPE_UINT64, c->refused, "refreshes-asked", G_TYPE_UINT64,
        c->asked, "size-changes", G_TYPE_UINT64, c->resized, NULL);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    SvcAv1Dec *self = self_of(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_THREADS:
        g_value_set_uint(value, self->threads);
        break;
    case PROP_STATS:
        g_value_take_boxed(value, stats_of(&self->counts));
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void install_properties(GObjectClass *c)
{
    g_object_class_install_property(
        c, PROP_THREADS,
        g_param_spec_uint(
            "threads", "Threads", "Of the codec (0: as many as processors)", 0, 16, 0,
            (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)));
    g_object_class_install_property(
        c, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Pictures shown, late, undecodable and damaged; units that came without "
                           "their references; refreshes asked for",
                           GST_TYPE_STRUCTURE,
                           (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void svc_av1_dec_class_init(SvcAv1DecClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstVideoDecoderClass *decoder = GST_VIDEO_DECODER_CLASS(class);
    GST_DEBUG_CATEGORY_INIT(svcav1dec_debug, "svcav1dec", 0, "layered AV1 decoder");
    object->set_property = set_property;
    object->get_property = get_property;
    install_properties(object);
    gst_element_class_set_static_metadata(element, "Layered AV1 decoder", "Codec/Decoder/Video",
                                          "Decodes the best picture that the layers that came make",
                                          "The svc-suite authors");
    gst_element_class_add_static_metadata(
        element, "example",
        "gst-launch-1.0 videotestsrc is-live=true ! svcav1enc ! svcav1dec ! videoconvert ! "
        "autovideosink");
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
    decoder->start = start;
    decoder->stop = stop;
    decoder->flush = flush;
    decoder->set_format = set_format;
    decoder->handle_frame = handle_frame;
    decoder->transform_meta = transform_meta;
    decoder->decide_allocation = decide_allocation;
    decoder->drain = drain;
    decoder->finish = drain;
}

static void svc_av1_dec_init(SvcAv1Dec *self)
{
    GstVideoDecoder *base = GST_VIDEO_DECODER(self);
    gst_video_decoder_set_packetized(base, TRUE);
    gst_video_decoder_set_needs_format(base, TRUE);
    gst_video_decoder_set_use_default_pad_acceptcaps(base, TRUE);
    GST_PAD_SET_ACCEPT_TEMPLATE(GST_VIDEO_DECODER_SINK_PAD(self));
    self->want = TVL_LAYER_WANT_NONE;
}
