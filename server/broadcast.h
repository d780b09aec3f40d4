/*
 * broadcast.h - one source being served, on the main loop: it opens and closes the feed, makes the
 * feed's packets into media, gives them to the workers that follow it, and tells its encoder what
 * the viewers lack.
 *
 *     idle ─► starting ─► running ─► ended
 *       ▲                    │  └──► failed ─► starting, where it may come back (feed_source.h)
 *       └── nobody watches ──┘   (on_demand)
 *
 * Each time it runs is a run: a view (view.h) with an ID of its own. A worker follows a run from
 * LETTER_SHOWN on until LETTER_LEFT or LETTER_OVER.
 */
#ifndef SERVER_BROADCAST_H
#define SERVER_BROADCAST_H

#include <ev.h>
#include <stdio.h>
#include <sys/queue.h>

#include "config.h"
#include "feed.h"
#include "letter.h"
#include "snapshot.h"

#define BROADCAST_LINGER_US 5000000 /* on demand: from the last viewer to the end of the run */
#define BROADCAST_RETRY_MIN_S 1     /* after a failure; doubles ... */
#define BROADCAST_RETRY_MAX_S 30    /* ... up to this */
#define BROADCAST_QUEUE_MAX 4096    /* letters that wait in a worker; then groups are dropped */
#define BROADCAST_VIEWER_START_US 100000 /* from the first subscription: others come after it */

#define BROADCAST_WHY_MAX 1024

struct broadcast;

struct broadcast_host { /* the server, to its broadcasts; outlives them */
    struct ev_loop *loop;
    unsigned workers;
    bool sole;        /* the server ends with its only source, and says why */
    FILE *policy_log; /* NULL: none */
    uint64_t runs;    /* that ever were: the last ID given */
    void *user;
    /* Takes `l`. LETTER_MEDIA is read with the next letter of another kind, or the next flush. */
    void (*post)(void *user, unsigned worker, struct letter *l);
    void (*flush)(void *user);
    size_t (*waiting)(void *user, unsigned worker); /* letters that it has not taken yet */
    /* A run is over by itself; workers have been told. Must not free the broadcast. */
    void (*over)(void *user, struct broadcast *b, enum feed_end end);
};

/* Hears all that is broadcast, on the main loop: a recording, a window of time shift. */
struct broadcast_listener {
    LIST_ENTRY(broadcast_listener) link;
    /* A run begins; both are borrowed until on_over. May be NULL. */
    void (*on_run)(void *user, const struct view *view, const struct svc_stream_info *info);
    void (*on_media)(void *user, struct media *m); /* media_ref() to keep it */
    /* The run is over, with a moq_done_status; may be NULL. */
    void (*on_over)(void *user, uint64_t status, const char *reason);
    void *user;
};

/* `cfg` is borrowed until broadcast_set_config or the end. NULL: no memory. */
struct broadcast *broadcast_new(struct broadcast_host *host, const struct config_source *cfg);
void broadcast_free(struct broadcast *b); /* NULL allowed; workers are not told */

const struct config_source *broadcast_config(const struct broadcast *b);
/* The same words at another place: what runs goes on. */
void broadcast_set_config(struct broadcast *b, const struct config_source *cfg);

/* Begins a run, unless one is there. 0: it is there, or SOURCE_STARTING: the feed takes its time to
 * open. -1: it failed, broadcast_why says why. */
int broadcast_start(struct broadcast *b);
/* Ends the run; viewers are told `reason`. It stays idle until broadcast_start. */
void broadcast_stop(struct broadcast *b, const char *reason);
/* The feed gives nothing any more, nothing else changes: before the server ends. What ends then
 * goes on elsewhere or later. */
void broadcast_halt(struct broadcast *b);
bool broadcast_is_stopped(const struct broadcast *b); /* by broadcast_stop */
enum snapshot_state broadcast_state(const struct broadcast *b);
const char *broadcast_why(const struct broadcast *b);
/* A key picture, or a layer from `spatial` up predicted anew. -1: nothing is encoded, or there is
 * no such layer. */
int broadcast_refresh(struct broadcast *b, unsigned spatial);

/* LETTER_WANTED, and every letter about its present run. Others are ignored. */
void broadcast_read(struct broadcast *b, const struct letter *l);
void broadcast_tick(struct broadcast *b, tvl_time now); /* every 50 ms or so */

/* Somebody who listens (below) needs it as a viewer does: it runs, with all its layers, until it is
 * released as often. */
void broadcast_hold(struct broadcast *b);
void broadcast_release(struct broadcast *b);

void broadcast_listen(struct broadcast *b, struct broadcast_listener *l);
void broadcast_unlisten(struct broadcast_listener *l);
const struct view *broadcast_view(const struct broadcast *b); /* of the run; NULL: none */
void broadcast_snapshot(const struct broadcast *b, struct snapshot_source *out);

#endif
