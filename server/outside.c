/* outside.c - see outside.h. */
#include "outside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "log.h"
#include "push.h"
#include "upstream.h"

#define WHY_MAX 256

struct other { /* one upstream or push */
    LIST_ENTRY(other) link;
    char *ns, *uri, *ca, *token; /* owned, some NULL */
    bool on_demand;
    struct config_source source; /* of these strings */
    struct config_push config_push;
    struct upstream *upstream; /* one of the two */
    struct push *push;
};

struct outside {
    struct ev_loop *loop;
    struct relay *relay;
    struct directory *directory;
    LIST_HEAD(, other) others;
};

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static char *copy(const char *text, bool *failed)
{
    char *out = text ? strdup(text) : NULL;
    *failed = *failed || (text && !out);
    return out;
}

static void free_other(struct other *x)
{
    upstream_free(x->upstream);
    push_free(x->push);
    free(x->ns);
    free(x->uri);
    free(x->ca);
    free(x->token);
    free(x);
}

static void remove_other(struct other *x)
{
    LIST_REMOVE(x, link);
    free_other(x);
}

static bool is_source(const struct other *x, const struct config_source *s)
{
    return x->upstream && s->kind == CONFIG_UPSTREAM && same(x->ns, s->ns) &&
           same(x->uri, s->input) && same(x->ca, s->ca) && same(x->token, s->token) &&
           x->on_demand == s->on_demand;
}

static bool is_push(const struct other *x, const struct config_push *p)
{
    return x->push && same(x->ns, p->ns) && same(x->uri, p->to) && same(x->ca, p->ca) &&
           same(x->token, p->token);
}

static bool is_listed(const struct other *x, const struct config *cfg)
{
    for (size_t i = 0; i < cfg->n_sources; i++)
        if (is_source(x, &cfg->source[i]))
            return true;
    for (size_t i = 0; i < cfg->n_pushes; i++)
        if (is_push(x, &cfg->push[i]))
            return true;
    return false;
}

static struct other *copy_of(const char *ns, const char *uri, const char *ca, const char *token)
{
    struct other *x = calloc(1, sizeof *x);
    bool failed = false;
    if (!x)
        return NULL;
    x->ns = copy(ns, &failed);
    x->uri = copy(uri, &failed);
    x->ca = copy(ca, &failed);
    x->token = copy(token, &failed);
    if (!failed)
        return x;
    free_other(x);
    return NULL;
}

static void add(struct outside *o, struct other *x, int result, const char *why)
{
    if (x && result == 0) {
        LIST_INSERT_HEAD(&o->others, x, link);
        return;
    }
    log_line(LOG_ERROR, "%s: %s", x ? x->ns : "?", x ? why : "out of memory");
    if (x)
        free_other(x);
}

static void add_upstream(struct outside *o, const struct config_source *s,
                         const struct config_transport *transport)
{
    char why[WHY_MAX] = "";
    struct other *x = copy_of(s->ns, s->input, s->ca, s->token);
    int result = -1;
    if (x) {
        x->on_demand = s->on_demand;
        x->source = (struct config_source){ .ns = x->ns,
                                            .kind = CONFIG_UPSTREAM,
                                            .input = x->uri,
                                            .ca = x->ca,
                                            .token = x->token,
                                            .on_demand = s->on_demand };
        result =
            upstream_new(&x->upstream, o->loop, o->relay, &x->source, transport, why, sizeof why);
    }
    add(o, x, result, why);
}

static void add_push(struct outside *o, const struct config_push *p,
                     const struct config_transport *transport)
{
    char why[WHY_MAX] = "only what is encoded or read here is pushed";
    struct broadcast *b = directory_find(o->directory, p->ns);
    struct other *x = copy_of(p->ns, p->to, p->ca, p->token);
    int result = -1;
    if (x && b) {
        x->config_push =
            (struct config_push){ .ns = x->ns, .to = x->uri, .ca = x->ca, .token = x->token };
        result = push_new(&x->push, o->loop, &x->config_push, transport, b, why, sizeof why);
    }
    add(o, x, result, why);
}

void outside_apply(struct outside *o, const struct config *cfg)
{
    struct other *x, *next;
    for (x = LIST_FIRST(&o->others); x; x = next) {
        next = LIST_NEXT(x, link);
        if (!is_listed(x, cfg))
            remove_other(x);
    }
    for (size_t i = 0; i < cfg->n_sources; i++) {
        LIST_FOREACH(x, &o->others, link)
        {
            if (is_source(x, &cfg->source[i]))
                break;
        }
        if (!x && cfg->source[i].kind == CONFIG_UPSTREAM)
            add_upstream(o, &cfg->source[i], &cfg->transport);
    }
    for (size_t i = 0; i < cfg->n_pushes; i++) {
        LIST_FOREACH(x, &o->others, link)
        {
            if (is_push(x, &cfg->push[i]))
                break;
        }
        if (!x)
            add_push(o, &cfg->push[i], &cfg->transport);
    }
}

void outside_forget(struct outside *o, const char *ns)
{
    struct other *x, *next;
    for (x = LIST_FIRST(&o->others); x; x = next) {
        next = LIST_NEXT(x, link);
        if (x->push && same(x->ns, ns))
            remove_other(x);
    }
}

size_t outside_count(const struct outside *o)
{
    const struct other *x;
    size_t n = 0;
    LIST_FOREACH(x, &o->others, link)
    {
        n += x->upstream != NULL;
    }
    return n;
}

void outside_snapshot(const struct outside *o, size_t i, struct snapshot_source *out)
{
    const struct other *x;
    LIST_FOREACH(x, &o->others, link)
    {
        if (x->upstream && i-- == 0) {
            upstream_snapshot(x->upstream, out);
            return;
        }
    }
}

struct outside *outside_new(struct ev_loop *loop, struct relay *relay, struct directory *directory)
{
    struct outside *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->loop = loop;
    o->relay = relay;
    o->directory = directory;
    LIST_INIT(&o->others);
    return o;
}

void outside_free(struct outside *o)
{
    if (!o)
        return;
    while (!LIST_EMPTY(&o->others))
        remove_other(LIST_FIRST(&o->others));
    free(o);
}
