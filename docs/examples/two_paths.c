/*
 * two_paths.c - a server that sends as many bytes as it is asked for, and a client that fetches
 * them over several paths at once. The whole of what a program over libtvl needs.
 *
 *     cc $(pkg-config --cflags tvl-ev) two_paths.c $(pkg-config --libs tvl-ev) -lev -o two_paths
 *     ./two_paths serve 127.0.0.1:4433 server.pem server.key
 *     ./two_paths fetch 127.0.0.1:4433 ca.pem 10000000 127.0.0.1 127.0.0.2
 */
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tvl/ev.h>
#include <tvl/qlog.h>

static const char *const alpn[] = { "two-paths", NULL };

struct app {
    struct ev_loop *loop;
    struct tvl_ev *driver;
    struct tvl_conn *conn; /* client */
    char **local;          /* client: an address for each path, ends with NULL */
    uint64_t wanted, got;  /* client: bytes */
    int status;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* ---- the server: a connection's user pointer holds how much it still owes on its stream ---- */

struct debt {
    uint64_t stream, bytes;
};

/* Write until all is written, or the library takes no more: it tells when there is room again. */
static void pay(struct tvl_conn *conn, struct debt *d)
{
    static const uint8_t bytes[65536];

    while (d->bytes > 0) {
        const size_t n = d->bytes < sizeof bytes ? (size_t)d->bytes : sizeof bytes;
        const int64_t taken = tvl_stream_write(conn, d->stream, bytes, n, d->bytes == n);

        if (taken < 0)
            return; /* reset by the peer */
        d->bytes -= (uint64_t)taken;
        if ((size_t)taken < n)
            return;
    }
}

static void on_request(struct tvl_conn *conn, uint64_t stream)
{
    struct debt *d = tvl_conn_user(conn);
    char text[32] = "";
    bool fin;

    if (tvl_stream_read(conn, stream, (uint8_t *)text, sizeof text - 1, &fin) <= 0 || !d)
        return;
    d->stream = stream;
    d->bytes = strtoull(text, NULL, 10);
    pay(conn, d);
}

static void on_server_event(void *user, const struct tvl_event *ev)
{
    (void)user;
    switch (ev->type) {
    case TVL_EVENT_ACCEPTED:
        tvl_conn_set_user(ev->conn, calloc(1, sizeof(struct debt)));
        break;
    case TVL_EVENT_STREAM_READABLE:
        on_request(ev->conn, ev->stream.id);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        pay(ev->conn, tvl_conn_user(ev->conn));
        break;
    case TVL_EVENT_CLOSED:
        free(tvl_conn_user(ev->conn));
        break;
    default:
        break;
    }
}

/* ---- the client ---- */

static void ask(struct app *a)
{
    struct tvl_ev_path path = { .interface = NULL };
    char text[32], why[256];
    uint64_t stream;

    for (char **local = a->local + 1; *local; local++) { /* the first is the connection's own */
        path.local = *local;
        if (tvl_ev_path_add(a->driver, a->conn, &path, why, sizeof why) < 0)
            die(*local, why);
    }
    const int len = snprintf(text, sizeof text, "%" PRIu64, a->wanted);
    if (tvl_stream_open(a->conn, TVL_BIDI, &stream) != 0 ||
        tvl_stream_write(a->conn, stream, (const uint8_t *)text, (size_t)len, true) != len)
        die("stream", "not to be had");
}

static void take(struct app *a, uint64_t stream)
{
    static uint8_t bytes[65536];
    bool fin = false;
    int64_t n;

    while (!fin && (n = tvl_stream_read(a->conn, stream, bytes, sizeof bytes, &fin)) > 0)
        a->got += (uint64_t)n;
    if (!fin)
        return;
    struct tvl_path_stats path[TVL_PATHS_MAX];
    const size_t paths = tvl_paths(a->conn, path, TVL_PATHS_MAX);
    printf("%" PRIu64 " bytes", a->got);
    for (size_t i = 0; i < paths; i++)
        printf(", path %u: %" PRIu64 " received, rtt %.1f ms", path[i].id, path[i].bytes_received,
               (double)path[i].srtt / 1000);
    printf("\n");
    a->status = a->got == a->wanted ? 0 : 1;
    tvl_close(a->conn, 0, "done", tvl_ev_now(a->driver));
}

static void on_client_event(void *user, const struct tvl_event *ev)
{
    struct app *a = user;

    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        ask(a);
        break;
    case TVL_EVENT_STREAM_READABLE:
        take(a, ev->stream.id);
        break;
    case TVL_EVENT_CLOSED:
        if (a->got != a->wanted)
            fprintf(stderr, "closed: %s\n", ev->closed.reason);
        ev_break(a->loop, EVBREAK_ALL);
        break;
    default:
        break;
    }
}

/* ---- both ---- */

static void begin(struct app *a, const struct tvl_tls_config *tls, const char *listen)
{
    struct tvl_ev_config cfg = { .loop = a->loop, .listen = listen, .user = a };
    struct tvl_qlog *qlog = NULL;
    char why[256] = "no memory";

    tvl_config_init(&cfg.tvl);
    if (tvl_tls_new(&cfg.tvl.tls, tls, why, sizeof why) != 0)
        die("tls", why);
    if (getenv("QLOGDIR") && tvl_qlog_new(&qlog, getenv("QLOGDIR")) == 0) {
        cfg.tvl.trace = tvl_qlog_trace;
        cfg.tvl.trace_user = qlog; /* lives as long as the program */
    }
    cfg.on_event = listen ? on_server_event : on_client_event;
    if (tvl_ev_new(&a->driver, &cfg, why, sizeof why) != 0)
        die(listen ? listen : "driver", why);
    tvl_tls_free(cfg.tvl.tls); /* the driver holds its own reference */
}

static int serve(struct app *a, char **argv)
{
    const struct tvl_tls_config tls = {
        .alpn = alpn, .server = true, .cert_file = argv[1], .key_file = argv[2]
    };

    begin(a, &tls, argv[0]);
    printf("ready on port %u\n", tvl_ev_port(a->driver));
    fflush(stdout);
    ev_run(a->loop, 0);
    return 0;
}

static int fetch(struct app *a, char **argv)
{
    const struct tvl_tls_config tls = { .alpn = alpn, .ca_file = argv[1] };
    const struct tvl_ev_path path = { .local = argv[3] };
    char why[256];

    a->wanted = strtoull(argv[2], NULL, 10);
    a->local = argv + 3;
    begin(a, &tls, NULL);
    if (tvl_ev_connect(a->driver, argv[0], "localhost", &path, &a->conn, why, sizeof why) != 0)
        die(argv[0], why);
    tvl_ev_kick(a->driver); /* we are outside of on_event */
    ev_run(a->loop, 0);
    tvl_ev_free(a->driver);
    return a->status;
}

int main(int argc, char **argv)
{
    struct app a = { .loop = ev_default_loop(0), .status = 1 };

    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        return serve(&a, argv + 2);
    if (argc >= 6 && strcmp(argv[1], "fetch") == 0)
        return fetch(&a, argv + 2);
    fprintf(stderr, "usage: two_paths serve ADDRESS:PORT CERT KEY\n"
                    "       two_paths fetch HOST:PORT CA BYTES LOCAL...\n");
    return 64;
}
