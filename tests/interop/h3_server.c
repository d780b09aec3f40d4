/*
 * h3_server.c - a small HTTP/3 server over libtvl, to be met by foreign clients.
 *
 * GET gives a file of --root; POST and PUT keep the body in --uploads under the last part of the
 * path and answer how many bytes came. Each connection's begin and end (or that it lives at the
 * program's end), and each request, is a JSON line on standard output. Runs until SIGTERM, or
 * --connections have ended.
 */
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "h3.h"
#include "h3_common.h"

struct served;

struct server {
    struct served *first; /* of the connections that live */
    struct ev_loop *loop;
    struct tvl_ev *driver;
    const char *root, *uploads;
    unsigned long connections_left; /* 0: no end */
    unsigned long requests_max;     /* of a connection; 0: no end */
};

struct served { /* user pointer of a connection */
    struct server *server;
    struct served *prev, *next;
    struct tvl_conn *conn;
    struct h3 *h3; /* NULL before the handshake is complete */
    unsigned long requests;
};

struct upload { /* user pointer of an exchange */
    FILE *file;
    uint8_t *body; /* of our answer */
};

/* ---- requests ---- */

static bool is_upload(const struct h3_exchange *x)
{
    return strcmp(x->method, "POST") == 0 || strcmp(x->method, "PUT") == 0;
}

static void on_head(void *user, struct h3_exchange *x)
{
    struct served *s = user;
    struct upload *u = calloc(1, sizeof *u);

    x->user = u;
    if (u && is_upload(x) && s->server->uploads)
        u->file = h3_create_file(s->server->uploads, x->path);
}

static void on_body(void *user, struct h3_exchange *x, const uint8_t *bytes, size_t len)
{
    struct upload *u = x->user;

    (void)user;
    if (u && u->file)
        fwrite(bytes, 1, len, u->file);
}

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    return strcmp(path, "/") == 0 || (dot && strcmp(dot, ".html") == 0)
               ? "text/html"
               : "application/octet-stream";
}

static void on_end(void *user, struct h3_exchange *x)
{
    struct served *s = user;
    struct upload *u = x->user;
    size_t len = 0;
    unsigned status = 200;

    if (!u)
        return;
    if (u->file) /* whole on the disk before the client is told */
        fclose(u->file);
    u->file = NULL;
    if (is_upload(x)) {
        u->body = malloc(64);
        len = u->body ? (size_t)snprintf((char *)u->body, 64, "%llu bytes\n",
                                         (unsigned long long)x->received)
                      : 0;
    } else if (s->server->root && !strstr(x->path, "..")) {
        u->body = h3_read_file(s->server->root,
                               strcmp(x->path, "/") == 0 ? "index.html" : x->path + 1, &len);
    }
    if (!u->body)
        status = 404;
    (void)h3_answer(s->h3, x, status, type_of(x->path), u->body, len);
}

static void on_over(void *user, struct h3_exchange *x, bool complete)
{
    struct served *s = user;
    struct upload *u = x->user;

    h3_print(json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "event", "request", "method",
                       x->method, "path", x->path, "received", (json_int_t)x->received, "sent",
                       (json_int_t)x->body_used, "delivered", complete, "connection",
                       h3_stats(s->conn)));
    if (u && u->file)
        fclose(u->file);
    if (u)
        free(u->body);
    free(u);
    if (++s->requests == s->server->requests_max)
        (void)tvl_close(s->conn, H3_NO_ERROR, "", tvl_ev_now(s->server->driver));
}

static const struct h3_callbacks callbacks = { on_head, on_body, on_end, on_over };

/* ---- connections ---- */

static void begin(struct server *server, struct tvl_conn *conn)
{
    struct served *s = calloc(1, sizeof *s);

    if (!s || h3_new(&s->h3, conn, true, &callbacks, s) != 0) {
        free(s);
        (void)tvl_close(conn, H3_NO_ERROR, "no room", tvl_ev_now(server->driver));
        return;
    }
    s->server = server;
    s->conn = conn;
    s->next = server->first;
    if (s->next)
        s->next->prev = s;
    server->first = s;
    tvl_conn_set_user(conn, s);
    h3_print(json_pack("{s:s, s:o}", "event", "connected", "connection", h3_stats(conn)));
}

static void forget(struct served *s)
{
    *(s->prev ? &s->prev->next : &s->server->first) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    h3_free(s->h3);
    free(s);
}

static void finish(struct server *server, const struct tvl_event *ev)
{
    struct served *s = tvl_conn_user(ev->conn);

    if (s)
        forget(s);
    tvl_conn_set_user(ev->conn, NULL);
    h3_print(json_pack("{s:s, s:i, s:I, s:s, s:o}", "event", "closed", "kind", (int)ev->closed.kind,
                       "code", (json_int_t)ev->closed.code, "reason", ev->closed.reason,
                       "connection", h3_stats(ev->conn)));
    if (server->connections_left && --server->connections_left == 0)
        ev_break(server->loop, EVBREAK_ALL);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct server *server = user;
    struct served *s = tvl_conn_user(ev->conn);

    if (ev->type == TVL_EVENT_CLOSED) {
        finish(server, ev);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED) {
        begin(server, ev->conn);
        s = tvl_conn_user(ev->conn);
    }
    if (ev->type == TVL_EVENT_PATH)
        h3_print_path(ev);
    const uint64_t code = s ? h3_on_event(s->h3, ev) : 0;
    if (code)
        (void)tvl_close(ev->conn, code, "HTTP/3", tvl_ev_now(server->driver));
}

/* ---- the program ---- */

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    (void)w, (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static const char usage[] =
    "usage: h3_server --listen ADDRESS:PORT --cert FILE --key FILE [OPTION]...\n"
    "  --root DIR          files to serve\n"
    "  --uploads DIR       where bodies of POST and PUT go\n"
    "  --connections N     end after N connections have ended\n"
    "  --requests N        close a connection after N requests\n"
    "  --client-ca FILE    demand a client certificate of this authority\n"
    "  --retry             every client must prove its address\n"
    "  --suites LIST       cipher suites\n"
    "  --groups LIST       key exchange groups\n"
    "  --key-packets N     a new key after N packets\n"
    "  --cc NAME           congestion controller\n"
    "  --plain             no multipath\n"
    "  --keylog FILE       secrets in SSLKEYLOGFILE form\n";

enum choice {
    LISTEN = 1,
    CERT,
    KEY,
    ROOT,
    UPLOADS,
    CONNECTIONS,
    REQUESTS,
    CLIENT_CA,
    RETRY,
    SUITES,
    GROUPS,
    KEY_PACKETS,
    CC,
    PLAIN,
    KEYLOG,
};

static const struct option options[] = {
    { "listen", required_argument, NULL, LISTEN },
    { "cert", required_argument, NULL, CERT },
    { "key", required_argument, NULL, KEY },
    { "root", required_argument, NULL, ROOT },
    { "uploads", required_argument, NULL, UPLOADS },
    { "connections", required_argument, NULL, CONNECTIONS },
    { "requests", required_argument, NULL, REQUESTS },
    { "client-ca", required_argument, NULL, CLIENT_CA },
    { "retry", no_argument, NULL, RETRY },
    { "suites", required_argument, NULL, SUITES },
    { "groups", required_argument, NULL, GROUPS },
    { "key-packets", required_argument, NULL, KEY_PACKETS },
    { "cc", required_argument, NULL, CC },
    { "plain", no_argument, NULL, PLAIN },
    { "keylog", required_argument, NULL, KEYLOG },
    { NULL, 0, NULL, 0 },
};

struct setup {
    struct tvl_tls_config tls;
    struct tvl_ev_config ev;
    struct h3_logs logs;
};

static int take_option(int option, struct server *server, struct setup *c)
{
    switch (option) {
    case LISTEN:
        c->ev.listen = optarg;
        return 0;
    case CERT:
        c->tls.cert_file = optarg;
        return 0;
    case KEY:
        c->tls.key_file = optarg;
        return 0;
    case ROOT:
        server->root = optarg;
        return 0;
    case UPLOADS:
        server->uploads = optarg;
        return 0;
    case CONNECTIONS:
        server->connections_left = strtoul(optarg, NULL, 10);
        return 0;
    case REQUESTS:
        server->requests_max = strtoul(optarg, NULL, 10);
        return 0;
    case CLIENT_CA:
        c->tls.ca_file = optarg;
        return 0;
    case RETRY:
        c->ev.tvl.retry = TVL_RETRY_ALWAYS;
        return 0;
    case SUITES:
        c->tls.suites = optarg;
        return 0;
    case GROUPS:
        c->tls.groups = optarg;
        return 0;
    case KEY_PACKETS:
        c->ev.tvl.key_update_packets = strtoull(optarg, NULL, 10);
        return 0;
    case CC:
        c->ev.tvl.cc = optarg;
        return 0;
    case PLAIN:
        c->ev.tvl.max_path_id = UINT32_MAX;
        return 0;
    case KEYLOG:
        c->logs.keylog_file = optarg;
        return 0;
    default:
        return -1;
    }
}

static void say_end(struct server *server)
{
    struct tvl_endpoint_stats stats;

    while (server->first) { /* its goodbye was lost, maybe */
        h3_print(
            json_pack("{s:s, s:o}", "event", "open", "connection", h3_stats(server->first->conn)));
        tvl_conn_set_user(server->first->conn, NULL);
        forget(server->first);
    }
    tvl_endpoint_get_stats(tvl_ev_endpoint(server->driver), &stats);
    h3_print(json_pack("{s:s, s:I, s:I, s:I}", "event", "end", "accepted",
                       (json_int_t)stats.accepted, "retries_sent", (json_int_t)stats.retries_sent,
                       "versions_sent", (json_int_t)stats.versions_sent));
}

static int serve(struct server *server, struct setup *c)
{
    char why[256] = "";
    ev_signal terminate;
    int r;

    if (h3_logs_open(&c->logs, &c->tls, &c->ev.tvl) != 0)
        return 1;
    r = tvl_tls_new(&c->ev.tvl.tls, &c->tls, why, sizeof why);
    if (r == 0)
        r = tvl_ev_new(&server->driver, &c->ev, why, sizeof why);
    if (r == 0) {
        ev_signal_init(&terminate, on_signal, SIGTERM);
        ev_signal_start(server->loop, &terminate);
        ev_run(server->loop, 0);
        say_end(server);
        tvl_ev_free(server->driver);
    } else {
        fprintf(stderr, "h3_server: %s\n", why[0] ? why : tvl_strerror(r));
    }
    tvl_tls_free(c->ev.tvl.tls);
    h3_logs_close(&c->logs);
    return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct server server = { .loop = ev_default_loop(0) };
    struct setup c = { .tls = { .alpn = h3_alpn, .server = true } };
    int option, bad = 0;

    tvl_config_init(&c.ev.tvl);
    c.ev.loop = server.loop;
    c.ev.on_event = on_event;
    c.ev.user = &server;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        bad |= take_option(option, &server, &c);
    if (bad || optind < argc || !c.ev.listen) {
        fputs(usage, stderr);
        return 64;
    }
    return serve(&server, &c);
}
