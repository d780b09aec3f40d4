/*
 * streams.c - see streams.h.
 *
 * Every function that changes a stream ends in tvl_streams_settle(), which alone moves streams
 * between the queues and frees them; the rest only changes states and marks.
 */
#include "streams_internal.h"

#include <assert.h>
#include <utlist.h>

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

enum tvl_dir tvl_streams_dir_name(unsigned index)
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

static void free_spare(struct tvl_streams *ss)
{
    while (ss->n_spare > 0)
        tvl_stream_free(ss->spare[--ss->n_spare]);
}

/* It is over, and nobody knows of it any more. */
static void put_away(struct tvl_streams *ss, struct tvl_stream *s)
{
    if (ss->n_spare == TVL_STREAMS_SPARE) {
        tvl_stream_free(s);
        return;
    }
    tvl_stream_renew(s, 0);
    ss->spare[ss->n_spare++] = s;
    ss->large = true;
}

static struct tvl_stream *new_or_spare(struct tvl_streams *ss, uint64_t id)
{
    if (ss->n_spare == 0)
        return tvl_stream_new(id);
    struct tvl_stream *s = ss->spare[--ss->n_spare];
    s->id = id;
    return s;
}

void tvl_streams_fini(struct tvl_streams *ss)
{
    free_spare(ss);
    struct tvl_stream *s, *next;
    HASH_ITER(hh, ss->table, s, next)
    {
        HASH_DEL(ss->table, s);
        tvl_stream_free(s);
    }
    tvl_heap_fini(&ss->again);
    tvl_heap_fini(&ss->fresh);
    tvl_heap_fini(&ss->deadlines);
    tvl_flows_fini(&ss->flows);
    tvl_flow_rules_fini(&ss->rules);
    tvl_streams_fini_unsent(ss);
    ss->want_list = ss->news_list = ss->unsent_list = ss->short_list = NULL;
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

struct tvl_stream *tvl_streams_stream(const struct tvl_streams *ss, uint64_t id)
{
    struct tvl_stream *s;
    if (ss->recent != NULL && ss->recent->id == id)
        return ss->recent;
    HASH_FIND(hh, ss->table, &id, sizeof(id), s);
    return s;
}

const struct tvl_stream *tvl_streams_find(const struct tvl_streams *ss, uint64_t id)
{
    return tvl_streams_stream(ss, id);
}

size_t tvl_streams_count(const struct tvl_streams *ss)
{
    return HASH_COUNT(ss->table);
}

/* ---- the queues ---- */

uint64_t tvl_streams_credit(const struct tvl_streams *ss)
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
    tvl_streams_count_unsent(ss, s);

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

    if (s->short_write && !s->in_short)
        DL_APPEND2(ss->short_list, s, short_prev, short_next);
    else if (!s->short_write && s->in_short)
        DL_DELETE2(ss->short_list, s, short_prev, short_next);
    s->in_short = s->short_write;
}

/* ---- memory: what the application has written, what the peer has sent out of order ---- */

uint64_t tvl_streams_room(const struct tvl_streams *ss)
{
    return ss->cfg.buffer_max > ss->held ? ss->cfg.buffer_max - ss->held : 0;
}

static void count_rings(struct tvl_streams *ss, struct tvl_stream *s)
{
    ss->out_rings += s->out.cap - s->out_counted;
    ss->in_rings += s->in.cap - s->in_counted;
    s->out_counted = s->out.cap;
    s->in_counted = s->in.cap;
}

/* A busy stream keeps its rings, but not when all of them together are more than is fair. */
static void trim_rings(struct tvl_streams *ss, struct tvl_stream *s)
{
    count_rings(ss, s);
    if (ss->lent)
        return;
    if (ss->out_rings > ss->cfg.buffer_max / 4)
        tvl_sendbuf_trim(&s->out);
    if (ss->in_rings > 2 * ss->cfg.conn_window)
        tvl_recvbuf_trim(&s->in);
    count_rings(ss, s);
}

static void keep_sums(struct tvl_streams *ss, struct tvl_stream *s)
{
    trim_rings(ss, s);
    struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);
    if (r)
        r->held += tvl_stream_held(s) - s->held_counted;
    ss->held += tvl_stream_held(s) - s->held_counted;
    s->held_counted = tvl_stream_held(s);
    ss->pieces += s->in.got.count;
    ss->pieces -= s->pieces_counted;
    s->pieces_counted = s->in.got.count;
}

/* The stream goes: a busy one still has its rings. */
static void drop_sums(struct tvl_streams *ss, const struct tvl_stream *s)
{
    struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);
    if (r)
        r->held -= s->held_counted;
    ss->held -= s->held_counted;
    ss->pieces -= s->pieces_counted;
    ss->out_rings -= s->out_counted;
    ss->in_rings -= s->in_counted;
}

static bool may_write_again(const struct tvl_streams *ss, const struct tvl_stream *s)
{
    const uint64_t enough = ss->cfg.buffer_max / 4;
    const struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);

    if (r && r->cfg.window && tvl_flow_room(r) < r->cfg.window / 4)
        return false;
    return s->short_write && tvl_sendbuf_room(&s->out) >= TVL_WRITABLE_ROOM &&
           tvl_streams_room(ss) >= (enough < TVL_WRITABLE_ROOM ? enough : TVL_WRITABLE_ROOM);
}

static void tell_writable(struct tvl_stream *s)
{
    s->short_write = false;
    s->news |= TVL_NEWS_WRITABLE;
}

/* Room that others have left: all that wait for it are told, who has waited longest first. */
static void wake_writers(struct tvl_streams *ss)
{
    struct tvl_stream *s, *next;

    DL_FOREACH_SAFE2(ss->short_list, s, next, short_next)
    {
        if (!may_write_again(ss, s))
            continue;
        ss->full = false;
        tell_writable(s);
        place_in_lists(ss, s);
    }
}

static void tell_states(const struct tvl_streams *ss, struct tvl_stream *s)
{
    if (s->send_told != s->send_state) {
        s->send_told = (uint8_t)s->send_state;
        ss->cfg.note(ss->cfg.note_user, s, true);
    }
    if (s->recv_told != s->recv_state) {
        s->recv_told = (uint8_t)s->recv_state;
        ss->cfg.note(ss->cfg.note_user, s, false);
    }
}

void tvl_streams_count_flow(struct tvl_streams *ss, const struct tvl_stream *s,
                            enum tvl_flow_end end, tvl_time now)
{
    if (s->deadline == TVL_TIME_NEVER)
        return;
    if (end == TVL_FLOW_IN_TIME && now > s->deadline)
        end = TVL_FLOW_OTHERWISE; /* the clock came later than the acknowledgement */
    tvl_flows_count(&ss->flows, s->flow, end, s->written,
                    end == TVL_FLOW_IN_TIME ? s->deadline - now : 0);
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

void tvl_streams_note_blocked(struct tvl_streams *ss)
{
    if (ss->fresh.count > 0 && tvl_streams_credit(ss) == 0 && ss->blocked_told != ss->send_max + 1)
        ss->want_data_blocked = true;
}

void tvl_streams_place(struct tvl_streams *ss, struct tvl_stream *s)
{
    place(&ss->again, &s->again_node, tvl_stream_has_again(s));
    place(&ss->fresh, &s->fresh_node, tvl_stream_has_fresh(s));
    const bool queued = s->again_node.pos != 0 || s->fresh_node.pos != 0;
    struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);
    if (r && queued != s->queued)
        r->queued += queued ? 1 : (uint32_t)-1;
    s->queued = queued;
}

static bool never_expires(const struct tvl_streams *ss, const struct tvl_stream *s)
{
    const struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, s->flow);

    return r && r->cfg.reliability == TVL_FLOW_RELIABLE;
}

/* Put `s` where its state says it belongs; frees it when it is over. */
void tvl_streams_settle(struct tvl_streams *ss, struct tvl_stream *s)
{
    ss->recent = s;
    ss->large = ss->large || s->out.cap > TVL_STREAM_KEEP || s->in.cap > TVL_STREAM_KEEP;
    if (tvl_stream_is_blocked(s) && s->blocked_told != s->send_max + 1)
        s->want |= TVL_WANT_STREAM_DATA_BLOCKED;
    else
        s->want &= ~(unsigned)TVL_WANT_STREAM_DATA_BLOCKED;
    if (ss->cfg.note)
        tell_states(ss, s);
    keep_sums(ss, s);
    if (may_write_again(ss, s))
        tell_writable(s);
    if (s->fresh_node.pos == 0 && s->again_node.pos == 0)
        s->fresh_node.turn = s->again_node.turn =
            tvl_flow_turn(&ss->rules, tvl_flow_rule(&ss->rules, s->flow));
    tvl_streams_place(ss, s);
    place(&ss->deadlines, &s->deadline_node,
          s->deadline != TVL_TIME_NEVER && tvl_stream_awaits_ack(s) && !never_expires(ss, s));
    place_in_lists(ss, s);
    if (ss->full)
        wake_writers(ss);
    tvl_streams_note_blocked(ss);
    if (!tvl_stream_send_over(s) || !tvl_stream_recv_over(s) || s->news != 0 || s->want != 0)
        return;
    drop_sums(ss, s);
    if (!is_own(ss, s->id))
        count_closed(ss, s->id);
    ss->recent = NULL;
    HASH_DEL(ss->table, s);
    put_away(ss, s);
}

void tvl_streams_rank(struct tvl_streams *ss, struct tvl_stream *s, uint64_t rank)
{
    tvl_heap_remove(&ss->again, &s->again_node);
    tvl_heap_remove(&ss->fresh, &s->fresh_node);
    s->asked_rank = rank;
    rank = tvl_flow_rank(tvl_flow_rule(&ss->rules, s->flow), rank);
    s->rank = s->again_node.key = s->fresh_node.key = rank;
    s->again_node.tie = s->fresh_node.tie = s->id;
}

/* Both parts as the ID says; NULL: no memory. */
static struct tvl_stream *add_stream(struct tvl_streams *ss, uint64_t id)
{
    size_t count = tvl_streams_count(ss) + 1;
    if (tvl_heap_reserve(&ss->again, count) < 0 || tvl_heap_reserve(&ss->fresh, count) < 0 ||
        tvl_heap_reserve(&ss->deadlines, count) < 0 || tvl_streams_reserve_unsent(ss, count) < 0)
        return NULL;
    struct tvl_stream *s = new_or_spare(ss, id);
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
    tvl_streams_rank(ss, s, TVL_RANK_DEFAULT);
    if (ss->cfg.note)
        tell_states(ss, s);
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

int tvl_streams_open_own(struct tvl_streams *ss, enum tvl_dir dir, struct tvl_stream **out)
{
    if (dir != TVL_BIDI && dir != TVL_UNI)
        return TVL_ERR_ARG;
    struct tvl_streams_dir *d = &ss->dir[dir == TVL_UNI];
    if (d->own_opened >= d->own_max) {
        if (d->blocked_told != d->own_max + 1)
            d->want_blocked = true;
        return TVL_ERR_FULL;
    }
    *out = add_stream(ss, d->own_opened << 2 | (uint64_t)dir | own_bit(ss));
    if (*out == NULL)
        return TVL_ERR_NOMEM;
    d->own_opened++;
    return 0;
}

int tvl_streams_open(struct tvl_streams *ss, enum tvl_dir dir, uint64_t *id)
{
    struct tvl_stream *s;
    const int result = tvl_streams_open_own(ss, dir, &s);
    if (result == 0)
        *id = s->id;
    return result;
}

int tvl_streams_set_rank(struct tvl_streams *ss, uint64_t id, uint64_t rank)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL)
        return TVL_ERR_ARG;
    tvl_streams_rank(ss, s, rank);
    tvl_streams_settle(ss, s);
    return 0;
}

/* The rule of its flow is new to the stream. */
static void obey(struct tvl_streams *ss, struct tvl_stream *s)
{
    tvl_heap_remove(&ss->deadlines, &s->deadline_node);
    tvl_streams_rank(ss, s, s->asked_rank);
    tvl_streams_settle(ss, s);
}

int tvl_streams_set_flow(struct tvl_streams *ss, uint64_t id, uint32_t flow, tvl_time now)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE || flow >= TVL_FLOWS_MAX)
        return TVL_ERR_ARG;
    struct tvl_flow_rule *from = tvl_flow_rule(&ss->rules, s->flow);
    struct tvl_flow_rule *to = tvl_flow_rule(&ss->rules, flow);
    s->flow = flow;
    if (from) {
        from->held -= s->held_counted;
        from->queued -= s->queued;
    }
    if (to) {
        to->held += s->held_counted;
        to->queued += s->queued;
    }
    if (to && to->cfg.lifetime && s->deadline == TVL_TIME_NEVER)
        return tvl_streams_set_deadline(ss, id, now + to->cfg.lifetime, to->cfg.code);
    if (from || to)
        obey(ss, s);
    return 0;
}

int tvl_streams_set_rule(struct tvl_streams *ss, uint32_t flow, const struct tvl_flow_config *cfg)
{
    const int error =
        flow < TVL_FLOWS_MAX ? tvl_flow_rules_set(&ss->rules, flow, cfg) : TVL_ERR_ARG;
    struct tvl_stream *s, *next;

    if (error)
        return error;
    struct tvl_flow_rule *r = tvl_flow_rule(&ss->rules, flow);
    r->held = r->queued = 0;
    for (s = ss->table; s; s = s->hh.next) {
        r->held += s->flow == flow ? s->held_counted : 0;
        r->queued += s->flow == flow && s->queued;
    }
    HASH_ITER(hh, ss->table, s, next)
    {
        if (s->flow == flow)
            obey(ss, s);
    }
    wake_writers(ss);
    return 0;
}

int tvl_streams_set_deadline(struct tvl_streams *ss, uint64_t id, tvl_time deadline, uint64_t code)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    tvl_heap_remove(&ss->deadlines, &s->deadline_node);
    s->deadline = s->deadline_node.key = deadline;
    s->deadline_node.tie = id;
    s->deadline_code = code;
    tvl_streams_settle(ss, s);
    return 0;
}

int64_t tvl_streams_write(struct tvl_streams *ss, uint64_t id, const uint8_t *bytes, size_t len,
                          bool fin)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE)
        return TVL_ERR_ARG;
    const uint64_t own = tvl_flow_room(tvl_flow_rule(&ss->rules, s->flow));
    const uint64_t most = own < tvl_streams_room(ss) ? own : tvl_streams_room(ss);
    const size_t fits = len < most ? len : (size_t)most;
    int64_t taken = tvl_stream_append(s, bytes, fits, fin && fits == len);
    if (taken >= 0 && fits < len) {
        s->short_write = ss->full = true;
        keep_sums(ss, s); /* before the question whether there is room again */
    }
    tvl_streams_settle(ss, s);
    return taken;
}

static void use_room(struct tvl_streams *ss, uint64_t bytes)
{
    ss->consumed += bytes;
    if (ss->consumed + ss->cfg.conn_window - ss->recv_max >= ss->cfg.conn_window / 2)
        ss->want_max_data = true;
}

static void was_read(struct tvl_streams *ss, struct tvl_stream *s, size_t len)
{
    if (len > 0)
        use_room(ss, len);
    if (tvl_stream_window_due(s))
        s->want |= TVL_WANT_MAX_STREAM_DATA;
    tvl_streams_settle(ss, s);
}

int64_t tvl_streams_read(struct tvl_streams *ss, uint64_t id, uint8_t *bytes, size_t cap, bool *fin)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    *fin = false;
    if (s == NULL || !tvl_stream_can_read(s))
        return TVL_ERR_ARG;
    size_t len = tvl_stream_read_out(s, bytes, cap, fin);
    was_read(ss, s, len);
    return (int64_t)len;
}

int64_t tvl_streams_peek(const struct tvl_streams *ss, uint64_t id, const uint8_t **bytes,
                         bool *fin)
{
    const struct tvl_stream *s = tvl_streams_stream(ss, id);
    size_t len = 0;
    *fin = false;
    if (s == NULL || !tvl_stream_can_read(s))
        return TVL_ERR_ARG;
    *bytes = tvl_stream_look(s, &len, fin);
    return (int64_t)len;
}

int tvl_streams_consume(struct tvl_streams *ss, uint64_t id, size_t len, bool *fin)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    *fin = false;
    if (s == NULL || !tvl_stream_can_read(s) || len > tvl_recvbuf_readable(&s->in))
        return TVL_ERR_ARG;
    tvl_stream_skip(s, len, fin);
    was_read(ss, s, len);
    return 0;
}

int tvl_streams_reset(struct tvl_streams *ss, uint64_t id, uint64_t code)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL || s->send_state == TVL_SEND_NONE || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    if (!tvl_stream_abort(s, code))
        return TVL_ERR_STATE;
    tvl_streams_count_flow(ss, s, TVL_FLOW_OTHERWISE, 0);
    tvl_streams_settle(ss, s);
    return 0;
}

int tvl_streams_stop(struct tvl_streams *ss, uint64_t id, uint64_t code)
{
    struct tvl_stream *s = tvl_streams_stream(ss, id);
    if (s == NULL || !tvl_stream_can_read(s) || code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    uint64_t before = tvl_stream_consumed(s);
    tvl_stream_stop_reading(s, code);
    use_room(ss, tvl_stream_consumed(s) - before);
    tvl_streams_settle(ss, s);
    return 0;
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
        tvl_streams_settle(ss, s);
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
    *out = tvl_streams_stream(ss, id);
    return 0;
}

int tvl_streams_named(struct tvl_streams *ss, uint64_t id, bool sending, struct tvl_stream **out)
{
    return named_stream(ss, id, sending ? PART_SENDING : PART_RECEIVING, out);
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
    s->received += s->in.got.total - held;
    use_room(ss, tvl_stream_consumed(s) - consumed);
    tvl_streams_settle(ss, s);
    return ss->pieces > TVL_STREAMS_PIECES_MIN + ss->cfg.conn_window / TVL_STREAMS_PIECE
               ? -TVL_WIRE_INTERNAL_ERROR
               : 0;
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
    tvl_streams_settle(ss, s);
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
        tvl_streams_count_flow(ss, s, TVL_FLOW_OTHERWISE, 0);
        tvl_streams_settle(ss, s);
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
    tvl_streams_settle(ss, s);
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

/* ---- time ---- */

void tvl_streams_trim(struct tvl_streams *ss)
{
    free_spare(ss);
    for (struct tvl_stream *s = ss->table; s; s = s->hh.next) {
        tvl_sendbuf_trim(&s->out);
        tvl_recvbuf_trim(&s->in);
        count_rings(ss, s);
    }
    ss->large = false;
}

tvl_time tvl_streams_next_deadline(const struct tvl_streams *ss)
{
    const struct tvl_heap_node *n = tvl_heap_first(&ss->deadlines);
    return n != NULL ? n->key : TVL_TIME_NEVER;
}

void tvl_streams_tick(struct tvl_streams *ss, tvl_time now)
{
    struct tvl_heap_node *n;
    /* Each round takes a stream out of the heap: settling does, once it is aborted. */
    while ((n = tvl_heap_first(&ss->deadlines)) != NULL && n->key <= now) {
        struct tvl_stream *s = TVL_HEAP_OWNER(n, struct tvl_stream, deadline_node);
        bool aborted = tvl_stream_abort(s, s->deadline_code);
        assert(aborted);
        (void)aborted;
        s->news |= TVL_NEWS_EXPIRED;
        ss->stats.expired++;
        tvl_streams_count_flow(ss, s, TVL_FLOW_EXPIRED, now);
        tvl_streams_settle(ss, s);
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
            *ev = (struct tvl_streams_event){ .type = TVL_EVENT_STREAMS,
                                              .dir = tvl_streams_dir_name(i) };
            return true;
        }
    }
    struct tvl_stream *s = ss->news_list;
    if (s == NULL)
        return false;
    tell(s, ev);
    tvl_streams_settle(ss, s);
    return true;
}

bool tvl_streams_has_news(const struct tvl_streams *ss)
{
    return ss->dir[0].news || ss->dir[1].news || ss->news_list != NULL;
}

int tvl_streams_get_stats(const struct tvl_streams *ss, uint64_t id, struct tvl_stream_stats *out)
{
    const struct tvl_stream *s = tvl_streams_find(ss, id);

    if (s == NULL)
        return TVL_ERR_ARG;
    *out = (struct tvl_stream_stats){
        .written = s->written,
        .sent = s->send_state == TVL_SEND_RESET_SENT ? s->reset_size : s->out.sent,
        .resent = s->resent,
        .acked = tvl_stream_acked_bytes(s),
        .received = s->received,
        .read = s->in.base,
        .send_max = s->send_max,
        .receive_max = s->recv_max,
        .rank = s->asked_rank,
        .deadline = s->deadline,
        .flow = s->flow,
    };
    return 0;
}
