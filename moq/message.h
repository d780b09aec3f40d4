/* message.h - control messages of draft-ietf-moq-transport-18, encoded and parsed. What is special
 * to draft-18 lives here, in param.h and in object.h; sessions see structs. */
#ifndef MOQ_MESSAGE_H
#define MOQ_MESSAGE_H

#include "kvp.h"
#include "param.h"

enum moq_message_type {
    MOQ_MSG_REQUEST_UPDATE = 0x2,
    MOQ_MSG_SUBSCRIBE = 0x3,
    MOQ_MSG_SUBSCRIBE_OK = 0x4,
    MOQ_MSG_REQUEST_ERROR = 0x5,
    MOQ_MSG_PUBLISH_NAMESPACE = 0x6,
    MOQ_MSG_REQUEST_OK = 0x7,
    MOQ_MSG_NAMESPACE = 0x8,
    MOQ_MSG_PUBLISH_DONE = 0xb,
    MOQ_MSG_TRACK_STATUS = 0xd,
    MOQ_MSG_NAMESPACE_DONE = 0xe,
    MOQ_MSG_PUBLISH_BLOCKED = 0xf,
    MOQ_MSG_GOAWAY = 0x10,
    MOQ_MSG_FETCH = 0x16,
    MOQ_MSG_FETCH_OK = 0x18,
    MOQ_MSG_PUBLISH = 0x1d,
    MOQ_MSG_SUBSCRIBE_NAMESPACE = 0x50,
    MOQ_MSG_SUBSCRIBE_TRACKS = 0x51,
    MOQ_MSG_SETUP = 0x2f00, /* also the type of the control stream */
};

#define MOQ_FRAME_OVERHEAD_MAX 11 /* bytes before a body: type vi64 and 16-bit length */
#define MOQ_FRAME_SMALL 1024      /* bytes; nearly all messages are smaller */
#define MOQ_FRAME_MAX (MOQ_MESSAGE_MAX + MOQ_FRAME_OVERHEAD_MAX)
#define MOQ_STREAM_COUNT_UNKNOWN ((UINT64_C(1) << 62) - 1)
#define MOQ_REDIRECT 0x34 /* REQUEST_ERROR code that a Redirect structure follows */

struct moq_msg_setup {
    bool has_path, has_authority;
    struct moq_bytes path, authority, implementation;
    uint64_t token_cache;                    /* MAX_AUTH_TOKEN_CACHE_SIZE; 0: also when absent */
    struct moq_bytes tokens[MOQ_TOKENS_MAX]; /* Token structures */
    size_t n_tokens;
};
/* Requests begin alike: with their ID. */
struct moq_msg_subscribe {
    uint64_t request_id;
    struct moq_name name;
    struct moq_params params;
};
struct moq_msg_subscribe_ok {
    uint64_t alias;
    struct moq_params params;
    struct moq_bytes properties;
};
struct moq_msg_request_ok {
    struct moq_params params;
    struct moq_bytes properties;
};
struct moq_msg_request_error {
    uint64_t code;
    uint64_t retry_ms_plus_1; /* 0: do not retry */
    struct moq_bytes reason;
    struct moq_bytes redirect_uri; /* code MOQ_REDIRECT */
    struct moq_name redirect_name;
};
struct moq_msg_request_update {
    uint64_t request_id;
    struct moq_params params;
};
struct moq_msg_publish_done {
    uint64_t status, stream_count;
    struct moq_bytes reason;
};
struct moq_msg_goaway {
    struct moq_bytes uri;
    uint64_t timeout_ms;
    bool has_request_id; /* on the control stream */
    uint64_t request_id;
};
struct moq_msg_publish {
    uint64_t request_id;
    struct moq_name name;
    uint64_t alias;
    struct moq_params params;
    struct moq_bytes properties;
};
struct moq_msg_fetch {
    uint64_t request_id;
    uint64_t kind;                  /* enum moq_fetch_kind */
    struct moq_name name;           /* standalone */
    struct moq_location start, end; /* standalone; end as struct moq_fetch_options has it */
    uint64_t join_id, join_start;   /* joining */
    struct moq_params params;
};
struct moq_msg_fetch_ok {
    uint64_t end_of_track; /* 0 or 1 */
    struct moq_location end;
    struct moq_params params;
    struct moq_bytes properties;
};
struct moq_msg_namespaces { /* PUBLISH_NAMESPACE, SUBSCRIBE_NAMESPACE, SUBSCRIBE_TRACKS */
    uint64_t request_id;
    struct moq_name ns; /* track is empty */
    struct moq_params params;
};
struct moq_msg_suffix { /* NAMESPACE, NAMESPACE_DONE, PUBLISH_BLOCKED (with a track) */
    struct moq_name name;
};

struct moq_message {
    uint64_t type; /* enum moq_message_type */
    union {
        struct moq_msg_setup setup;
        struct moq_msg_subscribe subscribe; /* and TRACK_STATUS */
        struct moq_msg_subscribe_ok subscribe_ok;
        struct moq_msg_request_ok request_ok;
        struct moq_msg_request_error request_error;
        struct moq_msg_request_update request_update;
        struct moq_msg_publish_done publish_done;
        struct moq_msg_goaway goaway;
        struct moq_msg_publish publish;
        struct moq_msg_fetch fetch;
        struct moq_msg_fetch_ok fetch_ok;
        struct moq_msg_namespaces namespaces;
        struct moq_msg_suffix suffix;
        uint64_t request_id; /* of whatever opens a request */
    };
};

/* Whole message with type and length. Bytes written, or MOQ_ERR_ARG when `cap` or the 16-bit length
 * is too small. */
int moq_message_encode(const struct moq_message *m, uint8_t *out, size_t cap);

/* Cut one message off a stream: bytes it takes, 0 when more are needed (*need, bytes in all),
 * MOQ_ERR_WIRE when the type is none of the draft's. */
int moq_message_frame(const uint8_t *bytes, size_t len, uint64_t *type, struct moq_bytes *body,
                      size_t *need);

/* Whether a request stream may begin with this type. */
bool moq_message_opens_request(uint64_t type);

/*
 * Read a body; what is borrowed in `m` points into it. 0, or MOQ_ERR_WIRE with the session's close
 * code. Parameters of REQUEST_UPDATE and REQUEST_OK may be those of any request's: who knows the
 * request checks them with moq_params_within().
 */
int moq_message_parse(struct moq_message *m, uint64_t type, struct moq_bytes body,
                      uint64_t *close_code);
/* The parameters of a request or a REQUEST_UPDATE, or NULL. */
struct moq_params *moq_message_params_of(struct moq_message *m);

#endif
