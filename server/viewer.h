/*
 * viewer.h - one session: its MoQT session over its connection, and what it watches (watch.h). It
 * lives on one worker's thread and changes nothing that others see; what it wants of the worker
 * goes through struct viewer_host.
 */
#ifndef SERVER_VIEWER_H
#define SERVER_VIEWER_H

#include <moq/moq.h>
#include <tvl/tvl.h>

#include "access.h"
#include "relay_side.h"
#include "watch.h"

#define VIEWER_WATCHES_MAX 8 /* namespaces of one session at once */
#define VIEWER_ASKED_MAX 16  /* FETCHes that wait for the main loop's answer */

struct viewer;

struct viewer_host { /* the worker, to its viewers */
    void *user;
    FILE *policy_log; /* of what is decided; NULL: none */
    bool chooses;     /* paths' controllers, while they run */
    struct access *access;
    /* The broadcast of that name as it is followed, asked for if it is not yet. NULL: no memory. */
    struct follow *(*follow)(void *user, const char *ns);
    /* `f` has one watch less. `f` may be gone on return. */
    void (*left)(void *user, struct follow *f);
    /* A session has come to the track, which is not the catalog. */
    void (*watched)(void *user, struct follow *f, size_t track);
    /* Somebody there asks for a beginning of that track, a layer. */
    void (*anew)(void *user, struct follow *f, size_t track);
    /* A unit did not reach it, and what follows in its layer leans on it; later ones do. */
    void (*missed)(void *user, const struct watch *w, uint8_t spatial);
    struct relay_side *relay; /* what others publish and subscribe to */
};

/* `conn` is new (TVL_EVENT_ACCEPTED); `host` outlives it. 0, or -1: no memory. */
int viewer_new(struct viewer **out, const struct viewer_host *host, uint64_t id,
               struct tvl_conn *conn, tvl_time now);
void viewer_free(struct viewer *v);

/* Its connection has closed: the last words of the access log. viewer_free follows. */
void viewer_gone(struct viewer *v, const char *reason, tvl_time now);

/* Every event of the connection but ACCEPTED and CLOSED. */
void viewer_on_event(struct viewer *v, const struct tvl_event *ev, tvl_time now);
void viewer_tick(struct viewer *v, tvl_time now); /* every 100 ms or more often */
/* GOAWAY: it is to leave within `patience_ms`. */
void viewer_ask_to_leave(struct viewer *v, uint64_t patience_ms);
/* The follow of `w`, which is one of some viewer's, has got its view. */
void viewer_shown(struct watch *w);
/* It has none any more. */
void viewer_over(struct watch *w);
/* Fits relay_side_host.ours; the member's user is the viewer. */
void viewer_subscribe_ours(void *user, struct relay_member *m, struct moq_sending *s,
                           const struct moq_name *name, uint64_t until_ms);
/* PUBLISH_DONE on every track. */
void viewer_done(struct viewer *v, uint64_t status, const char *reason);
/* Close the session; TVL_EVENT_CLOSED follows. */
void viewer_close(struct viewer *v, uint64_t code, const char *reason, tvl_time now);

uint64_t viewer_id(const struct viewer *v);
const struct tvl_conn *viewer_conn(const struct viewer *v);
/* What it is watching, or was the last to be; NULL: nothing yet. */
const struct watch *viewer_watch(const struct viewer *v);
/* All of it but the worker's number. */
void viewer_snapshot(const struct viewer *v, tvl_time now, struct snapshot_session *out);
/* What it adds to the totals of all that ever was. */
void viewer_total(const struct viewer *v, struct snapshot_totals *sum);

#endif
