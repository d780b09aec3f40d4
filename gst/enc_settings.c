/* enc_settings.c - see enc_settings.h. */
#include "enc_settings.h"

#include <string.h>

#define BITRATE_DEFAULT 2000u /* kbit/s */
#define BITRATE_MAX 1000000u  /* kbit/s; 1 Gbit/s */

void enc_settings_init(struct enc_settings *s)
{
    *s = (struct enc_settings){
        .structure = { .n_spatial = 3, .n_temporal = 2, .long_term = true },
        .bitrate_kbps = BITRATE_DEFAULT,
        .quantizer = 36,
        .key_interval = 60,
        .long_term_interval = 8,
        .speed = 9,
        .pace = ENC_PACE_AUTO,
    };
}

/* A layer has twice the rate of the one below it: four times the pixels, half the bits for each, as
 * they are mostly predicted. */
void enc_settings_rates(const struct enc_settings *s, uint32_t out[SVC_SPATIAL_MAX])
{
    const guint n = s->structure.n_spatial;
    memset(out, 0, SVC_SPATIAL_MAX * sizeof *out);
    for (guint i = 0; i < n; i++)
        if (s->n_layer_kbps)
            out[i] = s->layer_kbps[i] * 1000u;
        else
            out[i] = (uint32_t)((guint64)s->bitrate_kbps * 1000u * (1u << i) / ((1u << n) - 1u));
}

/* ---- set and got ---- */

static void set_layers(struct enc_settings *s, const char *name)
{
    struct svc_structure st;
    if (!name || svc_structure_parse(&st, name) < 0)
        g_warning("svcav1enc: layers=%s is none of L1T1 to L3T3, L4T1, L4T2, with or without _KEY",
                  name ? name : "(null)");
    else
        s->structure = st;
}

static void set_layer_bitrates(struct enc_settings *s, const GValue *value)
{
    const guint n = gst_value_array_get_size(value);
    if (n > SVC_SPATIAL_MAX) {
        g_warning("svcav1enc: layer-bitrates has %u values, there are at most %d spatial layers", n,
                  SVC_SPATIAL_MAX);
        return;
    }
    for (guint i = 0; i < n; i++) {
        const gint kbps = g_value_get_int(gst_value_array_get_value(value, i));
        s->layer_kbps[i] = (guint)CLAMP(kbps, 1, (gint)BITRATE_MAX);
    }
    s->n_layer_kbps = n;
}

static void get_layer_bitrates(const struct enc_settings *s, GValue *value)
{
    GValue item = G_VALUE_INIT;
    g_value_init(&item, G_TYPE_INT);
    for (guint i = 0; i < s->n_layer_kbps; i++) {
        g_value_set_int(&item, (gint)s->layer_kbps[i]);
        gst_value_array_append_value(value, &item);
    }
}

/* The plain numbers; NULL: another property. */
static guint *number(struct enc_settings *s, guint id)
{
    switch (id) {
    case ENC_BITRATE:
        return &s->bitrate_kbps;
    case ENC_QUANTIZER:
        return &s->quantizer;
    case ENC_KEYFRAME_MAX_DIST:
        return &s->key_interval;
    case ENC_LONG_TERM_INTERVAL:
        return &s->long_term_interval;
    case ENC_MAX_SPATIAL:
        return &s->top_spatial;
    case ENC_MAX_TEMPORAL:
        return &s->top_temporal;
    case ENC_SPEED:
        return &s->speed;
    case ENC_THREADS:
        return &s->threads;
    default:
        return NULL;
    }
}

gboolean enc_settings_set(struct enc_settings *s, guint id, const GValue *value)
{
    guint *at = number(s, id);
    if (at)
        *at = g_value_get_uint(value);
    else if (id == ENC_LAYERS)
        set_layers(s, g_value_get_string(value));
    else if (id == ENC_LAYER_BITRATES)
        set_layer_bitrates(s, value);
    else if (id == ENC_ISOLATED)
        s->isolated = g_value_get_boolean(value);
    else if (id == ENC_PACE)
        s->pace = (enum enc_pace_mode)g_value_get_enum(value);
    else
        return FALSE;
    return TRUE;
}

gboolean enc_settings_get(const struct enc_settings *s, guint id, GValue *value)
{
    struct enc_settings copy = *s;
    const guint *at = number(&copy, id);
    char name[SVC_STRUCTURE_NAME_MAX];
    if (at) {
        g_value_set_uint(value, *at);
    } else if (id == ENC_LAYERS) {
        svc_structure_name(&s->structure, name);
        g_value_set_string(value, name);
    } else if (id == ENC_LAYER_BITRATES) {
        get_layer_bitrates(s, value);
    } else if (id == ENC_ISOLATED) {
        g_value_set_boolean(value, s->isolated);
    } else if (id == ENC_PACE) {
        g_value_set_enum(value, (gint)s->pace);
    } else {
        return FALSE;
    }
    return TRUE;
}

/* ---- as the class shows them ---- */

#define RW ((GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS))
#define IN_READY ((GParamFlags)(RW | GST_PARAM_MUTABLE_READY))
#define IN_PLAYING ((GParamFlags)(RW | GST_PARAM_MUTABLE_PLAYING))

static const struct {
    guint id;
    const gchar *name, *nick, *blurb;
    guint least, most, usual;
    GParamFlags flags;
} numbers[] = {
    { ENC_BITRATE, "bitrate", "Bit rate",
      "Of all layers together, in kbit/s; each has twice that of the one below (0: by quantizer)",
      0, BITRATE_MAX, BITRATE_DEFAULT, IN_PLAYING },
    { ENC_QUANTIZER, "quantizer", "Quantizer", "Of all layers, where bitrate is 0", 0, 63, 36,
      IN_READY },
    { ENC_KEYFRAME_MAX_DIST, "keyframe-max-dist", "Key frame distance",
      "Pictures from one key frame to the next (0: only the first)", 0, G_MAXUINT, 60, IN_READY },
    { ENC_LONG_TERM_INTERVAL, "long-term-interval", "Long-term interval",
      "Pictures of the lowest temporal layer from one long-term reference to the next", 1, 64, 8,
      IN_READY },
    { ENC_MAX_SPATIAL, "max-spatial-layers", "Spatial layers coded",
      "Code only that many spatial layers, lowest first, until further notice (0: all)", 0,
      SVC_SPATIAL_MAX, 0, IN_PLAYING },
    { ENC_MAX_TEMPORAL, "max-temporal-layers", "Temporal layers coded",
      "Code only that many temporal layers, lowest first, until further notice (0: all)", 0,
      SVC_TEMPORAL_MAX, 0, IN_PLAYING },
    { ENC_SPEED, "speed", "Speed", "Faster and worse: cpu-used of the codec", 7, 10, 9,
      IN_PLAYING },
    { ENC_THREADS, "threads", "Threads",
      "At most that many, and no more than the size bears (0: as many as processors)", 0, 16, 0,
      IN_READY },
};

void enc_settings_install(GObjectClass *c)
{
    g_object_class_install_property(
        c, ENC_LAYERS,
        g_param_spec_string("layers", "Layers",
                            "Spatial and temporal layers: L1T1 to L3T3, L4T1, L4T2; with _KEY: "
                            "spatial layers are predicted from each other in key pictures only. "
                            "What downstream's caps say as scalability goes first",
                            "L3T2", IN_READY));
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_object_class_install_property(
            c, numbers[i].id,
            g_param_spec_uint(numbers[i].name, numbers[i].nick, numbers[i].blurb, numbers[i].least,
                              numbers[i].most, numbers[i].usual, numbers[i].flags));
    g_object_class_install_property(
        c, ENC_LAYER_BITRATES,
        gst_param_spec_array(
            "layer-bitrates", "Layers' bit rates",
            "Each spatial layer's own, in kbit/s, lowest first (empty: as bitrate says)",
            g_param_spec_int("kbps", "kbit/s", "Of one layer", 1, (gint)BITRATE_MAX, 1, RW),
            IN_PLAYING));
    g_object_class_install_property(
        c, ENC_ISOLATED,
        g_param_spec_boolean("isolated", "Isolated",
                             "Run the codec in a process of its own, so that its faults stay there",
                             FALSE, IN_READY));
    g_object_class_install_property(
        c, ENC_PACE,
        g_param_spec_enum("pace", "Pace",
                          "Work faster, then leave layers out for a while, where a picture takes "
                          "longer than it lasts",
                          enc_pace_mode_get_type(), ENC_PACE_AUTO, IN_PLAYING));
}
