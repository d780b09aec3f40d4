/*
 * media.h - one object of a broadcast as it goes to the viewers: made once on the main loop, then
 * never changed, counted, and read by all threads.
 */
#ifndef SERVER_MEDIA_H
#define SERVER_MEDIA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "object.h"

struct media {
    atomic_uint refs;
    uint64_t of;          /* the run of a broadcast that it belongs to: view.id */
    struct object object; /* its payload and properties are in here */
    bool has_unit;        /* false: sound, or what is not ours to understand */
    struct svc_unit unit; /* bytes as object.moq.payload */
    int64_t pts;          /* us, media time */
    uint64_t at;          /* us, clock.h: when it was made */
    bool end_of_picture;  /* the last unit of its picture */
    uint8_t bytes[];
};

/* A copy of both, with one reference. `pkt` is what the object was made of; its bytes are the
 * object's payload; NULL: somebody else's, not ours to understand. NULL: no memory. */
struct media *media_new(uint64_t of, const struct object *object, const struct svc_packet *pkt);
/* The packet that it was made of, as recorders take it; borrows `m`. */
struct svc_packet media_packet(const struct media *m);
struct media *media_ref(struct media *m); /* any thread; returns `m` */
void media_unref(struct media *m);        /* any thread; NULL allowed */

#endif
