/*
 * session.h - what the parts of a session share; private.
 *
 *   session.c     life, entry points, control streams, SETUP, GOAWAY, time
 *   stream.c      the table of streams, their buffers and bounds
 *   request.c     messages on request streams, request IDs
 *   publisher.c   struct moq_sending: what we publish, asked for by the peer or offered by us
 *   send.c        its objects: streams and datagrams that go out
 *   subscriber.c  struct moq_subscription: what we receive, likewise
 *   receive.c     data streams and datagrams that come in
 *   fetch.c       struct moq_fetch: either side of one FETCH
 *   namespaces.c  struct moq_request: either side of requests about namespaces and a track's status
 *   token.c       authorization tokens
 *
 * A handler may call back into the session at any point. So nothing is freed while an entry point
 * is on the stack: what dies is marked, unlinked and put on a graveyard that the outermost
 * moq_session_leave() empties. After every call of a handler, look at `dead` or at the state.
 */
#ifndef MOQ_SESSION_H
#define MOQ_SESSION_H

#include "message.h"
#include "object.h"
#include "token.h"

#define MOQ_BUCKETS_LEAST 16                   /* hash table of streams; it grows and shrinks */
#define MOQ_OPEN_SUBGROUPS_MAX 256             /* streams kept open for more objects, a sending */
#define MOQ_NAMESPACES_MAX 4096                /* told on one SUBSCRIBE_NAMESPACE */
#define MOQ_BUFFERED_MAX (64u << 20)           /* bytes of incomplete input, all streams */
#define MOQ_EARLY_MAX (8u << 20)               /* of these: before SETUP or SUBSCRIBE_OK */
#define MOQ_DRAINS_MAX 1024                    /* streams whose further bytes are thrown away */
#define MOQ_UPDATES_MAX 16                     /* REQUEST_UPDATEs unanswered on one request */
#define MOQ_SETUP_TIMEOUT_US (10 * 1000000ull) /* for the peer's SETUP */
#define MOQ_ORPHAN_WAIT_US (1 * 1000000ull)    /* for the PUBLISH that its objects overtook */
#define MOQ_DONE_WAIT_US (3 * 1000000ull)      /* after PUBLISH_DONE, for late streams, at least */
#define MOQ_DONE_HARD_US (30 * 1000000ull)     /* after PUBLISH_DONE, for streams still open */
#define MOQ_SPARE_MAX 4                        /* streams kept when they are gone */
#define MOQ_ID_WINDOW 2048                     /* request IDs remembered to find duplicates */

enum stream_kind {
    STREAM_NEW_UNI, /* the peer's; type not known yet */
    STREAM_CONTROL, /* the peer's control stream */
    STREAM_OWN_CONTROL,
    STREAM_REQUEST,      /* the peer's request, first message not read yet */
    STREAM_SENDING,      /* the peer's SUBSCRIBE or our PUBLISH: .sending */
    STREAM_SUBSCRIPTION, /* our SUBSCRIBE or the peer's PUBLISH: .subscription */
    STREAM_FETCH,        /* a FETCH of either side: .fetch */
    STREAM_ASKED,        /* any other request of either side: .asked */
    STREAM_DATA,         /* the peer's subgroup of .subscription */
    STREAM_ORPHAN,       /* the peer's subgroup of an alias not known yet; kept whole */
    STREAM_OBJECT,       /* our subgroup of .sending */
    STREAM_FETCH_IN,     /* objects of .fetch that come */
    STREAM_FETCH_OUT,    /* objects of .fetch that go; NULL: written, not acknowledged yet */
    STREAM_DRAIN,        /* the peer's; bytes are thrown away */
};

struct moq_stream_list {
    struct moq_stream *head, *tail;
};

struct moq_stream {
    uint64_t id;
    enum stream_kind kind;
    bool dead;
    bool fin;    /* the peer's side has ended */
    bool early;  /* its buffer counts against MOQ_EARLY_MAX */
    bool goaway; /* GOAWAY has come on it */
    bool more;   /* STREAM_DATA: its last object was told as not the last */
    struct moq_stream *hash_next;
    struct moq_stream_list *list;   /* of its owner, or NULL */
    struct moq_stream *prev, *next; /* in that list, or graveyard (next) */
    uint8_t *buf;                   /* bytes that came and are not used */
    size_t len, cap, need;          /* nothing can be read below `need` bytes */
    uint64_t since;                 /* STREAM_ORPHAN: when it came */
    union {                         /* by kind */
        struct moq_sending *sending;
        struct moq_subscription *subscription;
        struct moq_fetch *fetch;
        struct moq_request *asked;
    };
    struct moq_subgroup subgroup;
};

enum sub_state {
    SUB_PENDING, /* SUBSCRIBE is not answered */
    SUB_OFFERED, /* the peer's PUBLISH is not answered */
    SUB_ESTABLISHED,
    SUB_DONE,
    SUB_GONE
};

struct moq_subscription {
    struct moq_session *session;
    struct moq_subscription *next; /* live list, then graveyard */
    struct moq_stream *request;
    uint64_t request_id;
    enum sub_state state;
    struct moq_kept_name name;
    uint8_t *properties; /* of the track, owned; NULL: none */
    size_t properties_len;
    struct moq_subscribe_options options; /* as last sent */
    struct moq_subscribe_options wanted;  /* for after SUBSCRIBE_OK */
    bool update_wanted;
    uint64_t retry_ms_plus_1;                  /* refused: as REQUEST_ERROR says */
    unsigned updates_unanswered, updates_owed; /* ours; the publisher's before the answer */
    void *user;
    uint64_t alias;
    uint8_t default_priority;       /* of the publisher, a track property */
    struct moq_stream_list streams; /* STREAM_DATA, open */
    uint64_t streams_seen;
    /* after PUBLISH_DONE */
    uint64_t streams_announced, status;
    uint64_t deadline, hard_deadline;
    char *reason; /* owned; NULL: none */
};

enum sending_state {
    SENDING_PENDING, /* the peer's SUBSCRIBE is not answered */
    SENDING_OFFERED, /* our PUBLISH is not answered */
    SENDING_ACCEPTED,
    SENDING_DONE,
    SENDING_GONE
};

struct moq_sending {
    struct moq_session *session;
    struct moq_sending *next;
    struct moq_stream *request;
    uint64_t request_id; /* of the peer's SUBSCRIBE or our PUBLISH */
    enum sending_state state;
    struct moq_kept_name name;
    struct moq_subscribe_options options;
    uint64_t subgroup_timeout_ms; /* the subscriber's */
    uint64_t track_timeout_ms;    /* the track's, smaller of its two; 0: none */
    bool track_descending;        /* the track's group order */
    unsigned updates_owed;        /* to be answered after SUBSCRIBE_OK */
    void *user;
    uint64_t alias;
    bool has_largest;
    struct moq_location largest; /* offered by the application so far, wanted or not */
    bool has_joining;
    struct moq_location joining; /* where a joining FETCH ends: the largest object told last */
    struct moq_location start;   /* the filter, worked out */
    uint64_t end_group;
    struct moq_stream_list streams; /* STREAM_OBJECT, all written, not acknowledged */
    struct moq_stream_list open;    /* STREAM_OBJECT, more may follow */
    size_t n_open;
    uint64_t streams_opened;
    uint64_t status; /* SENDING_DONE */
    char *reason;    /* owned; NULL: none */
};

enum fetch_state { FETCH_WAITING, FETCH_ASKED, FETCH_ACCEPTED, FETCH_GONE };

struct moq_fetch {
    struct moq_session *session;
    struct moq_fetch *next;
    struct moq_stream *request, *data; /* data: NULL before its stream is there and after it */
    uint64_t id;
    bool ours;             /* we are the subscriber */
    bool data_seen, whole; /* ours: the stream came; it has ended in order */
    enum fetch_state state;
    struct moq_kept_name name;
    struct moq_fetch_options options;
    struct moq_sending *join; /* FETCH_WAITING: for its SUBSCRIBE_OK */
    struct moq_fetch_place place;
    unsigned updates_owed;
    void *user;
};

struct moq_known_namespace {
    struct moq_known_namespace *next;
    struct moq_kept_name ns; /* whole */
};

enum asked_state { ASKED_PENDING, ASKED_ACCEPTED, ASKED_GONE };

struct moq_request {
    struct moq_session *session;
    struct moq_request *next;
    struct moq_stream *stream;
    enum moq_request_kind kind;
    bool ours, forward;
    enum asked_state state;
    struct moq_kept_name name;
    struct moq_known_namespace *known; /* SUBSCRIBE_NAMESPACE: told and not taken back */
    size_t n_known;
    unsigned updates_owed; /* to be answered after the request */
    void *user;
};

/* Which of the peer's request IDs came: a window that slides with the largest. */
struct moq_id_window {
    uint64_t end; /* IDs (by index) below end - MOQ_ID_WINDOW count as seen */
    uint64_t bits[MOQ_ID_WINDOW / 64];
};

enum session_state { SESSION_NEW, SESSION_STARTED, SESSION_OPEN, SESSION_CLOSED };

struct moq_session {
    bool server;
    char *authority, *path, *implementation; /* owned; NULL: none */
    struct moq_quic quic;
    struct moq_handler handler;
    void *user;
    enum session_state state;
    unsigned depth; /* entry points on the stack */
    uint64_t now;
    uint64_t setup_deadline; /* 0: not set yet */
    uint64_t control_out;
    bool has_control_in, goaway;
    bool goaway_sent;
    uint64_t goaway_timeout_us, goaway_deadline; /* 0: none; not set yet */
    struct moq_token_cache tokens;
    struct moq_own_token token;
    char peer_implementation[MOQ_IMPLEMENTATION_MAX + 1];
    uint64_t next_request_id, next_alias;
    struct moq_id_window peer_ids;
    struct moq_stream **buckets;
    size_t n_buckets, n_streams;    /* buckets: 0 or a power of two */
    struct moq_stream_list early;   /* before the peer's SETUP */
    struct moq_stream_list orphans; /* before a SUBSCRIBE_OK */
    struct moq_stream_list drains;
    size_t buffered, buffered_early; /* bytes held */
    size_t n_uni_in, n_requests_in, n_requests_out, n_drains, n_objects_out;
    struct moq_subscription *subscriptions;
    struct moq_sending *sendings;
    struct moq_fetch *fetches;
    struct moq_request *asked;
    size_t n_subscriptions;
    struct moq_stream *dead_streams;
    struct moq_stream *spare_streams; /* n_spare, by next: gone, kept for those that come */
    unsigned n_spare;
    struct moq_subscription *dead_subscriptions;
    struct moq_sending *dead_sendings;
    struct moq_fetch *dead_fetches;
    struct moq_request *dead_asked;
};

/* ---- session.c ---- */

void moq_session_enter(struct moq_session *s);
void moq_session_leave(struct moq_session *s);
/* The peer broke a rule (or we cannot go on): close, tell the handler. */
void moq_session_fail(struct moq_session *s, uint64_t code, const char *reason);
/* Encode and send; a failure ends the session. 0 or negative. */
int moq_session_send(struct moq_session *s, uint64_t stream, const struct moq_message *m, bool fin);
/* Take what a stream holds and `len` bytes more; the rest is kept. */
void moq_session_feed(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len);
/* The same as a copy on the heap; NULL when memory is short. */
char *moq_reason_keep(struct moq_bytes reason);
/* Cut, for MOQ_REASON_MAX; control characters of the peer's are replaced. */
void moq_reason_copy(char out[MOQ_REASON_MAX + 1], struct moq_bytes reason);
struct moq_bytes moq_bytes_of(const char *text); /* NULL: empty; cut at MOQ_REASON_MAX */

/* ---- stream.c ---- */

struct moq_stream *moq_stream_find(struct moq_session *s, uint64_t id);
/* NULL when memory is short. */
struct moq_stream *moq_stream_add(struct moq_session *s, uint64_t id, enum stream_kind kind);
/* Unlink and bury. NULL is allowed. */
void moq_stream_kill(struct moq_session *s, struct moq_stream *st);
/* Ask the peer to stop and throw away what still comes; kills it when its end has come. */
void moq_stream_discard(struct moq_session *s, struct moq_stream *st, uint64_t code);
/* The same without STOP_SENDING: the peer is expected to end the stream itself. */
void moq_stream_drain(struct moq_session *s, struct moq_stream *st);
void moq_stream_set_kind(struct moq_session *s, struct moq_stream *st, enum stream_kind kind);
void moq_stream_list_add(struct moq_stream_list *list, struct moq_stream *st);
void moq_stream_list_remove(struct moq_stream *st);
/* 0; MOQ_ERR_FULL: a bound of buffered bytes; MOQ_ERR_NOMEM. */
int moq_stream_append(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len);
void moq_stream_consume(struct moq_session *s, struct moq_stream *st, size_t used);
/* Whether the buffer counts as early; moves what it holds. */
void moq_stream_set_early(struct moq_session *s, struct moq_stream *st, bool early);
/* Its grave is emptied: freed, or kept to be used again. */
void moq_stream_bury(struct moq_session *s, struct moq_stream *st);
void moq_streams_free_spare(struct moq_session *s);
void moq_stream_free(struct moq_stream *st);

/* ---- request.c: bytes used of `bytes`, whole messages only ---- */

size_t moq_request_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                        size_t len);
/* The peer ended its side in order, nothing is left over. */
void moq_request_on_fin(struct moq_session *s, struct moq_stream *st);
/* The peer reset its side or stopped ours. */
void moq_request_on_abort(struct moq_session *s, struct moq_stream *st, uint64_t code);
/* End a request from our side at once: reset ours, stop the peer's. */
void moq_request_abort(struct moq_session *s, struct moq_stream *st, uint64_t code);
/* Whether we may ask for something more: 0, MOQ_ERR_STATE, MOQ_ERR_FULL. */
int moq_request_allowed(const struct moq_session *s);
/*
 * Open a stream and send `m` as our next request, with our token: m's request ID is set. The
 * stream, or NULL with *rc.
 */
struct moq_stream *moq_request_begin(struct moq_session *s, enum stream_kind kind,
                                     struct moq_message *m, int *rc);
/* REQUEST_OK without anything in it. */
void moq_request_ok(struct moq_session *s, struct moq_stream *st);
/* Our side of a request ends in order; what still comes is thrown away. */
void moq_request_finish(struct moq_session *s, struct moq_stream *st);
bool moq_stream_is_ours(const struct moq_session *s, uint64_t id);

/* ---- publisher.c ---- */

void moq_sending_on_subscribe(struct moq_session *s, struct moq_stream *st,
                              const struct moq_msg_subscribe *m);
/* REQUEST_OK or REQUEST_ERROR to our PUBLISH. */
void moq_sending_on_answer(struct moq_sending *sd, const struct moq_message *m);
void moq_sending_on_fin(struct moq_sending *sd);
struct moq_sending *moq_sending_by_request(struct moq_session *s, uint64_t request_id);
void moq_sending_on_update(struct moq_sending *sd, const struct moq_msg_request_update *m);
void moq_sending_on_abort(struct moq_sending *sd, uint64_t code);
void moq_sending_free(struct moq_sending *sd);
/* Gone for everybody, once the stack is unwound. */
void moq_sending_bury(struct moq_sending *sd);
/* REQUEST_ERROR and the end of our side. */
void moq_request_error(struct moq_session *s, struct moq_stream *st,
                       const struct moq_msg_request_error *error);
void moq_request_refuse(struct moq_session *s, struct moq_stream *st, uint64_t code,
                        const char *reason);

/* ---- send.c ---- */

void moq_sending_on_object_end(struct moq_session *s, struct moq_stream *st);
/* Reset all its streams. */
void moq_sending_reset_objects(struct moq_sending *sd, uint64_t code);
/* The first location that passes, from the filter and what was published before it came. */
void moq_sending_work_out_filter(struct moq_sending *sd);
bool moq_location_before(struct moq_location a, struct moq_location b);
/* PUBLISH_DONE, once everything is sent. */
void moq_sending_finish_when_sent(struct moq_sending *sd);

/* ---- fetch.c ---- */

void moq_fetch_on_request(struct moq_session *s, struct moq_stream *st,
                          const struct moq_msg_fetch *m);
void moq_fetch_on_message(struct moq_fetch *f, const struct moq_message *m);
void moq_fetch_on_fin(struct moq_fetch *f);
void moq_fetch_on_abort(struct moq_fetch *f, uint64_t code);
/* A subscription that fetches wait for was answered, or is gone. */
void moq_fetches_on_joined(struct moq_sending *sd);
/* Bytes used. */
size_t moq_fetch_new_stream(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                            size_t len);
size_t moq_fetch_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len);
void moq_fetch_on_data_fin(struct moq_session *s, struct moq_stream *st);
/* Reset by the peer, or given up by us. */
void moq_fetch_on_data_lost(struct moq_session *s, struct moq_stream *st, uint64_t code);
void moq_fetch_on_data_stop(struct moq_session *s, struct moq_stream *st);
/* Our data stream is acknowledged, or expired. */
void moq_fetch_on_data_end(struct moq_session *s, struct moq_stream *st);
void moq_fetch_free(struct moq_fetch *f);

/* ---- namespaces.c ---- */

void moq_asked_on_request(struct moq_session *s, struct moq_stream *st,
                          const struct moq_message *m);
void moq_asked_on_message(struct moq_request *r, const struct moq_message *m);
void moq_asked_on_fin(struct moq_request *r);
void moq_asked_on_abort(struct moq_request *r, uint64_t code);
void moq_asked_free(struct moq_request *r);

/* ---- subscriber.c ---- */

void moq_subscription_on_publish(struct moq_session *s, struct moq_stream *st,
                                 const struct moq_msg_publish *m);
/* REQUEST_UPDATE of the publisher, on its PUBLISH. */
void moq_subscription_on_update(struct moq_subscription *sub,
                                const struct moq_msg_request_update *m);

struct moq_subscription *moq_subscription_by_alias(struct moq_session *s, uint64_t alias);
/* Whether an answer that names an alias is still to come, from either side. */
bool moq_subscriptions_pending(const struct moq_session *s);
void moq_subscription_on_message(struct moq_subscription *sub, const struct moq_message *m);
void moq_subscription_on_fin(struct moq_subscription *sub);
void moq_subscription_on_abort(struct moq_subscription *sub, uint64_t code);
/* A data stream of it has ended. */
void moq_subscription_on_stream_end(struct moq_subscription *sub);
void moq_subscriptions_tick(struct moq_session *s);
/* Cancel without a call of the handler. */
void moq_subscription_cancel(struct moq_subscription *sub, uint64_t code);
void moq_subscription_free(struct moq_subscription *sub);

/* ---- receive.c ---- */

size_t moq_receive_new_uni(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                           size_t len);
size_t moq_receive_data(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                        size_t len);
void moq_receive_on_fin(struct moq_session *s, struct moq_stream *st);
void moq_receive_on_reset(struct moq_session *s, struct moq_stream *st, uint64_t code);
/* After a SUBSCRIBE_OK, REQUEST_ERROR or the like: hand out or drop what waited. */
void moq_receive_settle_orphans(struct moq_session *s);
/* Give up the object that is arriving: stop the stream, tell the handler. */
void moq_receive_give_up(struct moq_session *s, struct moq_stream *st, uint64_t code);

#endif
