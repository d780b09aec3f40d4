/* early.c - see early.h. */
#include "early.h"

#include <stdlib.h>
#include <string.h>

struct early_unit {
    struct early_unit *next;
    size_t track;
    struct moq_object obj; /* points behind itself */
};

void early_drop(struct early *e)
{
    while (e->first) {
        struct early_unit *u = e->first;
        e->first = u->next;
        free(u);
    }
    *e = (struct early){ 0 };
}

void early_put(struct early *e, size_t track, const struct moq_object *obj)
{
    const size_t payload = obj->payload.len, properties = obj->properties.len;
    if (e->first && obj->group < e->group)
        return;
    if (e->first && obj->group > e->group)
        early_drop(e);
    if (e->bytes + payload > EARLY_BYTES_MAX)
        return;
    struct early_unit *u = malloc(sizeof *u + payload + properties);
    if (!u)
        return;
    uint8_t *bytes = (uint8_t *)(u + 1);
    *u = (struct early_unit){ .track = track, .obj = *obj };
    if (payload)
        memcpy(bytes, obj->payload.bytes, payload);
    if (properties)
        memcpy(bytes + payload, obj->properties.bytes, properties);
    u->obj.payload.bytes = bytes;
    u->obj.properties.bytes = bytes + payload;
    if (e->last)
        e->last->next = u;
    else
        e->first = u;
    e->last = u;
    e->group = obj->group;
    e->bytes += payload;
}

void early_give(struct early *e, uint64_t group,
                void (*give)(void *user, size_t track, const struct moq_object *obj), void *user)
{
    struct early waiting = *e;
    *e = (struct early){ 0 }; /* what `give` does may end all of it */
    for (struct early_unit *u = waiting.first; u && u->obj.group >= group; u = u->next)
        give(user, u->track, &u->obj);
    early_drop(&waiting);
}
