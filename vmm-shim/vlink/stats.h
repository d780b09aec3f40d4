/* stats.h - one JSON line per link and direction: what came, what left, what was lost and why. */
#ifndef VLINK_STATS_H
#define VLINK_STATS_H

#include <stdio.h>

#include "relay.h"

enum vlink_stats_kind { VLINK_STATS_INTERVAL, VLINK_STATS_FINAL };

/* Two lines, up and down; `elapsed_ns` since the process was ready. 0, or -1: could not write. */
int vlink_stats_write(FILE *file, const struct vlink_relay *r, vlink_time now,
                      vlink_time elapsed_ns, enum vlink_stats_kind kind);

#endif
