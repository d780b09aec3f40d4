/*
 * moq.h - Media over QUIC Transport, draft-ietf-moq-transport-18, without I/O.
 *
 * One struct moq_session is one end of one QUIC connection. It reads and writes streams through
 * struct moq_quic, a table of functions that <moq/moq_tvl.h> fills for libtvl and that tests fill
 * with a pipe in memory. What the session learns comes back through struct moq_handler.
 *
 *     connection events --> moq_session_on_*() --> moq_session --> struct moq_handler (calls)
 *     application        --> moq_subscribe(), moq_object_write() ... --> struct moq_quic (calls)
 *
 * Roles: any session may publish and subscribe. Objects are delivered whole. moq_object_write()
 * sends one object per subgroup stream (MSF "Media transmission"), subgroup ID = object ID, so that
 * one lost frame delays no other and an obsolete one can be reset; any legal arrangement is taken,
 * and moq_object_relay() passes it on as it came.
 *
 *   what                         asked for with              told to the peer's handler by
 *   a track, by who wants it     moq_subscribe()             on_subscribe
 *   a track, by who has it       moq_publish()               on_publish
 *   objects of the past          moq_fetch()                 on_fetch
 *   namespaces, track status     moq_request()               on_request
 *
 * Conventions as in <tvl/tvl.h>: negative enum moq_error, nothing changed on failure; borrowed
 * pointers live for the call; one session, one thread. A handler may call any moq_* function on
 * the session except moq_session_free.
 */
#ifndef MOQ_MOQ_H
#define MOQ_MOQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOQ_ALPN "moqt-18"
#define MOQ_NAMESPACE_FIELDS_MAX 32 /* section 2.4.1 of the draft */
#define MOQ_FULL_NAME_MAX 4096      /* bytes, namespace fields and name together */
#define MOQ_REASON_MAX 1024         /* bytes of a reason phrase */
#define MOQ_MESSAGE_MAX 65535       /* bytes of a control message body (16-bit length) */
#define MOQ_PROPERTIES_MAX 4096     /* bytes of one object's properties, own limit */
#define MOQ_OBJECT_MAX (8u << 20)   /* bytes of one object's payload, own limit */
#define MOQ_REQUESTS_MAX 256        /* requests a session holds in each direction, own limit */
#define MOQ_STREAMS_MAX 4096        /* data streams being received at once, own limit */
#define MOQ_TOKENS_MAX 8            /* authorization tokens of one message, own limit */
#define MOQ_TOKEN_MAX 8192          /* bytes of one token, own limit */
#define MOQ_URI_MAX 8192            /* bytes of GOAWAY's New Session URI */
#define MOQ_IMPLEMENTATION_MAX 63   /* bytes kept of what a peer calls itself, own limit */

enum moq_error {
    MOQ_ERR_ARG = -1,
    MOQ_ERR_NOMEM = -2,
    MOQ_ERR_STATE = -3, /* closed, or SETUP not done */
    MOQ_ERR_FULL = -4,  /* a limit above, or QUIC's stream limit */
    MOQ_ERR_WIRE = -5,  /* bytes that are not what the draft says */
    MOQ_ERR_QUIC = -6,  /* struct moq_quic said no */
};
const char *moq_strerror(int error);

/* Session close codes, draft section "Session termination" (hexadecimal as in the draft). */
enum moq_close_code {
    MOQ_NO_ERROR = 0x0,
    MOQ_INTERNAL_ERROR = 0x1,
    MOQ_UNAUTHORIZED = 0x2,
    MOQ_PROTOCOL_VIOLATION = 0x3,
    MOQ_INVALID_REQUEST_ID = 0x4,
    MOQ_DUPLICATE_TRACK_ALIAS = 0x5,
    MOQ_KEY_VALUE_FORMATTING_ERROR = 0x6,
    MOQ_INVALID_PATH = 0x8,
    MOQ_MALFORMED_PATH = 0x9,
    MOQ_GOAWAY_TIMEOUT = 0x10,
    MOQ_CONTROL_MESSAGE_TIMEOUT = 0x11,
    MOQ_DATA_STREAM_TIMEOUT = 0x12,
    MOQ_AUTH_TOKEN_CACHE_OVERFLOW = 0x13,
    MOQ_DUPLICATE_AUTH_TOKEN_ALIAS = 0x14,
    MOQ_VERSION_NEGOTIATION_FAILED = 0x15,
    MOQ_MALFORMED_AUTH_TOKEN = 0x16,
    MOQ_UNKNOWN_AUTH_TOKEN_ALIAS = 0x17,
    MOQ_EXPIRED_AUTH_TOKEN = 0x18,
    MOQ_INVALID_AUTHORITY = 0x19,
    MOQ_MALFORMED_AUTHORITY = 0x1a,
};
enum moq_request_error {
    MOQ_REQ_INTERNAL = 0x0,
    MOQ_REQ_UNAUTHORIZED = 0x1,
    MOQ_REQ_TIMEOUT = 0x2,
    MOQ_REQ_NOT_SUPPORTED = 0x3,
    MOQ_REQ_MALFORMED_AUTH_TOKEN = 0x4,
    MOQ_REQ_EXPIRED_AUTH_TOKEN = 0x5,
    MOQ_REQ_GOING_AWAY = 0x6,
    MOQ_REQ_EXCESSIVE_LOAD = 0x9,
    MOQ_REQ_DOES_NOT_EXIST = 0x10,
    MOQ_REQ_INVALID_RANGE = 0x11,
    MOQ_REQ_MALFORMED_TRACK = 0x12,
    MOQ_REQ_DUPLICATE_SUBSCRIPTION = 0x19,
    MOQ_REQ_UNINTERESTED = 0x20,
    MOQ_REQ_PREFIX_OVERLAP = 0x30,
    MOQ_REQ_NAMESPACE_TOO_LARGE = 0x31,
    MOQ_REQ_INVALID_JOINING_REQUEST_ID = 0x32,
    MOQ_REQ_UNSUPPORTED_EXTENSION = 0x33,
};
enum moq_stream_code {
    MOQ_STREAM_INTERNAL = 0x0,
    MOQ_STREAM_CANCELLED = 0x1,
    MOQ_STREAM_DELIVERY_TIMEOUT = 0x2,
    MOQ_STREAM_SESSION_CLOSED = 0x3,
    MOQ_STREAM_GOING_AWAY = 0x4,
    MOQ_STREAM_TOO_FAR_BEHIND = 0x5,
    MOQ_STREAM_UNKNOWN_OBJECT_STATUS = 0x6,
    MOQ_STREAM_EXPIRED_AUTH_TOKEN = 0x7,
    MOQ_STREAM_EXCESSIVE_LOAD = 0x9,
    MOQ_STREAM_MALFORMED_TRACK = 0x12,
};
enum moq_done_status {
    MOQ_DONE_INTERNAL_ERROR = 0x0,
    MOQ_DONE_UNAUTHORIZED = 0x1,
    MOQ_DONE_TRACK_ENDED = 0x2,
    MOQ_DONE_SUBSCRIPTION_ENDED = 0x3,
    MOQ_DONE_GOING_AWAY = 0x4,
    MOQ_DONE_TOO_FAR_BEHIND = 0x5,
    MOQ_DONE_EXPIRED = 0x6,
    MOQ_DONE_UPDATE_FAILED = 0x8,
    MOQ_DONE_EXCESSIVE_LOAD = 0x9,
    MOQ_DONE_MALFORMED_TRACK = 0x12,
};

/* ---- what a session needs of a QUIC connection ---- */

struct moq_quic_message { /* all of a unidirectional stream */
    uint64_t rank;        /* as set_rank */
    uint64_t lifetime_us; /* as set_lifetime, with `code`; 0: none */
    uint64_t code;
    const uint8_t *head, *body; /* one behind the other */
    size_t head_len, body_len;
};

struct moq_quic {
    void *ctx;
    /* New stream; 0 and *id, or negative when the peer's limit is reached. */
    int (*open)(void *ctx, bool uni, uint64_t *id);
    /* Takes all of `len` or fails negative; copies. */
    int (*write)(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin);
    /* open, set_rank, write and its end, set_lifetime in one, which costs less; all or nothing.
     * NULL: they are called one by one. */
    int (*send)(void *ctx, const struct moq_quic_message *m, uint64_t *id);
    int (*reset)(void *ctx, uint64_t id, uint64_t code); /* RESET_STREAM */
    int (*stop)(void *ctx, uint64_t id, uint64_t code);  /* STOP_SENDING */
    /* Sending order, smaller first (see tvl_stream_set_rank). */
    void (*set_rank)(void *ctx, uint64_t id, uint64_t rank);
    /* Reset with `code` if not acknowledged within `us` from now; 0: never. */
    void (*set_lifetime)(void *ctx, uint64_t id, uint64_t us, uint64_t code);
    int (*datagram)(void *ctx, const uint8_t *bytes, size_t len);
    void (*close)(void *ctx, uint64_t code, const char *reason);
};

/* Ranks: control stream, then request streams, then objects by (subscriber priority, publisher
 * priority, group, subgroup); see moq_rank() in moq/rank.h. */

/* ---- names ---- */

struct moq_bytes {
    const uint8_t *bytes;
    size_t len;
};

struct moq_name { /* full track name; all borrowed */
    struct moq_bytes ns[MOQ_NAMESPACE_FIELDS_MAX];
    size_t n_ns; /* [0, MOQ_NAMESPACE_FIELDS_MAX] */
    struct moq_bytes track;
};
/* "a/b" and "video" to a name that borrows both strings; MOQ_ERR_ARG: empty field, too long. */
int moq_name_from_text(struct moq_name *out, const char *ns, const char *track);
bool moq_name_equal(const struct moq_name *a, const struct moq_name *b);
/* Whether the fields of `prefix` begin `name`'s. */
bool moq_name_begins(const struct moq_name *name, const struct moq_name *prefix);
/* As bytes that are kept: equal names, equal bytes. At most MOQ_NAME_PACKED_MAX; the length, or
 * MOQ_ERR_ARG when `cap` is too small. */
#define MOQ_NAME_PACKED_MAX (MOQ_FULL_NAME_MAX + 128)
int moq_name_pack(const struct moq_name *name, uint8_t *out, size_t cap);
/* 0 or MOQ_ERR_WIRE; borrows from `bytes`. */
int moq_name_unpack(struct moq_name *out, const uint8_t *bytes, size_t len);
/* The namespace as text, "a/b". False: it does not fit, or could be taken for another (a field with
 * a slash or a NUL). */
bool moq_namespace_text(const struct moq_name *name, char *out, size_t size);

struct moq_location {
    uint64_t group, object;
};

/* ---- authorization ---- */

/* One token (draft section "AUTHORIZATION TOKEN Parameter"), aliases resolved. */
struct moq_token {
    uint64_t type; /* 0: agreed upon elsewhere (our JWTs) */
    struct moq_bytes value;
};

/* ---- objects ---- */

struct moq_object {
    uint64_t group, object, subgroup;
    uint8_t priority;            /* publisher priority, smaller first */
    struct moq_bytes properties; /* Key-Value-Pairs; see <moq/loc.h>; may be empty */
    struct moq_bytes payload;
    uint8_t status; /* 0 normal, 3 end of group, 4 end of track */

    /* Its place on the stream that it came on, for moq_object_relay(); all zero: it is alone. Of an
     * object that came by FETCH, only `datagram` is told. */
    bool datagram;     /* it came as a datagram: no subgroup */
    bool first;        /* nothing goes before it in its subgroup */
    bool has_previous; /* `previous` is the one before it on its stream */
    uint64_t previous;
    bool more;         /* the stream had not ended with it: see on_subgroup_end */
    bool end_of_group; /* the group's last object is the last of this stream */
};

/* ---- requests ---- */

enum moq_filter {
    MOQ_FILTER_NONE = 0,
    MOQ_FILTER_NEXT_GROUP = 1,
    MOQ_FILTER_LARGEST_OBJECT = 2,
    MOQ_FILTER_ABSOLUTE_START = 3,
    MOQ_FILTER_ABSOLUTE_RANGE = 4
};

struct moq_subscribe_options {
    uint8_t priority;             /* subscriber priority [0, 255], smaller first, default 128 */
    bool forward;                 /* default true */
    uint8_t group_order;          /* 0 publisher's, 1 ascending, 2 descending */
    enum moq_filter filter;       /* default MOQ_FILTER_NEXT_GROUP */
    struct moq_location start;    /* absolute filters */
    uint64_t end_group;           /* MOQ_FILTER_ABSOLUTE_RANGE, last group */
    uint64_t delivery_timeout_ms; /* OBJECT_DELIVERY_TIMEOUT; 0: none */
    uint64_t rendezvous_ms;       /* SUBSCRIBE only: how long a relay may wait for a publisher; 0:
                                     not at all. What came is not bounded: bound it yourself */
    bool has_new_group; /* NEW_GROUP_REQUEST: a new group (key picture) is asked for ... */
    uint64_t new_group; /* ... unless one with this number or a higher is there; 0: any */
};
void moq_subscribe_options_init(struct moq_subscribe_options *o);

/* What PUBLISH says of a track beside its name. */
struct moq_publish_options {
    bool forward;     /* objects come without waiting for more; else when forward is asked for */
    bool has_largest; /* something was published already */
    struct moq_location largest;
    uint64_t expires_ms;         /* 0: not known */
    struct moq_bytes properties; /* of the track: Key-Value-Pairs */
};

enum moq_order { MOQ_ORDER_ASCENDING = 1, MOQ_ORDER_DESCENDING = 2 }; /* of groups */

enum moq_fetch_kind {
    MOQ_FETCH_STANDALONE = 1,
    MOQ_FETCH_RELATIVE = 2, /* joins a subscription: begins `join_groups` before its first group */
    MOQ_FETCH_ABSOLUTE = 3, /* joins a subscription: begins with group `join_groups` */
};

struct moq_subscription; /* subscriber's side; owned by the session; freed after on_done/on_rejected
                          */
struct moq_sending;      /* publisher's side of one subscription; likewise */
struct moq_fetch;        /* either side of one FETCH; likewise */
struct moq_request;      /* either side of a request about namespaces or a track's status */

struct moq_fetch_options {
    enum moq_fetch_kind kind;      /* what is told to a publisher is worked out: see on_fetch */
    struct moq_location start;     /* standalone */
    struct moq_location end;       /* the last object's, object + 1; object 0: the whole group */
    struct moq_subscription *join; /* of the other kinds: asked for or accepted, forward is on */
    uint64_t join_groups;
    enum moq_order order; /* default ascending; within a group objects always ascend */
    uint8_t priority;     /* subscriber priority, default 128 */
};
void moq_fetch_options_init(struct moq_fetch_options *o); /* standalone, from { 0, 0 } to there */

enum moq_request_kind {
    MOQ_REQUEST_PUBLISH_NAMESPACE,   /* "I have tracks under this namespace" */
    MOQ_REQUEST_SUBSCRIBE_NAMESPACE, /* "which namespaces begin so, from now on?": NAMESPACE */
    MOQ_REQUEST_SUBSCRIBE_TRACKS,    /* "which tracks are under it, from now on?": PUBLISH */
    MOQ_REQUEST_TRACK_STATUS,        /* "what is the last object of this track?" */
};

struct moq_session;

/* ---- what a session tells; every member may be NULL; `user` is the session's ---- */

struct moq_handler {
    /* SETUP of the peer has come. path and authority: server only, may be
     * empty; borrowed. */
    void (*on_setup)(void *user, struct moq_bytes path, struct moq_bytes authority);
    /* The session is over by the peer's fault or wish; moq_quic.close was called if it is ours. */
    void (*on_closed)(void *user, uint64_t code, const char *reason);

    /* Publisher: somebody subscribes. Answer now or later with moq_accept or moq_reject. */
    void (*on_subscribe)(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o);
    /* Publisher: REQUEST_UPDATE was taken (and answered); new values in `o`. */
    void (*on_update)(void *user, struct moq_sending *s, const struct moq_subscribe_options *o);
    /* Publisher: cancelled by the subscriber; `s` is gone when this returns. */
    void (*on_cancelled)(void *user, struct moq_sending *s);
    /* Publisher: our PUBLISH was accepted; `o` is what the subscriber wants. */
    void (*on_published)(void *user, struct moq_sending *s, const struct moq_subscribe_options *o);
    /* Publisher: our PUBLISH was refused; `s` is gone when this returns. */
    void (*on_publish_refused)(void *user, struct moq_sending *s, uint64_t code,
                               const char *reason);

    /* Subscriber: SUBSCRIBE_OK. `largest` is NULL when nothing was published yet. */
    void (*on_subscribed)(void *user, struct moq_subscription *s,
                          const struct moq_location *largest);
    /* Subscriber: the peer publishes a track. Answer now or later with moq_publish_accept() or
     * moq_publish_reject(); objects wait meanwhile, within bounds. Absent: UNINTERESTED. When the
     * publisher takes it back, on_done comes. */
    void (*on_publish)(void *user, struct moq_subscription *s, const struct moq_name *name,
                       const struct moq_publish_options *o);
    /* Subscriber: REQUEST_ERROR; `s` is gone when this returns. */
    void (*on_rejected)(void *user, struct moq_subscription *s, uint64_t code, const char *reason);
    void (*on_object)(void *user, struct moq_subscription *s, const struct moq_object *obj);
    /* Subscriber: an object's stream was reset by the sender before its end, or given up by us for
     * its size. Not told when the reset overtook the stream's header: then nothing says what was
     * lost, so watch for gaps too. */
    void (*on_object_lost)(void *user, struct moq_subscription *s, uint64_t group, uint64_t object,
                           uint64_t code);
    /* Subscriber: after an object with `more`: its stream has ended, after all its objects (whole)
     * or broken off (else; on_object_lost may have come before). */
    void (*on_subgroup_end)(void *user, struct moq_subscription *s, uint64_t group,
                            uint64_t subgroup, bool whole);
    /* Subscriber: PUBLISH_DONE and all its streams ended, or time-out; `s` is gone on return. */
    void (*on_done)(void *user, struct moq_subscription *s, uint64_t status, const char *reason);

    /* Publisher: objects of the past are asked for. Of whatever kind the FETCH was, `name`,
     * o->start and o->end are worked out (for joining ones: end is where the subscription began),
     * not yet checked against what there is. Answer now or later: moq_fetch_accept() and the
     * objects, or moq_fetch_reject(). Absent: NOT_SUPPORTED. */
    void (*on_fetch)(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o);
    /* Publisher: the peer no longer wants it; `f` is gone when this returns. */
    void (*on_fetch_cancelled)(void *user, struct moq_fetch *f);
    /* Subscriber: FETCH_OK, before, between or after the objects. `end` as in the options; what
     * lies behind it does not exist yet. */
    void (*on_fetch_accepted)(void *user, struct moq_fetch *f, bool end_of_track,
                              struct moq_location end);
    void (*on_fetch_object)(void *user, struct moq_fetch *f, const struct moq_object *obj);
    /* Subscriber: the publisher does not know what is between the last object and `to`, included.
     */
    void (*on_fetch_unknown)(void *user, struct moq_fetch *f, struct moq_location to);
    /* Subscriber: the last object has come (code 0 and whole), or the stream broke off. `f` is gone
     * when this returns. */
    void (*on_fetch_done)(void *user, struct moq_fetch *f, bool whole, uint64_t code);
    /* Subscriber: REQUEST_ERROR; `f` is gone when this returns. */
    void (*on_fetch_refused)(void *user, struct moq_fetch *f, uint64_t code, const char *reason);

    /* The peer asks: moq_request_kind(r) says what, `name` which namespace (its track is empty but
     * for MOQ_REQUEST_TRACK_STATUS). Answer now or later with moq_request_accept(),
     * moq_request_reject() or moq_track_status(). Absent: NOT_SUPPORTED. */
    void (*on_request)(void *user, struct moq_request *r, const struct moq_name *name);
    /* Our request was accepted. */
    void (*on_request_ok)(void *user, struct moq_request *r);
    /* TRACK_STATUS is answered: `largest` is NULL when nothing was published yet. Gone on return.
     */
    void (*on_track_status)(void *user, struct moq_request *r, const struct moq_location *largest,
                            struct moq_bytes properties);
    /* Our MOQ_REQUEST_SUBSCRIBE_NAMESPACE: `ns` (whole, not only what follows the prefix) is there,
     * or no longer. */
    void (*on_namespace)(void *user, struct moq_request *r, const struct moq_name *ns, bool there);
    /* Our MOQ_REQUEST_SUBSCRIBE_TRACKS: `name` is there, and the peer can open no stream to publish
     * it on: subscribe to it. */
    void (*on_track_blocked)(void *user, struct moq_request *r, const struct moq_name *name);
    /* The request is over and `r` gone on return. Of ours: refused (code, reason; before
     * on_request_ok) or ended by the peer. Of the peer's: it took it back (namespace withdrawn). */
    void (*on_request_end)(void *user, struct moq_request *r, uint64_t code, const char *reason);

    /* The peer will close soon (GOAWAY): moq_subscribe fails from now on, what runs goes on. `uri`
     * (may be empty) is where to connect instead; timeout_ms 0: none given. */
    void (*on_goaway)(void *user, struct moq_bytes uri, uint64_t timeout_ms);
};

/* ---- session ---- */

struct moq_session_config {
    bool server;
    const char *authority;      /* client: "host:port" of the URI; NULL on a server */
    const char *path;           /* client: path and query of the URI, "" allowed */
    const char *implementation; /* sent in SETUP, e.g. "svc-player 0.1"; NULL: none */
    struct moq_token token;     /* to show, in SETUP and with every request; no bytes: none */
    uint32_t token_cache;       /* bytes of tokens that the peer may register, each counted with 16
                                   more [0, 65536]; 0: it must send them whole each time */
};

/* Copies everything. The control stream and SETUP go out at moq_session_start. */
int moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                    const struct moq_quic *quic, const struct moq_handler *h, void *user);
void moq_session_free(struct moq_session *s);
/* Once the connection is up. From then on requests may be made, also ahead of the peer's SETUP:
 * that saves a round trip (draft section "Session initialization"). */
int moq_session_start(struct moq_session *s);

/* What happened on the connection. Bytes are borrowed. */
void moq_session_on_data(struct moq_session *s, uint64_t stream, const uint8_t *bytes, size_t len,
                         bool fin, uint64_t now_us);
void moq_session_on_reset(struct moq_session *s, uint64_t stream, uint64_t code);
void moq_session_on_stop(struct moq_session *s, uint64_t stream, uint64_t code);
void moq_session_on_datagram(struct moq_session *s, const uint8_t *bytes, size_t len);
void moq_session_on_stream_end(struct moq_session *s, uint64_t stream); /* ours: acked or expired */
/* Time-outs (SETUP, PUBLISH_DONE); call at least every 100 ms. */
void moq_session_tick(struct moq_session *s, uint64_t now_us);

void moq_session_close(struct moq_session *s, uint64_t code, const char *reason);

/*
 * GOAWAY: what the peer asks for from now on is refused with GOING_AWAY, what runs goes on. `uri`:
 * where to go instead (server only; NULL: here again). With a time-out the session closes itself
 * (MOQ_GOAWAY_TIMEOUT, on_closed is called) when requests are still open by then; 0: never.
 * MOQ_ERR_STATE: not open, or said before.
 */
int moq_goaway(struct moq_session *s, const char *uri, uint64_t timeout_ms);

/* The token for requests from now on, copied; no bytes: none. 0, MOQ_ERR_ARG (too long), NOMEM. */
int moq_session_set_token(struct moq_session *s, const struct moq_token *token);
/*
 * Inside on_setup, on_subscribe, on_update, on_publish, on_fetch and on_request: the tokens that
 * came with that message; their number, and borrowed for the call. 0 outside of these.
 */
size_t moq_tokens(const struct moq_session *s, const struct moq_token **out);
/* What the peer calls itself in SETUP, cut and made printable; "" before or without. */
const char *moq_peer_implementation(const struct moq_session *s);
/* Requests open in both directions (subscriptions, fetches, namespaces). */
size_t moq_session_requests(const struct moq_session *s);

/* ---- subscriber ---- */

int moq_subscribe(struct moq_session *s, const struct moq_name *name,
                  const struct moq_subscribe_options *o, void *user, struct moq_subscription **out);
/* Inside on_rejected: it may be asked for again in *after_ms or later. */
bool moq_subscription_may_retry(const struct moq_subscription *s, uint64_t *after_ms);
int moq_subscription_update(struct moq_subscription *s, const struct moq_subscribe_options *o);
/* Cancel: STOP_SENDING and RESET_STREAM on the request; `s` is gone. */
void moq_unsubscribe(struct moq_subscription *s);
void *moq_subscription_user(const struct moq_subscription *s);
void moq_subscription_set_user(struct moq_subscription *s, void *user);
/* The track's properties as they came in SUBSCRIBE_OK or PUBLISH; borrowed while `s` lives. */
struct moq_bytes moq_subscription_properties(const struct moq_subscription *s);

/* Answer on_publish: PUBLISH_OK with what is wanted, or REQUEST_ERROR (then `s` is gone). `o` may
 * have forward off: nothing comes until moq_subscription_update() turns it on. */
int moq_publish_accept(struct moq_subscription *s, const struct moq_subscribe_options *o);
int moq_publish_reject(struct moq_subscription *s, uint64_t code, const char *reason);

/* FETCH. `name` counts for MOQ_FETCH_STANDALONE only (else NULL). */
int moq_fetch(struct moq_session *s, const struct moq_name *name, const struct moq_fetch_options *o,
              void *user, struct moq_fetch **out);

/* ---- publisher ---- */

/* Track properties that say: NEW_GROUP_REQUEST is heard (DYNAMIC_GROUPS, 1). */
#define MOQ_DYNAMIC_GROUPS             \
    (struct moq_bytes)                 \
    {                                  \
        (const uint8_t *)"\x30\x01", 2 \
    }
bool moq_has_dynamic_groups(struct moq_bytes track_properties); /* they say so */
int moq_accept(struct moq_sending *s, const struct moq_location *largest /* NULL: none */,
               struct moq_bytes track_properties);
int moq_reject(struct moq_sending *s, uint64_t code, const char *reason); /* `s` is gone */
/* The same, but it may be asked again in `retry_ms` or later. */
int moq_reject_for_now(struct moq_sending *s, uint64_t code, const char *reason, uint64_t retry_ms);
void moq_sending_set_user(struct moq_sending *s, void *user);
void *moq_sending_user(const struct moq_sending *s);
const struct moq_subscribe_options *moq_sending_options(const struct moq_sending *s);

/*
 * Send one object on a stream of its own, to be reset after `lifetime_us` (0: the subscriber's
 * delivery time-out, else never). 0; MOQ_ERR_FULL: no stream to be had, the object is dropped;
 * MOQ_ERR_STATE: not accepted or forward is off (object not wanted).
 */
int moq_object_write(struct moq_sending *s, const struct moq_object *obj, uint64_t lifetime_us);
/*
 * Pass on an object of somebody else's: subgroup, priority and properties stay, and objects of one
 * subgroup go on one stream as long as none is missing between them (obj->previous); when one is,
 * the stream is reset and another begun. A stream kept open by obj->more ends with the object
 * without it or with moq_subgroup_end(). obj->datagram goes as a datagram. Returns as
 * moq_object_write(), and MOQ_ERR_QUIC: a datagram that does not fit.
 */
int moq_object_relay(struct moq_sending *s, const struct moq_object *obj, uint64_t lifetime_us);
/* The subgroup's stream, if one is open: ends in order (whole), or is reset. */
void moq_subgroup_end(struct moq_sending *s, uint64_t group, uint64_t subgroup, bool whole);
/* PUBLISH_DONE; `s` is gone. Sent when the last data stream has ended. */
int moq_done(struct moq_sending *s, uint64_t status, const char *reason);

/* PUBLISH: offer a track. With o->forward objects may be written at once, and are until the answer
 * says otherwise. on_published or on_publish_refused follows; the rest is as after on_subscribe. */
int moq_publish(struct moq_session *s, const struct moq_name *name,
                const struct moq_publish_options *o, void *user, struct moq_sending **out);

/* ---- fetches: either side ---- */

/* Publisher. `end` as in the options, never beyond what there is: { largest.group,
 * largest.object + 1 } then. Properties are the track's. */
int moq_fetch_accept(struct moq_fetch *f, bool end_of_track, struct moq_location end,
                     struct moq_bytes properties);
int moq_fetch_reject(struct moq_fetch *f, uint64_t code, const char *reason); /* `f` is gone */
/* The next object, in the order asked for; MOQ_ERR_ARG: out of order. Before or after
 * moq_fetch_accept(). Takes all: watch moq_fetch_stream() for what is queued. */
int moq_fetch_write(struct moq_fetch *f, const struct moq_object *obj);
/* What is between the last object and `to`, included, is not known. */
int moq_fetch_write_unknown(struct moq_fetch *f, struct moq_location to);
/* All objects are written (also when there were none); `f` is gone. MOQ_ERR_STATE: not accepted. */
int moq_fetch_end(struct moq_fetch *f);
/* Give up, publisher (MOQ_STREAM_...) or subscriber (MOQ_STREAM_CANCELLED): `f` is gone. */
void moq_fetch_abort(struct moq_fetch *f, uint64_t code);
/* Its QUIC stream of objects, or UINT64_MAX when none was opened yet. */
uint64_t moq_fetch_stream(const struct moq_fetch *f);
void moq_fetch_set_user(struct moq_fetch *f, void *user);
void *moq_fetch_user(const struct moq_fetch *f);

/* ---- requests about namespaces and a track's status: either side ---- */

/* `name->track` counts for MOQ_REQUEST_TRACK_STATUS only. A prefix may have no fields: all. */
int moq_request(struct moq_session *s, enum moq_request_kind kind, const struct moq_name *name,
                void *user, struct moq_request **out);
int moq_request_accept(struct moq_request *r);
int moq_request_reject(struct moq_request *r, uint64_t code, const char *reason); /* `r` is gone */
/* Answer of MOQ_REQUEST_TRACK_STATUS; `r` is gone. */
int moq_track_status(struct moq_request *r, const struct moq_location *largest /* NULL: none */,
                     struct moq_bytes properties);
/* To an accepted MOQ_REQUEST_SUBSCRIBE_NAMESPACE: `ns` (whole) is there, or no longer. Said once
 * each, in turn: MOQ_ERR_STATE when it was said already; MOQ_ERR_ARG: not under the prefix. */
int moq_namespace(struct moq_request *r, const struct moq_name *ns, bool there);
/* To an accepted MOQ_REQUEST_SUBSCRIBE_TRACKS, when moq_publish() said MOQ_ERR_FULL: `name` cannot
 * be published to it now and will not be. */
int moq_track_blocked(struct moq_request *r, const struct moq_name *name);
/* MOQ_REQUEST_SUBSCRIBE_TRACKS of the peer: whether to publish with forward on. */
bool moq_request_forward(const struct moq_request *r);
/* Withdraw, cancel or revoke, of either side; `r` is gone. */
void moq_request_end(struct moq_request *r);
enum moq_request_kind moq_request_kind(const struct moq_request *r);
void moq_request_set_user(struct moq_request *r, void *user);
void *moq_request_user(const struct moq_request *r);

#ifdef __cplusplus
}
#endif
#endif
