/*
 * stream.h - one stream: its two state machines (RFC 9000 3.1, 3.2), its bytes, its flow control.
 *
 * Knows nothing of other streams or of the connection's limits: tvl_streams owns it, keeps it in
 * its queues and does the connection's accounting with what these functions return.
 */
#ifndef TVL_CORE_STREAM_H
#define TVL_CORE_STREAM_H

#include <tvl/tvl.h>

#define HASH_NONFATAL_OOM 1 /* a failed add leaves hh.tbl NULL */
#include <uthash.h>

#include "heap.h"
#include "recvbuf.h"
#include "sendbuf.h"

#define TVL_RANK_DEFAULT (UINT64_C(1) << 32)
#define TVL_WRITABLE_ROOM (TVL_STREAM_BUFFER_MAX / 4) /* fewer wake-ups, larger writes */

enum tvl_send_state {                /* RFC 9000 3.1 */
                      TVL_SEND_NONE, /* the other side's unidirectional stream */
                      TVL_SEND_READY,
                      TVL_SEND_SEND,
                      TVL_SEND_DATA_SENT,
                      TVL_SEND_DATA_RECVD,
                      TVL_SEND_RESET_SENT, /* RESET_STREAM queued or sent */
                      TVL_SEND_RESET_RECVD,
};

enum tvl_recv_state {                /* RFC 9000 3.2 */
                      TVL_RECV_NONE, /* our unidirectional stream */
                      TVL_RECV_RECV,
                      TVL_RECV_SIZE_KNOWN,
                      TVL_RECV_DATA_RECVD,
                      TVL_RECV_DATA_READ,
                      TVL_RECV_RESET_RECVD,
                      TVL_RECV_RESET_READ,
};

enum tvl_stream_want { /* control frames waiting to be sent, bits */
                       TVL_WANT_RESET_STREAM = 1,
                       TVL_WANT_STOP_SENDING = 2,
                       TVL_WANT_MAX_STREAM_DATA = 4,
                       TVL_WANT_STREAM_DATA_BLOCKED = 8,
};

enum tvl_stream_news { /* events waiting to be polled, bits, in the order they are told */
                       TVL_NEWS_OPENED = 1,
                       TVL_NEWS_READABLE = 2,
                       TVL_NEWS_RESET = 4,
                       TVL_NEWS_WRITABLE = 8,
                       TVL_NEWS_STOPPED = 16,
                       TVL_NEWS_EXPIRED = 32,
                       TVL_NEWS_ACKED = 64,
};

struct tvl_stream {
    uint64_t id;
    uint64_t rank;          /* with its flow's priority */
    uint64_t asked_rank;    /* without */
    tvl_time deadline;      /* TVL_TIME_NEVER: none */
    uint64_t deadline_code; /* of the RESET_STREAM when it passes */
    uint32_t flow;          /* that its fate is counted to */

    enum tvl_send_state send_state;
    struct tvl_sendbuf out;
    uint64_t send_max;     /* the peer's MAX_STREAM_DATA */
    uint64_t blocked_told; /* limit of the last STREAM_DATA_BLOCKED, plus 1 */
    uint64_t reset_code;   /* of our RESET_STREAM */
    uint64_t reset_size;   /* its final size */
    bool short_write;      /* WRITABLE is owed */
    bool protection_told;  /* by PROTECTED: the peer keeps what may be repaired */
    uint64_t written, resent;
    uint64_t acked_at_reset; /* bytes; those acknowledged later are not known */

    enum tvl_recv_state recv_state;
    struct tvl_recvbuf in;
    uint64_t recv_window;    /* bytes the peer may send ahead of the reader */
    uint64_t recv_max;       /* our MAX_STREAM_DATA */
    uint64_t stop_code;      /* of our STOP_SENDING */
    uint64_t peer_code;      /* of the peer's RESET_STREAM */
    uint64_t peer_stop_code; /* of the peer's STOP_SENDING */
    uint64_t received;       /* new bytes */
    bool stopped;            /* the application wants no more bytes */

    unsigned want; /* enum tvl_stream_want */
    unsigned news; /* enum tvl_stream_news */

    /* places in tvl_streams' queues */
    UT_hash_handle hh;
    struct tvl_heap_node again_node, fresh_node, deadline_node;
    struct tvl_stream *want_prev, *want_next;
    struct tvl_stream *news_prev, *news_next;
    struct tvl_stream *unsent_prev, *unsent_next;
    size_t unsent_at; /* place in tvl_streams.unsent, plus 1; 0: none */
    struct tvl_stream *short_prev, *short_next;
    bool queued; /* again or fresh, as its flow has counted it */
    bool in_want, in_news, in_unsent, in_short;

    /* what the sums of tvl_streams hold of it */
    uint64_t held_counted;
    size_t out_counted, in_counted;
    uint32_t pieces_counted;
    uint8_t send_told, recv_told; /* states, to the trace */
};

#define TVL_STREAM_RENEW_RING 4096u /* bytes of a ring that stays */

#define TVL_STREAM_BIT_SERVER 1u /* RFC 9000 2.1 */
#define TVL_STREAM_BIT_UNI 2u

struct tvl_stream *tvl_stream_new(uint64_t id); /* NULL: no memory; both parts NONE */
void tvl_stream_free(struct tvl_stream *s);
/* Another stream in the place of one that is over, in no queue and in no sum; small rings stay. */
void tvl_stream_renew(struct tvl_stream *s, uint64_t id);

/* ---- sending part ---- */
bool tvl_stream_can_write(const struct tvl_stream *s);  /* READY or SEND, and not finished */
bool tvl_stream_awaits_ack(const struct tvl_stream *s); /* READY, SEND or DATA_SENT */
bool tvl_stream_send_over(const struct tvl_stream *s);  /* nothing left to send or to await */
bool tvl_stream_has_again(const struct tvl_stream *s);  /* has data that needs no credit */
bool tvl_stream_has_fresh(const struct tvl_stream *s);  /* has new data below send_max */
bool tvl_stream_is_blocked(const struct tvl_stream *s); /* has new data, all above send_max */
/* How many were taken, or enum tvl_error. */
int64_t tvl_stream_append(struct tvl_stream *s, const uint8_t *bytes, size_t len, bool fin);
uint64_t tvl_stream_acked_bytes(const struct tvl_stream *s);
/* Unsent and unacknowledged bytes it keeps. */
uint64_t tvl_stream_held(const struct tvl_stream *s);
void tvl_stream_mark_sent(struct tvl_stream *s, const struct tvl_send_chunk *c);
void tvl_stream_mark_acked(struct tvl_stream *s, uint64_t offset, size_t len, bool fin);
/* Drop what is unsent, want RESET_STREAM. false: too late, everything is acknowledged or reset. */
bool tvl_stream_abort(struct tvl_stream *s, uint64_t code);

/* ---- receiving part; results < 0 are the negative of an enum tvl_wire_error ---- */
bool tvl_stream_recv_over(const struct tvl_stream *s);
bool tvl_stream_can_read(const struct tvl_stream *s); /* the application may still ask for bytes */
struct tvl_stream_piece {
    uint64_t offset;
    const uint8_t *bytes;
    size_t len;
    bool fin;
};
/* Result: by how much the connection's count of received bytes rises. */
int64_t tvl_stream_take(struct tvl_stream *s, const struct tvl_stream_piece *piece);
int64_t tvl_stream_take_reset(struct tvl_stream *s, uint64_t code, uint64_t final_size);
/* The next bytes in order, as many as lie in one piece; they stay until taken. */
const uint8_t *tvl_stream_look(const struct tvl_stream *s, size_t *len, bool *fin);
/* Take `len` bytes, [0, what tvl_stream_look shows], without a copy; *fin as in read_out. */
void tvl_stream_skip(struct tvl_stream *s, size_t len, bool *fin);
size_t tvl_stream_read_out(struct tvl_stream *s, uint8_t *out, size_t cap, bool *fin);
/* The application wants no more: drop the bytes, want STOP_SENDING where it still helps. */
void tvl_stream_stop_reading(struct tvl_stream *s, uint64_t code);
/* Received bytes that need no room any more: read, or dropped. */
uint64_t tvl_stream_consumed(const struct tvl_stream *s);
/* Half of the window was used: a new MAX_STREAM_DATA is due. */
bool tvl_stream_window_due(const struct tvl_stream *s);

#endif
