/* rt.h - what the tests of real time share: cmocka's headers, claims in few words. */
#ifndef TEST_VMM_RT_H
#define TEST_VMM_RT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rt/admit.h"

#define PERCENT 10000u
#define MIB (1024u * 1024u)

/* `why` has `part`; says what it has, else. */
static inline void assert_says(const char *why, const char *part)
{
    if (!strstr(why, part))
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static inline struct vmm_claim claim(const char *slice, const char *node, enum vmm_policy policy,
                                     uint32_t percent, uint64_t cpus)
{
    struct vmm_claim c = { .policy = policy, .threads = 1, .cpus = cpus };
    if (policy == VMM_POLICY_FIFO || policy == VMM_POLICY_DEADLINE)
        c.real_time_ppm = percent * PERCENT;
    else
        c.quota_ppm = percent * PERCENT;
    c.demand_ppm = percent * PERCENT;
    snprintf(c.slice, sizeof c.slice, "%s", slice);
    snprintf(c.node, sizeof c.node, "%s", node);
    return c;
}

#endif
