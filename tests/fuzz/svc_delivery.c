/* svc_delivery.c - lines of delivery logs from outside; what is taken lies in its ranges. */
#include "delivery.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delivery_line l;

    if (delivery_parse_line(&l, (const char *)data, size) == 1)
        assert(l.spatial < SVC_SPATIAL_MAX && l.at_us >= 0 && l.at_us <= DELIVERY_TIME_MAX);
    return 0;
}
