/* vmm_agent.c - lines that the agent of a guest is sent. */
#include <stdint.h>
#include <string.h>

#include "agent/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request r;
    int64_t id;
    char why[256];
    volatile size_t sum = 0;

    if (request_read(&r, (const char *)data, size, &id, why, sizeof why) == 0) {
        for (size_t i = 0; r.argv[i]; i++)
            sum += strlen(r.argv[i]);
        for (size_t i = 0; i < r.n_env; i++)
            sum += strlen(r.env_name[i]) + strlen(r.env_value[i]);
        for (size_t i = 0; i < r.in_len; i++)
            sum += r.in[i];
    }
    request_fini(&r);
    return 0;
}
