/* keys.h - keys of every kind for the tests of tokens, made on the spot in a fresh directory. */
#ifndef TEST_SERVER_KEYS_H
#define TEST_SERVER_KEYS_H

#include <stddef.h>
#include <stdint.h>

#define KEYS_PATH_MAX 160

struct keys {
    char dir[64];
};

void keys_init(struct keys *k);
void keys_fini(struct keys *k); /* removes the directory with all in it */
/* Names of files; `out` has KEYS_PATH_MAX bytes. */
const char *keys_path(const struct keys *k, const char *name, char *out);
void keys_write(const struct keys *k, const char *name, const void *bytes, size_t len);
/* NAME.key and NAME.pub: "P-256", "P-384", "P-521" or "RSA"; `bits` for RSA. */
void keys_make(const struct keys *k, const char *name, const char *type, unsigned bits);

#endif
