/*
 * vmm_state.c - a stranger's file as a suspended guest: refused with one line, or a machine whose
 * print is the one that it says.
 */
#include "move/state_file.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmm_state_head h;
    char why[200] = "", difference[400];
    const ssize_t n = vmm_state_parse((const char *)data, size, &h, why, sizeof why);

    if (n < 0) {
        assert(*why && !strchr(why, '\n'));
        return 0;
    }
    assert((size_t)n <= size && n <= VMM_STATE_LINE_MAX && data[n - 1] == '\n');
    assert(h.config.n_nics <= VMM_LINKS_MAX && h.config.memory_bytes > 0 && h.config.vcpus > 0);
    vmm_guest_difference(&h.config, &h.config, difference, sizeof difference);
    assert(!*difference);
    return 0;
}
