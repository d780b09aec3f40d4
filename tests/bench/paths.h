/* paths.h - the paths over which controllers are compared: made-up ones, and recorded links. */
#ifndef BENCH_PATHS_H
#define BENCH_PATHS_H

#include <tvl/tvl.h>

#include "dir.h"

#define PATHS_MAX 512
#define PATH_NAME_MAX 64

#define GRID_PATHS 120
#define GRID_VERSION 1 /* rises with every change of what is drawn */

struct cc_path {
    char name[PATH_NAME_MAX], kind[16]; /* "fixed", "lossy", ...; of a trace: "lte", "wifi", ... */
    const char *variant;                /* "": a recorded link as it is; else what was changed */
    char group[PATH_NAME_MAX];          /* recorded together with others of it; "": made up */
    bool heldout;                       /* a recorded link that knowledge must not be built from */
    uint32_t span_s;                    /* how long to look at it; 0: FLOW_SPAN */
    struct vlink_config link;           /* towards the receiver */
    struct vlink_trace trace;           /* where link.trace points */
};

struct cc_paths {
    struct cc_path *path;
    unsigned n;
};

/* The made-up ones; those recorded as well when `traces` (a directory with TRACES.md's form) is not
 * NULL. False: no memory, or a line on stderr says what is wrong with the directory. */
bool paths_init(struct cc_paths *p, const char *traces);
/* GRID_PATHS made-up ones more, of kind "grid", drawn from `seed`: with the recorded links that are
 * not held out they are what knowledge is built from. False: no memory. */
bool paths_add_grid(struct cc_paths *p, uint64_t seed);
void paths_fini(struct cc_paths *p);
const struct cc_path *paths_find(const struct cc_paths *p, const char *name); /* NULL: none */
/* By its name; "made-up", "recorded" (not held out), "heldout": all of these; NULL: any. */
bool paths_wanted(const struct cc_path *path, const char *which);
/* Of a live video over it, us from sending to arrival: 200 ms, or 100 ms more than the bare way. */
tvl_time paths_deadline(const struct cc_path *path);

#endif
