/*
 * watch.h - one session's watching of one broadcast: which tracks it subscribes to, what the policy
 * lets through, and the account of it. A session has one for each namespace that it has asked for;
 * they share its connection and nothing else.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "follow.h"
#include "held.h"
#include "media.h"
#include "past.h"
#include "sender.h"
#include "snapshot.h"
#include "supplier.h"
#include "wire.h"

enum watch_fate { /* of an object offered to a session that wants its track */
                  WATCH_SENT,
                  WATCH_DROP_BROKEN, /* as enum policy_verdict */
                  WATCH_DROP_RATE,
                  WATCH_DROP_QUEUE,
                  WATCH_DROP_FULL, /* no stream to be had */
                  WATCH_EXPIRED,   /* was sent, and not through in its lifetime */
                  WATCH_FATES,
};

struct watch_count {
    uint64_t offered;
    uint64_t bytes; /* sent, payload */
    uint64_t fate[WATCH_FATES];
};

struct subscription { /* of the peer; the watch's, and its moq_sending's user */
    LIST_ENTRY(subscription) link;
    struct watch *watch;
    struct moq_sending *sending;
    int track;               /* -1: the main loop has not said yet whether there is one */
    bool forward;            /* when it was last heard of */
    char name[MSF_NAME_MAX]; /* of the track asked for */
};

struct watch_way { /* what all watches of a session share; outlives them */
    struct tvl_conn *conn;
    struct wire *wire;
    uint64_t id;      /* of the session */
    FILE *policy_log; /* of what is decided; NULL: none */
};

struct watch {
    LIST_ENTRY(watch) link; /* of the follow's, where it has one */
    struct follow *follow;  /* NULL: nothing is subscribed to now */
    struct view *view;      /* a reference: what it watches, or has watched; NULL: not known yet */
    const struct watch_way *way;
    void *owner; /* the session */
    char ns[VIEW_NS_MAX];
    uint8_t number; /* among the session's */
    LIST_HEAD(, subscription) subscriptions;
    struct subscription *of_track[TRACKS_MAX]; /* NULL: not subscribed to */
    struct sender sender;
    enum policy_protection protection[TRACKS_MAX]; /* as the transport was told */
    struct watch_count count[TRACKS_MAX];
    tvl_time since;
    uint64_t until_ms; /* of access_now_ms(): it may watch as long */
    tvl_time granted_at;
    uint64_t bytes_before;         /* of count, when that was */
    tvl_time delay_us[TRACKS_MAX]; /* from offer to acknowledgement, of the last that came */
    uint64_t rank[TRACKS_MAX];     /* of each track's last object; 0: none yet */
    uint8_t missed;                /* lowest spatial layer it lost; SVC_SPATIAL_MAX: none */
    struct held *held;             /* NULL: nobody asks for it */
};

/* NULL: no memory. `ns` is shorter than VIEW_NS_MAX. */
struct watch *watch_new(const struct watch_way *way, void *owner, uint8_t number, const char *ns,
                        tvl_time now);
/* Its subscriptions are forgotten, not answered. NULL allowed. */
void watch_free(struct watch *w);

/* It goes with `f`, which may have no view yet. */
void watch_join(struct watch *w, struct follow *f);
/* And no longer; its account stays. */
void watch_part(struct watch *w);

/* It may watch until then, or longer if that was granted since it was idle. */
void watch_grant(struct watch *w, uint64_t until_ms, tvl_time now);
/* Payload sent since then. */
uint64_t watch_bytes(const struct watch *w);

/* The peer asks for the track called `name`. Answered at once where the follow has a view, else by
 * watch_shown or watch_refuse. The track's number, or -1: refused, or it waits. */
int watch_subscribe(struct watch *w, struct moq_sending *s, const struct moq_bytes *name);
/* The follow has got its view: answers all who wait. A bit for each track that was accepted. */
uint32_t watch_shown(struct watch *w);
void watch_refuse(struct watch *w, uint64_t code, const char *reason);
/* Objects of the past are asked for; the watch has a view. */
void watch_fetch(struct watch *w, struct past *past, struct moq_fetch *f, const char *name,
                 const struct moq_fetch_options *o);
/* `sub` was cancelled by the peer. */
void watch_cancelled(struct subscription *sub);
/* The session is over: nothing is subscribed to any more, and nobody to be told. */
void watch_forget(struct watch *w);
/* PUBLISH_DONE on every track. */
void watch_done(struct watch *w, uint64_t status, const char *reason);
bool watch_is_idle(const struct watch *w); /* nothing is subscribed to */

void watch_offer(struct watch *w, const struct media *m, tvl_time now);
/* Of streams that wire_end knows as this watch's: */
void watch_expired(struct watch *w, const struct wire_flight *f, uint64_t stream, tvl_time now);
void watch_acked(struct watch *w, const struct wire_flight *f, uint64_t stream, tvl_time now);
void watch_path_up(struct watch *w, tvl_time now);
/* The lowest spatial layer that it lost since this was asked last; SVC_SPATIAL_MAX: none. */
uint8_t watch_take_missed(struct watch *w);

bool watch_takes(const struct watch *w, size_t track); /* wants it now: forward is on */
int watch_top(const struct watch *w); /* highest spatial layer going well, -1: none */
/* What its reference slots are known to hold, by its acknowledgements; NULL: not known. */
const struct svc_tracker *watch_holds(const struct watch *w);
/* For the supplier; takes 0: it takes no layer. */
void watch_summary(const struct watch *w, tvl_time now, struct supplier_viewer *out);
/* Its tracks, and what is known of the broadcast as a whole. */
void watch_snapshot(const struct watch *w, struct snapshot_session *out);

#endif
