/*
 * access_log.h - one line of JSON per thing that somebody was allowed or refused, see
 * docs/access.md for the fields.
 *
 * Whoever has something to say puts a line into a queue of ACCESS_LOG_QUEUE_MAX bytes and goes on;
 * one thread writes. A disk that is full or slow costs lines, which are counted, and nothing else:
 * one line in the server's own log when it begins, one when it is over.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCESS_LOG_QUEUE_MAX (1u << 20)
#define ACCESS_LOG_LINE_MAX 2048 /* longer ones are not written */

struct access_log;

struct access_entry { /* NULL and negative: the field is left out */
    uint64_t session;
    bool has_session;
    const char *address, *subject, *action, *ns, *reason;
    int allowed; /* 1, 0; -1: nothing was decided */
    int64_t bytes, bytes_received, duration_us, count;
};

/* "-": standard output. 0, or -1 with one line in `why`. */
int access_log_open(struct access_log **out, const char *path, char *why, size_t why_size);
struct access_log *access_log_ref(struct access_log *log); /* one more reference; NULL: NULL */
void access_log_free(
    struct access_log *log); /* drops one; the last writes what waits; NULL allowed */
/* From any thread; NULL allowed. */
void access_log_write(struct access_log *log, const struct access_entry *e);
/* The file again by its name, soon; from any thread. NULL allowed. */
void access_log_reopen(struct access_log *log);
const char *access_log_path(const struct access_log *log);

#endif
