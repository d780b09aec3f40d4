/* control_list.c - see control_list.h. */
#include "control_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_order {
    const char *name;
    int (*compare)(const struct control_view *v, const struct snapshot_session *a,
                   const struct snapshot_session *b);
};

/* ---- orders ---- */

static int more(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_id(const struct control_view *v, const struct snapshot_session *a,
                 const struct snapshot_session *b)
{
    (void)v;
    return (a->id > b->id) - (a->id < b->id);
}

static int by_remote(const struct control_view *v, const struct snapshot_session *a,
                     const struct snapshot_session *b)
{
    (void)v;
    return strcmp(a->remote, b->remote);
}

static int by_namespace(const struct control_view *v, const struct snapshot_session *a,
                        const struct snapshot_session *b)
{
    (void)v;
    return strcmp(a->ns, b->ns);
}

static int by_age(const struct control_view *v, const struct snapshot_session *a,
                  const struct snapshot_session *b)
{
    (void)v;
    return more((double)a->age_us, (double)b->age_us);
}

static double sending(const struct control_view *v, const struct snapshot_session *s)
{
    const struct snapshot_session *b = view_session(&v->before, s->id);
    return b && s->sent_bytes >= b->sent_bytes ? (double)(s->sent_bytes - b->sent_bytes) : -1;
}

static int by_sending(const struct control_view *v, const struct snapshot_session *a,
                      const struct snapshot_session *b)
{
    return more(sending(v, a), sending(v, b));
}

static int by_loss(const struct control_view *v, const struct snapshot_session *a,
                   const struct snapshot_session *b)
{
    (void)v;
    return more(a->loss, b->loss);
}

static double least_rtt(const struct snapshot_session *s)
{
    double least = -1;
    for (size_t i = 0; i < s->n_paths; i++)
        if (s->path[i].state == TVL_PATH_UP && s->path[i].srtt &&
            (least < 0 || (double)s->path[i].srtt < least))
            least = (double)s->path[i].srtt;
    return least;
}

static int by_rtt(const struct control_view *v, const struct snapshot_session *a,
                  const struct snapshot_session *b)
{
    (void)v;
    return more(least_rtt(a), least_rtt(b));
}

static int by_backlog(const struct control_view *v, const struct snapshot_session *a,
                      const struct snapshot_session *b)
{
    (void)v;
    return more((double)a->backlog_bytes, (double)b->backlog_bytes);
}

static int by_layer(const struct control_view *v, const struct snapshot_session *a,
                    const struct snapshot_session *b)
{
    (void)v;
    return more(a->top, b->top);
}

static const struct list_order orders[] = {
    { "id", by_id },   { "remote", by_remote }, { "namespace", by_namespace },
    { "age", by_age }, { "rate", by_sending },  { "loss", by_loss },
    { "rtt", by_rtt }, { "layer", by_layer },   { "backlog", by_backlog },
    { NULL, NULL },
};

/* ---- query ---- */

void list_query_init(struct list_query *q)
{
    *q = (struct list_query){ .order = &orders[0], .limit = LIST_LIMIT_DEFAULT };
}

static int number(const char *text, size_t least, size_t most, size_t *out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || n < least || n > most)
        return -1;
    *out = n;
    return 0;
}

static int set_order(struct list_query *q, const char *name)
{
    const bool descending = name[0] == '-';
    for (const struct list_order *o = orders; o->name; o++)
        if (strcmp(o->name, name + descending) == 0) {
            q->order = o;
            q->descending = descending;
            return 0;
        }
    return -1;
}

int list_query_set(struct list_query *q, const char *key, const char *value)
{
    if (strcmp(key, "q") == 0) {
        if (strlen(value) >= sizeof q->search)
            return -1;
        strcpy(q->search, value);
        return 0;
    }
    if (strcmp(key, "sort") == 0)
        return set_order(q, value);
    if (strcmp(key, "limit") == 0)
        return number(value, 1, LIST_LIMIT_MAX, &q->limit);
    if (strcmp(key, "offset") == 0)
        return number(value, 0, SIZE_MAX / 2, &q->offset);
    return -1;
}

/* ---- page ---- */

static bool matches(const struct snapshot_session *s, const char *search)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, s->id);
    return !search[0] || strcmp(id, search) == 0 || strcasestr(s->remote, search) ||
           strcasestr(s->ns, search) || strcasestr(s->subject, search) ||
           strcasestr(s->implementation, search);
}

struct comparison {
    const struct list_query *query;
    const struct control_view *view;
};

static int compare(const void *a, const void *b, void *user)
{
    const struct comparison *c = user;
    const struct snapshot_session *const *x = a, *const *y = b;
    int result = c->query->order->compare(c->view, *x, *y);
    if (c->query->descending)
        result = -result;
    return result ? result : by_id(c->view, *x, *y);
}

int list_page(const struct list_query *q, const struct control_view *v, struct list_page *out)
{
    const struct snapshot *s = v->now.snapshot;
    *out = (struct list_page){ .session = calloc(s->n_sessions + 1, sizeof *out->session) };
    if (!out->session)
        return -1;
    for (size_t i = 0; i < s->n_sessions; i++)
        if (matches(v->now.sessions[i], q->search))
            out->session[out->matched++] = v->now.sessions[i];
    struct comparison how = { .query = q, .view = v };
    qsort_r(out->session, out->matched, sizeof *out->session, compare, &how);
    const size_t skip = q->offset < out->matched ? q->offset : out->matched;
    out->n = out->matched - skip < q->limit ? out->matched - skip : q->limit;
    memmove(out->session, out->session + skip, out->n * sizeof *out->session);
    return 0;
}

void list_page_fini(struct list_page *p)
{
    free(p->session);
    *p = (struct list_page){ 0 };
}
