/*
 * tvl_buffers.c - libFuzzer entry: ranges, receive and send buffers driven by bytes, each beside a
 * model that is too simple to be wrong: one flag or byte per number.
 */
#include <string.h>

#include "input.h"
#include "recvbuf.h"
#include "sendbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define SPACE 2048u
#define STEPS_MAX 500

/* ---- ranges ---- */

static void check_ranges(const struct tvl_ranges *r, const bool *model)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < r->count; i++) {
        must(r->v[i].from < r->v[i].to && (i == 0 || r->v[i - 1].to < r->v[i].from));
        total += r->v[i].to - r->v[i].from;
    }
    must(total == r->total && r->count <= r->max);
    for (uint64_t n = 0; n < SPACE; n += 7)
        must(tvl_ranges_contains(r, n) == model[n]);
}

static void set(bool *model, uint64_t from, uint64_t to, bool value)
{
    for (uint64_t n = from; n < to; n++)
        model[n] = value;
}

static void drive_ranges(struct input *in)
{
    struct tvl_ranges r;
    bool model[SPACE] = { false };

    tvl_ranges_init(&r, 8 + input_u8(in) % 60, TVL_RANGES_REFUSE);
    for (unsigned i = 0; i < STEPS_MAX && input_left(in); i++) {
        const uint8_t what = input_u8(in);
        const uint64_t from = input_u16(in) % SPACE;
        const uint64_t to = from + input_u8(in) % (SPACE - from);

        if (what % 8 < 5) {
            if (tvl_ranges_add(&r, from, to) == 0)
                set(model, from, to, true);
        } else if (what % 8 < 7) {
            if (tvl_ranges_remove(&r, from, to) == 0)
                set(model, from, to, false);
        } else {
            tvl_ranges_forget_below(&r, from);
            set(model, 0, from, false);
        }
        check_ranges(&r, model);
        const struct tvl_range *a = tvl_ranges_at_or_above(&r, from);
        must(!a || a->to > from);
    }
    tvl_ranges_fini(&r);
}

/* ---- receiving: byte n of the stream is always pattern(n) ---- */

static uint8_t pattern(uint64_t n)
{
    return (uint8_t)(n * 31 + (n >> 8));
}

static void drive_recvbuf(struct input *in)
{
    struct tvl_recvbuf b;
    uint8_t bytes[512];
    uint64_t limit = 1024, highest = 0;

    tvl_recvbuf_init(&b);
    for (unsigned i = 0; i < STEPS_MAX && input_left(in); i++) {
        const uint8_t what = input_u8(in);
        const uint64_t at = b.base > 64 ? b.base - 64 + input_u16(in) % 2048 : input_u16(in) % 2048;
        const size_t len = input_u8(in);

        if (what % 8 < 4) {
            for (size_t k = 0; k < len; k++)
                bytes[k] = pattern(at + k);
            const int64_t rise = tvl_recvbuf_take(&b, at, bytes, len, limit);
            must(rise < 0 || at + len <= limit);
            if (rise >= 0)
                highest = at + len > highest ? at + len : highest;
            must(b.highest == highest);
        } else if (what % 8 < 6) {
            const uint64_t base = b.base;
            const size_t n = tvl_recvbuf_read(&b, bytes, len);
            must(n <= len);
            for (size_t k = 0; k < n; k++)
                must(bytes[k] == pattern(base + k));
            limit = b.base + 1024;
        } else if (what % 8 == 6) {
            (void)tvl_recvbuf_finish(&b, at);
            must(b.final_size == TVL_SIZE_UNKNOWN || b.final_size >= b.highest);
        } else if (what == 7) {
            tvl_recvbuf_drop(&b);
            break;
        } else {
            tvl_recvbuf_trim(&b);
        }
        must(!tvl_recvbuf_at_end(&b) || tvl_recvbuf_complete(&b));
    }
    tvl_recvbuf_fini(&b);
}

/* ---- sending: what was sent and not acknowledged can always be had again ---- */

enum fate { UNSENT, FLYING, LOST, ACKED };

struct sending {
    struct tvl_sendbuf b;
    uint8_t fate[SPACE * 4];
};

static void send_some(struct sending *s, size_t max, uint64_t limit)
{
    struct tvl_send_chunk c;

    if (!tvl_sendbuf_next(&s->b, max, limit, &c))
        return;
    must(c.len <= max && (c.again || c.offset + c.len <= limit));
    for (size_t k = 0; k < c.len; k++) {
        must(c.bytes[k] == pattern(c.offset + k));
        must(s->fate[c.offset + k] == (c.again ? LOST : UNSENT));
        s->fate[c.offset + k] = FLYING;
    }
    tvl_sendbuf_sent(&s->b, c.offset, c.len, c.fin);
}

static void tell(struct sending *s, uint64_t from, size_t len, bool acked)
{
    if (from >= s->b.sent)
        return;
    if (len > s->b.sent - from)
        len = (size_t)(s->b.sent - from);
    if (acked)
        tvl_sendbuf_acked(&s->b, from, len, false);
    else
        tvl_sendbuf_lost(&s->b, from, len, false);
    for (uint64_t n = from; n < from + len; n++)
        if (acked)
            s->fate[n] = ACKED;
        else if (s->fate[n] == FLYING)
            s->fate[n] = LOST;
}

static void drive_sendbuf(struct input *in)
{
    struct sending *s = calloc(1, sizeof *s);
    uint8_t bytes[512];

    must(s != NULL);
    tvl_sendbuf_init(&s->b);
    for (unsigned i = 0; i < STEPS_MAX && input_left(in); i++) {
        const uint8_t what = input_u8(in) % 8;
        const size_t len = (size_t)input_u8(in) + 1;

        if (what == 0 && s->b.end + len < sizeof s->fate && !s->b.fin) {
            for (size_t k = 0; k < len; k++)
                bytes[k] = pattern(s->b.end + k);
            must(tvl_sendbuf_append(&s->b, bytes, len) == (int64_t)len);
        } else if (what < 4) {
            send_some(s, len, what == 3 ? s->b.sent + len / 2 : UINT64_MAX);
        } else if (what < 7) {
            tell(s, input_u16(in) % (s->b.sent + 1), len, what < 6);
        } else {
            tvl_sendbuf_trim(&s->b);
        }
    }
    tvl_sendbuf_finish(&s->b); /* everything arrives in the end */
    while (!tvl_sendbuf_done(&s->b)) {
        struct tvl_send_chunk c;

        if (tvl_sendbuf_next(&s->b, 1000, UINT64_MAX, &c))
            tvl_sendbuf_sent(&s->b, c.offset, c.len, c.fin);
        else
            tvl_sendbuf_acked(&s->b, 0, (size_t)s->b.end, true);
    }
    tvl_sendbuf_fini(&s->b);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };

    switch (input_u8(&in) % 3) {
    case 0:
        drive_ranges(&in);
        break;
    case 1:
        drive_recvbuf(&in);
        break;
    default:
        drive_sendbuf(&in);
        break;
    }
    return 0;
}
