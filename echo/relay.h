/*
 * relay.h - a connection that comes in goes on to another server: each stream, its end or reset,
 * and each datagram, both ways. Without I/O, over two endpoints: whoever drives them hands their
 * events here.
 *
 *     client ══ paths ══ FRONT (a server endpoint) ── relay ── BACK (a client endpoint) ══ paths ══
 * server
 *
 * Each side is a whole connection with its own TLS, paths, congestion control: a client over two
 * paths reaches a server that has one, and losses are repaired where they happen. Certificates of
 * both sides are verified by those who meet; the application's protocol (ALPN) is the same on both.
 * Ranks and deadlines of streams are not on the wire, so they do not pass. A byte is read on one
 * side when it fits into what the other may send (SERVE_WINDOW), so a slow side holds up the other.
 */
#ifndef ECHO_RELAY_H
#define ECHO_RELAY_H

#include <tvl/tvl.h>

enum relay_side { RELAY_FRONT, RELAY_BACK };

struct echo_relay {
    /* A new connection to the server on the back endpoint: 0 and *out, or -1 and `why`. */
    int (*connect)(void *user, struct tvl_conn **out, char *why, size_t why_size);
    /* The connection on the back is there, and wants its further paths. */
    void (*connected)(void *user, struct tvl_conn *conn);
    void *user;
    struct relay_pair *connecting, *pairs;           /* within connect; all there are */
    uint64_t connections, streams, bytes, datagrams; /* relayed, ever */
};

void echo_relay_event(struct echo_relay *r, enum relay_side side, const struct tvl_event *ev,
                      tvl_time now);
/* Frees what is kept of connections; their endpoints are freed by the caller, before or after. */
void echo_relay_fini(struct echo_relay *r);

#endif
