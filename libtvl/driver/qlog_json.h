/*
 * qlog_json.h - JSON into a buffer of fixed size: commas and escapes come by themselves.
 *
 * A writer that is full stays so and writes nothing more; ask qjson_ok() at the end.
 */
#ifndef TVL_DRIVER_QLOG_JSON_H
#define TVL_DRIVER_QLOG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qjson {
    char *at, *end;
    bool full, comma;
};

struct qjson qjson_over(char *bytes, size_t cap);
bool qjson_ok(const struct qjson *j);

/* `name` is NULL within an array; names are ours and need no escapes. */
void qjson_open(struct qjson *j, const char *name, char bracket); /* '{' or '[' */
void qjson_close(struct qjson *j, char bracket);                  /* '}' or ']' */
void qjson_u64(struct qjson *j, const char *name, uint64_t v);
void qjson_i64(struct qjson *j, const char *name, int64_t v);
void qjson_ms(struct qjson *j, const char *name, uint64_t us); /* milliseconds with three places */
void qjson_real(struct qjson *j, const char *name, double v);  /* >= 0, four places, any locale */
void qjson_bool(struct qjson *j, const char *name, bool v);
void qjson_hex(struct qjson *j, const char *name, const uint8_t *bytes, size_t len);
/* Any bytes: what is not printable ASCII is escaped, taken as Latin-1. */
void qjson_text(struct qjson *j, const char *name, const char *text);

#endif
