/*
 * streams_unsent.c - how much waits, by rank: asked before every object that a live server queues,
 * and most of all when much waits. So the streams with unsent bytes are summed up from an array,
 * not by a walk through them. Part of streams.h.
 */
#include "streams_internal.h"

#include <stdlib.h>

#define FIRST 16 /* streams there is room for at first */

int tvl_streams_reserve_unsent(struct tvl_streams *ss, size_t count)
{
    if (count <= ss->cap_unsent)
        return 0;
    const size_t cap = ss->cap_unsent > 0 ? 2 * ss->cap_unsent : FIRST;
    struct tvl_unsent *v = realloc(ss->unsent, cap * sizeof *v);
    if (v == NULL)
        return TVL_ERR_NOMEM;
    ss->unsent = v;
    ss->cap_unsent = cap;
    return 0;
}

void tvl_streams_fini_unsent(struct tvl_streams *ss)
{
    free(ss->unsent);
    ss->unsent = NULL;
    ss->n_unsent = ss->cap_unsent = 0;
}

void tvl_streams_count_unsent(struct tvl_streams *ss, struct tvl_stream *s)
{
    const uint64_t bytes = tvl_sendbuf_unsent(&s->out);
    if (s->unsent_at == 0 && bytes == 0)
        return;
    if (s->unsent_at == 0)
        s->unsent_at = ++ss->n_unsent;
    struct tvl_unsent *u = &ss->unsent[s->unsent_at - 1];
    if (bytes > 0) {
        *u = (struct tvl_unsent){ s->rank, bytes, s };
        return;
    }
    *u = ss->unsent[--ss->n_unsent]; /* may be the same */
    u->stream->unsent_at = s->unsent_at;
    s->unsent_at = 0;
}

uint64_t tvl_streams_backlog(const struct tvl_streams *ss, uint64_t rank)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < ss->n_unsent; i++)
        bytes += ss->unsent[i].rank <= rank ? ss->unsent[i].bytes : 0;
    return bytes;
}
