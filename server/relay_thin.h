/*
 * relay_thin.h - layers of somebody else, thinned for one session as our own are (policy.h): what
 * its connection cannot carry in time is left out, from the top. Which layers there are is read
 * from the catalog (MSF, with spatialId), what leans on what from the objects' properties
 * (moq/loc.h). Of what has neither, all goes. Of several videos in a catalog each is thinned by
 * itself.
 */
#ifndef SERVER_RELAY_THIN_H
#define SERVER_RELAY_THIN_H

#include <sys/queue.h>

#include "sender.h"
#include "tracks.h"
#include "wire.h"

#define RELAY_THIN_LATENCY_US 400000 /* where the catalog names no target */
#define RELAY_THIN_WATCH \
    128 /* wire_flight.watch of the first one of a session; viewer.c's are below */
#define RELAY_THINS_MAX 64 /* namespaces of one session; of more all goes */

/* What a catalog says of a video of a namespace; counted, of one thread. */
struct relay_layers {
    unsigned refs;
    struct relay_layers *next; /* the catalog's next video, a reference; NULL: none */
    uint64_t latency_us;
    struct tracks tracks; /* sound (the first video has all) and layers, in the order they are
                             needed */
    size_t json_len;      /* of the first video, else 0 */
    uint8_t json[];       /* it was made of */
};
/* The first video. NULL: no layers of ours in it, or no memory. */
struct relay_layers *relay_layers_read(const uint8_t *json, size_t len);
struct relay_layers *relay_layers_ref(struct relay_layers *l); /* NULL allowed */
void relay_layers_unref(struct relay_layers *l);               /* NULL allowed */
/* Of `l` and what follows it the one that has a track of that name; NULL: none. */
struct relay_layers *relay_layers_with(struct relay_layers *l, const uint8_t *name, size_t len);
bool relay_layers_are(const struct relay_layers *l, const uint8_t *json, size_t len);

struct relay_thin { /* of one session and namespace */
    LIST_ENTRY(relay_thin) link;
    struct relay_layers *layers; /* a reference */
    uint8_t number;              /* among the session's */
    struct sender sender;
    uint64_t rank[TRACKS_MAX]; /* of each track's last object; 0: none yet */
    uint64_t delay_us[TRACKS_MAX];
};
struct relay_thin *relay_thin_new(struct relay_layers *layers, uint8_t number, uint64_t session);
void relay_thin_free(struct relay_thin *t); /* NULL allowed */

/* Sends or leaves out an object of track number `track` of the layers. True: it was left out as its
 * session lacks what it leans on; but for that it would have gone. */
bool relay_thin_offer(struct relay_thin *t, struct wire *wire, struct moq_sending *s, size_t track,
                      const struct moq_object *obj);
/* A stream of it has ended. */
void relay_thin_ended(struct relay_thin *t, const struct wire_flight *f, bool expired,
                      uint64_t now);

#endif
