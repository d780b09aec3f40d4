/*
 * playout.h - the playout clock: when each picture is due, and what its passing means. Pure: reads
 * no clock, decodes nothing; all times are microseconds, wall times on any monotonic clock.
 *
 *     due(picture) = pts(picture) + offset + follow
 *
 * The first picture fixes the offset so that it is due one target latency after its arrival. The
 * delay policy moves it: up at once when the base layer keeps coming late (a rebuffering), and
 * back, little by little, when it has long come early enough to bear that. With `low` it is always
 * as short as the last seconds would have borne, with the target latency kept in reserve.
 *
 * Clocks drift: of two hours one may be a second longer. The fastest units tell, for they had to
 * wait for nothing: where they come earlier or later than at the start, window by window, the
 * offset follows, in steps that the sound makes up for unheard.
 *
 * A clock may also stand still for seconds while the broadcast goes on: of a virtual machine that
 * is put into a file, of a computer that sleeps. Then units come much earlier than they ever did,
 * and keep doing so; their pictures would be waited for as long as the clock stood still, and all
 * that follows be shown so much behind. The clock leaps.
 */
#ifndef CLIENT_PLAYOUT_H
#define CLIENT_PLAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define PLAYOUT_STALL_INTERVALS_X2 5 /* a stall is a gap of more than 2.5 frame intervals */
#define PLAYOUT_GIVE_BACK_US 20000   /* at a time, one packet of sound ... */
#define PLAYOUT_GIVE_BACK_EVERY_US 1000000
#define PLAYOUT_SPARE_US 60000      /* ... while the base comes earlier than needed by this */
#define PLAYOUT_PROOF_US 10000000   /* of that, before; doubles with each further rebuffering ... */
#define PLAYOUT_PROOF_DOUBLINGS 4   /* ... so often */
#define PLAYOUT_LATE_RUN 5          /* late base units in a row ... */
#define PLAYOUT_LATE_SPAN_US 500000 /* ... over at least this time shift the clock */
#define PLAYOUT_SHIFT_MARGIN_US 20000 /* on top of the lateness seen */
#define PLAYOUT_SHIFT_MAX_US 1000000  /* per rebuffering */
#define PLAYOUT_EXTRA_MAX_US 3000000  /* all rebufferings together */
#define PLAYOUT_LOW_WINDOW_US 1000000 /* low: judged together; then it may give back */
#define PLAYOUT_LOW_LATE 3            /* late units in a window shift the clock, ... */
#define PLAYOUT_LOW_SPAN_US 300000    /* ... spread over so long: one hold-up does not */
#define PLAYOUT_LOW_MARGIN_US 10000   /* on top of the lateness seen */
#define PLAYOUT_FOLLOW_US 10000
#define PLAYOUT_FOLLOW_PARTS                                            \
    12 /* of what the sound is off, each time: in an eighth of a second \
        */
#define PLAYOUT_FOLLOW_MAX_US 250000 /* further off it is no clock */
#define PLAYOUT_DRIFT_WINDOW_US                                                               \
    30000000                          /* the earliest units of one against those of the first \
                                       */
#define PLAYOUT_DRIFT_STEADY_US 15000 /* from window to window clocks drift less */
#define PLAYOUT_DRIFT_MIN_US 4000     /* off by more the clocks drift ... */
#define PLAYOUT_DRIFT_STEP_US 12000   /* ... and so much of it is made up for at a time */
#define PLAYOUT_LEAP_US 1000000       /* base units that come so much earlier than is usual ... */
#define PLAYOUT_LEAP_AGAIN_US                                                  \
    200000 /* ... just after a leap: the backlog comes faster than it was made \
            */
#define PLAYOUT_LEAP_SPAN_US 150000     /* ... one after another over at least this time: a leap */
#define PLAYOUT_LEAP_LEARN_US 2000000   /* after a start: so long all is usual */
#define PLAYOUT_LEAP_WINDOW_US 10000000 /* later: what was earliest in the last such window */
#define PLAYOUT_JUMP_US 10000000        /* a step in media time that is no gap but a new start */

struct playout_delay { /* the delay policy's state; zero is a fresh one */
    int64_t extra_us;  /* by which it has moved the offset */
    int64_t late_since_us;
    uint32_t late_run, rebuffers;
    bool watching;          /* base units came in time since ... */
    int64_t early_since_us; /* ... and early enough since */
    /* low: of this window least room beyond the reserve, greatest lateness, most time to spare */
    int64_t window_began_us, least_us, latest_us, earliest_us;
    bool drift_known, drift_any;
    int64_t drift_began_us, drift_best_us, drift_last_us, drift_first_us; /* earliest unit of
                                              this window, of the one before, at the start */
};
struct playout_arrival {
    int64_t now_us, late_us; /* of a base unit: arrival after its turn, negative: before */
    bool fresh;              /* the clock has started since the one before */
    bool low;
    int64_t extra_max_us; /* the offset may grow by, in all */
    int64_t reserve_us;   /* low: what is to be left before the turn */
};
struct playout_change {
    int64_t shift_us; /* of the offset, at most PLAYOUT_SHIFT_MAX_US */
};
void playout_delay_decide(struct playout_delay *d, const struct playout_arrival *in,
                          struct playout_change *out);

struct playout_lead { /* by which base units come before their turn, us; zero is a fresh one */
    bool watching, early, leapt;
    int64_t usual_us, best_us; /* the most of the last window, of this one */
    int64_t window_began_us, began_us, early_since_us;
};

struct playout {
    int64_t latency_us;   /* target */
    int64_t extra_max_us; /* by which it may grow; PLAYOUT_EXTRA_MAX_US */
    bool low;
    int64_t frame_us; /* nominal interval of pictures */
    bool started;
    int64_t offset_us;
    uint64_t next;     /* picture whose turn it is */
    int64_t last_pts;  /* of picture next - 1 */
    int64_t follow_us; /* pictures are later than the offset says by this: they follow the sound */
    bool led;          /* there is sound to follow */
    bool fresh;        /* no base unit has come since the clock started */
    struct playout_lead lead;
    unsigned rebuffers;
    bool shown_any;
    int64_t last_shown_us;
    unsigned stalls;
    int64_t stall_max_us;
};

/* What is known of the pictures whose turn it is or will be. */
struct playout_view {
    bool has_next; /* something of picture `next` came */
    int64_t next_pts;
    bool has_later; /* something of a later one came; the first such */
    uint64_t later;
    int64_t later_pts;
};

/* Then extra_max_us and low may be set. */
void playout_init(struct playout *p, int64_t latency_us, int64_t frame_us);
/* `picture` is the first to show; it (its first unit) came at `now`. Also starts afresh. */
void playout_start(struct playout *p, uint64_t picture, int64_t pts, int64_t now);
/* Media time of picture `next`: its own, or what the neighbours say. */
int64_t playout_next_pts(const struct playout *p, const struct playout_view *v);
int64_t playout_due(const struct playout *p, int64_t pts);
/* Whether media time steps so far at `next` that the clock must start afresh there. */
bool playout_jumps(const struct playout *p, int64_t pts);
/* The turn goes to the following picture. */
void playout_pass(struct playout *p, int64_t pts);
/* After the clock was shifted: the turn goes back to `picture`, which is not shown yet. */
void playout_rewind(struct playout *p, uint64_t picture, int64_t pts);
/* A picture is on the screen at `now`. Result: the length of the stall it ends, us; 0: none. */
int64_t playout_shown(struct playout *p, int64_t now);
/* A base-layer unit came at `now`: what the delay policy is to judge. */
struct playout_arrival playout_base_arrived(struct playout *p, int64_t pts, int64_t now);
/* What it said is done. */
void playout_shift(struct playout *p, int64_t shift_us);
/* A base unit of the live broadcast came at `now`, while the delay policy has moved the offset by
 * `extra_us` in all. True: this clock stood still, and has been set so that the unit is due one
 * target latency after it came. */
bool playout_leap(struct playout *p, int64_t pts, int64_t now, int64_t extra_us);
/* What comes now is none of the live broadcast: how early says nothing. */
void playout_leap_not(struct playout *p);
/* Media time that is due at `now` by the offset: what the sound is to come to. */
int64_t playout_media_now(const struct playout *p, int64_t now);
/* The sound is the clock: what is heard at `now` is `heard_us`. To be called every
 * PLAYOUT_FOLLOW_US while there is sound; without it playout_follow_none. */
void playout_follow(struct playout *p, int64_t heard_us, int64_t now);
void playout_follow_none(struct playout *p);

#endif
