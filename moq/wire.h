/* wire.h - bounded reading and writing of bytes. A reader or writer that once met its end stays
 * failed and yields zeros, so a caller checks `failed` once, at the end of a structure. */
#ifndef MOQ_WIRE_H
#define MOQ_WIRE_H

#include <moq/moq.h>

#include "vi64.h"

struct moq_reader {
    const uint8_t *at, *end;
    bool failed;
};

struct moq_writer {
    uint8_t *start, *at, *end;
    bool failed;
};

struct moq_reader moq_reader_of(const uint8_t *bytes, size_t len);
size_t moq_reader_left(const struct moq_reader *r);
uint64_t moq_read_vi64(struct moq_reader *r);
uint8_t moq_read_u8(struct moq_reader *r);
/* `len` bytes, borrowed from the reader's input. */
struct moq_bytes moq_read_bytes(struct moq_reader *r, uint64_t len);
/* vi64 length, then the bytes; fails when the length is above `max`. */
struct moq_bytes moq_read_prefixed(struct moq_reader *r, uint64_t max);
struct moq_bytes moq_read_rest(struct moq_reader *r);

struct moq_writer moq_writer_of(uint8_t *out, size_t cap);
size_t moq_writer_len(const struct moq_writer *w);
void moq_write_vi64(struct moq_writer *w, uint64_t v);
void moq_write_u8(struct moq_writer *w, uint8_t v);
void moq_write_bytes(struct moq_writer *w, struct moq_bytes b);
void moq_write_prefixed(struct moq_writer *w, struct moq_bytes b);

#endif
