/* encoder_orders.c - see encoder_orders.h. */
#include "encoder_orders.h"

int encoder_orders_init(struct encoder_orders *o, uint8_t n_spatial)
{
    *o = (struct encoder_orders){ .n_spatial = n_spatial,
                                  .next = { .n_spatial = n_spatial, .refresh = -1 } };
    return pthread_mutex_init(&o->lock, NULL) == 0 ? 0 : -1;
}

void encoder_orders_fini(struct encoder_orders *o)
{
    pthread_mutex_destroy(&o->lock);
}

void encoder_orders_rates(struct encoder_orders *o, const uint32_t bitrate_bps[SVC_SPATIAL_MAX])
{
    pthread_mutex_lock(&o->lock);
    for (unsigned s = 0; s < o->n_spatial; s++) {
        if (bitrate_bps[s] == 0)
            continue;
        o->next.bitrate_bps[s] = bitrate_bps[s];
        o->next.rates_changed = true;
    }
    pthread_mutex_unlock(&o->lock);
}

void encoder_orders_top(struct encoder_orders *o, uint8_t n_spatial)
{
    pthread_mutex_lock(&o->lock);
    o->next.n_spatial = n_spatial < 1 ? 1 : n_spatial > o->n_spatial ? o->n_spatial : n_spatial;
    pthread_mutex_unlock(&o->lock);
}

void encoder_orders_agree(struct svc_tracker *a, const struct svc_tracker *b)
{
    for (unsigned i = 0; i < SVC_SLOTS; i++)
        a->slot[i].valid = a->slot[i].valid && b->slot[i].valid &&
                           a->slot[i].spatial == b->slot[i].spatial &&
                           a->slot[i].picture == b->slot[i].picture;
}

void encoder_orders_refresh(struct encoder_orders *o, unsigned spatial,
                            const struct svc_tracker *held)
{
    struct encoder_order *n = &o->next;

    if (spatial >= o->n_spatial)
        return;
    pthread_mutex_lock(&o->lock);
    if (n->refresh < 0) {
        n->refresh = (int)spatial;
        n->has_held = held != NULL;
        if (held)
            n->held = *held;
    } else {
        n->refresh = (int)spatial < n->refresh ? (int)spatial : n->refresh;
        n->has_held = n->has_held && held;
        if (n->has_held)
            encoder_orders_agree(&n->held, held);
    }
    pthread_mutex_unlock(&o->lock);
}

static void served(struct encoder_orders *o, unsigned spatial, uint64_t now_us)
{
    for (unsigned s = spatial; s < o->n_spatial; s++)
        o->refreshed_at[s] = now_us;
    o->next.refresh = -1;
    o->next.has_held = false;
}

/* Whoever comes just after a key picture of the broadcast's own rhythm need not wait long; but many
 * who come one by one get one a second. */
static bool waits(const struct encoder_orders *o, unsigned spatial, uint64_t now_us)
{
    const uint64_t last = o->refreshed_at[spatial];
    const uint64_t apart = spatial == 0 ? ENCODER_KEY_AFTER_US : ENCODER_REFRESH_APART_US;

    return (last && now_us - last < apart) ||
           (spatial == 0 && o->asked_at && now_us - o->asked_at < ENCODER_KEY_APART_US);
}

struct encoder_order encoder_orders_take(struct encoder_orders *o, uint64_t now_us)
{
    pthread_mutex_lock(&o->lock);
    struct encoder_order out = o->next;

    if (out.refresh >= 0 && waits(o, (unsigned)out.refresh, now_us)) {
        out.refresh = -1;
    } else if (out.refresh >= 0) {
        o->asked_at = out.refresh == 0 ? now_us : o->asked_at;
        served(o, (unsigned)out.refresh, now_us);
    }
    o->next.rates_changed = false;
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        o->next.bitrate_bps[s] = 0;
    pthread_mutex_unlock(&o->lock);
    return out;
}

void encoder_orders_keyed(struct encoder_orders *o, uint64_t now_us)
{
    pthread_mutex_lock(&o->lock);
    served(o, 0, now_us);
    pthread_mutex_unlock(&o->lock);
}
