/* spawn.h - one program started as a request asks: environment, policy, streams, own session. */
#ifndef AGENT_SPAWN_H
#define AGENT_SPAWN_H

#include "agent/request.h"

#include <sys/types.h>

/* Ends for us, non-blocking, -1 where there is none (detached: output goes to the console). */
struct spawned {
    pid_t pid;
    int in, out, err;
};

/* 0; or -1, nothing runs, `why` says what could not be done. */
int spawn(const struct request *r, struct spawned *s, char *why, size_t why_size);

#endif
