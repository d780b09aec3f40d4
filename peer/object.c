/* object.c - see object.h. */
#include "object.h"

#include <string.h>

void object_counter_init(struct object_counter *c, uint64_t first_group)
{
    *c = (struct object_counter){ .group = first_group, .audio_group = first_group };
}

static int describe_unit(struct loc_properties *p, const struct svc_unit *u)
{
    p->has_marking = true;
    p->independent = u->deps.n_reads == 0;
    p->discardable = u->layer.temporal > 0 && u->deps.refreshes == 0;
    p->base_sync = u->layer.temporal > 0;
    p->temporal_id = u->layer.temporal;
    p->layer_id = u->layer.spatial;
    p->has_picture = true;
    p->picture = u->picture;
    if (u->layer.spatial == 0 && u->captured > 0) { /* once a picture is enough */
        p->captured = (uint64_t)u->captured;
        p->encode_us = u->encode_us;
    }
    int len = svc_deps_encode(&u->deps, u->picture, p->dependencies, sizeof p->dependencies);
    p->dependencies_len = len < 0 ? 0 : (size_t)len;
    return len < 0 ? -1 : 0;
}

static int number_unit(struct object_counter *c, const struct tracks *t, const struct svc_unit *u,
                       struct object *out)
{
    int track = tracks_of_layer(t, u->layer);
    if (track < 0)
        return -1;
    if (u->key) {
        c->group += c->begun;
        c->begun = true;
        memset(c->next, 0, sizeof c->next);
    }
    if (!c->begun)
        return -1; /* nobody could decode it */
    out->track = (size_t)track;
    out->moq.group = c->group;
    out->moq.object = c->next[track]++;
    return 0;
}

static int finish(struct object *out, const struct loc_properties *p, uint8_t priority)
{
    const int len = loc_properties_encode(p, out->properties, sizeof out->properties);
    if (len < 0)
        return -1;
    out->moq.subgroup = out->moq.object;
    out->moq.priority = priority;
    out->moq.properties = (struct moq_bytes){ out->properties, (size_t)len };
    return 0;
}

static struct loc_properties at_time(const struct svc_packet *pkt)
{
    return (struct loc_properties){ .has_timestamp = true,
                                    .timestamp = pkt->pts > 0 ? (uint64_t)pkt->pts : 0,
                                    .timescale = TRACKS_TIMESCALE };
}

int object_sound(uint64_t group, uint8_t priority, const struct svc_packet *pkt, struct object *out)
{
    const struct loc_properties p = at_time(pkt);
    out->moq = (struct moq_object){ .group = group, .payload = { pkt->audio, pkt->audio_len } };
    return finish(out, &p, priority);
}

int object_make(struct object_counter *c, const struct tracks *t, const struct svc_packet *pkt,
                struct object *out)
{
    struct loc_properties p = at_time(pkt);
    memset(out, 0, sizeof *out);
    if (pkt->kind != SVC_VIDEO) {
        const int track = tracks_of_audio(t);
        if (track < 0)
            return -1;
        out->track = (size_t)track;
        return object_sound(c->audio_group++, t->track[track].priority, pkt, out);
    }
    if (number_unit(c, t, &pkt->unit, out) < 0 || describe_unit(&p, &pkt->unit) < 0)
        return -1;
    out->moq.payload = (struct moq_bytes){ pkt->unit.bytes, pkt->unit.len };
    return finish(out, &p, t->track[out->track].priority);
}
