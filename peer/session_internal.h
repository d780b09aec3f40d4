/*
 * session_internal.h - what session.c (tries, connections), session_listen.c (connections of those
 * who call), session_paths.c (the paths of one) and session_place.c (where in the broadcast) share.
 */
#ifndef PEER_SESSION_INTERNAL_H
#define PEER_SESSION_INTERNAL_H

#include "broadcast.h"
#include "retry.h"
#include "session.h"

#include <ev.h>
#include <netdb.h>
#include <stdio.h>

#define SESSION_ADDRESSES_MAX 4 /* of the server's name that are tried */

struct way { /* one --path option, or a path that was found */
    struct path_spec spec;
    bool joined;      /* path_id counts */
    uint32_t path_id; /* of the session's connection, the latest attempt */
    double retry_at;  /* loop time; 0: no retry is due */
    unsigned retries;
};

struct attempt { /* of a try: one way to one address */
    size_t way;
    const char *address;   /* borrowed from the session */
    struct tvl_conn *conn; /* its handshake is under way; NULL: not yet, or not any more */
};

struct guest { /* who called and was not taken yet */
    struct tvl_conn *conn;
    struct broadcast *broadcast;
    double came, offered; /* loop time; offered 0: not yet */
};

struct session {
    struct session_config cfg;
    struct way way[SESSION_PATHS_MAX];
    size_t n_ways;
    struct tvl_tls *tls;
    FILE *keylog;
    struct tvl_qlog *qlog; /* NULL: none */
    struct tvl_ev *driver;
    struct tvl_conn *conn;           /* NULL: none is up */
    struct broadcast *broadcast;     /* over `conn` */
    char server[TVL_EV_ADDRESS_MAX]; /* "ADDRESS:PORT" that it was reached at; "": not yet */
    char address[SESSION_ADDRESSES_MAX][TVL_EV_ADDRESS_MAX]; /* of its name, at the last try */
    size_t n_addresses;
    struct attempt attempt[SESSION_PATHS_MAX * SESSION_ADDRESSES_MAX]; /* of the try under way */
    size_t n_attempts, next_attempt;

    enum session_state state;
    double state_since, began;
    bool connected, played; /* ever */
    bool has_video;         /* the catalog has; else sound and data count as playing */
    bool closing, closed, failed, ended;
    bool trying;
    double try_began, retry_at; /* the try under way; the next one */
    double next_at;             /* loop time of its next attempt, or its end */
    unsigned tries;             /* since it last played */
    struct retry retry;
    double outage_began; /* 0: none */
    uint64_t heard_bytes;
    double heard_at, ticked_at; /* loop time */
    bool fault;                 /* the broadcast's, to be seen to outside of its calls */
    enum broadcast_fault fault_kind;
    double later_s; /* the server asked for so much patience; negative: it did not */
    char reason[SESSION_REASON_MAX]; /* why the last try failed or the connection broke */

    struct svc_layer top;                                /* asked for */
    bool paused, ask_sender, placed;                     /* placed: `position` is known */
    int64_t position;                                    /* media time that is shown, us */
    struct session_path_wish use[2 * SESSION_PATHS_MAX]; /* by session_path_set; holds over
                                                         reconnections */
    size_t n_uses;
    ev_timer tick;
    tvl_time connect_time; /* of the first connection */
    struct session_times times;
    /* a listener's */
    struct guest guest[SESSION_GUESTS_MAX];
    size_t n_guests;
    char caller[PATH_SPEC_ADDRESS_MAX]; /* whose connection it is; "": none */
};

double session_now(const struct session *s); /* s, CLOCK_MONOTONIC */
/* For the report's events, and the log. */
void session_note(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- session.c, for the others ---- */
void session_enter(struct session *s, enum session_state state);
void session_fail(struct session *s, int code, const char *why);
bool session_hears(struct session *s);
double session_silence_s(const struct session *s);
/* Over `conn`, that is up. 0 or negative (enum moq_error). */
int session_broadcast_new(struct session *s, struct tvl_conn *conn, struct broadcast **out);
void session_replace(struct session *s);
/* That of whom a picture is awaited now. */
void session_begin(struct session *s, struct tvl_conn *conn);
void session_lost(struct session *s, const char *why);

/* ---- session_try.c ---- */
void session_begin_try(struct session *s);
void session_run_try(struct session *s, double now);
void session_end_try(struct session *s, const struct tvl_conn *won); /* NULL: nobody has */
void session_wait_for_retry(struct session *s);
void session_attempt_closed(struct session *s, const struct tvl_event *ev);
/* Whose connection it is; NULL: that of no try. Where the server was found is kept. */
struct way *session_won_by(struct session *s, const struct tvl_conn *conn);
bool session_way_is_tried(const struct session *s, const struct way *w);
void session_end_way(struct session *s, const struct way *w);
/* Of one family: an address without a port, or "", and "ADDRESS:PORT". */
bool session_reaches(const char *local, const char *address);

/* ---- session_listen.c ---- */

/* Of a connection that is not the session's. */
void session_guest_event(struct session *s, const struct tvl_event *ev);
void session_listen_tick(struct session *s, double now);
void session_caller_gone(struct session *s, const char *why);
/* As in struct broadcast_handler. */
bool session_may_publish(void *user, const struct moq_token *tokens, size_t n);
void session_on_offered(void *user, struct broadcast *b);
void session_on_refused(void *user, struct broadcast *b, const char *why);
void session_close_guests(struct session *s);

bool session_path_is_off(const struct session *s, const char *name);
struct tvl_ev_path session_driver_path(const struct session *s, const struct path_spec *spec);
/* The connection is new: the other paths join it. */
void session_join_others(struct session *s);
void session_path_changed(struct session *s, uint32_t id, enum tvl_path_state state);
void session_retry_paths(struct session *s);
/* Names of the paths that are tried, or of those that are up. */
void session_path_names(const struct session *s, char *out, size_t cap);

#endif
