/*
 * send.c - what leaves next, on which path: frames into a packet, packets into a datagram.
 *
 * Order of a datagram's wishes: last words; handshake; what is bound to a path (acknowledgements,
 * challenges, probes); then data, on the path the scheduler picks. Mirror of recv.c.
 */
#include "send.h"

#include <string.h>

#include "copies.h"
#include "endpoint.h"
#include "reinject.h"
#include "route.h"
#include "trace.h"

/* ---- one packet ---- */

static const struct tvl_cid *peer_cid(const struct tvl_conn *conn, const struct tvl_place *place,
                                      enum tvl_level level)
{
    if (level == TVL_LEVEL_APP)
        return place->has_cid ? &place->cid : NULL;
    return &conn->remote_cid;
}

static enum tvl_packet_type packet_type(enum tvl_level level)
{
    switch (level) {
    case TVL_LEVEL_INITIAL:
        return TVL_PACKET_INITIAL;
    case TVL_LEVEL_HANDSHAKE:
        return TVL_PACKET_HANDSHAKE;
    default:
        return TVL_PACKET_ONE_RTT;
    }
}

/* A peer that does not mind gets the fixed bit as it comes, lest something between rely on it. */
static bool clears_fixed_bit(struct tvl_conn *conn)
{
    if (!conn->have_peer_params || !conn->peer.grease_quic_bit || conn->cfg->no_grease)
        return false;
    if (conn->fixed_bits_left == 0) {
        conn->fixed_bits = tvl_rng_u64(tvl_endpoint_rng(conn->ep));
        conn->fixed_bits_left = 64;
    }
    return conn->fixed_bits >> --conn->fixed_bits_left & 1;
}

struct begin {
    struct tvl_path *path;
    struct tvl_place *place;
    enum tvl_level level;
};

/*
 * Now and then a number is left out, where the peer cannot know: one that acknowledges what it has
 * not received, for a window that grows faster, is found out (RFC 9000 21.4).
 */
static void skip_number(struct tvl_path *p)
{
    const uint64_t next = tvl_recovery_next_pn(&p->app.sent);

    if (next < p->skip_at)
        return;
    (void)tvl_recovery_skip_pn(&p->app.sent, p->conn->now); /* without memory: another time */
    if (p->skip_gap < TVL_SKIP_MOST)
        p->skip_gap *= 2;
    p->skip_at = next + p->skip_gap + tvl_rng_below(tvl_endpoint_rng(p->conn->ep), p->skip_gap);
}

static bool begin(struct tvl_builder *b, struct begin how, uint8_t *bytes, size_t room)
{
    struct tvl_path *path = how.path;
    const enum tvl_level level = how.level;
    struct tvl_conn *conn = path->conn;
    const struct tvl_cid *dcid = peer_cid(conn, how.place, level);
    struct tvl_space *space = tvl_conn_space(conn, level, path);
    const size_t smallest = 64; /* header, four bytes for the sample, tag, and a useful frame */

    if (!dcid || room < smallest || !tvl_keys_present(&conn->write[level]) ||
        !tvl_recovery_can_send(&space->sent))
        return false;
    if (level == TVL_LEVEL_APP)
        skip_number(path);
    const uint64_t pn = tvl_recovery_next_pn(&space->sent);
    struct tvl_packet_head head = {
        .type = packet_type(level),
        .version = conn->version,
        .dcid = *dcid,
        .scid = conn->local_scid,
        .pn = pn,
        .pn_len = tvl_pn_size(pn, tvl_recovery_largest_acked(&space->sent)),
        .spin = level == TVL_LEVEL_APP && how.place == &path->at &&
                tvl_spin_next(&path->spin, tvl_endpoint_rng(conn->ep), path->at.cid_seq),
        .key_phase = tvl_keyphase_bit(&conn->phase),
        .fixed_bit_clear = clears_fixed_bit(conn),
    };
    if (level == TVL_LEVEL_INITIAL) {
        head.token = conn->token;
        head.token_len = conn->token_len;
    }
    memset(b, 0, offsetof(struct tvl_builder, record));
    b->conn = conn;
    b->path = path;
    b->place = how.place;
    b->space = space;
    b->level = level;
    b->start = bytes;
    b->w = tvl_wr_over(bytes, room - TVL_TAG_SIZE);
    b->packet.pn = pn;
    b->packet.ecn = how.place == &path->at ? path->cc.ecn.on : 0;
    b->list = (struct tvl_sent_list){ .v = b->record, .cap = TVL_PACKET_FRAMES_MAX };
    if (tvl_packet_write_head(&b->w, &head, &b->mark) != 0)
        return false;
    b->payload = b->w.p;
    return true;
}

bool tvl_builder_begin(struct tvl_builder *b, struct tvl_path *path, enum tvl_level level,
                       uint8_t *bytes, size_t room)
{
    return begin(b, (struct begin){ path, &path->at, level }, bytes, room);
}

bool tvl_builder_begin_aside(struct tvl_builder *b, struct tvl_path *path, struct tvl_place *place,
                             uint8_t *bytes, size_t room)
{
    return begin(b, (struct begin){ path, place, TVL_LEVEL_APP }, bytes, room);
}

bool tvl_builder_frame(struct tvl_builder *b, const struct tvl_frame *f,
                       const struct tvl_sent_frame *record)
{
    if ((record && b->list.count == b->list.cap) || tvl_frame_write(&b->w, f) != 0)
        return false;
    if (record)
        b->list.v[b->list.count++] = *record;
    b->eliciting = b->eliciting || tvl_frame_ack_eliciting(f->type);
    b->leading = b->leading || !tvl_frame_probing(f->type);
    return true;
}

bool tvl_builder_is_empty(const struct tvl_builder *b)
{
    return b->w.p == b->payload;
}

void tvl_builder_pad(struct tvl_builder *b, size_t len)
{
    const size_t have = (size_t)(b->w.p - b->start) + TVL_TAG_SIZE;

    if (have >= len)
        return;
    const size_t left = tvl_wr_left(&b->w);
    tvl_wr_zeroes(&b->w, len - have < left ? len - have : left);
    b->padded = true;
}

/* Protect the header, now or with those of the packets to come. false: it cannot be. */
static bool protect_header(struct tvl_builder *b)
{
    uint8_t mask[TVL_MASK_SIZE];

    if (b->later && b->level == TVL_LEVEL_APP && b->later->n < TVL_MASKS_MAX) {
        b->later->mark[b->later->n++] = b->mark;
        return true;
    }
    if (tvl_header_mask(&b->conn->write[b->level], b->start + b->mark.pn_offset + 4, mask) != 0)
        return false;
    tvl_packet_mask(&b->mark, mask);
    return true;
}

/* One call of the cipher for all that wait. false: none of them may leave. */
static bool protect_headers(struct tvl_conn *conn, const struct tvl_unmasked *u)
{
    uint8_t block[TVL_MASKS_MAX][TVL_SAMPLE_SIZE];

    for (size_t i = 0; i < u->n; i++)
        memcpy(block[i], u->mark[i].start + u->mark[i].pn_offset + 4, TVL_SAMPLE_SIZE);
    if (u->n > 0 && tvl_header_masks(&conn->write[TVL_LEVEL_APP], block, u->n) != 0)
        return false;
    for (size_t i = 0; i < u->n; i++)
        tvl_packet_mask(&u->mark[i], block[i]);
    return true;
}

size_t tvl_builder_finish(struct tvl_builder *b)
{
    struct tvl_conn *conn = b->conn;

    if (tvl_builder_is_empty(b))
        return 0;
    /* The header protection sample needs four bytes of number and payload, RFC 9001 5.4.2. */
    while (b->mark.pn_len + (size_t)(b->w.p - b->payload) < 4)
        tvl_wr_u8(&b->w, TVL_FRAME_PADDING);
    const size_t len = (size_t)(b->w.p - b->payload);
    const size_t total = (size_t)(b->w.p - b->start) + TVL_TAG_SIZE;
    struct tvl_keys *keys = &conn->write[b->level];

    b->packet.bytes = (uint32_t)total;
    if (b->place != &b->path->at) /* what happens there says nothing of where the path goes */
        b->eliciting = b->padded = false;
    b->packet.ack_eliciting = b->eliciting;
    /* Nothing waits for the answer to an MTU probe: it must not fill a small window for ever. */
    b->packet.in_flight = (b->eliciting || b->padded) && !b->packet.mtu_probe;
    b->packet.n_frames = (uint8_t)b->list.count;
    b->packet.frame = b->record;
    tvl_packet_set_length(&b->mark, len + TVL_TAG_SIZE);
    if (tvl_recovery_sent(&b->space->sent, &b->packet, conn->now) != 0) {
        for (uint32_t i = 0; i < b->list.count; i++) /* never left: as good as lost */
            tvl_streams_on_lost(&conn->streams, &b->list.v[i]);
        return 0;
    }
    tvl_trace_sent(b, conn);
    const struct tvl_plain plain = { .header = b->start,
                                     .header_len = (size_t)(b->payload - b->start),
                                     .payload = b->payload,
                                     .len = len - b->w.tail_len,
                                     .tail = b->w.tail,
                                     .tail_len = b->w.tail_len };
    if (tvl_seal_parts(keys, b->level == TVL_LEVEL_APP ? b->path->id : 0, b->packet.pn, &plain) <
            0 ||
        !protect_header(b))
        return 0; /* never left: recovery will find it lost */
    if (b->eliciting && !b->packet.mtu_probe) {
        if (b->level == TVL_LEVEL_APP)
            tvl_health_sent(&b->path->health, conn->now);
        if (!conn->eliciting_since_rx)
            conn->idle_since = conn->now;
        conn->eliciting_since_rx = true;
    }
    if (b->level == TVL_LEVEL_APP)
        tvl_keyphase_on_sealed(conn, b->path, b->packet.pn);
    b->path->packets_sent++;
    return total;
}

/* ---- acknowledgements ---- */

static void fill_ack(struct tvl_frame *f, const struct tvl_ack_out *out, bool multipath,
                     uint32_t path_id, uint64_t exponent)
{
    const bool ecn = out->ecn.ect0 || out->ecn.ect1 || out->ecn.ce;

    memset(f, 0, offsetof(struct tvl_frame, ack) + offsetof(struct tvl_frame_ack, ranges));
    f->type = multipath ? (ecn ? TVL_FRAME_PATH_ACK_ECN : TVL_FRAME_PATH_ACK)
                        : (ecn ? TVL_FRAME_ACK_ECN : TVL_FRAME_ACK);
    f->ack.path_id = path_id;
    f->ack.largest = out->largest;
    f->ack.delay = out->delay >> exponent;
    f->ack.ect0 = out->ecn.ect0;
    f->ack.ect1 = out->ecn.ect1;
    f->ack.ce = out->ecn.ce;
    f->ack.count = (uint32_t)out->n_ranges;
    for (size_t i = 0; i < out->n_ranges; i++)
        f->ack.ranges[i] =
            (struct tvl_range){ .from = out->range[i].first, .to = out->range[i].last + 1 };
}

/* Acknowledge what came on `space`, in whatever packet `b` is. */
static bool write_ack(struct tvl_builder *b, struct tvl_space *space, uint32_t path_id)
{
    struct tvl_conn *conn = b->conn;
    const bool app = b->level == TVL_LEVEL_APP;
    struct tvl_ack_out out;
    struct tvl_frame f;
    const struct tvl_sent_frame ping = { .kind = TVL_SENT_PING };

    if (!tvl_ack_make(&space->received, &out, conn->now))
        return false;
    fill_ack(&f, &out, app && conn->multipath, path_id, app ? conn->own.ack_delay_exponent : 3);
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_ACK,
                                        .id = path_id,
                                        .offset = out.largest };
    while (!tvl_builder_frame(b, &f, app ? &rec : NULL)) {
        if (f.ack.count <= 1 || b->list.count == b->list.cap)
            return false;
        f.ack.count /= 2; /* the newest matter most */
    }
    tvl_ack_sent(&space->received);
    if (app)
        tvl_keyphase_on_ack_sent(conn);
    if (app && tvl_ack_wants_ping(&space->received))
        (void)tvl_builder_frame(b, &(struct tvl_frame){ .type = TVL_FRAME_PING }, &ping);
    return true;
}

/*
 * The path that carries acknowledgements for `p`: itself, unless it is in doubt and another not.
 * Then it carries them too: something has just come over it, and the other may have died meanwhile,
 * when two suspect paths would each wait for the answer on the other.
 */
static const struct tvl_path *ack_carrier(const struct tvl_conn *conn, const struct tvl_path *p)
{
    if (p->state == TVL_PATH_UP || p->state == TVL_PATH_OPENING)
        return p;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]))
            return conn->path[i];
    return p;
}

static bool ack_is_due(const struct tvl_conn *conn, const struct tvl_path *p)
{
    return tvl_ack_due(&p->app.received) <= conn->now;
}

static void write_acks(struct tvl_builder *b)
{
    struct tvl_conn *conn = b->conn;

    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        if (p == b->path ? tvl_ack_pending(&p->app.received) || p->ack_owed
                         : ack_is_due(conn, p) && ack_carrier(conn, p) == b->path)
            p->ack_owed = write_ack(b, &p->app, p->id) && p != b->path;
    }
}

/* ---- handshake: Initial and Handshake packets, coalesced ---- */

static bool crypto_waits(const struct tvl_crypto *c)
{
    return tvl_sendbuf_unsent(&c->out) > 0 || tvl_sendbuf_has_again(&c->out);
}

static bool level_has_work(const struct tvl_conn *conn, enum tvl_level level)
{
    const struct tvl_space *s = level == TVL_LEVEL_INITIAL ? &conn->initial : &conn->handshake;

    if (!tvl_keys_present(&conn->write[level]))
        return false;
    return s->probes > 0 || tvl_ack_due(&s->received) <= conn->now ||
           (crypto_waits(&conn->crypto[level]) &&
            tvl_path_cc_window_room(&conn->path[0]->cc) >= TVL_MTU);
}

static bool write_crypto(struct tvl_builder *b)
{
    struct tvl_crypto *c = &b->conn->crypto[b->level];
    struct tvl_send_chunk chunk;
    bool any = false;

    while (b->list.count < b->list.cap && crypto_waits(c)) {
        /* ask for no more than surely fits, at the offset the next piece has */
        if (!tvl_sendbuf_next(&c->out, tvl_wr_left(&b->w), UINT64_MAX, &chunk))
            break;
        const size_t fit = tvl_crypto_fit(tvl_wr_left(&b->w), chunk.offset, chunk.len);
        if (fit == 0)
            break;
        const struct tvl_frame f = {
            .type = TVL_FRAME_CRYPTO,
            .crypto = { .offset = chunk.offset, .bytes = chunk.bytes, .len = fit },
        };
        const struct tvl_sent_frame rec = { .kind = TVL_SENT_CRYPTO,
                                            .id = (uint64_t)b->level,
                                            .offset = chunk.offset,
                                            .len = (uint32_t)fit };
        if (!tvl_builder_frame(b, &f, &rec))
            break;
        tvl_sendbuf_sent(&c->out, chunk.offset, fit, false);
        any = true;
    }
    return any;
}

/*
 * A sign of life that must be answered. Our address may have changed unknown to us, and only a
 * leading packet makes the peer follow; the answer needs no record.
 */
static void write_ping(struct tvl_builder *b)
{
    if (!b->eliciting || !b->leading)
        (void)tvl_builder_frame(b, &(struct tvl_frame){ .type = TVL_FRAME_PING }, NULL);
}

static void write_probe(struct tvl_builder *b)
{
    if (b->space->probes == 0)
        return;
    b->space->probes--;
    write_ping(b);
}

static size_t send_level(struct tvl_conn *conn, enum tvl_level level, uint8_t *bytes, size_t room,
                         size_t pad_to)
{
    struct tvl_builder b;

    if (!tvl_builder_begin(&b, conn->path[0], level, bytes, room))
        return 0;
    b.trigger = b.space->probes > 0 ? "pto_probe" : "handshake";
    if (b.space->probes > 0)
        tvl_recovery_oldest(&b.space->sent, 2, tvl_control_again, conn);
    if (tvl_ack_pending(&b.space->received))
        (void)write_ack(&b, b.space, 0);
    (void)write_crypto(&b);
    write_probe(&b);
    if (!tvl_builder_is_empty(&b))
        tvl_builder_pad(&b, pad_to);
    return tvl_builder_finish(&b);
}

static size_t send_handshake(struct tvl_conn *conn, uint8_t *bytes)
{
    const uint64_t allowance = tvl_path_allowance(conn->path[0]);
    const size_t room = allowance < TVL_MTU ? (size_t)allowance : TVL_MTU;
    bool initial = level_has_work(conn, TVL_LEVEL_INITIAL);
    bool handshake = level_has_work(conn, TVL_LEVEL_HANDSHAKE);
    size_t len = 0;

    if (conn->discard_handshake || (initial && room < TVL_MTU))
        initial = false; /* an Initial must fill its datagram, RFC 9000 14.1 */
    if (initial)
        len = send_level(conn, TVL_LEVEL_INITIAL, bytes, room, handshake ? 0 : TVL_MTU);
    if (handshake) {
        const size_t more =
            send_level(conn, TVL_LEVEL_HANDSHAKE, bytes + len, room - len, len ? TVL_MTU - len : 0);

        if (more > 0 && conn->side == TVL_CLIENT)
            tvl_handshake_discard(conn, TVL_LEVEL_INITIAL);
        len += more;
    }
    return len;
}

/* ---- 1-RTT ---- */

static void write_challenges(struct tvl_builder *b)
{
    struct tvl_place *pl = b->place;
    struct tvl_frame f;

    for (size_t i = 0; i < pl->n_responses; i++) {
        f.type = TVL_FRAME_PATH_RESPONSE;
        memcpy(f.data, pl->response[i], TVL_CHALLENGE_SIZE);
        b->full_size = tvl_builder_frame(b, &f, NULL) || b->full_size;
    }
    /* RFC 9000 9.3.3: what is not for probing says that the path is to stay here. */
    if (pl->n_responses > 0 && pl == &b->path->at)
        (void)tvl_builder_frame(b, &(struct tvl_frame){ .type = TVL_FRAME_PING }, NULL);
    pl->n_responses = 0;
    if (!pl->challenge.wanted)
        return;
    f.type = TVL_FRAME_PATH_CHALLENGE;
    memcpy(f.data, tvl_challenge_data(&pl->challenge), TVL_CHALLENGE_SIZE);
    if (!tvl_builder_frame(b, &f, NULL))
        return;
    pl->challenge.wanted = false;
    pl->challenge.small = (size_t)(b->w.end - b->start) + TVL_TAG_SIZE < TVL_MTU_BASE;
    b->full_size = true;
}

/* `room` is that of the whole UDP datagram. */
static void write_datagrams(struct tvl_builder *b, size_t room)
{
    struct tvl_dgrams *d = &b->conn->dgrams;
    const struct tvl_dgram *g;

    tvl_dgrams_tick(d, b->conn->now);
    while ((g = tvl_dgrams_first(d)) != NULL) {
        const struct tvl_frame f = {
            .type = TVL_FRAME_DATAGRAM_LEN,
            .datagram = { .bytes = g->bytes, .len = g->len },
        };
        const struct tvl_sent_frame rec = { .kind = TVL_SENT_DATAGRAM, .len = (uint32_t)g->len };
        const bool alone = tvl_builder_is_empty(b);

        if (tvl_builder_frame(b, &f, &rec))
            tvl_dgrams_left(d);
        else if (alone && room >= b->path->mtu.current)
            tvl_dgrams_unfit(d); /* it was written for larger datagrams than pass now */
        else
            return;
    }
}

enum send_what {
    SEND_BOUND, /* only what this path must */
    SEND_ALONG, /* and data, as a packet leaves here anyway */
    SEND_DATA,  /* the scheduler chose the path */
};

/* For the trace: why a packet leaves on this very path. */
static const char *bound_by(const struct tvl_path *p)
{
    if (p->app.probes > 0)
        return "pto_probe";
    if (tvl_copies_due(p))
        return "copy";
    if (tvl_repair_due(p))
        return "repair";
    if (p->at.challenge.wanted || p->at.n_responses > 0)
        return "path_validation";
    return p->ping_wanted ? "path_probe" : "acknowledgement";
}

/* Bytes of the next datagram. Probes that go unanswered may be too large: RFC 8899 4.3. */
static size_t datagram_room(const struct tvl_path *p, size_t cap)
{
    const uint64_t allowance = tvl_path_allowance(p);
    const bool careful = p->app.probes > 0 && p->cc.pto_count >= TVL_MTU_CAREFUL_PTO;
    const size_t mtu = careful ? TVL_MTU_BASE : p->mtu.current;
    const size_t most = cap < mtu ? cap : mtu;

    return allowance < most ? (size_t)allowance : most;
}

struct batch {      /* what is being made by one call */
    uint8_t *bytes; /* of the next datagram */
    size_t cap;     /* what it may have */
    uint64_t run;   /* bytes for which the scheduler's last answer still holds */
    struct tvl_unmasked unmasked;
};

/* One datagram; how many bytes it has, 0: there is nothing to say. */
static size_t send_app(struct tvl_path *p, enum send_what what, struct batch *batch)
{
    const size_t room = datagram_room(p, batch->cap);
    struct tvl_conn *conn = p->conn;
    struct tvl_builder b;

    if (!tvl_builder_begin(&b, p, TVL_LEVEL_APP, batch->bytes, room))
        return 0;
    b.later = &batch->unmasked;
    b.trigger = what == SEND_DATA ? NULL : bound_by(p);
    write_acks(&b);
    write_challenges(&b);
    if (p->app.probes > 0) {
        tvl_recovery_oldest(&p->app.sent, 2, tvl_control_again, conn);
        conn->control_idle = false; /* frames of them may be wanted again */
    }
    if (tvl_copies_due(p))
        tvl_copies_write(&b);
    if (tvl_repair_due(p))
        tvl_repair_write(&b);
    const uint32_t first = b.list.count;
    if (what != SEND_BOUND || (p->app.probes > 0 && !tvl_path_has_peer(p))) {
        tvl_control_write(conn, &b);
        (void)write_crypto(&b);
        const uint64_t dgrams_before = conn->dgrams.sent;
        write_datagrams(&b, room);
        b.w.lends = true;
        const uint32_t n = tvl_streams_write_from(
            &conn->streams, what == SEND_BOUND ? NULL : &conn->send_from, p->id, &b.w, &b.list);
        b.w.lends = false;
        b.eliciting = b.eliciting || n > 0;
        b.leading = b.leading || n > 0;
        if (n > 0 || conn->dgrams.sent > dgrams_before)
            conn->data_at = conn->now;
    }
    write_probe(&b);
    if (p->ping_wanted)
        write_ping(&b);
    p->ping_wanted = false;
    if (b.full_size)
        tvl_builder_pad(&b, room < TVL_MTU_BASE ? room : TVL_MTU_BASE);
    const size_t len = tvl_builder_finish(&b);
    const struct tvl_sent_list left = { b.list.v + first, b.list.count - first, 0 };
    if (len > 0) {
        tvl_copies_ask(p, &left);
        tvl_repair_note(p, &left);
    }
    return len;
}

/* A datagram larger than any that is known to pass: PING and PADDING, whose loss costs nothing. */
static size_t send_mtu_probe(struct tvl_path *p, uint8_t *bytes)
{
    const uint32_t size = tvl_mtu_probe(&p->mtu, p->conn->now);
    const struct tvl_sent_frame rec = { .kind = TVL_SENT_MTU_PROBE, .id = p->id, .len = size };
    const tvl_time patience = 3 * (tvl_rtt_pto_base(&p->cc.rtt) + p->app.sent.max_ack_delay);
    struct tvl_builder b;

    if (size == 0 || !p->conn->confirmed || !tvl_path_is_trusted(p) ||
        tvl_path_cc_window_room(&p->cc) < size || tvl_path_allowance(p) < size ||
        !tvl_builder_begin(&b, p, TVL_LEVEL_APP, bytes, size))
        return 0;
    (void)tvl_builder_frame(&b, &(struct tvl_frame){ .type = TVL_FRAME_PING }, &rec);
    tvl_builder_pad(&b, size);
    b.packet.mtu_probe = true;
    b.trigger = "mtu_probe";
    const size_t len = tvl_builder_finish(&b);
    if (len > 0)
        tvl_mtu_sent(&p->mtu, size, p->conn->now, patience);
    return len;
}

/* Something must leave on this very path. */
static bool has_bound_work(const struct tvl_conn *conn, const struct tvl_path *p)
{
    if (!tvl_path_is_usable(p))
        return false;
    if (p->at.challenge.wanted || p->at.n_responses > 0 || p->ping_wanted || p->ack_owed ||
        p->app.probes > 0 || tvl_copies_due(p) || tvl_repair_due(p))
        return true;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (ack_is_due(conn, conn->path[i]) && ack_carrier(conn, conn->path[i]) == p)
            return true;
    return false;
}

bool tvl_conn_other_waits(const struct tvl_conn *conn)
{
    return tvl_dgrams_first(&conn->dgrams) || tvl_control_pending(conn) ||
           crypto_waits(&conn->crypto[TVL_LEVEL_APP]);
}

bool tvl_conn_data_waits(const struct tvl_conn *conn)
{
    return tvl_streams_has_data(&conn->streams) || tvl_conn_other_waits(conn);
}

static int leave(struct tvl_path *p, struct tvl_place *to, size_t len, struct tvl_datagram *dgram)
{
    if (len == 0)
        return 0;
    *dgram = (struct tvl_datagram){
        .local = to->local, .remote = to->remote, .len = len, .tag = to->tag
    };
    if (to == &p->at)
        dgram->ecn = p->cc.ecn.on;
    p->bytes_sent += len;
    p->conn->bytes_sent += len;
    if (!to->validated)
        to->unproved_out += len;
    return 1;
}

/* Questions and answers to where a path was, or may go. */
static int send_aside(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];
        struct tvl_place *pl = tvl_path_place_with_work(p);
        struct tvl_builder b;

        if (!pl)
            continue;
        const uint64_t allowance = tvl_path_allowance_of(p, pl);
        const size_t room = allowance < TVL_MTU_BASE ? (size_t)allowance : TVL_MTU_BASE;
        size_t len = 0;

        if (tvl_builder_begin_aside(&b, p, pl, bytes, room)) {
            write_challenges(&b);
            tvl_builder_pad(&b, room);
            b.trigger = "path_validation";
            len = tvl_builder_finish(&b);
        }
        pl->challenge.wanted = false; /* what cannot leave now is asked again in time */
        pl->n_responses = 0;
        if (leave(p, pl, len, dgram))
            return 1;
    }
    return 0;
}

/* What must leave on a path of its own, or the first of the data. Bytes written, 0: nothing. */
static size_t send_first(struct tvl_conn *conn, struct batch *batch, struct tvl_path **on)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];
        size_t len = 0;

        *on = p;
        if (has_bound_work(conn, p)) {
            const bool along = tvl_conn_data_waits(conn) && tvl_route_data(conn) == p;

            len = send_app(p, along ? SEND_ALONG : SEND_BOUND, batch);
        }
        if (len == 0)
            len = send_mtu_probe(p, batch->bytes);
        if (len > 0)
            return len;
    }
    if (!tvl_conn_data_waits(conn))
        tvl_reinject(conn);
    if (tvl_conn_data_waits(conn)) {
        *on = tvl_route_data(conn);
        return *on ? send_app(*on, SEND_DATA, batch) : 0;
    }
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]))
            tvl_path_cc_app_limited(&conn->path[i]->cc);
    return 0;
}

/* Nothing must leave elsewhere first, and a batch on `p` needs no count between its datagrams. */
static bool may_batch(const struct tvl_conn *conn, const struct tvl_path *p)
{
    for (size_t i = 0; i < conn->n_paths; i++)
        if (conn->path[i] != p && has_bound_work(conn, conn->path[i]))
            return false;
    return tvl_path_allowance(p) == UINT64_MAX;
}

/*
 * More data goes the same way. The scheduler's answer holds for what the path carries in a quarter
 * of a millisecond: one datagram on a slow path, many on a fast one.
 */
static bool goes_on(struct tvl_conn *conn, struct tvl_path *p, struct batch *batch)
{
    if (!tvl_conn_data_waits(conn))
        return false;
    if (batch->run < batch->cap) {
        if (tvl_route_data(conn) != p)
            return false;
        batch->run = batch->cap + tvl_path_cc_rate_bps(&p->cc) / 8 / 4000;
    } else if (tvl_path_cc_room(&p->cc, conn->now) == 0) {
        return false;
    }
    batch->run -= batch->cap;
    return true;
}

/* Datagrams of one size to one place: full ones as long as they go the same way, then a shorter. */
static int send_data(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes, size_t cap)
{
    struct tvl_path *p = NULL;
    struct batch batch;

    batch.bytes = bytes;
    batch.cap = SIZE_MAX;
    batch.run = batch.unmasked.n = 0;
    conn->control_idle = false;
    tvl_copies_review(conn);
    tvl_repair_prepare(conn);
    const size_t segment = send_first(conn, &batch, &p);
    size_t at = segment, last = segment;
    int count = segment > 0;

    batch.cap = segment;
    if (segment >= TVL_MTU && segment <= p->mtu.current && may_batch(conn, p))
        while (last == segment && at + segment <= cap && count < TVL_MASKS_MAX &&
               goes_on(conn, p, &batch)) {
            batch.bytes = bytes + at;
            last = send_app(p, SEND_DATA, &batch);
            at += last;
            count += last > 0;
        }
    if (count == 0 || !protect_headers(conn, &batch.unmasked))
        return 0;
    (void)leave(p, &p->at, at, dgram);
    dgram->segment = segment;
    return count;
}

int tvl_conn_send(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes, size_t cap,
                  tvl_time now)
{
    int n = 0;

    conn->now = now;
    for (size_t i = 0; i < conn->n_paths; i++)
        tvl_ecn_latch(&conn->path[i]->cc.ecn);
    tvl_keyphase_check(conn);
    if (!tvl_conn_alive(conn))
        n = tvl_close_send(conn, dgram, bytes);
    else if (!conn->confirmed)
        n = leave(conn->path[0], &conn->path[0]->at, send_handshake(conn, bytes), dgram);
    if (n == 0 && tvl_conn_alive(conn) && tvl_handshake_is_done(conn))
        n = send_aside(conn, dgram, bytes);
    if (n > 0)
        dgram->segment = dgram->len;
    else if (tvl_conn_alive(conn) && tvl_handshake_is_done(conn))
        n = send_data(conn, dgram, bytes, cap < TVL_BATCH_MAX ? cap : TVL_BATCH_MAX);
    conn->tried = n == 0;
    return n;
}
