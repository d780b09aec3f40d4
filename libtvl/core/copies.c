/* copies.c - see copies.h. */
#include "copies.h"

#include <stdlib.h>
#include <string.h>

#include "route.h"
#include "send.h"

uint64_t tvl_copies_bytes(const struct tvl_path *p)
{
    return p->copies ? p->copies->bytes : 0;
}

bool tvl_copies_due(const struct tvl_path *p)
{
    return p->copies && p->copies->n > 0 && tvl_path_is_trusted(p) &&
           tvl_path_cc_room(&p->cc, p->conn->now) > 0;
}

bool tvl_copies_wait(const struct tvl_conn *conn)
{
    for (size_t i = 0; i < conn->n_paths; i++)
        if (conn->path[i]->copies && conn->path[i]->copies->n > 0)
            return true;
    return false;
}

static struct tvl_copies *copies_of(struct tvl_path *p)
{
    if (!p->copies)
        p->copies = calloc(1, sizeof *p->copies);
    return p->copies;
}

static void owe(struct tvl_path *p, const struct tvl_sent_frame *f)
{
    struct tvl_copies *c = copies_of(p);

    if (!c || c->n == TVL_SCHED_COPIES)
        return;
    c->v[(c->first + c->n++) % TVL_SCHED_COPIES] = *f;
    c->bytes += f->len;
}

static void watch(struct tvl_path *p, const struct tvl_sent_frame *f)
{
    struct tvl_copies *c = copies_of(p);

    if (!c)
        return;
    if (c->n_watched == TVL_SCHED_COPIES)
        memmove(c->watched, c->watched + 1, --c->n_watched * sizeof c->watched[0]);
    c->watched[c->n_watched++] = (struct tvl_watched){ *f, p->conn->now };
}

/* The scheduler's answer about a frame that left on `p` at `left_at`. true: it is to be watched. */
static bool ask(struct tvl_path *p, const struct tvl_sent_frame *f, tvl_time left_at)
{
    struct tvl_path *to[TVL_PATHS_MAX];
    bool again = false;
    const size_t n = tvl_route_copies(p, f, p->conn->now - left_at, to, &again);

    for (size_t k = 0; k < n; k++)
        owe(to[k], f);
    return n == 0 && again;
}

void tvl_copies_ask(struct tvl_path *p, const struct tvl_sent_list *left)
{
    if ((!p->conn->sched->also && !p->conn->streams.rules.copies) || p->conn->n_paths < 2)
        return;
    for (uint32_t i = 0; i < left->count; i++)
        if (left->v[i].kind == TVL_SENT_STREAM && left->v[i].len > 0 &&
            ask(p, &left->v[i], p->conn->now))
            watch(p, &left->v[i]);
}

static void review(struct tvl_path *p)
{
    struct tvl_copies *c = p->copies;
    size_t kept = 0;

    c->reviewed_at = p->conn->now;
    for (size_t i = 0; i < c->n_watched; i++) {
        const struct tvl_watched w = c->watched[i];

        if (tvl_streams_is_outstanding(&p->conn->streams, &w.frame) && ask(p, &w.frame, w.left_at))
            c->watched[kept++] = w;
    }
    c->n_watched = kept;
}

void tvl_copies_review(struct tvl_conn *conn)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (p->copies && p->copies->n_watched > 0 &&
            conn->now >= p->copies->reviewed_at + TVL_SCHED_REVIEW)
            review(p);
    }
}

/* Copies cost their flow as much as what they repeat. */
static void charge(struct tvl_builder *b, uint64_t id, uint64_t bytes)
{
    struct tvl_streams *ss = &b->conn->streams;
    const struct tvl_stream *s = tvl_streams_find(ss, id);

    if (s)
        tvl_flow_sent(&ss->rules, tvl_flow_rule(&ss->rules, s->flow), b->path->id, bytes);
}

void tvl_copies_write(struct tvl_builder *b)
{
    struct tvl_copies *c = b->path->copies;

    while (c && c->n > 0) {
        struct tvl_sent_frame *f = &c->v[c->first];
        const uint32_t before = b->list.count, len = f->len;
        const uint64_t id = f->id;
        const bool more = tvl_streams_write_copy(&b->conn->streams, f, &b->w, &b->list);

        b->eliciting = b->eliciting || b->list.count > before;
        b->leading = b->leading || b->list.count > before;
        c->bytes -= len - f->len;
        charge(b, id, len - f->len);
        if (more)
            return;
        c->first = (c->first + 1) % TVL_SCHED_COPIES;
        c->n--;
    }
}

void tvl_copies_drop(struct tvl_path *p)
{
    free(p->copies);
    p->copies = NULL;
}
