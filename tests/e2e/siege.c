/*
 * siege.c - thousands of connections that mean no good, to a server on loopback, each from one of
 * many addresses in 127/8.
 *
 *     junk       random bytes, some behind the header of an Initial
 *     spoofed    ClientHellos whose sender never answers, a quarter of them damaged
 *     half       the same, but the sender proves its address where asked, and falls silent then
 *     alpn       a handshake for a protocol that the server does not speak
 *     silent     a handshake, and nothing after it
 *     rude       a handshake, and random bytes where MoQT should begin
 *     crowd      handshakes from one address, all at once, that stay
 *
 * usage: siege PORT CA COUNT SECONDS     of all kinds together, spread over that time
 *
 * The last line is a JSON object: for each kind with a handshake how many got in (`connected`), how
 * they ended (`refused` at the door, `closed` by the application with which `codes`, other
 * `failed`) and how many were still there at the end (`left`).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <tvl/tvl.h>

#define SOURCES 256
#define CROWD SOURCES /* the socket of kind `crowd`: an address of its own */
#define CONNS_MAX 16384
#define PATIENCE_US 15000000u /* after the last one, for the server to end them */
#define REFUSED 0x02          /* CONNECTION_REFUSED, RFC 9000 20.1 */
#define CODES_MAX 16
#define RETRY_TYPE 0x30 /* of a long header, RFC 9000 17.2.5 */

enum kind { JUNK, SPOOFED, HALF, ALPN, SILENT, RUDE, CROWDED, KINDS };
static const char *const names[KINDS] = { "junk",   "spoofed", "half", "alpn",
                                          "silent", "rude",    "crowd" };
static const unsigned weight[KINDS] = { 20, 25, 15, 15, 10, 10, 5 }; /* of a hundred */

struct tally {
    unsigned begun, connected, refused, closed, failed, left;
    struct {
        uint64_t code;
        unsigned n;
    } codes[CODES_MAX];
};

struct visitor { /* one connection; the user of its tvl_conn */
    enum kind kind;
};

struct siege {
    int fd[SOURCES + 1], epoll;
    struct sockaddr_storage local[SOURCES + 1], server;
    struct tvl_tls *tls, *wrong_tls;
    struct tvl_endpoint *ep[KINDS]; /* NULL: kinds without */
    struct visitor visitor[KINDS];
    struct tally tally[KINDS];
    uint64_t random;
};

static tvl_time now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (tvl_time)ts.tv_sec * 1000000u + (tvl_time)ts.tv_nsec / 1000u;
}

static uint64_t draw(struct siege *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random;
}

static void fill(struct siege *s, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(draw(s) >> 24);
}

/* ---- set-up ---- */

static void die(const char *what)
{
    fprintf(stderr, "siege: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_sockets(struct siege *s, uint16_t port)
{
    struct sockaddr_in *to = (void *)&s->server;
    *to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->epoll = epoll_create1(0);
    for (int i = 0; i <= SOURCES; i++) {
        struct sockaddr_in *from = (void *)&s->local[i];
        socklen_t len = sizeof *from;
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        *from = (struct sockaddr_in){ .sin_family = AF_INET };
        from->sin_addr.s_addr = htonl(0x7f0a0101u + (uint32_t)i * 256u);
        s->fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (s->fd[i] < 0 || bind(s->fd[i], (struct sockaddr *)from, len) != 0 ||
            getsockname(s->fd[i], (struct sockaddr *)from, &len) != 0 ||
            epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd[i], &ev) != 0)
            die("socket");
    }
}

static struct tvl_tls *open_tls(const char *ca, const char *protocol)
{
    const char *alpn[] = { protocol, NULL };
    const struct tvl_tls_config cfg = { .alpn = alpn, .ca_file = ca, .no_tickets = true };
    struct tvl_tls *tls;
    char why[200] = "";
    if (tvl_tls_new(&tls, &cfg, why, sizeof why) == 0)
        return tls;
    fprintf(stderr, "siege: %s\n", why);
    exit(1);
}

static void open_endpoints(struct siege *s, const char *ca)
{
    s->tls = open_tls(ca, "moqt-18");
    s->wrong_tls = open_tls(ca, "h3");
    for (int kind = SPOOFED; kind < KINDS; kind++) {
        struct tvl_config cfg;
        tvl_config_init(&cfg);
        cfg.tls = kind == ALPN ? s->wrong_tls : s->tls;
        cfg.seed[0] = now_us();
        cfg.seed[1] = (uint64_t)kind + 1;
        cfg.conns_max = CONNS_MAX;
        cfg.no_resumption = true;
        cfg.idle_timeout = 60000000;
        if (tvl_endpoint_new(&s->ep[kind], &cfg) != 0)
            die("endpoint");
        s->visitor[kind].kind = (enum kind)kind;
    }
}

/* ---- what is sent ---- */

static void send_to(struct siege *s, size_t source, const uint8_t *bytes, size_t len)
{
    (void)sendto(s->fd[source], bytes, len, 0, (const struct sockaddr *)&s->server,
                 sizeof(struct sockaddr_in));
}

static void flush(struct siege *s, enum kind kind)
{
    struct tvl_datagram d;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    while (tvl_endpoint_send(s->ep[kind], &d, bytes, now_us()) == 1)
        send_to(s, d.tag, bytes, d.len);
}

static void send_junk(struct siege *s)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    const size_t len = 1 + draw(s) % sizeof bytes;
    fill(s, bytes, sizeof bytes);
    if (draw(s) % 2) { /* as an Initial of version 1 begins */
        static const uint8_t head[] = { 0xc3, 0, 0, 0, 1, 8 };
        memcpy(bytes, head, sizeof head);
        send_to(s, draw(s) % SOURCES, bytes, len < 1200 ? 1200 : len);
        return;
    }
    send_to(s, draw(s) % SOURCES, bytes, len);
}

static struct tvl_conn *begin(struct siege *s, enum kind kind, size_t source)
{
    const struct tvl_path_config path = { .local = s->local[source],
                                          .remote = s->server,
                                          .tag = source };
    struct tvl_conn *conn;
    if (tvl_connect(s->ep[kind], &path, "localhost", &conn, now_us()) != 0) {
        s->tally[kind].failed++;
        return NULL;
    }
    tvl_conn_set_user(conn, &s->visitor[kind]);
    return conn;
}

/* The first flight of a connection that is forgotten at once. */
static void send_spoofed(struct siege *s)
{
    struct tvl_datagram d;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    const size_t source = draw(s) % SOURCES;
    const bool damage = draw(s) % 4 == 0;
    struct tvl_conn *conn = begin(s, SPOOFED, source);
    while (conn && tvl_endpoint_send(s->ep[SPOOFED], &d, bytes, now_us()) == 1) {
        if (damage)
            bytes[draw(s) % d.len] ^= 1;
        send_to(s, source, bytes, d.len);
    }
    if (conn)
        tvl_close(conn, 0, "", now_us());
    while (tvl_endpoint_send(s->ep[SPOOFED], &d, bytes, now_us()) == 1)
        continue; /* no goodbye */
}

static void start_one(struct siege *s, enum kind kind)
{
    s->tally[kind].begun++;
    if (kind == JUNK) {
        send_junk(s);
    } else if (kind == SPOOFED) {
        send_spoofed(s);
    } else {
        begin(s, kind, kind == CROWDED ? CROWD : draw(s) % SOURCES);
        flush(s, kind);
    }
}

/* ---- what comes ---- */

/* A connection's datagrams go to the endpoint that began it: by its ID, which each tries. */
static void receive(struct siege *s, uint32_t source)
{
    uint8_t bytes[2048], copy[2048];
    for (;;) {
        struct tvl_datagram d = { .local = s->local[source], .tag = source };
        socklen_t len = sizeof d.remote;
        const ssize_t n =
            recvfrom(s->fd[source], bytes, sizeof bytes, 0, (struct sockaddr *)&d.remote, &len);
        if (n <= 0)
            return;
        if (n > TVL_DATAGRAM_MAX)
            continue;
        for (int kind = HALF; kind < KINDS; kind++) {
            const bool retry = (bytes[0] & 0xb0) == (0x80 | RETRY_TYPE);
            if (kind == HALF && !retry)
                continue; /* it hears no more than that */
            memcpy(copy, bytes, (size_t)n);
            d.len = (size_t)n;
            if (tvl_endpoint_recv(s->ep[kind], &d, copy, now_us()) == 0)
                break;
        }
    }
}

static void be_rude(struct siege *s, struct tvl_conn *conn)
{
    uint8_t bytes[600];
    uint64_t id;
    fill(s, bytes, sizeof bytes);
    if (draw(s) % 2) { /* a control stream that begins well */
        static const uint8_t setup[] = { 0xaf, 0x00 };
        memcpy(bytes, setup, sizeof setup);
    }
    if (tvl_stream_open(conn, draw(s) % 3 ? TVL_UNI : TVL_BIDI, &id) == 0)
        (void)tvl_stream_write(conn, id, bytes, 1 + draw(s) % sizeof bytes, draw(s) % 2);
}

static void count_code(struct tally *t, uint64_t code)
{
    for (size_t i = 0; i < CODES_MAX; i++) {
        if (t->codes[i].n == 0 || t->codes[i].code == code) {
            t->codes[i].code = code;
            t->codes[i].n++;
            return;
        }
    }
}

static void on_closed(struct tally *t, const struct tvl_event *ev)
{
    if (ev->closed.kind == TVL_CLOSED_PEER_APP) {
        t->closed++;
        count_code(t, ev->closed.code);
    } else if (ev->closed.kind == TVL_CLOSED_PEER && ev->closed.code == REFUSED) {
        t->refused++;
    } else {
        t->failed++;
    }
}

static void poll_events(struct siege *s, enum kind kind)
{
    struct tvl_event ev;
    struct tally *t = &s->tally[kind];
    while (tvl_endpoint_poll(s->ep[kind], &ev) == 1) {
        if (ev.type == TVL_EVENT_CONNECTED) {
            t->connected++;
            t->left++;
            if (kind == RUDE)
                be_rude(s, ev.conn);
        } else if (ev.type == TVL_EVENT_CLOSED) {
            struct tvl_conn_stats stats;
            tvl_conn_get_stats(ev.conn, &stats);
            t->left -= stats.handshake_time != 0 && t->left > 0;
            on_closed(t, &ev);
        }
    }
}

static void step(struct siege *s, int wait_ms)
{
    struct epoll_event ready[64];
    const int n = epoll_wait(s->epoll, ready, 64, wait_ms);
    for (int i = 0; i < n; i++)
        receive(s, ready[i].data.u32);
    for (int kind = SPOOFED; kind < KINDS; kind++) {
        if (tvl_endpoint_next_tick(s->ep[kind]) <= now_us())
            tvl_endpoint_tick(s->ep[kind], now_us());
        poll_events(s, (enum kind)kind);
        if (kind != SPOOFED)
            flush(s, (enum kind)kind);
    }
}

static bool anybody_left(const struct siege *s)
{
    return s->tally[SILENT].left + s->tally[RUDE].left > 0;
}

/* ---- the siege ---- */

static enum kind draw_kind(struct siege *s)
{
    unsigned at = (unsigned)(draw(s) % 100);
    int kind = 0;
    while (at >= weight[kind])
        at -= weight[kind++];
    return (enum kind)kind;
}

static void report(const struct siege *s, double took)
{
    json_t *all = json_pack("{s:f}", "seconds", took);
    for (int kind = 0; kind < KINDS; kind++) {
        const struct tally *t = &s->tally[kind];
        json_t *codes = json_object();
        for (size_t i = 0; i < CODES_MAX && t->codes[i].n; i++) {
            char code[24];
            snprintf(code, sizeof code, "0x%llx", (unsigned long long)t->codes[i].code);
            json_object_set_new(codes, code, json_integer(t->codes[i].n));
        }
        json_object_set_new(all, names[kind],
                            json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "begun", (int)t->begun,
                                      "connected", (int)t->connected, "refused", (int)t->refused,
                                      "closed", (int)t->closed, "failed", (int)t->failed, "left",
                                      (int)t->left, "codes", codes));
    }
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts(text);
    free(text);
    json_decref(all);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: siege PORT CA COUNT SECONDS\n");
        return 64;
    }
    struct siege *s = calloc(1, sizeof *s);
    const unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    const double seconds = strtod(argv[4], NULL);
    if (!s)
        return 1;
    s->random = 0x9e3779b97f4a7c15u;
    open_sockets(s, (uint16_t)strtoul(argv[1], NULL, 10));
    open_endpoints(s, argv[2]);
    const tvl_time began = now_us();
    for (unsigned i = 0; i < count; i++) {
        start_one(s, draw_kind(s));
        const tvl_time due = began + (tvl_time)(seconds * 1e6 * (i + 1) / count);
        do
            step(s, now_us() < due ? 1 : 0);
        while (now_us() < due);
    }
    const tvl_time end = now_us() + PATIENCE_US;
    while (anybody_left(s) && now_us() < end)
        step(s, 10);
    report(s, (double)(now_us() - began) / 1e6);
    for (int kind = SPOOFED; kind < KINDS; kind++)
        tvl_endpoint_free(s->ep[kind]);
    tvl_tls_free(s->tls);
    tvl_tls_free(s->wrong_tls);
    for (int i = 0; i <= SOURCES; i++)
        close(s->fd[i]);
    close(s->epoll);
    free(s);
    return 0;
}
