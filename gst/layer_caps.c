/* layer_caps.c - see layer_caps.h. */
#include "layer_caps.h"

#include <string.h>

static void put_array(GstStructure *s, const char *name, const guint *values, size_t n)
{
    GValue array = G_VALUE_INIT, item = G_VALUE_INIT;
    g_value_init(&array, GST_TYPE_ARRAY);
    g_value_init(&item, G_TYPE_INT);
    for (size_t i = 0; i < n; i++) {
        g_value_set_int(&item, (gint)MIN(values[i], (guint)G_MAXINT));
        gst_value_array_append_value(&array, &item);
    }
    gst_structure_take_value(s, name, &array);
}

/* Of at most `n` values; those that are missing or negative stay 0. */
static void get_array(const GstStructure *s, const char *name, guint *values, size_t n)
{
    const GValue *array = gst_structure_get_value(s, name);
    if (!array || !GST_VALUE_HOLDS_ARRAY(array))
        return;
    for (guint i = 0; i < gst_value_array_get_size(array) && i < n; i++) {
        const GValue *item = gst_value_array_get_value(array, i);
        if (G_VALUE_HOLDS_INT(item) && g_value_get_int(item) > 0)
            values[i] = (guint)g_value_get_int(item);
    }
}

enum { WIDTHS, HEIGHTS, RATES, MAXIMA, N_ARRAYS };
static const char *const array_name[N_ARRAYS] = { "layer-widths", "layer-heights", "layer-bitrates",
                                                  "layer-bitrates-max" };

GstCaps *tvl_layer_caps_new(const struct svc_stream_info *info,
                            const struct svc_structure *structure)
{
    struct svc_structure st = { .n_spatial = info->n_spatial, .n_temporal = info->n_temporal };
    char name[SVC_STRUCTURE_NAME_MAX];
    svc_structure_name(structure ? structure : &st, name);
    const char *codec = svc_codec_name(info->codec);
    GstCaps *caps = gst_caps_new_simple(TVL_CAPS_LAYERS, "codec", G_TYPE_STRING,
                                        codec ? codec : "av1", "codec-string", G_TYPE_STRING,
                                        info->codec, "scalability", G_TYPE_STRING, name, NULL);
    GstStructure *s = gst_caps_get_structure(caps, 0);
    if (info->width && info->height)
        gst_structure_set(s, "width", G_TYPE_INT, info->width, "height", G_TYPE_INT, info->height,
                          NULL);
    if (info->fps_num && info->fps_den)
        gst_structure_set(s, "framerate", GST_TYPE_FRACTION, (gint)info->fps_num,
                          (gint)info->fps_den, NULL);
    guint value[N_ARRAYS][SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX] = { { 0 } };
    for (size_t i = 0; i < info->n_layers; i++) {
        const struct svc_layer_info *l = &info->layers[i];
        value[WIDTHS][i] = l->width;
        value[HEIGHTS][i] = l->height;
        value[RATES][i] = l->bitrate_bps;
        value[MAXIMA][i] = l->bitrate_max_bps;
    }
    for (int a = 0; a < N_ARRAYS && info->n_layers; a++)
        put_array(s, array_name[a], value[a], info->n_layers);
    return caps;
}

static void get_layers(const GstStructure *s, struct svc_stream_info *out)
{
    guint value[N_ARRAYS][SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX] = { { 0 } };
    out->n_layers = (size_t)out->n_spatial * out->n_temporal;
    for (int a = 0; a < N_ARRAYS; a++)
        get_array(s, array_name[a], value[a], out->n_layers);
    for (size_t i = 0; i < out->n_layers; i++)
        out->layers[i] = (struct svc_layer_info){
            .layer = { .spatial = (uint8_t)(i % out->n_spatial),
                       .temporal = (uint8_t)(i / out->n_spatial) },
            .width = (uint16_t)MIN(value[WIDTHS][i], UINT16_MAX),
            .height = (uint16_t)MIN(value[HEIGHTS][i], UINT16_MAX),
            .bitrate_bps = value[RATES][i],
            .bitrate_max_bps = value[MAXIMA][i],
        };
}

gboolean tvl_layer_caps_parse(const GstCaps *caps, struct svc_stream_info *out)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    const char *name = gst_structure_get_string(s, "scalability");
    const char *codec = gst_structure_get_string(s, "codec-string");
    struct svc_structure st;
    if (!codec)
        codec = gst_structure_get_string(s, "codec");
    if (!gst_structure_has_name(s, TVL_CAPS_LAYERS) || !name || !codec || !svc_codec_name(codec) ||
        strlen(codec) >= sizeof out->codec || svc_structure_parse(&st, name) < 0)
        return FALSE;
    gint width = 0, height = 0, num = 0, den = 0;
    gst_structure_get_int(s, "width", &width);
    gst_structure_get_int(s, "height", &height);
    gst_structure_get_fraction(s, "framerate", &num, &den);
    if (width < 0 || width > UINT16_MAX || height < 0 || height > UINT16_MAX || num < 0 || den < 0)
        return FALSE;
    *out = (struct svc_stream_info){
        .n_spatial = st.n_spatial,
        .n_temporal = st.n_temporal,
        .width = (uint16_t)width,
        .height = (uint16_t)height,
        .fps_num = (uint32_t)num,
        .fps_den = (uint32_t)den,
    };
    g_strlcpy(out->codec, codec, sizeof out->codec);
    get_layers(s, out);
    return TRUE;
}
