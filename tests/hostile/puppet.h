/*
 * puppet.h - a hostile QUIC peer: it makes a real handshake with a production endpoint and then
 * sends whatever it is told, in packets of any kind, under the right keys.
 *
 *     puppet (TLS, keys, packet numbers, connection IDs; no rules) <== datagrams ==> victim
 *                                                                     (struct tvl_endpoint)
 *
 * Both live on one virtual clock and nothing is lost between them. The puppet acknowledges what it
 * gets and notes what the victim says, above all the CONNECTION_CLOSE it ends with. It stands on
 * the library's own layers (tls.h, protect.h, packet.h, frame.h), not on struct tvl_conn.
 */
#ifndef HOSTILE_PUPPET_H
#define HOSTILE_PUPPET_H

#include <tvl/tvl.h>

#include "frame.h"
#include "packet.h"
#include "params.h"
#include "protect.h"
#include "recvbuf.h"
#include "tls.h"

#define PUPPET_PATHS 8
#define PUPPET_CIDS 64
#define PUPPET_FLIGHT 65536  /* bytes of handshake data per level */
#define PUPPET_TRACKED 512   /* packet numbers whose acknowledgement is noted */
#define PUPPET_ROUNDS 200    /* datagrams of the victim in one go; more is a storm */
#define PUPPET_PARAMS_MAX 40 /* transport parameters */

enum puppet_hold {                        /* how far the handshake goes by itself */
                   PUPPET_HOLD_ALL,       /* the puppet's TLS says nothing */
                   PUPPET_HOLD_HANDSHAKE, /* Initial CRYPTO flows, Handshake CRYPTO does not */
                   PUPPET_HOLD_DONE,      /* server: all but HANDSHAKE_DONE */
                   PUPPET_HOLD_NOTHING,
};

struct puppet_param {
    uint64_t id;
    uint8_t len;
    uint8_t value[64];
};

struct puppet_options {
    enum tvl_side plays;
    struct tvl_tls *own_tls, *victim_tls; /* shared by many puppets */
    enum puppet_hold hold;
    const char *params;    /* changes to its transport parameters, see script.h; NULL: none */
    uint8_t scid_len;      /* 0: 8; 255: none */
    bool no_multipath;     /* of the puppet */
    bool retries;          /* the puppet, a server, asks for Retry first */
    bool mute;             /* from the start */
    bool borrowed_keys;    /* Handshake keys of its own making */
    bool victim_retries;   /* server: always asks for Retry */
    bool victim_multipath; /* off: the victim does not offer it */
    bool victim_no_grease;
    tvl_time keepalive;    /* of the victim */
    uint32_t datagram_max; /* of the victim */
    uint32_t repair_span;  /* of the victim */
    /* The puppet's TLS bytes on their way out; may change them. NULL: as they are. */
    size_t (*edit)(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap);
};

struct puppet_cid { /* one of the victim's */
    uint32_t path_id;
    uint64_t seq;
    struct tvl_cid cid;
    uint8_t token[TVL_RESET_TOKEN_SIZE];
};

struct puppet_space {
    uint64_t next;    /* number of the next packet */
    uint64_t largest; /* of the victim's; TVL_PN_NONE */
    bool acked[PUPPET_TRACKED];
};

struct puppet_close { /* what the victim ended with */
    bool seen, app;
    uint64_t code, frame_type;
    enum tvl_level level;
    char reason[TVL_REASON_MAX];
};

struct puppet {
    struct puppet_options o;
    struct tvl_endpoint *victim;
    struct tvl_conn *conn; /* the victim's; NULL before ACCEPTED and after CLOSED */
    tvl_time now;

    struct tvl_tls_conn *tls;
    struct tvl_keys read[TVL_LEVELS], write[TVL_LEVELS];
    struct tvl_recvbuf in[TVL_LEVELS];
    uint8_t *out[TVL_LEVELS];
    size_t out_len[TVL_LEVELS], out_sent[TVL_LEVELS];
    bool key_phase;
    struct tvl_keys old_write; /* before the last key update of its own */

    struct tvl_cid scid, dcid, original_dcid, retry_scid;
    uint8_t token[512];
    size_t token_len;
    struct puppet_param param[PUPPET_PARAMS_MAX];
    size_t n_params;
    struct puppet_cid cid[PUPPET_CIDS];
    size_t n_cids;
    struct tvl_params victim_params;

    struct puppet_space initial, handshake, app[PUPPET_PATHS];
    bool mute; /* acknowledge nothing, answer nothing */
    bool done_sent;
    unsigned victim_datagrams; /* since puppet_forget */
    uint64_t frames[128];      /* of the victim, by puppet_frame_slot, since puppet_forget */
    uint32_t last_remote;      /* IPv4 address the last datagram went to */
    bool version_offered, retry_offered;
    bool storm, busy; /* the victim never stopped sending; its timers never let time pass */
    bool proved;      /* the victim has a Handshake packet of the puppet's */
    uint64_t bytes_in, bytes_out;                                          /* of the victim */
    uint8_t response[TVL_FRAME_DATA_SIZE], challenge[TVL_FRAME_DATA_SIZE]; /* last seen */

    bool connected, closed; /* the victim's events */
    struct tvl_event closed_event;
    struct puppet_close close;
    void *user;
    void (*on_event)(struct puppet *p, const struct tvl_event *ev);
};

struct puppet_shot { /* one packet */
    enum tvl_packet_type type;
    uint32_t path_id;   /* of a 1-RTT packet: connection ID, number space and nonce */
    uint64_t pn;        /* TVL_PN_NONE: the next */
    uint8_t pn_len;     /* 0: 4 */
    uint8_t first_xor;  /* changed in the first byte before protection */
    size_t pad_to;      /* bytes of the packet */
    bool old_keys;      /* 1-RTT: the keys before the last update */
    bool short_payload; /* do not pad a payload too short for the sample */
    const struct tvl_cid *dcid, *scid; /* NULL: the right ones */
    const uint8_t *token;
    size_t token_len;
};

/* 0 or a negative enum tvl_error. Starts nothing. */
int puppet_init(struct puppet *p, const struct puppet_options *o);
void puppet_fini(struct puppet *p);

/* Begin: the puppet's first flight or the victim's tvl_connect, then as far as `hold` lets it. */
void puppet_start(struct puppet *p);
/* Deliver everything both have to say at this moment. */
void puppet_pump(struct puppet *p);
/* Let time pass, with all that is due in it. */
void puppet_wait(struct puppet *p, tvl_time duration);
void puppet_forget(struct puppet *p);

/* Seal one packet with `len` bytes of frames to `out`; its bytes, 0: no keys or no room. */
size_t puppet_seal(struct puppet *p, const struct puppet_shot *s, const uint8_t *frames, size_t len,
                   uint8_t *out, size_t cap);
/* Hand a datagram to the victim as coming from the puppet's address number `link`. */
void puppet_fire(struct puppet *p, const uint8_t *bytes, size_t len, unsigned link);
/* Both for one 1-RTT packet on path 0. */
void puppet_say(struct puppet *p, const uint8_t *frames, size_t len);
/* Move to the next key phase for sending. */
void puppet_update_keys(struct puppet *p);

const struct puppet_cid *puppet_cid(const struct puppet *p, uint32_t path_id, uint64_t seq);
struct puppet_space *puppet_space(struct puppet *p, enum tvl_packet_type type, uint32_t path_id);
unsigned puppet_frame_slot(uint64_t type);
/* The victim answers a PING. */
bool puppet_victim_lives(struct puppet *p);

#endif
