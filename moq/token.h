/*
 * token.h - authorization tokens of a session (draft-18 "AUTHORIZATION TOKEN Parameter"): those of
 * the peer, with the aliases that it registers in a cache of bounded size, and the one that we
 * show.
 */
#ifndef MOQ_TOKEN_H
#define MOQ_TOKEN_H

#include "param.h"

#define MOQ_TOKEN_OVERHEAD 16 /* bytes each registered token counts beside its value */

enum moq_token_alias_type {
    MOQ_TOKEN_DELETE = 0,
    MOQ_TOKEN_REGISTER = 1,
    MOQ_TOKEN_USE_ALIAS = 2,
    MOQ_TOKEN_USE_VALUE = 3,
};

struct moq_cached_token;

struct moq_token_cache { /* what the peer has registered; all zero: empty, and takes none */
    struct moq_cached_token *first;
    struct moq_cached_token *retired;     /* until the message that deleted them is done with */
    size_t used, max;                     /* bytes as the draft counts them */
    struct moq_token now[MOQ_TOKENS_MAX]; /* of the message that is being handled */
    size_t n_now;
};

/*
 * Take the tokens of one message: registers, deletes and resolves; `now` has those to be used.
 * `setup`: of a SETUP, where nothing can be referred to and a registration that does not fit counts
 * as USE_VALUE. 0, or the code to close the session with.
 */
uint64_t moq_token_cache_take(struct moq_token_cache *c, const struct moq_bytes *tokens, size_t n,
                              bool setup);
/* The message is done with: `now` is empty again. */
void moq_token_cache_settle(struct moq_token_cache *c);
void moq_token_cache_fini(struct moq_token_cache *c);

struct moq_own_token { /* what we show; all zero: nothing */
    uint8_t *storage;  /* owned: the three codings of it */
    struct moq_bytes as_value, as_register, as_alias;
    uint64_t alias, next_alias;
    size_t cost;                                           /* bytes it takes of the peer's cache */
    enum { TOKEN_UNKNOWN, TOKEN_TOLD, TOKEN_KNOWN } state; /* to the peer, by its alias */
    uint64_t told_on; /* TOKEN_TOLD: the stream of the request that registered it */
    size_t room;      /* of the peer's cache that is left */
};

/* 0, MOQ_ERR_ARG, MOQ_ERR_NOMEM. */
int moq_own_token_set(struct moq_own_token *t, const struct moq_token *token);
/* Put it on a request that goes out on `stream`: by alias where the peer knows it. */
void moq_own_token_attach(struct moq_own_token *t, struct moq_params *p, uint64_t stream);
/* The peer has answered on `stream`. */
void moq_own_token_answered(struct moq_own_token *t, uint64_t stream);
void moq_own_token_fini(struct moq_own_token *t);

#endif
