/* mpath.c - frames that speak about paths. Contract in mpath.h. */
#include "mpath.h"

#include "endpoint.h"
#include "send.h"

/* ---- frames that arrive ---- */

int tvl_mpath_judge_id(struct tvl_conn *conn, uint32_t id)
{
    const struct tvl_path *p = tvl_path_find(conn, id);

    if (id > conn->own_max_path_id)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    return p ? p->state == TVL_PATH_ABANDONED : tvl_path_ids_used(&conn->path_ids, id);
}

static int on_abandon(struct tvl_conn *conn, const struct tvl_frame *f)
{
    const int r = tvl_mpath_judge_id(conn, f->path.path_id);

    if (r != 0)
        return r < 0 ? r : 0;
    struct tvl_path *p = tvl_path_find(conn, f->path.path_id);
    if (!p) /* never used: burn the ID, and answer */
        p = tvl_path_new(conn, f->path.path_id, conn->now);
    if (p)
        tvl_path_leave(p, TVL_WIRE_NO_ERROR, conn->now);
    return 0;
}

struct status {
    uint64_t seq;
    bool backup;
};

static void take_status(struct tvl_path *p, struct status s)
{
    if (p->peer_status_known && s.seq <= p->peer_status_seq)
        return;
    p->peer_status_known = true;
    p->peer_status_seq = s.seq;
    p->peer_backup = s.backup;
}

/* The path is not open yet: the frame may travel with its connection IDs. */
static void keep_status(struct tvl_conn *conn, uint32_t path_id, struct status s)
{
    struct tvl_early_status *e = NULL;

    for (size_t i = 0; i < conn->n_early_status; i++)
        if (conn->early_status[i].path_id == path_id)
            e = &conn->early_status[i];
    if (e && s.seq <= e->seq)
        return;
    if (!e && conn->n_early_status == TVL_EARLY_STATUS_MAX)
        return; /* advice only */
    if (!e)
        e = &conn->early_status[conn->n_early_status++];
    *e = (struct tvl_early_status){ .path_id = path_id, .seq = s.seq, .backup = s.backup };
}

void tvl_mpath_recall_status(struct tvl_path *p)
{
    struct tvl_conn *conn = p->conn;

    for (size_t i = 0; i < conn->n_early_status; i++) {
        const struct tvl_early_status e = conn->early_status[i];

        if (e.path_id != p->id)
            continue;
        conn->early_status[i] = conn->early_status[--conn->n_early_status];
        take_status(p, (struct status){ .seq = e.seq, .backup = e.backup });
        return;
    }
}

static int on_status(struct tvl_conn *conn, const struct tvl_frame *f)
{
    const int r = tvl_mpath_judge_id(conn, f->path.path_id);
    const struct status s = { .seq = f->path.seq,
                              .backup = f->type == TVL_FRAME_PATH_STATUS_BACKUP };
    struct tvl_path *p = tvl_path_find(conn, f->path.path_id);

    if (r != 0)
        return r < 0 ? r : 0;
    if (p)
        take_status(p, s);
    else
        keep_status(conn, f->path.path_id, s);
    return 0;
}

static int on_max_path_id(struct tvl_conn *conn, const struct tvl_frame *f)
{
    if (f->path.path_id < conn->peer.initial_max_path_id)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    if (f->path.path_id > conn->peer_max_path_id) {
        conn->peer_max_path_id = f->path.path_id;
        tvl_control_issue_cids(conn);
        tvl_path_open_waiting(conn, conn->now);
    }
    return 0;
}

static int on_cids_blocked(struct tvl_conn *conn, const struct tvl_frame_cid *f)
{
    const int r = tvl_mpath_judge_id(conn, f->path_id);

    if (r != 0)
        return r < 0 ? r : 0;
    /* The draft's 4.7: no further than the next one we shall issue. */
    if (f->seq > 0 && !tvl_cids_was_issued(&conn->cids, f->path_id, f->seq - 1))
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    tvl_control_issue_cids(conn);
    return 0;
}

bool tvl_mpath_owns_frame(uint64_t type)
{
    return type == TVL_FRAME_PATH_CIDS_BLOCKED || type == TVL_FRAME_PATHS_BLOCKED ||
           type == TVL_FRAME_MAX_PATH_ID || type == TVL_FRAME_PATH_ABANDON ||
           type == TVL_FRAME_PATH_STATUS_BACKUP || type == TVL_FRAME_PATH_STATUS_AVAILABLE;
}

int tvl_mpath_on_frame(struct tvl_conn *conn, const struct tvl_frame *f)
{
    switch (f->type) {
    case TVL_FRAME_PATH_ABANDON:
        return on_abandon(conn, f);
    case TVL_FRAME_PATH_STATUS_BACKUP:
    case TVL_FRAME_PATH_STATUS_AVAILABLE:
        return on_status(conn, f);
    case TVL_FRAME_MAX_PATH_ID:
        return on_max_path_id(conn, f);
    case TVL_FRAME_PATHS_BLOCKED: /* it gets another when one of its paths is over */
        return f->path.path_id > conn->own_max_path_id ? -TVL_WIRE_PROTOCOL_VIOLATION : 0;
    default:
        return on_cids_blocked(conn, &f->cid);
    }
}

/* ---- frames that wait to be written ---- */

void tvl_mpath_blocked(struct tvl_path *p)
{
    struct tvl_conn *conn = p->conn;

    if (!conn->multipath)
        return;
    if (p->id <= conn->peer_max_path_id) {
        p->cids_blocked_wanted = p->cids_blocked_wanted || !p->cids_blocked_told;
        p->cids_blocked_told = true;
    } else if (conn->paths_blocked_told != conn->peer_max_path_id + 1) {
        conn->paths_blocked_wanted = true;
        conn->paths_blocked_told = conn->peer_max_path_id + 1;
    }
}

/* Frames about a path name an ID the peer allows, and only where it speaks multipath at all. */
static bool may_name(const struct tvl_conn *conn, const struct tvl_path *p)
{
    return conn->multipath && p->id <= conn->peer_max_path_id;
}

bool tvl_mpath_pending(const struct tvl_conn *conn)
{
    if (conn->max_path_id_wanted || conn->paths_blocked_wanted)
        return true;
    for (size_t i = 0; i < conn->n_paths; i++) {
        const struct tvl_path *p = conn->path[i];

        if (may_name(conn, p) && (p->abandon_wanted || p->status_wanted || p->cids_blocked_wanted))
            return true;
    }
    return false;
}

static bool write_abandon(struct tvl_builder *b, struct tvl_path *p)
{
    const struct tvl_frame f = { .type = TVL_FRAME_PATH_ABANDON,
                                 .path = { .path_id = p->id, .code = p->abandon_code } };
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_PATH_ABANDON, .id = p->id };

    if (!tvl_builder_frame(b, &f, &rec))
        return false;
    p->abandon_wanted = false;
    return true;
}

static bool write_status(struct tvl_builder *b, struct tvl_path *p)
{
    const struct tvl_frame f = {
        .type = p->backup_asked ? TVL_FRAME_PATH_STATUS_BACKUP : TVL_FRAME_PATH_STATUS_AVAILABLE,
        .path = { .path_id = p->id, .seq = p->status_seq },
    };
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_PATH_STATUS,
                                        .id = p->id,
                                        .offset = p->status_seq };

    if (!tvl_builder_frame(b, &f, &rec))
        return false;
    p->status_wanted = false;
    return true;
}

static bool write_cids_blocked(struct tvl_builder *b, struct tvl_path *p)
{
    const uint64_t next = tvl_cids_remote_next(&p->conn->cids, p->id);
    const struct tvl_frame f = { .type = TVL_FRAME_PATH_CIDS_BLOCKED,
                                 .cid = { .path_id = p->id, .seq = next } };
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_PATH_CIDS_BLOCKED,
                                        .id = p->id,
                                        .offset = next };

    if (!tvl_builder_frame(b, &f, &rec))
        return false;
    p->cids_blocked_wanted = false;
    return true;
}

static bool write_limits(struct tvl_conn *conn, struct tvl_builder *b)
{
    const struct tvl_frame max = { .type = TVL_FRAME_MAX_PATH_ID,
                                   .path = { .path_id = (uint32_t)conn->own_max_path_id } };
    const struct tvl_sent_frame max_rec = { .kind = TVL_SENT_MAX_PATH_ID,
                                            .offset = conn->own_max_path_id };
    const struct tvl_frame blocked = { .type = TVL_FRAME_PATHS_BLOCKED,
                                       .path = { .path_id = (uint32_t)conn->peer_max_path_id } };
    const struct tvl_sent_frame blocked_rec = { .kind = TVL_SENT_PATHS_BLOCKED,
                                                .offset = conn->peer_max_path_id };

    if (conn->max_path_id_wanted) {
        if (!tvl_builder_frame(b, &max, &max_rec))
            return false;
        conn->max_path_id_wanted = false;
    }
    if (conn->paths_blocked_wanted) {
        if (!tvl_builder_frame(b, &blocked, &blocked_rec))
            return false;
        conn->paths_blocked_wanted = false;
    }
    return true;
}

bool tvl_mpath_write(struct tvl_conn *conn, struct tvl_builder *b)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (!may_name(conn, p))
            continue;
        if ((p->abandon_wanted && !write_abandon(b, p)) ||
            (p->status_wanted && !write_status(b, p)) ||
            (p->cids_blocked_wanted && !write_cids_blocked(b, p)))
            return false;
    }
    return write_limits(conn, b);
}

/* ---- the fate of what was sent ---- */

void tvl_mpath_on_acked(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_path *p = tvl_path_find(conn, (uint32_t)rec->id);

    if (rec->kind == TVL_SENT_PATH_ABANDON && p)
        p->abandon_settled = true;
}

void tvl_mpath_on_lost(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_path *p = tvl_path_find(conn, (uint32_t)rec->id);

    switch ((enum tvl_sent_kind)rec->kind) {
    case TVL_SENT_PATH_ABANDON:
        if (p && !p->abandon_settled)
            p->abandon_wanted = true;
        break;
    case TVL_SENT_PATH_STATUS:
        if (p && p->status_seq == rec->offset && p->state != TVL_PATH_ABANDONED)
            p->status_wanted = true;
        break;
    case TVL_SENT_PATH_CIDS_BLOCKED:
        if (p && p->state != TVL_PATH_ABANDONED &&
            rec->offset == tvl_cids_remote_next(&conn->cids, p->id))
            p->cids_blocked_wanted = true;
        break;
    case TVL_SENT_PATHS_BLOCKED:
        if (rec->offset == conn->peer_max_path_id)
            conn->paths_blocked_wanted = true;
        break;
    case TVL_SENT_MAX_PATH_ID:
        if (rec->offset == conn->own_max_path_id)
            conn->max_path_id_wanted = true;
        break;
    default:
        break;
    }
}
