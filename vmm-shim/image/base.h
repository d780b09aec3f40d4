/* base.h - the base initramfs of a system whose kernel is in `folder` (kernel.h). */
#ifndef VMM_IMAGE_BASE_H
#define VMM_IMAGE_BASE_H

#include "image/image.h"
#include "image/recipe.h"

int base_get(const struct recipe *r, const char *folder, struct vmm_image_base *out, char *why,
             size_t why_size);

#endif
