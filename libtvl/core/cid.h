/*
 * cid.h - the connection IDs of one connection: those we issued and those the peer gave us, each
 * with its path and sequence number (RFC 9000 5.1, draft-ietf-quic-multipath 6).
 *
 * Pure tables. The connection writes the frames that the tables ask for and reports their fate;
 * the endpoint keeps the map from a connection ID on the wire to its connection.
 */
#ifndef TVL_CORE_CID_H
#define TVL_CORE_CID_H

#include <tvl/tvl.h>

#include "packet.h"

#define TVL_CID_LEN 8             /* bytes of connection IDs we issue, unless they name a server */
#define TVL_CID_ACTIVE 4          /* kept issued per path: one used; a NAT may rebind often */
#define TVL_LOCAL_CIDS_MAX 96     /* issued and not forgotten */
#define TVL_REMOTE_CIDS_MAX 160   /* received and not forgotten */
#define TVL_REMOTE_PER_PATH_MAX 4 /* our active_connection_id_limit, per path */
#define TVL_CID_TOKEN_LEN 16

enum tvl_cid_note { /* what a frame about the ID still has to do */
                    TVL_NOTE_NONE,
                    TVL_NOTE_WANTED, /* to be written */
                    TVL_NOTE_SENT,   /* on its way */
};

struct tvl_local_cid {
    struct tvl_cid cid;
    uint8_t token[TVL_CID_TOKEN_LEN];
    uint32_t path_id;
    uint64_t seq;
    enum tvl_cid_note issue; /* (PATH_)NEW_CONNECTION_ID */
    bool retired;            /* by the peer */
};

struct tvl_remote_cid {
    struct tvl_cid cid;
    uint8_t token[TVL_CID_TOKEN_LEN];
    bool has_token;
    uint32_t path_id;
    uint64_t seq;
    bool used;                /* we send to it */
    bool retired;             /* by us */
    enum tvl_cid_note retire; /* (PATH_)RETIRE_CONNECTION_ID */
};

struct tvl_cid_path { /* what outlives the single IDs of a path */
    uint32_t path_id;
    uint64_t local_next;   /* sequence number of the next one we issue */
    uint64_t remote_next;  /* after the largest the peer has issued */
    uint64_t retire_prior; /* largest Retire Prior To seen */
};

struct tvl_cids { /* zeroed: empty; tables grow up to their limits, pointers into them move then */
    struct tvl_local_cid *local;
    struct tvl_remote_cid *remote;
    struct tvl_cid_path *path;
    uint16_t n_local, n_remote, n_path;
    uint16_t cap_local, cap_remote, cap_path;
    bool noted; /* one may be TVL_NOTE_WANTED; false: none is */
};

void tvl_cids_fini(struct tvl_cids *t);

/* Record an ID of ours as issued for the path, next in sequence. NULL: the table is full, or no
 * memory. */
struct tvl_local_cid *tvl_cids_issue(struct tvl_cids *t, uint32_t path_id,
                                     const struct tvl_cid *cid, const uint8_t *token);
/* How many of ours the peer may use for the path. */
size_t tvl_cids_issued(const struct tvl_cids *t, uint32_t path_id);
struct tvl_local_cid *tvl_cids_local(struct tvl_cids *t, uint32_t path_id, uint64_t seq);
/* The sequence number the peer's next ID for the path must have. */
uint64_t tvl_cids_remote_next(const struct tvl_cids *t, uint32_t path_id);
/* Whether `seq` was ever issued for the path. */
bool tvl_cids_was_issued(const struct tvl_cids *t, uint32_t path_id, uint64_t seq);
void tvl_cids_forget_local(struct tvl_cids *t, struct tvl_local_cid *c);

struct tvl_new_cid { /* a (PATH_)NEW_CONNECTION_ID frame */
    uint32_t path_id;
    uint64_t seq, retire_prior;
    const struct tvl_cid *cid;
    const uint8_t *token; /* NULL: from the handshake, none */
};
/* 0 (also for a repeat), or the negative of an enum tvl_wire_error. */
int tvl_cids_learn(struct tvl_cids *t, const struct tvl_new_cid *n);

/* The reset token that came for the peer's handshake ID among its transport parameters. */
void tvl_cids_set_token(struct tvl_cids *t, const uint8_t *token);
/* Whether `token` belongs to an ID we send to; takes the same time for each wrong one. */
bool tvl_cids_is_reset(const struct tvl_cids *t, const uint8_t *token);

/* An unused ID of the peer for the path, now marked used; NULL: there is none. */
struct tvl_remote_cid *tvl_cids_take(struct tvl_cids *t, uint32_t path_id);
bool tvl_cids_has_unused(const struct tvl_cids *t, uint32_t path_id);
struct tvl_remote_cid *tvl_cids_remote(struct tvl_cids *t, uint32_t path_id, uint64_t seq);
/* We will not send to it again; a retire frame is wanted. */
void tvl_cids_retire(struct tvl_cids *t, struct tvl_remote_cid *c);
/* Forget an ID whose retirement was acknowledged. */
void tvl_cids_forget_remote(struct tvl_cids *t, struct tvl_remote_cid *c);

/* The path is over: the peer's IDs of it go at once, ours stay until tvl_cids_drop_local. */
void tvl_cids_drop_remote(struct tvl_cids *t, uint32_t path_id);
void tvl_cids_drop_local(struct tvl_cids *t, uint32_t path_id);

#endif
