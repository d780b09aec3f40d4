/*
 * config_diff.h - what a reload asks for: the difference of two configurations, as a list of steps.
 * A pure function; whoever applies it keeps the running parts of what is the same.
 */
#ifndef SERVER_CONFIG_DIFF_H
#define SERVER_CONFIG_DIFF_H

#include "config.h"

enum config_change { CONFIG_CAME, CONFIG_WENT, CONFIG_CHANGED };

struct config_step {
    enum config_change change;
    const struct config_source *was,
        *is; /* the sources; was: NULL when it came, is: when it went */
    const struct config_push *push_was, *push_is; /* likewise; all four NULL: never */
};

#define CONFIG_REFUSED_MAX 32

struct config_diff {
    struct config_step *step; /* sources first; what went before what came */
    size_t n_steps;
    bool access, limits; /* access; viewers_max, drain_s: to be taken over at once */
    bool log;            /* log_level, log_json, access.log likewise */
    const char *refused[CONFIG_REFUSED_MAX]; /* keys that changed and need a restart; static */
    size_t n_refused;
};

/* Borrows both. 0, or -1: out of memory. Certificates and keys are files, read again at each
 * reload, whether their names changed or not. */
int config_diff(struct config_diff *out, const struct config *was, const struct config *is);
void config_diff_fini(struct config_diff *d);

#endif
