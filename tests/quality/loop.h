/*
 * loop.h - libev and the clock for programs that run on virtual time.
 *
 * The laboratory links neither libev nor the driver's sockets: what server and player ask of libev
 * (timers, ev_async, run, break) is answered in loop.c, and their clock_gettime() too (the linker's
 * --wrap). Time jumps to whatever is due next; nothing else makes it pass. One world a process, as
 * libev's interface has no other place for it.
 */
#ifndef QUALITY_LOOP_H
#define QUALITY_LOOP_H

#include <stdint.h>

#define LOOP_BEGIN_US 1000000   /* where the clock begins */
#define LOOP_NEVER INT64_MAX    /* us */
#define LOOP_TODAY_S 1800000000 /* CLOCK_REALTIME at the clock's zero */

struct loop_network {            /* what happens beside timers; all times us */
    int64_t (*next)(void *user); /* LOOP_NEVER: nothing is under way */
    void (*run)(void *user);     /* do what is due now */
    void *user;
};

void loop_set_network(const struct loop_network *n); /* copied */
int64_t loop_now(void);
/* Every ev_run that is under way, or comes, returns. */
void loop_stop(void);

#endif
