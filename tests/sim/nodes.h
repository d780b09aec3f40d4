/*
 * nodes.h - the kinds of nodes between hosts. All but the router have two ports: the first one
 * joined is the near side (0, towards the client), the second the far side (1).
 *
 *     link       rate, delay, queue, loss, order, duplicates: vlink's own core; marks ECN
 *     router     many ports, a route for each net
 *     nat        inner addresses to one outer address; forgets its mappings
 *     mtu        drops what is larger, without a word
 *     corrupter  flips bits, cuts off tails
 *     shuffler   holds back at random, so that any order is possible; repeats packets much later
 *     gate       lets nothing pass while shut
 *     bleacher   wipes or forges ECN marks
 *     spoofer    repeats packets from another source address
 *
 * A way is a bit: SIM_UP near to far, SIM_DOWN far to near.
 */
#ifndef SIM_NODES_H
#define SIM_NODES_H

#include "dir.h"
#include "graph.h"

enum sim_way { SIM_UP = 1, SIM_DOWN = 2, SIM_BOTH = 3 };

/* `mark_bytes`: a queue above it marks CE what is marked ECT; 0: never. */
struct sim_node *sim_link_new(struct sim_graph *g, const struct vlink_config *up,
                              const struct vlink_config *down, uint32_t mark_bytes, uint64_t seed);
void sim_link_down(struct sim_node *n, unsigned ways, bool down);
const struct vlink_dir *sim_link_way(const struct sim_node *n, unsigned way); /* 0 up, 1 down */
void sim_link_rate(struct sim_node *n, uint64_t rate_bps);                    /* both ways */

struct sim_node *sim_router_new(struct sim_graph *g);
/* Datagrams for `net` leave by the port that was joined last. */
void sim_router_route(struct sim_node *n, unsigned net);
void sim_router_default(struct sim_node *n); /* all others do */

/* Behind 10.`net`.0.1 or fd00:net::1. A mapping unused for `forget` is gone; 0: it stays. */
struct sim_node *sim_nat_new(struct sim_graph *g, unsigned net, tvl_time forget);
void sim_nat_rebind(struct sim_node *n); /* all mappings change: other ports, maybe other address */

struct sim_node *sim_mtu_new(struct sim_graph *g, size_t bytes);
void sim_mtu_set(struct sim_node *n, size_t bytes);

struct sim_node *sim_corrupter_new(struct sim_graph *g, uint32_t ppm, uint64_t seed);
/* `hold_ppm` of packets wait up to `hold`; `again_ppm` come again up to 100 * hold later. */
struct sim_node *sim_shuffler_new(struct sim_graph *g, uint32_t hold_ppm, tvl_time hold,
                                  uint32_t again_ppm, uint64_t seed);
struct sim_node *sim_gate_new(struct sim_graph *g);
void sim_gate_shut(struct sim_node *n, unsigned ways); /* 0 opens it */

enum sim_bleach { SIM_BLEACH_WIPE, SIM_BLEACH_ALL_CE, SIM_BLEACH_TO_ECT1, SIM_BLEACHES };
struct sim_node *sim_bleacher_new(struct sim_graph *g, enum sim_bleach how);
/* Copies of `ppm` of what goes up come from net `net`, which nobody routes. */
struct sim_node *sim_spoofer_new(struct sim_graph *g, unsigned net, uint32_t ppm, uint64_t seed);

#endif
