/* wire.c - see wire.h. */
#include "wire.h"

#include <string.h>

struct moq_reader moq_reader_of(const uint8_t *bytes, size_t len)
{
    static const uint8_t nothing[1];
    if (!bytes)
        bytes = nothing;
    return (struct moq_reader){ .at = bytes, .end = bytes + len };
}

size_t moq_reader_left(const struct moq_reader *r)
{
    return (size_t)(r->end - r->at);
}

uint64_t moq_read_vi64(struct moq_reader *r)
{
    uint64_t v = 0;
    size_t used = r->failed ? 0 : moq_vi64_decode(&v, r->at, moq_reader_left(r));
    if (used == 0) {
        r->failed = true;
        return 0;
    }
    r->at += used;
    return v;
}

uint8_t moq_read_u8(struct moq_reader *r)
{
    if (r->failed || r->at == r->end) {
        r->failed = true;
        return 0;
    }
    return *r->at++;
}

struct moq_bytes moq_read_bytes(struct moq_reader *r, uint64_t len)
{
    if (r->failed || len > moq_reader_left(r)) {
        r->failed = true;
        return (struct moq_bytes){ 0 };
    }
    struct moq_bytes b = { .bytes = r->at, .len = (size_t)len };
    r->at += len;
    return b;
}

struct moq_bytes moq_read_prefixed(struct moq_reader *r, uint64_t max)
{
    uint64_t len = moq_read_vi64(r);
    if (len > max)
        r->failed = true;
    return moq_read_bytes(r, len);
}

struct moq_bytes moq_read_rest(struct moq_reader *r)
{
    return moq_read_bytes(r, moq_reader_left(r));
}

struct moq_writer moq_writer_of(uint8_t *out, size_t cap)
{
    return (struct moq_writer){ .start = out, .at = out, .end = out + cap };
}

size_t moq_writer_len(const struct moq_writer *w)
{
    return (size_t)(w->at - w->start);
}

void moq_write_vi64(struct moq_writer *w, uint64_t v)
{
    uint8_t coded[MOQ_VI64_MAX];
    size_t len = moq_vi64_encode(coded, v);
    moq_write_bytes(w, (struct moq_bytes){ .bytes = coded, .len = len });
}

void moq_write_u8(struct moq_writer *w, uint8_t v)
{
    moq_write_bytes(w, (struct moq_bytes){ .bytes = &v, .len = 1 });
}

void moq_write_bytes(struct moq_writer *w, struct moq_bytes b)
{
    if (w->failed || b.len > (size_t)(w->end - w->at)) {
        w->failed = true;
        return;
    }
    if (b.len > 0)
        memcpy(w->at, b.bytes, b.len);
    w->at += b.len;
}

void moq_write_prefixed(struct moq_writer *w, struct moq_bytes b)
{
    moq_write_vi64(w, b.len);
    moq_write_bytes(w, b);
}
