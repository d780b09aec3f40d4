/*
 * svc_parse.c - outside bytes into the parsers of svc: dependencies, OBUs, sequence and frame
 * headers. Besides not crashing: what decodes must encode to the same bytes.
 */
#include "obu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_deps(const uint8_t *data, size_t size)
{
    struct svc_deps deps;
    uint8_t again[SVC_DEPS_MAX_BYTES];
    const uint64_t picture = UINT64_C(1) << 40;
    if (svc_deps_decode(&deps, picture, data, size) < 0)
        return;
    int n = svc_deps_encode(&deps, picture, again, sizeof(again));
    assert(n == (int)size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svc_part parts[SVC_SPATIAL_MAX];
    struct svc_sequence seq;
    struct svc_frame frame;
    uint8_t *out = malloc(size ? size : 1);
    if (!out)
        return 0;
    try_deps(data, size);
    int n = svc_obu_split(data, size, out, parts);
    for (int i = 0; i < n; i++) {
        assert(parts[i].at + parts[i].len <= size);
        if (parts[i].has_note)
            try_deps(parts[i].note.deps, parts[i].note.deps_len);
    }
    if (svc_sequence_parse(&seq, data, size) == 0)
        svc_frame_parse(&frame, &seq, data, size);
    free(out);
    return 0;
}
