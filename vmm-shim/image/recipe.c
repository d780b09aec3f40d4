/* recipe.c - see recipe.h. A new system of the distribution is a row here. */
#include <stdbool.h>
#include <stddef.h>

#include "image/recipe.h"

#include <stdio.h>
#include <string.h>

#include "image/image.h"

#define MIB (1024 * 1024)

/* In both: buses first, then devices. virtio_pci only where there is such a bus (not on microvm).
 */
#define VIRTIO_MODULES                                                        \
    { "virtio_mmio", RECIPE_ALWAYS }, { "virtio_pci", RECIPE_PCI },           \
        { "virtio_net", RECIPE_ALWAYS }, { "virtio_console", RECIPE_ALWAYS }, \
        { "virtio_blk", RECIPE_DISK },                                        \
    {                                                                         \
        "isofs", RECIPE_DISK                                                  \
    }

/*
 * Half of the CPU time of a boot goes into what a guest has no use for. Measured on TCG to the
 * first line of svc-server: self-tests of ciphers and zeroed allocations cost 0.35 s of 1.85 s,
 * mitigations of a CPU that is emulated, certificates for modules and trace points 0.2 s.
 */
#define FAST_APPEND                                                                        \
    " quiet panic=-1 cryptomgr.notests init_on_alloc=0 mitigations=off audit=0 apparmor=0" \
    " nokaslr no5lvl nowatchdog rcupdate.rcu_expedited=1 random.trust_cpu=on"              \
    " initcall_blacklist=load_system_certificate_list,blacklist_init,init_kprobe_trace,"   \
    "tracer_init_tracefs"

#define AMD64_APPEND "console=ttyS0 reboot=t 8250.nr_uarts=1" FAST_APPEND

/*
 * Least memory, beside twice the initramfs (packed and unpacked are both there for a moment): tried
 * with initramfs of 13 and 25 MiB, and some room to run (cloud boots with 62, rt with 85).
 */
const struct recipe recipes[] = {
    { .system = "cloud",
      .arch = "amd64",
      .package = "linux-image-cloud-amd64",
      .image = "vmlinuz",
      .vmlinux = true,
      .module = { VIRTIO_MODULES },
      .revision = 2,
      .append = AMD64_APPEND,
      .memory_least_bytes = 76 * MIB },
    { .system = "rt",
      .arch = "amd64",
      .package = "linux-image-rt-amd64",
      .image = "vmlinuz",
      .vmlinux = true,
      .module = { VIRTIO_MODULES },
      .revision = 2,
      .append = AMD64_APPEND,
      .memory_least_bytes = 96 * MIB },
    { .system = "arm64",
      .arch = "arm64",
      .package = "linux-image-cloud-arm64",
      .image = "vmlinuz",
      .module = { VIRTIO_MODULES },
      .libraries = { "libc6", "libgcc-s1", "libssl3", "libisal2", "libev4", "libmnl0",
                     "libjansson4" },
      .revision = 3,
      .append = "console=ttyAMA0" FAST_APPEND,
      .memory_least_bytes = 96 * MIB },
    { .system = "metal",
      .arch = "amd64",
      .program = "metal.elf",
      .append = "",
      .memory_least_bytes = 2 * MIB },
    { .system = NULL },
};

#define N_SYSTEMS (sizeof(recipes) / sizeof(recipes[0]) - 1)

const char *const *vmm_image_systems(void)
{
    static const char *const names[] = { "cloud", "rt", "arm64", "metal", NULL };

    _Static_assert(sizeof(names) / sizeof(names[0]) == N_SYSTEMS + 1, "one name a recipe");
    return names;
}

const struct recipe *recipe_find(const char *system, char *why, size_t why_size)
{
    for (const struct recipe *r = recipes; r->system; r++)
        if (strcmp(r->system, system) == 0)
            return r;
    int n = snprintf(why, why_size, "no system is called '%s'; there are:", system);
    for (const struct recipe *r = recipes; r->system && n > 0 && (size_t)n < why_size; r++)
        n += snprintf(why + n, why_size - (size_t)n, "%s %s", r == recipes ? "" : ",", r->system);
    return NULL;
}

const char *recipe_when_name(enum recipe_when when)
{
    static const char *const names[] = { "always", "pci", "disk" };

    return names[when];
}
