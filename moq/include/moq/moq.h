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
 * Roles: any session may publish and subscribe. Objects are delivered whole. This implementation
 * sends one object per subgroup stream (MSF "Media transmission"), subgroup ID = object ID, so that
 * one lost frame delays no other and an obsolete one can be reset; it takes any legal arrangement.
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
    MOQ_INVALID_AUTHORITY = 0x19,
    MOQ_MALFORMED_AUTHORITY = 0x1a,
};
enum moq_request_error {
    MOQ_REQ_INTERNAL = 0x0,
    MOQ_REQ_UNAUTHORIZED = 0x1,
    MOQ_REQ_TIMEOUT = 0x2,
    MOQ_REQ_NOT_SUPPORTED = 0x3,
    MOQ_REQ_DOES_NOT_EXIST = 0x10,
    MOQ_REQ_INVALID_RANGE = 0x11,
    MOQ_REQ_DUPLICATE_SUBSCRIPTION = 0x19,
    MOQ_REQ_EXCESSIVE_LOAD = 0x9,
};
enum moq_stream_code {
    MOQ_STREAM_INTERNAL = 0x0,
    MOQ_STREAM_CANCELLED = 0x1,
    MOQ_STREAM_DELIVERY_TIMEOUT = 0x2,
    MOQ_STREAM_SESSION_CLOSED = 0x3,
    MOQ_STREAM_TOO_FAR_BEHIND = 0x5,
    MOQ_STREAM_EXCESSIVE_LOAD = 0x9,
    MOQ_STREAM_MALFORMED_TRACK = 0x12,
};
enum moq_done_status {
    MOQ_DONE_INTERNAL_ERROR = 0x0,
    MOQ_DONE_UNAUTHORIZED = 0x1,
    MOQ_DONE_TRACK_ENDED = 0x2,
    MOQ_DONE_SUBSCRIPTION_ENDED = 0x3,
    MOQ_DONE_TOO_FAR_BEHIND = 0x5,
    MOQ_DONE_UPDATE_FAILED = 0x8,
};

/* ---- what a session needs of a QUIC connection ---- */

struct moq_quic {
    void *ctx;
    /* New stream; 0 and *id, or negative when the peer's limit is reached. */
    int (*open)(void *ctx, bool uni, uint64_t *id);
    /* Takes all of `len` or fails negative; copies. */
    int (*write)(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin);
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

struct moq_location {
    uint64_t group, object;
};

/* ---- objects ---- */

struct moq_object {
    uint64_t group, object, subgroup;
    uint8_t priority;            /* publisher priority, smaller first */
    struct moq_bytes properties; /* Key-Value-Pairs; see <moq/loc.h>; may be empty */
    struct moq_bytes payload;
    uint8_t status; /* 0 normal, 3 end of group, 4 end of track */
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
};
void moq_subscribe_options_init(struct moq_subscribe_options *o);

struct moq_session;
struct moq_subscription; /* subscriber's side; owned by the session; freed after on_done/on_error */
struct moq_sending;      /* publisher's side of one subscription; likewise */

/* ---- what a session tells; every member may be NULL; `user` is the session's ---- */

struct moq_handler {
    /* SETUP of the peer has come: requests may be made. path and authority: server only, may be
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

    /* Subscriber: SUBSCRIBE_OK. `largest` is NULL when nothing was published yet. */
    void (*on_subscribed)(void *user, struct moq_subscription *s,
                          const struct moq_location *largest);
    /* Subscriber: REQUEST_ERROR; `s` is gone when this returns. */
    void (*on_rejected)(void *user, struct moq_subscription *s, uint64_t code, const char *reason);
    void (*on_object)(void *user, struct moq_subscription *s, const struct moq_object *obj);
    /* Subscriber: an object's stream was reset by the sender before its end, or given up by us for
     * its size. Not told when the reset overtook the stream's header: then nothing says what was
     * lost, so watch for gaps too. */
    void (*on_object_lost)(void *user, struct moq_subscription *s, uint64_t group, uint64_t object,
                           uint64_t code);
    /* Subscriber: PUBLISH_DONE and all its streams ended, or time-out; `s` is gone on return. */
    void (*on_done)(void *user, struct moq_subscription *s, uint64_t status, const char *reason);

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
};

/* Copies everything. The control stream and SETUP go out at moq_session_start. */
int moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                    const struct moq_quic *quic, const struct moq_handler *h, void *user);
void moq_session_free(struct moq_session *s);
int moq_session_start(struct moq_session *s); /* once the connection is up */

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

/* ---- subscriber ---- */

int moq_subscribe(struct moq_session *s, const struct moq_name *name,
                  const struct moq_subscribe_options *o, void *user, struct moq_subscription **out);
int moq_subscription_update(struct moq_subscription *s, const struct moq_subscribe_options *o);
/* Cancel: STOP_SENDING and RESET_STREAM on the request; `s` is gone. */
void moq_unsubscribe(struct moq_subscription *s);
void *moq_subscription_user(const struct moq_subscription *s);

/* ---- publisher ---- */

int moq_accept(struct moq_sending *s, const struct moq_location *largest /* NULL: none */,
               struct moq_bytes track_properties);
int moq_reject(struct moq_sending *s, uint64_t code, const char *reason); /* `s` is gone */
void moq_sending_set_user(struct moq_sending *s, void *user);
void *moq_sending_user(const struct moq_sending *s);
const struct moq_subscribe_options *moq_sending_options(const struct moq_sending *s);

/*
 * Send one object on a stream of its own, to be reset after `lifetime_us` (0: the subscriber's
 * delivery time-out, else never). 0; MOQ_ERR_FULL: no stream to be had, the object is dropped;
 * MOQ_ERR_STATE: not accepted or forward is off (object not wanted).
 */
int moq_object_write(struct moq_sending *s, const struct moq_object *obj, uint64_t lifetime_us);
/* PUBLISH_DONE; `s` is gone. Sent when the last data stream has ended. */
int moq_done(struct moq_sending *s, uint64_t status, const char *reason);

#ifdef __cplusplus
}
#endif
#endif
