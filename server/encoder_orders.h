/*
 * encoder_orders.h - the letter-box between those who know what viewers need (the transmission
 * policy, on the event loop) and the live encoder (on its own thread): rates, layers, refreshes.
 *
 * Orders may come from any thread at any time; the encoder takes what there is before each picture.
 * A refresh is given to it no more often than the limits below say, and not at all when a key
 * picture has come in between: whoever asks may ask as often as it likes.
 */
#ifndef SERVER_ENCODER_ORDERS_H
#define SERVER_ENCODER_ORDERS_H

#include <pthread.h>
#include <svc/svc.h>

#define ENCODER_KEY_APART_US 1000000    /* between key pictures that were asked for */
#define ENCODER_KEY_AFTER_US 250000     /* and after any other one */
#define ENCODER_REFRESH_APART_US 500000 /* between refreshes of a layer */

struct encoder_order { /* what the next picture is to be */
    bool rates_changed;
    uint32_t bitrate_bps[SVC_SPATIAL_MAX]; /* each spatial layer's own, where rates_changed */
    uint8_t n_spatial;                     /* layers wanted, [1, as opened] */
    int refresh; /* from this spatial layer up; 0: a key picture; -1: none */
    bool has_held;
    struct svc_tracker held; /* where has_held: what every receiver holds */
};

struct encoder_orders {
    pthread_mutex_t lock;
    uint8_t n_spatial;                      /* as opened */
    struct encoder_order next;              /* refresh: the lowest asked for */
    uint64_t refreshed_at[SVC_SPATIAL_MAX]; /* us; 0: never */
    uint64_t asked_at;                      /* when a key picture was made as asked for; likewise */
};

/* 0, or -1. */
int encoder_orders_init(struct encoder_orders *o, uint8_t n_spatial);
void encoder_orders_fini(struct encoder_orders *o);

/* Own target of each spatial layer, bits/s; 0: leave that layer's as it is. */
void encoder_orders_rates(struct encoder_orders *o, const uint32_t bitrate_bps[SVC_SPATIAL_MAX]);
/* Nobody takes more than the lowest `n_spatial` layers [1, as opened]: the others need not be
 * coded. One that returns begins with a refresh. */
void encoder_orders_top(struct encoder_orders *o, uint8_t n_spatial);
/*
 * Somebody cannot follow from `spatial` up: it has lost something (predict those layers anew), or
 * has just come (0: a key picture). `held`: what the slots of every receiver are known to hold, as
 * for svc_encoder_recover; NULL: nothing is known. Orders merge: the lowest layer, and of what is
 * held what all agree on.
 */
void encoder_orders_refresh(struct encoder_orders *o, unsigned spatial,
                            const struct svc_tracker *held);

/* What receivers agree on who hold `a` and who hold `b`, into `a`. */
void encoder_orders_agree(struct svc_tracker *a, const struct svc_tracker *b);

/* The encoder's side: what there is by `now_us` of any monotonic clock, not 0. */
struct encoder_order encoder_orders_take(struct encoder_orders *o, uint64_t now_us);
/* A key picture was coded: it served all who had asked. */
void encoder_orders_keyed(struct encoder_orders *o, uint64_t now_us);

#endif
