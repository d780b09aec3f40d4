/*
 * control_json.h - the parts of a snapshot as the JSON that docs/control.md documents. What is not
 * known is null: rates before there are two snapshots, round trips before the first sample. Pure.
 *
 * Every result is a new reference, or NULL: no memory.
 */
#ifndef SERVER_CONTROL_JSON_H
#define SERVER_CONTROL_JSON_H

#include <jansson.h>

#include "control_view.h"

/* `s` may hold anything that a peer sent: what is not UTF-8 is shown as '?'. */
json_t *json_text(const char *s);
/* Into `out` [size bytes], likewise. */
void text_clean(char *out, size_t size, const char *s);

json_t *json_status(const struct control_view *v);
json_t *json_source(const struct control_view *v, const struct snapshot_source *s);
json_t *json_sources(const struct control_view *v);
/* A line of the list: `brief`; or with all of paths and tracks. */
json_t *json_session_brief(const struct control_view *v, const struct snapshot_session *s);
json_t *json_session(const struct control_view *v, const struct snapshot_session *s);

json_t *json_limits(const struct control_limits *l);
/* What is in force, without secrets: names of files, and URLs without user, password and query. */
json_t *json_config(const struct config *c);

const char *path_state_name(enum tvl_path_state state);
const char *source_state_name(enum snapshot_state state);

#endif
