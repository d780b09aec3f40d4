/*
 * demand.h - which layers the player asks for: no more than its window can show, its decoder
 * decodes in time, and its paths bring in time. What of that is sent is the server's choice, which
 * knows the paths' rates; what it leaves out costs nothing here and counts for nothing.
 *
 * Levels rise by temporal layers of the base, then by spatial layers with all temporal ones:
 * S0T0, S0T1, S1T1, S2T1 of L3T2. A level is left at once when much of what comes is of no use or
 * the decoder falls behind; the next one is asked for after a time without anything of the kind,
 * which doubles with each failure there. Pure: state and input in, decision out.
 */
#ifndef CLIENT_DEMAND_H
#define CLIENT_DEMAND_H

#include <svc/svc.h>

#define DEMAND_PERIOD_US 200000 /* about the time from one input to the next */
#define DEMAND_WINDOW                                                       \
    10 /* inputs that are judged together as to the paths: the server takes \
          back within a second what it has tried in vain ... */
#define DEMAND_WINDOW_DECODER 5 /* ... and these of them as to the decoder */
#define DEMAND_LEVELS_MAX (SVC_SPATIAL_MAX + SVC_TEMPORAL_MAX - 1)
#define DEMAND_PROOF_US 1000000    /* without a fault, before more is asked for ... */
#define DEMAND_DOUBT_US 8000000    /* ... and where the decoder may well be too slow for it */
#define DEMAND_BACKOFF_US 2000000  /* after the first failure at a level; doubles with each ... */
#define DEMAND_BACKOFF_STEPS 5     /* ... up to 32 s */
#define DEMAND_FORGIVE_US 10000000 /* at a level without a fault takes one failure from it */
#define DEMAND_BAD_MIN 6 /* of a window with units of no use: a path's death is over sooner */
#define DEMAND_SLOW_MIN                                                       \
    3 /* of the decoder's with pictures left out: so is a moment in which the \
         machine does something else */
#define DEMAND_USELESS_MIN 4 /* units of no use in a window, and this share of what was sent: */
#define DEMAND_USELESS_PERCENT 25u
#define DEMAND_BUSY_PERCENT 85u   /* share of the time spent decoding that is too much */
#define DEMAND_MARGIN_PERCENT 25u /* of the latency: units that come later are no proof */
#define DEMAND_NO_MARGIN INT32_MAX

struct demand_input {
    int64_t now_us;                /* any monotonic clock */
    uint32_t latency_us;           /* from arrival to display, at best */
    uint8_t n_spatial, n_temporal; /* of what may be asked for; [1, SVC_..._MAX] */
    uint32_t width[SVC_SPATIAL_MAX], height[SVC_SPATIAL_MAX]; /* of the layers, pixels */
    uint32_t display_width, display_height;                   /* of the window; 0: no limit */
    uint8_t levels_max; /* so many levels may be asked for, by the person's wish; 0: all */
    uint32_t paths;     /* that are up */
    /* Since the input before: */
    uint32_t elapsed_us, busy_us; /* of which the decoder worked */
    uint32_t too_slow;            /* pictures that came in time and could not be shown in time */
    uint32_t in_time[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];  /* units that came before their turn */
    uint32_t useless[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];  /* of use to nobody: demand_useless */
    int32_t margin_us[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX]; /* least, from arrival to turn, negative:
                                                             behind it; DEMAND_NO_MARGIN: none */
};

/* A unit came `margin_us` before the turn of its picture. Negative: behind it, which is neither in
 * time nor useless as long as what others read may be healed by it, but no proof for more either.
 */
void demand_came(struct demand_input *in, struct svc_layer l, int64_t margin_us);
/* The sender gave a unit up on its way, or it came when nothing could be healed by it any more. */
void demand_useless(struct demand_input *in, struct svc_layer l);
/* What came is judged: from now on the next input. */
void demand_next(struct demand_input *in, int64_t now_us);

enum demand_reason {
    DEMAND_SAME,
    DEMAND_BEGIN,   /* all that the window can use: nothing speaks against it yet */
    DEMAND_DISPLAY, /* down: the window shows no more */
    DEMAND_DECODER, /* down: the machine is too slow */
    DEMAND_PATHS,   /* down: much of it came for nothing */
    DEMAND_PROOF,   /* up */
    DEMAND_WISH,    /* down: the person wants no more */
};
const char *demand_reason_text(enum demand_reason r); /* static, never NULL */

struct demand_decision {
    uint8_t spatial, temporal; /* highest layers to ask for */
    uint8_t reason;            /* enum demand_reason */
};

struct demand { /* zero is a fresh one */
    bool begun;
    uint8_t level;
    uint32_t paths;
    int64_t clean_since_us; /* nothing has spoken against the level since */
    int64_t forgiven_at_us;
    struct demand_try { /* by level: what became of asking for it */
        uint8_t failures;
        int64_t retry_at_us;
    } by_paths[DEMAND_LEVELS_MAX], by_decoder[DEMAND_LEVELS_MAX];
    uint8_t busy_percent[DEMAND_LEVELS_MAX]; /* when it was last there; 0: not known */
    struct demand_part {                     /* what counts of the last inputs at this level */
        uint32_t elapsed_us, busy_us, too_slow, in_time, useless;
        uint32_t bad, slow; /* inputs with units of no use, with pictures left out */
    } part[DEMAND_WINDOW];
    uint8_t n_parts;
};

/* Levels up to `top`: what levels_max is for "no layer above it". [1, DEMAND_LEVELS_MAX] */
uint8_t demand_levels_to(const struct demand_input *in, struct svc_layer top);

/* An input outside its ranges changes nothing and asks for the base layer. */
void demand_decide(struct demand *d, const struct demand_input *in, struct demand_decision *out);

#endif
