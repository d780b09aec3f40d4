/*
 * host.h - what this host has to promise: CPUs, what of them real time may have, memory.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include "rt/admit.h"

/* Fills all but `rt_groups`. The kernel's own reserve for usual programs (sched_rt_runtime_us) and
 * VMM_HOST_RESERVE_PPM more are nobody's. */
void vmm_host_look(struct vmm_host *h);

#define VMM_HOST_RESERVE_PPM 50000u

/* Monotonic clock, ns. */
uint64_t vmm_host_now_ns(void);

#endif
