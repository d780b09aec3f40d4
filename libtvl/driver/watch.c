/*
 * watch.c - the paths of one connection follow the interfaces of the host. Contract: tvl_ev_watch.
 *
 *              usable, room, retry is due                interface or address gone
 *     WANTED ----------------------------> OPEN ------------------------------------> GONE
 *        ^                                  |                                          |
 *        +------- path abandoned -----------+      <----- another path is up: abandon -+
 *
 * A link is one interface towards one address of the server. reconcile() compares the links with
 * the interfaces and does what is missing; everything that happens only calls it.
 */
#include "ev_internal.h"
#include "interfaces.h"
#include "udp.h"

#include <errno.h>
#include <ev.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 32     /* interface and server address pairs looked after */
#define SERVERS_MAX 8    /* addresses of the server */
#define PATTERNS_MAX 16  /* of each list */
#define PATTERN_BYTES 32 /* of one, with NUL */
#define RETRY_FIRST_S 1.0
#define RETRY_LAST_S 30.0

struct patterns {
    char text[PATTERNS_MAX][PATTERN_BYTES];
    size_t n;
    bool given;
};

enum link_state { LINK_WANTED, LINK_OPEN, LINK_GONE };

struct link {
    enum link_state state;
    char interface[IF_NAMESIZE];
    unsigned index;                /* of the interface when it was opened */
    struct sockaddr_storage local; /* its address then */
    size_t server;
    uint32_t path_id; /* OPEN, GONE; WANTED: the last one, UINT32_MAX: none yet */
    double retry_at;  /* s, CLOCK_MONOTONIC: WANTED, not before */
    double pause;     /* s before the next try */
    bool usable;      /* as of the reconcile under way */
};

struct tvl_watch {
    struct tvl_ev *driver;
    struct tvl_conn *conn;
    struct tvl_interfaces *interfaces;
    ev_io readable;
    ev_timer retry;
    struct patterns allow, deny, backup;
    struct sockaddr_storage server[SERVERS_MAX];
    size_t n_servers;
    struct link link[LINKS_MAX];
    size_t n_links;
};

/* ---- names ---- */

static int copy_patterns(struct patterns *out, const char *const *list)
{
    out->given = list != NULL;
    for (; list && *list; list++) {
        if (out->n == PATTERNS_MAX || strlen(*list) >= PATTERN_BYTES)
            return TVL_ERR_ARG;
        memcpy(out->text[out->n++], *list, strlen(*list) + 1);
    }
    return 0;
}

static bool matches(const struct patterns *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (fnmatch(p->text[i], name, 0) == 0)
            return true;
    return false;
}

static bool leads_nowhere(const char *name)
{
    static const char *const inner[] = { "docker*", "br-*", "veth*", "virbr*", "lxc*", "cni*" };

    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (fnmatch(inner[i], name, 0) == 0)
            return true;
    return false;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *sin = (const void *)a;
    const struct sockaddr_in6 *sin6 = (const void *)a;

    return a->ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
                                    : (ntohl(sin->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}

static bool allowed(const struct tvl_watch *w, const struct tvl_interface *i,
                    const struct sockaddr_storage *server)
{
    if (matches(&w->deny, i->name) || i->loopback != is_loopback(server))
        return false;
    return w->allow.given ? matches(&w->allow, i->name) : i->loopback || !leads_nowhere(i->name);
}

/* ---- links ---- */

static double loop_now(const struct tvl_watch *w)
{
    return (double)tvl_ev_now(w->driver) / 1e6; /* ev_now() steps with the wall clock */
}

static struct link *link_of_path(struct tvl_watch *w, uint32_t path_id)
{
    for (size_t i = 0; i < w->n_links; i++)
        if (w->link[i].state != LINK_WANTED && w->link[i].path_id == path_id)
            return &w->link[i];
    return NULL;
}

static struct link *link_of(struct tvl_watch *w, const char *interface, size_t server)
{
    for (size_t i = 0; i < w->n_links; i++)
        if (w->link[i].server == server && strcmp(w->link[i].interface, interface) == 0)
            return &w->link[i];
    if (w->n_links == LINKS_MAX)
        return NULL;
    struct link *l = &w->link[w->n_links++];
    *l = (struct link){ .server = server, .path_id = UINT32_MAX, .pause = RETRY_FIRST_S };
    memcpy(l->interface, interface, strlen(interface) + 1);
    return l;
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    return a->ss_family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr)
                                    : a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* Whether a path over `l` as it was opened can still work, and may. */
static bool still_there(const struct tvl_watch *w, const struct link *l)
{
    for (size_t i = 0; i < tvl_interfaces_count(w->interfaces); i++) {
        const struct tvl_interface *f = tvl_interfaces_at(w->interfaces, i);

        if (f->index == l->index && f->running && strcmp(f->name, l->interface) == 0)
            return !matches(&w->deny, f->name) &&
                   tvl_interfaces_with(w->interfaces, &l->local) == f;
    }
    return false;
}

/* Paths that carry data now, or will in a moment, beside this one. */
static size_t others_up(const struct tvl_watch *w, uint32_t path_id, size_t *all)
{
    struct tvl_path_stats st[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(w->conn, st, sizeof st / sizeof st[0]);
    size_t up = 0;

    *all = 0;
    for (size_t i = 0; i < n; i++) {
        *all += st[i].state != TVL_PATH_ABANDONED;
        up += st[i].id != path_id && st[i].state == TVL_PATH_UP;
    }
    return up;
}

/* The interface of an open link went away: leave, or wait where there is nothing else. */
static void leave(struct tvl_watch *w, struct link *l)
{
    const tvl_time now = tvl_ev_now(w->driver);
    size_t all;

    if (others_up(w, l->path_id, &all) > 0 && tvl_path_abandon(w->conn, l->path_id, now) == 0) {
        l->state = LINK_WANTED;
        l->retry_at = 0;
        return;
    }
    l->state = LINK_GONE;
    (void)tvl_path_hint_down(w->conn, l->path_id, now);
}

static void put_off(struct tvl_watch *w, struct link *l)
{
    l->state = LINK_WANTED;
    l->retry_at = loop_now(w) + l->pause;
    l->pause = 2 * l->pause < RETRY_LAST_S ? 2 * l->pause : RETRY_LAST_S;
}

static void opened(struct link *l, const struct tvl_interface *f,
                   const struct sockaddr_storage *local, uint32_t path_id)
{
    l->state = LINK_OPEN;
    l->index = f->index;
    l->local = *local;
    l->path_id = path_id;
}

static bool has_multipath(const struct tvl_watch *w)
{
    struct tvl_conn_stats st;

    tvl_conn_get_stats(w->conn, &st);
    return st.multipath;
}

/* A path whose interface is gone; NULL: there is none. */
static struct link *stranded(struct tvl_watch *w)
{
    for (size_t i = 0; i < w->n_links; i++)
        if (w->link[i].state == LINK_GONE)
            return &w->link[i];
    return NULL;
}

static void open_link(struct tvl_watch *w, struct link *l, const struct tvl_interface *f,
                      const struct sockaddr_storage *local)
{
    const struct tvl_ev_path path = { .interface = f->name,
                                      .backup = matches(&w->backup, f->name) };
    struct link *from = has_multipath(w) ? NULL : stranded(w);
    int id;
    size_t all;

    (void)others_up(w, UINT32_MAX, &all);
    if (from) { /* the one path of a peer without multipath */
        id = tvl_ev_path_move(w->driver, w->conn, from->path_id, f->name, &w->server[l->server]);
        if (id >= 0) {
            id = (int)from->path_id;
            from->state = LINK_WANTED;
        }
    } else {
        if (all >= (has_multipath(w) ? TVL_PATHS_MAX : 1))
            return;
        id = tvl_ev_path_over(w->driver, w->conn, &path, &w->server[l->server]);
    }
    if (id < 0)
        put_off(w, l);
    else
        opened(l, f, local, (uint32_t)id);
}

/* ---- the comparison ---- */

static void leave_gone(struct tvl_watch *w)
{
    for (size_t i = 0; i < w->n_links; i++) {
        struct link *l = &w->link[i];

        if (l->state == LINK_OPEN && !still_there(w, l))
            leave(w, l);
        else if (l->state == LINK_GONE && still_there(w, l))
            l->state = LINK_OPEN; /* as it was: its probes will find out */
        else if (l->state == LINK_GONE)
            leave(w, l);
    }
}

static void open_missing(struct tvl_watch *w, size_t server)
{
    for (size_t i = 0; i < tvl_interfaces_count(w->interfaces); i++) {
        const struct tvl_interface *f = tvl_interfaces_at(w->interfaces, i);
        const struct sockaddr_storage *local =
            tvl_interfaces_address(w->interfaces, f->index, w->server[server].ss_family);

        if (!f->running || !local || !allowed(w, f, &w->server[server]))
            continue;
        struct link *l = link_of(w, f->name, server);
        if (l && l->state == LINK_WANTED && l->retry_at <= loop_now(w))
            open_link(w, l, f, local);
    }
}

static void arm_retry(struct tvl_watch *w)
{
    double at = 0;

    for (size_t i = 0; i < w->n_links; i++)
        if (w->link[i].state == LINK_WANTED && w->link[i].retry_at > loop_now(w) &&
            (at == 0 || w->link[i].retry_at < at))
            at = w->link[i].retry_at;
    ev_timer_stop(tvl_ev_loop(w->driver), &w->retry);
    if (at == 0)
        return;
    ev_timer_set(&w->retry, at - loop_now(w), 0);
    ev_timer_start(tvl_ev_loop(w->driver), &w->retry);
}

static void reconcile(struct tvl_watch *w)
{
    leave_gone(w);
    for (size_t server = 0; server < w->n_servers; server++)
        open_missing(w, server);
    arm_retry(w);
}

/* ---- what happens ---- */

void tvl_watch_on_event(struct tvl_watch *w, const struct tvl_event *ev)
{
    struct link *l;

    if (ev->type == TVL_EVENT_CONNECTED) /* only now it is known whether there may be several */
        reconcile(w);
    if (ev->type != TVL_EVENT_PATH)
        return;
    l = link_of_path(w, ev->path.id);
    if (l && ev->path.state == TVL_PATH_UP)
        l->pause = RETRY_FIRST_S;
    if (l && ev->path.state == TVL_PATH_ABANDONED)
        put_off(w, l);
    reconcile(w);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct tvl_watch *w = io->data;
    struct tvl_ev *d = w->driver;

    (void)loop;
    (void)revents;
    if (!tvl_interfaces_read(w->interfaces))
        return;
    for (size_t i = 0; i < w->n_links; i++)
        w->link[i].retry_at = 0;
    reconcile(w);
    tvl_ev_kick(d); /* the connection may end in it, and the watch with it */
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct tvl_watch *w = timer->data;
    struct tvl_ev *d = w->driver;

    (void)loop;
    (void)revents;
    reconcile(w);
    tvl_ev_kick(d); /* the connection may end in it, and the watch with it */
}

/* ---- set-up ---- */

static int add_server(struct tvl_watch *w, const char *text)
{
    struct sockaddr_storage found[SERVERS_MAX];
    const int n = tvl_udp_parse_all(found, SERVERS_MAX - w->n_servers, text);

    if (n < 0)
        return n;
    memcpy(&w->server[w->n_servers], found, (size_t)n * sizeof found[0]);
    w->n_servers += (size_t)n;
    return 0;
}

static int set_servers(struct tvl_watch *w, const char *const *servers, char *why, size_t why_size)
{
    if (!servers)
        w->server[w->n_servers++] = *tvl_ev_server(w->driver);
    for (; servers && *servers; servers++) {
        const int r = add_server(w, *servers);

        if (r != 0) {
            tvl_ev_say(why, why_size, "%s: unknown host, or not HOST:PORT", *servers);
            return r;
        }
    }
    return 0;
}

/* The address a socket to `remote` would have: the system's own choice. A connected UDP socket
 * sends nothing. */
static int routed_address(const struct sockaddr_storage *remote, struct sockaddr_storage *local)
{
    socklen_t len = sizeof *local;
    const int fd = socket(remote->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = -1;

    if (fd >= 0 && connect(fd, (const struct sockaddr *)remote, tvl_udp_len(remote)) == 0)
        r = getsockname(fd, (struct sockaddr *)local, &len);
    if (fd >= 0)
        close(fd);
    return r;
}

/* The interface an existing path runs over; NULL: nobody knows. */
static const struct tvl_interface *interface_of(const struct tvl_interfaces *all,
                                                const struct tvl_path_stats *st, const char *device)
{
    struct sockaddr_storage local = st->local;

    for (size_t i = 0; i < tvl_interfaces_count(all); i++)
        if (*device && strcmp(tvl_interfaces_at(all, i)->name, device) == 0)
            return tvl_interfaces_at(all, i);
    const struct tvl_interface *f = tvl_interfaces_with(all, &local);
    return f || routed_address(&st->remote, &local) != 0 ? f : tvl_interfaces_with(all, &local);
}

/* Paths that are there already take the place of those we would open. */
static void adopt_paths(struct tvl_watch *w)
{
    struct tvl_path_stats st[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(w->conn, st, sizeof st / sizeof st[0]);

    for (size_t i = 0; i < n; i++) {
        const struct tvl_interface *f =
            interface_of(w->interfaces, &st[i], tvl_ev_path_device(w->driver, w->conn, st[i].id));
        size_t server = 0;

        while (server < w->n_servers && !same_host(&w->server[server], &st[i].remote))
            server++;
        struct link *l = f && st[i].state != TVL_PATH_ABANDONED && server < w->n_servers
                             ? link_of(w, f->name, server)
                             : NULL;
        const struct sockaddr_storage *local =
            f ? tvl_interfaces_address(w->interfaces, f->index, st[i].remote.ss_family) : NULL;
        if (l && l->state == LINK_WANTED && local)
            opened(l, f, local, st[i].id);
    }
}

void tvl_watch_free(struct tvl_watch *w)
{
    if (!w)
        return;
    ev_io_stop(tvl_ev_loop(w->driver), &w->readable);
    ev_timer_stop(tvl_ev_loop(w->driver), &w->retry);
    tvl_interfaces_free(w->interfaces);
    free(w);
}

const struct tvl_conn *tvl_watch_conn(const struct tvl_watch *w)
{
    return w->conn;
}

/* Other patterns for a connection that is watched: what they say is done at once. */
static int rewatch(struct tvl_watch *w, const struct tvl_watch *wish)
{
    const tvl_time now = tvl_ev_now(w->driver);

    w->allow = wish->allow;
    w->deny = wish->deny;
    w->backup = wish->backup;
    for (size_t i = 0; i < w->n_links; i++) {
        struct link *l = &w->link[i];

        if (l->state == LINK_OPEN)
            (void)tvl_path_set_backup(w->conn, l->path_id, matches(&w->backup, l->interface), now);
        l->retry_at = 0;
    }
    reconcile(w);
    tvl_ev_kick(w->driver);
    return 0;
}

int tvl_ev_watch(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_watch *cfg, char *why,
                 size_t why_size)
{
    struct tvl_watch *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return TVL_ERR_NOMEM;
    w->driver = d;
    w->conn = conn;
    ev_timer_init(&w->retry, on_retry, 0., 0.);
    ev_init(&w->readable, on_readable);
    w->readable.data = w->retry.data = w;
    if (copy_patterns(&w->allow, cfg->allow) != 0 || copy_patterns(&w->deny, cfg->deny) != 0 ||
        copy_patterns(&w->backup, cfg->backup) != 0) {
        tvl_ev_say(why, why_size, "more than %d interface patterns, or a very long one",
                   PATTERNS_MAX);
        r = TVL_ERR_ARG;
        goto free_watch;
    }
    if (tvl_ev_watch_of(d, conn)) {
        r = rewatch(tvl_ev_watch_of(d, conn), w);
        goto free_watch;
    }
    r = set_servers(w, cfg->servers, why, why_size);
    if (r == 0 && (r = tvl_interfaces_new(&w->interfaces)) != 0)
        tvl_ev_say(why, why_size, "cannot watch the interfaces: %s", strerror(errno));
    if (r == 0)
        r = tvl_ev_keep_watch(d, w);
    if (r != 0)
        goto free_watch;
    ev_io_set(&w->readable, tvl_interfaces_fd(w->interfaces), EV_READ);
    ev_io_start(tvl_ev_loop(d), &w->readable);
    adopt_paths(w);
    reconcile(w);
    tvl_ev_kick(d);
    return 0;
free_watch:
    tvl_watch_free(w);
    return r;
}

static const char *interface_of_link(const struct tvl_watch *w, uint32_t path_id)
{
    for (size_t i = 0; i < w->n_links; i++)
        if (w->link[i].path_id == path_id)
            return w->link[i].interface;
    return "";
}

/* Asks the kernel: for paths that no watch looks after. */
static void ask_for_interface(const struct tvl_conn *conn, uint32_t path_id, char name[IF_NAMESIZE])
{
    struct tvl_path_stats st[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(conn, st, sizeof st / sizeof st[0]);
    struct tvl_interfaces *all = NULL;

    if (tvl_interfaces_new(&all) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct tvl_interface *f = st[i].id == path_id ? interface_of(all, &st[i], "") : NULL;

        if (f)
            memcpy(name, f->name, IF_NAMESIZE);
    }
    tvl_interfaces_free(all);
}

const char *tvl_ev_path_interface(struct tvl_ev *d, const struct tvl_conn *conn, uint32_t path_id)
{
    static _Thread_local char name[IF_NAMESIZE];
    const char *device = tvl_ev_path_device(d, conn, path_id);
    const struct tvl_watch *w = tvl_ev_watch_of(d, conn);

    if (!*device && w)
        device = interface_of_link(w, path_id);
    if (*device)
        return device;
    name[0] = '\0';
    ask_for_interface(conn, path_id, name);
    return name;
}
