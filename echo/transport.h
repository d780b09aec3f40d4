/* transport.h - how both sides set the transport up, on every system. */
#ifndef ECHO_TRANSPORT_H
#define ECHO_TRANSPORT_H

#include <tvl/tvl.h>

#include "args.h"

/*
 * *out to the defaults and what `args` (serve or send) asks for, with a new TLS context, which is
 * the caller's to free; certificates are always verified. 0, or -1 and one line.
 */
int echo_transport(struct tvl_config *out, const struct echo_args *args, char *why,
                   size_t why_size);

#endif
