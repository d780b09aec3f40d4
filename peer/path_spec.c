/* path_spec.c - understands what a person writes after --path. */
#include "path_spec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* "address:port" or "[v6]:port"; a name would need a look-up per path and is not taken. */
static bool is_address_port(const char *text)
{
    char host[PATH_SPEC_ADDRESS_MAX];
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof host)
        return false;
    size_t len = (size_t)(colon - text);
    bool bracketed = text[0] == '[' && text[len - 1] == ']';
    memcpy(host, text + bracketed, len - 2 * (size_t)bracketed);
    host[len - 2 * (size_t)bracketed] = '\0';
    if (!is_address(host) || (strchr(host, ':') && !bracketed))
        return false;
    char *end;
    if (!isdigit((unsigned char)colon[1]))
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return *end == '\0' && port > 0 && port <= 65535;
}

static bool is_word(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.@:", *c))
            return false;
    return *text != '\0';
}

struct key {
    const char *word; /* with its '=' */
    char *value;
    size_t size;
    bool (*valid)(const char *);
    const char *what; /* for the message */
};

static int take_key(const struct key *k, const char *value, char *why, size_t why_size)
{
    if (*k->value) {
        snprintf(why, why_size, "%s is given twice", k->word);
        return -1;
    }
    if (strlen(value) >= k->size || !k->valid(value)) {
        snprintf(why, why_size, "\"%.80s\" is no %s", value, k->what);
        return -1;
    }
    memcpy(k->value, value, strlen(value) + 1);
    return 0;
}

static int take_part(struct path_spec *s, const char *part, char *why, size_t why_size)
{
    const struct key keys[] = {
        { "dev=", s->interface, sizeof s->interface, is_word, "interface name" },
        { "local=", s->local, sizeof s->local, is_address, "local address" },
        { "to=", s->remote, sizeof s->remote, is_address_port, "address:port" },
        { "name=", s->name, sizeof s->name, is_word, "name of up to 15 letters" },
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strncmp(part, keys[i].word, strlen(keys[i].word)) == 0)
            return take_key(&keys[i], part + strlen(keys[i].word), why, why_size);
    if (strcmp(part, "backup") == 0) {
        s->backup = true;
        return 0;
    }
    if (is_address(part)) /* the two short forms */
        return take_key(&keys[1], part, why, why_size);
    if (!strchr(part, '='))
        return take_key(&keys[0], part, why, why_size);
    snprintf(why, why_size, "\"%.80s\" is not understood (dev=, local=, to=, name=, backup)", part);
    return -1;
}

static void name_it(struct path_spec *s)
{
    const char *from = *s->interface ? s->interface : *s->local ? s->local : s->remote;
    if (!*s->name)
        snprintf(s->name, sizeof s->name, "%.15s", *from ? from : "default");
}

int path_spec_parse(struct path_spec *out, const char *text, char *why, size_t why_size)
{
    struct path_spec s = { 0 };
    char part[128];
    for (const char *p = text;;) {
        size_t len = strcspn(p, ",");
        if (len == 0 || len >= sizeof part) {
            snprintf(why, why_size, "a part is %s", len ? "too long" : "empty");
            return -1;
        }
        memcpy(part, p, len);
        part[len] = '\0';
        if (take_part(&s, part, why, why_size))
            return -1;
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    name_it(&s);
    *out = s;
    return 0;
}

void path_spec_address(const struct sockaddr_storage *at, char out[PATH_SPEC_ADDRESS_MAX])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
    snprintf(out, PATH_SPEC_ADDRESS_MAX, "?");
    if (at->ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host))
        snprintf(out, PATH_SPEC_ADDRESS_MAX, "%s:%u", host, ntohs(v4->sin_port));
    if (at->ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host))
        snprintf(out, PATH_SPEC_ADDRESS_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
}
