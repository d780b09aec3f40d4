/*
 * keyphase.h - key updates of 1-RTT packets, ours and the peer's: RFC 9001 6, with the rules of
 * draft-ietf-quic-multipath 4: one phase for all paths, numbers compared within their path only.
 *
 *     before        current         next          read keys, by Key Phase bit and packet number
 *     ──────────────┬───────────────┬─────────
 *     until 3 PTO after the first   the first packet that it opens begins a new phase
 *     packet of the current phase
 *
 * A new phase of ours begins when the handshake is confirmed, the peer has acknowledged a packet of
 * the present one, and three probe time-outs of the slowest path have passed since (in the first
 * phase: at once); so what is still under way can be read, and the peer cannot confuse two phases
 * with the same bit.
 */
#ifndef TVL_CORE_KEYPHASE_H
#define TVL_CORE_KEYPHASE_H

#include <tvl/tvl.h>

#include "protect.h"

#define TVL_KEYPHASE_MARGIN 65536u /* packets before a cipher's limit at which a new key is due */

struct tvl_conn;
struct tvl_path;

enum tvl_phase { TVL_PHASE_BEFORE, TVL_PHASE_CURRENT, TVL_PHASE_NEXT };

struct tvl_keyphase {
    struct tvl_keys before, next; /* read keys around conn->read[TVL_LEVEL_APP] */
    uint64_t number;              /* of the current phase; its lowest bit is sent */
    uint64_t sealed;              /* packets sent under the current key */
    bool heard;                   /* a packet of the current phase arrived */
    bool answered;                /* and we have sent an acknowledgement since */
    bool acked;                   /* one of ours was acknowledged */
    tvl_time ready_at;            /* when we may begin another */
    tvl_time drop_before_at;      /* TVL_TIME_NEVER: not yet known, or nothing to drop */
};

struct tvl_phase_pns { /* of one path; reset when a phase begins */
    uint64_t first;    /* lowest received in the current phase; TVL_PN_NONE: none */
    uint64_t sent;     /* lowest sent in the current phase; TVL_PN_NONE: none */
};

static inline bool tvl_keyphase_bit(const struct tvl_keyphase *k)
{
    return k->number & 1;
}

void tvl_keyphase_fini(struct tvl_keyphase *k);
/* The read key of phase 0 is known. 0 or TVL_ERR_NOMEM. */
int tvl_keyphase_init(struct tvl_keyphase *k, const struct tvl_keys *read);

/* ---- packets that arrive ---- */

struct tvl_sealed { /* a 1-RTT packet without header protection */
    uint32_t path_id;
    uint64_t pn;
    bool bit;
    uint8_t *header; /* to the end of the packet number */
    size_t header_len;
    size_t len; /* behind it, tag included */
};
/* Decrypts in place. Bytes of plaintext and the phase that opened it, or TVL_ERR_PACKET. `path` is
 * NULL when this is its first packet. */
int tvl_keyphase_open(struct tvl_conn *conn, const struct tvl_path *path,
                      const struct tvl_sealed *p, enum tvl_phase *phase);
/* What the packet says about phases. 0 or the negative of an enum tvl_wire_error. */
int tvl_keyphase_on_packet(struct tvl_conn *conn, struct tvl_path *path, uint64_t pn,
                           enum tvl_phase phase);
/* An ACK in a packet of `phase` for packets of `path` up to `largest`. Result as above. */
int tvl_keyphase_on_ack(struct tvl_conn *conn, const struct tvl_path *path, uint64_t largest,
                        enum tvl_phase phase);

/* ---- packets that leave ---- */

void tvl_keyphase_on_sealed(struct tvl_conn *conn, struct tvl_path *path, uint64_t pn);
void tvl_keyphase_on_ack_sent(struct tvl_conn *conn);
/* Before packets are made: begin a phase when one is due, or close where none is possible. */
void tvl_keyphase_check(struct tvl_conn *conn);

tvl_time tvl_keyphase_next(const struct tvl_keyphase *k);
void tvl_keyphase_tick(struct tvl_conn *conn, tvl_time now);

#endif
