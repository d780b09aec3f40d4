/*
 * topology.h - what a topology file says, as data: nodes, links, and what they ask for.
 *
 *     YAML file ──► vmm_topology_read() ──► struct vmm_topology ──► keeper, vlink, guests
 *                    errors: "FILE:LINE: what is wrong"
 *
 * Pure but for reading the file: nothing is started or resolved here; traces, programs and images
 * are names until the keeper opens them. Numbers are in the unit of their name. Format and meaning
 * of every key: vmm-topology(5).
 */
#ifndef VMM_TOPOLOGY_H
#define VMM_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_NAME_MAX 16   /* bytes of a name with NUL: [a-z0-9][a-z0-9-]* */
#define VMM_PATH_MAX 1024 /* bytes of a path with NUL */
#define VMM_VALUE_MAX 256 /* bytes of a link's value with NUL */
#define VMM_NODES_MAX 32
#define VMM_LINKS_MAX 32
#define VMM_PORTS_MAX 16 /* nodes of one link */
#define VMM_ARGS_MAX 64  /* words of a command */
#define VMM_FILES_MAX 32
#define VMM_KEYS_MAX 24 /* settings of one direction of a link */
#define VMM_CPUS_MAX 64
#define VMM_WHY_MAX 512 /* bytes of an error line with NUL */

enum vmm_kind {
    VMM_GUEST,     /* under QEMU */
    VMM_PROCESS,   /* confined host process in a network namespace of its own */
    VMM_NAMESPACE, /* an existing network namespace of the host (root); nothing is started */
};

enum vmm_policy { VMM_POLICY_NONE, VMM_POLICY_NICE, VMM_POLICY_FIFO, VMM_POLICY_DEADLINE };

/* What a node's threads get of the host's CPUs. Zero: nothing is asked for. */
struct vmm_real_time {
    enum vmm_policy policy;
    int priority; /* FIFO: of the vCPUs [1, 97], the main loop has one more; NICE: [-20, 19] */
    uint64_t budget_ns; /* DEADLINE: of each vCPU, in each period. FIFO: at most, on each CPU; 0:
                           see rt/admit.h */
    uint64_t period_ns; /* [100 us, 4 s] */
    bool pin;           /* run only on `cpus`, or on those the placement chooses */
    bool lock_memory;   /* guest RAM and QEMU are not paged out */
    bool guest;         /* also inside the guest: the command under the same policy */
};

/* cgroup. Zero: the default of the host. */
struct vmm_share {
    uint32_t weight;        /* [1, 10000], 100: the usual share */
    uint32_t quota_percent; /* of one CPU, [1, 6400]; 0: none */
    uint64_t cpus;          /* bit i: CPU i; 0: any */
    uint64_t memory_bytes;  /* limit of the whole node; 0: none */
};

/* What an endpoint needs of its system; match chooses by measured figures. Zero: no matter. */
struct vmm_need {
    bool any;                 /* one of those below is set */
    uint64_t wake_latency_ns; /* p99 of a timer's lateness in the guest, at most */
    uint64_t boot_ns;         /* start of QEMU to the first answer, at most */
    uint64_t memory_bytes;    /* resident of QEMU, at most */
    char arch[VMM_NAME_MAX];  /* "amd64", "arm64" */
    bool files;               /* a file system and processes */
};

struct vmm_file {
    char from[VMM_PATH_MAX]; /* on the host; relative ones made absolute to the topology file */
    char to[VMM_PATH_MAX];   /* in the node */
    int line;
};

struct vmm_node {
    char name[VMM_NAME_MAX];
    enum vmm_kind kind;
    char system[VMM_NAME_MAX]; /* of the registry (cloud, rt, arm64, metal); "": by `need` */
    struct vmm_need need;
    uint64_t memory_bytes;               /* RAM of a guest; default 128 MiB, 512 KiB steps */
    unsigned vcpus;                      /* [1, 16], default 1 */
    char namespace_[VMM_PATH_MAX];       /* VMM_NAMESPACE: its name or path */
    bool veth;                           /* VMM_NAMESPACE, VMM_PROCESS: a veth, else a tap */
    struct vmm_file file[VMM_FILES_MAX]; /* programs bring the libraries they need with them */
    size_t n_files;
    bool disk;                   /* files by a read-only disk, not in the initramfs */
    char *run[VMM_ARGS_MAX + 1]; /* the endpoint, NULL-ended; owned. None: node idles */
    size_t n_run;
    bool after_all; /* run only when every other node's command has started */
    bool result;    /* `up` waits for its command and prints its output */
    struct vmm_real_time real_time;
    struct vmm_share share;
    int line; /* of the file, for errors found later */
};

/* A setting of a link as vlink's spec has it: key "rate", value "3mbit". */
struct vmm_setting {
    char key[VMM_NAME_MAX];
    char value[VMM_VALUE_MAX];
    int line;
};

struct vmm_link {
    char name[VMM_NAME_MAX];
    size_t port[VMM_PORTS_MAX]; /* indices of nodes, in the order of `between` */
    size_t n_ports;             /* 2: a cable; more: a switch. 0: only for children to share */
    /* up: frames that the first of `between` sends; down: the others'. */
    struct vmm_setting up[VMM_KEYS_MAX], down[VMM_KEYS_MAX];
    size_t n_up, n_down;
    char inherits[VMM_NAME_MAX];  /* link of the parent slice, "": the slice has no parent */
    uint32_t weight;              /* among those who share the parent's link [1, 1000], default 1 */
    char program[VMM_PATH_MAX];   /* packet program, "": none */
    char argument[VMM_VALUE_MAX]; /* of the program, for it to read */
    uint32_t subnet;              /* IPv4 network, host order; /24 */
    int line;
};

struct vmm_topology {
    char name[VMM_NAME_MAX];     /* of the slice */
    char parent[VMM_NAME_MAX];   /* "": none */
    char user[VMM_NAME_MAX * 2]; /* whom guests run as when the shim is root; default "nobody" */
    struct vmm_node node[VMM_NODES_MAX];
    size_t n_nodes;
    struct vmm_link link[VMM_LINKS_MAX];
    size_t n_links;
    uint64_t seed;                /* of all links; default 1 */
    struct vmm_real_time network; /* of the network process */
    char file[VMM_PATH_MAX];      /* absolute */
};

/* NAME=VALUE for ${NAME} and ${NAME:-default} in the file; the environment comes after these. */
struct vmm_variable {
    const char *name, *value;
};

/*
 * Reads and checks `path`. 0: *out is to be freed. -1: `why` has "FILE:LINE: text" (or "FILE:
 * text") and *out is NULL. `vars` is borrowed for the call.
 */
int vmm_topology_read(struct vmm_topology **out, const char *path, const struct vmm_variable *vars,
                      size_t n_vars, char *why, size_t why_size);
void vmm_topology_free(struct vmm_topology *t);

/* Index of the node or link called `name`, or -1. */
int vmm_topology_node(const struct vmm_topology *t, const char *name);
int vmm_topology_link(const struct vmm_topology *t, const char *name);

/* Position of node `node` in link `link`'s ports, or -1. */
int vmm_topology_port(const struct vmm_topology *t, size_t link, size_t node);
/* IPv4 address of a port in host order, and its MAC address (52:54:00:LL:NN:SS, stable). */
uint32_t vmm_topology_address(const struct vmm_topology *t, size_t link, size_t port);
void vmm_topology_mac(const struct vmm_topology *t, size_t link, size_t port, uint8_t mac[6]);

#endif
