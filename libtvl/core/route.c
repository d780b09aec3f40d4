/* route.c - see route.h. */
#include "route.h"

#include "copies.h"
#include "trace.h"

enum kind { KIND_PROVED, KIND_STALE, KIND_BACKUP, KIND_ANY, KINDS };

static bool is_kind(const struct tvl_path *p, enum kind k, tvl_time now)
{
    switch (k) {
    case KIND_PROVED:
        return tvl_path_is_trusted(p) && !p->peer_backup && !tvl_path_is_stale(p, now);
    case KIND_STALE:
        return tvl_path_is_trusted(p) && !p->peer_backup;
    case KIND_BACKUP:
        return tvl_path_is_trusted(p);
    default:
        return tvl_path_is_up(p);
    }
}

static uint64_t room_of(const struct tvl_path *p, tvl_time now)
{
    const uint64_t most = (uint64_t)TVL_ROUTE_STALE_FLIGHT * p->cc.datagram_bytes;
    const uint64_t allowance = tvl_path_allowance(p);
    const uint64_t room = tvl_path_cc_room(&p->cc, now);

    /* what an unproved address may get is for proving it */
    if (allowance < TVL_MTU || (p->cc.in_flight >= most && tvl_path_is_stale(p, now)))
        return 0;
    return room < allowance ? room : allowance;
}

/* Of the first kind there is any of; `rule` NULL: wherever they lead. */
static size_t gather(const struct tvl_conn *conn, const struct tvl_flow_rule *rule, int *kind,
                     struct tvl_path **from)
{
    size_t n = 0;

    for (*kind = 0; *kind < KINDS; ++*kind) {
        for (size_t i = 0; i < conn->n_paths && n < TVL_PATHS_MAX; i++)
            if (is_kind(conn->path[i], (enum kind) * kind, conn->now) &&
                tvl_flow_may(rule, conn->path[i]->id))
                from[n++] = conn->path[i];
        if (n > 0)
            break;
    }
    return n;
}

/* Ask the paths that may be needed whether they still live, so that this is known when they are. */
static void ask_ageing(struct tvl_conn *conn)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (tvl_path_is_trusted(p) && !p->peer_backup && p->app.sent.n_eliciting == 0 &&
            tvl_path_is_ageing(p, conn->now))
            p->ping_wanted = true;
    }
}

/* For the trace. */
static const char *const kind_words[] = { "proved", "stale", "backup", "doubted" };

static tvl_time since(tvl_time at, tvl_time now)
{
    return now > at ? now - at : 0;
}

static struct tvl_sched_path view_of(const struct tvl_path *p, tvl_time now)
{
    const uint64_t owed = tvl_copies_bytes(p), room = room_of(p, now);
    const tvl_time unproved =
        p->app.sent.n_eliciting > 0 ? tvl_recovery_unproved_at(&p->app.sent) : 0;

    return (struct tvl_sched_path){ .id = p->id,
                                    .srtt = tvl_rtt_srtt(&p->cc.rtt),
                                    .rttvar = tvl_rtt_var(&p->cc.rtt),
                                    .rtt_min = p->cc.rtt.min,
                                    .rtt_last = p->cc.surety.rtt,
                                    .spread = p->cc.surety.spread,
                                    .room = room > owed ? room - owed : 0,
                                    .cwnd = tvl_path_cc_cwnd(&p->cc),
                                    .in_flight = p->cc.in_flight + owed,
                                    .rate_bps = tvl_path_cc_rate_bps(&p->cc),
                                    .capacity_bps = (uint64_t)p->cc.surety.capacity_bps,
                                    .full = p->cc.surety.queued,
                                    .swing = p->cc.surety.swing,
                                    .loss = p->cc.surety.loss,
                                    .proof_age = since(p->health.proof_at, now),
                                    .unproved_age = unproved ? since(unproved, now) : 0 };
}

/* The scheduler's answer for what `d` describes: index into `view`, or TVL_SCHED_NONE. */
static int ask(struct tvl_conn *conn, const struct tvl_sched_path *view, size_t n,
               const struct tvl_streams_demand *d)
{
    const struct tvl_sched_packet pkt = { .bytes = TVL_MTU,
                                          .rank = d->head.rank,
                                          .flow = d->head.flow,
                                          .left = d->left,
                                          .deadline = d->head.deadline,
                                          .again = d->again,
                                          .waiting = d->waiting > TVL_MTU ? d->waiting : TVL_MTU,
                                          .credit = d->credit };
    const int i = conn->sched->pick(conn->sched_state, view, n, &pkt, conn->now);

    return i < 0 || (size_t)i >= n || view[i].room == 0 ? TVL_SCHED_NONE : i;
}

/* What `d` describes is held: the answer for one of the streams after it, which is then `d`. */
static int ask_further(struct tvl_conn *conn, const struct tvl_sched_path *view, size_t n,
                       struct tvl_streams_demand *d)
{
    int i = TVL_SCHED_NONE;

    for (unsigned k = 1; i < 0 && k < TVL_ROUTE_ASKS; k++) {
        const struct tvl_streams_head held = d->head;

        tvl_streams_look(&conn->streams, &held, d);
        if (d->head.rank == UINT64_MAX)
            break;
        i = ask(conn, view, n, d);
        conn->send_from = d->head;
    }
    return i;
}

/* Control frames leave on path `on`: with data only of streams that would leave there too. */
static void ride_along(struct tvl_conn *conn, const struct tvl_sched_path *view, size_t n, int on,
                       struct tvl_streams_head control)
{
    struct tvl_streams_demand d = { .head = control };

    if (ask_further(conn, view, n, &d) != on)
        conn->send_from = (struct tvl_streams_head){ .rank = UINT64_MAX };
}

static struct tvl_path *schedule(struct tvl_conn *conn, struct tvl_path *const *from, size_t n,
                                 const char *kind)
{
    struct tvl_streams_demand d;
    struct tvl_sched_path view[TVL_PATHS_MAX];
    bool room = false;

    for (size_t i = 0; i < n; i++) {
        view[i] = view_of(from[i], conn->now);
        room = room || view[i].room > 0;
    }
    tvl_streams_look(&conn->streams, NULL, &d);
    const uint64_t rank = d.head.rank;
    int i = ask(conn, view, n, &d);

    if (i < 0 && room)
        i = ask_further(conn, view, n, &d);
    else if (i >= 0 && d.head.flow == TVL_FLOWS_MAX && conn->sched->alone)
        ride_along(conn, view, n, i, d.head);
    tvl_trace_scheduler(conn, view, n, i, i < 0 ? rank : d.head.rank, kind);
    if (i >= 0)
        return from[i];
    for (size_t k = 0; k < n; k++) /* it had room and got nothing: that is no measure of it */
        if (view[k].room > 0)
            tvl_path_cc_app_limited(&from[k]->cc);
    return NULL;
}

static struct tvl_path *by_kind(struct tvl_conn *conn)
{
    struct tvl_path *from[TVL_PATHS_MAX];
    int k;
    const size_t n = gather(conn, NULL, &k, from);

    if (n == 0 || (n == 1 && room_of(from[0], conn->now) == 0))
        return NULL;
    if (n > 1 || conn->sched->alone)
        return schedule(conn, from, n, kind_words[k]);
    tvl_trace_only(conn, from[0], kind_words[k]);
    return from[0];
}

/* The path for what `d` describes, among those its flow may take. */
static struct tvl_path *for_demand(struct tvl_conn *conn, const struct tvl_streams_demand *d)
{
    struct tvl_path *from[TVL_PATHS_MAX];
    struct tvl_sched_path view[TVL_PATHS_MAX];
    int k;
    const size_t n = gather(conn, tvl_flow_rule(&conn->streams.rules, d->head.flow), &k, from);

    for (size_t i = 0; i < n; i++)
        view[i] = view_of(from[i], conn->now);
    if (n == 1 && !conn->sched->alone)
        return view[0].room > 0 ? from[0] : NULL;
    const int i = n > 0 ? ask(conn, view, n, d) : TVL_SCHED_NONE;

    if (n > 0)
        tvl_trace_scheduler(conn, view, n, i, d->head.rank, kind_words[k]);
    return i < 0 ? NULL : from[i];
}

/*
 * Some flow is bound to paths: each stream in the order of sending is asked for by itself. What has
 * no flow - control frames, datagrams - is not, and must not wait for streams that do.
 */
static struct tvl_path *by_rules(struct tvl_conn *conn)
{
    struct tvl_streams_demand d;

    tvl_streams_look(&conn->streams, NULL, &d);
    if (d.head.rank == UINT64_MAX)
        return by_kind(conn);
    for (unsigned k = 0; k < TVL_ROUTE_ASKS && d.head.rank != UINT64_MAX; k++) {
        struct tvl_path *p = for_demand(conn, &d);
        const struct tvl_streams_head held = d.head;

        conn->send_from = held;
        if (p)
            return p;
        tvl_streams_look(&conn->streams, &held, &d);
    }
    conn->send_from = (struct tvl_streams_head){ .rank = UINT64_MAX };
    return tvl_conn_other_waits(conn) ? by_kind(conn) : NULL;
}

struct tvl_path *tvl_route_data(struct tvl_conn *conn)
{
    ask_ageing(conn);
    conn->send_from = (struct tvl_streams_head){ .rank = 0 };
    return conn->streams.rules.paths ? by_rules(conn) : by_kind(conn);
}

/* For the copy of what a protected flow has sent on `p`; NULL: there is no other for it. */
static struct tvl_path *second_path(const struct tvl_path *p, const struct tvl_flow_rule *rule)
{
    struct tvl_path *best = NULL;

    for (size_t i = 0; i < p->conn->n_paths; i++) {
        struct tvl_path *q = p->conn->path[i];

        if (q != p && tvl_path_is_trusted(q) && tvl_flow_may(rule, q->id) &&
            (!best || tvl_rtt_srtt(&q->cc.rtt) < tvl_rtt_srtt(&best->cc.rtt)))
            best = q;
    }
    return best;
}

size_t tvl_route_copies(struct tvl_path *p, const struct tvl_sent_frame *f, tvl_time age,
                        struct tvl_path **to, bool *again)
{
    struct tvl_conn *conn = p->conn;
    const struct tvl_stream *s = tvl_streams_find(&conn->streams, f->id);
    struct tvl_sched_path view[TVL_PATHS_MAX];
    struct tvl_path *from[TVL_PATHS_MAX];
    size_t m = 0;
    int on = TVL_SCHED_NONE, k;

    *again = false;
    if (!s)
        return 0;
    const struct tvl_flow_rule *rule = tvl_flow_rule(&conn->streams.rules, s->flow);

    if (rule && rule->cfg.protection == TVL_FLOW_DUPLICATE) { /* asked about once, as it leaves */
        to[0] = age == 0 ? second_path(p, rule) : NULL;
        return to[0] != NULL;
    }
    if (!conn->sched->also)
        return 0;
    size_t n = gather(conn, rule, &k, from);

    for (size_t i = 0; i < n; i++)
        on = from[i] == p ? (int)i : on;
    if (on < 0 && n < TVL_PATHS_MAX) { /* it is no longer one of the best: all the more */
        on = (int)n;
        from[n++] = p;
    }
    for (size_t i = 0; i < n; i++)
        view[i] = view_of(from[i], conn->now);
    *again = true; /* if it cannot be asked now, it may be later */
    if (on < 0)
        return 0;
    const struct tvl_sched_packet pkt = { .bytes = f->len,
                                          .rank = s->rank,
                                          .flow = s->flow,
                                          .deadline = s->deadline,
                                          .age = age,
                                          .rescue =
                                              rule && rule->cfg.protection == TVL_FLOW_RESCUE };
    const uint64_t wanted = conn->sched->also(conn->sched_state, view, n, on, &pkt, conn->now);

    *again = wanted & TVL_SCHED_WATCH;
    for (size_t i = 0; i < n; i++)
        if ((wanted >> i & 1) && (int)i != on)
            to[m++] = from[i];
    return m;
}
