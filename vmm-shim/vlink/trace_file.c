/* trace_file.c - see trace_file.h. */
#include "trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "spec.h"

#define TRACE_FILE_MAX (64u << 20)

int vlink_trace_read(struct vlink_trace *out, const char *path, char *why, size_t why_size)
{
    int result = -1;
    char detail[VLINK_WHY_MAX], *text = NULL;
    FILE *file = fopen(path, "r");
    struct stat st;
    if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "%.128s: %s", path, file ? "not a file" : strerror(errno));
        goto close_file;
    }
    if (st.st_size > TRACE_FILE_MAX) {
        snprintf(why, why_size, "%.128s: larger than %u MiB", path, TRACE_FILE_MAX >> 20);
        goto close_file;
    }
    size_t size = (size_t)st.st_size;
    text = malloc(size + 1);
    if (!text || fread(text, 1, size, file) != size) {
        snprintf(why, why_size, "%.128s: cannot be read", path);
        goto close_file;
    }
    result = vlink_trace_parse(out, text, size, detail, sizeof detail);
    if (result < 0)
        snprintf(why, why_size, "%.96s: %.128s", path, detail);
close_file:
    free(text);
    if (file)
        fclose(file);
    return result;
}
