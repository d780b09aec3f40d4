/*
 * hierarchy.c - finds the controllers, and prepares version 2 for groups of ours.
 */
#include "rt/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAF "vmm-shim.keepers" /* of a delegated group: whoever was in it */
#define LINE_MAX_BYTES 4096
#define LEAF_ROUNDS 8 /* of moving what is in a group: others may start meanwhile */

const char *const vmm_controller_names[VMM_CONTROLLERS] = { "cpu", "cpuset", "memory" };

int vmm_group_write(const char *group, const char *file, const char *format, ...)
{
    char path[2 * VMM_GROUP_PATH_MAX], text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s/%s", group, file);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, (size_t)n);
    int error = errno;
    close(fd);
    errno = error;
    return written == n ? 0 : -1;
}

int vmm_group_read(const char *group, const char *file, char *out, size_t size)
{
    char path[2 * VMM_GROUP_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", group, file);
    out[0] = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    if (!fgets(out, (int)size, f))
        out[0] = 0;
    out[strcspn(out, "\n")] = 0;
    fclose(f);
    return 0;
}

bool vmm_group_has(const char *group, const char *file)
{
    char path[2 * VMM_GROUP_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", group, file);
    return access(path, F_OK) == 0;
}

/* Whether `word` is in `list`, separated by any of `by`. */
static bool listed(const char *list, const char *word, const char *by)
{
    char copy[LINE_MAX_BYTES], *save = NULL;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *w = strtok_r(copy, by, &save); w; w = strtok_r(NULL, by, &save))
        if (strcmp(w, word) == 0)
            return true;
    return false;
}

/* /proc/self/mounts: "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0". Version 1 wins, as a
 * controller is in one of them only. `unified`: the mount of version 2. */
static int read_mounts(struct vmm_hierarchy h[VMM_CONTROLLERS], char *unified, size_t size,
                       const char *file)
{
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(file, "re");
    if (!f)
        return -1;
    unified[0] = 0;
    while (fgets(line, sizeof line, f)) {
        char *save = NULL;
        const char *device = strtok_r(line, " \n", &save), *at = strtok_r(NULL, " \n", &save),
                   *type = strtok_r(NULL, " \n", &save), *options = strtok_r(NULL, " \n", &save);
        if (!device || !options || strlen(at) >= VMM_GROUP_PATH_MAX)
            continue;
        if (strcmp(type, "cgroup2") == 0 && !unified[0])
            snprintf(unified, size, "%s", at);
        for (int i = 0; strcmp(type, "cgroup") == 0 && i < VMM_CONTROLLERS; i++)
            if (h[i].version == 0 && listed(options, vmm_controller_names[i], ",")) {
                h[i].version = 1;
                snprintf(h[i].top, sizeof h[i].top, "%s", at);
            }
    }
    fclose(f);
    return 0;
}

/* The group that the keeper is in. A container may see paths that its mount has not: then the top.
 */
static void set_base(struct vmm_hierarchy *h, const char *path)
{
    size_t n = strlen(path), leaf = strlen("/" LEAF);
    if (n >= leaf && strcmp(path + n - leaf, "/" LEAF) == 0)
        n -= leaf;
    struct stat st;
    int length = snprintf(h->base, sizeof h->base, "%s%.*s", h->top, (int)n, n > 1 ? path : "");
    if (length < 0 || (size_t)length >= sizeof h->base || stat(h->base, &st) < 0)
        snprintf(h->base, sizeof h->base, "%s", h->top);
}

/* /proc/self/cgroup: "4:memory:/group" and "0::/group" of version 2. */
static int read_self(struct vmm_hierarchy h[VMM_CONTROLLERS], const char *file)
{
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(file, "re");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'),
             *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        controllers++;
        for (int i = 0; i < VMM_CONTROLLERS; i++)
            if ((h[i].version == 1 && listed(controllers, vmm_controller_names[i], ",")) ||
                (h[i].version == 2 && controllers[0] == 0))
                set_base(&h[i], path);
    }
    fclose(f);
    return 0;
}

int vmm_hierarchy_find(struct vmm_hierarchy h[VMM_CONTROLLERS], const struct vmm_cgroup_host *host,
                       char *why, size_t why_size)
{
    const char *mounts = host && host->mounts ? host->mounts : "/proc/self/mounts";
    const char *self = host && host->self ? host->self : "/proc/self/cgroup";
    char unified[VMM_GROUP_PATH_MAX], controllers[LINE_MAX_BYTES];
    memset(h, 0, VMM_CONTROLLERS * sizeof *h);
    if (read_mounts(h, unified, sizeof unified, mounts) < 0) {
        snprintf(why, why_size, "no control groups: %s: %s", mounts, strerror(errno));
        return -1;
    }
    if (unified[0] &&
        vmm_group_read(unified, "cgroup.controllers", controllers, sizeof controllers) == 0)
        for (int i = 0; i < VMM_CONTROLLERS; i++)
            if (h[i].version == 0 && listed(controllers, vmm_controller_names[i], " ")) {
                h[i].version = 2;
                snprintf(h[i].top, sizeof h[i].top, "%s", unified);
            }
    for (int i = 0; i < VMM_CONTROLLERS; i++)
        snprintf(h[i].base, sizeof h[i].base, "%s", h[i].top);
    if (read_self(h, self) < 0) {
        snprintf(why, why_size, "no control groups: %s: %s", self, strerror(errno));
        return -1;
    }
    if (h[VMM_CPU].version || h[VMM_CPUSET].version || h[VMM_MEMORY].version)
        return 0;
    snprintf(
        why, why_size,
        "no control groups: this host has none of the controllers cpu, cpuset, memory mounted");
    return -1;
}

/* "+cpu +memory" in a group's cgroup.subtree_control, of those that are there. */
static int allow(const struct vmm_hierarchy h[VMM_CONTROLLERS], const char *group)
{
    for (int i = 0; i < VMM_CONTROLLERS; i++)
        if (h[i].version == 2 &&
            vmm_group_write(group, "cgroup.subtree_control", "+%s", vmm_controller_names[i]) < 0)
            return -1;
    return 0;
}

/* Moves all processes of a delegated group into a leaf, as a group with controllers for its
 * children has no processes of its own. */
static int empty_into_leaf(const char *group)
{
    char leaf[2 * VMM_GROUP_PATH_MAX], first[64];
    snprintf(leaf, sizeof leaf, "%s/" LEAF, group);
    if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
        return -1;
    for (int round = 0; round < LEAF_ROUNDS * 64; round++) {
        if (vmm_group_read(group, "cgroup.procs", first, sizeof first) < 0)
            return -1;
        if (!first[0])
            return 0;
        if (vmm_group_write(leaf, "cgroup.procs", "%s", first) < 0 && errno != ESRCH)
            return -1;
    }
    errno = EBUSY;
    return -1;
}

static bool enabled(const struct vmm_hierarchy h[VMM_CONTROLLERS], const char *group)
{
    char list[LINE_MAX_BYTES];
    if (vmm_group_read(group, "cgroup.subtree_control", list, sizeof list) < 0)
        return false;
    for (int i = 0; i < VMM_CONTROLLERS; i++)
        if (h[i].version == 2 && !listed(list, vmm_controller_names[i], " "))
            return false;
    return true;
}

int vmm_hierarchy_enable(struct vmm_hierarchy h[VMM_CONTROLLERS], char *why, size_t why_size)
{
    const struct vmm_hierarchy *v2 = NULL;
    for (int i = 0; i < VMM_CONTROLLERS; i++)
        if (h[i].version == 2)
            v2 = &h[i];
    if (!v2 || enabled(h, v2->base) || allow(h, v2->base) == 0)
        return 0;
    int first = errno;
    if (geteuid() == 0 && strcmp(v2->base, v2->top) != 0) {
        /* A session's or service's own group: the top is exempt from the rule, and ours to use. */
        for (int i = 0; i < VMM_CONTROLLERS; i++)
            if (h[i].version == 2)
                snprintf(h[i].base, sizeof h[i].base, "%s", h[i].top);
        if (enabled(h, v2->base) || allow(h, v2->base) == 0)
            return 0;
    } else if (first == EBUSY && empty_into_leaf(v2->base) == 0 && allow(h, v2->base) == 0) {
        return 0;
    }
    snprintf(why, why_size, "no shares of CPU or memory: %s/cgroup.subtree_control: %s: %s",
             v2->base, strerror(first),
             geteuid() == 0 ? "this host does not let its control groups be used"
                            : "start under `systemd-run --user --scope -p Delegate=yes`");
    return -1;
}
