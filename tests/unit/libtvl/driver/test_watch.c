/*
 * test_watch.c - paths follow the interfaces: in two network namespaces of its own, joined by links
 * that are plugged in, pulled and taken down while a stream is received.
 *
 *     client namespace                server namespace
 *     io-c1 10.77.1.2, fd77:1::2 ==== io-s1 10.77.1.1, fd77:1::1
 *     io-c2 10.77.2.2, fd77:2::2 ==== io-s2 10.77.2.1, fd77:2::1     and so on
 *                                     lo    10.77.0.1, 10.77.0.2, fd77::1: the server, whatever
 *                                           link is pulled
 *
 * Skipped (77) where namespaces may not be made or ip(8) is missing.
 */
#include <ev.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tvl/ev.h>
#include <unistd.h>

#include "test_pki.h"

#define SKIP 77
#define PORT "44330"

static pid_t server_pid;
static const char *const alpn[] = { "watch", NULL };

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("test_watch: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    if (server_pid > 0)
        (void)kill(server_pid, SIGKILL);
    exit(1);
}

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int shell(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return system(line);
}

static void must(int result, const char *what)
{
    if (result != 0)
        die("%s: %d", what, result);
}

/* ---- the server: sends for ever on a stream of each connection ---- */

struct server {
    struct tvl_ev *driver;
    uint64_t stream;
};

static void pour(struct server *s, struct tvl_conn *conn)
{
    static const uint8_t bytes[32768];

    while (tvl_stream_write(conn, s->stream, bytes, sizeof bytes, false) == (int64_t)sizeof bytes)
        ;
}

static void on_server_event(void *user, const struct tvl_event *ev)
{
    struct server *s = user;

    if (ev->type == TVL_EVENT_CONNECTED && tvl_stream_open(ev->conn, TVL_UNI, &s->stream) == 0)
        pour(s, ev->conn);
    else if (ev->type == TVL_EVENT_STREAM_WRITABLE)
        pour(s, ev->conn);
}

static void serve(const struct test_pki *pki, int ready)
{
    const struct tvl_tls_config tc = {
        .alpn = alpn, .cert_file = pki->server, .key_file = pki->server_key, .server = true
    };
    struct server s = { .stream = 0 };
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct tvl_ev_config cfg = {
        .loop = loop, .listen = "[::]:" PORT, .on_event = on_server_event, .user = &s
    };
    char why[200] = "";

    tvl_config_init(&cfg.tvl);
    must(tvl_tls_new(&cfg.tvl.tls, &tc, why, sizeof why), why);
    must(tvl_ev_new(&s.driver, &cfg, why, sizeof why), why);
    if (write(ready, "r", 1) != 1)
        _exit(1);
    ev_run(loop, 0);
    _exit(0);
}

/* ---- links ---- */

static void plug(int n)
{
    must(shell("ip link add io-c%d type veth peer name io-s%d netns %d", n, n, (int)server_pid),
         "link");
    must(shell("nsenter -t %d -n sh -c 'ip addr add 10.77.%d.1/24 dev io-s%d; "
               "ip addr add fd77:%d::1/64 dev io-s%d nodad; ip link set io-s%d up'",
               (int)server_pid, n, n, n, n, n),
         "server's end");
    must(shell("ip addr add 10.77.%d.2/24 dev io-c%d; ip addr add fd77:%d::2/64 dev io-c%d nodad; "
               "ip link set io-c%d up; ip route add default via 10.77.%d.1 dev io-c%d metric %d; "
               "ip -6 route add default via fd77:%d::1 dev io-c%d metric %d",
               n, n, n, n, n, n, n, n, n, n, n),
         "client's end");
}

/* ---- the client ---- */

struct client {
    struct ev_loop *loop;
    struct tvl_tls *tls;
    struct tvl_ev *driver;
    struct tvl_conn *conn;
    bool connected, closed;
    uint64_t received;
    ev_timer timer;
};

static void on_client_event(void *user, const struct tvl_event *ev)
{
    static uint8_t bytes[65536];
    struct client *c = user;
    bool fin;
    int64_t n;

    c->connected = c->connected || ev->type == TVL_EVENT_CONNECTED;
    c->closed = c->closed || ev->type == TVL_EVENT_CLOSED;
    while (ev->type == TVL_EVENT_STREAM_READABLE &&
           (n = tvl_stream_read(ev->conn, ev->stream.id, bytes, sizeof bytes, &fin)) > 0)
        c->received += (uint64_t)n;
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

static void pass(struct client *c, double seconds)
{
    ev_timer_stop(c->loop, &c->timer);
    ev_timer_set(&c->timer, seconds, 0);
    ev_timer_start(c->loop, &c->timer);
    ev_run(c->loop, 0);
}

/* Paths over `interface` ("" any) to `remote` ("" any) that are up. */
static int up(struct client *c, const char *interface)
{
    struct tvl_path_stats st[2 * TVL_PATHS_MAX];
    const size_t n = c->closed ? 0 : tvl_paths(c->conn, st, sizeof st / sizeof st[0]);
    int count = 0;

    for (size_t i = 0; i < n; i++)
        count += st[i].state == TVL_PATH_UP &&
                 (!*interface ||
                  strcmp(tvl_ev_path_interface(c->driver, c->conn, st[i].id), interface) == 0);
    return count;
}

/* Wait until `count` paths over `interface` are up, at most `seconds`; how long it took. */
static double wait_up(struct client *c, const char *interface, int count, double seconds)
{
    const tvl_time from = tvl_ev_now(c->driver);

    while (up(c, interface) != count) {
        if ((double)(tvl_ev_now(c->driver) - from) / 1e6 > seconds)
            die("%d instead of %d paths over \"%s\" are up after %.1f s", up(c, interface), count,
                interface, seconds);
        pass(c, 0.01);
    }
    return (double)(tvl_ev_now(c->driver) - from) / 1e6;
}

/* Bytes still arrive; `when` is for the message. */
static void must_flow(struct client *c, const char *when)
{
    const uint64_t before = c->received;
    const tvl_time from = tvl_ev_now(c->driver);

    while (c->received < before + 200000) {
        if (c->closed || tvl_ev_now(c->driver) > from + 5000000)
            die("%s: the stream has stopped%s", when, c->closed ? ", the connection ended" : "");
        pass(c, 0.01);
    }
}

static void begin(struct client *c, const struct test_pki *pki, const char *server, bool plain)
{
    const struct tvl_tls_config tc = { .alpn = alpn, .ca_file = pki->ca };
    struct tvl_ev_config cfg = { .on_event = on_client_event, .user = c };
    char why[200] = "";

    *c = (struct client){ .loop = ev_loop_new(EVFLAG_AUTO) };
    ev_timer_init(&c->timer, on_time, 0., 0.);
    cfg.loop = c->loop;
    tvl_config_init(&cfg.tvl);
    cfg.tvl.max_path_id = plain ? UINT32_MAX : cfg.tvl.max_path_id;
    must(tvl_tls_new(&c->tls, &tc, why, sizeof why), why);
    cfg.tvl.tls = c->tls;
    must(tvl_ev_new(&c->driver, &cfg, why, sizeof why), why);
    must(tvl_ev_connect(c->driver, server, "localhost", NULL, &c->conn, why, sizeof why), why);
    for (int i = 0; i < 500 && !c->connected; i++)
        pass(c, 0.01);
    if (!c->connected)
        die("no connection to %s", server);
}

static void watch(struct client *c, const char *const *servers)
{
    static const char *const allow[] = { "io-c*", NULL };
    static const char *const deny[] = { "io-c9", NULL };
    const struct tvl_ev_watch w = { .allow = allow, .deny = deny, .servers = servers };
    char why[200] = "";

    must(tvl_ev_watch(c->driver, c->conn, &w, why, sizeof why), why);
}

/* Another wish for the same connection: `name` is not to be used, or nothing is denied. */
static void deny(struct client *c, const char *name)
{
    const char *const list[] = { name, NULL };
    const struct tvl_ev_watch w = { .deny = list };

    must(tvl_ev_watch(c->driver, c->conn, &w, NULL, 0), "watch anew");
}

static void end(struct client *c)
{
    if (c->closed)
        die("the connection has ended");
    (void)tvl_close(c->conn, 0, "", tvl_ev_now(c->driver));
    tvl_ev_kick(c->driver);
    for (int i = 0; i < 100 && !c->closed; i++)
        pass(c, 0.01);
    tvl_ev_free(c->driver);
    tvl_tls_free(c->tls);
    ev_loop_destroy(c->loop);
}

/* ---- the stories ---- */

/* Links 1 and 2 are there; 2 is pulled, 3 plugged in, 1 taken down and up again, all but one. */
static void come_and_go(const struct test_pki *pki)
{
    struct client c;

    begin(&c, pki, "10.77.0.1:" PORT, false);
    watch(&c, NULL);
    (void)wait_up(&c, "io-c1", 1, 3); /* the one that is there already, not a second */
    (void)wait_up(&c, "io-c2", 1, 3);
    must_flow(&c, "two paths");
    must(shell("ip link del io-c2"), "pull 2");
    printf("pulled: left after %.3f s\n", wait_up(&c, "", 1, 1));
    must_flow(&c, "one pulled");
    plug(3);
    printf("plugged in: up after %.3f s\n", wait_up(&c, "io-c3", 1, 3));
    must_flow(&c, "one plugged in");
    must(shell("ip link set io-c1 down"), "down 1");
    printf("taken down: left after %.3f s\n", wait_up(&c, "io-c1", 0, 1));
    must_flow(&c, "one taken down");
    must(shell("ip link set io-c1 up; ip route add default via 10.77.1.1 dev io-c1 metric 1; "
               "ip addr add fd77:1::2/64 dev io-c1 nodad; "
               "ip -6 route add default via fd77:1::1 dev io-c1 metric 1"),
         "up 1");
    printf("up again: path after %.3f s\n", wait_up(&c, "io-c1", 1, 5));
    must(shell("ip link del io-c3"), "pull 3");
    (void)wait_up(&c, "", 1, 1);
    must_flow(&c, "two pulled");
    /* the last one: it is kept, and goes on when it returns; nothing else is there meanwhile */
    must(shell("ip link set io-c1 down"), "down 1");
    pass(&c, 0.5);
    must(shell("ip link set io-c1 up; ip route add default via 10.77.1.1 dev io-c1 metric 1; "
               "ip addr add fd77:1::2/64 dev io-c1 nodad; "
               "ip -6 route add default via fd77:1::1 dev io-c1 metric 1"),
         "up 1");
    must_flow(&c, "back on the last");
    /* an interface that is not allowed stays unused */
    plug(9);
    pass(&c, 0.3);
    if (up(&c, "io-c9") != 0)
        die("a denied interface carries a path");
    must(shell("ip link del io-c9"), "pull 9");
    end(&c);
}

/* Patterns change while it runs. */
static void switched(const struct test_pki *pki)
{
    struct client c;

    plug(2);
    begin(&c, pki, "10.77.0.1:" PORT, false);
    watch(&c, NULL);
    (void)wait_up(&c, "io-c2", 1, 3);
    deny(&c, "io-c2");
    printf("switched off: left after %.3f s\n", wait_up(&c, "io-c2", 0, 1));
    must_flow(&c, "one switched off");
    pass(&c, 1.5);
    if (up(&c, "io-c2") != 0)
        die("a path over what is switched off");
    deny(&c, NULL);
    printf("switched on: up after %.3f s\n", wait_up(&c, "io-c2", 1, 2));
    deny(&c, "io-*"); /* the last one is kept, and left when there is another */
    pass(&c, 0.2);
    must_flow(&c, "all switched off");
    must(shell("ip link del io-c2"), "pull 2");
    end(&c);
}

/* Each interface to each address of the server, of both families. */
static void several_addresses(const struct test_pki *pki)
{
    static const char *const servers[] = { "10.77.0.1:" PORT, "10.77.0.2:" PORT, "[fd77::1]:" PORT,
                                           NULL };
    struct client c;

    plug(2);
    begin(&c, pki, "10.77.0.1:" PORT, false);
    watch(&c, servers);
    (void)wait_up(&c, "io-c1", 3, 3);
    (void)wait_up(&c, "io-c2", 3, 3);
    must_flow(&c, "several addresses");
    must(shell("ip addr del 10.77.2.2/24 dev io-c2"), "address"); /* one family less */
    (void)wait_up(&c, "io-c2", 1, 1);
    must_flow(&c, "one family less");
    must(shell("ip link del io-c2"), "pull 2");
    (void)wait_up(&c, "", 3, 1);
    must_flow(&c, "one interface less");
    end(&c);
}

/* A peer without multipath: the one path moves. */
static void one_path_moves(const struct test_pki *pki)
{
    struct client c;

    plug(2);
    begin(&c, pki, "10.77.0.1:" PORT, true);
    watch(&c, NULL);
    must_flow(&c, "before the move");
    must(shell("ip link del io-c1"), "pull 1");
    (void)wait_up(&c, "io-c2", 1, 3);
    must_flow(&c, "moved");
    end(&c);
}

int main(void)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_P256 };
    struct test_pki pki;
    int ready[2], go[2];
    char byte;

    if (unshare(CLONE_NEWNET) != 0 || shell("ip -V >/dev/null 2>&1") != 0 ||
        shell("nsenter -V >/dev/null 2>&1") != 0 || pipe(ready) != 0 || pipe(go) != 0) {
        puts("skipped: needs root for network namespaces, ip and nsenter");
        return SKIP;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (test_pki_init(&pki, &pc) != 0)
        die("certificates");
    server_pid = fork();
    if (server_pid == 0) {
        if (unshare(CLONE_NEWNET) != 0 ||
            shell("ip link set lo up; ip addr add 10.77.0.1/32 dev lo; "
                  "ip addr add 10.77.0.2/32 dev lo; "
                  "ip addr add fd77::1/128 dev lo") != 0 ||
            write(ready[1], "n", 1) != 1 || read(go[0], &byte, 1) != 1)
            _exit(1);
        serve(&pki, ready[1]);
    }
    if (read(ready[0], &byte, 1) != 1)
        die("no namespace for the server");
    must(shell("ip link set lo up"), "lo");
    plug(1);
    plug(2);
    if (write(go[1], "g", 1) != 1 || read(ready[0], &byte, 1) != 1)
        die("no server");
    come_and_go(&pki);
    switched(&pki);
    several_addresses(&pki);
    one_path_moves(&pki);
    (void)kill(server_pid, SIGKILL);
    (void)waitpid(server_pid, NULL, 0);
    test_pki_fini(&pki);
    return 0;
}
