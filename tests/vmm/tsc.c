/* tsc.c - the rate of the host's time stamp counter in kHz, as a guest's command line has it. */
#include <inttypes.h>
#include <stdio.h>

#include "guest/accel.h"

int main(void)
{
    printf("%" PRIu32 "\n", vmm_accel_tsc_khz());
    return 0;
}
