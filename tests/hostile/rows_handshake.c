/* rows_handshake.c - CRYPTO frames and TLS (RFC 9000 7.5; RFC 9001 4, 6, 8). */
#include "error.h"
#include "rows.h"

#define OPEN STAGE_OPEN
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION
#define ALERT(n) (TVL_WIRE_CRYPTO_ERROR + (n))

/* ---- TLS messages changed on their way out ---- */

#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define FINISHED 20

static size_t spoil_finished(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap)
{
    (void)level, (void)cap;
    if (bytes[0] == FINISHED)
        bytes[len - 1] ^= 1;
    return len;
}

/* ClientHello: type, length (3), version (2), random (32), then the legacy session ID. */
#define SESSION_ID_AT (4 + 2 + 32)

static size_t give_session_id(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap)
{
    (void)level;
    if (bytes[0] != CLIENT_HELLO || bytes[SESSION_ID_AT] != 0 || cap < len + 32)
        return len;
    memmove(bytes + SESSION_ID_AT + 33, bytes + SESSION_ID_AT + 1, len - SESSION_ID_AT - 1);
    bytes[SESSION_ID_AT] = 32;
    memset(bytes + SESSION_ID_AT + 1, 'i', 32);
    len += 32;
    bytes[2] = (uint8_t)((len - 4) >> 8);
    bytes[3] = (uint8_t)(len - 4);
    return len;
}

/* The supported_versions extension under another number: TLS 1.2 at best. */
static size_t hide_tls_13(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap)
{
    static const uint8_t versions[] = { 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04 };

    (void)level, (void)cap;
    for (size_t i = 0; bytes[0] == CLIENT_HELLO && i + sizeof versions <= len; i++)
        if (memcmp(bytes + i, versions, sizeof versions) == 0)
            bytes[i] = 0x7f;
    return len;
}

/* A second, empty message behind the one that changes the keys. */
static size_t add_behind_hello(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap)
{
    (void)level;
    if ((bytes[0] != CLIENT_HELLO && bytes[0] != SERVER_HELLO) || cap < len + 4)
        return len;
    memcpy(bytes + len, "\x0b\0\0\0", 4);
    return len + 4;
}

const struct row rows_handshake[] = {
    /* ---- CRYPTO ---- */
    { "RFC 9000 7.5", "CRYPTO further ahead than is buffered, Initial", BOTH, STAGE_INITIAL,
      "I: 0x06 70000 1 x00", CLOSES, TVL_WIRE_CRYPTO_BUFFER_EXCEEDED, .frame = 0x06 },
    { "RFC 9000 7.5", "CRYPTO further ahead than is buffered, Handshake", BOTH, STAGE_HANDSHAKE,
      "H: 0x06 70000 1 x00", CLOSES, TVL_WIRE_CRYPTO_BUFFER_EXCEEDED },
    { "RFC 9000 7.5", "CRYPTO further ahead than is buffered, 1-RTT", BOTH, OPEN,
      "1: 0x06 70000 1 x00", CLOSES, TVL_WIRE_CRYPTO_BUFFER_EXCEEDED },
    { "RFC 9001 4.1.3", "new CRYPTO data at the Initial level once the keys have changed", BOTH,
      STAGE_HANDSHAKE, "I: 0x06 $crypto 4 x0b000000", CLOSES, VIOLATION, .flags = MUTE },
    { "RFC 9001 4.1.3", "old CRYPTO data at the Initial level once the keys have changed", BOTH,
      STAGE_HANDSHAKE, "I: 0x06 0 1 x00", IGNORES, .flags = MUTE },
    { "RFC 9001 4.1.3", "data of the old level behind the hello that changes the keys", BOTH, OPEN,
      NULL, CLOSES, VIOLATION, ALERT(10), .edit = add_behind_hello },
    { "RFC 9001 8.3", "CRYPTO in a 0-RTT packet (0-RTT was refused)", SERVER, STAGE_HANDSHAKE,
      "Z: 0x06 0 4 x05000000", IGNORES },

    /* ---- TLS ---- */
    { "RFC 9001 4.8", "a ClientHello that is none", SERVER, STAGE_INITIAL,
      "I: 0x06 0 8 x0100000400000000", CLOSES, ALERT(50), .frame = 0x06 },
    { "RFC 9001 4.8", "a ServerHello that is none", CLIENT, STAGE_INITIAL,
      "I: 0x06 0 8 x0200000400000000", CLOSES, ALERT(50) },
    { "RFC 9001 4.8", "a Finished with a wrong MAC", BOTH, OPEN, NULL, CLOSES, ALERT(51),
      .edit = spoil_finished },
    { "RFC 9001 4.2", "a ClientHello without TLS 1.3", SERVER, OPEN, NULL, CLOSES, ALERT(70),
      .edit = hide_tls_13 },
    { "RFC 9001 8.4", "a ClientHello with a legacy session ID", SERVER, OPEN, NULL, CLOSES,
      VIOLATION, .edit = give_session_id },
    { "RFC 9001 8.1", "a client with another application protocol", SERVER, OPEN, NULL, CLOSES,
      ALERT(120), .flags = OTHER_ALPN },
    { "RFC 9001 8.1", "a server that picks no application protocol", CLIENT, OPEN, NULL, CLOSES,
      ALERT(120), .flags = NO_ALPN },
    { "RFC 9001 8.3", "EndOfEarlyData", SERVER, STAGE_HANDSHAKE, "H: 0x06 0 4 x05000000", CLOSES,
      ALERT(10) },
    { "RFC 9001 4.8", "an unknown handshake message", BOTH, STAGE_HANDSHAKE,
      "H: 0x06 0 4 x63000000", CLOSES, ALERT(10) },
    { "RFC 9001 6", "KeyUpdate after the handshake", BOTH, OPEN, "1: 0x06 $crypto 5 x1800000100",
      CLOSES, ALERT(10), .frame = 0x06 },
    { "RFC 9001 6", "KeyUpdate in a Handshake packet", BOTH, STAGE_HANDSHAKE,
      "H: 0x06 0 5 x1800000100", CLOSES, ALERT(10) },
    { "RFC 9001 4.4", "CertificateRequest after the handshake", CLIENT, OPEN,
      "1: 0x06 $crypto 7 x0d000003000000", CLOSES, VIOLATION },
    { "RFC 8446 4.6.1", "NewSessionTicket from a client", SERVER, OPEN,
      "1: 0x06 $crypto 4 x04000000", CLOSES, ALERT(10) },
    { "RFC 9001 4.6.1", "NewSessionTicket that allows 5 bytes of early data", CLIENT, OPEN,
      "1: 0x06 $crypto 30 x0400001a00000e10000000010107000474746b740008002a000400000005", CLOSES,
      VIOLATION },
    { .section = NULL },
};
