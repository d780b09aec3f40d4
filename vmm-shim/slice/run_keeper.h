/*
 * run_keeper.h - what `up` calls when all is prepared: the process becomes the slice's keeper.
 */
#ifndef VMM_RUN_KEEPER_H
#define VMM_RUN_KEEPER_H

#include "slice/launch.h"

struct vmm_keeper_config {
    struct vmm_topology *topology; /* taken */
    struct vmm_launch *launch;     /* taken */
    const char *folder;            /* of the slice */
    const char *root;              /* of all slices */
    int lock;                      /* taken */
};

/*
 * In a child of `up`: a session of its own, standard streams to keeper.log, the control socket. One
 * byte goes to descriptor `told` when the socket is there, else a line that says why; it is closed.
 * Nothing is started before somebody says "start" ({"do":"start","until":"ready"|"result","once":
 * bool}), and if nobody does soon, all is cleared away. Returns when the slice is gone: the exit
 * code of the process.
 */
int vmm_keeper_run(const struct vmm_keeper_config *config, int told);

#endif
