/* rows_repair.c - the project's own extension of repair symbols (docs/decisions/0009). */
#include "error.h"
#include "rows.h"

#define OPEN STAGE_OPEN
#define ENCODING TVL_WIRE_FRAME_ENCODING_ERROR
#define VIOLATION TVL_WIRE_PROTOCOL_VIOLATION
#define TAKES                                                                          \
    "+0x3a9c51e4=131072" /* the puppet takes symbols, so the victim may have sent some \
                          */

/* The victim keeps 16384 bytes of a stream; its limits are those of rows_streams.c. */
const struct row rows_repair[] = {
    /* ---- not agreed ---- */
    { "0009", "RECOVERED from a peer that takes no symbols", BOTH, OPEN, "1: 0x3a9c51e4 $vb0 0 1",
      CLOSES, ENCODING, .frame = 0x3a9c51e4 },
    { "0009", "REPAIR for one that takes none", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 0 1 1 1 f1",
      CLOSES, ENCODING, .flags = NO_REPAIR },
    { "0009", "PROTECTED for one that takes none", BOTH, OPEN, "1: 0x3a9c51e0 $pb0 0", CLOSES,
      ENCODING, .flags = NO_REPAIR },
    { "0009", "REPAIR in a Handshake packet", BOTH, STAGE_HANDSHAKE,
      "H: 0x3a9c51e2 $pb0 0 0 1 1 1 f1", CLOSES, VIOLATION },

    /* ---- encoding ---- */
    { "0009", "REPAIR cut short", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 0 1 1 9 f8", CLOSES, ENCODING },
    { "0009", "REPAIR of a symbol above 31", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 32 1 1 1 f1", CLOSES,
      ENCODING },
    { "0009", "REPAIR of no unit", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 0 1 0 1 f1", CLOSES,
      ENCODING },
    { "0009", "REPAIR of 65 units", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 0 2 64 1 1 1 f1", CLOSES,
      ENCODING },
    { "0009", "REPAIR of an empty unit", BOTH, OPEN, "1: 0x3a9c51e2 $pb0 0 0 1 1 0", CLOSES,
      ENCODING },
    { "0009", "REPAIR of nine runs", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 0 0 9 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 f1", CLOSES, ENCODING },
    { "0009", "REPAIR of a block whose end passes 2^62-1", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 0x3fffffffffffffff/8 0 1 1 1 f1", CLOSES, ENCODING },
    { "0009", "PROTECTED of type 0x3a9c51e1", BOTH, OPEN, "1: 0x3a9c51e1 $pb0 0", CLOSES,
      ENCODING },

    /* ---- streams ---- */
    { "0009", "REPAIR for a stream the victim sends alone", BOTH, OPEN,
      "1: 0x3a9c51e2 $vu0 0 0 1 1 1 f1", CLOSES, TVL_WIRE_STREAM_STATE_ERROR },
    { "0009", "REPAIR for a stream beyond the limit", BOTH, OPEN, "1: 0x3a9c51e2 $pb4 0 0 1 1 1 f1",
      CLOSES, TVL_WIRE_STREAM_LIMIT_ERROR },
    { "0009", "PROTECTED for a stream beyond the limit", BOTH, OPEN, "1: 0x3a9c51e0 $pu4 0", CLOSES,
      TVL_WIRE_STREAM_LIMIT_ERROR },
    { "0009", "REPAIR of a block beyond the stream's limit", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 16384 0 1 1 1 f1", CLOSES, TVL_WIRE_FLOW_CONTROL_ERROR },
    { "0009", "REPAIR of a block beyond what the victim keeps", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 0 0 1 15 1100 f1100", CLOSES, VIOLATION },
    { "0009", "a repaired byte beyond the connection's limit", BOTH, OPEN,
      "1: 0x0e $pb0 16379 5 f5; 1: 0x0e $pb1 16379 5 f5; 1: 0x0e $pb2 16379 5 f5;"
      "1: 0x0e $pb3 16379 5 f5; 1: 0x3a9c51e2 $pu0 0 0 1 1 1 f1",
      CLOSES, TVL_WIRE_FLOW_CONTROL_ERROR },
    { "0009", "REPAIR of a block beyond the final size", BOTH, OPEN,
      "1: 0x0f $pb0 4 4 f4; 1: 0x3a9c51e2 $pb0 0 0 1 1 9 f9", CLOSES, TVL_WIRE_FINAL_SIZE_ERROR },
    { "0009", "REPAIR whose end is another than the final size", BOTH, OPEN,
      "1: 0x0f $pb0 4 4 f4; 1: 0x3a9c51e3 $pb0 0 0 1 1 7 f7", CLOSES, TVL_WIRE_FINAL_SIZE_ERROR },

    /* ---- RECOVERED ---- */
    { "0009", "RECOVERED of what was never sent", BOTH, OPEN, "1: 0x3a9c51e4 $vb0 0 100000", CLOSES,
      VIOLATION, .params = TAKES },
    { "0009", "RECOVERED of an end that was never sent", BOTH, OPEN, "1: 0x3a9c51e5 $vb0 0 0",
      CLOSES, VIOLATION, .params = TAKES },
    { "0009", "RECOVERED on a stream never opened", BOTH, OPEN, "1: 0x3a9c51e4 $vb9 0 1", CLOSES,
      TVL_WIRE_STREAM_STATE_ERROR, .params = TAKES },
    { "0009", "RECOVERED on a stream the puppet sends alone", BOTH, OPEN, "1: 0x3a9c51e4 $pu0 0 1",
      CLOSES, TVL_WIRE_STREAM_STATE_ERROR, .params = TAKES },

    /* ---- what must be borne ---- */
    { "0009", "a symbol of one unit, which is the unit, twice", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 0 0 1 1 5 f5; 1: 0x3a9c51e2 $pb0 0 0 1 1 5 f5", IGNORES },
    { "0009", "symbols that do not suffice, of blocks that overlap", BOTH, OPEN,
      "1: 0x3a9c51e2 $pb0 0 0 1 9 5 f5; 1: 0x3a9c51e2 $pb0 3 1 2 4 5 7 9 f9;"
      "1: 0x3a9c51e3 $pb1 0 31 1 64 3 f3; 1: 0x3a9c51e2 $pb0 0 0 1 9 5 f5",
      IGNORES },
    { "0009", "PROTECTED far ahead, and twice", BOTH, OPEN,
      "1: 0x3a9c51e0 $pb0 0x3fffffffffffffff/8 0x3a9c51e0 $pb0 0", IGNORES },
    { "0009", "REPAIR and PROTECTED for a stream that was reset", BOTH, OPEN,
      "1: 0x04 $pb0 0 8; 1: 0x3a9c51e2 $pb0 0 0 1 1 5 f5 0x3a9c51e0 $pb0 0", IGNORES },
    { "0009", "max_repair_span of 2^62-1", BOTH, OPEN, "1: 1", IGNORES,
      .params = "+0x3a9c51e4=0x3fffffffffffffff" },
    { NULL },
};
