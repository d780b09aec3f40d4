/*
 * agent.h - this machine's end of the agent protocol: JSON lines on the serial port "svc.agent", as
 * Linux guests speak it (agent/request.h), so that the keeper need not know what a guest is.
 *
 *     {"hello":1,...} at start and whenever a host connects; exec (argv[0] is tvl-echo), kill,
 * ping, time, announce, stats, poweroff. Standard input is taken and not read.
 */
#ifndef METAL_AGENT_H
#define METAL_AGENT_H

#include <jansson.h>

#include "devices/port.h"
#include "program.h"

#define AGENT_IN_MAX (64u << 10) /* bytes of a line of the host; a longer one is skipped */
#define AGENT_OUT_MAX \
    (256u << 10) /* bytes that wait for the host; output beyond is lost, and told */

struct agent_run { /* a program that was started by exec */
    struct agent *agent;
    struct program *program; /* NULL: unused */
    json_int_t id;
    char name[32];
    bool detached; /* its output goes to the serial line */
};

struct agent {
    struct port port;
    bool there;                /* the machine has the port */
    struct programs *programs; /* borrowed, as are the next two */
    struct net *net;
    const struct config *config;
    json_t *(*stats)(void *user); /* a new object */
    void *user;
    struct agent_run run[PROGRAMS_MAX];
    char *in, *out;
    size_t n_in, n_out;
    bool skipping; /* the rest of a line that is too long */
};

/* The struct stays where it is. Without the port it does nothing. */
void agent_init(struct agent *a, struct programs *programs, struct net *net,
                const struct config *config);
/* true: something was done. */
bool agent_work(struct agent *a);

#endif
