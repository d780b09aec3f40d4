/*
 * guest.h - a guest that runs: its QEMU, the control socket, the agent, on libev.
 *
 *     vmm_guest_start() ─► STARTING ── agent answers ──► READY ── QEMU ends ──► ENDED
 *                              └── with KVM, not in time: again with TCG (accel auto)
 *
 * One QEMU process each but for that second try; a migration makes a second struct (incoming), and
 * frees the first.
 */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

#include "guest/agent.h"
#include "guest/command_line.h"
#include "guest/qmp.h"

#include <sys/types.h>

#define VMM_GUEST_KVM_S 10.0   /* a guest with KVM answers within this, else TCG */
#define VMM_GUEST_BOOT_S 120.0 /* a guest answers within this, else it is given up */

struct ev_loop;
struct vmm_guest;

enum vmm_guest_state { VMM_GUEST_STARTING, VMM_GUEST_READY, VMM_GUEST_ENDED };

/* Each may be NULL. Any function may be called within, vmm_guest_free() too. */
struct vmm_guest_handler {
    /* QEMU's control socket answers: its vCPUs are known (vmm_guest_vcpus()). Twice when KVM
     * fails: another process. Policies are set here. */
    void (*on_running)(void *user, struct vmm_guest *g);
    /* The agent answers: the first time, and each time after it was lost. */
    void (*on_ready)(void *user, struct vmm_guest *g, const struct vmm_agent_hello *h);
    void (*on_lost)(void *user, struct vmm_guest *g, const char *why);
    /* What the agent says without being asked. Borrowed. */
    void (*on_message)(void *user, struct vmm_guest *g, json_t *m);
    /* QMP's events (STOP, RESUME, GUEST_PANICKED, ...). */
    void (*on_event)(void *user, struct vmm_guest *g, const char *event, json_t *data);
    /* QEMU has ended. `why`: "" when it was told to or the guest powered off, else one line with
     * the end of its log. Once. */
    void (*on_ended)(void *user, struct vmm_guest *g, const char *why);
    /* One line for people: KVM failed, TCG is tried. */
    void (*on_note)(void *user, struct vmm_guest *g, const char *line);
};

/*
 * `loop` is libev's default loop, the only one that hears of children.
 * Starts QEMU in config.folder, which is made for config.user. `ram` is a descriptor of the guest's
 * RAM (of vmm_guest_ram() of another guest, duplicated), or -1: new. `root`: where verdicts on KVM
 * are kept, NULL: nowhere; given, KVM that fails is tried again with TCG. Copies `config`;
 * `handler` and `user` are borrowed. 0, or -1 with one line.
 */
int vmm_guest_start(struct vmm_guest **out, struct ev_loop *loop,
                    const struct vmm_guest_config *config, int ram, const char *root,
                    const struct vmm_guest_handler *handler, void *user, char *why,
                    size_t why_size);
/* Kills what still runs, waits for it (some ms), removes its sockets; no callback comes of it. NULL
 * allowed. */
void vmm_guest_free(struct vmm_guest *g);
/* Asks the agent to power off, or QEMU to quit; kills it after `patience_s`. on_ended follows. */
void vmm_guest_stop(struct vmm_guest *g, double patience_s);

/* The last line of its QEMU's log; "": none. */
void vmm_guest_last_words(const struct vmm_guest *g, char *out, size_t size);
/* From now on another is told; borrowed. */
void vmm_guest_set_handler(struct vmm_guest *g, const struct vmm_guest_handler *handler,
                           void *user);

enum vmm_guest_state vmm_guest_state(const struct vmm_guest *g);
pid_t vmm_guest_pid(const struct vmm_guest *g); /* 0: ended */
/* Borrowed of `g`. The agent's and QMP's functions may be used; they are not to be freed. */
const struct vmm_guest_config *vmm_guest_config(const struct vmm_guest *g);
struct vmm_qmp *vmm_guest_qmp(struct vmm_guest *g);
struct vmm_agent *vmm_guest_agent(struct vmm_guest *g);
int vmm_guest_ram(const struct vmm_guest *g); /* descriptor of the RAM, borrowed */
/* Thread ids of its vCPUs; *n: how many, 0 before on_running. Borrowed. */
const pid_t *vmm_guest_vcpus(const struct vmm_guest *g, size_t *n);
/* From vmm_guest_start() to the agent's first answer, seconds; 0: not yet. */
double vmm_guest_boot_s(const struct vmm_guest *g);

#endif
