/* config_rules.c - see config_rules.h: the pure part. */
#include "config_rules.h"

#include <stdio.h>
#include <string.h>

#include "live.h"

#define WHY_MAX 256

static const char how_to_make_one[] =
    "cert and key are needed; this makes a pair: openssl req -x509 -newkey ec -pkeyopt "
    "ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -addext "
    "subjectAltName=DNS:localhost -keyout server.key -out server.pem (viewers then need --ca "
    "server.pem)";

static bool is_moqt(const char *uri)
{
    static const char scheme[] = "moqt://";
    return uri && strncmp(uri, scheme, sizeof scheme - 1) == 0 && uri[sizeof scheme - 1];
}

/* An upstream's namespace is behind its host. */
static bool has_path(const char *uri)
{
    const char *slash = is_moqt(uri) ? strchr(uri + strlen("moqt://"), '/') : NULL;
    return slash && slash[1];
}

static void source_rules(const struct config_source *s, struct problems *to)
{
    char why[WHY_MAX];
    struct live_config live;
    switch (s->kind) {
    case CONFIG_FILE:
        if (!s->input)
            problems_add(to, "source %s: a file needs an input", s->ns);
        break;
    case CONFIG_LIVE:
        if (config_live(&live, s, why, sizeof why) < 0)
            problems_add(to, "source %s: %s", s->ns, why);
        break;
    case CONFIG_UPSTREAM:
        if (!has_path(s->input))
            problems_add(to, "source %s: input takes moqt://HOST:PORT/NAMESPACE, not \"%.64s\"",
                         s->ns, s->input ? s->input : "");
        break;
    case CONFIG_PUBLISH:
        if (s->input)
            problems_add(to, "source %s: what is published to us has no input", s->ns);
        break;
    }
    if (s->sound && s->kind != CONFIG_LIVE)
        problems_add(to, "source %s: sound is for live sources", s->ns);
    if (s->start_s > 0 && s->kind != CONFIG_FILE)
        problems_add(to, "source %s: start_s is for files", s->ns);
}

/* Is `ns` served by one of the sources? */
static bool is_served(const struct config *c, const char *ns)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        const struct config_source *s = &c->source[i];
        const size_t n = strlen(s->ns);
        if (strcmp(s->ns, ns) == 0 ||
            (s->kind == CONFIG_PUBLISH && strncmp(s->ns, ns, n) == 0 && ns[n] == '/'))
            return true;
    }
    return false;
}

static void push_rules(const struct config *c, const struct config_push *p, struct problems *to)
{
    if (!p->ns || !is_moqt(p->to))
        problems_add(to, "push %s: needs a namespace, and moqt://HOST:PORT in `to`",
                     p->ns ? p->ns : "?");
    else if (!is_served(c, p->ns))
        problems_add(to, "push %s: there is no such source", p->ns);
}

static void same_names(const struct config *c, struct problems *to)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->source[i].ns, c->source[k].ns) == 0) {
                problems_add(to, "namespace %s: two sources have it", c->source[i].ns);
                break;
            }
        }
    }
}

/* Are other hosts let in? */
static bool is_open(const char *listen)
{
    return strncmp(listen, "127.", 4) != 0 && strncmp(listen, "[::1]", 5) != 0;
}

void config_rules(const struct config *c, struct problems *to)
{
    if (!c->cert || !c->key)
        problems_add(to, "%s", how_to_make_one);
    if (c->n_sources == 0)
        problems_add(to, "no source to serve");
    for (size_t i = 0; i < c->n_sources; i++)
        source_rules(&c->source[i], to);
    same_names(c, to);
    for (size_t i = 0; i < c->n_pushes; i++)
        push_rules(c, &c->push[i], to);
    if (c->control.listen && is_open(c->control.listen) && !c->control.token)
        problems_add(to, "control.listen %s is open to others: control.token is needed",
                     c->control.listen);
    if (c->access.token_key && !c->access.token_algorithm)
        problems_add(to, "access.token_key needs access.token_algorithm");
    if (c->transport.lb_key && c->transport.server_id_len == 0)
        problems_add(to, "transport.lb_key is nothing without transport.server_id");
}
