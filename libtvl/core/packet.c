/* packet.c - see packet.h. */
#include "packet.h"

#include <assert.h>
#include <string.h>

#include <tvl/tvl.h>

#define BIT_LONG 0x80u
#define BIT_FIXED 0x40u
#define BIT_SPIN 0x20u
#define BIT_KEY_PHASE 0x04u
#define RESERVED_LONG 0x0cu
#define RESERVED_SHORT 0x18u
#define HP_LONG 0x0fu
#define HP_SHORT 0x1fu
#define SAMPLE_END (4 + 16) /* header protection samples 16 bytes from 4 after pn_offset */

bool tvl_cid_equal(const struct tvl_cid *a, const struct tvl_cid *b)
{
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

struct tvl_cid tvl_cid_from(const uint8_t *bytes, size_t len)
{
    struct tvl_cid cid = { .len = (uint8_t)len };
    assert(len <= TVL_CID_MAX);
    if (len > 0)
        memcpy(cid.b, bytes, len);
    return cid;
}

/* ---- taking apart ---- */

static int parse_short(struct tvl_packet *p, struct tvl_rd *rd, const uint8_t *start,
                       size_t cid_len)
{
    const uint8_t *cid = tvl_rd_bytes(rd, cid_len);
    if (rd->bad || tvl_rd_left(rd) < SAMPLE_END)
        return TVL_ERR_PACKET;
    p->type = TVL_PACKET_ONE_RTT;
    p->dcid = tvl_cid_from(cid, cid_len);
    p->pn_offset = (size_t)(rd->p - start);
    p->len = (size_t)(rd->end - start);
    return 0;
}

static int parse_negotiation(struct tvl_packet *p, struct tvl_rd *rd)
{
    p->type = TVL_PACKET_VERSION_NEGOTIATION;
    p->versions = rd->p;
    p->versions_count = tvl_rd_left(rd) / 4;
    return p->versions_count > 0 && tvl_rd_left(rd) % 4 == 0 ? 0 : TVL_ERR_PACKET;
}

static int parse_retry(struct tvl_packet *p, struct tvl_rd *rd)
{
    if (tvl_rd_left(rd) <= TVL_RETRY_TAG_SIZE) /* an empty token is to be discarded as well */
        return TVL_ERR_PACKET;
    p->token_len = tvl_rd_left(rd) - TVL_RETRY_TAG_SIZE;
    p->token = tvl_rd_bytes(rd, p->token_len);
    p->retry_tag = tvl_rd_bytes(rd, TVL_RETRY_TAG_SIZE);
    return 0;
}

static int parse_numbered(struct tvl_packet *p, struct tvl_rd *rd, const uint8_t *start)
{
    if (p->type == TVL_PACKET_INITIAL) {
        uint64_t len = tvl_rd_varint(rd);
        p->token = tvl_rd_bytes(rd, len);
        p->token_len = rd->bad ? 0 : (size_t)len;
    }
    uint64_t rest = tvl_rd_varint(rd);
    if (rd->bad || rest > tvl_rd_left(rd) || rest < SAMPLE_END)
        return TVL_ERR_PACKET;
    p->pn_offset = (size_t)(rd->p - start);
    p->len = p->pn_offset + (size_t)rest;
    return 0;
}

static int parse_long(struct tvl_packet *p, struct tvl_rd *rd, const uint8_t *start)
{
    p->version = tvl_rd_u32(rd);
    p->dcid_bytes_len = tvl_rd_u8(rd);
    p->dcid_bytes = tvl_rd_bytes(rd, p->dcid_bytes_len);
    p->scid_bytes_len = tvl_rd_u8(rd);
    p->scid_bytes = tvl_rd_bytes(rd, p->scid_bytes_len);
    if (rd->bad)
        return TVL_ERR_PACKET;
    p->len = (size_t)(rd->end - start);

    bool cids_fit = p->dcid_bytes_len <= TVL_CID_MAX && p->scid_bytes_len <= TVL_CID_MAX;
    if (cids_fit) {
        p->dcid = tvl_cid_from(p->dcid_bytes, p->dcid_bytes_len);
        p->scid = tvl_cid_from(p->scid_bytes, p->scid_bytes_len);
    }
    if (p->version == 0)
        return parse_negotiation(p, rd);
    if (p->version != TVL_VERSION_1) {
        p->type = TVL_PACKET_UNKNOWN_VERSION;
        return 0;
    }
    if (!cids_fit)
        return TVL_ERR_PACKET;
    p->type = (enum tvl_packet_type)(p->first >> 4 & 3);
    return p->type == TVL_PACKET_RETRY ? parse_retry(p, rd) : parse_numbered(p, rd, start);
}

bool tvl_packet_is_long(uint8_t first)
{
    return (first & BIT_LONG) != 0;
}

int tvl_packet_parse(struct tvl_packet *p, const uint8_t *bytes, size_t len, size_t local_cid_len)
{
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    assert(local_cid_len <= TVL_CID_MAX);
    *p = (struct tvl_packet){ .first = tvl_rd_u8(&rd) };
    if (rd.bad)
        return TVL_ERR_PACKET;
    if (p->first & BIT_LONG)
        return parse_long(p, &rd, bytes);
    return parse_short(p, &rd, bytes, local_cid_len);
}

/* ---- putting together ---- */

static uint8_t fixed_bit(const struct tvl_packet_head *h)
{
    return h->fixed_bit_clear ? 0 : BIT_FIXED;
}

static void write_cid(struct tvl_wr *w, const uint8_t *bytes, uint8_t len)
{
    tvl_wr_u8(w, len);
    tvl_wr_bytes(w, bytes, len);
}

static void write_pn(struct tvl_wr *w, uint64_t pn, uint8_t pn_len)
{
    for (unsigned i = pn_len; i-- > 0;)
        tvl_wr_u8(w, (uint8_t)(pn >> (8 * i)));
}

size_t tvl_packet_head_size(const struct tvl_packet_head *h)
{
    if (h->type == TVL_PACKET_ONE_RTT)
        return 1u + h->dcid.len + h->pn_len;
    size_t size = 1u + 4 + 1 + h->dcid.len + 1 + h->scid.len + 2 + h->pn_len;
    if (h->type == TVL_PACKET_INITIAL)
        size += tvl_varint_size(h->token_len) + h->token_len;
    return size;
}

int tvl_packet_write_head(struct tvl_wr *w, const struct tvl_packet_head *h,
                          struct tvl_packet_mark *mark)
{
    assert(h->pn_len >= 1 && h->pn_len <= 4 && h->type != TVL_PACKET_RETRY);
    *mark = (struct tvl_packet_mark){ .start = w->p, .pn_len = h->pn_len };
    uint8_t first = (uint8_t)(fixed_bit(h) | (h->pn_len - 1u));
    if (h->type == TVL_PACKET_ONE_RTT) {
        first = (uint8_t)(first | (h->spin ? BIT_SPIN : 0) | (h->key_phase ? BIT_KEY_PHASE : 0));
        tvl_wr_u8(w, first);
        tvl_wr_bytes(w, h->dcid.b, h->dcid.len);
    } else {
        tvl_wr_u8(w, (uint8_t)(first | BIT_LONG | (unsigned)h->type << 4));
        tvl_wr_u32(w, h->version ? h->version : TVL_VERSION_1);
        write_cid(w, h->dcid.b, h->dcid.len);
        write_cid(w, h->scid.b, h->scid.len);
        if (h->type == TVL_PACKET_INITIAL) {
            tvl_wr_varint(w, h->token_len);
            tvl_wr_bytes(w, h->token, h->token_len);
        }
        mark->length_offset = (size_t)(w->p - mark->start);
        tvl_wr_varint_in(w, 0, 2);
    }
    mark->pn_offset = (size_t)(w->p - mark->start);
    write_pn(w, h->pn, h->pn_len);
    return w->full ? TVL_ERR_FULL : 0;
}

void tvl_packet_set_length(const struct tvl_packet_mark *mark, size_t payload_len)
{
    if (mark->length_offset == 0)
        return;
    assert(payload_len + mark->pn_len <= TVL_LONG_PAYLOAD_MAX);
    struct tvl_wr w = tvl_wr_over(mark->start + mark->length_offset, 2);
    tvl_wr_varint_in(&w, payload_len + mark->pn_len, 2);
}

int tvl_packet_write_negotiation(struct tvl_wr *w, const struct tvl_packet *in,
                                 const uint32_t *versions, size_t count, uint8_t random)
{
    tvl_wr_u8(w, (uint8_t)(random | BIT_LONG | BIT_FIXED)); /* RFC 9000 17.2.1: 0x40 for demuxing */
    tvl_wr_u32(w, 0);
    write_cid(w, in->scid_bytes, in->scid_bytes_len);
    write_cid(w, in->dcid_bytes, in->dcid_bytes_len);
    for (size_t i = 0; i < count; i++)
        tvl_wr_u32(w, versions[i]);
    return w->full ? TVL_ERR_FULL : 0;
}

int tvl_packet_write_retry(struct tvl_wr *w, const struct tvl_retry *retry)
{
    assert(retry->token_len > 0);
    tvl_wr_u8(w, (uint8_t)(BIT_LONG | BIT_FIXED | TVL_PACKET_RETRY << 4 | (retry->random & 0x0fu)));
    tvl_wr_u32(w, TVL_VERSION_1);
    write_cid(w, retry->dcid.b, retry->dcid.len);
    write_cid(w, retry->scid.b, retry->scid.len);
    tvl_wr_bytes(w, retry->token, retry->token_len);
    return w->full ? TVL_ERR_FULL : 0;
}

/* ---- packet numbers ---- */

uint8_t tvl_pn_size(uint64_t pn, uint64_t largest_acked)
{
    assert(pn <= TVL_PN_MAX && (largest_acked == TVL_PN_NONE || largest_acked < pn));
    uint64_t unacked = largest_acked == TVL_PN_NONE ? pn + 1 : pn - largest_acked;
    /* The peer must be able to tell apart twice as many numbers as are in doubt. */
    uint8_t size = 1;
    while (size < 4 && unacked > (uint64_t)1 << (8 * size - 1))
        size++;
    return size;
}

uint64_t tvl_pn_decode(uint64_t largest, uint32_t truncated, uint8_t pn_len)
{
    assert(pn_len >= 1 && pn_len <= 4);
    uint64_t expected = largest == TVL_PN_NONE ? 0 : largest + 1;
    uint64_t window = (uint64_t)1 << (8 * pn_len);
    uint64_t half = window / 2;
    uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate < TVL_PN_MAX + 1 - window)
        return candidate + window;
    if ((candidate > expected + half || candidate > TVL_PN_MAX) && candidate >= window)
        return candidate - window;
    return candidate;
}

/* ---- header protection ---- */

void tvl_packet_mask(const struct tvl_packet_mark *mark, const uint8_t mask[5])
{
    uint8_t *first = mark->start;
    *first = (uint8_t)(*first ^ (mask[0] & (*first & BIT_LONG ? HP_LONG : HP_SHORT)));
    for (size_t i = 0; i < mark->pn_len; i++)
        mark->start[mark->pn_offset + i] ^= mask[1 + i];
}

struct tvl_packet_number tvl_packet_unmask(uint8_t *packet, size_t pn_offset, const uint8_t mask[5])
{
    packet[0] = (uint8_t)(packet[0] ^ (mask[0] & (packet[0] & BIT_LONG ? HP_LONG : HP_SHORT)));
    struct tvl_packet_number n = { .len = (uint8_t)((packet[0] & 3) + 1) };
    for (size_t i = 0; i < n.len; i++) {
        packet[pn_offset + i] ^= mask[1 + i];
        n.truncated = n.truncated << 8 | packet[pn_offset + i];
    }
    return n;
}

bool tvl_packet_reserved_set(uint8_t first)
{
    return (first & (first & BIT_LONG ? RESERVED_LONG : RESERVED_SHORT)) != 0;
}

bool tvl_packet_key_phase(uint8_t first)
{
    return (first & BIT_KEY_PHASE) != 0;
}

bool tvl_packet_spin(uint8_t first)
{
    return (first & BIT_SPIN) != 0;
}

bool tvl_packet_fixed(uint8_t first)
{
    return (first & BIT_FIXED) != 0;
}
