/*
 * link.h - a thread with a libev loop, on which an element's connection lives. Streaming threads
 * and the application hand it work; no state change ever waits for it longer than LINK_STOP_MS,
 * whatever a resolver or a server does.
 *
 * What runs there belongs to `user`, which the link owns from tvl_link_new on: on_free gets rid of
 * it, on the link's thread, perhaps after tvl_link_stop has returned.
 */
#ifndef GST_LINK_H
#define GST_LINK_H

#include <ev.h>
#include <glib.h>

G_BEGIN_DECLS

#define LINK_STOP_MS 500    /* tvl_link_stop waits no longer */
#define LINK_GOODBYE_MS 100 /* from on_stop to the end of the loop: what was said leaves */

struct tvl_link;

struct tvl_link_ops {                                   /* all on the link's thread */
    void (*on_start)(void *user, struct ev_loop *loop); /* once, first */
    void (*on_stop)(void *user);                        /* say goodbye */
    void (*on_free)(void *user);                        /* the loop has ended */
};

/* NULL: no thread or loop to be had; `user` is still the caller's then. Any thread. */
struct tvl_link *tvl_link_new(const char *name, const struct tvl_link_ops *ops, void *user);
/* Runs work(user, data) on the link's thread, in the order posted. After tvl_link_stop: not at
 * all. `gone` (may be NULL) is called with `data` when it was run, or will not be. */
void tvl_link_post(struct tvl_link *l, void (*work)(void *user, void *data), void *data,
                   GDestroyNotify gone);
/* Ends it; `l` is gone. NULL allowed. Not on the link's own thread. */
void tvl_link_stop(struct tvl_link *l);

G_END_DECLS

#endif
