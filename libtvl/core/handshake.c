/*
 * handshake.c - TLS on one side, CRYPTO frames and keys on the other: RFC 9001 4, transport
 * parameters (RFC 9000 7.4), connection ID authentication (7.3), Retry (17.2.5).
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "conn.h"
#include "endpoint.h"
#include "trace.h"

/* ---- transport parameters ---- */

static void offer_preferred(struct tvl_conn *conn)
{
    const struct tvl_config *cfg = conn->cfg;
    struct tvl_preferred_address *a = &conn->own.preferred_address;
    struct tvl_local_cid *c;

    if (cfg->preferred_ipv4.sin_port == 0 && cfg->preferred_ipv6.sin6_port == 0)
        return;
    c = tvl_control_issue_cid(conn, 0);
    if (!c)
        return;
    c->issue = TVL_NOTE_NONE; /* the parameter tells the peer of it */
    a->ipv4_port = ntohs(cfg->preferred_ipv4.sin_port);
    memcpy(a->ipv4, &cfg->preferred_ipv4.sin_addr, sizeof a->ipv4);
    a->ipv6_port = ntohs(cfg->preferred_ipv6.sin6_port);
    memcpy(a->ipv6, &cfg->preferred_ipv6.sin6_addr, sizeof a->ipv6);
    a->cid = c->cid;
    memcpy(a->reset_token, c->token, sizeof a->reset_token);
    conn->own.has_preferred_address = true;
}

static void fill_params(struct tvl_conn *conn)
{
    const struct tvl_config *cfg = conn->cfg;
    struct tvl_params *p = &conn->own;

    tvl_params_init(p);
    p->has_initial_scid = true;
    p->initial_scid = conn->local_scid;
    p->max_idle_timeout_ms = cfg->idle_timeout / 1000;
    p->max_udp_payload_size = TVL_DATAGRAM_MAX;
    p->max_ack_delay_ms = TVL_ACK_DELAY_MAX / 1000;
    p->active_connection_id_limit = TVL_REMOTE_PER_PATH_MAX;
    p->max_datagram_frame_size = cfg->datagram_max;
    p->max_repair_span = cfg->repair_span;
    p->grease_quic_bit = !cfg->no_grease;
    if (cfg->max_path_id != UINT32_MAX) {
        p->has_initial_max_path_id = true;
        p->initial_max_path_id = cfg->max_path_id;
    }
    tvl_streams_fill_params(&conn->streams, p);
    if (conn->side == TVL_SERVER) {
        p->has_original_dcid = true;
        p->original_dcid = conn->original_dcid;
        p->has_reset_token = true;
        memcpy(p->reset_token, conn->cids.local[0].token, TVL_RESET_TOKEN_SIZE);
        p->has_retry_scid = conn->retried;
        p->retry_scid = conn->retry_scid;
        offer_preferred(conn);
    }
}

static int encode_params(struct tvl_conn *conn, uint8_t *out, size_t cap, size_t *len)
{
    struct tvl_wr w = tvl_wr_over(out, cap);
    uint64_t random[3];

    fill_params(conn);
    if (tvl_params_encode(&w, &conn->own) != 0)
        return TVL_ERR_FULL;
    tvl_rng_bytes(tvl_endpoint_rng(conn->ep), (uint8_t *)random, sizeof random);
    if (!conn->cfg->no_grease && tvl_params_grease(&w, random) != 0)
        return TVL_ERR_FULL;
    *len = (size_t)(w.p - out);
    return 0;
}

/* RFC 9000 7.3: what the peer says of the IDs must be what was seen. */
static bool ids_match(const struct tvl_conn *conn, const struct tvl_params *peer)
{
    if (!peer->has_initial_scid || !tvl_cid_equal(&peer->initial_scid, &conn->remote_cid))
        return false;
    if (conn->side == TVL_SERVER)
        return true;
    if (peer->has_preferred_address && conn->remote_cid.len == 0) /* 18.2 */
        return false;
    return peer->has_original_dcid && tvl_cid_equal(&peer->original_dcid, &conn->original_dcid) &&
           peer->has_retry_scid == conn->retried &&
           (!conn->retried || tvl_cid_equal(&peer->retry_scid, &conn->retry_scid));
}

static tvl_time smaller_idle(tvl_time own, uint64_t peer_ms)
{
    const tvl_time peer = peer_ms > UINT64_MAX / 1000 ? UINT64_MAX : peer_ms * 1000;

    return peer != 0 && peer < own ? peer : own;
}

/* Its connection ID is number 1 of path 0 (RFC 9000 5.1.1), whatever becomes of the address. */
static bool learn_preferred(struct tvl_conn *conn)
{
    const struct tvl_preferred_address *a = &conn->peer.preferred_address;
    const struct tvl_new_cid n = { .seq = 1, .cid = &a->cid, .token = a->reset_token };

    return conn->remote_cid.len > 0 && tvl_cids_learn(&conn->cids, &n) == 0;
}

static int on_peer_params(void *user, const uint8_t *bytes, size_t len)
{
    struct tvl_conn *conn = user;
    const enum tvl_side sender = conn->side == TVL_SERVER ? TVL_CLIENT : TVL_SERVER;
    struct tvl_params *peer = &conn->peer;

    if (tvl_params_decode(peer, bytes, len, sender) != 0 || !ids_match(conn, peer)) {
        tvl_close_with(conn, TVL_WIRE_TRANSPORT_PARAMETER_ERROR, TVL_FRAME_CRYPTO,
                       "transport parameters");
        return TVL_ERR_PEER;
    }
    if (peer->has_reset_token)
        tvl_cids_set_token(&conn->cids, peer->reset_token);
    if (peer->has_preferred_address && !learn_preferred(conn)) {
        tvl_close_with(conn, TVL_WIRE_TRANSPORT_PARAMETER_ERROR, TVL_FRAME_CRYPTO,
                       "preferred address");
        return TVL_ERR_PEER;
    }
    conn->have_peer_params = true;
    conn->idle_timeout = smaller_idle(conn->cfg->idle_timeout, peer->max_idle_timeout_ms);
    conn->multipath = conn->own.has_initial_max_path_id && peer->has_initial_max_path_id;
    if (conn->multipath && conn->remote_cid.len == 0) {
        tvl_close_with(conn, TVL_WIRE_PROTOCOL_VIOLATION, TVL_FRAME_CRYPTO,
                       "multipath without connection IDs");
        return TVL_ERR_PEER;
    }
    conn->peer_max_path_id = conn->multipath ? peer->initial_max_path_id : 0;
    conn->own_max_path_id = conn->multipath ? conn->own.initial_max_path_id : 0;
    conn->path[0]->app.sent.max_ack_delay = peer->max_ack_delay_ms * 1000;
    tvl_streams_set_peer(&conn->streams, peer);
    tvl_trace_params(conn, false);
    return 0;
}

/* ---- the other callbacks of TLS ---- */

static int on_crypto_out(void *user, enum tvl_level level, const uint8_t *bytes, size_t len)
{
    struct tvl_conn *conn = user;
    const int64_t n = tvl_sendbuf_append(&conn->crypto[level].out, bytes, len);

    return n == (int64_t)len ? 0 : TVL_ERR_NOMEM;
}

static int on_secret(void *user, enum tvl_level level, enum tvl_secret_use use, uint16_t suite,
                     const uint8_t *secret, size_t len)
{
    struct tvl_conn *conn = user;
    struct tvl_keys *k = use == TVL_SECRET_READ ? &conn->read[level] : &conn->write[level];

    tvl_keys_fini(k);
    const int r = tvl_keys_from_secret(k, suite, secret, len);
    if (r == 0 && use == TVL_SECRET_WRITE)
        tvl_trace_key(conn, TVL_TRACE_KEY_UPDATED, level, "tls");
    if (r != 0 || level != TVL_LEVEL_APP || use != TVL_SECRET_READ)
        return r;
    return tvl_keyphase_init(&conn->phase, k);
}

static void on_alert(void *user, uint8_t alert)
{
    (void)user; /* told by the result of feed, when why is known too */
    (void)alert;
}

void tvl_handshake_keep(struct tvl_conn *conn, enum tvl_session_part part, const uint8_t *bytes,
                        size_t len)
{
    if (!conn->cfg->no_resumption)
        tvl_sessions_put(tvl_endpoint_sessions(conn->ep), conn->server_name, part, bytes, len);
}

static void on_ticket(void *user, const uint8_t *bytes, size_t len)
{
    tvl_handshake_keep(user, TVL_SESSION_TICKET, bytes, len);
}

static const struct tvl_tls_callbacks tls_callbacks = {
    .crypto_out = on_crypto_out,
    .secret = on_secret,
    .peer_params = on_peer_params,
    .alert = on_alert,
    .ticket = on_ticket,
};

/* ---- begin ---- */

/* To be shown in every Initial packet. Without memory: none, which costs a round trip at most. */
static bool set_token(struct tvl_conn *conn, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = len ? malloc(len) : NULL;

    if (len && !copy)
        return false;
    if (len)
        memcpy(copy, bytes, len);
    free(conn->token);
    conn->token = copy;
    conn->token_len = len;
    return true;
}

/* Client: what an earlier connection left behind, each used at most once. */
static void use_session(struct tvl_conn *conn)
{
    struct tvl_sessions *known = tvl_endpoint_sessions(conn->ep);
    uint8_t ticket[TVL_SESSION_TICKET_MAX], token[TVL_TOKEN_MAX];
    size_t len;

    if (conn->cfg->no_resumption)
        return;
    len = tvl_sessions_take(known, conn->server_name, TVL_SESSION_TOKEN, token, sizeof token);
    (void)set_token(conn, token, len);
    len = tvl_sessions_take(known, conn->server_name, TVL_SESSION_TICKET, ticket, sizeof ticket);
    if (len > 0)
        (void)tvl_tls_conn_resume(conn->tls, ticket, len); /* or in full, if it is no good */
    OPENSSL_cleanse(ticket, len);
}

int tvl_handshake_begin(struct tvl_conn *conn, const char *server_name)
{
    uint8_t params[TVL_PARAMS_SIZE_MAX];
    size_t len;
    int r = encode_params(conn, params, sizeof params, &len);

    if (r == 0)
        tvl_trace_params(conn, true);
    if (r == 0)
        r = tvl_tls_conn_new(&conn->tls, conn->cfg->tls, server_name, params, len, &tls_callbacks,
                             conn);
    if (r == 0 && server_name) {
        conn->server_name = strdup(server_name);
        if (!conn->server_name)
            return TVL_ERR_NOMEM;
        use_session(conn);
    }
    return r == 0 ? tvl_tls_conn_start(conn->tls) : r;
}

/* ---- progress ---- */

bool tvl_handshake_is_done(const struct tvl_conn *conn)
{
    return conn->state == TVL_CONN_OPEN;
}

static void complete(struct tvl_conn *conn)
{
    struct tvl_path *p = conn->path[0];

    conn->state = TVL_CONN_OPEN;
    conn->handshake_time = conn->now - conn->began_at;
    p->at.validated = true; /* the server has seen Handshake packets, the client the certificate */
    tvl_conn_event(conn, &(struct tvl_event){ .type = TVL_EVENT_CONNECTED });
    tvl_path_limit_mtu(p);
    tvl_path_set_state(p, TVL_PATH_UP, "handshake_complete");
    if (conn->side == TVL_SERVER) {
        conn->done_wanted = conn->token_wanted = true;
        tvl_handshake_confirm(conn);
    }
    tvl_control_issue_cids(conn);
}

void tvl_handshake_discard(struct tvl_conn *conn, enum tvl_level level)
{
    struct tvl_space *s = level == TVL_LEVEL_INITIAL ? &conn->initial : &conn->handshake;

    if (tvl_keys_present(&conn->write[level]))
        tvl_trace_key(conn, TVL_TRACE_KEY_DISCARDED, level, "tls");
    tvl_keys_fini(&conn->read[level]);
    tvl_keys_fini(&conn->write[level]);
    tvl_recovery_discard(&s->sent);
    tvl_ack_init(&s->received, TVL_ACK_AT_ONCE);
    s->probes = 0;
    if (level == TVL_LEVEL_INITIAL)
        (void)set_token(conn, NULL, 0);
    tvl_sendbuf_fini(&conn->crypto[level].out);
    tvl_recvbuf_fini(&conn->crypto[level].in);
}

void tvl_handshake_confirm(struct tvl_conn *conn)
{
    if (conn->confirmed)
        return;
    conn->confirmed = true;
    conn->discard_handshake = true; /* not under the feet of the packet being read */
    conn->path[0]->app.sent.pto_off = false;
    conn->initial.sent.pto_when_idle = false;
    conn->handshake.sent.pto_when_idle = false;
    if (conn->side == TVL_SERVER)
        tvl_endpoint_unmap(conn->ep, &conn->first_dcid);
    else {
        tvl_path_prefer(conn, conn->now);
        tvl_path_open_waiting(conn, conn->now);
    }
}

static void fail(struct tvl_conn *conn, int r)
{
    if (conn->last.set)
        return; /* a callback knew better */
    if (r == TVL_ERR_TLS)
        tvl_close_tls(conn, (uint8_t)tvl_tls_conn_alert(conn->tls), tvl_tls_conn_why(conn->tls));
    else if (r == TVL_ERR_PEER)
        tvl_close_with(conn, TVL_WIRE_PROTOCOL_VIOLATION, TVL_FRAME_CRYPTO,
                       tvl_tls_conn_why(conn->tls));
    else
        tvl_close_with(conn, TVL_WIRE_INTERNAL_ERROR, TVL_FRAME_CRYPTO, tvl_strerror(r));
}

int tvl_handshake_on_crypto(struct tvl_conn *conn, enum tvl_level level, const struct tvl_frame *f)
{
    struct tvl_recvbuf *in = &conn->crypto[level].in;
    const int64_t taken = tvl_recvbuf_take(in, f->crypto.offset, f->crypto.bytes, f->crypto.len,
                                           in->base + TVL_CRYPTO_WINDOW);
    const uint8_t *bytes;
    size_t len;

    if (taken < 0)
        return taken == -TVL_WIRE_FLOW_CONTROL_ERROR ? -TVL_WIRE_CRYPTO_BUFFER_EXCEEDED
                                                     : (int)taken;
    while ((bytes = tvl_recvbuf_peek(in, &len)) != NULL && len > 0) {
        const int r = tvl_tls_conn_feed(conn->tls, level, bytes, len);

        tvl_recvbuf_skip(in, len);
        if (r != 0) {
            fail(conn, r);
            return 0; /* the last words are chosen */
        }
    }
    if (conn->state == TVL_CONN_HANDSHAKE && tvl_tls_conn_done(conn->tls))
        complete(conn);
    return 0;
}

/* ---- Retry ---- */

void tvl_handshake_on_retry(struct tvl_conn *conn, const struct tvl_packet *p, const uint8_t *bytes)
{
    uint8_t tag[TVL_TAG_SIZE];
    struct tvl_keys client = { .suite = 0 }, server = { .suite = 0 };

    if (conn->side != TVL_CLIENT || conn->retried || conn->have_peer_params ||
        tvl_ack_largest_next(&conn->initial.received) > 0 || p->token_len == 0 ||
        p->token_len > TVL_TOKEN_MAX || p->len < TVL_TAG_SIZE ||
        tvl_cid_equal(&p->scid, &conn->remote_cid) ||
        tvl_retry_tag(tag, conn->original_dcid.b, conn->original_dcid.len, bytes,
                      p->len - TVL_TAG_SIZE) != 0 ||
        !tvl_same(tag, p->retry_tag, TVL_TAG_SIZE) ||
        tvl_keys_initial(&client, &server, p->scid.b, p->scid.len) != 0)
        return;
    if (!set_token(conn, p->token, p->token_len)) {
        tvl_keys_fini(&client);
        tvl_keys_fini(&server);
        return;
    }
    tvl_keys_fini(&conn->write[TVL_LEVEL_INITIAL]);
    tvl_keys_fini(&conn->read[TVL_LEVEL_INITIAL]);
    conn->write[TVL_LEVEL_INITIAL] = client;
    conn->read[TVL_LEVEL_INITIAL] = server;
    conn->retried = true;
    tvl_trace_heeded(conn, p);
    tvl_trace_unnumbered(conn, p);
    conn->retry_scid = conn->remote_cid = p->scid;
    (void)tvl_recovery_take_all(&conn->initial.sent, conn->now, "retry");
}
