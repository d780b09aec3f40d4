/* credential.c - see credential.h. */
#include "credential.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char token_set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three parts in base64url (RFC 7515 7.1), as no name of a file looks. */
static bool is_token(const char *text)
{
    size_t parts = 1;
    for (;; parts++) {
        const size_t n = strspn(text, token_set);
        text += n;
        if (n == 0 && parts < 3)
            return false;
        if (*text != '.')
            break;
        text++;
    }
    return parts == 3 && !*text;
}

static int take(const char *text, size_t len, char *out, const char *name, char *why, size_t size)
{
    static const char space[] = " \t\r\n";
    while (len > 0 && strchr(space, text[len - 1]))
        len--;
    while (len > 0 && strchr(space, *text)) {
        text++;
        len--;
    }
    if (len == 0 || len > CREDENTIAL_TOKEN_MAX) {
        snprintf(why, size, "%s: %s", name, len ? "too long for a token" : "no token in it");
        return -1;
    }
    memmove(out, text, len);
    out[len] = 0;
    return (int)len;
}

int credential_token(const char *from, char out[CREDENTIAL_TOKEN_MAX + 1], char *why,
                     size_t why_size)
{
    char bytes[CREDENTIAL_TOKEN_MAX + 64]; /* white space too */
    FILE *f = fopen(from, "re");
    if (!f && is_token(from))
        return take(from, strlen(from), out, "the token", why, why_size);
    if (!f) {
        snprintf(why, why_size, "%s: %s", strlen(from) > 200 ? "the token" : from, strerror(errno));
        return -1;
    }
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    const bool failed = ferror(f);
    fclose(f);
    if (failed) {
        snprintf(why, why_size, "%s: cannot be read", from);
        return -1;
    }
    return take(bytes, n, out, from, why, why_size);
}
