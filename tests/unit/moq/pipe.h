/* pipe.h - two sessions joined in memory. Every stream keeps its order; which stream goes next and
 * how much of it is drawn from a seed, so that whatever may overtake does. */
#ifndef PIPE_H
#define PIPE_H

#include <moq/moq.h>

#include "mutate.h"

#define PIPE_STREAMS_MAX 4096

enum { PIPE_CLIENT = 0, PIPE_SERVER = 1 };

struct pipe_stream { /* one direction of one stream */
    uint64_t id;
    int from; /* who writes it */
    uint8_t *bytes;
    size_t len, at;
    bool fin, reset, stop; /* said and not delivered yet */
    bool over;             /* fin or reset delivered, or stopped */
    bool held;             /* the test keeps it back */
    uint64_t reset_code, stop_code, rank, lifetime_us;
};

struct pipe_end {
    struct pipe *pipe;
    int side;
    uint64_t opened[2]; /* by direction: bidi, uni */
    bool closed;
    uint64_t close_code;
    uint64_t uni_limit; /* streams it may open */
};

struct pipe {
    struct mutate rng;
    size_t chunk_max; /* bytes delivered at once */
    uint64_t now;
    struct pipe_end end[2];
    struct moq_session *session[2];
    struct pipe_stream *streams;
    size_t n_streams;
};

void pipe_init(struct pipe *p, uint64_t seed, size_t chunk_max);
void pipe_fini(struct pipe *p); /* frees the sessions too */
struct moq_quic pipe_quic(struct pipe *p, int side);
/* Deliver until nothing but what is held is left. */
void pipe_run(struct pipe *p);
/* The direction of stream `id` that `from` writes, or NULL. */
struct pipe_stream *pipe_find(struct pipe *p, int from, uint64_t id);
/* The newest stream that `from` has opened of a direction. */
uint64_t pipe_newest(const struct pipe *p, int from, bool uni);

#endif
