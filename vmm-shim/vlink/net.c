/* net.c - see net.h. One function a request; each checks all before it changes anything. */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_link.h"
#include "trace_file.h"
#include "view.h"

struct vlink_net {
    uint64_t seed;
    struct vlink_port_io *io;
    struct vlink_peer_io *peer_io;
    struct net_link link[VLINK_LINKS_MAX]; /* `link.link` NULL: the place is free */
};

/* ---- by name ---- */

static struct net_link *find(struct vlink_net *n, const char *name)
{
    for (struct net_link *l = n->link; l < n->link + VLINK_LINKS_MAX; l++)
        if (l->link && strcmp(vlink_link_name(l->link), name) == 0)
            return l;
    return NULL;
}

static struct net_link *need(struct vlink_net *n, const char *name, char *why, size_t why_size)
{
    struct net_link *l = find(n, name);
    if (!l)
        snprintf(why, why_size, "no link is called %s", name);
    return l;
}

static int need_port(const struct net_link *l, const char *name, char *why, size_t why_size)
{
    int place = vlink_link_port_find(l->link, name);
    if (place < 0)
        snprintf(why, why_size, "link %s has no port %s", vlink_link_name(l->link), name);
    return place;
}

/* FNV-1a: a link's randomness depends on its name, not on the order of requests. */
static uint64_t seed_of(const struct vlink_net *n, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return n->seed * 0x9e3779b97f4a7c15u + hash;
}

/* ---- settings ---- */

static void drop_trace(const struct vlink_trace *t)
{
    struct vlink_trace *own = (struct vlink_trace *)(uintptr_t)t;
    if (own)
        vlink_trace_fini(own);
    free(own);
}

/* What is asked for, before it is the link's. */
struct draft {
    struct vlink_way_config config[VLINK_WAYS];
    const struct vlink_trace *before[VLINK_WAYS]; /* the link's */
    char trace[VLINK_WAYS][VLINK_VALUE_MAX];
    bool rate_said[VLINK_WAYS], trace_said[VLINK_WAYS];
};

static void draft_drop(struct draft *d)
{
    for (unsigned way = 0; way < VLINK_WAYS; way++)
        if (d->config[way].config.trace != d->before[way])
            drop_trace(d->config[way].config.trace);
}

/* The draft has no trace of its own any more. */
static void forget_trace(struct draft *d, enum vlink_way way)
{
    struct vlink_config *c = &d->config[way].config;
    if (c->trace != d->before[way])
        drop_trace(c->trace);
    c->trace = NULL;
    d->trace[way][0] = 0;
}

static int draft_trace(struct draft *d, enum vlink_way way, const char *value, char *why,
                       size_t why_size)
{
    d->trace_said[way] = true;
    forget_trace(d, way);
    if (strcmp(value, "off") == 0) {
        if (!d->rate_said[way])
            d->config[way].given &= ~(unsigned)VLINK_GIVEN_RATE;
        return 0;
    }
    struct vlink_trace *t = calloc(1, sizeof *t);
    if (!t || vlink_trace_read(t, value, why, why_size) < 0) {
        if (!t)
            snprintf(why, why_size, "out of memory");
        free(t);
        return -1;
    }
    d->config[way].config.trace = t;
    d->config[way].config.rate_bps = 0;
    d->config[way].given |= VLINK_GIVEN_RATE;
    snprintf(d->trace[way], sizeof d->trace[way], "%s", value);
    return 0;
}

/* Back to what the parent's link has. */
static void draft_inherit(struct vlink_way_config *c, unsigned what)
{
    c->given &= ~what;
    if (what == VLINK_GIVEN_RATE)
        c->config.rate_bps = 0;
    else if (what == VLINK_GIVEN_DELAY)
        c->config.delay_ns = 0;
    else
        c->config.loss_ppm = 0;
}

static int draft_setting(struct draft *d, enum vlink_way way, const struct vlink_setting *s,
                         char *why, size_t why_size)
{
    struct vlink_way_config *c = &d->config[way];
    unsigned what = vlink_inheritable(s->key);
    if (strcmp(s->key, "trace") == 0)
        return draft_trace(d, way, s->value, why, why_size);
    if (what == VLINK_GIVEN_RATE) {
        d->rate_said[way] = true;
        forget_trace(d, way);
    }
    if (what && strcmp(s->value, VLINK_INHERIT) == 0) {
        draft_inherit(c, what);
        return 0;
    }
    c->given |= what;
    return vlink_config_set(&c->config, s->key, s->value, why, why_size);
}

static int draft_make(struct draft *d, const struct net_link *l, const struct vlink_request *r,
                      char *why, size_t why_size)
{
    memset(d, 0, sizeof *d);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        d->config[way] = *vlink_link_config(l->link, way);
        d->before[way] = d->config[way].config.trace;
        memcpy(d->trace[way], l->trace[way], sizeof d->trace[way]);
    }
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        for (size_t i = 0; i < r->n_settings; i++)
            if (r->setting[i].ways & 1u << way &&
                draft_setting(d, way, &r->setting[i], why, why_size) < 0)
                return -1;
        if (d->rate_said[way] && d->trace_said[way] && d->config[way].config.rate_bps &&
            d->trace[way][0]) {
            snprintf(why, why_size, "rate and trace exclude each other");
            return -1;
        }
    }
    return 0;
}

static int configure(struct net_link *l, const struct vlink_request *r, char *why, size_t why_size)
{
    struct draft d;
    char detail[VLINK_WHY_MAX];
    int result = draft_make(&d, l, r, why, why_size);
    if (result == 0) {
        result = vlink_link_configure(l->link, vlink_clock(), d.config, detail, sizeof detail);
        if (result < 0)
            snprintf(why, why_size, "%s: %s", r->link, detail);
    }
    if (result < 0) {
        draft_drop(&d);
        return -1;
    }
    memcpy(l->trace, d.trace, sizeof l->trace);
    if (r->weight)
        vlink_link_tenant_weigh(l->link, VLINK_OWN, r->weight);
    return 0;
}

/* ---- requests ---- */

static void close_link(struct net_link *l)
{
    vlink_upstream_close(l->upstream);
    vlink_tenants_close(l->tenants);
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++)
        vlink_port_close(l->port[i]);
    vlink_link_free(l->link);
    vlink_program_free(l->program);
    memset(l, 0, sizeof *l);
}

static int attach_to(struct vlink_net *n, struct net_link *l, const struct vlink_parent *parent,
                     char *why, size_t why_size)
{
    char detail[VLINK_WHY_MAX];
    for (const struct net_link *own = n->link; own < n->link + VLINK_LINKS_MAX; own++) {
        if (own->tenants && strcmp(vlink_tenants_path(own->tenants), parent->socket) == 0) {
            snprintf(why, why_size, "%s: the parent's link is one of this same slice",
                     vlink_link_name(l->link));
            return -1;
        }
    }
    if (vlink_upstream_open(&l->upstream, n->peer_io, l->link, parent, detail, sizeof detail) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", vlink_link_name(l->link), detail);
    return -1;
}

static int change_program(const struct vlink_net *n, struct net_link *l,
                          const struct vlink_request *r, char *why, size_t why_size)
{
    struct vlink_program *fresh = NULL;
    const char *name = vlink_link_name(l->link);
    if (r->program[0] && vlink_program_load(&fresh, r->program, name, r->argument, seed_of(n, name),
                                            why, why_size) < 0)
        return -1;
    vlink_link_set_filter(l->link, vlink_program_filter(fresh));
    vlink_program_free(l->program);
    l->program = fresh;
    return 0;
}

static int add_link(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = n->link;
    if (find(n, r->link)) {
        snprintf(why, why_size, "there is a link %s already", r->link);
        return -1;
    }
    while (l < n->link + VLINK_LINKS_MAX && l->link)
        l++;
    if (l == n->link + VLINK_LINKS_MAX) {
        snprintf(why, why_size, "there are %d links already, the most there can be",
                 VLINK_LINKS_MAX);
        return -1;
    }
    l->link = vlink_link_new(r->link, seed_of(n, r->link), vlink_clock());
    if (!l->link) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    if (configure(l, r, why, why_size) == 0 &&
        (!r->parent.socket[0] || attach_to(n, l, &r->parent, why, why_size) == 0) &&
        (!r->has_program || change_program(n, l, r, why, why_size) == 0) &&
        (!r->tenants[0] ||
         vlink_tenants_open(&l->tenants, n->peer_io, l->link, r->tenants, why, why_size) == 0))
        return 0;
    close_link(l);
    return -1;
}

static int add_port(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    if (!l)
        return -1;
    if (vlink_link_port_find(l->link, r->port) >= 0) {
        snprintf(why, why_size, "link %s has a port %s already", r->link, r->port);
        return -1;
    }
    bool first = true;
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++)
        first = first && !l->port[i];
    enum vlink_way side = r->has_side ? r->side : first ? VLINK_UP : VLINK_DOWN;
    struct vlink_port *p;
    int result =
        r->kind == VLINK_PORT_UNIX
            ? vlink_port_open_unix(&p, n->io, l->link, r->port, side, &r->unix_place, why, why_size)
            : vlink_port_open_interface(&p, n->io, l->link, r->port, side, r->kind, &r->interface,
                                        why, why_size);
    if (result == 0)
        l->port[vlink_port_place(p)] = p;
    return result;
}

static int remove_one(struct vlink_net *n, const struct vlink_request *r, char *why,
                      size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    if (!l)
        return -1;
    if (r->tenant[0]) {
        if (l->tenants && vlink_tenants_remove(l->tenants, r->tenant) > 0)
            return 0;
        snprintf(why, why_size, "link %s has no child slice %s", r->link, r->tenant);
        return -1;
    }
    if (!r->port[0]) {
        close_link(l);
        return 0;
    }
    int place = need_port(l, r->port, why, why_size);
    if (place < 0)
        return -1;
    vlink_port_close(l->port[place]);
    l->port[place] = NULL;
    return 0;
}

static int set(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    return l ? configure(l, r, why, why_size) : -1;
}

static int set_state(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    bool down = r->what == VLINK_DO_DOWN;
    if (!l)
        return -1;
    if (r->port[0]) {
        int place = need_port(l, r->port, why, why_size);
        if (place >= 0)
            vlink_link_port_set_down(l->link, (unsigned)place, down);
        return place < 0 ? -1 : 0;
    }
    struct vlink_way_config config[VLINK_WAYS];
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        config[way] = *vlink_link_config(l->link, way);
        if (r->ways & 1u << way)
            config[way].config.down = down;
    }
    return vlink_link_configure(l->link, vlink_clock(), config, why, why_size);
}

static json_t *stats(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    json_t *links = json_array();
    if (r->link[0] && !need(n, r->link, why, why_size)) {
        json_decref(links);
        return NULL;
    }
    for (const struct net_link *l = n->link; l < n->link + VLINK_LINKS_MAX; l++)
        if (l->link && (!r->link[0] || strcmp(vlink_link_name(l->link), r->link) == 0))
            json_array_append_new(links, vlink_view_link(l));
    return json_pack("{s:f, s:o}", "t_ms", (double)vlink_clock() / 1e6, "links", links);
}

static int attach(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    if (!l)
        return -1;
    if (l->upstream) {
        snprintf(why, why_size, "link %s has a parent already", r->link);
        return -1;
    }
    return attach_to(n, l, &r->parent, why, why_size);
}

static int program(struct vlink_net *n, const struct vlink_request *r, char *why, size_t why_size)
{
    struct net_link *l = need(n, r->link, why, why_size);
    return l ? change_program(n, l, r, why, why_size) : -1;
}

json_t *vlink_net_obey(struct vlink_net *n, const struct vlink_request *r, char *why,
                       size_t why_size)
{
    static int (*const requests[])(struct vlink_net * n, const struct vlink_request *r, char *why,
                                   size_t why_size) = {
        [VLINK_DO_ADD_LINK] = add_link, [VLINK_DO_ADD_PORT] = add_port,
        [VLINK_DO_REMOVE] = remove_one, [VLINK_DO_SET] = set,
        [VLINK_DO_UP] = set_state,      [VLINK_DO_DOWN] = set_state,
        [VLINK_DO_ATTACH] = attach,     [VLINK_DO_PROGRAM] = program,
    };
    if (r->what == VLINK_DO_STATS)
        return stats(n, r, why, why_size);
    return requests[r->what](n, r, why, why_size) < 0 ? NULL : json_object();
}

/* ---- time ---- */

/* What left the link's stages goes to sockets. When this link wants another turn. */
static vlink_time flush(struct net_link *l, vlink_time now)
{
    vlink_time next = VLINK_NEVER, at;
    if (l->upstream) {
        at = vlink_upstream_run(l->upstream, now);
        next = at < next ? at : next;
    }
    if (l->tenants) {
        uint32_t depth = l->upstream ? vlink_upstream_depth(l->upstream) : 0;
        at = vlink_tenants_run(l->tenants, depth, now);
        next = at < next ? at : next;
    }
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++) {
        at = l->port[i] ? vlink_port_run(l->port[i], now) : VLINK_NEVER;
        next = at < next ? at : next;
    }
    at = vlink_link_next(l->link);
    return at < next ? at : next;
}

vlink_time vlink_net_run(struct vlink_net *n)
{
    vlink_time now = vlink_clock(), next = VLINK_NEVER;
    for (struct net_link *l = n->link; l < n->link + VLINK_LINKS_MAX; l++) {
        if (!l->link)
            continue;
        vlink_link_run(l->link, now);
        vlink_time at = flush(l, now);
        next = at < next ? at : next;
    }
    return next;
}

/* ---- life ---- */

struct vlink_net *vlink_net_new(int epoll_fd, uint64_t seed)
{
    struct vlink_net *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->seed = seed;
    n->io = vlink_port_io_new(epoll_fd);
    n->peer_io = vlink_peer_io_new(epoll_fd);
    if (n->io && n->peer_io)
        return n;
    vlink_net_free(n);
    return NULL;
}

void vlink_net_free(struct vlink_net *n)
{
    if (!n)
        return;
    for (struct net_link *l = n->link; l < n->link + VLINK_LINKS_MAX; l++)
        if (l->link)
            close_link(l);
    vlink_port_io_free(n->io);
    vlink_peer_io_free(n->peer_io);
    free(n);
}
