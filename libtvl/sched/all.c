/* all.c - the registry of schedulers: one line each. */
#include "all.h"

#include <string.h>

const struct tvl_sched_ops *const tvl_sched_all[] = {
    &tvl_sched_ecf,   &tvl_sched_minrtt,    &tvl_sched_roundrobin, &tvl_sched_weighted,
    &tvl_sched_blest, &tvl_sched_redundant, &tvl_sched_layered,    NULL,
};

const struct tvl_sched_ops *tvl_sched_find(const char *name)
{
    for (size_t i = 0; tvl_sched_all[i]; i++)
        if (strcmp(tvl_sched_all[i]->name, name) == 0)
            return tvl_sched_all[i];
    return NULL;
}
