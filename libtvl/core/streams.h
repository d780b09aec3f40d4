/*
 * streams.h - all streams of one connection: table, limits, flow control, order of sending, news.
 *
 * RFC 9000 2 to 4 and 19.4 to 19.14. The connection hands in every stream-related frame, asks for
 * frames when it builds a packet, hands back the records of what was put in when the packet is
 * acknowledged or lost, and polls for news. No clock, no packets, no paths in here.
 *
 * A stream lives until both its parts are over and its news was polled; then it is freed.
 */
#ifndef TVL_CORE_STREAMS_H
#define TVL_CORE_STREAMS_H

#include <tvl/tvl.h>

#include "flow.h"
#include "flow_rules.h"
#include "frame.h"
#include "params.h"
#include "sent_frame.h"
#include "stream.h"

#define TVL_STREAMS_SPARE 4    /* that are kept when they are over, until nothing moves */
#define TVL_STREAM_KEEP 65536u /* bytes of an empty buffer that a quiet stream may hold on to */
#define TVL_STREAMS_PIECES_MIN 16384 /* pieces held out of order, all streams; and one more for */
#define TVL_STREAMS_PIECE 1024       /* so many bytes of window: more is an abuse */

/*
 * Memory of buffers: no more is kept than a quarter of buffer_max (sending) and twice conn_window
 * (receiving) beyond what the bytes held need, rounded up; in all at most three times either.
 */
struct tvl_streams_config {
    enum tvl_side side;
    uint64_t buffer_max;                 /* bytes held unsent or unacknowledged, all streams */
    uint64_t stream_window, conn_window; /* bytes, as in tvl_config */
    uint64_t streams_bidi, streams_uni;  /* the peer may have open at once */
    /* Optional, for the trace: a half of a stream came to a new state. */
    void (*note)(void *user, const struct tvl_stream *s, bool sending);
    void *note_user;
};

struct tvl_streams_stats {
    uint64_t bytes_sent; /* first transmissions */
    uint64_t bytes_resent;
    uint64_t bytes_received; /* new bytes only */
    uint64_t expired;        /* streams */
};

struct tvl_streams_dir {          /* index 0: bidirectional, 1: unidirectional */
    uint64_t own_opened, own_max; /* streams we opened, and may open */
    uint64_t blocked_told;        /* limit of the last STREAMS_BLOCKED, plus 1 */
    uint64_t peer_opened, peer_max, peer_closed, peer_window;
    bool want_max, want_blocked; /* a frame is due */
    bool news;                   /* TVL_EVENT_STREAMS is due */
};

struct tvl_unsent { /* a stream with bytes never sent; apart from it, as all of them are looked at
                     */
    uint64_t rank, bytes;
    struct tvl_stream *stream;
};

struct tvl_streams {
    struct tvl_streams_config cfg;
    struct tvl_stream *table;                    /* uthash by id */
    struct tvl_stream *spare[TVL_STREAMS_SPARE]; /* n_spare: over, kept for those that come */
    unsigned n_spare;
    struct tvl_stream *recent; /* settled last, often asked for next; NULL: it is gone */
    struct tvl_streams_dir dir[2];
    uint64_t peer_stream_max[3]; /* the peer's initial limits: own bidi, own uni, peer's bidi */
    uint64_t send_max, sent;     /* connection credit and how much of it is used */
    uint64_t blocked_told;       /* limit of the last DATA_BLOCKED, plus 1 */
    uint64_t recv_max, received, consumed;
    bool want_max_data, want_data_blocked;
    bool lent;  /* a writer may point into a ring: none may move, see tvl_wr.lends */
    bool large; /* a stream may hold more memory than a quiet one should, or there are spare ones */
    struct tvl_heap again, fresh; /* by (rank, id): resend without credit, new bytes with credit */
    struct tvl_heap deadlines;
    struct tvl_stream *want_list, *news_list, *unsent_list;
    struct tvl_unsent *unsent; /* n_unsent of cap_unsent, in no order: what tvl_backlog adds up */
    size_t n_unsent, cap_unsent;
    struct tvl_stream *short_list; /* owed a WRITABLE event */
    bool full;                     /* one of them for want of room in all */
    uint32_t repair_room;          /* bytes of a packet for a unit that may be repaired and the
                                      fields that vary around it; 0: nothing is repaired */
    uint64_t held;                 /* bytes unsent or unacknowledged */
    uint64_t pieces;               /* held out of order */
    size_t out_rings, in_rings;    /* bytes of memory */
    struct tvl_flows flows;
    struct tvl_flow_rules rules;
    struct tvl_streams_stats stats;
};

void tvl_streams_init(struct tvl_streams *ss, const struct tvl_streams_config *cfg);
void tvl_streams_fini(struct tvl_streams *ss);
/* Our own limits into our transport parameters, and the peer's from its. */
void tvl_streams_fill_params(const struct tvl_streams *ss, struct tvl_params *own);
void tvl_streams_set_peer(struct tvl_streams *ss, const struct tvl_params *peer);

/* ---- the application's calls: results as in tvl.h ---- */
int tvl_streams_open(struct tvl_streams *ss, enum tvl_dir dir, uint64_t *id);
int tvl_streams_send(struct tvl_streams *ss, const struct tvl_stream_order *order,
                     const struct tvl_part *part, size_t n, tvl_time now, uint64_t *id);
int tvl_streams_set_rank(struct tvl_streams *ss, uint64_t id, uint64_t rank);
int tvl_streams_set_flow(struct tvl_streams *ss, uint64_t id, uint32_t flow, tvl_time now);
int tvl_streams_set_rule(struct tvl_streams *ss, uint32_t flow, const struct tvl_flow_config *cfg);
int tvl_streams_set_deadline(struct tvl_streams *ss, uint64_t id, tvl_time deadline, uint64_t code);
int64_t tvl_streams_write(struct tvl_streams *ss, uint64_t id, const uint8_t *bytes, size_t len,
                          bool fin);
int64_t tvl_streams_read(struct tvl_streams *ss, uint64_t id, uint8_t *bytes, size_t cap,
                         bool *fin);
int64_t tvl_streams_peek(const struct tvl_streams *ss, uint64_t id, const uint8_t **bytes,
                         bool *fin);
int tvl_streams_consume(struct tvl_streams *ss, uint64_t id, size_t len, bool *fin);
int tvl_streams_reset(struct tvl_streams *ss, uint64_t id, uint64_t code);
int tvl_streams_stop(struct tvl_streams *ss, uint64_t id, uint64_t code);
uint64_t tvl_streams_backlog(const struct tvl_streams *ss, uint64_t rank);

/* ---- frames from the peer ---- */
bool tvl_streams_owns_frame(uint64_t type); /* is it one for tvl_streams_on_frame? */
/* 0, or the negative of an enum tvl_wire_error to close the connection with. */
int tvl_streams_on_frame(struct tvl_streams *ss, const struct tvl_frame *f);

/*
 * The stream that a frame about our sending (or receiving) part of it names; *out is NULL for one
 * that is over. Opens it when the peer may do so. Result as above.
 */
int tvl_streams_named(struct tvl_streams *ss, uint64_t id, bool sending, struct tvl_stream **out);

/* ---- frames to the peer ---- */
struct tvl_streams_head { /* what would be sent first; for the scheduler's question */
    uint64_t rank;        /* 0 for control frames, UINT64_MAX when there is nothing */
    tvl_time deadline;    /* of that stream, or TVL_TIME_NEVER */
    uint64_t id;          /* of that stream; 0 for control frames */
    uint64_t turn;        /* of its flow */
    uint32_t flow;        /* of that stream; TVL_FLOWS_MAX for control frames */
};
#define TVL_STREAMS_LOOK 32 /* streams looked at, at most, to say how much waits */
struct tvl_streams_demand {
    struct tvl_streams_head head;
    bool again;       /* it was lost before: others may be waiting for it */
    uint64_t left;    /* bytes of that stream that wait */
    uint64_t waiting; /* bytes that wait and are no less urgent, itself included */
    uint64_t credit;  /* bytes the peer takes before it must read; UINT64_MAX: no new data first */
};
/* `after`: of what comes after that in the order of sending; NULL: of all. */
void tvl_streams_look(const struct tvl_streams *ss, const struct tvl_streams_head *after,
                      struct tvl_streams_demand *out);
bool tvl_streams_has_data(const struct tvl_streams *ss); /* anything to send, control included */
struct tvl_streams_head tvl_streams_first(const struct tvl_streams *ss);
/* Append as many frames as fit and as `sent` has room to record. How many were appended. What `w`
 * was lent stays where it is until the next call. */
uint32_t tvl_streams_write_frames(struct tvl_streams *ss, struct tvl_wr *w,
                                  struct tvl_sent_list *sent);
/* The same for a packet on a path: no data of streams that come before `from` (NULL: of all), nor
 * of flows that may not go there. */
uint32_t tvl_streams_write_from(struct tvl_streams *ss, const struct tvl_streams_head *from,
                                uint32_t path_id, struct tvl_wr *w, struct tvl_sent_list *sent);
/* Bytes that the record `what` of a STREAM frame speaks of have not been acknowledged. */
bool tvl_streams_is_outstanding(const struct tvl_streams *ss, const struct tvl_sent_frame *what);
/*
 * Once more what the record `what` of a STREAM frame says, as far as it fits and is not
 * acknowledged. `what` keeps the rest. true: there is a rest, and it did not fit.
 */
bool tvl_streams_write_copy(struct tvl_streams *ss, struct tvl_sent_frame *what, struct tvl_wr *w,
                            struct tvl_sent_list *sent);
/* For every record of an own kind; other kinds do nothing. Harmless when told twice, both ways
 * round, or for streams long gone. */
void tvl_streams_on_acked(struct tvl_streams *ss, const struct tvl_sent_frame *rec, tvl_time now);
void tvl_streams_on_lost(struct tvl_streams *ss, const struct tvl_sent_frame *rec);
/* It may yet arrive, but is to be sent again. */
void tvl_streams_again(struct tvl_streams *ss, const struct tvl_sent_frame *rec);

/* ---- time ---- */
tvl_time tvl_streams_next_deadline(const struct tvl_streams *ss); /* or TVL_TIME_NEVER */
void tvl_streams_tick(struct tvl_streams *ss, tvl_time now);
/* Nothing has moved for a while: give back buffers that are empty. */
void tvl_streams_trim(struct tvl_streams *ss);

/* ---- news ---- */
struct tvl_streams_event {
    enum tvl_event_type type; /* TVL_EVENT_STREAM_* or TVL_EVENT_STREAMS */
    uint64_t id, code;
    enum tvl_dir dir; /* TVL_EVENT_STREAMS only */
};
/* false: none waiting. Polling may free the stream it tells of. */
bool tvl_streams_poll(struct tvl_streams *ss, struct tvl_streams_event *ev);
bool tvl_streams_has_news(const struct tvl_streams *ss);

int tvl_streams_get_stats(const struct tvl_streams *ss, uint64_t id, struct tvl_stream_stats *out);
const struct tvl_stream *tvl_streams_find(const struct tvl_streams *ss, uint64_t id);
size_t tvl_streams_count(const struct tvl_streams *ss);

#endif
