/*
 * health.h - proof of delivery: when to leave a path, and when to come back to it.
 *
 *        sent, and silence for too long                a packet sent since is acknowledged
 *   UP ----------------------------------> SUSPECT -----------------------------------------> UP
 *                                          probe at once, then ever more seldom
 *
 * Silence is measured from the later of "something ack-eliciting went out while nothing was
 * outstanding" and "something was newly acknowledged". The limit is 3 * (srtt + 4 rttvar); while
 * other paths live at most TVL_HEALTH_SILENCE_MAX, though never less than a round trip with its
 * spread could honestly take. Pure: no timers, no packets. A path with nothing outstanding is idle,
 * not suspect.
 *
 * Before that, after a silence of srtt + 4 rttvar, the path is in doubt: what is outstanding is
 * sent again elsewhere as a copy and new data goes elsewhere, until the next acknowledgement. Being
 * wrong about a doubt costs a few bytes; waiting costs the viewer a picture.
 */
#ifndef TVL_CORE_HEALTH_H
#define TVL_CORE_HEALTH_H

#include <tvl/tvl.h>

#define TVL_HEALTH_SILENCE_MAX 200000u /* us, while others live: a viewer's patience */
#define TVL_HEALTH_SILENCE_MIN 30000u  /* us, + the peer's max_ack_delay: timers and schedulers */
#define TVL_HEALTH_DOUBT_SPREAD 20000u /* us over srtt at least, before a doubt */
#define TVL_HEALTH_PROBE_FIRST 100000u /* us between the first two probes, at least one srtt */
#define TVL_HEALTH_PROBE_LAST 500000u  /* us: bound of the growing interval */

struct tvl_health {
    bool suspect;
    bool doubted;           /* since the last acknowledgement; stays while suspect */
    tvl_time waiting_since; /* TVL_TIME_NEVER: idle */
    tvl_time suspect_since;
    tvl_time probe_at; /* next probe, while suspect */
    tvl_time probe_interval;
};

/* What the verdict depends on beside the path's own history. */
struct tvl_health_env {
    tvl_time srtt, rttvar;  /* us, of this path (tvl_rtt_srtt, tvl_rtt_var) */
    tvl_time max_ack_delay; /* us, the peer's */
    bool others_live;       /* another path is up */
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
/* Everything outstanding was declared lost or taken away: the path is idle. */
void tvl_health_idle(struct tvl_health *h);
enum tvl_health_verdict tvl_health_check(struct tvl_health *h, const struct tvl_health_env *env,
                                         tvl_time now);
/* The host knows that nothing passes now: suspect at once. false: it was already. */
bool tvl_health_down(struct tvl_health *h, const struct tvl_health_env *env, tvl_time now);
/* When check next has something to say; TVL_TIME_NEVER: not before the next report. */
tvl_time tvl_health_next(const struct tvl_health *h, const struct tvl_health_env *env);

#endif
