/* test_frame.c - every frame there and back, every malformed one with its error, and damage. */
#include "unit.h"

#include <tvl/tvl.h>

#include "frame.h"

static const uint8_t text[] = "pictures in layers";
#define M TVL_VARINT_MAX
#define CID                              \
    {                                    \
        .len = 5, .b = { 1, 2, 3, 4, 5 } \
    }
#define TOKEN                                                 \
    {                                                         \
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 \
    }

static const struct tvl_frame good[] = {
    { .type = TVL_FRAME_PADDING, .padding = 1 },
    { .type = TVL_FRAME_PADDING, .padding = 300 },
    { .type = TVL_FRAME_PING },
    { .type = TVL_FRAME_ACK,
      .ack = { .largest = 9, .delay = 77, .count = 1, .ranges = { { 0, 10 } } } },
    { .type = TVL_FRAME_ACK_ECN,
      .ack = { .largest = 1000,
               .count = 3,
               .ect0 = 1,
               .ect1 = 2,
               .ce = M,
               .ranges = { { 1000, 1001 }, { 500, 900 }, { 0, 1 } } } },
    { .type = TVL_FRAME_PATH_ACK,
      .ack = { .path_id = TVL_PATH_ID_MAX, .largest = M, .count = 1, .ranges = { { M, M + 1 } } } },
    { .type = TVL_FRAME_PATH_ACK_ECN,
      .ack = { .path_id = 3,
               .largest = 5,
               .count = 2,
               .ce = 9,
               .ranges = { { 4, 6 }, { 1, 3 } } } },
    { .type = TVL_FRAME_RESET_STREAM, .reset = { 4, 7, M } },
    { .type = TVL_FRAME_STOP_SENDING, .reset = { 4, M, 0 } },
    { .type = TVL_FRAME_CRYPTO, .crypto = { 70000, text, sizeof(text) } },
    { .type = TVL_FRAME_NEW_TOKEN, .token = { text, sizeof(text) } },
    { .type = 0x08, .stream = { 4, 0, text, sizeof(text), false } },
    { .type = 0x09, .stream = { 4, 0, text, sizeof(text), true } },
    { .type = 0x0a, .stream = { M, 0, text, sizeof(text), false } },
    { .type = 0x0b, .stream = { 4, 0, text, 0, true } },
    { .type = 0x0c, .stream = { 4, 9, text, sizeof(text), false } },
    { .type = 0x0d, .stream = { 4, 9, text, sizeof(text), true } },
    { .type = 0x0e, .stream = { 4, M - sizeof(text), text, sizeof(text), false } },
    { .type = 0x0f, .stream = { 4, 9, text, sizeof(text), true } },
    { .type = TVL_FRAME_MAX_DATA, .limit = { 0, M } },
    { .type = TVL_FRAME_MAX_STREAM_DATA, .limit = { 8, 1 << 20 } },
    { .type = TVL_FRAME_MAX_STREAMS_BIDI, .limit = { 0, TVL_STREAMS_COUNT_MAX } },
    { .type = TVL_FRAME_MAX_STREAMS_UNI, .limit = { 0, 0 } },
    { .type = TVL_FRAME_DATA_BLOCKED, .limit = { 0, 5 } },
    { .type = TVL_FRAME_STREAM_DATA_BLOCKED, .limit = { 8, 5 } },
    { .type = TVL_FRAME_STREAMS_BLOCKED_BIDI, .limit = { 0, 5 } },
    { .type = TVL_FRAME_STREAMS_BLOCKED_UNI, .limit = { 0, TVL_STREAMS_COUNT_MAX } },
    { .type = TVL_FRAME_NEW_CONNECTION_ID, .cid = { 0, 7, 7, CID, TOKEN } },
    { .type = TVL_FRAME_RETIRE_CONNECTION_ID, .cid = { .seq = 6 } },
    { .type = TVL_FRAME_PATH_CHALLENGE, .data = { 8, 7, 6, 5, 4, 3, 2, 1 } },
    { .type = TVL_FRAME_PATH_RESPONSE, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } },
    { .type = TVL_FRAME_CONNECTION_CLOSE, .close = { 10, 6, text, sizeof(text) } },
    { .type = TVL_FRAME_CONNECTION_CLOSE_APP, .close = { 10, 0, text, 0 } },
    { .type = TVL_FRAME_HANDSHAKE_DONE },
    { .type = TVL_FRAME_DATAGRAM, .datagram = { text, sizeof(text) } },
    { .type = TVL_FRAME_DATAGRAM_LEN, .datagram = { text, 0 } },
    { .type = TVL_FRAME_PATH_ABANDON, .path = { 2, TVL_WIRE_PATH_UNSTABLE_OR_POOR, 0 } },
    { .type = TVL_FRAME_PATH_STATUS_BACKUP, .path = { 2, 0, 11 } },
    { .type = TVL_FRAME_PATH_STATUS_AVAILABLE, .path = { 2, 0, 12 } },
    { .type = TVL_FRAME_PATH_NEW_CONNECTION_ID, .cid = { 3, 1, 0, CID, TOKEN } },
    { .type = TVL_FRAME_PATH_RETIRE_CONNECTION_ID, .cid = { .path_id = 3, .seq = 1 } },
    { .type = TVL_FRAME_MAX_PATH_ID, .path = { 16, 0, 0 } },
    { .type = TVL_FRAME_PATHS_BLOCKED, .path = { 16, 0, 0 } },
    { .type = TVL_FRAME_PATH_CIDS_BLOCKED, .cid = { .path_id = 3, .seq = 2 } },
    { .type = TVL_FRAME_PROTECTED, .recovered = { 4, M, 0, false } },
    { .type = TVL_FRAME_RECOVERED, .recovered = { 4, 9, M - 9, false } },
    { .type = TVL_FRAME_RECOVERED | 1, .recovered = { M, 9, 0, true } },
    { .type = TVL_FRAME_REPAIR,
      .repair = { .id = 4,
                  .offset = 70000,
                  .len = 2 * sizeof(text) + 7,
                  .units = 3,
                  .index = 31,
                  .runs = 2,
                  .run = { { 2, sizeof(text) }, { 1, 7 } },
                  .bytes = text,
                  .symbol_len = sizeof(text) } },
    { .type = TVL_FRAME_REPAIR | 1,
      .repair = { .id = M,
                  .offset = M - 64,
                  .len = 64,
                  .units = 64,
                  .fin = true,
                  .runs = 1,
                  .run = { { 64, 1 } },
                  .bytes = text,
                  .symbol_len = 1 } },
};

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static void assert_same_ack(const struct tvl_frame_ack *a, const struct tvl_frame_ack *b)
{
    assert_int_equal(a->path_id, b->path_id);
    assert_int_equal(a->largest, b->largest);
    assert_int_equal(a->delay, b->delay);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ranges, b->ranges, a->count * sizeof(a->ranges[0]));
    assert_true(a->ect0 == b->ect0 && a->ect1 == b->ect1 && a->ce == b->ce);
}

static void assert_same_repair(const struct tvl_frame_repair *a, const struct tvl_frame_repair *b)
{
    assert_true(a->id == b->id && a->offset == b->offset && a->index == b->index &&
                a->fin == b->fin && a->runs == b->runs && a->units == b->units && a->len == b->len);
    for (uint32_t i = 0; i < a->runs; i++)
        assert_true(a->run[i].units == b->run[i].units && a->run[i].len == b->run[i].len);
    assert_true(same_bytes(a->bytes, a->symbol_len, b->bytes, b->symbol_len));
}

static void assert_same(const struct tvl_frame *a, const struct tvl_frame *b)
{
    assert_int_equal(a->type, b->type);
    const char *name = tvl_frame_name(a->type);
    if (strstr(name, "connection_id") || strstr(name, "cids_blocked"))
        assert_memory_equal(&a->cid, &b->cid, sizeof(a->cid));
    else if (strcmp(name, "ack") == 0 || strcmp(name, "path_ack") == 0)
        assert_same_ack(&a->ack, &b->ack);
    else if (strstr(name, "path_c") || strstr(name, "path_response"))
        assert_memory_equal(a->data, b->data, sizeof(a->data));
    else if (strstr(name, "path"))
        assert_true(a->path.path_id == b->path.path_id && a->path.code == b->path.code &&
                    a->path.seq == b->path.seq);
    else if (strstr(name, "max") || strstr(name, "blocked"))
        assert_true(a->limit.id == b->limit.id && a->limit.max == b->limit.max);
    else if (strstr(name, "reset") || strstr(name, "stop"))
        assert_true(a->reset.id == b->reset.id && a->reset.code == b->reset.code &&
                    a->reset.final_size == b->reset.final_size);
    else if (strcmp(name, "stream") == 0)
        assert_true(a->stream.id == b->stream.id && a->stream.offset == b->stream.offset &&
                    a->stream.fin == b->stream.fin &&
                    same_bytes(a->stream.bytes, a->stream.len, b->stream.bytes, b->stream.len));
    else if (strcmp(name, "crypto") == 0)
        assert_true(a->crypto.offset == b->crypto.offset &&
                    same_bytes(a->crypto.bytes, a->crypto.len, b->crypto.bytes, b->crypto.len));
    else if (strcmp(name, "new_token") == 0)
        assert_true(same_bytes(a->token.bytes, a->token.len, b->token.bytes, b->token.len));
    else if (strcmp(name, "datagram") == 0)
        assert_true(
            same_bytes(a->datagram.bytes, a->datagram.len, b->datagram.bytes, b->datagram.len));
    else if (strcmp(name, "connection_close") == 0)
        assert_true(
            a->close.code == b->close.code && a->close.frame_type == b->close.frame_type &&
            same_bytes(a->close.reason, a->close.reason_len, b->close.reason, b->close.reason_len));
    else if (strcmp(name, "repair") == 0)
        assert_same_repair(&a->repair, &b->repair);
    else if (strcmp(name, "recovered") == 0 || strcmp(name, "protected") == 0)
        assert_true(a->recovered.id == b->recovered.id &&
                    a->recovered.offset == b->recovered.offset &&
                    a->recovered.len == b->recovered.len && a->recovered.fin == b->recovered.fin);
    else if (strcmp(name, "padding") == 0)
        assert_int_equal(a->padding, b->padding);
}

static void every_frame_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        uint8_t bytes[512];
        size_t size = tvl_frame_size(&good[i]);
        struct tvl_wr w = tvl_wr_over(bytes, size);
        assert_int_equal(tvl_frame_write(&w, &good[i]), 0);
        assert_int_equal(tvl_wr_left(&w), 0);

        struct tvl_frame f;
        struct tvl_rd rd = tvl_rd_over(bytes, size);
        assert_int_equal(tvl_frame_parse(&f, &rd), 0);
        assert_int_equal(tvl_rd_left(&rd), 0);
        assert_same(&good[i], &f);

        /* Not a byte too few is accepted, and a failed write leaves nothing. */
        w = tvl_wr_over(bytes, size - 1);
        assert_int_equal(tvl_frame_write(&w, &good[i]), TVL_ERR_FULL);
        assert_int_equal(tvl_wr_left(&w), size - 1);
        assert_false(w.full);
    }
}

/* A frame cut short is an error, unless its form says "to the end of the packet". */
static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        uint8_t bytes[512];
        struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
        uint64_t type = good[i].type;
        bool open_ended = type == 0x08 || type == 0x09 || type == 0x0c || type == 0x0d ||
                          type == TVL_FRAME_DATAGRAM || type == TVL_FRAME_PADDING;
        assert_int_equal(tvl_frame_write(&w, &good[i]), 0);
        for (size_t len = 0; !open_ended && len < (size_t)(w.p - bytes); len++) {
            struct tvl_frame f;
            struct tvl_rd rd = tvl_rd_over(bytes, len);
            assert_int_equal(tvl_frame_parse(&f, &rd), -TVL_WIRE_FRAME_ENCODING_ERROR);
        }
    }
}

#define V8(b) 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b /* 8-byte varint near the maximum */
#define PATH_TOO_HIGH 0xc0, 0, 0, 1, 0, 0, 0, 0           /* 2^32 */
#define REPAIR 0xba, 0x9c, 0x51, 0xe2
#define RECOVERED 0xba, 0x9c, 0x51, 0xe4
#define T16 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0

static const struct {
    const char *what;
    int error;
    size_t len;
    uint8_t bytes[48];
} malformed[] = {
    { "unknown type", TVL_WIRE_FRAME_ENCODING_ERROR, 1, { 0x21 } },
    { "unknown 2-byte type", TVL_WIRE_FRAME_ENCODING_ERROR, 2, { 0x7e, 0x74 } },
    { "long form of PING", TVL_WIRE_PROTOCOL_VIOLATION, 2, { 0x40, 0x01 } },
    { "4-byte form of PATH_ABANDON",
      TVL_WIRE_PROTOCOL_VIOLATION,
      6,
      { 0x80, 0, 0x3e, 0x75, 1, 1 } },
    { "first ACK range below 0", TVL_WIRE_FRAME_ENCODING_ERROR, 5, { 2, 3, 0, 0, 4 } },
    { "ACK gap below 0", TVL_WIRE_FRAME_ENCODING_ERROR, 7, { 2, 9, 0, 1, 0, 8, 0 } },
    { "ACK range below 0", TVL_WIRE_FRAME_ENCODING_ERROR, 7, { 2, 9, 0, 1, 0, 3, 5 } },
    { "ACK ranges missing", TVL_WIRE_FRAME_ENCODING_ERROR, 12, { 2, 9, 0, V8(0xff), 0 } },
    { "CRYPTO past 2^62", TVL_WIRE_FRAME_ENCODING_ERROR, 11, { 6, V8(0xff), 1, 0 } },
    { "CRYPTO longer than packet", TVL_WIRE_FRAME_ENCODING_ERROR, 4, { 6, 0, 2, 0 } },
    { "empty NEW_TOKEN", TVL_WIRE_FRAME_ENCODING_ERROR, 2, { 7, 0 } },
    { "STREAM past 2^62", TVL_WIRE_FRAME_ENCODING_ERROR, 12, { 0x0e, 0, V8(0xff), 1, 0 } },
    { "STREAM longer than packet", TVL_WIRE_FRAME_ENCODING_ERROR, 11, { 0x0a, 0, V8(0xff), 1 } },
    { "MAX_STREAMS above 2^60",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      9,
      { 0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1 } },
    { "STREAMS_BLOCKED above 2^60",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      9,
      { 0x17, 0xd0, 0, 0, 0, 0, 0, 0, 1 } },
    { "empty connection ID", TVL_WIRE_FRAME_ENCODING_ERROR, 20, { 0x18, 1, 0, 0, T16 } },
    { "connection ID of 21", TVL_WIRE_FRAME_ENCODING_ERROR, 41, { 0x18, 1, 0, 21 } },
    { "retire prior to above sequence",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      21,
      { 0x18, 1, 2, 1, 9, T16 } },
    { "PATH_ACK path ID", TVL_WIRE_PROTOCOL_VIOLATION, 13, { 0x3e, PATH_TOO_HIGH, 0, 0, 0, 0 } },
    { "MAX_PATH_ID path ID", TVL_WIRE_PROTOCOL_VIOLATION, 10, { 0x7e, 0x7a, PATH_TOO_HIGH } },
    { "PATH_NEW_CONNECTION_ID path ID",
      TVL_WIRE_PROTOCOL_VIOLATION,
      31,
      { 0x7e, 0x78, PATH_TOO_HIGH, 0, 0, 4, 1, 2, 3, 4, T16 } },
    { "reason longer than packet", TVL_WIRE_FRAME_ENCODING_ERROR, 4, { 0x1c, 0, 0, 1 } },
    { "DATAGRAM longer than packet", TVL_WIRE_FRAME_ENCODING_ERROR, 3, { 0x31, 2, 0 } },
    { "RECOVERED past 2^62", TVL_WIRE_FRAME_ENCODING_ERROR, 14, { RECOVERED, 0, V8(0xff), 1 } },
    { "PROTECTED and the end", TVL_WIRE_FRAME_ENCODING_ERROR, 6, { 0xba, 0x9c, 0x51, 0xe1, 0, 0 } },
    { "REPAIR index of 32", TVL_WIRE_FRAME_ENCODING_ERROR, 10, { REPAIR, 0, 0, 32, 1, 1, 1 } },
    { "REPAIR without a run", TVL_WIRE_FRAME_ENCODING_ERROR, 10, { REPAIR, 0, 0, 0, 0, 1, 1 } },
    { "REPAIR of nine runs", TVL_WIRE_FRAME_ENCODING_ERROR, 27, { REPAIR, 0, 0, 0, 9, 1, 1, 1,
                                                                  1,      1, 1, 1, 1, 1, 1, 1,
                                                                  1,      1, 1, 1, 1, 1, 1 } },
    { "REPAIR run of no unit", TVL_WIRE_FRAME_ENCODING_ERROR, 11, { REPAIR, 0, 0, 0, 1, 0, 1, 9 } },
    { "REPAIR unit of no byte", TVL_WIRE_FRAME_ENCODING_ERROR, 10, { REPAIR, 0, 0, 0, 1, 1, 0 } },
    { "REPAIR of 65 units",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      14,
      { REPAIR, 0, 0, 0, 2, 0x40, 0x40, 1, 1, 1, 9 } },
    { "REPAIR unit of 2^16 bytes",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      13,
      { REPAIR, 0, 0, 0, 1, 1, 0x80, 1, 0, 0 } },
    { "REPAIR past 2^62",
      TVL_WIRE_FRAME_ENCODING_ERROR,
      18,
      { REPAIR, 0, V8(0xff), 0, 1, 1, 1, 9 } },
};

static void malformed_frames_name_their_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct tvl_frame f;
        struct tvl_rd rd = tvl_rd_over(malformed[i].bytes, malformed[i].len);
        int res = tvl_frame_parse(&f, &rd);
        if (res != -malformed[i].error)
            fail_msg("%s: %d instead of %d", malformed[i].what, res, -malformed[i].error);
    }
}

static void many_ack_ranges_are_checked_and_the_highest_kept(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
    unsigned more = TVL_ACK_RANGES_MAX + 20;
    tvl_wr_varint(&w, TVL_FRAME_ACK);
    tvl_wr_varint(&w, 2 * more);
    tvl_wr_varint(&w, 0);
    tvl_wr_varint(&w, more);
    tvl_wr_varint(&w, 0);
    for (unsigned i = 0; i < more; i++) {
        tvl_wr_varint(&w, 0);
        tvl_wr_varint(&w, 0);
    }
    struct tvl_frame f;
    struct tvl_rd rd = tvl_rd_over(bytes, (size_t)(w.p - bytes));
    assert_int_equal(tvl_frame_parse(&f, &rd), 0);
    assert_int_equal(tvl_rd_left(&rd), 0);
    assert_true(f.ack.truncated);
    assert_int_equal(f.ack.count, TVL_ACK_RANGES_MAX);
    assert_int_equal(f.ack.ranges[0].from, 2 * more);
    w.p[-2] = 1; /* the last gap now reaches below zero: skipped ranges are judged too */
    rd = tvl_rd_over(bytes, (size_t)(w.p - bytes));
    assert_int_equal(tvl_frame_parse(&f, &rd), -TVL_WIRE_FRAME_ENCODING_ERROR);
}

/* Whatever is accepted can be written and read again as the same. */
static void damage_never_harms(void **state)
{
    (void)state;
    uint64_t seed = 1;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t bytes[512], again[1024];
        struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
        (void)tvl_frame_write(&w, &good[seeded_below(&seed, COUNT(good))]);
        size_t len = mutate(&seed, bytes, (size_t)(w.p - bytes));
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that a read past the end is seen */
        memcpy(exact, bytes, len);
        struct tvl_frame f, g;
        struct tvl_rd rd = tvl_rd_over(exact, len);
        if (tvl_frame_parse(&f, &rd) == 0) {
            accepted++;
            w = tvl_wr_over(again, sizeof(again));
            assert_int_equal(tvl_frame_write(&w, &f), 0);
            assert_int_equal((size_t)(w.p - again), tvl_frame_size(&f));
            rd = tvl_rd_over(again, (size_t)(w.p - again));
            assert_int_equal(tvl_frame_parse(&g, &rd), 0);
            assert_same(&f, &g);
        }
        free(exact);
    }
    assert_true(accepted > 1000);
}

static void places_and_natures(void **state)
{
    (void)state;
    static const struct {
        uint64_t type;
        bool eliciting;
        const char *in; /* i, h, 0, 1 as in RFC 9000 table 3 */
    } rows[] = {
        { TVL_FRAME_PADDING, false, "ih01" },
        { TVL_FRAME_PING, true, "ih01" },
        { TVL_FRAME_ACK, false, "ih1" },
        { TVL_FRAME_CRYPTO, true, "ih1" },
        { TVL_FRAME_NEW_TOKEN, true, "1" },
        { 0x0f, true, "01" },
        { TVL_FRAME_CONNECTION_CLOSE, false, "ih01" },
        { TVL_FRAME_CONNECTION_CLOSE_APP, false, "01" },
        { TVL_FRAME_PATH_RESPONSE, true, "1" },
        { TVL_FRAME_RETIRE_CONNECTION_ID, true, "1" },
        { TVL_FRAME_HANDSHAKE_DONE, true, "1" },
        { TVL_FRAME_DATAGRAM, true, "01" },
        { TVL_FRAME_PATH_ACK, false, "1" },
        { TVL_FRAME_PATH_ABANDON, true, "1" },
        { TVL_FRAME_PROTECTED, true, "1" },
        { TVL_FRAME_REPAIR | 1, true, "1" },
        { TVL_FRAME_RECOVERED, true, "1" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(tvl_frame_ack_eliciting(rows[i].type), rows[i].eliciting);
        for (int p = TVL_PACKET_INITIAL; p <= TVL_PACKET_UNKNOWN_VERSION; p++) {
            bool want = strchr(rows[i].in, "i0hr1vu"[p]) != NULL;
            assert_int_equal(tvl_frame_allowed(rows[i].type, (enum tvl_packet_type)p), want);
        }
    }
    assert_string_equal(tvl_frame_name(0x3e78), "path_new_connection_id");
    assert_string_equal(tvl_frame_name(0x3e74), "unknown");
}

static void payload_fills_the_room_exactly(void **state)
{
    (void)state;
    static const uint8_t zeroes[20000];
    for (size_t room = 0; room < 17000; room += room < 100 || room > 16300 ? 1 : 97) {
        struct tvl_frame f = { .type = 0x0e, .stream = { 70, 1 << 20, zeroes, 0, false } };
        f.stream.len = tvl_stream_fit(room, f.stream.id, f.stream.offset, sizeof(zeroes));
        if (f.stream.len == 0)
            continue;
        size_t size = tvl_frame_size(&f);
        assert_true(size <= room && size + 2 >= room);
        f.stream.len++;
        assert_true(tvl_frame_size(&f) > room);
    }
    assert_int_equal(tvl_stream_fit(1200, 0, 0, 5), 5);
    assert_int_equal(tvl_stream_head_size(0, 0, 5), 3);
    assert_int_equal(tvl_crypto_fit(10, 0, 100), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_comes_back),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(malformed_frames_name_their_error),
        cmocka_unit_test(many_ack_ranges_are_checked_and_the_highest_kept),
        cmocka_unit_test(damage_never_harms),
        cmocka_unit_test(places_and_natures),
        cmocka_unit_test(payload_fills_the_room_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
