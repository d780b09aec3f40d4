/*
 * layered.h - layered live video over recorded links, by scheduler, and what the best possible
 * scheduler could have done. Virtual time (net.h).
 */
#ifndef BENCH_LAYERED_H
#define BENCH_LAYERED_H

#include "net.h"

#define FEED_LAYERS \
    6 /* three spatial, two temporal: layer = 2 * spatial + temporal; 0 is the base */
#define FEED_PICTURES_MAX 4096
#define FEED_PICTURE_US 33333u

struct feed {          /* what is to be sent */
    uint64_t rate_bps; /* mean of all layers */
    tvl_time deadline; /* us from a unit's release to its arrival */
    tvl_time span;     /* us of the stream */
    tvl_time lead;     /* us from the clock's start to the first unit */
    tvl_time warm_up;  /* us from there: sent, but not judged */
    uint64_t seed;     /* of the sizes */
    bool alone;        /* nothing but the base layer is sent */
    bool thick;        /* a base layer of 0.12 of the bytes; else as in the demo's clip, 0.056 */
};

/* Units of picture i: those of its temporal layer, one a spatial layer. */
static inline unsigned feed_layer(uint64_t picture, unsigned spatial)
{
    return 2 * spatial + (unsigned)(picture & 1);
}
uint64_t feed_pictures(const struct feed *f);
/* The first that is judged; a base unit. */
static inline uint64_t feed_first(const struct feed *f)
{
    return f->warm_up / FEED_PICTURE_US & ~UINT64_C(1);
}
/* us from the clock's start. */
tvl_time feed_release(const struct feed *f, uint64_t picture);
uint32_t feed_size(const struct feed *f, uint64_t picture, unsigned spatial);

struct fed { /* what came of it */
    bool whole;
    uint64_t base_units, base_in_time;     /* of those that `could` */
    uint64_t upper_offered, upper_in_time; /* bytes */
    uint64_t sent, copied;                 /* stream bytes: first, and again */
};

#define FEED_COULD_MAX FEED_PICTURES_MAX
struct oracle {
    bool could[FEED_COULD_MAX]; /* the base unit of the picture: some link carries it in time */
    uint64_t base_units, base_could;
    uint64_t upper_bytes; /* that fit in time beside them */
};

/* `links` of them; the clock starts at NET_START, which is also the traces' zero. */
void oracle_ask(struct oracle *o, const struct feed *f, const struct vlink_config *link,
                unsigned links);

/* ---- feed.c ---- */
struct fed feed_run(const struct net_config *cfg, const struct feed *f, const struct oracle *o);

#endif
