/* keys.c - the tables of keys.h. A new key is one line here, and a field of topology.h. */
#include "topology/keys_internal.h"

#define AT(type, field) offsetof(struct type, field)
#define KIB 1024.0
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define US 1e3
#define MS 1e6
#define S 1e9

#define GUEST (1u << VMM_GUEST)
#define PROCESS (1u << VMM_PROCESS)
#define NAMESPACE (1u << VMM_NAMESPACE)
#define RUNS (GUEST | PROCESS)

static const char *const kinds[] = { "guest", "process", "namespace", NULL };
static const char *const policies[] = { "none", "nice", "fifo", "deadline", NULL };

#define ROOT(field) .offset = AT(vmm_topology, field)
static const struct vmm_key root[] = {
    { "name", VMM_NAME, ROOT(name), .unset = "the file's, without .yaml",
      .doc = "Of the slice; vmm-shim up --name overrides it." },
    { "parent", VMM_NAME, ROOT(parent),
      .doc = "A running slice that this one is made inside. Each link then says which link of the "
             "parent it inherits." },
    { "user", VMM_OWN, .set = vmm_set_user, .takes = "the name of a user", .unset = "nobody",
      .doc = "Whom guests and processes run as when vmm-shim is root." },
    { "seed", VMM_U64, ROOT(seed), .min = 1, .max = 4294967295, .unset = "1",
      .doc = "Of all that is random on the links: the same seed, the same losses." },
    { "network", VMM_KEYS, ROOT(network), .section = &vmm_real_time_keys,
      .takes = "the keys of real_time",
      .doc = "Real time for the process that carries the slice's frames." },
    { "nodes", VMM_OWN, .set = vmm_set_nodes, .takes = "a map of nodes, as NAME: {KEY: VALUE}",
      .doc = "The slice's guests, processes and namespaces, by name." },
    { "links", VMM_OWN, .set = vmm_set_links, .takes = "a map of links, as NAME: {KEY: VALUE}",
      .doc = "The slice's links, by name." },
    { 0 },
};
const struct vmm_section vmm_root_keys = { "of a topology", root };

#define NODE(field) .offset = AT(vmm_node, field)
static const struct vmm_key node[] = {
    { "kind", VMM_CHOICE, NODE(kind), .names = kinds, .unset = "guest",
      .doc = "guest: a virtual machine. process: a confined process of the host in a network "
             "namespace of its own. namespace: a network namespace of the host that exists, in "
             "which nothing is started. The last takes root." },
    { "system", VMM_NAME, NODE(system), .kinds = GUEST, .unset = "cloud, or what need asks for",
      .doc =
          "The guest's operating system: cloud, rt, arm64 or metal; vmm-shim match lists them." },
    { "need", VMM_KEYS, NODE(need), .section = &vmm_need_keys, .kinds = GUEST,
      .takes = "what the guest needs, as {wake_latency: 1ms}",
      .doc = "In place of system: what the endpoint needs, for vmm-shim to choose by measured "
             "figures." },
    { "memory", VMM_BYTES, NODE(memory_bytes), .min = 2 * MIB, .max = 1024 * GIB, .kinds = GUEST,
      .unset = "128M", .doc = "RAM of the guest, in steps of 512K." },
    { "vcpus", VMM_UINT, NODE(vcpus), .min = 1, .max = 16, .kinds = GUEST, .unset = "1",
      .doc = "Virtual CPUs." },
    { "namespace", VMM_OWN, .set = vmm_set_namespace, .kinds = NAMESPACE,
      .takes = "a name as ip netns shows it, or an absolute path", .doc = "Which one. Required." },
    { "interface", VMM_OWN, .set = vmm_set_interface, .takes = "tap or veth",
      .kinds = PROCESS | NAMESPACE, .unset = "tap",
      .doc = "What its ends of links are. Processes of others than root have veths." },
    { "files", VMM_OWN, .set = vmm_set_files, .takes = "a list of files", .kinds = RUNS,
      .doc = "Files of the host that the node gets. Programs bring the libraries they need. A "
             "text alone is from, with the usual to." },
    { "disk", VMM_FLAG, NODE(disk), .kinds = GUEST, .unset = "false",
      .doc = "The files come on a read-only disk and not in the initramfs, which takes as much "
             "memory as they are large." },
    { "run", VMM_OWN, .set = vmm_set_run, .takes = "a command, as a list of words or one line",
      .kinds = RUNS,
      .doc = "The endpoint. A line is split at blanks; quotes of either kind keep words together. "
             "There is no shell. First word program:NAME: a program of this project; any word "
             "media:NAME: one of its clips. Required of processes; a guest without it idles." },
    { "after_all", VMM_FLAG, NODE(after_all), .kinds = RUNS, .unset = "false",
      .doc = "The command starts only when those of all nodes without this have started." },
    { "result", VMM_FLAG, NODE(result), .kinds = RUNS, .unset = "false",
      .doc = "vmm-shim up waits for the command's end, prints its output, and ends with its exit "
             "status." },
    { "real_time", VMM_KEYS, NODE(real_time), .section = &vmm_real_time_keys, .kinds = RUNS,
      .takes = "real-time keys, as {policy: fifo}",
      .doc = "What the node's threads get of the host's CPUs when others want them too." },
    { "share", VMM_KEYS, NODE(share), .section = &vmm_share_keys, .kinds = RUNS,
      .takes = "keys of a cgroup, as {weight: 300}", .doc = "Of CPU and memory, by a cgroup." },
    { 0 },
};
const struct vmm_section vmm_node_keys = { "of a node", node };

static const struct vmm_key file[] = {
    { "from", VMM_OWN, .set = vmm_set_from, .takes = "a file's name, program:NAME or media:NAME",
      .doc =
          "On the host, relative to the topology file; program:NAME and media:NAME are a program "
          "and a clip of this project. A guest takes a folder as well, with all that is in it. "
          "Required." },
    { "to", VMM_OWN, .set = vmm_set_to, .takes = "an absolute path of a file, without .. in it",
      .unset = "/bin/NAME of program:NAME, /media/NAME of media:NAME, an absolute name as it is, "
               "else /NAME",
      .doc = "In the node." },
    { 0 },
};
const struct vmm_section vmm_file_keys = { "of a file", file };

#define NEED(field) .offset = AT(vmm_need, field)
static const struct vmm_key need[] = {
    { "wake_latency", VMM_TIME, NEED(wake_latency_ns), .min = 1 * US, .max = 10 * S,
      .doc = "A periodic timer in the guest is at most so late, 99 times of 100." },
    { "boot", VMM_TIME, NEED(boot_ns), .min = 1 * MS, .max = 600 * S,
      .doc = "The first answer comes at most so long after the start." },
    { "memory", VMM_BYTES, NEED(memory_bytes), .min = 1 * MIB, .max = 1024 * GIB,
      .doc = "The host's for it is at most this." },
    { "arch", VMM_NAME, NEED(arch), .doc = "amd64 or arm64." },
    { "files", VMM_FLAG, NEED(files), .doc = "There is a file system, and processes." },
    { 0 },
};
const struct vmm_section vmm_need_keys = { "of a need", need };

#define RT(field) .offset = AT(vmm_real_time, field)
static const struct vmm_key real_time[] = {
    { "policy", VMM_CHOICE, RT(policy), .names = policies, .unset = "none",
      .doc = "nice: more of the usual time slices. fifo: before all usual threads. deadline: so "
             "much time in each period, guaranteed and no more." },
    { "priority", VMM_INT, RT(priority), .min = -20, .max = 97, .unset = "50 of fifo",
      .doc = "fifo: of the virtual CPUs [1, 97]; the thread that delivers their interrupts has one "
             "more. nice: [-20, 19]." },
    { "budget", VMM_TIME, RT(budget_ns), .min = 100 * US, .max = 4 * S,
      .doc = "deadline: of each virtual CPU in each period. Required there. fifo: of all of them "
             "together at most, on each CPU; else by quota, else what other fifo nodes leave." },
    { "period", VMM_TIME, RT(period_ns), .min = 100 * US, .max = 4 * S,
      .doc = "deadline: required there. fifo: with a budget." },
    { "pin", VMM_FLAG, RT(pin), .unset = "false",
      .doc = "Run only on the CPUs of share, or on one that the placement chooses." },
    { "lock_memory", VMM_FLAG, RT(lock_memory), .unset = "false",
      .doc = "The memory is never paged out." },
    { "guest", VMM_FLAG, RT(guest), .kinds = GUEST, .unset = "false",
      .doc = "Inside the guest the command has the policy, too." },
    { 0 },
};
const struct vmm_section vmm_real_time_keys = { "of real time", real_time };

#define SHARE(field) .offset = AT(vmm_share, field)
static const struct vmm_key share[] = {
    { "weight", VMM_UINT, SHARE(weight), .min = 1, .max = 10000, .unset = "100",
      .doc = "Of the CPUs' time when others want it too; 100 is the usual weight." },
    { "quota", VMM_PERCENT, SHARE(quota_percent), .min = 1, .max = 6400,
      .doc = "Of one CPU, at most." },
    { "cpus", VMM_OWN, .set = vmm_set_cpus, .takes = "numbers of CPUs as [0, 2] or 0-1,3 [0, 63]",
      .unset = "any", .doc = "The only ones it runs on." },
    { "memory", VMM_BYTES, SHARE(memory_bytes), .min = 4 * MIB, .max = 1024 * GIB,
      .doc = "Limit of the whole node: of a guest its RAM and QEMU's own, some 100M more." },
    { 0 },
};
const struct vmm_section vmm_share_keys = { "of a share", share };

/* Settings of vlink, which checks them: the same at a link and in one direction. */
#define SETTINGS(setter)                                                                              \
    { "rate",                                                                                         \
      VMM_OWN,                                                                                        \
      .set = setter,                                                                                  \
      .takes = "a rate like 3mbit, or unlimited",                                                     \
      .unset = "unlimited",                                                                           \
      .doc = "Bits of frames a second." },                                                            \
        { "trace", VMM_OWN, .set = setter, .takes = "the name of a file in Mahimahi's format",        \
          .doc =                                                                                      \
              "In place of rate: a recorded link, one millisecond a line, each an opportunity to "    \
              "deliver 1500 bytes; it starts over after the last. Relative to the topology "          \
              "file." },                                                                              \
        { "delay",       VMM_OWN,                                                                     \
          .set = setter, .takes = "a time like 40ms",                                                 \
          .unset = "0",  .doc = "Propagation time." },                                                \
        { "jitter",      VMM_OWN,                                                                     \
          .set = setter, .takes = "a time like 5ms",                                                  \
          .unset = "0",  .doc = "How much the delay varies, to either side." },                       \
        { "loss",        VMM_OWN,                                                                     \
          .set = setter, .takes = "a share like 0.5%",                                                \
          .unset = "0",  .doc = "Frames lost at random." },                                           \
        { "ge",                                                                                       \
          VMM_OWN,                                                                                    \
          .set = setter,                                                                              \
          .takes = "P:R:GOOD:BAD, four shares like 1%:20%:0%:50%, or off",                            \
          .unset = "off",                                                                             \
          .doc = "Gilbert-Elliott loss: chances per frame to turn bad and to turn good, loss in "     \
                 "each." },                                                                           \
        { "queue",          VMM_OWN,                                                                  \
          .set = setter,    .takes = "a time like 200ms, a size like 64kB, or unlimited",             \
          .unset = "200ms", .doc = "Longest wait for the link; what would wait longer is dropped." }, \
        { "reorder",     VMM_OWN,                                                                     \
          .set = setter, .takes = "a share like 1%, or SHARE:TIME",                                   \
          .unset = "0",  .doc = "Frames held back, and for how long." },                              \
        { "duplicate",   VMM_OWN,                                                                     \
          .set = setter, .takes = "a share like 1%",                                                  \
          .unset = "0",  .doc = "Frames delivered twice." },                                          \
        { "overhead", VMM_OWN, .set = setter, .takes = "bytes [0, 1000]",                             \
          .doc = "Added to each frame on the link." },                                                \
    {                                                                                                 \
        "state", VMM_OWN, .set = setter, .takes = "up or down", .unset = "up",                        \
                          .doc = "down: carries nothing until vmm-shim link set says up."             \
    }

#define LINK(field) .offset = AT(vmm_link, field)
static const struct vmm_key link_[] = {
    { "between", VMM_OWN, .set = vmm_set_between, .takes = "a list of two or more nodes",
      .doc = "Two: a cable; more: a switch. Without it the link is only there for child slices to "
             "share." },
    SETTINGS(vmm_set_both),
    { "up", VMM_OWN, .set = vmm_set_up, .takes = "keys of one direction, as {rate: 3mbit}",
      .doc = "What holds for frames that the first node of between sends." },
    { "down", VMM_OWN, .set = vmm_set_down, .takes = "keys of one direction, as {rate: 3mbit}",
      .doc = "What holds for frames that the others send." },
    { "inherits", VMM_NAME, LINK(inherits),
      .doc = "The parent's link that carries this one: it can have no more than that has. Required "
             "in a slice with a parent." },
    { "weight", VMM_UINT, LINK(weight), .min = 1, .max = 1000, .unset = "1",
      .doc = "Share of the parent's link among all links that inherit it." },
    { "program", VMM_OWN, .set = vmm_set_program, .takes = "the name of a shared object",
      .doc = "A packet program that sees every frame, relative to the topology file; "
             "program:NAME: one that comes with this project." },
    { "argument", VMM_LABEL, LINK(argument), .max = VMM_VALUE_MAX,
      .doc = "Of the packet program: whatever it reads there." },
    { "subnet", VMM_OWN, .set = vmm_set_subnet, .takes = "an IPv4 network like 10.77.0.0/24",
      .unset = "10.77.L.0/24, L: the link's number from 0",
      .doc = "Node N of between has .N in it, counted from 1." },
    { 0 },
};
const struct vmm_section vmm_link_keys = { "of a link", link_ };

static const struct vmm_key direction[] = { SETTINGS(vmm_set_one), { 0 } };
const struct vmm_section vmm_direction_keys = { "of a direction", direction };
