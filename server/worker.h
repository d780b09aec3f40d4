/*
 * worker.h - one thread of viewers: their sessions, and the broadcasts that they follow. It reads
 * letters of the main loop, hands media to those who watch, and writes letters back (letter.h).
 *
 *     main loop ── worker_put, worker_read as a job ─► worker ─► viewers ─► connections
 *               ◄────────────── host->up ─────────────┘
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <stdatomic.h>
#include <stdio.h>
#include <tvl/ev.h>

#include "access.h"
#include "letter.h"

#define WORKER_UP_MAX 16384 /* letters on their way to the main loop; then news are left out */

struct worker;

struct worker_host {          /* the server, to its workers; outlives them */
    struct letter_box *up;    /* to the main loop */
    void (*ring)(void *user); /* from any thread: there is something in it */
    void *user;
    FILE *policy_log;                    /* of what is decided; NULL: none */
    bool chooses;                        /* paths' controllers, while they run */
    struct access *access;               /* who may do what */
    atomic_uint viewers_max;             /* sessions at once, of all workers */
    atomic_uint viewers;                 /* that are there */
    atomic_uint_fast64_t total, refused; /* that ever came, and of them turned away for want of
                                            room or because the server is stopping */
};

/* NULL: no memory. */
struct worker *worker_new(unsigned number, struct worker_host *host);
/* After its thread has ended, or never begun. NULL allowed. */
void worker_free(struct worker *w);

/* ---- from the main loop ---- */

/* Takes `l`. True: worker_read has to be run as a job. */
bool worker_put(struct worker *w, struct letter *l);
size_t worker_waiting(struct worker *w); /* letters that it has not taken yet */
/* After worker_end was given as a job: until it is done. */
void worker_wait_end(struct worker *w);

/* ---- on its own thread; the first three fit tvl_workers_run, `arg` is the worker ---- */

void worker_begin(void *arg, unsigned number, struct tvl_ev *driver);
void worker_read(void *arg, unsigned number, struct tvl_ev *driver);
void worker_end(void *arg, unsigned number, struct tvl_ev *driver); /* frees all its viewers */
void worker_on_event(struct worker *w, const struct tvl_event *ev);

#endif
