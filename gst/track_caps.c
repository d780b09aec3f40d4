/* track_caps.c - see track_caps.h. */
#include "track_caps.h"

#include "layer_caps.h"

#include <string.h>

#define ANYTHING "application/octet-stream"

GstCaps *track_video_caps(const struct msf_catalog *c, const struct subscription_plan *p)
{
    struct svc_stream_info info = { .n_spatial = p->n_spatial, .n_temporal = p->n_temporal };
    double fps = 0;
    if (!p->codec)
        return NULL;
    info.n_layers = (size_t)info.n_spatial * info.n_temporal;
    for (size_t i = 0; i < p->n; i++) {
        const struct msf_track *t = &c->tracks[p->item[i].track];
        const struct svc_layer l = p->item[i].layer;
        if (p->item[i].kind != SUBSCRIPTION_VIDEO || l.spatial >= info.n_spatial ||
            l.temporal >= info.n_temporal)
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
    return gst_caps_new_simple("audio/x-opus", "channel-mapping-family", G_TYPE_INT, 0, "channels",
                               G_TYPE_INT, channels == 1 ? 1 : 2, "rate", G_TYPE_INT,
                               t->samplerate ? (gint)t->samplerate : 48000, NULL);
}

/* "text/x-raw": what GStreamer takes as a name of caps, and not one of its special words. */
static gboolean is_media_type(const char *name)
{
    const char *slash = strchr(name, '/');
    if (!g_ascii_isalpha(*name) || !slash || !slash[1])
        return FALSE;
    for (const char *c = name; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr("/-_.:+", *c))
            return FALSE;
    return TRUE;
}

GstCaps *track_data_caps(const struct msf_track *t)
{
    return gst_caps_new_empty_simple(is_media_type(t->codec) ? t->codec : ANYTHING);
}
