/*
 * streams_message.c - a whole message on a stream of its own: what the single calls would do, with
 * the stream settled once. Part of streams.h.
 */
#include "streams_internal.h"

/* All of `part` into the new stream, which then ends. 0 or TVL_ERR_NOMEM. */
static int fill(struct tvl_stream *s, const struct tvl_part *part, size_t n, size_t len)
{
    if (len > 0 && tvl_sendbuf_reserve(&s->out, len) < 0)
        return TVL_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        (void)tvl_stream_append(s, part[i].bytes, part[i].len, false);
    tvl_sendbuf_finish(&s->out);
    return 0;
}

static int check(const struct tvl_streams *ss, const struct tvl_stream_order *o, size_t len)
{
    if (o->flow >= TVL_FLOWS_MAX || o->code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    const bool fits = len <= TVL_STREAM_BUFFER_MAX && len <= tvl_streams_room(ss) &&
                      len <= tvl_flow_room(tvl_flow_rule(&ss->rules, o->flow));
    return fits ? 0 : TVL_ERR_FULL;
}

static void obey(struct tvl_streams *ss, struct tvl_stream *s, const struct tvl_stream_order *o,
                 tvl_time now)
{
    s->flow = o->flow;
    const struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);
    const bool by_rule = o->deadline == TVL_TIME_NEVER && r && r->cfg.lifetime;

    tvl_streams_rank(ss, s, o->rank);
    s->deadline = s->deadline_node.key = by_rule ? now + r->cfg.lifetime : o->deadline;
    s->deadline_node.tie = s->id;
    s->deadline_code = by_rule ? r->cfg.code : o->code;
}

int tvl_streams_send(struct tvl_streams *ss, const struct tvl_stream_order *order,
                     const struct tvl_part *part, size_t n, tvl_time now, uint64_t *id)
{
    struct tvl_stream *s;
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += part[i].len;
    int result = check(ss, order, len);
    if (result == 0)
        result = tvl_streams_open_own(ss, order->dir, &s);
    if (result < 0)
        return result;
    obey(ss, s, order, now);
    result = fill(s, part, n, len);
    if (result < 0)
        (void)tvl_stream_abort(s, order->code);
    *id = s->id;
    tvl_streams_settle(ss, s);
    return result;
}
