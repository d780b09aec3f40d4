/* repair_in.c - see repair_in.h. */
#include "repair_in.h"

#include <stdlib.h>
#include <string.h>

#include "erasure.h"
#include "send.h"

static void forget(struct tvl_repair_in *r, struct tvl_mend *m)
{
    struct tvl_mend **at = &r->first;

    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    for (uint32_t i = 0; i < m->symbols; i++)
        free(m->symbol[i]);
    r->waiting--;
    r->bytes -= m->symbols * m->block.symbol_len;
    free(m);
}

void tvl_repair_in_fini(struct tvl_repair_in *r)
{
    while (r->first)
        forget(r, r->first);
    free(r->kept);
    free(r->told);
    r->kept = NULL;
    r->told = NULL;
    r->n_kept = r->n_told = 0;
}

bool tvl_repair_agreed(const struct tvl_conn *conn, uint64_t type)
{
    const bool answer = (type & ~(uint64_t)TVL_STREAM_BIT_FIN) == TVL_FRAME_RECOVERED;

    return (answer ? conn->peer : conn->own).max_repair_span > 0;
}

/* ---- what was read is kept ---- */

/* Bytes of the stream are still to come, and somebody waits for them. */
static bool is_wanted(const struct tvl_stream *s)
{
    return s && tvl_stream_can_read(s) && s->recv_state != TVL_RECV_DATA_RECVD;
}

static void keep(struct tvl_conn *conn, struct tvl_stream *s)
{
    struct tvl_repair_in *r = &conn->repair_in;
    uint32_t n = 0;

    if (s->in.keep > 0)
        return;
    for (uint32_t i = 0; r->n_kept == TVL_REPAIR_KEPT_MAX && i < r->n_kept; i++)
        if (is_wanted(tvl_streams_find(&conn->streams, r->kept[i])))
            r->kept[n++] = r->kept[i];
    if (r->n_kept == TVL_REPAIR_KEPT_MAX)
        r->n_kept = n;
    r->kept = r->kept ? r->kept : calloc(TVL_REPAIR_KEPT_MAX, sizeof *r->kept);
    if (!r->kept || r->n_kept == TVL_REPAIR_KEPT_MAX)
        return;
    r->kept[r->n_kept++] = s->id;
    tvl_recvbuf_keep(&s->in, (size_t)conn->own.max_repair_span);
}

/* ---- mending ---- */

/* What is said of a stream goes through the door all frames take: limits are checked there. */
static int give(struct tvl_conn *conn, const struct tvl_recovered *piece, const uint8_t *bytes)
{
    struct tvl_repair_in *r = &conn->repair_in;
    const uint64_t before = conn->streams.stats.bytes_received;
    struct tvl_frame f = { .type = TVL_FRAME_STREAM };

    f.stream.id = piece->id;
    f.stream.offset = piece->offset;
    f.stream.bytes = bytes;
    f.stream.len = (size_t)piece->len;
    f.stream.fin = piece->fin;
    const int error = tvl_streams_on_frame(&conn->streams, &f);

    r->recovered += conn->streams.stats.bytes_received - before;
    return error;
}

static void tell(struct tvl_repair_in *r, const struct tvl_recovered *piece)
{
    struct tvl_recovered *last = r->n_told > 0 ? &r->told[r->n_told - 1] : NULL;

    if (last && last->id == piece->id && last->offset + last->len == piece->offset) {
        last->len += piece->len;
        last->fin = piece->fin;
        return;
    }
    r->told = r->told ? r->told : calloc(TVL_REPAIR_TOLD_MAX, sizeof *r->told);
    if (r->told && r->n_told < TVL_REPAIR_TOLD_MAX)
        r->told[r->n_told++] = *piece;
}

struct units { /* of a block, each filled up to the length of a symbol */
    struct tvl_erasure e;
    uint32_t len[TVL_REPAIR_UNITS_MAX];
    uint32_t missing;
    uint8_t *bytes; /* owned */
};

static void list_units(const struct tvl_mend *m, const struct tvl_stream *s, struct units *u)
{
    const struct tvl_frame_repair *b = &m->block;
    uint64_t offset = b->offset;
    uint32_t n = 0;

    u->missing = 0;
    u->bytes = NULL;
    for (uint32_t i = 0; i < b->runs; i++)
        for (uint32_t k = 0; k < b->run[i].units; k++, n++) {
            u->len[n] = b->run[i].len;
            u->e.missing[n] = !tvl_recvbuf_has(&s->in, offset, u->len[n]);
            u->missing += u->e.missing[n];
            offset += u->len[n];
        }
}

/* Compute the units that are missing. false: it cannot be done. */
static bool compute(struct tvl_mend *m, const struct tvl_stream *s, struct units *u)
{
    const size_t size = m->block.symbol_len;
    uint64_t offset = m->block.offset;

    u->bytes = calloc(m->block.units, size);
    if (!u->bytes)
        return false;
    u->e.len = size;
    u->e.pieces = m->block.units;
    u->e.symbols = m->symbols;
    for (uint32_t i = 0; i < m->block.units; offset += u->len[i], i++) {
        u->e.piece[i] = u->bytes + i * size;
        if (!u->e.missing[i])
            tvl_recvbuf_copy(&s->in, offset, u->len[i], u->e.piece[i]);
    }
    for (uint32_t i = 0; i < m->symbols; i++) {
        u->e.symbol[i] = m->symbol[i];
        u->e.index[i] = m->index[i];
    }
    return tvl_erasure_decode(&u->e);
}

/* The block has enough: what was missing goes to the stream, and the peer is told. */
static int complete(struct tvl_conn *conn, const struct tvl_mend *m, const struct units *u)
{
    struct tvl_recovered piece = { .id = m->block.id, .offset = m->block.offset };
    int error = 0;

    for (uint32_t i = 0; i < m->block.units && error == 0; piece.offset += piece.len, i++) {
        piece.len = u->len[i];
        piece.fin = m->block.fin && i == m->block.units - 1;
        if (!u->e.missing[i] && !piece.fin)
            continue;
        if (!u->e.missing[i]) { /* the bytes are there; it may not be known that they are the last
                                 */
            piece.offset += piece.len;
            piece.len = 0;
        }
        error = give(conn, &piece, u->e.piece[i]);
        tell(&conn->repair_in, &piece);
    }
    return error;
}

/* 0 or an error; the block goes when it is whole, or nobody wants it any more. */
static int try(struct tvl_conn *conn, struct tvl_mend *m)
{
    const struct tvl_stream *s = tvl_streams_find(&conn->streams, m->block.id);
    const uint64_t end = m->block.offset + m->block.len;
    struct units u;
    int error = 0;

    if (is_wanted(s) && (s->in.base < end || m->block.fin)) {
        list_units(m, s, &u);
        if (u.missing > m->symbols)
            return 0;
        if (u.missing == 0 ? m->block.fin : compute(m, s, &u))
            error = complete(conn, m, &u);
        free(u.bytes);
    }
    forget(&conn->repair_in, m);
    return error;
}

int tvl_repair_retry(struct tvl_conn *conn, const struct tvl_frame *f)
{
    struct tvl_mend *m, *next;
    int error = 0;

    if (f->type < TVL_FRAME_STREAM || f->type > TVL_FRAME_STREAM_LAST)
        return 0;
    for (m = conn->repair_in.first; m && error == 0; m = next) {
        next = m->next;
        if (m->block.id == f->stream.id)
            error = try(conn, m);
    }
    return error;
}

/* ---- symbols ---- */

static bool same_block(const struct tvl_frame_repair *a, const struct tvl_frame_repair *b)
{
    if (a->id != b->id || a->offset != b->offset || a->runs != b->runs || a->fin != b->fin)
        return false;
    for (uint32_t i = 0; i < a->runs; i++)
        if (a->run[i].units != b->run[i].units || a->run[i].len != b->run[i].len)
            return false;
    return true;
}

static struct tvl_mend *mend_of(struct tvl_repair_in *r, const struct tvl_frame_repair *f)
{
    struct tvl_mend **at = &r->first;

    while (r->waiting == TVL_REPAIR_WAITING_MAX ||
           (r->first && r->bytes + f->symbol_len > TVL_REPAIR_WAITING_BYTES))
        forget(r, r->first);
    while (*at && !same_block(&(*at)->block, f))
        at = &(*at)->next;
    if (!*at) {
        *at = calloc(1, sizeof **at);
        r->waiting += *at != NULL;
        if (*at)
            (*at)->block = *f;
    }
    return *at;
}

static void add_symbol(struct tvl_repair_in *r, struct tvl_mend *m,
                       const struct tvl_frame_repair *f)
{
    for (uint32_t i = 0; i < m->symbols; i++)
        if (m->index[i] == f->index)
            return;
    uint8_t *bytes = malloc(f->symbol_len);
    if (!bytes)
        return;
    memcpy(bytes, f->bytes, f->symbol_len);
    m->symbol[m->symbols] = bytes;
    m->index[m->symbols++] = (uint8_t)f->index;
    r->bytes += f->symbol_len;
}

/* What a STREAM frame of the block's last byte would have been judged by. */
static int judge(const struct tvl_conn *conn, const struct tvl_stream *s,
                 const struct tvl_frame_repair *f)
{
    const uint64_t end = f->offset + f->len;

    if (f->len > conn->own.max_repair_span)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    if (end > s->recv_max)
        return -TVL_WIRE_FLOW_CONTROL_ERROR;
    if (end > s->in.final_size || (f->fin && end < s->in.highest))
        return -TVL_WIRE_FINAL_SIZE_ERROR;
    return 0;
}

static int on_repair(struct tvl_conn *conn, struct tvl_stream *s, const struct tvl_frame_repair *f)
{
    struct tvl_repair_in *r = &conn->repair_in;
    const int error = judge(conn, s, f);

    if (error < 0 || !is_wanted(s) || (s->in.base >= f->offset + f->len && !f->fin))
        return error;
    keep(conn, s);
    struct tvl_mend *m = mend_of(r, f);
    if (!m)
        return 0;
    add_symbol(r, m, f);
    return try(conn, m);
}

int tvl_repair_on_frame(struct tvl_conn *conn, const struct tvl_frame *f)
{
    const bool symbol =
        f->type <= (TVL_FRAME_REPAIR | TVL_STREAM_BIT_FIN) && f->type != TVL_FRAME_PROTECTED;
    struct tvl_stream *s;

    if (f->type >= TVL_FRAME_RECOVERED)
        return tvl_repair_on_recovered(conn, f);
    conn->repair_in.received += symbol;
    const int error =
        tvl_streams_named(&conn->streams, symbol ? f->repair.id : f->recovered.id, false, &s);
    if (error < 0 || !s)
        return error;
    if (symbol)
        return on_repair(conn, s, &f->repair);
    if (is_wanted(s))
        keep(conn, s);
    return 0;
}

void tvl_repair_tell(struct tvl_conn *conn, struct tvl_builder *b)
{
    struct tvl_repair_in *r = &conn->repair_in;
    uint32_t n = 0;

    for (; n < r->n_told; n++) {
        const struct tvl_frame f = { .type = TVL_FRAME_RECOVERED,
                                     .recovered = { .id = r->told[n].id,
                                                    .offset = r->told[n].offset,
                                                    .len = r->told[n].len,
                                                    .fin = r->told[n].fin } };

        if (!tvl_builder_frame(b, &f, NULL)) /* lost, it is not told again: bytes come twice */
            break;
    }
    if (n > 0)
        memmove(r->told, r->told + n, (r->n_told - n) * sizeof r->told[0]);
    r->n_told -= n;
}
