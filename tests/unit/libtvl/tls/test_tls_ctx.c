/*
 * test_tls_ctx.c - what tvl_tls_new() says about files that are missing, broken or do not match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <tvl/tvl.h>
#include "test_pki.h"

struct files {
    struct test_pki pki, other;
    char junk[TEST_PKI_PATH_MAX];
    char locked[TEST_PKI_PATH_MAX]; /* a key with a passphrase */
};

/* Any encrypted PEM will do: it must not even be asked for. */
static const char locked_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                                 "Proc-Type: 4,ENCRYPTED\n"
                                 "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                                 "-----END RSA PRIVATE KEY-----\n";

static int put(char *path, const char *dir, const char *name, const char *text)
{
    FILE *f;

    if (snprintf(path, TEST_PKI_PATH_MAX, "%s/%s", dir, name) >= TEST_PKI_PATH_MAX)
        return -1;
    f = fopen(path, "w");
    if (!f)
        return -1;
    fputs(text, f);
    return fclose(f);
}

static struct files the_files;

static int make_files(void **state)
{
    static const struct test_pki_config ed25519 = { .kind = TEST_PKI_ED25519 };
    struct files *f = &the_files;

    *state = f;
    return test_pki_init(&f->pki, &ed25519) || test_pki_init(&f->other, &ed25519) ||
           put(f->junk, f->pki.dir, "junk.pem", "not a certificate\n") ||
           put(f->locked, f->pki.dir, "locked.key", locked_pem);
}

static int drop_files(void **state)
{
    struct files *f = *state;

    unlink(f->junk);
    unlink(f->locked);
    test_pki_fini(&f->pki);
    test_pki_fini(&f->other);
    return 0;
}

static void reports(void **state)
{
    static const char *const alpn[] = { "moqt-18", NULL }, *const no_alpn[] = { NULL };
    static const char *const empty_alpn[] = { "", NULL };
    const struct files *f = *state;
    const struct {
        const char *name;
        struct tvl_tls_config cfg;
        int error;
        const char *why; /* how the line begins; NULL: it works */
        const char *also;
    } cases[] = {
        { "server",
          { .alpn = alpn,
            .server = true,
            .cert_file = f->pki.server,
            .key_file = f->pki.server_key },
          0,
          NULL,
          NULL },
        { "client", { .alpn = alpn, .ca_file = f->pki.ca }, 0, NULL, NULL },
        { "client with the system's authorities", { .alpn = alpn }, 0, NULL, NULL },
        { "no ALPN", { .alpn = no_alpn }, TVL_ERR_ARG, "ALPN", "" },
        { "NULL ALPN", { .alpn = NULL }, TVL_ERR_ARG, "ALPN", "" },
        { "empty ALPN", { .alpn = empty_alpn }, TVL_ERR_ARG, "ALPN", "" },
        { "server without certificate",
          { .alpn = alpn, .server = true },
          TVL_ERR_ARG,
          "certificate",
          "" },
        { "certificate without key",
          { .alpn = alpn, .cert_file = f->pki.client },
          TVL_ERR_ARG,
          f->pki.client,
          "together" },
        { "missing certificate",
          { .alpn = alpn,
            .server = true,
            .cert_file = "/nonexistent/c.pem",
            .key_file = f->pki.server_key },
          TVL_ERR_FILE,
          "/nonexistent/c.pem: ",
          "No such file" },
        { "junk certificate",
          { .alpn = alpn, .server = true, .cert_file = f->junk, .key_file = f->pki.server_key },
          TVL_ERR_FILE,
          f->junk,
          "no start line" },
        { "missing key",
          { .alpn = alpn,
            .server = true,
            .cert_file = f->pki.server,
            .key_file = "/nonexistent/k.pem" },
          TVL_ERR_FILE,
          "/nonexistent/k.pem: ",
          "No such file" },
        { "junk key",
          { .alpn = alpn, .server = true, .cert_file = f->pki.server, .key_file = f->junk },
          TVL_ERR_FILE,
          f->junk,
          "no PEM private key" },
        { "locked key",
          { .alpn = alpn, .server = true, .cert_file = f->pki.server, .key_file = f->locked },
          TVL_ERR_FILE,
          f->locked,
          "passphrase" },
        { "key of another",
          { .alpn = alpn,
            .server = true,
            .cert_file = f->pki.server,
            .key_file = f->other.server_key },
          TVL_ERR_TLS,
          f->other.server_key,
          "mismatch" },
        { "missing authorities",
          { .alpn = alpn, .ca_file = "/nonexistent/ca.pem" },
          TVL_ERR_FILE,
          "/nonexistent/ca.pem: ",
          "No such file" },
        { "one suite, two groups",
          { .alpn = alpn, .suites = "TLS_CHACHA20_POLY1305_SHA256", .groups = "P-384:X25519" },
          0,
          NULL,
          NULL },
        { "unknown suite",
          { .alpn = alpn, .suites = "TLS_ROT13" },
          TVL_ERR_ARG,
          "TLS_ROT13: ",
          "suites" },
        { "suite that QUIC has and we have not",
          { .alpn = alpn, .suites = "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256" },
          TVL_ERR_ARG,
          "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256: ",
          "suites" },
        { "no suite", { .alpn = alpn, .suites = "" }, TVL_ERR_ARG, ": ", "suites" },
        { "unknown group", { .alpn = alpn, .groups = "P-12" }, TVL_ERR_ARG, "P-12: ", "groups" },
        { "junk authorities", { .alpn = alpn, .ca_file = f->junk }, TVL_ERR_FILE, f->junk, "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tvl_tls *tls = NULL;
        char why[256] = "";

        print_message("%s\n", cases[i].name);
        assert_int_equal(tvl_tls_new(&tls, &cases[i].cfg, why, sizeof why), cases[i].error);
        if (!cases[i].why) {
            assert_non_null(tls);
            assert_string_equal(why, "");
            tvl_tls_free(tls);
            continue;
        }
        print_message("    %s\n", why);
        assert_null(tls);
        assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
        assert_non_null(strstr(why, cases[i].also));
        assert_null(strchr(why, '\n'));
        /* `why` is optional, and never overrun. */
        assert_int_equal(tvl_tls_new(&tls, &cases[i].cfg, NULL, 0), cases[i].error);
        assert_int_equal(tvl_tls_new(&tls, &cases[i].cfg, why, 4), cases[i].error);
        assert_int_equal(strlen(why), 3);
    }
    tvl_tls_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reports) };

    return cmocka_run_group_tests(tests, make_files, drop_files);
}
