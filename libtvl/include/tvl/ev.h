/*
 * ev.h - drives a tvl_endpoint on a libev loop: sockets, one timer, the clock.
 *
 * A client driver has one UDP socket per path, bound to an interface or a local address (or shares
 * them, see share_sockets); a server driver has one socket for all. The driver calls `on_event` for
 * every event; inside it any tvl_* call on the connection is allowed, and its effects are sent
 * before the loop sleeps.
 */
#ifndef TVL_EV_H
#define TVL_EV_H

#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;
struct tvl_ev;

struct tvl_ev_config {
    struct ev_loop *loop;  /* borrowed for the life of the driver */
    struct tvl_config tvl; /* seed all zero: filled from getrandom(2) */
    const char *listen;    /* server: "ADDRESS:PORT", "[ADDRESS]:PORT"; NULL: client */
    bool share_sockets;    /* client of many connections: all their paths with one interface and
                              one local address run over one socket, which is kept; what needs a
                              socket's path (tvl_ev_watch, tvl_ev_path_interface, what the kernel
                              says of its routes) is not to be had. Default false */
    void (*on_event)(void *user, const struct tvl_event *ev);
    void *user;
};

/* 0, TVL_ERR_ARG (address not understood), TVL_ERR_SYS (bind failed) or what tvl_endpoint_new says;
 * on failure `why` (may be NULL) gets one line. */
int tvl_ev_new(struct tvl_ev **out, const struct tvl_ev_config *cfg, char *why, size_t why_size);
void tvl_ev_free(struct tvl_ev *d);

struct tvl_endpoint *tvl_ev_endpoint(struct tvl_ev *d);
struct ev_loop *tvl_ev_loop(struct tvl_ev *d); /* a worker's, too: for timers of one's own */
tvl_time tvl_ev_now(const struct tvl_ev *d);   /* us, CLOCK_MONOTONIC, read afresh */
uint16_t tvl_ev_port(const struct tvl_ev *d);  /* server: the bound port */

/* A path as a person writes it: any of the three parts may be missing (empty or NULL). */
struct tvl_ev_path {
    const char *interface; /* SO_BINDTODEVICE, e.g. "wlan0" */
    const char *local;     /* local address */
    const char *remote;    /* "ADDRESS:PORT" of the server on this path; NULL: the connection's */
    bool backup;
};

/* The addresses of `server`, "HOST:PORT", as "ADDRESS:PORT": in the resolver's order (RFC 6724),
 * the families taking turns (RFC 8305, section 4). Blocks as the resolver does. How many, at most
 * `cap`, or TVL_ERR_ARG. */
#define TVL_EV_ADDRESS_MAX 80
int tvl_ev_resolve(const char *server, char (*out)[TVL_EV_ADDRESS_MAX], size_t cap);

/* Client: open the socket of `path` and connect; `server` is "HOST:PORT" (resolved
 * here, to the first of its addresses), which is where further paths go, too. */
int tvl_ev_connect(struct tvl_ev *d, const char *server, const char *server_name,
                   const struct tvl_ev_path *path, struct tvl_conn **out, char *why,
                   size_t why_size);

/* Client: open a socket and a further path; result as tvl_path_add, or TVL_ERR_SYS. */
int tvl_ev_path_add(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                    char *why, size_t why_size);

/*
 * Client: open a socket and go on with the path from there, see tvl_path_migrate. What is still on
 * its way to the old socket is heard until the path moves again. 0, what tvl_path_migrate says, or
 * TVL_ERR_SYS.
 */
int tvl_ev_path_migrate(struct tvl_ev *d, struct tvl_conn *conn, uint32_t path_id,
                        const struct tvl_ev_path *path, char *why, size_t why_size);

/* The interface that the path's socket is bound to, or that has its address; "" when unknown.
 * Borrowed until the next call. */
const char *tvl_ev_path_interface(struct tvl_ev *d, const struct tvl_conn *conn, uint32_t path_id);

/* Which interfaces and which addresses of the server make paths, see tvl_ev_watch. */
struct tvl_ev_watch {
    const char *const *allow; /* patterns of interface names as of fnmatch(3), ends with NULL;
                                 NULL: all but those that lead nowhere (docker*, br-*, veth*,
                                 virbr*, lxc*, cni*). Loopback: to a loopback address only */
    const char *const *deny;  /* patterns of names that are not used though allowed; may be NULL */
    const char *const *servers; /* "HOST:PORT", resolved here to all their addresses, ends with
                                   NULL; NULL: the address that was connected to */
    const char *const
        *backup; /* patterns of names used only when no other path lives; may be NULL */
};

/*
 * Client: from now on give the connection a path for each interface that is up, has an address and
 * is allowed, to each of the server's addresses of that family - first one per interface, at most
 * TVL_PATHS_MAX. Netlink tells when one comes or goes: it becomes a path, or is left at once
 * (PATH_ABANDON on another path; the last one is kept and tried until another is up). A path that
 * ended is opened anew, after 1 s, then ever more seldom up to 30 s, at once when interfaces or
 * routes change; for ever. Paths that exist count to the interface they run over. With a peer that
 * has no multipath the one path migrates to an interface that is up. Ends with the connection.
 *
 * Called again for the connection it takes other patterns, which count at once; the servers stay.
 * Copies `w`. 0, TVL_ERR_ARG (a server is not understood, or too many patterns), TVL_ERR_NOMEM, or
 * TVL_ERR_SYS (no netlink).
 */
int tvl_ev_watch(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_watch *w, char *why,
                 size_t why_size);

/* Run what tvl_* calls made outside on_event have left to do (sending, events, timer). */
void tvl_ev_kick(struct tvl_ev *d);
/*
 * Send what may leave now, and no more: no event is given, nothing is closed; tvl_ev_kick has to
 * follow. For one who writes to thousands of connections in a row: done after each few, their state
 * is still in the processor's cache when it is sent, and the first need not wait for the last.
 */
void tvl_ev_send(struct tvl_ev *d);

/*
 * A knowledge base for tvl_config.knowledge, from a file; NULL: the one that the environment's
 * TVL_KNOWLEDGE names, else the one that was installed. What tvl_knowledge_new says, or
 * TVL_ERR_SYS; `why` (`why_size` bytes) gets one line that names the file. Owned:
 * tvl_knowledge_free.
 */
int tvl_knowledge_read(struct tvl_knowledge **out, const char *file, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif
#endif
