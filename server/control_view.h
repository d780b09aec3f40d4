/*
 * control_view.h - what the control interface looks at: the server's snapshot of now and the one
 * before it, and so how fast things go. A snapshot serves all who ask within half a second; so
 * no flood of requests is one on the server's workers.
 */
#ifndef SERVER_CONTROL_VIEW_H
#define SERVER_CONTROL_VIEW_H

#include <stdbool.h>

#include "control_hooks.h"
#include "snapshot.h"

#define VIEW_FRESH_US 500000    /* a snapshot is good for so long, unless something was changed */
#define VIEW_APART_US 100000    /* snapshots that are closer make no rate */
#define VIEW_BEFORE_US 10000000 /* what was longer ago says nothing of now */

struct view_moment {
    struct snapshot *snapshot;          /* NULL: none */
    struct snapshot_session **sessions; /* of it, by rising ID */
};

struct control_view {
    const struct control_hooks *hooks;
    struct view_moment now, before; /* before.snapshot NULL: nothing is known of rates */
    uint64_t taken_us;              /* now's */
};

void view_init(struct control_view *v, const struct control_hooks *hooks);
void view_fini(struct control_view *v);

/* `clock_us` is any monotonic clock's. 0, or -1: no memory; then there may be an older snapshot. */
int view_refresh(struct control_view *v, uint64_t clock_us);
/* Nobody has asked for long: the memory is given back. */
void view_forget(struct control_view *v);
/* Something was changed: the next refresh takes a new snapshot. */
void view_expire(struct control_view *v);

/* NULL: none. */
const struct snapshot_session *view_session(const struct view_moment *m, uint64_t id);
const struct snapshot_source *view_source(const struct view_moment *m, const char *ns);
const struct tvl_path_stats *view_path(const struct snapshot_session *s, uint32_t id);
const struct snapshot_track *view_track(const struct snapshot_session *s, uint8_t track);

/* us between the two snapshots; 0: there is only one. */
uint64_t view_span(const struct control_view *v);

#endif
