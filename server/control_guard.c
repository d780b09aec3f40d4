/* control_guard.c - see control_guard.h. */
#include "control_guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 80

static bool is_port(const char *p)
{
    size_t n = strspn(p, "0123456789");
    return n >= 1 && n <= 5 && p[n] == 0;
}

bool guard_host(const char *host)
{
    char name[HOST_MAX];
    unsigned char binary[sizeof(struct in6_addr)];
    if (!host || strlen(host) >= sizeof name)
        return false;
    const bool is_v6 = host[0] == '[';
    const size_t n = is_v6 ? strcspn(host + 1, "]") : strcspn(host, ":");
    memcpy(name, host + is_v6, n);
    name[n] = 0;
    const char *rest = host + is_v6 + n;
    if (is_v6 && *rest++ != ']')
        return false;
    if (*rest && (*rest != ':' || !is_port(rest + 1)))
        return false;
    if (is_v6)
        return inet_pton(AF_INET6, name, binary) == 1;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, binary) == 1;
}

bool guard_origin(const char *origin, const char *fetch_site, const char *host)
{
    static const char scheme[] = "http://", tls[] = "https://"; /* tls: a proxy in front of us */
    if (fetch_site && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
        return false;
    if (!origin)
        return true;
    if (!host)
        return false;
    if (strncasecmp(origin, scheme, sizeof scheme - 1) == 0)
        return strcasecmp(origin + sizeof scheme - 1, host) == 0;
    return strncasecmp(origin, tls, sizeof tls - 1) == 0 &&
           strcasecmp(origin + sizeof tls - 1, host) == 0;
}

bool guard_bearer(const char *header, const char *token)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    header += sizeof scheme - 1;
    header += strspn(header, " ");
    const size_t n = strlen(token);
    return strlen(header) == n && CRYPTO_memcmp(header, token, n) == 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool guard_uri(const char *uri)
{
    if (strlen(uri) > GUARD_URI_MAX)
        return false;
    for (const char *p = uri; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
        if (*p != '%')
            continue;
        const int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
        if (low < 0 || high * 16 + low < ' ' || high * 16 + low == 0x7f)
            return false;
        p += 2;
    }
    return true;
}
