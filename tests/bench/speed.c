/*
 * speed.c - one bulk stream over libtvl and its driver on loopback: the CPU time of each side.
 *
 * A server and a client in two processes, each on its own core; the client opens PATHS paths from
 * 127.0.0.1, 127.0.0.2, ... One side writes MEGABYTES on a stream as fast as it is taken, the other
 * reads them; every byte is checked by its place.
 *
 * usage: speed [--cc NAME] [--sched NAME] [--objective NAME] PATHS MEGABYTES [up]
 *     up: the client sends; else the server does. The names are the sender's.
 * The last line is a JSON object, per gigabyte (10^9 bytes) of the stream.
 */
#include <ev.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <tvl/ev.h>
#include <tvl/select.h>

#include "measure.h"
#include "test_pki.h"

#define CHUNK (1u << 20) /* bytes; the pattern repeats after so many */
#define TIMEOUT_S 600.

struct side {
    struct ev_loop *loop;
    struct tvl_ev *driver;
    bool server, sends;
    int paths;
    const char *cc, *sched; /* NULL: the default */
    enum tvl_objective objective;
    uint64_t total, done, stream;
    bool failed, began;
    uint8_t *pattern;
};

struct outcome { /* of one side */
    double cpu, seconds;
    bool failed;
};

static void fill(uint8_t *bytes)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < CHUNK; i += sizeof x) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(bytes + i, &x, sizeof x);
    }
}

static void give(struct side *s, struct tvl_conn *conn)
{
    while (s->done < s->total) {
        const size_t at = (size_t)(s->done % CHUNK);
        const uint64_t left = s->total - s->done;
        const size_t len = left < CHUNK - at ? (size_t)left : CHUNK - at;
        const int64_t n = tvl_stream_write(conn, s->stream, s->pattern + at, len, len == left);

        if (n < 0)
            s->failed = true;
        if (n <= 0)
            return;
        s->done += (uint64_t)n;
        if ((size_t)n < len)
            return;
    }
}

static void take(struct side *s, struct tvl_conn *conn, uint64_t id)
{
    const uint8_t *bytes;
    bool fin = false;
    int64_t n;

    while (!fin && (n = tvl_stream_peek(conn, id, &bytes, &fin)) >= 0 && (n > 0 || fin)) {
        /* a look at both ends of each piece finds any shift, and costs nothing */
        s->failed = s->failed ||
                    (n > 0 && (bytes[0] != s->pattern[s->done % CHUNK] ||
                               bytes[n - 1] != s->pattern[(s->done + (uint64_t)n - 1) % CHUNK]));
        s->done += (uint64_t)n;
        (void)tvl_stream_consume(conn, id, (size_t)n, &fin);
    }
    if (!fin)
        return;
    s->failed = s->failed || s->done != s->total;
    (void)tvl_close(conn, 0, "", tvl_ev_now(s->driver));
}

static void begin(struct side *s, struct tvl_conn *conn)
{
    char local[32], why[128] = "";

    for (int i = 1; !s->server && i < s->paths; i++) {
        const struct tvl_ev_path path = { .local = local };

        (void)snprintf(local, sizeof local, "127.0.0.%d", i + 1);
        if (tvl_ev_path_add(s->driver, conn, &path, why, sizeof why) < 0)
            fprintf(stderr, "speed: path %d: %s\n", i, why);
    }
    if (!s->sends)
        return;
    s->failed = tvl_stream_open(conn, TVL_UNI, &s->stream) != 0;
    give(s, conn);
}

static void show_paths(const struct tvl_conn *conn)
{
    struct tvl_path_stats st[TVL_PATHS_MAX];
    const size_t n = tvl_paths(conn, st, TVL_PATHS_MAX);

    for (size_t i = 0; i < n; i++)
        printf(
            "path %u: %.0f MB, srtt %.2f ms, cwnd %.0f KB, mtu %u, %llu packets, %llu lost, %llu "
            "back\n",
            st[i].id, (double)st[i].bytes_sent / 1e6, (double)st[i].srtt / 1e3,
            (double)st[i].cwnd / 1e3, st[i].mtu, (unsigned long long)st[i].packets_sent,
            (unsigned long long)st[i].packets_lost, (unsigned long long)st[i].packets_received);
    (void)fflush(stdout);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct side *s = user;

    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        begin(s, ev->conn);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        give(s, ev->conn);
        break;
    case TVL_EVENT_STREAM_READABLE:
        take(s, ev->conn, ev->stream.id);
        break;
    case TVL_EVENT_CLOSED:
        if (s->sends)
            show_paths(ev->conn);
        s->failed = s->failed || s->done != s->total || ev->closed.code != 0;
        ev_break(s->loop, EVBREAK_ALL);
        break;
    default:
        break;
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    ((struct side *)timer->data)->failed = true;
    ev_break(loop, EVBREAK_ALL);
}

/* 0, or -1 with `why`. A server tells its port to `port_fd`, a client learns it there. */
static int start(struct side *s, const struct test_pki *pki, struct tvl_tls **tls, int port_fd)
{
    static const char *const alpn[] = { "speed", NULL };
    const struct tvl_tls_config tc = {
        .alpn = alpn,
        .cert_file = s->server ? pki->server : NULL,
        .key_file = s->server ? pki->server_key : NULL,
        .ca_file = s->server ? NULL : pki->ca,
        .server = s->server,
    };
    struct tvl_ev_config cfg = { .loop = s->loop, .on_event = on_event, .user = s };
    const struct tvl_ev_path path = { .local = "127.0.0.1" };
    char why[256] = "", server[32];
    struct tvl_conn *conn;
    uint16_t port = 0;

    tvl_config_init(&cfg.tvl);
    if (s->sends && s->cc)
        cfg.tvl.cc = s->cc;
    if (s->sends && s->sched)
        cfg.tvl.sched = s->sched;
    if (s->sends)
        cfg.tvl.objective = s->objective;
    cfg.listen = s->server ? "127.0.0.1:0" : NULL;
    if (tvl_tls_new(tls, &tc, why, sizeof why) != 0)
        goto failed;
    cfg.tvl.tls = *tls;
    if (tvl_ev_new(&s->driver, &cfg, why, sizeof why) != 0)
        goto failed;
    if (s->server) {
        port = tvl_ev_port(s->driver);
        return write(port_fd, &port, sizeof port) == (ssize_t)sizeof port ? 0 : -1;
    }
    if (read(port_fd, &port, sizeof port) != (ssize_t)sizeof port)
        return -1;
    (void)snprintf(server, sizeof server, "127.0.0.1:%u", port);
    if (tvl_ev_connect(s->driver, server, "localhost", &path, &conn, why, sizeof why) == 0)
        return 0;
failed:
    fprintf(stderr, "speed: %s\n", why);
    return -1;
}

static struct outcome run(struct side *s, const struct test_pki *pki, int port_fd)
{
    struct timespec from, to;
    struct tvl_tls *tls = NULL;
    ev_timer timer;

    measure_pin(s->sends ? MEASURE_SENDER_CORE : MEASURE_RECEIVER_CORE);
    s->loop = ev_loop_new(EVFLAG_AUTO);
    s->pattern = malloc(CHUNK);
    fill(s->pattern);
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    ev_timer_init(&timer, on_timeout, TIMEOUT_S, 0);
    timer.data = s;
    ev_timer_start(s->loop, &timer);
    s->failed = start(s, pki, &tls, port_fd) != 0;
    if (!s->failed)
        ev_run(s->loop, 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    const struct outcome o = {
        .cpu = measure_cpu(),
        .seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
        .failed = s->failed,
    };
    tvl_ev_free(s->driver);
    tvl_tls_free(tls);
    ev_loop_destroy(s->loop);
    free(s->pattern);
    return o;
}

/* False: not understood. */
static bool parse(struct side *s, bool *up, int argc, char **argv)
{
    static const struct option longs[] = { { "cc", required_argument, NULL, 'c' },
                                           { "sched", required_argument, NULL, 's' },
                                           { "objective", required_argument, NULL, 'o' },
                                           { NULL, 0, NULL, 0 } };
    int c, objective = TVL_OBJECTIVE_NONE;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'c')
            s->cc = optarg;
        else if (c == 's')
            s->sched = optarg;
        else if (c == 'o')
            objective = tvl_objective_find(optarg);
        else
            return false;
    }
    argc -= optind;
    argv += optind;
    s->objective = (enum tvl_objective)objective;
    s->paths = argc > 0 ? atoi(argv[0]) : 1;
    s->total = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000;
    *up = argc > 2 && strcmp(argv[2], "up") == 0;
    return objective >= 0 && s->paths >= 1 && s->paths <= TVL_PATHS_MAX && s->total > 0;
}

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_P256 };
    struct side s = { .failed = false };
    bool up;
    int port[2], report[2], status = 0;
    struct outcome send, recv;
    struct test_pki pki;

    if (!parse(&s, &up, argc, argv)) {
        fputs("usage: speed [--cc NAME] [--sched NAME] [--objective NAME] PATHS MEGABYTES [up]\n",
              stderr);
        return 64;
    }
    if (test_pki_init(&pki, &pc) != 0 || pipe(port) != 0 || pipe(report) != 0)
        return 2;
    const pid_t child = fork();
    s.sends = child != 0;
    s.server = s.sends != up;
    const struct outcome own = run(&s, &pki, port[s.server]);
    if (child == 0)
        _exit(write(report[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 2);
    send = own;
    close(report[1]);
    const bool heard = read(report[0], &recv, sizeof recv) == (ssize_t)sizeof recv;
    const bool ended = waitpid(child, &status, 0) == child && status == 0;
    test_pki_fini(&pki);
    if (!heard || !ended || send.failed || recv.failed) {
        fputs("speed: the transfer failed\n", stderr);
        return 1;
    }
    const double gb = (double)s.total / 1e9;
    printf("{\"cpu_s_per_gb_send\": %.3f, \"cpu_s_per_gb_recv\": %.3f, \"gbit_per_s\": %.3f}\n",
           send.cpu / gb, recv.cpu / gb, gb * 8 / send.seconds);
    return 0;
}
