/* random.c - randomness of the machine: the processor's, or a device's that was found. */
#include "cpu.h"
#include "inside.h"
#include "random.h"

#define RDRAND_TRIES 32 /* Intel: ten in a row do not fail unless it is broken */

static bool (*device)(void *user, uint8_t *out, size_t n);
static void *device_user;

void board_add_random(bool (*read)(void *user, uint8_t *out, size_t n), void *user)
{
    device = read;
    device_user = user;
}

static bool by_processor(uint8_t *out, size_t n)
{
    uint32_t r[4];

    cpu_cpuid(1, r);
    if (!(r[2] >> 30 & 1))
        return false;
    while (n > 0) {
        uint64_t word;
        bool ok = false;

        for (unsigned k = 0; k < RDRAND_TRIES && !ok; k++)
            ok = cpu_rdrand(&word);
        if (!ok)
            return false;
        for (unsigned i = 0; i < 8 && n > 0; i++, n--)
            *out++ = (uint8_t)(word >> 8 * i);
    }
    return true;
}

bool board_random(uint8_t *out, size_t n)
{
    if (device && device(device_user, out, n))
        return true;
    return by_processor(out, n);
}
