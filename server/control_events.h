/*
 * control_events.h - open streams of server-sent events (HTML standard, 9.2). Each is told what it
 * watches at once and then whenever they are pushed; one that has not taken its last event by then
 * misses the new one, so a slow reader costs one event of memory.
 */
#ifndef SERVER_CONTROL_EVENTS_H
#define SERVER_CONTROL_EVENTS_H

#include <microhttpd.h>

#include "control_api.h"

#define EVENTS_STREAMS_MAX 16

struct control_stream;

struct control_streams {
    struct control_stream *first;
    size_t n;
};

/* The response that is the stream; its first event is of the present view. NULL: no memory. */
struct MHD_Response *control_stream_new(struct control_streams *all, struct MHD_Connection *conn,
                                        const struct control_api *api,
                                        const struct control_watch *watch);
void control_streams_push(struct control_streams *all, const struct control_api *api);
/* Ends all; they are gone once MHD has run or stopped. */
void control_streams_end(struct control_streams *all);

#endif
