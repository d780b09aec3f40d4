/* stateless.c - see stateless.h. */
#include "stateless.h"

#include <string.h>

#include "frame.h"

/* ---- how many a second ---- */

static bool let_through(struct tvl_bucket *b, uint32_t per_s, tvl_time now)
{
    const tvl_time gap = 1000000u / per_s; /* us between two */
    const tvl_time passed = (now - b->filled_at) / gap;

    if (b->filled_at == 0 || passed >= per_s) {
        b->left = per_s;
        b->filled_at = now;
    } else {
        b->left = b->left + (uint32_t)passed < per_s ? b->left + (uint32_t)passed : per_s;
        b->filled_at += passed * gap;
    }
    if (b->left == 0)
        return false;
    b->left--;
    return true;
}

/* ---- the ring ---- */

static struct tvl_answer *free_slot(struct tvl_stateless *s)
{
    return s->count == TVL_STATELESS_MAX ? NULL
                                         : &s->ring[(s->first + s->count) % TVL_STATELESS_MAX];
}

/* `len` bytes are in the free slot. */
static bool queue(struct tvl_stateless *s, const struct tvl_question *q, size_t len)
{
    struct tvl_answer *a = free_slot(s);

    a->dgram = (struct tvl_datagram){
        .local = q->dgram->local, .remote = q->dgram->remote, .len = len, .tag = q->dgram->tag
    };
    s->count++;
    return true;
}

bool tvl_stateless_take(struct tvl_stateless *s, struct tvl_datagram *dgram, uint8_t *bytes)
{
    const struct tvl_answer *a = &s->ring[s->first];

    if (s->count == 0)
        return false;
    *dgram = a->dgram;
    memcpy(bytes, a->bytes, a->dgram.len);
    s->first = (s->first + 1) % TVL_STATELESS_MAX;
    s->count--;
    return true;
}

/* ---- the answers ---- */

bool tvl_stateless_versions(struct tvl_stateless *s, const struct tvl_question *q,
                            const uint32_t *versions, size_t count)
{
    struct tvl_answer *a = free_slot(s);

    if (!a)
        return false;
    struct tvl_wr w = tvl_wr_over(a->bytes, sizeof a->bytes);
    if (tvl_packet_write_negotiation(&w, q->packet, versions, count,
                                     (uint8_t)tvl_rng_u64(q->rng)) != 0)
        return false;
    return queue(s, q, (size_t)(w.p - a->bytes));
}

bool tvl_stateless_retry(struct tvl_stateless *s, const struct tvl_question *q,
                         const struct tvl_cid *scid, const uint8_t *token, size_t token_len)
{
    const struct tvl_retry retry = {
        .dcid = q->packet->scid,
        .scid = *scid,
        .token = token,
        .token_len = token_len,
        .random = (uint8_t)tvl_rng_u64(q->rng),
    };
    const struct tvl_cid *odcid = &q->packet->dcid;
    struct tvl_answer *a = free_slot(s);

    if (!a || token_len == 0)
        return false;
    struct tvl_wr w = tvl_wr_over(a->bytes, sizeof a->bytes - TVL_RETRY_TAG_SIZE);
    if (tvl_packet_write_retry(&w, &retry) != 0)
        return false;
    const size_t len = (size_t)(w.p - a->bytes);
    return tvl_retry_tag(w.p, odcid->b, odcid->len, a->bytes, len) == 0 &&
           queue(s, q, len + TVL_RETRY_TAG_SIZE);
}

/* One Initial packet with a CONNECTION_CLOSE; its length, or 0. */
static size_t write_refusal(uint8_t *bytes, size_t cap, const struct tvl_packet *in,
                            struct tvl_keys *keys, enum tvl_wire_error code)
{
    const struct tvl_packet_head head = {
        .type = TVL_PACKET_INITIAL, .dcid = in->scid, .scid = in->dcid, .pn_len = 1
    };
    const struct tvl_frame f = { .type = TVL_FRAME_CONNECTION_CLOSE,
                                 .close = { .code = (uint64_t)code } };
    struct tvl_wr w = tvl_wr_over(bytes, cap - TVL_TAG_SIZE);
    struct tvl_packet_mark mark;
    uint8_t mask[TVL_MASK_SIZE];

    if (tvl_packet_write_head(&w, &head, &mark) != 0)
        return 0;
    uint8_t *payload = w.p;
    if (tvl_frame_write(&w, &f) != 0)
        return 0;
    const size_t len = (size_t)(w.p - payload); /* at least the three bytes a sample needs */
    tvl_packet_set_length(&mark, len + TVL_TAG_SIZE);
    if (tvl_seal(keys, 0, 0, bytes, (size_t)(payload - bytes), payload, len) < 0 ||
        tvl_header_mask(keys, bytes + mark.pn_offset + 4, mask) != 0)
        return 0;
    tvl_packet_mask(&mark, mask);
    return (size_t)(w.p - bytes) + TVL_TAG_SIZE;
}

bool tvl_stateless_refuse(struct tvl_stateless *s, const struct tvl_question *q,
                          enum tvl_wire_error code)
{
    const struct tvl_cid *dcid = &q->packet->dcid;
    struct tvl_keys client = { .suite = 0 }, server = { .suite = 0 };
    struct tvl_answer *a = free_slot(s);

    if (!a || !let_through(&s->refusals, TVL_REFUSALS_PER_S, q->now) ||
        tvl_keys_initial(&client, &server, dcid->b, dcid->len) != 0)
        return false;
    const size_t len = write_refusal(a->bytes, sizeof a->bytes, q->packet, &server, code);
    tvl_keys_fini(&client);
    tvl_keys_fini(&server);
    return len > 0 && queue(s, q, len);
}

bool tvl_stateless_reset(struct tvl_stateless *s, const struct tvl_question *q,
                         const uint8_t token[TVL_RESET_TOKEN_SIZE])
{
    const size_t spread = 20; /* bytes; so that resets are not told by their length */
    struct tvl_answer *a = free_slot(s);
    size_t len = TVL_RESET_TRIGGER_MIN + (size_t)tvl_rng_below(q->rng, spread);

    if (!a || q->dgram->len < TVL_RESET_TRIGGER_MIN ||
        !let_through(&s->resets, TVL_RESETS_PER_S, q->now))
        return false;
    if (len >= q->dgram->len)
        len = q->dgram->len - 1; /* two servers must not answer each other for ever, 10.3.3 */
    tvl_rng_bytes(q->rng, a->bytes, len - TVL_RESET_TOKEN_SIZE);
    a->bytes[0] = (uint8_t)(0x40 | (a->bytes[0] & 0x3f)); /* looks like a short header */
    memcpy(a->bytes + len - TVL_RESET_TOKEN_SIZE, token, TVL_RESET_TOKEN_SIZE);
    return queue(s, q, len);
}

/* ---- judging ---- */

bool tvl_initial_is_genuine(struct tvl_keys *keys, const struct tvl_packet *p, const uint8_t *bytes)
{
    uint8_t copy[TVL_DATAGRAM_MAX], mask[TVL_MASK_SIZE];

    if (p->len > sizeof copy || tvl_header_mask(keys, bytes + p->pn_offset + 4, mask) != 0)
        return false;
    memcpy(copy, bytes, p->len);
    const struct tvl_packet_number n = tvl_packet_unmask(copy, p->pn_offset, mask);
    const size_t at = p->pn_offset + n.len;

    return tvl_open(keys, 0, tvl_pn_decode(TVL_PN_NONE, n.truncated, n.len), copy, at, copy + at,
                    p->len - at) >= 0;
}
