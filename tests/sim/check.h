/*
 * check.h - what must hold at every step of a simulated world, whatever the network does.
 *
 *     amplification    to an address that is not validated goes at most three times what came
 *     flow control     nothing above a limit, no limit above what the other end gave
 *     flight           a path's bytes in flight are the sum of its packets, and within its window
 *     bounds           paths, IDs, ranges, queues and memory stay below their named limits
 *     statistics       what the getters say agrees with itself
 *     ends             no connection ends but by a goodbye, or where the faults can explain it
 *     timers           a timer that is due does something; see world loop
 *
 * What the application must see is app.h's. Both look at the library's own structures where the
 * public calls do not show enough.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "app.h"
#include "conn.h"

#define CHECK_PEERS_MAX 512
#define CHECK_GHOSTS_MAX 256
#define CHECK_AMPLIFICATION 3 /* RFC 9000 8.1 */
/* Bytes beyond the window: probes and what RFC 9002 lets through it. */
#define CHECK_BEYOND_WINDOW (64 * TVL_DATAGRAM_MAX)
#define CHECK_DEEP_EVERY 64            /* steps between looks at every packet outstanding */
#define CHECK_MEMORY_HOST (256u << 10) /* bytes of one endpoint, tables included */
#define CHECK_MEMORY_CONN \
    (384u << 10) /* of an end of a connection, beside what depends on windows */
#define CHECK_MEMORY_CLOSED (32u << 10) /* of an end whose end was told, RFC 9000 10.2 */

struct check_peer { /* an address, as the server sees it */
    uint64_t key, in, out;
    bool validated;
};

struct check_path {
    uint32_t id;
    bool known;
    uint64_t window, in_flight; /* largest window since it was kept; at the last step */
    enum tvl_path_state state;  /* at the last step, as these */
    uint32_t mtu;
    uint64_t rebindings;
};

struct check {
    struct sim_graph *g;
    struct sim_host *server;
    struct app *app;
    unsigned n_apps;
    const struct tvl_conn *ghost[CHECK_GHOSTS_MAX]; /* the server's, of no app */
    size_t n_ghosts;
    struct check_peer peer[CHECK_PEERS_MAX];
    size_t n_peers;
    struct check_path (*path)[2][TVL_PATH_SLOTS]; /* by app and end */
    bool may_time_out;  /* the drawn faults can last as long as a time-out */
    bool may_fall_idle; /* not everybody keeps himself alive */
    bool may_be_refused;
    bool may_lose_handshake;   /* an address may change in the midst of one */
    bool may_misread_versions; /* Version Negotiation proves nothing: damage twice can end a try */
    bool may_refuse_token; /* a Retry's, where the client's address or the time may change after it
                            */
    uint64_t steps;
    size_t memory_peak;
    /* what the faults have brought about, for the report */
    uint64_t paths_back; /* from suspect to up */
    uint64_t mtu_falls;  /* a black hole was noticed */
    uint64_t rebindings; /* a server's path went on from elsewhere */
    uint64_t darkened;   /* an end of a connection had no path left that it trusts */
    bool (*dark)[2];     /* by app and end */
};

void check_init(struct check *c, struct sim_graph *g, struct sim_host *server, struct app *app,
                unsigned n_apps);
void check_fini(struct check *c);
void check_step(struct check *c);
/* Notes a violation: the host's timer is due and nothing comes of it. */
void check_explain_timer(const struct check *c, const struct sim_host *h);
/* A connection at the server that no app has: of a repeated Initial. */
void check_add_ghost(struct check *c, const struct tvl_conn *conn);
void check_drop_ghost(struct check *c, const struct tvl_conn *conn); /* NULL: all */
void check_dump(const struct check *c); /* the connections' state into the log */
void check_closed(struct check *c, const struct app_side *s); /* was that end of it in order? */

#endif
