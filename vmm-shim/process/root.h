/*
 * root.h - the file system that a confined process sees.
 *
 *   /usr /bin /sbin /lib*   the host's, read-only
 *   /etc                    a few files of ours: hosts, passwd, group, nsswitch.conf; ld.so.cache
 *   /proc                   of its own pid namespace
 *   /dev                    null zero full random urandom shm fd
 *   /tmp /run               its own, in memory; all else is read-only
 *   and the node's files: small ones copied (so that their owner matters not), others bound
 */
#ifndef VMM_ROOT_H
#define VMM_ROOT_H

#include "process/confine.h"
#include "topology/topology.h"

#define VMM_ROOT_BYTES (64u << 20)   /* of what is copied, and of each of /tmp and /run */
#define VMM_ROOT_COPY_MAX (1u << 20) /* bytes of a file that is copied */

struct vmm_root {
    const char *at; /* an empty folder: mounted over, in this mount namespace only */
    const char *hosts;
    struct vmm_identity who;
    const struct vmm_file *file, *extra;
    size_t n_files, n_extra;
};

/* In new mount and pid namespaces, with the right to mount. Changes root and working folder to it.
 * 0, or -1 and one line in `why`. */
int vmm_root_enter(const struct vmm_root *r, char *why, size_t why_size);

#endif
