/*
 * keeper.h - what requests to a keeper see of it: the slice, its nodes, and how they answer.
 *
 *   control socket ──line──► struct vmm_call ──"do"──► vmm_request_kinds[] ──► begin(k, call, args)
 *                  ◄────── vmm_call_part()*, then vmm_call_ok() or vmm_call_error() ──────────┘
 *
 * Another room adds a request with a const struct vmm_request_kind of its own (say
 * move/requests.c) and a line in slice/requests.c. What it tells while it works are parts: "out"
 * and "err", which the command prints on its standard output and error ("err" also for steps:
 * "copied 40 of 128 MiB\\n"). All on one thread, on the keeper's loop: begin() starts what is to be
 * done and returns; nothing waits.
 */
#ifndef VMM_KEEPER_H
#define VMM_KEEPER_H

#include "topology/topology.h"

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct vmm_keeper;
struct vmm_call; /* lines.h: answers, and whether who asked has gone */

struct vmm_request_kind {
    const char *name; /* of "do" */
    /* `args` is the whole request, borrowed for the call; `call` is to be ended, now or later. */
    void (*begin)(struct vmm_keeper *k, struct vmm_call *call, json_t *args);
};

extern const struct vmm_request_kind *const vmm_request_kinds[]; /* NULL-ended */

/* input(user, line): whoever made `call` sent {"id":N,...} again without "do" (exec's standard
 * input). NULL: no more. Ends by itself when the channel does; to be taken back before the call
 * ends. */
void vmm_keeper_on_input(struct vmm_keeper *k, struct vmm_call *call,
                         void (*input)(void *user, json_t *line), void *user);

struct ev_loop *vmm_keeper_loop(struct vmm_keeper *k);
const struct vmm_topology *vmm_keeper_topology(const struct vmm_keeper *k);
const char *vmm_keeper_folder(const struct vmm_keeper *k); /* of the slice */
/* One line in keeper.log and, while `up` waits, on its standard error. */
void vmm_keeper_say(struct vmm_keeper *k, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What a node is, as the keeper knows it. */
enum vmm_member_state {
    VMM_MEMBER_NONE,      /* not started */
    VMM_MEMBER_STARTING,  /* QEMU runs, its agent has not answered */
    VMM_MEMBER_READY,     /* answers; no command */
    VMM_MEMBER_RUNNING,   /* its command runs */
    VMM_MEMBER_DONE,      /* its command ended */
    VMM_MEMBER_SUSPENDED, /* to a file */
    VMM_MEMBER_DEAD,      /* ended by itself */
};

struct vmm_guest; /* guest/guest.h */

struct vmm_member {
    const struct vmm_node *node;
    size_t index; /* in the topology */
    enum vmm_member_state state;
    struct vmm_guest *guest; /* NULL: no guest, or not started. move/ swaps it */
    pid_t pid;               /* of QEMU or of the confined process, 0: none */
    int exit_code;           /* DONE: of its command, 128 + N by signal N */
    char why[VMM_WHY_MAX];   /* DEAD: what was seen */
};

/* By name; NULL: there is none. */
struct vmm_member *vmm_keeper_member(struct vmm_keeper *k, const char *name);
struct vmm_member *vmm_keeper_member_at(struct vmm_keeper *k, size_t index); /* < n_nodes */

#endif
