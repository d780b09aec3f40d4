/*
 * tvl_peer.c - the smallest HTTP/3 on libtvl's public headers, to meet foreign QUIC endpoints.
 *
 *     tvl_peer client HOST:PORT NAME CA [KEYLOG]   asks for /, prints how many bytes came
 *     tvl_peer client-plain ...                    the same, without the offer of multipath
 *     tvl_peer server ADDRESS:PORT CERT KEY        answers every request with 200 and BODY_BYTES
 *
 * Only what it takes to make a peer talk: the control stream with empty SETTINGS, one request with
 * static QPACK entries (RFC 9114 6.2.1, 7.2.4; RFC 9204 appendix A). Exit: 0 done, 1 failed. The
 * server ends after one connection has ended or TIMEOUT_S.
 */
#include <tvl/ev.h>

#include <ev.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S 15.0
#define BODY_BYTES 200000
#define ANSWER_MIN 10 /* bytes: a HEADERS frame and something in a DATA frame */

static const char *const alpn[] = { "h3", NULL };
/* type of the stream, SETTINGS of length 0 */
static const uint8_t control_stream[] = { 0x00, 0x04, 0x00 };
/* HEADERS: :method GET, :scheme https, :path /, :authority localhost */
static const uint8_t request[] = { 0x01, 0x10, 0x00, 0x00, 0xd1, 0xd7, 0xc1, 0x50, 0x09,
                                   'l',  'o',  'c',  'a',  'l',  'h',  'o',  's',  't' };
/* HEADERS: :status 200; DATA of BODY_BYTES in a four-byte length */
static const uint8_t answer[] = { 0x01,
                                  0x03,
                                  0x00,
                                  0x00,
                                  0xd9,
                                  0x00,
                                  0x80 | (BODY_BYTES >> 24),
                                  (BODY_BYTES >> 16) & 0xff,
                                  (BODY_BYTES >> 8) & 0xff,
                                  BODY_BYTES & 0xff };

struct peer {
    struct ev_loop *loop;
    struct tvl_ev *driver;
    bool server;
    bool plain; /* QUIC version 1 and no more */
    bool done;  /* client: the whole answer is here. server: a request was answered. */
    uint64_t request_id;
    uint64_t received;
    FILE *keylog;
};

static void keylog(void *user, const char *line)
{
    struct peer *p = user;
    if (p->keylog)
        fprintf(p->keylog, "%s\n", line);
}

static void open_streams(struct peer *p, struct tvl_conn *conn)
{
    uint64_t id;
    if (tvl_stream_open(conn, TVL_UNI, &id) == 0)
        tvl_stream_write(conn, id, control_stream, sizeof control_stream, false);
    if (!p->server && tvl_stream_open(conn, TVL_BIDI, &p->request_id) == 0)
        tvl_stream_write(conn, p->request_id, request, sizeof request, true);
}

static void give_answer(struct tvl_conn *conn, uint64_t id)
{
    static uint8_t body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    tvl_stream_write(conn, id, answer, sizeof answer, false);
    tvl_stream_write(conn, id, body, sizeof body, true);
}

static void read_stream(struct peer *p, struct tvl_conn *conn, uint64_t id)
{
    uint8_t bytes[4096];
    bool fin = false;
    int64_t n = 1;
    while (n > 0 && !fin) {
        n = tvl_stream_read(conn, id, bytes, sizeof bytes, &fin);
        if (!p->server && id == p->request_id && n > 0)
            p->received += (uint64_t)n;
    }
    bool bidi = (id & TVL_UNI) == 0;
    if (!fin || !bidi)
        return;
    if (p->server) {
        give_answer(conn, id);
        p->done = true;
    } else {
        p->done = p->received >= ANSWER_MIN;
        tvl_close(conn, 0x100 /* H3_NO_ERROR */, "", tvl_ev_now(p->driver));
    }
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct peer *p = user;
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        printf("connected, alpn %s\n", tvl_conn_alpn(ev->conn));
        open_streams(p, ev->conn);
        break;
    case TVL_EVENT_STREAM_READABLE:
        read_stream(p, ev->conn, ev->stream.id);
        break;
    case TVL_EVENT_CLOSED:
        printf("closed, kind %d code %#llx %s\n", (int)ev->closed.kind,
               (unsigned long long)ev->closed.code, ev->closed.reason);
        ev_break(p->loop, EVBREAK_ALL);
        break;
    default:
        break;
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int connect_peer(struct peer *p, const char *server, const char *name, char *why,
                        size_t why_size)
{
    struct tvl_conn *conn;
    struct tvl_ev_path path = { 0 };
    int result = tvl_ev_connect(p->driver, server, name, &path, &conn, why, why_size);
    tvl_ev_kick(p->driver);
    return result;
}

static int run(struct peer *p, char **argv)
{
    char why[256] = "";
    struct tvl_tls *tls = NULL;
    struct tvl_tls_config tls_cfg = {
        .alpn = alpn, .server = p->server, .keylog = keylog, .keylog_user = p
    };
    if (p->server) {
        tls_cfg.cert_file = argv[3];
        tls_cfg.key_file = argv[4];
    } else {
        tls_cfg.ca_file = argv[4];
    }
    int result = tvl_tls_new(&tls, &tls_cfg, why, sizeof why);
    if (result < 0)
        goto report;
    struct tvl_ev_config cfg = {
        .loop = p->loop, .on_event = on_event, .user = p, .listen = p->server ? argv[2] : NULL
    };
    tvl_config_init(&cfg.tvl);
    cfg.tvl.tls = tls;
    if (p->plain)
        cfg.tvl.max_path_id = UINT32_MAX;
    result = tvl_ev_new(&p->driver, &cfg, why, sizeof why);
    if (result < 0)
        goto free_tls;
    if (!p->server)
        result = connect_peer(p, argv[2], argv[3], why, sizeof why);
    if (result < 0)
        goto free_driver;
    ev_timer timer;
    ev_timer_init(&timer, on_timeout, TIMEOUT_S, 0);
    ev_timer_start(p->loop, &timer);
    ev_run(p->loop, 0);
free_driver:
    tvl_ev_free(p->driver);
free_tls:
    tvl_tls_free(tls);
report:
    if (result < 0)
        fprintf(stderr, "tvl_peer: %s\n", why[0] ? why : tvl_strerror(result));
    return result;
}

int main(int argc, char **argv)
{
    struct peer p = { .loop = ev_default_loop(0) };
    const char *mode = argc < 5 ? "" : argv[1];
    p.server = strcmp(mode, "server") == 0;
    p.plain = strcmp(mode, "client-plain") == 0;
    if (!p.server && !p.plain && strcmp(mode, "client") != 0) {
        fputs("tvl_peer: see the first comment of tvl_peer.c\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 5 && !(p.keylog = fopen(argv[5], "w"))) {
        perror(argv[5]);
        return 1;
    }
    int result = run(&p, argv);
    if (p.keylog)
        fclose(p.keylog);
    printf("%s, %llu bytes of the answer\n", p.done ? "done" : "not done",
           (unsigned long long)p.received);
    return result == 0 && p.done ? 0 : 1;
}
