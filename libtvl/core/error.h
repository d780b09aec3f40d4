/*
 * error.h - transport error codes as they stand on the wire (RFC 9000 20.1 and the multipath
 * draft's additions).
 *
 * Functions that judge what the peer sent return 0 or the negative of one of these; functions the
 * application's calls end in return enum tvl_error. No function returns both kinds.
 */
#ifndef TVL_CORE_ERROR_H
#define TVL_CORE_ERROR_H

enum tvl_wire_error {
    TVL_WIRE_NO_ERROR = 0x00,
    TVL_WIRE_INTERNAL_ERROR = 0x01,
    TVL_WIRE_CONNECTION_REFUSED = 0x02,
    TVL_WIRE_FLOW_CONTROL_ERROR = 0x03,
    TVL_WIRE_STREAM_LIMIT_ERROR = 0x04,
    TVL_WIRE_STREAM_STATE_ERROR = 0x05,
    TVL_WIRE_FINAL_SIZE_ERROR = 0x06,
    TVL_WIRE_FRAME_ENCODING_ERROR = 0x07,
    TVL_WIRE_TRANSPORT_PARAMETER_ERROR = 0x08,
    TVL_WIRE_CONNECTION_ID_LIMIT_ERROR = 0x09,
    TVL_WIRE_PROTOCOL_VIOLATION = 0x0a,
    TVL_WIRE_INVALID_TOKEN = 0x0b,
    TVL_WIRE_APPLICATION_ERROR = 0x0c,
    TVL_WIRE_CRYPTO_BUFFER_EXCEEDED = 0x0d,
    TVL_WIRE_KEY_UPDATE_ERROR = 0x0e,
    TVL_WIRE_AEAD_LIMIT_REACHED = 0x0f,
    TVL_WIRE_NO_VIABLE_PATH = 0x10,
    TVL_WIRE_CRYPTO_ERROR = 0x100, /* plus the TLS alert */

    /* draft-ietf-quic-multipath: carried by PATH_ABANDON */
    TVL_WIRE_APPLICATION_ABANDON_PATH = 0x3e,
    TVL_WIRE_PATH_RESOURCE_LIMIT_REACHED = 0x3e75,
    TVL_WIRE_PATH_UNSTABLE_OR_POOR = 0x3e76,
    TVL_WIRE_NO_CID_AVAILABLE_FOR_PATH = 0x3e77,
};

#endif
