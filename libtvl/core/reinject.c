/* reinject.c - see reinject.h. */
#include "reinject.h"

/* us until a packet that leaves now is there: half the empty path, and all of the queue. */
static tvl_time arrival(const struct tvl_path *p)
{
    return tvl_rtt_srtt(&p->cc.rtt) - p->cc.rtt.min / 2;
}

/* The path on which a copy of what is outstanding on `p` would be there first; NULL: none. */
static struct tvl_path *quickest(const struct tvl_path *p)
{
    const struct tvl_conn *conn = p->conn;
    struct tvl_path *best = NULL;

    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *q = conn->path[i];

        if (q != p && tvl_path_is_trusted(q) && !q->peer_backup && tvl_rtt_known(&q->cc.rtt) &&
            !tvl_path_is_stale(q, conn->now) && tvl_path_cc_room(&q->cc, conn->now) > 0 &&
            (!best || arrival(q) < arrival(best)))
            best = q;
    }
    return best;
}

static uint64_t budget(const struct tvl_conn *conn)
{
    const uint64_t most = TVL_REINJECT_FREE + conn->bytes_sent / TVL_REINJECT_SHARE;

    return most > conn->reinjected ? most - conn->reinjected : 0;
}

static void copy_from(struct tvl_path *p)
{
    struct tvl_conn *conn = p->conn;
    const struct tvl_path *to = quickest(p);

    if (!to)
        return;
    const tvl_time now = conn->now, there = now + arrival(to) + TVL_REINJECT_GAIN;
    const tvl_time spread = 4 * tvl_rtt_var(&p->cc.rtt) + TVL_REINJECT_GAIN;
    const tvl_time due = tvl_rtt_srtt(&p->cc.rtt) + spread;
    const uint64_t room = tvl_path_cc_room(&to->cc, now), most = budget(conn);
    const struct tvl_recovery_copies which = {
        .sent_after = there > arrival(p) ? there - arrival(p) : 0,
        .sent_before = now > due ? now - due : 0,
        .bytes = room < most ? room : most,
    };

    conn->reinjected += tvl_recovery_copy(&p->app.sent, &which, tvl_control_again, conn);
}

void tvl_reinject(struct tvl_conn *conn)
{
    if (conn->sched->also && tvl_streams_next_deadline(&conn->streams) != TVL_TIME_NEVER)
        return;
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (tvl_path_is_up(p) && p->app.sent.n_eliciting > 0 && tvl_rtt_known(&p->cc.rtt))
            copy_from(p);
    }
}
