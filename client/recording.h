/*
 * recording.h - what arrives, as a layered file that svc-server serves and svc-player plays again:
 * the units that can be decoded, picture by picture, and the sound. It stays a while behind, so
 * that what comes late is in it. A file that cannot be written (disk full) ends there, with one
 * line in the log; playing goes on.
 */
#ifndef CLIENT_RECORDING_H
#define CLIENT_RECORDING_H

#include "subscription.h"

#define RECORDING_BEHIND 60      /* pictures that what comes late may wait for: two seconds at 30 */
#define RECORDING_SOUND_MAX 1024 /* packets held: 20 s */

struct recording;
/* The file is made, empty. 0, or -1 with one line in `why`. `path` is borrowed for its life. */
int recording_new(struct recording **out, const char *path, char *why, size_t why_size);
/* What will come; called again after an interruption: what comes then goes on in the same file. */
void recording_catalog(struct recording *r, const struct msf_catalog *c,
                       const struct subscription_plan *plan);
void recording_unit(struct recording *r, const struct svc_unit *unit); /* bytes copied */
void recording_sound(struct recording *r, const uint8_t *opus, size_t len, int64_t pts);
/* What comes from here on is from another place. */
void recording_break(struct recording *r);
uint64_t recording_bytes(const struct recording *r); /* of media, written */
/* Writes what is held and finishes the file. 0, or -1: it could not be written whole. NULL: 0. */
int recording_end(struct recording *r);
void recording_free(struct recording *r);

#endif
