/* coupling.c - see coupling.h. */
#include "coupling.h"

#include <stdlib.h>
#include <string.h>

struct known { /* paths that can be judged, by slot */
    struct tvl_path *path[TVL_PATHS_MAX];
    size_t slot[TVL_PATHS_MAX];
    size_t n;
};

static struct known known_of(struct tvl_conn *conn)
{
    struct known k = { .n = 0 };

    for (size_t i = 0; i < conn->n_paths && k.n < TVL_PATHS_MAX; i++)
        if (conn->path[i]->shared && tvl_path_is_up(conn->path[i])) {
            k.slot[k.n] = i;
            k.path[k.n++] = conn->path[i];
        }
    return k;
}

unsigned tvl_coupling_group(const struct tvl_path *p)
{
    return p->shared ? p->shared->group : 0;
}

static void uncouple(struct tvl_path *p)
{
    p->cc.growth = 1;
    p->cc.harsher = 0;
}

void tvl_coupling_forget(struct tvl_conn *conn)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_shared *s = conn->path[i]->shared;

        uncouple(conn->path[i]);
        if (!s)
            continue;
        s->group = 0;
        memset(s->votes, 0, sizeof s->votes);
    }
}

/* ---- who shares with whom ---- */

static void vote(const struct known *k)
{
    const struct tvl_sbd *sbd[TVL_PATHS_MAX];
    unsigned group[TVL_PATHS_MAX];

    for (size_t i = 0; i < k->n; i++)
        sbd[i] = &k->path[i]->shared->sbd;
    tvl_sbd_group(sbd, k->n, group);
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; j < i; j++) {
            uint8_t *v = &k->path[i]->shared->votes[k->slot[j]];

            if (group[i] != 0 && group[i] == group[j])
                *v = (uint8_t)(*v + (*v < TVL_COUPLING_MOST));
            else
                *v = (uint8_t)(*v - (*v > 0));
        }
}

/* Each joins the group of the first it is believed to share with. */
static void regroup(struct tvl_conn *conn, tvl_time now)
{
    struct known k = known_of(conn);
    unsigned groups = 0;

    for (size_t i = 0; i < k.n; i++)
        (void)tvl_sbd_roll(&k.path[i]->shared->sbd, now);
    vote(&k);
    for (size_t i = 0; i < k.n; i++) {
        struct tvl_shared *s = k.path[i]->shared;

        s->group = 0;
        for (size_t j = 0; j < i && s->group == 0; j++) {
            struct tvl_shared *other = k.path[j]->shared;

            if (s->votes[k.slot[j]] < TVL_COUPLING_SURE)
                continue;
            if (other->group == 0)
                other->group = ++groups;
            s->group = other->group;
        }
    }
    for (size_t i = 0; i < k.n; i++)
        if (k.path[i]->shared->group == 0)
            uncouple(k.path[i]);
}

/* ---- how much each may grow ---- */

static void couple(struct tvl_conn *conn, unsigned group)
{
    struct known k = known_of(conn);
    struct tvl_couple_path c[TVL_PATHS_MAX];
    struct tvl_path *member[TVL_PATHS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < k.n; i++) {
        struct tvl_path *p = k.path[i];

        if (p->shared->group != group)
            continue;
        member[n] = p;
        c[n++] = (struct tvl_couple_path){
            .cwnd = tvl_path_cc_cwnd(&p->cc),
            .rtt = tvl_rtt_srtt(&p->cc.rtt),
            .between = p->shared->between,
            .since = p->cc.rate.delivered - p->shared->mark,
            .growth = 1,
        };
    }
    if (n > 1)
        conn->coupling->couple(c, n);
    for (size_t i = 0; i < n; i++) {
        member[i]->cc.growth = c[i].growth;
        member[i]->cc.harsher = c[i].harsher;
    }
}

/* Losses of one round trip are one event, as controllers count them. */
static void note_losses(struct tvl_path *p, uint64_t lost, tvl_time now)
{
    struct tvl_shared *s = p->shared;

    if (lost == 0 || now < s->lost_at + tvl_rtt_srtt(&p->cc.rtt))
        return;
    s->between = p->cc.rate.delivered - s->mark;
    s->mark = p->cc.rate.delivered;
    s->lost_at = now;
}

void tvl_coupling_heard(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now)
{
    struct tvl_conn *conn = p->conn;

    if (!conn->coupling || conn->n_paths < 2)
        return;
    if (!p->shared)
        p->shared = calloc(1, sizeof *p->shared);
    struct tvl_shared *s = p->shared;

    if (!s)
        return;
    const uint64_t lost = p->app.sent.packets_lost - s->lost_seen;

    s->lost_seen += lost;
    if (tvl_sbd_roll(&s->sbd, now))
        regroup(conn, now);
    if (r->rtt)
        tvl_sbd_sample(&s->sbd, r->rtt, now);
    tvl_sbd_packets(&s->sbd, r->acked, lost, now);
    note_losses(p, lost, now);
    if (s->group)
        couple(conn, s->group);
}
