/*
 * offer.h - what a publisher offers who called us: namespaces (PUBLISH_NAMESPACE), judged by the
 * tokens that it has shown and by their names. One is used, that or whose beginning is wanted.
 */
#ifndef PEER_OFFER_H
#define PEER_OFFER_H

#include <moq/moq.h>

#define OFFER_REASON_MAX 400

struct offer {                   /* zero to begin with */
    struct moq_request *request; /* the one that is of use; NULL: none, or no more */
    bool proven;                 /* it may publish here */
    bool taken;
};

struct offer_terms {
    const char *ns; /* "a/b", that is wanted */
    /* Whether who has shown these (perhaps none) may publish. */
    bool (*may_publish)(void *user, const struct moq_token *tokens, size_t n);
    void *user;
};

enum offer_verdict { OFFER_OF_USE, OFFER_REFUSED };

/* Inside on_setup: its tokens count for all that follows. */
void offer_setup(struct offer *o, const struct moq_session *s, const struct offer_terms *t);
/* Inside on_request: OFFER_OF_USE: `r` waits for offer_take() or offer_refuse(); else it is
 * answered, and `why` has one line. */
enum offer_verdict offer_request(struct offer *o, const struct moq_session *s,
                                 struct moq_request *r, const struct moq_name *name,
                                 const struct offer_terms *t, char why[OFFER_REASON_MAX]);
int offer_take(struct offer *o); /* 0 or negative */
void offer_refuse(struct offer *o, uint64_t code, const char *why);
/* Inside on_request_end: the publisher has taken back what was taken. */
bool offer_withdrawn(struct offer *o, const struct moq_request *r);

#endif
