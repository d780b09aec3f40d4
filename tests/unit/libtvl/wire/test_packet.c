/* test_packet.c - varints, headers there and back, coalesced walk, packet numbers, damage. */
#include "unit.h"

#include <tvl/tvl.h>

#include "packet.h"

static void varints_of_the_rfc(void **state) /* RFC 9000 A.1 */
{
    (void)state;
    static const struct {
        uint64_t v;
        size_t len;
        uint8_t b[8];
    } rows[] = {
        { UINT64_C(151288809941952652), 8, { 0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c } },
        { 494878333, 4, { 0x9d, 0x7f, 0x3e, 0x7d } },
        { 15293, 2, { 0x7b, 0xbd } },
        { 37, 1, { 0x25 } },
        { TVL_VARINT_MAX, 8, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t out[8];
        struct tvl_rd rd = tvl_rd_over(rows[i].b, rows[i].len);
        assert_int_equal(tvl_rd_varint(&rd), rows[i].v);
        assert_false(rd.bad);
        struct tvl_wr w = tvl_wr_over(out, sizeof(out));
        tvl_wr_varint(&w, rows[i].v);
        assert_int_equal(w.p - out, rows[i].len);
        assert_memory_equal(out, rows[i].b, rows[i].len);
        rd = tvl_rd_over(rows[i].b, rows[i].len - 1);
        assert_int_equal(tvl_rd_varint(&rd), 0);
        assert_true(rd.bad);
    }
    static const uint8_t long_37[] = { 0x40, 0x25 };
    struct tvl_rd rd = tvl_rd_over(long_37, 2);
    assert_int_equal(tvl_rd_varint(&rd), 37);
}

static void cursors_stay_bad(void **state)
{
    (void)state;
    uint8_t b[4] = { 1, 2, 3, 4 };
    struct tvl_rd rd = tvl_rd_over(b, sizeof(b));
    assert_int_equal(tvl_rd_u16(&rd), 0x0102);
    assert_int_equal(tvl_rd_u32(&rd), 0);
    assert_true(rd.bad);
    assert_int_equal(tvl_rd_u8(&rd), 0);
    assert_null(tvl_rd_bytes(&rd, UINT64_MAX));
    struct tvl_wr w = tvl_wr_over(b, 3);
    tvl_wr_u32(&w, 9);
    tvl_wr_u8(&w, 9);
    assert_true(w.full);
    assert_int_equal(b[0], 1);
}

static void packet_number_sizes(void **state) /* RFC 9000 A.2 */
{
    (void)state;
    assert_int_equal(tvl_pn_size(0xac5c02, 0xabe8b3), 2);
    assert_int_equal(tvl_pn_size(0xace8fe, 0xabe8b3), 3);
    assert_int_equal(tvl_pn_size(0, TVL_PN_NONE), 1);
    assert_int_equal(tvl_pn_size(127, TVL_PN_NONE), 1);
    assert_int_equal(tvl_pn_size(128, TVL_PN_NONE), 2);
    assert_int_equal(tvl_pn_size(TVL_PN_MAX, TVL_PN_MAX - 1), 1);
}

static void packet_number_decoding(void **state) /* RFC 9000 A.3 */
{
    (void)state;
    assert_int_equal(tvl_pn_decode(0xa82f30ea, 0x9b32, 2), 0xa82f9b32);
    assert_int_equal(tvl_pn_decode(TVL_PN_NONE, 0, 1), 0);
    assert_int_equal(tvl_pn_decode(TVL_PN_NONE, 255, 1), 255);
    assert_int_equal(tvl_pn_decode(255, 0, 1), 256);
    assert_int_equal(tvl_pn_decode(256, 255, 1), 255);
    assert_int_equal(tvl_pn_decode(TVL_PN_MAX - 1, 0xff, 1), TVL_PN_MAX);
    assert_true(tvl_pn_decode(TVL_PN_MAX, 0, 1) <= TVL_PN_MAX);
    uint64_t seed = 3;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t acked = seeded(&seed) >> (2 + seeded_below(&seed, 50));
        uint64_t pn = acked + 1 + seeded_below(&seed, 1u << seeded_below(&seed, 24));
        if (pn > TVL_PN_MAX)
            continue;
        uint64_t seen = acked + seeded_below(&seed, pn - acked); /* receiver's largest < pn */
        uint8_t size = tvl_pn_size(pn, acked);
        uint32_t truncated = (uint32_t)(pn & (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1));
        assert_int_equal(tvl_pn_decode(seen, truncated, size), pn);
    }
}

static struct tvl_cid cid_of(uint8_t len, uint8_t fill)
{
    struct tvl_cid cid = { .len = len };
    memset(cid.b, fill, len);
    return cid;
}

/* A header of `type` and a payload of 30; its size. */
static size_t build(uint8_t *bytes, size_t cap, enum tvl_packet_type type,
                    struct tvl_packet_mark *mark)
{
    static const uint8_t token[3] = { 7, 8, 9 };
    struct tvl_packet_head h = { .type = type,
                                 .dcid = cid_of(8, 1),
                                 .scid = cid_of(20, 2),
                                 .pn = 0x123456,
                                 .pn_len = 3,
                                 .key_phase = true };
    if (type == TVL_PACKET_INITIAL) {
        h.token = token;
        h.token_len = sizeof(token);
    }
    struct tvl_wr w = tvl_wr_over(bytes, cap);
    assert_int_equal(tvl_packet_write_head(&w, &h, mark), 0);
    assert_int_equal(w.p - bytes, tvl_packet_head_size(&h));
    tvl_wr_zeroes(&w, 30);
    assert_false(w.full);
    tvl_packet_set_length(mark, 30);
    return (size_t)(w.p - bytes);
}

static void headers_come_back_and_coalesce(void **state)
{
    (void)state;
    static const enum tvl_packet_type types[] = { TVL_PACKET_INITIAL, TVL_PACKET_ZERO_RTT,
                                                  TVL_PACKET_HANDSHAKE, TVL_PACKET_ONE_RTT };
    static const uint8_t mask[5] = { 0xff, 0xa5, 0x5a, 0x3c, 0xc3 };
    uint8_t bytes[1000];
    size_t len = 0;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct tvl_packet_mark mark;
        len += build(bytes + len, sizeof(bytes) - len, types[i], &mark);
        tvl_packet_mask(&mark, mask);
    }
    size_t at = 0;
    for (size_t i = 0; i < COUNT(types); i++) {
        struct tvl_packet p;
        assert_int_equal(tvl_packet_parse(&p, bytes + at, len - at, 8), 0);
        assert_int_equal(p.type, types[i]);
        struct tvl_cid want = cid_of(8, 1);
        assert_true(tvl_cid_equal(&p.dcid, &want));
        assert_int_equal(p.token_len, types[i] == TVL_PACKET_INITIAL ? 3 : 0);
        assert_int_equal(p.version, types[i] == TVL_PACKET_ONE_RTT ? 0 : TVL_VERSION_1);
        struct tvl_packet_number n = tvl_packet_unmask(bytes + at, p.pn_offset, mask);
        assert_int_equal(n.len, 3);
        assert_int_equal(n.truncated, 0x123456);
        assert_false(tvl_packet_reserved_set(bytes[at]));
        if (types[i] == TVL_PACKET_ONE_RTT)
            assert_true(tvl_packet_key_phase(bytes[at]));
        assert_int_equal(p.len, p.pn_offset + 3 + 30);
        at += p.len;
    }
    assert_int_equal(at, len);
}

static void negotiation_and_retry(void **state)
{
    (void)state;
    /* An unknown version with connection IDs longer than version 1 allows (RFC 8999). */
    uint8_t in_bytes[200] = { 0xc0, 0x0a, 0x0b, 0x0c, 0x0d, 60 };
    memset(in_bytes + 6, 1, 60);
    in_bytes[66] = 50;
    memset(in_bytes + 67, 2, 50);
    struct tvl_packet in, out;
    assert_int_equal(tvl_packet_parse(&in, in_bytes, sizeof(in_bytes), 8), 0);
    assert_int_equal(in.type, TVL_PACKET_UNKNOWN_VERSION);

    uint8_t bytes[200];
    static const uint32_t versions[] = { TVL_VERSION_1, 0x1a2a3a4a };
    struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
    assert_int_equal(tvl_packet_write_negotiation(&w, &in, versions, 2, 0x2b), 0);
    assert_int_equal(tvl_packet_parse(&out, bytes, (size_t)(w.p - bytes), 8), 0);
    assert_int_equal(out.type, TVL_PACKET_VERSION_NEGOTIATION);
    assert_int_equal(out.versions_count, 2);
    assert_int_equal(out.dcid_bytes_len, 50);
    assert_int_equal(out.scid_bytes_len, 60);
    assert_int_equal(out.dcid_bytes[0], 2);
    assert_int_equal(out.versions[3], 1);

    static const uint8_t token[5] = { 1, 2, 3, 4, 5 };
    struct tvl_retry retry = { cid_of(4, 3), cid_of(8, 4), token, sizeof(token), 0xff };
    w = tvl_wr_over(bytes, sizeof(bytes));
    assert_int_equal(tvl_packet_write_retry(&w, &retry), 0);
    tvl_wr_zeroes(&w, TVL_RETRY_TAG_SIZE);
    assert_int_equal(tvl_packet_parse(&out, bytes, (size_t)(w.p - bytes), 8), 0);
    assert_int_equal(out.type, TVL_PACKET_RETRY);
    assert_int_equal(out.token_len, 5);
    assert_memory_equal(out.token, token, 5);
    assert_ptr_equal(out.retry_tag, out.token + 5);
    assert_int_equal(out.pn_offset, 0);
}

static void malformed_packets_are_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t len;
        uint8_t b[64];
    } rows[] = {
        { "nothing", 0, { 0 } },
        { "short without room for a sample", 1 + 8 + 19, { 0x40 } },
        { "long cut in the version", 4, { 0xc0, 0, 0, 0 } },
        { "cid of 21 in version 1", 64, { 0xc0, 0, 0, 0, 1, 21 } },
        { "token past the end",
          64,
          { 0xc0, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
        { "length past the end", 30, { 0xe0, 0, 0, 0, 1, 0, 0, 23 } },
        { "length below a sample", 64, { 0xe0, 0, 0, 0, 1, 0, 0, 19 } },
        { "retry without token", 7 + 16, { 0xf0, 0, 0, 0, 1, 0, 0 } },
        { "negotiation without versions", 7, { 0x80, 0, 0, 0, 0, 0, 0 } },
        { "negotiation with half a version", 9, { 0x80, 0, 0, 0, 0, 0, 0, 1, 2 } },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tvl_packet p;
        if (tvl_packet_parse(&p, rows[i].b, rows[i].len, 8) != TVL_ERR_PACKET)
            fail_msg("accepted: %s", rows[i].what);
    }
}

static void damage_never_harms(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t bytes[200];
        struct tvl_packet_mark mark;
        static const enum tvl_packet_type types[] = { TVL_PACKET_INITIAL, TVL_PACKET_HANDSHAKE,
                                                      TVL_PACKET_ONE_RTT };
        size_t len = build(bytes, sizeof(bytes), types[round % COUNT(types)], &mark);
        len = mutate(&seed, bytes, len);
        uint8_t *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, bytes, len);
        struct tvl_packet p;
        if (tvl_packet_parse(&p, exact, len, 8) == 0) {
            assert_true(p.len > 0 && p.len <= len);
            if (p.pn_offset > 0) {
                static const uint8_t mask[5] = { 0 };
                assert_true(p.pn_offset + 20 <= p.len);
                (void)tvl_packet_unmask(exact, p.pn_offset, mask);
            }
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_of_the_rfc),
        cmocka_unit_test(cursors_stay_bad),
        cmocka_unit_test(packet_number_sizes),
        cmocka_unit_test(packet_number_decoding),
        cmocka_unit_test(headers_come_back_and_coalesce),
        cmocka_unit_test(negotiation_and_retry),
        cmocka_unit_test(malformed_packets_are_dropped),
        cmocka_unit_test(damage_never_harms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
