/* test_pki.c - certificates of a slice: signed by its authority, for a node's name and addresses.
 */
#include "slice/pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/vmm-pki-XXXXXX";

static void path(char *out, size_t size, const char *what)
{
    snprintf(out, size, "%s/%s", folder, what);
}

static X509 *certificate(const char *what)
{
    char name[128];
    path(name, sizeof name, what);
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(cert);
    return cert;
}

static int verified(X509 *cert, X509 *authority, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, authority);
    X509_STORE_CTX_init(context, store, cert, NULL);
    X509_STORE_CTX_set_purpose(context, purpose);
    int result = X509_verify_cert(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

/* server and player over two links, as configs/two-path.yaml. */
static struct vmm_topology *two_path(void)
{
    struct vmm_topology *t = calloc(1, sizeof *t);
    strcpy(t->name, "lab");
    t->n_nodes = 2;
    strcpy(t->node[0].name, "server");
    strcpy(t->node[1].name, "player");
    t->n_links = 2;
    for (uint32_t l = 0; l < 2; l++) {
        strcpy(t->link[l].name, l ? "wifi" : "lte");
        t->link[l].n_ports = 2;
        t->link[l].port[1] = 1;
        t->link[l].subnet = 0x0a4d0000 + l * 256;
    }
    return t;
}

static void leaves(void **state)
{
    (void)state;
    char why[256] = "", name[128];
    struct vmm_topology *t = two_path();
    struct stat key;
    assert_int_equal(vmm_pki_make(t, folder, why, sizeof why), 0);
    X509 *authority = certificate("ca/ca.pem"), *server = certificate("node/server/cert.pem"),
         *player = certificate("node/player/cert.pem");
    assert_int_equal(verified(server, authority, X509_PURPOSE_SSL_SERVER), 1);
    assert_int_equal(verified(player, authority, X509_PURPOSE_SSL_CLIENT), 1);
    assert_int_not_equal(verified(server, player, X509_PURPOSE_SSL_SERVER), 1);
    assert_int_equal(X509_check_host(server, "server", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(server, "player", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(server, "10.77.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "10.77.1.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "10.77.1.2", 0), 0);
    assert_int_equal(X509_check_ip_asc(player, "10.77.1.2", 0), 1);
    assert_int_equal(X509_check_ca(server), 0);
    path(name, sizeof name, "node/server/key.pem");
    assert_int_equal(stat(name, &key), 0);
    assert_int_equal(key.st_mode & 0777, 0600);
    FILE *f = fopen(name, "r");
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    assert_int_equal(X509_check_private_key(server, pkey), 1);
    EVP_PKEY_free(pkey);
    X509_free(server);
    X509_free(player);
    X509_free(authority);
    free(t);
}

static void no_room(void **state)
{
    (void)state;
    char why[256] = "";
    struct vmm_topology *t = two_path();
    assert_int_equal(vmm_pki_make(t, "/proc/nothing-here", why, sizeof why), -1);
    assert_non_null(strstr(why, "certificates"));
    free(t);
}

static const char *const folders[] = { "ca", "node", "node/server", "node/player" };
static const char *const files[] = { "ca/ca.pem", "node/server/cert.pem", "node/server/key.pem",
                                     "node/player/cert.pem", "node/player/key.pem" };

static int make_folders(void **state)
{
    char name[128];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < 4; i++) {
        path(name, sizeof name, folders[i]);
        if (mkdir(name, 0700) < 0)
            return -1;
    }
    return 0;
}

static int remove_folders(void **state)
{
    char name[128];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path(name, sizeof name, files[i]);
        unlink(name);
    }
    for (size_t i = 4; i-- > 0;) {
        path(name, sizeof name, folders[i]);
        rmdir(name);
    }
    return rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves),
        cmocka_unit_test(no_room),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
