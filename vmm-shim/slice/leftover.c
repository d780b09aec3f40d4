/*
 * leftover.c - what a keeper that was killed left. See leftover.h.
 */
#include "slice/leftover.h"
#include "rt/cgroup.h"
#include "slice/place.h"

int vmm_leftover_clear_locked(const char *slice, char *why, size_t why_size)
{
    char root[1024], group[VMM_GROUP_NAME_MAX];
    if (vmm_place_root(root, sizeof root, why, why_size) < 0)
        return -1;
    vmm_cgroup_name(slice, root, group);
    if (vmm_cgroup_clear(group, NULL, why, why_size) < 0)
        return -1;
    return vmm_place_clear(slice, why, why_size);
}

int vmm_leftover_clear(const char *slice, char *why, size_t why_size)
{
    pid_t holder;
    int lock = vmm_place_lock(slice, &holder, why, why_size);
    if (lock < 0)
        return -1;
    int result = vmm_leftover_clear_locked(slice, why, why_size);
    vmm_place_unlock(slice, lock);
    return result;
}
