/*
 * h3_client.c - a small HTTP/3 client over libtvl, to meet foreign servers.
 *
 * Asks for every PATH, on one connection or on several after another, and writes what came of each
 * as a JSON line on standard output: requests, events of paths, the end of each connection. The
 * server's certificate is always verified. Exit: 0 every answer was complete and 2xx, 1 not.
 */
#include <ev.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "h3.h"
#include "h3_common.h"

#define EXTRA_PATHS_MAX 7
#define AUTHORITY_MAX 256

struct client {
    struct ev_loop *loop;
    struct tvl_ev *driver;
    struct h3_logs *logs;
    const char *server, *name;
    char authority[AUTHORITY_MAX];
    char *const *paths;
    size_t n_paths;
    struct tvl_ev_path first, extra[EXTRA_PATHS_MAX];
    size_t n_extra;
    const char *save, *session_file;
    uint8_t *post;
    size_t post_len;
    unsigned long connections, at_once;
    uint64_t migrate_after; /* bytes of bodies that have come; 0: never */

    /* of the connection under way */
    struct tvl_conn *conn;
    struct h3 *h3;
    size_t asked, over;
    uint64_t received;
    bool migrated, good;
    bool all_good;
};

/* ---- requests ---- */

static void on_head(void *user, struct h3_exchange *x)
{
    struct client *c = user;

    if (c->save && x->status / 100 == 2 && !x->user)
        x->user = h3_create_file(c->save, x->path);
}

static void migrate(struct client *c)
{
    char why[256] = "";
    int r;

    if (!c->migrate_after || c->migrated || c->received < c->migrate_after)
        return;
    c->migrated = true;
    r = tvl_ev_path_migrate(c->driver, c->conn, 0, &c->first, why, sizeof why);
    h3_print(json_pack("{s:s, s:I, s:i, s:s}", "event", "migrate", "at", (json_int_t)c->received,
                       "result", r, "why", why));
}

static void on_body(void *user, struct h3_exchange *x, const uint8_t *bytes, size_t len)
{
    struct client *c = user;

    c->received += len;
    if (x->user)
        fwrite(bytes, 1, len, x->user);
}

static void on_over(void *user, struct h3_exchange *x, bool complete)
{
    struct client *c = user;
    const bool good = complete && x->status / 100 == 2;

    c->over++;
    c->good = c->good && good;
    if (x->user)
        fclose(x->user);
    h3_print(json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:b}", "event", "request", "method",
                       x->method, "path", x->path, "status", (int)x->status, "received",
                       (json_int_t)x->received, "sent", (json_int_t)x->body_used, "complete",
                       complete));
}

static const struct h3_callbacks callbacks = { on_head, on_body, NULL, on_over };

static void ask(struct client *c)
{
    while (c->asked < c->n_paths && c->asked - c->over < c->at_once) {
        if (!h3_request(c->h3, c->authority, c->paths[c->asked], c->post, c->post_len, NULL))
            return; /* when the server allows a stream more */
        c->asked++;
    }
}

/* ---- connections ---- */

static void keep_session(struct client *c)
{
    uint8_t bytes[TVL_SESSION_MAX];
    const size_t len = tvl_session_export(tvl_ev_endpoint(c->driver), c->name, bytes, sizeof bytes);
    FILE *f = c->session_file && len ? fopen(c->session_file, "wb") : NULL;

    if (!f)
        return;
    fwrite(bytes, 1, len, f);
    fclose(f);
}

static void use_session(struct client *c)
{
    size_t len;
    uint8_t *bytes = c->session_file ? h3_read_file(NULL, c->session_file, &len) : NULL;

    if (bytes && tvl_session_import(tvl_ev_endpoint(c->driver), c->name, bytes, len) != 0)
        fprintf(stderr, "%s: not a session\n", c->session_file);
    free(bytes);
}

static int connect_server(struct client *c)
{
    char why[256] = "";
    int r;

    c->asked = c->over = 0;
    c->received = 0;
    c->migrated = false;
    c->good = true;
    c->logs->retries_seen = c->logs->negotiations_seen = 0;
    r = tvl_ev_connect(c->driver, c->server, c->name, &c->first, &c->conn, why, sizeof why);
    if (r != 0) {
        fprintf(stderr, "h3_client: %s\n", why[0] ? why : tvl_strerror(r));
        c->all_good = false;
        ev_break(c->loop, EVBREAK_ALL);
    }
    return r;
}

static void connected(struct client *c)
{
    char why[256] = "";

    if (h3_new(&c->h3, c->conn, false, &callbacks, c) != 0) {
        (void)tvl_close(c->conn, H3_NO_ERROR, "no room", tvl_ev_now(c->driver));
        return;
    }
    h3_print(json_pack("{s:s, s:o, s:i, s:i}", "event", "connected", "connection",
                       h3_stats(c->conn), "retries", (int)c->logs->retries_seen, "negotiations",
                       (int)c->logs->negotiations_seen));
    for (size_t i = 0; i < c->n_extra; i++)
        if (tvl_ev_path_add(c->driver, c->conn, &c->extra[i], why, sizeof why) < 0)
            fprintf(stderr, "path: %s\n", why);
}

static void closed(struct client *c, const struct tvl_event *ev)
{
    c->good = c->good && c->over == c->n_paths && ev->closed.kind == TVL_CLOSED_LOCAL;
    h3_print(json_pack("{s:s, s:i, s:I, s:s, s:o, s:b}", "event", "closed", "kind",
                       (int)ev->closed.kind, "code", (json_int_t)ev->closed.code, "reason",
                       ev->closed.reason, "connection", h3_stats(ev->conn), "good", c->good));
    h3_free(c->h3);
    c->h3 = NULL;
    c->conn = NULL;
    c->all_good = c->all_good && c->good;
    if (--c->connections > 0) {
        (void)connect_server(c);
        return;
    }
    keep_session(c);
    ev_break(c->loop, EVBREAK_ALL);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct client *c = user;
    uint64_t code = 0;

    if (ev->type == TVL_EVENT_CLOSED) {
        closed(c, ev);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        connected(c);
    if (ev->type == TVL_EVENT_PATH)
        h3_print_path(ev);
    if (!c->h3)
        return;
    code = h3_on_event(c->h3, ev);
    migrate(c);
    ask(c);
    code = code ? code : h3_flush(c->h3);
    if (code || c->over == c->n_paths)
        (void)tvl_close(c->conn, code ? code : H3_NO_ERROR, "", tvl_ev_now(c->driver));
}

/* ---- the program ---- */

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct client *c = timer->data;

    (void)events;
    fputs("h3_client: time is up\n", stderr);
    if (c->conn)
        h3_print(json_pack("{s:s, s:o}", "event", "timeout", "connection", h3_stats(c->conn)));
    c->all_good = false;
    ev_break(loop, EVBREAK_ALL);
}

static const char usage[] =
    "usage: h3_client --ca FILE [OPTION]... HOST:PORT PATH...\n"
    "  --name NAME            of the server's certificate [localhost]\n"
    "  --cert FILE --key FILE our certificate\n"
    "  --post FILE            send it with each request\n"
    "  --save DIR             answers go there under the last part of their path\n"
    "  --connections N        all of it N times, each on a new connection [1]\n"
    "  --at-once N            requests under way [16]\n"
    "  --session FILE         resume from it, keep the last ticket and token in it\n"
    "  --suites LIST          cipher suites\n"
    "  --groups LIST          key exchange groups; the first is guessed\n"
    "  --plain                no multipath\n"
    "  --local ADDRESS        of the first path\n"
    "  --path [LOCAL][@ADDRESS:PORT]  a further path (up to 7)\n"
    "  --first-version HEX    begin with this reserved version (0x?a?a?a?a)\n"
    "  --key-packets N        a new key after N packets\n"
    "  --migrate BYTES        go on from a new socket once so many bytes have come\n"
    "  --keepalive MS         ask silent paths for a sign of life\n"
    "  --cc NAME              congestion controller\n"
    "  --keylog FILE          secrets in SSLKEYLOGFILE form\n"
    "  --timeout SECONDS      give up after it [30]\n";

enum choice {
    CA = 1,
    NAME,
    CERT,
    KEY,
    POST,
    SAVE,
    CONNECTIONS,
    AT_ONCE,
    SESSION,
    SUITES,
    GROUPS,
    PLAIN,
    LOCAL,
    PATH,
    FIRST_VERSION,
    KEY_PACKETS,
    MIGRATE,
    KEEPALIVE,
    CC,
    KEYLOG,
    TIMEOUT,
};

static const struct option options[] = {
    { "ca", required_argument, NULL, CA },
    { "name", required_argument, NULL, NAME },
    { "cert", required_argument, NULL, CERT },
    { "key", required_argument, NULL, KEY },
    { "post", required_argument, NULL, POST },
    { "save", required_argument, NULL, SAVE },
    { "connections", required_argument, NULL, CONNECTIONS },
    { "at-once", required_argument, NULL, AT_ONCE },
    { "session", required_argument, NULL, SESSION },
    { "suites", required_argument, NULL, SUITES },
    { "groups", required_argument, NULL, GROUPS },
    { "plain", no_argument, NULL, PLAIN },
    { "local", required_argument, NULL, LOCAL },
    { "path", required_argument, NULL, PATH },
    { "first-version", required_argument, NULL, FIRST_VERSION },
    { "key-packets", required_argument, NULL, KEY_PACKETS },
    { "migrate", required_argument, NULL, MIGRATE },
    { "keepalive", required_argument, NULL, KEEPALIVE },
    { "cc", required_argument, NULL, CC },
    { "keylog", required_argument, NULL, KEYLOG },
    { "timeout", required_argument, NULL, TIMEOUT },
    { NULL, 0, NULL, 0 },
};

struct setup {
    struct tvl_tls_config tls;
    struct tvl_ev_config ev;
    struct h3_logs logs;
    double timeout_s;
};

static int add_path(struct client *c, char *spec)
{
    char *at = strchr(spec, '@');

    if (c->n_extra == EXTRA_PATHS_MAX)
        return -1;
    if (at)
        *at = '\0';
    c->extra[c->n_extra++] = (struct tvl_ev_path){ .local = spec, .remote = at ? at + 1 : NULL };
    return 0;
}

static int take_post(struct client *c)
{
    c->post = h3_read_file(NULL, optarg, &c->post_len);
    if (!c->post)
        perror(optarg);
    return c->post ? 0 : -1;
}

/* Options of the transport; -1: not one of them. */
static int take_transport_option(int option, struct setup *s)
{
    switch (option) {
    case CA:
        s->tls.ca_file = optarg;
        return 0;
    case CERT:
        s->tls.cert_file = optarg;
        return 0;
    case KEY:
        s->tls.key_file = optarg;
        return 0;
    case SUITES:
        s->tls.suites = optarg;
        return 0;
    case GROUPS:
        s->tls.groups = optarg;
        return 0;
    case FIRST_VERSION:
        s->ev.tvl.first_version = (uint32_t)strtoul(optarg, NULL, 16);
        return 0;
    case KEY_PACKETS:
        s->ev.tvl.key_update_packets = strtoull(optarg, NULL, 10);
        return 0;
    case PLAIN:
        s->ev.tvl.max_path_id = UINT32_MAX;
        return 0;
    case KEEPALIVE:
        s->ev.tvl.keepalive = strtoull(optarg, NULL, 10) * 1000;
        return 0;
    case CC:
        s->ev.tvl.cc = optarg;
        return 0;
    case KEYLOG:
        s->logs.keylog_file = optarg;
        return 0;
    case TIMEOUT:
        s->timeout_s = strtod(optarg, NULL);
        return 0;
    default:
        return -1;
    }
}

static int take_option(int option, struct client *c, struct setup *s)
{
    switch (option) {
    case NAME:
        c->name = optarg;
        return 0;
    case POST:
        return take_post(c);
    case SAVE:
        c->save = optarg;
        return 0;
    case CONNECTIONS:
        c->connections = strtoul(optarg, NULL, 10);
        return 0;
    case AT_ONCE:
        c->at_once = strtoul(optarg, NULL, 10);
        return 0;
    case SESSION:
        c->session_file = optarg;
        return 0;
    case LOCAL:
        c->first.local = optarg;
        return 0;
    case PATH:
        return add_path(c, optarg);
    case MIGRATE:
        c->migrate_after = strtoull(optarg, NULL, 10);
        return 0;
    default:
        return take_transport_option(option, s);
    }
}

static int run(struct client *c, struct setup *s)
{
    char why[256] = "";
    ev_timer timer;
    int r;

    if (h3_logs_open(&s->logs, &s->tls, &s->ev.tvl) != 0)
        return 1;
    r = tvl_tls_new(&s->ev.tvl.tls, &s->tls, why, sizeof why);
    if (r == 0)
        r = tvl_ev_new(&c->driver, &s->ev, why, sizeof why);
    if (r == 0) {
        c->all_good = true;
        use_session(c);
        ev_timer_init(&timer, on_timeout, s->timeout_s, 0);
        timer.data = c;
        ev_timer_start(c->loop, &timer);
        if (connect_server(c) == 0)
            ev_run(c->loop, 0);
        h3_free(c->h3);
        tvl_ev_free(c->driver);
    } else {
        fprintf(stderr, "h3_client: %s\n", why[0] ? why : tvl_strerror(r));
    }
    tvl_tls_free(s->ev.tvl.tls);
    h3_logs_close(&s->logs);
    free(c->post);
    return r == 0 && c->all_good ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct client c = {
        .loop = ev_default_loop(0), .name = "localhost", .connections = 1, .at_once = 16
    };
    struct setup s = { .tls = { .alpn = h3_alpn }, .timeout_s = 30 };
    const char *colon;
    int option, bad = 0;

    tvl_config_init(&s.ev.tvl);
    s.ev.loop = c.loop;
    s.ev.on_event = on_event;
    s.ev.user = &c;
    c.logs = &s.logs;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        bad |= take_option(option, &c, &s);
    if (bad || argc - optind < 2 || !s.tls.ca_file || !c.connections || !c.at_once) {
        fputs(usage, stderr);
        return 64;
    }
    c.server = argv[optind];
    c.paths = argv + optind + 1;
    c.n_paths = (size_t)(argc - optind - 1);
    colon = strrchr(c.server, ':');
    snprintf(c.authority, sizeof c.authority, "%s%s", c.name, colon ? colon : "");
    return run(&c, &s);
}
