/*
 * health.c - see health.h.
 */
#include "health.h"

void tvl_health_init(struct tvl_health *h)
{
    *h = (struct tvl_health){ .waiting_since = TVL_TIME_NEVER };
}

/* How long silence may last, us. */
static tvl_time limit(const struct tvl_health_env *env)
{
    const tvl_time one = env->srtt + 4 * env->rttvar;
    /* What one honest answer can take: a round trip, its spread and the peer's ACK delay. */
    const tvl_time honest =
        env->srtt + (4 * env->rttvar > env->srtt / 2 ? 4 * env->rttvar : env->srtt / 2) +
        env->max_ack_delay;
    const tvl_time floor = TVL_HEALTH_SILENCE_MIN + env->max_ack_delay;
    tvl_time t = 3 * one;

    if (env->others_live) {
        const tvl_time cap = honest > TVL_HEALTH_SILENCE_MAX ? honest : TVL_HEALTH_SILENCE_MAX;

        if (t > cap)
            t = cap;
    }
    return t > floor ? t : floor;
}

static tvl_time min_time(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

void tvl_health_sent(struct tvl_health *h, tvl_time now)
{
    if (h->waiting_since == TVL_TIME_NEVER)
        h->waiting_since = now;
}

bool tvl_health_acked(struct tvl_health *h, tvl_time sent_at, uint64_t outstanding, tvl_time now)
{
    /* An acknowledgement of something older proves only what the path was: it may have come by
     * another path. */
    const bool revived = h->suspect && sent_at >= h->suspect_since;

    if (revived)
        h->suspect = false;
    h->waiting_since = outstanding > 0 ? now : TVL_TIME_NEVER;
    return revived;
}

void tvl_health_idle(struct tvl_health *h)
{
    h->waiting_since = TVL_TIME_NEVER;
}

enum tvl_health_verdict tvl_health_check(struct tvl_health *h, const struct tvl_health_env *env,
                                         tvl_time now)
{
    if (now < tvl_health_next(h, env))
        return TVL_HEALTH_KEEP;
    if (!h->suspect) {
        h->suspect = true;
        h->suspect_since = now;
        h->probe_interval = min_time(
            env->srtt > TVL_HEALTH_PROBE_FIRST ? env->srtt : TVL_HEALTH_PROBE_FIRST,
            TVL_HEALTH_PROBE_LAST);
        h->probe_at = now + h->probe_interval;
        return TVL_HEALTH_SUSPECT;
    }
    h->probe_interval = min_time(2 * h->probe_interval, TVL_HEALTH_PROBE_LAST);
    h->probe_at = now + h->probe_interval;
    return TVL_HEALTH_PROBE;
}

tvl_time tvl_health_next(const struct tvl_health *h, const struct tvl_health_env *env)
{
    if (h->suspect)
        return h->probe_at;
    if (h->waiting_since == TVL_TIME_NEVER)
        return TVL_TIME_NEVER;
    return h->waiting_since + limit(env);
}
