/*
 * tvl_door.c - libFuzzer entry: a server's door, where anyone may knock.
 *
 * The input is one byte of options, then datagrams: raw bytes, genuine Initials, Initials with the
 * token of the last Retry or NEW_TOKEN, whole or damaged, short headers. Between them time passes
 * and those who were let in go again. Beyond not crashing: nobody gets an answer longer than his
 * datagram, the limits of admission hold, and each datagram is counted once.
 */
#include <string.h>

#include "door.h"
#include "frame.h"
#include "input.h"
#include "null_crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define KNOCKS_MAX 200
#define GUESTS_MAX 8
#define HANDSHAKES_MAX 4

struct scene {
    struct tvl_config cfg;
    struct tvl_rng rng;
    struct tvl_ids ids;
    struct tvl_door door;
    struct tvl_guest guest[GUESTS_MAX];
    size_t guests;
    uint8_t token[TVL_TOKEN_SIZE_MAX]; /* the last that was given out */
    size_t token_len;
    struct tvl_cid dcid; /* for the next Initial: what a Retry said, or the client's own */
    tvl_time now;
    uint64_t knocks;
};

static void set_out(struct scene *s, uint8_t options)
{
    static const uint8_t secret[32] = "whatever";
    static const uint64_t seed[4] = { 1 };

    memset(s, 0, sizeof *s);
    s->cfg.conns_max = GUESTS_MAX;
    s->cfg.handshakes_max = HANDSHAKES_MAX;
    s->cfg.conns_per_host = options & 1 ? 2 : 0;
    s->cfg.retry = (enum tvl_retry_policy)((options >> 1) % 3);
    s->cfg.workers = 1;
    if (options & 8)
        s->cfg.lb = (struct tvl_lb_config){ .server_id_len = 3, .nonce_len = 6, .encrypted = true };
    s->now = 1000000;
    s->dcid = tvl_cid_from((const uint8_t *)"original", 8);
    must(tvl_rng_init(&s->rng, seed) == 0);
    must(tvl_ids_init(&s->ids, &s->cfg, secret, &s->rng) == 0);
    must(tvl_door_init(&s->door, &s->cfg, secret, &s->ids, &s->rng) == 0);
    s->door.admission.closed = (options & 0xf0) == 0xf0;
}

static struct sockaddr_storage from_host(uint8_t n)
{
    struct sockaddr_storage ss = { .ss_family = n & 4 ? AF_INET6 : AF_INET };
    struct sockaddr_in *in = (void *)&ss;

    in->sin_port = n & 2;
    if (n & 4)
        ((struct sockaddr_in6 *)(void *)&ss)->sin6_addr.s6_addr[7] = n & 1;
    else
        in->sin_addr.s_addr = n & 1;
    return ss;
}

/* Keep what a Retry gives, as a client would. */
static void read_answer(struct scene *s, const uint8_t *bytes, size_t len)
{
    struct tvl_packet p;

    if (tvl_packet_parse(&p, bytes, len, s->ids.len) != 0 || p.type != TVL_PACKET_RETRY)
        return;
    must(p.token_len <= sizeof s->token);
    memcpy(s->token, p.token, p.token_len);
    s->token_len = p.token_len;
    s->dcid = p.scid;
}

static void let_in(struct scene *s, struct tvl_first *first)
{
    struct tvl_guest *g = &s->guest[s->guests];

    must(s->guests < GUESTS_MAX && s->door.admission.handshakes < HANDSHAKES_MAX);
    must(!s->door.admission.closed);
    must(s->cfg.retry != TVL_RETRY_ALWAYS || first->proved);
    if (tvl_admission_enter(&s->door.admission, &s->cfg, &first->dgram->remote, g) == 0)
        s->guests++;
    s->door.stats.accepted++;
    tvl_first_fini(first);
}

static uint64_t counted(const struct tvl_endpoint_stats *t)
{
    return t->accepted + t->refused_conns_max + t->refused_handshakes_max + t->refused_host +
           t->refused_draining + t->retries_sent + t->resets_sent + t->versions_sent +
           t->datagrams_unroutable;
}

static void knock(struct scene *s, const uint8_t *bytes, size_t len, uint8_t host)
{
    const struct tvl_datagram d = { .remote = from_host(host), .len = len };
    uint8_t answer[TVL_STATELESS_BYTES_MAX];
    struct tvl_first first;
    struct tvl_datagram out;
    struct tvl_packet p;

    if (tvl_packet_parse(&p, bytes, len, s->ids.len) != 0)
        return;
    const struct tvl_question q = { .dgram = &d, .packet = &p, .rng = &s->rng, .now = s->now };
    s->knocks++;
    if (tvl_door_knock(&s->door, &q, bytes, &first))
        let_in(s, &first);
    must(counted(&s->door.stats) <= s->knocks);
    if (tvl_stateless_take(&s->door.answers, &out, answer)) {
        must(out.len <= len);
        read_answer(s, answer, out.len);
    }
    must(!tvl_stateless_take(&s->door.answers, &out, answer));
}

/* A client's Initial under the right keys: 1200 bytes, a PING in them. */
static void knock_genuine(struct scene *s, struct input *in, const uint8_t *token, size_t token_len)
{
    const uint8_t host = input_u8(in);
    const struct tvl_packet_head head = { .type = TVL_PACKET_INITIAL,
                                          .dcid = s->dcid,
                                          .scid = { .len = 4 },
                                          .token = token,
                                          .token_len = token_len,
                                          .pn_len = 2 };
    struct tvl_keys client = { .suite = 0 }, server = { .suite = 0 };
    uint8_t bytes[1200] = { 0 }, mask[TVL_MASK_SIZE];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes - TVL_TAG_SIZE);
    struct tvl_packet_mark mark;

    must(tvl_keys_initial(&client, &server, s->dcid.b, s->dcid.len) == 0);
    must(tvl_packet_write_head(&w, &head, &mark) == 0);
    uint8_t *payload = w.p;
    const size_t len = tvl_wr_left(&w);
    payload[0] = TVL_FRAME_PING;
    tvl_packet_set_length(&mark, len + TVL_TAG_SIZE);
    must(tvl_seal(&client, 0, 0, bytes, (size_t)(payload - bytes), payload, len) > 0);
    must(tvl_header_mask(&client, bytes + mark.pn_offset + 4, mask) == 0);
    tvl_packet_mask(&mark, mask);
    tvl_keys_fini(&client);
    tvl_keys_fini(&server);
    knock(s, bytes, sizeof bytes, host);
}

static void knock_with_token(struct scene *s, struct input *in)
{
    const uint8_t how = input_u8(in);
    uint8_t token[TVL_TOKEN_SIZE_MAX];
    size_t len = s->token_len;

    if (how & 1) {
        const struct sockaddr_storage host = from_host(how >> 5);
        len = tvl_door_token(&s->door, &host, s->now, token);
        must(len > 0);
    } else {
        memcpy(token, s->token, len);
    }
    if ((how & 2) && len > 0)
        token[input_u8(in) % len] ^= input_u8(in);
    if (how & 4)
        len = len * (how >> 3) / 32;
    knock_genuine(s, in, token, len);
}

static void knock_raw(struct scene *s, struct input *in)
{
    const uint8_t how = input_u8(in);
    uint8_t bytes[1200] = { 0 };
    size_t len = input_u8(in);
    const uint8_t *raw = input_bytes(in, &len);

    memcpy(bytes, raw, len);
    if (how & 8)
        len = sizeof bytes;
    if (len > 0)
        knock(s, bytes, len, how);
}

/* Time passes, or someone's handshake is over, or he goes. */
static void go_on(struct scene *s, struct input *in)
{
    const uint8_t how = input_u8(in);

    s->now += (tvl_time)(how & 15) << (how >> 4) * 2;
    if (s->guests > 0 && (how & 1))
        tvl_admission_shaken(&s->door.admission, &s->guest[how % s->guests]);
    if (s->guests > 0 && (how & 2))
        tvl_admission_leave(&s->door.admission, &s->guest[--s->guests]);
    if (how & 4)
        s->dcid = tvl_cid_from((const uint8_t *)"another!", 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };
    struct scene *s = malloc(sizeof *s);

    must(s != NULL);
    set_out(s, input_u8(&in));
    for (unsigned i = 0; i < KNOCKS_MAX && input_left(&in); i++)
        switch (input_u8(&in) & 3) {
        case 0:
            knock_raw(s, &in);
            break;
        case 1:
            knock_genuine(s, &in, NULL, 0);
            break;
        case 2:
            knock_with_token(s, &in);
            break;
        default:
            go_on(s, &in);
        }
    while (s->guests > 0)
        tvl_admission_leave(&s->door.admission, &s->guest[--s->guests]);
    must(s->door.admission.conns == 0 && s->door.admission.handshakes == 0 &&
         !s->door.admission.hosts);
    tvl_door_fini(&s->door);
    tvl_rng_fini(&s->rng);
    free(s);
    return 0;
}
