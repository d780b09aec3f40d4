/* grant.c - see grant.h. */
#include "grant.h"

#include <stdio.h>
#include <string.h>

bool grant_covers(const char *prefix, const struct moq_name *ns)
{
    for (size_t i = 0; *prefix; i++) {
        const size_t len = strcspn(prefix, "/");
        if (i >= ns->n_ns || ns->ns[i].len != len || memcmp(ns->ns[i].bytes, prefix, len) != 0)
            return false;
        prefix += len + (prefix[len] == '/');
    }
    return true;
}

static bool plain(uint8_t byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '/' && byte != '\\';
}

void grant_name_text(const struct moq_name *ns, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < ns->n_ns; i++) {
        if (i > 0 && at + 1 < size)
            out[at++] = '/';
        for (size_t j = 0; j < ns->ns[i].len; j++) {
            const uint8_t byte = ns->ns[i].bytes[j];
            if (at + sizeof "\\xHH" > size)
                break;
            if (plain(byte))
                out[at++] = (char)byte;
            else
                at += (size_t)snprintf(out + at, size - at, "\\x%02x", byte);
        }
    }
    out[at] = 0;
}
