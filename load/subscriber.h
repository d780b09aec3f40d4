/*
 * subscriber.h - one headless viewer: its connection over all paths, its MoQT session, the tracks
 * it asks for. It decodes nothing and keeps nothing; what comes is counted in its thread's tally.
 */
#ifndef LOAD_SUBSCRIBER_H
#define LOAD_SUBSCRIBER_H

#include <stdatomic.h>

#include <moq/msf.h>
#include <tvl/ev.h>

#include "args.h"
#include "tally.h"

struct subscriber_host { /* what the subscribers of one thread share; outlives them */
    const struct args *args;
    struct tally *tally;
    struct msf_catalog *catalog; /* to read one into */
    _Atomic int64_t *origin;     /* of all threads' lateness; 0: the first object sets it */
    uint64_t bytes;              /* payload that came, ever */
    size_t here, watching;       /* now */
};

struct subscriber;

/* Begins to connect. 0; -1: not possible, with one line in `why`. */
int subscriber_new(struct subscriber **out, struct subscriber_host *host, struct tvl_ev *driver,
                   char *why, size_t why_size);
void subscriber_free(struct subscriber *s); /* NULL allowed; without a goodbye */
/* Every event of its connection; CLOSED is the last, and frees it. */
void subscriber_on_event(struct subscriber *s, const struct tvl_event *ev);
void subscriber_tick(struct subscriber *s, tvl_time now); /* every 100 ms or more often */
/* Say goodbye; the connection's CLOSED follows. */
void subscriber_leave(struct subscriber *s);
/* What its paths received, into the tally, for those that are not left at the end. */
void subscriber_count_paths(struct subscriber *s);

#endif
