/* stream.c - the table of a session's streams, their buffers and the bounds on these. */
#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ID_BY_SERVER 1u  /* RFC 9000 2.1, a bit of a stream ID */
#define BUFFER_LEAST 256 /* bytes of a buffer's first allocation */

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio */

static struct moq_stream **bucket_of(struct moq_session *s, uint64_t id)
{
    return &s->buckets[(id * HASH_FACTOR >> 32) & (s->n_buckets - 1)];
}

/* A table of `n` buckets in place of the old one; without memory the old one stays. */
static void rehash(struct moq_session *s, size_t n)
{
    struct moq_stream **old = s->buckets, **buckets = calloc(n, sizeof *buckets);
    size_t n_old = s->n_buckets;
    if (!buckets)
        return;
    s->buckets = buckets;
    s->n_buckets = n;
    for (size_t i = 0; i < n_old; i++)
        while (old[i]) {
            struct moq_stream *st = old[i], **to = bucket_of(s, st->id);
            old[i] = st->hash_next;
            st->hash_next = *to;
            *to = st;
        }
    free(old);
}

struct moq_stream *moq_stream_find(struct moq_session *s, uint64_t id)
{
    if (s->n_buckets == 0)
        return NULL;
    for (struct moq_stream *st = *bucket_of(s, id); st; st = st->hash_next)
        if (st->id == id)
            return st;
    return NULL;
}

bool moq_stream_is_ours(const struct moq_session *s, uint64_t id)
{
    return (id & ID_BY_SERVER) == (s->server ? ID_BY_SERVER : 0);
}

/* The counter it is bounded by. */
static size_t *counter_of(struct moq_session *s, uint64_t id, enum stream_kind kind)
{
    switch (kind) {
    case STREAM_NEW_UNI:
    case STREAM_DATA:
    case STREAM_ORPHAN:
    case STREAM_FETCH_IN:
        return &s->n_uni_in;
    case STREAM_REQUEST:
    case STREAM_SENDING:
    case STREAM_SUBSCRIPTION:
    case STREAM_FETCH:
    case STREAM_ASKED:
        return moq_stream_is_ours(s, id) ? &s->n_requests_out : &s->n_requests_in;
    case STREAM_OBJECT:
    case STREAM_FETCH_OUT:
        return &s->n_objects_out;
    case STREAM_DRAIN:
        return &s->n_drains;
    case STREAM_CONTROL:
    case STREAM_OWN_CONTROL:
        break;
    }
    return NULL;
}

static struct moq_stream *new_or_spare(struct moq_session *s)
{
    struct moq_stream *st = s->spare_streams;
    if (!st)
        return calloc(1, sizeof *st);
    s->spare_streams = st->next;
    s->n_spare--;
    st->next = NULL;
    return st;
}

struct moq_stream *moq_stream_add(struct moq_session *s, uint64_t id, enum stream_kind kind)
{
    if (s->n_streams >= s->n_buckets)
        rehash(s, s->n_buckets > 0 ? 2 * s->n_buckets : MOQ_BUCKETS_LEAST);
    struct moq_stream *st = s->n_buckets > 0 ? new_or_spare(s) : NULL;
    if (!st)
        return NULL;
    s->n_streams++;
    st->id = id;
    st->kind = kind;
    struct moq_stream **bucket = bucket_of(s, id);
    st->hash_next = *bucket;
    *bucket = st;
    size_t *counter = counter_of(s, id, kind);
    if (counter)
        ++*counter;
    return st;
}

void moq_stream_set_kind(struct moq_session *s, struct moq_stream *st, enum stream_kind kind)
{
    size_t *from = counter_of(s, st->id, st->kind), *to = counter_of(s, st->id, kind);
    if (from)
        --*from;
    if (to)
        ++*to;
    st->kind = kind;
}

void moq_stream_list_add(struct moq_stream_list *list, struct moq_stream *st)
{
    assert(!st->list);
    st->list = list;
    st->prev = list->tail;
    st->next = NULL;
    *(list->tail ? &list->tail->next : &list->head) = st;
    list->tail = st;
}

void moq_stream_list_remove(struct moq_stream *st)
{
    if (!st->list)
        return;
    *(st->prev ? &st->prev->next : &st->list->head) = st->next;
    *(st->next ? &st->next->prev : &st->list->tail) = st->prev;
    st->list = NULL;
    st->prev = st->next = NULL;
}

/* The bytes stay until the grave is emptied: a reader further up the stack may be in them. */
static void stop_counting(struct moq_session *s, struct moq_stream *st)
{
    s->buffered -= st->cap;
    if (st->early)
        s->buffered_early -= st->cap;
    st->early = false;
}

void moq_stream_kill(struct moq_session *s, struct moq_stream *st)
{
    if (!st || st->dead)
        return;
    struct moq_stream **at = bucket_of(s, st->id);
    while (*at != st)
        at = &(*at)->hash_next;
    *at = st->hash_next;
    moq_stream_list_remove(st);
    s->n_streams--;
    if (s->n_buckets > MOQ_BUCKETS_LEAST && s->n_streams < s->n_buckets / 8)
        rehash(s, s->n_buckets / 2);
    size_t *counter = counter_of(s, st->id, st->kind);
    if (counter)
        --*counter;
    stop_counting(s, st);
    st->dead = true;
    st->next = s->dead_streams;
    s->dead_streams = st;
}

void moq_stream_bury(struct moq_session *s, struct moq_stream *st)
{
    if (s->n_spare == MOQ_SPARE_MAX) {
        moq_stream_free(st);
        return;
    }
    free(st->buf);
    *st = (struct moq_stream){ .next = s->spare_streams };
    s->spare_streams = st;
    s->n_spare++;
}

void moq_streams_free_spare(struct moq_session *s)
{
    while (s->spare_streams) {
        struct moq_stream *st = s->spare_streams;
        s->spare_streams = st->next;
        free(st);
    }
    s->n_spare = 0;
}

void moq_stream_free(struct moq_stream *st)
{
    free(st->buf);
    free(st);
}

void moq_stream_drain(struct moq_session *s, struct moq_stream *st)
{
    if (st->dead)
        return;
    uint64_t id = st->id;
    bool fin = st->fin;
    moq_stream_kill(s, st); /* whoever holds `st` sees it dead; a small new one stands in */
    if (fin)
        return;
    struct moq_stream *drain = moq_stream_add(s, id, STREAM_DRAIN);
    if (!drain)
        return;
    moq_stream_list_add(&s->drains, drain);
    if (s->n_drains > MOQ_DRAINS_MAX)
        moq_stream_kill(s, s->drains.head);
}

void moq_stream_discard(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    if (st->dead)
        return;
    if (!st->fin)
        s->quic.stop(s->quic.ctx, st->id, code);
    moq_stream_drain(s, st);
}

void moq_stream_set_early(struct moq_session *s, struct moq_stream *st, bool early)
{
    if (st->early == early)
        return;
    st->early = early;
    if (early)
        s->buffered_early += st->cap;
    else
        s->buffered_early -= st->cap;
}

static int reserve(struct moq_session *s, struct moq_stream *st, size_t want)
{
    if (want <= st->cap)
        return 0;
    /* By what has come, never by what the peer says will come. */
    size_t cap = st->cap > 0 ? st->cap : BUFFER_LEAST;
    while (cap < want)
        cap *= 2;
    size_t more = cap - st->cap;
    if (s->buffered + more > MOQ_BUFFERED_MAX ||
        (st->early && s->buffered_early + more > MOQ_EARLY_MAX))
        return MOQ_ERR_FULL;
    uint8_t *buf = realloc(st->buf, cap);
    if (!buf)
        return MOQ_ERR_NOMEM;
    st->buf = buf;
    st->cap = cap;
    s->buffered += more;
    if (st->early)
        s->buffered_early += more;
    return 0;
}

int moq_stream_append(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len)
{
    if (len == 0)
        return 0;
    int rc = reserve(s, st, st->len + len);
    if (rc < 0)
        return rc;
    memcpy(st->buf + st->len, bytes, len);
    st->len += len;
    return 0;
}

void moq_stream_consume(struct moq_session *s, struct moq_stream *st, size_t used)
{
    assert(used <= st->len);
    st->len -= used;
    if (st->len > 0) {
        memmove(st->buf, st->buf + used, st->len);
        return;
    }
    s->buffered -= st->cap;
    if (st->early)
        s->buffered_early -= st->cap;
    free(st->buf);
    st->buf = NULL;
    st->cap = 0;
}
