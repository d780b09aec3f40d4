/* all.c - the registry of congestion controllers: one line each. */
#include "all.h"

#include <string.h>

const struct tvl_cc_ops *const tvl_cc_all[] = {
    &tvl_cc_cubic,    &tvl_cc_newreno, &tvl_cc_bbr,   &tvl_cc_compound,
    &tvl_cc_westwood, &tvl_cc_veno,    &tvl_cc_hybla, &tvl_cc_copa,
    &tvl_cc_scream,   &tvl_cc_prague,  NULL,
};

const struct tvl_cc_ops *tvl_cc_find(const char *name)
{
    for (size_t i = 0; tvl_cc_all[i]; i++)
        if (strcmp(tvl_cc_all[i]->name, name) == 0)
            return tvl_cc_all[i];
    return NULL;
}
