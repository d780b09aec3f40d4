/* scenarios.c - the networks a connection must live through: one row each. */
#include "world.h"

#include <string.h>

#define MS 1000000u /* ns */

#define LINK(mbit, ms, lost, late)                                            \
    {                                                                         \
        .rate_bps = (mbit)*1000000u, .delay_ns = (ms)*MS, .loss_ppm = (lost), \
        .reorder_ppm = (late), .reorder_ns = 8 * MS, .queue_ns = 150 * MS,    \
        .overhead_bytes = VLINK_OVERHEAD_BYTES                                \
    }

const struct sim_scenario sim_scenarios[] = {
    { .name = "clean",
      .links = 1,
      .link = { LINK(10, 20, 0, 0) },
      .streams = 2,
      .bytes = 300000,
      .limit = 30000000 },
    { .name = "lossy",
      .links = 1,
      .link = { LINK(5, 30, 20000, 20000) },
      .streams = 4,
      .bytes = 50000,
      .limit = 120000000,
      .vary = true },
    /* the swarm: two unlike links, loss, reordering, duplicates; one dies, and returns */
    { .name = "death",
      .links = 2,
      .link = { { .rate_bps = 6000000,
                  .delay_ns = 15 * MS,
                  .loss_ppm = 10000,
                  .reorder_ppm = 20000,
                  .reorder_ns = 10 * MS,
                  .duplicate_ppm = 5000,
                  .queue_ns = 150 * MS },
                { .rate_bps = 3000000,
                  .delay_ns = 40 * MS,
                  .loss_ppm = 10000,
                  .reorder_ppm = 20000,
                  .reorder_ns = 10 * MS,
                  .duplicate_ppm = 5000,
                  .queue_ns = 150 * MS } },
      .change = { { .at = 400000, .link = 0, .down = true },
                  { .at = 3000000, .link = 0, .down = false } },
      .changes = 2,
      .streams = 6,
      .bytes = 50000,
      .limit = 120000000,
      .vary = true },
    { .name = "death-of-second",
      .links = 2,
      .link = { LINK(4, 20, 10000, 10000), LINK(6, 30, 10000, 10000) },
      .change = { { .at = 500000, .link = 1, .down = true } },
      .changes = 1,
      .streams = 4,
      .bytes = 80000,
      .limit = 120000000,
      .vary = true },
    { .name = "flapping",
      .links = 3,
      .link = { LINK(4, 20, 5000, 0), LINK(3, 30, 5000, 0), LINK(2, 60, 5000, 0) },
      .change = { { .at = 300000, .link = 0, .down = true },
                  { .at = 700000, .link = 0 },
                  { .at = 800000, .link = 1, .down = true },
                  { .at = 1300000, .link = 1 },
                  { .at = 1400000, .link = 0, .down = true },
                  { .at = 2000000, .link = 0 } },
      .changes = 6,
      .streams = 4,
      .bytes = 150000,
      .limit = 120000000 },
    { .name = "newreno",
      .links = 2,
      .link = { LINK(5, 20, 5000, 0), LINK(5, 30, 5000, 0) },
      .streams = 2,
      .bytes = 200000,
      .limit = 60000000,
      .cc = "newreno",
      .vary = true },
    /* every fifth datagram is lost, both ways */
    { .name = "heavy-loss",
      .links = 2,
      .link = { LINK(5, 20, 200000, 50000), LINK(5, 50, 200000, 50000) },
      .streams = 3,
      .bytes = 60000,
      .limit = 120000000,
      .vary = true },
    /* nothing lives for a while: everything waits, nothing is given up */
    { .name = "blackout",
      .links = 2,
      .link = { LINK(5, 20, 5000, 0), LINK(3, 40, 5000, 0) },
      .change = { { .at = 300000, .link = 0, .down = true },
                  { .at = 350000, .link = 1, .down = true },
                  { .at = 6000000, .link = 1 },
                  { .at = 9000000, .link = 0 } },
      .changes = 4,
      .streams = 3,
      .bytes = 200000,
      .limit = 120000000,
      .vary = true },
    /* one direction dies: data arrives, acknowledgements do not, or the other way round */
    { .name = "one-way-death",
      .links = 2,
      .link = { LINK(6, 15, 5000, 0), LINK(4, 35, 5000, 0) },
      .change = { { .at = 300000, .link = 0, .down = true, .ways = SIM_TO_SERVER },
                  { .at = 1500000, .link = 0, .ways = SIM_TO_SERVER },
                  { .at = 2500000, .link = 1, .down = true, .ways = SIM_TO_CLIENT } },
      .changes = 3,
      .streams = 3,
      .bytes = 400000,
      .limit = 120000000,
      .vary = true },
    /* a long thin satellite beside a good link */
    { .name = "unlike",
      .links = 2,
      .link = { LINK(8, 15, 0, 0), LINK(1, 300, 0, 0) },
      .streams = 1,
      .bytes = 6000000,
      .limit = 60000000 },
    /* the sum of unlike links is used: judged by goodput_share */
    { .name = "sum",
      .links = 2,
      .link = { LINK(8, 15, 0, 0), LINK(4, 45, 0, 0) },
      .streams = 1,
      .bytes = 12000000,
      .limit = 60000000 },
    { .name = NULL },
};

const struct sim_scenario *sim_find(const char *name)
{
    for (const struct sim_scenario *s = sim_scenarios; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}
