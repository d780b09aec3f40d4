/*
 * mover.h - moves a member of a slice into another QEMU: configuration and folder of the
 * destination, its ports of the network, its agent; what is done when is the machine's (machine.h).
 *
 *     node/NAME ── first QEMU        node/NAME/1, node/NAME/2 ... the next ones; a log goes on in
 *                                    node/NAME/serial.log, which they have in common
 */
#ifndef VMM_MOVE_MOVER_H
#define VMM_MOVE_MOVER_H

#include "guest/guest.h"
#include "move/machine.h"
#include "slice/keeper.h"

struct vmm_mover;

struct vmm_mover_plan {
    enum vmm_move_mode mode;
    struct vmm_guest_config there; /* of the destination, by vmm_mover_destination() */
    uint64_t rate_bytes_per_s;
    double agent_s;     /* patience with the agent, 0: the usual */
    bool new_addresses; /* the NICs get others there: vmm_member_address() */
    void (*on_step)(void *user, const char *step); /* may be NULL */
    /* Once; the mover is gone afterwards. */
    void (*on_end)(void *user, const struct vmm_move_result *r);
    void *user;
};

/* The configuration of the next QEMU of `m`, in a folder of its own, in network namespace `netns`
 * ("": as the source, "none": one of its own). 0, or -1 with one line. */
int vmm_mover_destination(struct vmm_keeper *k, const struct vmm_member *m, const char *netns,
                          struct vmm_guest_config *out, char *why, size_t why_size);
/* What forbids the move of `here` into `there` by `mode`; "" nothing. */
void vmm_mover_objection(const struct vmm_guest_config *here, const struct vmm_guest_config *there,
                         enum vmm_move_mode mode, char *out, size_t size);
/* Begins. 0, or -1 with one line: nothing has begun, on_end is not called. */
int vmm_mover_begin(struct vmm_keeper *k, struct vmm_member *m, const struct vmm_mover_plan *plan,
                    char *why, size_t why_size);

#endif
