/*
 * cache.h - the folder where kernels and base images stay.
 *
 *     CACHE/lock                  held (flock) by who changes anything
 *     CACHE/SYSTEM -> SYSTEM_VERSION   the current one, replaced atomically
 *     CACHE/SYSTEM_VERSION/...    complete, never changed but by whole files added
 *     CACHE/.new-*                being made; what a killed builder left goes at the next build
 */
#ifndef VMM_IMAGE_CACHE_H
#define VMM_IMAGE_CACHE_H

#include <stdint.h>

#include "topology/topology.h"

/* Makes the folder as needed. */
int cache_folder(char out[VMM_PATH_MAX], char *why, size_t why_size);
/* A descriptor to close, which unlocks; blocks while another builds. Removes left-overs. */
int cache_lock(const char *folder, char *why, size_t why_size);
/* An empty folder to build in; only under the lock. */
int cache_begin(const char *folder, char out[VMM_PATH_MAX], char *why, size_t why_size);
/* `made` becomes FOLDER/NAME_VERSION, and FOLDER/NAME points there. */
int cache_commit(const char *folder, const char *made, const char *name, const char *version,
                 char *why, size_t why_size);
/*
 * Removes versions that NAME does not point to any more, and files of the current one that begin
 * with `part` but for the newest. Only under the lock. Returns the bytes freed.
 */
uint64_t cache_clean(const char *folder, const char *name, const char *part);
/* Folder and all that is in it; links are not followed. */
void cache_remove(const char *path);
/* snprintf into a path; -1 and why if it is too long. */
int cache_join(char out[VMM_PATH_MAX], const char *folder, const char *name, char *why,
               size_t why_size);

#endif
