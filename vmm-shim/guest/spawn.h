/*
 * spawn.h - starts a program with as little as it needs: another user, no descriptors but those
 * given, no new privileges, limits, its own session, and an end with its parent.
 *
 *     fork ─► setsid ─► network namespace ─► limits ─► user ─► no_new_privs ─► dies with parent
 *                                                          ─► descriptors ─► exec
 */
#ifndef VMM_SPAWN_H
#define VMM_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VMM_SPAWN_FDS_MAX 16

/* Strings and arrays are borrowed for the call. */
struct vmm_spawn {
    char *const *argv;      /* NULL-ended; argv[0] is looked for in PATH */
    const char *user;       /* whom it runs as if we are root; NULL, "": as we do */
    const char *folder;     /* working folder; NULL: / */
    int in;                 /* its standard input; 0: /dev/null */
    int out, err;           /* its standard output and error; -1: /dev/null */
    const char *const *env; /* NULL-ended "NAME=VALUE" beside ours; NULL: none */
    const int *fd;          /* become 3, 4, ... */
    size_t n_fds;
    /* NULL-ended folders: of all files only these, those of the descriptors, and what a system has
     * for all; nothing of other processes either (landlock.h, where the kernel has it). NULL: no
     * matter. */
    const char *const *only;
    /* Network namespace, name or path. "": a new, empty one where we may make it. NULL: ours. */
    const char *netns;
    uint64_t files_max;      /* open descriptors; 0: 1024 */
    uint64_t file_bytes_max; /* size of a file it writes; 0: 1 GiB */
    /* May lock memory beyond RLIMIT_MEMLOCK: keeps CAP_IPC_LOCK, and no other capability, where we
     * have it and could not raise the limit. */
    bool locks_memory;
    uint64_t threads_max; /* of all of this user's processes, if root gives it another; 0: 4096 */
};

/* 0 and *pid, after exec() has succeeded; -1 with one line. The caller waits for *pid. */
int vmm_spawn(pid_t *pid, const struct vmm_spawn *s, char *why, size_t why_size);

/* Whom `user` names. Without root, or "": we ourselves. 0, or -1 with one line. */
int vmm_spawn_user(const char *user, uid_t *uid, gid_t *gid, char *why, size_t why_size);
/* Makes folder `path` (parents are there) that `user` alone may use; one that is there gets its
 * owner and mode. 0, or -1 with one line. */
int vmm_spawn_folder(const char *path, const char *user, char *why, size_t why_size);

#endif
