/*
 * access.c - see access.h. Rules are data here; tokens are judged in token.c, counting is in
 * quota.c, what a prefix covers in grant.c, the log in access_log.c.
 */
#include "access.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access_log.h"
#include "grant.h"
#include "quota.h"
#include "log.h"
#include "token.h"

#define RETRY_LOAD_MS 5000   /* for who came too often: a session of his may end */
#define RETRY_EARLY_MS 10000 /* for a token that is not good yet */
#define ADDRESS_TEXT_MAX 64
#define NAME_TEXT_MAX 256
#define SUMMARY_US 10000000u /* how often those turned away are summed up in the logs */
#define NOTICEABLE 20        /* connections that came for nothing, to be a line in the log */
#define GOING_MAX 8          /* further ones have a line for each request */
#define TOKEN_TYPE_JWT 0     /* no registered type: agreed upon by configuration */

_Static_assert(QUOTA_TOKEN_ID == TOKEN_ID_SIZE, "one is counted by the other");
_Static_assert(ACCESS_TOKEN_MAX == TOKEN_MAX, "one is the other");

struct rules { /* immutable */
    atomic_uint refs;
    struct token_key *key; /* NULL: tokens are not taken */
    char *issuer;
    struct config_grant *grants;
    size_t n_grants;
    bool everybody; /* nothing is configured: all may subscribe */
    uint32_t per_token;
};

enum away { /* why a connection came to nothing */
            AWAY_MANY,
            AWAY_FAST,
            AWAY_FULL,
            AWAY_HANDSHAKE, /* it was not completed */
            AWAY_IDLE,      /* nothing was asked for that is allowed */
            AWAYS,
};

struct access {
    struct quota *quota;
    pthread_mutex_t lock; /* of rules and log, the pointers */
    struct rules *rules;
    struct access_log *log; /* NULL: none. A reference; only access_reload replaces it */
    atomic_uint generation; /* of rules */
    atomic_uint_fast64_t refused;
    atomic_uint_fast64_t away[AWAYS]; /* since the last summary */
    tvl_time summed_at;
};

struct held { /* a token that this session has shown and that was good then */
    char *text;
    size_t len;
    struct token_claims claims;
    bool setup;   /* shown in SETUP: for the whole session */
    bool counted; /* among the sessions of this token */
    bool voided;  /* no good any more by newer rules */
};

struct access_session {
    struct access *access;
    struct rules *rules; /* a reference */
    unsigned generation;
    uint64_t id;
    struct sockaddr_storage remote;
    char address[ADDRESS_TEXT_MAX];
    char *certificate; /* subject; NULL: none */
    char subject[ACCESS_SUBJECT_MAX];
    struct held *tokens[ACCESS_TOKENS_MAX];
    size_t n_tokens;
    uint64_t going[GOING_MAX]; /* what the log says was begun: hashes; 0: free */
    bool allowed;              /* something ever was */
    unsigned strikes;
    tvl_time began;
};

uint64_t access_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- rules ---- */

static void rules_free(struct rules *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    token_key_free(r->key);
    free(r->issuer);
    for (size_t i = 0; i < r->n_grants; i++) {
        free((char *)r->grants[i].ns);
        free((char *)r->grants[i].subject);
    }
    free(r->grants);
    free(r);
}

static int copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -1 : 0;
}

static int copy_grants(struct rules *r, const struct config_access *cfg)
{
    r->grants = calloc(cfg->n_anonymous ? cfg->n_anonymous : 1, sizeof *r->grants);
    if (!r->grants)
        return -1;
    for (size_t i = 0; i < cfg->n_anonymous; i++) {
        char *ns, *subject;
        r->grants[i] = cfg->anonymous[i];
        r->grants[i].ns = r->grants[i].subject = NULL;
        r->n_grants++;
        if (copy_text(&ns, cfg->anonymous[i].ns ? cfg->anonymous[i].ns : "") < 0)
            return -1;
        r->grants[i].ns = ns;
        if (copy_text(&subject, cfg->anonymous[i].subject) < 0)
            return -1;
        r->grants[i].subject = subject;
    }
    return 0;
}

static int rules_new(struct rules **out, const struct config_access *cfg, char *why,
                     size_t why_size)
{
    struct rules *r = calloc(1, sizeof *r);
    snprintf(why, why_size, "access: out of memory");
    if (!r)
        return -1;
    atomic_init(&r->refs, 1);
    r->everybody = !cfg->token_key && cfg->n_anonymous == 0;
    r->per_token = cfg->per_token;
    if (copy_text(&r->issuer, cfg->token_issuer) < 0 || copy_grants(r, cfg) < 0)
        goto free_rules;
    if (cfg->token_key && !cfg->token_algorithm) {
        snprintf(why, why_size, "%s: the algorithm of tokens must be named; there are %s",
                 cfg->token_key, token_algorithms());
        goto free_rules;
    }
    if (cfg->token_key && token_key_read(&r->key, cfg->token_key, cfg->token_algorithm,
                                         TOKEN_KEY_VERIFY, why, why_size) < 0)
        goto free_rules;
    *out = r;
    return 0;

free_rules:
    rules_free(r);
    return -1;
}

static struct rules *rules_now(struct access *a, unsigned *generation)
{
    pthread_mutex_lock(&a->lock);
    struct rules *r = a->rules;
    atomic_fetch_add(&r->refs, 1);
    *generation = atomic_load(&a->generation);
    pthread_mutex_unlock(&a->lock);
    return r;
}

/* ---- life ---- */

int access_new(struct access **out, const struct config_access *cfg, char *why, size_t why_size)
{
    struct access *a = calloc(1, sizeof *a);
    if (!a) {
        snprintf(why, why_size, "access: out of memory");
        return -1;
    }
    pthread_mutex_init(&a->lock, NULL);
    a->quota = quota_new();
    if (!a->quota)
        snprintf(why, why_size, "access: out of memory");
    if (!a->quota || rules_new(&a->rules, cfg, why, why_size) < 0 ||
        (cfg->log && access_log_open(&a->log, cfg->log, why, why_size) < 0)) {
        access_free(a);
        return -1;
    }
    quota_set(a->quota, cfg->per_address, cfg->rate_per_address);
    *out = a;
    return 0;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    access_log_free(a->log);
    rules_free(a->rules);
    quota_free(a->quota);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static bool same_log(const struct access *a, const struct config_access *cfg)
{
    return a->log ? cfg->log && strcmp(cfg->log, access_log_path(a->log)) == 0 : !cfg->log;
}

int access_reload(struct access *a, const struct config_access *cfg, char *why, size_t why_size)
{
    const bool keeps = same_log(a, cfg);
    struct access_log *log = NULL, *log_before = NULL;
    struct rules *r = NULL, *before;
    if (rules_new(&r, cfg, why, why_size) < 0)
        return -1;
    if (!keeps && cfg->log && access_log_open(&log, cfg->log, why, why_size) < 0) {
        rules_free(r);
        return -1;
    }
    pthread_mutex_lock(&a->lock);
    before = a->rules;
    a->rules = r;
    if (!keeps) {
        log_before = a->log;
        a->log = log;
    }
    atomic_fetch_add(&a->generation, 1);
    pthread_mutex_unlock(&a->lock);
    rules_free(before);
    access_log_free(log_before);
    quota_set(a->quota, cfg->per_address, cfg->rate_per_address);
    return 0;
}

static struct access_log *hold_log(struct access *a)
{
    pthread_mutex_lock(&a->lock);
    struct access_log *log = access_log_ref(a->log);
    pthread_mutex_unlock(&a->lock);
    return log;
}

static void write_entry(struct access *a, const struct access_entry *e)
{
    struct access_log *log = hold_log(a);
    access_log_write(log, e);
    access_log_free(log);
}

void access_reopen_log(struct access *a)
{
    struct access_log *log = hold_log(a);
    access_log_reopen(log);
    access_log_free(log);
}

uint64_t access_refused(const struct access *a)
{
    return atomic_load(&a->refused);
}

/* ---- at the door ---- */

static void count_away(struct access *a, enum quota_verdict v)
{
    atomic_fetch_add(&a->refused, 1);
    atomic_fetch_add(&a->away[v == QUOTA_MANY   ? AWAY_MANY
                              : v == QUOTA_FAST ? AWAY_FAST
                                                : AWAY_FULL],
                     1);
}

void access_missed(struct access *a)
{
    atomic_fetch_add(&a->away[AWAY_HANDSHAKE], 1);
}

enum tvl_knock access_knock(void *access, const struct sockaddr_storage *remote, bool proved,
                            tvl_time now)
{
    struct access *a = access;
    const enum quota_verdict v = quota_judge(a->quota, remote, proved, now);
    if (v == QUOTA_OK)
        return TVL_KNOCK_ADMIT;
    if (!proved)
        return TVL_KNOCK_PROVE;
    count_away(a, v);
    return TVL_KNOCK_REFUSE;
}

/* One line for many: a flood must not become a flood of lines. */
static void sum_up(struct access *a)
{
    unsigned long long n[AWAYS], sum = 0;
    char reason[ACCESS_REASON_MAX * 2];
    for (int i = 0; i < AWAYS; i++) {
        n[i] = atomic_exchange(&a->away[i], 0);
        sum += n[i];
    }
    if (sum == 0)
        return;
    snprintf(reason, sizeof reason,
             "%llu by the limit per address, %llu by its rate, %llu for want of room, %llu without "
             "a handshake, %llu that asked for nothing allowed",
             n[AWAY_MANY], n[AWAY_FAST], n[AWAY_FULL], n[AWAY_HANDSHAKE], n[AWAY_IDLE]);
    const unsigned long long limited = sum - n[AWAY_HANDSHAKE] - n[AWAY_IDLE];
    log_line(limited > 0 || sum >= NOTICEABLE ? LOG_WARN : LOG_INFO,
             "%llu connections came to nothing: %s", sum, reason);
    if (limited == 0)
        return; /* the others have lines of their own, or no session */
    const struct access_entry e = { .action = "connect",
                                    .count = (int64_t)limited,
                                    .bytes = -1,
                                    .bytes_received = -1,
                                    .duration_us = -1,
                                    .reason = reason };
    write_entry(a, &e);
}

void access_tick(struct access *a, tvl_time now)
{
    quota_tick(a->quota, now);
    if (now < a->summed_at + SUMMARY_US)
        return;
    a->summed_at = now;
    sum_up(a);
}

/* ---- a session ---- */

static void address_text(const struct sockaddr_storage *ss, char out[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)ss;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(in->sin_port));
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)ss;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(in->sin6_port));
    } else {
        snprintf(out, ADDRESS_TEXT_MAX, "?");
    }
}

static struct access_entry entry_of(const struct access_session *s, const char *action)
{
    return (struct access_entry){ .session = s->id,
                                  .has_session = true,
                                  .address = s->address,
                                  .subject = access_subject(s),
                                  .action = action,
                                  .allowed = -1,
                                  .bytes = -1,
                                  .bytes_received = -1,
                                  .duration_us = -1,
                                  .count = -1 };
}

/* FNV-1a, never 0. Two that are alike cost a line of the log. */
static uint64_t hash_of(enum access_action action, const char *ns)
{
    uint64_t h = 14695981039346656037u + (uint64_t)action;
    for (; *ns; ns++)
        h = (h ^ (uint8_t)*ns) * 1099511628211u;
    return h | 1;
}

/* Whether it is new: several requests on one namespace are one line. */
static bool goes(struct access_session *s, enum access_action action, const char *ns)
{
    const uint64_t hash = hash_of(action, ns);
    uint64_t *place = NULL;
    s->allowed = true;
    for (size_t i = 0; i < GOING_MAX; i++) {
        if (s->going[i] == hash)
            return false;
        if (!s->going[i])
            place = &s->going[i];
    }
    if (place)
        *place = hash;
    return true;
}

static void ends(struct access_session *s, enum access_action action, const char *ns)
{
    const uint64_t hash = hash_of(action, ns);
    for (size_t i = 0; i < GOING_MAX; i++)
        if (s->going[i] == hash)
            s->going[i] = 0;
}

/* `ns` NULL: it is about the session, and `request` does not count. */
static void note(struct access_session *s, const char *action, enum access_action request,
                 const struct moq_name *ns, const struct access_verdict *v)
{
    char name[NAME_TEXT_MAX];
    struct access_entry e = entry_of(s, action);
    if (ns) {
        grant_name_text(ns, name, sizeof name);
        e.ns = name;
        if (v->allowed && !goes(s, request, name))
            return;
    }
    e.allowed = v->allowed;
    e.reason = v->reason;
    write_entry(s->access, &e);
}

static void allow(struct access_verdict *v, uint64_t until_ms)
{
    *v = (struct access_verdict){ .allowed = true, .until_ms = until_ms };
}

static void refuse(struct access_verdict *v, uint64_t close_code, uint64_t request_code,
                   const char *reason)
{
    *v = (struct access_verdict){ .close_code = close_code, .request_code = request_code };
    snprintf(v->reason, sizeof v->reason, "%s", reason);
}

static void fill(struct access_session *s, struct access *a, const struct access_peer *peer,
                 tvl_time now)
{
    s->access = a;
    s->rules = rules_now(a, &s->generation);
    s->id = peer->id;
    s->remote = *peer->remote;
    s->began = now;
    address_text(&s->remote, s->address);
    if (peer->subject && *peer->subject)
        s->certificate = strdup(peer->subject);
    snprintf(s->subject, sizeof s->subject, "%s", s->certificate ? s->certificate : "");
}

struct access_session *access_join(struct access *a, const struct access_peer *peer, tvl_time now,
                                   struct access_verdict *v)
{
    struct access_session *s = calloc(1, sizeof *s);
    if (!s) {
        refuse(v, MOQ_INTERNAL_ERROR, MOQ_REQ_INTERNAL, "out of memory");
        return NULL;
    }
    const enum quota_verdict l = quota_enter(a->quota, peer->remote, now);
    if (l != QUOTA_OK) {
        refuse(v, MOQ_UNAUTHORIZED, MOQ_REQ_EXCESSIVE_LOAD, quota_text(l));
        count_away(a, l);
        free(s);
        return NULL;
    }
    fill(s, a, peer, now);
    allow(v, ACCESS_FOREVER);
    note(s, "connect", ACCESS_SUBSCRIBE, NULL, v);
    return s;
}

const char *access_subject(const struct access_session *s)
{
    return s->subject;
}

static void held_free(struct access_session *s, struct held *h)
{
    if (h->counted)
        quota_token_leave(s->access->quota, h->claims.id);
    token_claims_fini(&h->claims);
    free(h->text);
    free(h);
}

void access_leave(struct access_session *s, uint64_t bytes_sent, uint64_t bytes_received,
                  const char *reason, tvl_time now)
{
    if (!s)
        return;
    struct access_entry e = entry_of(s, "leave");
    e.bytes = (int64_t)bytes_sent;
    e.bytes_received = (int64_t)bytes_received;
    e.duration_us = (int64_t)(now - s->began);
    e.reason = reason;
    write_entry(s->access, &e);
    quota_leave(s->access->quota, &s->remote, now);
    for (size_t i = 0; i < s->n_tokens; i++)
        held_free(s, s->tokens[i]);
    if (!s->allowed)
        atomic_fetch_add(&s->access->away[AWAY_IDLE], 1);
    rules_free(s->rules);
    free(s->certificate);
    free(s);
}

/* ---- its tokens ---- */

static void refuse_token(struct access_verdict *v, enum token_verdict t)
{
    const char *text = token_verdict_text(t);
    switch (t) {
    case TOKEN_EXPIRED:
        refuse(v, MOQ_EXPIRED_AUTH_TOKEN, MOQ_REQ_EXPIRED_AUTH_TOKEN, text);
        break;
    case TOKEN_EARLY:
        refuse(v, MOQ_UNAUTHORIZED, MOQ_REQ_UNAUTHORIZED, text);
        v->retry_ms = RETRY_EARLY_MS;
        break;
    case TOKEN_NO_MEMORY:
        refuse(v, MOQ_INTERNAL_ERROR, MOQ_REQ_INTERNAL, text);
        break;
    default: /* draft: well formed but otherwise invalid */
        refuse(v, MOQ_MALFORMED_AUTH_TOKEN, MOQ_REQ_MALFORMED_AUTH_TOKEN, text);
        break;
    }
}

/* Newer rules than those the session knows: what its tokens are worth by them. */
static void follow_rules(struct access_session *s)
{
    if (s->generation == atomic_load(&s->access->generation))
        return;
    rules_free(s->rules);
    s->rules = rules_now(s->access, &s->generation);
    for (size_t i = 0; i < s->n_tokens; i++) {
        struct held *h = s->tokens[i];
        struct token_claims c = { .n_subscribe = 0 };
        h->voided = !s->rules->key || token_judge(s->rules->key, s->rules->issuer, h->text, h->len,
                                                  access_now_ms() / 1000, &c) != TOKEN_GOOD;
        token_claims_fini(&c);
    }
}

static struct held *find_held(struct access_session *s, struct moq_bytes value)
{
    for (size_t i = 0; i < s->n_tokens; i++)
        if (s->tokens[i]->len == value.len &&
            memcmp(s->tokens[i]->text, value.bytes, value.len) == 0)
            return s->tokens[i];
    return NULL;
}

static bool has_expired(const struct held *h)
{
    return h->claims.expires_s <= access_now_ms() / 1000;
}

static struct held *keep(struct access_session *s, struct moq_bytes value,
                         struct token_claims *claims)
{
    struct held *h = malloc(sizeof *h);
    char *text = malloc(value.len);
    if (!h || !text) {
        free(h);
        free(text);
        return NULL;
    }
    memcpy(text, value.bytes, value.len);
    *h = (struct held){ .text = text, .len = value.len, .claims = *claims };
    memset(claims, 0, sizeof *claims);
    s->tokens[s->n_tokens] = h;
    if (s->n_tokens++ == 0 && h->claims.subject[0])
        snprintf(s->subject, sizeof s->subject, "%s", h->claims.subject);
    return h;
}

/* NULL: refused. */
static struct held *take_token(struct access_session *s, struct moq_bytes value,
                               struct access_verdict *v)
{
    struct token_claims claims;
    struct held *h = find_held(s, value);
    if (h && !h->voided) {
        if (!has_expired(h))
            return h;
        refuse_token(v, TOKEN_EXPIRED);
        return NULL;
    }
    const enum token_verdict t =
        token_judge(s->rules->key, s->rules->issuer, (const char *)value.bytes, value.len,
                    access_now_ms() / 1000, &claims);
    if (t != TOKEN_GOOD) {
        refuse_token(v, t);
        return NULL;
    }
    if (s->n_tokens == ACCESS_TOKENS_MAX) {
        refuse(v, MOQ_UNAUTHORIZED, MOQ_REQ_EXCESSIVE_LOAD, "too many tokens in one session");
        token_claims_fini(&claims);
        return NULL;
    }
    h = keep(s, value, &claims);
    if (!h) {
        token_claims_fini(&claims);
        refuse_token(v, TOKEN_NO_MEMORY);
    }
    return h;
}

/* Types that exist so that nobody is surprised by unknown ones (draft, "Grease"). */
static bool is_grease(uint64_t type)
{
    return type >= 0x9d && (type - 0x9d) % 0x7f == 0;
}

/* Those of a message. How many of `held` are filled, or -1: refused. Where tokens are not taken
 * they are not looked at: the right to do it is there or not without them. */
static int take_tokens(struct access_session *s, const struct moq_token *tokens, size_t n,
                       struct held **held, struct access_verdict *v)
{
    int count = 0;
    if (!s->rules->key)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (is_grease(tokens[i].type))
            continue;
        if (tokens[i].type != TOKEN_TYPE_JWT || count == ACCESS_TOKENS_MAX) {
            refuse_token(v, TOKEN_MALFORMED);
            return -1;
        }
        held[count] = take_token(s, tokens[i].value, v);
        if (!held[count])
            return -1;
        count++;
    }
    return count;
}

static void strike(struct access_session *s, struct access_verdict *v)
{
    atomic_fetch_add(&s->access->refused, 1);
    if (++s->strikes >= ACCESS_STRIKES_MAX)
        v->close = true;
}

void access_setup(struct access_session *s, const struct moq_token *tokens, size_t n,
                  struct access_verdict *v)
{
    struct held *held[ACCESS_TOKENS_MAX];
    if (n == 0) {
        allow(v, ACCESS_FOREVER);
        return;
    }
    follow_rules(s);
    const int count = take_tokens(s, tokens, n, held, v);
    if (count < 0) {
        v->close = true;
        atomic_fetch_add(&s->access->refused, 1);
    } else {
        for (int i = 0; i < count; i++)
            held[i]->setup = true;
        allow(v, ACCESS_FOREVER);
    }
    note(s, "setup", ACCESS_SUBSCRIBE, NULL, v);
}

void access_check(struct access_session *s, struct access_verdict *v)
{
    bool had = false;
    allow(v, ACCESS_FOREVER);
    for (size_t i = 0; i < s->n_tokens; i++) {
        had |= s->tokens[i]->setup;
        if (!has_expired(s->tokens[i]))
            return;
    }
    if (!had)
        return;
    refuse_token(v, TOKEN_EXPIRED);
    v->close = true;
    note(s, "expire", ACCESS_SUBSCRIBE, NULL, v);
}

/* ---- requests ---- */

static bool grants(const struct held *h, enum access_action action, const struct moq_name *ns)
{
    char *const *list = action == ACCESS_SUBSCRIBE ? h->claims.subscribe : h->claims.publish;
    const size_t n = action == ACCESS_SUBSCRIBE ? h->claims.n_subscribe : h->claims.n_publish;
    for (size_t i = 0; i < n; i++)
        if (grant_covers(list[i], ns))
            return true;
    return false;
}

static bool needs_no_token(const struct access_session *s, enum access_action action,
                           const struct moq_name *ns)
{
    const struct rules *r = s->rules;
    if (r->everybody)
        return action == ACCESS_SUBSCRIBE;
    for (size_t i = 0; i < r->n_grants; i++) {
        const struct config_grant *g = &r->grants[i];
        if ((action == ACCESS_SUBSCRIBE ? g->subscribe : g->publish) &&
            (!g->subject || (s->certificate && strcmp(g->subject, s->certificate) == 0)) &&
            grant_covers(g->ns, ns))
            return true;
    }
    return false;
}

/* Whether the session is, or can now be, one of those its token may have at once. */
static bool counted(struct access_session *s, struct held *h)
{
    const uint32_t general = s->rules->per_token, own = h->claims.max_sessions;
    const uint32_t most = general && own ? (general < own ? general : own) : general | own;
    if (!h->counted)
        h->counted = quota_token_enter(s->access->quota, h->claims.id, most) == QUOTA_OK;
    return h->counted;
}

struct search {            /* for the best token to allow something */
    uint64_t until_ms;     /* 0: none yet */
    bool expired, crowded; /* one would have done, but for this */
};

static void try_token(struct access_session *s, struct held *h, enum access_action action,
                      const struct moq_name *ns, struct search *found)
{
    if (h->voided || !grants(h, action, ns))
        return;
    if (has_expired(h))
        found->expired = true;
    else if (!counted(s, h))
        found->crowded = true;
    else if (h->claims.expires_s * 1000 > found->until_ms)
        found->until_ms = h->claims.expires_s * 1000;
}

static void judge(struct access_session *s, enum access_action action, const struct moq_name *ns,
                  const struct moq_token *tokens, size_t n, struct access_verdict *v)
{
    struct held *held[ACCESS_TOKENS_MAX];
    struct search found = { .until_ms = 0 };
    const int count = take_tokens(s, tokens, n, held, v);
    if (count < 0)
        return;
    if (needs_no_token(s, action, ns)) {
        allow(v, ACCESS_FOREVER);
        return;
    }
    for (size_t i = 0; i < s->n_tokens; i++)
        if (s->tokens[i]->setup)
            try_token(s, s->tokens[i], action, ns, &found);
    for (int i = 0; i < count; i++)
        if (!held[i]->setup)
            try_token(s, held[i], action, ns, &found);
    if (found.until_ms) {
        allow(v, found.until_ms);
    } else if (found.crowded) {
        refuse(v, MOQ_UNAUTHORIZED, MOQ_REQ_EXCESSIVE_LOAD, "too many sessions with this token");
        v->retry_ms = RETRY_LOAD_MS;
    } else if (found.expired) {
        refuse_token(v, TOKEN_EXPIRED);
    } else {
        refuse(v, MOQ_UNAUTHORIZED, MOQ_REQ_UNAUTHORIZED,
               action == ACCESS_SUBSCRIBE ? "no right to subscribe to this namespace"
                                          : "no right to publish this namespace");
    }
}

void access_request(struct access_session *s, enum access_action action, const struct moq_name *ns,
                    const struct moq_token *tokens, size_t n, struct access_verdict *v)
{
    follow_rules(s);
    judge(s, action, ns, tokens, n, v);
    if (!v->allowed)
        strike(s, v);
    note(s, action == ACCESS_SUBSCRIBE ? "subscribe" : "publish", action, ns, v);
}

void access_done(struct access_session *s, enum access_action action, const struct moq_name *ns,
                 uint64_t bytes, uint64_t duration_us, const char *reason)
{
    char name[NAME_TEXT_MAX];
    struct access_entry e =
        entry_of(s, action == ACCESS_SUBSCRIBE ? "subscribe-end" : "publish-end");
    grant_name_text(ns, name, sizeof name);
    ends(s, action, name);
    e.ns = name;
    e.bytes = (int64_t)bytes;
    e.duration_us = (int64_t)duration_us;
    e.reason = reason;
    write_entry(s->access, &e);
}
