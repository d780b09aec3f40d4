/*
 * match.h - which system an endpoint gets: a need, measured figures, a choice and its reasons.
 *
 * Pure. Of the systems that satisfy every part of the need, the one that holds least memory is
 * chosen; of equals the one that boots first, then the one that was registered first.
 */
#ifndef VMM_MATCH_H
#define VMM_MATCH_H

#include "systems/systems.h"

#define VMM_REASON_MAX 256

struct vmm_candidate {
    bool fits;
    char reason[VMM_REASON_MAX]; /* "wake p99 0.6 ms <= 1 ms" or "wake p99 1.8 ms > 1 ms" */
};

struct vmm_choice {
    int chosen;                                      /* index of the system; -1: none satisfies */
    int nearest;                                     /* chosen, or the one that misses least */
    struct vmm_candidate candidate[VMM_SYSTEMS_MAX]; /* one a system, in its order */
    char sentence[VMM_WHY_MAX]; /* one line with the choice and why, or what is nearest */
};

void vmm_match(struct vmm_choice *out, const struct vmm_systems *s, const struct vmm_need *need);

/* For a node: its `system` if it names one that exists, else by its need. Nothing asked for: the
 * default (first registered). Index, or -1 with "FILE:LINE: ..." in `why`. *choice may be NULL. */
int vmm_match_node(const struct vmm_systems *s, const struct vmm_topology *t, size_t node,
                   struct vmm_choice *choice, char *why, size_t why_size);

#endif
