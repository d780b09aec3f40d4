/* offer.c - see offer.h. */
#include "offer.h"

#include <stdio.h>

static void look_at_tokens(struct offer *o, const struct moq_session *s,
                           const struct offer_terms *t)
{
    const struct moq_token *tokens = NULL;
    const size_t n = moq_tokens(s, &tokens);
    o->proven = o->proven || t->may_publish(t->user, n > 0 ? tokens : NULL, n);
}

void offer_setup(struct offer *o, const struct moq_session *s, const struct offer_terms *t)
{
    look_at_tokens(o, s, t);
}

/* 0, or the code of the refusal with one line in `why`. */
static uint64_t judge(const struct offer *o, const struct moq_name *name, const char *ns,
                      char why[OFFER_REASON_MAX])
{
    struct moq_name wanted;
    char theirs[100] = "?";
    if (!o->proven) {
        snprintf(why, OFFER_REASON_MAX, "a token is needed, and no right one was shown");
        return MOQ_REQ_UNAUTHORIZED;
    }
    if (moq_name_from_text(&wanted, ns, "") == 0 && name->n_ns > 0 &&
        moq_name_begins(&wanted, name)) {
        snprintf(why, OFFER_REASON_MAX, "it is published by this connection already");
        return o->request ? MOQ_REQ_UNINTERESTED : 0;
    }
    (void)moq_namespace_text(name, theirs, sizeof theirs);
    snprintf(why, OFFER_REASON_MAX, "only \"%.100s\" is wanted here, not \"%s\"", ns, theirs);
    return MOQ_REQ_UNINTERESTED;
}

enum offer_verdict offer_request(struct offer *o, const struct moq_session *s,
                                 struct moq_request *r, const struct moq_name *name,
                                 const struct offer_terms *t, char why[OFFER_REASON_MAX])
{
    uint64_t code = MOQ_REQ_NOT_SUPPORTED;
    snprintf(why, OFFER_REASON_MAX, "nothing but PUBLISH_NAMESPACE is answered here");
    if (moq_request_kind(r) == MOQ_REQUEST_PUBLISH_NAMESPACE) {
        look_at_tokens(o, s, t);
        code = judge(o, name, t->ns, why);
    }
    if (code == 0) {
        o->request = r;
        return OFFER_OF_USE;
    }
    (void)moq_request_reject(r, code, why);
    return OFFER_REFUSED;
}

int offer_take(struct offer *o)
{
    if (!o->request)
        return MOQ_ERR_STATE;
    o->taken = true;
    return moq_request_accept(o->request);
}

void offer_refuse(struct offer *o, uint64_t code, const char *why)
{
    if (o->request)
        (void)moq_request_reject(o->request, code, why);
    o->request = NULL;
}

bool offer_withdrawn(struct offer *o, const struct moq_request *r)
{
    if (r != o->request)
        return false;
    o->request = NULL;
    return o->taken;
}
