/* transfer.h - one stream from the server to the client of a pair, checked byte by byte. */
#ifndef TEST_TRANSFER_H
#define TEST_TRANSFER_H

#include "pair.h"

#define SECOND 1000000u

struct transfer {
    uint64_t total, written, received;
    uint64_t id;
    bool started, finished, damaged;
};

/* For pair.on_event, with pair.user a struct transfer: the server sends t->total bytes on a stream
 * of its own as soon as it can. */
void transfer_serve(struct pair *p, int side, const struct tvl_event *ev);
void transfer_write(struct pair *p, int side, struct transfer *t);

/* For pair_run. */
bool transfer_finished(struct pair *p);
bool transfer_third(struct pair *p); /* a third of it has arrived */
bool pair_both_connected(struct pair *p);
bool pair_both_closed(struct pair *p);

#endif
