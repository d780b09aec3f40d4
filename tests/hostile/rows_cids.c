/* rows_cids.c - connection IDs and stateless reset (RFC 9000 5.1, 10.3, 19.15, 19.16). */
#include "error.h"
#include "rows.h"

#define OPEN STAGE_OPEN
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION
#define ENCODING TVL_WIRE_FRAME_ENCODING_ERROR

/* New IDs that retire the old ones, while the retirements are never acknowledged. */
static bool flood_of_retirements(struct puppet *p)
{
    p->mute = true;
    for (uint64_t seq = 1; seq < 400 && !p->close.seen; seq++) {
        uint8_t bytes[64];
        struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);
        struct tvl_frame f = { .type = TVL_FRAME_NEW_CONNECTION_ID };

        f.cid = (struct tvl_frame_cid){ .seq = seq, .retire_prior_to = seq, .cid = { .len = 8 } };
        f.cid.cid.b[0] = (uint8_t)(seq >> 8);
        f.cid.cid.b[1] = (uint8_t)seq;
        f.cid.reset_token[0] = (uint8_t)(seq >> 8);
        f.cid.reset_token[1] = (uint8_t)seq;
        if (tvl_frame_write(&w, &f) != 0)
            return false;
        puppet_say(p, bytes, (size_t)(w.p - bytes));
        puppet_pump(p);
    }
    return true;
}

static void fire_reset(struct puppet *p, const char *token, uint8_t first)
{
    uint8_t bytes[45];

    memset(bytes, 0x5a, sizeof bytes);
    bytes[0] = first;
    memcpy(bytes + sizeof bytes - 16, token, 16);
    puppet_fire(p, bytes, sizeof bytes, 0);
    puppet_pump(p);
}

static bool reset_with_token(struct puppet *p)
{
    fire_reset(p, "TTTTTTTTTTTTTTTT", 0x43);
    return true;
}

static bool reset_with_wrong_token(struct puppet *p)
{
    fire_reset(p, "TTTTTTTTTTTTTTTU", 0x43);
    return true;
}

static bool ended_by_reset(struct puppet *p)
{
    return p->closed_event.closed.kind == TVL_CLOSED_RESET;
}

#define HANDSHAKE_TOKEN "+0x02=x54545454545454545454545454545454"

const struct row rows_cids[] = {
    { "RFC 9000 19.15", "NEW_CONNECTION_ID of length 0", BOTH, OPEN, "1: 0x18 1 0 x00 $tokA",
      CLOSES, ENCODING, .frame = 0x18 },
    { "RFC 9000 19.15", "NEW_CONNECTION_ID of length 21", BOTH, OPEN, "1: 0x18 1 0 x15 f21 $tokA",
      CLOSES, ENCODING },
    { "RFC 9000 19.15", "NEW_CONNECTION_ID that retires more than itself", BOTH, OPEN,
      "1: 0x18 1 2 x08 $cidA $tokA", CLOSES, ENCODING },
    { "RFC 9000 19.15", "the same NEW_CONNECTION_ID twice", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 1 0 x08 $cidA $tokA", IGNORES },
    { "RFC 9000 19.15", "one sequence number for two connection IDs", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 1 0 x08 $cidB $tokA", CLOSES, VIOLATION },
    { "RFC 9000 19.15", "one connection ID under two sequence numbers", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 2 0 x08 $cidA $tokA", CLOSES, VIOLATION },
    { "RFC 9000 19.15", "one connection ID with two reset tokens", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 1 0 x08 $cidA $tokB", CLOSES, VIOLATION },
    { "RFC 9000 19.15", "the handshake's connection ID once more", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidS $tokA", CLOSES, VIOLATION },
    { "RFC 9000 5.1.1", "more connection IDs than the victim takes", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 2 0 x08 $cidB $tokB; 1: 0x18 3 0 x08 $cidC $tokC;"
      "1: 0x18 4 0 x08 $cidD $tokD",
      CLOSES, TVL_WIRE_CONNECTION_ID_LIMIT_ERROR, .frame = 0x18 },
    { "RFC 9000 5.1.1", "as many connection IDs as the victim takes", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 2 0 x08 $cidB $tokB; 1: 0x18 3 0 x08 $cidC $tokC",
      IGNORES },
    { "RFC 9000 5.1.1", "more of them, but the old ones retired with the same frame", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA; 1: 0x18 2 0 x08 $cidB $tokB; 1: 0x18 3 0 x08 $cidC $tokC;"
      "1: 0x18 4 2 x08 $cidD $tokD",
      IGNORES },
    { "RFC 9000 5.1.2, 19.15", "Retire Prior To that falls again", BOTH, OPEN,
      "1: 0x18 2 2 x08 $cidB $tokB; 1: 0x18 3 1 x08 $cidC $tokC", IGNORES },
    { "RFC 9000 5.1.2", "retirements without end, none acknowledged", BOTH, OPEN, NULL, CLOSES,
      TVL_WIRE_CONNECTION_ID_LIMIT_ERROR, .act = flood_of_retirements },
    { "RFC 9000 19.15", "NEW_CONNECTION_ID from a peer whose own is empty", BOTH, OPEN,
      "1: 0x18 1 0 x08 $cidA $tokA", CLOSES, VIOLATION, .flags = NO_MULTIPATH | EMPTY_SCID },
    { "RFC 9000 19.16", "RETIRE_CONNECTION_ID of one never issued", BOTH, OPEN, "1: 0x19 77 1 1",
      CLOSES, VIOLATION, .frame = 0x19 },
    { "RFC 9000 19.16", "RETIRE_CONNECTION_ID of the next to be issued", BOTH, OPEN,
      "1: 0x19 4 1 1", CLOSES, VIOLATION },
    { "RFC 9000 19.16", "RETIRE_CONNECTION_ID of the last of three spare ones", BOTH, OPEN,
      "1: 0x19 3 1 1", IGNORES },
    { "RFC 9000 19.16", "RETIRE_CONNECTION_ID twice for one", BOTH, OPEN,
      "1: 0x19 1 1 1; 1: 0x19 1 1 1", IGNORES },
    { "RFC 9000 10.3.1", "a stateless reset with the token of the transport parameters", CLIENT,
      OPEN, NULL, ENDS, .params = HANDSHAKE_TOKEN, .act = reset_with_token,
      .check = ended_by_reset },
    { "RFC 9000 10.3.1", "a stateless reset with another token", CLIENT, OPEN, NULL, IGNORES,
      .params = HANDSHAKE_TOKEN, .act = reset_with_wrong_token },
    { "RFC 9000 10.3.1", "a stateless reset with the token of a connection ID not in use", CLIENT,
      OPEN, "1: 0x18 1 0 x08 $cidA $tokT", IGNORES, .act = reset_with_token },
    { .section = NULL },
};
