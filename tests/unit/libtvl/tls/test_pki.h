/*
 * test_pki.h - a certificate authority and a server's and a client's certificate, made on the spot.
 *
 * PEM files in a fresh directory under $TMPDIR or /tmp. With Ed25519 keys every signature has the
 * same size, so that a handshake has the same number of bytes in every run.
 */
#ifndef TEST_PKI_H
#define TEST_PKI_H

#include <stddef.h>

enum test_pki_kind { TEST_PKI_ED25519, TEST_PKI_P256 };

struct test_pki_config {
    enum test_pki_kind kind;
    const char *authority; /* name of the CA ["Test Authority"] */
    size_t extra_names;    /* further DNS names in the server's certificate, about 27 bytes each */
};

#define TEST_PKI_PATH_MAX 192

struct test_pki {
    char dir[128];
    char ca[TEST_PKI_PATH_MAX];         /* ca.pem */
    char server[TEST_PKI_PATH_MAX];     /* server.pem: localhost, 127.0.0.1 and ::1, then the CA */
    char server_key[TEST_PKI_PATH_MAX]; /* server.key */
    char client[TEST_PKI_PATH_MAX];     /* client.pem */
    char client_key[TEST_PKI_PATH_MAX]; /* client.key */
};

/* 0, or -1 with nothing left behind. */
int test_pki_init(struct test_pki *pki, const struct test_pki_config *cfg);
void test_pki_fini(struct test_pki *pki); /* removes the files; legal on zeroed */

#endif
