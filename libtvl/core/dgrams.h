/*
 * dgrams.h - unreliable datagrams (RFC 9221) of one connection that wait: to leave, or to be
 * polled.
 *
 * Those that leave do so by deadline, the earliest first, equal ones (and those without) as they
 * were written; what has not left at its deadline is dropped and counted. Both queues are bounded
 * by number and by bytes: a full one refuses what is written, and forgets the oldest received.
 */
#ifndef TVL_CORE_DGRAMS_H
#define TVL_CORE_DGRAMS_H

#include <tvl/tvl.h>

#define TVL_DGRAMS_MAX 256                /* per queue */
#define TVL_DGRAMS_BYTES_MAX (256u << 10) /* per queue; one datagram fits in any case */

struct tvl_dgram {
    struct tvl_dgram *next;
    tvl_time deadline; /* TVL_TIME_NEVER: none */
    size_t len;
    uint8_t bytes[];
};

struct tvl_dgram_queue {
    struct tvl_dgram *first, *last;
    size_t count, bytes;
};

struct tvl_dgrams {
    struct tvl_dgram_queue out, in;
    struct tvl_dgram *polled; /* borrowed by the caller until the next poll */
    uint64_t sent, expired, acked, lost, received, dropped;
};

/* A zeroed struct is empty. */
void tvl_dgrams_fini(struct tvl_dgrams *d);

/* ---- to the peer ---- */
/* Copies. 0, TVL_ERR_FULL or TVL_ERR_NOMEM. */
int tvl_dgrams_write(struct tvl_dgrams *d, const uint8_t *bytes, size_t len, tvl_time deadline);
/* The next to leave, or NULL. */
const struct tvl_dgram *tvl_dgrams_first(const struct tvl_dgrams *d);
void tvl_dgrams_left(struct tvl_dgrams *d);  /* the first is in a packet */
void tvl_dgrams_unfit(struct tvl_dgrams *d); /* the first fits into no packet: counts as lost */
void tvl_dgrams_on_acked(struct tvl_dgrams *d, bool was_lost); /* `was_lost`: counted so before */
void tvl_dgrams_on_lost(struct tvl_dgrams *d);
tvl_time tvl_dgrams_next_deadline(const struct tvl_dgrams *d); /* or TVL_TIME_NEVER */
void tvl_dgrams_tick(struct tvl_dgrams *d, tvl_time now);

/* ---- from the peer ---- */
void tvl_dgrams_take(struct tvl_dgrams *d, const uint8_t *bytes, size_t len);
/* The oldest, valid until the next call; NULL: none. */
const struct tvl_dgram *tvl_dgrams_poll(struct tvl_dgrams *d);

#endif
