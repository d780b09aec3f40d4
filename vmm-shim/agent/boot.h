/* boot.h - from the kernel's first process to a system with devices: mounts, modules, disk. */
#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include <stdbool.h>

void boot_mounts(void);
/* In the order of /lib/modules/order; those of a disk only if there is one. */
void boot_modules(bool disk);
/* The first virtio disk, read-only, on /disk. */
void boot_disk(void);
_Noreturn void boot_end(void);

#endif
