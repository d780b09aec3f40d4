/* rows_frames.c - frames: encoding, and where they may stand (RFC 9000 12.4, 12.5, 13, 19). */
#include "error.h"
#include "rows.h"
#include "script.h"

#define OPEN STAGE_OPEN
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION
#define ENCODING TVL_WIRE_FRAME_ENCODING_ERROR

static bool challenge_answered(struct puppet *p)
{
    return memcmp(p->response, "12345678", 8) == 0;
}

/* The victim is made to send hundreds of packets; then all are acknowledged that may exist. */
static bool acknowledge_ahead(struct puppet *p)
{
    static const uint8_t ping[] = { TVL_FRAME_PING };

    p->mute = true;
    for (unsigned i = 0; i < 400 && !p->close.seen; i++) {
        puppet_say(p, ping, sizeof ping);
        puppet_say(p, ping, sizeof ping);
        puppet_pump(p);
    }
    return script_run(p, "1: 2 $sent 0 0 $sent");
}

const struct row rows_frames[] = {
    /* ---- encoding ---- */
    { "RFC 9000 12.4", "a frame of unknown type 0x1f", BOTH, OPEN, "1: 0x1f", CLOSES, ENCODING,
      .frame = 0x1f },
    { "RFC 9000 12.4", "a frame of unknown type 0x21", BOTH, OPEN, "1: 0x21", CLOSES, ENCODING },
    { "RFC 9000 12.4", "a frame of unknown type 0x3fffffff", BOTH, OPEN, "1: 0x3fffffff", CLOSES,
      ENCODING },
    { "RFC 9000 12.4", "PING whose type takes two bytes", BOTH, OPEN, "1: 1/2", CLOSES, VIOLATION },
    { "RFC 9000 12.4", "STREAM whose type takes eight bytes", BOTH, OPEN, "1: 0x0a/8 $pb0 1 f1",
      CLOSES, VIOLATION },
    { "RFC 9000 12.4", "PADDING whose type takes four bytes", BOTH, OPEN, "1: 0/4", CLOSES,
      VIOLATION },
    { "RFC 9000 12.4", "a packet without frames", BOTH, OPEN, "1,short,len=4:", CLOSES, VIOLATION },
    { "RFC 9000 12.4", "a Handshake packet without frames", BOTH, STAGE_HANDSHAKE,
      "H,short,len=4:", CLOSES, VIOLATION },
    { "RFC 9000 12.4", "STREAM cut short", BOTH, OPEN, "1: 0x0e $pb0 0 9 f3", CLOSES, ENCODING },
    { "RFC 9000 12.4", "a frame type cut short", BOTH, OPEN, "1: 1 1 1 x7e", CLOSES, ENCODING },
    { "RFC 9000 12.4", "RESET_STREAM cut short", BOTH, OPEN, "1: 0x04 $pb0 0", CLOSES, ENCODING },
    { "RFC 9000 12.4", "STOP_SENDING cut short", BOTH, OPEN, "1: 1 1 0x05 $vb0", CLOSES, ENCODING },
    { "RFC 9000 12.4", "CRYPTO longer than the packet", BOTH, OPEN, "1: 0x06 0 40 f3", CLOSES,
      ENCODING },
    { "RFC 9000 12.4", "MAX_DATA cut short", BOTH, OPEN, "1: 1 1 1 0x10", CLOSES, ENCODING },
    { "RFC 9000 12.4", "PATH_CHALLENGE cut short", BOTH, OPEN, "1: 0x1a f7", CLOSES, ENCODING },
    { "RFC 9000 12.4", "PATH_RESPONSE cut short", BOTH, OPEN, "1: 0x1b f7", CLOSES, ENCODING },
    { "RFC 9000 12.4", "CONNECTION_CLOSE whose reason is longer than the packet", BOTH, OPEN,
      "1: 0x1c 0 0 20 f3", CLOSES, ENCODING },
    { "RFC 9000 12.4", "NEW_CONNECTION_ID cut short", BOTH, OPEN, "1: 0x18 1 0 x08 $cidA f15",
      CLOSES, ENCODING },
    { "RFC 9000 12.4", "DATA_BLOCKED cut short", BOTH, OPEN, "1: 1 1 1 0x14", CLOSES, ENCODING },

    /* ---- ACK ---- */
    { "RFC 9000 19.3.1", "ACK whose first range goes below zero", BOTH, OPEN, "1: 0x02 0 0 0 1",
      CLOSES, ENCODING, .frame = 0x02 },
    { "RFC 9000 19.3.1", "ACK whose second range goes below zero", BOTH, OPEN,
      "1: 0x02 5 0 1 1 2 1", CLOSES, ENCODING },
    { "RFC 9000 19.3.1", "ACK whose gap goes below zero", BOTH, OPEN, "1: 0x02 5 0 1 0 9 0", CLOSES,
      ENCODING },
    { "RFC 9000 19.3", "ACK with more ranges than the packet holds", BOTH, OPEN,
      "1: 0x02 5 0 9 0 0 0", CLOSES, ENCODING },
    { "RFC 9000 19.3.2", "ACK with ECN counts cut short", BOTH, OPEN, "1: 0x03 $sent 0 0 0 1 1",
      CLOSES, ENCODING },
    { "RFC 9000 13.1", "ACK of a 1-RTT packet never sent", BOTH, OPEN, "1: 0x02 4000 0 0 0", CLOSES,
      VIOLATION, .frame = 0x02 },
    { "RFC 9000 13.1", "ACK of a Handshake packet never sent", BOTH, STAGE_HANDSHAKE,
      "H: 0x02 4000 0 0 0", CLOSES, VIOLATION },
    { "RFC 9000 13.1", "ACK of an Initial packet never sent", CLIENT, STAGE_INITIAL,
      "I: 0x02 4000 0 0 0", CLOSES, VIOLATION },
    { "RFC 9000 13.1", "ACK of the largest packet number there is", BOTH, OPEN,
      "1: 0x02 0x3fffffffffffffff/8 0 0 0", CLOSES, VIOLATION },
    { "RFC 9000 13.1, 21.4", "ACK of all packets up to the newest, one of which was left out", BOTH,
      OPEN, NULL, CLOSES, VIOLATION, .act = acknowledge_ahead },
    { "RFC 9000 19.3", "ACK with an absurd delay", BOTH, OPEN,
      "1: 0x02 $sent 0x3fffffffffffffff/8 0 0", IGNORES },
    { "RFC 9000 13.4.2", "ACK whose ECN counts were never earned", BOTH, OPEN,
      "1: 0x03 $sent 0 0 0 4000 4000 4000", IGNORES },

/* ---- which frames in which packets: table 3 ---- */
#define NOT_IN_INITIAL(name, script)                                                              \
    {                                                                                             \
        "RFC 9000 12.4, 17.2.2", name " in an Initial packet", BOTH, STAGE_INITIAL, "I: " script, \
            CLOSES, VIOLATION                                                                     \
    }
#define NOT_IN_HANDSHAKE(name, script)                                                 \
    {                                                                                  \
        "RFC 9000 12.4, 17.2.4", name " in a Handshake packet", BOTH, STAGE_HANDSHAKE, \
            "H: " script, CLOSES, VIOLATION                                            \
    }
    NOT_IN_INITIAL("RESET_STREAM", "0x04 $pb0 0 0"),
    NOT_IN_INITIAL("STOP_SENDING", "0x05 $pb0 0"),
    NOT_IN_INITIAL("NEW_TOKEN", "0x07 4 f4"),
    NOT_IN_INITIAL("STREAM", "0x0a $pb0 1 f1"),
    NOT_IN_INITIAL("MAX_DATA", "0x10 99"),
    NOT_IN_INITIAL("MAX_STREAM_DATA", "0x11 $pb0 99"),
    NOT_IN_INITIAL("MAX_STREAMS", "0x12 9"),
    NOT_IN_INITIAL("DATA_BLOCKED", "0x14 9"),
    NOT_IN_INITIAL("STREAM_DATA_BLOCKED", "0x15 $pb0 9"),
    NOT_IN_INITIAL("STREAMS_BLOCKED", "0x16 9"),
    NOT_IN_INITIAL("NEW_CONNECTION_ID", "0x18 1 0 x08 $cidA $tokA"),
    NOT_IN_INITIAL("RETIRE_CONNECTION_ID", "0x19 0"),
    NOT_IN_INITIAL("PATH_CHALLENGE", "0x1a f8"),
    NOT_IN_INITIAL("PATH_RESPONSE", "0x1b f8"),
    NOT_IN_INITIAL("CONNECTION_CLOSE of the application", "0x1d 0 0"),
    NOT_IN_INITIAL("HANDSHAKE_DONE", "0x1e"),
    NOT_IN_INITIAL("DATAGRAM", "0x31 1 f1"),
    NOT_IN_HANDSHAKE("RESET_STREAM", "0x04 $pb0 0 0"),
    NOT_IN_HANDSHAKE("STOP_SENDING", "0x05 $pb0 0"),
    NOT_IN_HANDSHAKE("NEW_TOKEN", "0x07 4 f4"),
    NOT_IN_HANDSHAKE("STREAM", "0x0a $pb0 1 f1"),
    NOT_IN_HANDSHAKE("MAX_DATA", "0x10 99"),
    NOT_IN_HANDSHAKE("MAX_STREAM_DATA", "0x11 $pb0 99"),
    NOT_IN_HANDSHAKE("MAX_STREAMS", "0x13 9"),
    NOT_IN_HANDSHAKE("DATA_BLOCKED", "0x14 9"),
    NOT_IN_HANDSHAKE("STREAM_DATA_BLOCKED", "0x15 $pb0 9"),
    NOT_IN_HANDSHAKE("STREAMS_BLOCKED", "0x17 9"),
    NOT_IN_HANDSHAKE("NEW_CONNECTION_ID", "0x18 1 0 x08 $cidA $tokA"),
    NOT_IN_HANDSHAKE("RETIRE_CONNECTION_ID", "0x19 0"),
    NOT_IN_HANDSHAKE("PATH_CHALLENGE", "0x1a f8"),
    NOT_IN_HANDSHAKE("PATH_RESPONSE", "0x1b f8"),
    NOT_IN_HANDSHAKE("CONNECTION_CLOSE of the application", "0x1d 0 0"),
    NOT_IN_HANDSHAKE("HANDSHAKE_DONE", "0x1e"),
    NOT_IN_HANDSHAKE("DATAGRAM", "0x31 1 f1"),

    /* ---- single frames ---- */
    { "RFC 9000 19.7", "NEW_TOKEN from a client", SERVER, OPEN, "1: 0x07 4 f4", CLOSES, VIOLATION,
      .frame = 0x07 },
    { "RFC 9000 19.7", "NEW_TOKEN with an empty token", CLIENT, OPEN, "1: 0x07 0 1 1", CLOSES,
      ENCODING, .frame = 0x07 },
    { "RFC 9000 19.20", "HANDSHAKE_DONE from a client", SERVER, OPEN, "1: 0x1e 1 1 1", CLOSES,
      VIOLATION, .frame = 0x1e },
    { "RFC 9000 19.20", "HANDSHAKE_DONE twice", CLIENT, OPEN, "1: 0x1e 1 1 1; 1: 0x1e 1 1 1",
      IGNORES },
    { "RFC 9000 8.2.2, 19.17", "PATH_CHALLENGE is answered with its data", BOTH, OPEN,
      "1: 0x1a x3132333435363738", IGNORES, .check = challenge_answered },
    { "RFC 9000 19.18", "PATH_RESPONSE to nothing", BOTH, OPEN, "1: 0x1b f8", IGNORES },
    { "RFC 9000 10.2.2", "CONNECTION_CLOSE", BOTH, OPEN, "1: 0x1c 0 0 3 f3", DRAINS },
    { "RFC 9000 10.2.2", "CONNECTION_CLOSE of the application", BOTH, OPEN, "1: 0x1d 7 3 f3",
      DRAINS },
    { "RFC 9000 10.2.2", "CONNECTION_CLOSE, then 100 more packets", BOTH, OPEN,
      "1: 0x1c 0 0 0; 1: 1 1 1 1; 1: 0x0a $pb0 1 f1; 1: 0x1a f8; 1: 0x1f", DRAINS },
    { "RFC 9000 10.2.3", "CONNECTION_CLOSE in an Initial packet", CLIENT, STAGE_INITIAL,
      "I: 0x1c 2 0 0", DRAINS },

    /* ---- DATAGRAM, RFC 9221 ---- */
    { "RFC 9221 3", "DATAGRAM to an endpoint that takes none", BOTH, OPEN, "1: 0x31 1 f1", CLOSES,
      VIOLATION, .frame = 0x31, .flags = NO_DATAGRAMS },
    { "RFC 9221 3", "DATAGRAM without a length to an endpoint that takes none", BOTH, OPEN,
      "1: 0x30 f3", CLOSES, VIOLATION, .flags = NO_DATAGRAMS },
    { "RFC 9221 3", "DATAGRAM larger than what was announced", BOTH, OPEN, "1: 0x31 1200 f1200",
      CLOSES, VIOLATION, .flags = SMALL_DATAGRAMS },
    { "RFC 9221 3", "DATAGRAM without a length, larger than what was announced", BOTH, OPEN,
      "1: 0x30 f1200", CLOSES, VIOLATION, .flags = SMALL_DATAGRAMS },
    { "RFC 9221 4", "DATAGRAM longer than the packet", BOTH, OPEN, "1: 0x31 40 f3", CLOSES,
      ENCODING },
    { "RFC 9221 4", "an empty DATAGRAM", BOTH, OPEN, "1: 0x31 0 1 1", IGNORES },
    { .section = NULL },
};
