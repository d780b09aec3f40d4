/*
 * broadcast.h - the sending side of a run: svc-server as it ships, in this process, on virtual
 * time. Never includes the player's headers: some names are in both programs.
 */
#ifndef QUALITY_BROADCAST_H
#define QUALITY_BROADCAST_H

#include <stddef.h>
#include <stdint.h>

/* What a run may take away to see whether it is missed. Nothing of it is in the server: what it
 * asks of the transport is changed on the way (the linker's --wrap). */
enum broadcast_harm {
    BROADCAST_WHOLE,
    BROADCAST_BASE_UNPROTECTED, /* the base layer goes last and lives no longer than the others */
    BROADCAST_NO_RANKS,         /* all objects alike, first come first served */
};

struct broadcast_plan {
    const char *file, *cert, *key;
    const char *cc, *sched; /* NULL: the transport's default */
    const char *json;       /* the server's own report; NULL: none */
    uint32_t latency_ms;
    enum broadcast_harm harm;
};

/* Until loop_stop() or the server's own end. 0, or -1 with one line. */
int broadcast_run(const struct broadcast_plan *plan, char *why, size_t why_size);
/* When the picture with pts 0 is due, by the loop's clock; 0: nobody watches yet. */
int64_t broadcast_zero(void);

#endif
