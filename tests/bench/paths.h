/* paths.h - the paths over which controllers are compared: made-up ones, and recorded links. */
#ifndef BENCH_PATHS_H
#define BENCH_PATHS_H

#include "dir.h"

#define PATHS_MAX 256
#define PATH_NAME_MAX 64

struct cc_path {
    char name[PATH_NAME_MAX], kind[16]; /* "fixed", "lossy", ...; of a trace: "lte", "wifi", ... */
    bool heldout;                       /* a recorded link that knowledge must not be built from */
    uint32_t span_s;                    /* how long to look at it */
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
void paths_fini(struct cc_paths *p);
const struct cc_path *paths_find(const struct cc_paths *p, const char *name); /* NULL: none */

#endif
