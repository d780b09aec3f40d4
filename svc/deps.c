/*
 * deps.c - a unit's dependencies as bytes, and back (docs/dependencies.md).
 *
 *     refreshes (8)  n_reads (8)  n_reads * { slot (3) spatial (2) distance (3) [leb128] }
 *
 * distance 7 means that a leb128 follows with the distance minus 7, of at most 32 bits. Decoding
 * accepts only what encoding can produce, so that equal dependencies have equal bytes.
 */
#include "svc/svc.h"

#include <string.h>

#define DISTANCE_ESCAPE 7u
#define LEB128_MAX_BYTES 5 /* 32 bits */

static int put_leb128(uint32_t value, uint8_t *out, size_t cap)
{
    size_t n = 0;
    do {
        if (n == cap)
            return SVC_ERR_ARG;
        uint8_t byte = value & 0x7f;
        value >>= 7;
        out[n++] = value ? byte | 0x80 : byte;
    } while (value);
    return (int)n;
}

/* Bytes taken, or SVC_ERR_FORMAT: cut short, longer than needed, or above 32 bits. */
static int get_leb128(uint32_t *value, const uint8_t *bytes, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len && i < LEB128_MAX_BYTES; i++) {
        v |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] & 0x80)
            continue;
        if (v > UINT32_MAX || (i > 0 && bytes[i] == 0))
            return SVC_ERR_FORMAT;
        *value = (uint32_t)v;
        return (int)i + 1;
    }
    return SVC_ERR_FORMAT;
}

static int put_read(const struct svc_read *read, uint64_t picture, uint8_t *out, size_t cap)
{
    if (read->slot >= SVC_SLOTS || read->spatial >= SVC_SPATIAL_MAX || read->picture > picture)
        return SVC_ERR_ARG;
    uint64_t distance = picture - read->picture;
    if (distance > UINT32_MAX || cap < 1)
        return SVC_ERR_ARG;
    unsigned head = (unsigned)read->slot << 5 | (unsigned)read->spatial << 3;
    if (distance < DISTANCE_ESCAPE) {
        out[0] = (uint8_t)(head | (unsigned)distance);
        return 1;
    }
    out[0] = (uint8_t)(head | DISTANCE_ESCAPE);
    int n = put_leb128((uint32_t)(distance - DISTANCE_ESCAPE), out + 1, cap - 1);
    return n < 0 ? n : n + 1;
}

int svc_deps_encode(const struct svc_deps *deps, uint64_t picture, uint8_t *out, size_t cap)
{
    if (deps->n_reads > SVC_SLOTS || cap < 2)
        return SVC_ERR_ARG;
    uint8_t seen = 0;
    out[0] = deps->refreshes;
    out[1] = deps->n_reads;
    size_t at = 2;
    for (size_t i = 0; i < deps->n_reads; i++) {
        int n = put_read(&deps->reads[i], picture, out + at, cap - at);
        if (n < 0 || (seen >> deps->reads[i].slot & 1))
            return SVC_ERR_ARG;
        seen = (uint8_t)(seen | 1u << deps->reads[i].slot);
        at += (size_t)n;
    }
    return (int)at;
}

static int get_read(struct svc_read *read, uint64_t picture, const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return SVC_ERR_FORMAT;
    read->slot = bytes[0] >> 5;
    read->spatial = bytes[0] >> 3 & 3;
    uint64_t distance = bytes[0] & 7u;
    int taken = 1;
    if (distance == DISTANCE_ESCAPE) {
        uint32_t more;
        int n = get_leb128(&more, bytes + 1, len - 1);
        if (n < 0)
            return n;
        distance += more;
        taken += n;
    }
    if (distance > picture || distance > UINT32_MAX)
        return SVC_ERR_FORMAT;
    read->picture = picture - distance;
    return taken;
}

int svc_deps_decode(struct svc_deps *deps, uint64_t picture, const uint8_t *bytes, size_t len)
{
    struct svc_deps d = { 0 };
    if (len < 2 || bytes[1] > SVC_SLOTS)
        return SVC_ERR_FORMAT;
    d.refreshes = bytes[0];
    d.n_reads = bytes[1];
    size_t at = 2;
    uint8_t seen = 0;
    for (size_t i = 0; i < d.n_reads; i++) {
        int n = get_read(&d.reads[i], picture, bytes + at, len - at);
        if (n < 0 || (seen >> d.reads[i].slot & 1))
            return SVC_ERR_FORMAT;
        seen = (uint8_t)(seen | 1u << d.reads[i].slot);
        at += (size_t)n;
    }
    if (at != len)
        return SVC_ERR_FORMAT;
    *deps = d;
    return 0;
}
