/*
 * route.h - on which path does data leave now? Whom to ask, and what they are asked.
 *
 * The scheduler (<tvl/sched.h>) chooses among paths of one kind, and only when there are none are
 * those of the next kind shown to it:
 *
 *     proved    they deliver, as far as is known: an acknowledgement came lately
 *     stale     nothing was sent on them for a while, so nothing is known: they get a first flight
 *               of few packets. While data flows, whoever carries it, a PING in time asks them
 *     backup    the peer asked to spare them
 *     doubted   they are silent for longer than is usual
 */
#ifndef TVL_CORE_ROUTE_H
#define TVL_CORE_ROUTE_H

#include "conn.h"

#define TVL_ROUTE_STALE_FLIGHT                                         \
    10 /* datagrams in flight on a path that has proved nothing lately \
        */

/*
 * What the scheduler holds back for a faster path must not keep a slower one idle: it is then asked
 * about the next stream in the order of sending, and so on. conn->send_from says which it was.
 */
#define TVL_ROUTE_ASKS 16 /* streams asked about for one packet */

/* The path for what waits first; NULL: it waits on, for room or because the scheduler says so. */
struct tvl_path *tvl_route_data(struct tvl_conn *conn);

/*
 * The frame `f` has left on `p`, `age` us ago: the paths on which its flow or the scheduler wants a
 * copy, into `to` (TVL_PATHS_MAX of them), and whether it wants to be asked again. How many.
 */
size_t tvl_route_copies(struct tvl_path *p, const struct tvl_sent_frame *f, tvl_time age,
                        struct tvl_path **to, bool *again);

#endif
