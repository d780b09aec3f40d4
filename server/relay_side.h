/*
 * relay_side.h - a worker's half of the relay (relay.h is the main loop's): the sessions of this
 * worker that publish, and those that subscribe to what others publish. Belongs to the worker.
 *
 *     viewer.c ── what a session asks for and sends ──► relay_side ──► notes to the main loop
 *                 objects of others ◄────────────────── relay_side ◄── notes of the main loop
 */
#ifndef SERVER_RELAY_SIDE_H
#define SERVER_RELAY_SIDE_H

#include <sys/queue.h>
#include <tvl/tvl.h>

#include "relay_note.h"

#define RELAY_BACKLOG_MAX (8u << 20) /* bytes queued for a session; then objects are left out */

struct relay_member;
struct wire;
struct wire_flight;

struct relay_side_host { /* the worker */
    void *user;
    void (*post)(void *user, struct relay_note *n); /* takes `n`; NULL: nothing */
    /* It was wanted as somebody else's, and is a broadcast of our own: as after on_subscribe. */
    void (*ours)(void *user, struct relay_member *m, struct moq_sending *s,
                 const struct moq_name *name, uint64_t until_ms);
};

struct relay_side;
struct relay_side *relay_side_new(const struct relay_side_host *host); /* NULL: no memory */
void relay_side_free(struct relay_side *side);                         /* NULL allowed */
/* A letter of the main loop; `n` is borrowed. */
void relay_side_read(struct relay_side *side, const struct relay_note *n);

struct relay_member { /* a session; all zero before relay_join */
    LIST_ENTRY(relay_member) link;
    struct relay_side *side;
    uint64_t session; /* its ID */
    struct moq_session *moq;
    struct tvl_conn *conn;
    struct wire *wire; /* its objects' way, for thinning; NULL: nothing is thinned */
    void *user;
    bool published; /* something, ever: the main loop hears of its end */
    bool publishes;
    LIST_HEAD(, relay_sending) sendings;
    LIST_HEAD(, relay_pulled) pulled;
    LIST_HEAD(, relay_request) requests;
    LIST_HEAD(, relay_thin) thins;
    uint8_t n_thins;
};

void relay_join(struct relay_side *side, struct relay_member *m, uint64_t session,
                struct moq_session *moq, struct tvl_conn *conn, void *user);
/* A stream has ended that wire_end() says is of a watch from RELAY_THIN_WATCH on. */
void relay_stream_ended(struct relay_member *m, const struct wire_flight *f, bool expired,
                        uint64_t now);
/* Its MoQT session is closed or going to be freed: nothing of it is touched any more. */
void relay_part(struct relay_member *m);

/* What it publishes, else what of others it watches, as text; "": nothing. Whether it publishes. */
bool relay_describe(const struct relay_member *m, char *ns, size_t size);

/* It subscribes to some track of others' in that namespace; the name's track does not count. */
bool relay_takes(const struct relay_member *m, const struct moq_name *ns);

/* As the calls of struct moq_handler; what the session may do has been asked before. */
/* False: it is no namespace of others; it is not taken. `until_ms`: as it was granted, of
 * access_now_ms(). */
bool relay_subscribe(struct relay_member *m, struct moq_sending *s, const struct moq_name *name,
                     const struct moq_subscribe_options *o, uint64_t until_ms);
/* Granted anew, as far as it goes. The name asked for; false: not the relay's. */
bool relay_sending_name(const struct relay_member *m, const struct moq_sending *s,
                        struct moq_name *out);
void relay_updated(struct relay_member *m, const struct moq_sending *s,
                   const struct moq_subscribe_options *o);
void relay_grant(struct relay_member *m, const struct moq_sending *s, uint64_t until_ms);
/* Subscriptions that were granted until now, or less, end: PUBLISH_DONE, MOQ_DONE_UNAUTHORIZED. */
void relay_expire(struct relay_member *m, uint64_t now_ms);
bool relay_cancelled(struct relay_member *m, struct moq_sending *s); /* false: not the relay's */
/* False: no track of others that is followed here. */
bool relay_fetch(struct relay_member *m, struct moq_fetch *f, const struct moq_name *name,
                 const struct moq_fetch_options *o);
void relay_request(struct relay_member *m, struct moq_request *r, const struct moq_name *name);
void relay_request_end(struct relay_member *m, struct moq_request *r);
void relay_offered(struct relay_member *m, struct moq_subscription *sub,
                   const struct moq_name *name, const struct moq_publish_options *o);
void relay_subscribed(struct moq_subscription *sub, const struct moq_location *largest);
void relay_rejected(struct moq_subscription *sub, uint64_t code, const char *reason);
void relay_object(struct moq_subscription *sub, const struct moq_object *obj);
void relay_subgroup_ended(struct moq_subscription *sub, uint64_t group, uint64_t subgroup,
                          bool whole);
void relay_done(struct moq_subscription *sub, uint64_t status, const char *reason);

#endif
