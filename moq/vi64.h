/* vi64.h - the draft's own variable-length integer (draft-ietf-moq-transport-18, "Variable-Length
 * Integers"): the leading 1 bits of the first byte count the bytes that follow. It is not QUIC's
 * varint; the two agree below 64 only. Non-minimal encodings are legal on input. */
#ifndef MOQ_VI64_H
#define MOQ_VI64_H

#include <stddef.h>
#include <stdint.h>

#define MOQ_VI64_MAX 9 /* bytes of the longest encoding */

/* Bytes of the shortest encoding of `v` [1, MOQ_VI64_MAX]. */
size_t moq_vi64_len(uint64_t v);
/* Shortest encoding into `out` (room for MOQ_VI64_MAX); bytes written. */
size_t moq_vi64_encode(uint8_t *out, uint64_t v);
/* Bytes used of `len`, or 0 when more are needed; every byte string has a value. */
size_t moq_vi64_decode(uint64_t *v, const uint8_t *bytes, size_t len);

#endif
