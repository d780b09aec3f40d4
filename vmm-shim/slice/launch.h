/*
 * launch.h - what a slice needs before its keeper starts: folders, systems, images, certificates,
 * the accelerator. Blocks (a kernel may be fetched); done by `up` itself, which says what goes on.
 */
#ifndef VMM_LAUNCH_H
#define VMM_LAUNCH_H

#include "guest/accel.h"
#include "guest/command_line.h"
#include "systems/systems.h"
#include "topology/topology.h"

struct vmm_launch {
    enum vmm_accel accel;
    bool may_fall_back;                           /* KVM was not demanded: TCG if it fails */
    struct vmm_guest_config guest[VMM_NODES_MAX]; /* of nodes that are guests */
    char system[VMM_NODES_MAX][VMM_NAME_MAX];     /* what match chose */
};

/* One line of progress. */
typedef void vmm_launch_say(void *user, const char *line);

struct vmm_launch_request {
    struct vmm_topology *topology; /* read and resolved */
    const char *folder;            /* of the slice: is not there */
    const char *root;              /* of all slices */
    enum vmm_accel accel;          /* asked for */
    vmm_launch_say *say;
    void *user;
};

/* 0 and *out to be given back with free(); -1 and `why`: what was made in `folder` is left. */
int vmm_launch_prepare(struct vmm_launch **out, const struct vmm_launch_request *request, char *why,
                       size_t why_size);

#endif
