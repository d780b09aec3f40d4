/* puppet.c - a hostile QUIC peer with real keys. Contract in puppet.h. */
#include "puppet.h"

#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "script.h"

#define START 1000000   /* us */
#define CHUNK 1000      /* bytes of one CRYPTO frame */
#define STEPS_MAX 20000 /* timers in one wait */

/* ---- addresses ---- */

static struct sockaddr_storage address(uint32_t host, uint16_t port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_storage ss;

    sin.sin_addr.s_addr = htonl(host);
    memset(&ss, 0, sizeof ss);
    memcpy(&ss, &sin, sizeof sin);
    return ss;
}

#define PUPPET_HOST 0x0a000001u /* 10.0.LINK.1 */
#define VICTIM_HOST 0x0a090909u

/* ---- the puppet's TLS ---- */

static int on_crypto_out(void *user, enum tvl_level level, const uint8_t *bytes, size_t len)
{
    struct puppet *p = user;
    uint8_t *at;

    if (!p->out[level])
        p->out[level] = malloc(PUPPET_FLIGHT);
    if (!p->out[level] || p->out_len[level] + len > PUPPET_FLIGHT)
        return TVL_ERR_NOMEM;
    at = p->out[level] + p->out_len[level];
    memcpy(at, bytes, len);
    if (p->o.edit)
        len = p->o.edit(level, at, len, PUPPET_FLIGHT - p->out_len[level]);
    p->out_len[level] += len;
    return 0;
}

static int on_secret(void *user, enum tvl_level level, enum tvl_secret_use use, uint16_t suite,
                     const uint8_t *secret, size_t len)
{
    struct puppet *p = user;
    struct tvl_keys *k = use == TVL_SECRET_READ ? &p->read[level] : &p->write[level];

    tvl_keys_fini(k);
    return tvl_keys_from_secret(k, suite, secret, len);
}

static int on_peer_params(void *user, const uint8_t *bytes, size_t len)
{
    struct puppet *p = user;

    (void)tvl_params_decode(&p->victim_params, bytes, len,
                            p->o.plays == TVL_CLIENT ? TVL_SERVER : TVL_CLIENT);
    return 0;
}

static void on_alert(void *user, uint8_t alert)
{
    (void)user, (void)alert;
}

static int begin_tls(struct puppet *p)
{
    static const struct tvl_tls_callbacks callbacks = {
        .crypto_out = on_crypto_out,
        .secret = on_secret,
        .peer_params = on_peer_params,
        .alert = on_alert,
    };
    uint8_t params[TVL_TLS_PARAMS_MAX];
    const size_t len = script_params(p, params, sizeof params);
    int r = tvl_tls_conn_new(&p->tls, p->o.own_tls, p->o.plays == TVL_CLIENT ? "localhost" : NULL,
                             params, len, &callbacks, p);

    return r == 0 ? tvl_tls_conn_start(p->tls) : r;
}

static int initial_keys(struct puppet *p, const struct tvl_cid *dcid)
{
    const bool client = p->o.plays == TVL_CLIENT;

    tvl_keys_fini(&p->read[TVL_LEVEL_INITIAL]);
    tvl_keys_fini(&p->write[TVL_LEVEL_INITIAL]);
    return tvl_keys_initial(client ? &p->write[TVL_LEVEL_INITIAL] : &p->read[TVL_LEVEL_INITIAL],
                            client ? &p->read[TVL_LEVEL_INITIAL] : &p->write[TVL_LEVEL_INITIAL],
                            dcid->b, dcid->len);
}

/* ---- life ---- */

static struct tvl_cid letters(uint8_t letter, uint8_t len)
{
    struct tvl_cid cid = { .len = len };

    memset(cid.b, letter, len);
    return cid;
}

static int make_victim(struct puppet *p)
{
    struct tvl_config cfg;

    tvl_config_init(&cfg);
    cfg.tls = p->o.victim_tls;
    cfg.seed[0] = 11;
    cfg.streams_bidi = cfg.streams_uni = 4;
    cfg.stream_window = 16u << 10;
    cfg.conn_window = 64u << 10;
    cfg.max_path_id = p->o.victim_multipath ? 3 : UINT32_MAX;
    cfg.no_grease = p->o.victim_no_grease;
    cfg.keepalive = p->o.keepalive;
    cfg.datagram_max = p->o.datagram_max;
    cfg.repair_span = p->o.repair_span;
    cfg.retry = p->o.victim_retries ? TVL_RETRY_ALWAYS : TVL_RETRY_NEVER;
    return tvl_endpoint_new(&p->victim, &cfg);
}

int puppet_init(struct puppet *p, const struct puppet_options *o)
{
    int r;

    memset(p, 0, sizeof *p);
    p->o = *o;
    p->now = START;
    p->mute = o->mute;
    p->initial.largest = p->handshake.largest = TVL_PN_NONE;
    for (size_t i = 0; i < PUPPET_PATHS; i++)
        p->app[i].largest = TVL_PN_NONE;
    for (size_t i = 0; i < TVL_LEVELS; i++)
        tvl_recvbuf_init(&p->in[i]);
    p->scid = letters('S', o->scid_len == 255 ? 0 : o->scid_len ? o->scid_len : 8);
    r = make_victim(p);
    if (r != 0 || o->plays == TVL_SERVER)
        return r;
    p->original_dcid = p->dcid = letters('D', 8);
    r = initial_keys(p, &p->dcid);
    if (r == 0 && o->borrowed_keys) {
        struct tvl_keys unused = { .suite = 0 };

        r = tvl_keys_initial(&p->write[TVL_LEVEL_HANDSHAKE], &unused, p->dcid.b, p->dcid.len);
        tvl_keys_fini(&unused);
    }
    return r == 0 ? begin_tls(p) : r;
}

void puppet_fini(struct puppet *p)
{
    tvl_endpoint_free(p->victim);
    tvl_tls_conn_free(p->tls);
    for (size_t i = 0; i < TVL_LEVELS; i++) {
        tvl_keys_fini(&p->read[i]);
        tvl_keys_fini(&p->write[i]);
        tvl_recvbuf_fini(&p->in[i]);
        free(p->out[i]);
    }
    tvl_keys_fini(&p->old_write);
    memset(p, 0, sizeof *p);
}

/* ---- packets out ---- */

struct puppet_space *puppet_space(struct puppet *p, enum tvl_packet_type type, uint32_t path_id)
{
    switch (type) {
    case TVL_PACKET_INITIAL:
        return &p->initial;
    case TVL_PACKET_HANDSHAKE:
        return &p->handshake;
    default:
        return &p->app[path_id % PUPPET_PATHS];
    }
}

static enum tvl_level level_of(enum tvl_packet_type type)
{
    return type == TVL_PACKET_INITIAL     ? TVL_LEVEL_INITIAL
           : type == TVL_PACKET_HANDSHAKE ? TVL_LEVEL_HANDSHAKE
                                          : TVL_LEVEL_APP;
}

const struct puppet_cid *puppet_cid(const struct puppet *p, uint32_t path_id, uint64_t seq)
{
    for (size_t i = 0; i < p->n_cids; i++)
        if (p->cid[i].path_id == path_id && p->cid[i].seq == seq)
            return &p->cid[i];
    return NULL;
}

static struct tvl_cid dcid_for(const struct puppet *p, const struct puppet_shot *s)
{
    const struct puppet_cid *c = NULL;

    if (s->dcid)
        return *s->dcid;
    for (uint64_t seq = 0; s->path_id > 0 && !c && seq < 4; seq++)
        c = puppet_cid(p, s->path_id, seq);
    return c ? c->cid : p->dcid;
}

static struct tvl_keys *keys_for(struct puppet *p, const struct puppet_shot *s)
{
    if (s->type == TVL_PACKET_ZERO_RTT) /* no such keys: any will do, they are not looked at */
        return &p->write[TVL_LEVEL_INITIAL];
    if (s->old_keys && tvl_keys_present(&p->old_write))
        return &p->old_write;
    return &p->write[level_of(s->type)];
}

size_t puppet_seal(struct puppet *p, const struct puppet_shot *s, const uint8_t *frames, size_t len,
                   uint8_t *out, size_t cap)
{
    struct puppet_space *space = puppet_space(p, s->type, s->path_id);
    struct tvl_keys *keys = keys_for(p, s);
    struct tvl_packet_head head = {
        .type = s->type,
        .dcid = dcid_for(p, s),
        .scid = s->scid ? *s->scid : p->scid,
        .token = s->token ? s->token : p->token,
        .token_len = s->token ? s->token_len : p->token_len,
        .pn = s->pn == TVL_PN_NONE ? space->next++ : s->pn,
        .pn_len = s->pn_len ? s->pn_len : 4,
        .key_phase = s->old_keys ? !p->key_phase : p->key_phase,
    };
    struct tvl_wr w = tvl_wr_over(out, cap);
    struct tvl_packet_mark mark;
    uint8_t mask[TVL_MASK_SIZE];

    if (!tvl_keys_present(keys) || tvl_packet_write_head(&w, &head, &mark) != 0)
        return 0;
    *out ^= s->first_xor;
    uint8_t *payload = w.p;
    tvl_wr_bytes(&w, frames, len);
    while (!s->short_payload && (size_t)(w.p - payload) + head.pn_len < 4 && !w.full)
        tvl_wr_u8(&w, 0);
    while ((size_t)(w.p - out) + TVL_TAG_SIZE < s->pad_to && !w.full)
        tvl_wr_u8(&w, 0);
    if (w.full || tvl_wr_left(&w) < TVL_TAG_SIZE)
        return 0;
    p->proved = p->proved || s->type == TVL_PACKET_HANDSHAKE;
    len = (size_t)(w.p - payload);
    tvl_packet_set_length(&mark, len + TVL_TAG_SIZE);
    const uint32_t path_id = s->type == TVL_PACKET_ONE_RTT ? s->path_id : 0;
    if (tvl_seal(keys, path_id, head.pn, out, (size_t)(payload - out), payload, len) < 0 ||
        tvl_header_mask(keys, out + mark.pn_offset + 4, mask) != 0)
        return 0;
    tvl_packet_mask(&mark, mask);
    return (size_t)(payload - out) + len + TVL_TAG_SIZE;
}

void puppet_fire(struct puppet *p, const uint8_t *bytes, size_t len, unsigned link)
{
    const struct tvl_datagram d = { .local = address(VICTIM_HOST, 4433),
                                    .remote = address(PUPPET_HOST | link << 8, 5000),
                                    .len = len };
    uint8_t *copy = malloc(len ? len : 1); /* exactly so long: a sanitizer sees what is beyond */

    if (!copy)
        return;
    if (len)
        memcpy(copy, bytes, len);
    p->bytes_in += len;
    (void)tvl_endpoint_recv(p->victim, &d, copy, p->now);
    free(copy);
}

static void say(struct puppet *p, enum tvl_packet_type type, uint32_t path_id,
                const uint8_t *frames, size_t len)
{
    const struct puppet_shot s = { .type = type,
                                   .path_id = path_id,
                                   .pn = TVL_PN_NONE,
                                   .pad_to = type == TVL_PACKET_INITIAL ? 1200 : 0 };
    uint8_t bytes[TVL_DATAGRAM_MAX];
    const size_t n = puppet_seal(p, &s, frames, len, bytes, sizeof bytes);

    if (n)
        puppet_fire(p, bytes, n, path_id % PUPPET_PATHS);
}

void puppet_say(struct puppet *p, const uint8_t *frames, size_t len)
{
    say(p, TVL_PACKET_ONE_RTT, 0, frames, len);
}

void puppet_update_keys(struct puppet *p)
{
    struct tvl_keys next = { .suite = 0 };

    if (tvl_keys_next(&next, &p->write[TVL_LEVEL_APP]) != 0)
        return;
    tvl_keys_fini(&p->old_write);
    p->old_write = p->write[TVL_LEVEL_APP];
    p->write[TVL_LEVEL_APP] = next;
    p->key_phase = !p->key_phase;
}

/* ---- the victim's frames ---- */

unsigned puppet_frame_slot(uint64_t type)
{
    if (type >= TVL_FRAME_PATH_ABANDON && type <= TVL_FRAME_PATH_CIDS_BLOCKED)
        return 64 + (unsigned)(type - TVL_FRAME_PATH_ABANDON);
    return type < 64 ? (unsigned)type : 127;
}

static void on_ack(struct puppet *p, enum tvl_packet_type type, const struct tvl_frame_ack *a)
{
    struct puppet_space *s = puppet_space(p, type, a->path_id);

    for (uint32_t i = 0; i < a->count; i++)
        for (uint64_t pn = a->ranges[i].from; pn < a->ranges[i].to && pn < PUPPET_TRACKED; pn++)
            s->acked[pn] = true;
}

static void note_close(struct puppet *p, enum tvl_level level, const struct tvl_frame *f)
{
    struct puppet_close *c = &p->close;
    const size_t n =
        f->close.reason_len < sizeof c->reason - 1 ? f->close.reason_len : sizeof c->reason - 1;

    if (c->seen)
        return;
    *c = (struct puppet_close){ .seen = true,
                                .app = f->type == TVL_FRAME_CONNECTION_CLOSE_APP,
                                .code = f->close.code,
                                .frame_type = f->close.frame_type,
                                .level = level };
    if (n)
        memcpy(c->reason, f->close.reason, n);
}

static void note_cid(struct puppet *p, const struct tvl_frame_cid *f)
{
    if (p->n_cids == PUPPET_CIDS || puppet_cid(p, f->path_id, f->seq))
        return;
    struct puppet_cid *c = &p->cid[p->n_cids++];
    *c = (struct puppet_cid){ .path_id = f->path_id, .seq = f->seq, .cid = f->cid };
    memcpy(c->token, f->reset_token, sizeof c->token);
}

static void on_crypto(struct puppet *p, enum tvl_level level, const struct tvl_frame *f)
{
    struct tvl_recvbuf *in = &p->in[level];
    const uint8_t *bytes;
    size_t len;

    if (!p->tls || tvl_recvbuf_take(in, f->crypto.offset, f->crypto.bytes, f->crypto.len,
                                    in->base + PUPPET_FLIGHT) < 0)
        return;
    while ((bytes = tvl_recvbuf_peek(in, &len)) != NULL && len > 0) {
        (void)tvl_tls_conn_feed(p->tls, level, bytes, len);
        tvl_recvbuf_skip(in, len);
    }
}

/* True when the packet must be acknowledged. */
static bool on_frames(struct puppet *p, enum tvl_packet_type type, const uint8_t *bytes, size_t len)
{
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    struct tvl_frame f;
    bool eliciting = false;

    while (tvl_rd_left(&rd) > 0 && tvl_frame_parse(&f, &rd) == 0) {
        p->frames[puppet_frame_slot(f.type)]++;
        eliciting = eliciting || tvl_frame_ack_eliciting(f.type);
        switch (f.type) {
        case TVL_FRAME_ACK:
        case TVL_FRAME_ACK_ECN:
        case TVL_FRAME_PATH_ACK:
        case TVL_FRAME_PATH_ACK_ECN:
            on_ack(p, type, &f.ack);
            break;
        case TVL_FRAME_CRYPTO:
            on_crypto(p, level_of(type), &f);
            break;
        case TVL_FRAME_CONNECTION_CLOSE:
        case TVL_FRAME_CONNECTION_CLOSE_APP:
            note_close(p, level_of(type), &f);
            break;
        case TVL_FRAME_NEW_CONNECTION_ID:
        case TVL_FRAME_PATH_NEW_CONNECTION_ID:
            note_cid(p, &f.cid);
            break;
        case TVL_FRAME_PATH_CHALLENGE:
            memcpy(p->challenge, f.data, sizeof p->challenge);
            break;
        case TVL_FRAME_PATH_RESPONSE:
            memcpy(p->response, f.data, sizeof p->response);
            break;
        default:
            break;
        }
    }
    return eliciting;
}

/* ---- the victim's packets ---- */

/* Ask for a token, as a server does that wants the address proved. */
static void send_retry(struct puppet *p, const struct tvl_packet *head)
{
    uint8_t bytes[200];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
    const struct tvl_retry r = { .dcid = head->scid,
                                 .scid = letters('R', 8),
                                 .token = (const uint8_t *)"a token",
                                 .token_len = 7 };

    p->original_dcid = head->dcid;
    p->retry_scid = r.scid;
    if (tvl_packet_write_retry(&w, &r) != 0 ||
        tvl_retry_tag(w.p, head->dcid.b, head->dcid.len, bytes, (size_t)(w.p - bytes)) != 0)
        return;
    puppet_fire(p, bytes, (size_t)(w.p - bytes) + TVL_RETRY_TAG_SIZE, 0);
}

static void on_first_initial(struct puppet *p, const struct tvl_packet *head)
{
    if (p->tls)
        return;
    if (p->o.retries && head->token_len == 0) {
        if (p->retry_scid.len == 0)
            send_retry(p, head);
        return;
    }
    if (!p->o.retries)
        p->original_dcid = head->dcid;
    p->dcid = head->scid;
    if (initial_keys(p, &head->dcid) == 0)
        (void)begin_tls(p);
}

static void on_retry(struct puppet *p, const struct tvl_packet *head)
{
    p->retry_offered = true;
    if (p->token_len > 0 || head->token_len > sizeof p->token)
        return;
    memcpy(p->token, head->token, head->token_len);
    p->token_len = head->token_len;
    p->retry_scid = p->dcid = head->scid;
    (void)initial_keys(p, &head->scid);
    p->out_sent[TVL_LEVEL_INITIAL] = 0;
}

static uint32_t path_of(const struct puppet *p, unsigned link)
{
    return p->o.plays == TVL_CLIENT && link < PUPPET_PATHS ? link : 0;
}

static void acknowledge(struct puppet *p, enum tvl_packet_type type, uint32_t path_id, uint64_t pn)
{
    uint8_t bytes[40];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
    struct tvl_frame f = { .type = path_id ? TVL_FRAME_PATH_ACK : TVL_FRAME_ACK };

    f.ack.path_id = path_id;
    f.ack.count = 1;
    f.ack.delay = 0;
    f.ack.ranges[0] = (struct tvl_range){ pn, pn + 1 };
    if (tvl_frame_write(&w, &f) == 0)
        say(p, type, path_id, bytes, (size_t)(w.p - bytes));
}

/* The victim sends on path `link`, or, when the puppet is the server, on any: each is tried. */
static int unprotect(struct puppet *p, const struct tvl_packet *head, uint8_t *bytes,
                     uint32_t *path_id, uint64_t *pn, size_t *payload_at)
{
    struct tvl_keys *keys = &p->read[level_of(head->type)];
    struct puppet_space *s = puppet_space(p, head->type, *path_id);
    uint8_t mask[TVL_MASK_SIZE];

    if (!tvl_keys_present(keys) || tvl_header_mask(keys, bytes + head->pn_offset + 4, mask) != 0)
        return TVL_ERR_PACKET;
    const struct tvl_packet_number n = tvl_packet_unmask(bytes, head->pn_offset, mask);
    *pn = tvl_pn_decode(s->largest, n.truncated, n.len);
    *payload_at = head->pn_offset + n.len;
    if (head->type == TVL_PACKET_ONE_RTT && tvl_packet_key_phase(bytes[0]) != 0) {
        /* The victim follows a key update of the puppet's, or the other way round: not modelled
         * further than one phase. */
        struct tvl_keys next = { .suite = 0 };
        int len;

        if (tvl_keys_next(&next, keys) != 0)
            return TVL_ERR_PACKET;
        len = tvl_open(&next, *path_id, *pn, bytes, *payload_at, bytes + *payload_at,
                       head->len - *payload_at);
        tvl_keys_fini(&next);
        return len;
    }
    return tvl_open(keys, head->type == TVL_PACKET_ONE_RTT ? *path_id : 0, *pn, bytes, *payload_at,
                    bytes + *payload_at, head->len - *payload_at);
}

static void on_packet(struct puppet *p, const struct tvl_packet *head, uint8_t *bytes,
                      unsigned link)
{
    uint32_t path_id = head->type == TVL_PACKET_ONE_RTT ? path_of(p, link) : 0;
    size_t at = 0;
    uint64_t pn = 0;

    if (p->o.plays == TVL_SERVER && head->type == TVL_PACKET_INITIAL)
        on_first_initial(p, head);
    const int len = unprotect(p, head, bytes, &path_id, &pn, &at);
    if (len < 0)
        return;
    struct puppet_space *s = puppet_space(p, head->type, path_id);
    if (s->largest == TVL_PN_NONE || pn > s->largest)
        s->largest = pn;
    if (p->o.plays == TVL_CLIENT && head->type == TVL_PACKET_INITIAL)
        p->dcid = head->scid;
    if (p->n_cids == 0 && head->type != TVL_PACKET_ONE_RTT)
        p->cid[p->n_cids++] = (struct puppet_cid){ .cid = head->scid };
    if (on_frames(p, head->type, bytes + at, (size_t)len) && !p->mute)
        acknowledge(p, head->type, path_id, pn);
}

static void on_datagram(struct puppet *p, const struct tvl_datagram *d, uint8_t *bytes)
{
    const struct sockaddr_in *to = (const void *)&d->remote;
    struct tvl_packet head;

    p->victim_datagrams++;
    p->bytes_out += d->len;
    p->last_remote = ntohl(to->sin_addr.s_addr);
    for (size_t at = 0; at < d->len; at += head.len) {
        if (tvl_packet_parse(&head, bytes + at, d->len - at, p->scid.len) != 0)
            return;
        if (head.type == TVL_PACKET_VERSION_NEGOTIATION)
            p->version_offered = true;
        else if (head.type == TVL_PACKET_RETRY)
            on_retry(p, &head);
        else if (head.pn_offset > 0)
            on_packet(p, &head, bytes + at, p->last_remote >> 8 & 0xff);
    }
}

/* ---- time and turns ---- */

static bool may_flush(const struct puppet *p, enum tvl_level level)
{
    switch (p->o.hold) {
    case PUPPET_HOLD_ALL:
        return false;
    case PUPPET_HOLD_HANDSHAKE:
        return level == TVL_LEVEL_INITIAL;
    default:
        return true;
    }
}

static void flush(struct puppet *p)
{
    static const enum tvl_packet_type types[TVL_LEVELS] = { TVL_PACKET_INITIAL, TVL_PACKET_ZERO_RTT,
                                                            TVL_PACKET_HANDSHAKE,
                                                            TVL_PACKET_ONE_RTT };
    uint8_t bytes[TVL_DATAGRAM_MAX];

    for (unsigned l = 0; l < TVL_LEVELS; l++)
        while (may_flush(p, (enum tvl_level)l) && p->out_sent[l] < p->out_len[l] &&
               tvl_keys_present(&p->write[l])) {
            const size_t left = p->out_len[l] - p->out_sent[l];
            struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
            struct tvl_frame f = { .type = TVL_FRAME_CRYPTO };

            f.crypto.offset = p->out_sent[l];
            f.crypto.bytes = p->out[l] + p->out_sent[l];
            f.crypto.len = left < CHUNK ? left : CHUNK;
            if (tvl_frame_write(&w, &f) != 0)
                return;
            p->out_sent[l] += f.crypto.len;
            say(p, types[l], 0, bytes, (size_t)(w.p - bytes));
        }
    if (p->o.plays == TVL_SERVER && p->o.hold == PUPPET_HOLD_NOTHING && !p->done_sent && p->tls &&
        tvl_tls_conn_done(p->tls)) {
        static const uint8_t done[] = { TVL_FRAME_HANDSHAKE_DONE };

        p->done_sent = true;
        puppet_say(p, done, sizeof done);
    }
}

static void take_event(struct puppet *p, const struct tvl_event *ev)
{
    if (ev->type == TVL_EVENT_ACCEPTED)
        p->conn = ev->conn;
    if (ev->type == TVL_EVENT_CONNECTED)
        p->connected = true;
    if (p->on_event)
        p->on_event(p, ev);
    if (ev->type == TVL_EVENT_CLOSED) {
        p->closed = true;
        p->closed_event = *ev;
        p->conn = NULL;
    }
}

void puppet_pump(struct puppet *p)
{
    bool any = true;

    for (unsigned round = 0; any; round++) {
        uint8_t bytes[TVL_DATAGRAM_MAX];
        struct tvl_datagram d;
        struct tvl_event ev;

        any = false;
        if (round == PUPPET_ROUNDS) {
            p->storm = true;
            return;
        }
        while (tvl_endpoint_poll(p->victim, &ev) == 1) {
            take_event(p, &ev);
            any = true;
        }
        flush(p);
        if (tvl_endpoint_send(p->victim, &d, bytes, p->now) == 1) {
            on_datagram(p, &d, bytes);
            any = true;
        }
    }
}

void puppet_wait(struct puppet *p, tvl_time duration)
{
    const tvl_time end = p->now + duration;

    for (unsigned steps = 0; p->now < end && !p->busy; steps++) {
        const tvl_time next = tvl_endpoint_next_tick(p->victim);

        p->now = next <= p->now ? p->now + 1 : next < end ? next : end;
        tvl_endpoint_tick(p->victim, p->now);
        puppet_pump(p);
        p->busy = steps == STEPS_MAX;
    }
}

void puppet_start(struct puppet *p)
{
    const struct tvl_path_config path = { .local = address(VICTIM_HOST, 4433),
                                          .remote = address(PUPPET_HOST, 5000) };

    if (p->o.plays == TVL_SERVER)
        (void)tvl_connect(p->victim, &path, "localhost", &p->conn, p->now);
    puppet_pump(p);
}

void puppet_forget(struct puppet *p)
{
    memset(p->frames, 0, sizeof p->frames);
    p->victim_datagrams = 0;
}

bool puppet_victim_lives(struct puppet *p)
{
    static const uint8_t ping[] = { TVL_FRAME_PING };
    const uint64_t pn = p->app[0].next;

    if (p->closed || p->close.seen || p->storm || pn >= PUPPET_TRACKED)
        return false;
    p->mute = false;
    puppet_say(p, ping, sizeof ping);
    puppet_wait(p, 200000);
    return !p->closed && !p->close.seen && !p->storm && p->app[0].acked[pn];
}
