/* tracks.c - see tracks.h. */
#include "tracks.h"

#include <stdio.h>
#include <string.h>

#define PRIORITY_CATALOG 0
#define PRIORITY_VIDEO 2

static const struct svc_layer_info *layer_info(const struct svc_stream_info *info,
                                               struct svc_layer l)
{
    return &info->layers[l.temporal * info->n_spatial + l.spatial];
}

/* What goes before the layer and itself: everything lower, and all temporal layers of what is
 * below. */
static uint64_t needed_bps(const struct svc_stream_info *info, struct svc_layer of)
{
    uint64_t sum = info->has_audio ? info->audio_bitrate_bps : 0;
    for (uint8_t s = 0; s <= of.spatial; s++)
        for (uint8_t t = 0; t < info->n_temporal; t++)
            if (s < of.spatial || t <= of.temporal)
                sum += layer_info(info, (struct svc_layer){ s, t })->bitrate_bps;
    return sum;
}

static uint64_t own_bps(const struct svc_stream_info *info, uint8_t spatial)
{
    uint64_t sum = 0;
    for (uint8_t t = 0; t < info->n_temporal; t++)
        sum += layer_info(info, (struct svc_layer){ spatial, t })->bitrate_bps;
    return sum;
}

static void layer_name(char *out, size_t size, uint8_t video, struct svc_layer l)
{
    if (video == 0)
        snprintf(out, size, "v-s%ut%u", l.spatial, l.temporal);
    else
        snprintf(out, size, "v%u-s%ut%u", video, l.spatial, l.temporal);
}

static struct track *add(struct tracks *t, enum track_kind kind, uint8_t priority)
{
    struct track *track = &t->track[t->n];
    *track = (struct track){ .kind = kind, .priority = priority, .flow = (uint32_t)t->n };
    t->n++;
    return track;
}

static void add_timeline(struct tracks *t, size_t of, uint8_t priority)
{
    struct track *track = add(t, TRACK_TIMELINE, priority);
    track->of = (uint8_t)of;
    snprintf(track->name, sizeof track->name, "timeline-%.8s",
             t->track[of].kind == TRACK_AUDIO ? "a0" : "v");
}

/* The priority of what comes next. */
static uint8_t add_layers(struct tracks *t, const struct svc_stream_info *info)
{
    uint8_t priority = PRIORITY_VIDEO;
    for (uint8_t s = 0; s < info->n_spatial; s++) {
        for (uint8_t temporal = 0; temporal < info->n_temporal; temporal++) {
            struct track *track = add(t, TRACK_LAYER, priority++);
            track->layer = (struct svc_layer){ s, temporal };
            track->needed_bps = needed_bps(info, track->layer);
            layer_name(track->name, sizeof track->name, t->video, track->layer);
        }
    }
    return priority;
}

/* The base layer's number and the catalog's are exchanged. */
static void give_base_flow_0(struct tracks *t)
{
    const int base = tracks_of_layer(t, (struct svc_layer){ 0, 0 });
    if (base < 0)
        return; /* no video */
    t->track[0].flow = t->track[base].flow;
    t->track[base].flow = 0;
}

void tracks_init(struct tracks *t, const struct svc_stream_info *info, bool window)
{
    t->n = 0;
    t->video = 0;
    snprintf(add(t, TRACK_CATALOG, PRIORITY_CATALOG)->name, MSF_NAME_MAX, MSF_CATALOG_TRACK);
    if (info->has_audio)
        snprintf(add(t, TRACK_AUDIO, TRACKS_PRIORITY_AUDIO)->name, MSF_NAME_MAX, "a0");
    uint8_t priority = add_layers(t, info);
    const int sound = tracks_of_audio(t);
    if (window)
        add_timeline(t, (size_t)tracks_of_layer(t, (struct svc_layer){ 0, 0 }), priority++);
    if (window && sound >= 0)
        add_timeline(t, (size_t)sound, priority);
    give_base_flow_0(t);
}

void tracks_init_video(struct tracks *t, const struct svc_stream_info *info, uint8_t video)
{
    t->n = 0;
    t->video = video;
    snprintf(add(t, TRACK_CATALOG, PRIORITY_CATALOG)->name, MSF_NAME_MAX, MSF_CATALOG_TRACK);
    add_layers(t, info);
    give_base_flow_0(t);
}

void tracks_need(struct tracks *t, const struct svc_stream_info *info,
                 const uint32_t bitrate_bps[SVC_SPATIAL_MAX])
{
    struct svc_stream_info now = *info;
    for (uint8_t s = 0; s < info->n_spatial; s++) {
        uint64_t before = own_bps(info, s);
        for (uint8_t k = 0; before && k < info->n_temporal; k++) {
            uint32_t *part = &now.layers[k * info->n_spatial + s].bitrate_bps;
            *part = (uint32_t)((uint64_t)*part * bitrate_bps[s] / before);
        }
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->track[i].kind == TRACK_LAYER)
            t->track[i].needed_bps = needed_bps(&now, t->track[i].layer);
}

int tracks_find(const struct tracks *t, const char *name, size_t len)
{
    for (size_t i = 0; i < t->n; i++)
        if (strlen(t->track[i].name) == len && memcmp(t->track[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

int tracks_of_layer(const struct tracks *t, struct svc_layer layer)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->track[i].kind == TRACK_LAYER && t->track[i].layer.spatial == layer.spatial &&
            t->track[i].layer.temporal == layer.temporal)
            return (int)i;
    return -1;
}

int tracks_of_audio(const struct tracks *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->track[i].kind == TRACK_AUDIO)
            return (int)i;
    return -1;
}

/* ---- catalog ---- */

static void describe_layer(struct msf_track *out, const struct track *t, uint8_t video,
                           const struct svc_stream_info *info)
{
    struct svc_layer l = t->layer;
    const struct svc_layer_info *li = layer_info(info, l);
    snprintf(out->role, sizeof out->role, "video");
    snprintf(out->codec, sizeof out->codec, "%s", info->codec);
    out->bitrate = li->bitrate_max_bps ? li->bitrate_max_bps : li->bitrate_bps;
    out->width = li->width;
    out->height = li->height;
    if (info->fps_den)
        out->framerate = (double)info->fps_num / info->fps_den /
                         (double)(1u << (info->n_temporal - 1u - l.temporal));
    out->has_spatial_id = out->has_temporal_id = true;
    out->spatial_id = l.spatial;
    out->temporal_id = l.temporal;
    if (l.spatial > 0)
        layer_name(out->depends[out->n_depends++], MSF_NAME_MAX, video,
                   (struct svc_layer){ (uint8_t)(l.spatial - 1), l.temporal });
    if (l.temporal > 0)
        layer_name(out->depends[out->n_depends++], MSF_NAME_MAX, video,
                   (struct svc_layer){ l.spatial, (uint8_t)(l.temporal - 1) });
}

static void describe_audio(struct msf_track *out, const struct svc_stream_info *info)
{
    snprintf(out->role, sizeof out->role, "audio");
    snprintf(out->codec, sizeof out->codec, "opus");
    out->bitrate = info->audio_bitrate_bps;
    out->samplerate = info->audio_rate;
    snprintf(out->channel_config, sizeof out->channel_config, "%u", info->audio_channels);
}

static void describe_timeline(struct msf_track *out, const char *of)
{
    snprintf(out->packaging, sizeof out->packaging, "mediatimeline");
    snprintf(out->role, sizeof out->role, "mediatimeline");
    snprintf(out->depends[out->n_depends++], MSF_NAME_MAX, "%s", of);
    out->render_group = 0;
    out->target_latency_ms = 0;
    out->timescale = 0;
}

/* Each session's own, made for it alone: no track of the source, and nothing to be relayed. */
static void describe_session(struct msf_track *out)
{
    snprintf(out->name, sizeof out->name, TRACKS_SESSION);
    snprintf(out->packaging, sizeof out->packaging, TRACKS_SESSION);
    snprintf(out->role, sizeof out->role, "metrics");
    out->is_live = true;
}

/* NULL: no room. */
static struct msf_track *add_media(struct msf_catalog *out, const char *name, uint32_t latency_ms)
{
    if (out->n_tracks == MSF_TRACKS_MAX)
        return NULL;
    struct msf_track *track = &out->tracks[out->n_tracks++];
    snprintf(track->name, sizeof track->name, "%s", name);
    snprintf(track->packaging, sizeof track->packaging, "loc");
    track->is_live = true;
    track->render_group = 1;
    track->target_latency_ms = latency_ms;
    track->timescale = TRACKS_TIMESCALE;
    return track;
}

struct msf_track *tracks_catalog_sound(const char *name, const struct svc_stream_info *info,
                                       uint32_t latency_ms, struct msf_catalog *out)
{
    struct msf_track *track = add_media(out, name, latency_ms);
    if (track)
        describe_audio(track, info);
    return track;
}

void tracks_catalog_layers(const struct tracks *t, const struct svc_stream_info *info,
                           uint32_t latency_ms, struct msf_catalog *out)
{
    for (size_t i = 0; i < t->n; i++) {
        struct msf_track *track =
            t->track[i].kind == TRACK_LAYER ? add_media(out, t->track[i].name, latency_ms) : NULL;
        if (track)
            describe_layer(track, &t->track[i], t->video, info);
    }
}

void tracks_catalog(const struct tracks *t, const struct svc_stream_info *info, uint32_t latency_ms,
                    uint64_t now_ms, struct msf_catalog *out)
{
    memset(out, 0, sizeof *out);
    out->generated_at_ms = now_ms;
    for (size_t i = 0; i < t->n; i++) { /* TRACKS_MAX and one fit */
        if (t->track[i].kind == TRACK_CATALOG)
            continue;
        struct msf_track *track = add_media(out, t->track[i].name, latency_ms);
        if (t->track[i].kind == TRACK_LAYER)
            describe_layer(track, &t->track[i], t->video, info);
        else if (t->track[i].kind == TRACK_TIMELINE)
            describe_timeline(track, t->track[t->track[i].of].name);
        else
            describe_audio(track, info);
    }
    describe_session(&out->tracks[out->n_tracks++]);
}
