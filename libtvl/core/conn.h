/*
 * conn.h - the state of one connection, and the calls its parts make on each other.
 *
 * There is no file that holds "the connection". Each verb of a packet's life has its own:
 *
 *     conn.c      begins and ends it, routes the public calls
 *     handshake.c TLS, transport parameters, CRYPTO frames, keys coming and going
 *     recv.c      datagram -> packets -> frames, frames to their handlers
 *     send.c      what leaves next, on which path -> frames -> packet -> datagram
 *     control.c   connection IDs, the fate of every frame that was sent
 *     mpath.c     frames that speak about paths
 *     keyphase.c  key updates
 *     migrate.c   a path goes on from another place
 *     path.c      opening, validating, leaving paths
 *     timers.c    everything that happens because time passes
 *     close.c     closing, draining, the last words
 *
 * and the nouns they work on: streams.h, recovery.h, ack.h, cid.h, path.h, protect.h, tls.h.
 */
#ifndef TVL_CORE_CONN_H
#define TVL_CORE_CONN_H

#include <tvl/sched.h>
#include <tvl/tvl.h>

#include "admit.h"
#include "cid.h"
#include "dgrams.h"
#include "door.h"
#include "frame.h"
#include "held.h"
#include "keyphase.h"
#include "params.h"
#include "path.h"
#include "path_ids.h"
#include "protect.h"
#include "recvbuf.h"
#include "repair_in.h"
#include "repair_out.h"
#include "sendbuf.h"
#include "session.h"
#include "streams.h"
#include "tls.h"
#include "turns.h"

#define TVL_MTU TVL_MTU_BASE               /* bytes of UDP payload we send until more is proved */
#define TVL_INITIAL_DATAGRAM_MIN 1200      /* RFC 9000 14.1 */
#define TVL_BATCH_MAX 65507                /* bytes of one UDP_SEGMENT message */
#define TVL_PATH_SLOTS (2 * TVL_PATHS_MAX) /* live paths and abandoned ones not yet forgotten */
#define TVL_EARLY_STATUS_MAX 16            /* paths not yet open whose status is kept */
#define TVL_CRYPTO_WINDOW 65536 /* bytes of CRYPTO data buffered per level, RFC 9000 7.5 */
#define TVL_EVENTS_MAX 64       /* path and connection events not yet polled */
#define TVL_TOKEN_MAX 512       /* bytes of a token that a server gave us */

enum tvl_conn_state {
    TVL_CONN_HANDSHAKE, /* until TLS is done */
    TVL_CONN_OPEN,
    TVL_CONN_CLOSING,  /* we said goodbye: answer packets with it, RFC 9000 10.2.1 */
    TVL_CONN_DRAINING, /* the peer did: send nothing, 10.2.2 */
    TVL_CONN_DEAD,     /* nothing is sent or taken */
};

struct tvl_crypto { /* the CRYPTO stream of one level */
    struct tvl_sendbuf out;
    struct tvl_recvbuf in;
};

struct tvl_last_words { /* what ends the connection */
    bool set;
    bool app; /* CONNECTION_CLOSE of type 0x1d */
    enum tvl_close_kind kind;
    uint64_t code, frame_type;
    char reason[TVL_REASON_MAX];
    bool told;          /* the CLOSED event was polled */
    bool send;          /* a CONNECTION_CLOSE is to be written, on each path in turn */
    size_t next_path;   /* whose turn it is */
    unsigned received;  /* packets since the last one was written */
    unsigned answer_at; /* write again when `received` reaches it; doubles */
    tvl_time over_at;   /* end of closing or draining */
};

struct tvl_early_status { /* PATH_STATUS_* for a path that is not open yet */
    uint32_t path_id;
    bool backup;
    uint64_t seq;
};

struct tvl_news {  /* an event of the connection or a path that waits to be polled */
    uint8_t type;  /* enum tvl_event_type: CONNECTED, PATH or CONTROLLER */
    uint8_t state; /* enum tvl_path_state */
    uint32_t path_id;
};

struct tvl_conn {
    struct tvl_endpoint *ep;
    struct tvl_turn turn;         /* the endpoint's: when this connection is looked at */
    struct tvl_guest guest;       /* the endpoint's: how it is counted */
    const struct tvl_config *cfg; /* the endpoint's */
    uint64_t id;
    void *user;
    enum tvl_side side;
    enum tvl_conn_state state;
    bool accepted_told;
    tvl_time began_at, handshake_time; /* us */
    tvl_time now;                      /* of the call under way */
    const struct tvl_datagram *dgram;  /* being received, */
    bool dgram_counted;                /* for the amplification limit of some place, */
    struct tvl_cid dcid;               /* and the ID of ours that it names */
    bool tried; /* the last call asked for a datagram, and there was none: see tvl_conn_retry_at */

    /* handshake */
    struct tvl_tls_conn *tls;
    char *server_name; /* client: owned */
    struct tvl_keys read[TVL_LEVELS], write[TVL_LEVELS];
    struct tvl_keyphase phase;
    struct tvl_crypto crypto[TVL_LEVELS];
    struct tvl_space initial, handshake;
    struct tvl_held held; /* until the handshake is complete */
    struct tvl_params own, peer;
    bool have_peer_params, confirmed;  /* RFC 9001 4.1.2 */
    uint64_t fixed_bits;               /* at random, one a packet (RFC 9287 3.1), */
    unsigned fixed_bits_left;          /* and how many are left of them */
    bool done_wanted;                  /* HANDSHAKE_DONE is to be written */
    struct tvl_streams_head send_from; /* tvl_route_data: what goes on the path it gave */
    bool control_idle;                 /* tvl_control_write found nothing, in the send under way */
    bool discard_handshake;            /* once this call's packets are processed */
    struct sockaddr_storage handshake_remote; /* client: the server's first address */
    struct tvl_cid original_dcid;             /* of the client's first Initial */
    struct tvl_cid first_dcid; /* of the Initial its keys come from: after a Retry another */
    struct tvl_cid local_scid; /* ours, during the handshake */
    struct tvl_cid remote_cid; /* the peer's, during the handshake */
    struct tvl_cid retry_scid;
    bool retried;
    uint32_t version; /* client: the reserved one it began with, until negotiated; 0: version 1 */
    uint8_t *token;   /* client: to be shown in Initial packets; owned */
    size_t token_len;
    bool token_wanted; /* server: a NEW_TOKEN is to be written */
    uint64_t open_failures;

    /* paths */
    bool multipath;
    struct tvl_path *path[TVL_PATH_SLOTS]; /* by rising id, NULL-free up to n_paths */
    size_t n_paths;
    struct tvl_path_ids path_ids;
    uint64_t own_max_path_id;    /* what we allow */
    uint64_t peer_max_path_id;   /* what the peer allows */
    bool max_path_id_wanted;     /* MAX_PATH_ID is to be written */
    bool paths_blocked_wanted;   /* PATHS_BLOCKED too, */
    uint64_t paths_blocked_told; /* for the peer's maximum, plus 1 */
    struct tvl_early_status early_status[TVL_EARLY_STATUS_MAX];
    size_t n_early_status;
    tvl_time data_at; /* when application data last left or arrived */
    struct tvl_cids cids;
    bool cids_due;                         /* some may have to be issued */
    const struct tvl_couple_ops *coupling; /* NULL: none is wanted */
    enum tvl_objective objective;          /* of choice.h */
    tvl_time objective_deadline;
    const struct tvl_sched_ops *sched;
    _Alignas(8) unsigned char sched_state[TVL_SCHED_STATE_MAX];

    struct tvl_streams streams;
    struct tvl_sent_frame acked; /* of a stream, not yet told to `streams`; len 0: nothing */
    struct tvl_dgrams dgrams;
    struct tvl_repair_out repair_out;
    struct tvl_repair_in repair_in;

    tvl_time idle_timeout;   /* us; of both sides the smaller */
    tvl_time idle_since;     /* RFC 9000 10.1 */
    bool eliciting_since_rx; /* an ack-eliciting packet went out since something came in */

    struct tvl_news event[TVL_EVENTS_MAX];
    size_t event_first, n_events;
    struct tvl_last_words last;

    uint64_t reinjected; /* bytes, see reinject.h */
    uint64_t bytes_sent, bytes_received, packets_dropped;
    bool hold_told;                     /* to the trace: the scheduler holds data back */
    const struct tvl_path *picked_told; /* to the trace, as the only one; NULL: none */
};

/* ---- conn.c: for the endpoint ---- */
int tvl_conn_new_client(struct tvl_conn **out, struct tvl_endpoint *ep, uint64_t id,
                        const struct tvl_path_config *path, const char *server_name, tvl_time now);
int tvl_conn_new_server(struct tvl_conn **out, struct tvl_endpoint *ep, uint64_t id,
                        struct tvl_first *first, tvl_time now); /* takes first's keys */
void tvl_conn_free(struct tvl_conn *conn);
/* Its end was told: gives back all but what the closing period needs (RFC 9000 10.2). */
void tvl_conn_shed(struct tvl_conn *conn);
/* From the front of dgram->len bytes of datagrams of dgram->segment each: one, or several that
 * belong together. How many were ours or TVL_ERR_PACKET; *taken: their bytes. In recv.c. */
int tvl_conn_recv(struct tvl_conn *conn, const struct tvl_datagram *dgram, uint8_t *bytes,
                  tvl_time now, size_t *taken);
/* How many datagrams, as tvl_endpoint_send_batch; `cap` at least TVL_DATAGRAM_MAX. In send.c. */
int tvl_conn_send(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes, size_t cap,
                  tvl_time now);
bool tvl_conn_data_waits(const struct tvl_conn *conn);    /* send.c: what only pacing holds back */
bool tvl_conn_other_waits(const struct tvl_conn *conn);   /* send.c: of it, not streams */
tvl_time tvl_conn_next_tick(const struct tvl_conn *conn); /* timers.c */
void tvl_conn_tick(struct tvl_conn *conn, tvl_time now);  /* timers.c */
/* Stateless reset, RFC 9000 10.3.1: could it be one; do we send to where it came from; and if it
 * carries the token of an ID we send to, end. All in close.c. */
bool tvl_conn_could_be_reset(const struct tvl_datagram *dgram, const uint8_t *bytes);
bool tvl_conn_has_path_to(const struct tvl_conn *conn, const struct tvl_datagram *dgram);
bool tvl_conn_take_reset(struct tvl_conn *conn, const struct tvl_datagram *dgram,
                         const uint8_t *bytes, tvl_time now);
int tvl_conn_poll(struct tvl_conn *conn, struct tvl_event *ev);
bool tvl_conn_is_over(const struct tvl_conn *conn, tvl_time now); /* close.c */

/* ---- conn.c: for the parts ---- */
/* A public call changed something: the endpoint looks at the connection again. Each that may leave
 * a packet, an event or another next tick behind ends in this. */
void tvl_conn_touch(struct tvl_conn *conn);
/* timers.c: when to ask again for what may leave from `t` on. What could not leave when it was last
 * asked for (window, amplification limit, a scheduler that holds) waits for an event, not a timer.
 */
tvl_time tvl_conn_retry_at(const struct tvl_conn *conn, tvl_time t);
void tvl_conn_event(struct tvl_conn *conn, const struct tvl_event *ev);
bool tvl_conn_alive(const struct tvl_conn *conn); /* HANDSHAKE or OPEN */

/* ---- handshake.c ---- */
/* `server_name` is NULL on a server; the Initial keys are set. */
int tvl_handshake_begin(struct tvl_conn *conn, const char *server_name);
/* A CRYPTO frame. 0 or the negative of an enum tvl_wire_error. */
int tvl_handshake_on_crypto(struct tvl_conn *conn, enum tvl_level level, const struct tvl_frame *f);
/* Client: a Retry packet; ignored unless it is good (RFC 9000 17.2.5.2). */
void tvl_handshake_on_retry(struct tvl_conn *conn, const struct tvl_packet *p,
                            const uint8_t *bytes);
/* Client: remember it for the next connection to this server. */
void tvl_handshake_keep(struct tvl_conn *conn, enum tvl_session_part part, const uint8_t *bytes,
                        size_t len);
void tvl_handshake_discard(struct tvl_conn *conn, enum tvl_level level);
void tvl_handshake_confirm(struct tvl_conn *conn); /* RFC 9001 4.1.2 */
bool tvl_handshake_is_done(const struct tvl_conn *conn);

/* ---- control.c ---- */
/* Frames of the connection itself. 0 or the negative of an enum tvl_wire_error. */
int tvl_control_on_frame(struct tvl_conn *conn, struct tvl_path *path, const struct tvl_frame *f);
struct tvl_builder;
/* Append the connection's own frames that wait, as far as they fit. */
void tvl_control_write(struct tvl_conn *conn, struct tvl_builder *b);
bool tvl_control_pending(const struct tvl_conn *conn);
extern const struct tvl_recovery_handler tvl_control_fate; /* `user` is the connection */
/* For tvl_recovery_oldest: what the packet carries is wanted again, though it may yet arrive. */
void tvl_control_again(void *conn, const struct tvl_sent_packet *p);
/* After each acknowledgement: what it acknowledged of streams is told to them. */
void tvl_control_acked_all(struct tvl_conn *conn);
/* Issue connection IDs for paths in use and for paths to come. */
void tvl_control_issue_cids(struct tvl_conn *conn);
/* One more for the path, in the next sequence number; NULL: no memory or no room. */
struct tvl_local_cid *tvl_control_issue_cid(struct tvl_conn *conn, uint32_t path_id);
struct tvl_space *tvl_conn_space(struct tvl_conn *conn, enum tvl_level level,
                                 struct tvl_path *path);

/* ---- close.c ---- */
/* The peer broke the protocol (or we did): say so and end. */
void tvl_close_with(struct tvl_conn *conn, enum tvl_wire_error code, uint64_t frame_type,
                    const char *reason);
void tvl_close_tls(struct tvl_conn *conn, uint8_t alert, const char *reason);
void tvl_close_on_peer(struct tvl_conn *conn, const struct tvl_frame *f);
/* End without a word: time-out, stateless reset. */
void tvl_close_silent(struct tvl_conn *conn, enum tvl_close_kind kind, const char *reason);
void tvl_close_on_packet(struct tvl_conn *conn); /* something came while closing */
int tvl_close_send(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes);
tvl_time tvl_conn_pto_max(const struct tvl_conn *conn); /* us, largest of any path */

#endif
