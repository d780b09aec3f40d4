/* health.c - proof of delivery. Drawing and contract in health.h. */
#include "health.h"

void tvl_health_init(struct tvl_health *h)
{
    *h = (struct tvl_health){ .waiting_since = TVL_TIME_NEVER };
}

void tvl_health_sent(struct tvl_health *h, tvl_time now)
{
    if (h->waiting_since == TVL_TIME_NEVER)
        h->waiting_since = now;
}

bool tvl_health_acked(struct tvl_health *h, tvl_time sent_at, uint64_t outstanding, tvl_time now)
{
    if (h->suspect) {
        if (sent_at < h->suspect_since)
            return false; /* news from before the silence proves nothing about now */
        h->suspect = h->doubted = false;
        h->waiting_since = outstanding > 0 ? now : TVL_TIME_NEVER;
        return true;
    }
    h->doubted = false;
    h->waiting_since = outstanding > 0 ? now : TVL_TIME_NEVER;
    return false;
}

void tvl_health_idle(struct tvl_health *h)
{
    h->doubted = h->suspect;
    h->waiting_since = TVL_TIME_NEVER;
}

static tvl_time larger(tvl_time a, tvl_time b)
{
    return a > b ? a : b;
}

/* How long silence may last. */
static tvl_time patience(const struct tvl_health_env *env)
{
    /* A long and steady path has next to no variance: half a round trip is the least of it. */
    const tvl_time honest = env->srtt + larger(4 * env->rttvar, env->srtt / 2) + env->max_ack_delay;
    const tvl_time three = 3 * (env->srtt + 4 * env->rttvar);
    tvl_time t = larger(three, TVL_HEALTH_SILENCE_MIN + env->max_ack_delay);

    if (env->others_live && t > TVL_HEALTH_SILENCE_MAX)
        t = larger(TVL_HEALTH_SILENCE_MAX, honest);
    return t;
}

/* How long silence is nothing unusual. */
static tvl_time usual(const struct tvl_health_env *env)
{
    const tvl_time t = env->srtt + larger(4 * env->rttvar, TVL_HEALTH_DOUBT_SPREAD);
    const tvl_time most = patience(env);

    return t < most ? t : most;
}

static void become_suspect(struct tvl_health *h, const struct tvl_health_env *env, tvl_time now)
{
    h->doubted = true;
    h->suspect = true;
    h->suspect_since = now;
    h->probe_interval = larger(TVL_HEALTH_PROBE_FIRST, env->srtt);
    if (h->probe_interval > TVL_HEALTH_PROBE_LAST)
        h->probe_interval = TVL_HEALTH_PROBE_LAST;
    h->probe_at = now + h->probe_interval;
}

bool tvl_health_down(struct tvl_health *h, const struct tvl_health_env *env, tvl_time now)
{
    if (h->suspect)
        return false;
    become_suspect(h, env, now);
    return true;
}

enum tvl_health_verdict tvl_health_check(struct tvl_health *h, const struct tvl_health_env *env,
                                         tvl_time now)
{
    if (h->suspect) {
        if (now < h->probe_at)
            return TVL_HEALTH_KEEP;
        h->probe_interval = 3 * h->probe_interval / 2;
        if (h->probe_interval > TVL_HEALTH_PROBE_LAST)
            h->probe_interval = TVL_HEALTH_PROBE_LAST;
        h->probe_at = now + h->probe_interval;
        return TVL_HEALTH_PROBE;
    }
    if (h->waiting_since == TVL_TIME_NEVER || now < h->waiting_since + usual(env))
        return TVL_HEALTH_KEEP;
    if (now < h->waiting_since + patience(env)) {
        if (h->doubted)
            return TVL_HEALTH_KEEP;
        h->doubted = true;
        return TVL_HEALTH_DOUBT;
    }
    become_suspect(h, env, now);
    return TVL_HEALTH_SUSPECT;
}

tvl_time tvl_health_next(const struct tvl_health *h, const struct tvl_health_env *env)
{
    if (h->suspect)
        return h->probe_at;
    if (h->waiting_since == TVL_TIME_NEVER)
        return TVL_TIME_NEVER;
    return h->waiting_since + (h->doubted ? patience(env) : usual(env));
}
