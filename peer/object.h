/*
 * object.h - numbers and properties of the objects that packets become: group = from key picture to
 * key picture, the same on all layer tracks; object = index within the group on its own track;
 * sound has one object a group. Pure.
 */
#ifndef PEER_OBJECT_H
#define PEER_OBJECT_H

#include <moq/loc.h>
#include <moq/moq.h>

#include "tracks.h"

#define OBJECT_PROPERTIES_MAX 160 /* bytes: five properties, the dependencies the longest */

struct object {
    size_t track;          /* index in struct tracks */
    struct moq_object moq; /* borrows the packet's bytes and `properties` */
    uint8_t properties[OBJECT_PROPERTIES_MAX];
};

struct object_counter {
    uint64_t group;            /* of the layers; the first key picture makes it first_group */
    uint64_t audio_group;      /* of the next packet of sound */
    uint64_t next[TRACKS_MAX]; /* object number by track */
    bool begun;
};

/* Groups begin at `first_group`: above those of any earlier run. */
void object_counter_init(struct object_counter *c, uint64_t first_group);

/* A packet of sound of priority `priority`. 0, or -1 as below; `out->track` is not touched. */
int object_sound(uint64_t group, uint8_t priority, const struct svc_packet *pkt,
                 struct object *out);
/* The object that `pkt` is. 0, or -1: it belongs to no track, or does not fit its properties. */
int object_make(struct object_counter *c, const struct tracks *t, const struct svc_packet *pkt,
                struct object *out);

#endif
