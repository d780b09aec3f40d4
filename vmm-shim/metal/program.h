/*
 * program.h - runs of tvl-echo, the only program of this machine: its command line as everywhere,
 * its endpoint over this machine's network.
 *
 *     argv ─► program_start() ─► endpoint ◄─► programs_take(), programs_work() ◄─► net
 *                                   └──► text by `write`, then `ended`, once
 *
 * A program has one UDP port on all network cards: `serve` the one it listens on, `send` one that
 * is free, `relay` both; each --path leaves by the card of its local address, or of its interface's
 * name (eth0 is the first of guest.json).
 */
#ifndef METAL_PROGRAM_H
#define METAL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "net/stack.h"

#define PROGRAMS_MAX 4u
#define PROGRAM_WHY_MAX 256u

struct program_output { /* copied */
    void (*write)(void *user, bool error, const char *text);
    void (*ended)(void *user, int code, int signal); /* signal 0: by itself, with `code` */
    void *user;
};

struct program;

struct programs {
    struct net *net;             /* borrowed */
    const struct config *config; /* borrowed */
    struct program *slot[PROGRAMS_MAX];
    uint16_t next_port;
    uint64_t started; /* ever */
};

void programs_init(struct programs *ps, struct net *net, const struct config *config);
/* NULL: `why` has one line. The program ends in programs_work() at the earliest, and is freed
 * there. `argv` is not kept. */
struct program *program_start(struct programs *ps, int argc, char *const *argv,
                              const struct program_output *out, char *why, size_t why_size);
/* As kill(1): ends at the next programs_work(). */
void program_kill(struct program *p, int signal);

/* A datagram for an address of ours. false: nobody listens there. */
bool programs_take(struct programs *ps, const struct net_datagram *d, uint64_t now);
/* Run what is due, send what may leave. true: something was done, so ask again before sleeping. */
bool programs_work(struct programs *ps, uint64_t now);
uint64_t programs_due(const struct programs *ps); /* us; UINT64_MAX: nothing waits for time */

#endif
