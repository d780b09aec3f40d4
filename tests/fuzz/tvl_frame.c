/* tvl_frame.c - libFuzzer entry: a packet's payload as frames; what is accepted can be written. */
#include <stdlib.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    struct tvl_frame f;
    while (tvl_rd_left(&rd) > 0 && tvl_frame_parse(&f, &rd) == 0) {
        size_t size = tvl_frame_size(&f);
        uint8_t *out = malloc(size);
        if (out == NULL)
            abort();
        struct tvl_wr w = tvl_wr_over(out, size);
        if (tvl_frame_write(&w, &f) != 0 || tvl_wr_left(&w) != 0)
            abort();
        free(out);
    }
    return 0;
}
