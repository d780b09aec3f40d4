/*
 * landlock.h - takes files away from a program by path, whoever its user is (Landlock, Linux 5.13).
 *
 * It sees the system's programs and libraries, /proc, /sys and devices as its user may; beyond
 * these only what it is given. And it cannot trace processes outside: guests of one user are apart.
 */
#ifndef VMM_LANDLOCK_H
#define VMM_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For the calling process and its children, for ever; needs "no new privileges". `folder`:
 * NULL-ended, where it may make and remove files and sockets; one that is not there is left out.
 * `fd`: files that it may open again by /proc/self/fd. 0; 1: this kernel has no Landlock, nothing
 * was done; -1: errno.
 */
int vmm_landlock(const char *const *folder, const int *fd, size_t n_fds);
/* Whether this kernel has it. */
bool vmm_landlock_is_here(void);

#endif
