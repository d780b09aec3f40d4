/* keys.c - see keys.h. */
#include "keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

void keys_init(struct keys *k)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(k->dir, sizeof k->dir, "%s/keys-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(k->dir));
}

const char *keys_path(const struct keys *k, const char *name, char *out)
{
    snprintf(out, KEYS_PATH_MAX, "%s/%s", k->dir, name);
    return out;
}

void keys_fini(struct keys *k)
{
    DIR *dir = opendir(k->dir);
    char path[KEYS_PATH_MAX + 256];
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", k->dir, e->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(k->dir);
}

void keys_write(const struct keys *k, const char *name, const void *bytes, size_t len)
{
    char path[KEYS_PATH_MAX];
    FILE *f = fopen(keys_path(k, name, path), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void keys_make(const struct keys *k, const char *name, const char *type, unsigned bits)
{
    char path[KEYS_PATH_MAX], file[64];
    EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "EC", type);
    assert_non_null(key);
    snprintf(file, sizeof file, "%s.key", name);
    FILE *f = fopen(keys_path(k, file, path), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    snprintf(file, sizeof file, "%s.pub", name);
    f = fopen(keys_path(k, file, path), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PUBKEY(f, key), 1);
    fclose(f);
    EVP_PKEY_free(key);
}
