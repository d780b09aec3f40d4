/* rows_packets.c - headers, versions, Retry, packet protection and key phases (RFC 9000 5, 6, 14,
 * 17; RFC 9001 5, 6). */
#include "error.h"
#include "rows.h"
#include "script.h"

#define OPEN STAGE_OPEN
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION

/* ---- acts ---- */

static size_t sealed(struct puppet *p, const struct puppet_shot *s, uint8_t *bytes, size_t cap)
{
    static const uint8_t ping[] = { TVL_FRAME_PING };

    return puppet_seal(p, s, ping, sizeof ping, bytes, cap);
}

static bool damaged_tag(struct puppet *p)
{
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .pn = TVL_PN_NONE };
    uint8_t bytes[100];
    const size_t n = sealed(p, &s, bytes, sizeof bytes);

    bytes[n - 1] ^= 1;
    puppet_fire(p, bytes, n, 0);
    puppet_pump(p);
    return n > 0;
}

/* Many small packets while the victim, a server, is closing. */
static bool small_packets_while_closing(struct puppet *p)
{
    static const uint8_t unknown[] = { 0x1f };
    const struct puppet_shot s = { .type = TVL_PACKET_INITIAL, .pn = TVL_PN_NONE };
    const struct puppet_shot first = { .type = TVL_PACKET_INITIAL,
                                       .pn = TVL_PN_NONE,
                                       .pad_to = 1200 };
    uint8_t bytes[1300];
    size_t n = puppet_seal(p, &first, unknown, sizeof unknown, bytes, sizeof bytes);

    for (unsigned i = 0; i < 100 && n > 0; i++) {
        puppet_fire(p, bytes, n, 0);
        puppet_pump(p);
        if (p->bytes_out > 3 * p->bytes_in)
            return false;
        n = sealed(p, &s, bytes, sizeof bytes);
    }
    return true;
}

static bool damaged_header(struct puppet *p)
{
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .pn = TVL_PN_NONE };
    uint8_t bytes[100];
    const size_t n = sealed(p, &s, bytes, sizeof bytes);

    bytes[0] ^= 0x20; /* the spin bit is authenticated */
    puppet_fire(p, bytes, n, 0);
    puppet_pump(p);
    return n > 0;
}

static unsigned datagrams;

static void count_datagrams(struct puppet *p, const struct tvl_event *ev)
{
    (void)p;
    datagrams += ev->type == TVL_EVENT_DATAGRAM;
}

static bool same_packet_twice(struct puppet *p)
{
    static const uint8_t frames[] = { TVL_FRAME_DATAGRAM_LEN, 1, 'x' };
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .pn = TVL_PN_NONE };
    uint8_t bytes[100];
    const size_t n = puppet_seal(p, &s, frames, sizeof frames, bytes, sizeof bytes);

    datagrams = 0;
    p->on_event = count_datagrams;
    puppet_fire(p, bytes, n, 0);
    puppet_fire(p, bytes, n, 0);
    puppet_pump(p);
    return datagrams == 1;
}

static bool short_packets(struct puppet *p)
{
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .pn = TVL_PN_NONE };
    uint8_t bytes[100];
    const size_t n = sealed(p, &s, bytes, sizeof bytes);

    for (size_t len = 1; len < n; len++)
        puppet_fire(p, bytes, len, 0);
    puppet_pump(p);
    return true;
}

/* A long header by hand: version, connection IDs of some length, then `rest` bytes. */
static void long_header(struct puppet *p, uint32_t version, uint8_t dcid_len, uint8_t scid_len,
                        size_t total)
{
    uint8_t bytes[1300];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);

    tvl_wr_u8(&w, 0xc3);
    tvl_wr_u32(&w, version);
    tvl_wr_u8(&w, dcid_len);
    for (unsigned i = 0; i < dcid_len; i++)
        tvl_wr_u8(&w, 'D');
    tvl_wr_u8(&w, scid_len);
    for (unsigned i = 0; i < scid_len; i++)
        tvl_wr_u8(&w, 'S');
    while ((size_t)(w.p - bytes) < total)
        tvl_wr_u8(&w, 0x33);
    puppet_fire(p, bytes, total, 0);
    puppet_pump(p);
}

static bool long_dcid(struct puppet *p)
{
    long_header(p, TVL_VERSION_1, 21, 8, 1200);
    return true;
}

static bool long_scid(struct puppet *p)
{
    long_header(p, TVL_VERSION_1, 8, 21, 1200);
    return true;
}

static bool other_version(struct puppet *p)
{
    long_header(p, 0x1a2a3a4a, 8, 8, 1200);
    return p->version_offered;
}

static bool other_version_small(struct puppet *p)
{
    long_header(p, 0x1a2a3a4a, 8, 8, 1199);
    return !p->version_offered;
}

static bool other_version_long_ids(struct puppet *p)
{
    long_header(p, 0x1a2a3a4a, 255, 255, 1200);
    return p->version_offered;
}

static bool short_dcid(struct puppet *p)
{
    const struct tvl_cid seven = { .len = 7, .b = "SEVENTH" };
    const struct puppet_shot s = {
        .type = TVL_PACKET_INITIAL, .pn = TVL_PN_NONE, .dcid = &seven, .pad_to = 1200
    };
    uint8_t bytes[1300];
    size_t n;

    tvl_keys_fini(&p->write[TVL_LEVEL_INITIAL]);
    tvl_keys_fini(&p->read[TVL_LEVEL_INITIAL]);
    if (tvl_keys_initial(&p->write[TVL_LEVEL_INITIAL], &p->read[TVL_LEVEL_INITIAL], seven.b,
                         seven.len) != 0)
        return false;
    n = sealed(p, &s, bytes, sizeof bytes);
    puppet_fire(p, bytes, n, 0);
    puppet_pump(p);
    return n > 0;
}

static void negotiation(struct puppet *p, const struct tvl_cid *scid, uint32_t version)
{
    uint8_t bytes[100];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);

    tvl_wr_u8(&w, 0xc0);
    tvl_wr_u32(&w, 0);
    tvl_wr_u8(&w, p->dcid.len);
    tvl_wr_bytes(&w, p->dcid.b, p->dcid.len);
    tvl_wr_u8(&w, scid->len);
    tvl_wr_bytes(&w, scid->b, scid->len);
    tvl_wr_u32(&w, 0x1a2a3a4a);
    tvl_wr_u32(&w, version);
    puppet_fire(p, bytes, (size_t)(w.p - bytes), 0);
    puppet_pump(p);
}

static bool versions_without_ours(struct puppet *p)
{
    negotiation(p, &p->original_dcid, 0x2a3a4a5a);
    return true;
}

static bool versions_with_ours(struct puppet *p)
{
    negotiation(p, &p->original_dcid, TVL_VERSION_1);
    return true;
}

static bool versions_from_nowhere(struct puppet *p)
{
    negotiation(p, &p->scid, 0x2a3a4a5a);
    return true;
}

enum retry_flaw { RETRY_GOOD, RETRY_BAD_TAG, RETRY_NO_TOKEN, RETRY_SAME_ID };

static void fire_retry(struct puppet *p, enum retry_flaw flaw, char id)
{
    uint8_t bytes[200];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
    struct tvl_retry r = { .dcid = p->dcid, .token = (const uint8_t *)"token", .token_len = 5 };

    r.scid = (struct tvl_cid){ .len = 8 };
    memset(r.scid.b, id, 8);
    if (flaw == RETRY_SAME_ID)
        r.scid = p->original_dcid;
    if (tvl_packet_write_retry(&w, &r) != 0)
        return;
    if (flaw == RETRY_NO_TOKEN)
        w.p -= 5;
    if (tvl_retry_tag(w.p, p->original_dcid.b, p->original_dcid.len, bytes,
                      (size_t)(w.p - bytes)) != 0)
        return;
    w.p[3] ^= flaw == RETRY_BAD_TAG;
    puppet_forget(p);
    puppet_fire(p, bytes, (size_t)(w.p - bytes) + 16, 0);
    /* What answers a Retry is under keys the puppet does not follow here: it is only counted. */
    p->mute = true;
    puppet_pump(p);
    p->mute = false;
}

static bool retry_bad_tag(struct puppet *p)
{
    fire_retry(p, RETRY_BAD_TAG, 'R');
    return p->victim_datagrams == 0;
}

static bool retry_without_token(struct puppet *p)
{
    fire_retry(p, RETRY_NO_TOKEN, 'R');
    return p->victim_datagrams == 0;
}

static bool retry_same_id(struct puppet *p)
{
    fire_retry(p, RETRY_SAME_ID, 'R');
    return p->victim_datagrams == 0;
}

static bool retry_late(struct puppet *p)
{
    fire_retry(p, RETRY_GOOD, 'R');
    return p->victim_datagrams == 0;
}

static bool was_retried(struct puppet *p)
{
    return p->retry_offered;
}

static bool initial_0_unacked(struct puppet *p)
{
    return !p->initial.acked[0];
}

static bool app_0_acked(struct puppet *p)
{
    return p->app[0].acked[0];
}

/* More 1-RTT packets than are kept, each a breach if it were read; the connection is not ended. */
static bool unread_before_complete(struct puppet *p)
{
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .pn = TVL_PN_NONE };
    static const uint8_t unknown[] = { 0x1f };
    uint8_t bytes[100];

    for (unsigned i = 0; i < 100; i++) {
        const size_t n = puppet_seal(p, &s, unknown, sizeof unknown, bytes, sizeof bytes);

        bytes[n ? n - 1 : 0] ^= 1; /* so that the end of the handshake does not make them good */
        puppet_fire(p, bytes, n, 0);
        puppet_pump(p);
        if (n == 0 || p->close.seen || p->closed)
            return false;
    }
    return true;
}

const struct row rows_packets[] = {
    /* ---- headers ---- */
    { "RFC 9000 17.3.1", "reserved bit 0x08 of a short header set", BOTH, OPEN, "1,xor=0x08: 1",
      CLOSES, VIOLATION },
    { "RFC 9000 17.3.1", "reserved bit 0x10 of a short header set", BOTH, OPEN, "1,xor=0x10: 1",
      CLOSES, VIOLATION },
    { "RFC 9000 17.2", "reserved bit 0x04 of a Handshake packet set", BOTH, STAGE_HANDSHAKE,
      "H,xor=0x04: 1", CLOSES, VIOLATION },
    { "RFC 9000 17.2", "reserved bit 0x08 of a Handshake packet set", BOTH, STAGE_HANDSHAKE,
      "H,xor=0x08: 1", CLOSES, VIOLATION },
    { "RFC 9000 17.2", "reserved bits of an Initial packet set", BOTH, STAGE_INITIAL,
      "I,xor=0x0c: 1", CLOSES, VIOLATION },
    { "RFC 9000 17.3.1", "the fixed bit of a short header clear, never offered", BOTH, OPEN,
      "1,xor=0x40: 1", DROPS, .flags = NO_GREASE },
    { "RFC 9000 17.2", "the fixed bit of a Handshake packet clear, never offered", BOTH,
      STAGE_HANDSHAKE, "H,xor=0x40: 0x1f", IGNORES, .flags = NO_GREASE },
    { "RFC 9000 17.2", "the fixed bit of a first Initial packet clear, never offered", SERVER,
      STAGE_INITIAL, "I,xor=0x40: 1", SILENT, .flags = NO_GREASE },
    { "RFC 9287 3", "the fixed bit of a short header clear, as was offered", BOTH, OPEN,
      "1,xor=0x40: 0x1f", CLOSES, TVL_WIRE_FRAME_ENCODING_ERROR },
    { "RFC 9287 3", "the fixed bit of a Handshake packet clear, as was offered", BOTH,
      STAGE_HANDSHAKE, "H,xor=0x40: 0x1f", CLOSES, TVL_WIRE_FRAME_ENCODING_ERROR,
      TVL_WIRE_PROTOCOL_VIOLATION },
    { "RFC 9000 17.2", "a connection ID of 21 bytes as destination", BOTH, STAGE_INITIAL, NULL,
      IGNORES, .act = long_dcid },
    { "RFC 9000 17.2", "a connection ID of 21 bytes as source", SERVER, STAGE_INITIAL, NULL, SILENT,
      .act = long_scid },
    { "RFC 9000 10.3, RFC 9001 5.4.2", "packets too short for anything", BOTH, OPEN, NULL, IGNORES,
      .act = short_packets },
    { "RFC 9000 12.3", "the same packet twice: taken once", BOTH, OPEN, NULL, IGNORES,
      .act = same_packet_twice },
    { "RFC 9001 5.3", "a packet with a damaged tag", BOTH, OPEN, NULL, DROPS, .act = damaged_tag },
    { "RFC 9001 5.3", "a packet with a damaged header", BOTH, OPEN, NULL, DROPS,
      .act = damaged_header },
    { "RFC 9000 7.2", "another Source Connection ID in a later Handshake packet", BOTH,
      STAGE_HANDSHAKE, "H,scid=X: 0x1f", IGNORES },
    { "RFC 9000 7.2", "another Source Connection ID in a later Initial packet", BOTH,
      STAGE_HANDSHAKE, "I,scid=X: 0x1f", IGNORES },
    { "RFC 9000 12.2", "a coalesced packet for another connection ID", BOTH, OPEN,
      "1,pad=60: 1 + 1,dcid=Y: 0x1f", IGNORES },
    { "RFC 9001 4.9.1", "an Initial packet after the handshake", BOTH, OPEN, "I: 0x1f", IGNORES },
    { "RFC 9001 4.9.2", "a Handshake packet after the handshake", BOTH, OPEN, "H: 0x1f", IGNORES },
    { "RFC 9001 5.7", "a 1-RTT packet before the handshake is complete: read when it is", SERVER,
      STAGE_HANDSHAKE, "1: 1", IGNORES, .check = app_0_acked },
    { "RFC 9001 5.7", "a hundred forged ones before it is complete", SERVER, STAGE_HANDSHAKE, NULL,
      IGNORES, .act = unread_before_complete },
    { "RFC 9001 4.6.2", "a 0-RTT packet after the handshake", SERVER, OPEN, "Z: 0x1f", IGNORES },
    { "RFC 9000 17.2.2", "an Initial packet with a token from a server", CLIENT, STAGE_INITIAL,
      "I,token=4: 1", IGNORES, .flags = MUTE, .check = initial_0_unacked },

    /* ---- a server's first packet ---- */
    { "RFC 9000 14.1", "a first Initial packet in 1199 bytes", SERVER, STAGE_INITIAL,
      "I,pad=1199: 1", SILENT },
    { "RFC 9000 8.1, 10.2.1", "a breach, then small packets: three times what came, no more",
      SERVER, STAGE_INITIAL, NULL, CLOSES, TVL_WIRE_FRAME_ENCODING_ERROR,
      .act = small_packets_while_closing },
    { "RFC 9000 7.2", "a first Initial packet with a destination ID of 7 bytes", SERVER,
      STAGE_INITIAL, NULL, SILENT, .act = short_dcid },
    { "RFC 9000 5.2.2", "a Handshake packet out of the blue", SERVER, STAGE_INITIAL, "H: 1", SILENT,
      .flags = BORROWED_KEYS },
    { "RFC 9000 5.2.2", "a 0-RTT packet out of the blue", SERVER, STAGE_INITIAL, "Z,pad=1200: 1",
      SILENT },
    { "RFC 9000 5.2.2, 6.1", "another version in 1200 bytes: it is told ours", SERVER,
      STAGE_INITIAL, NULL, IGNORES, .act = other_version },
    { "RFC 9000 5.2.2, 6.1", "another version in 1199 bytes", SERVER, STAGE_INITIAL, NULL, SILENT,
      .act = other_version_small },
    { "RFC 9000 17.2, RFC 8999 6", "another version with IDs of 255 bytes: it is told ours", SERVER,
      STAGE_INITIAL, NULL, IGNORES, .act = other_version_long_ids },

    /* ---- version negotiation and Retry at a client ---- */
    { "RFC 9000 6.2", "Version Negotiation without version 1", CLIENT, STAGE_INITIAL, NULL, ENDS,
      .act = versions_without_ours, .flags = MUTE },
    { "RFC 9000 6.2", "Version Negotiation that lists version 1", CLIENT, STAGE_INITIAL, NULL,
      IGNORES, .act = versions_with_ours, .flags = MUTE },
    { "RFC 9000 6.2", "Version Negotiation after another packet was taken", CLIENT, STAGE_HANDSHAKE,
      NULL, IGNORES, .act = versions_without_ours },
    { "RFC 9000 17.2.1", "Version Negotiation with a Source Connection ID never used", CLIENT,
      STAGE_INITIAL, NULL, IGNORES, .act = versions_from_nowhere, .flags = MUTE },
    { "RFC 9000 17.2.5.2, RFC 9001 5.8", "Retry with a wrong integrity tag", CLIENT, STAGE_INITIAL,
      NULL, IGNORES, .act = retry_bad_tag, .flags = MUTE },
    { "RFC 9000 17.2.5.2", "Retry with an empty token", CLIENT, STAGE_INITIAL, NULL, IGNORES,
      .act = retry_without_token, .flags = MUTE },
    { "RFC 9000 17.2.5.1", "Retry whose Source Connection ID is the client's destination", CLIENT,
      STAGE_INITIAL, NULL, IGNORES, .act = retry_same_id, .flags = MUTE },
    { "RFC 9000 17.2.5.2", "Retry after an Initial packet", CLIENT, STAGE_HANDSHAKE, NULL, IGNORES,
      .act = retry_late },
    { "RFC 9000 17.2.5.2", "a second Retry", CLIENT, STAGE_INITIAL, NULL, IGNORES,
      .act = retry_late, .flags = PUPPET_RETRIES },
    { "RFC 9000 8.1.2", "a client that obeys a Retry", SERVER, OPEN, NULL, IGNORES, .flags = RETRY,
      .check = was_retried },

    /* ---- key phases ---- */
    { "RFC 9001 6.2", "a key update", BOTH, OPEN, "!update; 1: 1", IGNORES },
    { "RFC 9001 6.4", "old keys for a later packet than the first with new ones", BOTH, OPEN,
      "!update; 1: 1 1 1 1; 1,old: 1 1 1 1", CLOSES, TVL_WIRE_KEY_UPDATE_ERROR },
    { "RFC 9001 6.5", "old keys for an earlier packet than the first with new ones", BOTH, OPEN,
      "!update; 1,pn=400: 1; 1,old,pn=399: 1", IGNORES },
    { "RFC 9001 6.2", "two key updates without waiting for an acknowledgement", BOTH, OPEN,
      "!update; !mute; 1: 1; !update; 1: 1", CLOSES, TVL_WIRE_KEY_UPDATE_ERROR },
    { .section = NULL },
};
