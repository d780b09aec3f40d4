/* feed_file.h - the feed that is a layered file: each packet is handed out when its time has come,
 * one packet read ahead. */
#ifndef SERVER_FEED_FILE_H
#define SERVER_FEED_FILE_H

#include "feed.h"

#define FEED_DAMAGED_MAX 100     /* damaged places in a row before a file is given up */
#define FEED_BURST_MAX 256       /* packets handed out in one go, before the loop gets its turn */
#define FEED_LATE_MAX_US 1000000 /* the clock is set anew when the process slept for longer */

enum feed_repeat { FEED_ONCE, FEED_AGAIN };

/* Begins with the first key picture at `start_s` or after it; repeats begin at the beginning. 0, or
 * -1 with one line in `why` that names the file. */
int feed_file_open(struct feed **out, const struct feed_sink *sink, const char *path,
                   enum feed_repeat repeat, double start_s, char *why, size_t why_size);

#endif
