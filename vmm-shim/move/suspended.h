/*
 * suspended.h - what a keeper keeps of a guest that is in a file.
 */
#ifndef VMM_MOVE_SUSPENDED_H
#define VMM_MOVE_SUSPENDED_H

#include "guest/guest.h"
#include "slice/keeper.h"

struct vmm_suspended {
    struct vmm_guest_config config;
    struct vmm_agent *parked;    /* its open requests; NULL: none could be kept */
    enum vmm_member_state state; /* of before */
    uint64_t exec_id;
};

/* NULL allowed. */
void vmm_suspended_free(struct vmm_suspended *s);

#endif
