/*
 * copies.h - stream frames that leave on a second path too: because the scheduler wants them there
 * (tvl_sched_ops.also), or because their flow is protected so (TVL_FLOW_DUPLICATE).
 *
 * When a packet with new data has left, the scheduler is asked about each stream frame in it; what
 * it wants elsewhere is owed to those paths, by record, at most TVL_SCHED_COPIES of them each, and
 * leaves there as soon as window and pacer allow, before other data. What has been acknowledged
 * meanwhile is left out, and a path that goes down owes nothing any more.
 */
#ifndef TVL_CORE_COPIES_H
#define TVL_CORE_COPIES_H

#include "conn.h"

struct tvl_builder;

struct tvl_watched { /* a frame under way on the path, of which a copy may yet be wanted */
    struct tvl_sent_frame frame;
    tvl_time left_at;
};

struct tvl_copies {                            /* of the path, on the heap from the first one on */
    struct tvl_sent_frame v[TVL_SCHED_COPIES]; /* owed, a ring */
    size_t first, n;
    uint64_t bytes;
    struct tvl_watched watched[TVL_SCHED_COPIES]; /* by age */
    size_t n_watched;
    tvl_time reviewed_at;
};

/* Frames of a packet that has left on `p`: ask whether copies are to follow. */
void tvl_copies_ask(struct tvl_path *p, const struct tvl_sent_list *left);
/* Ask again about what is under way, where the scheduler wanted to be asked. */
void tvl_copies_review(struct tvl_conn *conn);
/* Something is owed to the path, and it may leave now. */
bool tvl_copies_due(const struct tvl_path *p);
/* Something is owed to a path, whether it may leave or not. */
bool tvl_copies_wait(const struct tvl_conn *conn);
uint64_t tvl_copies_bytes(const struct tvl_path *p);
/* As many as fit. */
void tvl_copies_write(struct tvl_builder *b);
void tvl_copies_drop(struct tvl_path *p);

#endif
