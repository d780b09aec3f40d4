/*
 * streams.c - see streams.h.
 *
 * Every function that changes a stream ends in settle(), which alone moves streams between the
 * queues and frees them; the rest only changes states and marks.
 */
#include "streams.h"

#include <assert.h>
#include <utlist.h>

#define PIECE_MIN 32 /* a piece cut shorter than this waits for the next packet */

static unsigned dir_index(uint64_t id)
{
    return (unsigned)(id >> 1) & 1;
}

static uint64_t own_bit(const struct tvl_streams *ss)
{
    return ss->cfg.side == TVL_SERVER ? TVL_STREAM_BIT_SERVER : 0;
}

static bool is_own(const struct tvl_streams *ss, uint64_t id)
{
    return (id & TVL_STREAM_BIT_SERVER) == own_bit(ss);
}

static enum tvl_dir dir_name(unsigned index)
{
    return index == 0 ? TVL_BIDI : TVL_UNI;
}

/* ---- making and ending ---- */

void tvl_streams_init(struct tvl_streams *ss, const struct tvl_streams_config *cfg)
{
    *ss = (struct tvl_streams){ .cfg = *cfg, .recv_max = cfg->conn_window };
    ss->dir[0].peer_window = ss->dir[0].peer_max = cfg->streams_bidi;
    ss->dir[1].peer_window = ss->dir[1].peer_max = cfg->streams_uni;
}

void tvl_streams_fini(struct tvl_streams *ss)
{
    struct tvl_stream *s, *next;
    HASH_ITER(hh, ss->table, s, next)
    {
        HASH_DEL(ss->table, s);
        tvl_stream_free(s);
    }
    tvl_heap_fini(&ss->again);
    tvl_heap_fini(&ss->fresh);
    tvl_heap_fini(&ss->deadlines);
    ss->want_list = ss->news_list = ss->unsent_list = NULL;
}

void tvl_streams_fill_params(const struct tvl_streams *ss, struct tvl_params *own)
{
    own->initial_max_data = ss->cfg.conn_window;
    own->initial_max_stream_data_bidi_local = ss->cfg.stream_window;
    own->initial_max_stream_data_bidi_remote = ss->cfg.stream_window;
    own->initial_max_stream_data_uni = ss->cfg.stream_window;
    own->initial_max_streams_bidi = ss->cfg.streams_bidi;
    own->initial_max_streams_uni = ss->cfg.streams_uni;
}

static struct tvl_stream *find(const struct tvl_streams *ss, uint64_t id)
{
    struct tvl_stream *s;
    HASH_FIND(hh, ss->table, &id, sizeof(id), s);
    return s;
}

const struct tvl_stream *tvl_streams_find(const struct tvl_streams *ss, uint64_t id)
{
    return find(ss, id);
}

size_t tvl_streams_count(const struct tvl_streams *ss)
{
    return HASH_COUNT(ss->table);
}

/* ---- the queues ---- */

static uint64_t credit(const struct tvl_streams *ss)
{
    return ss->send_max > ss->sent ? ss->send_max - ss->sent : 0;
}

static void place(struct tvl_heap *heap, struct tvl_heap_node *node, bool wanted)
{
    if (!wanted)
        tvl_heap_remove(heap, node);
    else if (node->pos == 0)
        tvl_heap_push(heap, node);
}

static void place_in_lists(struct tvl_streams *ss, struct tvl_stream *s)
{
    bool unsent = tvl_sendbuf_unsent(&s->out) > 0;
    if (unsent && !s->in_unsent)
        DL_APPEND2(ss->unsent_list, s, unsent_prev, unsent_next);
    else if (!unsent && s->in_unsent)
        DL_DELETE2(ss->unsent_list, s, unsent_prev, unsent_next);
    s->in_unsent = unsent;

    if (s->want != 0 && !s->in_want)
        DL_APPEND2(ss->want_list, s, want_prev, want_next);
    else if (s->want == 0 && s->in_want)
        DL_DELETE2(ss->want_list, s, want_prev, want_next);
    s->in_want = s->want != 0;

    if (s->news != 0 && !s->in_news)
        DL_APPEND2(ss->news_list, s, news_prev, news_next);
    else if (s->news == 0 && s->in_news)
        DL_DELETE2(ss->news_list, s, news_prev, news_next);
    s->in_news = s->news != 0;
}

/* The peer may open another stream for each that is over. */
static void count_closed(struct tvl_streams *ss, uint64_t id)
{
    struct tvl_streams_dir *d = &ss->dir[dir_index(id)];
    d->peer_closed++;
    uint64_t risen = d->peer_closed + d->peer_window - d->peer_max;
    if (risen * 2 >= d->peer_window)
        d->want_max = true;
}

static bool awaits_ack(const struct tvl_stream *s)
{
    return s->send_state == TVL_SEND_READY || s->send_state == TVL_SEND_SEND ||
           s->send_state == TVL_SEND_DATA_SENT;
}

static void note_blocked(struct tvl_streams *ss)
{
    if (ss->fresh.count > 0 && credit(ss) == 0 && ss->blocked_told != ss->send_max + 1)
        ss->want_data_blocked = true;
}

/* Put `s` where its state says it belongs; frees it when it is over. */
static void settle(struct tvl_streams *ss, struct tvl_stream *s)
{
    if (tvl_stream_is_blocked(s) && s->blocked_told != s->send_max + 1)
        s->want |= TVL_WANT_STREAM_DATA_BLOCKED;
    else
        s->want &= ~(unsigned)TVL_WANT_STREAM_DATA_BLOCKED;
    place(&ss->again, &s->again_node, tvl_stream_has_again(s));
    place(&ss->fresh, &s->fresh_node, tvl_stream_has_fresh(s));
    place(&ss->deadlines, &s->deadline_node, s->deadline != TVL_TIME_NEVER && awaits_ack(s));
    place_in_lists(ss, s);
    note_blocked(ss);
    if (!tvl_stream_send_over(s) || !tvl_stream_recv_over(s) || s->news != 0 || s->want != 0)
        return;
    if (!is_own(ss, s->id))
        count_closed(ss, s->id);
    HASH_DEL(ss->table, s);
    tvl_stream_free(s);
}

static void set_rank(struct tvl_streams *ss, struct tvl_stream *s, uint64_t rank)
{
    tvl_heap_remove(&ss->again, &s->again_node);
    tvl_heap_remove(&ss->fresh, &s->fresh_node);
    s->rank = s->again_node.key = s->fresh_node.key = rank;
    s->again_node.tie = s->fresh_node.tie = s->id;
}

/* Both parts as the ID says; NULL: no memory. */
static struct tvl_stream *add_stream(struct tvl_streams *ss, uint64_t id)
{
    size_t count = tvl_streams_count(ss) + 1;
    if (tvl_heap_reserve(&ss->again, count) < 0 || tvl_heap_reserve(&ss->fresh, count) < 0 ||
        tvl_heap_reserve(&ss->deadlines, count) < 0)
        return NULL;
    struct tvl_stream *s = tvl_stream_new(id);
    if (s == NULL)
        return NULL;
    HASH_ADD(hh, ss->table, id, sizeof(s->id), s);
    if (s->hh.tbl == NULL) {
        tvl_stream_free(s);
        return NULL;
    }
    bool own = is_own(ss, id);
    bool uni = (id & TVL_STREAM_BIT_UNI) != 0;
    if (own || !uni) {
        s->send_state = TVL_SEND_READY;
        s->send_max = ss->peer_stream_max[own ? (uni ? 1 : 0) : 2];
    }
    if (!own || !uni) {
        s->recv_state = TVL_RECV_RECV;
        s->recv_window = s->recv_max = ss->cfg.stream_window;
    }
    set_rank(ss, s, TVL_RANK_DEFAULT);
    return s;
}

void tvl_streams_set_peer(struct tvl_streams *ss, const struct tvl_params *peer)
{
    ss->send_max = peer->initial_max_data;
    ss->dir[0].own_max = peer->initial_max_streams_bidi;
    ss->dir[1].own_max = peer->initial_max_streams_uni;
    ss->peer_stream_max[0] = peer->initial_max_stream_data_bidi_remote;
    ss->peer_stream_max[1] = peer->initial_max_stream_data_uni;
    ss->peer_stream_max[2] = peer->initial_max_stream_data_bidi_local;
}

/* ---- the application's calls ---- */

int tvl_streams_open(struct tvl_streams *ss, enum tvl_dir dir, uint64_t *id)
{
    if (dir != TVL_BIDI && dir != TVL_UNI)
        return TVL_ERR_ARG;
    struct tvl_streams_dir *d = &ss->dir[dir == TVL_UNI];
    if (d->own_opened >= d->own_max) {
        if (d->blocked_told != d->own_max + 1)
            d->want_blocked = true;
        return TVL_ERR_FULL;
    }
    uint64_t next = d->own_opened << 2 | (uint64_t)dir | own_bit(ss);
    if (add_stream(ss, next) == NULL)
        return TVL_ERR_NOMEM;
    d->own_opened++;
    *id = next;
    return 0;
}

int tvl_streams_set_rank(struct tvl_streams *ss, uint64_t id, uint64_t rank)
{
    struct tvl_stream *s = find(ss, id);
    if (s == NULL)
        return TVL_ERR_ARG;
    set_rank(ss, s, rank);
    settle(ss, s);
    return 0;
}

int tvl_streams_set_deadline(struct tvl_streams *ss, uint64_t id, tvl_time deadline, uint64_t code)
{
    struct tvl_stream *s = find(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    tvl_heap_remove(&ss->deadlines, &s->deadline_node);
    s->deadline = s->deadline_node.key = deadline;
    s->deadline_node.tie = id;
    s->deadline_code = code;
    settle(ss, s);
    return 0;
}

int64_t tvl_streams_write(struct tvl_streams *ss, uint64_t id, const uint8_t *bytes, size_t len,
                          bool fin)
{
    struct tvl_stream *s = find(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE)
        return TVL_ERR_ARG;
    int64_t taken = tvl_stream_append(s, bytes, len, fin);
    settle(ss, s);
    return taken;
}

static void use_room(struct tvl_streams *ss, uint64_t bytes)
{
    ss->consumed += bytes;
    if (ss->consumed + ss->cfg.conn_window - ss->recv_max >= ss->cfg.conn_window / 2)
        ss->want_max_data = true;
}

int64_t tvl_streams_read(struct tvl_streams *ss, uint64_t id, uint8_t *bytes, size_t cap, bool *fin)
{
    struct tvl_stream *s = find(ss, id);
    *fin = false;
    if (s == NULL || !tvl_stream_can_read(s))
        return TVL_ERR_ARG;
    size_t len = tvl_stream_read_out(s, bytes, cap, fin);
    if (len > 0)
        use_room(ss, len);
    if (tvl_stream_window_due(s))
        s->want |= TVL_WANT_MAX_STREAM_DATA;
    settle(ss, s);
    return (int64_t)len;
}

int tvl_streams_reset(struct tvl_streams *ss, uint64_t id, uint64_t code)
{
    struct tvl_stream *s = find(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    if (!tvl_stream_abort(s, code))
        return TVL_ERR_STATE;
    settle(ss, s);
    return 0;
}

int tvl_streams_stop(struct tvl_streams *ss, uint64_t id, uint64_t code)
{
    struct tvl_stream *s = find(ss, id);
    if (s == NULL || !tvl_stream_can_read(s) || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    uint64_t before = tvl_stream_consumed(s);
    tvl_stream_stop_reading(s, code);
    use_room(ss, tvl_stream_consumed(s) - before);
    settle(ss, s);
    return 0;
}

uint64_t tvl_streams_backlog(const struct tvl_streams *ss, uint64_t rank)
{
    uint64_t bytes = 0;
    const struct tvl_stream *s;
    DL_FOREACH2(ss->unsent_list, s, unsent_next)
    {
        if (s->rank <= rank)
            bytes += tvl_sendbuf_unsent(&s->out);
    }
    return bytes;
}

/* ---- frames from the peer ---- */

bool tvl_streams_owns_frame(uint64_t type)
{
    return type == TVL_FRAME_RESET_STREAM || type == TVL_FRAME_STOP_SENDING ||
           (type >= TVL_FRAME_STREAM && type <= TVL_FRAME_STREAMS_BLOCKED_UNI);
}

static int open_by_peer(struct tvl_streams *ss, uint64_t id)
{
    struct tvl_streams_dir *d = &ss->dir[dir_index(id)];
    uint64_t number = id >> 2;
    if (number >= d->peer_max)
        return -TVL_WIRE_STREAM_LIMIT_ERROR;
    while (d->peer_opened <= number) { /* lower ones open with it (RFC 9000 3.2) */
        struct tvl_stream *s = add_stream(ss, d->peer_opened << 2 | (id & 3));
        if (s == NULL)
            return -TVL_WIRE_INTERNAL_ERROR;
        d->peer_opened++;
        s->news |= TVL_NEWS_OPENED;
        settle(ss, s);
    }
    return 0;
}

enum part { PART_SENDING, PART_RECEIVING };

/*
 * The stream a frame about our `part` of it names; *out is NULL for one that is over. Opens it when
 * the peer may do so.
 */
static int named_stream(struct tvl_streams *ss, uint64_t id, enum part part,
                        struct tvl_stream **out)
{
    bool own = is_own(ss, id);
    bool one_way = (id & TVL_STREAM_BIT_UNI) != 0;
    *out = NULL;
    if (one_way && own != (part == PART_SENDING))
        return -TVL_WIRE_STREAM_STATE_ERROR;
    if (own && id >> 2 >= ss->dir[dir_index(id)].own_opened)
        return -TVL_WIRE_STREAM_STATE_ERROR;
    if (!own && id >> 2 >= ss->dir[dir_index(id)].peer_opened) {
        int res = open_by_peer(ss, id);
        if (res < 0)
            return res;
    }
    *out = find(ss, id);
    return 0;
}

/* Would the peer's bytes up to `end` overdraw what the connection allows? */
static bool overdrawn(const struct tvl_streams *ss, const struct tvl_stream *s, uint64_t end)
{
    uint64_t rise = end > s->in.highest ? end - s->in.highest : 0;
    return rise > ss->recv_max - ss->received;
}

static int on_stream(struct tvl_streams *ss, const struct tvl_frame *f)
{
    struct tvl_stream *s;
    int res = named_stream(ss, f->stream.id, PART_RECEIVING, &s);
    if (res < 0 || s == NULL)
        return res;
    struct tvl_stream_piece piece = { f->stream.offset, f->stream.bytes, f->stream.len,
                                      f->stream.fin };
    uint64_t end = piece.offset + piece.len;
    if (end <= s->recv_max && end <= s->in.final_size && overdrawn(ss, s, end))
        return -TVL_WIRE_FLOW_CONTROL_ERROR;
    uint64_t held = s->in.got.total;
    uint64_t consumed = tvl_stream_consumed(s);
    int64_t rise = tvl_stream_take(s, &piece);
    if (rise < 0)
        return (int)rise;
    ss->received += (uint64_t)rise;
    ss->stats.bytes_received += s->in.got.total - held;
    use_room(ss, tvl_stream_consumed(s) - consumed);
    settle(ss, s);
    return 0;
}

static int on_reset(struct tvl_streams *ss, const struct tvl_frame *f)
{
    struct tvl_stream *s;
    int res = named_stream(ss, f->reset.id, PART_RECEIVING, &s);
    if (res < 0 || s == NULL)
        return res;
    uint64_t end = f->reset.final_size;
    if (end <= s->recv_max && end <= s->in.final_size && overdrawn(ss, s, end))
        return -TVL_WIRE_FLOW_CONTROL_ERROR;
    uint64_t consumed = tvl_stream_consumed(s);
    int64_t rise = tvl_stream_take_reset(s, f->reset.code, end);
    if (rise < 0)
        return (int)rise;
    ss->received += (uint64_t)rise;
    use_room(ss, tvl_stream_consumed(s) - consumed);
    settle(ss, s);
    return 0;
}

static int on_stop(struct tvl_streams *ss, const struct tvl_frame *f)
{
    struct tvl_stream *s;
    int res = named_stream(ss, f->reset.id, PART_SENDING, &s);
    if (res < 0 || s == NULL)
        return res;
    if (tvl_stream_abort(s, f->reset.code)) {
        s->peer_stop_code = f->reset.code;
        s->news |= TVL_NEWS_STOPPED;
        settle(ss, s);
    }
    return 0;
}

static int on_max_stream_data(struct tvl_streams *ss, const struct tvl_frame *f)
{
    struct tvl_stream *s;
    int res = named_stream(ss, f->limit.id, PART_SENDING, &s);
    if (res < 0 || s == NULL || f->limit.max <= s->send_max)
        return res;
    s->send_max = f->limit.max;
    settle(ss, s);
    return 0;
}

static void on_max_streams(struct tvl_streams_dir *d, uint64_t max)
{
    if (max <= d->own_max)
        return;
    d->own_max = max;
    d->want_blocked = false;
    d->news = true;
}

int tvl_streams_on_frame(struct tvl_streams *ss, const struct tvl_frame *f)
{
    struct tvl_stream *s;
    switch (f->type) {
    case TVL_FRAME_RESET_STREAM:
        return on_reset(ss, f);
    case TVL_FRAME_STOP_SENDING:
        return on_stop(ss, f);
    case TVL_FRAME_MAX_DATA:
        if (f->limit.max > ss->send_max) {
            ss->send_max = f->limit.max;
            ss->want_data_blocked = false;
        }
        return 0;
    case TVL_FRAME_MAX_STREAM_DATA:
        return on_max_stream_data(ss, f);
    case TVL_FRAME_MAX_STREAMS_BIDI:
    case TVL_FRAME_MAX_STREAMS_UNI:
        on_max_streams(&ss->dir[f->type == TVL_FRAME_MAX_STREAMS_UNI], f->limit.max);
        return 0;
    case TVL_FRAME_STREAM_DATA_BLOCKED:
        return named_stream(ss, f->limit.id, PART_RECEIVING, &s);
    case TVL_FRAME_DATA_BLOCKED: /* limits rise when bytes are read, not when asked for */
    case TVL_FRAME_STREAMS_BLOCKED_BIDI:
    case TVL_FRAME_STREAMS_BLOCKED_UNI:
        return 0;
    default:
        assert(f->type >= TVL_FRAME_STREAM && f->type <= TVL_FRAME_STREAM_LAST);
        return on_stream(ss, f);
    }
}

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
    struct tvl_sent_frame rec = { .kind = TVL_SENT_MAX_STREAMS, .id = dir_name(i), .offset = max };
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

static void put_conn_frames(struct tvl_streams *ss, struct out *o)
{
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

static struct tvl_stream *first_sendable(const struct tvl_streams *ss)
{
    struct tvl_heap_node *a = tvl_heap_first(&ss->again);
    struct tvl_heap_node *f = credit(ss) > 0 ? tvl_heap_first(&ss->fresh) : NULL;
    if (a != NULL && f != NULL && (f->key < a->key || (f->key == a->key && f->tie < a->tie)))
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

/* One STREAM frame of `s`; false when the packet is full or nothing came of it. */
static bool put_data(struct tvl_streams *ss, struct tvl_stream *s, struct out *o)
{
    struct tvl_send_chunk c;
    uint64_t limit = s->out.sent + credit(ss);
    if (limit > s->send_max)
        limit = s->send_max;
    size_t room = tvl_wr_left(o->w);
    if (room == 0)
        return false;
    if (!tvl_sendbuf_next(&s->out, room, limit, &c)) {
        bool had = tvl_stream_has_again(s); /* all its lost pieces were acknowledged after all */
        settle(ss, s);
        return !had;
    }
    if (!cut_to_fit(&c, s->id, room))
        return false;
    struct tvl_frame f;
    f.type = TVL_FRAME_STREAM | TVL_STREAM_BIT_LEN | (c.offset > 0 ? TVL_STREAM_BIT_OFF : 0);
    f.stream.id = s->id;
    f.stream.offset = c.offset;
    f.stream.bytes = c.bytes;
    f.stream.len = c.len;
    f.stream.fin = c.fin;
    struct tvl_sent_frame rec = { TVL_SENT_STREAM, c.fin, (uint32_t)c.len, s->id, c.offset };
    if (!put(o, &f, rec))
        return false;
    if (c.again) {
        ss->stats.bytes_resent += c.len;
    } else {
        ss->sent += c.len;
        ss->stats.bytes_sent += c.len;
    }
    tvl_stream_mark_sent(s, &c);
    settle(ss, s);
    return true;
}

uint32_t tvl_streams_write_frames(struct tvl_streams *ss, struct tvl_wr *w,
                                  struct tvl_sent_list *sent)
{
    struct out o = { .w = w, .sent = sent };
    struct tvl_stream *s, *next;
    put_conn_frames(ss, &o);
    DL_FOREACH_SAFE2(ss->want_list, s, next, want_next)
    {
        if (!has_record_room(&o))
            break;
        uint32_t before = o.count;
        put_wanted(s, &o);
        bool full = s->want != 0;
        if (o.count > before)
            settle(ss, s);
        if (full)
            break;
    }
    while (has_record_room(&o) && (s = first_sendable(ss)) != NULL)
        if (!put_data(ss, s, &o))
            break;
    note_blocked(ss);
    return o.count;
}

bool tvl_streams_has_data(const struct tvl_streams *ss)
{
    return tvl_streams_first(ss).rank != UINT64_MAX || first_sendable(ss) != NULL;
}

struct tvl_streams_head tvl_streams_first(const struct tvl_streams *ss)
{
    struct tvl_streams_head head = { .rank = 0, .deadline = TVL_TIME_NEVER };
    if (ss->want_max_data || ss->want_data_blocked || ss->dir[0].want_max ||
        ss->dir[0].want_blocked || ss->dir[1].want_max || ss->dir[1].want_blocked ||
        ss->want_list != NULL)
        return head;
    const struct tvl_stream *s = first_sendable(ss);
    head.rank = UINT64_MAX;
    if (s != NULL)
        head = (struct tvl_streams_head){ s->rank, s->deadline, s->id };
    return head;
}

/* ---- what became of them ---- */

void tvl_streams_on_acked(struct tvl_streams *ss, const struct tvl_sent_frame *rec)
{
    if (rec->kind != TVL_SENT_STREAM && rec->kind != TVL_SENT_RESET_STREAM)
        return;
    struct tvl_stream *s = find(ss, rec->id);
    if (s == NULL)
        return;
    if (rec->kind == TVL_SENT_STREAM) {
        tvl_stream_mark_acked(s, rec->offset, rec->len, rec->fin);
    } else if (s->send_state == TVL_SEND_RESET_SENT) {
        s->send_state = TVL_SEND_RESET_RECVD;
        s->want &= ~(unsigned)TVL_WANT_RESET_STREAM;
    }
    settle(ss, s);
}

static void stream_frame_lost(struct tvl_stream *s, const struct tvl_sent_frame *rec)
{
    switch (rec->kind) {
    case TVL_SENT_STREAM:
        if (awaits_ack(s))
            tvl_sendbuf_lost(&s->out, rec->offset, rec->len, rec->fin);
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
    default: /* STREAM_DATA_BLOCKED: settle() asks for it again where it still holds */
        if (rec->offset == s->send_max)
            s->blocked_told = 0;
        break;
    }
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
        note_blocked(ss);
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
        s = find(ss, rec->id);
        if (s != NULL) {
            stream_frame_lost(s, rec);
            settle(ss, s);
        }
        break;
    default:
        break;
    }
}

/* ---- time ---- */

tvl_time tvl_streams_next_deadline(const struct tvl_streams *ss)
{
    const struct tvl_heap_node *n = tvl_heap_first(&ss->deadlines);
    return n != NULL ? n->key : TVL_TIME_NEVER;
}

void tvl_streams_tick(struct tvl_streams *ss, tvl_time now)
{
    struct tvl_heap_node *n;
    /* Each round takes a stream out of the heap: settle() does, once it is aborted. */
    while ((n = tvl_heap_first(&ss->deadlines)) != NULL && n->key <= now) {
        struct tvl_stream *s = TVL_HEAP_OWNER(n, struct tvl_stream, deadline_node);
        bool aborted = tvl_stream_abort(s, s->deadline_code);
        assert(aborted);
        (void)aborted;
        s->news |= TVL_NEWS_EXPIRED;
        ss->stats.expired++;
        settle(ss, s);
    }
}

/* ---- news ---- */

struct story {
    unsigned news; /* enum tvl_stream_news */
    enum tvl_event_type type;
};

static const struct story stories[] = {
    /* in the order they are told */
    { TVL_NEWS_OPENED, TVL_EVENT_STREAM_OPENED },
    { TVL_NEWS_READABLE, TVL_EVENT_STREAM_READABLE },
    { TVL_NEWS_RESET, TVL_EVENT_STREAM_RESET },
    { TVL_NEWS_WRITABLE, TVL_EVENT_STREAM_WRITABLE },
    { TVL_NEWS_STOPPED, TVL_EVENT_STREAM_STOPPED },
    { TVL_NEWS_EXPIRED, TVL_EVENT_STREAM_EXPIRED },
    { TVL_NEWS_ACKED, TVL_EVENT_STREAM_ACKED },
};

static void tell(struct tvl_stream *s, struct tvl_streams_event *ev)
{
    const struct story *story = stories;
    while (!(s->news & story->news))
        story++;
    *ev = (struct tvl_streams_event){ .type = story->type, .id = s->id };
    s->news &= ~story->news;
    if (story->news == TVL_NEWS_RESET) {
        ev->code = s->peer_code;
        s->recv_state = TVL_RECV_RESET_READ;
    } else if (story->news == TVL_NEWS_STOPPED) {
        ev->code = s->peer_stop_code;
    } else if (story->news == TVL_NEWS_EXPIRED) {
        ev->code = s->deadline_code;
    }
}

bool tvl_streams_poll(struct tvl_streams *ss, struct tvl_streams_event *ev)
{
    for (unsigned i = 0; i < 2; i++) {
        if (ss->dir[i].news) {
            ss->dir[i].news = false;
            *ev = (struct tvl_streams_event){ .type = TVL_EVENT_STREAMS, .dir = dir_name(i) };
            return true;
        }
    }
    struct tvl_stream *s = ss->news_list;
    if (s == NULL)
        return false;
    tell(s, ev);
    settle(ss, s);
    return true;
}

bool tvl_streams_has_news(const struct tvl_streams *ss)
{
    return ss->dir[0].news || ss->dir[1].news || ss->news_list != NULL;
}
