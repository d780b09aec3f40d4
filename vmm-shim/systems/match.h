/*
 * match.h - which system an endpoint gets: a need, measured figures, a choice and its reasons.
 *
 * Pure. Of the systems that satisfy every part of the need, one that runs the programs of this host
 * (its architecture, any program) comes before one that does not; then the one that holds least
 * memory; then the one that boots first; then the order of the file. Without a need that leaves one
 * choice for all.
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
    int chosen;  /* index of the system; -1: none satisfies */
    int nearest; /* chosen, or the one that misses least; -1: there are no systems */
    struct vmm_candidate candidate[VMM_SYSTEMS_MAX]; /* one a system, in its order */
    char sentence[VMM_WHY_MAX]; /* one line: the choice and why, or what is nearest and what it
                                   lacks */
};

/* `program`: what shall run there, a path or a name; NULL: any. */
void vmm_match(struct vmm_choice *out, const struct vmm_systems *s, const struct vmm_need *need,
               const char *program);

/* For a node that is a guest: its `system` if that exists and runs its command, else by its need.
 * Index, or -1 with "FILE:LINE: ..." in `why`. *choice, if not NULL, has the reasons. */
int vmm_match_node(const struct vmm_systems *s, const struct vmm_topology *t, size_t node,
                   struct vmm_choice *choice, char *why, size_t why_size);

#endif
