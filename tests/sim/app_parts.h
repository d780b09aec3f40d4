/*
 * app_parts.h - what app.c and app_streams.c have to say to each other: connections there, their
 * streams and datagrams here.
 */
#ifndef SIM_APP_PARTS_H
#define SIM_APP_PARTS_H

#include "app.h"

#define app_fail(a, ...) sim_fail((a)->graph, __VA_ARGS__)

/* Connected, awake, and not over. */
bool app_can_act(const struct app_side *s);
void app_open_due(struct app_side *s); /* streams whose time has come */
void app_send_datagrams(struct app_side *s);
void app_run_stream(struct app *a, struct app_stream *t); /* slow writers and readers */
tvl_time app_stream_next(const struct app *a, const struct app_stream *t);
void app_on_stream(struct app_side *s, const struct tvl_event *ev); /* TVL_EVENT_STREAM_* */
void app_on_datagram(struct app_side *s, const uint8_t *bytes, size_t len);
const char *app_end_name(enum app_end end);

#endif
