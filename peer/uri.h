/* uri.h - moqt://host[:port]/namespace, taken apart. Pure. */
#ifndef PEER_URI_H
#define PEER_URI_H

#include <stddef.h>
#include <stdint.h>

#define URI_HOST_MAX 256      /* bytes with NUL */
#define URI_NAMESPACE_MAX 512 /* bytes with NUL */
#define URI_PORT_DEFAULT 4433

struct uri {
    char host[URI_HOST_MAX]; /* name or address literal, without brackets */
    uint16_t port;
    char authority[URI_HOST_MAX + 10]; /* "host:port" or "[v6]:port", port always given */
    char ns[URI_NAMESPACE_MAX];        /* "a/b": fields joined with '/', no slash at either end */
};

/* 0, or -1 with one line in `why` (at least 1 byte). */
int uri_parse(struct uri *out, const char *text, char *why, size_t why_size);

#endif
