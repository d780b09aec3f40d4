/*
 * links.h - the network of a run: vlink's links between one client and one server, and libtvl's
 * driver (<tvl/ev.h>) over them in place of sockets.
 *
 *     client 10.0.N.1 ==link N== server 10.9.9.9:4433           N in [0, LINKS_MAX)
 */
#ifndef QUALITY_LINKS_H
#define QUALITY_LINKS_H

#include <schedule.h>
#include <spec.h>
#include <tvl/tvl.h>

#define LINKS_MAX 4
#define LINKS_SERVER "10.9.9.9:4433"

struct links_config {
    unsigned n;
    struct vlink_spec link[LINKS_MAX];
    struct vlink_trace trace[LINKS_MAX]
                            [VLINK_WAYS]; /* config.trace points here where there is one */
    struct vlink_schedule schedule;       /* zero is the clock's beginning */
    uint64_t seed;
};

/* A link as vlink takes it but for its two ends ("name=lte,rate=3mbit,delay=40ms"), its traces
 * read. 0, or -1 with one line. */
int links_add(struct links_config *c, const char *text, char *why, size_t why_size);
/* A timed change as vlink takes it: "10s:lte.down". */
int links_at(struct links_config *c, const char *text, char *why, size_t why_size);
void links_config_fini(struct links_config *c);
/* Index, or -1. */
int links_find(const struct links_config *c, const char *name);

struct links_count {
    uint64_t sent[2]; /* bytes of UDP payload offered: towards the server, the client */
    uint64_t delivered[2];
    uint64_t dropped;                  /* datagrams, either way, whatever for */
    double queue_p50_ms, queue_p95_ms; /* that packets to the client stood in the queue */
};

/* The one network; `c` is borrowed. 0, or -1: no memory. Drivers are made afterwards. */
int links_open(const struct links_config *c);
struct links_count links_count(unsigned link);
/* The server's connection while there is one. */
struct tvl_conn *links_server_conn(void);
void links_close(void);

#endif
