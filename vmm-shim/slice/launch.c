/*
 * launch.c - what a slice needs before its keeper starts. See launch.h.
 *
 * As root, net/ and node/NAME belong to the user that guests run as: QEMU binds sockets there.
 * Whatever root writes into them is written here, before a guest runs.
 */
#include "slice/launch.h"
#include "guest/spawn.h"
#include "image/image.h"
#include "slice/pki.h"
#include "systems/match.h"
#include "topology/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

struct preparation {
    const struct vmm_launch_request *request;
    const struct vmm_topology *t;
    struct vmm_launch *launch;
    struct vmm_systems *systems;
    char *why;
    size_t why_size;
};

static int fail(struct preparation *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct preparation *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->why, p->why_size, format, args);
    va_end(args);
    return -1;
}

static void say(struct preparation *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct preparation *p, const char *format, ...)
{
    char line[VMM_WHY_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    p->request->say(p->request->user, line);
}

static int path_of(struct preparation *p, char *path, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int path_of(struct preparation *p, char *path, size_t size, const char *format, ...)
{
    va_list args;
    int n = snprintf(path, size, "%s/", p->request->folder);
    va_start(args, format);
    n += vsnprintf(path + n, size - (size_t)n, format, args);
    va_end(args);
    return (size_t)n < size ? 0 : fail(p, "%s/... is too long a path", p->request->folder);
}

static int make_folder(struct preparation *p, const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
        return fail(p, "cannot make the folder %s: %s", path, strerror(errno));
    return 0;
}

/* Whether QEMU runs as another user than we. */
static bool other_user(void)
{
    return geteuid() == 0;
}

static int make_folders(struct preparation *p)
{
    static const char *const ours[] = { "node", "ca" };
    char path[VMM_PATH_MAX];
    mode_t mode = other_user() ? 0711 : 0700;
    if (make_folder(p, p->request->folder, mode) < 0)
        return -1;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (path_of(p, path, sizeof path, "%s", ours[i]) < 0 || make_folder(p, path, mode) < 0)
            return -1;
    if (path_of(p, path, sizeof path, "net") < 0 ||
        vmm_spawn_folder(path, p->t->user, p->why, p->why_size) < 0)
        return -1;
    for (size_t i = 0; i < p->t->n_nodes; i++)
        if (path_of(p, path, sizeof path, "node/%s", p->t->node[i].name) < 0 ||
            vmm_spawn_folder(path, p->t->user, p->why, p->why_size) < 0)
            return -1;
    return 0;
}

/* topology.yaml: for people who look at a slice that runs. */
static int keep_topology(struct preparation *p)
{
    char path[VMM_PATH_MAX], bytes[16384];
    ssize_t n = 0;
    if (path_of(p, path, sizeof path, "topology.yaml") < 0)
        return -1;
    int from = open(p->t->file, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (from >= 0 && to >= 0 && (n = read(from, bytes, sizeof bytes)) > 0)
        if (write(to, bytes, (size_t)n) != n)
            break;
    int error = errno;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return from >= 0 && to >= 0 && n == 0 ? 0
                                          : fail(p, "cannot write %s: %s", path, strerror(error));
}

/* QEMU is looked for before anything is made: what is missing is a package. */
static int look_for_qemu(struct preparation *p, const char *program)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];
    const char *package =
        strcmp(program, "qemu-system-aarch64") == 0 ? "qemu-system-arm" : "qemu-system-x86";
    if (vmm_find_program(program, path, sizeof path, why, sizeof why) == 0)
        return 0;
    return fail(p, "%s is not there: apt install %s", program, package);
}

static int choose_systems(struct preparation *p)
{
    for (size_t i = 0; i < p->t->n_nodes; i++) {
        struct vmm_choice choice;
        if (p->t->node[i].kind != VMM_GUEST)
            continue;
        int s = vmm_match_node(p->systems, p->t, i, &choice, p->why, p->why_size);
        if (s < 0)
            return -1;
        snprintf(p->launch->system[i], VMM_NAME_MAX, "%s", p->systems->system[s].name);
        if (look_for_qemu(p, p->systems->system[s].qemu) < 0)
            return -1;
        if (p->t->node[i].need.any)
            say(p, "%s: %s", p->t->node[i].name, choice.sentence);
    }
    return 0;
}

static bool any_guest(const struct vmm_topology *t)
{
    for (size_t i = 0; i < t->n_nodes; i++)
        if (t->node[i].kind == VMM_GUEST)
            return true;
    return false;
}

static int choose_accel(struct preparation *p)
{
    char line[VMM_WHY_MAX];
    if (!any_guest(p->t))
        return 0;
    if (vmm_accel_choose(p->request->accel, p->request->root, &p->launch->accel, line,
                         sizeof line) < 0)
        return fail(p, "%s", line);
    p->launch->may_fall_back = p->request->accel == VMM_ACCEL_AUTO;
    say(p, "%s", line);
    return 0;
}

static int add_nics(struct preparation *p, size_t node, struct vmm_guest_config *c)
{
    for (size_t l = 0; l < p->t->n_links; l++) {
        int port = vmm_topology_port(p->t, l, node);
        if (port < 0)
            continue;
        struct vmm_guest_nic *nic = &c->nic[c->n_nics++];
        const char *link = p->t->link[l].name;
        snprintf(nic->link, sizeof nic->link, "%s", link);
        vmm_topology_mac(p->t, l, (size_t)port, nic->mac);
        if (path_of(p, nic->local, sizeof nic->local, "net/%s.%s.nic", link, c->name) < 0 ||
            path_of(p, nic->remote, sizeof nic->remote, "net/%s.%s.shim", link, c->name) < 0)
            return -1;
    }
    return 0;
}

/* What of the guest's configuration comes from its system and its image. */
static int fill_from_image(struct preparation *p, size_t node, const struct vmm_image_node *image)
{
    struct vmm_guest_config *c = &p->launch->guest[node];
    const struct vmm_system *s =
        &p->systems->system[vmm_systems_find(p->systems, p->launch->system[node])];
    snprintf(c->qemu, sizeof c->qemu, "%s", s->qemu);
    snprintf(c->arch, sizeof c->arch, "%s", image->kernel.arch);
    snprintf(c->machine, sizeof c->machine, "%s", s->machine);
    snprintf(c->cpu, sizeof c->cpu, "%s", s->cpu);
    snprintf(c->system, sizeof c->system, "%s", s->name);
    snprintf(c->kernel, sizeof c->kernel, "%s", image->kernel.path);
    snprintf(c->initrd, sizeof c->initrd, "%s", image->initrd);
    snprintf(c->disk, sizeof c->disk, "%s", image->disk);
    snprintf(c->append, sizeof c->append, "%s", image->kernel.append);
    if (c->memory_bytes < image->memory_least_bytes) {
        uint64_t least = (image->memory_least_bytes + MIB - 1) / MIB * MIB;
        say(p, "%s: %u MiB of memory are too few for its files, it gets %u", c->name,
            (unsigned)(c->memory_bytes / MIB), (unsigned)(least / MIB));
        c->memory_bytes = least;
    }
    return 0;
}

static int give(struct preparation *p, const char *path)
{
    uid_t uid;
    gid_t gid;
    if (!path[0] || !other_user())
        return 0;
    if (vmm_spawn_user(p->t->user, &uid, &gid, p->why, p->why_size) < 0)
        return -1;
    if (chown(path, uid, gid) < 0)
        return fail(p, "cannot give %s to %s: %s", path, p->t->user, strerror(errno));
    return 0;
}

static int make_image(struct preparation *p, size_t node)
{
    char ca[VMM_PATH_MAX], cert[VMM_PATH_MAX], key[VMM_PATH_MAX], initrd[VMM_PATH_MAX],
        disk[VMM_PATH_MAX];
    const char *name = p->t->node[node].name;
    struct vmm_image_node image;
    if (path_of(p, ca, sizeof ca, "ca/ca.pem") < 0 ||
        path_of(p, cert, sizeof cert, "node/%s/cert.pem", name) < 0 ||
        path_of(p, key, sizeof key, "node/%s/key.pem", name) < 0 ||
        path_of(p, initrd, sizeof initrd, "node/%s/initrd", name) < 0 ||
        path_of(p, disk, sizeof disk, "node/%s/disk", name) < 0)
        return -1;
    const struct vmm_image_file extra[] = {
        { .to = "/etc/slice/ca.pem", .from = ca, .mode = 0644 },
        { .to = "/etc/slice/cert.pem", .from = cert, .mode = 0644 },
        { .to = "/etc/slice/key.pem", .from = key, .mode = 0600 },
    };
    const struct vmm_image_request request = {
        .topology = p->t,
        .node = node,
        .system = p->launch->system[node],
        .extra = extra,
        .n_extra = sizeof extra / sizeof extra[0],
        .initrd = initrd,
        .disk = disk,
    };
    if (!vmm_image_is_cached(request.system))
        say(p, "%s: its newest kernel is looked for, once", request.system);
    if (vmm_image_node(&request, &image, p->why, p->why_size) < 0 || give(p, image.initrd) < 0 ||
        give(p, image.disk) < 0)
        return -1;
    return fill_from_image(p, node, &image);
}

static int prepare_guest(struct preparation *p, size_t node)
{
    const struct vmm_node *n = &p->t->node[node];
    struct vmm_guest_config *c = &p->launch->guest[node];
    snprintf(c->name, sizeof c->name, "%s", n->name);
    snprintf(c->user, sizeof c->user, "%s", p->t->user);
    c->memory_bytes = n->memory_bytes;
    c->vcpus = n->vcpus;
    c->lock_memory = n->real_time.lock_memory;
    c->tsc_khz = vmm_accel_tsc_khz();
    if (path_of(p, c->folder, sizeof c->folder, "node/%s", n->name) < 0 ||
        add_nics(p, node, c) < 0 || make_image(p, node) < 0)
        return -1;
    /* KVM runs only what the host's own CPU runs. */
    c->accel = strcmp(c->arch, "amd64") == 0 ? p->launch->accel : VMM_ACCEL_TCG;
    return 0;
}

/* A confined process reads its key as the user that it runs as. */
static int give_key(struct preparation *p, size_t node)
{
    char key[VMM_PATH_MAX];
    if (path_of(p, key, sizeof key, "node/%s/key.pem", p->t->node[node].name) < 0)
        return -1;
    return give(p, key);
}

static int prepare_images(struct preparation *p)
{
    for (size_t i = 0; i < p->t->n_nodes; i++) {
        if (p->t->node[i].kind == VMM_PROCESS && give_key(p, i) < 0)
            return -1;
        if (p->t->node[i].kind != VMM_GUEST)
            continue;
        if (prepare_guest(p, i) < 0)
            return -1;
        say(p, "%s: %s, %u MiB", p->t->node[i].name, p->launch->system[i],
            (unsigned)(p->launch->guest[i].memory_bytes / MIB));
    }
    return 0;
}

int vmm_launch_prepare(struct vmm_launch **out, const struct vmm_launch_request *request, char *why,
                       size_t why_size)
{
    struct preparation p = { .request = request,
                             .t = request->topology,
                             .launch = calloc(1, sizeof **out),
                             .why = why,
                             .why_size = why_size };
    int result = -1;
    *out = NULL;
    if (!p.launch)
        return fail(&p, "out of memory");
    if (any_guest(p.t) && vmm_systems_read(&p.systems, NULL, why, why_size) < 0)
        goto done;
    if (choose_systems(&p) < 0 || choose_accel(&p) < 0 || make_folders(&p) < 0 ||
        keep_topology(&p) < 0 || vmm_pki_make(p.t, request->folder, why, why_size) < 0 ||
        prepare_images(&p) < 0)
        goto done;
    *out = p.launch;
    p.launch = NULL;
    result = 0;
done:
    free(p.launch);
    free(p.systems);
    return result;
}
