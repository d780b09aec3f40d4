/*
 * test_pki.c - makes the certificates that test_pki.h describes.
 */
#include "test_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY_S (24 * 60 * 60)
#define NAME_TEXT_MAX 40 /* characters that one extra name takes in the list */

static const char base_names[] = "DNS:localhost,IP:127.0.0.1,IP:::1";

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static void identity_fini(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    memset(id, 0, sizeof *id);
}

static int add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    int ok = ext && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

/* A certificate without extensions or signature. Serial numbers of one byte keep sizes equal. */
static X509 *blank(EVP_PKEY *key, const char *common_name, long serial)
{
    X509 *cert = X509_new();

    if (cert && X509_set_version(cert, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
        X509_gmtime_adj(X509_getm_notAfter(cert), 30L * DAY_S) && X509_set_pubkey(cert, key) == 1 &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                   (const unsigned char *)common_name, -1, -1, 0) == 1)
        return cert;
    X509_free(cert);
    return NULL;
}

static EVP_PKEY *make_key(enum test_pki_kind kind)
{
    return kind == TEST_PKI_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                    : EVP_EC_gen("P-256");
}

static int sign(X509 *cert, const X509 *issuer, EVP_PKEY *key)
{
    const EVP_MD *md = EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();

    return X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
           X509_sign(cert, key, md) > 0;
}

static int make_ca(struct identity *ca, const struct test_pki_config *cfg)
{
    const char *name = cfg->authority ? cfg->authority : "Test Authority";

    ca->key = make_key(cfg->kind);
    ca->cert = ca->key ? blank(ca->key, name, 1) : NULL;
    return ca->cert && add_extension(ca->cert, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           sign(ca->cert, ca->cert, ca->key);
}

static char *name_list(size_t extra)
{
    size_t size = sizeof base_names + extra * NAME_TEXT_MAX, n;
    char *text = malloc(size);

    if (!text)
        return NULL;
    n = (size_t)snprintf(text, size, "%s", base_names);
    for (size_t i = 0; i < extra; i++)
        n += (size_t)snprintf(text + n, size - n, ",DNS:host%06zu.test.example.org", i);
    return text;
}

static int make_server(struct identity *id, const struct identity *ca,
                       const struct test_pki_config *cfg)
{
    char *names = name_list(cfg->extra_names);
    int ok;

    id->key = make_key(cfg->kind);
    id->cert = id->key ? blank(id->key, "localhost", 2) : NULL;
    ok = names && id->cert && add_extension(id->cert, NID_subject_alt_name, names) &&
         add_extension(id->cert, NID_ext_key_usage, "serverAuth") &&
         sign(id->cert, ca->cert, ca->key);
    free(names);
    return ok;
}

static int make_client(struct identity *id, const struct identity *ca, enum test_pki_kind kind)
{
    id->key = make_key(kind);
    id->cert = id->key ? blank(id->key, "viewer", 3) : NULL;
    return id->cert && add_extension(id->cert, NID_ext_key_usage, "clientAuth") &&
           sign(id->cert, ca->cert, ca->key);
}

/* `issuer` may be NULL. */
static int write_chain(const char *path, X509 *cert, X509 *issuer)
{
    FILE *f = fopen(path, "w");
    int ok = f && PEM_write_X509(f, cert) == 1 && (!issuer || PEM_write_X509(f, issuer) == 1);

    return f && fclose(f) == 0 && ok;
}

static int write_key(const char *path, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    int ok = f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;

    return f && fclose(f) == 0 && ok;
}

static int make_dir(struct test_pki *pki)
{
    const char *tmp = getenv("TMPDIR");
    const struct {
        char *path;
        const char *name;
    } files[] = {
        { pki->ca, "ca.pem" },
        { pki->server, "server.pem" },
        { pki->client, "client.pem" },
        { pki->server_key, "server.key" },
        { pki->client_key, "client.key" },
    };

    memset(pki, 0, sizeof *pki);
    if ((size_t)snprintf(pki->dir, sizeof pki->dir, "%s/pki-XXXXXX", tmp ? tmp : "/tmp") >=
            sizeof pki->dir ||
        !mkdtemp(pki->dir)) {
        pki->dir[0] = '\0';
        return 0;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        snprintf(files[i].path, TEST_PKI_PATH_MAX, "%s/%s", pki->dir, files[i].name);
    return 1;
}

int test_pki_init(struct test_pki *pki, const struct test_pki_config *cfg)
{
    struct identity ca = { 0 }, server = { 0 }, client = { 0 };
    int ok = make_dir(pki) && make_ca(&ca, cfg) && make_server(&server, &ca, cfg) &&
             make_client(&client, &ca, cfg->kind) && write_chain(pki->ca, ca.cert, NULL) &&
             write_chain(pki->server, server.cert, ca.cert) &&
             write_key(pki->server_key, server.key) &&
             write_chain(pki->client, client.cert, NULL) && write_key(pki->client_key, client.key);

    identity_fini(&ca);
    identity_fini(&server);
    identity_fini(&client);
    if (!ok)
        test_pki_fini(pki);
    return ok ? 0 : -1;
}

void test_pki_fini(struct test_pki *pki)
{
    if (!pki || !pki->dir[0])
        return;
    unlink(pki->ca);
    unlink(pki->server);
    unlink(pki->server_key);
    unlink(pki->client);
    unlink(pki->client_key);
    rmdir(pki->dir);
    memset(pki, 0, sizeof *pki);
}
