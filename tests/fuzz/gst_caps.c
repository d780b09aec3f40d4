/*
 * gst_caps.c - libFuzzer entry: what GStreamer's elements make of a stranger's words. A catalog
 * (JSON, begins with a brace) becomes the caps of what tvlsrc plays; anything else decides
 * what is in caps that tvlsink and svcav1dec read (GStreamer's own reader of text leaks, so it is
 * left out). Whatever it is, caps are fixed, in range, the same again
 * after a way through text, and nothing warns.
 */
#include <stdint.h>
#include <string.h>

#include "input.h"
#include "layer_caps.h"
#include "track_caps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_log(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer user)
{
    g_log_default_handler(domain, level, text, user);
    must(!(level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)));
}

static void begin(void)
{
    static bool begun;
    if (begun)
        return;
    begun = true;
    g_setenv("GST_REGISTRY_UPDATE", "no", TRUE);
    g_setenv("GST_REGISTRY", "/dev/null", TRUE); /* no plug-ins */
    g_setenv("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
    gst_init(NULL, NULL);
    g_log_set_default_handler(on_log, NULL);
}

static void is_positive(const GstStructure *s, const char *name)
{
    gint n, d;
    if (gst_structure_has_field_typed(s, name, G_TYPE_INT))
        must(gst_structure_get_int(s, name, &n) && n > 0);
    else if (gst_structure_has_field(s, name))
        must(gst_structure_get_fraction(s, name, &n, &d) && n > 0 && d > 0);
}

/* Takes them. */
static void check(GstCaps *caps)
{
    static const char *const fields[] = { "width", "height", "framerate", "rate", "channels" };
    must(gst_caps_is_fixed(caps) && gst_caps_get_size(caps) == 1);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        is_positive(gst_caps_get_structure(caps, 0), fields[i]);
    gchar *text = gst_caps_to_string(caps);
    GstCaps *again = gst_caps_from_string(text);
    must(again && gst_caps_is_equal(caps, again));
    g_free(text);
    gst_caps_unref(again);
    gst_caps_unref(caps);
}

static void layers_there_and_back(const GstCaps *caps)
{
    struct svc_stream_info info, same;
    if (!tvl_layer_caps_parse(caps, &info))
        return;
    must(info.n_spatial >= 1 && info.n_spatial <= SVC_SPATIAL_MAX && info.n_temporal >= 1 &&
         info.n_temporal <= SVC_TEMPORAL_MAX &&
         info.n_layers == (size_t)info.n_spatial * info.n_temporal);
    GstCaps *ours = tvl_layer_caps_new(&info, NULL);
    must(tvl_layer_caps_parse(ours, &same));
    must(same.n_layers == info.n_layers && same.fps_num == info.fps_num &&
         (!info.width || !info.height || same.width == info.width));
    for (size_t i = 0; i < info.n_layers; i++)
        must(same.layers[i].width == info.layers[i].width &&
             same.layers[i].bitrate_bps == info.layers[i].bitrate_bps);
    check(ours);
}

/* A word out of a list, or the input's own letters. */
static void put_text(GstStructure *s, const char *name, struct input *in)
{
    static const char *const words[] = { "av1",  "av01.0.05M.08", "vp9",  "h264",     "L1T1",
                                         "L3T2", "L2T2_KEY",      "L4T2", "L3T3_KEY", "L9T9" };
    const uint8_t which = input_u8(in);
    char own[64] = "";
    if (which < G_N_ELEMENTS(words)) {
        gst_structure_set(s, name, G_TYPE_STRING, words[which], NULL);
        return;
    }
    for (size_t i = 0; i < which % sizeof own; i++)
        own[i] = (char)(' ' + input_u8(in) % 95);
    own[sizeof own - 1] = '\0';
    gst_structure_set(s, name, G_TYPE_STRING, own, NULL);
}

static gint number(struct input *in)
{
    return (gint)(uint32_t)input_u64(in);
}

static void put_array(GstStructure *s, const char *name, struct input *in)
{
    GValue array = G_VALUE_INIT;
    const bool right = input_u8(in) < 240;
    g_value_init(&array, GST_TYPE_ARRAY);
    for (uint8_t n = input_u8(in) % 20; n > 0; n--) {
        GValue item = G_VALUE_INIT;
        g_value_init(&item, right ? G_TYPE_INT : G_TYPE_DOUBLE);
        if (right)
            g_value_set_int(&item, number(in));
        gst_value_array_append_and_take_value(&array, &item);
    }
    gst_structure_take_value(s, name, &array);
}

/* Caps as an element may be given them: any field of any type. */
static void caps_of(struct input in)
{
    static const char *const names[] = {
        "codec",          "codec-string",       "scalability",  "width",
        "height",         "framerate",          "layer-widths", "layer-heights",
        "layer-bitrates", "layer-bitrates-max", "parsed"
    };
    GstCaps *caps =
        gst_caps_new_empty_simple(input_u8(&in) < 240 ? TVL_CAPS_LAYERS : "video/x-av1");
    GstStructure *s = gst_caps_get_structure(caps, 0);
    while (input_left(&in)) {
        const char *name = names[input_u8(&in) % G_N_ELEMENTS(names)];
        switch (input_u8(&in) % 5) {
        case 0:
        case 1:
            put_text(s, name, &in);
            break;
        case 2:
            gst_structure_set(s, name, G_TYPE_INT, number(&in), NULL);
            break;
        case 3: {
            const gint num = number(&in), den = number(&in);
            gst_structure_set(s, name, GST_TYPE_FRACTION, MAX(num, -G_MAXINT), den > 0 ? den : 1,
                              NULL);
            break;
        }
        default:
            put_array(s, name, &in);
        }
    }
    layers_there_and_back(caps);
    gst_caps_unref(caps);
}

/* Caps of a publisher's own words: fixed, and what goes on to others is taken by them. */
static void opaque(const struct msf_track *t)
{
    static struct msf_track next;
    GstCaps *caps = track_data_caps(t);
    must(gst_caps_is_fixed(caps) && gst_caps_get_size(caps) == 1);
    if (track_caps_text(caps, next.caps, sizeof next.caps)) {
        GstCaps *again = track_data_caps(&next);
        must(strcmp(gst_structure_get_name(gst_caps_get_structure(again, 0)),
                    gst_structure_get_name(gst_caps_get_structure(caps, 0))) == 0);
        gst_caps_unref(again);
    }
    gst_caps_unref(caps);
}

static void catalog(const char *json, size_t len)
{
    static struct msf_catalog c;
    struct subscription_plan plan;
    const struct subscription_wish wish = {
        .max_spatial = -1, .max_temporal = -1, .audio = true, .all_kinds = true
    };
    char why[160];
    if (msf_catalog_read(&c, json, len, why, sizeof why) != 0 ||
        subscription_decide(&plan, &c, &wish, why, sizeof why) != 0)
        return;
    for (size_t i = 0; i < plan.n; i++) {
        const struct msf_track *t = &c.tracks[plan.item[i].track];
        if (plan.item[i].kind == SUBSCRIPTION_AUDIO)
            check(track_sound_caps(t));
        if (plan.item[i].kind == SUBSCRIPTION_DATA)
            opaque(t);
        if (plan.item[i].kind == SUBSCRIPTION_VIDEO) {
            GstCaps *video = track_video_caps(&c, &plan, &c.tracks[plan.item[i].base]);
            layers_there_and_back(video);
            check(video);
        }
        GstTagList *tags = track_tags(t);
        if (tags)
            gst_tag_list_unref(tags);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin();
    if (size && *data == '{')
        catalog((const char *)data, size);
    else
        caps_of((struct input){ data, data + size });
    return 0;
}
