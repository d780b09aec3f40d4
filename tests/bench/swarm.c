/* swarm.c - see swarm.h. */
#include "swarm.h"

#include <arpa/inet.h>
#include <ev.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <tvl/ev.h>
#include <unistd.h>

static const char *const alpn[] = { "bench", NULL };

tvl_time swarm_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (tvl_time)ts.tv_sec * 1000000u + (tvl_time)ts.tv_nsec / 1000u;
}

/* ---- the server ---- */

static void on_control(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)w, (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

/* What a client writes comes back, on a stream of ours. */
static void on_server_event(void *user, const struct tvl_event *ev)
{
    uint8_t bytes[4096];
    bool fin = false;
    int64_t n;

    (void)user;
    if (ev->type != TVL_EVENT_STREAM_READABLE)
        return;
    while ((n = tvl_stream_read(ev->conn, ev->stream.id, bytes, sizeof bytes, &fin)) > 0)
        (void)tvl_stream_write(ev->conn, ev->stream.id, bytes, (size_t)n, fin);
}

static int serve(struct swarm_server *s, void (*adjust)(struct tvl_config *cfg), int control,
                 int tell)
{
    struct tvl_ev_config cfg = { .loop = ev_loop_new(0),
                                 .listen = "127.0.0.1:0",
                                 .on_event = on_server_event };
    const struct tvl_tls_config tc = {
        .alpn = alpn, .cert_file = s->pki.server, .key_file = s->pki.server_key, .server = true
    };
    struct tvl_ev *driver;
    struct tvl_endpoint_stats stats;
    struct ev_io watcher;
    char why[200] = "";

    tvl_config_init(&cfg.tvl);
    cfg.tvl.idle_timeout = 600000000;
    if (adjust)
        adjust(&cfg.tvl);
    if (tvl_tls_new(&cfg.tvl.tls, &tc, why, sizeof why) != 0 ||
        tvl_ev_new(&driver, &cfg, why, sizeof why) != 0) {
        fprintf(stderr, "server: %s\n", why);
        return 1;
    }
    s->port = tvl_ev_port(driver);
    if (write(tell, &s->port, sizeof s->port) != sizeof s->port)
        return 1;
    ev_io_init(&watcher, on_control, control, EV_READ);
    ev_io_start(cfg.loop, &watcher);
    ev_run(cfg.loop, 0);
    tvl_endpoint_get_stats(tvl_ev_endpoint(driver), &stats);
    (void)!write(tell, &stats, sizeof stats);
    tvl_ev_free(driver);
    tvl_tls_free(cfg.tvl.tls);
    ev_loop_destroy(cfg.loop);
    return 0;
}

int swarm_server_start(struct swarm_server *s, void (*adjust)(struct tvl_config *cfg))
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    int control[2], tell[2];

    memset(s, 0, sizeof *s);
    if (test_pki_init(&s->pki, &pc) != 0 || pipe(control) != 0 || pipe(tell) != 0)
        return -1;
    s->pid = fork();
    if (s->pid == 0) {
        close(control[1]);
        close(tell[0]);
        _exit(serve(s, adjust, control[0], tell[1]));
    }
    close(control[0]);
    close(tell[1]);
    s->control = control[1];
    s->tell = tell[0];
    const bool told = read(tell[0], &s->port, sizeof s->port) == sizeof s->port;
    return s->pid > 0 && told ? 0 : -1;
}

void swarm_server_stop(struct swarm_server *s, struct tvl_endpoint_stats *stats)
{
    close(s->control);
    if (stats && read(s->tell, stats, sizeof *stats) != sizeof *stats)
        memset(stats, 0, sizeof *stats);
    close(s->tell);
    if (s->pid > 0)
        (void)waitpid(s->pid, NULL, 0);
    test_pki_fini(&s->pki);
}

long swarm_server_kib(const struct swarm_server *s)
{
    char name[64], line[256];
    long kib = -1;

    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)s->pid);
    FILE *f = fopen(name, "r");
    if (!f)
        return -1;
    kib = 0;
    while (fgets(line, sizeof line, f)) {
        long v;

        if (sscanf(line, "Private_Clean: %ld", &v) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &v) == 1)
            kib += v;
    }
    fclose(f);
    return kib;
}

long swarm_server_cpu_ms(const struct swarm_server *s)
{
    unsigned long user = 0, system = 0;
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/stat", (int)s->pid);
    FILE *f = fopen(name, "r");
    if (!f)
        return -1;
    /* the name of the program has no blanks in it */
    if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) !=
        2)
        user = system = 0;
    fclose(f);
    return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

/* ---- the client ---- */

int swarm_client_start(struct swarm_client *c, const struct swarm_server *s)
{
    const struct tvl_tls_config tc = { .alpn = alpn, .ca_file = s->pki.ca };
    struct sockaddr_in *to = (void *)&c->remote;
    struct sockaddr_in here = { .sin_family = AF_INET };
    socklen_t len = sizeof c->local;
    struct tvl_config cfg;
    char why[200] = "";
    int size = 8 << 20;

    memset(c, 0, sizeof *c);
    to->sin_family = AF_INET;
    to->sin_port = htons(s->port);
    to->sin_addr.s_addr = here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&here, sizeof here) != 0 ||
        getsockname(c->fd, (struct sockaddr *)&c->local, &len) != 0)
        return -1;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    tvl_config_init(&cfg);
    cfg.seed[0] = swarm_now();
    cfg.seed[1] = (uint64_t)getpid();
    cfg.idle_timeout = 600000000;
    cfg.handshake_timeout = 60000000;
    cfg.conns_max = 65536;
    if (tvl_tls_new(&c->tls, &tc, why, sizeof why) != 0) {
        fprintf(stderr, "client: %s\n", why);
        return -1;
    }
    cfg.tls = c->tls;
    return tvl_endpoint_new(&c->ep, &cfg);
}

void swarm_client_stop(struct swarm_client *c)
{
    tvl_endpoint_free(c->ep);
    tvl_tls_free(c->tls);
    close(c->fd);
}

static void take(struct swarm_client *c, const struct tvl_event *ev)
{
    uint8_t bytes[4096];
    bool fin;
    int64_t n;

    c->connected += ev->type == TVL_EVENT_CONNECTED;
    c->closed += ev->type == TVL_EVENT_CLOSED;
    if (ev->type == TVL_EVENT_STREAM_READABLE)
        while ((n = tvl_stream_read(ev->conn, ev->stream.id, bytes, sizeof bytes, &fin)) > 0)
            c->stream_bytes += (uint64_t)n;
}

static void send_all(struct swarm_client *c)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    struct tvl_datagram d;
    struct tvl_event ev;

    while (tvl_endpoint_poll(c->ep, &ev) == 1)
        take(c, &ev);
    while (tvl_endpoint_send(c->ep, &d, bytes, swarm_now()) == 1)
        (void)sendto(c->fd, bytes, d.len, 0, (struct sockaddr *)&d.remote,
                     sizeof(struct sockaddr_in));
    while (tvl_endpoint_poll(c->ep, &ev) == 1)
        take(c, &ev);
}

/* Until something came or was due, at most `ms`. */
static void step(struct swarm_client *c, int ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    const tvl_time next = tvl_endpoint_next_tick(c->ep), now = swarm_now();
    struct tvl_datagram d = { .local = c->local, .remote = c->remote };
    uint8_t bytes[2048];
    ssize_t n;

    if (next != TVL_TIME_NEVER && next < now + (tvl_time)ms * 1000)
        ms = next > now ? (int)((next - now) / 1000) + 1 : 0;
    (void)poll(&p, 1, ms);
    for (int k = 0; k < 64 && (n = recv(c->fd, bytes, sizeof bytes, 0)) > 0; k++)
        if (n <= TVL_DATAGRAM_MAX) {
            d.len = (size_t)n;
            (void)tvl_endpoint_recv(c->ep, &d, bytes, swarm_now());
        }
    tvl_endpoint_tick(c->ep, swarm_now());
    send_all(c);
}

void swarm_client_run(struct swarm_client *c, double seconds)
{
    const tvl_time end = swarm_now() + (tvl_time)(seconds * 1e6);

    send_all(c);
    while (swarm_now() < end)
        step(c, 20);
}

bool swarm_client_connect(struct swarm_client *c, unsigned n, unsigned at_once, double seconds)
{
    const struct tvl_path_config path = { .local = c->local, .remote = c->remote };
    const tvl_time end = swarm_now() + (tvl_time)(seconds * 1e6);
    const unsigned goal = c->connected + n;
    unsigned begun = c->connected;

    while (c->connected < goal && c->closed == 0 && swarm_now() < end) {
        struct tvl_conn *conn;

        while (begun < goal && begun < c->connected + at_once) {
            if (tvl_connect(c->ep, &path, "localhost", &conn, swarm_now()) != 0)
                return false;
            begun++;
        }
        send_all(c);
        step(c, 20);
    }
    return c->connected >= goal;
}
