/* recovery.c - see recovery.h. */
#include "recovery.h"

void recovery_init(struct recovery *r)
{
    *r = (struct recovery){ .needed = false };
}

static void merge(struct recovery *r, const struct letter *l)
{
    r->has_held = r->has_held && l->has_held;
    if (r->has_held)
        encoder_orders_agree(&r->held, &l->held);
}

uint32_t recovery_missed(struct recovery *r, const struct letter *l, uint32_t followers,
                         uint64_t now_us)
{
    const uint32_t others = followers & ~(UINT32_C(1) << l->worker);
    if (!r->needed) {
        r->needed = true;
        r->since_us = now_us;
        r->spatial = l->spatial;
        r->has_held = l->has_held;
        r->held = l->held;
        r->asked = others;
        return others;
    }
    merge(r, l);
    if (now_us - r->since_us > RECOVERY_PATIENCE_US)
        r->asked = 0;
    if (l->spatial >= r->spatial)
        return 0;
    /* More follow a lower layer: all the others are asked once more. */
    r->spatial = l->spatial;
    r->asked = others;
    return others;
}

void recovery_heard(struct recovery *r, const struct letter *l)
{
    if (!r->needed || l->code != r->spatial)
        return; /* the answer to an earlier question */
    if (l->spatial != SVC_SPATIAL_MAX)
        merge(r, l);
    r->asked &= ~(UINT32_C(1) << l->worker);
}

void recovery_left(struct recovery *r, unsigned worker)
{
    r->asked &= ~(UINT32_C(1) << worker);
}

bool recovery_is_complete(const struct recovery *r)
{
    return r->needed && r->asked == 0;
}

void recovery_order(struct recovery *r, struct encoder_orders *orders)
{
    encoder_orders_refresh(orders, r->spatial, r->has_held ? &r->held : NULL);
    r->needed = false;
}
