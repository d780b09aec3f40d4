/*
 * trace.h - how the parts of a connection tell <tvl/trace.h> what happens in them.
 *
 * Each call is one line where the thing happens and costs one comparison when nobody listens. The
 * text arguments (`why`, `trigger`, `timer`) are static: words of qlog where it has them, else our
 * own in the same spelling. Nothing here changes a connection.
 */
#ifndef TVL_CORE_TRACE_H
#define TVL_CORE_TRACE_H

#include <tvl/sched.h>
#include <tvl/trace.h>

#include "conn.h"

struct tvl_builder;

static inline bool tvl_traced(const struct tvl_conn *conn)
{
    return conn->cfg->trace != NULL;
}

/* ---- what the calls below do when somebody listens: trace.c ---- */

void tvl_trace_write_started(const struct tvl_conn *conn);
void tvl_trace_write_closed(const struct tvl_conn *conn);
void tvl_trace_write_params(const struct tvl_conn *conn, bool ours);
void tvl_trace_write_key(const struct tvl_conn *conn, enum tvl_trace_type type,
                         enum tvl_level level, const char *trigger);
void tvl_trace_write_freed(const struct tvl_conn *conn);
void tvl_trace_write_sent(const struct tvl_builder *b);

struct tvl_trace_arrival { /* a packet that was decrypted */
    const struct tvl_path *path;
    enum tvl_level level;
    uint64_t pn;
    uint32_t bytes;
    uint8_t ecn;
    const uint8_t *payload; /* frames in the clear */
    size_t payload_len;
};
void tvl_trace_write_received(const struct tvl_conn *conn, const struct tvl_trace_arrival *a);
void tvl_trace_write_unnumbered(const struct tvl_conn *conn, const struct tvl_packet *p);
void tvl_trace_write_dropped(const struct tvl_conn *conn, const struct tvl_packet *p,
                             const char *trigger);
void tvl_trace_write_buffered(const struct tvl_conn *conn, const struct tvl_packet *p);
void tvl_trace_write_heeded(const struct tvl_conn *conn, const struct tvl_packet *p);
void tvl_trace_write_metrics(struct tvl_path *path);
void tvl_trace_write_timer(const struct tvl_conn *conn, const struct tvl_path *path,
                           const char *timer);
void tvl_trace_write_path(const struct tvl_path *path, enum tvl_trace_type type, const char *why);

/* ---- the calls ---- */

static inline void tvl_trace_started(const struct tvl_conn *conn)
{
    if (tvl_traced(conn))
        tvl_trace_write_started(conn);
}

static inline void tvl_trace_closed(const struct tvl_conn *conn) /* the last words are chosen */
{
    if (tvl_traced(conn))
        tvl_trace_write_closed(conn);
}

static inline void tvl_trace_params(const struct tvl_conn *conn, bool ours)
{
    if (tvl_traced(conn))
        tvl_trace_write_params(conn, ours);
}

/* TVL_TRACE_KEY_UPDATED or _DISCARDED, both sides'; at level APP of the current phase. */
static inline void tvl_trace_key(const struct tvl_conn *conn, enum tvl_trace_type type,
                                 enum tvl_level level, const char *trigger)
{
    if (tvl_traced(conn))
        tvl_trace_write_key(conn, type, level, trigger);
}

static inline void tvl_trace_freed(const struct tvl_conn *conn)
{
    if (tvl_traced(conn))
        tvl_trace_write_freed(conn);
}

/* Call while the payload is still in the clear. */
static inline void tvl_trace_sent(const struct tvl_builder *b, const struct tvl_conn *conn)
{
    if (tvl_traced(conn))
        tvl_trace_write_sent(b);
}

/* Call before the frames are processed: what they cause comes after it. */
static inline void tvl_trace_received(const struct tvl_conn *conn,
                                      const struct tvl_trace_arrival *a)
{
    if (tvl_traced(conn))
        tvl_trace_write_received(conn, a);
}

/* A Retry or a Version Negotiation that is believed. */
static inline void tvl_trace_unnumbered(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    if (tvl_traced(conn))
        tvl_trace_write_unnumbered(conn, p);
}

static inline void tvl_trace_dropped(const struct tvl_conn *conn, const struct tvl_packet *p,
                                     const char *trigger)
{
    if (tvl_traced(conn))
        tvl_trace_write_dropped(conn, p, trigger);
}

/* It waits for its keys. */
static inline void tvl_trace_buffered(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    if (tvl_traced(conn))
        tvl_trace_write_buffered(conn, p);
}

/* A Retry or Version Negotiation packet that was heeded. */
static inline void tvl_trace_heeded(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    if (tvl_traced(conn))
        tvl_trace_write_heeded(conn, p);
}

/* After an acknowledgement or a loss; tells of the controller's state too, when that is new. */
static inline void tvl_trace_metrics(struct tvl_path *path)
{
    if (tvl_traced(path->conn))
        tvl_trace_write_metrics(path);
}

/* `path` is NULL for a clock of the whole connection. */
static inline void tvl_trace_timer(const struct tvl_conn *conn, const struct tvl_path *path,
                                   const char *timer)
{
    if (tvl_traced(conn))
        tvl_trace_write_timer(conn, path, timer);
}

/* TVL_TRACE_PATH_STATE, _ADDRESS, _MTU or _ECN, once the change is made. */
static inline void tvl_trace_path(const struct tvl_path *path, enum tvl_trace_type type,
                                  const char *why)
{
    if (tvl_traced(path->conn))
        tvl_trace_write_path(path, type, why);
}

/*
 * The scheduler was asked with `n` offers and answered with `picked`, an index or TVL_SCHED_NONE.
 * That it still holds a packet back is told once, not each time it is asked again. `kind` says
 * which paths were offered: "proved", or for want of such "stale", "backup", "doubted".
 */
void tvl_trace_scheduler(struct tvl_conn *conn, const struct tvl_sched_path *offer, size_t n,
                         int picked, uint64_t rank, const char *kind);
/* There is but this one path to choose; told once, until another was picked. */
void tvl_trace_only(struct tvl_conn *conn, const struct tvl_path *path, const char *kind);

/* A controller was chosen, or stays; `from` is the one before. */
void tvl_trace_controller(const struct tvl_path *path, const char *from,
                          const struct tvl_path_model *model, const struct tvl_select_row *row,
                          size_t n, const char *reason);

/* For tvl_recovery_handler.note: lost with the rule that said so, or acknowledged after all. */
void tvl_trace_fate(void *user, const struct tvl_recovery *space, const struct tvl_sent_packet *p,
                    const char *rule);
/* For tvl_streams_config.note. */
void tvl_trace_stream(void *user, const struct tvl_stream *s, bool sending);

#endif
