/* file.h - small files of /proc, /sys and /etc. */
#ifndef AGENT_FILE_H
#define AGENT_FILE_H

#include <stddef.h>

/* The first line into `out`, without its end; -1: not there. */
int file_line(const char *path, char *out, size_t size);
/* All of it, NUL-ended, to be freed; NULL: not there or more than `max`. */
char *file_text(const char *path, size_t max, size_t *len);

/* To the console, and so to the guest's serial.log: "agent: ..." and a line end. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
