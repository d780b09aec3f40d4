/*
 * place.h - where a slice keeps its files, and who holds it.
 *
 * ROOT/SLICE, ROOT being $VMM_SHIM_DIR, else /run/vmm-shim as root, else $XDG_RUNTIME_DIR/vmm-shim,
 * else /tmp/vmm-shim-UID. One keeper a slice: it holds a lock on ROOT/.SLICE.lock while it lives,
 * so that a slice whose keeper was killed is told from one that runs. Files:
 * docs/decisions/0015-slices.md.
 */
#ifndef VMM_PLACE_H
#define VMM_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The folder that all slices are in; made with mode 0711 (root) or 0700. 0, or -1 and `why`. */
int vmm_place_root(char *path, size_t size, char *why, size_t why_size);
/* ROOT/SLICE, not made. -1: `slice` is no name or the path is too long for sockets in it. */
int vmm_place_slice(const char *slice, char *path, size_t size, char *why, size_t why_size);
/* ROOT/SLICE/WHAT. */
int vmm_place_in(const char *slice, const char *what, char *path, size_t size, char *why,
                 size_t why_size);

/* Takes the slice's lock: a descriptor (closed on exec) that holds it until it is closed; -1 and
 * `why` when somebody else holds it. *holder: their pid, if known. */
int vmm_place_lock(const char *slice, pid_t *holder, char *why, size_t why_size);
/* A child of who took the lock, who lets go of it, says that it is the holder. 0 or -1. */
int vmm_place_hold(const char *slice, int lock, char *why, size_t why_size);
/* Gives it back and removes its file: the last thing a keeper does. lock < 0: nothing. */
void vmm_place_unlock(const char *slice, int lock);
/* Whether a keeper lives; *pid is its, where not NULL. */
bool vmm_place_alive(const char *slice, pid_t *pid);

/* Names of all slices that have a folder, running or not; *names is freed by the caller, each too.
 * Count, or -1 and `why`. */
int vmm_place_list(char ***names, char *why, size_t why_size);

/* Of a slice that ended by itself only logs and the topology are kept, and why, one line: 0 or -1.
 */
int vmm_place_keep_logs(const char *slice, const char *ended);
/* Why the slice, which has a folder and no keeper, is not there. */
void vmm_place_ended(const char *slice, char *ended, size_t size);

/* Removes the folder and all that is in it. Does not follow links. 0, or -1 and `why`. */
int vmm_place_clear(const char *slice, char *why, size_t why_size);

#endif
