/* tvl_params.c - libFuzzer entry: transport parameters; first byte: which side sent them. */
#include <stdlib.h>

#include "params.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t out[TVL_PARAMS_SIZE_MAX];
    struct tvl_params p;
    if (len == 0)
        return 0;
    enum tvl_side side = bytes[0] & 1 ? TVL_SERVER : TVL_CLIENT;
    if (tvl_params_decode(&p, bytes + 1, len - 1, side) != 0)
        return 0;
    struct tvl_wr w = tvl_wr_over(out, sizeof(out));
    if (tvl_params_encode(&w, &p) != 0 ||
        tvl_params_decode(&p, out, (size_t)(w.p - out), side) != 0)
        abort();
    return 0;
}
