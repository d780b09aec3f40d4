/*
 * pki.c - the certificates of a slice. See pki.h.
 *
 * Dates reach from a day ago to a year from now: a guest's clock is set by its agent, and a slice
 * does not live for a year.
 */
#include "slice/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S 86400L
#define NAMES_MAX (64 + VMM_LINKS_MAX * 24) /* bytes of a subjectAltName as text */

struct authority {
    EVP_PKEY *key;
    X509 *cert;
};

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int good = e && X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
    return good ? 0 : -1;
}

/* Serial numbers are 63 random bits (RFC 5280 4.1.2.2: positive, unique for the issuer). */
static int set_serial(X509 *cert)
{
    uint64_t serial;
    if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1)
        return -1;
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) ? 0 : -1;
}

/* A certificate without extensions and signature. `issuer` NULL: its own. */
static X509 *draft(EVP_PKEY *key, const char *common_name, X509 *issuer)
{
    X509 *cert = X509_new();
    X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
    if (name && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) == 0 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
        X509_gmtime_adj(X509_getm_notAfter(cert), 365 * DAY_S) && X509_set_pubkey(cert, key) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
                                   -1, 0) &&
        X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name))
        return cert;
    X509_free(cert);
    return NULL;
}

static int make_authority(struct authority *a, const char *slice)
{
    char name[64];
    snprintf(name, sizeof name, "vmm-shim slice %s", slice);
    a->key = EVP_EC_gen("P-256");
    a->cert = a->key ? draft(a->key, name, NULL) : NULL;
    if (!a->cert ||
        add_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE") < 0 ||
        add_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign") < 0 ||
        add_extension(a->cert, a->cert, NID_subject_key_identifier, "hash") < 0)
        return -1;
    return X509_sign(a->cert, a->key, EVP_sha256()) ? 0 : -1;
}

static void forget_authority(struct authority *a)
{
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
}

/* "DNS:server,IP:10.77.0.1,IP:10.77.1.1" */
static void node_names(const struct vmm_topology *t, size_t node, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "DNS:%s", t->node[node].name);
    for (size_t l = 0; l < t->n_links && used < size; l++) {
        int port = vmm_topology_port(t, l, node);
        if (port < 0)
            continue;
        uint32_t ip = vmm_topology_address(t, l, (size_t)port);
        used += (size_t)snprintf(text + used, size - used, ",IP:%u.%u.%u.%u", ip >> 24,
                                 (ip >> 16) & 255, (ip >> 8) & 255, ip & 255);
    }
}

static X509 *make_leaf(const struct authority *a, EVP_PKEY *key, const struct vmm_topology *t,
                       size_t node)
{
    char names[NAMES_MAX];
    node_names(t, node, names, sizeof names);
    X509 *cert = draft(key, t->node[node].name, a->cert);
    if (cert && add_extension(cert, a->cert, NID_basic_constraints, "critical,CA:FALSE") == 0 &&
        add_extension(cert, a->cert, NID_key_usage, "critical,digitalSignature") == 0 &&
        add_extension(cert, a->cert, NID_ext_key_usage, "serverAuth,clientAuth") == 0 &&
        add_extension(cert, a->cert, NID_authority_key_identifier, "keyid") == 0 &&
        add_extension(cert, a->cert, NID_subject_alt_name, names) == 0 &&
        X509_sign(cert, a->key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

/* `mode`: a key is for its owner alone. */
static FILE *create(const char *folder, const char *node, const char *what, mode_t mode)
{
    char path[VMM_PATH_MAX];
    int n = node ? snprintf(path, sizeof path, "%s/node/%s/%s", folder, node, what)
                 : snprintf(path, sizeof path, "%s/ca/%s", folder, what);
    if (n < 0 || (size_t)n >= sizeof path)
        return NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f && fd >= 0)
        close(fd);
    return f;
}

static int write_certificate(const char *folder, const char *node, const char *what, X509 *cert)
{
    FILE *f = create(folder, node, what, 0644);
    if (!f)
        return -1;
    int good = PEM_write_X509(f, cert);
    return fclose(f) == 0 && good ? 0 : -1;
}

static int write_key(const char *folder, const char *node, EVP_PKEY *key)
{
    FILE *f = create(folder, node, "key.pem", 0600);
    if (!f)
        return -1;
    int good = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    return fclose(f) == 0 && good ? 0 : -1;
}

static int make_node(const struct authority *a, const struct vmm_topology *t, size_t node,
                     const char *folder)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_leaf(a, key, t, node) : NULL;
    const char *name = t->node[node].name;
    int result = cert && write_certificate(folder, name, "cert.pem", cert) == 0 &&
                         write_key(folder, name, key) == 0
                     ? 0
                     : -1;
    X509_free(cert);
    EVP_PKEY_free(key);
    return result;
}

int vmm_pki_make(const struct vmm_topology *t, const char *folder, char *why, size_t why_size)
{
    struct authority a = { 0 };
    errno = 0;
    int result =
        make_authority(&a, t->name) == 0 && write_certificate(folder, NULL, "ca.pem", a.cert) == 0
            ? 0
            : -1;
    for (size_t i = 0; result == 0 && i < t->n_nodes; i++)
        result = make_node(&a, t, i, folder);
    if (result < 0)
        snprintf(why, why_size, "cannot make the certificates of the slice in %s: %s", folder,
                 errno ? strerror(errno) : ERR_reason_error_string(ERR_peek_last_error()));
    forget_authority(&a);
    return result;
}
