/*
 * confined.h - nodes that are confined processes of the host (process/process.h), as members.
 */
#ifndef VMM_CONFINED_H
#define VMM_CONFINED_H

#include "slice/keeper.h"

/* Builds it and gives its interfaces to the network; READY when that has them. */
void vmm_confined_start(struct vmm_member *m);
void vmm_confined_go(struct vmm_member *m); /* its command */
void vmm_confined_hold(struct vmm_member *m,
                       bool held); /* its command's output waits in its pipes */
void vmm_confined_stop(struct vmm_member *m);
void vmm_confined_free(struct vmm_member *m);

struct vmm_process_exec;

/* `exec`: another command in the same confinement; answers `call`. */
void vmm_confined_exec(struct vmm_member *m, struct vmm_call *call,
                       const struct vmm_process_exec *e);

#endif
