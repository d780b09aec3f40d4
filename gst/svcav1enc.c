/*
 * svcav1enc.c - raw video into layers of AV1: a GstVideoEncoder over svc_encoder.
 *
 * One picture in, one buffer a layer out (video/x-svc), or one a picture (video/x-av1), as the peer
 * knows; docs/decisions/0018. Works in the streaming thread and holds no picture back, so it adds
 * no latency but the time it takes. What an application sets while it runs is noted under the
 * object's lock and obeyed at the next picture.
 */
#include <gst/video/video.h>
#include <gst/video/gstvideoencoder.h>

#include <string.h>

#include "elements.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"

GST_DEBUG_CATEGORY_STATIC(svcav1enc_debug);
#define GST_CAT_DEFAULT svcav1enc_debug

#define BITRATE_DEFAULT 2000u /* kbit/s */
#define BITRATE_MAX 1000000u  /* kbit/s; 1 Gbit/s */
#define FAILURES_MAX 10u      /* pictures in a row that the codec refused, then it is an error */
#define AGE_MAX (10 * GST_SECOND) /* of a live picture when it comes here */
#define FPS_UNKNOWN 30            /* of a stream that does not say */

struct enc_settings { /* as the application wants it */
    struct svc_structure structure;
    guint bitrate_kbps;                /* of all layers; 0: by quantizer */
    guint layer_kbps[SVC_SPATIAL_MAX]; /* each one's own */
    guint n_layer_kbps;                /* 0: bitrate_kbps is shared out */
    guint top_spatial, top_temporal;   /* layers that are coded; 0: all */
    guint quantizer, key_interval, long_term_interval, speed, threads;
    gboolean isolated;
};

struct enc_counts {
    guint64 pictures, keys, refreshes, failures;
    guint64 bytes[SVC_SPATIAL_MAX];
};

typedef struct {
    GstVideoEncoder parent;
    /* Under the object's lock. */
    struct enc_settings want;
    gboolean rates_changed, speed_changed, tops_changed;
    guint refresh;           /* spatial layer from which to predict anew; SVC_SPATIAL_MAX: none */
    struct svc_tracker held; /* then: by all who asked, in the numbers of metas */
    struct enc_counts counts;
    guint64 restarts;
    /* Of the streaming thread. */
    struct svc_encoder *encoder;
    GstVideoInfo in;
    gboolean by_rate; /* as it was opened */
    guint n_spatial, n_temporal;
    gboolean layers;        /* video/x-svc; else whole temporal units */
    gboolean force_key;     /* what went before has been flushed away */
    guint64 picture_offset; /* numbers go on rising from one encoder to the next */
    guint64 next_picture;
    guint failures; /* in a row */
} SvcAv1Enc;

typedef struct {
    GstVideoEncoderClass parent_class;
} SvcAv1EncClass;

GType svc_av1_enc_get_type(void);
G_DEFINE_TYPE_WITH_CODE(SvcAv1Enc, svc_av1_enc, GST_TYPE_VIDEO_ENCODER,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL))
GST_ELEMENT_REGISTER_DEFINE(svcav1enc, "svcav1enc", GST_RANK_SECONDARY, svc_av1_enc_get_type())

static SvcAv1Enc *self_of(gpointer object)
{
    return (SvcAv1Enc *)object;
}

#define RAW_CAPS                                                                              \
    "video/x-raw, format=(string)I420, width=(int)[64, 4096, 2], height=(int)[64, 4096, 2], " \
    "framerate=(fraction)[0/1, 2147483647/1]"

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(RAW_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(TVL_CAPS_LAYERS_AV1 "; " TVL_CAPS_AV1));

/* ---- settings ---- */

enum {
    PROP_0,
    PROP_LAYERS,
    PROP_BITRATE,
    PROP_LAYER_BITRATES,
    PROP_QUANTIZER,
    PROP_KEYFRAME_MAX_DIST,
    PROP_LONG_TERM_INTERVAL,
    PROP_MAX_SPATIAL,
    PROP_MAX_TEMPORAL,
    PROP_SPEED,
    PROP_THREADS,
    PROP_ISOLATED,
    PROP_STATS,
};

/* Each spatial layer's own target in bits/s. A layer has twice that of the one below it: four times
 * the pixels, half the bits for each, as they are mostly predicted. */
static void layer_rates(const struct enc_settings *s, uint32_t out[SVC_SPATIAL_MAX])
{
    const guint n = s->structure.n_spatial;
    memset(out, 0, SVC_SPATIAL_MAX * sizeof *out);
    for (guint i = 0; i < n; i++)
        if (s->n_layer_kbps)
            out[i] = s->layer_kbps[i] * 1000u;
        else
            out[i] = (uint32_t)((guint64)s->bitrate_kbps * 1000u * (1u << i) / ((1u << n) - 1u));
}

static void set_layers(SvcAv1Enc *self, const char *name)
{
    struct svc_structure st;
    if (!name || svc_structure_parse(&st, name) < 0)
        g_warning("svcav1enc: layers=%s is none of L1T1 to L3T3, L4T1, L4T2, with or without _KEY",
                  name ? name : "(null)");
    else
        self->want.structure = st;
}

static void set_layer_bitrates(SvcAv1Enc *self, const GValue *value)
{
    const guint n = gst_value_array_get_size(value);
    if (n > SVC_SPATIAL_MAX) {
        g_warning("svcav1enc: layer-bitrates has %u values, there are at most %d spatial layers", n,
                  SVC_SPATIAL_MAX);
        return;
    }
    for (guint i = 0; i < n; i++) {
        const gint kbps = g_value_get_int(gst_value_array_get_value(value, i));
        self->want.layer_kbps[i] = (guint)CLAMP(kbps, 1, (gint)BITRATE_MAX);
    }
    self->want.n_layer_kbps = n;
    self->rates_changed = TRUE;
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    SvcAv1Enc *self = self_of(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_LAYERS:
        set_layers(self, g_value_get_string(value));
        break;
    case PROP_BITRATE:
        self->want.bitrate_kbps = g_value_get_uint(value);
        self->rates_changed = TRUE;
        break;
    case PROP_LAYER_BITRATES:
        set_layer_bitrates(self, value);
        break;
    case PROP_QUANTIZER:
        self->want.quantizer = g_value_get_uint(value);
        break;
    case PROP_KEYFRAME_MAX_DIST:
        self->want.key_interval = g_value_get_uint(value);
        break;
    case PROP_LONG_TERM_INTERVAL:
        self->want.long_term_interval = g_value_get_uint(value);
        break;
    case PROP_MAX_SPATIAL:
        self->want.top_spatial = g_value_get_uint(value);
        self->tops_changed = TRUE;
        break;
    case PROP_MAX_TEMPORAL:
        self->want.top_temporal = g_value_get_uint(value);
        self->tops_changed = TRUE;
        break;
    case PROP_SPEED:
        self->want.speed = g_value_get_uint(value);
        self->speed_changed = TRUE;
        break;
    case PROP_THREADS:
        self->want.threads = g_value_get_uint(value);
        break;
    case PROP_ISOLATED:
        self->want.isolated = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void get_layers(const SvcAv1Enc *self, GValue *value)
{
    char name[SVC_STRUCTURE_NAME_MAX];
    svc_structure_name(&self->want.structure, name);
    g_value_set_string(value, name);
}

static void get_layer_bitrates(const SvcAv1Enc *self, GValue *value)
{
    GValue item = G_VALUE_INIT;
    g_value_init(&item, G_TYPE_INT);
    for (guint i = 0; i < self->want.n_layer_kbps; i++) {
        g_value_set_int(&item, (gint)self->want.layer_kbps[i]);
        gst_value_array_append_value(value, &item);
    }
}

static void get_stats(const SvcAv1Enc *self, GValue *value)
{
    const struct enc_counts *c = &self->counts;
    GstStructure *s = gst_structure_new("svcav1enc-stats", "pictures", G_TYPE_UINT64, c->pictures,
                                        "keys", G_TYPE_UINT64, c->keys, "refreshes", G_TYPE_UINT64,
                                        c->refreshes, "failures", G_TYPE_UINT64, c->failures,
                                        "restarts", G_TYPE_UINT64, self->restarts, NULL);
    for (guint i = 0; i < SVC_SPATIAL_MAX; i++)
        if (c->bytes[i]) {
            char name[24];
            g_snprintf(name, sizeof name, "bytes-s%u", i);
            gst_structure_set(s, name, G_TYPE_UINT64, c->bytes[i], NULL);
        }
    g_value_take_boxed(value, s);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    SvcAv1Enc *self = self_of(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_LAYERS:
        get_layers(self, value);
        break;
    case PROP_BITRATE:
        g_value_set_uint(value, self->want.bitrate_kbps);
        break;
    case PROP_LAYER_BITRATES:
        get_layer_bitrates(self, value);
        break;
    case PROP_QUANTIZER:
        g_value_set_uint(value, self->want.quantizer);
        break;
    case PROP_KEYFRAME_MAX_DIST:
        g_value_set_uint(value, self->want.key_interval);
        break;
    case PROP_LONG_TERM_INTERVAL:
        g_value_set_uint(value, self->want.long_term_interval);
        break;
    case PROP_MAX_SPATIAL:
        g_value_set_uint(value, self->want.top_spatial);
        break;
    case PROP_MAX_TEMPORAL:
        g_value_set_uint(value, self->want.top_temporal);
        break;
    case PROP_SPEED:
        g_value_set_uint(value, self->want.speed);
        break;
    case PROP_THREADS:
        g_value_set_uint(value, self->want.threads);
        break;
    case PROP_ISOLATED:
        g_value_set_boolean(value, self->want.isolated);
        break;
    case PROP_STATS:
        get_stats(self, value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

/* ---- opened and closed ---- */

static void close_encoder(SvcAv1Enc *self)
{
    svc_encoder_free(self->encoder);
    self->encoder = NULL;
    self->picture_offset = self->next_picture;
    self->failures = 0;
}

static gboolean start(GstVideoEncoder *base)
{
    SvcAv1Enc *self = self_of(base);
    GST_OBJECT_LOCK(self);
    self->counts = (struct enc_counts){ 0 };
    self->restarts = 0;
    self->refresh = SVC_SPATIAL_MAX;
    GST_OBJECT_UNLOCK(self);
    self->picture_offset = self->next_picture = 0;
    self->force_key = FALSE;
    return TRUE;
}

static gboolean stop(GstVideoEncoder *base)
{
    close_encoder(self_of(base));
    return TRUE;
}

/* Single layers unless the peer knows AV1 and not them. */
static gboolean peer_takes_layers(SvcAv1Enc *self)
{
    GstCaps *allowed = gst_pad_get_allowed_caps(GST_VIDEO_ENCODER_SRC_PAD(self));
    gboolean layers = !allowed; /* no peer */
    for (guint i = 0; allowed && i < gst_caps_get_size(allowed); i++)
        layers |= gst_structure_has_name(gst_caps_get_structure(allowed, i), TVL_CAPS_LAYERS);
    if (allowed)
        gst_caps_unref(allowed);
    return layers;
}

static void make_config(const struct enc_settings *s, const GstVideoInfo *in,
                        struct svc_encoder_config *cfg)
{
    svc_encoder_config_init(cfg);
    cfg->width = (uint16_t)GST_VIDEO_INFO_WIDTH(in);
    cfg->height = (uint16_t)GST_VIDEO_INFO_HEIGHT(in);
    cfg->fps_num = GST_VIDEO_INFO_FPS_N(in) > 0 ? (uint32_t)GST_VIDEO_INFO_FPS_N(in) : FPS_UNKNOWN;
    cfg->fps_den = GST_VIDEO_INFO_FPS_N(in) > 0 ? (uint32_t)GST_VIDEO_INFO_FPS_D(in) : 1;
    cfg->structure = s->structure;
    layer_rates(s, cfg->bitrate_bps);
    memset(cfg->quantizer, (int)s->quantizer, sizeof cfg->quantizer);
    cfg->key_interval = s->key_interval;
    cfg->long_term_interval = s->long_term_interval;
    cfg->isolated = s->isolated;
    cfg->speed = (uint8_t)s->speed;
    cfg->threads = (uint8_t)(s->threads ? s->threads : CLAMP(g_get_num_processors(), 1, 16));
}

static gboolean open_encoder(SvcAv1Enc *self)
{
    struct svc_encoder_config cfg;
    GST_OBJECT_LOCK(self);
    const struct enc_settings want = self->want;
    self->rates_changed = self->speed_changed = FALSE;
    self->tops_changed = want.top_spatial || want.top_temporal;
    GST_OBJECT_UNLOCK(self);
    if (want.n_layer_kbps && want.n_layer_kbps != want.structure.n_spatial) {
        GST_ELEMENT_ERROR(self, LIBRARY, SETTINGS,
                          ("layer-bitrates has %u values, but there are %u spatial layers",
                           want.n_layer_kbps, want.structure.n_spatial),
                          (NULL));
        return FALSE;
    }
    make_config(&want, &self->in, &cfg);
    const int err = svc_encoder_new(&self->encoder, &cfg);
    if (err < 0) {
        self->encoder = NULL;
        GST_ELEMENT_ERROR(
            self, LIBRARY, SETTINGS,
            ("Cannot encode %ux%u in these layers: %s", cfg.width, cfg.height, svc_strerror(err)),
            ("the lowest layer needs to have sides of at least 16 pixels"));
        return FALSE;
    }
    self->by_rate = cfg.bitrate_bps[0] > 0;
    self->n_spatial = want.structure.n_spatial;
    self->n_temporal = want.structure.n_temporal;
    return TRUE;
}

/* Also when another peer comes: it begins with a key picture in the form that it knows. */
static gboolean negotiate(GstVideoEncoder *base)
{
    SvcAv1Enc *self = self_of(base);
    const gboolean layers = peer_takes_layers(self);
    if (self->encoder && layers != self->layers) {
        GST_OBJECT_LOCK(self);
        const struct svc_structure structure = self->want.structure;
        GST_OBJECT_UNLOCK(self);
        GstVideoCodecState *before = gst_video_encoder_get_output_state(base);
        GstCaps *caps = layers ? tvl_layer_caps_new(svc_encoder_info(self->encoder), &structure)
                               : gst_caps_from_string(TVL_CAPS_AV1);
        gst_video_codec_state_unref(gst_video_encoder_set_output_state(base, caps, before));
        gst_video_codec_state_unref(before);
        self->layers = layers;
        self->force_key = TRUE;
    }
    return GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->negotiate(base);
}

/* Tells downstream what comes: caps, tags, and that nothing is held back. */
static gboolean announce(SvcAv1Enc *self, GstVideoCodecState *in, guint bitrate_kbps,
                         const struct svc_structure *structure)
{
    GstVideoEncoder *base = GST_VIDEO_ENCODER(self);
    const struct svc_stream_info *info = svc_encoder_info(self->encoder);
    self->layers = peer_takes_layers(self);
    GstCaps *caps =
        self->layers ? tvl_layer_caps_new(info, structure) : gst_caps_from_string(TVL_CAPS_AV1);
    gst_video_codec_state_unref(gst_video_encoder_set_output_state(base, caps, in));
    GstTagList *tags =
        gst_tag_list_new(GST_TAG_VIDEO_CODEC, "AV1", GST_TAG_ENCODER, "svcav1enc", NULL);
    if (bitrate_kbps)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_NOMINAL_BITRATE, bitrate_kbps * 1000u,
                         NULL);
    gst_video_encoder_merge_tags(base, tags, GST_TAG_MERGE_REPLACE);
    gst_tag_list_unref(tags);
    gst_video_encoder_set_latency(base, 0, 0);
    return gst_video_encoder_negotiate(base);
}

static gboolean set_format(GstVideoEncoder *base, GstVideoCodecState *state)
{
    SvcAv1Enc *self = self_of(base);
    close_encoder(self);
    if (GST_VIDEO_INFO_IS_INTERLACED(&state->info)) {
        GST_ELEMENT_ERROR(self, STREAM, WRONG_TYPE,
                          ("Interlaced video cannot be encoded: put deinterlace before svcav1enc"),
                          (NULL));
        return FALSE;
    }
    self->in = state->info;
    if (!open_encoder(self))
        return FALSE;
    GST_OBJECT_LOCK(self);
    const struct svc_structure structure = self->want.structure;
    const guint kbps = self->want.n_layer_kbps ? 0 : self->want.bitrate_kbps;
    GST_OBJECT_UNLOCK(self);
    return announce(self, state, kbps, &structure);
}

static gboolean flush(GstVideoEncoder *base)
{
    self_of(base)->force_key = TRUE; /* nobody knows what of it has arrived */
    return TRUE;
}

static gboolean propose_allocation(GstVideoEncoder *base, GstQuery *query)
{
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->propose_allocation(base, query);
}

/* Not a meta of layers that somebody left on raw pictures: ours says what ours are. */
static gboolean transform_meta(GstVideoEncoder *base, GstVideoCodecFrame *frame, GstMeta *meta)
{
    return meta->info->api != tvl_layer_meta_api_get_type() &&
           GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->transform_meta(base, frame, meta);
}

/* Leaves in `held` what `more` has too. */
static void hold_in_common(struct svc_tracker *held, const struct svc_tracker *more)
{
    for (guint i = 0; i < SVC_SLOTS; i++)
        held->slot[i].valid &= more->slot[i].valid &&
                               held->slot[i].picture == more->slot[i].picture &&
                               held->slot[i].spatial == more->slot[i].spatial;
}

/* In the encoder's own numbers; what is of an earlier one is not held. */
static void own_numbers(struct svc_tracker *held, guint64 offset)
{
    for (guint i = 0; i < SVC_SLOTS; i++) {
        held->slot[i].valid &= held->slot[i].picture >= offset;
        held->slot[i].picture -= offset;
    }
}

static gboolean src_event(GstVideoEncoder *base, GstEvent *event)
{
    SvcAv1Enc *self = self_of(base);
    struct svc_tracker held;
    guint spatial;
    if (!tvl_layer_refresh_event_parse(event, &spatial, &held))
        return GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->src_event(base, event);
    GST_OBJECT_LOCK(self);
    if (self->refresh == SVC_SPATIAL_MAX)
        self->held = held;
    else
        hold_in_common(&self->held, &held);
    self->refresh = MIN(self->refresh, spatial);
    GST_OBJECT_UNLOCK(self);
    gst_event_unref(event);
    return TRUE;
}

/* ---- a picture ---- */

static guint top_of(guint want, guint all)
{
    return want && want < all ? want : all;
}

/* What was wished since the last picture. */
static void obey(SvcAv1Enc *self)
{
    uint32_t rates[SVC_SPATIAL_MAX];
    GST_OBJECT_LOCK(self);
    struct svc_tracker held = self->held;
    const guint refresh = self->refresh, speed = self->want.speed;
    const gboolean new_speed = self->speed_changed;
    const gboolean fits = self->by_rate && self->want.structure.n_spatial == self->n_spatial &&
                          (!self->want.n_layer_kbps || self->want.n_layer_kbps == self->n_spatial);
    const gboolean new_rates = self->rates_changed && fits;
    const gboolean new_tops = self->tops_changed;
    const guint top_spatial = top_of(self->want.top_spatial, self->n_spatial);
    const guint top_temporal = top_of(self->want.top_temporal, self->n_temporal);
    layer_rates(&self->want, rates);
    self->refresh = SVC_SPATIAL_MAX;
    self->speed_changed = self->rates_changed = self->tops_changed = FALSE;
    if (refresh < self->n_spatial)
        self->counts.refreshes++;
    GST_OBJECT_UNLOCK(self);
    if (new_speed)
        svc_encoder_set_speed(self->encoder, (uint8_t)speed);
    if (new_tops) {
        svc_encoder_set_top(self->encoder, (uint8_t)top_spatial);
        svc_encoder_set_temporal(self->encoder, (uint8_t)top_temporal);
    }
    if (new_rates && svc_encoder_set_rates(self->encoder, rates) < 0)
        GST_WARNING_OBJECT(self, "the new bit rates do not fit these layers");
    own_numbers(&held, self->picture_offset);
    if (refresh < self->n_spatial)
        svc_encoder_recover(self->encoder, refresh, &held);
}

/* When the picture was taken, in us since 1970: by its reference timestamp, else by how long ago it
 * was due on the pipeline's clock. 0: not known, as of a file that is read ahead of time. */
static gint64 captured_at(SvcAv1Enc *self, const GstVideoCodecFrame *frame)
{
    static GstStaticCaps unix_time = GST_STATIC_CAPS("timestamp/x-unix");
    GstCaps *caps = gst_static_caps_get(&unix_time);
    const GstReferenceTimestampMeta *meta =
        gst_buffer_get_reference_timestamp_meta(frame->input_buffer, caps);
    gst_caps_unref(caps);
    if (meta)
        return (gint64)(meta->timestamp / GST_USECOND);
    const GstClockTime due = gst_segment_to_running_time(&GST_VIDEO_ENCODER_INPUT_SEGMENT(self),
                                                         GST_FORMAT_TIME, frame->pts);
    const GstClockTime now = gst_element_get_current_running_time(GST_ELEMENT(self));
    if (!GST_CLOCK_TIME_IS_VALID(due) || !GST_CLOCK_TIME_IS_VALID(now) || now < due ||
        now - due > AGE_MAX)
        return 0;
    return g_get_real_time() - (gint64)((now - due) / GST_USECOND);
}

static void set_times(struct svc_unit *units, int n, gint64 captured)
{
    const gint64 took = captured ? g_get_real_time() - captured : 0;
    for (int i = 0; i < n; i++) {
        units[i].captured = captured;
        units[i].encode_us = (uint32_t)CLAMP(took, 0, (gint64)G_MAXUINT32);
    }
}

static int encode(SvcAv1Enc *self, GstVideoCodecFrame *frame, struct svc_unit *units)
{
    GstVideoFrame map;
    if (!gst_video_frame_map(&map, &self->in, frame->input_buffer, GST_MAP_READ))
        return SVC_ERR_ARG;
    struct svc_image img = { .width = (uint16_t)GST_VIDEO_INFO_WIDTH(&self->in),
                             .height = (uint16_t)GST_VIDEO_INFO_HEIGHT(&self->in) };
    for (guint i = 0; i < 3; i++) {
        img.plane[i] = GST_VIDEO_FRAME_PLANE_DATA(&map, i);
        img.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(&map, i);
    }
    const gboolean key = self->force_key || GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    const gint64 pts = GST_CLOCK_TIME_IS_VALID(frame->pts) ? (gint64)(frame->pts / GST_USECOND) : 0;
    const gint64 captured = captured_at(self, frame);
    const int n = svc_encoder_encode(self->encoder, &img, pts, key, units);
    gst_video_frame_unmap(&map);
    set_times(units, n, captured);
    return n;
}

static void count(SvcAv1Enc *self, const struct svc_unit *units, int n)
{
    GST_OBJECT_LOCK(self);
    self->counts.pictures++;
    self->counts.keys += units[0].key;
    for (int i = 0; i < n; i++)
        self->counts.bytes[units[i].layer.spatial] += units[i].len;
    self->restarts = svc_encoder_restarts(self->encoder);
    GST_OBJECT_UNLOCK(self);
}

static GstFlowReturn push_layers(SvcAv1Enc *self, GstVideoCodecFrame *frame, struct svc_unit *units,
                                 int n)
{
    GstVideoEncoder *base = GST_VIDEO_ENCODER(self);
    GstFlowReturn flow = GST_FLOW_OK;
    for (int i = 0; i < n; i++) {
        struct svc_unit *u = &units[i];
        u->picture += self->picture_offset;
        for (unsigned r = 0; r < u->deps.n_reads; r++)
            u->deps.reads[r].picture += self->picture_offset;
        frame->output_buffer = gst_buffer_new_memdup(u->bytes, u->len);
        tvl_buffer_add_layer_meta(frame->output_buffer, u);
        if (i + 1 < n) {
            const GstFlowReturn f = gst_video_encoder_finish_subframe(base, frame);
            flow = flow == GST_FLOW_OK ? f : flow;
        } else {
            GST_BUFFER_FLAG_SET(frame->output_buffer, GST_BUFFER_FLAG_MARKER);
        }
    }
    const GstFlowReturn f = gst_video_encoder_finish_frame(base, frame);
    return flow == GST_FLOW_OK ? f : flow;
}

static GstFlowReturn push_picture(SvcAv1Enc *self, GstVideoCodecFrame *frame,
                                  const struct svc_unit *units, int n)
{
    static const guint8 delimiter[] = { 0x12, 0x00 }; /* OBU_TEMPORAL_DELIMITER, of size 0 */
    gsize len = sizeof delimiter;
    gboolean droppable = TRUE;
    for (int i = 0; i < n; i++) {
        len += units[i].len;
        droppable &= units[i].deps.refreshes == 0;
    }
    GstBuffer *b = gst_buffer_new_allocate(NULL, len, NULL);
    gst_buffer_fill(b, 0, delimiter, sizeof delimiter);
    gsize at = sizeof delimiter;
    for (int i = 0; i < n; i++)
        at += gst_buffer_fill(b, at, units[i].bytes, units[i].len);
    GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_MARKER);
    if (droppable)
        GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_DROPPABLE);
    frame->output_buffer = b;
    return gst_video_encoder_finish_frame(GST_VIDEO_ENCODER(self), frame);
}

/* The codec refused this picture: it is left out; too many of them are an error. */
static GstFlowReturn refused(SvcAv1Enc *self, GstVideoCodecFrame *frame, int err)
{
    GST_OBJECT_LOCK(self);
    self->counts.failures++;
    GST_OBJECT_UNLOCK(self);
    const GstFlowReturn flow = gst_video_encoder_finish_frame(GST_VIDEO_ENCODER(self), frame);
    if (++self->failures < FAILURES_MAX) {
        GST_WARNING_OBJECT(self, "a picture is left out: %s", svc_strerror(err));
        return flow;
    }
    GST_ELEMENT_ERROR(self, STREAM, ENCODE, (NULL),
                      ("%u pictures in a row: %s", self->failures, svc_strerror(err)));
    return GST_FLOW_ERROR;
}

static GstFlowReturn handle_frame(GstVideoEncoder *base, GstVideoCodecFrame *frame)
{
    SvcAv1Enc *self = self_of(base);
    struct svc_unit units[SVC_SPATIAL_MAX];
    obey(self);
    if (gst_pad_needs_reconfigure(GST_VIDEO_ENCODER_SRC_PAD(base)))
        gst_video_encoder_negotiate(base); /* finish_frame() tells, if it cannot be */
    const int n = encode(self, frame, units);
    if (n < 0)
        return refused(self, frame, n);
    if (n == 0) /* of a temporal layer that is left out */
        return gst_video_encoder_finish_frame(base, frame);
    self->failures = 0;
    self->force_key = FALSE;
    self->next_picture = self->picture_offset + units[0].picture + 1;
    count(self, units, n);
    frame->dts = frame->pts; /* in order */
    if (units[0].key)
        GST_VIDEO_CODEC_FRAME_SET_SYNC_POINT(frame);
    return self->layers ? push_layers(self, frame, units, n) : push_picture(self, frame, units, n);
}

/* ---- the class ---- */

static void install(GObjectClass *c, guint id, GParamSpec *spec)
{
    g_object_class_install_property(c, id, spec);
}

static void install_properties(GObjectClass *c)
{
    const GParamFlags rw = (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
    const GParamFlags ready = (GParamFlags)(rw | GST_PARAM_MUTABLE_READY);
    const GParamFlags playing = (GParamFlags)(rw | GST_PARAM_MUTABLE_PLAYING);
    install(c, PROP_LAYERS,
            g_param_spec_string("layers", "Layers",
                                "Spatial and temporal layers: L1T1 to L3T3, L4T1, L4T2; with _KEY: "
                                "spatial layers are predicted from each other in key pictures only",
                                "L3T2", ready));
    install(c, PROP_BITRATE,
            g_param_spec_uint("bitrate", "Bit rate",
                              "Of all layers together, in kbit/s; each has twice that of the one "
                              "below (0: by quantizer)",
                              0, BITRATE_MAX, BITRATE_DEFAULT, playing));
    install(c, PROP_LAYER_BITRATES,
            gst_param_spec_array(
                "layer-bitrates", "Layers' bit rates",
                "Each spatial layer's own, in kbit/s, lowest first (empty: as bitrate says)",
                g_param_spec_int("kbps", "kbit/s", "Of one layer", 1, (gint)BITRATE_MAX, 1,
                                 (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)),
                playing));
    install(c, PROP_QUANTIZER,
            g_param_spec_uint("quantizer", "Quantizer", "Of all layers, where bitrate is 0", 0, 63,
                              36, ready));
    install(c, PROP_KEYFRAME_MAX_DIST,
            g_param_spec_uint("keyframe-max-dist", "Key frame distance",
                              "Pictures from one key frame to the next (0: only the first)", 0,
                              G_MAXUINT, 60, ready));
    install(c, PROP_LONG_TERM_INTERVAL,
            g_param_spec_uint("long-term-interval", "Long-term interval",
                              "Pictures of the lowest temporal layer from one long-term reference "
                              "to the next",
                              1, 64, 8, ready));
    install(c, PROP_MAX_SPATIAL,
            g_param_spec_uint("max-spatial-layers", "Spatial layers coded",
                              "Code only that many spatial layers, lowest first, until further "
                              "notice (0: all)",
                              0, SVC_SPATIAL_MAX, 0, playing));
    install(c, PROP_MAX_TEMPORAL,
            g_param_spec_uint("max-temporal-layers", "Temporal layers coded",
                              "Code only that many temporal layers, lowest first, until further "
                              "notice (0: all)",
                              0, SVC_TEMPORAL_MAX, 0, playing));
    install(c, PROP_SPEED,
            g_param_spec_uint("speed", "Speed", "Faster and worse: cpu-used of the codec", 7, 10, 9,
                              playing));
    install(c, PROP_THREADS,
            g_param_spec_uint("threads", "Threads",
                              "At most that many, and no more than the size bears (0: as many as "
                              "processors)",
                              0, 16, 0, ready));
    install(c, PROP_ISOLATED,
            g_param_spec_boolean("isolated", "Isolated",
                                 "Run the codec in a process of its own, so that its faults stay "
                                 "there",
                                 FALSE, ready));
    install(c, PROP_STATS,
            g_param_spec_boxed("stats", "Statistics",
                               "Pictures, keys, refreshes, failures, restarts, bytes of each layer",
                               GST_TYPE_STRUCTURE,
                               (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void svc_av1_enc_class_init(SvcAv1EncClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstVideoEncoderClass *encoder = GST_VIDEO_ENCODER_CLASS(class);
    GST_DEBUG_CATEGORY_INIT(svcav1enc_debug, "svcav1enc", 0, "layered AV1 encoder");
    object->set_property = set_property;
    object->get_property = get_property;
    install_properties(object);
    gst_element_class_set_static_metadata(element, "Layered AV1 encoder", "Codec/Encoder/Video",
                                          "Encodes video into spatial and temporal layers of AV1",
                                          "The svc-suite authors");
    gst_element_class_add_static_metadata(
        element, "example",
        "gst-launch-1.0 -e videotestsrc num-buffers=300 ! svcav1enc layers=L3T2 ! matroskamux ! "
        "filesink location=layers.mkv");
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
    encoder->start = start;
    encoder->stop = stop;
    encoder->set_format = set_format;
    encoder->negotiate = negotiate;
    encoder->flush = flush;
    encoder->propose_allocation = propose_allocation;
    encoder->transform_meta = transform_meta;
    encoder->src_event = src_event;
    encoder->handle_frame = handle_frame;
}

static void svc_av1_enc_init(SvcAv1Enc *self)
{
    self->want = (struct enc_settings){
        .structure = { .n_spatial = 3, .n_temporal = 2, .long_term = true },
        .bitrate_kbps = BITRATE_DEFAULT,
        .quantizer = 36,
        .key_interval = 60,
        .long_term_interval = 8,
        .speed = 9,
    };
    self->refresh = SVC_SPATIAL_MAX;
}
