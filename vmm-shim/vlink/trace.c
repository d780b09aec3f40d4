/* trace.c - see trace.h. */
#include "trace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS 1000000u

/* One line at *pos: a number, or nothing (blank lines are skipped). */
enum line { LINE_NUMBER, LINE_BLANK, LINE_BAD };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static enum line read_line(const char *text, size_t len, size_t *pos, uint32_t *value)
{
    size_t i = *pos;
    uint64_t number = 0;
    bool digits = false, bad = false, ended = false;
    for (; i < len && text[i] != '\n'; i++) {
        if (is_space(text[i])) {
            ended = digits;
        } else if (text[i] >= '0' && text[i] <= '9' && !ended && number <= UINT32_MAX) {
            number = number * 10 + (uint64_t)(text[i] - '0');
            digits = true;
        } else {
            bad = true;
        }
    }
    *pos = i < len ? i + 1 : i;
    if (bad || number > UINT32_MAX)
        return LINE_BAD;
    *value = (uint32_t)number;
    return digits ? LINE_NUMBER : LINE_BLANK;
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

int vlink_trace_parse(struct vlink_trace *out, const char *text, size_t len, char *why,
                      size_t why_size)
{
    size_t lines = count_lines(text, len), n = 0, line = 0;
    if (lines > VLINK_TRACE_MAX) {
        snprintf(why, why_size, "more than %u lines", VLINK_TRACE_MAX);
        return -1;
    }
    uint32_t *ms = malloc(lines * sizeof *ms);
    if (!ms) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    for (size_t pos = 0; pos < len;) {
        uint32_t value = 0;
        enum line kind = read_line(text, len, &pos, &value);
        line++;
        if (kind == LINE_BLANK)
            continue;
        if (kind == LINE_BAD) {
            snprintf(why, why_size, "line %zu is not a whole number of milliseconds", line);
            goto bad;
        }
        if (n > 0 && value < ms[n - 1]) {
            snprintf(why, why_size, "line %zu goes back in time", line);
            goto bad;
        }
        ms[n++] = value;
    }
    if (n == 0 || ms[n - 1] == 0) {
        snprintf(why, why_size, "no delivery opportunity after millisecond 0");
        goto bad;
    }
    *out = (struct vlink_trace){ .ms = ms, .n = n };
    return 0;
bad:
    free(ms);
    return -1;
}

void vlink_trace_fini(struct vlink_trace *t)
{
    free(t->ms);
    *t = (struct vlink_trace){ 0 };
}

uint64_t vlink_trace_at(const struct vlink_trace *t, uint64_t k)
{
    uint64_t period = t->ms[t->n - 1];
    return (k / t->n * period + t->ms[k % t->n]) * NS_PER_MS;
}

uint64_t vlink_trace_after(const struct vlink_trace *t, uint64_t ns)
{
    uint64_t period = t->ms[t->n - 1], now_ms = ns / NS_PER_MS;
    uint64_t rest = now_ms % period;
    size_t low = 0, high = t->n - 1; /* ms[n - 1] = period > rest, so there is one */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t->ms[mid] > rest)
            high = mid;
        else
            low = mid + 1;
    }
    return now_ms / period * t->n + low;
}

uint64_t vlink_trace_mean_bps(const struct vlink_trace *t)
{
    return (uint64_t)t->n * VLINK_TRACE_BYTES * 8 * 1000 / t->ms[t->n - 1];
}
