/*
 * frame.h - every frame of QUIC version 1, DATAGRAM, the multipath extension and the project's own
 * repair extension, between bytes and struct tvl_frame.
 *
 * RFC 9000 19, RFC 9221 4, draft-ietf-quic-multipath 4, docs/decisions/0009. Judges what can be
 * judged from the bytes alone: encoding, field limits. What needs the connection's state is judged
 * by its owner. Pointers of a parsed frame borrow from the packet.
 */
#ifndef TVL_CORE_FRAME_H
#define TVL_CORE_FRAME_H

#include "error.h"
#include "packet.h"
#include "ranges.h"
#include "varint.h"

#define TVL_ACK_RANGES_MAX 64 /* stored of one ACK frame; more are checked and skipped */
#define TVL_STREAMS_COUNT_MAX (UINT64_C(1) << 60) /* RFC 9000 4.6 */
#define TVL_PATH_ID_MAX UINT32_MAX
#define TVL_FRAME_DATA_SIZE 8 /* of PATH_CHALLENGE and PATH_RESPONSE */

enum tvl_frame_type {
    TVL_FRAME_PADDING = 0x00,
    TVL_FRAME_PING = 0x01,
    TVL_FRAME_ACK = 0x02,
    TVL_FRAME_ACK_ECN = 0x03,
    TVL_FRAME_RESET_STREAM = 0x04,
    TVL_FRAME_STOP_SENDING = 0x05,
    TVL_FRAME_CRYPTO = 0x06,
    TVL_FRAME_NEW_TOKEN = 0x07,
    TVL_FRAME_STREAM = 0x08, /* to 0x0f, with the three bits below */
    TVL_FRAME_STREAM_LAST = 0x0f,
    TVL_FRAME_MAX_DATA = 0x10,
    TVL_FRAME_MAX_STREAM_DATA = 0x11,
    TVL_FRAME_MAX_STREAMS_BIDI = 0x12,
    TVL_FRAME_MAX_STREAMS_UNI = 0x13,
    TVL_FRAME_DATA_BLOCKED = 0x14,
    TVL_FRAME_STREAM_DATA_BLOCKED = 0x15,
    TVL_FRAME_STREAMS_BLOCKED_BIDI = 0x16,
    TVL_FRAME_STREAMS_BLOCKED_UNI = 0x17,
    TVL_FRAME_NEW_CONNECTION_ID = 0x18,
    TVL_FRAME_RETIRE_CONNECTION_ID = 0x19,
    TVL_FRAME_PATH_CHALLENGE = 0x1a,
    TVL_FRAME_PATH_RESPONSE = 0x1b,
    TVL_FRAME_CONNECTION_CLOSE = 0x1c,
    TVL_FRAME_CONNECTION_CLOSE_APP = 0x1d,
    TVL_FRAME_HANDSHAKE_DONE = 0x1e,
    TVL_FRAME_DATAGRAM = 0x30,
    TVL_FRAME_DATAGRAM_LEN = 0x31,
    TVL_FRAME_PATH_ACK = 0x3e,
    TVL_FRAME_PATH_ACK_ECN = 0x3f,
    TVL_FRAME_PATH_ABANDON = 0x3e75,
    TVL_FRAME_PATH_STATUS_BACKUP = 0x3e76,
    TVL_FRAME_PATH_STATUS_AVAILABLE = 0x3e77,
    TVL_FRAME_PATH_NEW_CONNECTION_ID = 0x3e78,
    TVL_FRAME_PATH_RETIRE_CONNECTION_ID = 0x3e79,
    TVL_FRAME_MAX_PATH_ID = 0x3e7a,
    TVL_FRAME_PATHS_BLOCKED = 0x3e7b,
    TVL_FRAME_PATH_CIDS_BLOCKED = 0x3e7c,
    TVL_FRAME_PROTECTED = 0x3a9c51e0, /* private, as are the two below */
    TVL_FRAME_REPAIR = 0x3a9c51e2,    /* and with TVL_STREAM_BIT_FIN */
    TVL_FRAME_RECOVERED = 0x3a9c51e4, /* and with TVL_STREAM_BIT_FIN */
};

#define TVL_REPAIR_UNITS_MAX 64   /* of one block: pieces of a stream as they were first sent */
#define TVL_REPAIR_SYMBOLS_MAX 32 /* for one block */
#define TVL_REPAIR_RUNS_MAX 8     /* of units of equal length */

#define TVL_STREAM_BIT_FIN 0x01u
#define TVL_STREAM_BIT_LEN 0x02u
#define TVL_STREAM_BIT_OFF 0x04u

struct tvl_frame_ack {
    uint32_t path_id;        /* 0 for a plain ACK */
    uint64_t largest;        /* == ranges[0].to - 1 */
    uint64_t delay;          /* as on the wire: us >> the sender's ack_delay_exponent */
    uint64_t ect0, ect1, ce; /* the ECN types only */
    uint32_t count;          /* ranges stored [1, TVL_ACK_RANGES_MAX], falling, half-open */
    bool truncated;          /* the frame had more */
    struct tvl_range ranges[TVL_ACK_RANGES_MAX];
};

struct tvl_frame_cid { /* NEW_/RETIRE_CONNECTION_ID, PATH_NEW_/RETIRE_, PATH_CIDS_BLOCKED */
    uint32_t path_id;  /* 0 for the RFC 9000 forms */
    uint64_t seq;      /* PATH_CIDS_BLOCKED: next sequence number expected */
    uint64_t retire_prior_to;
    struct tvl_cid cid; /* [1, 20] bytes */
    uint8_t reset_token[TVL_RESET_TOKEN_SIZE];
};

struct tvl_repair_run {
    uint8_t units; /* [1, TVL_REPAIR_UNITS_MAX] */
    uint16_t len;  /* bytes of each, [1, 65535] */
};

struct tvl_frame_repair {
    uint64_t id, offset; /* stream, and where the block begins in it */
    uint32_t len;        /* bytes of the block: the sum of its units */
    uint32_t units;      /* [1, TVL_REPAIR_UNITS_MAX], the sum of its runs */
    uint32_t index;      /* of the symbol, [0, TVL_REPAIR_SYMBOLS_MAX) */
    bool fin;            /* the stream ends with the block */
    uint32_t runs;       /* [1, TVL_REPAIR_RUNS_MAX] */
    struct tvl_repair_run run[TVL_REPAIR_RUNS_MAX];
    const uint8_t *bytes; /* the symbol: as long as the longest unit */
    size_t symbol_len;
};

struct tvl_frame {
    uint64_t type; /* enum tvl_frame_type, as on the wire */
    union {
        size_t padding; /* how many PADDING bytes in a row */
        struct tvl_frame_ack ack;
        struct { /* RESET_STREAM, STOP_SENDING (without final_size) */
            uint64_t id, code, final_size;
        } reset;
        struct {
            uint64_t offset;
            const uint8_t *bytes;
            size_t len;
        } crypto;
        struct {
            const uint8_t *bytes;
            size_t len;
        } token;
        struct {
            uint64_t id, offset;
            const uint8_t *bytes;
            size_t len;
            bool fin;
        } stream;
        struct tvl_frame_repair repair;
        struct { /* RECOVERED; PROTECTED (offset alone) */
            uint64_t id, offset, len;
            bool fin;
        } recovered;
        struct {         /* MAX_DATA, MAX_STREAM_DATA, MAX_STREAMS, *_BLOCKED */
            uint64_t id; /* the two STREAM_DATA ones */
            uint64_t max;
        } limit;
        struct tvl_frame_cid cid;
        uint8_t data[TVL_FRAME_DATA_SIZE]; /* PATH_CHALLENGE, PATH_RESPONSE */
        struct {
            uint64_t code;
            uint64_t frame_type; /* CONNECTION_CLOSE 0x1c only */
            const uint8_t *reason;
            size_t reason_len;
        } close;
        struct {
            const uint8_t *bytes;
            size_t len;
        } datagram;
        struct {
            uint32_t path_id; /* all; MAX_PATH_ID and PATHS_BLOCKED: the maximum */
            uint64_t code;    /* PATH_ABANDON */
            uint64_t seq;     /* PATH_STATUS_* */
        } path;
    };
};

/*
 * Take one frame. 0, or the negative of an enum tvl_wire_error, with `rd` wherever it failed.
 * PADDING takes the whole run. An empty `rd` is FRAME_ENCODING_ERROR: check tvl_rd_left first.
 */
int tvl_frame_parse(struct tvl_frame *f, struct tvl_rd *rd);

/*
 * Append one frame; 0, or TVL_ERR_FULL with nothing appended and `w` usable. Fields must be within
 * the limits tvl_frame_parse enforces. STREAM: the OFF and LEN bits are taken from `type`, FIN from
 * stream.fin (REPAIR, RECOVERED: likewise); OFF may be absent only at offset 0; without LEN the
 * payload must end the packet. Fields of the other forms (path_id of a plain ACK...) are not
 * written.
 */
int tvl_frame_write(struct tvl_wr *w, const struct tvl_frame *f);
size_t tvl_frame_size(const struct tvl_frame *f); /* bytes tvl_frame_write will append */

/* How many of `want` payload bytes a STREAM frame with a LEN field can carry in `room`; 0 may also
 * mean that not even the header fits: tvl_stream_head_size tells. */
size_t tvl_stream_fit(size_t room, uint64_t id, uint64_t offset, size_t want);
size_t tvl_stream_head_size(uint64_t id, uint64_t offset, size_t len);
/* Same for CRYPTO. */
size_t tvl_crypto_fit(size_t room, uint64_t offset, size_t want);

bool tvl_frame_ack_eliciting(uint64_t type); /* all but ACK, PATH_ACK, PADDING, CONNECTION_CLOSE */
bool tvl_frame_probing(uint64_t type);       /* RFC 9000 9.1 */
bool tvl_frame_multipath(uint64_t type);     /* needs negotiated multipath */
bool tvl_frame_of_repair(uint64_t type);     /* needs a max_repair_span of the peer's other side */
/* May it stand in such a packet (RFC 9000 table 3)? false is PROTOCOL_VIOLATION. */
bool tvl_frame_allowed(uint64_t type, enum tvl_packet_type packet);
const char *tvl_frame_name(uint64_t type); /* qlog's spelling: "path_ack"; never NULL */

#endif
