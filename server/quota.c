/* quota.c - see quota.h. */
#include "quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#define ADDRESS_KEY 9 /* family and what of the address one customer has */

struct address {
    uint8_t key[ADDRESS_KEY];
    bool lost;        /* set by uthash when it had no memory */
    uint32_t conns;   /* at once */
    uint32_t prepaid; /* counted by quota_judge, not yet here */
    tvl_time due;     /* GCRA's theoretical arrival time: when its share is whole again */
    UT_hash_handle hh;
};

struct token {
    uint8_t id[QUOTA_TOKEN_ID];
    bool lost;
    uint32_t sessions;
    UT_hash_handle hh;
};

struct quota {
    pthread_mutex_t lock;
    uint32_t per_address, rate;
    struct address *addresses;
    struct token *tokens;
};

const char *quota_text(enum quota_verdict v)
{
    switch (v) {
    case QUOTA_OK:
        return "within the limits";
    case QUOTA_MANY:
        return "too many connections from this address";
    case QUOTA_FAST:
        return "too many new connections from this address";
    default:
        return "too many addresses to count";
    }
}

struct quota *quota_new(void)
{
    struct quota *l = calloc(1, sizeof *l);
    if (l && pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        l = NULL;
    }
    return l;
}

void quota_free(struct quota *l)
{
    struct address *a, *next_a;
    struct token *t, *next_t;
    if (!l)
        return;
    HASH_ITER(hh, l->addresses, a, next_a)
    {
        HASH_DEL(l->addresses, a);
        free(a);
    }
    HASH_ITER(hh, l->tokens, t, next_t)
    {
        HASH_DEL(l->tokens, t);
        free(t);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void quota_set(struct quota *l, uint32_t per_address, uint32_t rate_per_address)
{
    pthread_mutex_lock(&l->lock);
    l->per_address = per_address;
    l->rate = rate_per_address;
    pthread_mutex_unlock(&l->lock);
}

/* ---- addresses ---- */

static void key_of(const struct sockaddr_storage *remote, uint8_t key[ADDRESS_KEY])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    memset(key, 0, ADDRESS_KEY);
    if (remote->ss_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &((const struct sockaddr_in *)(const void *)remote)->sin_addr, 4);
    } else if (remote->ss_family == AF_INET6) {
        const uint8_t *b = ((const struct sockaddr_in6 *)(const void *)remote)->sin6_addr.s6_addr;
        const bool ipv4 = memcmp(b, mapped, sizeof mapped) == 0;
        key[0] = ipv4 ? 4 : 6;
        memcpy(key + 1, ipv4 ? b + sizeof mapped : b, ipv4 ? 4 : 8);
    }
}

static struct address *find(const struct quota *l, const struct sockaddr_storage *remote)
{
    uint8_t key[ADDRESS_KEY];
    struct address *a = NULL;
    key_of(remote, key);
    HASH_FIND(hh, l->addresses, key, ADDRESS_KEY, a);
    return a;
}

static bool over(const struct address *a, tvl_time now)
{
    return a->conns == 0 && a->due <= now;
}

static void forget(struct quota *l, tvl_time now)
{
    struct address *a, *next;
    HASH_ITER(hh, l->addresses, a, next)
    {
        if (!over(a, now))
            continue;
        HASH_DEL(l->addresses, a);
        free(a);
    }
}

static struct address *find_or_add(struct quota *l, const struct sockaddr_storage *remote,
                                   tvl_time now)
{
    struct address *a = find(l, remote);
    if (a)
        return a;
    if (HASH_COUNT(l->addresses) >= QUOTA_ADDRESSES_MAX)
        forget(l, now);
    a = HASH_COUNT(l->addresses) < QUOTA_ADDRESSES_MAX ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    key_of(remote, a->key);
    HASH_ADD(hh, l->addresses, key, ADDRESS_KEY, a);
    if (a->lost) {
        free(a);
        return NULL;
    }
    return a;
}

static bool too_fast(const struct quota *l, const struct address *a, tvl_time now)
{
    return l->rate && a->due > now + QUOTA_RATE_SPAN_US - QUOTA_RATE_SPAN_US / l->rate;
}

static void count_new(const struct quota *l, struct address *a, tvl_time now)
{
    if (l->rate)
        a->due = (a->due > now ? a->due : now) + QUOTA_RATE_SPAN_US / l->rate;
}

enum quota_verdict quota_judge(struct quota *l, const struct sockaddr_storage *remote, bool take,
                               tvl_time now)
{
    enum quota_verdict v = QUOTA_OK;
    pthread_mutex_lock(&l->lock);
    struct address *a = take && l->rate ? find_or_add(l, remote, now) : find(l, remote);
    if (take && l->rate && !a)
        v = QUOTA_FULL;
    else if (a && l->per_address && a->conns >= l->per_address)
        v = QUOTA_MANY;
    else if (a && too_fast(l, a, now))
        v = QUOTA_FAST;
    if (v == QUOTA_OK && take && a) {
        a->prepaid = a->due <= now ? 1 : a->prepaid + 1;
        count_new(l, a, now);
    }
    pthread_mutex_unlock(&l->lock);
    return v;
}

enum quota_verdict quota_enter(struct quota *l, const struct sockaddr_storage *remote, tvl_time now)
{
    enum quota_verdict v = QUOTA_OK;
    pthread_mutex_lock(&l->lock);
    struct address *a = find_or_add(l, remote, now);
    if (!a)
        v = QUOTA_FULL;
    else if (l->per_address && a->conns >= l->per_address)
        v = QUOTA_MANY;
    else if (a->prepaid > 0)
        a->prepaid--;
    else if (too_fast(l, a, now))
        v = QUOTA_FAST;
    else
        count_new(l, a, now);
    if (v == QUOTA_OK)
        a->conns++;
    pthread_mutex_unlock(&l->lock);
    return v;
}

void quota_leave(struct quota *l, const struct sockaddr_storage *remote, tvl_time now)
{
    pthread_mutex_lock(&l->lock);
    struct address *a = find(l, remote);
    if (a && a->conns > 0)
        a->conns--;
    if (a && over(a, now)) {
        HASH_DEL(l->addresses, a);
        free(a);
    }
    pthread_mutex_unlock(&l->lock);
}

size_t quota_tick(struct quota *l, tvl_time now)
{
    pthread_mutex_lock(&l->lock);
    forget(l, now);
    const size_t n = HASH_COUNT(l->addresses);
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* ---- tokens ---- */

static struct token *find_token(const struct quota *l, const uint8_t *id)
{
    struct token *t = NULL;
    HASH_FIND(hh, l->tokens, id, QUOTA_TOKEN_ID, t);
    return t;
}

static struct token *add_token(struct quota *l, const uint8_t *id)
{
    struct token *t = HASH_COUNT(l->tokens) < QUOTA_TOKENS_MAX ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    memcpy(t->id, id, QUOTA_TOKEN_ID);
    HASH_ADD(hh, l->tokens, id, QUOTA_TOKEN_ID, t);
    if (t->lost) {
        free(t);
        return NULL;
    }
    return t;
}

enum quota_verdict quota_token_enter(struct quota *l, const uint8_t id[QUOTA_TOKEN_ID],
                                     uint32_t most)
{
    enum quota_verdict v = QUOTA_OK;
    pthread_mutex_lock(&l->lock);
    struct token *t = find_token(l, id);
    if (!t)
        t = add_token(l, id);
    if (!t)
        v = QUOTA_FULL;
    else if (most && t->sessions >= most)
        v = QUOTA_MANY;
    else
        t->sessions++;
    pthread_mutex_unlock(&l->lock);
    return v;
}

void quota_token_leave(struct quota *l, const uint8_t id[QUOTA_TOKEN_ID])
{
    pthread_mutex_lock(&l->lock);
    struct token *t = find_token(l, id);
    if (t && --t->sessions == 0) {
        HASH_DEL(l->tokens, t);
        free(t);
    }
    pthread_mutex_unlock(&l->lock);
}
