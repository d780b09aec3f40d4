/*
 * migrate.c - a path goes on from another place, by our wish or the peer's: RFC 9000 9. Which
 * connection ID goes where, what is asked of whom, and what an answer or none means. Drawing in
 * place.h.
 *
 * Where the peer has left us no spare connection ID, the one in use goes along to its new address:
 * an observer may then link the two, but the connection lives.
 */
#include <string.h>

#include "choice.h"
#include "conn.h"
#include "endpoint.h"
#include "mpath.h"
#include "trace.h"

static struct tvl_place *nth(struct tvl_path *p, int i)
{
    return i == 0 ? &p->at : (i == 1 ? &p->was : &p->aside);
}

static bool is_server(const struct tvl_path *p)
{
    return p->conn->side == TVL_SERVER;
}

struct tvl_place *tvl_path_place(struct tvl_path *p, const struct tvl_datagram *dgram)
{
    for (int i = 0; i < TVL_PLACES; i++)
        if (tvl_place_is(nth(p, i), dgram, is_server(p)))
            return nth(p, i);
    return NULL;
}

struct tvl_place *tvl_path_place_with_work(struct tvl_path *p)
{
    for (int i = 1; i < TVL_PLACES; i++)
        if (nth(p, i)->set && (nth(p, i)->challenge.wanted || nth(p, i)->n_responses > 0))
            return nth(p, i);
    return NULL;
}

/* ---- connection IDs ---- */

void tvl_path_set_cid(struct tvl_place *pl, const struct tvl_remote_cid *c)
{
    pl->has_cid = c != NULL;
    if (c) {
        pl->cid = c->cid;
        pl->cid_seq = c->seq;
    }
}

bool tvl_path_take_cid(struct tvl_path *p, struct tvl_place *pl)
{
    const struct tvl_remote_cid *c = tvl_cids_take(&p->conn->cids, p->id);

    if (c)
        tvl_path_set_cid(pl, c);
    return c != NULL;
}

void tvl_path_refresh_cids(struct tvl_path *p)
{
    struct tvl_cids *cids = &p->conn->cids;

    if (p->state == TVL_PATH_ABANDONED || p->waiting)
        return;
    for (int i = 0; i < TVL_PLACES; i++) {
        struct tvl_place *pl = nth(p, i);
        const struct tvl_remote_cid *c = tvl_cids_remote(cids, p->id, pl->cid_seq);

        if (!pl->set || (pl->has_cid && (pl->cid.len == 0 || (c && !c->retired))))
            continue;
        pl->has_cid = false;
        (void)tvl_path_take_cid(p, pl);
    }
}

/* Nothing goes there any more; its connection ID is retired when no other place shares it. */
static void drop(struct tvl_path *p, struct tvl_place *pl)
{
    struct tvl_remote_cid *c = tvl_cids_remote(&p->conn->cids, p->id, pl->cid_seq);
    bool shared = false;

    for (int i = 0; i < TVL_PLACES; i++) {
        const struct tvl_place *other = nth(p, i);

        shared = shared ||
                 (other != pl && other->set && other->has_cid && other->cid_seq == pl->cid_seq);
    }
    if (pl->set && pl->has_cid && !shared && c && c->cid.len > 0)
        tvl_cids_retire(&p->conn->cids, c);
    tvl_path_leave_ledger(p, pl);
    *pl = (struct tvl_place){ .set = false };
}

/* ---- going ---- */

static void start_challenge(struct tvl_path *p, struct tvl_place *pl, tvl_time now)
{
    tvl_challenge_start(&pl->challenge, tvl_endpoint_rng(p->conn->ep), tvl_rtt_pto_base(&p->cc.rtt),
                        now);
}

void tvl_path_start_challenge(struct tvl_path *p, tvl_time now)
{
    start_challenge(p, &p->at, now);
}

/* What was learnt about the old way says nothing about the new one: RFC 9000 9.4. */
static void learn_anew(struct tvl_path *p, tvl_time now)
{
    p->left.rtt = p->cc.rtt;
    memcpy(p->left.cc, p->cc.state, sizeof p->left.cc);
    p->left.set = true;
    tvl_choice_forget(p);
    tvl_path_cc_move(&p->cc, now);
    tvl_mtu_init(&p->mtu, TVL_MTU_BASE);
    tvl_path_limit_mtu(p);
    tvl_path_cc_set_mtu(&p->cc, p->mtu.current);
}

static void know_again(struct tvl_path *p, tvl_time now)
{
    if (!p->left.set)
        return;
    tvl_choice_forget(p);
    tvl_path_cc_move(&p->cc, now);
    p->cc.rtt = p->left.rtt;
    memcpy(p->cc.state, p->left.cc, sizeof p->cc.state);
    p->left.set = false;
    tvl_mtu_init(&p->mtu, TVL_MTU_BASE);
    tvl_path_limit_mtu(p);
    tvl_path_cc_set_mtu(&p->cc, p->mtu.current);
}

static bool port_only(const struct tvl_place *a, const struct tvl_place *b)
{
    return tvl_place_same_ip(&a->remote, &b->remote) && a->tag == b->tag &&
           tvl_place_same_ip(&a->local, &b->local);
}

/* `to` is not one of the path's places any more. */
static void go(struct tvl_path *p, const struct tvl_place *to, const char *why, tvl_time now)
{
    struct tvl_place old = p->at;

    tvl_challenge_stop(&old.challenge);
    old.n_responses = 0;
    p->at = *to;
    p->rebindings++;
    if (to->validated) {
        drop(p, &old);
        drop(p, &p->was);
        know_again(p, now);
    } else if (old.validated) {
        drop(p, &p->was);
        p->was = old;
        p->left.set = false;
        if (!port_only(&old, to))
            learn_anew(p, now);
        start_challenge(p, &p->was, now);
    } else {
        drop(p, &old);
    }
    if (!to->validated)
        start_challenge(p, &p->at, now);
    tvl_trace_path(p, TVL_TRACE_PATH_ADDRESS, why);
}

static void go_to(struct tvl_path *p, struct tvl_place *slot, const char *why, tvl_time now)
{
    const struct tvl_place to = *slot;

    *slot = (struct tvl_place){ .set = false };
    go(p, &to, why, now);
}

/* The place at hand does not answer: back to where the peer was. */
static void go_back(struct tvl_path *p, tvl_time now)
{
    go_to(p, &p->was, "validation_failed", now);
    if (p->state == TVL_PATH_OPENING)
        tvl_path_set_state(p, TVL_PATH_UP, "validation_failed");
}

/* ---- what arrives ---- */

/* The place a datagram came over; one never seen before is kept aside. */
static struct tvl_place *place_for(struct tvl_path *p, const struct tvl_datagram *dgram,
                                   const struct tvl_cid *dcid)
{
    struct tvl_place *pl = tvl_path_place(p, dgram);

    if (pl || !is_server(p))
        return pl;
    drop(p, &p->aside);
    p->aside = (struct tvl_place){ .set = true,
                                   .local = dgram->local,
                                   .remote = dgram->remote,
                                   .tag = dgram->tag,
                                   .unproved_in = tvl_path_count_once(p->conn, dgram) };
    /* The same ID of ours: a NAT has moved it unknowingly. Another: it does not want to be known
     * again, so it gets to see another of its own (RFC 9000 9.5). */
    if (tvl_cid_equal(dcid, &p->heard_as) || !tvl_path_take_cid(p, &p->aside)) {
        p->aside.cid = p->at.cid;
        p->aside.cid_seq = p->at.cid_seq;
        p->aside.has_cid = p->at.has_cid;
    }
    return &p->aside;
}

void tvl_path_on_challenge(struct tvl_path *p, const uint8_t *data,
                           const struct tvl_datagram *dgram, const struct tvl_cid *dcid)
{
    struct tvl_place *pl = p->state == TVL_PATH_ABANDONED ? NULL : place_for(p, dgram, dcid);

    if (pl && pl->n_responses < TVL_RESPONSES_MAX)
        memcpy(pl->response[pl->n_responses++], data, TVL_CHALLENGE_SIZE);
}

static void on_answer(struct tvl_path *p, struct tvl_place *pl, tvl_time now)
{
    const bool small = pl->challenge.small;

    tvl_challenge_stop(&pl->challenge);
    pl->validated = true;
    p->answered_at = now;
    if (pl == &p->was)
        return; /* it is there, but it is for the peer to say where it wants to be */
    if (pl == &p->aside) {
        go_to(p, pl, "preferred_address", now);
        return;
    }
    if (small) /* RFC 9000 8.2.1: whether 1200 bytes pass is still to be shown */
        start_challenge(p, pl, now);
    drop(p, &p->was);
    p->left.set = false;
    if (p->state == TVL_PATH_OPENING) {
        tvl_path_limit_mtu(p);
        tvl_path_set_state(p, TVL_PATH_UP, "validated");
    }
}

void tvl_path_on_response(struct tvl_conn *conn, const uint8_t *data, tvl_time now)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        for (int k = 0; k < TVL_PLACES; k++)
            if (nth(p, k)->set && tvl_challenge_matches(&nth(p, k)->challenge, data)) {
                p->received_at = now;
                on_answer(p, nth(p, k), now);
                return;
            }
    }
}

void tvl_path_on_leading(struct tvl_path *p, const struct tvl_datagram *dgram,
                         const struct tvl_cid *dcid, tvl_time now)
{
    if (is_server(p) && p->state != TVL_PATH_ABANDONED &&
        !tvl_place_is(&p->at, dgram, is_server(p)))
        go_to(p, place_for(p, dgram, dcid), "peer_moved", now);
    p->heard_as = *dcid;
}

/* ---- time ---- */

tvl_time tvl_path_challenge_next(const struct tvl_path *p)
{
    const struct tvl_place *places[TVL_PLACES] = { &p->at, &p->was, &p->aside };
    tvl_time t = TVL_TIME_NEVER;

    for (int i = 0; i < TVL_PLACES; i++)
        if (places[i]->set && places[i]->challenge.outstanding && places[i]->challenge.next_at < t)
            t = places[i]->challenge.next_at;
    return t;
}

static void on_silence(struct tvl_path *p, struct tvl_place *pl, tvl_time now)
{
    tvl_challenge_stop(&pl->challenge);
    if (pl == &p->aside)
        drop(p, pl);
    else if (pl == &p->at && p->was.set)
        go_back(p, now);
    else if (pl == &p->at && p->state == TVL_PATH_OPENING && p->conn->n_paths > 1)
        tvl_path_leave(p, TVL_WIRE_PATH_UNSTABLE_OR_POOR, now);
}

void tvl_path_challenge_tick(struct tvl_path *p, tvl_time now)
{
    for (int i = 0; i < TVL_PLACES; i++) {
        struct tvl_place *pl = nth(p, i);
        const unsigned most =
            pl == &p->at && !p->was.set ? TVL_CHALLENGE_TRIES_MAX : TVL_CHALLENGE_TRIES_MOVED;

        if (!pl->set || !pl->challenge.outstanding || pl->challenge.next_at > now)
            continue;
        tvl_trace_timer(p->conn, p, "path_challenge");
        if (pl->challenge.tries < most)
            tvl_challenge_retry(&pl->challenge, tvl_endpoint_rng(p->conn->ep), now);
        else
            on_silence(p, pl, now);
    }
}

/* ---- the client's wish ---- */

static bool others_up(const struct tvl_path *p)
{
    for (size_t i = 0; i < p->conn->n_paths; i++)
        if (p->conn->path[i] != p && tvl_path_is_up(p->conn->path[i]))
            return true;
    return false;
}

int tvl_path_migrate(struct tvl_conn *conn, uint32_t path_id, const struct tvl_path_config *to,
                     tvl_time now)
{
    struct tvl_path *p = tvl_path_find(conn, path_id);
    struct tvl_place next = {
        .set = true, .local = to->local, .remote = to->remote, .tag = to->tag
    };

    if (!p || p->state == TVL_PATH_ABANDONED)
        return TVL_ERR_ARG;
    if (conn->side != TVL_CLIENT || !conn->confirmed || !tvl_conn_alive(conn) ||
        (p->state != TVL_PATH_UP && p->state != TVL_PATH_SUSPECT) ||
        conn->peer.disable_active_migration)
        return TVL_ERR_STATE;
    conn->now = now;
    if (p->at.cid.len == 0 || !tvl_path_take_cid(p, &next)) {
        tvl_mpath_blocked(p);
        tvl_conn_touch(conn);
        return TVL_ERR_FULL;
    }
    drop(p, &p->aside);
    go(p, &next, "migrated", now);
    tvl_health_init(&p->health);
    p->app.sent.pto_off = false;
    /* With others to carry the data it waits for proof; alone it may as well try. */
    tvl_path_set_state(p, others_up(p) ? TVL_PATH_OPENING : TVL_PATH_UP, "migrated");
    tvl_conn_touch(conn);
    return 0;
}

/* ---- preferred address, RFC 9000 9.6 ---- */

static bool preferred(const struct tvl_conn *conn, struct sockaddr_storage *out)
{
    const struct tvl_preferred_address *a = &conn->peer.preferred_address;

    memset(out, 0, sizeof *out);
    if (conn->path[0]->at.remote.ss_family == AF_INET6) {
        struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->ipv6_port) };

        memcpy(&sin6.sin6_addr, a->ipv6, sizeof a->ipv6);
        memcpy(out, &sin6, sizeof sin6);
        return a->ipv6_port != 0;
    }
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(a->ipv4_port) };

    memcpy(&sin.sin_addr, a->ipv4, sizeof a->ipv4);
    memcpy(out, &sin, sizeof sin);
    return a->ipv4_port != 0;
}

void tvl_path_prefer(struct tvl_conn *conn, tvl_time now)
{
    struct tvl_path *p = conn->path[0];
    struct tvl_place next = { .set = true, .local = p->at.local, .tag = p->at.tag };

    if (conn->side != TVL_CLIENT || !conn->peer.has_preferred_address || p->id != 0 ||
        p->state == TVL_PATH_ABANDONED || p->was.set || !preferred(conn, &next.remote) ||
        !tvl_path_take_cid(p, &next))
        return;
    p->aside = next;
    start_challenge(p, &p->aside, now);
}
