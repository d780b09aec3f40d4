/*
 * relay.h - the main loop's half of the relay: which namespaces and tracks are published by whom,
 * who wants them, and the newest group of each track that runs. A publisher is a session of ours
 * (any MoQT client) or an upstream (upstream.h); objects pass unchanged.
 *
 * Where two publish the same, the newer one has it: who comes back after a crash need not wait
 * until the connection of before is known to be dead. Subscribers go on.
 *
 * A track is subscribed to when somebody wants it, and cancelled when nobody does any more. What is
 * wanted before it is published waits, if its SUBSCRIBE says so (RENDEZVOUS_TIMEOUT).
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include "relay_note.h"

#define RELAY_NAMESPACES_MAX 4096
#define RELAY_TRACKS_MAX 4096
#define RELAY_WAITS_MAX 4096
#define RELAY_WAIT_MS_MAX 30000 /* of a SUBSCRIBE for its publisher */

struct relay;

struct relay_host { /* the server; outlives it */
    void *user;
    unsigned workers;
    void (*post)(void *user, unsigned worker, struct relay_note *n); /* takes `n` */
    bool (*ours)(void *user, const char *ns);        /* a broadcast of our own is called so */
    bool (*publishable)(void *user, const char *ns); /* may be published by a client */
};

/* One that publishes on the main loop. Answers by relay_on(), relay_media() ... */
struct relay_local {
    void *user;
    void (*pull)(void *user, uint64_t id, const struct moq_name *name);
    void (*drop)(void *user, uint64_t id);
    /* A group of this number or a later one is wanted. May be NULL. */
    void (*anew)(void *user, uint64_t id, uint64_t group);
};

struct relay *relay_new(const struct relay_host *host); /* NULL: no memory */
void relay_free(struct relay *r);                       /* NULL allowed */

/* A letter of a worker; `n` is borrowed, but for its media. */
void relay_read(struct relay *r, unsigned worker, struct relay_note *n);
void relay_tick(struct relay *r, uint64_t now_us); /* each 50 ms or so */

/* A broadcast of our own is there, or no longer: for who asks for namespaces. */
void relay_list_ours(struct relay *r, const char *ns, bool there);

/* `local` publishes the namespace, until relay_unpublish(). 0, or -1: no memory. */
int relay_publish(struct relay *r, const struct moq_name *ns, const struct relay_local *local);
void relay_unpublish(struct relay *r, const struct relay_local *local, const char *reason);
/* What has become of a track that was pulled, by the ID that pull gave. */
void relay_on(struct relay *r, uint64_t id, const struct moq_location *largest,
              struct moq_bytes properties);
void relay_off(struct relay *r, uint64_t id, uint64_t code, const char *reason);
/* Whoever has it cannot be reached: not its end, viewers may ask again. */
void relay_lost(struct relay *r, uint64_t id, const char *reason);
void relay_media(struct relay *r, uint64_t id, const struct moq_object *obj);
void relay_subgroup_end(struct relay *r, uint64_t id, uint64_t group, uint64_t subgroup,
                        bool whole);

struct relay_count {
    size_t namespaces, tracks, running, waiting;
    uint64_t objects, bytes; /* that were passed on to workers, each once */
};
void relay_counts(const struct relay *r, struct relay_count *out);

#endif
