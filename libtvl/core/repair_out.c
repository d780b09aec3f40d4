/* repair_out.c - see repair_out.h. */
#include "repair_out.h"

#include <stdlib.h>
#include <string.h>

#include "erasure.h"
#include "repair_rate.h"
#include "send.h"

#define AROUND 41u /* bytes of a packet around its frames: header of 25, tag */
/* Of a REPAIR frame around the symbol, besides stream and offset: type, index, runs. */
#define FRAME_AROUND (4u + 1u + 1u + 3u * TVL_REPAIR_RUNS_MAX)
#define VERDICT_MORE 2000u /* us: the peer's own work, and the sender's in front of the answer */

static void forget(struct tvl_repair_out *r, struct tvl_repair_block *b)
{
    struct tvl_repair_block **at = &r->first;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    r->blocks--;
    r->waiting -= b->symbols - b->left;
    r->bytes -= b->symbols * b->symbol_len;
    free(b->bytes);
    free(b);
}

void tvl_repair_out_fini(struct tvl_repair_out *r)
{
    while (r->first)
        forget(r, r->first);
}

static const struct tvl_flow_rule *rule_of(const struct tvl_conn *conn, const struct tvl_stream *s)
{
    return tvl_flow_rule(&conn->streams.rules, s->flow);
}

/* ---- units ---- */

void tvl_repair_prepare(struct tvl_conn *conn)
{
    size_t room = TVL_DATAGRAM_MAX;

    conn->streams.repair_room = 0;
    if (!conn->streams.rules.repair || conn->peer.max_repair_span < TVL_DATAGRAM_MAX ||
        !conn->have_peer_params)
        return;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]) && conn->path[i]->mtu.current < room)
            room = conn->path[i]->mtu.current;
    conn->streams.repair_room = (uint32_t)(room - AROUND - FRAME_AROUND);
}

static struct tvl_repair_block *open_block(const struct tvl_repair_out *r, uint64_t id)
{
    struct tvl_repair_block *b = r->first;

    while (b && (b->closed || b->id != id))
        b = b->next;
    return b;
}

/* Its units count as lost now, those that are held. */
static void release(struct tvl_conn *conn, struct tvl_repair_block *b)
{
    struct tvl_sent_frame rec = { .kind = TVL_SENT_STREAM, .id = b->id, .offset = b->offset };
    const uint64_t held = b->held;

    b->held = 0;
    for (uint32_t i = 0; i < b->units; rec.offset += b->unit[i], i++) {
        rec.len = b->unit[i];
        rec.fin = b->fin && i == b->units - 1;
        if (held >> i & 1)
            tvl_streams_on_lost(&conn->streams, &rec);
    }
}

static tvl_time longest_rtt(const struct tvl_conn *conn)
{
    tvl_time rtt = 0;

    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]) && tvl_rtt_srtt(&conn->path[i]->cc.rtt) > rtt)
            rtt = tvl_rtt_srtt(&conn->path[i]->cc.rtt);
    return rtt;
}

static struct tvl_repair_block *add_block(struct tvl_conn *conn, uint64_t id, uint64_t offset)
{
    struct tvl_repair_out *r = &conn->repair_out;
    struct tvl_repair_block **at = &r->first, *b = calloc(1, sizeof *b);
    const tvl_time wait = longest_rtt(conn) / 4;

    if (!b)
        return NULL;
    if (r->blocks == TVL_REPAIR_BLOCKS_MAX) {
        release(conn, r->first);
        forget(r, r->first);
    }
    b->id = id;
    b->offset = offset;
    b->due = conn->now + (wait < TVL_REPAIR_WAIT_MIN   ? TVL_REPAIR_WAIT_MIN
                          : wait > TVL_REPAIR_WAIT_MAX ? TVL_REPAIR_WAIT_MAX
                                                       : wait);
    while (*at)
        at = &(*at)->next;
    *at = b;
    r->blocks++;
    return b;
}

/* Slot of the path in the block; false: there is none. */
static bool slot_of(struct tvl_repair_block *b, uint32_t path_id, uint8_t *slot)
{
    uint32_t i = 0;

    while (i < b->n_paths && b->paths[i] != path_id)
        i++;
    if (i == TVL_PATHS_MAX)
        return false;
    if (i == b->n_paths)
        b->paths[b->n_paths++] = path_id;
    *slot = (uint8_t)i;
    return true;
}

/* One more unit at the end of the block; false: it is full. */
static bool add_unit(struct tvl_repair_block *b, uint32_t len, uint32_t path_id, uint64_t span)
{
    const bool runs_on = b->units > 0 && b->unit[b->units - 1] == len;

    if (b->units == TVL_REPAIR_UNITS_MAX || b->len + len > span || len > UINT16_MAX ||
        (!runs_on && b->runs == TVL_REPAIR_RUNS_MAX) || !slot_of(b, path_id, &b->path[b->units]))
        return false;
    b->runs += !runs_on;
    b->unit[b->units++] = (uint16_t)len;
    b->len += len;
    return true;
}

/* ---- symbols ---- */

/* What the peer has acknowledged at the front needs no repair, and its bytes are gone. */
static void trim(struct tvl_repair_block *b, uint64_t base)
{
    uint32_t gone = 0;

    if (base <= b->offset)
        return;
    uint64_t cut = base - b->offset < b->len ? base - b->offset : b->len;
    b->offset += cut;
    b->len -= (uint32_t)cut;
    while (gone < b->units && b->unit[gone] <= cut)
        cut -= b->unit[gone++];
    if (cut > 0)
        b->unit[gone] = (uint16_t)(b->unit[gone] - cut);
    b->units -= gone;
    memmove(b->unit, b->unit + gone, b->units * sizeof b->unit[0]);
    memmove(b->path, b->path + gone, b->units * sizeof b->path[0]);
}

static uint32_t units_on(const struct tvl_repair_block *b, uint32_t path_id)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->units; i++)
        n += b->paths[b->path[i]] == path_id;
    return n;
}

/* A path that the peer wants to be spared carries symbols only where it carries data. */
static bool is_spared(const struct tvl_path *p)
{
    for (size_t i = 0; p->peer_backup && i < p->conn->n_paths; i++)
        if (tvl_path_is_trusted(p->conn->path[i]) && !p->conn->path[i]->peer_backup)
            return true;
    return false;
}

static bool may_carry(const struct tvl_path *p, const struct tvl_flow_rule *rule)
{
    return tvl_path_is_trusted(p) && tvl_flow_may(rule, p->id) && !is_spared(p);
}

/* The path that has carried least of the block, then the quickest; NULL: it may go nowhere. */
static struct tvl_path *best_path(const struct tvl_conn *conn, const struct tvl_repair_block *b,
                                  const struct tvl_flow_rule *rule)
{
    struct tvl_path *best = NULL;

    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];
        const uint32_t units = units_on(b, p->id), least = best ? units_on(b, best->id) : 0;

        if (may_carry(p, rule) &&
            (!best || units < least ||
             (units == least && tvl_rtt_srtt(&p->cc.rtt) < tvl_rtt_srtt(&best->cc.rtt))))
            best = p;
    }
    return best;
}

static struct tvl_repair_leg leg_of(const struct tvl_conn *conn, const struct tvl_path *p,
                                    uint32_t units)
{
    struct tvl_model_losses l = { .packets = 0 };

    if (p)
        tvl_model_get_losses(&p->cc.model, conn->now, &l);
    return (struct tvl_repair_leg){
        .units = units,
        .loss = tvl_repair_loss((double)l.packets, (double)l.lost),
        .burst = l.runs > 0 ? (double)l.lost / (double)l.runs : 1,
    };
}

static uint32_t wanted(struct tvl_conn *conn, const struct tvl_repair_block *b,
                       const struct tvl_path *via)
{
    struct tvl_repair_leg leg[TVL_PATHS_MAX + 1];
    size_t n = 0, on = SIZE_MAX;

    for (uint32_t i = 0; i < b->n_paths; i++) {
        on = b->paths[i] == via->id ? n : on;
        leg[n++] = leg_of(conn, tvl_path_find(conn, b->paths[i]), units_on(b, b->paths[i]));
    }
    if (on == SIZE_MAX) {
        on = n;
        leg[n++] = leg_of(conn, via, 0);
    }
    return tvl_repair_symbols(leg, n, on, (b->units + 1) / 2);
}

/* The units one below the other, each filled up with zeroes, in memory of the caller's to free. */
static uint8_t *padded_units(const struct tvl_stream *s, const struct tvl_repair_block *b)
{
    uint8_t *bytes = calloc(b->units, b->symbol_len);
    uint64_t offset = b->offset;

    for (uint32_t i = 0; bytes && i < b->units; offset += b->unit[i], i++)
        tvl_sendbuf_copy(&s->out, offset, b->unit[i], bytes + i * b->symbol_len);
    return bytes;
}

/* false: no memory. */
static bool encode(struct tvl_repair_block *b, const struct tvl_stream *s, uint32_t symbols)
{
    uint8_t *unit[TVL_REPAIR_UNITS_MAX], *symbol[TVL_REPAIR_SYMBOLS_MAX];
    uint8_t *units = padded_units(s, b);

    b->bytes = units ? malloc(symbols * b->symbol_len) : NULL;
    for (uint32_t i = 0; b->bytes && i < b->units; i++)
        unit[i] = units + i * b->symbol_len;
    for (uint32_t i = 0; b->bytes && i < symbols; i++)
        symbol[i] = b->bytes + i * b->symbol_len;
    if (b->bytes)
        tvl_erasure_encode(b->symbol_len, b->units, unit, symbols, symbol);
    free(units);
    return b->bytes != NULL;
}

static uint32_t carrier_of(const struct tvl_repair_block *b)
{
    uint32_t most = b->paths[0];

    for (uint32_t i = 1; i < b->n_paths; i++)
        if (units_on(b, b->paths[i]) > units_on(b, most))
            most = b->paths[i];
    return most;
}

/* The block is over: its symbols, or none; then it is gone. */
static void close_block(struct tvl_conn *conn, struct tvl_repair_block *b)
{
    struct tvl_repair_out *r = &conn->repair_out;
    const struct tvl_stream *s = tvl_streams_find(&conn->streams, b->id);
    const struct tvl_flow_rule *rule = s ? rule_of(conn, s) : NULL;
    const struct tvl_path *via = NULL;

    if (rule && rule->cfg.protection == TVL_FLOW_REPAIR && tvl_stream_awaits_ack(s)) {
        trim(b, s->out.base);
        via = b->units > 0 ? best_path(conn, b, rule) : NULL;
    }
    const uint32_t symbols = via ? wanted(conn, b, via) : 0;

    for (uint32_t i = 0; i < b->units; i++)
        b->symbol_len = b->unit[i] > b->symbol_len ? b->unit[i] : b->symbol_len;
    if (symbols == 0 || r->bytes + symbols * b->symbol_len > TVL_REPAIR_BYTES_MAX ||
        !encode(b, s, symbols)) {
        forget(r, b);
        return;
    }
    b->closed = true;
    b->carrier = carrier_of(b);
    b->symbols = symbols;
    b->due = TVL_TIME_NEVER;
    r->bytes += symbols * b->symbol_len;
    r->waiting += symbols;
}

static bool is_protected(const struct tvl_conn *conn, const struct tvl_stream *s)
{
    const struct tvl_flow_rule *rule = s ? rule_of(conn, s) : NULL;

    return rule && rule->cfg.protection == TVL_FLOW_REPAIR && conn->streams.repair_room > 0;
}

static void note(struct tvl_path *p, const struct tvl_sent_frame *f)
{
    struct tvl_conn *conn = p->conn;
    struct tvl_repair_block *b = open_block(&conn->repair_out, f->id);
    const uint64_t span = conn->peer.max_repair_span;

    if (b && b->offset + b->len != f->offset) { /* unprotected in between */
        close_block(conn, b);
        b = NULL;
    }
    if (b && f->len > 0 && !add_unit(b, f->len, p->id, span)) {
        close_block(conn, b);
        b = NULL;
    } else if (b) {
        b->fin = f->fin;
    }
    if (!b && f->len > 0) {
        b = add_block(conn, f->id, f->offset);
        if (b && add_unit(b, f->len, p->id, span))
            b->fin = f->fin;
    }
    if (b && b->fin)
        close_block(conn, b);
}

void tvl_repair_note(struct tvl_path *p, const struct tvl_sent_list *left)
{
    const struct tvl_streams *ss = &p->conn->streams;

    if (ss->repair_room == 0)
        return;
    for (uint32_t i = 0; i < left->count; i++) {
        const struct tvl_sent_frame *f = &left->v[i];

        if (f->kind == TVL_SENT_STREAM && (!f->again || (f->fin && f->len == 0)) &&
            is_protected(p->conn, tvl_streams_find(ss, f->id)))
            note(p, f);
    }
}

/* ---- sending them ---- */

bool tvl_repair_waits(const struct tvl_conn *conn)
{
    return conn->repair_out.waiting > 0;
}

/* Symbols of it would still be of use. */
static bool is_wanted(const struct tvl_repair_block *b, const struct tvl_stream *s)
{
    return s && tvl_stream_awaits_ack(s) && s->out.base < b->offset + b->len;
}

/* Not on the path that took most of the block, if there is another. */
static bool may_take(const struct tvl_path *p, const struct tvl_repair_block *b,
                     const struct tvl_flow_rule *rule)
{
    const struct tvl_conn *conn = p->conn;

    if (!may_carry(p, rule))
        return false;
    for (size_t i = 0; p->id == b->carrier && i < conn->n_paths; i++)
        if (conn->path[i] != p && may_carry(conn->path[i], rule))
            return false;
    return true;
}

/* The first block with a symbol that may leave on `p` now; NULL: none. */
static struct tvl_repair_block *next_for(const struct tvl_path *p)
{
    const struct tvl_conn *conn = p->conn;
    const uint64_t rank = tvl_streams_first(&conn->streams).rank;
    struct tvl_repair_block *b = conn->repair_out.first;

    for (; b; b = b->next) {
        const struct tvl_stream *s;

        if (!b->closed || b->left == b->symbols)
            continue;
        s = tvl_streams_find(&conn->streams, b->id);
        if (is_wanted(b, s) && s->rank <= rank && may_take(p, b, rule_of(conn, s)))
            return b;
    }
    return NULL;
}

bool tvl_repair_due(const struct tvl_path *p)
{
    return p->conn->repair_out.waiting > 0 && tvl_path_cc_room(&p->cc, p->conn->now) > 0 &&
           next_for(p);
}

static void fill_runs(const struct tvl_repair_block *b, struct tvl_frame_repair *r)
{
    r->runs = 0;
    for (uint32_t i = 0; i < b->units; i++) {
        if (i == 0 || b->unit[i] != b->unit[i - 1])
            r->run[r->runs++] = (struct tvl_repair_run){ .len = b->unit[i] };
        r->run[r->runs - 1].units++;
    }
}

static void symbol_left(struct tvl_builder *out, struct tvl_repair_block *b)
{
    struct tvl_conn *conn = out->conn;
    const struct tvl_stream *s = tvl_streams_find(&conn->streams, b->id);
    const tvl_time verdict = conn->now + tvl_rtt_srtt(&out->path->cc.rtt) * 9 / 8 + VERDICT_MORE;

    b->left++;
    b->due = b->due == TVL_TIME_NEVER || verdict > b->due ? verdict : b->due;
    conn->repair_out.waiting--;
    conn->repair_out.sent++;
    conn->repair_out.sent_bytes += b->symbol_len;
    tvl_flow_sent(&conn->streams.rules, tvl_flow_rule(&conn->streams.rules, s->flow), out->path->id,
                  b->symbol_len);
}

void tvl_repair_write(struct tvl_builder *out)
{
    struct tvl_repair_block *b;

    while ((b = next_for(out->path)) != NULL) {
        struct tvl_frame f = { .type = TVL_FRAME_REPAIR };
        const bool alone = tvl_builder_is_empty(out);
        const struct tvl_sent_frame rec = {
            .kind = TVL_SENT_REPAIR, .id = b->id, .offset = b->offset, .len = b->left
        };

        f.repair = (struct tvl_frame_repair){ .id = b->id,
                                              .offset = b->offset,
                                              .index = b->left,
                                              .fin = b->fin,
                                              .bytes = b->bytes + b->left * b->symbol_len,
                                              .symbol_len = b->symbol_len };
        fill_runs(b, &f.repair);
        if (tvl_builder_frame(out, &f, &rec))
            symbol_left(out, b);
        else if (alone) /* it was made for larger datagrams than pass now */
            forget(&out->conn->repair_out, b);
        else
            return;
    }
}

/* ---- the fate of units and symbols ---- */

static unsigned count_bits(uint64_t v)
{
    unsigned n = 0;

    for (; v; v &= v - 1)
        n++;
    return n;
}

/* The closed block of which the frame is a unit, and which; NULL: none. */
static struct tvl_repair_block *block_of(const struct tvl_repair_out *r,
                                         const struct tvl_sent_frame *rec, uint32_t *unit)
{
    for (struct tvl_repair_block *b = r->first; b; b = b->next) {
        uint64_t at = b->offset;

        if (!b->closed || b->id != rec->id || rec->offset < at || rec->offset >= at + b->len)
            continue;
        for (*unit = 0; at < rec->offset; ++*unit)
            at += b->unit[*unit];
        if (at == rec->offset && b->unit[*unit] == rec->len)
            return b;
    }
    return NULL;
}

bool tvl_repair_holds(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    uint32_t unit;
    struct tvl_repair_block *b = block_of(&conn->repair_out, rec, &unit);

    if (!b || rec->again || b->left < b->symbols || conn->now >= b->due)
        return false;
    b->held |= UINT64_C(1) << unit;
    if (count_bits(b->held) > b->symbols - b->lost)
        release(conn, b);
    return true;
}

void tvl_repair_on_lost(struct tvl_conn *conn, const struct tvl_sent_frame *rec)
{
    struct tvl_repair_block *b = conn->repair_out.first;

    while (b && (!b->closed || b->id != rec->id || b->offset != rec->offset))
        b = b->next;
    if (!b)
        return;
    b->lost += b->lost < b->symbols;
    if (count_bits(b->held) > b->symbols - b->lost)
        release(conn, b);
}

int tvl_repair_on_recovered(struct tvl_conn *conn, const struct tvl_frame *f)
{
    const uint64_t end = f->recovered.offset + f->recovered.len;
    struct tvl_stream *s;
    const int error = tvl_streams_named(&conn->streams, f->recovered.id, true, &s);

    if (error < 0 || !s || !tvl_stream_awaits_ack(s))
        return error;
    if (end > s->out.sent || (f->recovered.fin && (!s->out.fin_sent || end != s->out.end)))
        return -TVL_WIRE_PROTOCOL_VIOLATION; /* as an acknowledgement of what was never sent */
    const uint64_t from = f->recovered.offset > s->out.base ? f->recovered.offset : s->out.base;
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_STREAM,
                                        .fin = f->recovered.fin,
                                        .len = from < end ? (uint32_t)(end - from) : 0,
                                        .id = f->recovered.id,
                                        .offset = from < end ? from : end };
    tvl_streams_on_acked(&conn->streams, &rec, conn->now);
    return 0;
}

/* ---- time ---- */

tvl_time tvl_repair_next(const struct tvl_conn *conn)
{
    tvl_time t = TVL_TIME_NEVER;

    for (const struct tvl_repair_block *b = conn->repair_out.first; b; b = b->next)
        if ((!b->closed || b->left == b->symbols) && b->due < t)
            t = b->due;
    return t;
}

/* A closed block whose stream, or all of whose bytes, are settled. */
static bool is_over(const struct tvl_conn *conn, const struct tvl_repair_block *b)
{
    return b->left == b->symbols ? conn->now >= b->due
                                 : !is_wanted(b, tvl_streams_find(&conn->streams, b->id));
}

void tvl_repair_tick(struct tvl_conn *conn)
{
    struct tvl_repair_block *b, *next;

    for (b = conn->repair_out.first; b; b = next) {
        next = b->next;
        if (!b->closed && conn->now >= b->due) {
            close_block(conn, b);
        } else if (b->closed && is_over(conn, b)) {
            release(conn, b);
            forget(&conn->repair_out, b);
        }
    }
}
