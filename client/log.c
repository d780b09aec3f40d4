/* log.c - the player's messages: level, then one line on standard error. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level limit = LOG_LEVEL_WARN; /* the process's, set once by main */

void log_set_level(enum log_level level)
{
    limit = level;
}

void log_text(enum log_level level, const char *format, ...)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };
    if (level > limit)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "svc-player: %s: %s\n", names[level], line);
}
