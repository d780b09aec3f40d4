/*
 * broadcast.h - one MoQT session over a connection that is up: the catalog, then a track for each
 * layer that is wanted. It ends with its connection; the next connection gets a new one.
 */
#ifndef PEER_BROADCAST_H
#define PEER_BROADCAST_H

#include "sender_view.h"
#include "subscription.h"
#include "uri.h"

#include <moq/moq.h>
#include <moq/msf.h>
#include <svc/svc.h>
#include <tvl/tvl.h>

enum broadcast_fault {
    BROADCAST_REFUSED, /* the server does not give it to us */
    BROADCAST_ABSENT,  /* it does not have it, now */
    BROADCAST_WRONG,   /* what it gives is not understood */
    BROADCAST_BROKEN,  /* the session ended with an error, or the server goes away */
};

struct broadcast_data {   /* an object of an opaque track */
    size_t track;         /* of the catalog */
    uint64_t number;      /* rises with group and object */
    const uint8_t *bytes; /* borrowed */
    size_t len;
    int64_t pts; /* us */
};

struct broadcast;

struct broadcast_handler { /* all required but where it is said; `user` is the one given to
                              broadcast_new */
    void (*on_catalog)(void *user, const struct msf_catalog *c, const struct subscription_plan *p);
    /* `track`: of the catalog. */
    void (*on_unit)(void *user, size_t track, const struct svc_unit *unit);
    void (*on_sound)(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts);
    void (*on_data)(void *user, const struct broadcast_data *d); /* may be NULL */
    void (*on_given_up)(void *user, struct svc_layer l);
    /* That track of the catalog is to be sent, as far as `top` has it. Asked when it is subscribed
     * to and by broadcast_ask. May be NULL: all. */
    bool (*is_wanted)(void *user, size_t track);
    /* How the sender serves us (broadcast_ask_sender), or that it does not say (`silent`). */
    void (*on_sender)(void *user, const struct sender_view *v);
    /* Playing the past has caught up with what is live (why NULL), or does not go on. */
    void (*on_live)(void *user, const char *why);
    void (*on_end)(void *user); /* every track has ended */
    /* These three of a publisher that called (`server`), NULL else. Whether one that shows these
     * tokens (perhaps none) may publish to us; then: it offers what we want: broadcast_take() or
     * broadcast_refuse() it, not inside. Or it was refused: one line. */
    bool (*may_publish)(void *user, const struct moq_token *tokens, size_t n);
    void (*on_offered)(void *user, struct broadcast *b);
    void (*on_refused)(void *user, struct broadcast *b, const char *why);
    /* At most once; nothing comes after it. Free it later, not inside. */
    /* `later_s`: the server wants to be asked again then, not earlier; negative: it said nothing.
     */
    void (*on_fault)(void *user, enum broadcast_fault fault, const char *why, double later_s);
};

struct broadcast_times {                        /* us, as `now` of broadcast_event; 0: not yet */
    uint64_t began, setup, catalog, first_unit; /* began: its first event */
};

struct broadcast_config {
    bool server; /* the peer called, and offers namespaces (PUBLISH_NAMESPACE): nothing is asked for
                    before broadcast_take(), and no fault told of */
    const struct uri *uri;      /* borrowed for its life */
    const char *implementation; /* sent in SETUP; borrowed for broadcast_new */
    struct subscription_wish wish;
    struct moq_bytes token; /* to show, copied; no bytes: none */
    struct svc_layer top;   /* to begin with, see broadcast_ask */
    bool paused;            /* likewise, see broadcast_pause */
    bool start;             /* begin at start_pts, us, where the server keeps that; else live */
    int64_t start_pts;
    bool ask_sender; /* likewise, see broadcast_ask_sender */
    bool follow;     /* later editions of the catalog: on_catalog comes again, with what is live */
    const struct broadcast_handler *handler;
    void *user;
};

/* 0 or negative (enum moq_error). */
int broadcast_new(struct broadcast **out, const struct broadcast_config *cfg,
                  struct tvl_conn *conn);
void broadcast_free(struct broadcast *b); /* without a word; not inside its handler */
void broadcast_close(struct broadcast *b, tvl_time now);
/* After on_offered. 0 or negative. */
int broadcast_take(struct broadcast *b);
void broadcast_refuse(struct broadcast *b, uint64_t code, const char *why);
void broadcast_event(struct broadcast *b, const struct tvl_event *ev, tvl_time now);
void broadcast_tick(struct broadcast *b, tvl_time now);

/* Ask for the layers up to `top`, of what is_wanted; what is not asked for stays subscribed and is
 * not sent. */
void broadcast_ask(struct broadcast *b, struct svc_layer top);
/* Nothing at all is sent, or again what was asked for, from the next key picture on. */
void broadcast_pause(struct broadcast *b, bool paused);

/* A new group, so a key picture, is asked for (NEW_GROUP_REQUEST), where the publisher hears that:
 * of the video whose base layer is that track of the catalog, or of every one. */
#define BROADCAST_EVERY_VIDEO SIZE_MAX
void broadcast_ask_key(struct broadcast *b, size_t base);

/* The sender is to say how it serves us, about each second, or not to. */
void broadcast_ask_sender(struct broadcast *b, bool ask);

/* The server keeps a window of it. */
bool broadcast_has_window(const struct broadcast *b);
/* Play from about that media time on, us; INT64_MAX: from the newest key picture that is kept. 0 or
 * negative. */
int broadcast_seek(struct broadcast *b, int64_t pts_us);
/* What is live, from the next key picture on. */
void broadcast_live(struct broadcast *b);
/* What is shown now, us: the past is asked for in time. */
void broadcast_set_position(struct broadcast *b, int64_t pts_us);
/* What comes is sent live; else it is fetched of what is kept. */
bool broadcast_is_live(const struct broadcast *b);
/* Media time, us: of the oldest that is kept, and of what is live about now. False: not known. */
bool broadcast_reach(const struct broadcast *b, int64_t *oldest_us, int64_t *live_us);
/* Some of it has ended in order, so that a closed connection is the end of all. NULL: no. */
bool broadcast_ending(const struct broadcast *b);
const struct broadcast_times *broadcast_times(const struct broadcast *b);

#endif
