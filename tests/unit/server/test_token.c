/* test_token.c - tokens: made, judged, and everything that must not pass for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jwt.h>
#include <openssl/evp.h>

#include "keys.h"
#include "token.h"

#define NOW 1800000000u
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct keys keys;

static struct token_key *read_key(const char *name, const char *algorithm, enum token_key_use use)
{
    char path[KEYS_PATH_MAX], why[256] = "";
    struct token_key *key = NULL;
    if (token_key_read(&key, keys_path(&keys, name, path), algorithm, use, why, sizeof why) < 0)
        fail_msg("%s", why);
    return key;
}

static char *make(const char *key_name, const char *algorithm, const struct token_order *o)
{
    struct token_key *key = read_key(key_name, algorithm, TOKEN_KEY_SIGN);
    char *text = token_make(key, o);
    assert_non_null(text);
    token_key_free(key);
    return text;
}

static enum token_verdict judge(const char *key_name, const char *algorithm, const char *issuer,
                                const char *text, uint64_t now_s)
{
    struct token_key *key = read_key(key_name, algorithm, TOKEN_KEY_VERIFY);
    struct token_claims c;
    const enum token_verdict v = token_judge(key, issuer, text, strlen(text), now_s, &c);
    token_claims_fini(&c);
    token_key_free(key);
    return v;
}

static const char *const live[] = { "live/", "tests/a" };
static const char *const cam[] = { "cam1" };
static const struct token_order plain = { .subscribe = live,
                                          .n_subscribe = 2,
                                          .publish = cam,
                                          .n_publish = 1,
                                          .subject = "somebody",
                                          .issuer = "us",
                                          .id = "7",
                                          .expires_s = NOW + 3600,
                                          .max_sessions = 3 };

static const struct {
    const char *sign, *verify, *algorithm;
} kinds[] = {
    { "secret", "secret", "HS256" },     { "secret", "secret", "HS384" },
    { "secret", "secret", "HS512" },     { "p256.key", "p256.pub", "ES256" },
    { "p384.key", "p384.pub", "ES384" }, { "p521.key", "p521.pub", "ES512" },
    { "rsa.key", "rsa.pub", "RS256" },   { "rsa.key", "rsa.pub", "RS384" },
    { "rsa.key", "rsa.pub", "RS512" },
};

static void there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct token_key *key = read_key(kinds[i].verify, kinds[i].algorithm, TOKEN_KEY_VERIFY);
        char *text = make(kinds[i].sign, kinds[i].algorithm, &plain);
        struct token_claims c;
        assert_int_equal(token_judge(key, "us", text, strlen(text), NOW, &c), TOKEN_GOOD);
        assert_int_equal(c.n_subscribe, 2);
        assert_string_equal(c.subscribe[0], "live/");
        assert_string_equal(c.subscribe[1], "tests/a");
        assert_int_equal(c.n_publish, 1);
        assert_string_equal(c.publish[0], "cam1");
        assert_string_equal(c.subject, "somebody");
        assert_int_equal(c.expires_s, NOW + 3600 + TOKEN_LEEWAY_S);
        assert_int_equal(c.max_sessions, 3);
        token_claims_fini(&c);
        free(text);
        token_key_free(key);
    }
}

/* Each algorithm's token at a server that is configured for each other one. */
static void only_the_configured_algorithm(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char *text = make(kinds[i].sign, kinds[i].algorithm, &plain);
        for (size_t j = 0; j < COUNT(kinds); j++)
            assert_int_equal(judge(kinds[j].verify, kinds[j].algorithm, NULL, text, NOW),
                             i == j ? TOKEN_GOOD : TOKEN_FORGED);
        free(text);
    }
}

static void times(void **state)
{
    static const struct {
        uint64_t not_before_s, expires_s, now_s;
        enum token_verdict v;
    } rows[] = {
        { 0, NOW + 1, NOW, TOKEN_GOOD },
        { 0, NOW, NOW + TOKEN_LEEWAY_S - 1, TOKEN_GOOD },
        { 0, NOW, NOW + TOKEN_LEEWAY_S, TOKEN_EXPIRED },
        { 0, NOW, NOW + 1000000, TOKEN_EXPIRED },
        { NOW + TOKEN_LEEWAY_S, NOW + 100, NOW, TOKEN_GOOD },
        { NOW + TOKEN_LEEWAY_S + 1, NOW + 100, NOW, TOKEN_EARLY },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct token_order o = { .subscribe = live,
                                       .n_subscribe = 1,
                                       .not_before_s = rows[i].not_before_s,
                                       .expires_s = rows[i].expires_s };
        char *text = make("secret", "HS256", &o);
        print_message("row %zu\n", i);
        assert_int_equal(judge("secret", "HS256", NULL, text, rows[i].now_s), rows[i].v);
        free(text);
    }
}

static void issuers(void **state)
{
    struct token_order o = plain;
    char *ours = make("secret", "HS256", &o);
    o.issuer = NULL;
    char *nobodys = make("secret", "HS256", &o);
    (void)state;
    assert_int_equal(judge("secret", "HS256", NULL, nobodys, NOW), TOKEN_GOOD);
    assert_int_equal(judge("secret", "HS256", "us", nobodys, NOW), TOKEN_FOREIGN);
    assert_int_equal(judge("secret", "HS256", "them", ours, NOW), TOKEN_FOREIGN);
    free(ours);
    free(nobodys);
}

/* ---- forgeries ---- */

static void append_base64url(char *out, const char *text)
{
    char block[2048];
    EVP_EncodeBlock((unsigned char *)block, (const unsigned char *)text, (int)strlen(text));
    for (char *c = block; *c && *c != '='; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    block[strcspn(block, "=")] = 0;
    strcat(out, block);
}

static void unsigned_tokens(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\",\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":null}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "[]",
        "",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        for (size_t j = 0; j < COUNT(kinds); j++) {
            char text[4096] = "";
            append_base64url(text, headers[i]);
            strcat(text, ".");
            append_base64url(text, "{\"exp\":1900000000,\"subscribe\":[\"\"]}");
            strcat(text, ".");
            assert_int_not_equal(judge(kinds[j].verify, kinds[j].algorithm, NULL, text, NOW),
                                 TOKEN_GOOD);
            strcat(text, "AAAA");
            assert_int_not_equal(judge(kinds[j].verify, kinds[j].algorithm, NULL, text, NOW),
                                 TOKEN_GOOD);
        }
}

/* The public key is public: who signs with it as if it were a secret has proved nothing. */
static void public_key_as_secret(void **state)
{
    static const char *const names[][2] = { { "rsa.pub", "RS256" }, { "p256.pub", "ES256" } };
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[KEYS_PATH_MAX], pem[4096];
        FILE *f = fopen(keys_path(&keys, names[i][0], path), "r");
        assert_non_null(f);
        const size_t len = fread(pem, 1, sizeof pem, f);
        fclose(f);
        jwt_t *jwt;
        assert_int_equal(jwt_new(&jwt), 0);
        assert_int_equal(jwt_add_grants_json(jwt, "{\"exp\":1900000000,\"subscribe\":[\"\"]}"), 0);
        assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256, (unsigned char *)pem, (int)len), 0);
        char *text = jwt_encode_str(jwt);
        assert_int_equal(judge(names[i][0], names[i][1], NULL, text, NOW), TOKEN_FORGED);
        free(text);
        jwt_free(jwt);
    }
}

static void each_changed_character_breaks_it(void **state)
{
    static const size_t which[] = { 0, 3 }; /* HS256, ES256 */
    (void)state;
    for (size_t k = 0; k < COUNT(which); k++) {
        const size_t i = which[k];
        char *text = make(kinds[i].sign, kinds[i].algorithm, &plain);
        const size_t len = strlen(text);
        struct token_key *key = read_key(kinds[i].verify, kinds[i].algorithm, TOKEN_KEY_VERIFY);
        /* The last character of a part may have bits that are not used. */
        for (size_t at = 0; at + 1 < len; at++) {
            const char was = text[at];
            struct token_claims c;
            if (text[at + 1] == '.' || was == '.')
                continue;
            text[at] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal(token_judge(key, NULL, text, len, NOW, &c), TOKEN_GOOD);
            text[at] = was;
        }
        token_key_free(key);
        free(text);
    }
}

static void bad_forms(void **state)
{
    static const char *const rows[] = { "",    ".",     "..",      "...",     "a.b",
                                        "a..", "a.b.c", "a.b.c.d", "a b.c.d", "\xff\xfe.a.b" };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(judge("secret", "HS256", NULL, rows[i], NOW), TOKEN_MALFORMED);
    char *long_one = malloc(TOKEN_MAX + 2);
    memset(long_one, 'a', TOKEN_MAX + 1);
    long_one[TOKEN_MAX + 1] = 0;
    long_one[10] = long_one[20] = '.';
    assert_int_equal(judge("secret", "HS256", NULL, long_one, NOW), TOKEN_MALFORMED);
    free(long_one);
}

static void bad_claims(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"exp\":\"1900000000\"}",
        "{\"exp\":-1}",
        "{\"exp\":1e300}",
        "{\"exp\":1900000000,\"nbf\":true}",
        "{\"exp\":1900000000,\"sub\":7}",
        "{\"exp\":1900000000,\"jti\":7}",
        "{\"exp\":1900000000,\"iss\":{}}",
        "{\"exp\":1900000000,\"subscribe\":\"live\"}",
        "{\"exp\":1900000000,\"subscribe\":[1]}",
        "{\"exp\":1900000000,\"publish\":{}}",
        "{\"exp\":1900000000,\"max_sessions\":0}",
        "{\"exp\":1900000000,\"max_sessions\":65537}",
        "{\"exp\":1900000000,\"max_sessions\":1.5}",
        "{\"exp\":1900000000,\"subscribe\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
        "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
        "\"\",\"\",\"\",\"\"]}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        jwt_t *jwt;
        assert_int_equal(jwt_new(&jwt), 0);
        assert_int_equal(jwt_add_grants_json(jwt, rows[i]), 0);
        assert_int_equal(
            jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret, (int)strlen(secret)), 0);
        char *text = jwt_encode_str(jwt);
        print_message("%s\n", rows[i]);
        assert_int_equal(judge("secret", "HS256", NULL, text, NOW), TOKEN_MALFORMED);
        free(text);
        jwt_free(jwt);
    }
}

static void critical_header(void **state)
{
    jwt_t *jwt;
    (void)state;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grants_json(jwt, "{\"exp\":1900000000}"), 0);
    assert_int_equal(jwt_add_headers_json(jwt, "{\"crit\":[\"b64\"],\"b64\":false}"), 0);
    assert_int_equal(
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret, (int)strlen(secret)), 0);
    char *text = jwt_encode_str(jwt);
    assert_int_equal(judge("secret", "HS256", NULL, text, NOW), TOKEN_FORGED);
    free(text);
    jwt_free(jwt);
}

static void identity(void **state)
{
    struct token_order o = plain;
    struct token_key *key = read_key("p256.pub", "ES256", TOKEN_KEY_VERIFY);
    struct token_claims a, b;
    char *one = make("p256.key", "ES256", &o), *two = make("p256.key", "ES256", &o);
    (void)state;
    assert_string_not_equal(one, two); /* ECDSA is random: other text, same token */
    assert_int_equal(token_judge(key, NULL, one, strlen(one), NOW, &a), TOKEN_GOOD);
    assert_int_equal(token_judge(key, NULL, two, strlen(two), NOW, &b), TOKEN_GOOD);
    assert_memory_equal(a.id, b.id, TOKEN_ID_SIZE);
    token_claims_fini(&a);
    free(one);
    o.id = NULL;
    one = make("p256.key", "ES256", &o);
    assert_int_equal(token_judge(key, NULL, one, strlen(one), NOW, &a), TOKEN_GOOD);
    assert_memory_not_equal(a.id, b.id, TOKEN_ID_SIZE);
    token_claims_fini(&a);
    token_claims_fini(&b);
    free(one);
    free(two);
    token_key_free(key);
}

static void wrong_keys(void **state)
{
    static const struct {
        const char *file, *algorithm;
        enum token_key_use use;
        const char *why;
    } rows[] = {
        { "none", "HS256", TOKEN_KEY_VERIFY, "No such file" },
        { "secret", "EdDSA", TOKEN_KEY_VERIFY, "no algorithm" },
        { "secret", "none", TOKEN_KEY_VERIFY, "no algorithm" },
        { "short", "HS256", TOKEN_KEY_VERIFY, "shorter" },
        { "short", NULL, TOKEN_KEY_SIGN, "shorter" },
        { "secret", "RS256", TOKEN_KEY_VERIFY, "no PEM" },
        { "rsa.pub", "HS256", TOKEN_KEY_VERIFY, "a secret" },
        { "rsa.pub", "ES256", TOKEN_KEY_VERIFY, "another kind" },
        { "p256.pub", "RS256", TOKEN_KEY_VERIFY, "another kind" },
        { "p384.pub", "ES256", TOKEN_KEY_VERIFY, "another curve" },
        { "weak.pub", "RS256", TOKEN_KEY_VERIFY, "2048" },
        { "rsa.key", "RS256", TOKEN_KEY_VERIFY, "no public key" },
        { "rsa.pub", "RS256", TOKEN_KEY_SIGN, "no private key" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[KEYS_PATH_MAX], why[256] = "";
        struct token_key *key = NULL;
        assert_int_equal(token_key_read(&key, keys_path(&keys, rows[i].file, path),
                                        rows[i].algorithm, rows[i].use, why, sizeof why),
                         -1);
        if (!strstr(why, rows[i].why))
            fail_msg("\"%s\" does not say \"%s\"", why, rows[i].why);
    }
}

static void algorithm_that_suits(void **state)
{
    static const char *const rows[][2] = { { "secret", "HS256" },
                                           { "p256.key", "ES256" },
                                           { "p521.key", "ES512" },
                                           { "rsa.key", "RS256" } };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct token_key *key = read_key(rows[i][0], NULL, TOKEN_KEY_SIGN);
        assert_string_equal(token_key_algorithm(key), rows[i][1]);
        token_key_free(key);
    }
}

static int make_keys(void **state)
{
    (void)state;
    keys_init(&keys);
    keys_make(&keys, "p256", "P-256", 0);
    keys_make(&keys, "p384", "P-384", 0);
    keys_make(&keys, "p521", "P-521", 0);
    keys_make(&keys, "rsa", "RSA", 2048);
    keys_make(&keys, "weak", "RSA", 1024);
    keys_write(&keys, "secret", secret, strlen(secret));
    keys_write(&keys, "short", "0123456789abcdef\n", 17);
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    keys_fini(&keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(only_the_configured_algorithm),
        cmocka_unit_test(times),
        cmocka_unit_test(issuers),
        cmocka_unit_test(unsigned_tokens),
        cmocka_unit_test(public_key_as_secret),
        cmocka_unit_test(each_changed_character_breaks_it),
        cmocka_unit_test(bad_forms),
        cmocka_unit_test(bad_claims),
        cmocka_unit_test(critical_header),
        cmocka_unit_test(identity),
        cmocka_unit_test(wrong_keys),
        cmocka_unit_test(algorithm_that_suits),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
