/*
 * flood.c - a hundred thousand spoofed Initials against a server on loopback, while a connection
 * that was there before goes on.
 *
 * Three in four are real ClientHellos, made by the library itself, each from another source address
 * in 127/8 and another port; one in four is junk behind the header of an Initial. Nobody answers
 * the server. Meanwhile the old connection writes and must get its bytes back.
 *
 * The server may keep as many half-open connections as its limit for unproved addresses says (half
 * of handshakes_max, then it asks for proof by Retry): the limit on memory is that number times
 * what one such connection may take, and nothing else.
 *
 * usage: flood [DATAGRAMS]     the last line is a JSON object
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "swarm.h"

#define HANDSHAKES_MAX 1024
#define HALF_OPEN_KIB \
    160 /* what one connection in its handshake may take, OpenSSL's part included */
#define LIMIT_KIB (HANDSHAKES_MAX / 2 * HALF_OPEN_KIB)
#define SOURCES 200 /* sockets the flood comes from, each bound to an address of its own */
#define KINDS 4096  /* ClientHellos made beforehand */
#define PIECE 200   /* datagrams between two looks at the old connection */

struct hello {
    uint8_t bytes[TVL_DATAGRAM_MAX];
    size_t len;
};

static void server_config(struct tvl_config *cfg)
{
    cfg->handshakes_max = HANDSHAKES_MAX;
}

/* First flights of connections that will never hear an answer. */
static bool make_hellos(struct swarm_client *c, struct hello *h, size_t n)
{
    struct tvl_config cfg;
    struct tvl_endpoint *ep;

    tvl_config_init(&cfg);
    cfg.tls = c->tls;
    cfg.seed[0] = swarm_now();
    cfg.conns_max = 65536;
    if (tvl_endpoint_new(&ep, &cfg) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct tvl_path_config path = { .local = c->local, .remote = c->remote };
        struct tvl_datagram d;
        struct tvl_conn *conn;

        if (tvl_connect(ep, &path, "localhost", &conn, 1000000) != 0 ||
            tvl_endpoint_send(ep, &d, h[i].bytes, 1000000) != 1)
            return false;
        h[i].len = d.len;
    }
    tvl_endpoint_free(ep);
    return true;
}

static bool open_sources(int *fd, const struct swarm_client *c)
{
    for (unsigned i = 0; i < SOURCES; i++) {
        struct sockaddr_in from = { .sin_family = AF_INET };

        from.sin_addr.s_addr = htonl(0x7f010101u + i * 257u);
        fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (fd[i] < 0 || bind(fd[i], (struct sockaddr *)&from, sizeof from) != 0 ||
            connect(fd[i], (const struct sockaddr *)&c->remote, sizeof(struct sockaddr_in)) != 0)
            return false;
    }
    return true;
}

/* A real one with another connection ID would not decrypt: each is used with its own, and again. */
static void send_one(const int *fd, struct hello *h, unsigned i)
{
    uint8_t junk[1200];
    const int to = fd[i % SOURCES];

    if (i % 4 != 3) {
        (void)send(to, h[i % KINDS].bytes, h[i % KINDS].len, 0);
        return;
    }
    memcpy(junk, h[i % KINDS].bytes, sizeof junk);
    for (size_t k = 6; k < 14; k++)
        junk[k] = (uint8_t)(i >> (k % 4 * 8) ^ k * 37); /* its ID no longer fits its keys */
    (void)send(to, junk, sizeof junk, 0);
}

struct old_connection {
    struct tvl_conn *conn;
    uint64_t stream, written;
};

static bool begin_old(struct swarm_client *c, struct old_connection *o)
{
    const struct tvl_path_config path = { .local = c->local, .remote = c->remote };

    if (tvl_connect(c->ep, &path, "localhost", &o->conn, swarm_now()) != 0)
        return false;
    for (int i = 0; i < 100 && c->connected == 0; i++)
        swarm_client_run(c, 0.1);
    return c->connected == 1 && tvl_stream_open(o->conn, TVL_BIDI, &o->stream) == 0;
}

/* Write a little, and give the echo the time it takes; how often it came at once does not matter.
 */
static void poke(struct swarm_client *c, struct old_connection *o)
{
    const int64_t n =
        tvl_stream_write(o->conn, o->stream, (const uint8_t *)"are you there?", 14, false);

    if (n > 0)
        o->written += (uint64_t)n;
    swarm_client_run(c, 0.008);
}

static bool echoed(struct swarm_client *c, const struct old_connection *o, double seconds)
{
    const tvl_time end = swarm_now() + (tvl_time)(seconds * 1e6);

    while (c->stream_bytes < o->written && c->closed == 0 && swarm_now() < end)
        swarm_client_run(c, 0.05);
    return c->stream_bytes == o->written;
}

int main(int argc, char **argv)
{
    const unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    struct hello *h = calloc(KINDS, sizeof *h);
    struct old_connection old = { .conn = NULL };
    struct swarm_server server;
    struct swarm_client client;
    struct tvl_endpoint_stats stats;
    int fd[SOURCES];
    long most = 0;

    if (!h || swarm_server_start(&server, server_config) != 0 ||
        swarm_client_start(&client, &server) != 0 || !begin_old(&client, &old) ||
        !make_hellos(&client, h, KINDS) || !open_sources(fd, &client))
        return 1;
    poke(&client, &old);
    const long before = swarm_server_kib(&server);
    const tvl_time began = swarm_now();
    for (unsigned i = 0; i < n; i++) {
        send_one(fd, h, i);
        if (i % PIECE == PIECE - 1) {
            const long now = swarm_server_kib(&server);

            most = now > most ? now : most;
            poke(&client, &old);
        }
    }
    const double took = (double)(swarm_now() - began) / 1e6;
    const bool alive = echoed(&client, &old, 30) && client.closed == 0;
    const long after = swarm_server_kib(&server);
    most = after > most ? after : most;
    const bool in_again = swarm_client_connect(&client, 1, 1, 30); /* by way of a Retry */

    swarm_client_stop(&client);
    swarm_server_stop(&server, &stats);
    const uint64_t seen = stats.accepted + stats.retries_sent + stats.datagrams_unroutable;
    printf(
        "%u Initials in %.1f s, of which the server has read %llu: it let %llu begin, asked %llu "
        "for proof, dropped %llu\n",
        n, took, (unsigned long long)seen, (unsigned long long)stats.accepted,
        (unsigned long long)stats.retries_sent, (unsigned long long)stats.datagrams_unroutable);
    printf("its memory grew from %ld to %ld KiB at most (limit +%d); the old connection %s, a new "
           "one %s\n",
           before, most, LIMIT_KIB, alive ? "lives" : "DIED", in_again ? "gets in" : "FAILS");
    printf("{\"flood_rss_growth_kib\": %ld, \"flood_limit_kib\": %d, "
           "\"flood_established_alive\": %s, \"flood_new_client_in\": %s, "
           "\"flood_initials_read\": %llu}\n",
           most - before, LIMIT_KIB, alive ? "true" : "false", in_again ? "true" : "false",
           (unsigned long long)seen);
    free(h);
    return alive && in_again && most - before <= LIMIT_KIB ? 0 : 1;
}
