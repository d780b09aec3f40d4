/* feed_source.h - from what the configuration says of a source to the feed that it is. */
#ifndef SERVER_FEED_SOURCE_H
#define SERVER_FEED_SOURCE_H

#include "config.h"
#include "feed.h"

/* 0, or -1 with one line in `why` that names the input. Nothing is given before feed_start. */
int feed_source_open(struct feed **out, const struct feed_sink *sink,
                     const struct config_source *cfg, char *why, size_t why_size);
/* Whether it is worth trying again after it has failed or ended: what comes over a network or from
 * a device may come back, a file only where it is begun again and again. */
bool feed_source_may_return(const struct config_source *cfg);
const char *feed_source_kind(enum config_source_kind kind); /* static */

#endif
