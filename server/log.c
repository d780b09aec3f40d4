/* log.c - see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 1024

static _Atomic enum log_level threshold = LOG_WARN;
static _Atomic bool as_json;

void log_set_level(enum log_level level)
{
    threshold = level;
}

void log_set_json(bool json)
{
    as_json = json;
}

/* Bytes of the UTF-8 character at `p` (RFC 3629, without its finer rules); 0: it is none. */
static size_t utf8(const unsigned char *p)
{
    const size_t n = p[0] < 0x80                   ? 1
                     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* What peers say must neither steer a terminal nor break a line. */
static void clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p;) {
        const size_t n = utf8(p);
        const bool steers = *p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
        if (n > 0 && !steers) {
            p += n;
        } else {
            *p++ = '?';
        }
    }
}

static void write_json(enum log_level level, const char *text)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    char out[2 * TEXT_MAX + 1], when[sizeof "2026-01-31T23:59:59"];
    size_t n = 0;
    struct timespec now;
    struct tm tm;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(stderr, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"}\n", when,
            now.tv_nsec / 1000000, names[level], out);
}

/* Does standard error lead to the journal? */
static bool to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const priority[] = { "<3>", "<4>", "<6>", "<7>" };
    char text[TEXT_MAX];
    va_list args;
    if (level > threshold)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    clean(text);
    if (as_json)
        write_json(level, text);
    else
        fprintf(stderr, "%ssvc-server: %s\n", to_journal() ? priority[level] : "", text);
}
