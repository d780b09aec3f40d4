/* uri.c - takes a MOQT URI apart: scheme moqt, host or [IPv6], optional port, path = namespace. */
#include "uri.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int refuse(char *why, size_t size, const char *text, const char *what)
{
    snprintf(why, size, "\"%.100s\" is no server address: %s", text, what);
    return -1;
}

/* The port's digits, up to '/' or the end. */
static int parse_port(const char *p, const char *end, uint16_t *port)
{
    unsigned value = 0;
    if (p == end || end - p > 5)
        return -1;
    for (; p < end; p++) {
        if (!isdigit((unsigned char)*p))
            return -1;
        value = value * 10 + (unsigned)(*p - '0');
    }
    if (value == 0 || value > 65535)
        return -1;
    *port = (uint16_t)value;
    return 0;
}

static bool host_valid(const char *host, bool bracketed)
{
    struct in6_addr v6;
    if (bracketed)
        return inet_pton(AF_INET6, host, &v6) == 1;
    if (!*host)
        return false;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return false;
    return true;
}

/* Fields between single slashes; a slash at the end is forgiven. */
static int parse_namespace(char *out, const char *path)
{
    size_t len = strlen(path);
    if (len > 0 && path[len - 1] == '/')
        len--;
    if (len == 0 || len >= URI_NAMESPACE_MAX)
        return -1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)path[i];
        bool empty_field = c == '/' && (i == 0 || path[i - 1] == '/');
        if (empty_field || c <= ' ' || c == 0x7f || c == '?' || c == '#')
            return -1;
    }
    memcpy(out, path, len);
    out[len] = '\0';
    return 0;
}

int uri_parse(struct uri *out, const char *text, char *why, size_t why_size)
{
    struct uri u = { .port = URI_PORT_DEFAULT };
    if (strncasecmp(text, "moqt://", 7) != 0)
        return refuse(why, why_size, text, "it must begin with moqt://");
    const char *host = text + 7;
    bool bracketed = *host == '[';
    const char *host_end = bracketed ? strchr(host, ']') : host + strcspn(host, ":/");
    if (!host_end)
        return refuse(why, why_size, text, "a bracket is not closed");
    host += bracketed;
    size_t len = (size_t)(host_end - host);
    if (len >= sizeof u.host)
        return refuse(why, why_size, text, "the host name is too long");
    memcpy(u.host, host, len);
    if (!host_valid(u.host, bracketed))
        return refuse(why, why_size, text, "the host is neither a name nor an address");
    const char *p = host_end + bracketed;
    const char *slash = p + strcspn(p, "/");
    if (*p == ':') {
        if (parse_port(p + 1, slash, &u.port))
            return refuse(why, why_size, text, "the port is not in 1 to 65535");
    } else if (p != slash) {
        return refuse(why, why_size, text, "after the host a port or a path must follow");
    }
    if (*slash != '/' || parse_namespace(u.ns, slash + 1))
        return refuse(why, why_size, text, "the namespace is missing, as in moqt://host/live");
    snprintf(u.authority, sizeof u.authority, bracketed ? "[%s]:%u" : "%s:%u", u.host, u.port);
    *out = u;
    return 0;
}
