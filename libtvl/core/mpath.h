/*
 * mpath.h - the frames of draft-ietf-quic-multipath that speak about paths: abandonment, status,
 * limits, and what blocks us. (Connection IDs are control.c's, acknowledgements recv.c's.)
 *
 * As in control.c, what has to be said is state and not a queue.
 */
#ifndef TVL_CORE_MPATH_H
#define TVL_CORE_MPATH_H

#include "conn.h"

struct tvl_builder;

bool tvl_mpath_owns_frame(uint64_t type);
/* 0 or the negative of an enum tvl_wire_error. */
int tvl_mpath_on_frame(struct tvl_conn *conn, const struct tvl_frame *f);
/* A path ID in a frame: 0 go on, 1 ignore (it is over), negative: above what we allowed. */
int tvl_mpath_judge_id(struct tvl_conn *conn, uint32_t id);

bool tvl_mpath_pending(const struct tvl_conn *conn);
bool tvl_mpath_write(struct tvl_conn *conn, struct tvl_builder *b); /* false: no more fits */
/* The fate of records of these frames; others do nothing. */
void tvl_mpath_on_acked(struct tvl_conn *conn, const struct tvl_sent_frame *rec);
void tvl_mpath_on_lost(struct tvl_conn *conn, const struct tvl_sent_frame *rec);

/* The client wants a path and lacks a path ID, or connection IDs for this one. */
void tvl_mpath_blocked(struct tvl_path *p);
/* What the peer said of the path before it was opened. */
void tvl_mpath_recall_status(struct tvl_path *p);

#endif
