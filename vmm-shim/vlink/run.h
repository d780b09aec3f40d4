/* run.h - the relays of one process on one epoll loop, from ready to stopped. */
#ifndef VLINK_RUN_H
#define VLINK_RUN_H

#include "options.h"

/* Runs until SIGTERM, SIGINT or the duration's end; consumes o->schedule. 0, or -1 with a line. */
int vlink_run(struct vlink_options *o, char *why, size_t why_size);

#endif
