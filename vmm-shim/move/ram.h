/*
 * ram.h - a copy of a guest's RAM, for the way back: two QEMUs have the RAM in common while a guest
 * moves, and what the second has written is no state that the first could go on from.
 *
 * keep() while the guest runs copies most of it; again, when it has stopped, only what has changed.
 * Blocking: about 20 ms for each 100 MiB that the guest has used; pages it never used cost nothing.
 */
#ifndef VMM_MOVE_RAM_H
#define VMM_MOVE_RAM_H

#include <stddef.h>
#include <stdint.h>

struct vmm_ram;

/* `ram`: its descriptor (a memfd, sized), borrowed until freed. 0, or -1 with one line. */
int vmm_ram_new(struct vmm_ram **out, int ram, char *why, size_t why_size);
/* Bytes that were different. */
uint64_t vmm_ram_keep(struct vmm_ram *r);
/* The RAM becomes what it was at the last keep(). Nobody may run on it. */
void vmm_ram_restore(struct vmm_ram *r);
/* NULL allowed. */
void vmm_ram_free(struct vmm_ram *r);

#endif
