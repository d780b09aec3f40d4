/*
 * packet.h - QUIC packet headers: take apart, put together, number, mask and unmask.
 *
 * RFC 9000 17 and Appendix A, RFC 8999, RFC 9001 5.4 (masking only: the mask comes from the
 * caller). Knows no keys and no connections. Parsed pointers borrow from the datagram.
 */
#ifndef TVL_CORE_PACKET_H
#define TVL_CORE_PACKET_H

#include "varint.h"

#define TVL_CID_MAX 20
#define TVL_VERSION_1 0x00000001u
#define TVL_PN_NONE UINT64_MAX /* "no packet number yet" */
#define TVL_PN_MAX TVL_VARINT_MAX
#define TVL_RETRY_TAG_SIZE 16
#define TVL_RESET_TOKEN_SIZE 16
#define TVL_LONG_PAYLOAD_MAX 16383 /* what the 2-byte Length field can say */

struct tvl_cid {
    uint8_t len; /* [0, TVL_CID_MAX] */
    uint8_t b[TVL_CID_MAX];
};

bool tvl_cid_equal(const struct tvl_cid *a, const struct tvl_cid *b);
struct tvl_cid tvl_cid_from(const uint8_t *bytes, size_t len); /* len <= TVL_CID_MAX */

enum tvl_packet_type { /* the first four are RFC 9000 17.2's numbers */
                       TVL_PACKET_INITIAL = 0,
                       TVL_PACKET_ZERO_RTT = 1,
                       TVL_PACKET_HANDSHAKE = 2,
                       TVL_PACKET_RETRY = 3,
                       TVL_PACKET_ONE_RTT,             /* short header */
                       TVL_PACKET_VERSION_NEGOTIATION, /* version 0 */
                       TVL_PACKET_UNKNOWN_VERSION, /* only version and *_bytes are known (RFC 8999)
                                                    */
};

struct tvl_packet {
    enum tvl_packet_type type;
    uint32_t version; /* 0 for a short header and for Version Negotiation */
    uint8_t first;    /* first byte, still masked */
    struct tvl_cid dcid,
        scid; /* empty for UNKNOWN_VERSION and VERSION_NEGOTIATION above 20 bytes */
    const uint8_t *dcid_bytes, *scid_bytes; /* long headers: as on the wire, up to 255 */
    uint8_t dcid_bytes_len, scid_bytes_len;
    const uint8_t *token; /* Initial, Retry */
    size_t token_len;
    const uint8_t *retry_tag; /* Retry: TVL_RETRY_TAG_SIZE bytes */
    const uint8_t *versions;  /* Version Negotiation: 4 bytes each */
    size_t versions_count;
    size_t pn_offset; /* from the start of this packet; 0 where there is no packet number */
    size_t len;       /* of this packet: the next coalesced one starts here */
};

bool tvl_packet_is_long(uint8_t first); /* RFC 8999 5.1; the bit is never masked */

/*
 * Take apart the header of the packet at `bytes`; `len` is what is left of the datagram,
 * `local_cid_len` the length of a short header's connection ID. 0, or TVL_ERR_PACKET: the rest of
 * the datagram is to be dropped. A packet with a number has at least 4 + 16 bytes from pn_offset,
 * so that the sample can be taken. Reserved and masked bits are not judged here.
 */
int tvl_packet_parse(struct tvl_packet *p, const uint8_t *bytes, size_t len, size_t local_cid_len);

/* Where a built header lies, for the length field and for header protection. */
struct tvl_packet_mark {
    uint8_t *start;
    size_t length_offset; /* of the 2-byte Length; 0 for a short header */
    size_t pn_offset;
    uint8_t pn_len; /* [1, 4] */
};

struct tvl_packet_head {
    enum tvl_packet_type type; /* INITIAL, ZERO_RTT, HANDSHAKE, ONE_RTT */
    uint32_t version;          /* long header only; 0: version 1 */
    struct tvl_cid dcid, scid; /* scid: long header only */
    const uint8_t *token;      /* Initial only */
    size_t token_len;
    uint64_t pn;
    uint8_t pn_len;       /* [1, 4] */
    bool spin, key_phase; /* short header only */
    bool fixed_bit_clear; /* RFC 9287, only towards a peer that offered it */
};

/* Bytes the header will take, packet number included. */
size_t tvl_packet_head_size(const struct tvl_packet_head *h);
/*
 * Write the header up to and including the packet number; 0, or TVL_ERR_FULL with `w` full. For a
 * long header the Length is zero until tvl_packet_set_length.
 */
int tvl_packet_write_head(struct tvl_wr *w, const struct tvl_packet_head *h,
                          struct tvl_packet_mark *mark);
/* `payload_len` counts what follows the packet number, AEAD tag included. No-op on a short header.
 */
void tvl_packet_set_length(const struct tvl_packet_mark *mark, size_t payload_len);

/* Version Negotiation in answer to `in` (its IDs swapped); `random` fills the unused bits. */
int tvl_packet_write_negotiation(struct tvl_wr *w, const struct tvl_packet *in,
                                 const uint32_t *versions, size_t count, uint8_t random);
struct tvl_retry {
    struct tvl_cid dcid, scid;
    const uint8_t *token;
    size_t token_len; /* > 0 */
    uint8_t random;   /* fills the unused bits */
};
/* Retry up to but without its integrity tag, which the caller computes and appends. */
int tvl_packet_write_retry(struct tvl_wr *w, const struct tvl_retry *retry);

/* Bytes for `pn` when the peer has acknowledged `largest_acked` or TVL_PN_NONE (RFC 9000 A.2). */
uint8_t tvl_pn_size(uint64_t pn, uint64_t largest_acked);
/* The number nearest to the one after `largest` (or TVL_PN_NONE) (RFC 9000 A.3). */
uint64_t tvl_pn_decode(uint64_t largest, uint32_t truncated, uint8_t pn_len);

/* Header protection in place (RFC 9001 5.4.1). The sample starts at pn_offset + 4. */
void tvl_packet_mask(const struct tvl_packet_mark *mark, const uint8_t mask[5]);
struct tvl_packet_number {
    uint32_t truncated;
    uint8_t len; /* [1, 4] */
};
struct tvl_packet_number tvl_packet_unmask(uint8_t *packet, size_t pn_offset,
                                           const uint8_t mask[5]);
/* Reserved bits of an unmasked first byte; non-zero is PROTOCOL_VIOLATION once decrypted. */
bool tvl_packet_reserved_set(uint8_t first);
bool tvl_packet_key_phase(uint8_t first); /* of an unmasked short header */
bool tvl_packet_fixed(uint8_t first);     /* its bit is set: RFC 9000 17.2, 17.3.1 */
bool tvl_packet_spin(uint8_t first);      /* of a short header, masked or not */

#endif
