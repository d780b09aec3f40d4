/*
 * qlog_events.h - one trace record as the JSON of one qlog event.
 *
 * Events of draft-ietf-quic-qlog-quic-events where it has them. What it has not is in the namespace
 * "tvl": path_state_updated, path_picked, packet_spurious. Every event bears "path_id", and "tuple"
 * names the addresses the path has at the time, announced by quic:tuple_assigned.
 */
#ifndef TVL_DRIVER_QLOG_EVENTS_H
#define TVL_DRIVER_QLOG_EVENTS_H

#include <tvl/trace.h>

#include "qlog_json.h"

#define TVL_QLOG_PATHS 16 /* whose changes of address are numbered */

struct qlog_tuples {
    struct {
        uint32_t path_id;
        unsigned moves; /* since the path was opened */
    } path[TVL_QLOG_PATHS];
    size_t n;
};

/* The first record of a file. `wall` is the time now as RFC 3339 has it. */
void qlog_write_header(struct qjson *j, const struct tvl_trace_event *start, const char *wall);
/* `age` is that of the connection, us. Some records are several events: call with `part` 0, 1 ...
 * until it says that there was nothing to write. */
bool qlog_write_event(struct qjson *j, const struct tvl_trace_event *ev, unsigned part,
                      tvl_time age, struct qlog_tuples *tuples);
/* qlog_frames.c */
void qlog_write_frames(struct qjson *j, const struct tvl_trace_event *ev);
/* A transport error code in qlog's words; "unknown" with the code beside it where it has none. */
void qlog_write_transport_error(struct qjson *j, const char *name, uint64_t code);

#endif
