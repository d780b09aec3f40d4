/* report.h - the server's state as JSON lines: per viewer its paths and the account of its tracks.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdio.h>

#include "live.h"
#include "supplier.h"
#include "viewer.h"

enum report_kind { REPORT_INTERVAL, REPORT_ENDED, REPORT_FINAL };

struct report_head {
    enum report_kind kind;           /* REPORT_ENDED: about the one viewer that has just gone */
    uint64_t elapsed_us;             /* since the server began */
    uint64_t viewers_total;          /* that ever came */
    const char *reason;              /* REPORT_ENDED: why it went; else NULL */
    const struct live_stats *live;   /* of the encoder; NULL: there is none */
    const struct supplier *supplier; /* what it is told; where there is one */
};

/* One line. 0, or -1: could not be written. */
int report_write(FILE *file, const struct report_head *head, const struct tracks *tracks,
                 const struct viewer *const *viewers, size_t n, tvl_time now);

#endif
