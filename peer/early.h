/*
 * early.h - live units that come before the key picture of their group: another path was faster, or
 * a packet of the key picture was lost. While the past is played up to that key picture they wait
 * here, of the newest group only.
 */
#ifndef CLIENT_EARLY_H
#define CLIENT_EARLY_H

#include <moq/moq.h>

#include <stddef.h>
#include <stdint.h>

#define EARLY_BYTES_MAX (8u << 20) /* of payloads that wait; what comes then is lost */

struct early_unit;

struct early { /* zero: nothing waits */
    struct early_unit *first, *last;
    uint64_t group;
    size_t bytes;
};

/* An object of that track is copied, unless one of a newer group waits; those of older ones go. */
void early_put(struct early *e, size_t track, const struct moq_object *obj);
/* Those of `group` or a newer one are given out in the order in which they came, then none waits.
 */
void early_give(struct early *e, uint64_t group,
                void (*give)(void *user, size_t track, const struct moq_object *obj), void *user);
void early_drop(struct early *e);

#endif
