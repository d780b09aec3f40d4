/*
 * player.h - from layer units to pictures on the screen: window, playout clock, decoder, account.
 * Everything happens in the event loop's thread.
 */
#ifndef CLIENT_PLAYER_H
#define CLIENT_PLAYER_H

#include "args.h"
#include "meter.h"
#include "receiver.h"
#include "screen.h"

#include <moq/msf.h>

#define PLAYER_LATENCY_DEFAULT_MS 300
#define PLAYER_PREVIEW_US 8000 /* for the upper layers of the first picture to come, too */
#define PLAYER_PAST 64         /* passed pictures kept, so that late units can heal references */
#define PLAYER_SILENCE_FRAMES                                            \
    10 /* without anything new nothing is missing for so long: a picture \
          may have been left out, or all are late */
#define PLAYER_MARGIN_MIN_US 4000    /* decoding begins this long before a picture is due ... */
#define PLAYER_MARGIN_MAX_US 40000   /* ... up to this long, by how long decoding takes */
#define PLAYER_SD_HEIGHT_MAX 576     /* no taller, and of no named matrix: BT.601, else BT.709 */
#define PLAYER_SPREAD_MAX_US 50000   /* low latency: layers are waited for behind the base ... */
#define PLAYER_SPREAD_MARGIN_US 5000 /* ... and so much longer than they needed lately */
#define PLAYER_MOMENTS 128           /* pictures of which it is known when they were shown */
#define PLAYER_BURST_US 40000 /* without any of the past: what is to be had of it has come ... */
#define PLAYER_BURST_MAX_US 800000 /* ... and then it is not waited for any more */
#define PLAYER_CATCH_UP_US 1500000 /* of taking a place over: what comes late has a reason */
#define PLAYER_LEAD_US 25000 /* low latency: a picture is shown ahead of its sound by no more */

struct ev_loop;

struct player_config {
    struct ev_loop *loop;
    const struct args *args;         /* borrowed */
    struct screen *screen;           /* borrowed; NULL: nobody looks */
    struct report *report;           /* borrowed; NULL: none is wanted */
    FILE *policy_log;                /* borrowed; NULL: decisions are not logged */
    int64_t process_began_us;        /* CLOCK_MONOTONIC */
    void (*on_finished)(void *user); /* the broadcast has ended and its last picture was shown */
    void *user;
};

struct player;
/* 0, or -1 with one line in `why`. */
int player_new(struct player **out, const struct player_config *cfg, char *why, size_t why_size);
void player_free(struct player *p);

/* What the session brings; bytes are copied. */
void player_catalog(struct player *p, const struct msf_catalog *c,
                    const struct subscription_plan *plan);
void player_unit(struct player *p, const struct svc_unit *unit);
/* The next unit is of what the server keeps, and not of what it sends live. */
void player_of_the_past(struct player *p);
void player_given_up(struct player *p, struct svc_layer l); /* a unit, by the sender */
void player_sound(struct player *p, const uint8_t *opus, size_t len, int64_t pts);
/* How the sender serves us, or that it does not say. */
void player_sender(struct player *p, const struct sender_view *v);
void player_no_more(struct player *p); /* the last unit has come */
/*
 * Nothing comes for a while (outage, pause): the last picture stays, the sound is silent, and what
 * does not come is not missed. player_resume: what comes from now on begins afresh with its first
 * key picture, as near to live as at the start; player_catalog says it too when it is called again.
 */
void player_suspend(struct player *p);
void player_resume(struct player *p);
/*
 * Instead of a latency after the first key picture that comes, play on the time line of another
 * player: the picture of `pts_us` is due at `at_us` (player_clock), and what is before it is
 * decoded and not shown. at_us 0: it is shown once it is there. Before the first unit.
 */
void player_take_place(struct player *p, int64_t pts_us, int64_t at_us);
struct player_moment { /* a picture on the screen */
    uint64_t picture;
    int64_t pts_us, at_us; /* at_us: player_clock */
};
/* What is shown, and when it was due. False: nothing yet. */
bool player_place(const struct player *p, struct player_moment *out);
/* The picture shown first, of the last PLAYER_MOMENTS, that is behind `pts_us` and after `at_us`.
 * False: none. */
bool player_shown_after(const struct player *p, int64_t pts_us, int64_t at_us,
                        struct player_moment *out);
/* The last one that was shown. False: none. */
bool player_last_shown(const struct player *p, struct player_moment *out);
/* Nothing is shown, heard or counted any more; what is known can still be asked for. */
void player_stop(struct player *p);

void player_set_muted(struct player *p, bool muted);
void player_set_volume(struct player *p, double percent); /* [0, 130], begins with 100 */
/* Every METER_PERIOD_US: measure; refreshes the view below. */
void player_measure(struct player *p, const struct session_path *path, size_t n_paths);
/*
 * Which layers to ask for now, of those that player_catalog was told; after player_measure. The
 * window's size in pixels, 0: no limit. True: *out is to be asked for; it counts as such from now
 * on.
 */
bool player_demand(struct player *p, uint32_t width, uint32_t height, struct svc_layer *out);
/* Never ask for a layer above it, whatever the rest says; and what of that the broadcast has. */
void player_set_limit(struct player *p, struct svc_layer top);
struct svc_layer player_limit(const struct player *p);
/* The limit as it was given, and what was asked for last, both without a look at what the broadcast
 * has. Result: a limit was given. */
bool player_wish(const struct player *p, struct svc_layer *limit, struct svc_layer *asked);
struct osd_view *player_view(struct player *p);
/* Wall time of the first shown picture, us; 0: none yet. */
int64_t player_first_shown(const struct player *p);
/* Fills all but connect_ms. */
void player_totals(const struct player *p, struct report_totals *t);

int64_t player_clock(void); /* CLOCK_MONOTONIC, us */

#endif
