/*
 * rate.h - how fast a path delivers: draft-cheng-iccrg-delivery-rate-estimation, and a 200 ms mean
 * for people.
 *
 * A sample spans the flight of one packet: the bytes delivered between its sending and its
 * acknowledgement, divided by the longer of the time it took to send and to acknowledge them.
 */
#ifndef TVL_CORE_RATE_H
#define TVL_CORE_RATE_H

#include <tvl/tvl.h>

#define TVL_RATE_WINDOW 200000u /* us the statistics look back */
#define TVL_RATE_SLOTS 10       /* of 20 ms each */

/* Taken when a packet leaves, kept with it. */
struct tvl_rate_snapshot {
    uint64_t delivered; /* bytes, before it */
    tvl_time delivered_at;
    tvl_time first_sent_at; /* start of the sending interval */
    uint64_t lost;          /* bytes, before it */
    uint32_t in_flight;     /* bytes, it counted */
    bool app_limited;
};

struct tvl_rate {
    uint64_t delivered;    /* bytes acknowledged since the path began */
    tvl_time delivered_at; /* of the last acknowledgement */
    tvl_time first_sent_at;
    uint64_t lost;           /* bytes declared lost since the path began */
    uint64_t app_limited_to; /* `delivered` + `lost` at which the last app-limited packet is past,
                                one way or the other; 0: none */
    uint64_t slot[TVL_RATE_SLOTS]; /* bytes, ring by time */
    uint64_t slot_now;             /* absolute index of the newest slot, now / 20 ms */
    tvl_time began_at;             /* first acknowledgement; 0: none */
};

/* One acknowledgement event under way. */
struct tvl_rate_sample {
    struct tvl_rate_snapshot newest; /* of the most recently sent packet in it */
    tvl_time newest_sent_at;
    bool any;
};

/* A packet of `bytes` leaves; `in_flight` counts bytes before it. */
void tvl_rate_sent(struct tvl_rate *r, struct tvl_rate_snapshot *out, uint64_t in_flight,
                   uint64_t bytes, tvl_time now);
/* A packet is acknowledged: call for each, then tvl_rate_finish once. */
void tvl_rate_acked(struct tvl_rate *r, struct tvl_rate_sample *s,
                    const struct tvl_rate_snapshot *snap, tvl_time sent_at, uint64_t bytes,
                    tvl_time now);
/* bits/s; 0: no usable sample (interval below `rtt_min` is noise). */
uint64_t tvl_rate_finish(struct tvl_rate *r, const struct tvl_rate_sample *s, tvl_time rtt_min);

/* There is nothing to send though the window has room. */
void tvl_rate_app_limited(struct tvl_rate *r, uint64_t in_flight);

/* bits/s acknowledged over about the last 200 ms. */
uint64_t tvl_rate_recent_bps(const struct tvl_rate *r, tvl_time now);

#endif
