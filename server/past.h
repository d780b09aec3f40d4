/*
 * past.h - the FETCHes of one viewer, answered from a window (window.h) a piece at a time: no more
 * lies in a stream's buffer than PAST_QUEUE_MAX, whatever was asked for. On the viewer's thread.
 */
#ifndef SERVER_PAST_H
#define SERVER_PAST_H

#include <moq/moq.h>

#include "window.h"

#define PAST_QUEUE_MAX (256u << 10) /* bytes of one fetch that are not acknowledged yet */
#define PAST_FETCHES_MAX 64         /* of one viewer at once */

struct past_fetch;

struct past { /* zero but for the first two is a fresh one */
    /* Bytes of the stream that were written and are not acknowledged; 0: there is no such stream.
     */
    uint64_t (*queued)(void *ctx, uint64_t stream);
    void *ctx;
    struct past_fetch *first;
    size_t n;
    struct window_object object; /* scratch */
    uint64_t objects, bytes;     /* sent, payload */
};

/* Answers `f`, accepting or rejecting it. `w` NULL: there is no past. `o` as moq_handler.on_fetch
 * gives it. */
void past_begin(struct past *p, struct moq_fetch *f, struct window *w, size_t track,
                const struct moq_fetch_options *o);
/* Writes what may be written now; often. */
void past_pump(struct past *p);
void past_cancelled(struct past *p, struct moq_fetch *f); /* it is gone */
/* Answers `f` about a track that has had one object, `obj`, and no other. */
void past_give_one(struct moq_fetch *f, const struct moq_fetch_options *o,
                   const struct moq_object *obj);
void past_fini(struct past *p); /* the session is gone, and all fetches with it */

#endif
