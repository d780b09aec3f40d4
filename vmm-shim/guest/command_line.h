/*
 * command_line.h - what a guest is made of, and QEMU's command line for it. Pure.
 */
#ifndef VMM_COMMAND_LINE_H
#define VMM_COMMAND_LINE_H

#include "guest/accel.h"
#include "topology/topology.h"

#define VMM_SOCKET_MAX 108 /* bytes of a socket's path with NUL */
#define VMM_WORDS_MAX 192  /* of QEMU's line */

/* Descriptors that QEMU is given: files may be where its user cannot walk to. Those that a guest
 * has not are /dev/null. */
enum vmm_guest_fd {
    VMM_FD_RAM = 3,
    VMM_FD_KERNEL,
    VMM_FD_INITRD,
    VMM_FD_DISK,
    VMM_FD_USERFAULT, /* these two of a guest that arrives by postcopy, else not there */
    VMM_FD_MODULE,
};
#define VMM_GUEST_FDS 4 /* that all have */
#define VMM_GUEST_FDS_MAX 6

struct vmm_guest_nic {
    char link[VMM_NAME_MAX];
    uint8_t mac[6];
    char local[VMM_SOCKET_MAX];  /* QEMU binds it: unique for each QEMU process */
    char remote[VMM_SOCKET_MAX]; /* the network's socket, to which frames go */
};

/* All that a guest is. Strings are its own; "" where there is none. */
struct vmm_guest_config {
    char name[VMM_NAME_MAX];   /* of the node */
    char qemu[VMM_PATH_MAX];   /* program; "": by arch */
    char arch[VMM_NAME_MAX];   /* "amd64", "arm64" */
    char machine[96];          /* -machine; "": microvm, virt */
    char cpu[64];              /* -cpu under TCG; "": max, cortex-a57 */
    char system[VMM_NAME_MAX]; /* for people */
    char kernel[VMM_PATH_MAX], initrd[VMM_PATH_MAX], disk[VMM_PATH_MAX];
    char append[1024];     /* kernel arguments but those of the machine */
    uint64_t memory_bytes; /* whole KiB */
    unsigned vcpus;
    struct vmm_guest_nic nic[VMM_LINKS_MAX]; /* in the order of links */
    size_t n_nics;
    enum vmm_accel accel; /* KVM or TCG */
    uint32_t tsc_khz;     /* 0: not known */
    bool lock_memory;
    /* Where it runs: these differ between the two of a migration. */
    char folder[VMM_SOCKET_MAX]; /* qmp, agent, serial.log are made there */
    bool incoming;               /* waits for a state (QMP migrate-incoming) */
    bool postcopy;               /* which comes by postcopy: needs a userfaultfd */
    char user[VMM_NAME_MAX * 2]; /* whom it runs as when the shim is root */
    char netns[VMM_PATH_MAX];    /* network namespace, name or path; "": one of its own, empty, as
                                    root; the shim's where that takes rights that we have not */
};

struct vmm_words {
    char *word[VMM_WORDS_MAX + 1]; /* NULL-ended, owned */
    size_t n;
};

/* 0 and words to be given back; -1 with one line (a path too long, an arch that is not known). */
int vmm_command_line(struct vmm_words *out, const struct vmm_guest_config *c, char *why,
                     size_t why_size);
void vmm_words_fini(struct vmm_words *w);

/* FOLDER/WHAT ("qmp", "agent", "serial.log"). 0 or -1: too long for a socket. */
int vmm_guest_path(const struct vmm_guest_config *c, const char *what, char out[VMM_SOCKET_MAX]);

/*
 * What a state needs to find where it is loaded: 16 hexadecimal digits of machine, cpu, memory,
 * vcpus, accelerator, devices in their order, MAC addresses. Two guests with the same can move into
 * each other; nothing of where they run is in it.
 */
void vmm_guest_print(const struct vmm_guest_config *c, char out[17]);
/* "" when the same, else what differs: "memory 128 MiB, there 256 MiB; 1 vCPU, there 2". */
void vmm_guest_difference(const struct vmm_guest_config *here, const struct vmm_guest_config *there,
                          char *out, size_t size);

#endif
