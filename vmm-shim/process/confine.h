/*
 * confine.h - takes from this process, and from all it starts, what a program for streaming does
 * not need: root, capabilities and any way to them, system calls that reach into the kernel or
 * other processes, limits.
 */
#ifndef VMM_CONFINE_H
#define VMM_CONFINE_H

#include <stddef.h>
#include <sys/types.h>

#define VMM_CONFINE_FILES 4096u     /* open descriptors */
#define VMM_CONFINE_PROCESSES 4096u /* of the user */
#define VMM_CONFINE_FILE_BYTES (1ull << 30)

/* Who the command is. Root's keeper: `uid` and `gid` are taken; else they are ours already. */
struct vmm_identity {
    uid_t uid;
    gid_t gid;
};

/* Not to be undone. 0, or -1 and one line in `why`. */
int vmm_confine(const struct vmm_identity *who, char *why, size_t why_size);

#endif
