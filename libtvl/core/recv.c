/*
 * recv.c - a datagram into packets, packets into frames, each frame to its owner. Mirror of send.c.
 *
 * Until a packet is authenticated nothing in it changes anything; from then on every violation ends
 * the connection with the code RFC 9000 gives it.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "endpoint.h"
#include "mpath.h"
#include "trace.h"

#define TVL_RUN_MAX 64 /* datagrams looked at together; the kernel joins no more */

struct incoming { /* one packet being taken */
    struct tvl_conn *conn;
    const struct tvl_datagram *dgram;
    enum tvl_level level;
    struct tvl_path *path;
    struct tvl_space *space;
    uint8_t *bytes;
    const uint8_t *mask; /* header protection, if it was made beforehand */
    uint32_t id;         /* of the path, which may not exist yet */
    bool id_known;
    uint64_t pn;
    enum tvl_phase phase; /* of a 1-RTT packet */
    bool eliciting, non_probing;
    struct tvl_packet head; /* last: not copied from what is known of a run */
};

/* ---- acknowledgements ---- */

static int on_ack(struct incoming *in, uint64_t type, const struct tvl_frame_ack *ack)
{
    struct tvl_conn *conn = in->conn;
    struct tvl_pn_range range[TVL_ACK_RANGES_MAX];
    struct tvl_path *path = conn->path[0];
    struct tvl_space *space = in->space;
    struct tvl_recovery_result result;

    if (in->level == TVL_LEVEL_APP) {
        path = tvl_path_find(conn, ack->path_id);
        if (!path) /* never there: nothing was sent on it; or gone: the draft's 4 ignores it */
            return tvl_path_ids_used(&conn->path_ids, ack->path_id) ? 0
                                                                    : -TVL_WIRE_PROTOCOL_VIOLATION;
        if (path->state == TVL_PATH_ABANDONED)
            return 0; /* all of it was taken for lost */
        space = &path->app;
    }
    for (uint32_t i = 0; i < ack->count; i++)
        range[i] = (struct tvl_pn_range){ ack->ranges[i].from, ack->ranges[i].to - 1 };
    const uint64_t exponent = in->level == TVL_LEVEL_APP ? conn->peer.ack_delay_exponent : 0;
    const uint64_t delay_max = UINT64_C(1) << 40; /* us; more would overflow, and is a lie */
    const struct tvl_recovery_ack a = {
        .range = range,
        .n_ranges = ack->count,
        .ack_delay = in->level == TVL_LEVEL_INITIAL         ? 0
                     : ack->delay > (delay_max >> exponent) ? delay_max
                                                            : ack->delay << exponent,
        .detour = path != in->path,
        .waited = in->dgram->waited,
        .has_ecn = type == TVL_FRAME_ACK_ECN || type == TVL_FRAME_PATH_ACK_ECN,
        .ecn = { .ect0 = ack->ect0, .ect1 = ack->ect1, .ce = ack->ce },
    };
    if (tvl_recovery_on_ack(&space->sent, &a, conn->now, &result) != 0)
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    tvl_control_acked_all(conn);
    if (in->level == TVL_LEVEL_APP) {
        const int error = tvl_keyphase_on_ack(conn, path, ack->largest, in->phase);
        if (error != 0)
            return error;
    }
    if (result.any) {
        if (in->level == TVL_LEVEL_HANDSHAKE || in->level == TVL_LEVEL_APP) {
            /* RFC 9002 6.2.2.1: the server has validated our address */
            conn->initial.sent.pto_when_idle = false;
            conn->handshake.sent.pto_when_idle = false;
        }
        if (in->level == TVL_LEVEL_APP) {
            tvl_path_on_acked(path, &result, conn->now);
            tvl_path_update_mtu(path, conn->now);
        }
        tvl_path_tell_ecn(path);
        tvl_trace_metrics(path);
    }
    return 0;
}

/* ---- frames ---- */

static int on_frame(struct incoming *in, const struct tvl_frame *f)
{
    struct tvl_conn *conn = in->conn;

    if (!tvl_frame_allowed(f->type, in->head.type))
        return -TVL_WIRE_PROTOCOL_VIOLATION;
    if (tvl_frame_multipath(f->type) && !conn->multipath)
        return -TVL_WIRE_FRAME_ENCODING_ERROR; /* as any unknown type, RFC 9000 12.4 */
    if (tvl_frame_of_repair(f->type) && !tvl_repair_agreed(conn, f->type))
        return -TVL_WIRE_FRAME_ENCODING_ERROR;
    in->eliciting = in->eliciting || tvl_frame_ack_eliciting(f->type);
    in->non_probing = in->non_probing || !tvl_frame_probing(f->type);
    if ((f->type >= TVL_FRAME_STREAM && f->type <= TVL_FRAME_STREAM_LAST) ||
        f->type == TVL_FRAME_DATAGRAM || f->type == TVL_FRAME_DATAGRAM_LEN)
        conn->data_at = conn->now;
    if (tvl_streams_owns_frame(f->type)) {
        const int r = tvl_streams_on_frame(&conn->streams, f);

        return r < 0 || !conn->repair_in.first ? r : tvl_repair_retry(conn, f);
    }
    if (tvl_frame_of_repair(f->type))
        return tvl_repair_on_frame(conn, f);
    if (tvl_mpath_owns_frame(f->type))
        return tvl_mpath_on_frame(conn, f);
    switch (f->type) {
    case TVL_FRAME_PADDING:
    case TVL_FRAME_PING:
        return 0;
    case TVL_FRAME_ACK:
    case TVL_FRAME_ACK_ECN:
    case TVL_FRAME_PATH_ACK:
    case TVL_FRAME_PATH_ACK_ECN:
        return on_ack(in, f->type, &f->ack);
    case TVL_FRAME_CRYPTO:
        return tvl_handshake_on_crypto(conn, in->level, f);
    case TVL_FRAME_CONNECTION_CLOSE:
    case TVL_FRAME_CONNECTION_CLOSE_APP:
        tvl_close_on_peer(conn, f);
        return 0;
    default:
        return tvl_control_on_frame(conn, in->path, f);
    }
}

static void on_payload(struct incoming *in, const uint8_t *payload, size_t len)
{
    struct tvl_rd rd = tvl_rd_over(payload, len);
    struct tvl_frame f; /* a kilobyte: parsing fills what its type has */
    int r = len == 0 ? -TVL_WIRE_PROTOCOL_VIOLATION : 0;

    f.type = TVL_FRAME_PADDING;
    while (r == 0 && tvl_rd_left(&rd) > 0 && tvl_conn_alive(in->conn)) {
        r = tvl_frame_parse(&f, &rd);
        if (r == 0)
            r = on_frame(in, &f);
    }
    if (r != 0)
        tvl_close_with(in->conn, (enum tvl_wire_error) - r, f.type, tvl_frame_name(f.type));
}

/* ---- one packet ---- */

static bool level_of(struct incoming *in)
{
    switch (in->head.type) {
    case TVL_PACKET_INITIAL:
        in->level = TVL_LEVEL_INITIAL;
        return true;
    case TVL_PACKET_HANDSHAKE:
        in->level = TVL_LEVEL_HANDSHAKE;
        return true;
    case TVL_PACKET_ONE_RTT:
        in->level = TVL_LEVEL_APP;
        return true;
    default:
        return false; /* 0-RTT is not accepted */
    }
}

/* The path whose packet number space this is; for a 1-RTT packet the connection ID says it. */
static bool path_of(struct incoming *in)
{
    struct tvl_conn *conn = in->conn;

    in->path = conn->path[0];
    if (in->level == TVL_LEVEL_APP) {
        if (!in->id_known && !tvl_endpoint_lookup(conn->ep, &in->head.dcid, conn, &in->id))
            return false;
        in->path = tvl_path_find(conn, in->id);
        if (in->path && in->path->waiting)
            return false; /* the client opens paths, nobody else (the draft's 3.1) */
    }
    in->space = in->path ? tvl_conn_space(conn, in->level, in->path) : NULL;
    return in->path || in->id <= conn->own_max_path_id;
}

static int decrypt(struct incoming *in, size_t *payload_at)
{
    struct tvl_conn *conn = in->conn;
    struct tvl_keys *keys = &conn->read[in->level];
    uint8_t mask[TVL_MASK_SIZE];
    int len;

    if (!in->mask && tvl_header_mask(keys, in->bytes + in->head.pn_offset + 4, mask) != 0)
        return TVL_ERR_PACKET;
    const struct tvl_packet_number n =
        tvl_packet_unmask(in->bytes, in->head.pn_offset, in->mask ? in->mask : mask);
    const uint64_t expected = in->space ? tvl_ack_largest_next(&in->space->received) : 0;

    in->pn = tvl_pn_decode(expected ? expected - 1 : TVL_PN_NONE, n.truncated, n.len);
    *payload_at = in->head.pn_offset + n.len;
    const struct tvl_sealed p = {
        .path_id = in->id,
        .pn = in->pn,
        .bit = tvl_packet_key_phase(in->bytes[0]),
        .header = in->bytes,
        .header_len = *payload_at,
        .len = in->head.len - *payload_at,
    };
    if (in->level == TVL_LEVEL_APP)
        len = tvl_keyphase_open(conn, in->path, &p, &in->phase);
    else
        len =
            tvl_open(keys, p.path_id, p.pn, p.header, p.header_len, p.header + p.header_len, p.len);
    if (len < 0) {
        if (++conn->open_failures >= tvl_keys_open_limit(keys))
            tvl_close_with(conn, TVL_WIRE_AEAD_LIMIT_REACHED, 0, "forged packets");
        return TVL_ERR_PACKET;
    }
    return len;
}

/* A 1-RTT packet may be the first of its path. */
static bool ensure_path(struct incoming *in)
{
    if (in->path)
        return true;
    in->path = tvl_path_accept(in->conn, in->id, in->dgram, &in->head.dcid, in->conn->now);
    in->space = in->path ? &in->path->app : NULL;
    return in->path != NULL;
}

/* What an authenticated packet proves, before its frames are read. */
static void note_arrival(struct incoming *in)
{
    struct tvl_conn *conn = in->conn;

    conn->idle_since = conn->now;
    conn->eliciting_since_rx = false;
    in->path->received_at = conn->now;
    in->path->packets_received++;
    tvl_health_hint(&in->path->health, conn->now);
    if (in->level == TVL_LEVEL_INITIAL && conn->side == TVL_CLIENT && conn->cids.n_remote == 0) {
        const struct tvl_new_cid first = { .cid = &in->head.scid };

        conn->remote_cid = in->head.scid;
        (void)tvl_cids_learn(&conn->cids, &first);
        (void)tvl_path_take_cid(conn->path[0], &conn->path[0]->at);
    }
    if (in->level == TVL_LEVEL_HANDSHAKE && conn->side == TVL_SERVER) {
        in->path->at.validated = true; /* RFC 9000 8.1 */
        if (tvl_keys_present(&conn->read[TVL_LEVEL_INITIAL]))
            tvl_handshake_discard(conn, TVL_LEVEL_INITIAL);
    }
}

/* Nothing in the packet counts; `trigger` is for the trace, in qlog's words. */
static int drop(const struct incoming *in, const char *trigger)
{
    in->conn->packets_dropped++;
    tvl_trace_dropped(in->conn, &in->head, trigger);
    return TVL_ERR_PACKET;
}

/* The keys for packets of the level are there, and the packets may be taken: RFC 9001 5.7. */
static bool readable(const struct tvl_conn *conn, enum tvl_level level)
{
    return tvl_keys_present(&conn->read[level]) &&
           (level != TVL_LEVEL_APP || tvl_handshake_is_done(conn));
}

/* It came before its keys: 0 when it is kept for them. */
static int hold(const struct incoming *in)
{
    struct tvl_conn *conn = in->conn;

    if (conn->state == TVL_CONN_HANDSHAKE && in->level != TVL_LEVEL_INITIAL &&
        tvl_held_keep(&conn->held, in->dgram, in->level, in->bytes, in->head.len)) {
        tvl_trace_buffered(conn, &in->head);
        return 0;
    }
    return drop(in, "key_unavailable");
}

static void trace_arrival(const struct incoming *in, const uint8_t *payload, size_t len)
{
    const struct tvl_trace_arrival a = {
        .path = in->path,
        .level = in->level,
        .pn = in->pn,
        .bytes = (uint32_t)in->head.len,
        .ecn = in->dgram->ecn,
        .payload = payload,
        .payload_len = len,
    };

    tvl_trace_received(in->conn, &a);
}

static int take_packet(struct incoming *in)
{
    struct tvl_conn *conn = in->conn;
    size_t payload_at;

    if (!tvl_packet_fixed(in->head.first) && !conn->own.grease_quic_bit) /* RFC 9287 3 */
        return drop(in, "invalid");
    if (!level_of(in))
        return drop(in, "unsupported");
    if (in->level == TVL_LEVEL_APP && !readable(conn, in->level))
        return hold(in);
    if (!path_of(in))
        return drop(in, "connection_unknown");
    if (in->head.type == TVL_PACKET_INITIAL && conn->side == TVL_CLIENT && in->head.token_len > 0)
        return drop(in, "invalid"); /* RFC 9000 17.2.2: a server sends no token */
    if (conn->side == TVL_CLIENT && in->path && !tvl_path_place(in->path, in->dgram))
        return drop(in, "rejected"); /* RFC 9000 9: a server does not move */
    /* RFC 9000 7.2: the peer's ID does not change during the handshake */
    if (in->head.type != TVL_PACKET_ONE_RTT && conn->cids.n_remote > 0 &&
        !tvl_cid_equal(&in->head.scid, &conn->remote_cid))
        return drop(in, "invalid");
    if (!readable(conn, in->level))
        return hold(in);
    const int len = decrypt(in, &payload_at);
    if (len < 0)
        return drop(in, "decryption_failure");
    if (!ensure_path(in))
        return drop(in, "rejected");
    if (tvl_ack_is_duplicate(&in->space->received, in->pn))
        return drop(in, "duplicate");
    note_arrival(in);
    trace_arrival(in, in->bytes + payload_at, (size_t)len);
    if (tvl_packet_reserved_set(in->bytes[0])) {
        tvl_close_with(conn, TVL_WIRE_PROTOCOL_VIOLATION, 0, "reserved bits");
        return 0;
    }
    if (in->level == TVL_LEVEL_APP) {
        const int error = tvl_keyphase_on_packet(conn, in->path, in->pn, in->phase);

        if (error != 0) {
            tvl_close_with(conn, (enum tvl_wire_error) - error, 0, "key update");
            return 0;
        }
    }
    const bool newest = in->pn >= tvl_ack_largest_next(&in->space->received);
    if (newest && in->level == TVL_LEVEL_APP)
        tvl_spin_heard(&in->path->spin, conn->side == TVL_SERVER, tvl_packet_spin(in->bytes[0]));
    on_payload(in, in->bytes + payload_at, (size_t)len);
    /* keys of this level may just have been discarded: then there is nothing to acknowledge */
    if (tvl_keys_present(&conn->read[in->level])) {
        const struct tvl_ack_packet p = { .pn = in->pn,
                                          .ack_eliciting = in->eliciting,
                                          .ecn = in->dgram->ecn,
                                          .waited = in->dgram->waited };
        tvl_ack_received(&in->space->received, &p, conn->now);
    }
    if (newest && in->non_probing && in->level == TVL_LEVEL_APP && tvl_conn_alive(conn))
        tvl_path_on_leading(in->path, in->dgram, &in->head.dcid, conn->now);
    return 0;
}

/* ---- a datagram ---- */

static void after_packets(struct tvl_conn *conn)
{
    if (conn->discard_handshake) {
        conn->discard_handshake = false;
        tvl_handshake_discard(conn, TVL_LEVEL_INITIAL);
        tvl_handshake_discard(conn, TVL_LEVEL_HANDSHAKE);
    }
    if (conn->cids_due && tvl_conn_alive(conn) && tvl_handshake_is_done(conn))
        tvl_control_issue_cids(conn);
}

static bool lists_version(const struct tvl_packet *p, uint32_t version)
{
    for (size_t i = 0; i < p->versions_count; i++) {
        const uint8_t *v = p->versions + 4 * i;

        if (((uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]) == version)
            return true;
    }
    return false;
}

static void on_version_negotiation(struct tvl_conn *conn, const struct tvl_packet *p)
{
    if (conn->side != TVL_CLIENT || conn->state != TVL_CONN_HANDSHAKE || conn->cids.n_remote > 0 ||
        !tvl_cid_equal(&p->scid, &conn->remote_cid))
        return;
    if (lists_version(p, conn->version ? conn->version : TVL_VERSION_1))
        return; /* RFC 9000 6.2: it offers what we asked for, so this is not about us */
    tvl_trace_unnumbered(conn, p);
    tvl_trace_heeded(conn, p);
    if (conn->version != 0 && lists_version(p, TVL_VERSION_1)) {
        conn->version = 0;
        (void)tvl_recovery_take_all(&conn->initial.sent, conn->now, "version_negotiation");
        return;
    }
    tvl_close_silent(conn, TVL_CLOSED_PEER, "the server does not speak QUIC version 1");
}

static void credit_bytes(struct tvl_conn *conn, const struct tvl_datagram *dgram)
{
    conn->bytes_received += dgram->len;
    conn->dgram_counted = false;
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];
        struct tvl_place *pl = tvl_path_place(p, dgram);

        if (!pl)
            continue;
        p->bytes_received += dgram->len;
        pl->unproved_in += tvl_path_count_once(conn, dgram);
        return;
    }
}

/* One datagram; `run`: what is known of it beforehand. 0, or TVL_ERR_PACKET: nothing in it was
 * ours.
 */
static int take_datagram(struct tvl_conn *conn, const struct tvl_datagram *dgram, uint8_t *bytes,
                         const struct incoming *run)
{
    const size_t cid_len = tvl_endpoint_ids(conn->ep)->len;
    struct tvl_cid first = { .len = 0 };
    size_t at = 0;
    int any = TVL_ERR_PACKET;

    conn->dgram = dgram;
    while (at < dgram->len && tvl_conn_alive(conn)) {
        struct incoming in;

        memcpy(&in, run, offsetof(struct incoming, head));
        in.bytes = bytes + at;
        if (tvl_packet_parse(&in.head, in.bytes, dgram->len - at, cid_len) != 0)
            break;
        if (at == 0)
            first = in.head.dcid;
        conn->dcid = in.head.dcid;
        if (in.head.type == TVL_PACKET_RETRY)
            tvl_handshake_on_retry(conn, &in.head, in.bytes);
        else if (in.head.type == TVL_PACKET_VERSION_NEGOTIATION)
            on_version_negotiation(conn, &in.head);
        else if (!tvl_cid_equal(&first, &in.head.dcid))
            (void)drop(&in, "invalid");
        else if (take_packet(&in) == 0)
            any = 0;
        at += in.head.len;
    }
    if (any != 0)
        (void)tvl_conn_take_reset(conn, dgram, bytes, conn->now);
    if (!tvl_conn_alive(conn))
        tvl_close_on_packet(conn);
    return any;
}

/* What was kept for keys that have come since; with the handshake all that is left goes. */
static void take_held(struct tvl_conn *conn)
{
    for (enum tvl_level level = TVL_LEVEL_HANDSHAKE; level <= TVL_LEVEL_APP; level++) {
        struct tvl_held_packet *h;

        while (tvl_conn_alive(conn) && readable(conn, level) &&
               (h = tvl_held_take(&conn->held, level)) != NULL) {
            struct incoming in = { .conn = conn, .dgram = &h->dgram, .bytes = h->bytes };

            conn->dgram = &h->dgram;
            conn->dgram_counted = true; /* when it came */
            if (tvl_packet_parse(&in.head, in.bytes, h->dgram.len,
                                 tvl_endpoint_ids(conn->ep)->len) == 0) {
                conn->dcid = in.head.dcid;
                (void)take_packet(&in);
            }
            free(h);
        }
    }
    if (conn->state != TVL_CONN_HANDSHAKE)
        tvl_held_fini(&conn->held);
}

struct run { /* datagrams of one short-header packet each, all to one of our IDs */
    size_t n;
    uint8_t mask[TVL_RUN_MAX][TVL_SAMPLE_SIZE];
    uint32_t path_id;
};

/* A run at the front of `bytes`: one look-up and one call of the cipher for all. n 0: there is
 * none.
 */
static void find_run(struct tvl_conn *conn, const struct tvl_datagram *dgram, const uint8_t *bytes,
                     struct run *run)
{
    const size_t cid_len = tvl_endpoint_ids(conn->ep)->len;
    const size_t sample_at = 1 + cid_len + 4;
    struct tvl_keys *keys = &conn->read[TVL_LEVEL_APP];
    size_t n = 0;

    run->n = 0;
    if (dgram->segment >= dgram->len || !tvl_keys_present(keys))
        return;
    for (size_t at = 0; at < dgram->len && n < TVL_RUN_MAX; at += dgram->segment) {
        const uint8_t *b = bytes + at;

        if (tvl_packet_is_long(b[0]) || dgram->len - at < sample_at + TVL_SAMPLE_SIZE ||
            memcmp(b + 1, bytes + 1, cid_len) != 0)
            break;
        memcpy(run->mask[n++], b + sample_at, TVL_SAMPLE_SIZE);
    }
    const struct tvl_cid cid = tvl_cid_from(bytes + 1, n > 0 ? cid_len : 0);
    if (n > 1 && tvl_endpoint_lookup(conn->ep, &cid, conn, &run->path_id) &&
        tvl_header_masks(keys, run->mask, n) == 0)
        run->n = n;
}

int tvl_conn_recv(struct tvl_conn *conn, const struct tvl_datagram *dgram, uint8_t *bytes,
                  tvl_time now, size_t *taken)
{
    struct tvl_datagram part = *dgram;
    struct incoming in;
    struct run run;
    size_t at = 0, ours = 0, i = 0;

    memset(&in, 0, offsetof(struct incoming, head));
    in.conn = conn;
    in.dgram = &part;
    find_run(conn, dgram, bytes, &run);
    conn->now = now;
    part.len = 0;
    do {
        in.id_known = i < run.n;
        in.id = in.id_known ? run.path_id : 0;
        in.mask = in.id_known ? run.mask[i] : NULL;
        part.len = dgram->len - at < dgram->segment ? dgram->len - at : dgram->segment;
        credit_bytes(conn, &part);
        ours += take_datagram(conn, &part, bytes + at, &in) == 0;
        if (conn->held.n > 0)
            take_held(conn);
        at += part.len;
    } while (++i < run.n);
    *taken = at;
    after_packets(conn);
    return ours > 0 ? (int)ours : TVL_ERR_PACKET;
}
