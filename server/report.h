/*
 * report.h - the server's state as JSON lines: its sources, per session its paths and the account
 * of its tracks.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdio.h>

#include "snapshot.h"

enum report_kind { REPORT_INTERVAL, REPORT_ENDED, REPORT_FINAL };

/* One line. REPORT_ENDED: about the one session that has just gone, and its source; `reason` says
 * why it went, else it is NULL. 0, or -1: could not be written. */
int report_write(FILE *file, enum report_kind kind, const struct snapshot *s, const char *reason);

#endif
