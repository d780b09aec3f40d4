/*
 * follow.h - a broadcast as one worker follows it for its viewers: what is constant (view.h), what
 * the main loop has said since, and who watches. Belongs to the worker; its viewers only read it.
 */
#ifndef SERVER_FOLLOW_H
#define SERVER_FOLLOW_H

#include <sys/queue.h>

#include <moq/moq.h>
#include <tvl/tvl.h>

#include "live.h"
#include "shed.h"
#include "view.h"

struct watch;

struct follow {
    LIST_ENTRY(follow) link;
    char ns[VIEW_NS_MAX];
    struct view *view; /* a reference; NULL: the main loop has not answered yet */
    struct moq_location largest[TRACKS_MAX]; /* by track; counts where has_largest */
    bool has_largest[TRACKS_MAX];
    uint64_t needed_bps[TRACKS_MAX]; /* as struct track's, kept true to what is coded */
    bool has_live;          /* it is encoded while it runs, and the main loop has said how */
    struct live_stats live; /* as of about a second ago */
    LIST_HEAD(, watch) watches;
    size_t n_watches;
    uint64_t best; /* session that was the best at the last look; 0: none */
    tvl_time looked_at;
    struct shed shed;
};

#endif
