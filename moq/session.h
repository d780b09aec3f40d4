/*
 * session.h - what the parts of a session share; private.
 *
 *   session.c     life, entry points, control streams, SETUP, GOAWAY, time
 *   stream.c      the table of streams, their buffers and bounds
 *   request.c     messages on request streams, request IDs
 *   publisher.c   struct moq_sending: subscriptions of the peer
 *   subscriber.c  struct moq_subscription: ours
 *   receive.c     data streams and datagrams that come in
 *
 * A handler may call back into the session at any point. So nothing is freed while an entry point
 * is on the stack: what dies is marked, unlinked and put on a graveyard that the outermost
 * moq_session_leave() empties. After every call of a handler, look at `dead` or at the state.
 */
#ifndef MOQ_SESSION_H
#define MOQ_SESSION_H

#include "message.h"
#include "object.h"

#define MOQ_STREAM_BUCKETS 1024                /* hash table of streams */
#define MOQ_BUFFERED_MAX (64u << 20)           /* bytes of incomplete input, all streams */
#define MOQ_EARLY_MAX (8u << 20)               /* of these: before SETUP or SUBSCRIBE_OK */
#define MOQ_DRAINS_MAX 1024                    /* streams whose further bytes are thrown away */
#define MOQ_UPDATES_MAX 16                     /* REQUEST_UPDATEs unanswered on one request */
#define MOQ_SETUP_TIMEOUT_US (10 * 1000000ull) /* for the peer's SETUP */
#define MOQ_DONE_WAIT_US (3 * 1000000ull)      /* after PUBLISH_DONE, for late streams, at least */
#define MOQ_DONE_HARD_US (30 * 1000000ull)     /* after PUBLISH_DONE, for streams still open */
#define MOQ_ID_WINDOW 2048                     /* request IDs remembered to find duplicates */

enum stream_kind {
    STREAM_NEW_UNI, /* the peer's; type not known yet */
    STREAM_CONTROL, /* the peer's control stream */
    STREAM_OWN_CONTROL,
    STREAM_REQUEST,      /* the peer's request, first message not read yet */
    STREAM_SENDING,      /* the peer's SUBSCRIBE: .sending */
    STREAM_SUBSCRIPTION, /* our SUBSCRIBE: .subscription */
    STREAM_DATA,         /* the peer's subgroup of .subscription */
    STREAM_ORPHAN,       /* the peer's subgroup of an alias not known yet; kept whole */
    STREAM_OBJECT,       /* our subgroup of .sending */
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
    struct moq_stream *hash_next;
    struct moq_stream_list *list;   /* of its owner, or NULL */
    struct moq_stream *prev, *next; /* in that list, or graveyard (next) */
    uint8_t *buf;                   /* bytes that came and are not used */
    size_t len, cap, need;          /* nothing can be read below `need` bytes */
    struct moq_sending *sending;
    struct moq_subscription *subscription;
    struct moq_subgroup subgroup;
};

enum sub_state { SUB_PENDING, SUB_ESTABLISHED, SUB_DONE, SUB_GONE };

struct moq_subscription {
    struct moq_session *session;
    struct moq_subscription *next; /* live list, then graveyard */
    struct moq_stream *request;
    enum sub_state state;
    struct moq_name name;
    uint8_t *name_storage;
    struct moq_subscribe_options options; /* as last sent */
    struct moq_subscribe_options wanted;  /* for after SUBSCRIBE_OK */
    bool update_wanted;
    unsigned updates_unanswered;
    void *user;
    uint64_t alias;
    uint8_t default_priority;       /* of the publisher, a track property */
    struct moq_stream_list streams; /* STREAM_DATA, open */
    uint64_t streams_seen;
    /* after PUBLISH_DONE */
    uint64_t streams_announced, status;
    uint64_t deadline, hard_deadline;
    char reason[MOQ_REASON_MAX + 1];
};

enum sending_state { SENDING_PENDING, SENDING_ACCEPTED, SENDING_DONE, SENDING_GONE };

struct moq_sending {
    struct moq_session *session;
    struct moq_sending *next;
    struct moq_stream *request;
    enum sending_state state;
    struct moq_name name;
    uint8_t *name_storage;
    struct moq_subscribe_options options;
    uint64_t subgroup_timeout_ms; /* the subscriber's */
    uint64_t track_timeout_ms;    /* the track's, smaller of its two; 0: none */
    bool track_descending;        /* the track's group order */
    unsigned updates_owed;        /* to be answered after SUBSCRIBE_OK */
    void *user;
    uint64_t alias;
    bool has_largest;
    struct moq_location largest; /* offered by the application so far, wanted or not */
    struct moq_location start;   /* the filter, worked out */
    uint64_t end_group;
    struct moq_stream_list streams; /* STREAM_OBJECT, open */
    uint64_t streams_opened;
    uint64_t status; /* SENDING_DONE */
    char reason[MOQ_REASON_MAX + 1];
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
    uint64_t next_request_id, next_alias;
    struct moq_id_window peer_ids;
    struct moq_stream *buckets[MOQ_STREAM_BUCKETS];
    struct moq_stream_list early;   /* before the peer's SETUP */
    struct moq_stream_list orphans; /* before a SUBSCRIBE_OK */
    struct moq_stream_list drains;
    size_t buffered, buffered_early; /* bytes held */
    size_t n_uni_in, n_requests_in, n_drains, n_objects_out;
    struct moq_subscription *subscriptions;
    struct moq_sending *sendings;
    size_t n_subscriptions;
    struct moq_stream *dead_streams;
    struct moq_subscription *dead_subscriptions;
    struct moq_sending *dead_sendings;
};

/* ---- session.c ---- */

void moq_session_enter(struct moq_session *s);
void moq_session_leave(struct moq_session *s);
/* The peer broke a rule (or we cannot go on): close, tell the handler. */
void moq_session_fail(struct moq_session *s, uint64_t code, const char *reason);
bool moq_session_is_open(const struct moq_session *s);
/* Encode and send; a failure ends the session. 0 or negative. */
int moq_session_send(struct moq_session *s, uint64_t stream, const struct moq_message *m, bool fin);
/* Take what a stream holds and `len` bytes more; the rest is kept. */
void moq_session_feed(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len);
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

/* ---- publisher.c ---- */

void moq_sending_on_subscribe(struct moq_session *s, struct moq_stream *st,
                              const struct moq_msg_subscribe *m);
void moq_sending_on_update(struct moq_sending *sd, const struct moq_msg_request_update *m);
void moq_sending_on_abort(struct moq_sending *sd);
void moq_sending_on_object_end(struct moq_session *s, struct moq_stream *st);
void moq_sending_free(struct moq_sending *sd);
/* REQUEST_ERROR and the end of our side. */
void moq_request_refuse(struct moq_session *s, struct moq_stream *st, uint64_t code,
                        const char *reason);

/* ---- subscriber.c ---- */

struct moq_subscription *moq_subscription_by_alias(struct moq_session *s, uint64_t alias);
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
