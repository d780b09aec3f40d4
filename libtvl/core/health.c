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
        h->proof_at = now;
        h->waiting_since = outstanding > 0 ? now : TVL_TIME_NEVER;
        return true;
    }
    h->doubted = false;
    h->proof_at = now;
    h->waiting_since = outstanding > 0 ? now : TVL_TIME_NEVER;
    return false;
}

void tvl_health_proved(struct tvl_health *h, tvl_time now)
{
    h->proof_at = now;
}

bool tvl_health_is_stale(const struct tvl_health *h, tvl_time now)
{
    return now > h->proof_at + TVL_HEALTH_STALE;
}

bool tvl_health_is_ageing(const struct tvl_health *h, const struct tvl_health_env *env,
                          tvl_time now)
{
    const tvl_time answer = env->srtt + 4 * env->rttvar + env->max_ack_delay;
    const tvl_time most = TVL_HEALTH_STALE / 4 * 3; /* a question a quarter of it at most */

    return now + (answer < most ? answer : most) > h->proof_at + TVL_HEALTH_STALE;
}

void tvl_health_hint(struct tvl_health *h, tvl_time now)
{
    if (h->suspect && now + h->probe_interval >= h->probe_at + TVL_HEALTH_HINT_GAP &&
        now < h->probe_at)
        h->probe_at = now;
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

/* When the oldest packet after the last proof left. */
static tvl_time oldest(const struct tvl_health *h, const struct tvl_health_env *env)
{
    return env->unproved_at ? env->unproved_at : h->waiting_since;
}

/* Until when silence may last. */
static tvl_time patience(const struct tvl_health *h, const struct tvl_health_env *env)
{
    /* A long and steady path has next to no variance: half a round trip is the least of it. */
    const tvl_time honest = env->srtt + larger(4 * env->rttvar, env->srtt / 2) + env->max_ack_delay;
    const tvl_time round = env->srtt + 4 * env->rttvar;
    /* One packet may be lost: a probe time-out and its answer fit in (RFC 9002 6.2.1). */
    const tvl_time probed = 2 * round + env->max_ack_delay;
    tvl_time t = larger(3 * round, TVL_HEALTH_SILENCE_MIN + env->max_ack_delay);

    t = larger(t, probed);
    if (env->others_live && t > TVL_HEALTH_SILENCE_MAX)
        t = TVL_HEALTH_SILENCE_MAX;
    return larger(h->waiting_since + t, oldest(h, env) + honest);
}

/* Until when silence is nothing unusual. */
static tvl_time usual(const struct tvl_health *h, const struct tvl_health_env *env)
{
    const tvl_time due =
        oldest(h, env) + env->srtt + larger(4 * env->rttvar, TVL_HEALTH_DOUBT_SPREAD);
    const tvl_time t = larger(due, h->waiting_since + TVL_HEALTH_DOUBT_GAP);
    const tvl_time most = patience(h, env);

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
    if (h->waiting_since == TVL_TIME_NEVER || now < usual(h, env))
        return TVL_HEALTH_KEEP;
    if (now < patience(h, env)) {
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
    return h->doubted ? patience(h, env) : usual(h, env);
}
