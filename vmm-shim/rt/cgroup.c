/*
 * cgroup.c - groups of a slice: made, told, joined, removed.
 */
#include "rt/cgroup.h"
#include "rt/hierarchy.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OURS "vmm-shim"
#define PPM 1000000u
#define QUOTA_PERIOD_US 20000u /* shorter than a picture: a node at its quota is late by less */
#define QUOTA_LEAST_US 1000u   /* the kernel takes no less */
#define RT_PERIOD_US 1000000u  /* of the groups above the nodes' */
#define RT_MARGIN_PPM 4000u    /* of a node, in the slice's: the kernel's ratios are rounded */
#define MAKE_TRIES 20
#define STRAY_S 60    /* age of an empty slice's group that nobody can be starting */
#define GONE_TRIES 50 /* of removing a group whose processes are ending */
#define GONE_WAIT_NS 20000000l

struct vmm_cgroup {
    struct vmm_hierarchy h[VMM_CONTROLLERS];
    char slice[VMM_GROUP_NAME_MAX];
    struct {
        char name[VMM_NAME_MAX];
        uint32_t rt_ppm, weight;
    } node[VMM_NODES_MAX + 1];
    size_t n_nodes;
};

/* Where group SLICE or SLICE/NODE of a hierarchy is. */
static void path_of(const struct vmm_hierarchy *h, const char *slice, const char *node, char *out,
                    size_t size)
{
    snprintf(out, size, "%s/" OURS "%s%s%s%s", h->base, slice ? "/" : "", slice ? slice : "",
             node ? "/" : "", node ? node : "");
}

static int fail(const char *group, const char *file, char *why, size_t size)
{
    int error = errno;
    snprintf(
        why, size, "%s%s%s: %s%s", group, file ? "/" : "", file ? file : "", strerror(error),
        (error == EACCES || error == EPERM) && geteuid() != 0
            ? ": it needs root, or a delegated group: start under `systemd-run --user --scope -p "
              "Delegate=yes`"
            : "");
    errno = error;
    return -1;
}

/* A new group of cpuset version 1 has no CPU and no memory until told. */
static int copy_down(const char *parent, const char *group, const char *file)
{
    char text[256];
    if (vmm_group_read(group, file, text, sizeof text) < 0 || text[0])
        return 0;
    if (vmm_group_read(parent, file, text, sizeof text) < 0)
        return -1;
    return vmm_group_write(group, file, "%s", text);
}

/* Makes one level; its parent is there. */
static int make_group(const struct vmm_cgroup *c, enum vmm_controller i, const char *parent,
                      const char *group, bool leaf, char *why, size_t why_size)
{
    const struct vmm_hierarchy *h = &c->h[i];
    if (mkdir(group, 0755) < 0 && errno != EEXIST)
        return fail(group, NULL, why, why_size);
    if (i == VMM_CPUSET && h->version == 1 &&
        (copy_down(parent, group, "cpuset.cpus") < 0 ||
         copy_down(parent, group, "cpuset.mems") < 0))
        return fail(group, "cpuset.cpus", why, why_size);
    if (h->version == 2 && !leaf &&
        vmm_group_write(group, "cgroup.subtree_control", "+%s", vmm_controller_names[i]) < 0)
        return fail(group, "cgroup.subtree_control", why, why_size);
    return 0;
}

static int make_path_once(const struct vmm_cgroup *c, enum vmm_controller i, const char *node,
                          char *why, size_t why_size)
{
    char ours[VMM_GROUP_PATH_MAX + 64], slice[VMM_GROUP_PATH_MAX + 64],
        group[VMM_GROUP_PATH_MAX + 64];
    path_of(&c->h[i], NULL, NULL, ours, sizeof ours);
    path_of(&c->h[i], c->slice, NULL, slice, sizeof slice);
    path_of(&c->h[i], c->slice, node, group, sizeof group);
    if (make_group(c, i, c->h[i].base, ours, false, why, why_size) < 0 ||
        make_group(c, i, ours, slice, false, why, why_size) < 0)
        return -1;
    return node ? make_group(c, i, slice, group, true, why, why_size) : 0;
}

/* The keeper of the last other slice may remove the group above all slices at this moment. */
static int make_path(const struct vmm_cgroup *c, enum vmm_controller i, const char *node, char *why,
                     size_t why_size)
{
    int tries = MAKE_TRIES, r;
    while ((r = make_path_once(c, i, node, why, why_size)) < 0 && errno == ENOENT && --tries > 0)
        continue;
    return r;
}

/* Removes an empty group; its processes may need a moment to end. Its real-time share goes first:
 * the kernel counts a removed group's for some time after. */
static int remove_group(const char *group, int tries)
{
    vmm_group_write(group, "cpu.rt_runtime_us", "0");
    struct timespec wait = { .tv_nsec = GONE_WAIT_NS };
    while (rmdir(group) < 0) {
        if (errno == ENOENT)
            return 0;
        if (errno != EBUSY || --tries <= 0)
            return -1;
        nanosleep(&wait, NULL);
        vmm_group_write(group, "cpu.rt_runtime_us", "0");
    }
    return 0;
}

/* Removes the empty groups below `slice` and it. */
static int clear_slice(const char *slice, char *why, size_t why_size)
{
    char group[2 * VMM_GROUP_PATH_MAX];
    DIR *d = opendir(slice);
    if (!d)
        return errno == ENOENT ? 0 : fail(slice, NULL, why, why_size);
    int result = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(group, sizeof group, "%s/%s", slice, e->d_name);
        if (remove_group(group, GONE_TRIES) < 0)
            result = fail(group, NULL, why, why_size);
    }
    closedir(d);
    return remove_group(slice, 1) < 0 && result == 0 ? fail(slice, NULL, why, why_size) : result;
}

/* Nobody is in it or in a group below it. */
static bool is_empty(const char *slice)
{
    char group[3 * VMM_GROUP_PATH_MAX], pid[32];
    DIR *d = opendir(slice);
    bool empty = d != NULL;
    for (struct dirent *e; empty && (e = readdir(d));) {
        if (e->d_type != DT_DIR || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(group, sizeof group, "%s/%s", slice, e->d_name);
        empty = vmm_group_read(group, "cgroup.procs", pid, sizeof pid) < 0 || !pid[0];
    }
    if (d)
        closedir(d);
    return empty;
}

/* Of slices whose keeper was killed and whose folder was removed by somebody: they would hold
 * their share of real time for ever. One that runs has its network process in it; one that starts
 * is young. */
static void clear_strays(const struct vmm_hierarchy *h)
{
    char ours[VMM_GROUP_PATH_MAX + 64], slice[2 * VMM_GROUP_PATH_MAX], ignored[VMM_WHY_MAX];
    struct stat s;
    path_of(h, NULL, NULL, ours, sizeof ours);
    DIR *d = opendir(ours);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(slice, sizeof slice, "%s/%s", ours, e->d_name);
        if (e->d_type == DT_DIR && e->d_name[0] != '.' && stat(slice, &s) == 0 &&
            time(NULL) - s.st_mtime > STRAY_S && is_empty(slice))
            clear_slice(slice, ignored, sizeof ignored);
    }
    if (d)
        closedir(d);
}

/* The real-time share of the group above all slices: the most that its parent gives. Left as it is
 * where another slice has set it. */
static void open_rt(const struct vmm_cgroup *c)
{
    char ours[VMM_GROUP_PATH_MAX + 64], now[32];
    path_of(&c->h[VMM_CPU], NULL, NULL, ours, sizeof ours);
    if (vmm_group_read(ours, "cpu.rt_runtime_us", now, sizeof now) < 0 || atol(now) > 0)
        return;
    for (int us = 940000; us > 0; us -= 100000)
        if (vmm_group_write(ours, "cpu.rt_runtime_us", "%d", us) == 0)
            return;
}

/* FNV-1a: any mark does that is short and seldom the same. */
void vmm_cgroup_name(const char *slice, const char *root, char out[VMM_GROUP_NAME_MAX])
{
    uint32_t mark = 2166136261u;
    for (const char *p = root; *p; p++)
        mark = (mark ^ (unsigned char)*p) * 16777619u;
    snprintf(out, VMM_GROUP_NAME_MAX, "%.15s.%08x", slice, (unsigned)mark);
}

int vmm_cgroup_open(struct vmm_cgroup **out, const char *slice, const struct vmm_cgroup_host *host,
                    char *why, size_t why_size)
{
    *out = NULL;
    struct vmm_cgroup *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    snprintf(c->slice, sizeof c->slice, "%s", slice);
    if (vmm_hierarchy_find(c->h, host, why, why_size) < 0 ||
        vmm_hierarchy_enable(c->h, why, why_size) < 0)
        goto none;
    int usable = 0;
    for (int i = 0; i < VMM_CONTROLLERS; i++) {
        if (c->h[i].version)
            clear_strays(&c->h[i]);
        if (c->h[i].version && make_path(c, (enum vmm_controller)i, NULL, why, why_size) < 0)
            c->h[i].version = 0;
        usable += c->h[i].version != 0;
    }
    if (!usable)
        goto none;
    if (vmm_cgroup_has_rt(c))
        open_rt(c);
    *out = c;
    return 0;
none:
    free(c);
    return -1;
}

bool vmm_cgroup_has_rt(const struct vmm_cgroup *c)
{
    return c && c->h[VMM_CPU].version == 1 &&
           vmm_group_has(c->h[VMM_CPU].base, "cpu.rt_runtime_us");
}

/* 0-based index, made where there is none; -1: too many. */
static int index_of(struct vmm_cgroup *c, const char *name, bool make)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (strcmp(c->node[i].name, name) == 0)
            return (int)i;
    if (!make || c->n_nodes > VMM_NODES_MAX)
        return -1;
    snprintf(c->node[c->n_nodes].name, VMM_NAME_MAX, "%s", name);
    c->node[c->n_nodes].rt_ppm = c->node[c->n_nodes].weight = 0;
    return (int)c->n_nodes++;
}

#define WEIGHT_USUAL 100u
#define WEIGHT_MAX 10000u
#define SHARES_USUAL 1024u /* of version 1 */
#define SHARES_MAX 262144u

static int write_weight(const struct vmm_hierarchy *h, const char *group, uint64_t weight)
{
    if (h->version == 2)
        return vmm_group_write(group, "cpu.weight", "%u",
                               (unsigned)(weight > WEIGHT_MAX ? WEIGHT_MAX : weight));
    uint64_t shares = weight * SHARES_USUAL / WEIGHT_USUAL;
    shares = shares < 2 ? 2 : shares > SHARES_MAX ? SHARES_MAX : shares;
    return vmm_group_write(group, "cpu.shares", "%u", (unsigned)shares);
}

/* The most that a slice's group in `ours` has; 0: there is none. */
static uint64_t heaviest_slice(const struct vmm_hierarchy *h, const char *ours)
{
    char group[2 * VMM_GROUP_PATH_MAX], text[32];
    uint64_t most = 0;
    DIR *d = opendir(ours);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        snprintf(group, sizeof group, "%s/%s", ours, e->d_name);
        if (vmm_group_read(group, h->version == 2 ? "cpu.weight" : "cpu.shares", text,
                           sizeof text) == 0 &&
            strtoull(text, NULL, 10) > most)
            most = strtoull(text, NULL, 10);
    }
    if (d)
        closedir(d);
    return h->version == 2 ? most : most * WEIGHT_USUAL / SHARES_USUAL;
}

/* A group weighs what the heaviest in it does, so that a node's weight counts beside the host's
 * programs, too, and not only inside its slice. (The sum would: but idle nodes would lend theirs to
 * whoever is busy.) Best effort. */
static void lift_weights(const struct vmm_cgroup *c)
{
    const struct vmm_hierarchy *h = &c->h[VMM_CPU];
    char slice[VMM_GROUP_PATH_MAX + 64], ours[VMM_GROUP_PATH_MAX + 64];
    uint64_t most = 0;
    for (size_t i = 0; i < c->n_nodes; i++)
        most = c->node[i].weight > most ? c->node[i].weight : most;
    path_of(h, c->slice, NULL, slice, sizeof slice);
    path_of(h, NULL, NULL, ours, sizeof ours);
    write_weight(h, slice, most ? most : WEIGHT_USUAL);
    most = heaviest_slice(h, ours);
    write_weight(h, ours, most ? most : WEIGHT_USUAL);
}

static int set_weight_and_quota(const struct vmm_hierarchy *h, const char *group,
                                const struct vmm_share *s, char *why, size_t why_size)
{
    unsigned weight = s->weight ? s->weight : WEIGHT_USUAL, period = QUOTA_PERIOD_US;
    if (s->quota_percent && period / 100 * s->quota_percent < QUOTA_LEAST_US)
        period = QUOTA_LEAST_US * 100 / s->quota_percent;
    uint64_t quota = (uint64_t)period * s->quota_percent / 100;
    if (write_weight(h, group, weight) < 0)
        return fail(group, h->version == 2 ? "cpu.weight" : "cpu.shares", why, why_size);
    if (h->version == 2) {
        int r = quota ? vmm_group_write(group, "cpu.max", "%" PRIu64 " %u", quota, period)
                      : vmm_group_write(group, "cpu.max", "max %u", period);
        return r < 0 ? fail(group, "cpu.max", why, why_size) : 0;
    }
    if (vmm_group_write(group, "cpu.cfs_quota_us", "-1") < 0 ||
        (quota && (vmm_group_write(group, "cpu.cfs_period_us", "%u", period) < 0 ||
                   vmm_group_write(group, "cpu.cfs_quota_us", "%" PRIu64, quota) < 0)))
        return fail(group, "cpu.cfs_quota_us", why, why_size);
    return 0;
}

/* "0-1,4" of a mask. */
static void cpu_list(uint64_t cpus, char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < VMM_CPUS_MAX; i++) {
        if (!(cpus >> i & 1))
            continue;
        int last = i;
        while (last + 1 < VMM_CPUS_MAX && cpus >> (last + 1) & 1)
            last++;
        n += (size_t)snprintf(out + n, size - n, last > i ? "%s%d-%d" : "%s%d", n ? "," : "", i,
                              last);
        if (n >= size)
            return;
        i = last;
    }
}

static int set_cpus(const struct vmm_cgroup *c, const char *group, uint64_t cpus, char *why,
                    size_t why_size)
{
    char list[256], slice[VMM_GROUP_PATH_MAX + 64];
    cpu_list(cpus, list, sizeof list);
    path_of(&c->h[VMM_CPUSET], c->slice, NULL, slice, sizeof slice);
    if (!cpus && c->h[VMM_CPUSET].version == 1 &&
        vmm_group_read(slice, "cpuset.cpus", list, sizeof list) < 0)
        return fail(slice, "cpuset.cpus", why, why_size);
    if (vmm_group_write(group, "cpuset.cpus", "%s\n", list) < 0)
        return fail(group, "cpuset.cpus", why, why_size);
    return 0;
}

static int set_memory(const struct vmm_hierarchy *h, const char *group, uint64_t bytes, char *why,
                      size_t why_size)
{
    const char *file = h->version == 2 ? "memory.max" : "memory.limit_in_bytes";
    int r = bytes ? vmm_group_write(group, file, "%" PRIu64, bytes)
                  : vmm_group_write(group, file, h->version == 2 ? "max" : "-1");
    return r < 0 ? fail(group, file, why, why_size) : 0;
}

/* Runtime and period of one group. While they change, the share is never above old and new. */
static int write_rt(const char *group, uint64_t budget_us, uint64_t period_us, char *why,
                    size_t why_size)
{
    char now[32];
    if (vmm_group_read(group, "cpu.rt_period_us", now, sizeof now) < 0)
        return fail(group, "cpu.rt_period_us", why, why_size);
    bool longer = period_us > strtoull(now, NULL, 10);
    if ((longer && vmm_group_write(group, "cpu.rt_period_us", "%" PRIu64, period_us) < 0) ||
        vmm_group_write(group, "cpu.rt_runtime_us", "%" PRIu64, budget_us) < 0 ||
        (!longer && vmm_group_write(group, "cpu.rt_period_us", "%" PRIu64, period_us) < 0)) {
        if (errno != EINVAL && errno != EBUSY)
            return fail(group, "cpu.rt_runtime_us", why, why_size);
        snprintf(why, why_size,
                 "%s/cpu.rt_runtime_us: the kernel does not give %" PRIu64 " of %" PRIu64 " us: %s",
                 group, budget_us, period_us,
                 errno == EBUSY ? "real-time threads are in the group"
                                : "other groups hold it, or the group above has less");
        return -1;
    }
    return 0;
}

/* " (lab 80.4 %, ...)": the other slices' shares, for whoever is refused; "" when there are none.
 */
static void list_rt(const struct vmm_cgroup *c, char *out, size_t size)
{
    char ours[VMM_GROUP_PATH_MAX + 64], group[2 * VMM_GROUP_PATH_MAX], us[32];
    size_t n = 0;
    path_of(&c->h[VMM_CPU], NULL, NULL, ours, sizeof ours);
    DIR *d = opendir(ours);
    out[0] = 0;
    for (struct dirent *e; d && n < size && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.' || strcmp(e->d_name, c->slice) == 0)
            continue;
        snprintf(group, sizeof group, "%s/%s", ours, e->d_name);
        if (vmm_group_read(group, "cpu.rt_runtime_us", us, sizeof us) == 0 && atol(us) > 0)
            n += (size_t)snprintf(out + n, size - n, "%s%.40s %.1f %%", n ? ", " : " (", e->d_name,
                                  (double)atol(us) * 100 / RT_PERIOD_US);
    }
    if (d)
        closedir(d);
    if (n > 0 && n < size - 1)
        snprintf(out + n, size - n, ")");
}

/* The slice's group holds what its nodes have, `ppm` of node `node` counted as given. */
static int set_slice_rt(const struct vmm_cgroup *c, int node, uint32_t ppm, char *why,
                        size_t why_size)
{
    char slice[VMM_GROUP_PATH_MAX + 64], others[160];
    uint64_t sum = 0;
    for (size_t i = 0; i < c->n_nodes; i++) {
        uint32_t of = (int)i == node ? ppm : c->node[i].rt_ppm;
        sum += of ? of + RT_MARGIN_PPM : 0;
    }
    path_of(&c->h[VMM_CPU], c->slice, NULL, slice, sizeof slice);
    if (write_rt(slice, sum * RT_PERIOD_US / PPM, RT_PERIOD_US, why, why_size) == 0)
        return 0;
    list_rt(c, others, sizeof others);
    snprintf(why + strlen(why), why_size - strlen(why), "%s", others);
    return -1;
}

static int set_rt(struct vmm_cgroup *c, int node, const char *group, const struct vmm_group *g,
                  char *why, size_t why_size)
{
    uint64_t period_us = g->rt_budget_ns ? g->rt_period_ns / 1000 : RT_PERIOD_US;
    uint64_t budget_us = g->rt_budget_ns / 1000;
    uint32_t ppm = (uint32_t)(budget_us * PPM / (period_us ? period_us : 1)),
             was = c->node[node].rt_ppm;
    if (!vmm_cgroup_has_rt(c) || (ppm == 0 && was == 0))
        return 0; /* not bounded here; who asks for it looks first */
    if (ppm > was)
        open_rt(c);
    if (set_slice_rt(c, node, ppm > was ? ppm : was, why, why_size) < 0)
        return -1;
    if (write_rt(group, budget_us, period_us, why, why_size) < 0) {
        char ignored[VMM_WHY_MAX];
        set_slice_rt(c, node, was, ignored, sizeof ignored);
        return -1;
    }
    c->node[node].rt_ppm = ppm;
    return set_slice_rt(c, node, ppm, why, why_size);
}

/* What is asked for and has no controller. */
static int refuse_missing(const struct vmm_cgroup *c, const struct vmm_group *g, char *why,
                          size_t size)
{
    const char *what = NULL;
    if ((g->share.weight || g->share.quota_percent) && !(c && c->h[VMM_CPU].version))
        what = "weight or quota";
    else if (g->share.memory_bytes && !(c && c->h[VMM_MEMORY].version))
        what = "a limit of memory";
    if (!what)
        return 0;
    snprintf(
        why, size,
        "%s is not to be had here: no control group with that controller may be made (root, or "
        "`systemd-run --user --scope -p Delegate=yes`, would help)",
        what);
    return -1;
}

int vmm_cgroup_set(struct vmm_cgroup *c, const char *name, const struct vmm_group *g, char *why,
                   size_t why_size)
{
    char group[VMM_GROUP_PATH_MAX + 64];
    if (refuse_missing(c, g, why, why_size) < 0)
        return -1;
    if (!c)
        return 0;
    int node = index_of(c, name, true);
    if (node < 0) {
        snprintf(why, why_size, "too many groups in slice %s", c->slice);
        return -1;
    }
    for (int i = 0; i < VMM_CONTROLLERS; i++) {
        const struct vmm_hierarchy *h = &c->h[i];
        if (!h->version)
            continue;
        if (make_path(c, (enum vmm_controller)i, name, why, why_size) < 0)
            return -1;
        path_of(h, c->slice, name, group, sizeof group);
        int r = 0;
        if (i == VMM_CPU)
            r = set_weight_and_quota(h, group, &g->share, why, why_size) < 0
                    ? -1
                    : set_rt(c, node, group, g, why, why_size);
        else if (i == VMM_CPUSET)
            r = set_cpus(c, group, g->cpus ? g->cpus : g->share.cpus, why, why_size);
        else
            r = set_memory(h, group, g->share.memory_bytes, why, why_size);
        if (r < 0)
            return -1;
    }
    if (c->h[VMM_CPU].version) {
        c->node[node].weight = g->share.weight ? g->share.weight : WEIGHT_USUAL;
        lift_weights(c);
    }
    return 0;
}

int vmm_cgroup_join(struct vmm_cgroup *c, const char *name, pid_t pid, char *why, size_t why_size)
{
    char group[VMM_GROUP_PATH_MAX + 64];
    for (int i = 0; c && i < VMM_CONTROLLERS; i++) {
        if (!c->h[i].version)
            continue;
        path_of(&c->h[i], c->slice, name, group, sizeof group);
        if (vmm_group_write(group, "cgroup.procs", "%d", pid) < 0)
            return fail(group, "cgroup.procs", why, why_size);
    }
    return 0;
}

int vmm_cgroup_remove(struct vmm_cgroup *c, const char *name, char *why, size_t why_size)
{
    char group[VMM_GROUP_PATH_MAX + 64];
    int node = c ? index_of(c, name, false) : -1, result = 0;
    if (node < 0)
        return 0;
    for (int i = 0; i < VMM_CONTROLLERS; i++) {
        if (!c->h[i].version)
            continue;
        path_of(&c->h[i], c->slice, name, group, sizeof group);
        if (remove_group(group, GONE_TRIES) < 0)
            result = fail(group, NULL, why, why_size);
    }
    if (result == 0) {
        c->node[node] = c->node[--c->n_nodes];
        if (c->h[VMM_CPU].version)
            lift_weights(c);
        if (vmm_cgroup_has_rt(c))
            result = set_slice_rt(c, -1, 0, why, why_size);
    }
    return result;
}

int vmm_cgroup_close(struct vmm_cgroup *c, char *why, size_t why_size)
{
    char path[VMM_GROUP_PATH_MAX + 64];
    int result = 0;
    if (!c)
        return 0;
    while (result == 0 && c->n_nodes > 0)
        result = vmm_cgroup_remove(c, c->node[c->n_nodes - 1].name, why, why_size);
    for (int i = 0; i < VMM_CONTROLLERS; i++) {
        if (!c->h[i].version)
            continue;
        path_of(&c->h[i], c->slice, NULL, path, sizeof path);
        if (remove_group(path, GONE_TRIES) < 0)
            result = fail(path, NULL, why, why_size);
        path_of(&c->h[i], NULL, NULL, path, sizeof path);
        if (remove_group(path, 1) < 0 && i == VMM_CPU) /* another slice is in it */
            open_rt(c);
    }
    free(c);
    return result;
}

void vmm_cgroup_follow(pid_t pid)
{
    struct vmm_hierarchy h[VMM_CONTROLLERS];
    char self[64], ignored[VMM_WHY_MAX];
    snprintf(self, sizeof self, "/proc/%d/cgroup", pid);
    const struct vmm_cgroup_host host = { .self = self };
    if (vmm_hierarchy_find(h, &host, ignored, sizeof ignored) < 0)
        return;
    for (int i = 0; i < VMM_CONTROLLERS; i++)
        if (h[i].version && strstr(h[i].base, "/" OURS "/"))
            vmm_group_write(h[i].base, "cgroup.procs", "0"); /* 0: the caller */
}

uint64_t vmm_cgroup_memory_limit(const struct vmm_cgroup *c)
{
    char text[64];
    if (!c || !c->h[VMM_MEMORY].version ||
        vmm_group_read(c->h[VMM_MEMORY].base,
                       c->h[VMM_MEMORY].version == 2 ? "memory.max" : "memory.limit_in_bytes", text,
                       sizeof text) < 0)
        return 0;
    uint64_t bytes = strtoull(text, NULL, 10); /* "max": 0 */
    return bytes >= 1ull << 60 ? 0 : bytes;    /* version 1 without a limit: the largest number */
}

int vmm_cgroup_clear(const char *slice, const struct vmm_cgroup_host *host, char *why,
                     size_t why_size)
{
    struct vmm_hierarchy h[VMM_CONTROLLERS];
    char path[VMM_GROUP_PATH_MAX + 64];
    int result = 0;
    if (vmm_hierarchy_find(h, host, why, why_size) < 0)
        return 0; /* no controllers, no groups */
    for (int i = 0; i < VMM_CONTROLLERS; i++) {
        const char *bases[] = { h[i].base, h[i].top };
        for (int b = 0; h[i].version && b < 2; b++) {
            struct vmm_hierarchy at = h[i];
            snprintf(at.base, sizeof at.base, "%s", bases[b]);
            path_of(&at, slice, NULL, path, sizeof path);
            if (clear_slice(path, why, why_size) < 0)
                result = -1;
            path_of(&at, NULL, NULL, path, sizeof path);
            remove_group(path, 1); /* stays while another slice is in it */
        }
    }
    return result;
}
