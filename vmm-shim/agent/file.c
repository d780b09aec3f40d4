/* file.c - see file.h. */
#include "agent/file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *file_text(const char *path, size_t max, size_t *len)
{
    char *out = malloc(max + 1);
    size_t got = 0;
    ssize_t n = -1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (out && fd >= 0 && got < max && (n = read(fd, out + got, max - got)) > 0)
        got += (size_t)n;
    if (fd >= 0)
        close(fd);
    if (n != 0) {
        free(out);
        return NULL;
    }
    out[got] = '\0';
    *len = got;
    return out;
}

int file_line(const char *path, char *out, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return n < 0 ? -1 : 0;
}

void note(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    dprintf(2, "agent: %s\n", line);
}
