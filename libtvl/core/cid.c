/* cid.c - connection ID tables. Contract in cid.h. */
#include "cid.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "protect.h"

#define GROWTH 8 /* entries more at a time */

/* Room for one more of `size` bytes: the table, moved if need be, or NULL. */
static void *room_for_one(void *table, uint16_t count, uint16_t *cap, size_t max, size_t size)
{
    void *grown;

    if (count < *cap)
        return table;
    if (count >= max)
        return NULL;
    const size_t wanted = *cap + (size_t)GROWTH < max ? *cap + (size_t)GROWTH : max;
    grown = realloc(table, wanted * size);
    if (grown)
        *cap = (uint16_t)wanted;
    return grown;
}

void tvl_cids_fini(struct tvl_cids *t)
{
    free(t->local);
    free(t->remote);
    free(t->path);
    *t = (struct tvl_cids){ .n_local = 0 };
}

static struct tvl_cid_path *path_of(struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = 0; i < t->n_path; i++)
        if (t->path[i].path_id == path_id)
            return &t->path[i];
    struct tvl_cid_path *table =
        room_for_one(t->path, t->n_path, &t->cap_path, TVL_LOCAL_CIDS_MAX, sizeof *t->path);
    if (!table)
        return NULL;
    t->path = table;
    t->path[t->n_path] = (struct tvl_cid_path){ .path_id = path_id };
    return &t->path[t->n_path++];
}

static void forget_path_if_empty(struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = 0; i < t->n_local; i++)
        if (t->local[i].path_id == path_id)
            return;
    for (size_t i = 0; i < t->n_remote; i++)
        if (t->remote[i].path_id == path_id)
            return;
    for (size_t i = 0; i < t->n_path; i++)
        if (t->path[i].path_id == path_id) {
            t->path[i] = t->path[--t->n_path];
            return;
        }
}

struct tvl_local_cid *tvl_cids_issue(struct tvl_cids *t, uint32_t path_id,
                                     const struct tvl_cid *cid, const uint8_t *token)
{
    struct tvl_cid_path *p = path_of(t, path_id);

    struct tvl_local_cid *table =
        room_for_one(t->local, t->n_local, &t->cap_local, TVL_LOCAL_CIDS_MAX, sizeof *t->local);
    if (!table)
        return NULL;
    t->local = table;
    if (!p)
        return NULL;
    struct tvl_local_cid *c = &t->local[t->n_local++];
    *c = (struct tvl_local_cid){ .cid = *cid, .path_id = path_id, .seq = p->local_next++ };
    memcpy(c->token, token, TVL_CID_TOKEN_LEN);
    return c;
}

size_t tvl_cids_issued(const struct tvl_cids *t, uint32_t path_id)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_local; i++)
        n += t->local[i].path_id == path_id && !t->local[i].retired;
    return n;
}

struct tvl_local_cid *tvl_cids_local(struct tvl_cids *t, uint32_t path_id, uint64_t seq)
{
    for (size_t i = 0; i < t->n_local; i++)
        if (t->local[i].path_id == path_id && t->local[i].seq == seq)
            return &t->local[i];
    return NULL;
}

bool tvl_cids_was_issued(const struct tvl_cids *t, uint32_t path_id, uint64_t seq)
{
    for (size_t i = 0; i < t->n_path; i++)
        if (t->path[i].path_id == path_id)
            return seq < t->path[i].local_next;
    return false;
}

uint64_t tvl_cids_remote_next(const struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = 0; i < t->n_path; i++)
        if (t->path[i].path_id == path_id)
            return t->path[i].remote_next;
    return 0;
}

void tvl_cids_forget_local(struct tvl_cids *t, struct tvl_local_cid *c)
{
    *c = t->local[--t->n_local];
}

struct tvl_remote_cid *tvl_cids_remote(struct tvl_cids *t, uint32_t path_id, uint64_t seq)
{
    for (size_t i = 0; i < t->n_remote; i++)
        if (t->remote[i].path_id == path_id && t->remote[i].seq == seq)
            return &t->remote[i];
    return NULL;
}

void tvl_cids_retire(struct tvl_cids *t, struct tvl_remote_cid *c)
{
    if (c->retired)
        return;
    c->retired = true;
    c->used = false;
    c->retire = TVL_NOTE_WANTED;
    t->noted = true;
}

/* RFC 9000 19.15: one sequence number, one ID and token; one ID, one sequence number. */
static int check_repeat(const struct tvl_cids *t, const struct tvl_new_cid *n, bool *repeat)
{
    *repeat = false;
    for (size_t i = 0; i < t->n_remote; i++) {
        const struct tvl_remote_cid *c = &t->remote[i];
        const bool same_seq = c->path_id == n->path_id && c->seq == n->seq;
        const bool same_cid = tvl_cid_equal(&c->cid, n->cid);

        if (same_seq != same_cid)
            return -TVL_WIRE_PROTOCOL_VIOLATION;
        if (same_seq && c->has_token && n->token &&
            memcmp(c->token, n->token, TVL_CID_TOKEN_LEN) != 0)
            return -TVL_WIRE_PROTOCOL_VIOLATION;
        *repeat = *repeat || same_seq;
    }
    return 0;
}

static size_t active(const struct tvl_cids *t, uint32_t path_id)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_remote; i++)
        n += t->remote[i].path_id == path_id && !t->remote[i].retired;
    return n;
}

int tvl_cids_learn(struct tvl_cids *t, const struct tvl_new_cid *n)
{
    struct tvl_cid_path *p = path_of(t, n->path_id);
    bool repeat;
    const int error = check_repeat(t, n, &repeat);

    if (error)
        return error;
    if (!p)
        return t->n_path == TVL_LOCAL_CIDS_MAX ? -TVL_WIRE_CONNECTION_ID_LIMIT_ERROR
                                               : -TVL_WIRE_INTERNAL_ERROR;
    if (!repeat) {
        struct tvl_remote_cid *c = room_for_one(t->remote, t->n_remote, &t->cap_remote,
                                                TVL_REMOTE_CIDS_MAX, sizeof *t->remote);

        if (!c)
            return t->n_remote == TVL_REMOTE_CIDS_MAX ? -TVL_WIRE_CONNECTION_ID_LIMIT_ERROR
                                                      : -TVL_WIRE_INTERNAL_ERROR;
        t->remote = c;
        c = &t->remote[t->n_remote++];
        *c = (struct tvl_remote_cid){ .cid = *n->cid, .path_id = n->path_id, .seq = n->seq };
        if (n->token) {
            memcpy(c->token, n->token, TVL_CID_TOKEN_LEN);
            c->has_token = true;
        }
    }
    if (n->seq >= p->remote_next)
        p->remote_next = n->seq + 1;
    if (n->retire_prior > p->retire_prior)
        p->retire_prior = n->retire_prior;
    for (size_t i = 0; i < t->n_remote; i++)
        if (t->remote[i].path_id == n->path_id && t->remote[i].seq < p->retire_prior)
            tvl_cids_retire(t, &t->remote[i]);
    return active(t, n->path_id) > TVL_REMOTE_PER_PATH_MAX ? -TVL_WIRE_CONNECTION_ID_LIMIT_ERROR
                                                           : 0;
}

static struct tvl_remote_cid *find_unused(struct tvl_cids *t, uint32_t path_id)
{
    struct tvl_remote_cid *best = NULL;

    for (size_t i = 0; i < t->n_remote; i++) {
        struct tvl_remote_cid *c = &t->remote[i];

        if (c->path_id == path_id && !c->used && !c->retired && (!best || c->seq < best->seq))
            best = c;
    }
    return best;
}

bool tvl_cids_has_unused(const struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = 0; i < t->n_remote; i++)
        if (t->remote[i].path_id == path_id && !t->remote[i].used && !t->remote[i].retired)
            return true;
    return false;
}

struct tvl_remote_cid *tvl_cids_take(struct tvl_cids *t, uint32_t path_id)
{
    struct tvl_remote_cid *c = find_unused(t, path_id);

    if (c)
        c->used = true;
    return c;
}

void tvl_cids_forget_remote(struct tvl_cids *t, struct tvl_remote_cid *c)
{
    *c = t->remote[--t->n_remote];
}

void tvl_cids_drop_remote(struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = t->n_remote; i-- > 0;)
        if (t->remote[i].path_id == path_id)
            t->remote[i] = t->remote[--t->n_remote];
    forget_path_if_empty(t, path_id);
}

void tvl_cids_drop_local(struct tvl_cids *t, uint32_t path_id)
{
    for (size_t i = t->n_local; i-- > 0;)
        if (t->local[i].path_id == path_id)
            t->local[i] = t->local[--t->n_local];
    forget_path_if_empty(t, path_id);
}

void tvl_cids_set_token(struct tvl_cids *t, const uint8_t *token)
{
    struct tvl_remote_cid *c = tvl_cids_remote(t, 0, 0);

    if (!c)
        return;
    memcpy(c->token, token, TVL_CID_TOKEN_LEN);
    c->has_token = true;
}

bool tvl_cids_is_reset(const struct tvl_cids *t, const uint8_t *token)
{
    bool any = false;

    for (size_t i = 0; i < t->n_remote; i++) {
        const struct tvl_remote_cid *c = &t->remote[i];

        if (c->has_token && c->used)
            any |= tvl_same(c->token, token, TVL_CID_TOKEN_LEN);
    }
    return any;
}
