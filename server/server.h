/*
 * server.h - one broadcast on one port: file, viewers, reports and the orderly end, on a libev
 * loop.
 *
 *     serving --SIGTERM, end of file--> draining --all sent, or time--> closing --all gone--> over
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "args.h"

/* Runs until the end. 0: done; -1: failed, with one line in `why`. */
int server_run(const struct args *a, char *why, size_t why_size);

#endif
