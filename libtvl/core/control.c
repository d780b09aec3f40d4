/*
 * control.c - the connection's own frames: connection IDs, HANDSHAKE_DONE, tokens, DATAGRAM; what
 * arrives, what waits to be written, and what becomes of every frame that was sent.
 *
 * What has to be said is state, not a queue: a frame is wanted, then on its way, then acknowledged;
 * a loss makes it wanted again. So nothing outdated is ever sent twice.
 */
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "mpath.h"
#include "send.h"
#include "trace.h"

struct tvl_space *tvl_conn_space(struct tvl_conn *conn, enum tvl_level level, struct tvl_path *path)
{
    switch (level) {
    case TVL_LEVEL_INITIAL:
        return &conn->initial;
    case TVL_LEVEL_HANDSHAKE:
        return &conn->handshake;
    default:
        return &path->app;
    }
}

/* ---- issuing connection IDs ---- */

struct tvl_local_cid *tvl_control_issue_cid(struct tvl_conn *conn, uint32_t path_id)
{
    uint8_t token[TVL_CID_TOKEN_LEN];
    struct tvl_cid cid;

    tvl_ids_make(tvl_endpoint_ids(conn->ep), &cid);
    if (tvl_ids_token(tvl_endpoint_ids(conn->ep), &cid, token) != 0 ||
        tvl_endpoint_map(conn->ep, &cid, conn, path_id) != 0)
        return NULL;
    struct tvl_local_cid *c = tvl_cids_issue(&conn->cids, path_id, &cid, token);
    if (!c) {
        tvl_endpoint_unmap(conn->ep, &cid);
        return NULL;
    }
    c->issue = TVL_NOTE_WANTED;
    conn->cids.noted = true;
    return c;
}

static bool issue_up_to(struct tvl_conn *conn, uint32_t path_id, size_t want)
{
    const uint64_t limit = conn->peer.active_connection_id_limit;

    while (tvl_cids_issued(&conn->cids, path_id) < (want < limit ? want : limit))
        if (!tvl_control_issue_cid(conn, path_id))
            return false;
    return true;
}

void tvl_control_issue_cids(struct tvl_conn *conn)
{
    const uint64_t highest = conn->own_max_path_id < conn->peer_max_path_id
                                 ? conn->own_max_path_id
                                 : conn->peer_max_path_id;

    conn->cids_due = false;
    if (!tvl_conn_alive(conn) || !tvl_handshake_is_done(conn))
        return;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (conn->path[i]->state != TVL_PATH_ABANDONED && conn->path[i]->id <= highest &&
            !issue_up_to(conn, conn->path[i]->id, TVL_CID_ACTIVE))
            return;
    for (uint64_t id = conn->path_ids.low; id <= highest; id++)
        if (!tvl_path_ids_used(&conn->path_ids, (uint32_t)id) &&
            !issue_up_to(conn, (uint32_t)id, 1))
            return;
}

/* ---- frames that arrive ---- */

static int on_new_cid(struct tvl_conn *conn, const struct tvl_frame_cid *f)
{
    const struct tvl_new_cid n = { .path_id = f->path_id,
                                   .seq = f->seq,
                                   .retire_prior = f->retire_prior_to,
                                   .cid = &f->cid,
                                   .token = f->reset_token };
    int r = tvl_mpath_judge_id(conn, f->path_id);

    if (conn->remote_cid.len == 0) /* RFC 9000 19.15: it never gets a length */
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    if (r != 0)
        return r < 0 ? r : 0;
    r = tvl_cids_learn(&conn->cids, &n);
    if (r != 0)
        return r;
    struct tvl_path *p = tvl_path_find(conn, f->path_id);
    if (p) {
        p->cids_blocked_told = false;
        tvl_path_refresh_cids(p);
    }
    tvl_path_open_waiting(conn, conn->now);
    return 0;
}

static int on_retire_cid(struct tvl_conn *conn, const struct tvl_frame_cid *f)
{
    const int r = tvl_mpath_judge_id(conn, f->path_id);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!tvl_cids_was_issued(&conn->cids, f->path_id, f->seq))
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    struct tvl_local_cid *c = tvl_cids_local(&conn->cids, f->path_id, f->seq);
    if (!c)
        return 0;
    tvl_endpoint_unmap(conn->ep, &c->cid);
    tvl_cids_forget_local(&conn->cids, c);
    tvl_control_issue_cids(conn);
    return 0;
}

static int on_datagram(struct tvl_conn *conn, const struct tvl_frame *f)
{
    if (conn->own.max_datagram_frame_size == 0 ||
        tvl_frame_size(f) > conn->own.max_datagram_frame_size) /* RFC 9221 3 */
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    tvl_dgrams_take(&conn->dgrams, f->datagram.bytes, f->datagram.len);
    return 0;
}

static int on_handshake_done(struct tvl_conn *conn)
{
    if (conn->side == TVL_SERVER)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    tvl_handshake_confirm(conn);
    return 0;
}

int tvl_control_on_frame(struct tvl_conn *conn, struct tvl_path *path, const struct tvl_frame *f)
{
    switch (f->type) {
    case TVL_FRAME_NEW_CONNECTION_ID:
    case TVL_FRAME_PATH_NEW_CONNECTION_ID:
        return on_new_cid(conn, &f->cid);
    case TVL_FRAME_RETIRE_CONNECTION_ID:
    case TVL_FRAME_PATH_RETIRE_CONNECTION_ID:
        return on_retire_cid(conn, &f->cid);
    case TVL_FRAME_PATH_CHALLENGE:
        tvl_path_on_challenge(path, f->data, conn->dgram, &conn->dcid);
        return 0;
    case TVL_FRAME_PATH_RESPONSE:
        tvl_path_on_response(conn, f->data, conn->now);
        return 0;
    case TVL_FRAME_HANDSHAKE_DONE:
        return on_handshake_done(conn);
    case TVL_FRAME_NEW_TOKEN:
        if (conn->side == TVL_SERVER)
            return -TVL_WIRE_PROTOCOL_VIOLATION;
        tvl_handshake_keep(conn, TVL_SESSION_TOKEN, f->token.bytes, f->token.len);
        return 0;
    case TVL_FRAME_DATAGRAM:
    case TVL_FRAME_DATAGRAM_LEN:
        return on_datagram(conn, f);
    default:
        return -TVL_WIRE_FRAME_ENCODING_ERROR;
    }
}

/* ---- frames that wait to be written ---- */

static bool write_new_cids(struct tvl_conn *conn, struct tvl_builder *b)
{
    for (size_t i = 0; i < conn->cids.n_local; i++) {
        struct tvl_local_cid *c = &conn->cids.local[i];
        struct tvl_frame f = { .type = conn->multipath ? TVL_FRAME_PATH_NEW_CONNECTION_ID
                                                       : TVL_FRAME_NEW_CONNECTION_ID };
        const struct tvl_sent_frame rec = { .kind = TVL_SENT_NEW_CID,
                                            .id = c->path_id,
                                            .offset = c->seq };

        if (c->issue != TVL_NOTE_WANTED)
            continue;
        f.cid.path_id = c->path_id;
        f.cid.seq = c->seq;
        f.cid.cid = c->cid;
        memcpy(f.cid.reset_token, c->token, sizeof f.cid.reset_token);
        if (!tvl_builder_frame(b, &f, &rec))
            return false;
        c->issue = TVL_NOTE_SENT;
    }
    return true;
}

static bool write_retires(struct tvl_conn *conn, struct tvl_builder *b)
{
    for (size_t i = 0; i < conn->cids.n_remote; i++) {
        struct tvl_remote_cid *c = &conn->cids.remote[i];
        struct tvl_frame f = { .type = conn->multipath ? TVL_FRAME_PATH_RETIRE_CONNECTION_ID
                                                       : TVL_FRAME_RETIRE_CONNECTION_ID };
        const struct tvl_sent_frame rec = { .kind = TVL_SENT_RETIRE_CID,
                                            .id = c->path_id,
                                            .offset = c->seq };

        if (c->retire != TVL_NOTE_WANTED)
            continue;
        f.cid.path_id = c->path_id;
        f.cid.seq = c->seq;
        if (!tvl_builder_frame(b, &f, &rec))
            return false;
        c->retire = TVL_NOTE_SENT;
    }
    return true;
}

/* Made when it is sent: a fresh one each time, for where the client is now. */
static void write_token(struct tvl_conn *conn, struct tvl_builder *b)
{
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_NEW_TOKEN };
    uint8_t token[TVL_TOKEN_SIZE_MAX];
    const struct tvl_frame f = {
        .type = TVL_FRAME_NEW_TOKEN,
        .token = { .bytes = token,
                   .len = tvl_endpoint_token(conn->ep, &b->path->at.remote, conn->now, token) },
    };

    if (!b->path->at.validated)
        return; /* on another path, or later */
    if (f.token.len == 0 || tvl_builder_frame(b, &f, &rec))
        conn->token_wanted = false;
}

void tvl_control_write(struct tvl_conn *conn, struct tvl_builder *b)
{
    const struct tvl_sent_frame done_rec = { .kind = TVL_SENT_HANDSHAKE_DONE };

    if (conn->control_idle) {
        conn->cids.noted = false;
        return;
    }
    conn->control_idle = !tvl_control_pending(conn);
    if (conn->control_idle) {
        conn->cids.noted = false;
        return;
    }
    if (conn->done_wanted &&
        tvl_builder_frame(b, &(struct tvl_frame){ .type = TVL_FRAME_HANDSHAKE_DONE }, &done_rec))
        conn->done_wanted = false;
    if (conn->token_wanted)
        write_token(conn, b);
    tvl_repair_tell(conn, b);
    if (tvl_mpath_write(conn, b) && write_retires(conn, b))
        (void)write_new_cids(conn, b);
}

bool tvl_control_pending(const struct tvl_conn *conn)
{
    if (conn->done_wanted || conn->token_wanted || conn->repair_in.n_told > 0 ||
        tvl_mpath_pending(conn))
        return true;
    if (!conn->cids.noted)
        return false;
    for (size_t i = 0; i < conn->cids.n_local; i++)
        if (conn->cids.local[i].issue == TVL_NOTE_WANTED)
            return true;
    for (size_t i = 0; i < conn->cids.n_remote; i++)
        if (conn->cids.remote[i].retire == TVL_NOTE_WANTED)
            return true;
    return false;
}

/* ---- the fate of what was sent ---- */

static void frame_acked(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_local_cid *local;
    struct tvl_remote_cid *remote;
    struct tvl_path *p;

    switch ((enum tvl_sent_kind)rec->kind) {
    case TVL_SENT_CRYPTO:
        tvl_sendbuf_acked(&conn->crypto[rec->id].out, rec->offset, rec->len, false);
        break;
    case TVL_SENT_ACK:
        p = tvl_path_find(conn, (uint32_t)rec->id);
        if (p)
            tvl_ack_forget(&p->app.received, rec->offset);
        break;
    case TVL_SENT_MTU_PROBE:
        p = tvl_path_find(conn, (uint32_t)rec->id);
        if (p)
            (void)tvl_mtu_acked(&p->mtu, rec->len, conn->now);
        break;
    case TVL_SENT_NEW_CID:
        local = tvl_cids_local(&conn->cids, (uint32_t)rec->id, rec->offset);
        if (local)
            local->issue = TVL_NOTE_NONE;
        break;
    case TVL_SENT_RETIRE_CID:
        remote = tvl_cids_remote(&conn->cids, (uint32_t)rec->id, rec->offset);
        if (remote && remote->retired)
            tvl_cids_forget_remote(&conn->cids, remote);
        break;
    case TVL_SENT_PATH_ABANDON:
        tvl_mpath_on_acked(conn, rec);
        break;
    default:
        tvl_streams_on_acked(&conn->streams, rec, conn->now);
    }
}

static void frame_lost(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_local_cid *local;
    struct tvl_remote_cid *remote;
    struct tvl_path *p;

    switch ((enum tvl_sent_kind)rec->kind) {
    case TVL_SENT_CRYPTO:
        tvl_sendbuf_lost(&conn->crypto[rec->id].out, rec->offset, rec->len, false);
        break;
    case TVL_SENT_HANDSHAKE_DONE:
        conn->done_wanted = true;
        break;
    case TVL_SENT_NEW_TOKEN:
        conn->token_wanted = true;
        break;
    case TVL_SENT_NEW_CID:
        local = tvl_cids_local(&conn->cids, (uint32_t)rec->id, rec->offset);
        if (local && local->issue == TVL_NOTE_SENT)
            local->issue = TVL_NOTE_WANTED;
        conn->cids.noted = true;
        break;
    case TVL_SENT_RETIRE_CID:
        remote = tvl_cids_remote(&conn->cids, (uint32_t)rec->id, rec->offset);
        if (remote && remote->retire == TVL_NOTE_SENT)
            remote->retire = TVL_NOTE_WANTED;
        conn->cids.noted = true;
        break;
    case TVL_SENT_PATH_ABANDON:
    case TVL_SENT_PATH_STATUS:
    case TVL_SENT_PATH_CIDS_BLOCKED:
    case TVL_SENT_PATHS_BLOCKED:
    case TVL_SENT_MAX_PATH_ID:
        tvl_mpath_on_lost(conn, rec);
        break;
    case TVL_SENT_MTU_PROBE:
        p = tvl_path_find(conn, (uint32_t)rec->id);
        if (p)
            tvl_mtu_lost(&p->mtu, rec->len, conn->now);
        break;
    case TVL_SENT_REPAIR:
        tvl_repair_on_lost(conn, rec);
        break;
    case TVL_SENT_STREAM:
        if (!tvl_repair_holds(conn, rec))
            tvl_streams_on_lost(&conn->streams, rec);
        break;
    default:
        tvl_streams_on_lost(&conn->streams, rec);
    }
}

static void frame_again(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    if (rec->kind == TVL_SENT_STREAM)
        tvl_streams_again(&conn->streams, rec);
    else
        frame_lost(conn, rec);
}

void tvl_control_acked_all(struct tvl_conn *conn)
{
    if (conn->acked.len > 0)
        tvl_streams_on_acked(&conn->streams, &conn->acked, conn->now);
    conn->acked.len = 0;
}

/* Neighbouring pieces of a stream, as acknowledgements bring them, count as one. */
static void stream_acked(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_sent_frame *run = &conn->acked;

    if (run->len > 0 && !run->fin && run->id == rec->id && run->offset + run->len == rec->offset &&
        run->len < UINT32_MAX - rec->len) {
        run->len += rec->len;
        run->fin = rec->fin;
        return;
    }
    tvl_control_acked_all(conn);
    if (rec->len > 0)
        *run = *rec;
    else
        tvl_streams_on_acked(&conn->streams, rec, conn->now);
}

static void packet_acked(void *user, const struct tvl_sent_packet *p)
{
    struct tvl_conn *conn = user;

    for (size_t i = 0; i < p->n_frames; i++) {
        if (p->frame[i].kind == TVL_SENT_STREAM)
            stream_acked(conn, &p->frame[i]);
        else if (p->frame[i].kind == TVL_SENT_DATAGRAM)
            tvl_dgrams_on_acked(&conn->dgrams, p->lost);
        else
            frame_acked(conn, &p->frame[i]);
    }
}

/* What goes once, and tells by its loss, is left out. */
void tvl_control_again(void *user, const struct tvl_sent_packet *p)
{
    struct tvl_conn *conn = user;

    for (size_t i = 0; i < p->n_frames; i++)
        if (p->frame[i].kind != TVL_SENT_DATAGRAM && p->frame[i].kind != TVL_SENT_MTU_PROBE &&
            p->frame[i].kind != TVL_SENT_REPAIR)
            frame_again(conn, &p->frame[i]);
}

static void packet_lost(void *user, const struct tvl_sent_packet *p)
{
    struct tvl_conn *conn = user;

    tvl_control_acked_all(conn); /* in the order in which it became known */
    for (size_t i = 0; i < p->n_frames; i++) {
        if (p->frame[i].kind == TVL_SENT_DATAGRAM)
            tvl_dgrams_on_lost(&conn->dgrams);
        else
            frame_lost(conn, &p->frame[i]);
    }
}

const struct tvl_recovery_handler tvl_control_fate = { .acked = packet_acked,
                                                       .lost = packet_lost,
                                                       .note = tvl_trace_fate };
