/*
 * hierarchy.h - where the controllers of this host are, for cgroup.c: version 1 mounts, version 2,
 * or some in either; and the files of a group.
 */
#ifndef VMM_HIERARCHY_H
#define VMM_HIERARCHY_H

#include "rt/cgroup.h"

#define VMM_GROUP_PATH_MAX 512 /* bytes of a path below a mount, with NUL */

enum vmm_controller { VMM_CPU, VMM_CPUSET, VMM_MEMORY, VMM_CONTROLLERS };

struct vmm_hierarchy {
    int version;                   /* 1 or 2; 0: this host has no such controller */
    char base[VMM_GROUP_PATH_MAX]; /* the group below which ours are made */
    char top[VMM_GROUP_PATH_MAX];  /* mount point */
};

extern const char *const vmm_controller_names[VMM_CONTROLLERS];

/* Reads the host's tables. 0, or -1 and `why`: no controller at all. */
int vmm_hierarchy_find(struct vmm_hierarchy h[VMM_CONTROLLERS], const struct vmm_cgroup_host *host,
                       char *why, size_t why_size);

/*
 * Version 2: makes the controllers of `h` usable below base, which moves to the top where the
 * keeper's own group has processes (root), or has those moved into a leaf (delegated groups). 0, or
 * -1.
 */
int vmm_hierarchy_enable(struct vmm_hierarchy h[VMM_CONTROLLERS], char *why, size_t why_size);

/* Files of groups. Errno is kept. */
int vmm_group_write(const char *group, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* First line without its end; -1: not there. */
int vmm_group_read(const char *group, const char *file, char *out, size_t size);
bool vmm_group_has(const char *group, const char *file);

#endif
