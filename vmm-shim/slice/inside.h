/*
 * inside.h - the keeper's own state, for slice/ alone. Others see keeper.h.
 *
 *     keeper.c    loop, phases, who waits for them, the end
 *     clients.c   control socket, requests to the table, their further lines
 *     member.c    a node: started, ready, its command, ended
 *     network.c   the vlink process of the slice
 *     requests.c  the table of requests; show.c, change.c, exec.c: ours
 */
#ifndef VMM_INSIDE_H
#define VMM_INSIDE_H

#include "lines.h"
#include "slice/keeper.h"
#include "slice/launch.h"

#include <stdio.h>

#define VMM_CLIENTS_MAX 64 /* connections to the control socket at once */
#define VMM_WAITERS_MAX 16

/* What goes on. Only ever forwards. */
enum vmm_phase {
    VMM_PHASE_NEW,      /* nobody has said "start" */
    VMM_PHASE_STARTING, /* network, guests, their agents */
    VMM_PHASE_READY,    /* all nodes answer, commands run */
    VMM_PHASE_RESULT,   /* the result node's command has ended */
    VMM_PHASE_STOPPING, /* all is being ended */
    VMM_PHASE_GONE,
};

struct vmm_client; /* a connection to the control socket */
struct vmm_input;  /* who wants more of a request's lines */
struct exec;       /* a program of `exec` in a guest */

struct vmm_waiter { /* somebody who is told of progress and of the end */
    struct vmm_call *call;
    enum vmm_phase until; /* READY, RESULT; GONE: who said "down" */
    bool quiet;           /* is not told of progress */
};

struct vmm_keeper {
    struct ev_loop *loop;
    struct vmm_topology *topology;
    struct vmm_launch *launch;
    char folder[VMM_PATH_MAX], root[VMM_PATH_MAX];
    int lock;
    enum vmm_phase phase;
    bool once;             /* taken down when the result is there */
    bool keep_logs;        /* it ends by itself, and nobody has said "down" */
    char why[VMM_WHY_MAX]; /* of the end; "": asked for */
    struct vmm_door *door;
    struct vmm_client *client[VMM_CLIENTS_MAX];
    struct vmm_input *inputs;
    struct vmm_client *now; /* during begin() of a request: where it came from, and its id */
    json_int_t now_id;
    struct vmm_waiter waiter[VMM_WAITERS_MAX];
    size_t n_waiters;
    struct vmm_network *network;
    bool network_gone;
    struct vmm_rt *rt;
    ev_timer rt_tick, limit;
    ev_signal term, interrupt;
    struct vmm_member member[VMM_NODES_MAX];
    bool all_begun; /* also those that wait for the others */
    ev_timer others_limit;
    unsigned exec_count;
    struct exec *execs;
};

/* keeper.c */
void vmm_keeper_enter(struct vmm_keeper *k, enum vmm_phase phase);
/* Takes the slice down; `format` "": asked for, else why. What follows comes by the loop. */
void vmm_keeper_stop(struct vmm_keeper *k, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Something has ended: if all has and we are stopping, the slice is cleared away. */
void vmm_keeper_check_end(struct vmm_keeper *k);
/* `call` is answered when `until` is reached, and told of what happens meanwhile. */
void vmm_keeper_wait(struct vmm_keeper *k, struct vmm_call *call, enum vmm_phase until, bool quiet);
/* A part of the result node's output, for those who wait for it. Borrowed. */
void vmm_keeper_show(struct vmm_keeper *k, json_t *part);
/* Whether one of those reads more slowly than that comes. */
bool vmm_keeper_is_crowded(const struct vmm_keeper *k);
void vmm_keeper_fail_waiters(struct vmm_keeper *k, const char *why);

/* clients.c */
int vmm_clients_open(struct vmm_keeper *k, char *why, size_t why_size);
void vmm_clients_finish(struct vmm_keeper *k); /* what is queued is written, then closed */
void vmm_clients_close(struct vmm_keeper *k);

/* member.c */
void vmm_members_init(struct vmm_keeper *k);
void vmm_members_start(struct vmm_keeper *k);
void vmm_members_stop(struct vmm_keeper *k); /* vmm_keeper_check_end() when each has ended */
bool vmm_members_all_gone(const struct vmm_keeper *k);
/* Who waits for a result has read what there was: its command may print again. */
void vmm_members_go_on(struct vmm_keeper *k);
void vmm_members_free(struct vmm_keeper *k);
/* Commands: all that are not `after_all`, and when each of those has said something or a second has
 * passed, the others. */
void vmm_members_run(struct vmm_keeper *k);

#endif
