/*
 * hand_link.h - the connection between two players of which one hands over to the other: TCP, TLS
 * 1.3 by a key that both have (hand_code.h; RFC 8446 2.2, RFC 9257) and ephemeral Diffie-Hellman,
 * no certificates; lines in both directions. Whoever has not the key gets no further than the
 * handshake, in either role.
 */
#ifndef CLIENT_HAND_LINK_H
#define CLIENT_HAND_LINK_H

#include "hand_code.h"

#include <stdbool.h>

struct ev_loop;
struct hand_link;

struct hand_link_handler {        /* all required. The link may be freed inside all of them. */
    void (*on_ready)(void *user); /* the other has the key */
    void (*on_line)(void *user, const char *line, size_t len);
    /* Nothing comes any more, nothing can be sent; free it. `ready`: on_ready was called. */
    void (*on_closed)(void *user, bool ready, const char *why);
};

#define HAND_BACKLOG_MAX (1u << 17) /* bytes that the other has not read; then it is closed */

/* To the host, an address and not a name: nothing waits here. 0, or -1 with one line in `why`. */
int hand_link_connect(struct hand_link **out, struct ev_loop *loop, const struct hand_target *to,
                      const struct hand_link_handler *handler, void *user, char *why,
                      size_t why_size);
/* Over a socket that was accepted, which it owns from now on, also on failure. */
int hand_link_accept(struct hand_link **out, struct ev_loop *loop, int fd, const char *code,
                     const struct hand_link_handler *handler, void *user);
/* A line without its newline. When it is lost on_closed says so, later. */
void hand_link_send(struct hand_link *l, const char *line);
void hand_link_free(struct hand_link *l); /* says goodbye, waits for nothing. NULL allowed */

/* A listening socket; `at` gets the port. The descriptor, or -1 with one line in `why`. */
int hand_listen(struct hand_target *at, char *why, size_t why_size);

#endif
