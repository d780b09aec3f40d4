/*
 * facts.h - what this host can do for guests, each found out by trying.
 */
#ifndef VMM_FACTS_H
#define VMM_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#define VMM_FACTS_MAX 24

struct vmm_fact {
    const char *name; /* one word, "tap" */
    bool works;
    char text[256];    /* what was seen */
    const char *means; /* what is not to be had without it, what would help; "" when it works */
};

/* Fills `out`; how many. Blocks for some ms, and 2 s more the first time where KVM seems to work.
 * `root`: folder of verdicts, NULL: none. */
size_t vmm_facts(struct vmm_fact out[VMM_FACTS_MAX], const char *root);

#endif
