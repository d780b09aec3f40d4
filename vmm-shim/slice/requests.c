/*
 * requests.c - the table of what a keeper can be asked. One a line: many add to it.
 */
#include "slice/keeper.h"

extern const struct vmm_request_kind vmm_request_start, vmm_request_down; /* keeper.c */
extern const struct vmm_request_kind vmm_request_ps, vmm_request_stats;   /* show.c */
extern const struct vmm_request_kind vmm_request_exec;                    /* exec.c */
extern const struct vmm_request_kind vmm_request_link_set, vmm_request_link_state,
    vmm_request_link_program;                                                 /* change.c */
extern const struct vmm_request_kind vmm_request_rt_set, vmm_request_rt_show; /* real_time.c */
extern const struct vmm_request_kind vmm_request_migrate, vmm_request_suspend,
    vmm_request_resume; /* move/requests.c */

/* clang-format off */
const struct vmm_request_kind *const vmm_request_kinds[] = {
    &vmm_request_migrate,
    &vmm_request_suspend,
    &vmm_request_resume,
    &vmm_request_start,
    &vmm_request_down,
    &vmm_request_ps,
    &vmm_request_stats,
    &vmm_request_exec,
    &vmm_request_link_set,
    &vmm_request_link_state,
    &vmm_request_link_program,
    &vmm_request_rt_set,
    &vmm_request_rt_show,
    NULL,
};
/* clang-format on */
