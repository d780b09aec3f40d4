/*
 * foresight.h - the oracle: what could have been shown by a sender that knows what the links will
 * carry, that loses nothing on the way, may divide a unit among links at will and has no state to
 * learn. Layers by priority, as the server ranks them: all of a lower one goes before any of a
 * higher one; a unit is carried whole in time or not at all, and not if what it reads was not. Base
 * units are carried late as well, since later ones read them, as long as the server lets them live.
 */
#ifndef QUALITY_FORESIGHT_H
#define QUALITY_FORESIGHT_H

#include "links.h"
#include "score.h"

struct foresight_job {
    const char *layered;
    const struct links_config *links;
    int64_t zero_us;     /* by the loop's clock: the picture with pts 0 */
    uint64_t pictures;   /* to be shown; the clip is repeated */
    uint32_t latency_ms; /* from the first picture's arrival to its showing, and so for all */
};

/* Rows by rising picture; the caller frees *rows. 0, or -1 with one line. */
int foresight_ask(const struct foresight_job *job, struct score_row **rows, size_t *n, char *why,
                  size_t why_size);

#endif
