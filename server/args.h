/* args.h - svc-server's command line as data. */
#ifndef SERVER_ARGS_H
#define SERVER_ARGS_H

#include "args_live.h"

struct args {              /* strings borrow argv */
    const char *file;      /* a layered file, or NULL: */
    struct args_live live; /* what is encoded while it runs */
    const char *listen;    /* [0.0.0.0:4433] */
    const char *ns;        /* [demo] */
    const char *cert, *key;
    const char *cc, *sched;           /* NULL: copa, layered; existing names otherwise */
    int objective;                    /* enum tvl_objective, default none */
    const char *knowledge;            /* NULL: the one that was installed */
    const char *keylog, *json, *qlog; /* NULL: none */
    const char *policy_log;           /* what is decided goes there; NULL: none */
    const char *replay_policy;        /* a log to decide again, and nothing else; NULL: serve */
    uint32_t latency_ms;              /* [50, 10000], default 400 */
    uint32_t max_viewers;             /* [1, 65536], default 64 */
    bool loop, start_on_viewer;
    int log_level; /* enum log_level, default warn */
};

enum args_result { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_BAD };
extern const char args_help[];

/* ARGS_BAD: `why` has one line. */
enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size);

#endif
