/*
 * test_lb.c - connection IDs that name their server: the vectors of
 * draft-ietf-quic-load-balancers (its section 5.4.2.4 and Appendix B), and every pair of lengths
 * there and back. (Two rows of the appendix are misprinted: the second lacks half a byte, the last
 * has the wrong first octet; here they are as the algorithm has them.)
 */
#include "../wire/unit.h"

#include "lb.h"

struct vector {
    uint8_t config_id;
    const char *server_id, *nonce, *key, *cid; /* hexadecimal; key NULL: in the clear */
};

#define KEY "8f95f09245765f80256934e50c66207f"

static const struct vector vectors[] = {
    { 0, "31441a", "9c69c275", "fdf726a9893ec05c0632d3956680baf0", "0767947d29be054a" },
    { 0, "c4605e", "4504cc4f", NULL, "07c4605e4504cc4f" },
    { 1, "350d28b420", "3487d970b0", NULL, "2a350d28b4203487d970b0" },
    { 0, "ed793a", "ee080dbf", KEY, "0720b1d07b359d3c" },
    { 1, "ed793a51d49b8f5fab65", "ee080dbf48", KEY, "2fcc381bc74cb4fbad2823a3d1f8fed2" },
    { 2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", KEY, "504dd2d05a7b0de9b2b9907afb5ecf8cc3" },
    { 3, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", KEY,
      "725779c9cc86beb3a3a4a3ca96fce4bfe0cdbc" },
};

static uint8_t unhex(const char *text, uint8_t *out)
{
    const size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        const char byte[3] = { text[2 * i], text[2 * i + 1], '\0' };
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return (uint8_t)n;
}

static void draft_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct tvl_lb_config lb = { .config_id = v->config_id, .encrypted = v->key != NULL };
        uint8_t nonce[32], expected[32], id[TVL_SERVER_ID_MAX];
        struct tvl_cid cid;

        lb.server_id_len = unhex(v->server_id, lb.server_id);
        lb.nonce_len = unhex(v->nonce, nonce);
        if (v->key)
            (void)unhex(v->key, lb.key);
        const uint8_t len = unhex(v->cid, expected);
        assert_true(tvl_lb_valid(&lb));
        assert_int_equal(tvl_lb_cid_len(&lb), len);
        assert_int_equal(tvl_lb_encode(&lb, expected[0] & 0x1f, nonce, &cid), 0);
        assert_int_equal(cid.len, len);
        /* the first octet: the vectors carry the length there, we whatever we like */
        assert_int_equal(cid.b[0] >> 5, v->config_id);
        assert_memory_equal(cid.b + 1, expected + 1, len - 1);
        assert_int_equal(tvl_lb_decode(&lb, cid.b, cid.len, id), lb.server_id_len);
        assert_memory_equal(id, lb.server_id, lb.server_id_len);
    }
}

static void all_lengths_return(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (uint8_t sid = 1; sid <= TVL_SERVER_ID_MAX; sid++)
        for (uint8_t n = 4; n <= TVL_LB_NONCE_MAX && 1 + sid + n <= TVL_CID_MAX; n++)
            for (int encrypted = 0; encrypted < 2; encrypted++) {
                struct tvl_lb_config lb = { .config_id = (uint8_t)(n % 7),
                                            .server_id_len = sid,
                                            .nonce_len = n,
                                            .encrypted = encrypted };
                uint8_t nonce[TVL_LB_NONCE_MAX], id[TVL_SERVER_ID_MAX];
                struct tvl_cid cid;

                for (size_t i = 0; i < sizeof lb.key; i++)
                    lb.key[i] = (uint8_t)seeded(&seed);
                for (size_t i = 0; i < sid; i++)
                    lb.server_id[i] = (uint8_t)seeded(&seed);
                for (size_t i = 0; i < n; i++)
                    nonce[i] = (uint8_t)seeded(&seed);
                assert_int_equal(tvl_lb_encode(&lb, 9, nonce, &cid), 0);
                assert_int_equal(cid.b[0] & 0x1f, 9);
                assert_int_equal(tvl_lb_decode(&lb, cid.b, cid.len, id), sid);
                assert_memory_equal(id, lb.server_id, sid);
                assert_int_equal(memcmp(cid.b + 1, lb.server_id, sid) == 0, !encrypted);
            }
}

static void what_is_not_ours(void **state)
{
    struct tvl_lb_config lb = { .config_id = 2, .server_id_len = 2, .nonce_len = 5 };
    static const uint8_t cid[8] = { 0x40, 1, 2, 3, 4, 5, 6, 7 };
    uint8_t id[TVL_SERVER_ID_MAX];

    (void)state;
    assert_int_equal(tvl_lb_decode(&lb, cid, 8, id), 2);
    assert_int_equal(tvl_lb_decode(&lb, cid, 7, id), TVL_ERR_PACKET);
    lb.config_id = 3;
    assert_int_equal(tvl_lb_decode(&lb, cid, 8, id), TVL_ERR_PACKET);
    lb.config_id = 7; /* means: no server ID */
    assert_int_equal(tvl_lb_decode(&lb, cid, 8, id), TVL_ERR_ARG);
    lb = (struct tvl_lb_config){ .server_id_len = 0 };
    assert_true(tvl_lb_valid(&lb));
    assert_int_equal(tvl_lb_decode(&lb, cid, 8, id), TVL_ERR_ARG);
    lb = (struct tvl_lb_config){ .server_id_len = 2, .nonce_len = 3 };
    assert_false(tvl_lb_valid(&lb));
    lb = (struct tvl_lb_config){ .server_id_len = 10, .nonce_len = 10 };
    assert_false(tvl_lb_valid(&lb));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draft_vectors),
        cmocka_unit_test(all_lengths_return),
        cmocka_unit_test(what_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
