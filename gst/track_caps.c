/* track_caps.c - see track_caps.h. */
#include "track_caps.h"

#include "layer_caps.h"

#include <string.h>

#define OPUS_RATE 48000
#define ANYTHING "application/octet-stream"

/* How many layers of each kind the plan has of that video. */
static void count_layers(const struct msf_catalog *c, const struct subscription_plan *p,
                         const struct msf_track *base, struct svc_stream_info *info)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct svc_layer l = p->item[i].layer;
        if (p->item[i].kind != SUBSCRIPTION_VIDEO || &c->tracks[p->item[i].base] != base)
            continue;
        info->n_spatial = MAX(info->n_spatial, (uint8_t)(l.spatial + 1));
        info->n_temporal = MAX(info->n_temporal, (uint8_t)(l.temporal + 1));
    }
    info->n_layers = (size_t)info->n_spatial * info->n_temporal;
}

GstCaps *track_video_caps(const struct msf_catalog *c, const struct subscription_plan *p,
                          const struct msf_track *base)
{
    struct svc_stream_info info = { .n_layers = 0 };
    double fps = 0;
    count_layers(c, p, base, &info);
    for (size_t i = 0; i < p->n; i++) {
        const struct msf_track *t = &c->tracks[p->item[i].track];
        const struct svc_layer l = p->item[i].layer;
        if (p->item[i].kind != SUBSCRIPTION_VIDEO || &c->tracks[p->item[i].base] != base)
            continue;
        info.layers[l.temporal * info.n_spatial + l.spatial] = (struct svc_layer_info){
            .layer = l, .width = t->width, .height = t->height, .bitrate_max_bps = t->bitrate
        };
        if (t->width >= info.width) {
            info.width = t->width;
            info.height = t->height;
        }
        fps = MAX(fps, t->framerate);
        g_strlcpy(info.codec, t->codec, sizeof info.codec);
    }
    gint num = 0, den = 0;
    if (fps > 0)
        gst_util_double_to_fraction(fps, &num, &den);
    info.fps_num = (uint32_t)num;
    info.fps_den = (uint32_t)den;
    return tvl_layer_caps_new(&info, NULL);
}

GstCaps *track_sound_caps(const struct msf_track *t)
{
    const gint channels = (gint)g_ascii_strtoll(t->channel_config, NULL, 10);
    const bool said = t->samplerate > 0 && t->samplerate <= OPUS_RATE; /* RFC 7587: at most */
    return gst_caps_new_simple("audio/x-opus", "channel-mapping-family", G_TYPE_INT, 0, "channels",
                               G_TYPE_INT, channels == 1 ? 1 : 2, "rate", G_TYPE_INT,
                               said ? (gint)t->samplerate : OPUS_RATE, NULL);
}

/* "text/x-raw": what GStreamer takes as a name of caps, and not one of its special words. */
static gboolean is_media_type(const char *name)
{
    const char *slash = strchr(name, '/');
    if (!g_ascii_isalpha(*name) || !slash || !slash[1] ||
        g_str_has_prefix(slash + 1, "x-raw-")) /* names of GStreamer 0.10, of which it warns */
        return FALSE;
    for (const char *c = name; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr("/-_.:+", *c))
            return FALSE;
    return TRUE;
}

/* Types whose text GStreamer reads without looking any type up by its name. */
static gboolean is_plain_type(const char *name, gsize len)
{
    static const char *const plain[] = { "int",    "i",      "uint",   "int64",   "uint64",
                                         "double", "d",      "float",  "boolean", "b",
                                         "bool",   "s",      "string", "str",     "fraction",
                                         "buffer", "bitmask" };
    for (gsize i = 0; i < G_N_ELEMENTS(plain); i++)
        if (strlen(plain[i]) == len && memcmp(plain[i], name, len) == 0)
            return TRUE;
    return FALSE;
}

static gboolean is_plain_value(GQuark field, const GValue *value, gpointer user)
{
    const GType type = G_VALUE_TYPE(value);
    (void)field;
    (void)user;
    return type == G_TYPE_INT || type == G_TYPE_UINT || type == G_TYPE_INT64 ||
           type == G_TYPE_UINT64 || type == G_TYPE_DOUBLE || type == G_TYPE_FLOAT ||
           type == G_TYPE_BOOLEAN || type == G_TYPE_STRING || type == GST_TYPE_FRACTION ||
           type == GST_TYPE_BUFFER || type == GST_TYPE_BITMASK;
}

static gboolean keep_plain(GQuark field, GValue *value, gpointer user)
{
    return is_plain_value(field, value, user);
}

gboolean track_caps_text(const GstCaps *caps, gchar *out, gsize size)
{
    GstStructure *s = gst_structure_copy(gst_caps_get_structure(caps, 0));
    gst_structure_filter_and_map_in_place(s, keep_plain, NULL);
    GstCaps *plain = gst_caps_new_full(s, NULL);
    gchar *text = gst_caps_to_string(plain);
    const gboolean fits = strlen(text) < size;
    g_strlcpy(out, fits ? text : "", size);
    g_free(text);
    gst_caps_unref(plain);
    return fits;
}

/* Whole bytes up to the next field. GStreamer 1.22 frees the buffer of anything else before it has
 * done with it (gst_value_deserialize_buffer). */
static gboolean is_hex(const char *text)
{
    gsize n = 0;
    text += strspn(text, " ");
    while (g_ascii_isxdigit(text[n]))
        n++;
    return n % 2 == 0 && (text[n] == '\0' || text[n] == ',');
}

/* Before GStreamer's parser sees it: printable ASCII, no lists, ranges or structures, no
 * features, and of types only the plain ones. */
static gboolean is_plain_text(const char *text)
{
    gboolean quoted = FALSE;
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isprint(*c))
            return FALSE;
        if (*c == '\\' && c[1])
            c++;
        else if (*c == '"')
            quoted = !quoted;
        else if (!quoted && strchr("{}[]<>;", *c))
            return FALSE;
        else if (!quoted && *c == '(') {
            const gsize len = strcspn(c + 1, ")");
            if (!is_plain_type(c + 1, len) ||
                (g_str_has_prefix(c, "(buffer)") && !is_hex(c + strlen("(buffer)"))))
                return FALSE;
            c += len + (c[1 + len] != '\0');
        }
    }
    return !quoted;
}

/* NULL: not to be had, or not to be trusted. */
static GstCaps *plain_caps(const char *text)
{
    const gsize name_len = strcspn(text, ", ");
    char name[64];
    if (name_len == 0 || name_len >= sizeof name || !is_plain_text(text))
        return NULL;
    memcpy(name, text, name_len);
    name[name_len] = '\0';
    GstCaps *caps = is_media_type(name) ? gst_caps_from_string(text) : NULL;
    if (caps && gst_caps_get_size(caps) == 1 && gst_caps_is_fixed(caps) &&
        gst_structure_has_name(gst_caps_get_structure(caps, 0), name) &&
        gst_structure_foreach(gst_caps_get_structure(caps, 0), is_plain_value, NULL))
        return caps;
    gst_clear_caps(&caps);
    return NULL;
}

GstCaps *track_data_caps(const struct msf_track *t)
{
    GstCaps *caps = plain_caps(t->caps);
    return caps ? caps : gst_caps_new_empty_simple(is_media_type(t->codec) ? t->codec : ANYTHING);
}

GstTagList *track_tags(const struct msf_track *t)
{
    GstTagList *tags = gst_tag_list_new_empty();
    if (*t->lang)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_LANGUAGE_CODE, t->lang, NULL);
    if (*t->label)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_TITLE, t->label, NULL);
    if (t->bitrate && strcmp(t->role, "audio") == 0)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_BITRATE, t->bitrate, NULL);
    if (gst_tag_list_is_empty(tags))
        gst_clear_tag_list(&tags);
    else
        gst_tag_list_set_scope(tags, GST_TAG_SCOPE_STREAM);
    return tags;
}
