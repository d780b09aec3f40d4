/* vmm_image.c - programs, modules and kernels that an image is made of, from anywhere. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/modules.h"
#include "image/needs.h"
#include "image/vmlinux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_needs needs;
    char value[64];
    size_t at, len;
    size_t sum = 0;

    if (needs_read(data, size, &needs) == ELF_GOOD)
        for (size_t i = 0; i < needs.n_needed; i++)
            sum += strlen(needs.needed[i]); /* within the bytes, and with an end */
    if (needs.interpreter)
        sum += strlen(needs.interpreter);
    modules_info(data, size, "depends", sum % 2, value, sizeof value);
    if (modules_unsigned(data, size) > size)
        abort();
    vmlinux_has_pvh(data, size);
    if (vmlinux_payload(data, size, &at, &len) == 0 && (at > size || len > size - at))
        abort();
    return 0;
}
