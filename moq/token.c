/* token.c - see token.h. */
#include "token.h"

#include <stdlib.h>
#include <string.h>

struct moq_cached_token {
    struct moq_cached_token *next;
    uint64_t alias, type;
    size_t len;
    uint8_t value[];
};

/* A Token structure, read. */
struct token {
    uint64_t alias_type, alias, type;
    struct moq_bytes value;
};

static bool read_token(struct token *t, struct moq_bytes bytes)
{
    struct moq_reader r = moq_reader_of(bytes.bytes, bytes.len);
    *t = (struct token){ .alias_type = moq_read_vi64(&r) };
    if (t->alias_type != MOQ_TOKEN_USE_VALUE)
        t->alias = moq_read_vi64(&r);
    bool has_value = t->alias_type == MOQ_TOKEN_REGISTER || t->alias_type == MOQ_TOKEN_USE_VALUE;
    if (has_value) {
        t->type = moq_read_vi64(&r);
        t->value = moq_read_rest(&r);
    }
    return !r.failed && t->alias_type <= MOQ_TOKEN_USE_VALUE && moq_reader_left(&r) == 0;
}

static struct moq_cached_token **find(struct moq_token_cache *c, uint64_t alias)
{
    struct moq_cached_token **at = &c->first;
    while (*at && (*at)->alias != alias)
        at = &(*at)->next;
    return at;
}

/* 0, or the code to close the session with. */
static uint64_t use(struct moq_token_cache *c, uint64_t type, struct moq_bytes value)
{
    for (size_t i = 0; i < c->n_now; i++) /* "unique after resolving any aliases" */
        if (c->now[i].type == type && c->now[i].value.len == value.len &&
            (value.len == 0 || memcmp(c->now[i].value.bytes, value.bytes, value.len) == 0))
            return MOQ_PROTOCOL_VIOLATION;
    c->now[c->n_now++] = (struct moq_token){ .type = type, .value = value };
    return 0;
}

static uint64_t add(struct moq_token_cache *c, const struct token *t, bool setup)
{
    if (*find(c, t->alias))
        return MOQ_DUPLICATE_AUTH_TOKEN_ALIAS;
    size_t cost = MOQ_TOKEN_OVERHEAD + t->value.len;
    if (cost > c->max - c->used)
        return setup ? use(c, t->type, t->value) : MOQ_AUTH_TOKEN_CACHE_OVERFLOW;
    struct moq_cached_token *e = malloc(sizeof *e + t->value.len);
    if (!e)
        return MOQ_INTERNAL_ERROR;
    *e = (struct moq_cached_token){
        .next = c->first, .alias = t->alias, .type = t->type, .len = t->value.len
    };
    if (e->len > 0)
        memcpy(e->value, t->value.bytes, e->len);
    c->first = e;
    c->used += cost;
    return use(c, e->type, (struct moq_bytes){ .bytes = e->value, .len = e->len });
}

static uint64_t take_one(struct moq_token_cache *c, struct moq_bytes bytes, bool setup)
{
    struct token t;
    if (!read_token(&t, bytes))
        return MOQ_KEY_VALUE_FORMATTING_ERROR;
    if (t.alias_type == MOQ_TOKEN_USE_VALUE)
        return use(c, t.type, t.value);
    if (t.alias_type == MOQ_TOKEN_REGISTER)
        return add(c, &t, setup);
    if (setup)
        return MOQ_PROTOCOL_VIOLATION;
    struct moq_cached_token **at = find(c, t.alias), *e = *at;
    if (!e)
        return MOQ_UNKNOWN_AUTH_TOKEN_ALIAS;
    if (t.alias_type == MOQ_TOKEN_USE_ALIAS)
        return use(c, e->type, (struct moq_bytes){ .bytes = e->value, .len = e->len });
    *at = e->next;
    c->used -= MOQ_TOKEN_OVERHEAD + e->len;
    e->next = c->retired; /* `now` may point into it */
    c->retired = e;
    return 0;
}

uint64_t moq_token_cache_take(struct moq_token_cache *c, const struct moq_bytes *tokens, size_t n,
                              bool setup)
{
    moq_token_cache_settle(c);
    uint64_t code = 0;
    for (size_t i = 0; i < n && i < MOQ_TOKENS_MAX && code == 0; i++)
        code = take_one(c, tokens[i], setup);
    return code;
}

static void free_all(struct moq_cached_token **list)
{
    while (*list) {
        struct moq_cached_token *e = *list;
        *list = e->next;
        free(e);
    }
}

void moq_token_cache_settle(struct moq_token_cache *c)
{
    c->n_now = 0;
    free_all(&c->retired);
}

void moq_token_cache_fini(struct moq_token_cache *c)
{
    moq_token_cache_settle(c);
    free_all(&c->first);
}

/* ---- ours ---- */

static struct moq_bytes code_token(struct moq_writer *w, enum moq_token_alias_type alias_type,
                                   uint64_t alias, const struct moq_token *token)
{
    const uint8_t *start = w->at;
    moq_write_vi64(w, alias_type);
    if (alias_type != MOQ_TOKEN_USE_VALUE)
        moq_write_vi64(w, alias);
    if (alias_type != MOQ_TOKEN_USE_ALIAS) {
        moq_write_vi64(w, token->type);
        moq_write_bytes(w, token->value);
    }
    return (struct moq_bytes){ .bytes = start, .len = (size_t)(w->at - start) };
}

int moq_own_token_set(struct moq_own_token *t, const struct moq_token *token)
{
    if (token->value.len > MOQ_TOKEN_MAX)
        return MOQ_ERR_ARG;
    struct moq_own_token set = { .next_alias = t->next_alias, .room = t->room };
    if (token->value.len > 0) {
        size_t cap = 2 * token->value.len + 8 * MOQ_VI64_MAX;
        set.storage = malloc(cap);
        if (!set.storage)
            return MOQ_ERR_NOMEM;
        set.alias = set.next_alias++;
        set.cost = MOQ_TOKEN_OVERHEAD + token->value.len;
        struct moq_writer w = moq_writer_of(set.storage, cap);
        set.as_value = code_token(&w, MOQ_TOKEN_USE_VALUE, 0, token);
        set.as_register = code_token(&w, MOQ_TOKEN_REGISTER, set.alias, token);
        set.as_alias = code_token(&w, MOQ_TOKEN_USE_ALIAS, set.alias, token);
    }
    moq_own_token_fini(t);
    *t = set;
    return 0;
}

void moq_own_token_attach(struct moq_own_token *t, struct moq_params *p, uint64_t stream)
{
    if (!t->storage)
        return;
    p->has |= MOQ_HAS_TOKEN;
    p->n_tokens = 1;
    p->tokens[0] = t->state == TOKEN_KNOWN ? t->as_alias : t->as_value;
    if (t->state != TOKEN_UNKNOWN || t->cost > t->room)
        return;
    p->tokens[0] = t->as_register;
    t->room -= t->cost;
    t->state = TOKEN_TOLD;
    t->told_on = stream;
}

void moq_own_token_answered(struct moq_own_token *t, uint64_t stream)
{
    if (t->state == TOKEN_TOLD && t->told_on == stream)
        t->state = TOKEN_KNOWN;
}

void moq_own_token_fini(struct moq_own_token *t)
{
    free(t->storage);
    *t = (struct moq_own_token){ 0 };
}
