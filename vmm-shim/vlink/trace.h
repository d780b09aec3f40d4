/*
 * trace.h - a recorded link in Mahimahi's format (Netravali et al., USENIX ATC 2015).
 *
 * One integer a line: the millisecond of an opportunity to deliver VLINK_TRACE_BYTES bytes; lines
 * do not fall; a millisecond may repeat. The last line is the trace's length, after which it starts
 * over. Pure: text in, table out.
 */
#ifndef VLINK_TRACE_H
#define VLINK_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define VLINK_TRACE_BYTES 1500u    /* one opportunity, Mahimahi's PACKET_SIZE */
#define VLINK_TRACE_MAX (8u << 20) /* lines of one trace */

struct vlink_trace {
    uint32_t *ms; /* n of them, not falling, the last above 0 */
    size_t n;
};

/* 0; -1 with one line in `why` (which line, what is wrong) and *out untouched. */
int vlink_trace_parse(struct vlink_trace *out, const char *text, size_t len, char *why,
                      size_t why_size);
void vlink_trace_fini(struct vlink_trace *t); /* zero is fine */

/* Time of opportunity `k` [0, ...), ns after the trace's start; loops. */
uint64_t vlink_trace_at(const struct vlink_trace *t, uint64_t k);
/* The first opportunity after `ns`; one that falls on `ns` itself has passed. */
uint64_t vlink_trace_after(const struct vlink_trace *t, uint64_t ns);
/* Mean rate of the whole trace, bits/s. */
uint64_t vlink_trace_mean_bps(const struct vlink_trace *t);

#endif
