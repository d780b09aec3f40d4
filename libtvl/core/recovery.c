/*
 * recovery.c - see recovery.h. The order of things in an acknowledgement is RFC 9002 A.7:
 * RTT, losses, window, timers.
 */
#include "recovery.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAP 32u
#define TOMBSTONE_PTOS 3      /* after that a late acknowledgement is no news to anybody */
#define PTO_SHIFT_MAX 16u     /* 1 ms << 16 is past TVL_PTO_MAX already */
#define PERSISTENT_PTOS 3u    /* RFC 9002 7.6.1 kPersistentCongestionThreshold */

enum slot_state {
    SLOT_GONE,        /* acknowledged or forgotten */
    SLOT_OUTSTANDING, /* sent, fate unknown */
    SLOT_LOST,        /* declared lost: a tombstone */
    SLOT_TAKEN,       /* a tombstone of take_all: its loss says nothing about congestion */
    SLOT_SKIPPED,     /* a number never sent */
};

struct tvl_recovery_slot {
    struct tvl_sent_packet p;
    tvl_time lost_at;
    enum slot_state state;
};

static struct tvl_recovery_slot *slot_at(const struct tvl_recovery *r, uint64_t pn)
{
    return &r->slot[pn & (r->cap - 1)];
}

void tvl_recovery_init(struct tvl_recovery *r, struct tvl_path_cc *cc,
                       const struct tvl_recovery_handler *handler, void *user, tvl_time now)
{
    *r = (struct tvl_recovery){
        .cc = cc,
        .handler = handler,
        .user = user,
        .largest_acked = UINT64_MAX,
        .last_eliciting_at = now,
        .loss_time = TVL_TIME_NEVER,
    };
}

void tvl_recovery_fini(struct tvl_recovery *r)
{
    if (r == NULL)
        return;
    free(r->slot);
    r->slot = NULL;
    r->cap = 0;
    r->first_pn = r->next_pn;
}

uint64_t tvl_recovery_next_pn(const struct tvl_recovery *r)
{
    return r->next_pn;
}

uint64_t tvl_recovery_largest_acked(const struct tvl_recovery *r)
{
    return r->largest_acked;
}

tvl_time tvl_recovery_pto(const struct tvl_recovery *r)
{
    const unsigned count = r->cc->pto_count;
    const unsigned shift = count < PTO_SHIFT_MAX ? count : PTO_SHIFT_MAX;
    const tvl_time pto = (tvl_rtt_pto_base(&r->cc->rtt) + r->max_ack_delay) << shift;

    return pto < TVL_PTO_MAX ? pto : TVL_PTO_MAX;
}

/* ---- what is remembered ---- */

static void pop_front(struct tvl_recovery *r)
{
    if (slot_at(r, r->first_pn)->state == SLOT_SKIPPED)
        r->n_skipped--;
    r->first_pn++;
}

static bool is_tombstone(const struct tvl_recovery_slot *s)
{
    return s->state == SLOT_LOST || s->state == SLOT_TAKEN;
}

/* Forget the old end as far as nobody will miss it. */
static void forget_old(struct tvl_recovery *r, tvl_time now)
{
    const tvl_time keep =
        TOMBSTONE_PTOS * (tvl_rtt_pto_base(&r->cc->rtt) + r->max_ack_delay);

    while (r->first_pn < r->next_pn) {
        const struct tvl_recovery_slot *s = slot_at(r, r->first_pn);
        const uint64_t n = r->next_pn - r->first_pn;
        const bool quiet = s->state == SLOT_OUTSTANDING && !s->p.in_flight && !s->p.ack_eliciting;

        if (s->state == SLOT_OUTSTANDING && !(quiet && n >= TVL_SENT_QUIET_MAX))
            return;
        if (is_tombstone(s) && now < s->lost_at + keep && n < TVL_SENT_MAX)
            return;
        if (s->state == SLOT_SKIPPED && n < 2) /* the newest: still to be lied about */
            return;
        pop_front(r);
    }
}

static bool front_can_go(const struct tvl_recovery *r)
{
    return slot_at(r, r->first_pn)->state != SLOT_OUTSTANDING;
}

bool tvl_recovery_can_send(const struct tvl_recovery *r)
{
    return r->next_pn - r->first_pn < TVL_SENT_MAX || front_can_go(r);
}

static int grow(struct tvl_recovery *r)
{
    const uint32_t cap = r->cap > 0 ? 2 * r->cap : FIRST_CAP;
    struct tvl_recovery_slot *slot = calloc(cap, sizeof *slot);

    if (slot == NULL)
        return TVL_ERR_NOMEM;
    for (uint64_t pn = r->first_pn; pn < r->next_pn; pn++)
        slot[pn & (cap - 1)] = *slot_at(r, pn);
    free(r->slot);
    r->slot = slot;
    r->cap = cap;
    return 0;
}

/* The slot of next_pn, which becomes part of what is remembered. */
static int push(struct tvl_recovery *r, struct tvl_recovery_slot **out, tvl_time now)
{
    if (r->next_pn - r->first_pn > 0)
        forget_old(r, now);
    if (r->next_pn - r->first_pn >= TVL_SENT_MAX)
        return TVL_ERR_FULL;
    if (r->next_pn - r->first_pn == r->cap) {
        const int error = grow(r);

        if (error != 0)
            return error;
    }
    *out = slot_at(r, r->next_pn++);
    return 0;
}

int tvl_recovery_sent(struct tvl_recovery *r, const struct tvl_sent_packet *p, tvl_time now)
{
    struct tvl_path_cc *cc = r->cc;
    struct tvl_recovery_slot *s;

    assert(p->pn == r->next_pn && p->n_frames <= TVL_PACKET_FRAMES_MAX);
    const int error = push(r, &s, now);

    if (error != 0)
        return error;
    s->p = *p;
    s->p.time = now;
    s->p.lost = false;
    s->state = SLOT_OUTSTANDING;
    if (p->ack_eliciting) {
        r->n_eliciting++;
        r->last_eliciting_at = now;
    }
    if (!p->in_flight)
        return 0;
    tvl_rate_sent(&cc->rate, &s->p.rate, cc->in_flight, now);
    cc->in_flight += p->bytes;
    r->bytes_in_flight += p->bytes;
    tvl_pacer_sent(&cc->pacer, p->bytes, now);
    if (cc->ops->on_sent != NULL)
        cc->ops->on_sent(cc->state, &(struct tvl_cc_sent){ .now = now,
                                                           .bytes = p->bytes,
                                                           .in_flight = cc->in_flight });
    return 0;
}

int tvl_recovery_skip_pn(struct tvl_recovery *r, tvl_time now)
{
    struct tvl_recovery_slot *s;
    const int error = push(r, &s, now);

    if (error != 0)
        return error;
    s->state = SLOT_SKIPPED;
    r->n_skipped++;
    return 0;
}

/* An outstanding packet is outstanding no more. */
static void leave_flight(struct tvl_recovery *r, const struct tvl_sent_packet *p)
{
    if (p->ack_eliciting)
        r->n_eliciting--;
    if (p->in_flight) {
        r->bytes_in_flight -= p->bytes;
        r->cc->in_flight -= p->bytes;
    }
}

/* ---- losses ---- */

static void declare_lost(struct tvl_recovery *r, struct tvl_recovery_slot *s,
                         enum slot_state state, tvl_time now)
{
    leave_flight(r, &s->p);
    s->state = state;
    s->lost_at = now;
    s->p.lost = true;
    if (s->p.in_flight) {
        r->packets_lost++;
        r->bytes_lost += s->p.bytes;
    }
    r->handler->lost(r->user, &s->p);
}

/*
 * RFC 9002 7.6: two ack-eliciting packets lost, everything between them lost as well, sent further
 * apart than three PTOs, all after the first RTT sample. Looks at tombstones of earlier events too.
 */
static bool is_persistent(struct tvl_recovery *r)
{
    const tvl_time span =
        PERSISTENT_PTOS * (tvl_rtt_pto_base(&r->cc->rtt) + r->max_ack_delay);
    const tvl_time since = r->cc->rtt.first_sample_at;
    const struct tvl_sent_packet *oldest = NULL;
    uint64_t pn = r->persistent_to > r->first_pn ? r->persistent_to : r->first_pn;

    if (!tvl_rtt_known(&r->cc->rtt))
        return false;
    for (; pn < r->next_pn; pn++) {
        const struct tvl_recovery_slot *s = slot_at(r, pn);

        if (s->state == SLOT_SKIPPED)
            continue;
        if (s->state != SLOT_LOST) {
            oldest = NULL;
            continue;
        }
        if (!s->p.ack_eliciting || s->p.time <= since)
            continue;
        if (oldest == NULL)
            oldest = &s->p;
        if (s->p.time - oldest->time > span) {
            r->persistent_to = r->next_pn;
            return true;
        }
    }
    return false;
}

/* Declare what is overdue lost, tell the controller once. Result: packets. */
static uint64_t detect_lost(struct tvl_recovery *r, uint64_t in_flight_before, tvl_time now)
{
    const tvl_time delay = tvl_rtt_loss_delay(&r->cc->rtt);
    struct tvl_cc_loss loss = { .now = now, .in_flight = in_flight_before };
    uint64_t n = 0;

    r->loss_time = TVL_TIME_NEVER;
    if (r->largest_acked == UINT64_MAX)
        return 0;
    for (uint64_t pn = r->first_pn; pn < r->next_pn && pn < r->largest_acked; pn++) {
        struct tvl_recovery_slot *s = slot_at(r, pn);

        if (s->state != SLOT_OUTSTANDING)
            continue;
        if (s->p.time + delay > now && r->largest_acked < pn + TVL_PACKET_THRESHOLD) {
            if (s->p.time + delay < r->loss_time)
                r->loss_time = s->p.time + delay;
            continue;
        }
        if (s->p.in_flight) {
            loss.bytes += s->p.bytes;
            loss.sent_at = s->p.time;
        }
        declare_lost(r, s, SLOT_LOST, now);
        n++;
    }
    if (loss.bytes > 0) {
        loss.persistent = is_persistent(r);
        r->cc->ops->on_loss(r->cc->state, &loss);
    }
    return n;
}

/* ---- acknowledgements ---- */

struct ack_event {
    struct tvl_rate_sample sample;
    uint64_t packets, bytes; /* bytes: of those outstanding and in flight */
    bool eliciting, largest_is_new;
    tvl_time largest_sent_at;
    tvl_time newest_sent_at;
    tvl_time newest_counted_at; /* of those whose bytes count */
    bool app_limited;           /* of the same */
};

static bool acks_unsent(const struct tvl_recovery *r, const struct tvl_recovery_ack *ack)
{
    if (ack->range[0].last >= r->next_pn)
        return true;
    for (size_t i = 0; i < ack->n_ranges && r->n_skipped > 0; i++) {
        uint64_t pn = ack->range[i].first > r->first_pn ? ack->range[i].first : r->first_pn;

        for (; pn <= ack->range[i].last; pn++)
            if (slot_at(r, pn)->state == SLOT_SKIPPED)
                return true;
    }
    return false;
}

static void ack_packet(struct tvl_recovery *r, struct tvl_recovery_slot *s, struct ack_event *ev,
                       tvl_time now)
{
    const struct tvl_sent_packet *p = &s->p;

    ev->packets++;
    ev->eliciting |= p->ack_eliciting;
    if (p->time >= ev->newest_sent_at)
        ev->newest_sent_at = p->time;
    if (p->in_flight)
        tvl_rate_acked(&r->cc->rate, &ev->sample, &p->rate, p->time, p->bytes, now);
    if (is_tombstone(s)) {
        r->spurious++;
    } else {
        leave_flight(r, p);
        if (p->in_flight) {
            ev->bytes += p->bytes;
            if (p->time >= ev->newest_counted_at) {
                ev->newest_counted_at = p->time;
                ev->app_limited = p->rate.app_limited;
            }
        }
    }
    s->state = SLOT_GONE;
    r->handler->acked(r->user, p);
}

static void ack_range(struct tvl_recovery *r, const struct tvl_pn_range *range,
                      struct ack_event *ev, tvl_time now)
{
    for (uint64_t pn = range->first > r->first_pn ? range->first : r->first_pn;
         pn <= range->last && pn < r->next_pn; pn++) {
        struct tvl_recovery_slot *s = slot_at(r, pn);

        if (s->state == SLOT_OUTSTANDING || is_tombstone(s))
            ack_packet(r, s, ev, now);
    }
}

static void sample_rtt(struct tvl_recovery *r, const struct ack_event *ev,
                       const struct tvl_recovery_ack *ack, tvl_time now)
{
    const tvl_time held = ack->ack_delay < r->max_ack_delay ? ack->ack_delay : r->max_ack_delay;

    if (ev->largest_is_new && ev->eliciting)
        tvl_rtt_update(&r->cc->rtt, now - ev->largest_sent_at, held, now);
}

static void see_ecn(struct tvl_recovery *r, const struct ack_event *ev,
                    const struct tvl_recovery_ack *ack, uint64_t in_flight, tvl_time now)
{
    if (!ack->has_ecn || ack->ecn_ce <= r->ecn_ce)
        return;
    r->ecn_ce = ack->ecn_ce;
    r->cc->ops->on_loss(r->cc->state, &(struct tvl_cc_loss){ .now = now,
                                                             .sent_at = ev->newest_sent_at,
                                                             .in_flight = in_flight });
}

static void tell_acked(struct tvl_recovery *r, const struct ack_event *ev, uint64_t in_flight,
                       tvl_time now)
{
    struct tvl_path_cc *cc = r->cc;
    const uint64_t rate = tvl_rate_finish(&cc->rate, &ev->sample, cc->rtt.min);

    if (ev->bytes == 0)
        return;
    const struct tvl_cc_ack a = {
        .now = now,
        .rtt = ev->largest_is_new && ev->eliciting ? cc->rtt.latest : 0,
        .srtt = tvl_rtt_srtt(&cc->rtt),
        .rtt_min = cc->rtt.min,
        .bytes = ev->bytes,
        .in_flight = in_flight,
        .delivery_bps = rate,
        .sent_at = ev->newest_counted_at,
        .app_limited = ev->app_limited,
    };
    cc->ops->on_ack(cc->state, &a);
}

static void update_pacing(struct tvl_path_cc *cc, tvl_time now)
{
    tvl_pacer_set_rate(&cc->pacer, tvl_path_cc_pacing_bps(cc), now);
}

int tvl_recovery_on_ack(struct tvl_recovery *r, const struct tvl_recovery_ack *ack, tvl_time now,
                        struct tvl_recovery_result *out)
{
    const uint64_t in_flight = r->cc->in_flight;
    const uint64_t largest = ack->range[0].last;
    struct ack_event ev = { 0 };
    uint64_t lost = 0;

    if (out != NULL)
        *out = (struct tvl_recovery_result){ 0 };
    if (acks_unsent(r, ack))
        return TVL_ERR_PEER;
    if (largest >= r->first_pn) {
        const struct tvl_recovery_slot *s = slot_at(r, largest);

        ev.largest_is_new = s->state == SLOT_OUTSTANDING || is_tombstone(s);
        ev.largest_sent_at = s->p.time;
    }
    for (size_t i = 0; i < ack->n_ranges; i++)
        ack_range(r, &ack->range[i], &ev, now);
    if (ev.packets == 0)
        return 0;
    if (r->largest_acked == UINT64_MAX || largest > r->largest_acked)
        r->largest_acked = largest;
    sample_rtt(r, &ev, ack, now);
    see_ecn(r, &ev, ack, in_flight, now);
    lost = detect_lost(r, in_flight, now);
    tell_acked(r, &ev, in_flight, now);
    /* RFC 9002 6.2.1: a client keeps backing off until it knows that the server may answer. */
    if (!r->pto_when_idle)
        r->cc->pto_count = 0;
    update_pacing(r->cc, now);
    forget_old(r, now);
    if (out != NULL)
        *out = (struct tvl_recovery_result){ .any = true,
                                             .newest_sent_at = ev.newest_sent_at,
                                             .acked = ev.packets,
                                             .lost = lost };
    return 0;
}

/* ---- time ---- */

tvl_time tvl_recovery_next_time(const struct tvl_recovery *r)
{
    if (r->loss_time != TVL_TIME_NEVER)
        return r->loss_time;
    if (r->pto_off || (r->n_eliciting == 0 && !r->pto_when_idle))
        return TVL_TIME_NEVER;
    return r->last_eliciting_at + tvl_recovery_pto(r);
}

unsigned tvl_recovery_on_timeout(struct tvl_recovery *r, tvl_time now)
{
    struct tvl_path_cc *cc = r->cc;

    if (now < tvl_recovery_next_time(r))
        return 0;
    if (r->loss_time != TVL_TIME_NEVER) {
        (void)detect_lost(r, cc->in_flight, now);
        update_pacing(cc, now);
        return 0;
    }
    /* Three spaces may time out in one call: one step of the backoff they share. The timer restarts
     * here even if nothing can be sent now, so that it does not fire without end. */
    r->last_eliciting_at = now;
    if (cc->pto_count == 0 || cc->pto_at != now)
        cc->pto_count++;
    cc->pto_at = now;
    return r->n_eliciting > 0 ? TVL_PTO_PROBES : 1;
}

void tvl_recovery_oldest(const struct tvl_recovery *r, size_t max,
                         void (*visit)(void *user, const struct tvl_sent_packet *p), void *user)
{
    for (uint64_t pn = r->first_pn; pn < r->next_pn && max > 0; pn++) {
        const struct tvl_recovery_slot *s = slot_at(r, pn);

        if (s->state != SLOT_OUTSTANDING || !s->p.ack_eliciting)
            continue;
        visit(user, &s->p);
        max--;
    }
}

uint64_t tvl_recovery_take_all(struct tvl_recovery *r, tvl_time now)
{
    uint64_t n = 0;

    r->loss_time = TVL_TIME_NEVER;
    for (uint64_t pn = r->first_pn; pn < r->next_pn; pn++) {
        struct tvl_recovery_slot *s = slot_at(r, pn);

        if (s->state != SLOT_OUTSTANDING)
            continue;
        declare_lost(r, s, SLOT_TAKEN, now);
        n++;
    }
    return n;
}

void tvl_recovery_discard(struct tvl_recovery *r)
{
    r->cc->in_flight -= r->bytes_in_flight;
    r->bytes_in_flight = 0;
    r->n_eliciting = 0;
    r->n_skipped = 0;
    r->loss_time = TVL_TIME_NEVER;
    r->pto_when_idle = false;
    r->cc->pto_count = 0;
    tvl_recovery_fini(r);
}
