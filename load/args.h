/* args.h - the command line of svc-load, taken apart. Pure: opens and prints nothing. */
#ifndef LOAD_ARGS_H
#define LOAD_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path_spec.h"
#include "uri.h"

#define ARGS_PATHS_MAX 8 /* = TVL_PATHS_MAX */
#define ARGS_SUBSCRIBERS_MAX 65536
#define ARGS_THREADS_MAX 64

struct args {
    struct uri uri;
    struct path_spec path[ARGS_PATHS_MAX];
    size_t n_paths;        /* 0: one, as the system routes */
    const char *ca, *json; /* of argv; NULL: not given */
    uint32_t subscribers;  /* [1, ARGS_SUBSCRIBERS_MAX] */
    uint32_t threads;      /* [1, ARGS_THREADS_MAX] */
    uint32_t per_socket;   /* subscribers that share a socket of each path [1, 4096] */
    double rate;           /* new ones a second until all are there */
    double churn;          /* that leave a second, each replaced; 0: none */
    double settle_s;       /* from when all were begun to when it counts */
    double duration_s;     /* that is counted */
    double late_ms;        /* exit 1 when the 99th percentile of lateness is above; 0: do not ask */
    int max_spatial, max_temporal; /* -1: all */
    uint32_t server_pid;           /* of a server on this machine, to be watched; 0: none */
    bool no_audio, quiet;
};

enum args_result { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_WRONG };

/* ARGS_WRONG: one line in `why`. `argv` must outlive `out`. */
enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size);

extern const char args_help[]; /* what --help prints */

#endif
