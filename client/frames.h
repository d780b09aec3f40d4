/*
 * frames.h - the shown pictures as PNG files, each of its own size: DIR/NNNNNNNNNN.png by picture
 * number. Compressed beside what goes on; when that is too slow, what goes on waits.
 */
#ifndef CLIENT_FRAMES_H
#define CLIENT_FRAMES_H

#include <svc/svc.h>

#define FRAMES_WAITING_MAX 4 /* files that are written at the same time */

struct frames;
/* The folder is made if need be. 0, or -1 with one line in `why`. */
int frames_new(struct frames **out, const char *dir, char *why, size_t why_size);
/* 0, or -1 with one line in `why`: this or an earlier picture could not be written. */
int frames_add(struct frames *f, uint64_t picture, const struct svc_image *img, char *why,
               size_t why_size);
/* Waits until all is written. 0, or -1: something is missing. NULL allowed. */
int frames_free(struct frames *f);

#endif
