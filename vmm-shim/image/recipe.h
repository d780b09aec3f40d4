/* recipe.h - of each system: the package its kernel comes in, and what of it a guest needs. */
#ifndef VMM_IMAGE_RECIPE_H
#define VMM_IMAGE_RECIPE_H

#include <stdint.h>

#define RECIPE_MODULES_MAX 24
#define RECIPE_LIBRARIES_MAX 12

/* When the agent loads a module: a guest has only some of the devices. */
enum recipe_when {
    RECIPE_ALWAYS,
    RECIPE_PCI,  /* the machine has a PCI bus */
    RECIPE_DISK, /* the node has a disk */
};

struct recipe_module {
    const char *name; /* NULL: the end. What it depends on comes by itself, before it */
    enum recipe_when when;
};

struct recipe {
    const char *system;  /* name in topology files */
    const char *arch;    /* Debian's */
    const char *package; /* depends on the newest kernel package; NULL: `program` */
    const char *program; /* a kernel of our own */
    const char *image;   /* file of /boot without the release: "vmlinuz" */
    bool vmlinux;        /* boot what is in `image`, unpacked: no decompression in the guest */
    struct recipe_module module[RECIPE_MODULES_MAX];
    /* Packages with what our programs need there, where the host's own libraries are of no use. */
    const char *libraries[RECIPE_LIBRARIES_MAX + 1];
    int revision; /* of what is taken out of the packages; another number makes it anew */
    const char *append;
    uint64_t memory_least_bytes;
};

extern const struct recipe recipes[]; /* the last has no system */

/* NULL and `why`: none of that name. */
const struct recipe *recipe_find(const char *system, char *why, size_t why_size);
const char *recipe_when_name(enum recipe_when when); /* "always", "pci", "disk" */

#endif
