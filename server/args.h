/* args.h - what server.c takes of a configuration so far: its first source. */
#ifndef SERVER_ARGS_H
#define SERVER_ARGS_H

#include "config.h"
#include "live.h"

struct args {         /* strings borrow the configuration */
    const char *file; /* a layered file, or NULL: */
    struct {
        struct live_config config;
    } live; /* what is encoded while it runs */
    const char *listen;
    const char *ns;
    const char *cert, *key;
    const char *cc, *sched;
    int objective;
    const char *knowledge;
    const char *keylog, *json, *qlog;
    const char *policy_log;
    uint32_t latency_ms;
    uint32_t max_viewers;
    bool loop, start_on_viewer;
};

/* 0, or -1 with one line in `why`. */
int args_of(struct args *out, const struct config *c, char *why, size_t why_size);

#endif
