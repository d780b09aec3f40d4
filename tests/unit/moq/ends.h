/* ends.h - two sessions over a pipe, both of which write down what they are told, one line an event
 * ("fetch a/b video 1.0-3.5 up"), and keep the last handle of each kind. */
#ifndef ENDS_H
#define ENDS_H

#include "pipe.h"

#define ENDS_LOG_MAX 65536

struct end {
    struct moq_session *session;
    char log[ENDS_LOG_MAX];
    size_t len;
    bool closed;
    uint64_t closed_code;
    struct moq_sending *sending;
    struct moq_subscription *sub;
    struct moq_fetch *fetch;
    struct moq_request *request;
};

struct ends {
    struct pipe pipe;
    struct end client, server;
};

/* Both are set up. NULL configurations: the plain ones. */
void ends_open(struct ends *e, uint64_t seed, const struct moq_session_config *client,
               const struct moq_session_config *server);
void ends_close(struct ends *e); /* fails when a session was closed */
/* Deliver everything; then the log of `end` is `want` line by line in any order, and is emptied. */
void ends_expect(struct ends *e, struct end *end, const char *want);
struct moq_name ends_name(const char *ns, const char *track);

#endif
