/*
 * subscription.c - the receiver's half of layer choice: ask for no more than screen and decoder can
 * use. What of that fits through the links is the sender's choice, which knows their rates.
 */
#include "subscription.h"

#include <moq/moq.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_layer(const struct msf_track *t)
{
    return strcmp(t->role, "video") == 0 && strcmp(t->packaging, "loc") == 0 &&
           svc_codec_name(t->codec) && t->spatial_id < SVC_SPATIAL_MAX &&
           t->temporal_id < SVC_TEMPORAL_MAX;
}

static bool is_sound(const struct msf_track *t)
{
    return strcmp(t->role, "audio") == 0 && strcmp(t->packaging, "loc") == 0 &&
           strncmp(t->codec, "opus", 4) == 0;
}

static bool is_data(const struct msf_track *t)
{
    return strcmp(t->role, "data") == 0 && strcmp(t->packaging, "loc") == 0;
}

static bool is_wanted(const struct msf_track *t, const struct subscription_wish *wish)
{
    if (wish->max_spatial >= 0 && t->spatial_id > wish->max_spatial)
        return false;
    if (wish->max_temporal >= 0 && t->temporal_id > wish->max_temporal)
        return false;
    return wish->max_pixels == 0 || (uint32_t)t->width * t->height <= wish->max_pixels;
}

static bool has_layer(const struct subscription_plan *p, size_t base, struct svc_layer l)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->item[i].kind == SUBSCRIPTION_VIDEO && p->item[i].base == base &&
            p->item[i].layer.spatial == l.spatial && p->item[i].layer.temporal == l.temporal)
            return true;
    return false;
}

/* Insertion by priority; the number of tracks is small. */
static void add(struct subscription_plan *p, struct subscription_item item)
{
    size_t at = p->n++;
    for (; at > 0 && p->item[at - 1].priority > item.priority; at--)
        p->item[at] = p->item[at - 1];
    p->item[at] = item;
}

static bool is_base(const struct msf_track *t)
{
    return is_layer(t) && t->spatial_id == 0 && t->temporal_id == 0;
}

/* A layer is of the video whose base layer it leans on; one that says nothing of that, of the first
 * of its render group. Two renditions of one video are told apart by their render group, too. */
int subscription_base_of(const struct msf_catalog *c, size_t track)
{
    const struct msf_track *t = &c->tracks[track];
    const uint64_t closure = t->n_depends > 0 ? msf_track_closure(c, track) : UINT64_MAX;
    if (!is_layer(t))
        return -1;
    if (is_base(t))
        return (int)track;
    for (size_t i = 0; i < c->n_tracks; i++)
        if (is_base(&c->tracks[i]) && (closure >> i & 1) != 0 &&
            c->tracks[i].render_group == t->render_group &&
            svc_codec_name(c->tracks[i].codec) == svc_codec_name(t->codec))
            return (int)i;
    return -1;
}

/* The tracks of a video that may be taken, as a bit set. */
static uint64_t usable_layers(const struct msf_catalog *c, const struct subscription_wish *wish,
                              size_t base)
{
    uint64_t set = 0;
    for (size_t i = 0; i < c->n_tracks; i++)
        if (subscription_base_of(c, i) == (int)base && is_wanted(&c->tracks[i], wish))
            set |= UINT64_C(1) << i;
    return set;
}

static void count_layers(struct subscription_plan *p, const struct msf_catalog *c, size_t base)
{
    p->codec = svc_codec_name(c->tracks[base].codec);
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        if (subscription_base_of(c, i) != (int)base)
            continue;
        p->n_spatial = t->spatial_id >= p->n_spatial ? t->spatial_id + 1 : p->n_spatial;
        p->n_temporal = t->temporal_id >= p->n_temporal ? t->temporal_id + 1 : p->n_temporal;
    }
}

static void add_layers(struct subscription_plan *p, const struct msf_catalog *c, uint64_t usable,
                       size_t base)
{
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        struct svc_layer layer = { t->spatial_id, t->temporal_id };
        if (!(usable >> i & 1) || (msf_track_closure(c, i) & ~usable) || has_layer(p, base, layer))
            continue;
        add(p, (struct subscription_item){
                   .track = i,
                   .base = base,
                   .kind = SUBSCRIPTION_VIDEO,
                   .layer = layer,
                   .priority =
                       (uint8_t)(SUBSCRIPTION_PRIORITY_VIDEO + 8 * layer.spatial + layer.temporal),
               });
    }
}

static void add_videos(struct subscription_plan *p, const struct msf_catalog *c,
                       const struct subscription_wish *wish)
{
    const size_t first = wish->all_kinds ? 0 : wish->video;
    const size_t end = wish->all_kinds ? SUBSCRIPTION_VIDEOS_MAX : first + 1;
    size_t n = 0;
    for (size_t i = 0; i < c->n_tracks && n < end; i++) {
        if (!is_base(&c->tracks[i]) || n++ < first)
            continue;
        if (n == first + 1)
            count_layers(p, c, i);
        add_layers(p, c, usable_layers(c, wish, i), i);
    }
}

/* "de" is also for "de-AT", in any case. */
static bool is_in(const struct msf_track *t, const char *lang)
{
    const size_t len = strlen(lang);
    return len > 0 && strncasecmp(t->lang, lang, len) == 0 &&
           (t->lang[len] == '\0' || t->lang[len] == '-');
}

/* Where one is wished for: which. */
static size_t chosen_sound(const struct msf_catalog *c, const char *lang)
{
    size_t first = c->n_tracks;
    for (size_t i = c->n_tracks; i-- > 0;)
        if (is_sound(&c->tracks[i]))
            first = i;
    for (size_t i = first; i < c->n_tracks && lang; i++)
        if (is_sound(&c->tracks[i]) && is_in(&c->tracks[i], lang))
            return i;
    return first;
}

static void add_sounds(struct subscription_plan *p, const struct msf_catalog *c,
                       const struct subscription_wish *wish)
{
    const size_t one = chosen_sound(c, wish->lang);
    size_t n = 0;
    for (size_t i = 0; i < c->n_tracks && n < SUBSCRIPTION_SOUNDS_MAX; i++) {
        if (!is_sound(&c->tracks[i]) || (!wish->all_kinds && i != one))
            continue;
        add(p, (struct subscription_item){ .track = i,
                                           .base = i,
                                           .kind = SUBSCRIPTION_AUDIO,
                                           .priority = SUBSCRIPTION_PRIORITY_AUDIO });
        n++;
    }
    p->has_audio = n > 0;
}

static void add_data(struct subscription_plan *p, const struct msf_catalog *c)
{
    uint8_t priority = SUBSCRIPTION_PRIORITY_DATA;
    for (size_t i = 0; i < c->n_tracks; i++)
        if (is_data(&c->tracks[i]))
            add(p, (struct subscription_item){
                       .track = i, .base = i, .kind = SUBSCRIPTION_DATA, .priority = priority++ });
}

int subscription_decide(struct subscription_plan *out, const struct msf_catalog *catalog,
                        const struct subscription_wish *wish, char *why, size_t why_size)
{
    struct subscription_plan p = { 0 };
    bool has_base = false;
    add_videos(&p, catalog, wish);
    for (size_t i = 0; i < p.n; i++)
        has_base = has_base || p.item[i].track == p.item[i].base;
    if (!wish->all_kinds && !has_base && wish->video > 0) {
        snprintf(why, why_size, "the broadcast has no video number %u that this player can show",
                 wish->video + 1);
        return -1;
    }
    if (!wish->all_kinds && !has_base) {
        snprintf(
            why, why_size,
            "the broadcast offers no base layer of AV1, VP9 or H.264 that this player can show");
        return -1;
    }
    if (wish->audio)
        add_sounds(&p, catalog, wish);
    if (wish->all_kinds)
        add_data(&p, catalog);
    if (p.n == 0) {
        snprintf(why, why_size, "the broadcast offers nothing that is asked for");
        return -1;
    }
    *out = p;
    return 0;
}

bool subscription_may_come(uint64_t code)
{
    switch (code) {
    case MOQ_REQ_DOES_NOT_EXIST:
    case MOQ_REQ_INTERNAL:
    case MOQ_REQ_TIMEOUT:
    case MOQ_REQ_GOING_AWAY:
    case MOQ_REQ_EXCESSIVE_LOAD:
    case MOQ_REQ_UNINTERESTED:
        return true;
    default:
        return false;
    }
}
