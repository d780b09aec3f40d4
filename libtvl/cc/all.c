/*
 * all.c - the registry of congestion controllers: one line each.
 */
#include <string.h>

#include <tvl/cc.h>

extern const struct tvl_cc_ops tvl_cc_cubic, tvl_cc_newreno;

const struct tvl_cc_ops *const tvl_cc_all[] = {
    &tvl_cc_cubic,
    &tvl_cc_newreno,
    NULL,
};

const struct tvl_cc_ops *tvl_cc_find(const char *name)
{
    for (size_t i = 0; tvl_cc_all[i] != NULL; i++)
        if (strcmp(tvl_cc_all[i]->name, name) == 0)
            return tvl_cc_all[i];
    return NULL;
}
