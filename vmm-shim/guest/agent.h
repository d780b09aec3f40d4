/*
 * agent.h - the host's side of the agent of a guest: connects to QEMU's end of its serial port,
 * knows when it answers, asks it; when the connection breaks, connects anew until it is freed.
 */
#ifndef VMM_AGENT_H
#define VMM_AGENT_H

#include "lines.h"

#include <stdbool.h>

struct vmm_agent;

struct vmm_agent_hello {
    char node[64], kernel[128];
    uint64_t uptime_ms; /* of the guest */
};

/* Each may be NULL. Any function may be called within, vmm_agent_free() too. */
struct vmm_agent_handler {
    /* It answers: at first, and again after each loss. `h`: what it has said of itself last. */
    void (*on_ready)(void *user, const struct vmm_agent_hello *h);
    /* It does not any more; open requests have failed. Connecting goes on. */
    void (*on_lost)(void *user, const char *why);
    /* Whatever else it says. Borrowed. */
    void (*on_message)(void *user, json_t *m);
};

/* Connects to `path` (a unix stream socket, which may not be there yet). 0, or -1 with one line. */
int vmm_agent_new(struct vmm_agent **out, struct ev_loop *loop, const char *path,
                  const struct vmm_agent_handler *handler, void *user, char *why, size_t why_size);
void vmm_agent_free(struct vmm_agent *a);
bool vmm_agent_is_ready(const struct vmm_agent *a);

/*
 * Of a guest that a state moves into: connects, and neither asks nor listens until the state has
 * come. Then one of: vmm_agent_adopt(), the open requests of the guest that it was go on here (the
 * programs in it have not noticed); vmm_agent_release(), without. on_ready comes as ever.
 */
int vmm_agent_new_held(struct vmm_agent **out, struct ev_loop *loop, const char *path,
                       const struct vmm_agent_handler *handler, void *user, char *why,
                       size_t why_size);
void vmm_agent_adopt(struct vmm_agent *a, struct vmm_agent *from);
/* `above`: ids up to here are another keeper's, which may be answered still. */
void vmm_agent_release(struct vmm_agent *a, uint64_t above);
/* Keeps the open requests of a guest that is suspended, to be adopted by the one that it will be.
 * NULL: no memory. To be freed. */
struct vmm_agent *vmm_agent_park(struct vmm_agent *from);
/* Answers to a request that another keeper made. As vmm_lines_expect(). */
int vmm_agent_expect(struct vmm_agent *a, uint64_t id, vmm_answer_fn *fn, void *user);

/* As vmm_lines_ask(); `m` is an object with "do", taken. 0: it does not answer now. */
uint64_t vmm_agent_ask(struct vmm_agent *a, json_t *m, double timeout_s, vmm_answer_fn *fn,
                       void *user);
/* A line that belongs to request `id` (standard input of exec: {"in": text}); taken. 0 or -1. */
int vmm_agent_tell(struct vmm_agent *a, uint64_t id, json_t *m);

/* A program in the guest. Borrowed for the call. */
struct vmm_agent_exec {
    const char *const *argv; /* NULL-ended */
    const char *const *env;  /* NULL-ended "NAME=VALUE", beside the agent's own; NULL: none */
    const char *name;        /* for kill; NULL: none */
    bool stdin_;             /* takes {"in": ...} */
    bool detach;             /* answers at once, its output goes to the guest's log */
    const char *sched;       /* "fifo", "nice", NULL: the usual */
    int priority;
};

/* Parts are {"out"|"err"|"out64"|"err64"}; the end is {"exit": CODE}, {"signal": N} or {"ok":
 * {"pid":}} (detach), or VMM_FAILED. */
uint64_t vmm_agent_exec(struct vmm_agent *a, const struct vmm_agent_exec *e, vmm_answer_fn *fn,
                        void *user);

#endif
