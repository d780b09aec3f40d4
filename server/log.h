/*
 * log.h - one line per message on standard error, from any thread: "svc-server: ..." or, on
 * request, a JSON object: {"time":"2026-01-31T23:59:59.999Z","level":"warn","message":"..."}. Under
 * systemd's journal text has its level in front, as sd-daemon(3) says.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Messages graver than or as grave as `level` are written; at start LOG_WARN. */
void log_set_level(enum log_level level);
void log_set_json(bool json);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
