/*
 * image.h - what a guest boots: a kernel of the distribution, and an initramfs of our own making.
 *
 *     apt-get download ──► kernel  (vmlinux or Image)   ┐ cached, one a system,
 *     its .ko files, our agent ──► base initramfs       ┘ shared by all slices
 *     topology, programs and the libraries they need, guest.json, certificates
 *                              ──► initramfs of a node = base + its own, one file
 *
 * No root is needed and nothing is installed. The cache is $VMM_SHIM_CACHE, else
 * $HOME/.cache/vmm-shim, else (root without a home) /var/cache/vmm-shim; several builders may
 * share it. The first call for a system fetches a package from the host's own apt sources and takes
 * as long as that; later ones take milliseconds and no network. All calls block: call before the
 * guest's timing matters, any thread. Errors: 0, or -1 and one line in `why`.
 *
 * Systems known here are those of vmm_image_systems(); "metal" has a kernel and no initramfs.
 */
#ifndef VMM_IMAGE_H
#define VMM_IMAGE_H

#include "topology/topology.h"

#define VMM_APPEND_MAX 1024 /* bytes of kernel arguments with NUL */

/* NULL-ended names of the systems an image can be made of; static. */
const char *const *vmm_image_systems(void);

/*
 * Removes what no new guest boots: kernels that a newer one has replaced, base images of other
 * agents. A guest that runs goes on, but cannot be moved or resumed without its kernel. *bytes:
 * freed, of all systems.
 */
int vmm_image_clean(uint64_t *bytes, char *why, size_t why_size);

/* What QEMU boots, of a system. */
struct vmm_image_kernel {
    char path[VMM_PATH_MAX]; /* for -kernel: vmlinux with a PVH entry (amd64), Image (arm64), or
                                ours */
    char arch[VMM_NAME_MAX]; /* "amd64", "arm64" */
    char release[64];        /* "6.1.0-50-cloud-amd64"; of metal: its version */
    char package[128];       /* NAME_VERSION it came in; "" of metal */
    /*
     * Kernel arguments that make it boot fast and quietly, console included. The caller adds those
     * of the machine (tsc= and tsc_early_khz= on microvm). "" of metal.
     */
    char append[VMM_APPEND_MAX];
    uint64_t bytes;              /* of `path` */
    uint64_t memory_least_bytes; /* a guest with less does not boot (without a node's files) */
};

int vmm_image_kernel(const char *system, struct vmm_image_kernel *out, char *why, size_t why_size);

/* False: the next call for this system fetches a kernel, which takes its time; say so before. */
bool vmm_image_is_cached(const char *system);

/* Fetches the newest kernel again; what guests run now stays, and what is there when it fails. */
int vmm_image_renew(const char *system, char *why, size_t why_size);

/* The part that all nodes of a system have: modules in their order, and the agent as /init. */
struct vmm_image_base {
    char path[VMM_PATH_MAX]; /* a cpio archive (newc), uncompressed; of the cache: do not write */
    uint64_t bytes;
    size_t n_modules;
};

int vmm_image_base(const char *system, struct vmm_image_base *out, char *why, size_t why_size);

/* A file for a node that no topology file names: certificates, keys. Borrowed for the call. */
struct vmm_image_file {
    const char *to;   /* absolute path in the guest */
    const char *from; /* on the host, or NULL: `data` */
    const void *data;
    size_t size;
    unsigned mode; /* permission bits; 0: those of `from`, else 0644 */
};

struct vmm_image_request {
    const struct vmm_topology *topology;
    size_t node;
    const char *system; /* what match or the topology chose */
    const struct vmm_image_file *extra;
    size_t n_extra;
    const char *initrd; /* file to write; overwritten */
    const char *disk;   /* file to write if the node says `disk: true`; else unused, may be NULL */
};

struct vmm_image_node {
    struct vmm_image_kernel kernel;
    char initrd[VMM_PATH_MAX]; /* "" of metal */
    /*
     * "": none. Else a read-only file system (ISO 9660) for the guest's first virtio-blk device
     * (the caller adds it: if=none,format=raw,readonly=on); the agent mounts it on /disk, where the
     * node's files are links to.
     */
    char disk[VMM_PATH_MAX];
    uint64_t initrd_bytes, disk_bytes;
    uint64_t memory_least_bytes; /* a guest with less has no room to unpack and run this */
};

/*
 * Makes the image of a node: base, the node's files with the closure of ELF libraries of those that
 * are programs, /etc/slice/guest.json, `extra`. A command of `run` that is not among the files is
 * looked for among our own programs for guests (small builds of svc-server, svc-player, tvl-echo)
 * and then in $PATH, and goes to /bin. What is written is complete or not there.
 */
int vmm_image_node(const struct vmm_image_request *request, struct vmm_image_node *out, char *why,
                   size_t why_size);

/*
 * Path of a program of ours that runs in guests, for `arch` ("amd64", "arm64"): $VMM_SHIM_LIBEXEC,
 * the installation's libexec/vmm-shim, or the build tree. -1: not built for that architecture.
 */
int vmm_image_program(const char *name, const char *arch, char out[VMM_PATH_MAX], char *why,
                      size_t why_size);

#endif
