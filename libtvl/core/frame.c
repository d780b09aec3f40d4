/* frame.c - see frame.h. One table says what a frame is; parse and write mirror each other. */
#include "frame.h"

#include <assert.h>
#include <string.h>

#include <tvl/tvl.h>

#define BAD (-TVL_WIRE_FRAME_ENCODING_ERROR)

/* ---- what each frame is ---- */

enum shape { /* frames of one shape share parser and writer */
             SHAPE_EMPTY,
             SHAPE_PADDING,
             SHAPE_ACK,
             SHAPE_RESET,
             SHAPE_CRYPTO,
             SHAPE_TOKEN,
             SHAPE_STREAM,
             SHAPE_LIMIT,
             SHAPE_CID,
             SHAPE_DATA,
             SHAPE_CLOSE,
             SHAPE_DATAGRAM,
             SHAPE_PATH,
             SHAPE_REPAIR,
             SHAPE_RECOVERED,
};

enum trait {
    IN_INITIAL = 1,
    IN_HANDSHAKE = 2,
    IN_ZERO_RTT = 4,
    IN_ONE_RTT = 8,
    SILENT = 16, /* not ack-eliciting */
    PROBING = 32,
    MULTIPATH = 64,
    IN_ALL = IN_INITIAL | IN_HANDSHAKE | IN_ZERO_RTT | IN_ONE_RTT,
    IN_DATA = IN_ZERO_RTT | IN_ONE_RTT,
    IN_NOT_ZERO_RTT = IN_INITIAL | IN_HANDSHAKE | IN_ONE_RTT,
};

struct info {
    enum tvl_frame_type type;
    enum shape shape;
    unsigned traits; /* enum trait */
    const char *name;
};

/* Those of RFC 9000 are at their type's place; the others follow. */
static const struct info infos[] = {
    /* RFC 9000 table 3 */
    [TVL_FRAME_PADDING] = { TVL_FRAME_PADDING, SHAPE_PADDING, IN_ALL | SILENT | PROBING,
                            "padding" },
    [TVL_FRAME_PING] = { TVL_FRAME_PING, SHAPE_EMPTY, IN_ALL, "ping" },
    [TVL_FRAME_ACK] = { TVL_FRAME_ACK, SHAPE_ACK, IN_NOT_ZERO_RTT | SILENT, "ack" },
    [TVL_FRAME_ACK_ECN] = { TVL_FRAME_ACK_ECN, SHAPE_ACK, IN_NOT_ZERO_RTT | SILENT, "ack" },
    [TVL_FRAME_RESET_STREAM] = { TVL_FRAME_RESET_STREAM, SHAPE_RESET, IN_DATA, "reset_stream" },
    [TVL_FRAME_STOP_SENDING] = { TVL_FRAME_STOP_SENDING, SHAPE_RESET, IN_DATA, "stop_sending" },
    [TVL_FRAME_CRYPTO] = { TVL_FRAME_CRYPTO, SHAPE_CRYPTO, IN_NOT_ZERO_RTT, "crypto" },
    [TVL_FRAME_NEW_TOKEN] = { TVL_FRAME_NEW_TOKEN, SHAPE_TOKEN, IN_ONE_RTT, "new_token" },
    [TVL_FRAME_STREAM] = { TVL_FRAME_STREAM, SHAPE_STREAM, IN_DATA, "stream" },
    [TVL_FRAME_MAX_DATA] = { TVL_FRAME_MAX_DATA, SHAPE_LIMIT, IN_DATA, "max_data" },
    [TVL_FRAME_MAX_STREAM_DATA] = { TVL_FRAME_MAX_STREAM_DATA, SHAPE_LIMIT, IN_DATA,
                                    "max_stream_data" },
    [TVL_FRAME_MAX_STREAMS_BIDI] = { TVL_FRAME_MAX_STREAMS_BIDI, SHAPE_LIMIT, IN_DATA,
                                     "max_streams" },
    [TVL_FRAME_MAX_STREAMS_UNI] = { TVL_FRAME_MAX_STREAMS_UNI, SHAPE_LIMIT, IN_DATA,
                                    "max_streams" },
    [TVL_FRAME_DATA_BLOCKED] = { TVL_FRAME_DATA_BLOCKED, SHAPE_LIMIT, IN_DATA, "data_blocked" },
    [TVL_FRAME_STREAM_DATA_BLOCKED] = { TVL_FRAME_STREAM_DATA_BLOCKED, SHAPE_LIMIT, IN_DATA,
                                        "stream_data_blocked" },
    [TVL_FRAME_STREAMS_BLOCKED_BIDI] = { TVL_FRAME_STREAMS_BLOCKED_BIDI, SHAPE_LIMIT, IN_DATA,
                                         "streams_blocked" },
    [TVL_FRAME_STREAMS_BLOCKED_UNI] = { TVL_FRAME_STREAMS_BLOCKED_UNI, SHAPE_LIMIT, IN_DATA,
                                        "streams_blocked" },
    [TVL_FRAME_NEW_CONNECTION_ID] = { TVL_FRAME_NEW_CONNECTION_ID, SHAPE_CID, IN_DATA | PROBING,
                                      "new_connection_id" },
    [TVL_FRAME_RETIRE_CONNECTION_ID] = { TVL_FRAME_RETIRE_CONNECTION_ID, SHAPE_CID, IN_ONE_RTT,
                                         "retire_connection_id" },
    [TVL_FRAME_PATH_CHALLENGE] = { TVL_FRAME_PATH_CHALLENGE, SHAPE_DATA, IN_DATA | PROBING,
                                   "path_challenge" },
    [TVL_FRAME_PATH_RESPONSE] = { TVL_FRAME_PATH_RESPONSE, SHAPE_DATA, IN_ONE_RTT | PROBING,
                                  "path_response" },
    [TVL_FRAME_CONNECTION_CLOSE] = { TVL_FRAME_CONNECTION_CLOSE, SHAPE_CLOSE, IN_ALL | SILENT,
                                     "connection_close" },
    [TVL_FRAME_CONNECTION_CLOSE_APP] = { TVL_FRAME_CONNECTION_CLOSE_APP, SHAPE_CLOSE,
                                         IN_DATA | SILENT, "connection_close" },
    [TVL_FRAME_HANDSHAKE_DONE] = { TVL_FRAME_HANDSHAKE_DONE, SHAPE_EMPTY, IN_ONE_RTT,
                                   "handshake_done" },
    { TVL_FRAME_DATAGRAM, SHAPE_DATAGRAM, IN_DATA, "datagram" },
    { TVL_FRAME_DATAGRAM_LEN, SHAPE_DATAGRAM, IN_DATA, "datagram" },
    { TVL_FRAME_PATH_ACK, SHAPE_ACK, IN_ONE_RTT | SILENT | MULTIPATH, "path_ack" },
    { TVL_FRAME_PATH_ACK_ECN, SHAPE_ACK, IN_ONE_RTT | SILENT | MULTIPATH, "path_ack" },
    { TVL_FRAME_PATH_ABANDON, SHAPE_PATH, IN_ONE_RTT | MULTIPATH, "path_abandon" },
    { TVL_FRAME_PATH_STATUS_BACKUP, SHAPE_PATH, IN_ONE_RTT | MULTIPATH, "path_status_backup" },
    { TVL_FRAME_PATH_STATUS_AVAILABLE, SHAPE_PATH, IN_ONE_RTT | MULTIPATH,
      "path_status_available" },
    { TVL_FRAME_PATH_NEW_CONNECTION_ID, SHAPE_CID, IN_ONE_RTT | MULTIPATH | PROBING,
      "path_new_connection_id" },
    { TVL_FRAME_PATH_RETIRE_CONNECTION_ID, SHAPE_CID, IN_ONE_RTT | MULTIPATH,
      "path_retire_connection_id" },
    { TVL_FRAME_MAX_PATH_ID, SHAPE_PATH, IN_ONE_RTT | MULTIPATH, "max_path_id" },
    { TVL_FRAME_PATHS_BLOCKED, SHAPE_PATH, IN_ONE_RTT | MULTIPATH, "paths_blocked" },
    { TVL_FRAME_PATH_CIDS_BLOCKED, SHAPE_CID, IN_ONE_RTT | MULTIPATH, "path_cids_blocked" },
    /* docs/decisions/0009 */
    { TVL_FRAME_PROTECTED, SHAPE_RECOVERED, IN_ONE_RTT, "protected" },
    { TVL_FRAME_REPAIR, SHAPE_REPAIR, IN_ONE_RTT, "repair" },
    { TVL_FRAME_RECOVERED, SHAPE_RECOVERED, IN_ONE_RTT, "recovered" },
};

static const struct info *info_of(uint64_t type)
{
    if (type >= TVL_FRAME_STREAM && type <= TVL_FRAME_STREAM_LAST)
        type = TVL_FRAME_STREAM;
    if (type == (TVL_FRAME_REPAIR | TVL_STREAM_BIT_FIN) ||
        type == (TVL_FRAME_RECOVERED | TVL_STREAM_BIT_FIN))
        type &= ~(uint64_t)TVL_STREAM_BIT_FIN;
    if (type <= TVL_FRAME_HANDSHAKE_DONE)
        return infos[type].name != NULL ? &infos[type] : NULL;
    for (size_t i = TVL_FRAME_HANDSHAKE_DONE + 1; i < sizeof(infos) / sizeof(infos[0]); i++)
        if (infos[i].type == type)
            return &infos[i];
    return NULL;
}

static bool has_trait(uint64_t type, unsigned trait)
{
    const struct info *info = info_of(type);
    return info != NULL && (info->traits & trait) != 0;
}

bool tvl_frame_ack_eliciting(uint64_t type)
{
    return !has_trait(type, SILENT);
}

bool tvl_frame_probing(uint64_t type)
{
    return has_trait(type, PROBING);
}

bool tvl_frame_multipath(uint64_t type)
{
    return has_trait(type, MULTIPATH);
}

bool tvl_frame_of_repair(uint64_t type)
{
    return type >= TVL_FRAME_PROTECTED && type <= (TVL_FRAME_RECOVERED | TVL_STREAM_BIT_FIN);
}

bool tvl_frame_allowed(uint64_t type, enum tvl_packet_type packet)
{
    switch (packet) {
    case TVL_PACKET_INITIAL:
        return has_trait(type, IN_INITIAL);
    case TVL_PACKET_HANDSHAKE:
        return has_trait(type, IN_HANDSHAKE);
    case TVL_PACKET_ZERO_RTT:
        return has_trait(type, IN_ZERO_RTT);
    case TVL_PACKET_ONE_RTT:
        return has_trait(type, IN_ONE_RTT);
    default:
        return false;
    }
}

const char *tvl_frame_name(uint64_t type)
{
    const struct info *info = info_of(type);
    return info != NULL ? info->name : "unknown";
}

/* ---- which fields a type of a shared shape has ---- */

static bool has_path_id(uint64_t type) /* of the ACK and CID shapes */
{
    return tvl_frame_multipath(type);
}

static bool has_ecn(uint64_t type)
{
    return type == TVL_FRAME_ACK_ECN || type == TVL_FRAME_PATH_ACK_ECN;
}

static bool has_new_cid(uint64_t type)
{
    return type == TVL_FRAME_NEW_CONNECTION_ID || type == TVL_FRAME_PATH_NEW_CONNECTION_ID;
}

static bool has_stream_id(uint64_t type) /* of the LIMIT shape */
{
    return type == TVL_FRAME_MAX_STREAM_DATA || type == TVL_FRAME_STREAM_DATA_BLOCKED;
}

static bool counts_streams(uint64_t type)
{
    return type == TVL_FRAME_MAX_STREAMS_BIDI || type == TVL_FRAME_MAX_STREAMS_UNI ||
           type == TVL_FRAME_STREAMS_BLOCKED_BIDI || type == TVL_FRAME_STREAMS_BLOCKED_UNI;
}

static bool has_status_seq(uint64_t type)
{
    return type == TVL_FRAME_PATH_STATUS_BACKUP || type == TVL_FRAME_PATH_STATUS_AVAILABLE;
}

/* ---- parsing ---- */

static int done(const struct tvl_rd *rd)
{
    return rd->bad ? BAD : 0;
}

static int parse_path_id(struct tvl_rd *rd, uint32_t *out)
{
    uint64_t id = tvl_rd_varint(rd);
    if (rd->bad)
        return BAD;
    if (id > TVL_PATH_ID_MAX)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    *out = (uint32_t)id;
    return 0;
}

static int parse_padding(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->padding = 1;
    while (rd->p < rd->end && *rd->p == 0) {
        rd->p++;
        f->padding++;
    }
    return 0;
}

static int parse_ack(struct tvl_frame *f, struct tvl_rd *rd)
{
    struct tvl_frame_ack *a = &f->ack;
    a->path_id = 0;
    a->count = 0;
    a->truncated = false;
    a->ect0 = a->ect1 = a->ce = 0;
    if (has_path_id(f->type)) {
        int res = parse_path_id(rd, &a->path_id);
        if (res < 0)
            return res;
    }
    a->largest = tvl_rd_varint(rd);
    a->delay = tvl_rd_varint(rd);
    uint64_t more = tvl_rd_varint(rd);
    uint64_t last = a->largest; /* largest of the range at hand */
    /* Bounded by the packet: each round eats at least a byte or ends. */
    for (uint64_t i = 0; !rd->bad; i++) {
        uint64_t len = tvl_rd_varint(rd);
        if (rd->bad || len > last)
            return BAD;
        uint64_t first = last - len;
        if (a->count < TVL_ACK_RANGES_MAX)
            a->ranges[a->count++] = (struct tvl_range){ first, last + 1 };
        else
            a->truncated = true;
        if (i == more)
            break;
        uint64_t gap = tvl_rd_varint(rd);
        if (rd->bad || first < 2 || gap > first - 2)
            return BAD;
        last = first - gap - 2;
    }
    if (has_ecn(f->type)) {
        a->ect0 = tvl_rd_varint(rd);
        a->ect1 = tvl_rd_varint(rd);
        a->ce = tvl_rd_varint(rd);
    }
    return done(rd);
}

static int parse_reset(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->reset.id = tvl_rd_varint(rd);
    f->reset.code = tvl_rd_varint(rd);
    f->reset.final_size = f->type == TVL_FRAME_RESET_STREAM ? tvl_rd_varint(rd) : 0;
    return done(rd);
}

/* `len` bytes whose end in the stream may not pass 2^62 - 1. */
static int parse_piece(struct tvl_rd *rd, uint64_t offset, uint64_t len, const uint8_t **bytes)
{
    *bytes = tvl_rd_bytes(rd, len);
    if (rd->bad || offset > TVL_VARINT_MAX - len)
        return BAD;
    return 0;
}

static int parse_crypto(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->crypto.offset = tvl_rd_varint(rd);
    f->crypto.len = (size_t)tvl_rd_varint(rd);
    return parse_piece(rd, f->crypto.offset, f->crypto.len, &f->crypto.bytes);
}

static int parse_token(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->token.len = (size_t)tvl_rd_varint(rd);
    f->token.bytes = tvl_rd_bytes(rd, f->token.len);
    return rd->bad || f->token.len == 0 ? BAD : 0;
}

static int parse_stream(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->stream.fin = (f->type & TVL_STREAM_BIT_FIN) != 0;
    f->stream.id = tvl_rd_varint(rd);
    f->stream.offset = f->type & TVL_STREAM_BIT_OFF ? tvl_rd_varint(rd) : 0;
    f->stream.len = f->type & TVL_STREAM_BIT_LEN ? (size_t)tvl_rd_varint(rd) : tvl_rd_left(rd);
    return parse_piece(rd, f->stream.offset, f->stream.len, &f->stream.bytes);
}

static int parse_limit(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->limit.id = has_stream_id(f->type) ? tvl_rd_varint(rd) : 0;
    f->limit.max = tvl_rd_varint(rd);
    if (rd->bad || (counts_streams(f->type) && f->limit.max > TVL_STREAMS_COUNT_MAX))
        return BAD;
    return 0;
}

static int parse_cid(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->cid = (struct tvl_frame_cid){ 0 };
    if (has_path_id(f->type)) {
        int res = parse_path_id(rd, &f->cid.path_id);
        if (res < 0)
            return res;
    }
    f->cid.seq = tvl_rd_varint(rd);
    if (!has_new_cid(f->type))
        return done(rd);
    f->cid.retire_prior_to = tvl_rd_varint(rd);
    uint8_t len = tvl_rd_u8(rd);
    if (rd->bad || len < 1 || len > TVL_CID_MAX || f->cid.retire_prior_to > f->cid.seq)
        return BAD;
    f->cid.cid.len = len;
    tvl_rd_copy(rd, f->cid.cid.b, len);
    tvl_rd_copy(rd, f->cid.reset_token, TVL_RESET_TOKEN_SIZE);
    return done(rd);
}

static int parse_close(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->close.code = tvl_rd_varint(rd);
    f->close.frame_type = f->type == TVL_FRAME_CONNECTION_CLOSE ? tvl_rd_varint(rd) : 0;
    f->close.reason_len = (size_t)tvl_rd_varint(rd);
    f->close.reason = tvl_rd_bytes(rd, f->close.reason_len);
    return done(rd);
}

static int parse_datagram(struct tvl_frame *f, struct tvl_rd *rd)
{
    bool has_len = f->type == TVL_FRAME_DATAGRAM_LEN;
    f->datagram.len = has_len ? (size_t)tvl_rd_varint(rd) : tvl_rd_left(rd);
    f->datagram.bytes = tvl_rd_bytes(rd, f->datagram.len);
    return done(rd);
}

static int parse_path(struct tvl_frame *f, struct tvl_rd *rd)
{
    int res = parse_path_id(rd, &f->path.path_id);
    f->path.code = res == 0 && f->type == TVL_FRAME_PATH_ABANDON ? tvl_rd_varint(rd) : 0;
    f->path.seq = res == 0 && has_status_seq(f->type) ? tvl_rd_varint(rd) : 0;
    return res < 0 ? res : done(rd);
}

static int parse_runs(struct tvl_frame_repair *r, struct tvl_rd *rd)
{
    const uint64_t runs = tvl_rd_varint(rd);

    if (rd->bad || runs < 1 || runs > TVL_REPAIR_RUNS_MAX)
        return BAD;
    r->runs = (uint32_t)runs;
    r->units = r->len = 0;
    r->symbol_len = 0;
    for (uint32_t i = 0; i < r->runs; i++) {
        const uint64_t units = tvl_rd_varint(rd);
        const uint64_t len = tvl_rd_varint(rd);

        if (rd->bad || units < 1 || units > TVL_REPAIR_UNITS_MAX - r->units || len < 1 ||
            len > UINT16_MAX)
            return BAD;
        r->run[i] = (struct tvl_repair_run){ (uint8_t)units, (uint16_t)len };
        r->units += (uint32_t)units;
        r->len += (uint32_t)(units * len);
        r->symbol_len = len > r->symbol_len ? (size_t)len : r->symbol_len;
    }
    return 0;
}

static int parse_repair(struct tvl_frame *f, struct tvl_rd *rd)
{
    struct tvl_frame_repair *r = &f->repair;

    r->fin = f->type & TVL_STREAM_BIT_FIN;
    r->id = tvl_rd_varint(rd);
    r->offset = tvl_rd_varint(rd);
    const uint64_t index = tvl_rd_varint(rd);
    if (rd->bad || index >= TVL_REPAIR_SYMBOLS_MAX)
        return BAD;
    r->index = (uint32_t)index;
    if (parse_runs(r, rd) < 0 || r->offset > TVL_VARINT_MAX - r->len)
        return BAD;
    r->bytes = tvl_rd_bytes(rd, r->symbol_len);
    return done(rd);
}

static int parse_recovered(struct tvl_frame *f, struct tvl_rd *rd)
{
    f->recovered.fin = f->type == (TVL_FRAME_RECOVERED | TVL_STREAM_BIT_FIN);
    f->recovered.id = tvl_rd_varint(rd);
    f->recovered.offset = tvl_rd_varint(rd);
    f->recovered.len = f->type == TVL_FRAME_PROTECTED ? 0 : tvl_rd_varint(rd);
    return rd->bad || f->recovered.offset > TVL_VARINT_MAX - f->recovered.len ? BAD : 0;
}

static int parse_body(struct tvl_frame *f, struct tvl_rd *rd, enum shape shape)
{
    switch (shape) {
    case SHAPE_EMPTY:
        return 0;
    case SHAPE_PADDING:
        return parse_padding(f, rd);
    case SHAPE_ACK:
        return parse_ack(f, rd);
    case SHAPE_RESET:
        return parse_reset(f, rd);
    case SHAPE_CRYPTO:
        return parse_crypto(f, rd);
    case SHAPE_TOKEN:
        return parse_token(f, rd);
    case SHAPE_STREAM:
        return parse_stream(f, rd);
    case SHAPE_LIMIT:
        return parse_limit(f, rd);
    case SHAPE_CID:
        return parse_cid(f, rd);
    case SHAPE_DATA:
        tvl_rd_copy(rd, f->data, TVL_FRAME_DATA_SIZE);
        return done(rd);
    case SHAPE_CLOSE:
        return parse_close(f, rd);
    case SHAPE_DATAGRAM:
        return parse_datagram(f, rd);
    case SHAPE_PATH:
        return parse_path(f, rd);
    case SHAPE_REPAIR:
        return parse_repair(f, rd);
    case SHAPE_RECOVERED:
        return parse_recovered(f, rd);
    }
    return BAD;
}

int tvl_frame_parse(struct tvl_frame *f, struct tvl_rd *rd)
{
    const uint8_t *start = rd->p;
    f->type = tvl_rd_varint(rd);
    if (rd->bad)
        return BAD;
    const struct info *info = info_of(f->type);
    if (info == NULL)
        return BAD;
    if ((size_t)(rd->p - start) != tvl_varint_size(f->type)) /* RFC 9000 12.4 */
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    return parse_body(f, rd, info->shape);
}

/* ---- writing ---- */

static void write_ack(struct tvl_wr *w, const struct tvl_frame *f)
{
    const struct tvl_frame_ack *a = &f->ack;
    assert(a->count >= 1 && a->count <= TVL_ACK_RANGES_MAX);
    if (has_path_id(f->type))
        tvl_wr_varint(w, a->path_id);
    tvl_wr_varint(w, a->ranges[0].to - 1);
    tvl_wr_varint(w, a->delay);
    tvl_wr_varint(w, a->count - 1);
    for (uint32_t i = 0; i < a->count; i++) {
        if (i > 0)
            tvl_wr_varint(w, a->ranges[i - 1].from - a->ranges[i].to - 1);
        tvl_wr_varint(w, a->ranges[i].to - a->ranges[i].from - 1);
    }
    if (has_ecn(f->type)) {
        tvl_wr_varint(w, a->ect0);
        tvl_wr_varint(w, a->ect1);
        tvl_wr_varint(w, a->ce);
    }
}

static void write_stream(struct tvl_wr *w, const struct tvl_frame *f)
{
    assert(f->stream.offset == 0 || (f->type & TVL_STREAM_BIT_OFF));
    tvl_wr_varint(w, f->stream.id);
    if (f->type & TVL_STREAM_BIT_OFF)
        tvl_wr_varint(w, f->stream.offset);
    if (f->type & TVL_STREAM_BIT_LEN)
        tvl_wr_varint(w, f->stream.len);
    tvl_wr_bytes(w, f->stream.bytes, f->stream.len);
}

static void write_cid(struct tvl_wr *w, const struct tvl_frame *f)
{
    if (has_path_id(f->type))
        tvl_wr_varint(w, f->cid.path_id);
    tvl_wr_varint(w, f->cid.seq);
    if (!has_new_cid(f->type))
        return;
    tvl_wr_varint(w, f->cid.retire_prior_to);
    tvl_wr_u8(w, f->cid.cid.len);
    tvl_wr_bytes(w, f->cid.cid.b, f->cid.cid.len);
    tvl_wr_bytes(w, f->cid.reset_token, TVL_RESET_TOKEN_SIZE);
}

static void write_close(struct tvl_wr *w, const struct tvl_frame *f)
{
    tvl_wr_varint(w, f->close.code);
    if (f->type == TVL_FRAME_CONNECTION_CLOSE)
        tvl_wr_varint(w, f->close.frame_type);
    tvl_wr_varint(w, f->close.reason_len);
    tvl_wr_bytes(w, f->close.reason, f->close.reason_len);
}

static void write_path(struct tvl_wr *w, const struct tvl_frame *f)
{
    tvl_wr_varint(w, f->path.path_id);
    if (f->type == TVL_FRAME_PATH_ABANDON)
        tvl_wr_varint(w, f->path.code);
    if (has_status_seq(f->type))
        tvl_wr_varint(w, f->path.seq);
}

static void write_reset(struct tvl_wr *w, const struct tvl_frame *f)
{
    tvl_wr_varint(w, f->reset.id);
    tvl_wr_varint(w, f->reset.code);
    if (f->type == TVL_FRAME_RESET_STREAM)
        tvl_wr_varint(w, f->reset.final_size);
}

static void write_counted(struct tvl_wr *w, const uint8_t *bytes, size_t len)
{
    tvl_wr_varint(w, len);
    tvl_wr_bytes(w, bytes, len);
}

static void write_repair(struct tvl_wr *w, const struct tvl_frame_repair *r)
{
    tvl_wr_varint(w, r->id);
    tvl_wr_varint(w, r->offset);
    tvl_wr_varint(w, r->index);
    tvl_wr_varint(w, r->runs);
    for (uint32_t i = 0; i < r->runs; i++) {
        tvl_wr_varint(w, r->run[i].units);
        tvl_wr_varint(w, r->run[i].len);
    }
    tvl_wr_bytes(w, r->bytes, r->symbol_len);
}

/* The types that say by a bit whether the stream ends. */
static uint64_t with_fin(const struct tvl_frame *f, enum shape shape)
{
    bool fin = false;

    if (shape == SHAPE_STREAM)
        fin = f->stream.fin;
    else if (shape == SHAPE_REPAIR)
        fin = f->repair.fin;
    else if (f->type == TVL_FRAME_RECOVERED)
        fin = f->recovered.fin;
    else
        return f->type;
    return (f->type & ~(uint64_t)TVL_STREAM_BIT_FIN) | (fin ? TVL_STREAM_BIT_FIN : 0);
}

static void write_body(struct tvl_wr *w, const struct tvl_frame *f, enum shape shape)
{
    switch (shape) {
    case SHAPE_EMPTY:
        break;
    case SHAPE_PADDING:
        tvl_wr_zeroes(w, f->padding - 1); /* the type is the first of them */
        break;
    case SHAPE_ACK:
        write_ack(w, f);
        break;
    case SHAPE_RESET:
        write_reset(w, f);
        break;
    case SHAPE_CRYPTO:
        tvl_wr_varint(w, f->crypto.offset);
        write_counted(w, f->crypto.bytes, f->crypto.len);
        break;
    case SHAPE_TOKEN:
        write_counted(w, f->token.bytes, f->token.len);
        break;
    case SHAPE_STREAM:
        write_stream(w, f);
        break;
    case SHAPE_LIMIT:
        if (has_stream_id(f->type))
            tvl_wr_varint(w, f->limit.id);
        tvl_wr_varint(w, f->limit.max);
        break;
    case SHAPE_CID:
        write_cid(w, f);
        break;
    case SHAPE_DATA:
        tvl_wr_bytes(w, f->data, TVL_FRAME_DATA_SIZE);
        break;
    case SHAPE_CLOSE:
        write_close(w, f);
        break;
    case SHAPE_DATAGRAM:
        if (f->type == TVL_FRAME_DATAGRAM_LEN)
            tvl_wr_varint(w, f->datagram.len);
        tvl_wr_bytes(w, f->datagram.bytes, f->datagram.len);
        break;
    case SHAPE_PATH:
        write_path(w, f);
        break;
    case SHAPE_REPAIR:
        write_repair(w, &f->repair);
        break;
    case SHAPE_RECOVERED:
        tvl_wr_varint(w, f->recovered.id);
        tvl_wr_varint(w, f->recovered.offset);
        if (f->type != TVL_FRAME_PROTECTED)
            tvl_wr_varint(w, f->recovered.len);
        break;
    }
}

int tvl_frame_write(struct tvl_wr *w, const struct tvl_frame *f)
{
    const struct info *info = info_of(f->type);
    assert(info != NULL);
    struct tvl_wr at = *w;
    tvl_wr_varint(&at, with_fin(f, info->shape));
    write_body(&at, f, info->shape);
    if (at.full)
        return TVL_ERR_FULL;
    *w = at;
    return 0;
}

/* ---- sizes ---- */

static size_t ack_size(const struct tvl_frame *f)
{
    const struct tvl_frame_ack *a = &f->ack;
    size_t size = tvl_varint_size(a->ranges[0].to - 1) + tvl_varint_size(a->delay) +
                  tvl_varint_size(a->count - 1);
    if (has_path_id(f->type))
        size += tvl_varint_size(a->path_id);
    for (uint32_t i = 0; i < a->count; i++) {
        if (i > 0)
            size += tvl_varint_size(a->ranges[i - 1].from - a->ranges[i].to - 1);
        size += tvl_varint_size(a->ranges[i].to - a->ranges[i].from - 1);
    }
    if (has_ecn(f->type))
        size += tvl_varint_size(a->ect0) + tvl_varint_size(a->ect1) + tvl_varint_size(a->ce);
    return size;
}

static size_t cid_size(const struct tvl_frame *f)
{
    size_t size = tvl_varint_size(f->cid.seq);
    if (has_path_id(f->type))
        size += tvl_varint_size(f->cid.path_id);
    if (has_new_cid(f->type))
        size +=
            tvl_varint_size(f->cid.retire_prior_to) + 1u + f->cid.cid.len + TVL_RESET_TOKEN_SIZE;
    return size;
}

static size_t stream_size(const struct tvl_frame *f)
{
    size_t size = tvl_varint_size(f->stream.id) + f->stream.len;
    if (f->type & TVL_STREAM_BIT_OFF)
        size += tvl_varint_size(f->stream.offset);
    if (f->type & TVL_STREAM_BIT_LEN)
        size += tvl_varint_size(f->stream.len);
    return size;
}

static size_t close_size(const struct tvl_frame *f)
{
    size_t size =
        tvl_varint_size(f->close.code) + tvl_varint_size(f->close.reason_len) + f->close.reason_len;
    if (f->type == TVL_FRAME_CONNECTION_CLOSE)
        size += tvl_varint_size(f->close.frame_type);
    return size;
}

static size_t path_size(const struct tvl_frame *f)
{
    size_t size = tvl_varint_size(f->path.path_id);
    if (f->type == TVL_FRAME_PATH_ABANDON)
        size += tvl_varint_size(f->path.code);
    if (has_status_seq(f->type))
        size += tvl_varint_size(f->path.seq);
    return size;
}

static size_t reset_size(const struct tvl_frame *f)
{
    size_t size = tvl_varint_size(f->reset.id) + tvl_varint_size(f->reset.code);
    if (f->type == TVL_FRAME_RESET_STREAM)
        size += tvl_varint_size(f->reset.final_size);
    return size;
}

static size_t repair_size(const struct tvl_frame_repair *r)
{
    size_t size = tvl_varint_size(r->id) + tvl_varint_size(r->offset) + tvl_varint_size(r->index) +
                  tvl_varint_size(r->runs) + r->symbol_len;
    for (uint32_t i = 0; i < r->runs; i++)
        size += tvl_varint_size(r->run[i].units) + tvl_varint_size(r->run[i].len);
    return size;
}

static size_t body_size(const struct tvl_frame *f, enum shape shape)
{
    switch (shape) {
    case SHAPE_EMPTY:
        return 0;
    case SHAPE_PADDING:
        return f->padding - 1;
    case SHAPE_ACK:
        return ack_size(f);
    case SHAPE_RESET:
        return reset_size(f);
    case SHAPE_CRYPTO:
        return tvl_varint_size(f->crypto.offset) + tvl_varint_size(f->crypto.len) + f->crypto.len;
    case SHAPE_TOKEN:
        return tvl_varint_size(f->token.len) + f->token.len;
    case SHAPE_STREAM:
        return stream_size(f);
    case SHAPE_LIMIT:
        return tvl_varint_size(f->limit.max) +
               (has_stream_id(f->type) ? tvl_varint_size(f->limit.id) : 0);
    case SHAPE_CID:
        return cid_size(f);
    case SHAPE_DATA:
        return TVL_FRAME_DATA_SIZE;
    case SHAPE_CLOSE:
        return close_size(f);
    case SHAPE_DATAGRAM:
        return f->datagram.len +
               (f->type == TVL_FRAME_DATAGRAM_LEN ? tvl_varint_size(f->datagram.len) : 0);
    case SHAPE_PATH:
        return path_size(f);
    case SHAPE_REPAIR:
        return repair_size(&f->repair);
    case SHAPE_RECOVERED:
        return tvl_varint_size(f->recovered.id) + tvl_varint_size(f->recovered.offset) +
               (f->type != TVL_FRAME_PROTECTED ? tvl_varint_size(f->recovered.len) : 0);
    }
    return 0;
}

size_t tvl_frame_size(const struct tvl_frame *f)
{
    const struct info *info = info_of(f->type);
    assert(info != NULL);
    return tvl_varint_size(f->type) + body_size(f, info->shape);
}

/* Payload that fits behind a head of `fixed` bytes and a Length field that counts it. */
static size_t counted_fit(size_t room, size_t fixed, size_t want)
{
    if (room <= fixed)
        return 0;
    size_t left = room - fixed;
    size_t len = want < left ? want : left;
    while (len > 0 && len + tvl_varint_size(len) > left)
        len = left - tvl_varint_size(len);
    while (len < want && len + 1 + tvl_varint_size(len + 1) <= left)
        len++; /* at most 3: the shorter Length has left room */
    return len;
}

static size_t stream_fixed(uint64_t id, uint64_t offset)
{
    return 1 + tvl_varint_size(id) + (offset > 0 ? tvl_varint_size(offset) : 0);
}

size_t tvl_stream_fit(size_t room, uint64_t id, uint64_t offset, size_t want)
{
    return counted_fit(room, stream_fixed(id, offset), want);
}

size_t tvl_stream_head_size(uint64_t id, uint64_t offset, size_t len)
{
    return stream_fixed(id, offset) + tvl_varint_size(len);
}

size_t tvl_crypto_fit(size_t room, uint64_t offset, size_t want)
{
    return counted_fit(room, 1 + tvl_varint_size(offset), want);
}
