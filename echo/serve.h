/*
 * serve.h - the answering side over a tvl_endpoint: what comes is returned. Without I/O: whoever
 * drives the endpoint hands every event here, on libev (main.c) or on bare metal.
 *
 * Bidirectional streams return each byte and the end; unidirectional ones are read away; datagrams
 * are returned, or dropped when their queue is full. No byte is read before there is room to return
 * it, so that a client that sends and does not read is held up by flow control, and a connection
 * costs no more than SERVE_WINDOW.
 */
#ifndef ECHO_SERVE_H
#define ECHO_SERVE_H

#include <tvl/tvl.h>

#define SERVE_WINDOW (1u << 20) /* bytes returned and not yet acknowledged, a connection */

struct echo_counts { /* of all connections, ever */
    uint64_t connections, streams, bytes, datagrams, datagrams_dropped;
};

void echo_serve_event(struct echo_counts *counts, const struct tvl_event *ev);

#endif
