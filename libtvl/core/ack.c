/* ack.c - received packet numbers and the duty to acknowledge them. Contract in ack.h. */
#include "ack.h"

#include <string.h>

void tvl_ack_init(struct tvl_ack *a, enum tvl_ack_policy policy)
{
    *a = (struct tvl_ack){ .policy = policy, .due_at = TVL_TIME_NEVER };
}

bool tvl_ack_is_duplicate(const struct tvl_ack *a, uint64_t pn)
{
    if (pn < a->floor)
        return true;
    for (size_t i = a->n_ranges; i-- > 0;) {
        if (pn > a->range[i].last)
            return false;
        if (pn >= a->range[i].first)
            return true;
    }
    return false;
}

static void remove_range(struct tvl_ack *a, size_t i)
{
    a->n_ranges--;
    memmove(&a->range[i], &a->range[i + 1], (a->n_ranges - i) * sizeof a->range[0]);
}

static void insert_range(struct tvl_ack *a, size_t i, uint64_t pn)
{
    if (a->n_ranges == TVL_ACK_RANGES_MAX) { /* the oldest is forgotten for good */
        a->floor = a->range[0].last + 1;
        remove_range(a, 0);
        i = i > 0 ? i - 1 : 0;
        if (pn < a->floor)
            return;
    }
    memmove(&a->range[i + 1], &a->range[i], (a->n_ranges - i) * sizeof a->range[0]);
    a->range[i] = (struct tvl_pn_range){ pn, pn };
    a->n_ranges++;
}

static void add(struct tvl_ack *a, uint64_t pn)
{
    size_t i = a->n_ranges; /* the range goes before index i */

    while (i > 0 && a->range[i - 1].first > pn)
        i--;
    const bool touches_below = i > 0 && a->range[i - 1].last + 1 == pn;
    const bool touches_above = i < a->n_ranges && a->range[i].first == pn + 1;

    if (touches_below && touches_above) {
        a->range[i - 1].last = a->range[i].last;
        remove_range(a, i);
    } else if (touches_below) {
        a->range[i - 1].last = pn;
    } else if (touches_above) {
        a->range[i].first = pn;
    } else {
        insert_range(a, i, pn);
    }
}

static void count_ecn(struct tvl_ack_ecn *ecn, uint8_t bits)
{
    ecn->ect1 += bits == 1;
    ecn->ect0 += bits == 2;
    ecn->ce += bits == 3;
}

void tvl_ack_received(struct tvl_ack *a, const struct tvl_ack_packet *p, tvl_time now)
{
    const uint64_t expected = tvl_ack_largest_next(a);
    const bool out_of_order = p->pn != expected;

    add(a, p->pn);
    count_ecn(&a->ecn, p->ecn);
    if (p->pn >= expected)
        a->largest_at = now > p->waited ? now - p->waited : 0;
    if (!p->ack_eliciting)
        return;
    a->owed++;
    if (a->policy == TVL_ACK_AT_ONCE || a->owed >= TVL_ACK_EVERY || out_of_order || p->ecn == 3)
        a->due_at = now;
    else if (a->due_at == TVL_TIME_NEVER)
        a->due_at = now + TVL_ACK_DELAY;
}

tvl_time tvl_ack_due(const struct tvl_ack *a)
{
    return a->due_at;
}

bool tvl_ack_pending(const struct tvl_ack *a)
{
    return a->owed > 0;
}

uint64_t tvl_ack_largest_next(const struct tvl_ack *a)
{
    return a->n_ranges ? a->range[a->n_ranges - 1].last + 1 : a->floor;
}

bool tvl_ack_make(const struct tvl_ack *a, struct tvl_ack_out *out, tvl_time now)
{
    if (a->n_ranges == 0)
        return false;
    out->largest = a->range[a->n_ranges - 1].last;
    out->delay = now - a->largest_at;
    out->n_ranges = a->n_ranges;
    out->ecn = a->ecn;
    for (size_t i = 0; i < a->n_ranges; i++)
        out->range[i] = a->range[a->n_ranges - 1 - i];
    return true;
}

void tvl_ack_sent(struct tvl_ack *a)
{
    a->owed = 0;
    a->due_at = TVL_TIME_NEVER;
    a->unanswered++;
}

void tvl_ack_forget(struct tvl_ack *a, uint64_t largest)
{
    const uint64_t keep = tvl_ack_largest_next(a); /* the newest range anchors number decoding */

    a->unanswered = 0;
    while (a->n_ranges > 1 && a->range[0].last <= largest) {
        a->floor = a->range[0].last + 1;
        remove_range(a, 0);
    }
    if (a->n_ranges == 1 && a->range[0].first <= largest && largest + 1 < keep) {
        a->range[0].first = largest + 1;
        a->floor = largest + 1;
    }
}

bool tvl_ack_wants_ping(const struct tvl_ack *a)
{
    const unsigned patience = 32; /* ACKs; ranges are then about to pile up */

    return a->unanswered >= patience && a->unanswered % patience == 0;
}
