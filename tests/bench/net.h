/*
 * net.h - two production endpoints and unlike links between them on one virtual clock, to measure.
 *
 *     client 10.0.N.1 ==link N== server 10.9.9.9:4433        N in [0, NET_LINKS_MAX)
 *
 * Links may have one more in common, between them and the server; and a second connection of the
 * client, the rival, may use one of them.
 *
 * The links are vlink's own core, the endpoints libtvl as it ships, TLS included. What is sent and
 * when is the business of the struct net_app: it gets the events, a tick at the time it asks for,
 * and a look at every datagram that leaves. The same configuration and seed give the same run.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <tvl/tvl.h>

#include "dir.h"
#include "test_pki.h"

#define NET_LINKS_MAX 4
#define NET_SLOTS 16384    /* datagrams under way */
#define NET_START 1000000u /* us: where the clock begins */

enum net_side { NET_CLIENT, NET_SERVER };
enum net_ways { NET_BOTH_WAYS, NET_TO_CLIENT, NET_TO_SERVER };

struct net;

struct net_app {
    void (*event)(void *user, struct net *n, enum net_side side, const struct tvl_event *ev);
    void (*tick)(void *user, struct net *n); /* optional, at next() */
    tvl_time (*next)(void *user);            /* optional; TVL_TIME_NEVER: no tick wanted */
    /* optional: `side` sends a datagram on a link; `fresh` and `again` stream bytes are in it */
    void (*sent)(void *user, struct net *n, enum net_side side, unsigned link, uint64_t fresh,
                 uint64_t again);
    /* optional: a datagram has left a link's queue, delivered or not */
    void (*passed)(void *user, enum net_side to, unsigned link, const struct vlink_out *o);
    bool (*done)(void *user);
};

struct net_config {
    const char *cc, *sched;       /* NULL: the library's default */
    enum tvl_objective objective; /* of the server: its controllers are chosen, beginning with cc */
    tvl_time deadline;            /* us, for TVL_OBJECTIVE_VIDEO; 0: the library's default */
    const struct tvl_knowledge *knowledge; /* borrowed; NULL: none */
    unsigned links;
    struct vlink_config link[NET_LINKS_MAX];        /* both directions alike, unless */
    const struct vlink_config *back[NET_LINKS_MAX]; /* is set: towards the server; borrowed */
    uint64_t seed;
    uint64_t skip;              /* bit N: link N is not used by the client */
    uint64_t shared;            /* bit N: link N leads over `common` */
    struct vlink_config common; /* both directions alike */
    bool rival;                 /* there is a second connection, */
    unsigned rival_link;        /* over this link alone; not one of those above, or skipped there */
    const char *coupling;       /* NULL: the library's default */
    tvl_time keepalive;
    uint64_t window; /* bytes of flow control, streams and connection; 0: the library's default */
    const struct test_pki *pki;
};

struct net_totals {
    uint64_t datagrams, lost, queue_drops, marked;
};

struct net *net_new(const struct net_config *cfg, const struct net_app *app, void *user);
void net_free(struct net *n);
/* Until app->done() or `limit`. false: the limit came first, or a connection closed. */
bool net_run(struct net *n, tvl_time limit);
/* The client opens a path over the link (again). Its ID, or an error of tvl_path_add. */
int net_add_path(struct net *n, unsigned link);
void net_set_down(struct net *n, unsigned link, enum net_ways ways, bool down);

tvl_time net_now(const struct net *n);
struct tvl_conn *net_conn(struct net *n, enum net_side side);  /* NULL: not there yet */
struct tvl_conn *net_rival(struct net *n, enum net_side side); /* its events come as the others */
const struct net_totals *net_totals(const struct net *n);

#endif
