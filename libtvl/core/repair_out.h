/*
 * repair_out.h - repair symbols for what protected flows send (TVL_FLOW_REPAIR,
 * docs/decisions/0009).
 *
 *     first sendings ─► open block ─► closed: symbols ─► on another path ─► their verdict ─► gone
 *                                                        meanwhile, what is lost of it is held
 *
 * A block is what a stream has sent in a row for the first time, its units the frames as they left:
 * so a lost packet costs one unit. It closes with the stream, when it is full, or after a time;
 * then it gets as many symbols as the loss of the paths asks for. A unit that is declared lost
 * while its symbols can still be on their way is not sent again until they must have told
 * (RECOVERED).
 */
#ifndef TVL_CORE_REPAIR_OUT_H
#define TVL_CORE_REPAIR_OUT_H

#include <tvl/tvl.h>

#include "frame.h"
#include "sent_frame.h"

struct tvl_conn;
struct tvl_path;
struct tvl_builder;

#define TVL_REPAIR_BLOCKS_MAX 64        /* of a connection, open and closed; the oldest goes */
#define TVL_REPAIR_BYTES_MAX (1u << 20) /* of their symbols */
#define TVL_REPAIR_WAIT_MIN 20000u      /* us a block stays open: a quarter of the round trip, */
#define TVL_REPAIR_WAIT_MAX 100000u     /* within these */

struct tvl_repair_block {
    struct tvl_repair_block *next;
    uint64_t id, offset;
    uint32_t len, units;
    uint16_t unit[TVL_REPAIR_UNITS_MAX]; /* bytes of each */
    uint8_t path[TVL_REPAIR_UNITS_MAX];  /* slot in `paths` of the one it left on */
    uint32_t paths[TVL_PATHS_MAX];       /* IDs */
    uint32_t n_paths, runs;
    bool fin, closed;
    tvl_time due; /* open: it closes; closed and all symbols left: they must have told */

    uint32_t carrier; /* ID of the path that took most of it */
    uint32_t symbols, left, lost;
    size_t symbol_len;
    uint8_t *bytes; /* of the symbols; owned */
    uint64_t held;  /* units lost and not yet sent again, bits */
};

struct tvl_repair_out { /* zeroed: nothing */
    struct tvl_repair_block *first;
    uint32_t blocks, waiting; /* symbols that have not left */
    size_t bytes;
    uint64_t sent, sent_bytes; /* symbols */
};

void tvl_repair_out_fini(struct tvl_repair_out *r);
/* Before packets are made: how large a unit may be. */
void tvl_repair_prepare(struct tvl_conn *conn);
/* Frames of a packet that has left on `p`. */
void tvl_repair_note(struct tvl_path *p, const struct tvl_sent_list *left);
bool tvl_repair_waits(const struct tvl_conn *conn);
/* A symbol may leave on the path now; what is more urgent goes first. */
bool tvl_repair_due(const struct tvl_path *p);
void tvl_repair_write(struct tvl_builder *b);
/* A STREAM frame is lost. true: it is seen to here, now or later. */
bool tvl_repair_holds(struct tvl_conn *conn, const struct tvl_sent_frame *rec);
void tvl_repair_on_lost(struct tvl_conn *conn, const struct tvl_sent_frame *rec); /* a symbol */
/* A RECOVERED frame: 0 or the negative of an enum tvl_wire_error. */
int tvl_repair_on_recovered(struct tvl_conn *conn, const struct tvl_frame *f);
tvl_time tvl_repair_next(const struct tvl_conn *conn); /* or TVL_TIME_NEVER */
void tvl_repair_tick(struct tvl_conn *conn);

#endif
