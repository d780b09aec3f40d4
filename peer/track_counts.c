/* track_counts.c - see track_counts.h. */
#include "track_counts.h"

#include <stdio.h>
#include <string.h>

uint32_t track_counts_flow(struct track_counts *c, const char *name, bool base)
{
    size_t at = base ? 0 : 1; /* the first is the base's also while there is none */
    while (!base && at < c->n && strcmp(c->of[at].name, name) != 0)
        at++;
    if (at >= TVL_FLOWS_MAX)
        return TVL_FLOWS_MAX - 1;
    if (at >= c->n)
        c->n = at + 1;
    snprintf(c->of[at].name, sizeof c->of[at].name, "%s", name);
    return (uint32_t)at;
}

void track_counts_add(struct track_counts *c, const struct tvl_conn *conn)
{
    for (size_t i = 0; i < c->n; i++) {
        struct tvl_flow_stats flow;
        if (tvl_flow_get_stats(conn, (uint32_t)i, &flow) != 0)
            continue;
        c->of[i].in_time += flow.in_time;
        c->of[i].expired += flow.expired;
    }
}
