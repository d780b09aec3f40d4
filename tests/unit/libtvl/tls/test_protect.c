/*
 * test_protect.c - packet protection against the vectors of RFC 9001 Appendix A and of the
 * multipath draft, key updates, and what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>
#include "protect.h"

static size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    unsigned v;

    for (; text[0] && text[1]; text += 2) {
        assert_int_equal(sscanf(text, "%2x", &v), 1);
        out[n++] = (uint8_t)v;
    }
    return n;
}

static void assert_hex(const uint8_t *got, const char *want)
{
    uint8_t bytes[2048];
    size_t n = unhex(want, bytes);

    assert_memory_equal(got, bytes, n);
}

static const uint8_t dcid[8] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };

/* A.1: the keys themselves are held by OpenSSL; A.2 to A.5 prove them. */
static void initial_secrets(void **state)
{
    struct tvl_keys client = { 0 }, server = { 0 };

    (void)state;
    assert_int_equal(tvl_keys_initial(&client, &server, dcid, sizeof dcid), 0);
    assert_hex(client.secret, "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea");
    assert_hex(client.iv, "fa044b2f42a3fd3b46fb255c");
    assert_hex(client.mask_key, "9f50449e04a0e810283a1e9933adedd2");
    assert_hex(server.secret, "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b");
    assert_hex(server.iv, "0ac1493ca1905853b0bba03e");
    assert_hex(server.mask_key, "c206b8d9b9f0f37644430b490eeaa314");
    tvl_keys_fini(&client);
    tvl_keys_fini(&server);
    assert_false(tvl_keys_present(&client));
    /* Both ends of the range of connection IDs. */
    assert_int_equal(tvl_keys_initial(&client, &server, NULL, 0), 0);
    tvl_keys_fini(&client);
    tvl_keys_fini(&server);
    assert_int_equal(tvl_keys_initial(&client, &server, dcid, 21), TVL_ERR_ARG);
    assert_false(tvl_keys_present(&client) || tvl_keys_present(&server));
}

struct packet_case {
    const char *name;
    const char *header; /* unprotected */
    size_t pn_len;
    uint64_t pn;
    const char *payload; /* zeros follow up to payload_len */
    size_t payload_len;
    const char *head, *tail; /* of the protected packet */
};

static const struct packet_case client_initial = {
    "A.2",
    "c300000001088394c8f03e5157080000449e00000002",
    4,
    2,
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c0000041301"
    "1302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007"
    "000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f5"
    "0f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00"
    "024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f0"
    "3e51570806048000ffff",
    1162,
    "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec35"
    "6c0bab7df5976d27cd449f63300099f3991c260ec4c60d17b31f8429157bb35a1282a643a8d2262cad67500cadb8e"
    "7",
    "e221af44860018ab0856972e194cd934"
};

static const struct packet_case server_initial = {
    "A.3",
    "c1000000010008f067a5502a4262b50040750001",
    2,
    1,
    "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a12"
    "00130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a00"
    "2b00020304",
    99,
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c697975547"
    "80bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b56"
    "2bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee",
    "ca3d20398c276456cbc42158407dd074ee"
};

static const struct packet_case chacha_short = { "A.5",
                                                 "4200bff4",
                                                 3,
                                                 654360564,
                                                 "01",
                                                 1,
                                                 "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
                                                 "5cd55c41f69080575d7999c25a5bfb" };

/* Make the packet, compare, then open it again. */
static void check_packet(const struct packet_case *t, struct tvl_keys *k)
{
    uint8_t packet[1500] = { 0 }, plain[1500] = { 0 }, header[64], mask[TVL_MASK_SIZE];
    size_t header_len = unhex(t->header, header), pn_at = header_len - t->pn_len;
    uint8_t *payload = packet + header_len;
    size_t total, tail_len = strlen(t->tail) / 2;

    print_message("%s\n", t->name);
    memcpy(packet, header, header_len);
    unhex(t->payload, payload);
    memcpy(plain, payload, t->payload_len);
    assert_int_equal(tvl_seal(k, 0, t->pn, header, header_len, payload, t->payload_len),
                     t->payload_len + TVL_TAG_SIZE);
    assert_int_equal(tvl_header_mask(k, packet + pn_at + 4, mask), 0);
    packet[0] ^= mask[0] & (packet[0] & 0x80 ? 0x0f : 0x1f);
    for (size_t i = 0; i < t->pn_len; i++)
        packet[pn_at + i] ^= mask[1 + i];
    total = header_len + t->payload_len + TVL_TAG_SIZE;
    assert_hex(packet, t->head);
    assert_hex(packet + total - tail_len, t->tail);
    assert_int_equal(
        tvl_open(k, 0, t->pn, header, header_len, payload, t->payload_len + TVL_TAG_SIZE),
        t->payload_len);
    assert_memory_equal(payload, plain, t->payload_len);
}

static void initial_packets(void **state)
{
    struct tvl_keys client = { 0 }, server = { 0 };

    (void)state;
    assert_int_equal(tvl_keys_initial(&client, &server, dcid, sizeof dcid), 0);
    check_packet(&client_initial, &client);
    check_packet(&server_initial, &server);
    tvl_keys_fini(&client);
    tvl_keys_fini(&server);
}

static void retry_tag(void **state)
{
    uint8_t retry[64], tag[TVL_TAG_SIZE];
    size_t n = unhex("ff000000010008f067a5502a4262b5746f6b656e", retry);

    (void)state;
    assert_int_equal(tvl_retry_tag(tag, dcid, sizeof dcid, retry, n), 0);
    assert_hex(tag, "04a265ba2eff4d829058fb3f0f2496ba");
    assert_true(tvl_same(tag, tag, sizeof tag));
    retry[n - 1] ^= 1;
    assert_int_equal(tvl_retry_tag(tag, dcid, sizeof dcid, retry, n), 0);
    assert_int_not_equal(tag[0], 0x04);
    assert_int_equal(tvl_retry_tag(tag, dcid, 21, retry, n), TVL_ERR_ARG);
}

static void chacha_packet_and_update(void **state)
{
    struct tvl_keys k = { 0 }, next = { 0 };
    uint8_t secret[32], sample[TVL_SAMPLE_SIZE] = { 7 };
    uint8_t mask[TVL_MASK_SIZE], next_mask[TVL_MASK_SIZE];

    (void)state;
    unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b", secret);
    assert_int_equal(tvl_keys_from_secret(&k, TVL_SUITE_CHACHA20_POLY1305, secret, sizeof secret),
                     0);
    assert_hex(k.iv, "e0459b3474bdd0e44a41c144");
    assert_hex(k.mask_key, "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    check_packet(&chacha_short, &k);
    assert_int_equal(tvl_keys_next(&next, &k), 0);
    assert_hex(next.secret, "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9");
    assert_int_equal(tvl_header_mask(&k, sample, mask), 0);
    assert_int_equal(tvl_header_mask(&next, sample, next_mask), 0);
    assert_memory_equal(mask, next_mask, sizeof mask);
    tvl_keys_fini(&k);
    tvl_keys_fini(&next);
}

static void masks_of_many(void **state)
{
    static const uint16_t suites[] = { TVL_SUITE_AES_128_GCM, TVL_SUITE_AES_256_GCM,
                                       TVL_SUITE_CHACHA20_POLY1305 };
    static const uint8_t secret[TVL_SECRET_MAX] = { 1, 2, 3 };

    (void)state;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        uint8_t block[TVL_MASKS_MAX][TVL_SAMPLE_SIZE], mask[TVL_MASKS_MAX][TVL_MASK_SIZE];
        struct tvl_keys k = { 0 };

        assert_int_equal(tvl_header_masks(&k, block, 1), TVL_ERR_ARG);
        assert_int_equal(tvl_keys_from_secret(&k, suites[i], secret,
                                              suites[i] == TVL_SUITE_AES_256_GCM ? 48 : 32),
                         0);
        for (size_t n = 0; n < TVL_MASKS_MAX; n++) {
            memset(block[n], (int)(3 * n + 1), sizeof block[n]);
            assert_int_equal(tvl_header_mask(&k, block[n], mask[n]), 0);
        }
        assert_int_equal(tvl_header_masks(&k, block, TVL_MASKS_MAX + 1), TVL_ERR_ARG);
        assert_int_equal(tvl_header_masks(&k, block, TVL_MASKS_MAX), 0);
        for (size_t n = 0; n < TVL_MASKS_MAX; n++)
            assert_memory_equal(block[n], mask[n], TVL_MASK_SIZE);
        tvl_keys_fini(&k);
    }
}

/* A payload in two places is sealed as if it lay in one. */
static void payload_in_parts(void **state)
{
    static const uint16_t suites[] = { TVL_SUITE_AES_128_GCM, TVL_SUITE_AES_256_GCM,
                                       TVL_SUITE_CHACHA20_POLY1305 };
    static const uint8_t secret[TVL_SECRET_MAX] = { 9, 8, 7 };
    static const size_t heads[] = { 0, 1, 11, 16, 17, 40, 96, 1300, 1390 };
    uint8_t whole[1400 + TVL_TAG_SIZE], parts[1400 + TVL_TAG_SIZE], plain[1400];

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 11);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        struct tvl_keys k = { 0 };

        assert_int_equal(tvl_keys_from_secret(&k, suites[i], secret,
                                              suites[i] == TVL_SUITE_AES_256_GCM ? 48 : 32),
                         0);
        for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++) {
            const struct tvl_plain p = { .header = plain,
                                         .header_len = 12,
                                         .payload = parts,
                                         .len = heads[h],
                                         .tail = plain + heads[h],
                                         .tail_len = sizeof plain - heads[h] };

            memcpy(whole, plain, sizeof plain);
            memcpy(parts, plain, heads[h]);
            memset(parts + heads[h], 0xee, sizeof parts - heads[h]);
            assert_int_equal(tvl_seal(&k, 1, 5, plain, 12, whole, sizeof plain), sizeof whole);
            assert_int_equal(tvl_seal_parts(&k, 1, 5, &p), sizeof parts);
            assert_memory_equal(whole, parts, sizeof whole);
        }
        tvl_keys_fini(&k);
    }
}

static void multipath_nonce(void **state)
{
    uint8_t iv[TVL_NONCE_SIZE], nonce[TVL_NONCE_SIZE];

    (void)state;
    unhex("6b26114b9cba2b63a9e8dd4f", iv);
    tvl_nonce(nonce, iv, 3, 54321);
    assert_hex(nonce, "6b2611489cba2b63a9e8097e");
    tvl_nonce(nonce, iv, 0, 0);
    assert_memory_equal(nonce, iv, sizeof iv);
    memset(iv, 0, sizeof iv);
    tvl_nonce(nonce, iv, 0x01020304, 0x0506070809101112);
    assert_hex(nonce, "010203040506070809101112");
}

struct suite_case {
    uint16_t suite;
    size_t secret_len;
    uint64_t seal_limit, open_limit;
};
static const struct suite_case suite_cases[] = {
    { TVL_SUITE_AES_128_GCM, 32, 1ull << 23, 1ull << 52 },
    { TVL_SUITE_AES_256_GCM, 48, 1ull << 23, 1ull << 52 },
    { TVL_SUITE_CHACHA20_POLY1305, 32, UINT64_MAX, 1ull << 36 },
};
#define SUITES (sizeof suite_cases / sizeof suite_cases[0])

/* What one bit of difference anywhere does, for every suite. */
static void forgeries(struct tvl_keys *tx, struct tvl_keys *rx)
{
    static const uint8_t header[5] = { 0x40, 1, 2, 3, 4 };
    const size_t text_len = 33, len = text_len + TVL_TAG_SIZE;
    uint8_t bad_header[5] = { 0x40, 1, 2, 3, 5 }, sealed[64], b[64];

    memset(sealed, 'x', text_len);
    assert_int_equal(tvl_seal(tx, 2, 9, header, sizeof header, sealed, text_len), len);
    for (size_t i = 0; i < len; i++) {
        memcpy(b, sealed, len);
        b[i] ^= 0x10;
        assert_int_equal(tvl_open(rx, 2, 9, header, sizeof header, b, len), TVL_ERR_PACKET);
    }
    memcpy(b, sealed, len);
    assert_int_equal(tvl_open(rx, 2, 9, bad_header, sizeof header, b, len), TVL_ERR_PACKET);
    memcpy(b, sealed, len);
    assert_int_equal(tvl_open(rx, 2, 10, header, sizeof header, b, len), TVL_ERR_PACKET);
    memcpy(b, sealed, len);
    assert_int_equal(tvl_open(rx, 0, 9, header, sizeof header, b, len), TVL_ERR_PACKET);
    assert_int_equal(tvl_open(rx, 2, 9, header, sizeof header, b, TVL_TAG_SIZE - 1),
                     TVL_ERR_PACKET);
    /* A failure leaves the keys usable. */
    memcpy(b, sealed, len);
    assert_int_equal(tvl_open(rx, 2, 9, header, sizeof header, b, len), text_len);
    assert_int_equal(b[text_len - 1], 'x');
}

static void every_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITES; i++) {
        const struct suite_case *t = &suite_cases[i];
        struct tvl_keys tx = { 0 }, rx = { 0 }, tx2 = { 0 }, rx2 = { 0 };
        uint8_t secret[TVL_SECRET_MAX], b[64] = { 1 };

        memset(secret, (int)i + 1, sizeof secret);
        assert_int_equal(tvl_keys_from_secret(&tx, t->suite, secret, t->secret_len - 1),
                         TVL_ERR_ARG);
        assert_false(tvl_keys_present(&tx));
        assert_int_equal(tvl_keys_from_secret(&tx, t->suite, secret, t->secret_len), 0);
        assert_int_equal(tvl_keys_from_secret(&rx, t->suite, secret, t->secret_len), 0);
        assert_true(tvl_keys_seal_limit(&tx) == t->seal_limit);
        assert_true(tvl_keys_open_limit(&tx) == t->open_limit);
        forgeries(&tx, &rx);
        /* Next phase: both sides agree, and the phases do not open each other's packets. */
        assert_int_equal(tvl_keys_next(&tx2, &tx), 0);
        assert_int_equal(tvl_keys_next(&rx2, &rx), 0);
        forgeries(&tx2, &rx2);
        assert_int_equal(tvl_seal(&tx2, 0, 1, b, 1, b + 1, 8), 8 + TVL_TAG_SIZE);
        assert_int_equal(tvl_open(&rx, 0, 1, b, 1, b + 1, 8 + TVL_TAG_SIZE), TVL_ERR_PACKET);
        tvl_keys_fini(&tx);
        tvl_keys_fini(&rx);
        tvl_keys_fini(&tx2);
        tvl_keys_fini(&rx2);
    }
}

static void empty_payload(void **state)
{
    struct tvl_keys k = { 0 };
    uint8_t secret[32] = { 3 }, header[3] = { 1, 2, 3 }, b[TVL_TAG_SIZE];

    (void)state;
    assert_int_equal(tvl_keys_from_secret(&k, TVL_SUITE_AES_128_GCM, secret, sizeof secret), 0);
    assert_int_equal(tvl_seal(&k, 0, 0, header, sizeof header, b, 0), TVL_TAG_SIZE);
    assert_int_equal(tvl_open(&k, 0, 0, header, sizeof header, b, TVL_TAG_SIZE), 0);
    tvl_keys_fini(&k);
}

static void no_keys(void **state)
{
    struct tvl_keys k = { 0 }, next = { 0 };
    uint8_t b[64] = { 0 }, mask[TVL_MASK_SIZE];

    (void)state;
    assert_false(tvl_keys_present(&k));
    assert_int_equal(tvl_seal(&k, 0, 0, b, 1, b, 1), TVL_ERR_ARG);
    assert_int_equal(tvl_open(&k, 0, 0, b, 1, b, 32), TVL_ERR_ARG);
    assert_int_equal(tvl_header_mask(&k, b, mask), TVL_ERR_ARG);
    assert_int_equal(tvl_keys_next(&next, &k), TVL_ERR_ARG);
    assert_int_equal(tvl_keys_from_secret(&k, 0x1304, b, 32), TVL_ERR_ARG);
    assert_true(tvl_keys_seal_limit(&k) == 0 && tvl_keys_open_limit(&k) == 0);
    tvl_keys_fini(&k);
    tvl_keys_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_secrets), cmocka_unit_test(initial_packets),
        cmocka_unit_test(retry_tag),       cmocka_unit_test(chacha_packet_and_update),
        cmocka_unit_test(masks_of_many),   cmocka_unit_test(payload_in_parts),
        cmocka_unit_test(multipath_nonce), cmocka_unit_test(every_suite),
        cmocka_unit_test(empty_payload),   cmocka_unit_test(no_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
