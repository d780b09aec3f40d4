/* command.h - runs a program to its end and keeps what it says. Blocks. */
#ifndef VMM_IMAGE_COMMAND_H
#define VMM_IMAGE_COMMAND_H

#include <stddef.h>

#define COMMAND_OUT_MAX (1u << 20) /* bytes of standard output; more is an error */

/*
 * argv[0] is looked for in $PATH. 0: it ended with 0, and *out (NULL: not wanted) is its standard
 * output, NUL-ended, to be freed. -1: `why` is "PROGRAM: its last line of complaint" (of apt, the
 * first), or why it could not run. `dir`: where it runs, NULL: here.
 */
int command_run(const char *const argv[], const char *dir, char **out, char *why, size_t why_size);

#endif
