/* rows_multipath.c - draft-ietf-quic-multipath. The victim allows path IDs 0 to 3. */
#include "error.h"
#include "rows.h"

#define OPEN STAGE_OPEN
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION
#define ENCODING TVL_WIRE_FRAME_ENCODING_ERROR

static bool abandon_answered(struct puppet *p)
{
    return p->frames[puppet_frame_slot(TVL_FRAME_PATH_ABANDON)] > 0;
}

/* Paths the client wants, and cannot open: it has no connection IDs for them. */
static bool want_paths(struct puppet *p)
{
    static const uint8_t challenge[] = { TVL_FRAME_PATH_CHALLENGE, 1, 2, 3, 4, 5, 6, 7, 8 };
    const struct puppet_shot s = { .type = TVL_PACKET_ONE_RTT, .path_id = 1, .pn = TVL_PN_NONE };
    struct tvl_path_config path = { .tag = 1 };
    uint8_t bytes[100];
    const size_t n = puppet_seal(p, &s, challenge, sizeof challenge, bytes, sizeof bytes);

    if (tvl_path_add(p->conn, &path, p->now) != 1)
        return false;
    puppet_fire(p, bytes, n, 0);
    puppet_wait(p, 1000000);
    return !p->busy; /* its timers let time pass */
}

static bool cids_given_for_path_4(struct puppet *p)
{
    return puppet_cid(p, 4, 0) != NULL; /* the limits of both sides have risen */
}

/* Each frame with a path ID, beyond the limit and in the wrong packets. */
#define TOO_HIGH(name, script)                                                                  \
    {                                                                                           \
        "multipath 4", name " for a path ID above the limit", BOTH, OPEN, "1: " script, CLOSES, \
            VIOLATION                                                                           \
    }
#define IN_INITIAL(name, script)                                                                \
    {                                                                                           \
        "multipath 4", name " in an Initial packet", BOTH, STAGE_INITIAL, "I: " script, CLOSES, \
            VIOLATION                                                                           \
    }
#define IN_HANDSHAKE(name, script)                                                                 \
    {                                                                                              \
        "multipath 4", name " in a Handshake packet", BOTH, STAGE_HANDSHAKE, "H: " script, CLOSES, \
            VIOLATION                                                                              \
    }
#define NOT_NEGOTIATED(name, script)                                                               \
    {                                                                                              \
        "multipath 2.1, RFC 9000 12.4", name " that was not negotiated", BOTH, OPEN, "1: " script, \
            CLOSES, ENCODING, VIOLATION, .flags = NO_MULTIPATH                                     \
    }

const struct row rows_multipath[] = {
    NOT_NEGOTIATED("PATH_ACK", "0x3e 0 0 0 0 0"),
    NOT_NEGOTIATED("PATH_ABANDON", "0x3e75 0 0"),
    NOT_NEGOTIATED("PATH_STATUS_BACKUP", "0x3e76 0 1"),
    NOT_NEGOTIATED("PATH_STATUS_AVAILABLE", "0x3e77 0 1"),
    NOT_NEGOTIATED("PATH_NEW_CONNECTION_ID", "0x3e78 0 1 0 x08 $cidA $tokA"),
    NOT_NEGOTIATED("PATH_RETIRE_CONNECTION_ID", "0x3e79 0 0"),
    NOT_NEGOTIATED("MAX_PATH_ID", "0x3e7a 9"),
    NOT_NEGOTIATED("PATHS_BLOCKED", "0x3e7b 0"),
    NOT_NEGOTIATED("PATH_CIDS_BLOCKED", "0x3e7c 0 0"),
    { "multipath 2.1", "PATH_ACK that the victim did not offer", BOTH, OPEN, "1: 0x3e 0 0 0 0 0",
      CLOSES, ENCODING, VIOLATION, .flags = VICTIM_NO_MULTIPATH },

    IN_INITIAL("PATH_ACK", "0x3e 0 0 0 0 0"),
    IN_INITIAL("PATH_ABANDON", "0x3e75 0 0"),
    IN_INITIAL("PATH_STATUS_BACKUP", "0x3e76 0 1"),
    IN_INITIAL("PATH_STATUS_AVAILABLE", "0x3e77 0 1"),
    IN_INITIAL("PATH_NEW_CONNECTION_ID", "0x3e78 0 1 0 x08 $cidA $tokA"),
    IN_INITIAL("PATH_RETIRE_CONNECTION_ID", "0x3e79 0 0"),
    IN_INITIAL("MAX_PATH_ID", "0x3e7a 9"),
    IN_INITIAL("PATHS_BLOCKED", "0x3e7b 0"),
    IN_INITIAL("PATH_CIDS_BLOCKED", "0x3e7c 0 0"),
    IN_HANDSHAKE("PATH_ACK", "0x3e 0 0 0 0 0"),
    IN_HANDSHAKE("PATH_ABANDON", "0x3e75 0 0"),
    IN_HANDSHAKE("PATH_STATUS_BACKUP", "0x3e76 0 1"),
    IN_HANDSHAKE("PATH_STATUS_AVAILABLE", "0x3e77 0 1"),
    IN_HANDSHAKE("PATH_NEW_CONNECTION_ID", "0x3e78 0 1 0 x08 $cidA $tokA"),
    IN_HANDSHAKE("PATH_RETIRE_CONNECTION_ID", "0x3e79 0 0"),
    IN_HANDSHAKE("MAX_PATH_ID", "0x3e7a 9"),
    IN_HANDSHAKE("PATHS_BLOCKED", "0x3e7b 0"),
    IN_HANDSHAKE("PATH_CIDS_BLOCKED", "0x3e7c 0 0"),

    TOO_HIGH("PATH_ACK", "0x3e 4 0 0 0 0"),
    TOO_HIGH("PATH_ACK with ECN counts", "0x3f 4 0 0 0 0 0 0 0"),
    TOO_HIGH("PATH_ABANDON", "0x3e75 4 0"),
    TOO_HIGH("PATH_STATUS_BACKUP", "0x3e76 4 1"),
    TOO_HIGH("PATH_STATUS_AVAILABLE", "0x3e77 4 1"),
    TOO_HIGH("PATH_NEW_CONNECTION_ID", "0x3e78 4 0 0 x08 $cidA $tokA"),
    TOO_HIGH("PATH_RETIRE_CONNECTION_ID", "0x3e79 4 0"),
    TOO_HIGH("PATHS_BLOCKED", "0x3e7b 4"),
    TOO_HIGH("PATH_CIDS_BLOCKED", "0x3e7c 4 0"),
    { "multipath 4", "PATH_ABANDON for path ID 2^32", BOTH, OPEN, "1: 0x3e75 0x100000000 0", CLOSES,
      VIOLATION },

    /* ---- single frames ---- */
    { "RFC 9000 12.4", "PATH_ABANDON whose type takes four bytes", BOTH, OPEN, "1: 0x3e75/4 1 0",
      CLOSES, VIOLATION },
    { "RFC 9000 12.4", "PATH_ABANDON cut short", BOTH, OPEN, "1: 1 0x3e75 1", CLOSES, ENCODING },
    { "RFC 9000 13.1, multipath 4.1", "PATH_ACK of a packet never sent on path 0", BOTH, OPEN,
      "1: 0x3e 0 4000 0 0 0", CLOSES, VIOLATION, .frame = 0x3e },
    { "RFC 9000 13.1, multipath 4.1", "PATH_ACK for a path on which nothing was ever sent", BOTH,
      OPEN, "1: 0x3e 2 0 0 0 0", CLOSES, VIOLATION },
    { "RFC 9000 19.3.1, multipath 4.1", "PATH_ACK whose range goes below zero", BOTH, OPEN,
      "1: 0x3e 0 0 0 0 1", CLOSES, ENCODING },
    { "multipath 4.1", "PATH_ACK of path 0", BOTH, OPEN, "1: 0x3e 0 $sent 0 0 0", IGNORES },
    { "multipath 4.1", "a plain ACK of path 0", BOTH, OPEN, "1: 0x02 $sent 0 0 0", IGNORES },
    { "multipath 4.4", "PATH_NEW_CONNECTION_ID of length 0", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x00 $tokA", CLOSES, ENCODING },
    { "multipath 4.4", "PATH_NEW_CONNECTION_ID of length 21", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x15 f21 $tokA", CLOSES, ENCODING },
    { "multipath 4.4", "PATH_NEW_CONNECTION_ID that retires more than itself", BOTH, OPEN,
      "1: 0x3e78 1 0 1 x08 $cidA $tokA", CLOSES, ENCODING },
    { "multipath 3.2", "one connection ID for two paths", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x08 $cidA $tokA; 1: 0x3e78 2 0 0 x08 $cidA $tokA", CLOSES, VIOLATION },
    { "multipath 3.2", "one sequence number on two paths", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x08 $cidA $tokA; 1: 0x3e78 2 0 0 x08 $cidB $tokB", IGNORES },
    { "multipath 3.2", "one sequence number of a path for two connection IDs", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x08 $cidA $tokA; 1: 0x3e78 1 0 0 x08 $cidB $tokA", CLOSES, VIOLATION },
    { "multipath 2.1", "more connection IDs for a path than the victim takes", BOTH, OPEN,
      "1: 0x3e78 1 0 0 x08 $cidA $tokA; 1: 0x3e78 1 1 0 x08 $cidB $tokB;"
      "1: 0x3e78 1 2 0 x08 $cidC $tokC; 1: 0x3e78 1 3 0 x08 $cidD $tokD;"
      "1: 0x3e78 1 4 0 x08 $cidE $tokE",
      CLOSES, TVL_WIRE_CONNECTION_ID_LIMIT_ERROR },
    { "multipath 4.4", "NEW_CONNECTION_ID and PATH_NEW_CONNECTION_ID share path 0", BOTH, OPEN,
      "1: 0x3e78 0 1 0 x08 $cidA $tokA; 1: 0x18 1 0 x08 $cidB $tokB", CLOSES, VIOLATION },
    { "multipath 4.5", "PATH_RETIRE_CONNECTION_ID of one never issued", BOTH, OPEN,
      "1: 0x3e79 1 77", CLOSES, VIOLATION },
    { "multipath 4.5", "PATH_RETIRE_CONNECTION_ID of an issued one", BOTH, OPEN, "1: 0x3e79 1 0",
      IGNORES },
    { "multipath 4.6", "MAX_PATH_ID above 2^32-1", BOTH, OPEN, "1: 0x3e7a 0x100000000", CLOSES,
      VIOLATION, .frame = 0x3e7a },
    { "multipath 4.6", "MAX_PATH_ID below initial_max_path_id", BOTH, OPEN, "1: 0x3e7a 3", CLOSES,
      VIOLATION },
    { "multipath 4.6", "MAX_PATH_ID that does not rise", BOTH, OPEN, "1: 0x3e7a 9; 1: 0x3e7a 5",
      IGNORES },
    { "multipath 4.6", "MAX_PATH_ID of 2^32-1", BOTH, OPEN, "1: 0x3e7a 0xffffffff", IGNORES },
    { "multipath 4.7", "PATHS_BLOCKED below the limit", BOTH, OPEN, "1: 0x3e7b 1", IGNORES },
    { "multipath 4.7", "PATH_CIDS_BLOCKED with a sequence number far ahead", BOTH, OPEN,
      "1: 0x3e7c 1 77", CLOSES, VIOLATION, .frame = 0x3e7c },
    { "multipath 4.7", "PATH_CIDS_BLOCKED for a path that has one", BOTH, OPEN, "1: 0x3e7c 1 1",
      IGNORES },
    { "multipath 4.3", "PATH_STATUS whose sequence number falls", BOTH, OPEN,
      "1: 0x3e76 0 5; 1: 0x3e77 0 4", IGNORES },
    { "multipath 4.3", "PATH_STATUS for a path not open yet", BOTH, OPEN, "1: 0x3e76 2 0",
      IGNORES },

    /* ---- abandoning ---- */
    { "multipath 3.4", "PATH_ABANDON of a path never used: it is answered", BOTH, OPEN,
      "1: 0x3e75 1 0", IGNORES, .check = abandon_answered },
    { "multipath 3.4, 4.6", "PATH_ABANDON: the victim allows another path ID for it", BOTH, OPEN,
      "1: 0x3e75 1 0; ~10", IGNORES, .check = cids_given_for_path_4 },
    { "multipath 4", "frames about an abandoned path", BOTH, OPEN,
      "1: 0x3e75 1 0; 1: 0x3e76 1 1; 1: 0x3e77 1 2; 1: 0x3e 1 0 0 0 0;"
      "1: 0x3e78 1 7 0 x08 $cidA $tokA; 1: 0x3e79 1 0; 1: 0x3e7c 1 0; 1: 0x3e75 1 0",
      IGNORES },
    { "multipath 4", "frames about a path abandoned and forgotten", BOTH, OPEN,
      "1: 0x3e75 1 0; ~9000; 1: 0x3e76 1 1; 1: 0x3e77 1 2; 1: 0x3e 1 0 0 0 0;"
      "1: 0x3e78 1 7 0 x08 $cidA $tokA; 1: 0x3e79 1 0; 1: 0x3e7c 1 0; 1: 0x3e75 1 0",
      IGNORES },
    { "multipath 3.4", "PATH_ABANDON of the only path", SERVER, OPEN, "1: 0x3e75 0 0; ~2000",
      CLOSES, TVL_WIRE_NO_VIABLE_PATH, TVL_WIRE_NO_ERROR },

    /* ---- paths ---- */
    { "multipath 3.1", "a path opened from another address, then used", SERVER, OPEN,
      "1: 0x3e78 1 0 0 x08 $cidA $tokA; 1,path=1,pad=1200: 0x1a f8; 1,path=1,pad=1200: 0x1b "
      "$challenge; 1,path=1: 0x3e77 1 1",
      IGNORES },
    { "multipath 3.1", "a path opened without a connection ID for the way back", SERVER, OPEN,
      "1,path=1,pad=1200: 0x1a f8", IGNORES },
    { "multipath 3.1", "a server that opens a path", CLIENT, OPEN,
      "1: 0x3e78 1 0 0 x08 $cid1 $tokA; 1,path=1: 0x1a f8", IGNORES },
    { "multipath 3.1", "a server that opens a path which the client waits to open", CLIENT, OPEN,
      NULL, IGNORES, .act = want_paths },
    { .section = NULL },
};
