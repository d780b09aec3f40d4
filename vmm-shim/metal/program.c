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
#include "echo/relay.h"
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

/* A UDP port and the endpoint behind it. */
struct outlet {
    struct tvl_tls *tls;
    struct tvl_endpoint *endpoint; /* NULL: none */
    uint16_t port;
    uint32_t address; /* listens on this alone; 0: on all */
};

struct program {
    struct programs *all;
    struct echo_args args;
    struct program_output out;
    struct outlet outlet[2]; /* of serve and send the first; of relay as enum relay_side */
    struct echo_counts counts;
    struct echo_relay relay;
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

static int path_config(const struct program *p, const struct outlet *o, const struct path_spec *s,
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
        .local = socket_address(p->all->net->interface[card].address, o->port),
        .remote = socket_address(remote, port),
        .tag = (uint64_t)card + 1,
        .backup = s->backup,
    };
    return 0;
}

/* ---- start ---- */

static bool port_is_used(const struct programs *ps, uint16_t port)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        for (size_t k = 0; ps->slot[i] && k < 2; k++)
            if (ps->slot[i]->outlet[k].port == port)
                return true;
    return false;
}

static uint16_t free_port(struct programs *ps)
{
    for (;;) {
        const uint16_t port = ps->next_port;

        ps->next_port = port == UINT16_MAX ? FIRST_PORT : (uint16_t)(port + 1);
        if (!port_is_used(ps, port))
            return port;
    }
}

static int make_endpoint(struct program *p, struct outlet *o, enum echo_side side, char *why,
                         size_t why_size)
{
    struct tvl_config c;
    uint16_t mtu = TVL_DATAGRAM_MAX + HEADERS;
    uint64_t seed[4];
    int r;

    if (!board_random((uint8_t *)seed, sizeof seed)) {
        snprintf(why, why_size, "no randomness here: QEMU needs -cpu max or a virtio-rng-device");
        return -1;
    }
    if (echo_transport(&c, &p->args, side, why, why_size) != 0)
        return -1;
    o->tls = c.tls;
    for (size_t i = 0; i < p->all->config->n_nics; i++)
        if (p->all->config->nic[i].mtu < mtu)
            mtu = p->all->config->nic[i].mtu;
    c.mtu_max = mtu - HEADERS > 1200 ? mtu - HEADERS : 1200;
    c.stream_window = STREAM_WINDOW;
    c.conn_window = CONN_WINDOW;
    c.conns_max = c.handshakes_max = CONNS_MAX;
    c.wall_offset = board_wall_us() - board_now();
    memcpy(c.seed, seed, sizeof c.seed);
    r = tvl_endpoint_new(&o->endpoint, &c);
    if (r != 0)
        snprintf(why, why_size, "transport: %s", tvl_strerror(r));
    return r == 0 ? 0 : -1;
}

static int start_serve(struct program *p, char *why, size_t why_size)
{
    struct outlet *o = &p->outlet[RELAY_FRONT];
    char line[80];
    uint16_t port;

    if (config_resolve(p->all->config, p->args.listen, &o->address, &port) != 0) {
        snprintf(why, why_size, "%.128s: not ADDRESS:PORT", p->args.listen);
        return -1;
    }
    if (port == 0)
        port = free_port(p->all);
    if (port_is_used(p->all, port)) {
        snprintf(why, why_size, "cannot listen on port %u: in use", port);
        return -1;
    }
    o->port = port;
    if (make_endpoint(p, o, ECHO_SERVER, why, why_size) != 0)
        return -1;
    snprintf(line, sizeof line, NAME ": ready on port %u\n", port);
    p->out.write(p->out.user, false, line);
    return 0;
}

/* A connection to where the command line says, over its first path. */
static int connect_out(struct program *p, const struct outlet *o, struct tvl_conn **out, char *why,
                       size_t why_size)
{
    const struct path_spec any = { .backup = false };
    struct tvl_path_config path;
    int r;

    if (path_config(p, o, p->args.n_paths ? &p->args.path[0] : &any, &path, why, why_size) != 0)
        return -1;
    r = tvl_connect(o->endpoint, &path, p->args.name, out, board_now());
    if (r != 0)
        snprintf(why, why_size, "%s", tvl_strerror(r));
    return r == 0 ? 0 : -1;
}

static int start_send(struct program *p, char *why, size_t why_size)
{
    struct outlet *o = &p->outlet[0];
    struct tvl_conn *conn;

    o->port = free_port(p->all);
    echo_send_init(&p->send, &p->args, board_now());
    if (make_endpoint(p, o, ECHO_CLIENT, why, why_size) != 0)
        return -1;
    return connect_out(p, o, &conn, why, why_size);
}

/* The paths after the first. 0, or -1 and `why`. */
static int open_paths(const struct program *p, const struct outlet *o, struct tvl_conn *conn,
                      char *why, size_t why_size)
{
    struct tvl_path_config path;

    for (size_t i = 1; i < p->args.n_paths; i++) {
        int r = path_config(p, o, &p->args.path[i], &path, why, why_size);

        if (r == 0) {
            r = tvl_path_add(conn, &path, board_now());
            if (r < 0)
                snprintf(why, why_size, "%s", tvl_strerror(r));
        }
        if (r < 0)
            return -1;
    }
    return 0;
}

static int relay_connect(void *user, struct tvl_conn **out, char *why, size_t why_size)
{
    struct program *p = user;

    return connect_out(p, &p->outlet[RELAY_BACK], out, why, why_size);
}

static void relay_connected(void *user, struct tvl_conn *conn)
{
    struct program *p = user;
    char why[PROGRAM_WHY_MAX];

    if (open_paths(p, &p->outlet[RELAY_BACK], conn, why, sizeof why) != 0)
        complain(p, why); /* it goes on over those it has */
}

static int start_relay(struct program *p, char *why, size_t why_size)
{
    struct outlet *back = &p->outlet[RELAY_BACK];

    p->relay =
        (struct echo_relay){ .connect = relay_connect, .connected = relay_connected, .user = p };
    back->port = free_port(p->all);
    if (make_endpoint(p, back, ECHO_CLIENT, why, why_size) != 0)
        return -1;
    return start_serve(p, why, why_size);
}

static void program_free(struct program *p)
{
    if (!p)
        return;
    for (size_t k = 0; k < 2; k++) {
        tvl_endpoint_free(p->outlet[k].endpoint);
        tvl_tls_free(p->outlet[k].tls);
    }
    echo_relay_fini(&p->relay);
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
    case ECHO_RELAY:
        return start_relay(p, why, why_size);
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
    const bool serves = p->args.verb == ECHO_SERVE || p->args.verb == ECHO_RELAY;
    if (!serves || (signal != SIGTERM && signal != SIGINT))
        p->signal = signal;
}

/* ---- running ---- */

static struct outlet *listener(struct programs *ps, const struct net_datagram *d)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        for (size_t k = 0; ps->slot[i] && k < 2; k++) {
            struct outlet *o = &ps->slot[i]->outlet[k];

            if (o->endpoint && o->port == d->to_port && (!o->address || o->address == d->to))
                return o;
        }
    return NULL;
}

bool programs_take(struct programs *ps, const struct net_datagram *d, uint64_t now)
{
    struct outlet *o = listener(ps, d);
    const struct tvl_datagram in = {
        .local = socket_address(d->to, d->to_port),
        .remote = socket_address(d->from, d->from_port),
        .ecn = d->ecn,
        .len = d->length,
        .tag = d->interface + 1,
    };

    if (o && d->length <= TVL_DATAGRAM_MAX)
        (void)tvl_endpoint_recv(o->endpoint, &in, d->payload, now);
    return o != NULL;
}

static void report(struct program *p, char *text, int code)
{
    if (text)
        p->out.write(p->out.user, false, text);
    free(text);
    end(p, text ? code : 1);
}

static bool take_events(struct program *p, struct outlet *o, uint64_t now)
{
    struct tvl_event ev;
    bool any = false;

    while (tvl_endpoint_poll(o->endpoint, &ev) == 1) {
        any = true;
        if (p->args.verb == ECHO_SERVE)
            echo_serve_event(&p->counts, &ev);
        else if (p->args.verb == ECHO_RELAY)
            echo_relay_event(&p->relay, (enum relay_side)(o - p->outlet), &ev, now);
        else
            echo_send_event(&p->send, &ev, now);
    }
    return any;
}

static bool send_out(const struct program *p, struct outlet *o, uint64_t now)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    struct tvl_datagram d;
    size_t n = 0;

    for (; n < SENDS_PER_TURN && tvl_endpoint_send(o->endpoint, &d, bytes, now) == 1; n++) {
        const struct net_datagram out = {
            .from = address_of(&d.local),
            .to = address_of(&d.remote),
            .from_port = o->port,
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
    char why[PROGRAM_WHY_MAX];

    echo_send_tick(&p->send, now);
    if (echo_send_wants_paths(&p->send) &&
        open_paths(p, &p->outlet[0], p->send.conn, why, sizeof why) != 0)
        echo_send_fail(&p->send, why, now);
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
    for (size_t k = 0; k < 2; k++)
        if (p->outlet[k].endpoint) {
            if (tvl_endpoint_next_tick(p->outlet[k].endpoint) <= now)
                tvl_endpoint_tick(p->outlet[k].endpoint, now);
            any = take_events(p, &p->outlet[k], now) || any;
        }
    if (p->args.verb == ECHO_SEND)
        any = work_sender(p, now) || any;
    for (size_t k = 0; k < 2; k++)
        if (p->outlet[k].endpoint)
            any = send_out(p, &p->outlet[k], now) || any;
    return any;
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
        for (size_t k = 0; k < 2; k++)
            if (p->outlet[k].endpoint)
                due = least(due, tvl_endpoint_next_tick(p->outlet[k].endpoint));
        if (p->args.verb == ECHO_SEND)
            due = least(due, least(echo_send_due(&p->send), board_now() + TICK_EVERY));
    }
    return due;
}
