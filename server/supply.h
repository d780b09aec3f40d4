/*
 * supply.h - what the live encoder is told: each spatial layer's own bit rate, and how many spatial
 * layers are coded at all. It is encoded once for all viewers, so the rates follow the best of
 * them; the others get what their own paths carry of it (policy.h).
 *
 *     fault      a T0 unit that the best viewer needed was dropped or came too late, its queue does
 *                not drain, or its T1 units have to make room all the time: the top layer's rate is
 *                cut at once, to what is known to pass, but by 15 % at least and by half at most.
 *                Under its least rate the layer is left out; the base is cut last and never left
 *                out.
 *     proof      a second without a fault and without a queue: 5 % of the configured rate more, the
 *                lowest layer that is short of its rate first; then the layer that was left out, at
 *                its least rate. The sum at which it failed is remembered: nothing comes near it
 *                again before a back-off, which doubles with each try that fails.
 *     nobody     takes a layer: it is not coded, and comes back when it is asked for. When nobody
 *                takes anything all that was learnt is forgotten.
 *     no news    nothing at all is acknowledged: an outage says nothing about rates.
 *
 * Additive increase, multiplicative decrease (Chiu and Jain, 1989), with a memory. Pure: state and
 * input in, decision out; sender.h logs it.
 */
#ifndef SERVER_SUPPLY_H
#define SERVER_SUPPLY_H

#include <svc/decisions.h>
#include <svc/svc.h>

#define SUPPLY_PERIOD_US 200000 /* about the time from one input to the next */
#define SUPPLY_APART_US 300000  /* between cuts: the one before has to be seen to work */
#define SUPPLY_DRAIN_US 700000  /* more than that, for what a layer that was left out has queued */
#define SUPPLY_CUT_LEAST_PERCENT 85u
#define SUPPLY_CUT_MOST_PERCENT 50u /* one measurement is not believed more than that */
#define SUPPLY_SURE_PERCENT 90u     /* of what passes, to aim at: the queue has to drain, too */
#define SUPPLY_LEAST_PERCENT 35u    /* of its configured rate, under which a layer is left out */
#define SUPPLY_STEP_PERCENT 5u      /* of the configured rate, once a second */
#define SUPPLY_PROOF_US 1000000
#define SUPPLY_QUEUE_PERCENT 40u   /* of the latency: a queue that stays that long is a fault, */
#define SUPPLY_IDLE_PERCENT 10u    /* and one longer than this is no proof */
#define SUPPLY_THINNED_MAX 10u     /* twice the inputs with thinned units above those without */
#define SUPPLY_FAILED_PERCENT 90u  /* of the sum that failed: so far it may rise at any time */
#define SUPPLY_EPISODE_US 2000000  /* faults no further apart are one failure */
#define SUPPLY_BACKOFF_US 2000000  /* after a failure; doubles with each try that fails ... */
#define SUPPLY_BACKOFF_STEPS 5     /* ... up to 32 s */
#define SUPPLY_FORGIVE_US 10000000 /* above the sum that failed without a fault: forget it */
#define SUPPLY_GRACE_US 1000000    /* a young path's faults are no evidence */
#define SUPPLY_OUTAGE_US 500000    /* what comes to light after an outage is the outage's */

struct supply_input {
    int64_t now_us;    /* any monotonic clock */
    uint8_t n_spatial; /* [1, SVC_SPATIAL_MAX] that the encoder was opened with */
    uint8_t wanted;    /* the lowest so many are taken by somebody, [0, n_spatial] */
    uint32_t configured_bps[SVC_SPATIAL_MAX]; /* own rates of the layers, the most they may get */
    uint32_t audio_bps;
    uint32_t latency_us;
    /* Of the best viewer: */
    uint64_t who;           /* which it is */
    uint32_t paths;         /* that are up */
    uint64_t rate_bps;      /* that all live paths are sure to carry */
    uint64_t delivered_bps; /* acknowledged lately */
    uint32_t queue_us; /* least time that what was queued for it took, since the input before */
    /* T0 units since the input before; dropped: for want of rate or time, not what leans on it. */
    uint32_t offered[SVC_SPATIAL_MAX], sent[SVC_SPATIAL_MAX], dropped[SVC_SPATIAL_MAX],
        expired[SVC_SPATIAL_MAX];
    uint32_t thinned[SVC_SPATIAL_MAX]; /* units of other temporal layers, dropped or expired */
};

enum supply_reason {
    SUPPLY_SAME,
    SUPPLY_BEGIN,    /* all that was configured: nothing speaks against it yet */
    SUPPLY_WANTED,   /* viewers take another number of layers */
    SUPPLY_FAULT,    /* down: a unit was dropped or late */
    SUPPLY_QUEUE,    /* down: a queue does not drain */
    SUPPLY_THINNED,  /* down: T1 has to make room all the time */
    SUPPLY_LEFT_OUT, /* down: the layer would get less than its least rate */
    SUPPLY_PROOF,    /* up */
    SUPPLY_RETURN,   /* up: a layer that was left out */
};
const char *supply_reason_text(enum supply_reason r); /* static, never NULL */

struct supply_decision {
    uint8_t n_spatial;                     /* coded, [1, as opened] */
    uint32_t bitrate_bps[SVC_SPATIAL_MAX]; /* of each of them; 0 above */
    uint8_t reason;                        /* enum supply_reason */
};

struct supply { /* zero is a fresh one */
    bool begun;
    uint8_t allowed; /* layers that the best viewer's paths carry */
    uint8_t coded;   /* allowed and wanted, or the base */
    uint32_t rate_bps[SVC_SPATIAL_MAX];
    uint64_t who;
    uint32_t paths;
    int64_t cut_at_us;
    int64_t clean_since_us; /* no fault and no queue since then; nor a step up */
    uint8_t thinned;        /* 2 for each input with thinned units, -1 for each without */
    int64_t quiet_until_us; /* faults before it say nothing */
    /* The last failure: */
    uint64_t failed_bps; /* all that was coded, and sound; 0: none */
    uint8_t failures;    /* tries that failed since */
    int64_t fault_at_us, retry_at_us;
    int64_t above_since_us; /* the sum has been that again, or more, without a fault */
};

/* An input outside its ranges changes nothing and asks for one layer, its rate as it is. */
void supply_decide(struct supply *s, const struct supply_input *in, struct supply_decision *out);

extern const struct decision_field supply_in_fields[], supply_out_fields[]; /* for sender.h */

#endif
