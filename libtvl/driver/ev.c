/*
 * ev.c - drives a tvl_endpoint on libev. Contract in <tvl/ev.h>.
 *
 * One function, drive(), restores the invariant after anything happened: no event waits, nothing
 * may be sent now, and the timer is armed for next_tick. Every watcher ends in it.
 */
#include <tvl/ev.h>

#include "ev_internal.h"
#include "udp.h"

#include <ev.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 32    /* live sockets of one driver */
#define READS_PER_WAKE 8  /* system calls before the loop gets its turn, at least */
#define READS_TIME 5000   /* us; and until then: what lies unread makes its paths look slow */
#define SENDS_PER_TURN 64 /* messages sent before events are looked at */
#define ROUNDS_MAX 64     /* rounds of events and sending before the loop gets its turn */
#define WATCHES_MAX 8     /* connections whose paths follow the interfaces */
#define QUEUE_BYTES (3 * TVL_UDP_MESSAGE_MAX) /* made before the kernel is called: cached */
#define HELD_BYTES (4 * TVL_UDP_MESSAGE_MAX)  /* kept for a socket that is full; then it loses */

struct queue { /* messages made and not yet taken by the kernel, their bytes behind each other */
    struct tvl_udp_message m[TVL_UDP_WRITES];
    uint64_t tag[TVL_UDP_WRITES];
    size_t first, n, used, cap;
    uint8_t *bytes; /* `cap` */
};

struct sock {
    struct tvl_ev *driver;
    ev_io readable, writable;
    struct tvl_udp udp; /* fd -1: unused */
    uint64_t tag;
    struct tvl_conn *conn; /* client: whose path this is */
    uint32_t path_id;
    bool left;   /* the path has moved on to another socket */
    bool shared; /* client: of paths of any connection; kept for the driver's life */
    struct sockaddr_storage asked; /* shared: the local address that was asked for */
    char device[IF_NAMESIZE];      /* bound to; "": any */
    struct queue *held;            /* what a full socket has not taken; NULL: it is not full */
};

struct tvl_ev {
    struct ev_loop *loop;
    struct tvl_endpoint *ep;
    void (*on_event)(void *user, const struct tvl_event *ev);
    void *user;
    ev_timer timer;
    bool driving, share_sockets;
    uint64_t next_tag;
    struct sock socks[SOCKETS_MAX];
    struct sockaddr_storage server;           /* client: of the last connect */
    struct tvl_ev_share share;                /* owner_of NULL: the port is ours alone */
    struct tvl_watch *watch[WATCHES_MAX];     /* NULL: free */
    struct tvl_udp_message in[TVL_UDP_READS]; /* bytes: of one allocation */
    struct queue out;
};

void tvl_ev_say(char *why, size_t why_size, const char *format, ...)
{
    va_list args;

    if (!why || why_size == 0)
        return;
    va_start(args, format);
    (void)vsnprintf(why, why_size, format, args);
    va_end(args);
}

static tvl_time clock_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (tvl_time)ts.tv_sec * 1000000u + (tvl_time)ts.tv_nsec / 1000u;
}

tvl_time tvl_ev_now(const struct tvl_ev *d)
{
    (void)d;
    return clock_now();
}

struct ev_loop *tvl_ev_loop(struct tvl_ev *d)
{
    return d->loop;
}

const struct sockaddr_storage *tvl_ev_server(const struct tvl_ev *d)
{
    return &d->server;
}

struct tvl_endpoint *tvl_ev_endpoint(struct tvl_ev *d)
{
    return d->ep;
}

/* ---- sockets ---- */

static void held_free(struct sock *s)
{
    if (s->held)
        free(s->held->bytes);
    free(s->held);
    s->held = NULL;
}

static void sock_close(struct sock *s)
{
    if (s->udp.fd < 0)
        return;
    ev_io_stop(s->driver->loop, &s->readable);
    ev_io_stop(s->driver->loop, &s->writable);
    close(s->udp.fd);
    held_free(s);
    s->udp.fd = -1;
    s->conn = NULL;
    s->left = false;
}

static struct sock *sock_by_tag(struct tvl_ev *d, uint64_t tag)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (d->socks[i].udp.fd >= 0 && d->socks[i].tag == tag)
            return &d->socks[i];
    return NULL;
}

/* The path that it was opened for did not come to be. */
static void sock_give_back(struct sock *s)
{
    if (!s->shared)
        sock_close(s);
}

/* Keep what a full socket did not take until it is writable; what is too much is lost, as a full
 * queue loses. */
static void hold(struct sock *s, const struct tvl_udp_message *m, size_t n)
{
    struct queue *q = s->held;

    if (!q) {
        q = calloc(1, sizeof *q);
        if (!q)
            return;
        q->cap = HELD_BYTES;
        q->bytes = malloc(q->cap);
        s->held = q;
        if (!q->bytes) {
            held_free(s);
            return;
        }
        ev_io_start(s->driver->loop, &s->writable);
    }
    for (size_t i = 0; i < n && q->n < TVL_UDP_WRITES && q->cap - q->used >= m[i].dgram.len; i++) {
        q->m[q->n] = (struct tvl_udp_message){ m[i].dgram, q->bytes + q->used };
        memcpy(q->m[q->n].bytes, m[i].bytes, m[i].dgram.len);
        q->used += m[i].dgram.len;
        q->n++;
    }
}

/* The kernel knows that nothing passes there: the path need not be silent first. */
static bool says_down(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN || error == ENODEV ||
           error == ENXIO || error == EADDRNOTAVAIL || error == EPERM;
}

static void sock_write(struct sock *s, const struct tvl_udp_message *m, size_t n)
{
    int error = 0;
    const size_t taken = s->held ? 0 : tvl_udp_write(&s->udp, m, n, &error);

    if (s->conn && says_down(error))
        (void)tvl_path_hint_down(s->conn, s->path_id, clock_now());
    if (taken < n)
        hold(s, m + taken, n - taken);
}

/* Hand the queue to the kernel: neighbours of one socket in one call. */
static void flush(struct tvl_ev *d)
{
    struct queue *q = &d->out;
    size_t from = 0;

    while (from < q->n) {
        struct sock *s = sock_by_tag(d, q->tag[from]);
        size_t to = from + 1;

        while (to < q->n && q->tag[to] == q->tag[from])
            to++;
        if (s) /* else it is gone with its path */
            sock_write(s, q->m + from, to - from);
        from = to;
    }
    q->n = q->used = 0;
}

static bool send_all(struct tvl_ev *d)
{
    struct queue *q = &d->out;
    bool any = false;

    for (size_t budget = SENDS_PER_TURN; budget > 0; budget--) {
        struct tvl_datagram *dgram;

        if (q->n == TVL_UDP_WRITES || q->cap - q->used < TVL_UDP_MESSAGE_MAX)
            flush(d);
        dgram = &q->m[q->n].dgram;
        q->m[q->n].bytes = q->bytes + q->used;
        if (tvl_endpoint_send_batch(d->ep, dgram, q->bytes + q->used, TVL_UDP_MESSAGE_MAX,
                                    clock_now()) <= 0)
            break;
        any = true;
        q->tag[q->n++] = dgram->tag;
        q->used += dgram->len;
    }
    flush(d);
    return any;
}

/* A path that is over, or a connection that is, needs its socket no longer. */
static void close_unused(struct tvl_ev *d, const struct tvl_event *ev)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &d->socks[i];

        if (s->udp.fd < 0 || !s->conn || s->conn != ev->conn)
            continue;
        if (ev->type == TVL_EVENT_CLOSED || s->path_id == ev->path.id)
            sock_close(s);
    }
}

static void tell_watch(struct tvl_ev *d, const struct tvl_event *ev)
{
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        if (!d->watch[i] || tvl_watch_conn(d->watch[i]) != ev->conn)
            continue;
        if (ev->type == TVL_EVENT_CLOSED) {
            tvl_watch_free(d->watch[i]);
            d->watch[i] = NULL;
        } else {
            tvl_watch_on_event(d->watch[i], ev);
        }
    }
}

int tvl_ev_keep_watch(struct tvl_ev *d, struct tvl_watch *w)
{
    struct tvl_watch **place = NULL;

    for (size_t i = 0; i < WATCHES_MAX; i++) {
        if (d->watch[i] && tvl_watch_conn(d->watch[i]) == tvl_watch_conn(w))
            return TVL_ERR_STATE;
        if (!d->watch[i])
            place = &d->watch[i];
    }
    if (!place)
        return TVL_ERR_FULL;
    *place = w;
    return 0;
}

struct tvl_watch *tvl_ev_watch_of(const struct tvl_ev *d, const struct tvl_conn *conn)
{
    for (size_t i = 0; i < WATCHES_MAX; i++)
        if (d->watch[i] && tvl_watch_conn(d->watch[i]) == conn)
            return d->watch[i];
    return NULL;
}

static bool take_events(struct tvl_ev *d)
{
    struct tvl_event ev;
    bool any = false;

    while (tvl_endpoint_poll(d->ep, &ev) == 1) {
        any = true;
        if (d->on_event)
            d->on_event(d->user, &ev);
        if (ev.type == TVL_EVENT_PATH && ev.path.state == TVL_PATH_ABANDONED)
            close_unused(d, &ev);
        else if (ev.type == TVL_EVENT_CLOSED) {
            (void)send_all(d); /* the goodbye leaves while its socket is here */
            close_unused(d, &ev);
        }
        tell_watch(d, &ev);
    }
    return any;
}

static void arm_timer(struct tvl_ev *d)
{
    const tvl_time next = tvl_endpoint_next_tick(d->ep);
    const tvl_time now = clock_now();

    ev_timer_stop(d->loop, &d->timer);
    if (next == TVL_TIME_NEVER)
        return;
    ev_now_update(d->loop);
    ev_timer_set(&d->timer, next > now ? (double)(next - now) / 1e6 : 0.0, 0.0);
    ev_timer_start(d->loop, &d->timer);
}

static void drive(struct tvl_ev *d)
{
    if (d->driving)
        return; /* called from on_event: the outer drive goes on */
    d->driving = true;
    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        const bool events = take_events(d);
        const bool sent = send_all(d);

        if (!events && !sent)
            break;
    }
    d->driving = false;
    arm_timer(d);
}

void tvl_ev_kick(struct tvl_ev *d)
{
    drive(d);
}

void tvl_ev_send(struct tvl_ev *d)
{
    if (d->driving)
        return;
    for (size_t round = 0; round < ROUNDS_MAX && send_all(d); round++)
        ;
}

/* ---- watchers ---- */

/* One message of a shared port: to the endpoint as a whole, or each datagram to whose it is. */
static void take_shared(struct tvl_ev *d, const struct tvl_udp_message *m, tvl_time now)
{
    const struct tvl_ev_share *s = &d->share;
    struct tvl_datagram one = m->dgram;

    for (size_t at = 0; at < m->dgram.len; at += one.len) {
        const size_t left = m->dgram.len - at;

        one.len = m->dgram.segment && m->dgram.segment < left ? m->dgram.segment : left;
        const unsigned owner = s->owner_of(s->user, m->bytes + at, one.len);
        if (owner != s->self)
            s->pass_on(s->user, owner, &one, m->bytes + at);
        else
            (void)tvl_endpoint_recv(d->ep, &one, m->bytes + at, now);
    }
}

void tvl_ev_take(struct tvl_ev *d, const struct tvl_datagram *dgram, uint8_t *bytes)
{
    struct tvl_datagram one = *dgram;

    one.tag = d->socks[0].tag;
    (void)tvl_endpoint_recv(d->ep, &one, bytes, clock_now());
}

/* Hand what one system call brought to the endpoint. */
static void take_in(struct tvl_ev *d, uint64_t tag, size_t n)
{
    const tvl_time now = clock_now();

    for (size_t i = 0; i < n; i++) {
        d->in[i].dgram.tag = tag;
        if (d->share.owner_of)
            take_shared(d, &d->in[i], now);
        else
            (void)tvl_endpoint_recv_batch(d->ep, &d->in[i].dgram, d->in[i].bytes, now);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sock *s = w->data;
    struct tvl_ev *d = s->driver;
    const tvl_time until = clock_now() + READS_TIME;

    (void)loop;
    (void)revents;
    for (size_t k = 0; s->udp.fd >= 0 && (k < READS_PER_WAKE || clock_now() < until); k++) {
        const size_t n = tvl_udp_read(&s->udp, d->in);

        take_in(d, s->tag, n);
        drive(d); /* acknowledge, and let the bytes be read while they are in the cache */
        if (n < TVL_UDP_READS)
            break;
    }
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sock *s = w->data;
    struct queue *q = s->held;
    int error;

    (void)loop;
    (void)revents;
    if (q)
        q->first += tvl_udp_write(&s->udp, q->m + q->first, q->n - q->first, &error);
    if (!q || q->first == q->n) {
        ev_io_stop(s->driver->loop, &s->writable);
        held_free(s);
    }
    drive(s->driver);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct tvl_ev *d = w->data;

    (void)loop;
    (void)revents;
    tvl_endpoint_tick(d->ep, clock_now());
    drive(d);
}

/* ---- set-up ---- */

static struct sock *sock_open(struct tvl_ev *d, const struct tvl_udp_options *o, char *why,
                              size_t why_size)
{
    const char *what = "";
    struct sock *s = NULL;

    for (size_t i = 0; i < SOCKETS_MAX && !s; i++)
        if (d->socks[i].udp.fd < 0)
            s = &d->socks[i];
    if (!s) {
        tvl_ev_say(why, why_size, "more than %d paths", SOCKETS_MAX);
        errno = EMFILE;
        return NULL;
    }
    if (tvl_udp_open(&s->udp, o, &what) != 0) {
        if (o->interface && strcmp(what, "interface") == 0)
            tvl_ev_say(why, why_size, "interface %s: %s", o->interface, strerror(errno));
        else
            tvl_ev_say(why, why_size, "cannot open a UDP socket (%s): %s", what, strerror(errno));
        return NULL;
    }
    s->driver = d;
    s->tag = d->next_tag++;
    s->conn = NULL;
    s->shared = false;
    s->device[0] = '\0';
    if (o->interface)
        strncat(s->device, o->interface, sizeof s->device - 1);
    ev_io_init(&s->readable, on_readable, s->udp.fd, EV_READ);
    ev_io_init(&s->writable, on_writable, s->udp.fd, EV_WRITE);
    s->readable.data = s->writable.data = s;
    ev_io_start(d->loop, &s->readable);
    return s;
}

static int seed_from_kernel(uint64_t seed[4])
{
    if (seed[0] | seed[1] | seed[2] | seed[3])
        return 0;
    return getrandom(seed, 4 * sizeof seed[0], 0) == 4 * (ssize_t)sizeof seed[0] ? 0 : TVL_ERR_SYS;
}

static int listen_on(struct tvl_ev *d, const char *address, char *why, size_t why_size)
{
    struct tvl_udp_options o = { .share_port = d->share.owner_of != NULL };

    if (tvl_udp_parse(&o.bind_to, address, TVL_UDP_NUMERIC) != 0) {
        tvl_ev_say(why, why_size, "%s: not ADDRESS:PORT", address);
        return TVL_ERR_ARG;
    }
    if (!sock_open(d, &o, NULL, 0)) {
        tvl_ev_say(why, why_size, "cannot listen on %s: %s", address, strerror(errno));
        return TVL_ERR_SYS;
    }
    return 0;
}

/* Pages of them that are never touched take no memory. */
static int buffers_new(struct tvl_ev *d)
{
    uint8_t *in = malloc((size_t)TVL_UDP_READS * TVL_UDP_MESSAGE_MAX);

    for (size_t i = 0; i < TVL_UDP_READS; i++)
        d->in[i].bytes = in ? in + i * TVL_UDP_MESSAGE_MAX : NULL;
    d->out.cap = QUEUE_BYTES;
    d->out.bytes = malloc(d->out.cap);
    return in && d->out.bytes ? 0 : TVL_ERR_NOMEM;
}

/* Tokens last longer than this process, so their time is the wall's. */
static tvl_time wall_offset(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (tvl_time)ts.tv_sec * 1000000u + (tvl_time)ts.tv_nsec / 1000u - clock_now();
}

int tvl_ev_new_shared(struct tvl_ev **out, const struct tvl_ev_config *cfg,
                      const struct tvl_ev_share *share, char *why, size_t why_size)
{
    struct tvl_config tvl = cfg->tvl;
    struct tvl_ev *d = calloc(1, sizeof *d);
    int r;

    if (!d) {
        tvl_ev_say(why, why_size, "out of memory");
        return TVL_ERR_NOMEM;
    }
    d->loop = cfg->loop;
    d->on_event = cfg->on_event;
    d->user = cfg->user;
    d->share = *share;
    d->share_sockets = cfg->share_sockets;
    d->next_tag = 1;
    if (tvl.wall_offset == 0)
        tvl.wall_offset = wall_offset();
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        d->socks[i].udp.fd = -1;
    ev_timer_init(&d->timer, on_timer, 0.0, 0.0);
    d->timer.data = d;
    r = buffers_new(d);
    if (r == 0)
        r = seed_from_kernel(tvl.seed);
    if (r != 0)
        goto fail;
    r = tvl_endpoint_new(&d->ep, &tvl);
    if (r != 0) {
        tvl_ev_say(why, why_size, "transport: %s", tvl_strerror(r));
        goto fail;
    }
    if (cfg->listen) {
        r = listen_on(d, cfg->listen, why, why_size);
        if (r != 0)
            goto fail;
    }
    *out = d;
    return 0;
fail:
    tvl_ev_free(d);
    return r;
}

int tvl_ev_new(struct tvl_ev **out, const struct tvl_ev_config *cfg, char *why, size_t why_size)
{
    const struct tvl_ev_share alone = { .owner_of = NULL };

    return tvl_ev_new_shared(out, cfg, &alone, why, why_size);
}

int tvl_ev_fd(const struct tvl_ev *d)
{
    return d->socks[0].udp.fd;
}

void tvl_ev_free(struct tvl_ev *d)
{
    if (!d)
        return;
    ev_timer_stop(d->loop, &d->timer);
    for (size_t i = 0; i < WATCHES_MAX; i++)
        tvl_watch_free(d->watch[i]);
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        sock_close(&d->socks[i]);
    tvl_endpoint_free(d->ep);
    free(d->in[0].bytes);
    free(d->out.bytes);
    free(d);
}

uint16_t tvl_ev_port(const struct tvl_ev *d)
{
    const struct sockaddr_storage *a = &d->socks[0].udp.bound;

    return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                          : ((const struct sockaddr_in *)a)->sin_port);
}

/* ---- paths of a client ---- */

static struct sock *sock_shared(struct tvl_ev *d, const struct tvl_udp_options *o)
{
    const char *device = o->interface ? o->interface : "";

    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &d->socks[i];

        if (s->udp.fd >= 0 && s->shared && strcmp(s->device, device) == 0 &&
            memcmp(&s->asked, &o->bind_to, tvl_udp_len(&o->bind_to)) == 0)
            return s;
    }
    return NULL;
}

/* The one that such paths share, or a new one. */
static struct sock *sock_for(struct tvl_ev *d, const struct tvl_udp_options *o, char *why,
                             size_t why_size)
{
    struct sock *s = d->share_sockets ? sock_shared(d, o) : NULL;

    if (s)
        return s;
    s = sock_open(d, o, why, why_size);
    if (s && d->share_sockets) {
        s->shared = true;
        s->asked = o->bind_to;
    }
    return s;
}

/* The path runs over the socket. */
static void sock_serves(struct sock *s, struct tvl_conn *conn, uint32_t path_id)
{
    if (s->shared)
        return;
    s->conn = conn;
    s->path_id = path_id;
}

/* A socket for a path to cfg->remote. */
static struct sock *path_socket(struct tvl_ev *d, const struct tvl_ev_path *path,
                                struct tvl_path_config *cfg, char *why, size_t why_size)
{
    struct tvl_udp_options o = { .interface = NULL };
    struct sock *s;

    errno = EINVAL;
    o.bind_to.ss_family = cfg->remote.ss_family;
    if (path && path->local && path->local[0]) {
        if (tvl_udp_parse_host(&o.bind_to, path->local) != 0) {
            tvl_ev_say(why, why_size, "%s: not a local address", path->local);
            return NULL;
        }
        if (o.bind_to.ss_family != cfg->remote.ss_family) {
            tvl_ev_say(why, why_size, "%s: not of the server's address family", path->local);
            return NULL;
        }
    }
    if (path && path->interface && path->interface[0])
        o.interface = path->interface;
    s = sock_for(d, &o, why, why_size);
    if (!s)
        return NULL;
    cfg->local = s->udp.bound;
    cfg->tag = s->tag;
    cfg->backup = path && path->backup;
    return s;
}

static int path_remote(const struct tvl_ev *d, const struct tvl_ev_path *path,
                       struct sockaddr_storage *out, char *why, size_t why_size)
{
    *out = d->server;
    if (!path || !path->remote || !path->remote[0] ||
        tvl_udp_parse(out, path->remote, TVL_UDP_RESOLVE) == 0)
        return 0;
    tvl_ev_say(why, why_size, "%s: not ADDRESS:PORT", path->remote);
    return TVL_ERR_SYS;
}

int tvl_ev_connect(struct tvl_ev *d, const char *server, const char *server_name,
                   const struct tvl_ev_path *path, struct tvl_conn **out, char *why,
                   size_t why_size)
{
    struct tvl_path_config cfg = { .tag = 0 };
    struct sock *s;
    int r;

    if (tvl_udp_parse(&d->server, server, TVL_UDP_RESOLVE) != 0) {
        tvl_ev_say(why, why_size, "%s: unknown host, or not HOST:PORT", server);
        return TVL_ERR_ARG;
    }
    if (path_remote(d, path, &cfg.remote, why, why_size) != 0)
        return TVL_ERR_SYS;
    s = path_socket(d, path, &cfg, why, why_size);
    if (!s)
        return TVL_ERR_SYS;
    r = tvl_connect(d->ep, &cfg, server_name, out, clock_now());
    if (r != 0) {
        tvl_ev_say(why, why_size, "%s", tvl_strerror(r));
        sock_give_back(s);
        return r;
    }
    sock_serves(s, *out, 0);
    drive(d);
    return 0;
}

static int path_add(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                    struct tvl_path_config *cfg, char *why, size_t why_size)
{
    struct sock *s = path_socket(d, path, cfg, why, why_size);
    int r;

    if (!s)
        return TVL_ERR_SYS;
    r = tvl_path_add(conn, cfg, clock_now());
    if (r < 0) {
        tvl_ev_say(why, why_size, "%s", tvl_strerror(r));
        sock_give_back(s);
        return r;
    }
    sock_serves(s, conn, (uint32_t)r);
    return r;
}

int tvl_ev_path_add(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                    char *why, size_t why_size)
{
    struct tvl_path_config cfg = { .tag = 0 };

    if (path_remote(d, path, &cfg.remote, why, why_size) != 0)
        return TVL_ERR_SYS;
    const int r = path_add(d, conn, path, &cfg, why, why_size);
    if (r >= 0)
        drive(d);
    return r;
}

int tvl_ev_path_over(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                     const struct sockaddr_storage *remote)
{
    struct tvl_path_config cfg = { .remote = *remote };

    return path_add(d, conn, path, &cfg, NULL, 0);
}

static const struct sock *sock_of_path(const struct tvl_ev *d, const struct tvl_conn *conn,
                                       uint32_t path_id)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        if (d->socks[i].udp.fd >= 0 && d->socks[i].conn == conn && d->socks[i].path_id == path_id &&
            !d->socks[i].left)
            return &d->socks[i];
    return NULL;
}

/* The socket the path has just left is heard until now; what it left before is closed. */
static void leave_sockets(struct tvl_ev *d, const struct tvl_conn *conn, uint32_t path_id)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &d->socks[i];

        if (s->udp.fd < 0 || s->conn != conn || s->path_id != path_id)
            continue;
        if (s->left)
            sock_close(s);
        else
            s->left = true;
    }
}

/* `cfg` holds where the server is. */
static int path_move(struct tvl_ev *d, struct tvl_conn *conn, uint32_t path_id,
                     const struct tvl_ev_path *path, struct tvl_path_config *cfg, char *why,
                     size_t why_size)
{
    struct sock *s = path_socket(d, path, cfg, why, why_size);
    int r;

    if (!s)
        return TVL_ERR_SYS;
    r = tvl_path_migrate(conn, path_id, cfg, clock_now());
    if (r < 0) {
        tvl_ev_say(why, why_size, "%s", tvl_strerror(r));
        sock_give_back(s);
        return r;
    }
    leave_sockets(d, conn, path_id);
    sock_serves(s, conn, path_id);
    return 0;
}

int tvl_ev_path_move(struct tvl_ev *d, struct tvl_conn *conn, uint32_t path_id,
                     const char *interface, const struct sockaddr_storage *remote)
{
    const struct tvl_ev_path path = { .interface = interface };
    struct tvl_path_config cfg = { .remote = *remote };

    return path_move(d, conn, path_id, &path, &cfg, NULL, 0);
}

int tvl_ev_path_migrate(struct tvl_ev *d, struct tvl_conn *conn, uint32_t path_id,
                        const struct tvl_ev_path *path, char *why, size_t why_size)
{
    struct tvl_path_config cfg = { .tag = 0 };

    if (path_remote(d, path, &cfg.remote, why, why_size) != 0)
        return TVL_ERR_SYS;
    const int r = path_move(d, conn, path_id, path, &cfg, why, why_size);
    if (r == 0)
        drive(d);
    return r;
}

const char *tvl_ev_path_device(const struct tvl_ev *d, const struct tvl_conn *conn,
                               uint32_t path_id)
{
    const struct sock *s = sock_of_path(d, conn, path_id);

    return s ? s->device : "";
}
