/* rows_params.c - transport parameters (RFC 9000 7.3, 7.4, 18; RFC 9001 8.2). */
#include "error.h"
#include "rows.h"

#define OPEN STAGE_OPEN
#define BAD TVL_WIRE_TRANSPORT_PARAMETER_ERROR

#define BAD_PARAMS(section, what, who, text)                        \
    {                                                               \
        section, what, who, OPEN, NULL, CLOSES, BAD, .params = text \
    }
#define GOOD_PARAMS(section, what, who, text)                   \
    {                                                           \
        section, what, who, OPEN, NULL, IGNORES, .params = text \
    }

/* 4 bytes and port, 16 bytes and port, ID, token. */
#define PREFERRED(cid)                 \
    "+0x0d=x0a0000011151"              \
    "00000000000000000000000000000000" \
    "1151" cid "54545454545454545454545454545454"

const struct row rows_params[] = {
    /* ---- ranges ---- */
    BAD_PARAMS("RFC 9000 18.2", "max_udp_payload_size 1199", BOTH, "+0x03=1199"),
    GOOD_PARAMS("RFC 9000 18.2", "max_udp_payload_size 1200", BOTH, "+0x03=1200"),
    BAD_PARAMS("RFC 9000 18.2", "ack_delay_exponent 21", BOTH, "+0x0a=21"),
    GOOD_PARAMS("RFC 9000 18.2", "ack_delay_exponent 20", BOTH, "+0x0a=20"),
    BAD_PARAMS("RFC 9000 18.2", "max_ack_delay 2^14", BOTH, "+0x0b=16384"),
    GOOD_PARAMS("RFC 9000 18.2", "max_ack_delay 2^14-1", BOTH, "+0x0b=16383"),
    BAD_PARAMS("RFC 9000 18.2", "active_connection_id_limit 1", BOTH, "+0x0e=1"),
    BAD_PARAMS("RFC 9000 18.2", "active_connection_id_limit 0", BOTH, "+0x0e=0"),
    GOOD_PARAMS("RFC 9000 18.2", "active_connection_id_limit 2", BOTH, "+0x0e=2"),
    BAD_PARAMS("RFC 9000 4.6, 18.2", "initial_max_streams_bidi above 2^60", BOTH,
               "+0x08=0x1000000000000001"),
    BAD_PARAMS("RFC 9000 4.6, 18.2", "initial_max_streams_uni above 2^60", BOTH,
               "+0x09=0x1000000000000001"),
    GOOD_PARAMS("RFC 9000 4.6, 18.2", "initial_max_streams_bidi of 2^60", BOTH,
                "+0x08=0x1000000000000000"),

    /* ---- encoding ---- */
    BAD_PARAMS("RFC 9000 7.4", "a number without a byte", BOTH, "+0x04=x"),
    BAD_PARAMS("RFC 9000 7.4", "a number cut short", BOTH, "+0x04=x80"),
    BAD_PARAMS("RFC 9000 7.4", "a number with a byte behind it", BOTH, "+0x04=x0500"),
    BAD_PARAMS("RFC 9000 7.4", "disable_active_migration with a value", BOTH, "+0x0c=x00"),
    BAD_PARAMS("RFC 9000 7.4", "initial_max_data twice", BOTH, "++0x04=9"),
    BAD_PARAMS("RFC 9000 7.4", "an unknown parameter twice", BOTH, "+0x7777=x00 ++0x7777=x00"),
    BAD_PARAMS("RFC 9000 18.2", "initial_source_connection_id of 21 bytes", BOTH,
               "+0x0f=x010203040506070809101112131415161718192021"),
    GOOD_PARAMS("RFC 9000 7.4.2, 18.1", "unknown parameters, reserved ones among them", BOTH,
                "+0x7777=x001122 +27=x +58=x99"),
    BAD_PARAMS("RFC 9000 18.2", "stateless_reset_token of 15 bytes", CLIENT,
               "+0x02=x545454545454545454545454545454"),
    BAD_PARAMS("RFC 9000 18.2", "preferred_address with an empty connection ID", CLIENT,
               PREFERRED("00")),
    BAD_PARAMS("RFC 9000 18.2", "preferred_address with a connection ID of 21 bytes", CLIENT,
               PREFERRED("15010203040506070809101112131415161718192021")),
    BAD_PARAMS("RFC 9000 18.2", "preferred_address cut short", CLIENT, "+0x0d=x0a0000011151"),
    { "RFC 9000 18.2", "preferred_address from a server whose own connection ID is empty", CLIENT,
      OPEN, NULL, CLOSES, BAD, .params = PREFERRED("084141414141414141"),
      .flags = NO_MULTIPATH | EMPTY_SCID },
    GOOD_PARAMS("RFC 9000 9.6, 18.2", "a good preferred_address that nobody must use", CLIENT,
                PREFERRED("084141414141414141")),

    /* ---- who may send what ---- */
    BAD_PARAMS("RFC 9000 18.2", "original_destination_connection_id from a client", SERVER,
               "+0x00=x4444444444444444"),
    BAD_PARAMS("RFC 9000 18.2", "stateless_reset_token from a client", SERVER,
               "+0x02=x54545454545454545454545454545454"),
    BAD_PARAMS("RFC 9000 18.2", "preferred_address from a client", SERVER,
               PREFERRED("084141414141414141")),
    BAD_PARAMS("RFC 9000 18.2", "retry_source_connection_id from a client", SERVER,
               "+0x10=x5353535353535353"),

    /* ---- authentication of connection IDs ---- */
    BAD_PARAMS("RFC 9000 7.3", "initial_source_connection_id absent", BOTH, "-0x0f"),
    BAD_PARAMS("RFC 9000 7.3", "original_destination_connection_id absent", CLIENT, "-0x00"),
    { "RFC 9000 7.3", "initial_source_connection_id of another", BOTH, OPEN, NULL, CLOSES, BAD,
      TVL_WIRE_PROTOCOL_VIOLATION, .params = "+0x0f=x5353535353535354" },
    { "RFC 9000 7.3", "initial_source_connection_id empty", BOTH, OPEN, NULL, CLOSES, BAD,
      TVL_WIRE_PROTOCOL_VIOLATION, .params = "+0x0f=x" },
    { "RFC 9000 7.3", "original_destination_connection_id of another", CLIENT, OPEN, NULL, CLOSES,
      BAD, TVL_WIRE_PROTOCOL_VIOLATION, .params = "+0x00=x5353535353535354" },
    { "RFC 9000 7.3", "retry_source_connection_id without a Retry", CLIENT, OPEN, NULL, CLOSES, BAD,
      TVL_WIRE_PROTOCOL_VIOLATION, .params = "+0x10=x5353535353535353" },
    { "RFC 9000 7.3", "retry_source_connection_id absent after a Retry", CLIENT, OPEN, NULL, CLOSES,
      BAD, TVL_WIRE_PROTOCOL_VIOLATION, .params = "-0x10", .flags = PUPPET_RETRIES },
    { "RFC 9000 7.3", "retry_source_connection_id of another after a Retry", CLIENT, OPEN, NULL,
      CLOSES, BAD, TVL_WIRE_PROTOCOL_VIOLATION, .params = "+0x10=x5353535353535354",
      .flags = PUPPET_RETRIES },
    { "RFC 9000 7.3", "all IDs right after a Retry", CLIENT, OPEN, NULL, IGNORES,
      .flags = PUPPET_RETRIES },

    /* ---- extensions ---- */
    { "RFC 9001 8.2", "no transport parameters at all", BOTH, OPEN, NULL, CLOSES,
      TVL_WIRE_CRYPTO_ERROR + 109, .flags = NO_PARAMS },
    BAD_PARAMS("multipath 2.1", "initial_max_path_id of 2^32", BOTH, "+0x3e=0x100000000"),
    GOOD_PARAMS("multipath 2.1", "initial_max_path_id of 2^32-1", BOTH, "+0x3e=0xffffffff"),
    GOOD_PARAMS("multipath 2.1", "initial_max_path_id of 0", BOTH, "+0x3e=0"),
    { "multipath 2.1", "initial_max_path_id with an empty connection ID", BOTH, OPEN, NULL, CLOSES,
      TVL_WIRE_PROTOCOL_VIOLATION, .flags = EMPTY_SCID },
    GOOD_PARAMS("RFC 9221 3", "max_datagram_frame_size of 2^62-1", BOTH,
                "+0x20=0x3fffffffffffffff"),
    BAD_PARAMS("RFC 9287 3", "grease_quic_bit with a value", BOTH, "+0x2ab2=x01"),
    { .section = NULL },
};
