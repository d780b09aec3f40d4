/* recovery.c - loss detection and the congestion state of a path: RFC 9002. Contract in recovery.h.
 */
#include "recovery.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT64_MAX
#define PERSISTENT_FACTOR 3 /* RFC 9002 7.6.1 kPersistentCongestionThreshold */
#define TOMBSTONE_PTOS 3
#define CAP_FIRST 16u
#define FRAMES_FEW 2 /* kept in the slot itself; nearly all packets have no more */

enum slot_state { SLOT_DONE, SLOT_OUT, SLOT_LOST, SLOT_SKIPPED };

struct tvl_recovery_slot {
    enum slot_state state;
    tvl_time lost_at;
    struct tvl_sent_packet p; /* p.frame is set by shown() only: slots move */
    struct tvl_sent_frame few[FRAMES_FEW];
    struct tvl_sent_frame *many; /* instead, where they are more; owned */
};

/* ---- the congestion state of one path ---- */

static void changed(struct tvl_path_cc *pc)
{
    pc->limit = pc->ops->limit(pc->state);
}

void tvl_path_cc_init(struct tvl_path_cc *pc, const struct tvl_cc_ops *ops, uint32_t datagram_bytes,
                      tvl_time now)
{
    memset(pc, 0, sizeof *pc);
    pc->ops = ops;
    pc->datagram_bytes = datagram_bytes;
    pc->growth = 1;
    tvl_ecn_init(&pc->ecn, false);
    ops->init(pc->state, datagram_bytes, now);
    changed(pc);
    tvl_pacer_init(&pc->pacer, datagram_bytes, now);
}

static uint8_t ecn_code(const struct tvl_cc_ops *ops)
{
    return ops->l4s ? TVL_ECN_ECT1 : TVL_ECN_ECT0;
}

void tvl_path_cc_test_ecn(struct tvl_path_cc *pc, bool want)
{
    pc->ecn_wanted = want;
    tvl_ecn_init(&pc->ecn, want);
    tvl_ecn_use(&pc->ecn, ecn_code(pc->ops));
}

void tvl_path_cc_restart(struct tvl_path_cc *pc, tvl_time now)
{
    memset(pc->state, 0, sizeof pc->state);
    pc->ops->init(pc->state, pc->datagram_bytes, now);
    changed(pc);
    tvl_pacer_init(&pc->pacer, pc->datagram_bytes, now);
    tvl_pacer_set_rate(&pc->pacer, tvl_path_cc_pacing_bps(pc), now);
    tvl_surety_restart(&pc->surety);
    pc->pto_count = 0;
}

struct tvl_cc_learnt tvl_path_cc_learnt(const struct tvl_path_cc *pc, tvl_time now)
{
    struct tvl_cc_learnt k = {
        .now = now,
        .cwnd = tvl_path_cc_cwnd(pc),
        .ssthresh = UINT64_MAX,
        .rate_bps = tvl_rtt_known(&pc->rtt) ? tvl_path_cc_rate_bps(pc) : 0,
        .srtt = tvl_rtt_known(&pc->rtt) ? tvl_rtt_srtt(&pc->rtt) : 0,
        .rtt_min = pc->rtt.min,
    };

    if (pc->ops->save)
        pc->ops->save(pc->state, &k);
    return k;
}

void tvl_path_cc_swap(struct tvl_path_cc *pc, const struct tvl_cc_ops *ops, tvl_time now)
{
    const struct tvl_cc_learnt k = tvl_path_cc_learnt(pc, now);

    memset(pc->state, 0, sizeof pc->state);
    pc->ops = ops;
    ops->init(pc->state, pc->datagram_bytes, now);
    if (ops->load)
        ops->load(pc->state, &k);
    changed(pc);
    tvl_ecn_use(&pc->ecn, ecn_code(ops));
    tvl_pacer_set_rate(&pc->pacer, tvl_path_cc_pacing_bps(pc), now);
}

void tvl_path_cc_return(struct tvl_path_cc *pc, tvl_time now)
{
    pc->since = now;
    tvl_rtt_renew(&pc->rtt);
    tvl_path_cc_restart(pc, now);
}

void tvl_path_cc_move(struct tvl_path_cc *pc, tvl_time now)
{
    pc->rtt = (struct tvl_rtt){ .smoothed = 0 };
    pc->model = (struct tvl_model){ .acked_at = 0 };
    pc->since = now;
    tvl_path_cc_test_ecn(pc, pc->ecn_wanted);
    tvl_path_cc_restart(pc, now);
}

void tvl_path_cc_set_mtu(struct tvl_path_cc *pc, uint32_t datagram_bytes)
{
    pc->datagram_bytes = datagram_bytes;
    pc->pacer.datagram = datagram_bytes;
    if (pc->ops->on_mtu)
        pc->ops->on_mtu(pc->state, datagram_bytes);
    changed(pc);
}

uint64_t tvl_path_cc_cwnd(const struct tvl_path_cc *pc)
{
    return pc->limit.cwnd;
}

static uint64_t bps(uint64_t bytes, tvl_time us)
{
    return us ? bytes * 8 * 1000000 / us : 0;
}

uint64_t tvl_path_cc_rate_bps(const struct tvl_path_cc *pc)
{
    const struct tvl_cc_limit l = pc->limit;

    return l.rate_bps ? l.rate_bps : bps(l.cwnd, tvl_rtt_srtt(&pc->rtt));
}

uint64_t tvl_path_cc_pacing_bps(const struct tvl_path_cc *pc)
{
    const struct tvl_cc_limit l = pc->limit;

    if (l.pacing_bps)
        return l.pacing_bps;
    if (!tvl_rtt_known(&pc->rtt))
        return 2 * bps(l.cwnd, tvl_rtt_srtt(&pc->rtt));
    return bps(l.cwnd, tvl_rtt_srtt(&pc->rtt)) / 4 * 5;
}

uint64_t tvl_path_cc_window_room(const struct tvl_path_cc *pc)
{
    const uint64_t cwnd = tvl_path_cc_cwnd(pc);

    return cwnd > pc->in_flight ? cwnd - pc->in_flight : 0;
}

/* Bytes the pacer must allow before the next packet leaves; the window is `window`. */
static uint64_t quantum(const struct tvl_path_cc *pc, uint64_t window)
{
    const uint64_t timed = pc->pacer.rate_bps / 8 * TVL_QUANTUM_TIME / 1000000;
    const uint64_t most = window < TVL_QUANTUM_MAX ? window : TVL_QUANTUM_MAX;
    const uint64_t bytes = timed < most ? timed : most;

    return pc->gathering && bytes > pc->datagram_bytes ? bytes : pc->datagram_bytes;
}

uint64_t tvl_path_cc_room(const struct tvl_path_cc *pc, tvl_time now)
{
    const uint64_t window = tvl_path_cc_window_room(pc);
    const uint64_t paced = tvl_pacer_room(&pc->pacer, now);

    if (window < pc->datagram_bytes || paced < quantum(pc, window))
        return 0;
    return window < paced ? window : paced;
}

tvl_time tvl_path_cc_next_send(const struct tvl_path_cc *pc, tvl_time now)
{
    const uint64_t window = tvl_path_cc_window_room(pc);

    if (window < pc->datagram_bytes)
        return TVL_TIME_NEVER;
    return tvl_pacer_next(&pc->pacer, quantum(pc, window), now);
}

void tvl_path_cc_app_limited(struct tvl_path_cc *pc)
{
    if (tvl_path_cc_window_room(pc) >= pc->datagram_bytes)
        tvl_rate_app_limited(&pc->rate, pc->in_flight);
}

/* ---- the ring ---- */

void tvl_recovery_init(struct tvl_recovery *r, struct tvl_path_cc *cc,
                       const struct tvl_recovery_handler *handler, void *user, tvl_time now)
{
    *r = (struct tvl_recovery){ .cc = cc, .handler = handler, .user = user };
    r->largest_acked = r->unproved_pn = NONE;
    r->last_eliciting_at = now;
    r->loss_time = TVL_TIME_NEVER;
}

uint64_t tvl_recovery_next_pn(const struct tvl_recovery *r)
{
    return r->next_pn;
}

uint64_t tvl_recovery_largest_acked(const struct tvl_recovery *r)
{
    return r->largest_acked;
}

static struct tvl_recovery_slot *at(const struct tvl_recovery *r, uint64_t pn)
{
    return &r->slot[pn & (r->cap - 1)];
}

/* The packet as handlers see it. */
static const struct tvl_sent_packet *shown(struct tvl_recovery_slot *s)
{
    s->p.frame = s->many ? s->many : s->few;
    return &s->p;
}

static int keep_frames(struct tvl_recovery_slot *s, const struct tvl_sent_packet *p)
{
    const size_t size = p->n_frames * sizeof *p->frame;

    if (p->n_frames > FRAMES_FEW) {
        s->many = malloc(size);
        if (!s->many)
            return TVL_ERR_NOMEM;
    }
    if (size > 0)
        memcpy(s->many ? s->many : s->few, p->frame, size);
    return 0;
}

static void forget_oldest(struct tvl_recovery *r)
{
    struct tvl_recovery_slot *s = at(r, r->first_pn++);

    free(s->many);
    s->many = NULL;
}

static void forget_all(struct tvl_recovery *r)
{
    while (r->first_pn < r->next_pn)
        forget_oldest(r);
    free(r->slot);
    r->slot = NULL;
    r->cap = 0;
}

void tvl_recovery_fini(struct tvl_recovery *r)
{
    forget_all(r);
}

static bool forgettable(const struct tvl_recovery *r, const struct tvl_recovery_slot *s,
                        tvl_time now)
{
    const bool crowded = r->next_pn - r->first_pn >= TVL_SENT_QUIET_MAX;

    switch (s->state) {
    case SLOT_DONE:
        return true;
    case SLOT_SKIPPED:
    case SLOT_LOST:
        return crowded || now >= s->lost_at + TOMBSTONE_PTOS * tvl_rtt_pto_base(&r->cc->rtt);
    case SLOT_OUT:
        break;
    }
    return crowded && !s->p.in_flight;
}

static void trim(struct tvl_recovery *r, tvl_time now)
{
    while (r->first_pn < r->next_pn && forgettable(r, at(r, r->first_pn), now))
        forget_oldest(r);
}

void tvl_recovery_quiet(struct tvl_recovery *r, tvl_time now)
{
    trim(r, now);
    if (r->first_pn == r->next_pn)
        forget_all(r);
}

static void find_unproved(struct tvl_recovery *r)
{
    if (r->unproved_pn == NONE || r->unproved_pn > r->largest_acked)
        return;
    for (uint64_t pn = r->largest_acked + 1; pn < r->next_pn; pn++) {
        const struct tvl_recovery_slot *s = at(r, pn);

        if (s->state == SLOT_OUT && s->p.ack_eliciting && !s->p.mtu_probe) {
            r->unproved_pn = pn;
            return;
        }
    }
    r->unproved_pn = NONE;
}

tvl_time tvl_recovery_unproved_at(const struct tvl_recovery *r)
{
    return r->unproved_pn == NONE ? 0 : at(r, r->unproved_pn)->p.time;
}

/* When every slot is taken, one at the old end whose fate is known makes room: see forgettable. */
bool tvl_recovery_can_send(const struct tvl_recovery *r)
{
    if (r->next_pn - r->first_pn < TVL_SENT_MAX)
        return true;
    const struct tvl_recovery_slot *oldest = at(r, r->first_pn);

    return oldest->state != SLOT_OUT || !oldest->p.in_flight;
}

static int make_room(struct tvl_recovery *r, tvl_time now)
{
    struct tvl_recovery_slot *bigger;
    uint32_t cap = r->cap ? 2 * r->cap : CAP_FIRST;

    trim(r, now);
    if (r->next_pn - r->first_pn < r->cap)
        return 0;
    if (r->cap == TVL_SENT_MAX)
        return TVL_ERR_FULL;
    bigger = calloc(cap, sizeof *bigger);
    if (!bigger)
        return TVL_ERR_NOMEM;
    for (uint64_t pn = r->first_pn; pn < r->next_pn; pn++)
        bigger[pn & (cap - 1)] = *at(r, pn);
    free(r->slot);
    r->slot = bigger;
    r->cap = cap;
    return 0;
}

/* A packet leaves: the pacer pays for it, and gathers again when it has no more. */
static void pace(struct tvl_path_cc *cc, uint32_t bytes, tvl_time now)
{
    if (cc->gathering && tvl_pacer_room(&cc->pacer, now) >= quantum(cc, UINT64_MAX))
        cc->gathering = false;
    tvl_pacer_sent(&cc->pacer, bytes, now);
    if (tvl_pacer_room(&cc->pacer, now) < cc->datagram_bytes)
        cc->gathering = true;
}

int tvl_recovery_sent(struct tvl_recovery *r, const struct tvl_sent_packet *p, tvl_time now)
{
    int error = make_room(r, now);
    struct tvl_path_cc *cc = r->cc;
    struct tvl_recovery_slot *s;

    assert(p->pn == r->next_pn);
    if (error)
        return error;
    s = at(r, r->next_pn);
    error = keep_frames(s, p);
    if (error)
        return error;
    r->next_pn++;
    s->state = SLOT_OUT;
    s->p = *p;
    s->p.time = now;
    s->p.lost = s->p.copied = false;
    if (p->ecn)
        tvl_ecn_sent(&cc->ecn, &r->ecn, p->ecn);
    if (!p->in_flight)
        return 0;
    tvl_rate_sent(&cc->rate, &s->p.rate, cc->in_flight, p->bytes, now);
    cc->in_flight += p->bytes;
    r->bytes_in_flight += p->bytes;
    if (p->ack_eliciting && !p->mtu_probe) {
        r->n_eliciting++;
        r->last_eliciting_at = now;
    }
    tvl_pacer_set_rate(&cc->pacer, tvl_path_cc_pacing_bps(cc), now);
    pace(cc, p->bytes, now);
    if (cc->ops->on_sent) {
        const struct tvl_cc_sent sent = { .now = now,
                                          .bytes = p->bytes,
                                          .in_flight = cc->in_flight,
                                          .app_limited = s->p.rate.app_limited };
        cc->ops->on_sent(cc->state, &sent);
        changed(cc);
    }
    return 0;
}

int tvl_recovery_skip_pn(struct tvl_recovery *r, tvl_time now)
{
    const int error = make_room(r, now);

    if (error)
        return error;
    struct tvl_recovery_slot *s = at(r, r->next_pn++);

    s->state = SLOT_SKIPPED;
    s->p = (struct tvl_sent_packet){ .time = now };
    s->lost_at = now; /* who lies about it does so within a few round trips */
    return 0;
}

/* The packet is in flight no longer. */
static void land(struct tvl_recovery *r, const struct tvl_sent_packet *p)
{
    if (!p->in_flight)
        return;
    r->cc->in_flight -= p->bytes;
    r->bytes_in_flight -= p->bytes;
    r->n_eliciting -= p->ack_eliciting && !p->mtu_probe;
}

/* ---- what a controller hears of one packet ---- */

static struct tvl_cc_packet fate_of(const struct tvl_recovery *r, const struct tvl_sent_packet *p,
                                    tvl_time now)
{
    return (struct tvl_cc_packet){ .now = now,
                                   .sent_at = p->time,
                                   .number = p->pn,
                                   .bytes = p->bytes,
                                   .delivered = r->cc->rate.delivered,
                                   .lost = r->cc->rate.lost,
                                   .sent_lost = p->rate.lost,
                                   .sent_in_flight = p->rate.in_flight,
                                   .app_limited = p->rate.app_limited };
}

static void tell_packet_lost(struct tvl_recovery *r, const struct tvl_sent_packet *p, tvl_time now)
{
    if (!p->in_flight)
        return;
    r->cc->rate.lost += p->bytes;
    const struct tvl_cc_packet fate = fate_of(r, p, now);

    if (!p->mtu_probe)
        tvl_model_packet_lost(&r->cc->model, &fate);
    if (r->cc->ops->on_packet_lost)
        r->cc->ops->on_packet_lost(r->cc->state, &fate);
    changed(r->cc);
}

static void tell_packet_spurious(struct tvl_recovery *r, const struct tvl_sent_packet *p,
                                 tvl_time now)
{
    const struct tvl_cc_packet fate = fate_of(r, p, now);

    if (p->in_flight && !p->mtu_probe)
        tvl_model_packet_spurious(&r->cc->model, &fate);
    if (p->in_flight && r->cc->ops->on_packet_spurious)
        r->cc->ops->on_packet_spurious(r->cc->state, &fate);
    changed(r->cc);
}

/* ---- loss ---- */

struct losses {
    uint64_t packets, bytes;
    bool marked; /* CE was reported */
    tvl_time newest_sent_at;
    tvl_time run_from; /* sending time of the first of a run of lost packets; NONE: no run */
    tvl_time run_max;  /* us, the longest run */
};

static void lose_large(struct tvl_large_run *run, const struct tvl_sent_packet *p)
{
    if (p->bytes <= TVL_MTU_BASE || p->time < run->passed_at)
        return;
    if (run->lost++ == 0)
        run->from = p->time;
    if (p->time > run->to)
        run->to = p->time;
}

static void pass_large(struct tvl_large_run *run, const struct tvl_sent_packet *p)
{
    if (p->bytes <= TVL_MTU_BASE || p->time < run->passed_at)
        return;
    *run = (struct tvl_large_run){ .passed_at = p->time };
}

bool tvl_recovery_hole(const struct tvl_recovery *r)
{
    return r->large.lost >= TVL_MTU_HOLE_LOSSES &&
           r->large.to - r->large.from >= tvl_rtt_srtt(&r->cc->rtt);
}

static void note(const struct tvl_recovery *r, const struct tvl_sent_packet *p, const char *rule)
{
    if (r->handler->note)
        r->handler->note(r->user, r, p, rule);
}

static void lose(struct tvl_recovery *r, struct tvl_recovery_slot *s, tvl_time now,
                 const char *rule)
{
    s->state = SLOT_LOST;
    s->lost_at = now;
    land(r, &s->p);
    if (s->p.ecn)
        tvl_ecn_lost(&r->cc->ecn);
    if (!s->p.mtu_probe) {
        lose_large(&r->large, &s->p);
        r->packets_lost++;
        tvl_surety_lost(&r->cc->surety);
        r->bytes_lost += s->p.bytes;
    }
    note(r, shown(s), rule);
    r->handler->lost(r->user, shown(s));
}

/* A run of lost packets without an acknowledged one between: RFC 9002 7.6.2. */
static void extend_run(const struct tvl_recovery *r, struct losses *l,
                       const struct tvl_sent_packet *p)
{
    if (!p->ack_eliciting || p->mtu_probe || r->cc->rtt.first_sample_at == 0 ||
        p->time < r->cc->rtt.first_sample_at)
        return;
    if (l->run_from == TVL_TIME_NEVER)
        l->run_from = p->time;
    if (p->time - l->run_from > l->run_max)
        l->run_max = p->time - l->run_from;
}

static void count_loss(struct losses *l, const struct tvl_sent_packet *p)
{
    if (!p->in_flight || p->mtu_probe)
        return;
    l->packets++;
    l->bytes += p->bytes;
    if (p->time > l->newest_sent_at)
        l->newest_sent_at = p->time;
}

static void detect(struct tvl_recovery *r, tvl_time now, struct losses *l)
{
    const tvl_time delay = tvl_rtt_loss_delay(&r->cc->rtt);

    r->loss_time = TVL_TIME_NEVER;
    if (r->largest_acked == NONE)
        return;
    for (uint64_t pn = r->first_pn; pn <= r->largest_acked && pn < r->next_pn; pn++) {
        struct tvl_recovery_slot *s = at(r, pn);

        if (s->state == SLOT_DONE)
            l->run_from = TVL_TIME_NEVER;
        if (s->state != SLOT_OUT)
            continue;
        const bool passed = r->largest_acked >= pn + TVL_PACKET_THRESHOLD;
        if (passed || now >= s->p.time + delay) {
            extend_run(r, l, &s->p);
            count_loss(l, &s->p);
            tell_packet_lost(r, &s->p, now);
            lose(r, s, now, passed ? "reordering_threshold" : "time_threshold");
        } else if (s->p.time + delay < r->loss_time) {
            r->loss_time = s->p.time + delay;
        }
    }
}

static void tell_loss(struct tvl_recovery *r, const struct losses *l, uint64_t in_flight,
                      tvl_time now)
{
    const tvl_time period = PERSISTENT_FACTOR * (tvl_rtt_pto_base(&r->cc->rtt) + r->max_ack_delay);
    const struct tvl_cc_loss loss = { .now = now,
                                      .sent_at = l->newest_sent_at,
                                      .bytes = l->bytes,
                                      .in_flight = in_flight,
                                      .persistent = l->run_max > period,
                                      .harsher = r->cc->harsher };

    if ((l->packets == 0 && !l->marked) || l->newest_sent_at < r->cc->since)
        return;
    tvl_model_lost(&r->cc->model, &loss, r->cc->rtt.latest);
    r->cc->ops->on_loss(r->cc->state, &loss);
    changed(r->cc);
}

/* ---- acknowledgements ---- */

static bool is_lie(const struct tvl_recovery *r, const struct tvl_recovery_ack *ack)
{
    if (ack->range[0].last >= r->next_pn)
        return true;
    for (size_t i = 0; i < ack->n_ranges; i++) {
        const struct tvl_pn_range *g = &ack->range[i];

        for (uint64_t pn = g->first > r->first_pn ? g->first : r->first_pn; pn <= g->last; pn++)
            if (at(r, pn)->state == SLOT_SKIPPED)
                return true;
    }
    return false;
}

struct gains {
    struct tvl_rate_sample rate;
    uint64_t packets, bytes, ect0, ect1, ce;
    bool eliciting, largest_is_new;
    tvl_time largest_sent_at, newest_sent_at;
    tvl_time way; /* us, the sample without the peer's delay; 0: no sample */
};

static void gain(struct tvl_recovery *r, struct tvl_recovery_slot *s, uint64_t largest,
                 tvl_time now, struct gains *g)
{
    struct tvl_sent_packet *p = &s->p;
    const bool late = s->state == SLOT_LOST;

    if (late) {
        p->lost = true;
        r->spurious++;
        note(r, shown(s), NULL);
        tell_packet_spurious(r, p, now);
    } else {
        land(r, p);
    }
    s->state = SLOT_DONE;
    pass_large(&r->large, p);
    g->ect0 += p->ecn == TVL_ECN_ECT0;
    g->ect1 += p->ecn == TVL_ECN_ECT1;
    g->packets++;
    if (p->time > g->newest_sent_at)
        g->newest_sent_at = p->time;
    if (p->in_flight) {
        tvl_rate_acked(&r->cc->rate, &g->rate, &p->rate, p->time, p->bytes, now);
        g->bytes += late ? 0 : p->bytes;
    }
    g->eliciting = g->eliciting || (p->ack_eliciting && !late);
    if (p->pn == largest && !late) {
        g->largest_is_new = true;
        g->largest_sent_at = p->time;
    }
    r->handler->acked(r->user, shown(s));
}

static void take_ranges(struct tvl_recovery *r, const struct tvl_recovery_ack *ack, tvl_time now,
                        struct gains *g)
{
    for (size_t i = 0; i < ack->n_ranges; i++) {
        const struct tvl_pn_range *range = &ack->range[i];

        for (uint64_t pn = range->first > r->first_pn ? range->first : r->first_pn;
             pn <= range->last; pn++) {
            struct tvl_recovery_slot *s = at(r, pn);

            if (s->state == SLOT_OUT || s->state == SLOT_LOST)
                gain(r, s, ack->range[0].last, now, g);
        }
    }
}

static void tell_gain(struct tvl_recovery *r, const struct gains *g, tvl_time sample,
                      uint64_t in_flight, tvl_time now)
{
    struct tvl_path_cc *cc = r->cc;
    const struct tvl_cc_ack a = {
        .now = now,
        .rtt = sample,
        .srtt = tvl_rtt_srtt(&cc->rtt),
        .rtt_min = cc->rtt.min,
        .bytes = g->bytes,
        .in_flight = in_flight,
        .in_flight_after = cc->in_flight,
        .delivered = cc->rate.delivered,
        .lost = cc->rate.lost,
        .delivery_bps = tvl_rate_finish(&cc->rate, &g->rate, cc->rtt.min),
        .sent_at = g->newest_sent_at,
        .sent_delivered = g->rate.newest.delivered,
        .sent_lost = g->rate.newest.lost,
        .sent_in_flight = g->rate.newest.in_flight,
        .app_limited = g->rate.any && g->rate.newest.app_limited,
        .packets = cc->ecn.state == TVL_ECN_CAPABLE ? g->packets : 0,
        .marked = g->ce,
        .growth = cc->growth,
    };

    if (g->newest_sent_at >= cc->since)
        tvl_surety_acked(&cc->surety, &(struct tvl_surety_news){ .now = now,
                                                                 .packets = g->packets,
                                                                 .sample_bps = a.delivery_bps,
                                                                 .rtt = sample,
                                                                 .rtt_min = cc->rtt.min,
                                                                 .flight = a.sent_in_flight });
    if (g->bytes > 0 && g->newest_sent_at >= cc->since) {
        tvl_model_acked(&cc->model, &a, g->packets, g->way);
        cc->ops->on_ack(cc->state, &a);
        changed(cc);
    }
    tvl_pacer_set_rate(&cc->pacer, tvl_path_cc_pacing_bps(cc), now);
}

/* Marks of congestion count as a loss of nothing: RFC 9002 7.1. */
static void take_ecn(struct tvl_recovery *r, const struct tvl_recovery_ack *ack, struct gains *g,
                     struct losses *l)
{
    const struct tvl_ecn_ack a = {
        .has_counts = ack->has_ecn, .counts = ack->ecn, .ect0 = g->ect0, .ect1 = g->ect1
    };

    g->ce = tvl_ecn_on_ack(&r->cc->ecn, &r->ecn, &a);
    if (g->ce == 0 || r->cc->ops->l4s)
        return;
    l->marked = true;
    if (g->newest_sent_at > l->newest_sent_at)
        l->newest_sent_at = g->newest_sent_at;
}

int tvl_recovery_on_ack(struct tvl_recovery *r, const struct tvl_recovery_ack *ack, tvl_time now,
                        struct tvl_recovery_result *out)
{
    struct tvl_path_cc *cc = r->cc;
    const uint64_t in_flight = cc->in_flight;
    const uint64_t largest = ack->range[0].last;
    struct losses l = { .run_from = TVL_TIME_NEVER };
    struct gains g = { .packets = 0 };
    tvl_time sample = 0;

    if (out)
        *out = (struct tvl_recovery_result){ .any = false };
    if (is_lie(r, ack))
        return TVL_ERR_PEER;
    take_ranges(r, ack, now, &g);
    const bool rises = r->largest_acked == NONE || largest > r->largest_acked;
    if (rises) /* else the frame was overtaken, and its counts are old: 13.4.2.1 */
        take_ecn(r, ack, &g, &l);
    if (rises)
        r->largest_acked = largest;
    find_unproved(r);
    if (g.largest_is_new && g.eliciting && g.largest_sent_at >= cc->since) {
        const tvl_time delay =
            ack->ack_delay < r->max_ack_delay ? ack->ack_delay : r->max_ack_delay;

        sample = now - g.largest_sent_at;
        if (ack->waited < sample) /* else somebody has set the clock */
            sample -= ack->waited;
        if (ack->detour && sample < cc->rtt.min)
            sample = cc->rtt.min;
        tvl_rtt_update(&cc->rtt, sample, delay, now);
        g.way = sample >= cc->rtt.min + delay ? sample - delay : sample;
    }
    detect(r, now, &l);
    tell_loss(r, &l, in_flight, now);
    if (g.packets > 0) {
        tell_gain(r, &g, sample, in_flight, now);
        /* A client backs off until it knows that the server may answer at will: RFC 9002 6.2.1. */
        if (g.eliciting && !r->pto_when_idle)
            cc->pto_count = 0;
    }
    trim(r, now);
    if (out)
        *out = (struct tvl_recovery_result){ .any = g.packets > 0,
                                             .newest_sent_at = g.newest_sent_at,
                                             .acked = g.packets,
                                             .lost = l.packets,
                                             .rtt = g.way };
    return 0;
}

/* ---- time ---- */

tvl_time tvl_recovery_pto(const struct tvl_recovery *r)
{
    const unsigned shift = r->cc->pto_count < 16 ? r->cc->pto_count : 16;
    const tvl_time pto = (tvl_rtt_pto_base(&r->cc->rtt) + r->max_ack_delay) << shift;

    return pto < TVL_PTO_MAX ? pto : TVL_PTO_MAX;
}

tvl_time tvl_recovery_next_time(const struct tvl_recovery *r)
{
    if (r->loss_time != TVL_TIME_NEVER)
        return r->loss_time;
    if (r->pto_off || (r->n_eliciting == 0 && !r->pto_when_idle))
        return TVL_TIME_NEVER;
    return r->last_eliciting_at + tvl_recovery_pto(r);
}

const char *tvl_recovery_clock(const struct tvl_recovery *r)
{
    return r->loss_time != TVL_TIME_NEVER ? "loss" : "pto";
}

unsigned tvl_recovery_on_timeout(struct tvl_recovery *r, tvl_time now)
{
    const uint64_t in_flight = r->cc->in_flight;
    struct losses l = { .run_from = TVL_TIME_NEVER };

    if (now < tvl_recovery_next_time(r))
        return 0;
    if (r->loss_time != TVL_TIME_NEVER) {
        detect(r, now, &l);
        tell_loss(r, &l, in_flight, now);
        return 0;
    }
    /* Spaces that share a path may be due in one call: that is one step of their common backoff. */
    if (r->cc->pto_count == 0 || r->cc->pto_at != now)
        r->cc->pto_count++;
    r->cc->pto_at = now;
    r->last_eliciting_at = now;
    tvl_ecn_on_pto(&r->cc->ecn, r->cc->pto_count);
    return r->n_eliciting > 0 ? TVL_PTO_PROBES : 1;
}

void tvl_recovery_oldest(const struct tvl_recovery *r, size_t max,
                         void (*visit)(void *user, const struct tvl_sent_packet *p), void *user)
{
    for (uint64_t pn = r->first_pn; pn < r->next_pn && max > 0; pn++) {
        struct tvl_recovery_slot *s = at(r, pn);

        if (s->state != SLOT_OUT || !s->p.ack_eliciting || s->p.mtu_probe)
            continue;
        visit(user, shown(s));
        max--;
    }
}

/* Does the slot hold something to copy, and is there room for it? */
static bool copy_one(struct tvl_recovery_slot *s, uint64_t left)
{
    return s->state == SLOT_OUT && s->p.ack_eliciting && !s->p.mtu_probe && !s->p.copied &&
           s->p.bytes <= left;
}

uint64_t tvl_recovery_copy(struct tvl_recovery *r, const struct tvl_recovery_copies *which,
                           void (*visit)(void *user, const struct tvl_sent_packet *p), void *user)
{
    uint64_t bytes = 0, pn = r->first_pn;

    for (; pn < r->next_pn && at(r, pn)->p.time < which->sent_before; pn++) {
        if (!copy_one(at(r, pn), which->bytes - bytes))
            continue;
        at(r, pn)->p.copied = true;
        bytes += at(r, pn)->p.bytes;
        visit(user, shown(at(r, pn)));
    }
    if (r->last_eliciting_at <= which->sent_after)
        return bytes;
    for (uint64_t back = r->next_pn; back > pn && at(r, back - 1)->p.time > which->sent_after;
         back--) {
        if (!copy_one(at(r, back - 1), which->bytes - bytes))
            continue;
        at(r, back - 1)->p.copied = true;
        bytes += at(r, back - 1)->p.bytes;
        visit(user, shown(at(r, back - 1)));
    }
    return bytes;
}

uint64_t tvl_recovery_take_all(struct tvl_recovery *r, tvl_time now, const char *rule)
{
    uint64_t n = 0;

    for (uint64_t pn = r->first_pn; pn < r->next_pn; pn++) {
        struct tvl_recovery_slot *s = at(r, pn);

        if (s->state != SLOT_OUT)
            continue;
        lose(r, s, now, rule);
        n++;
    }
    r->loss_time = TVL_TIME_NEVER;
    r->unproved_pn = NONE;
    return n;
}

void tvl_recovery_discard(struct tvl_recovery *r)
{
    r->cc->in_flight -= r->bytes_in_flight;
    r->bytes_in_flight = 0;
    r->n_eliciting = 0;
    r->loss_time = TVL_TIME_NEVER;
    r->pto_when_idle = false;
    forget_all(r);
    r->unproved_pn = NONE;
}
