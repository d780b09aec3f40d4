/* path.c - the life of one path. Drawing and contract in path.h. */
#include "copies.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

#include <tvl/cc.h>

#include "choice.h"
#include "conn.h"
#include "coupling.h"
#include "endpoint.h"
#include "mpath.h"
#include "trace.h"

bool tvl_path_is_up(const struct tvl_path *p)
{
    return p->state == TVL_PATH_UP;
}

bool tvl_path_is_trusted(const struct tvl_path *p)
{
    return tvl_path_is_up(p) && !p->health.doubted;
}

bool tvl_path_has_peer(const struct tvl_path *p)
{
    for (size_t i = 0; i < p->conn->n_paths; i++)
        if (p->conn->path[i] != p && tvl_path_is_trusted(p->conn->path[i]))
            return true;
    return false;
}

bool tvl_path_has_better(const struct tvl_path *p)
{
    return !tvl_path_is_trusted(p) && tvl_path_has_peer(p);
}

bool tvl_path_is_stale(const struct tvl_path *p, tvl_time now)
{
    return tvl_health_is_stale(&p->health, now);
}

bool tvl_path_is_usable(const struct tvl_path *p)
{
    return p->state != TVL_PATH_ABANDONED && !p->waiting;
}

uint64_t tvl_path_allowance(const struct tvl_path *p)
{
    return tvl_path_allowance_of(p, &p->at);
}

uint64_t tvl_path_count_once(struct tvl_conn *conn, const struct tvl_datagram *dgram)
{
    const uint64_t bytes = conn->dgram_counted ? 0 : dgram->len;

    conn->dgram_counted = true;
    return bytes;
}

/* The limit is the address's, which places of several paths may share. */
uint64_t tvl_path_allowance_of(const struct tvl_path *p, const struct tvl_place *pl)
{
    const struct tvl_conn *conn = p->conn;
    uint64_t in = 0, out = 0;

    if (pl->validated || conn->side == TVL_CLIENT)
        return UINT64_MAX;
    for (size_t i = 0; i < conn->n_paths; i++) {
        const struct tvl_path *q = conn->path[i];
        const struct tvl_place *place[TVL_PLACES] = { &q->at, &q->was, &q->aside };

        for (int k = 0; k < TVL_PLACES; k++) {
            if (!place[k]->set || !tvl_place_same_remote(place[k], pl))
                continue;
            if (place[k]->validated)
                return UINT64_MAX;
            in += place[k]->unproved_in;
            out += place[k]->unproved_out;
        }
    }
    return TVL_AMPLIFICATION * in > out ? TVL_AMPLIFICATION * in - out : 0;
}

void tvl_path_leave_ledger(const struct tvl_path *p, const struct tvl_place *pl)
{
    for (size_t i = 0; i < p->conn->n_paths; i++) {
        struct tvl_path *q = p->conn->path[i];
        struct tvl_place *place[TVL_PLACES] = { &q->at, &q->was, &q->aside };

        for (int k = 0; k < TVL_PLACES && pl->set; k++) {
            if (place[k] == pl || !place[k]->set || !tvl_place_same_remote(place[k], pl))
                continue;
            place[k]->unproved_in += pl->unproved_in;
            place[k]->unproved_out += pl->unproved_out;
            return;
        }
    }
}

struct tvl_path *tvl_path_find(struct tvl_conn *conn, uint32_t id)
{
    for (size_t i = 0; i < conn->n_paths; i++)
        if (conn->path[i]->id == id)
            return conn->path[i];
    return NULL;
}

struct tvl_path *tvl_path_new(struct tvl_conn *conn, uint32_t id, tvl_time now)
{
    struct tvl_path *p;
    size_t at = conn->n_paths;

    if (conn->n_paths == TVL_PATH_SLOTS)
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->conn = conn;
    p->id = id;
    p->state = TVL_PATH_OPENING;
    p->at.set = true;
    p->phase.first = p->phase.sent = TVL_PN_NONE;
    p->forget_at = TVL_TIME_NEVER;
    p->received_at = now;
    tvl_path_cc_init(&p->cc, conn->cfg->cc_ops ? conn->cfg->cc_ops : tvl_cc_find(conn->cfg->cc),
                     TVL_MTU, now);
    tvl_path_cc_test_ecn(&p->cc, !conn->cfg->no_ecn);
    p->ecn_told = p->cc.ecn.state;
    tvl_recovery_init(&p->app.sent, &p->cc, &tvl_control_fate, conn, now);
    p->app.sent.max_ack_delay =
        conn->have_peer_params ? conn->peer.max_ack_delay_ms * 1000 : TVL_ACK_DELAY_MAX;
    tvl_ack_init(&p->app.received, TVL_ACK_DELAYED);
    tvl_health_init(&p->health);
    p->skip_gap = TVL_SKIP_FIRST;
    p->skip_at = p->skip_gap + tvl_rng_below(tvl_endpoint_rng(conn->ep), p->skip_gap);
    tvl_spin_init(&p->spin, tvl_endpoint_rng(conn->ep), conn->cfg->no_spin);
    tvl_mtu_init(&p->mtu, TVL_MTU_BASE); /* no probes before tvl_path_limit_mtu */
    while (at > 0 && conn->path[at - 1]->id > id) {
        conn->path[at] = conn->path[at - 1];
        at--;
    }
    conn->path[at] = p;
    conn->n_paths++;
    tvl_coupling_forget(conn);
    tvl_path_ids_use(&conn->path_ids, id);
    conn->cids_due = true;
    tvl_mpath_recall_status(p);
    return p;
}

void tvl_path_free(struct tvl_path *p)
{
    if (!p)
        return;
    tvl_recovery_fini(&p->app.sent);
    free(p->shared);
    tvl_choice_forget(p);
    tvl_copies_drop(p);
    free(p);
}

void tvl_path_set_state(struct tvl_path *p, enum tvl_path_state state, const char *why)
{
    struct tvl_event ev = { .type = TVL_EVENT_PATH };

    if (p->state == state)
        return;
    p->state = state;
    if (state != TVL_PATH_UP)
        tvl_copies_drop(p);
    if (state == TVL_PATH_UP) /* what made it so was an answer of the peer */
        tvl_health_proved(&p->health, p->conn->now);
    ev.path.id = p->id;
    ev.path.state = state;
    tvl_conn_event(p->conn, &ev);
    tvl_trace_path(p, TVL_TRACE_PATH_STATE, why);
}

/* ---- opening ---- */

static size_t count_live(const struct tvl_conn *conn)
{
    size_t live = 0;

    for (size_t i = 0; i < conn->n_paths; i++)
        live += conn->path[i]->state != TVL_PATH_ABANDONED;
    return live;
}

/* RFC 9000 18.2: no other path to the address of the handshake; a preferred one is free. */
static bool is_forbidden(const struct tvl_conn *conn, const struct sockaddr_storage *remote)
{
    return conn->have_peer_params && conn->peer.disable_active_migration &&
           tvl_place_same_ip(remote, &conn->handshake_remote);
}

void tvl_path_open_waiting(struct tvl_conn *conn, tvl_time now)
{
    if (!conn->confirmed)
        return;
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (!p->waiting || p->state == TVL_PATH_ABANDONED || !conn->multipath)
            continue;
        if (is_forbidden(conn, &p->at.remote)) {
            tvl_path_leave(p, TVL_WIRE_APPLICATION_ABANDON_PATH, now);
            continue;
        }
        if (p->id > conn->peer_max_path_id || !tvl_cids_has_unused(&conn->cids, p->id)) {
            tvl_mpath_blocked(p);
            continue;
        }
        if (tvl_cids_issued(&conn->cids, p->id) == 0)
            continue;
        (void)tvl_path_take_cid(p, &p->at);
        p->waiting = false;
        tvl_trace_path(p, TVL_TRACE_PATH_STATE, "opened");
        tvl_path_start_challenge(p, now);
    }
}

struct tvl_path *tvl_path_accept(struct tvl_conn *conn, uint32_t id,
                                 const struct tvl_datagram *dgram, const struct tvl_cid *dcid,
                                 tvl_time now)
{
    struct tvl_path *p;

    if (conn->side != TVL_SERVER || !conn->multipath || tvl_path_ids_used(&conn->path_ids, id) ||
        !tvl_cids_has_unused(&conn->cids, id))
        return NULL;
    p = tvl_path_new(conn, id, now);
    if (!p)
        return NULL;
    if (count_live(conn) > TVL_PATHS_MAX) {
        tvl_path_leave(p, TVL_WIRE_PATH_RESOURCE_LIMIT_REACHED, now);
        return NULL;
    }
    (void)tvl_path_take_cid(p, &p->at);
    p->at.local = dgram->local;
    p->at.remote = dgram->remote;
    p->at.tag = dgram->tag;
    p->at.unproved_in = tvl_path_count_once(conn, dgram);
    p->heard_as = *dcid;
    p->bytes_received = dgram->len;
    tvl_trace_path(p, TVL_TRACE_PATH_STATE, "opened_by_peer");
    tvl_path_start_challenge(p, now);
    return p;
}

/* ---- leaving ---- */

void tvl_path_take_back(struct tvl_path *p, tvl_time now, const char *why)
{
    (void)tvl_recovery_take_all(&p->app.sent, now, why);
    tvl_health_idle(&p->health);
    p->app.probes = 0;
}

static const char *abandon_word(uint64_t code)
{
    switch (code) {
    case TVL_WIRE_NO_ERROR:
        return "abandoned_by_peer";
    case TVL_WIRE_APPLICATION_ABANDON_PATH:
        return "abandoned_by_application";
    case TVL_WIRE_PATH_UNSTABLE_OR_POOR:
        return "unstable_or_poor";
    case TVL_WIRE_NO_CID_AVAILABLE_FOR_PATH:
        return "no_connection_id";
    default:
        return "resource_limit";
    }
}

void tvl_path_leave(struct tvl_path *p, uint64_t code, tvl_time now)
{
    struct tvl_conn *conn = p->conn;
    bool any = false;

    if (p->state == TVL_PATH_ABANDONED)
        return;
    for (size_t i = 0; i < conn->n_paths; i++)
        any = any || (conn->path[i] != p && conn->path[i]->state != TVL_PATH_ABANDONED);
    if (!any) { /* it still carries the goodbye */
        tvl_close_with(conn, TVL_WIRE_NO_VIABLE_PATH, 0, "the last path was abandoned");
        return;
    }
    tvl_path_take_back(p, now, "path_abandoned");
    p->abandon_wanted = conn->multipath;
    p->abandon_code = code;
    p->abandon_settled = !conn->multipath || p->id > conn->peer_max_path_id;
    p->status_wanted = p->ping_wanted = p->cids_blocked_wanted = false;
    p->at.n_responses = 0;
    tvl_challenge_stop(&p->at.challenge);
    p->was.set = p->aside.set = p->at.has_cid = false;
    p->forget_at = now + 3 * tvl_conn_pto_max(conn);
    tvl_cids_drop_remote(&conn->cids, p->id);
    tvl_path_set_state(p, TVL_PATH_ABANDONED, abandon_word(code));
    if (conn->multipath && conn->own_max_path_id < TVL_PATH_ID_MAX) {
        conn->own_max_path_id++; /* IDs are not used again: allow another */
        conn->max_path_id_wanted = true;
    }
}

static void forget(struct tvl_path *p)
{
    struct tvl_conn *conn = p->conn;
    size_t at = 0;

    for (size_t i = 0; i < conn->cids.n_local; i++)
        if (conn->cids.local[i].path_id == p->id)
            tvl_endpoint_unmap(conn->ep, &conn->cids.local[i].cid);
    tvl_cids_drop_local(&conn->cids, p->id);
    while (conn->path[at] != p)
        at++;
    conn->n_paths--;
    memmove(&conn->path[at], &conn->path[at + 1], (conn->n_paths - at) * sizeof conn->path[0]);
    tvl_coupling_forget(conn);
    tvl_path_leave_ledger(p, &p->at);
    tvl_path_leave_ledger(p, &p->was);
    tvl_path_leave_ledger(p, &p->aside);
    tvl_path_free(p);
}

/* ---- health ---- */

static bool others_live(const struct tvl_path *p)
{
    for (size_t i = 0; i < p->conn->n_paths; i++)
        if (p->conn->path[i] != p && tvl_path_is_up(p->conn->path[i]))
            return true;
    return false;
}

static struct tvl_health_env health_env(const struct tvl_path *p)
{
    return (struct tvl_health_env){
        .srtt = tvl_rtt_srtt(&p->cc.rtt),
        .rttvar = tvl_rtt_var(&p->cc.rtt),
        .max_ack_delay = p->app.sent.max_ack_delay,
        .others_live = others_live(p),
        .unproved_at = tvl_recovery_unproved_at(&p->app.sent),
    };
}

/* A lone path has nowhere to move its data: RFC 9002's PTO is all there is to do. */
static bool health_counts(const struct tvl_path *p)
{
    return p->state == TVL_PATH_SUSPECT || (p->state == TVL_PATH_UP && others_live(p));
}

/* Move what is outstanding elsewhere, and probe. */
static void suspect(struct tvl_path *p, const char *why, tvl_time now)
{
    (void)tvl_recovery_take_all(&p->app.sent, now, "path_suspect");
    p->app.probes = 0;
    p->app.sent.pto_off = true;
    p->evacuations++;
    tvl_path_set_state(p, TVL_PATH_SUSPECT, why);
    p->ping_wanted = true;
}

/* Copies of what a doubted path has in flight go elsewhere, as soon as there is such a place. */
static void copy_doubted(struct tvl_path *p)
{
    if (!p->copies_owed || !tvl_path_has_better(p))
        return;
    p->copies_owed = false;
    tvl_recovery_oldest(&p->app.sent, TVL_SENT_MAX, tvl_control_again, p->conn);
}

bool tvl_path_is_ageing(const struct tvl_path *p, tvl_time now)
{
    const struct tvl_health_env env = health_env(p);

    return tvl_health_is_ageing(&p->health, &env, now);
}

static void check_health(struct tvl_path *p, tvl_time now)
{
    const struct tvl_health_env env = health_env(p);

    if (!health_counts(p))
        return;
    switch (tvl_health_check(&p->health, &env, now)) {
    case TVL_HEALTH_DOUBT:
        tvl_trace_path(p, TVL_TRACE_PATH_STATE, "doubted");
        p->copies_owed = true;
        copy_doubted(p);
        break;
    case TVL_HEALTH_SUSPECT:
        suspect(p, "no_proof_of_delivery", now);
        break;
    case TVL_HEALTH_PROBE:
        tvl_trace_timer(p->conn, p, "health");
        p->ping_wanted = true;
        break;
    case TVL_HEALTH_KEEP:
        break;
    }
}

void tvl_path_on_acked(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now)
{
    const bool doubted = p->health.doubted;
    const bool revived =
        tvl_health_acked(&p->health, r->newest_sent_at, p->app.sent.n_eliciting, now);

    p->answered_at = now;
    tvl_coupling_heard(p, r, now);
    tvl_choice_heard(p, r, now);
    if (doubted && !p->health.doubted) {
        p->copies_owed = false;
        for (size_t i = 0; i < p->conn->n_paths; i++)
            copy_doubted(p->conn->path[i]);
    }
    if (!revived && p->state != TVL_PATH_SUSPECT)
        return;
    if (p->state != TVL_PATH_SUSPECT || p->health.suspect)
        return;
    p->app.sent.pto_off = false;
    tvl_path_cc_return(&p->cc, now);
    tvl_path_set_state(p, TVL_PATH_UP, "probe_answered");
}

/* ---- ECN and MTU ---- */

void tvl_path_tell_ecn(struct tvl_path *p)
{
    if (p->cc.ecn.state == p->ecn_told)
        return;
    p->ecn_told = p->cc.ecn.state;
    tvl_trace_path(p, TVL_TRACE_PATH_ECN, tvl_ecn_name(p->ecn_told));
}

void tvl_path_limit_mtu(struct tvl_path *p)
{
    const struct tvl_conn *conn = p->conn;
    uint64_t max = p->at.remote.ss_family == AF_INET6 ? TVL_MTU_MAX_IPV6 : TVL_MTU_MAX_IPV4;

    if (max > conn->cfg->mtu_max)
        max = conn->cfg->mtu_max;
    if (max > conn->peer.max_udp_payload_size)
        max = conn->peer.max_udp_payload_size;
    tvl_mtu_set_max(&p->mtu, (uint32_t)max);
}

void tvl_path_update_mtu(struct tvl_path *p, tvl_time now)
{
    if (tvl_recovery_hole(&p->app.sent)) {
        p->app.sent.large = (struct tvl_large_run){ .passed_at = now };
        tvl_mtu_hole(&p->mtu, now);
    }
    if (p->mtu.current == p->cc.datagram_bytes)
        return;
    const char *why = p->mtu.current > p->cc.datagram_bytes ? "probe_passed" : "black_hole";
    tvl_path_cc_set_mtu(&p->cc, p->mtu.current);
    tvl_trace_path(p, TVL_TRACE_PATH_MTU, why);
}

/* ---- time ---- */

static tvl_time keepalive_at(const struct tvl_path *p)
{
    const struct tvl_conn *conn = p->conn;

    if (conn->cfg->keepalive == 0 || conn->side != TVL_CLIENT || !conn->confirmed ||
        p->state != TVL_PATH_UP || p->app.sent.n_eliciting > 0 || p->ping_wanted)
        return TVL_TIME_NEVER;
    return p->received_at + conn->cfg->keepalive;
}

/* An idle path is asked now and then, so that it can be trusted when it is needed; but only while
 * others carry data: a connection that is idle may end so. */
static tvl_time standby_at(const struct tvl_path *p)
{
    const tvl_time t = p->answered_at + TVL_STANDBY_PROBE;

    if (p->state != TVL_PATH_UP || p->app.sent.n_eliciting > 0 || p->ping_wanted ||
        !others_live(p) || t > p->conn->data_at + TVL_STANDBY_PROBE)
        return TVL_TIME_NEVER;
    return t;
}

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

tvl_time tvl_path_next_time(const struct tvl_path *p)
{
    const struct tvl_health_env env = health_env(p);
    tvl_time t = p->abandon_settled ? p->forget_at : TVL_TIME_NEVER;

    if (p->state == TVL_PATH_ABANDONED)
        return earlier(t, tvl_conn_retry_at(p->conn, tvl_ack_due(&p->app.received)));
    t = earlier(t, tvl_recovery_next_time(&p->app.sent));
    t = earlier(t, tvl_conn_retry_at(p->conn, tvl_ack_due(&p->app.received)));
    t = earlier(t, keepalive_at(p));
    t = earlier(t, standby_at(p));
    t = earlier(t, tvl_conn_retry_at(p->conn, tvl_mtu_next(&p->mtu)));
    t = earlier(t, tvl_path_challenge_next(p));
    if (health_counts(p))
        t = earlier(t, tvl_health_next(&p->health, &env));
    return t;
}

void tvl_path_tick(struct tvl_path *p, tvl_time now)
{
    if (p->abandon_settled && p->forget_at <= now) {
        forget(p);
        return;
    }
    if (p->state == TVL_PATH_ABANDONED)
        return;
    tvl_path_challenge_tick(p, now);
    if (p->state == TVL_PATH_ABANDONED)
        return;
    if (now >= tvl_recovery_next_time(&p->app.sent))
        tvl_trace_timer(p->conn, p, tvl_recovery_clock(&p->app.sent));
    const unsigned probes = tvl_recovery_on_timeout(&p->app.sent, now);
    if (probes > p->app.probes)
        p->app.probes = probes;
    if (keepalive_at(p) <= now || standby_at(p) <= now)
        p->ping_wanted = true;
    check_health(p, now);
    tvl_mtu_tick(&p->mtu, now);
    tvl_path_update_mtu(p, now);
}

/* ---- public ---- */

int tvl_path_add(struct tvl_conn *conn, const struct tvl_path_config *cfg, tvl_time now)
{
    struct tvl_path *p;

    if (conn->side != TVL_CLIENT || !tvl_conn_alive(conn) || is_forbidden(conn, &cfg->remote))
        return TVL_ERR_STATE;
    if (count_live(conn) >= TVL_PATHS_MAX || conn->n_paths == TVL_PATH_SLOTS)
        return TVL_ERR_FULL;
    conn->now = now;
    p = tvl_path_new(conn, tvl_path_ids_next(&conn->path_ids), now);
    if (!p)
        return TVL_ERR_NOMEM;
    p->at.local = cfg->local;
    p->at.remote = cfg->remote;
    p->at.tag = cfg->tag;
    p->waiting = true;
    p->backup_asked = p->status_wanted = cfg->backup;
    if (!p->peer_status_known)
        p->peer_backup = cfg->backup; /* what we ask of the peer we keep ourselves */
    p->status_seq = cfg->backup;
    tvl_control_issue_cids(conn);
    tvl_path_open_waiting(conn, now);
    tvl_conn_touch(conn);
    return (int)p->id;
}

int tvl_path_abandon(struct tvl_conn *conn, uint32_t path_id, tvl_time now)
{
    struct tvl_path *p = tvl_path_find(conn, path_id);

    if (!p || p->state == TVL_PATH_ABANDONED)
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn) || !conn->multipath)
        return TVL_ERR_STATE;
    conn->now = now;
    tvl_path_leave(p, TVL_WIRE_APPLICATION_ABANDON_PATH, now);
    tvl_conn_touch(conn);
    return 0;
}

int tvl_path_hint_down(struct tvl_conn *conn, uint32_t path_id, tvl_time now)
{
    struct tvl_path *p = tvl_path_find(conn, path_id);

    if (!p || p->state == TVL_PATH_ABANDONED)
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    const struct tvl_health_env env = health_env(p);
    conn->now = now;
    if (p->state == TVL_PATH_UP && others_live(p) && tvl_health_down(&p->health, &env, now))
        suspect(p, "interface_down", now);
    tvl_endpoint_touch(conn->ep, conn);
    return 0;
}

int tvl_path_set_cc_ops(struct tvl_conn *conn, uint32_t path_id, const struct tvl_cc_ops *ops,
                        tvl_time now)
{
    struct tvl_path *p = tvl_path_find(conn, path_id);

    if (!p || p->state == TVL_PATH_ABANDONED || !ops)
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    conn->now = now;
    p->cc_by_hand = true;
    tvl_choice_forget(p);
    if (p->cc.ops == ops)
        return 0;
    tvl_path_cc_swap(&p->cc, ops, now);
    p->left.set = false; /* it held the former one's state */
    tvl_conn_touch(conn);
    return 0;
}

int tvl_path_set_cc(struct tvl_conn *conn, uint32_t path_id, const char *name, tvl_time now)
{
    return tvl_path_set_cc_ops(conn, path_id, name ? tvl_cc_find(name) : NULL, now);
}

int tvl_path_get_model(const struct tvl_conn *conn, uint32_t path_id, struct tvl_path_model *out)
{
    const struct tvl_path *p = tvl_path_find((struct tvl_conn *)conn, path_id);

    if (!p)
        return TVL_ERR_ARG;
    tvl_model_get(&p->cc.model, conn->now, out);
    out->rtt = p->cc.rtt.smoothed;
    out->ecn = p->cc.ecn.state == TVL_ECN_CAPABLE;
    return 0;
}

int tvl_path_set_backup(struct tvl_conn *conn, uint32_t path_id, bool backup, tvl_time now)
{
    struct tvl_path *p = tvl_path_find(conn, path_id);

    if (!p || p->state == TVL_PATH_ABANDONED)
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    conn->now = now;
    p->backup_asked = backup;
    p->status_seq++;
    p->status_wanted = true;
    tvl_conn_touch(conn);
    return 0;
}
