/*
 * control_hooks.h - what the control interface (control.h) may ask of the running server: the one
 * seam between them. The server's core fills the table, control.c calls it.
 *
 * All calls come from the main loop's thread, never from within a hook, and return without waiting
 * for the network. A hook that is NULL is answered with "not offered by this server".
 */
#ifndef SERVER_CONTROL_HOOKS_H
#define SERVER_CONTROL_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "snapshot.h"

#define CONTROL_WHY_MAX 256

enum control_result {
    CONTROL_OK,
    CONTROL_NOT_FOUND, /* no such session, source or layer */
    CONTROL_CONFLICT,  /* not in its present state: starting what runs, refreshing a file */
    CONTROL_BAD,       /* the values are out of range */
    CONTROL_FAILED,    /* the world's fault: a file that cannot be read */
};

struct control_limits { /* as in struct config and struct config_access, with their ranges */
    uint32_t viewers_max, per_address, per_token, rate_per_address;
};

struct control_why { /* one line for the caller, where the result is not CONTROL_OK; may be "" */
    char text[CONTROL_WHY_MAX];
};

struct control_hooks {
    void *user;
    /* The caller frees it (snapshot_free). NULL: no memory. Asked for at most ten times a second.
     */
    struct snapshot *(*snapshot)(void *user);
    /* Closes it as in a protocol's order, with `reason` shown to the peer and in the log. */
    enum control_result (*stop_session)(void *user, uint64_t id, const char *reason,
                                        struct control_why *why);
    /* By namespace. A source that was stopped stays so until started again, or reloaded. */
    enum control_result (*start_source)(void *user, const char *ns, struct control_why *why);
    enum control_result (*stop_source)(void *user, const char *ns, struct control_why *why);
    /* The live encoder predicts from this spatial layer up anew; 0: a key picture. */
    enum control_result (*refresh)(void *user, const char *ns, unsigned spatial,
                                   struct control_why *why);
    void (*get_limits)(void *user, struct control_limits *out);
    /* All four; those who are already there stay. */
    enum control_result (*set_limits)(void *user, const struct control_limits *l,
                                      struct control_why *why);
    /* Configuration, certificates and keys are read again. On failure nothing has changed. */
    enum control_result (*reload)(void *user, struct control_why *why);
    /* As the first SIGTERM: no new viewers, and the end when all have gone or it has been long. */
    enum control_result (*drain)(void *user, struct control_why *why);
    /* What is in force; valid until the loop's next event. */
    const struct config *(*config)(void *user);
};

#endif
