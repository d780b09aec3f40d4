/*
 * feed.h - what is broadcast, handed out in real time on a libev loop: a layered file
 * (feed_file.h), or something that is encoded while it runs (live.h). Time stands still while
 * nobody has called feed_start.
 */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include <svc/svc.h>

struct ev_loop;
struct feed;
struct encoder_orders;
struct live_stats;

enum feed_end { FEED_END, FEED_DAMAGED };

struct feed_sink {
    struct ev_loop *loop; /* borrowed for the feed's life */
    /* Of a feed whose info was NULL after its making: it is there now; or `why` says in one line
     * why it never will be. May be NULL where no such feed is made. */
    void (*on_open)(void *user, const char *why);
    void (*on_packet)(void *user, const struct svc_packet *pkt); /* borrowed for the call */
    void (*on_burst)(void *user);                  /* all packets that were due have been given */
    void (*on_end)(void *user, enum feed_end end); /* nothing comes after it */
    void *user;
};

struct feed_ops {
    /* Constant for the feed's life. NULL: it is being opened, see on_open. */
    const struct svc_stream_info *(*info)(const struct feed *f);
    /* It is open: let the first packet be due in `delay_us`; a second call does nothing. */
    void (*start)(struct feed *f, uint64_t delay_us);
    void (*stop)(struct feed *f); /* nothing is given after it */
    void (*free)(struct feed *f);
    /* For the feed's life. NULL: nothing is encoded, nothing can be ordered. */
    struct encoder_orders *(*orders)(struct feed *f);
    void (*stats)(struct feed *f, struct live_stats *out); /* where there are orders */
};

struct feed { /* first member of what it is */
    const struct feed_ops *ops;
};

const struct svc_stream_info *feed_info(const struct feed *f);
void feed_start(struct feed *f, uint64_t delay_us);
void feed_stop(struct feed *f);
void feed_free(struct feed *f); /* NULL allowed */
struct encoder_orders *feed_orders(struct feed *f);
/* False: nothing is encoded. */
bool feed_stats(struct feed *f, struct live_stats *out);

#endif
