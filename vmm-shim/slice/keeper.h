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
struct vmm_member;
struct vmm_call; /* lines.h: answers, and whether who asked has gone */

struct vmm_request_kind {
    const char *name; /* of "do" */
    /* `args` is the whole request, borrowed for the call; `call` is to be ended, now or later. */
    void (*begin)(struct vmm_keeper *k, struct vmm_call *call, json_t *args);
};

extern const struct vmm_request_kind *const vmm_request_kinds[]; /* NULL-ended */

/* What goes on between who made a call and what serves it. */
struct vmm_flow {
    /* It sent {"id":N,...} again without "do": exec's standard input. */
    void (*input)(void *user, json_t *line);
    /* It has read all that was sent: after vmm_flow_is_crowded(). */
    void (*drained)(void *user);
};

/* Within begin(). NULL: no more, to be said before the call ends. Ends by itself when the channel
 * does. */
void vmm_keeper_on_flow(struct vmm_keeper *k, struct vmm_call *call, const struct vmm_flow *flow,
                        void *user);
/* The agent of `m` is there (again): programs that `exec` asked for meanwhile are started, what
 * others were told is passed on. */
void vmm_exec_resume(struct vmm_keeper *k, struct vmm_member *m);
/* So much waits for its reader that no more should be made. */
bool vmm_flow_is_crowded(const struct vmm_call *call);

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

const char *vmm_member_state_name(enum vmm_member_state state);

struct vmm_guest;    /* guest/guest.h */
struct vmm_process;  /* process/process.h */
struct vmm_confined; /* of slice/ */

struct vmm_member {
    struct vmm_keeper *keeper;
    const struct vmm_node *node;
    size_t index; /* in the topology */
    enum vmm_member_state state;
    struct vmm_guest *guest; /* NULL: none, or not started. move/ changes it: vmm_keeper_moved() */
    struct vmm_process *process; /* NULL: none */
    struct vmm_confined *confined;
    pid_t pid;                       /* of QEMU or of the confined process, 0: none */
    int exit_code;                   /* DONE: of its command, 128 + N by signal N */
    char why[VMM_WHY_MAX];           /* DEAD: what was seen */
    char kernel[128];                /* what its agent said of itself */
    int output;                      /* descriptor of output.log */
    bool spoke;                      /* its command has printed something */
    uint64_t exec_id;                /* of the agent, while its command runs */
    struct vmm_suspended *suspended; /* move/: of a guest that is in a file; NULL: none is */
    bool away;                       /* has the other of its two addresses on each link: move/ */
    bool held;                       /* its output is not read: who waits for it reads slowly */
    bool moving; /* QEMU's end or a lost agent is expected, and nothing new is told to the agent;
                  * move/ sets it, and calls vmm_exec_resume() after it */
};

/* The address of node `node` on `link`, as text; `away`: the other one, that a move can give it
 * (.101 and up). */
void vmm_member_address(const struct vmm_topology *t, size_t link, size_t node, bool away,
                        char out[16]);

/* By name; NULL: there is none. */
struct vmm_member *vmm_keeper_member(struct vmm_keeper *k, const char *name);
/* The same for a request's "node"; NULL: `call` has been answered. */
struct vmm_member *vmm_keeper_asked(struct vmm_keeper *k, struct vmm_call *call, json_t *args);

/* Answers that something is not there: as vmm_call_error(), and the command exits with 3. */
void vmm_keeper_not_there(struct vmm_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * `g` is the member's guest from now on; the one before is the caller's to free. Its handler
 * becomes the keeper's, policies are set on it; state and command stay what they are: they live in
 * the guest. Who suspends sets `guest` NULL, `pid` 0 and the state, after vmm_rt_stopped().
 */
void vmm_keeper_moved(struct vmm_keeper *k, struct vmm_member *m, struct vmm_guest *g);
void vmm_member_state_set(struct vmm_member *m, enum vmm_member_state state);
/* Its command was begun by another keeper as `exec_id`: its output and end are heard from now on.
 * 0: none runs. */
void vmm_member_follow(struct vmm_member *m, uint64_t exec_id);

struct vmm_lines;
struct vmm_rt;
/* The control channel of the slice's vlink, for vmm_lines_ask(); NULL: it is not there. */
struct vmm_lines *vmm_keeper_network(struct vmm_keeper *k);
struct vmm_rt *vmm_keeper_rt(struct vmm_keeper *k); /* NULL: not open */

#endif
