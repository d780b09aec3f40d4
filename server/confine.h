/*
 * confine.h - takes from this process, and from all it starts, what a server does not need:
 *
 *     who       root (becomes the configured user), capabilities, what a program could gain
 * (set-uid) files     confine_files.c, Landlock: writing outside the folders of what the
 * configuration names, reading in /home, /root, /boot beside them, starting any program calls
 * confine_calls.c, seccomp: system calls beside a list, sockets of other families limits    no core
 * file (there are keys in memory); descriptors enough for all viewers
 *
 * Before threads and before anything is opened: nothing of it can be taken back, and all holds for
 * children too. What is configured later, by a reload, has to lie where this allows it.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include "config.h"

/* All that the configuration asks for and the kernel has. 0, or -1 with one line in `why`. What the
 * kernel lacks is logged in one line, and the rest holds. `file`: of the configuration, to be
 * readable at a reload; NULL: none. */
int confine_enter(const struct config *c, const char *file, char *why, size_t why_size);

/* The parts, for confine_enter. 0; 1: the kernel has no such thing; -1: failed, errno says why. */
int confine_files(const struct config *c, const char *file);
int confine_calls(enum config_confine_mode mode);

#endif
