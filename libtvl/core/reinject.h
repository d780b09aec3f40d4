/*
 * reinject.h - the end of what was to be sent does not wait for a slow path.
 *
 * When nothing waits and a path has room, what is outstanding on slower paths and would arrive
 * there later than a copy sent now is sent again. Each packet once, and no more bytes than
 * TVL_REINJECT_SHARE of all that was sent, saved up to TVL_REINJECT_MAX.
 */
#ifndef TVL_CORE_REINJECT_H
#define TVL_CORE_REINJECT_H

#include "conn.h"

#define TVL_REINJECT_SHARE 16    /* one byte in so many */
#define TVL_REINJECT_MAX 262144u /* bytes at once */
#define TVL_REINJECT_GAIN 5000u  /* us: sooner than this a copy must be */

/* Mark what is worth a copy as to be sent again. */
void tvl_reinject_late(struct tvl_conn *conn);

#endif
