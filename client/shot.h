/* shot.h - pixels to a PNG file, compressed beside what goes on. */
#ifndef CLIENT_SHOT_H
#define CLIENT_SHOT_H

#include <stddef.h>
#include <stdint.h>

enum shot_effort { SHOT_SMALL, SHOT_QUICK }; /* of compression */

struct shot;
/* `pixels`: BGRA, w x h without gaps, alpha is not looked at; taken over and freed, whatever the
 * result. 0, or -1 with one line in `why`. */
int shot_begin(struct shot **out, const char *file, uint8_t *pixels, int w, int h,
               enum shot_effort effort, char *why, size_t why_size);
/* Waits: 0, or -1: the file is not whole (disk full, say). NULL allowed. */
int shot_end(struct shot *s);

#endif
