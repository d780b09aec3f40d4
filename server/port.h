/*
 * port.h - the server's UDP port: certificate, controllers, logs of what happens inside, and the
 * threads of <tvl/workers.h>.
 */
#ifndef SERVER_PORT_H
#define SERVER_PORT_H

#include <stdio.h>
#include <tvl/qlog.h>
#include <tvl/workers.h>

#include "config.h"

struct port { /* zero is a closed one */
    struct tvl_workers *workers;
    struct tvl_tls *tls;
    struct tvl_knowledge *knowledge;        /* NULL: none */
    FILE *keylog;                           /* NULL: none */
    struct access *access;                  /* asked at the door; borrowed; NULL: nobody is */
    unsigned count;                         /* of workers */
    struct tvl_qlog *qlog[TVL_WORKERS_MAX]; /* NULL: none */
};

/* How many threads the configuration asks for. */
unsigned port_workers(const struct config *cfg);
/* `on_event` as in tvl_workers_config. 0, or -1 with one line in `why`; port_close all the same. */
int port_open(struct port *p, const struct config *cfg,
              void (*on_event)(void *user, unsigned worker, const struct tvl_event *ev), void *user,
              char *why, size_t why_size);
/* Certificate, key and trust anchors are read again. 0, or -1 with one line in `why`, and nothing
 * has changed. */
int port_reload(struct port *p, const struct config *cfg, char *why, size_t why_size);
void port_close(struct port *p);

#endif
