/* transport.h - how both sides set the transport up, on every system. */
#ifndef ECHO_TRANSPORT_H
#define ECHO_TRANSPORT_H

#include <tvl/tvl.h>

#include "args.h"

enum echo_side { ECHO_SERVER, ECHO_CLIENT }; /* a relay is both */

/*
 * *out to the defaults and what `args` asks for on that side, with a new TLS context, which is the
 * caller's to free; certificates are always verified. `args` outlives *out. 0, or -1 and one line.
 */
int echo_transport(struct tvl_config *out, const struct echo_args *args, enum echo_side side,
                   char *why, size_t why_size);

#endif
