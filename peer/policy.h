/*
 * policy.h - which layer units one viewer gets, until when, and how protected; decided before they
 * are queued. Pure: state in, order out; tables test it, and sender.h logs it.
 *
 * The transport sends lower layers first, so an enhancement that does not fit cannot hurt the base;
 * what it costs is the layer itself, and the bytes that would have been of use. Therefore:
 *
 *     base (S0T0)   is always sent.
 *     undecodable   what reads something the viewer was not sent, or lost, is not sent.
 *     sync          (a unit that reads nothing older than its own picture: a spatial layer can
 *                   be taken up here) is sent when its layer is admitted: the rate holds it, or
 *                   it went well since the last sync, or it has been left alone long enough to
 *                   try again. Such a try is a probe with useful bytes.
 *     T0 of others  is dropped when it would be through too late; its layer has then failed,
 *                   with all above, until a sync.
 *     T1            is dropped freely, and earlier, when a queue grows, and when T0 of its layer
 *                   arrives behind its time.
 *
 * A unit lives as long as it is of use, not as long as its picture can be shown with it: one that
 * later pictures read heals them as long as the decoder still holds what it reads itself.
 */
#ifndef PEER_POLICY_H
#define PEER_POLICY_H

#include <svc/svc.h>

#define POLICY_GRACE_US 1000000 /* a young path's rate is no evidence against a layer */
#define POLICY_BACKOFF_MIN_US 1000000
#define POLICY_BACKOFF_MAX_US 4000000
#define POLICY_BLIND_US 4000000 /* longer wait before a try that the rate speaks much against */
#define POLICY_LIVES_MOST 2     /* budgets that a unit lives at most */
#define POLICY_LOSSY_PPM                                                        \
    30000 /* lost on the way: above it a loss costs the base layer a round trip \
            too often */

enum policy_verdict {
    POLICY_SEND,
    POLICY_DROP_BROKEN, /* reads what the viewer has not */
    POLICY_DROP_RATE,   /* its layer is not admitted */
    POLICY_DROP_QUEUE,  /* it would be through too late */
};

enum policy_protection { /* of the unit's layer, from now on */
                         POLICY_PLAIN,
                         POLICY_RESCUE, /* sent on another path too when it falls behind */
                         POLICY_REPAIR, /* with repair symbols, as the loss asks for */
};

/* What is known of the way to the viewer at the moment of a decision. */
struct policy_view {
    uint64_t now;           /* us, any monotonic clock, not 0 */
    uint64_t rate_bps;      /* of all live paths, by their controllers */
    uint64_t sure_bps;      /* the same, but no more than was seen of those that are full */
    uint64_t backlog_bytes; /* queued that goes before the unit */
    uint64_t budget_us;     /* latency budget, more than 0 */
    uint64_t needed_bps;    /* means of the unit's layer and of all that goes before it */
    uint64_t above_bps;     /* of what goes before it alone */
    uint64_t delay_us;      /* of the unit of temporal layer 0 of the same spatial layer that was
                               acknowledged last: from its offer until then; 0: none yet */
    uint32_t loss_ppm;      /* of the packets on all paths, lately */
};

struct policy_order {
    enum policy_verdict verdict;
    uint64_t lifetime_us; /* POLICY_SEND: from now, until it is given up */
    enum policy_protection protection;
    bool refresh; /* the unit's layer is broken and would be admitted: a live encoder is to predict
                     it anew */
};

struct policy_spatial {
    bool admitted;     /* at its last sync */
    bool failed;       /* since its last sync */
    unsigned failures; /* lately; each doubles the wait and raises the bar */
    uint64_t retry_at; /* try it against the estimate from then on */
    uint64_t sync_picture;
};

struct policy {              /* zero is a fresh one */
    struct svc_tracker sent; /* what the viewer has if all that was sent arrives */
    struct policy_spatial spatial[SVC_SPATIAL_MAX];
    uint64_t grace_until;
    bool begun; /* something was sent */
};

struct policy_order policy_judge(struct policy *p, const struct policy_view *v,
                                 const struct svc_unit *unit);
/* The unit went to the transport (after POLICY_SEND only). */
void policy_sent(struct policy *p, const struct svc_unit *unit, uint64_t now);
/* A unit that was sent did not arrive in its lifetime. */
void policy_lost(struct policy *p, struct svc_layer layer, uint64_t picture, uint64_t now);
/* A path came up: what failed before is no evidence any more. */
void policy_path_up(struct policy *p, uint64_t now);
/* Of sound, from now until it is given up. */
uint64_t policy_sound_lifetime(uint64_t budget_us);

/* Whether the viewer has begun, which it does with a base unit: nothing else counts before. */
bool policy_begun(const struct policy *p);
/* Highest spatial layer that is going well, for display; -1: not even the base has begun. */
int policy_top(const struct policy *p);

#endif
