/*
 * tvl_knowledge.c - libFuzzer entry: a knowledge base from a file, and a choice by it. The first
 * bytes are the path that is asked for.
 */
#include <tvl/select.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static double share(struct input *in)
{
    return (double)input_u8(in) / 255;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };
    struct tvl_path_model m = {
        .capacity_bps = 1000 * (uint64_t)input_u16(&in),
        .rtt_min = input_u16(&in),
        .jitter = input_u8(&in),
        .loss = share(&in),
        .loss_burst = 1,
        .loss_congestive = share(&in),
        .buffer = input_u16(&in),
        .change = share(&in),
    };
    const enum tvl_objective objective = input_u8(&in) % 4;
    struct tvl_select_row row[TVL_SELECT_MAX];
    struct tvl_knowledge *k;
    char why[64] = "", reason[64];
    size_t n = (size_t)(in.end - in.p);
    const uint8_t *text = input_bytes(&in, &n);

    if (tvl_knowledge_new(&k, (const char *)text, n, why, sizeof why) != 0) {
        must(why[0] != 0);
        return 0;
    }
    n = tvl_select_explain(&m, k, "cubic", objective, 1000, row, reason, sizeof reason);
    must(n <= TVL_SELECT_MAX);
    for (size_t i = 0; i < n; i++)
        must(row[i].score >= 0);
    tvl_knowledge_free(k);
    return 0;
}
