/*
 * tvl_conn.c - libFuzzer entry: a whole connection against a peer that does anything.
 *
 * The input is a script: one byte of options, then steps of one byte what and some bytes how. The
 * steps send packets of any kind under the right keys, let time pass, and call the library as an
 * application would. The peer is the negative suite's puppet; encryption is null_crypto.h's.
 * Beyond not crashing: the victim comes to rest, its timers do not spin, and a server sends no more
 * than three times what it got from an address that is not proved (RFC 9000 8.1).
 */
#include <string.h>

#include "input.h"
#include "null_crypto.h"
#include "puppet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define STEPS_MAX 400

#pragma weak tvl_path_migrate
#pragma weak tvl_conn_update_keys
#pragma weak tvl_datagram_write_until

/* ---- packets ---- */

static void send_packet(struct puppet *p, struct input *in, enum tvl_packet_type type)
{
    const uint8_t how = input_u8(in);
    size_t len = input_u8(in);
    const uint8_t *frames = input_bytes(in, &len);
    uint8_t out[TVL_DATAGRAM_MAX];
    struct puppet_shot s = {
        .type = type,
        .path_id = type == TVL_PACKET_ONE_RTT ? how & 7 : 0,
        .pn = TVL_PN_NONE,
        .old_keys = how & 8,
        .pad_to = type == TVL_PACKET_INITIAL || (how & 16) ? 1200 : 0,
    };
    const size_t n = puppet_seal(p, &s, frames, len, out, sizeof out);

    if (n)
        puppet_fire(p, out, n, (how & 32) ? (how >> 6) : s.path_id);
}

static void send_numbered(struct puppet *p, struct input *in)
{
    const uint8_t how = input_u8(in);
    const uint64_t pn = (uint64_t)input_u8(in) << (how >> 3);
    size_t len = input_u8(in) & 63;
    const uint8_t *frames = input_bytes(in, &len);
    uint8_t out[TVL_DATAGRAM_MAX];
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .path_id = how & 7, .pn = pn };
    const size_t n = puppet_seal(p, &s, frames, len, out, sizeof out);

    if (n)
        puppet_fire(p, out, n, s.path_id);
}

static void send_frame(struct puppet *p, uint32_t path_id, const struct tvl_frame *f)
{
    uint8_t frames[1300], out[TVL_DATAGRAM_MAX];
    struct tvl_wr w = tvl_wr_over(frames, sizeof frames);
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT,
                                   .path_id = path_id,
                                   .pn = TVL_PN_NONE };
    size_t n = 0;

    if (tvl_frame_write(&w, f) == 0)
        n = puppet_seal(p, &s, frames, (size_t)(w.p - frames), out, sizeof out);
    if (n)
        puppet_fire(p, out, n, path_id);
}

/* Acknowledge what the victim may have sent: a range that ends some way below its largest. */
static void send_ack(struct puppet *p, struct input *in)
{
    const uint8_t how = input_u8(in), back = input_u8(in), length = input_u8(in);
    const uint32_t path_id = how & 7;
    const uint64_t largest = p->app[path_id].largest;
    struct tvl_frame f = { .type = how & 8 ? TVL_FRAME_PATH_ACK : TVL_FRAME_PATH_ACK_ECN };

    if (largest == TVL_PN_NONE || back > largest)
        return;
    f.ack.path_id = path_id;
    f.ack.count = 1;
    f.ack.delay = (uint64_t)(how >> 4) << 6;
    f.ack.ect0 = length;
    f.ack.ect1 = 0;
    f.ack.ce = back;
    f.ack.ranges[0].to = largest - back + 1;
    f.ack.ranges[0].from = length < f.ack.ranges[0].to ? f.ack.ranges[0].to - length - 1 : 0;
    send_frame(p, how & 64 ? 0 : path_id, &f);
}

static void send_cid(struct puppet *p, struct input *in)
{
    const uint8_t how = input_u8(in), more = input_u8(in);
    struct tvl_frame f = { .type = how & 8 ? TVL_FRAME_NEW_CONNECTION_ID
                                           : TVL_FRAME_PATH_NEW_CONNECTION_ID };

    f.cid = (struct tvl_frame_cid){
        .path_id = how & 7, .seq = more & 15, .retire_prior_to = more >> 4, .cid = { .len = 8 }
    };
    memset(f.cid.cid.b, '0' + (how & 7), 8); /* the puppet, a server, tells paths by it */
    f.cid.cid.b[7] = more & 15;
    memset(f.cid.reset_token, more & 15, sizeof f.cid.reset_token);
    if (f.cid.retire_prior_to <= f.cid.seq)
        send_frame(p, 0, &f);
}

static void send_response(struct puppet *p, struct input *in)
{
    struct tvl_frame f = { .type = TVL_FRAME_PATH_RESPONSE };

    memcpy(f.data, p->challenge, sizeof f.data);
    send_frame(p, input_u8(in) & 7, &f);
}

static void send_stream(struct puppet *p, struct input *in)
{
    static const uint8_t text[1024];
    const uint8_t how = input_u8(in), where = input_u8(in);
    struct tvl_frame f = { .type = TVL_FRAME_STREAM | TVL_STREAM_BIT_LEN | TVL_STREAM_BIT_OFF };

    f.stream.id = how & 31;
    f.stream.fin = how & 32;
    f.type |= f.stream.fin;
    f.stream.offset = (uint64_t)where << (how >> 6) * 2;
    f.stream.bytes = text;
    f.stream.len = (size_t)input_u8(in) * 4;
    send_frame(p, 0, &f);
}

static void send_symbol(struct puppet *p, struct input *in, uint8_t how, uint64_t offset)
{
    static const uint8_t text[512] = { 1, 2, 3 };
    struct tvl_frame f = { .type = TVL_FRAME_REPAIR };

    f.repair = (struct tvl_frame_repair){ .id = how >> 3,
                                          .offset = offset,
                                          .index = input_u8(in) % TVL_REPAIR_SYMBOLS_MAX,
                                          .fin = how & 4,
                                          .runs = 1 + (how & 1),
                                          .bytes = text };
    for (uint32_t i = 0; i < f.repair.runs; i++) {
        const uint8_t units = input_u8(in) & 31, len = input_u8(in);

        f.repair.run[i].units = (uint8_t)(units + 1);
        f.repair.run[i].len = (uint16_t)(len * 2 + 1);
        f.repair.symbol_len =
            f.repair.run[i].len > f.repair.symbol_len ? f.repair.run[i].len : f.repair.symbol_len;
    }
    send_frame(p, 0, &f);
}

static void send_repair(struct puppet *p, struct input *in)
{
    const uint8_t how = input_u8(in);
    const uint64_t offset = (uint64_t)input_u8(in) * 16;
    struct tvl_frame f = { .type = how & 1 ? TVL_FRAME_PROTECTED : TVL_FRAME_RECOVERED };

    if (!(how & 2)) {
        send_symbol(p, in, how, offset);
        return;
    }
    f.recovered.id = how >> 3;
    f.recovered.offset = offset;
    f.recovered.len = how & 1 ? 0 : (uint64_t)input_u8(in) * 16;
    f.recovered.fin = how & 4;
    send_frame(p, 0, &f);
}

static void send_raw(struct puppet *p, struct input *in)
{
    size_t len = (size_t)input_u8(in) + 1;
    const uint8_t *raw = input_bytes(in, &len);

    if (len)
        puppet_fire(p, raw, len, 0);
}

/* ---- the victim's application ---- */

static struct tvl_path_config path_over(unsigned link)
{
    struct tvl_path_config c;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(4433) };

    memset(&c, 0, sizeof c);
    a.sin_addr.s_addr = htonl(0x0a090909);
    memcpy(&c.local, &a, sizeof a);
    a.sin_port = htons(5000);
    a.sin_addr.s_addr = htonl(0x0a000001u | link << 8);
    memcpy(&c.remote, &a, sizeof a);
    return c;
}

static void use_stream(struct puppet *p, unsigned what, uint64_t id, uint8_t arg)
{
    static const uint8_t text[4096];
    uint8_t sink[512];
    bool fin;

    switch (what) {
    case 0:
        (void)tvl_stream_write(p->conn, id, text, (size_t)arg * 16, arg & 1);
        break;
    case 1:
        (void)tvl_stream_read(p->conn, id, sink, arg, &fin);
        break;
    case 2:
        (void)tvl_stream_reset(p->conn, id, arg);
        break;
    case 3:
        (void)tvl_stream_stop(p->conn, id, arg);
        break;
    case 4:
        (void)tvl_stream_set_rank(p->conn, id, arg);
        break;
    default:
        (void)tvl_stream_set_deadline(p->conn, id, p->now + (tvl_time)arg * 4000, arg);
        break;
    }
}

static void use_path(struct puppet *p, unsigned what, uint8_t arg)
{
    const struct tvl_path_config path = path_over(arg & 7);

    switch (what) {
    case 0:
        (void)tvl_path_add(p->conn, &path, p->now);
        break;
    case 1:
        (void)tvl_path_abandon(p->conn, arg & 7, p->now);
        break;
    case 2:
        (void)tvl_path_set_backup(p->conn, arg & 7, arg & 8, p->now);
        break;
    default:
        if (tvl_path_migrate)
            (void)tvl_path_migrate(p->conn, arg >> 4 & 7, &path, p->now);
        break;
    }
}

static void call(struct puppet *p, struct input *in)
{
    static const uint8_t text[512];
    const uint8_t what = input_u8(in), arg = input_u8(in);
    struct tvl_conn_stats cs;
    struct tvl_path_stats ps[TVL_PATHS_MAX];
    const struct tvl_flow_config flow = {
        .protection = (enum tvl_flow_protection)(arg % 3),
        .reliability = (enum tvl_flow_reliability)(arg >> 4 & 1),
        .priority = arg >> 5,
    };
    uint64_t id;

    if (!p->conn)
        return;
    if (what < 128) {
        use_stream(p, what >> 5 & 3, what & 31, arg);
    } else if (what < 160) {
        use_stream(p, 4 + (what & 1), what >> 1 & 15, arg);
    } else if (what < 200) {
        use_path(p, what & 3, arg);
    } else if (what < 220) {
        (void)tvl_stream_open(p->conn, what & 1 ? TVL_UNI : TVL_BIDI, &id);
    } else if (what < 240) {
        (void)tvl_datagram_write(p->conn, text, arg);
    } else if (what < 245) {
        (void)tvl_flow_set(p->conn, 0, &flow);
    } else if (what < 250) {
        (void)tvl_paths(p->conn, ps, TVL_PATHS_MAX);
        tvl_conn_get_stats(p->conn, &cs);
        (void)tvl_backlog(p->conn, arg);
    } else if (what < 254) {
        if (tvl_conn_update_keys)
            (void)tvl_conn_update_keys(p->conn, p->now);
    } else {
        (void)tvl_close(p->conn, arg, "enough", p->now);
    }
}

/* ---- the script ---- */

static void check(const struct puppet *p)
{
    if (p->storm || p->busy)
        abort(); /* it never comes to rest */
    if (p->o.plays == TVL_CLIENT && !p->proved && p->bytes_out > 3 * p->bytes_in)
        abort(); /* RFC 9000 8.1 */
}

static void step(struct puppet *p, struct input *in)
{
    uint8_t b;

    switch (input_u8(in) & 15) {
    default:
        send_packet(p, in, TVL_PACKET_ONE_RTT);
        break;
    case 1:
        send_packet(p, in, TVL_PACKET_INITIAL);
        break;
    case 2:
        send_packet(p, in, TVL_PACKET_HANDSHAKE);
        break;
    case 3:
        b = input_u8(in);
        puppet_wait(p, ((tvl_time)(b & 63) << (b >> 6) * 4) * 1000);
        break;
    case 4:
        call(p, in);
        break;
    case 5:
        send_ack(p, in);
        break;
    case 6:
        send_cid(p, in);
        break;
    case 7:
        send_response(p, in);
        break;
    case 8:
        send_stream(p, in);
        break;
    case 9:
        puppet_update_keys(p);
        break;
    case 10:
        p->mute = !p->mute;
        break;
    case 11:
        send_raw(p, in);
        break;
    case 12:
        p->o.hold = PUPPET_HOLD_NOTHING;
        break;
    case 13:
        send_numbered(p, in);
        break;
    case 15:
        send_repair(p, in);
        break;
    case 14:
        return; /* no pump: the next step finds the victim with its hands full */
    }
    puppet_pump(p);
    check(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };
    const uint8_t how = input_u8(&in);
    const enum tvl_side plays = how & 1 ? TVL_SERVER : TVL_CLIENT;
    struct tvl_tls *tls[2] = { null_tls(false), null_tls(true) };
    const struct puppet_options o = {
        .plays = plays,
        .own_tls = tls[plays],
        .victim_tls = tls[1 - plays],
        .hold = how & 2   ? PUPPET_HOLD_NOTHING
                : how & 4 ? PUPPET_HOLD_HANDSHAKE
                          : PUPPET_HOLD_ALL,
        .no_multipath = how & 8,
        .victim_multipath = !(how & 16),
        .mute = how & 32,
        .datagram_max = 1400,
        .repair_span = 16u << 10,
        .params = "+0x3a9c51e4=131072",
        .keepalive = how & 64 ? 300000 : 0,
    };
    struct puppet *p = malloc(sizeof *p);

    if (!p || puppet_init(p, &o) != 0)
        abort();
    puppet_start(p);
    check(p);
    for (unsigned i = 0; in.p < in.end && i < STEPS_MAX; i++)
        step(p, &in);
    puppet_wait(p, 60000000);
    check(p);
    puppet_fini(p);
    free(p);
    tvl_tls_free(tls[0]);
    tvl_tls_free(tls[1]);
    return 0;
}
