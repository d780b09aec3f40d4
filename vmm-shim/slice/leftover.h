/*
 * leftover.h - what a keeper that was killed left: its folder and control groups. Its processes
 * died with it.
 */
#ifndef VMM_LEFTOVER_H
#define VMM_LEFTOVER_H

#include <stddef.h>

/* Takes the slice's lock for it. 0, also when nothing is there; -1 and `why`: somebody holds it. */
int vmm_leftover_clear(const char *slice, char *why, size_t why_size);
/* The same for who holds the lock. */
int vmm_leftover_clear_locked(const char *slice, char *why, size_t why_size);

#endif
