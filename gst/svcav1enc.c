/*
 * svcav1enc.c - raw video into layers of AV1: a GstVideoEncoder over svc_encoder.
 *
 * One picture in, one buffer a layer out (video/x-svc), or one a picture (video/x-av1), as the peer
 * knows; docs/decisions/0018. Works in the streaming thread and holds no picture back, so it adds
 * no latency but the time it takes. What an application sets while it runs is noted under the
 * object's lock and obeyed at the next picture, within what pace allows (enc_pace.h).
 */
#include <gst/video/video.h>
#include <gst/video/gstvideoencoder.h>

#include <string.h>

#include "elements.h"
#include "enc_settings.h"
#include "layer_caps.h"
#include "layer_event.h"
#include "layer_meta.h"

GST_DEBUG_CATEGORY_STATIC(svcav1enc_debug);
#define GST_CAT_DEFAULT svcav1enc_debug

#define FAILURES_MAX 10u /* pictures in a row that the codec refused, then it is an error */
#define AGE_MAX (10 * GST_SECOND) /* of a live picture when it comes here */
#define FPS_UNKNOWN 30            /* of a stream that does not say */
#define TAGS_AGAIN                                                                                \
    (1 * GST_SECOND)                /* of the stream: other rates are told no more often, as tags \
                                     */
#define CAPS_AGAIN (5 * GST_SECOND) /* and as caps, whose change costs those who read them more */
#define CAPS_SHARE 8u               /* there only where one differs by more than an eighth */

struct enc_counts {
    guint64 pictures, keys, refreshes, failures, late;
    guint64 bytes[SVC_SPATIAL_MAX];
};

struct enc_now { /* what the encoder has been told */
    struct svc_pace_orders orders;
    uint32_t bps[SVC_SPATIAL_MAX];
};

struct enc_told { /* downstream, of the layers' rates */
    uint32_t bps[SVC_SPATIAL_MAX];
    GstClockTime at;
};

typedef struct {
    GstVideoEncoder parent;
    /* Under the object's lock. */
    struct enc_settings want;
    gboolean look_again;     /* whether upstream is live */
    guint refresh;           /* spatial layer from which to predict anew; SVC_SPATIAL_MAX: none */
    struct svc_tracker held; /* then: by all who asked, in the numbers of metas */
    struct enc_counts counts;
    guint64 restarts;
    struct enc_pace pace; /* written by the streaming thread, which reads it without the lock */
    struct enc_now now;   /* likewise */
    /* Of the streaming thread. */
    struct svc_encoder *encoder;
    GstVideoInfo in;
    struct svc_structure structure; /* as it was opened */
    gboolean by_rate;               /* likewise */
    struct enc_told tags, caps;
    gboolean layers;        /* video/x-svc; else whole temporal units */
    gboolean force_key;     /* what went before has been flushed away */
    guint64 picture_offset; /* numbers go on rising from one encoder to the next */
    guint64 next_picture;
    guint failures;         /* in a row */
    guint32 segment_seqnum; /* of the segment that came last */
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

/* ---- properties ---- */

enum { PROP_STATS = ENC_SETTINGS_N };

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    SvcAv1Enc *self = self_of(object);
    GST_OBJECT_LOCK(self);
    if (!enc_settings_set(&self->want, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    GST_OBJECT_UNLOCK(self);
}

static void add_pace(const SvcAv1Enc *self, GstStructure *s)
{
    const struct svc_pace_orders *o = &self->now.orders;
    gst_structure_set(s, "paced", G_TYPE_BOOLEAN, self->pace.on, "load", G_TYPE_DOUBLE,
                      svc_pace_load(&self->pace.pace), "pace-downs", G_TYPE_UINT64,
                      (guint64)self->pace.pace.downs, "pace-ups", G_TYPE_UINT64,
                      (guint64)self->pace.pace.ups, "speed", G_TYPE_UINT, (guint)o->speed,
                      "spatial-layers", G_TYPE_UINT, (guint)o->n_spatial, "temporal-layers",
                      G_TYPE_UINT, (guint)o->n_temporal, NULL);
}

static void get_stats(const SvcAv1Enc *self, GValue *value)
{
    const struct enc_counts *c = &self->counts;
    GstStructure *s = gst_structure_new(
        "svcav1enc-stats", "pictures", G_TYPE_UINT64, c->pictures, "keys", G_TYPE_UINT64, c->keys,
        "refreshes", G_TYPE_UINT64, c->refreshes, "failures", G_TYPE_UINT64, c->failures, "late",
        G_TYPE_UINT64, c->late, "restarts", G_TYPE_UINT64, self->restarts, NULL);
    for (guint i = 0; i < SVC_SPATIAL_MAX; i++)
        if (c->bytes[i]) {
            char name[24];
            g_snprintf(name, sizeof name, "bytes-s%u", i);
            gst_structure_set(s, name, G_TYPE_UINT64, c->bytes[i], NULL);
        }
    add_pace(self, s);
    g_value_take_boxed(value, s);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    SvcAv1Enc *self = self_of(object);
    GST_OBJECT_LOCK(self);
    if (id == PROP_STATS)
        get_stats(self, value);
    else if (!enc_settings_get(&self->want, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
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
    self->pace = (struct enc_pace){ .asked = FALSE };
    self->look_again = FALSE;
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
    enc_settings_rates(s, cfg->bitrate_bps);
    memset(cfg->quantizer, (int)s->quantizer, sizeof cfg->quantizer);
    cfg->key_interval = s->key_interval;
    cfg->long_term_interval = s->long_term_interval;
    cfg->isolated = s->isolated;
    cfg->speed = (uint8_t)s->speed;
    cfg->threads = (uint8_t)(s->threads ? s->threads : CLAMP(g_get_num_processors(), 1, 16));
}

/* A structure that downstream's caps insist on goes before the property. */
static void structure_of_peer(SvcAv1Enc *self, struct svc_structure *st)
{
    GstCaps *allowed = gst_pad_get_allowed_caps(GST_VIDEO_ENCODER_SRC_PAD(self));
    if (!allowed)
        return;
    const gchar *name =
        gst_caps_is_empty(allowed)
            ? NULL
            : gst_structure_get_string(gst_caps_get_structure(allowed, 0), "scalability");
    if (name)
        (void)svc_structure_parse(st, name);
    gst_caps_unref(allowed);
}

/* The best that pace may order. Whole pictures keep their size: with fewer layers they would be
 * smaller for those who know AV1 alone. */
static struct svc_pace_orders best_of(const SvcAv1Enc *self, guint speed)
{
    return (struct svc_pace_orders){ .speed = (uint8_t)speed,
                                     .n_spatial = self->layers ? self->structure.n_spatial : 1,
                                     .n_temporal = self->structure.n_temporal };
}

static void begin_pace(SvcAv1Enc *self, guint speed)
{
    const struct svc_pace_orders best = best_of(self, speed);
    GST_OBJECT_LOCK(self);
    enc_pace_begin(&self->pace, &best, GST_VIDEO_INFO_FPS_N(&self->in),
                   GST_VIDEO_INFO_FPS_D(&self->in));
    GST_OBJECT_UNLOCK(self);
}

static gboolean open_encoder(SvcAv1Enc *self)
{
    struct svc_encoder_config cfg;
    GST_OBJECT_LOCK(self);
    struct enc_settings want = self->want;
    GST_OBJECT_UNLOCK(self);
    structure_of_peer(self, &want.structure);
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
    self->structure = want.structure;
    begin_pace(self, want.speed);
    GST_OBJECT_LOCK(self);
    self->now.orders = (struct svc_pace_orders){ .speed = (uint8_t)want.speed,
                                                 .n_spatial = want.structure.n_spatial,
                                                 .n_temporal = want.structure.n_temporal };
    memcpy(self->now.bps, cfg.bitrate_bps, sizeof self->now.bps);
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

/* What comes, with the rates as they are now. */
static GstCaps *caps_now(SvcAv1Enc *self)
{
    if (!self->layers)
        return gst_caps_from_string(TVL_CAPS_AV1);
    struct svc_stream_info info = *svc_encoder_info(self->encoder);
    for (guint s = 0; s < info.n_spatial; s++) {
        guint64 before = 0;
        for (guint t = 0; t < info.n_temporal; t++)
            before += info.layers[t * info.n_spatial + s].bitrate_bps;
        for (guint t = 0; before && t < info.n_temporal; t++) {
            struct svc_layer_info *l = &info.layers[t * info.n_spatial + s];
            l->bitrate_bps =
                (uint32_t)gst_util_uint64_scale(l->bitrate_bps, self->now.bps[s], before);
            l->bitrate_max_bps =
                (uint32_t)gst_util_uint64_scale(l->bitrate_max_bps, self->now.bps[s], before);
        }
    }
    memcpy(self->caps.bps, self->now.bps, sizeof self->caps.bps);
    return tvl_layer_caps_new(&info, &self->structure);
}

static void set_output(SvcAv1Enc *self, GstVideoCodecState *like)
{
    GstVideoEncoder *base = GST_VIDEO_ENCODER(self);
    gst_video_codec_state_unref(gst_video_encoder_set_output_state(base, caps_now(self), like));
}

static void set_output_as_before(SvcAv1Enc *self)
{
    GstVideoCodecState *before = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    set_output(self, before);
    gst_video_codec_state_unref(before);
}

/* Also when another peer comes: it begins with a key picture in the form that it knows. */
static gboolean negotiate(GstVideoEncoder *base)
{
    SvcAv1Enc *self = self_of(base);
    const gboolean layers = peer_takes_layers(self);
    if (self->encoder && layers != self->layers) {
        self->layers = layers;
        self->force_key = TRUE;
        set_output_as_before(self);
    }
    return GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->negotiate(base);
}

static void tell_tags(SvcAv1Enc *self)
{
    guint64 sum = 0;
    for (guint i = 0; i < SVC_SPATIAL_MAX; i++)
        sum += self->now.bps[i];
    GstTagList *tags =
        gst_tag_list_new(GST_TAG_VIDEO_CODEC, "AV1", GST_TAG_ENCODER, "svcav1enc", NULL);
    if (sum)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_NOMINAL_BITRATE,
                         (guint)MIN(sum, G_MAXUINT), NULL);
    gst_video_encoder_merge_tags(GST_VIDEO_ENCODER(self), tags, GST_TAG_MERGE_REPLACE);
    gst_tag_list_unref(tags);
    memcpy(self->tags.bps, self->now.bps, sizeof self->tags.bps);
}

/* Tells downstream what comes: caps, tags, and that nothing is held back. */
static gboolean announce(SvcAv1Enc *self, GstVideoCodecState *in)
{
    GstVideoEncoder *base = GST_VIDEO_ENCODER(self);
    self->layers = peer_takes_layers(self);
    set_output(self, in);
    tell_tags(self);
    self->tags.at = self->caps.at = GST_CLOCK_TIME_NONE;
    gst_video_encoder_set_latency(base, 0, 0);
    /* Where it is being stopped the format is none the worse for it; the next picture says so. */
    return gst_video_encoder_negotiate(base) ||
           GST_PAD_IS_FLUSHING(GST_VIDEO_ENCODER_SRC_PAD(base));
}

/* Whether `told` is to be renewed at `now`: a rate differs by more than a `share`th (0: at all) and
 * the last time was `again` ago. */
static gboolean is_stale(const SvcAv1Enc *self, struct enc_told *told, GstClockTime now,
                         GstClockTime again, guint share)
{
    gboolean other = FALSE;
    for (guint i = 0; i < SVC_SPATIAL_MAX; i++) {
        const uint32_t is = self->now.bps[i], was = told->bps[i];
        other |= (is > was ? is - was : was - is) > (share ? was / share : 0);
    }
    if (!other || !GST_CLOCK_TIME_IS_VALID(now))
        return FALSE;
    if (GST_CLOCK_TIME_IS_VALID(told->at) && now >= told->at && now - told->at < again)
        return FALSE;
    told->at = now;
    return TRUE;
}

/* Before a picture of the time `now`, where the rates are others than was said. */
static void tell_rates(SvcAv1Enc *self, GstClockTime now)
{
    if (is_stale(self, &self->tags, now, TAGS_AGAIN, 0))
        tell_tags(self);
    if (!self->layers || !is_stale(self, &self->caps, now, CAPS_AGAIN, CAPS_SHARE))
        return;
    set_output_as_before(self);
    gst_video_encoder_negotiate(GST_VIDEO_ENCODER(self));
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
    return announce(self, state);
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
    if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY) { /* the pipeline has another one */
        GST_OBJECT_LOCK(self);
        self->look_again = TRUE;
        GST_OBJECT_UNLOCK(self);
    }
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

/* The base class makes the segment anew and forgets of which seek it is, by which an application
 * knows that its seek is done. */
static gboolean sink_event(GstVideoEncoder *base, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
        self_of(base)->segment_seqnum = gst_event_get_seqnum(event);
    return GST_VIDEO_ENCODER_CLASS(svc_av1_enc_parent_class)->sink_event(base, event);
}

static GstPadProbeReturn number_segment(GstPad *pad, GstPadProbeInfo *info, gpointer self)
{
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    (void)pad;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        event = gst_event_make_writable(event);
        gst_event_set_seqnum(event, self_of(self)->segment_seqnum);
        GST_PAD_PROBE_INFO_DATA(info) = event;
    }
    return GST_PAD_PROBE_OK;
}

/* ---- a picture ---- */

static uint8_t top_of(guint want, uint8_t most)
{
    return want && want < most ? (uint8_t)want : most;
}

/* Speed and layers as the application wants them, within what pace allows. */
static void obey_orders(SvcAv1Enc *self, const struct enc_settings *want, gboolean look_again)
{
    struct svc_pace_orders o;
    const struct svc_pace_orders best = best_of(self, want->speed);
    if (memcmp(&best, &self->pace.pace.cfg.best, sizeof best) != 0) /* its levels are others */
        begin_pace(self, want->speed);
    GST_OBJECT_LOCK(self);
    struct enc_pace pace = self->pace;
    GST_OBJECT_UNLOCK(self);
    enc_pace_decide(&pace, want->pace, GST_VIDEO_ENCODER_SINK_PAD(self), look_again);
    o = enc_pace_orders(&pace);
    o.n_spatial = top_of(want->top_spatial, self->layers ? o.n_spatial : self->structure.n_spatial);
    o.n_temporal = top_of(want->top_temporal, o.n_temporal);
    const struct svc_pace_orders was = self->now.orders;
    GST_OBJECT_LOCK(self);
    self->pace = pace;
    self->now.orders = o;
    GST_OBJECT_UNLOCK(self);
    if (o.speed != was.speed)
        svc_encoder_set_speed(self->encoder, o.speed);
    if (o.n_spatial != was.n_spatial)
        svc_encoder_set_top(self->encoder, o.n_spatial);
    if (o.n_temporal != was.n_temporal)
        svc_encoder_set_temporal(self->encoder, o.n_temporal);
}

static void obey_rates(SvcAv1Enc *self, const struct enc_settings *want)
{
    uint32_t bps[SVC_SPATIAL_MAX];
    struct enc_settings opened = *want;
    opened.structure = self->structure;
    enc_settings_rates(&opened, bps);
    if (!self->by_rate || memcmp(bps, self->now.bps, sizeof bps) == 0 ||
        (want->n_layer_kbps && want->n_layer_kbps != self->structure.n_spatial))
        return;
    if (svc_encoder_set_rates(self->encoder, bps) < 0) {
        GST_WARNING_OBJECT(self, "the new bit rates do not fit these layers");
        return;
    }
    memcpy(self->now.bps, bps, sizeof bps);
}

/* What was wished since the last picture. */
static void obey(SvcAv1Enc *self)
{
    GST_OBJECT_LOCK(self);
    const struct enc_settings want = self->want;
    struct svc_tracker held = self->held;
    const guint refresh = self->refresh;
    const gboolean look_again = self->look_again;
    self->refresh = SVC_SPATIAL_MAX;
    self->look_again = FALSE;
    if (refresh < self->structure.n_spatial)
        self->counts.refreshes++;
    GST_OBJECT_UNLOCK(self);
    obey_orders(self, &want, look_again);
    obey_rates(self, &want);
    own_numbers(&held, self->picture_offset);
    if (refresh < self->structure.n_spatial)
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
        tvl_buffer_add_unit_meta(frame->output_buffer, u);
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

/* What a change of pace means is told the application, too. */
static void tell_pace(SvcAv1Enc *self)
{
    struct svc_pace_orders o = enc_pace_orders(&self->pace);
    o.n_spatial = self->layers ? o.n_spatial : self->structure.n_spatial;
    GST_INFO_OBJECT(self, "load %.2f: speed %u, %u temporal and %u spatial layers",
                    svc_pace_load(&self->pace.pace), o.speed, o.n_temporal, o.n_spatial);
    gst_element_post_message(
        GST_ELEMENT(self),
        gst_message_new_element(
            GST_OBJECT(self),
            gst_structure_new("svcav1enc-pace", "load", G_TYPE_DOUBLE,
                              svc_pace_load(&self->pace.pace), "speed", G_TYPE_UINT, (guint)o.speed,
                              "spatial-layers", G_TYPE_UINT, (guint)o.n_spatial, "temporal-layers",
                              G_TYPE_UINT, (guint)o.n_temporal, NULL)));
}

/* encode(), and how long it took. */
static int encode_in_time(SvcAv1Enc *self, GstVideoCodecFrame *frame, struct svc_unit *units)
{
    const gboolean skips = svc_encoder_skips(self->encoder);
    const GstClockTime began = gst_element_get_current_running_time(GST_ELEMENT(self));
    const int n = encode(self, frame, units);
    const GstClockTime ended = gst_element_get_current_running_time(GST_ELEMENT(self));
    if (n < 0)
        return n;
    GST_OBJECT_LOCK(self);
    const gboolean other =
        enc_pace_picture(&self->pace, frame->deadline, began, ended, skips && n == 0);
    GST_OBJECT_UNLOCK(self);
    if (other)
        tell_pace(self);
    return n;
}

/* With `qos`: it comes too late for those downstream anyway. */
static gboolean is_late(SvcAv1Enc *self, GstVideoCodecFrame *frame)
{
    if (self->force_key || GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame) ||
        gst_video_encoder_get_max_encode_time(GST_VIDEO_ENCODER(self), frame) >= 0)
        return FALSE;
    GST_OBJECT_LOCK(self);
    self->counts.late++;
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

static GstFlowReturn handle_frame(GstVideoEncoder *base, GstVideoCodecFrame *frame)
{
    SvcAv1Enc *self = self_of(base);
    struct svc_unit units[SVC_SPATIAL_MAX];
    obey(self);
    if (gst_pad_needs_reconfigure(GST_VIDEO_ENCODER_SRC_PAD(base)))
        gst_video_encoder_negotiate(base); /* finish_frame() tells, if it cannot be */
    tell_rates(self, frame->pts);
    if (is_late(self, frame))
        return gst_video_encoder_finish_frame(base, frame); /* leaves it out and tells the bus */
    const int n = encode_in_time(self, frame, units);
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

static void svc_av1_enc_class_init(SvcAv1EncClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstVideoEncoderClass *encoder = GST_VIDEO_ENCODER_CLASS(class);
    GST_DEBUG_CATEGORY_INIT(svcav1enc_debug, "svcav1enc", 0, "layered AV1 encoder");
    object->set_property = set_property;
    object->get_property = get_property;
    enc_settings_install(object);
    g_object_class_install_property(
        object, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Pictures, keys, refreshes, failures, late, restarts, bytes of each "
                           "layer; what pace does: paced, load, speed, layers coded",
                           GST_TYPE_STRUCTURE,
                           (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
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
    encoder->sink_event = sink_event;
    encoder->src_event = src_event;
    encoder->handle_frame = handle_frame;
    gst_type_mark_as_plugin_api(enc_pace_mode_get_type(), 0);
}

static void svc_av1_enc_init(SvcAv1Enc *self)
{
    enc_settings_init(&self->want);
    self->refresh = SVC_SPATIAL_MAX;
    gst_pad_add_probe(GST_VIDEO_ENCODER_SRC_PAD(self), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                      number_segment, self, NULL);
}
