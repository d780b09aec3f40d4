/*
 * modules.h - kernel modules in the order in which they can be loaded.
 *
 * A package that is only unpacked has no modules.dep: what a module needs is in its own .modinfo
 * section ("depends=a,b", "softdep=pre: c"), what is compiled in is in modules.builtin.
 */
#ifndef VMM_IMAGE_MODULES_H
#define VMM_IMAGE_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/recipe.h"
#include "topology/topology.h"

#define MODULES_MAX 64
#define MODULE_NAME_MAX 56 /* MODULE_NAME_LEN of the kernel */
#define MODULE_BYTES_MAX (16u << 20)

struct module {
    char name[MODULE_NAME_MAX]; /* with '_' */
    char path[VMM_PATH_MAX];    /* of the file below `folder` given to modules_order */
    enum recipe_when when;
};

struct modules {
    struct module m[MODULES_MAX];
    size_t n;
};

/* `folder` is lib/modules/RELEASE. Those that are compiled in are left out. */
int modules_order(struct modules *out, const char *folder, const struct recipe_module *want,
                  char *why, size_t why_size);

/*
 * Value of one key of a module's .modinfo ("depends"), the `nth` from 0; false: none. `ko` is the
 * unpacked file, from anywhere: nothing in it is trusted. Pure.
 */
bool modules_info(const uint8_t *ko, size_t len, const char *key, size_t nth, char *out,
                  size_t size);

/* Bytes of a module without the signature behind it, which a guest of ours would check in vain. */
size_t modules_unsigned(const uint8_t *ko, size_t len);

#endif
