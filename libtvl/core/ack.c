/*
 * ack.c - see ack.h.
 */
#include "ack.h"

#include <string.h>

#define ACK_PING_AFTER 16 /* ACKs unanswered: a receiver of a stream asks about once per 32 packets */

void tvl_ack_init(struct tvl_ack *a, enum tvl_ack_policy policy)
{
    *a = (struct tvl_ack){ .policy = policy, .due_at = TVL_TIME_NEVER };
}

/* Index of the first range that ends at or above `pn`. */
static size_t find_range(const struct tvl_ack *a, uint64_t pn)
{
    size_t lo = 0, hi = a->n_ranges;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (a->range[mid].last < pn)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool tvl_ack_is_duplicate(const struct tvl_ack *a, uint64_t pn)
{
    if (pn < a->floor)
        return true;
    const size_t i = find_range(a, pn);

    return i < a->n_ranges && a->range[i].first <= pn;
}

static void drop_oldest(struct tvl_ack *a)
{
    a->floor = a->range[0].last + 1;
    a->n_ranges--;
    memmove(&a->range[0], &a->range[1], a->n_ranges * sizeof a->range[0]);
}

/* `pn` is in no range. */
static void insert(struct tvl_ack *a, uint64_t pn)
{
    size_t i = find_range(a, pn);
    const bool joins_below = i > 0 && a->range[i - 1].last + 1 == pn;
    const bool joins_above = i < a->n_ranges && a->range[i].first == pn + 1;

    if (joins_below && joins_above) {
        a->range[i - 1].last = a->range[i].last;
        a->n_ranges--;
        memmove(&a->range[i], &a->range[i + 1], (a->n_ranges - i) * sizeof a->range[0]);
    } else if (joins_below) {
        a->range[i - 1].last = pn;
    } else if (joins_above) {
        a->range[i].first = pn;
    } else {
        if (a->n_ranges == TVL_ACK_RANGES_MAX) {
            if (i == 0) { /* older than everything worth remembering */
                a->floor = pn + 1;
                return;
            }
            drop_oldest(a);
            i--;
        }
        memmove(&a->range[i + 1], &a->range[i], (a->n_ranges - i) * sizeof a->range[0]);
        a->range[i] = (struct tvl_pn_range){ pn, pn };
        a->n_ranges++;
    }
}

static void count_ecn(struct tvl_ack_ecn *e, uint8_t bits)
{
    switch (bits & 3) {
    case 1:
        e->ect1++;
        break;
    case 2:
        e->ect0++;
        break;
    case 3:
        e->ce++;
        break;
    default:
        break;
    }
}

void tvl_ack_received(struct tvl_ack *a, const struct tvl_ack_packet *p, tvl_time now)
{
    if (tvl_ack_is_duplicate(a, p->pn))
        return;
    const uint64_t expected = tvl_ack_largest_next(a);

    insert(a, p->pn);
    if (p->pn >= expected)
        a->largest_at = now;
    count_ecn(&a->ecn, p->ecn);
    if (!p->ack_eliciting)
        return;
    a->owed++;
    /* RFC 9000 13.2.1: a gap or a late packet tells the peer about loss or reordering, a mark about
     * congestion; it should know at once. */
    if (a->policy == TVL_ACK_AT_ONCE || a->owed >= TVL_ACK_EVERY || p->pn != expected ||
        (p->ecn & 3) == 3)
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
    return a->n_ranges > 0 ? a->range[a->n_ranges - 1].last + 1 : a->floor;
}

bool tvl_ack_make(const struct tvl_ack *a, struct tvl_ack_out *out, tvl_time now)
{
    if (a->n_ranges == 0)
        return false;
    out->n_ranges = a->n_ranges;
    for (size_t i = 0; i < a->n_ranges; i++)
        out->range[i] = a->range[a->n_ranges - 1 - i];
    out->largest = out->range[0].last;
    out->delay = now > a->largest_at ? now - a->largest_at : 0;
    out->ecn = a->ecn;
    return true;
}

void tvl_ack_sent(struct tvl_ack *a)
{
    a->owed = 0;
    a->due_at = TVL_TIME_NEVER;
    if (a->unanswered < UINT32_MAX)
        a->unanswered++;
}

void tvl_ack_forget(struct tvl_ack *a, uint64_t largest)
{
    a->unanswered = 0;
    while (a->n_ranges > 0 && a->range[0].last <= largest) {
        /* The newest range stays, so that there is always something to say. */
        if (a->n_ranges == 1)
            break;
        drop_oldest(a);
    }
    struct tvl_pn_range *oldest = &a->range[0];

    if (a->n_ranges == 0 || oldest->first > largest)
        return;
    /* Keep one number of it: the largest told, or the last there is. */
    oldest->first = largest < oldest->last ? largest + 1 : oldest->last;
    if (oldest->first > a->floor)
        a->floor = oldest->first;
}

bool tvl_ack_wants_ping(const struct tvl_ack *a)
{
    return a->unanswered >= ACK_PING_AFTER;
}
