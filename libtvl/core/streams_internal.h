/*
 * streams_internal.h - what the files behind streams.h share.
 */
#ifndef TVL_CORE_STREAMS_INTERNAL_H
#define TVL_CORE_STREAMS_INTERNAL_H

#include "streams.h"

enum tvl_dir tvl_streams_dir_name(unsigned index); /* of tvl_streams.dir */
struct tvl_stream *tvl_streams_stream(const struct tvl_streams *ss, uint64_t id); /* NULL: none */
/* A new one of ours, not settled yet; result as tvl_stream_open. */
int tvl_streams_open_own(struct tvl_streams *ss, enum tvl_dir dir, struct tvl_stream **out);
uint64_t tvl_streams_room(const struct tvl_streams *ss); /* bytes all of ours may still hold */
/* As asked for; its flow's priority is added. Settle it afterwards. */
void tvl_streams_rank(struct tvl_streams *ss, struct tvl_stream *s, uint64_t rank);
uint64_t tvl_streams_credit(const struct tvl_streams *ss); /* bytes the peer still takes */
void tvl_streams_note_blocked(struct tvl_streams *ss);
/* The sending part of `s` is over: count it to its flow, if it had a deadline. */
void tvl_streams_count_flow(struct tvl_streams *ss, const struct tvl_stream *s,
                            enum tvl_flow_end end, tvl_time now);
/* Room for so many streams with unsent bytes. 0 or TVL_ERR_NOMEM. */
int tvl_streams_reserve_unsent(struct tvl_streams *ss, size_t count);
void tvl_streams_fini_unsent(struct tvl_streams *ss);
/* After some of its bytes were written or sent, or its rank has changed. */
void tvl_streams_count_unsent(struct tvl_streams *ss, struct tvl_stream *s);
/* Into the queues of what is to be sent, by rank and turn. */
void tvl_streams_place(struct tvl_streams *ss, struct tvl_stream *s);
/* Put `s` where its state says it belongs; frees it when it is over. */
void tvl_streams_settle(struct tvl_streams *ss, struct tvl_stream *s);

#endif
