/*
 * process.h - a confined process of the host as a node: the same command that a guest would run, in
 * namespaces of its own, without the guest.
 *
 *   keeper ──clone──► init: pid 1 of new pid, mount, net, uts, ipc, cgroup (and user*) namespaces
 *                      │ makes the root (root.h), becomes the user without rights (confine.h)
 *                      │ waits; the network process puts NICs into its net namespace meanwhile
 *                      └─go─► the command; init reaps, passes signals on, ends as the command ends
 *                    * where the keeper is not root
 *
 * All in it die with init, and init with the keeper. Single-threaded callers (it forks without
 * exec). Errors: 0, or -1 and one line in `why`.
 */
#ifndef VMM_PROCESS_H
#define VMM_PROCESS_H

#include "topology/topology.h"

#include <signal.h>
#include <sys/types.h>

/* All borrowed for the call. */
struct vmm_process_spec {
    const struct vmm_node *node; /* name, files, run (none: it idles until it is ended) */
    const char *folder;          /* of the node, on the host; gets a folder `root`, empty outside */
    const char *user;            /* root's keeper: whom it becomes; NULL, "": "nobody" */
    const char *hosts;           /* text of /etc/hosts; NULL: localhost only */
    const struct vmm_file *extra; /* beside the node's files: certificates, say */
    size_t n_extra;
    char *const *env; /* NULL-ended "NAME=VALUE", beside PATH, HOME, TERM; NULL: none */
};

struct vmm_process;

/*
 * Builds everything; the command waits for vmm_process_go(). -1: a namespace that is not allowed, a
 * file that is not there. Blocking, some 10 ms.
 */
int vmm_process_start(struct vmm_process **out, const struct vmm_process_spec *s, char *why,
                      size_t why_size);
/* The child to wait for (waitpid, ev_child): ends as the command does, 128 + N by signal N, 127
 * when it cannot be started. /proc/PID/ns/net is the node's network namespace. */
pid_t vmm_process_pid(const struct vmm_process *p);
/* Read ends of the command's output, non-blocking; owned by `p`. */
int vmm_process_out(const struct vmm_process *p);
int vmm_process_err(const struct vmm_process *p);
/* Policies and groups are set, the network is there: run it. */
int vmm_process_go(struct vmm_process *p, char *why, size_t why_size);

/* Another command in the same confinement. */
struct vmm_process_exec {
    const char *const *argv; /* NULL-ended */
    const char *const *env;  /* NULL-ended "NAME=VALUE", before those of the node; NULL: none */
    bool input;              /* false: its input is empty */
};

/* Our ends of its pipes, non-blocking, the caller's. */
struct vmm_process_pipes {
    int in; /* -1: no input */
    int out, err;
};

/* To the child of vmm_process_exec() or init: SIGKILL to the command and what it has started. */
#define VMM_PROCESS_END_ALL SIGALRM

/*
 * Runs it, in the same control groups (`exec`): the child to wait for, which passes signals on.
 * -1 and `why`.
 */
pid_t vmm_process_exec(struct vmm_process *p, const struct vmm_process_exec *e,
                       struct vmm_process_pipes *pipes, char *why, size_t why_size);

/* Signals the command. 0, or -1. */
int vmm_process_kill(struct vmm_process *p, int signal);
/* Ends all that is in it, waits unless somebody has. NULL allowed. */
void vmm_process_free(struct vmm_process *p);

#endif
