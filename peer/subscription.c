/*
 * subscription.c - the receiver's half of layer choice: ask for no more than screen and decoder can
 * use. What of that fits through the links is the sender's choice, which knows their rates.
 */
#include "subscription.h"

#include <moq/moq.h>

#include <stdio.h>
#include <string.h>

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

static bool has_layer(const struct subscription_plan *p, struct svc_layer l)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->item[i].kind == SUBSCRIPTION_VIDEO && p->item[i].layer.spatial == l.spatial &&
            p->item[i].layer.temporal == l.temporal)
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

/* The video tracks that may be taken, as a bit set; two renditions of one video are told apart by
 * their render group, and the first that offers a base layer is played. */
static uint32_t usable_layers(const struct msf_catalog *c, const struct subscription_wish *wish)
{
    const struct msf_track *base = NULL;
    uint32_t set = 0;
    for (size_t i = 0; i < c->n_tracks && !base; i++)
        if (is_layer(&c->tracks[i]) && c->tracks[i].spatial_id == 0 &&
            c->tracks[i].temporal_id == 0)
            base = &c->tracks[i];
    for (size_t i = 0; i < c->n_tracks && base; i++)
        if (is_layer(&c->tracks[i]) && is_wanted(&c->tracks[i], wish) &&
            c->tracks[i].render_group == base->render_group &&
            svc_codec_name(c->tracks[i].codec) == svc_codec_name(base->codec))
            set |= 1u << i;
    return set;
}

static void add_layers(struct subscription_plan *p, const struct msf_catalog *c, uint32_t usable)
{
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        struct svc_layer layer = { t->spatial_id, t->temporal_id };
        if (is_layer(t)) {
            p->n_spatial = layer.spatial >= p->n_spatial ? layer.spatial + 1 : p->n_spatial;
            p->n_temporal = layer.temporal >= p->n_temporal ? layer.temporal + 1 : p->n_temporal;
        }
        if (!(usable >> i & 1) || (msf_track_closure(c, i) & ~usable) || has_layer(p, layer))
            continue;
        p->codec = svc_codec_name(t->codec);
        add(p, (struct subscription_item){
                   .track = i,
                   .kind = SUBSCRIPTION_VIDEO,
                   .layer = layer,
                   .priority =
                       (uint8_t)(SUBSCRIPTION_PRIORITY_VIDEO + 8 * layer.spatial + layer.temporal),
               });
    }
}

static void add_sound(struct subscription_plan *p, const struct msf_catalog *c)
{
    for (size_t i = 0; i < c->n_tracks && !p->has_audio; i++)
        if (is_sound(&c->tracks[i])) {
            add(p, (struct subscription_item){
                       .track = i, .kind = SUBSCRIPTION_AUDIO, .priority = SUBSCRIPTION_PRIORITY_AUDIO });
            p->has_audio = true;
        }
}

static void add_data(struct subscription_plan *p, const struct msf_catalog *c)
{
    uint8_t priority = SUBSCRIPTION_PRIORITY_DATA;
    for (size_t i = 0; i < c->n_tracks; i++)
        if (is_data(&c->tracks[i]))
            add(p, (struct subscription_item){
                       .track = i, .kind = SUBSCRIPTION_DATA, .priority = priority++ });
}

int subscription_decide(struct subscription_plan *out, const struct msf_catalog *catalog,
                        const struct subscription_wish *wish, char *why, size_t why_size)
{
    struct subscription_plan p = { 0 };
    add_layers(&p, catalog, usable_layers(catalog, wish));
    if (!wish->all_kinds && !has_layer(&p, (struct svc_layer){ 0, 0 })) {
        snprintf(
            why, why_size,
            "the broadcast offers no base layer of AV1, VP9 or H.264 that this player can show");
        return -1;
    }
    if (wish->audio)
        add_sound(&p, catalog);
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
