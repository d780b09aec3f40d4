/*
 * configure.h - one configuration out of a file, the environment and the command line; the later
 * one wins. Called again for a reload: the same command line over a file that may have changed.
 */
#ifndef SERVER_CONFIGURE_H
#define SERVER_CONFIGURE_H

#include "config.h"

#define CONFIGURE_FILE                                                         \
    "/etc/svc-suite/svc-server.yaml" /* where neither file nor source is named \
                                      */

enum configure_result {
    CONFIGURE_RUN,
    CONFIGURE_CHECK,  /* --check: config_rules and config_check are to say what is wrong */
    CONFIGURE_REPLAY, /* --replay-policy; its file is in `replay` */
    CONFIGURE_HELP,
    CONFIGURE_VERSION,
    CONFIGURE_USAGE, /* the command line or the environment is wrong: EX_USAGE */
    CONFIGURE_BAD,   /* the file is wrong: EX_CONFIG */
};

struct configure {
    int argc;
    char **argv;        /* for the life of this */
    const char *file;   /* out: the file that was read; NULL: none */
    const char *replay; /* out: CONFIGURE_REPLAY */
};

extern const char *const configure_help[]; /* parts, NULL-ended */

/* `out` is the caller's (config_fini) after CONFIGURE_RUN, _CHECK and _REPLAY, else zero; `why` has
 * a line for each problem after CONFIGURE_USAGE and CONFIGURE_BAD. */
enum configure_result configure(struct configure *q, struct config *out, char *why,
                                size_t why_size);

#endif
