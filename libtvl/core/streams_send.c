/*
 * streams_send.c - which stream's bytes leave next, as which frames, and what becomes of them.
 * Part of streams.h.
 */
#include "streams_internal.h"

#include <utlist.h>

#define PIECE_MIN 32 /* a piece cut shorter than this waits for the next packet */

/* ---- frames to the peer ---- */

struct out { /* where one call of write_frames writes */
    struct tvl_wr *w;
    struct tvl_sent_list *sent;
    uint32_t count;
};

static bool has_record_room(const struct out *o)
{
    return o->sent->count < o->sent->cap;
}

static bool put(struct out *o, const struct tvl_frame *f, struct tvl_sent_frame rec)
{
    if (!has_record_room(o) || tvl_frame_write(o->w, f) < 0)
        return false;
    o->sent->v[o->sent->count++] = rec;
    o->count++;
    return true;
}

static bool put_limit(struct out *o, uint64_t type, struct tvl_sent_frame rec)
{
    struct tvl_frame f;
    f.type = type;
    f.limit.id = rec.id;
    f.limit.max = rec.offset;
    return put(o, &f, rec);
}

static void put_dir_frames(struct tvl_streams *ss, unsigned i, struct out *o)
{
    struct tvl_streams_dir *d = &ss->dir[i];
    uint64_t max = d->peer_closed + d->peer_window;
    if (max > TVL_STREAMS_COUNT_MAX)
        max = TVL_STREAMS_COUNT_MAX;
    struct tvl_sent_frame rec = { .kind = TVL_SENT_MAX_STREAMS,
                                  .id = tvl_streams_dir_name(i),
                                  .offset = max };
    if (d->want_max &&
        put_limit(o, i == 0 ? TVL_FRAME_MAX_STREAMS_BIDI : TVL_FRAME_MAX_STREAMS_UNI, rec)) {
        d->peer_max = max;
        d->want_max = false;
    }
    rec.kind = TVL_SENT_STREAMS_BLOCKED;
    rec.offset = d->own_max;
    if (d->want_blocked &&
        put_limit(o, i == 0 ? TVL_FRAME_STREAMS_BLOCKED_BIDI : TVL_FRAME_STREAMS_BLOCKED_UNI,
                  rec)) {
        d->blocked_told = d->own_max + 1;
        d->want_blocked = false;
    }
}

static bool wants_conn_frames(const struct tvl_streams *ss)
{
    return ss->want_max_data || ss->want_data_blocked || ss->dir[0].want_max ||
           ss->dir[0].want_blocked || ss->dir[1].want_max || ss->dir[1].want_blocked;
}

static void put_conn_frames(struct tvl_streams *ss, struct out *o)
{
    if (!wants_conn_frames(ss))
        return;
    struct tvl_sent_frame rec = { .kind = TVL_SENT_MAX_DATA,
                                  .offset = ss->consumed + ss->cfg.conn_window };
    if (ss->want_max_data && put_limit(o, TVL_FRAME_MAX_DATA, rec)) {
        ss->recv_max = rec.offset;
        ss->want_max_data = false;
    }
    rec = (struct tvl_sent_frame){ .kind = TVL_SENT_DATA_BLOCKED, .offset = ss->send_max };
    if (ss->want_data_blocked && put_limit(o, TVL_FRAME_DATA_BLOCKED, rec)) {
        ss->blocked_told = ss->send_max + 1;
        ss->want_data_blocked = false;
    }
    put_dir_frames(ss, 0, o);
    put_dir_frames(ss, 1, o);
}

static bool put_reset(struct tvl_stream *s, struct out *o)
{
    struct tvl_frame f;
    f.type = TVL_FRAME_RESET_STREAM;
    f.reset.id = s->id;
    f.reset.code = s->reset_code;
    f.reset.final_size = s->reset_size;
    return put(o, &f, (struct tvl_sent_frame){ .kind = TVL_SENT_RESET_STREAM, .id = s->id });
}

static bool put_stop(struct tvl_stream *s, struct out *o)
{
    struct tvl_frame f;
    f.type = TVL_FRAME_STOP_SENDING;
    f.reset.id = s->id;
    f.reset.code = s->stop_code;
    return put(o, &f, (struct tvl_sent_frame){ .kind = TVL_SENT_STOP_SENDING, .id = s->id });
}

/* All control frames `s` wants, as far as they fit. */
static void put_wanted(struct tvl_stream *s, struct out *o)
{
    if ((s->want & TVL_WANT_RESET_STREAM) && put_reset(s, o))
        s->want &= ~(unsigned)TVL_WANT_RESET_STREAM;
    if ((s->want & TVL_WANT_STOP_SENDING) && put_stop(s, o))
        s->want &= ~(unsigned)TVL_WANT_STOP_SENDING;
    struct tvl_sent_frame rec = { .kind = TVL_SENT_MAX_STREAM_DATA,
                                  .id = s->id,
                                  .offset = s->in.base + s->recv_window };
    if ((s->want & TVL_WANT_MAX_STREAM_DATA) && put_limit(o, TVL_FRAME_MAX_STREAM_DATA, rec)) {
        s->recv_max = rec.offset;
        s->want &= ~(unsigned)TVL_WANT_MAX_STREAM_DATA;
    }
    rec.kind = TVL_SENT_STREAM_DATA_BLOCKED;
    rec.offset = s->send_max;
    if ((s->want & TVL_WANT_STREAM_DATA_BLOCKED) &&
        put_limit(o, TVL_FRAME_STREAM_DATA_BLOCKED, rec)) {
        s->blocked_told = s->send_max + 1;
        s->want &= ~(unsigned)TVL_WANT_STREAM_DATA_BLOCKED;
    }
}

static struct tvl_heap_node *next_in(const struct tvl_heap *h, const struct tvl_streams_head *after)
{
    return after != NULL ? tvl_heap_after(h, after->rank, after->turn, after->id)
                         : tvl_heap_first(h);
}

/* The next stream with something to send after `after`; NULL: from the beginning. */
static struct tvl_stream *next_sendable(const struct tvl_streams *ss,
                                        const struct tvl_streams_head *after)
{
    struct tvl_heap_node *a = next_in(&ss->again, after);
    struct tvl_heap_node *f = tvl_streams_credit(ss) > 0 ? next_in(&ss->fresh, after) : NULL;
    if (a != NULL && f != NULL && tvl_heap_before(f, a))
        a = NULL;
    if (a != NULL)
        return TVL_HEAP_OWNER(a, struct tvl_stream, again_node);
    return f != NULL ? TVL_HEAP_OWNER(f, struct tvl_stream, fresh_node) : NULL;
}

/* Cut `c` to what fits into `room`; false when it is not worth the header. */
static bool cut_to_fit(struct tvl_send_chunk *c, uint64_t id, size_t room)
{
    if (c->len == 0)
        return tvl_stream_head_size(id, c->offset, 0) <= room;
    size_t fit = tvl_stream_fit(room, id, c->offset, c->len);
    if (fit < c->len) {
        if (fit < PIECE_MIN)
            return false;
        c->len = fit;
        c->fin = false;
    }
    return true;
}

/* New bytes of `s` have left, more may, and that is all there is to settle. */
static bool stays(const struct tvl_streams *ss, const struct tvl_stream *s)
{
    return tvl_stream_has_fresh(s) && tvl_streams_credit(ss) > 0 &&
           (ss->cfg.note == NULL || s->send_told == s->send_state);
}

/* `c` as a STREAM frame of `s`; false when it does not fit. */
static bool put_chunk(struct tvl_streams *ss, struct tvl_stream *s, const struct tvl_send_chunk *c,
                      struct out *o)
{
    struct tvl_frame f;
    f.type = TVL_FRAME_STREAM | TVL_STREAM_BIT_LEN | (c->offset > 0 ? TVL_STREAM_BIT_OFF : 0);
    f.stream.id = s->id;
    f.stream.offset = c->offset;
    f.stream.bytes = c->bytes;
    f.stream.len = c->len;
    f.stream.fin = c->fin;
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_STREAM,
                                        .fin = c->fin,
                                        .again = c->again,
                                        .len = (uint32_t)c->len,
                                        .id = s->id,
                                        .offset = c->offset };
    if (!put(o, &f, rec))
        return false;
    if (c->again) {
        ss->stats.bytes_resent += c->len;
        s->resent += c->len;
    } else {
        ss->sent += c->len;
        ss->stats.bytes_sent += c->len;
    }
    tvl_stream_mark_sent(s, c);
    if (c->again || !stays(ss, s))
        tvl_streams_settle(ss, s);
    else
        tvl_streams_count_unsent(ss, s);
    return true;
}

static bool is_repaired(const struct tvl_streams *ss, const struct tvl_stream *s)
{
    const struct tvl_flow_rule *r = ss->repair_room > 0 ? tvl_flow_rule(&ss->rules, s->flow) : NULL;

    return r != NULL && r->cfg.protection == TVL_FLOW_REPAIR;
}

/*
 * `c` of a stream that is repaired, no longer than a symbol can be. The peer is told before the
 * first of it, in the same packet: so it has read nothing of what it does not know it must keep.
 * false as put_data, and when the packet has one unit, for the next begins a packet.
 */
static bool put_unit(struct tvl_streams *ss, struct tvl_stream *s, struct tvl_send_chunk *c,
                     struct out *o)
{
    const struct tvl_wr before = *o->w;
    const bool told = s->protection_told;
    const size_t most = ss->repair_room - tvl_varint_size(s->id) - tvl_varint_size(c->offset);
    const struct tvl_frame f = { .type = TVL_FRAME_PROTECTED,
                                 .recovered = { .id = s->id, .offset = c->offset } };

    if (c->len > most) {
        c->len = most;
        c->fin = false;
    }
    s->protection_told = told || tvl_frame_write(o->w, &f) == 0;
    if (s->protection_told && cut_to_fit(c, s->id, tvl_wr_left(o->w)) && put_chunk(ss, s, c, o))
        return !tvl_stream_has_fresh(s);
    *o->w = before;
    s->protection_told = told;
    return false;
}

/* One STREAM frame of `s`; false when the packet is full or nothing came of it. */
static bool put_data(struct tvl_streams *ss, struct tvl_stream *s, struct out *o)
{
    struct tvl_send_chunk c;
    uint64_t limit = s->out.sent + tvl_streams_credit(ss);
    if (limit > s->send_max)
        limit = s->send_max;
    size_t room = tvl_wr_left(o->w);
    if (room == 0)
        return false;
    if (!tvl_sendbuf_next(&s->out, room, limit, &c)) {
        bool had = tvl_stream_has_again(s); /* all its lost pieces were acknowledged after all */
        tvl_streams_settle(ss, s);
        return !had;
    }
    return !c.again && is_repaired(ss, s) ? put_unit(ss, s, &c, o)
                                          : cut_to_fit(&c, s->id, room) && put_chunk(ss, s, &c, o);
}

/* The first stream not before `from`. */
static struct tvl_stream *first_from(const struct tvl_streams *ss,
                                     const struct tvl_streams_head *from)
{
    struct tvl_streams_head before;
    if (from == NULL || (from->rank == 0 && from->id == 0))
        return next_sendable(ss, NULL);
    before = *from;
    before.rank -= from->id == 0;
    before.id--;
    return next_sendable(ss, &before);
}

uint32_t tvl_streams_write_frames(struct tvl_streams *ss, struct tvl_wr *w,
                                  struct tvl_sent_list *sent)
{
    return tvl_streams_write_from(ss, NULL, 0, w, sent);
}

static struct tvl_streams_head head_of(const struct tvl_stream *s)
{
    return (struct tvl_streams_head){ .rank = s->rank,
                                      .deadline = s->deadline,
                                      .id = s->id,
                                      .turn = s->fresh_node.turn,
                                      .flow = s->flow };
}

/* Its flow's turn was over before it came to this stream. */
static bool put_back(struct tvl_streams *ss, struct tvl_stream *s)
{
    struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);

    if (r == NULL || r->cfg.share == 0 || s->fresh_node.turn >= r->turn)
        return false;
    tvl_heap_remove(&ss->again, &s->again_node);
    tvl_heap_remove(&ss->fresh, &s->fresh_node);
    s->fresh_node.turn = s->again_node.turn = r->turn;
    tvl_streams_place(ss, s);
    return true;
}

/* Data of all streams not before `from` that may go on the path, until the packet is full. */
static void put_all_data(struct tvl_streams *ss, const struct tvl_streams_head *from,
                         uint32_t path_id, struct out *o)
{
    struct tvl_streams_head at = from ? *from : (struct tvl_streams_head){ .rank = 0 };
    struct tvl_stream *s;
    unsigned passed = 0;

    while (has_record_room(o) && (s = first_from(ss, &at)) != NULL) {
        struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);
        const uint64_t before = ss->stats.bytes_sent + ss->stats.bytes_resent;

        if (put_back(ss, s))
            continue;
        if (!tvl_flow_may(r, path_id)) {
            if (++passed == TVL_STREAMS_LOOK)
                return;
            at = head_of(s);
            at.id++;
            continue;
        }
        const bool more = put_data(ss, s, o);

        tvl_flow_sent(&ss->rules, r, path_id,
                      ss->stats.bytes_sent + ss->stats.bytes_resent - before);
        if (!more)
            return;
    }
}

uint32_t tvl_streams_write_from(struct tvl_streams *ss, const struct tvl_streams_head *from,
                                uint32_t path_id, struct tvl_wr *w, struct tvl_sent_list *sent)
{
    struct out o = { .w = w, .sent = sent };
    struct tvl_stream *s, *next;
    ss->lent = w->lends;
    put_conn_frames(ss, &o);
    DL_FOREACH_SAFE2(ss->want_list, s, next, want_next)
    {
        if (!has_record_room(&o))
            break;
        uint32_t before = o.count;
        put_wanted(s, &o);
        bool full = s->want != 0;
        if (o.count > before)
            tvl_streams_settle(ss, s);
        if (full)
            break;
    }
    put_all_data(ss, from, path_id, &o);
    tvl_streams_note_blocked(ss);
    ss->lent =
        false; /* rings move in settle() only, and nobody settles before the packet is made */
    return o.count;
}

bool tvl_streams_is_outstanding(const struct tvl_streams *ss, const struct tvl_sent_frame *what)
{
    const struct tvl_stream *s = tvl_streams_stream(ss, what->id);
    uint64_t from = what->offset;
    struct tvl_send_chunk c;

    return s != NULL && tvl_stream_awaits_ack(s) &&
           tvl_sendbuf_outstanding(&s->out, &from, from + what->len, what->len, &c);
}

bool tvl_streams_write_copy(struct tvl_streams *ss, struct tvl_sent_frame *what, struct tvl_wr *w,
                            struct tvl_sent_list *sent)
{
    struct out o = { .w = w, .sent = sent };
    struct tvl_stream *s = tvl_streams_stream(ss, what->id);
    const uint64_t to = what->offset + what->len;
    struct tvl_send_chunk c;

    while (s != NULL && tvl_stream_awaits_ack(s) &&
           tvl_sendbuf_outstanding(&s->out, &what->offset, to, tvl_wr_left(w), &c)) {
        what->len = (uint32_t)(to - what->offset);
        if (!cut_to_fit(&c, s->id, tvl_wr_left(w)) || !put_chunk(ss, s, &c, &o))
            return true;
        what->offset += c.len;
        what->len -= (uint32_t)c.len;
    }
    what->len = 0;
    return false;
}

bool tvl_streams_has_data(const struct tvl_streams *ss)
{
    return wants_conn_frames(ss) || ss->want_list != NULL || next_sendable(ss, NULL) != NULL;
}

struct tvl_streams_head tvl_streams_first(const struct tvl_streams *ss)
{
    struct tvl_streams_head head = { .deadline = TVL_TIME_NEVER, .flow = TVL_FLOWS_MAX };

    if (wants_conn_frames(ss) || ss->want_list != NULL)
        return head;
    const struct tvl_stream *s = next_sendable(ss, NULL);
    head.rank = UINT64_MAX;
    if (s != NULL)
        head = head_of(s);
    return head;
}

void tvl_streams_look(const struct tvl_streams *ss, const struct tvl_streams_head *after,
                      struct tvl_streams_demand *out)
{
    const struct tvl_stream *s = next_sendable(ss, after), *u;
    unsigned looked = 0;
    *out = (struct tvl_streams_demand){ .head = { .rank = UINT64_MAX, .deadline = TVL_TIME_NEVER },
                                        .credit = UINT64_MAX };
    if (after == NULL)
        out->head = tvl_streams_first(ss);
    else if (s != NULL)
        out->head = head_of(s);
    if (s == NULL || out->head.rank != s->rank)
        return;
    out->again = tvl_stream_has_again(s);
    out->waiting = s->out.lost.total;
    out->left = out->waiting + tvl_sendbuf_unsent(&s->out);
    if (out->again)
        return;
    DL_FOREACH2(ss->unsent_list, u, unsent_next)
    {
        if (u->rank <= s->rank)
            out->waiting += tvl_sendbuf_unsent(&u->out);
        if (++looked == TVL_STREAMS_LOOK)
            break;
    }
    const uint64_t credit = tvl_streams_credit(ss), own = s->send_max - s->out.sent;
    out->credit = credit < own ? credit : own;
}

/* ---- what became of them ---- */

void tvl_streams_on_acked(struct tvl_streams *ss, const struct tvl_sent_frame *rec, tvl_time now)
{
    if (rec->kind != TVL_SENT_STREAM && rec->kind != TVL_SENT_RESET_STREAM)
        return;
    struct tvl_stream *s = tvl_streams_stream(ss, rec->id);
    if (s == NULL)
        return;
    if (rec->kind == TVL_SENT_STREAM) {
        const enum tvl_send_state before = s->send_state;

        tvl_stream_mark_acked(s, rec->offset, rec->len, rec->fin);
        if (s->send_state == TVL_SEND_DATA_RECVD && before != s->send_state)
            tvl_streams_count_flow(ss, s, TVL_FLOW_IN_TIME, now);
    } else if (s->send_state == TVL_SEND_RESET_SENT) {
        s->send_state = TVL_SEND_RESET_RECVD;
        s->want &= ~(unsigned)TVL_WANT_RESET_STREAM;
    }
    tvl_streams_settle(ss, s);
}

/* It is unreliable: what was sent once is not sent again, lost or in doubt. */
static bool goes_once(const struct tvl_streams *ss, const struct tvl_stream *s)
{
    const struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);

    return r != NULL && r->cfg.reliability == TVL_FLOW_UNRELIABLE;
}

/* Something of an unreliable stream is lost: the rest is of no use. */
static void give_up(struct tvl_streams *ss, struct tvl_stream *s)
{
    const struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);

    if (!goes_once(ss, s) || !tvl_sendbuf_has_lost(&s->out) || !tvl_stream_abort(s, r->cfg.code))
        return;
    s->deadline_code = r->cfg.code;
    s->news |= TVL_NEWS_EXPIRED;
    ss->stats.expired++;
    tvl_streams_count_flow(ss, s, TVL_FLOW_EXPIRED, 0);
}

static void stream_frame_lost(struct tvl_streams *ss, struct tvl_stream *s,
                              const struct tvl_sent_frame *rec)
{
    switch (rec->kind) {
    case TVL_SENT_STREAM:
        if (!tvl_stream_awaits_ack(s))
            break;
        tvl_sendbuf_lost(&s->out, rec->offset, rec->len, rec->fin);
        give_up(ss, s);
        break;
    case TVL_SENT_RESET_STREAM:
        if (s->send_state == TVL_SEND_RESET_SENT)
            s->want |= TVL_WANT_RESET_STREAM;
        break;
    case TVL_SENT_STOP_SENDING:
        if (s->recv_state == TVL_RECV_RECV)
            s->want |= TVL_WANT_STOP_SENDING;
        break;
    case TVL_SENT_MAX_STREAM_DATA:
        if (s->recv_state == TVL_RECV_RECV && !s->stopped && rec->offset == s->recv_max)
            s->want |= TVL_WANT_MAX_STREAM_DATA;
        break;
    default: /* STREAM_DATA_BLOCKED: settling asks for it again where it still holds */
        if (rec->offset == s->send_max)
            s->blocked_told = 0;
        break;
    }
}

void tvl_streams_again(struct tvl_streams *ss, const struct tvl_sent_frame *rec)
{
    struct tvl_stream *s = tvl_streams_stream(ss, rec->id);
    if (s == NULL || !tvl_stream_awaits_ack(s) || goes_once(ss, s))
        return;
    tvl_sendbuf_lost(&s->out, rec->offset, rec->len, rec->fin);
    tvl_streams_settle(ss, s);
}

void tvl_streams_on_lost(struct tvl_streams *ss, const struct tvl_sent_frame *rec)
{
    struct tvl_streams_dir *d = &ss->dir[rec->id == TVL_UNI];
    struct tvl_stream *s;
    switch (rec->kind) {
    case TVL_SENT_MAX_DATA:
        if (rec->offset == ss->recv_max)
            ss->want_max_data = true;
        break;
    case TVL_SENT_MAX_STREAMS:
        if (rec->offset == d->peer_max)
            d->want_max = true;
        break;
    case TVL_SENT_DATA_BLOCKED:
        if (rec->offset == ss->send_max)
            ss->blocked_told = 0;
        tvl_streams_note_blocked(ss);
        break;
    case TVL_SENT_STREAMS_BLOCKED:
        if (rec->offset == d->own_max && d->own_opened >= d->own_max)
            d->want_blocked = true;
        break;
    case TVL_SENT_STREAM:
    case TVL_SENT_RESET_STREAM:
    case TVL_SENT_STOP_SENDING:
    case TVL_SENT_MAX_STREAM_DATA:
    case TVL_SENT_STREAM_DATA_BLOCKED:
        s = tvl_streams_stream(ss, rec->id);
        if (s != NULL) {
            stream_frame_lost(ss, s, rec);
            tvl_streams_settle(ss, s);
        }
        break;
    default:
        break;
    }
}
