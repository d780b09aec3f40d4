/* qlog_json.c - see qlog_json.h. */
#include "qlog_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct qjson qjson_over(char *bytes, size_t cap)
{
    return (struct qjson){ .at = bytes, .end = bytes + cap };
}

bool qjson_ok(const struct qjson *j)
{
    return !j->full;
}

__attribute__((format(printf, 2, 3))) static void put(struct qjson *j, const char *format, ...)
{
    const size_t room = (size_t)(j->end - j->at);
    va_list args;

    if (j->full)
        return;
    va_start(args, format);
    const int n = vsnprintf(j->at, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        j->full = true;
    else
        j->at += n;
}

static void begin(struct qjson *j, const char *name)
{
    if (j->comma)
        put(j, ",");
    if (name)
        put(j, "\"%s\":", name);
    j->comma = true;
}

void qjson_open(struct qjson *j, const char *name, char bracket)
{
    begin(j, name);
    put(j, "%c", bracket);
    j->comma = false;
}

void qjson_close(struct qjson *j, char bracket)
{
    put(j, "%c", bracket);
    j->comma = true;
}

void qjson_u64(struct qjson *j, const char *name, uint64_t v)
{
    begin(j, name);
    put(j, "%" PRIu64, v);
}

void qjson_i64(struct qjson *j, const char *name, int64_t v)
{
    begin(j, name);
    put(j, "%" PRId64, v);
}

void qjson_ms(struct qjson *j, const char *name, uint64_t us)
{
    begin(j, name);
    put(j, "%" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));
}

void qjson_real(struct qjson *j, const char *name, double v)
{
    const uint64_t parts = (uint64_t)(v * 10000 + 0.5);

    begin(j, name);
    put(j, "%" PRIu64 ".%04u", parts / 10000, (unsigned)(parts % 10000));
}

void qjson_bool(struct qjson *j, const char *name, bool v)
{
    begin(j, name);
    put(j, "%s", v ? "true" : "false");
}

void qjson_hex(struct qjson *j, const char *name, const uint8_t *bytes, size_t len)
{
    begin(j, name);
    put(j, "\"");
    for (size_t i = 0; i < len; i++)
        put(j, "%02x", bytes[i]);
    put(j, "\"");
}

void qjson_text(struct qjson *j, const char *name, const char *text)
{
    begin(j, name);
    put(j, "\"");
    for (const char *c = text; *c; c++) {
        const unsigned char byte = (unsigned char)*c;

        if (byte == '"' || byte == '\\')
            put(j, "\\%c", byte);
        else if (byte < 0x20 || byte >= 0x7f)
            put(j, "\\u%04x", byte);
        else
            put(j, "%c", byte);
    }
    put(j, "\"");
}
