/*
 * path.h - one path of a connection: addresses, validation (RFC 9000 8.2), congestion and health,
 * status and abandonment (draft-ietf-quic-multipath 3).
 *
 *             challenge answered            silence                     answer to a probe
 *   OPENING ---------------------> UP ---------------> SUSPECT ------------------------> UP
 *      |  tries used up             |  abandon            | abandon
 *      +------------> ABANDONED <---+---------------------+      forgotten 3 PTO later
 */
#ifndef TVL_CORE_PATH_H
#define TVL_CORE_PATH_H

#include <tvl/tvl.h>

#include "ack.h"
#include "health.h"
#include "keyphase.h"
#include "mtu.h"
#include "place.h"
#include "recovery.h"
#include "spin.h"

#define TVL_STANDBY_PROBE 2000000u /* us an idle path goes unasked while others carry data */
#define TVL_PLACES 3               /* at, was, aside: see place.h */
#define TVL_SKIP_FIRST 32u  /* packets before a number is left out, at least; twice as many */
#define TVL_SKIP_MOST 8192u /* before the next, up to this: see send.c */

struct tvl_space { /* a packet number space */
    struct tvl_recovery sent;
    struct tvl_ack received;
    unsigned probes; /* ack-eliciting packets owed, beyond the window */
};

/* What was known of the way before a move, in case it is gone back. */
struct tvl_left {
    bool set;
    struct tvl_rtt rtt;
    _Alignas(8) unsigned char cc[TVL_CC_STATE_MAX];
};

struct tvl_path {
    struct tvl_conn *conn;
    uint32_t id;
    enum tvl_path_state state;
    struct tvl_place at, was, aside;
    struct tvl_left left;
    struct tvl_cid heard_as; /* our ID in the newest packet that was not for probing */
    bool waiting;            /* client: for connection IDs before it can be opened */
    uint64_t rebindings;     /* moves, by either side */
    uint64_t evacuations;    /* times it became SUSPECT */
    struct tvl_space app;
    struct tvl_path_cc cc;
    struct tvl_shared *shared; /* coupling.h; owned, NULL: nothing is known */
    struct tvl_choice *choice; /* choice.h; owned, NULL: none is made, or not yet */
    bool cc_by_hand;           /* no controller is chosen: the caller has */
    uint64_t cc_chosen;        /* times it was */
    struct tvl_mtu mtu;
    enum tvl_ecn_state ecn_told; /* to the trace */
    struct tvl_health health;
    bool copies_owed; /* it is doubted, and its flight has not been sent again elsewhere */
    struct tvl_phase_pns phase;
    struct tvl_spin spin;
    uint64_t skip_at, skip_gap; /* the next number left out, and how many go before the one after */
    tvl_time received_at;       /* last packet */
    tvl_time answered_at; /* the last acknowledgement of one of ours; at first, the validation */
    bool ping_wanted;
    bool ack_owed;             /* its acknowledgement left on another path; it is told here too */
    struct tvl_copies *copies; /* owed to it, see copies.h; NULL: none */
    const char *cc_state_told; /* to the trace */

    bool cids_blocked_wanted, cids_blocked_told; /* PATH_CIDS_BLOCKED */

    bool backup_asked;   /* what we ask of the peer */
    bool status_wanted;  /* a PATH_STATUS frame is to be written */
    uint64_t status_seq; /* of the last one written */
    bool peer_backup;    /* what the peer asks of us */
    uint64_t peer_status_seq;
    bool peer_status_known;

    bool abandon_wanted;  /* a PATH_ABANDON frame is to be written */
    bool abandon_settled; /* it was acknowledged, or there is nobody to tell */
    uint64_t abandon_code;
    tvl_time forget_at; /* TVL_TIME_NEVER, or when an abandoned path's state goes */

    uint64_t bytes_sent, bytes_received, packets_sent, packets_received;
};

/* The path may carry new data now, as far as its window allows. */
bool tvl_path_is_up(const struct tvl_path *p);
/* Up, and not silent for longer than usual: the first choice for new data. */
bool tvl_path_is_trusted(const struct tvl_path *p);
/* Another path is trusted. */
bool tvl_path_has_peer(const struct tvl_path *p);
/* It is not trusted while another is: data has no business on it. */
bool tvl_path_has_better(const struct tvl_path *p);
/* It has proved nothing for TVL_HEALTH_STALE: what is known of it may be old. */
bool tvl_path_is_stale(const struct tvl_path *p, tvl_time now);
/* It will be so before the answer to a question comes. */
bool tvl_path_is_ageing(const struct tvl_path *p, tvl_time now);
/* Something may be sent on it at all: it has an address, an ID of the peer, and is not over. */
bool tvl_path_is_usable(const struct tvl_path *p);
/* Bytes the amplification limit leaves; UINT64_MAX when validated. */
uint64_t tvl_path_allowance(const struct tvl_path *p);
/* Bytes of the datagram being received that no place has counted yet; now they are counted. */
uint64_t tvl_path_count_once(struct tvl_conn *conn, const struct tvl_datagram *dgram);
uint64_t tvl_path_allowance_of(const struct tvl_path *p, const struct tvl_place *pl);
/* `pl` of `p` is given up: what it has counted goes to another place with its remote address, if
 * there is one, as the two have lived on one allowance. */
void tvl_path_leave_ledger(const struct tvl_path *p, const struct tvl_place *pl);

/* ---- the connection's side (conn is where the path lives) ---- */

struct tvl_path *tvl_path_find(struct tvl_conn *conn, uint32_t id);
/* A new slot, state OPENING, nothing sent. NULL: no memory or no slot. */
struct tvl_path *tvl_path_new(struct tvl_conn *conn, uint32_t id, tvl_time now);
void tvl_path_free(struct tvl_path *p);

/* Client: give waiting paths their connection IDs and open them. */
void tvl_path_open_waiting(struct tvl_conn *conn, tvl_time now);
/* Server: the peer sent on a path ID it may use. NULL: not acceptable. */
struct tvl_path *tvl_path_accept(struct tvl_conn *conn, uint32_t id,
                                 const struct tvl_datagram *dgram, const struct tvl_cid *dcid,
                                 tvl_time now);
void tvl_path_set_state(struct tvl_path *p, enum tvl_path_state state, const char *why);
/* Leave for good: PATH_ABANDON goes out on another path, what was in flight is sent again. */
void tvl_path_leave(struct tvl_path *p, uint64_t code, tvl_time now);
/* Frames of the packets outstanding on `p` go back to where they came from. */
void tvl_path_take_back(struct tvl_path *p, tvl_time now, const char *why);

/* Take over what the search for the MTU found, and fall back where large packets vanish. */
void tvl_path_update_mtu(struct tvl_path *p, tvl_time now);
/* The peer's max_udp_payload_size has become known. */
void tvl_path_limit_mtu(struct tvl_path *p);

void tvl_path_tell_ecn(struct tvl_path *p); /* to the trace, when it is news */

tvl_time tvl_path_next_time(const struct tvl_path *p);
void tvl_path_tick(struct tvl_path *p, tvl_time now);
/* Acknowledgements came for packets of the path. */
void tvl_path_on_acked(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now);

/* ---- migrate.c ---- */

/* The place a datagram came over; NULL: none of the path's. */
struct tvl_place *tvl_path_place(struct tvl_path *p, const struct tvl_datagram *dgram);
/* A place beside `at` to which something is to be sent; NULL: none. */
struct tvl_place *tvl_path_place_with_work(struct tvl_path *p);
void tvl_path_set_cid(struct tvl_place *pl, const struct tvl_remote_cid *c); /* NULL: none */
/* Give the place an unused connection ID of the peer's; false: there is none. */
bool tvl_path_take_cid(struct tvl_path *p, struct tvl_place *pl);
/* The peer has retired some, or given new ones. */
void tvl_path_refresh_cids(struct tvl_path *p);
/* Begin validating the peer's address with a fresh PATH_CHALLENGE. */
void tvl_path_start_challenge(struct tvl_path *p, tvl_time now);
/* The two frames; `dcid` is our connection ID in the packet. */
void tvl_path_on_challenge(struct tvl_path *p, const uint8_t *data,
                           const struct tvl_datagram *dgram, const struct tvl_cid *dcid);
void tvl_path_on_response(struct tvl_conn *conn, const uint8_t *data, tvl_time now);
/* The newest packet of the path so far, not only for probing: it says where the peer is. */
void tvl_path_on_leading(struct tvl_path *p, const struct tvl_datagram *dgram,
                         const struct tvl_cid *dcid, tvl_time now);
tvl_time tvl_path_challenge_next(const struct tvl_path *p);
void tvl_path_challenge_tick(struct tvl_path *p, tvl_time now);
/* Client, handshake confirmed: ask at the server's preferred address, and go there if it answers.
 */
void tvl_path_prefer(struct tvl_conn *conn, tvl_time now);

#endif
