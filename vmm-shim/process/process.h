/*
 * process.h - a confined process of the host as a node: the same command that a guest would run, in
 * namespaces of its own, without the guest.
 *
 *   keeper ──fork──► builder (new user*, mount, pid, net, uts, ipc, cgroup namespaces)
 *                      │ makes the root: /usr, /lib, /bin read-only, its files, /proc, a few
 * devices │ makes the NICs, hands their descriptors up, waits for `go` └──► init, pid 1 (reaps) ──►
 * the command
 *                    * where the keeper is not root
 *
 * The command: user `user` (root's keeper) or the keeper's own, mapped; no capability, none to be
 * gained (no_new_privs), system calls beside what a program for streaming needs refused (seccomp),
 * no descriptors but 0, 1, 2, limits on processes, files, core. It dies with the keeper.
 */
#ifndef VMM_PROCESS_H
#define VMM_PROCESS_H

#include "process/nic.h"
#include "topology/topology.h"

#include <sys/types.h>

#define VMM_PROCESS_NICS_MAX VMM_LINKS_MAX

/* All borrowed for the call. */
struct vmm_process_spec {
    const struct vmm_node *node; /* name, files, run */
    const char *folder; /* of the node, on the host: its root is mounted over FOLDER/root */
    const char *user;   /* root's keeper: whom it becomes; NULL: "nobody" */
    const struct vmm_nic *nic;
    size_t n_nics;
    const char *hosts;      /* text of /etc/hosts; NULL: localhost only */
    struct vmm_file *extra; /* beside the node's files: certificates, say */
    size_t n_extra;
    char *const *env; /* NULL-ended "NAME=VALUE"; NULL: PATH, HOME, TERM only */
};

struct vmm_process;

/*
 * Builds everything; the command waits for vmm_process_go(). 0, or -1 with one line (a namespace
 * that is not allowed, a file that is not there). Blocking, some 10 ms.
 */
int vmm_process_start(struct vmm_process **out, const struct vmm_process_spec *s, char *why,
                      size_t why_size);
/* The descriptor of NIC `i`'s other end: for the network process; ours until taken (then -1). */
int vmm_process_nic(struct vmm_process *p, size_t i);
/* The child to wait for (waitpid, ev_child): ends as the command does, 128 + N by signal N. */
pid_t vmm_process_pid(const struct vmm_process *p);
/* Read ends of the command's output, non-blocking; owned by `p`. */
int vmm_process_out(const struct vmm_process *p);
int vmm_process_err(const struct vmm_process *p);
/* Policies and groups are set, the network is there: run it. */
int vmm_process_go(struct vmm_process *p, char *why, size_t why_size);

/*
 * Another command in the same confinement (`exec`): the child to wait for, its output at *out and
 * *err (read ends, caller's). -1 and `why`.
 */
pid_t vmm_process_exec(struct vmm_process *p, char *const *argv, int *out, int *err, char *why,
                       size_t why_size);

/* Signals the command. 0, or -1. */
int vmm_process_kill(struct vmm_process *p, int signal);
/* Ends all that is in it (SIGKILL of pid 1), waits, unmounts. NULL allowed. */
void vmm_process_free(struct vmm_process *p);

#endif
