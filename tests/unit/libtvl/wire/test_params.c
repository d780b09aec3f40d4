/* test_params.c - transport parameters there and back, every broken rule, damage. */
#include "unit.h"

#include "error.h"
#include "params.h"

static struct tvl_params full(void)
{
    struct tvl_params p;
    memset(&p, 0, sizeof(p)); /* so that whole structs can be compared */
    tvl_params_init(&p);
    p.has_original_dcid = p.has_reset_token = p.has_preferred_address = p.has_retry_scid = true;
    p.has_initial_scid = p.disable_active_migration = p.grease_quic_bit = true;
    p.has_initial_max_path_id = true;
    p.original_dcid.len = 20;
    memset(p.original_dcid.b, 1, 20);
    p.retry_scid.len = 1;
    p.retry_scid.b[0] = 2;
    memset(p.reset_token, 3, sizeof(p.reset_token));
    p.preferred_address = (struct tvl_preferred_address){ .ipv4 = { 192, 0, 2, 1 },
                                                          .ipv4_port = 4433,
                                                          .ipv6 = { 0x20, 1 },
                                                          .ipv6_port = 4434,
                                                          .cid = { .len = 4, .b = { 9 } },
                                                          .reset_token = { 5 } };
    p.max_idle_timeout_ms = 30000;
    p.max_udp_payload_size = 1452;
    p.initial_max_data = TVL_VARINT_MAX;
    p.initial_max_stream_data_bidi_local = 1;
    p.initial_max_stream_data_bidi_remote = 2;
    p.initial_max_stream_data_uni = 3;
    p.initial_max_streams_bidi = UINT64_C(1) << 60;
    p.initial_max_streams_uni = 1024;
    p.ack_delay_exponent = 20;
    p.max_ack_delay_ms = 16383;
    p.active_connection_id_limit = 8;
    p.max_datagram_frame_size = 1400;
    p.max_repair_span = 131072;
    p.initial_max_path_id = UINT32_MAX;
    return p;
}

static void all_come_back(void **state)
{
    (void)state;
    struct tvl_params in = full();
    struct tvl_params out;
    uint8_t bytes[TVL_PARAMS_SIZE_MAX];
    memset(&out, 0, sizeof(out));
    struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
    assert_int_equal(tvl_params_encode(&w, &in), 0);
    assert_int_equal(tvl_params_decode(&out, bytes, (size_t)(w.p - bytes), TVL_SERVER), 0);
    assert_memory_equal(&in, &out, sizeof(in));
    assert_int_equal(tvl_params_decode(&out, bytes, (size_t)(w.p - bytes), TVL_CLIENT),
                     -TVL_WIRE_TRANSPORT_PARAMETER_ERROR);
    w = tvl_wr_over(bytes, 50);
    assert_int_equal(tvl_params_encode(&w, &in), TVL_ERR_FULL);
}

/* RFC 9000 18.1; also beside all others, and whatever the randomness. */
static void a_reserved_one_is_skipped(void **state)
{
    const struct tvl_params in = full();
    uint64_t random[3] = { 0, UINT64_MAX, 7 };

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t bytes[TVL_PARAMS_SIZE_MAX];
        struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
        struct tvl_params out;

        random[0] = i == 0 ? UINT64_MAX : random[0] * 6364136223846793005u + 1442695040888963407u;
        assert_int_equal(tvl_params_encode(&w, &in), 0);
        struct tvl_rd rd = tvl_rd_over(w.p, tvl_wr_left(&w));
        assert_int_equal(tvl_params_grease(&w, random), 0);
        assert_int_equal(tvl_rd_varint(&rd) % 31, 27);
        memset(&out, 0, sizeof out);
        assert_int_equal(tvl_params_decode(&out, bytes, (size_t)(w.p - bytes), TVL_SERVER), 0);
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void absent_ones_have_defaults(void **state)
{
    (void)state;
    struct tvl_params p;
    assert_int_equal(tvl_params_decode(&p, NULL, 0, TVL_CLIENT), 0);
    assert_int_equal(p.max_udp_payload_size, 65527);
    assert_int_equal(p.ack_delay_exponent, 3);
    assert_int_equal(p.max_ack_delay_ms, 25);
    assert_int_equal(p.active_connection_id_limit, 2);
    assert_false(p.has_initial_max_path_id || p.grease_quic_bit);
}

static const struct {
    const char *what;
    bool ok; /* from a client */
    size_t len;
    uint8_t b[64];
} rows[] = {
    { "unknown is skipped", true, 5, { 0x7b, 0x00, 2, 1, 2 } },
    { "empty initial SCID", true, 2, { 0x0f, 0 } },
    { "max path id 0", true, 3, { 0x3e, 1, 0 } },
    { "number in a longer form", true, 4, { 0x04, 2, 0x40, 1 } },
    { "known one twice", false, 6, { 0x04, 1, 1, 0x04, 1, 1 } },
    { "unknown one twice", false, 6, { 0x7b, 0x00, 0, 0x7b, 0x00, 0 } },
    { "value past the end", false, 3, { 0x04, 2, 1 } },
    { "id without length", false, 1, { 0x04 } },
    { "number with a tail", false, 4, { 0x04, 2, 1, 1 } },
    { "number without bytes", false, 2, { 0x04, 0 } },
    { "payload size 1199", false, 4, { 0x03, 2, 0x44, 0xaf } },
    { "payload size 1200", true, 4, { 0x03, 2, 0x44, 0xb0 } },
    { "ack delay exponent 21", false, 3, { 0x0a, 1, 21 } },
    { "max ack delay 2^14", false, 6, { 0x0b, 4, 0x80, 0, 0x40, 0 } },
    { "active cid limit 1", false, 3, { 0x0e, 1, 1 } },
    { "streams above 2^60", false, 10, { 0x08, 8, 0xd0, 0, 0, 0, 0, 0, 0, 1 } },
    { "max path id 2^32", false, 10, { 0x3e, 8, 0xc0, 0, 0, 1, 0, 0, 0, 0 } },
    { "flag with a value", false, 3, { 0x0c, 1, 0 } },
    { "grease with a value", false, 4, { 0x6a, 0xb2, 1, 0 } },
    { "SCID of 21", false, 23, { 0x0f, 21 } },
    { "original DCID from a client", false, 2, { 0x00, 0 } },
    { "reset token from a client", false, 18, { 0x02, 16 } },
    { "retry SCID from a client", false, 2, { 0x10, 0 } },
    { "preferred address from a client", false, 44, { 0x0d, 42, [26] = 1 } },
};

static void rules_are_enforced(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tvl_params p;
        int want = rows[i].ok ? 0 : -TVL_WIRE_TRANSPORT_PARAMETER_ERROR;
        int res = tvl_params_decode(&p, rows[i].b, rows[i].len, TVL_CLIENT);
        if (res != want)
            fail_msg("%s: %d", rows[i].what, res);
    }
}

static void server_only_values_are_checked(void **state)
{
    (void)state;
    struct tvl_params p;
    static const uint8_t token15[17] = { 0x02, 15 };
    static const uint8_t no_cid[43] = { 0x0d, 41 };
    static const uint8_t one_cid[44] = { 0x0d, 42, [26] = 1 };
    int bad = -TVL_WIRE_TRANSPORT_PARAMETER_ERROR;
    assert_int_equal(tvl_params_decode(&p, token15, sizeof(token15), TVL_SERVER), bad);
    assert_int_equal(tvl_params_decode(&p, no_cid, sizeof(no_cid), TVL_SERVER), bad);
    assert_int_equal(tvl_params_decode(&p, one_cid, sizeof(one_cid), TVL_SERVER), 0);
    assert_true(p.has_preferred_address);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[400];
    struct tvl_params p;
    struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
    for (uint64_t i = 0; i <= TVL_PARAMS_MAX; i++) {
        if (i == TVL_PARAMS_MAX)
            assert_int_equal(tvl_params_decode(&p, bytes, (size_t)(w.p - bytes), TVL_CLIENT), 0);
        tvl_wr_varint(&w, 0x1000 + i);
        tvl_wr_varint(&w, 0);
    }
    assert_int_equal(tvl_params_decode(&p, bytes, (size_t)(w.p - bytes), TVL_CLIENT),
                     -TVL_WIRE_TRANSPORT_PARAMETER_ERROR);
}

static void damage_never_harms(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct tvl_params in = full();
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t bytes[TVL_PARAMS_SIZE_MAX];
        struct tvl_params p;
        struct tvl_wr w = tvl_wr_over(bytes, sizeof(bytes));
        assert_int_equal(tvl_params_encode(&w, &in), 0);
        size_t len = mutate(&seed, bytes, (size_t)(w.p - bytes));
        uint8_t *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, bytes, len);
        if (tvl_params_decode(&p, exact, len, TVL_SERVER) == 0) {
            w = tvl_wr_over(bytes, sizeof(bytes)); /* what is accepted can be said again */
            assert_int_equal(tvl_params_encode(&w, &p), 0);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_back),
        cmocka_unit_test(a_reserved_one_is_skipped),
        cmocka_unit_test(absent_ones_have_defaults),
        cmocka_unit_test(rules_are_enforced),
        cmocka_unit_test(server_only_values_are_checked),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(damage_never_harms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
