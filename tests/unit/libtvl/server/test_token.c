/* test_token.c - address tokens: what holds, what expires, what another cannot use. */
#include "../wire/unit.h"

#include <arpa/inet.h>

#include "token.h"

#define NOW UINT64_C(1700000000000000) /* us */

static const uint8_t secret[32] = "a secret of one server";
static const uint8_t nonce[TVL_TOKEN_NONCE_SIZE] = "twelve bytes";

static struct sockaddr_storage v4(const char *text, uint16_t port)
{
    struct sockaddr_storage ss = { .ss_family = AF_INET };
    struct sockaddr_in *in = (void *)&ss;

    inet_pton(AF_INET, text, &in->sin_addr);
    in->sin_port = htons(port);
    return ss;
}

static struct sockaddr_storage v6(const char *text, uint16_t port)
{
    struct sockaddr_storage ss = { .ss_family = AF_INET6 };
    struct sockaddr_in6 *in = (void *)&ss;

    inet_pton(AF_INET6, text, &in->sin6_addr);
    in->sin6_port = htons(port);
    return ss;
}

static struct tvl_cid cid(const char *text)
{
    return tvl_cid_from((const uint8_t *)text, strlen(text));
}

struct row {
    const char *name;
    enum tvl_token_kind kind;
    bool ipv6;
    uint64_t later;   /* us between sealing and opening */
    bool earlier;     /* ... the other way round */
    const char *from; /* NULL: the same address */
    uint16_t port;    /* 0: the same */
    const char *dcid; /* NULL: the same */
    enum tvl_token_verdict verdict;
};

static const struct row rows[] = {
    { "retry", TVL_TOKEN_RETRY, .verdict = TVL_TOKEN_PROOF },
    { "retry, ipv6", TVL_TOKEN_RETRY, .ipv6 = true, .verdict = TVL_TOKEN_PROOF },
    { "retry, in time", TVL_TOKEN_RETRY, .later = 10000000, .verdict = TVL_TOKEN_PROOF },
    { "retry, late", TVL_TOKEN_RETRY, .later = 10000001, .verdict = TVL_TOKEN_BAD },
    { "retry, other address", TVL_TOKEN_RETRY, .from = "192.0.2.2", .verdict = TVL_TOKEN_BAD },
    { "retry, other port", TVL_TOKEN_RETRY, .port = 5001, .verdict = TVL_TOKEN_BAD },
    { "retry, other ID", TVL_TOKEN_RETRY, .dcid = "another!", .verdict = TVL_TOKEN_BAD },
    { "retry, clocks apart", TVL_TOKEN_RETRY, .later = 9000000, .earlier = true,
      .verdict = TVL_TOKEN_PROOF },
    { "retry, from the future", TVL_TOKEN_RETRY, .later = 11000000, .earlier = true,
      .verdict = TVL_TOKEN_BAD },
    { "address", TVL_TOKEN_ADDRESS, .verdict = TVL_TOKEN_PROOF },
    { "address, other port and ID", TVL_TOKEN_ADDRESS, .port = 1, .dcid = "another!",
      .verdict = TVL_TOKEN_PROOF },
    { "address, ipv6", TVL_TOKEN_ADDRESS, .ipv6 = true, .port = 1, .verdict = TVL_TOKEN_PROOF },
    { "address, a day", TVL_TOKEN_ADDRESS, .later = UINT64_C(86400000000),
      .verdict = TVL_TOKEN_PROOF },
    { "address, more", TVL_TOKEN_ADDRESS, .later = UINT64_C(86400000001),
      .verdict = TVL_TOKEN_NONE },
    { "address, other address", TVL_TOKEN_ADDRESS, .from = "192.0.2.2", .verdict = TVL_TOKEN_NONE },
};

static enum tvl_token_verdict try(const struct row *r, struct tvl_token *out)
{
    struct tvl_keys keys = { .suite = 0 };
    const struct sockaddr_storage home = r->ipv6 ? v6("2001:db8::1", 5000) : v4("192.0.2.1", 5000);
    const uint16_t port = r->port ? r->port : 5000;
    const struct sockaddr_storage away = r->from   ? v4(r->from, port)
                                         : r->ipv6 ? v6("2001:db8::1", port)
                                                   : v4("192.0.2.1", port);
    const struct tvl_token t = { .kind = r->kind,
                                 .issued_at = NOW,
                                 .remote = home,
                                 .retry_scid = cid("retryscid"),
                                 .original_dcid = cid("original") };
    const struct tvl_cid dcid = cid(r->dcid ? r->dcid : "retryscid");
    uint8_t bytes[TVL_TOKEN_SIZE_MAX];

    assert_int_equal(tvl_token_keys(&keys, secret), 0);
    const size_t len = tvl_token_seal(&keys, &t, nonce, bytes);
    assert_true(len > 0);
    const struct tvl_token_claim claim = { .bytes = bytes,
                                           .len = len,
                                           .remote = &away,
                                           .dcid = &dcid,
                                           .now = r->earlier ? NOW - r->later : NOW + r->later };
    const enum tvl_token_verdict v = tvl_token_open(&keys, &claim, out);
    tvl_keys_fini(&keys);
    return v;
}

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tvl_token out;
        const enum tvl_token_verdict v = try(&rows[i], &out);

        if (v != rows[i].verdict)
            fail_msg("%s: %d, not %d", rows[i].name, (int)v, (int)rows[i].verdict);
        if (v == TVL_TOKEN_PROOF && rows[i].kind == TVL_TOKEN_RETRY) {
            const struct tvl_cid original = cid("original");
            assert_true(tvl_cid_equal(&out.original_dcid, &original));
        }
    }
}

static void damage_is_seen(void **state)
{
    const struct sockaddr_storage home = v4("192.0.2.1", 5000);
    const struct tvl_cid dcid = cid("retryscid");
    struct tvl_keys keys = { .suite = 0 };
    uint64_t seed = 1;

    (void)state;
    assert_int_equal(tvl_token_keys(&keys, secret), 0);
    for (int i = 0; i < 2000; i++) {
        const struct tvl_token t = { .kind = i % 2 ? TVL_TOKEN_RETRY : TVL_TOKEN_ADDRESS,
                                     .issued_at = NOW,
                                     .remote = home,
                                     .retry_scid = dcid };
        uint8_t bytes[TVL_TOKEN_SIZE_MAX], before[TVL_TOKEN_SIZE_MAX];
        struct tvl_token out;
        const size_t whole = tvl_token_seal(&keys, &t, nonce, bytes);

        memcpy(before, bytes, sizeof before);
        const size_t len = mutate(&seed, bytes, whole);
        const struct tvl_token_claim claim = {
            .bytes = bytes, .len = len, .remote = &home, .dcid = &dcid, .now = NOW
        };
        const bool same = len == whole && memcmp(bytes, before, len) == 0;
        const enum tvl_token_verdict v = tvl_token_open(&keys, &claim, &out);

        assert_int_equal(v == TVL_TOKEN_PROOF, same);
        if (v == TVL_TOKEN_BAD)
            assert_int_equal(bytes[0], TVL_TOKEN_RETRY);
    }
    tvl_keys_fini(&keys);
}

static void another_secret_is_another_server(void **state)
{
    static const uint8_t other[32] = "a secret of another server";
    const struct sockaddr_storage home = v4("192.0.2.1", 5000);
    const struct tvl_token t = { .kind = TVL_TOKEN_ADDRESS, .issued_at = NOW, .remote = home };
    const struct tvl_cid dcid = cid("whatever");
    struct tvl_keys ours = { .suite = 0 }, theirs = { .suite = 0 };
    uint8_t bytes[TVL_TOKEN_SIZE_MAX];
    struct tvl_token out;

    (void)state;
    assert_int_equal(tvl_token_keys(&ours, secret), 0);
    assert_int_equal(tvl_token_keys(&theirs, other), 0);
    const struct tvl_token_claim claim = { .bytes = bytes,
                                           .len = tvl_token_seal(&theirs, &t, nonce, bytes),
                                           .remote = &home,
                                           .dcid = &dcid,
                                           .now = NOW };
    assert_int_equal(tvl_token_open(&theirs, &claim, &out), TVL_TOKEN_PROOF);
    assert_int_equal(tvl_token_open(&ours, &claim, &out), TVL_TOKEN_NONE);
    tvl_keys_fini(&ours);
    tvl_keys_fini(&theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(another_secret_is_another_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
