/*
 * health.h - proof of delivery: when to leave a path, and when to come back to it.
 *
 *        sent, and silence for too long                a packet sent since is acknowledged
 *   UP ----------------------------------> SUSPECT -----------------------------------------> UP
 *                                          probe at once, then ever more seldom
 *
 * What counts is the oldest packet after the last proof: the first ack-eliciting one sent after the
 * newest acknowledged. While data flows it left a round trip before the last acknowledgement came,
 * so its own is due at once, and silence shows within the spread of the round trip instead of a
 * whole one. Silence itself is measured from the later of "something ack-eliciting went out while
 * nothing was outstanding" and "something was newly acknowledged". Pure: no timers, no packets. A
 * path with nothing outstanding is idle, not suspect.
 *
 *     doubted   the oldest is overdue by 4 rttvar, and nothing was proved for a while: new data
 * goes elsewhere, and what is outstanding is sent there again as a copy, until the next
 *               acknowledgement. Being wrong costs a few bytes; waiting costs the viewer a picture
 *     suspect   silence for 3 * (srtt + 4 rttvar), at most TVL_HEALTH_SILENCE_MAX while other paths
 *               live, though never before the oldest could honestly have been acknowledged
 *     stale     no proof for TVL_HEALTH_STALE: what is known may be old. It is asked in time
 *               while others carry data, and before it is given more than a first flight
 */
#ifndef TVL_CORE_HEALTH_H
#define TVL_CORE_HEALTH_H

#include <tvl/tvl.h>

#define TVL_HEALTH_SILENCE_MAX 200000u /* us, while others live: a viewer's patience */
#define TVL_HEALTH_SILENCE_MIN 30000u  /* us, + the peer's max_ack_delay: timers and schedulers */
#define TVL_HEALTH_DOUBT_SPREAD 20000u /* us over srtt at least, before a doubt */
#define TVL_HEALTH_DOUBT_GAP 15000u    /* us without any proof at least, before a doubt */
#define TVL_HEALTH_STALE 300000u       /* us */
#define TVL_HEALTH_HINT_GAP 20000u     /* us: bound of probes that a sign of life calls for */
#define TVL_HEALTH_PROBE_FIRST 100000u /* us between the first two probes, at least one srtt */
#define TVL_HEALTH_PROBE_LAST                                          \
    300000u /* us: bound of the growing interval; back within a second \
             */

struct tvl_health {
    bool suspect;
    bool doubted;           /* since the last acknowledgement; stays while suspect */
    tvl_time waiting_since; /* TVL_TIME_NEVER: idle */
    tvl_time proof_at;      /* of the last proof of delivery; 0: none */
    tvl_time suspect_since;
    tvl_time probe_at; /* next probe, while suspect */
    tvl_time probe_interval;
};

/* What the verdict depends on beside the path's own history. */
struct tvl_health_env {
    tvl_time srtt, rttvar;  /* us, of this path (tvl_rtt_srtt, tvl_rtt_var) */
    tvl_time max_ack_delay; /* us, the peer's */
    bool others_live;       /* another path is up */
    tvl_time unproved_at;   /* tvl_recovery_unproved_at(); 0: not known */
};

enum tvl_health_verdict {
    TVL_HEALTH_KEEP,    /* nothing changed, nothing to do */
    TVL_HEALTH_DOUBT,   /* silent for longer than usual: send copies of what is outstanding */
    TVL_HEALTH_SUSPECT, /* the path has just become suspect: move its data, send a probe now */
    TVL_HEALTH_PROBE,   /* still suspect: send a probe (an ack-eliciting packet) now */
};

void tvl_health_init(struct tvl_health *h);
/* An ack-eliciting packet (a probe too) left on the path. */
void tvl_health_sent(struct tvl_health *h, tvl_time now);
/*
 * Something was newly acknowledged: `sent_at` of the newest such packet, `outstanding`
 * ack-eliciting packets left. True: the path was suspect and is up again.
 */
bool tvl_health_acked(struct tvl_health *h, tvl_time sent_at, uint64_t outstanding, tvl_time now);
/* The path was shown to deliver by other means: its challenge was answered. */
void tvl_health_proved(struct tvl_health *h, tvl_time now);
bool tvl_health_is_stale(const struct tvl_health *h, tvl_time now);
/* The answer to a question asked now would come about when it becomes stale: ask. */
bool tvl_health_is_ageing(const struct tvl_health *h, const struct tvl_health_env *env,
                          tvl_time now);
/* A packet of the peer came on the path: if it is suspect, probe it soon. */
void tvl_health_hint(struct tvl_health *h, tvl_time now);
/* Everything outstanding was declared lost or taken away: the path is idle. */
void tvl_health_idle(struct tvl_health *h);
enum tvl_health_verdict tvl_health_check(struct tvl_health *h, const struct tvl_health_env *env,
                                         tvl_time now);
/* The host knows that nothing passes now: suspect at once. false: it was already. */
bool tvl_health_down(struct tvl_health *h, const struct tvl_health_env *env, tvl_time now);
/* When check next has something to say; TVL_TIME_NEVER: not before the next report. */
tvl_time tvl_health_next(const struct tvl_health *h, const struct tvl_health_env *env);

#endif
