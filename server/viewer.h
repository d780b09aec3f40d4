/*
 * viewer.h - one viewer: its MoQT session over its connection, what it subscribes to, what the
 * policy lets through, and the account of it. Viewers share nothing but the broadcast they are
 * shown, which is constant to them.
 */
#ifndef SERVER_VIEWER_H
#define SERVER_VIEWER_H

#include <moq/moq.h>
#include <tvl/tvl.h>

#include "object.h"
#include "sender.h"

struct viewer;

struct broadcast {  /* what all viewers are shown; read-only to a viewer */
    const char *ns; /* "a/b" */
    const struct tracks *tracks;
    const char *catalog; /* JSON */
    size_t catalog_len;
    uint64_t catalog_group;
    const struct moq_location *largest; /* by track; counts where has_largest */
    const bool *has_largest;
    uint64_t latency_us;
    FILE *policy_log;                                          /* of what is decided; NULL: none */
    void (*on_watched)(void *user, const struct track *track); /* a viewer has subscribed to it */
    /* A unit did not reach a viewer, and what follows in its layer leans on it; later ones do. */
    void (*on_missed)(void *user, const struct viewer *v, uint8_t spatial);
    void *user;
};

enum viewer_fate { /* of an object offered to a viewer that wants its track */
                   VIEWER_SENT,
                   VIEWER_DROP_BROKEN, /* as enum policy_verdict */
                   VIEWER_DROP_RATE,
                   VIEWER_DROP_QUEUE,
                   VIEWER_DROP_FULL, /* no stream to be had */
                   VIEWER_EXPIRED,   /* was sent, and not through in its lifetime */
                   VIEWER_FATES,
};

struct viewer_count {
    uint64_t offered;
    uint64_t bytes; /* sent, payload */
    uint64_t fate[VIEWER_FATES];
};

/* `conn` is new (TVL_EVENT_ACCEPTED). 0, or -1: no memory. */
int viewer_new(struct viewer **out, const struct broadcast *b, struct tvl_conn *conn, tvl_time now);
void viewer_free(struct viewer *v);

/* Every event of the connection but ACCEPTED and CLOSED. */
void viewer_on_event(struct viewer *v, const struct tvl_event *ev, tvl_time now);
void viewer_tick(struct viewer *v, tvl_time now); /* every 100 ms or more often */
/* `unit` is NULL for sound. */
void viewer_offer(struct viewer *v, const struct object *obj, const struct svc_unit *unit,
                  tvl_time now);
/* PUBLISH_DONE on every track. */
void viewer_done(struct viewer *v, const char *reason);
/* Close the session; TVL_EVENT_CLOSED follows. */
void viewer_close(struct viewer *v, const char *reason, tvl_time now);

uint64_t viewer_id(const struct viewer *v);
const struct tvl_conn *viewer_conn(const struct viewer *v);
const struct viewer_count *viewer_count(const struct viewer *v, size_t track);
bool viewer_wants(const struct viewer *v, size_t track);
bool viewer_takes(const struct viewer *v, size_t track); /* wants it now: forward is on */
/* What its reference slots are known to hold, by its acknowledgements. */
const struct svc_tracker *viewer_holds(const struct viewer *v);
int viewer_top(const struct viewer *v); /* highest spatial layer going well, -1: none */
tvl_time viewer_since(const struct viewer *v);

#endif
