/*
 * send.h - the asking side over a tvl_endpoint: round trips, then bytes on streams, then datagrams,
 * each checked when it returns. Without I/O: whoever drives the endpoint hands every event here,
 * and calls tick when it is due.
 *
 *     CONNECTING ─► PATHS ─► PINGS ─► STREAMS ─► DATAGRAMS ─► CLOSING ─► over
 *       connected    all up,  echo     all ended   returned, or
 *                    or over  by echo  and right   long silent
 */
#ifndef ECHO_SEND_H
#define ECHO_SEND_H

#include <stdio.h>
#include <tvl/tvl.h>

#include "args.h"
#include "samples.h"

enum send_state {
    SEND_CONNECTING,
    SEND_PATHS,
    SEND_PINGS,
    SEND_STREAMS,
    SEND_DATAGRAMS,
    SEND_CLOSING,
    SEND_OVER,
};

struct send_stream {
    uint64_t id, bytes, written, returned;
    bool ended, started;
};

struct echo_send {
    const struct echo_args *args; /* borrowed */
    struct tvl_conn *conn;        /* NULL before the first event, and once it is over */
    enum send_state state;
    tvl_time began, due;        /* due: of tick, or TVL_TIME_NEVER */
    char error[ECHO_WHY_MAX];   /* "": everything came back unharmed so far */
    bool paths_asked;           /* the driver has opened the further paths */
    struct samples round_trips; /* us, of pings */
    uint64_t ping_id, ping_at;  /* stream; how many bytes of answers came */
    uint32_t pings;             /* sent */
    tvl_time ping_sent;
    struct send_stream stream[ECHO_STREAMS_MAX];
    tvl_time streams_began, streams_took;
    uint32_t datagrams, returned, harmed;
    tvl_time datagram_last; /* sent or returned */
    struct tvl_path_stats path[TVL_PATHS_MAX];
    size_t n_paths;
    struct tvl_conn_stats stats;
};

/* Before tvl_connect; the first connection that it hears of is its own. `args` outlives it. */
void echo_send_init(struct echo_send *s, const struct echo_args *args, tvl_time now);
void echo_send_fini(struct echo_send *s);

/* Events of other connections do nothing. */
void echo_send_event(struct echo_send *s, const struct tvl_event *ev, tvl_time now);
/* The connection is there and the paths after the first are wanted: true once; then open them. */
bool echo_send_wants_paths(struct echo_send *s);
/* Something the driver did for it failed: it ends with this error. */
void echo_send_fail(struct echo_send *s, const char *why, tvl_time now);
void echo_send_tick(struct echo_send *s, tvl_time now);
static inline tvl_time echo_send_due(const struct echo_send *s)
{
    return s->due;
}
static inline bool echo_send_over(const struct echo_send *s)
{
    return s->state == SEND_OVER;
}

/* The result, for a person or as one JSON object, with a line end. Owned by the caller; NULL: out
 * of memory. */
char *echo_send_report(struct echo_send *s);

#endif
