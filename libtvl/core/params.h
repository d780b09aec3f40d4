/*
 * params.h - QUIC transport parameters between bytes and struct tvl_params.
 *
 * RFC 9000 18, RFC 9221 3 (max_datagram_frame_size), RFC 9287 3 (grease_quic_bit),
 * draft-ietf-quic-multipath 2.1 (initial_max_path_id), docs/decisions/0009 (max_repair_span).
 */
#ifndef TVL_CORE_PARAMS_H
#define TVL_CORE_PARAMS_H

#include <tvl/tvl.h>

#include "packet.h"
#include "varint.h"

#define TVL_PARAMS_MAX 64        /* parameters of one peer, known and unknown */
#define TVL_PARAMS_SIZE_MAX 1024 /* bytes ours can take */

enum tvl_side { TVL_CLIENT, TVL_SERVER };

struct tvl_preferred_address {
    uint8_t ipv4[4], ipv6[16];
    uint16_t ipv4_port, ipv6_port;
    struct tvl_cid cid; /* [1, 20] bytes */
    uint8_t reset_token[TVL_RESET_TOKEN_SIZE];
};

struct tvl_params {
    /* only the server may send these four */
    bool has_original_dcid, has_reset_token, has_preferred_address, has_retry_scid;
    bool has_initial_scid;
    bool disable_active_migration;
    bool grease_quic_bit;
    bool has_initial_max_path_id; /* multipath is offered */
    struct tvl_cid original_dcid, retry_scid, initial_scid;
    uint8_t reset_token[TVL_RESET_TOKEN_SIZE];
    struct tvl_preferred_address preferred_address;
    uint64_t max_idle_timeout_ms;  /* 0: none */
    uint64_t max_udp_payload_size; /* [1200, 2^62), default 65527 */
    uint64_t initial_max_data;
    uint64_t initial_max_stream_data_bidi_local;  /* bidi streams the sender opens */
    uint64_t initial_max_stream_data_bidi_remote; /* bidi streams the receiver opens */
    uint64_t initial_max_stream_data_uni;
    uint64_t initial_max_streams_bidi, initial_max_streams_uni; /* [0, 2^60] */
    uint64_t ack_delay_exponent;                                /* [0, 20], default 3 */
    uint64_t max_ack_delay_ms;                                  /* [0, 2^14), default 25 */
    uint64_t active_connection_id_limit;                        /* [2, 2^62), default 2 */
    uint64_t max_datagram_frame_size;                           /* 0: takes none */
    uint64_t max_repair_span; /* bytes of a stream that one block may cover; 0: repairs nothing */
    uint32_t initial_max_path_id;
};

/* Every field to the value an absent parameter stands for. */
void tvl_params_init(struct tvl_params *p);

/* Append all that differ from the default; 0, or TVL_ERR_FULL with `w` full. */
int tvl_params_encode(struct tvl_wr *w, const struct tvl_params *p);

/* Append a reserved parameter (RFC 9000 18.1), which a peer must skip, made from `random`. */
int tvl_params_grease(struct tvl_wr *w, const uint64_t random[3]);

/*
 * Take what `sender` sent; unknown ones are skipped. 0, or -TVL_WIRE_TRANSPORT_PARAMETER_ERROR: out
 * of range, twice, too many, malformed, or one that this side must not send. Whether the IDs match
 * the handshake's is the connection's to check.
 */
int tvl_params_decode(struct tvl_params *p, const uint8_t *bytes, size_t len, enum tvl_side sender);

#endif
