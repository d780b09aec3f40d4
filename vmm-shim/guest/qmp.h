/*
 * qmp.h - QEMU's control socket (QMP) on libev: connect, negotiate, ask, hear events.
 *
 *     QEMU ── greeting ──► qmp_capabilities ──► on_ready, then vmm_qmp_ask() as you like
 *
 * The wire is lines.h; the words are those of the QEMU QMP reference.
 */
#ifndef VMM_QMP_H
#define VMM_QMP_H

#include "lines.h"

#include <stdbool.h>

struct vmm_qmp;

/* Each may be NULL. Any function may be called within, vmm_qmp_free() too. */
struct vmm_qmp_handler {
    void (*on_ready)(void *user);
    /* `data` is borrowed, NULL: none. */
    void (*on_event)(void *user, const char *event, json_t *data);
    /* Once: QEMU has gone, or was not to be reached in time. */
    void (*on_closed)(void *user, const char *why);
};

/*
 * Connects to the socket `path`, which QEMU may not have made yet: tried again for `patience_s`.
 * `handler` and `user` are borrowed. 0, or -1 with one line.
 */
int vmm_qmp_new(struct vmm_qmp **out, struct ev_loop *loop, const char *path, double patience_s,
                const struct vmm_qmp_handler *handler, void *user, char *why, size_t why_size);
/* On a connected descriptor, which is taken. */
int vmm_qmp_new_on(struct vmm_qmp **out, struct ev_loop *loop, int fd,
                   const struct vmm_qmp_handler *handler, void *user, char *why, size_t why_size);
/* Open requests fail. NULL allowed. */
void vmm_qmp_free(struct vmm_qmp *q);
bool vmm_qmp_is_ready(const struct vmm_qmp *q);

/*
 * Executes `command`; takes `arguments` (an object, or NULL). The answer comes as VMM_DONE (its
 * value: vmm_qmp_value()) or VMM_FAILED. `timeout_s` 0: VMM_QMP_TIMEOUT_S. The id for
 * vmm_qmp_forget(), or 0: not sent (not ready, closed), `fn` is not called.
 */
#define VMM_QMP_TIMEOUT_S 10.0
uint64_t vmm_qmp_ask(struct vmm_qmp *q, const char *command, json_t *arguments, double timeout_s,
                     vmm_answer_fn *fn, void *user);
void vmm_qmp_forget(struct vmm_qmp *q, uint64_t id);
/* What "return" holds, borrowed of the answer `m`; NULL: nothing. */
json_t *vmm_qmp_value(json_t *m);

/* Hands descriptor `fd` (borrowed) to QEMU under `name`, for "fd:NAME" (QMP getfd). As
 * vmm_qmp_ask(). */
uint64_t vmm_qmp_give_fd(struct vmm_qmp *q, const char *name, int fd, vmm_answer_fn *fn,
                         void *user);

#endif
