/*
 * reinject.h - the end of what was to be sent does not wait for a slow path.
 *
 * When nothing waits and a path has room, a copy of what is outstanding on another path is sent on
 * it where that would come sooner: because the other path is slower, or because its packet is
 * overdue. Each packet once, never more than the path has room for now, and in all no more than
 * TVL_REINJECT_FREE and one byte in TVL_REINJECT_SHARE of all that was sent. Not while streams have
 * deadlines and the scheduler itself says what is sent twice: copies of what is in time anyway take
 * the room of the picture that comes next.
 */
#ifndef TVL_CORE_REINJECT_H
#define TVL_CORE_REINJECT_H

#include "conn.h"

#define TVL_REINJECT_SHARE 16
#define TVL_REINJECT_FREE 65536u /* bytes */
#define TVL_REINJECT_GAIN 5000u  /* us: a copy must come sooner by this much */

/* Mark what is worth a copy as to be sent again. */
void tvl_reinject(struct tvl_conn *conn);

#endif
