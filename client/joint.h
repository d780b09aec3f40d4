/*
 * joint.h - how session and player are joined besides what the one hands to the other as it comes:
 * the receiver's policy is asked and obeyed. For svc-player and for tests/quality, which plays the
 * same on virtual time.
 */
#ifndef CLIENT_JOINT_H
#define CLIENT_JOINT_H

#include "args.h"
#include "player.h"
#include "session.h"

/* Every METER_PERIOD_US, in the event loop's thread: the paths are measured, and the session asks
 * for the layers that the player can use. Size of the window in pixels, 0: no limit. */
void joint_measure(struct session *s, struct player *p, uint32_t width, uint32_t height);

/* Whom the command line names. Borrows its strings. */
struct session_to joint_server(const struct args *a);

#endif
