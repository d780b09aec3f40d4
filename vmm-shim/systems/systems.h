/*
 * systems.h - the operating systems an endpoint can run on: what each has and how it was measured.
 *
 *     systems.yaml (installed: what each is, figures of a reference machine)
 *       + CACHE/systems.yaml (figures of this host, by `vmm-shim match --measure`)
 *       ──► struct vmm_systems ──► vmm_match() (match.h)
 *
 * A profile is data; a new system is an entry in the file, and in image/ what boots there.
 * CACHE: $VMM_SHIM_CACHE, else $HOME/.cache/vmm-shim.
 */
#ifndef VMM_SYSTEMS_H
#define VMM_SYSTEMS_H

#include "topology/topology.h"

#define VMM_SYSTEMS_MAX 16
#define VMM_LABEL_MAX 96 /* bytes of a text with NUL */

/* Measured. 0: not known, and then it satisfies no need. */
struct vmm_figures {
    uint64_t boot_ns;           /* start of QEMU to the first answer, median */
    uint64_t wake_p99_ns;       /* lateness of a periodic timer in the guest, 99th percentile, */
    char policy[VMM_LABEL_MAX]; /* under this policy of host and guest, "": the usual one */
    uint64_t round_trip_ns;     /* median, a message echoed by an endpoint in the guest */
    uint64_t memory_bytes;      /* resident of QEMU, least guest */
    char source[VMM_LABEL_MAX]; /* where and how: "reference machine, TCG" */
    bool here;                  /* of this host */
};

struct vmm_system {
    char name[VMM_NAME_MAX];
    char title[VMM_LABEL_MAX];   /* "Linux 6.1, Debian's cloud kernel" */
    char arch[VMM_NAME_MAX];     /* "amd64", "arm64" */
    bool files;                  /* a file system, and processes */
    char only[VMM_LABEL_MAX];    /* the only program it runs; "": any of its architecture */
    char package[VMM_LABEL_MAX]; /* kernel package, a pattern for its version; "": our own */
    char qemu[VMM_LABEL_MAX];    /* "qemu-system-x86_64" */
    char machine[VMM_LABEL_MAX]; /* -machine */
    char cpu[VMM_NAME_MAX * 2];  /* -cpu under TCG */
    struct vmm_figures figures;
    int line;
};

struct vmm_systems {
    struct vmm_system system[VMM_SYSTEMS_MAX];
    size_t n;
    char host_arch[VMM_NAME_MAX]; /* "amd64": whose programs are at hand */
};

/* `path` NULL: the installed file, then this host's figures over it. 0: *out is to be freed with
 * free(); -1 and "FILE:LINE: ..." in `why`. */
int vmm_systems_read(struct vmm_systems **out, const char *path, char *why, size_t why_size);
/* Index or -1. */
int vmm_systems_find(const struct vmm_systems *s, const char *name);
/* Keeps figures of this host (those that are not 0) for system `name` in CACHE/systems.yaml, for
 * all calls of vmm_systems_read() that come. 0 or -1. */
int vmm_systems_keep(const char *name, const struct vmm_figures *f, char *why, size_t why_size);

/* "wake_latency=1ms" into *need, as a topology's `need: {wake_latency: 1ms}`. 0 or -1. */
int vmm_need_parse(struct vmm_need *need, const char *text, char *why, size_t why_size);

#endif
