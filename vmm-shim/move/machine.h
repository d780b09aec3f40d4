/*
 * machine.h - moves the state of one QEMU into another: which step follows which, and what is
 * undone when one fails. Speaks QMP; all else is done by its owner (struct vmm_move_ops).
 *
 *     open ─► start ─► compare ─► prepare ─► listen ─► [stop] ─► migrate ─► copy ─► loaded ─► [go
 * on] ─► running ─► arrive (agent answers) ─► [drain] ─► commit ─► done any of them fails ─► cancel
 * ─► undo ─► source plays on ─► failed
 *
 * Modes (docs/vmm.md, Migration):
 *   shared    both on one host have the RAM in common: only devices' state is copied
 *   postcopy  starts there at once; pages follow, those that are missed first
 *   stop      stops, copies all, goes on there
 *   precopy   copies while it runs, again what is changed meanwhile. Not with TCG: it misses pages
 * that are written while they are sent, and the guest is damaged (5 of 57 measured)
 */
#ifndef VMM_MOVE_MACHINE_H
#define VMM_MOVE_MACHINE_H

#include "guest/qmp.h"

#include <stdbool.h>

#define VMM_MOVE_LIMIT_S 120.0 /* for copying all */
#define VMM_MOVE_AGENT_S 10.0  /* for the agent's first answer there */

enum vmm_move_mode { VMM_MOVE_SHARED, VMM_MOVE_POSTCOPY, VMM_MOVE_STOP, VMM_MOVE_PRECOPY };

/* "shared", "postcopy", "stop-and-copy", "precopy". Parsing: 0 or -1. */
const char *vmm_move_mode_name(enum vmm_move_mode mode);
int vmm_move_mode_parse(const char *word, enum vmm_move_mode *out);

struct vmm_move_machine;

/* What came of it. */
struct vmm_move_result {
    bool moved;
    bool source_runs; /* not moved: the source plays on */
    char why[512];    /* not moved: one line, with the step that failed */
    double total_ms;  /* from the beginning to the end */
    double down_ms;   /* no guest ran, as seen from here: at most the real one and some ms */
    double copy_ms;   /* from "migrate" to "running" there */
    uint64_t bytes;   /* RAM that was sent */
};

/*
 * What the owner does. All but finished() begin something; vmm_move_done() tells how it ended, from
 * within or later. Each is called at most once, but keep_ram.
 */
struct vmm_move_ops {
    void (*open)(void *user);  /* ports of the network for the destination */
    void (*start)(void *user); /* its QEMU; before done: vmm_move_set_destination() */
    /* Shared: a copy of the RAM that the source can go back to. Called before the source stops and
     * again when it has stopped: then only what has changed meanwhile is to be copied. */
    void (*keep_ram)(void *user);
    void (*arrive)(void *user); /* the guest runs there: done when its agent has answered */
    void (*commit)(void *user); /* it is there: source and its ports go */
    /* It stays: the destination and its ports go; `ran`: it ran there, so RAM that is shared goes
     * back to what it was, and requests to the agent too. */
    void (*undo)(void *user, bool ran);
    /* The end; the machine may be freed within. */
    void (*finished)(void *user, const struct vmm_move_result *r);
    void (*step)(void *user, const char *name); /* each begins; may be NULL */
};

struct vmm_move_plan {
    enum vmm_move_mode mode;
    const char *uri;           /* where both meet, "unix:PATH"; borrowed */
    uint64_t rate_bytes_per_s; /* at most; 0: as fast as it goes */
    double agent_s;            /* patience with the agent; 0: VMM_MOVE_AGENT_S */
    double limit_s;            /* 0: VMM_MOVE_LIMIT_S */
};

/* Begins. `source`: ready, the guest runs. All is borrowed until finished(). NULL: no memory. */
struct vmm_move_machine *vmm_move_new(struct ev_loop *loop, const struct vmm_move_plan *plan,
                                      struct vmm_qmp *source, const struct vmm_move_ops *ops,
                                      void *user);
void vmm_move_begin(struct vmm_move_machine *m);
/* No call follows. NULL allowed. */
void vmm_move_free(struct vmm_move_machine *m);

void vmm_move_set_destination(struct vmm_move_machine *m, struct vmm_qmp *destination);
/* The step the owner was asked for has ended: `why` NULL: well. */
void vmm_move_done(struct vmm_move_machine *m, const char *why);
/* One of the QEMUs has ended by itself, at any time; its struct vmm_qmp is not used any more. */
void vmm_move_lost(struct vmm_move_machine *m, struct vmm_qmp *qmp, const char *why);

#endif
