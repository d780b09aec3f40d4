/*
 * config_diff.h - what a reload asks for: the difference of two configurations, as a list of steps.
 * A pure function; whoever applies it keeps the running parts of what is the same.
 */
#ifndef SERVER_CONFIG_DIFF_H
#define SERVER_CONFIG_DIFF_H

#include "config.h"

enum config_change { CONFIG_WENT, CONFIG_CHANGED, CONFIG_CAME };

/* Of a source, or of a push (then the other pair is NULL). */
struct config_step {
    enum config_change change;
    const struct config_source *was, *is; /* NULL: it came; it went */
    const struct config_push *push_was, *push_is;
};

#define CONFIG_REFUSED_MAX 32

struct config_diff {
    struct config_step *step; /* what went, then changed, then came; in it sources first */
    size_t n_steps;
    bool access;  /* config_access */
    bool control; /* control.token */
    bool limits;  /* viewers_max, drain_s */
    bool log;     /* log_level, log_json */
    /* Keys, "listen" or "transport", that changed and need a restart; static texts. */
    const char *refused[CONFIG_REFUSED_MAX];
    size_t n_refused;
};

/* Borrows both. 0, or -1: out of memory. Certificates, keys and tokens are files: read again at
 * each reload, whether their names changed or not. */
int config_diff(struct config_diff *out, const struct config *was, const struct config *is);
/* After a reload, before `was` is freed: what needs a restart stays in `is` as it is in force. */
void config_diff_keep(struct config *was, struct config *is);
void config_diff_fini(struct config_diff *d);

#endif
