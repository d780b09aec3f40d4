/* process_stats.h - what the kernel says of this process. */
#ifndef SERVER_PROCESS_STATS_H
#define SERVER_PROCESS_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct process_stats {
    double cpu_s;                           /* user and system */
    uint64_t resident_bytes, virtual_bytes; /* 0: not known */
    uint64_t fds, fds_max;                  /* 0: not known */
    uint64_t threads;                       /* 0: not known */
};

/* What /proc does not show (to a confined process, say) is 0. */
void process_stats_get(struct process_stats *out);

#endif
