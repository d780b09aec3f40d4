/* ecn.c - the test of a path for ECN. Drawing and contract in ecn.h. */
#include "ecn.h"

void tvl_ecn_init(struct tvl_ecn *e, bool want)
{
    *e = (struct tvl_ecn){ .state = want ? TVL_ECN_TESTING : TVL_ECN_FAILED, .code = TVL_ECN_ECT0 };
}

void tvl_ecn_use(struct tvl_ecn *e, uint8_t code)
{
    if (e->code == code)
        return;
    e->code = code;
    if (e->state == TVL_ECN_FAILED)
        return;
    e->state = TVL_ECN_TESTING;
    e->tested = e->lost = 0;
}

void tvl_ecn_latch(struct tvl_ecn *e)
{
    e->on = e->state == TVL_ECN_TESTING || e->state == TVL_ECN_CAPABLE ? e->code : 0;
}

void tvl_ecn_sent(struct tvl_ecn *e, struct tvl_ecn_space *s, uint8_t code)
{
    if (code == TVL_ECN_ECT1)
        s->ect1++;
    else
        s->ect0++;
    if (e->state == TVL_ECN_TESTING && ++e->tested >= TVL_ECN_TEST_PACKETS)
        e->state = TVL_ECN_WAITING;
    else if (e->state == TVL_ECN_WAITING)
        e->tested++; /* of the same call */
}

void tvl_ecn_lost(struct tvl_ecn *e)
{
    if (e->state != TVL_ECN_TESTING && e->state != TVL_ECN_WAITING)
        return;
    e->lost++;
    if (e->state == TVL_ECN_WAITING && e->lost >= e->tested)
        e->state = TVL_ECN_FAILED;
}

void tvl_ecn_on_pto(struct tvl_ecn *e, unsigned pto_count)
{
    if (e->state == TVL_ECN_TESTING && pto_count >= TVL_ECN_DOUBT_PTO)
        e->state = TVL_ECN_WAITING;
}

/* RFC 9000 13.4.2.1. `rise`: by how much each count has grown. */
static bool counts_are_right(const struct tvl_ecn_space *s, const struct tvl_ecn_ack *ack)
{
    const struct tvl_ecn_counts *now = &ack->counts, *before = &s->told;

    if (!ack->has_counts)
        return ack->ect0 + ack->ect1 == 0 && before->ect0 + before->ect1 + before->ce == 0;
    if (now->ect0 < before->ect0 || now->ect1 < before->ect1 || now->ce < before->ce)
        return false;
    const uint64_t ce = now->ce - before->ce;

    if (now->ect0 - before->ect0 + ce < ack->ect0 || now->ect1 - before->ect1 + ce < ack->ect1)
        return false; /* marks were taken off, or turned into others */
    if (now->ect0 - before->ect0 + now->ect1 - before->ect1 + ce < ack->ect0 + ack->ect1)
        return false;
    return now->ect0 <= s->ect0 && now->ect1 <= s->ect1;
}

uint64_t tvl_ecn_on_ack(struct tvl_ecn *e, struct tvl_ecn_space *s, const struct tvl_ecn_ack *ack)
{
    const uint64_t ce = s->told.ce;

    if (e->state == TVL_ECN_FAILED)
        return 0;
    if (!counts_are_right(s, ack)) {
        e->state = TVL_ECN_FAILED;
        return 0;
    }
    if (!ack->has_counts)
        return 0;
    s->told = ack->counts;
    if ((e->code == TVL_ECN_ECT1 ? ack->ect1 : ack->ect0) > 0)
        e->state = TVL_ECN_CAPABLE;
    return s->told.ce - ce;
}

const char *tvl_ecn_name(enum tvl_ecn_state state)
{
    static const char *const names[] = { "testing", "unknown", "capable", "failed" };

    return names[state];
}
