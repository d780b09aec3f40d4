/*
 * kernel.h - what the cache holds of one system:
 *
 *     CACHE/SYSTEM_VERSION/kernel       what QEMU boots
 *     CACHE/SYSTEM_VERSION/modules/      unpacked .ko files
 *     CACHE/SYSTEM_VERSION/order        "always virtio_ring" a line, as the agent loads them
 *     CACHE/SYSTEM_VERSION/sysroot/     libraries of another architecture, if it is one
 *     CACHE/SYSTEM_VERSION/kernel.json  where it came from
 *     CACHE/SYSTEM_VERSION/base-*.cpio  for each agent (base.c)
 */
#ifndef VMM_IMAGE_KERNEL_H
#define VMM_IMAGE_KERNEL_H

#include "image/image.h"
#include "image/recipe.h"

/* Finds or makes it. `folder`: of this system's version, as above; "" of metal. */
int kernel_get(const struct recipe *r, struct vmm_image_kernel *out, char folder[VMM_PATH_MAX],
               char *why, size_t why_size);

#endif
