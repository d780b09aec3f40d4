/*
 * confine.h - takes from this process, and from all it starts, what a server does not need: root,
 * capabilities, new privileges, writing to the file system outside named folders, reading in homes,
 * starting programs, and system calls beside a list. Before threads and before anything is opened.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include "config.h"

/* All that the configuration asks for and the kernel has. 0, or -1 with one line in `why`: the user
 * cannot be taken on. What the kernel lacks is logged, one line each, and the rest holds. `file`:
 * of the configuration, to be readable at a reload; NULL: none. */
int confine_enter(const struct config *c, const char *file, char *why, size_t why_size);

#endif
