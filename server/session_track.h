/*
 * session_track.h - what a session is told about itself on its track "svc-session", as JSON
 * (docs/session-track.md): how its paths carry, which layers it gets, and why not the others. Plain
 * values in, text out. Pure.
 */
#ifndef SERVER_SESSION_TRACK_H
#define SERVER_SESSION_TRACK_H

#include "policy.h"
#include "snapshot.h"

#define SESSION_TRACK_BYTES_MAX 16384  /* of one object; four paths and nine layers: 3,000 */
#define SESSION_TRACK_NEVER UINT64_MAX /* us */
#define SESSION_TRACK_PRIORITY 200     /* publisher priority: after all media */

struct session_reason {        /* why a path has its controller */
    const char *from;          /* which it had before; NULL: it was never chosen anew */
    tvl_time ago;              /* us since it was chosen; SESSION_TRACK_NEVER: it was configured */
    char text[TVL_REASON_MAX]; /* for a person; empty: it was configured */
};

struct session_view {
    uint8_t connection[TVL_ORIGINAL_ID_MAX]; /* tvl_conn_original_id */
    size_t connection_len;
    const char *ns;
    const struct snapshot_session *is, *was;  /* now; a while ago, NULL: not looked yet */
    tvl_time now, span;                       /* us; between the two */
    uint64_t sure_bps;                        /* as struct tvl_conn_stats */
    uint32_t queue_us;                        /* that what is queued takes */
    const struct session_reason *reason;      /* of is->path, in its order */
    const struct tracks *tracks;              /* of is->track; NULL: not ours to know */
    const uint64_t *needed_bps;               /* by track; where there are tracks */
    const struct policy *policy;              /* likewise */
    const struct live_stats *live, *live_was; /* of the encoder; NULL: there is none, not known */
};

/* The caller frees it; NULL: no memory, or longer than SESSION_TRACK_BYTES_MAX. */
char *session_track_json(const struct session_view *v, size_t *len);

#endif
