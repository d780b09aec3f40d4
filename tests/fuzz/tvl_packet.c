/* tvl_packet.c - libFuzzer entry: a datagram as coalesced packets, headers unmasked. */
#include <stdlib.h>
#include <string.h>

#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint8_t mask[5] = { 0x5a, 1, 2, 3, 4 };
    uint8_t *copy = malloc(len + 1);
    struct tvl_packet p;
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, bytes, len);
    for (size_t at = 0; at < len && tvl_packet_parse(&p, copy + at, len - at, 8) == 0;
         at += p.len) {
        if (p.len == 0 || p.len > len - at)
            abort();
        if (p.pn_offset > 0) {
            struct tvl_packet_number n = tvl_packet_unmask(copy + at, p.pn_offset, mask);
            if (tvl_pn_decode(n.truncated, n.truncated, n.len) > TVL_PN_MAX)
                abort();
        }
    }
    free(copy);
    return 0;
}
