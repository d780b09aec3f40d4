/* program.c - see program.h. */
#include "program.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/tvl.h>

#include "board/board.h"
#include "echo/args.h"
#include "echo/send.h"
#include "echo/serve.h"
#include "echo/transport.h"
#include "echo/wake.h"

#define NAME "tvl-echo"
#define FIRST_PORT 49152u  /* RFC 6335: dynamic */
#define TICK_EVERY 250000u /* us between looks of a sender at its limit */
#define SENDS_PER_TURN 64u /* datagrams of a program before others have their turn */
#define HEADERS 28u        /* bytes of IPv4 and UDP */
/* What a connection may make us hold is a matter of this machine's memory. */
#define STREAM_WINDOW (1u << 20)
#define CONN_WINDOW (2u << 20)
#define CONNS_MAX 32u

struct program {
    struct programs *all;
    struct echo_args args;
    struct program_output out;
    struct tvl_tls *tls;
    struct tvl_endpoint *endpoint; /* NULL: wake, or only text */
    uint16_t port;
    uint32_t address; /* serve: listens on this alone; 0: on all */
    struct echo_counts counts;
    struct echo_send send;
    struct echo_wake wake;
    bool over;
    int code, signal;
};

void programs_init(struct programs *ps, struct net *net, const struct config *config)
{
    memset(ps, 0, sizeof *ps);
    ps->net = net;
    ps->config = config;
    ps->next_port = FIRST_PORT;
}

static void end(struct program *p, int code)
{
    if (p->over)
        return;
    p->over = true;
    p->code = code;
}

static void complain(struct program *p, const char *why)
{
    char line[PROGRAM_WHY_MAX + 16];

    snprintf(line, sizeof line, NAME ": %s\n", why);
    p->out.write(p->out.user, true, line);
}

/* ---- addresses ---- */

static struct sockaddr_storage socket_address(uint32_t address, uint16_t port)
{
    struct sockaddr_storage out = { .ss_family = AF_INET };
    struct sockaddr_in *in = (struct sockaddr_in *)&out;

    in->sin_addr.s_addr = htonl(address);
    in->sin_port = htons(port);
    return out;
}

static uint32_t address_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET ? ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) : 0;
}

/* The local address that a path asks for, 0: whichever leads there. */
static int local_of(const struct program *p, const struct path_spec *s, uint32_t *out, char *why,
                    size_t why_size)
{
    const struct config *c = p->all->config;
    unsigned at;
    char more;

    *out = 0;
    if (s->local[0] && config_address(s->local, out) != 0) {
        snprintf(why, why_size, "%s: not an IPv4 address", s->local);
        return -1;
    }
    if (!s->interface[0])
        return 0;
    if (sscanf(s->interface, "eth%u%c", &at, &more) != 1 || at >= c->n_nics) {
        snprintf(why, why_size, "interface %s: there is none of that name", s->interface);
        return -1;
    }
    if (*out && *out != c->nic[at].address) {
        snprintf(why, why_size, "%s is not the address of %s", s->local, s->interface);
        return -1;
    }
    *out = c->nic[at].address;
    return 0;
}

static int path_config(const struct program *p, const struct path_spec *s,
                       struct tvl_path_config *out, char *why, size_t why_size)
{
    const char *to = s->remote[0] ? s->remote : p->args.server;
    uint32_t local, remote;
    uint16_t port;
    int card;

    if (config_resolve(p->all->config, to, &remote, &port) != 0) {
        snprintf(why, why_size, "%.128s: unknown host, or not HOST:PORT", to);
        return -1;
    }
    if (local_of(p, s, &local, why, why_size) != 0)
        return -1;
    card = net_route(p->all->net, local, remote);
    if (card < 0) {
        snprintf(why, why_size, "%.128s: no network card leads there", to);
        return -1;
    }
    *out = (struct tvl_path_config){
        .local = socket_address(p->all->net->interface[card].address, p->port),
        .remote = socket_address(remote, port),
        .tag = (uint64_t)card + 1,
        .backup = s->backup,
    };
    return 0;
}

/* ---- start ---- */

static uint16_t free_port(struct programs *ps)
{
    for (;;) {
        const uint16_t port = ps->next_port;
        bool used = false;

        ps->next_port = port == UINT16_MAX ? FIRST_PORT : (uint16_t)(port + 1);
        for (size_t i = 0; i < PROGRAMS_MAX; i++)
            used = used || (ps->slot[i] && ps->slot[i]->port == port);
        if (!used)
            return port;
    }
}

static int make_endpoint(struct program *p, char *why, size_t why_size)
{
    struct tvl_config c;
    uint16_t mtu = TVL_DATAGRAM_MAX + HEADERS;
    int r;

    if (echo_transport(&c, &p->args, why, why_size) != 0)
        return -1;
    p->tls = c.tls;
    for (size_t i = 0; i < p->all->config->n_nics; i++)
        if (p->all->config->nic[i].mtu < mtu)
            mtu = p->all->config->nic[i].mtu;
    c.mtu_max = mtu - HEADERS > 1200 ? mtu - HEADERS : 1200;
    c.stream_window = STREAM_WINDOW;
    c.conn_window = CONN_WINDOW;
    c.conns_max = c.handshakes_max = CONNS_MAX;
    c.wall_offset = board_wall_us() - board_now();
    if (!board_random((uint8_t *)c.seed, sizeof c.seed)) {
        snprintf(why, why_size, "no randomness here: QEMU needs -cpu max or a virtio-rng-device");
        return -1;
    }
    r = tvl_endpoint_new(&p->endpoint, &c);
    if (r != 0)
        snprintf(why, why_size, "transport: %s", tvl_strerror(r));
    return r == 0 ? 0 : -1;
}

static int start_serve(struct program *p, char *why, size_t why_size)
{
    char line[80];

    if (config_resolve(p->all->config, p->args.listen, &p->address, &p->port) != 0) {
        snprintf(why, why_size, "%.128s: not ADDRESS:PORT", p->args.listen);
        return -1;
    }
    if (p->port == 0)
        p->port = free_port(p->all);
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (p->all->slot[i] && p->all->slot[i]->port == p->port) {
            snprintf(why, why_size, "cannot listen on port %u: in use", p->port);
            return -1;
        }
    if (make_endpoint(p, why, why_size) != 0)
        return -1;
    snprintf(line, sizeof line, NAME ": ready on port %u\n", p->port);
    p->out.write(p->out.user, false, line);
    return 0;
}

static int start_send(struct program *p, char *why, size_t why_size)
{
    const struct path_spec any = { .backup = false };
    struct tvl_path_config path;
    struct tvl_conn *conn;
    int r;

    p->port = free_port(p->all);
    echo_send_init(&p->send, &p->args, board_now());
    if (path_config(p, p->args.n_paths ? &p->args.path[0] : &any, &path, why, why_size) != 0 ||
        make_endpoint(p, why, why_size) != 0)
        return -1;
    r = tvl_connect(p->endpoint, &path, p->args.name, &conn, board_now());
    if (r != 0)
        snprintf(why, why_size, "%s", tvl_strerror(r));
    return r == 0 ? 0 : -1;
}

static void program_free(struct program *p)
{
    if (!p)
        return;
    tvl_endpoint_free(p->endpoint);
    tvl_tls_free(p->tls);
    echo_send_fini(&p->send);
    echo_wake_fini(&p->wake);
    free(p);
}

static int start(struct program *p, int argc, char *const *argv, char *why, size_t why_size)
{
    switch (echo_args_parse(&p->args, argc, argv, why, why_size)) {
    case ECHO_HELP:
        p->out.write(p->out.user, false, echo_help);
        end(p, 0);
        return 0;
    case ECHO_VERSION:
        p->out.write(p->out.user, false, NAME " " TVL_VERSION "\n");
        end(p, 0);
        return 0;
    case ECHO_WRONG:
        complain(p, why);
        end(p, 64);
        return 0;
    case ECHO_WAKE:
        echo_wake_init(&p->wake, &p->args, board_now());
        return 0;
    case ECHO_SERVE:
        return start_serve(p, why, why_size);
    case ECHO_SEND:
        return start_send(p, why, why_size);
    }
    return -1;
}

struct program *program_start(struct programs *ps, int argc, char *const *argv,
                              const struct program_output *out, char *why, size_t why_size)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    struct program *p;
    size_t at = 0;

    if (argc < 1 || strcmp(slash ? slash + 1 : argv[0], NAME) != 0) {
        snprintf(why, why_size, "%.64s: this system has one program, " NAME,
                 argc > 0 ? argv[0] : "nothing");
        return NULL;
    }
    while (at < PROGRAMS_MAX && ps->slot[at])
        at++;
    if (at == PROGRAMS_MAX) {
        snprintf(why, why_size, "more than %u programs at once", PROGRAMS_MAX);
        return NULL;
    }
    p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    p->all = ps;
    p->out = *out;
    ps->started++;
    if (start(p, argc, argv, why, why_size) != 0) { /* as a process that fails */
        complain(p, why);
        end(p, 1);
    }
    ps->slot[at] = p;
    return p;
}

void program_kill(struct program *p, int signal)
{
    if (p->over || signal == 0)
        return;
    end(p, 0);
    if (p->args.verb != ECHO_SERVE || (signal != SIGTERM && signal != SIGINT))
        p->signal = signal;
}

/* ---- running ---- */

bool programs_take(struct programs *ps, const struct net_datagram *d, uint64_t now)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        struct program *p = ps->slot[i];

        if (!p || !p->endpoint || p->port != d->to_port || (p->address && p->address != d->to))
            continue;
        if (d->length > TVL_DATAGRAM_MAX)
            return true;
        const struct tvl_datagram in = {
            .local = socket_address(d->to, d->to_port),
            .remote = socket_address(d->from, d->from_port),
            .ecn = d->ecn,
            .len = d->length,
            .tag = d->interface + 1,
        };
        (void)tvl_endpoint_recv(p->endpoint, &in, d->payload, now);
        return true;
    }
    return false;
}

static void report(struct program *p, char *text, int code)
{
    if (text)
        p->out.write(p->out.user, false, text);
    free(text);
    end(p, text ? code : 1);
}

static void open_paths(struct program *p, uint64_t now)
{
    char why[PROGRAM_WHY_MAX];
    struct tvl_path_config path;

    for (size_t i = 1; i < p->args.n_paths; i++) {
        int r = path_config(p, &p->args.path[i], &path, why, sizeof why);

        if (r == 0) {
            r = tvl_path_add(p->send.conn, &path, now);
            if (r < 0)
                snprintf(why, sizeof why, "%s", tvl_strerror(r));
        }
        if (r < 0) {
            echo_send_fail(&p->send, why, now);
            return;
        }
    }
}

static bool take_events(struct program *p, uint64_t now)
{
    struct tvl_event ev;
    bool any = false;

    while (tvl_endpoint_poll(p->endpoint, &ev) == 1) {
        any = true;
        if (p->args.verb == ECHO_SERVE)
            echo_serve_event(&p->counts, &ev);
        else
            echo_send_event(&p->send, &ev, now);
    }
    return any;
}

static bool send_out(struct program *p, uint64_t now)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    struct tvl_datagram d;
    size_t n = 0;

    for (; n < SENDS_PER_TURN && tvl_endpoint_send(p->endpoint, &d, bytes, now) == 1; n++) {
        const struct net_datagram out = {
            .from = address_of(&d.local),
            .to = address_of(&d.remote),
            .from_port = p->port,
            .to_port = ntohs(((const struct sockaddr_in *)&d.remote)->sin_port),
            .ecn = d.ecn,
            .payload = bytes,
            .length = d.len,
        };
        (void)net_udp(p->all->net, &out, now); /* what cannot leave is lost, as on any way */
    }
    return n > 0;
}

static bool work_sender(struct program *p, uint64_t now)
{
    echo_send_tick(&p->send, now);
    if (echo_send_wants_paths(&p->send))
        open_paths(p, now);
    if (echo_send_over(&p->send))
        report(p, echo_send_report(&p->send), p->send.error[0] ? 1 : 0);
    return p->over;
}

static bool work(struct program *p, uint64_t now)
{
    bool any = false;

    if (p->args.verb == ECHO_WAKE) {
        if (now >= p->wake.due && !echo_wake_at(&p->wake, now))
            report(p, echo_wake_report(&p->wake), 0);
        return p->over;
    }
    if (tvl_endpoint_next_tick(p->endpoint) <= now)
        tvl_endpoint_tick(p->endpoint, now);
    any = take_events(p, now);
    if (p->args.verb == ECHO_SEND)
        any = work_sender(p, now) || any;
    return send_out(p, now) || any;
}

bool programs_work(struct programs *ps, uint64_t now)
{
    bool any = false;

    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        struct program *p = ps->slot[i];

        if (!p)
            continue;
        if (!p->over)
            any = work(p, now) || any;
        if (p->over) {
            ps->slot[i] = NULL;
            p->out.ended(p->out.user, p->code, p->signal);
            program_free(p);
            any = true;
        }
    }
    return any;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t programs_due(const struct programs *ps)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        const struct program *p = ps->slot[i];

        if (!p)
            continue;
        if (p->args.verb == ECHO_WAKE)
            due = least(due, p->wake.due);
        if (p->endpoint)
            due = least(due, tvl_endpoint_next_tick(p->endpoint));
        if (p->args.verb == ECHO_SEND)
            due = least(due, least(echo_send_due(&p->send), board_now() + TICK_EVERY));
    }
    return due;
}
