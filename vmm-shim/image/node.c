/* node.c - the image of one node: the base, then an archive of its own behind it. */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/base.h"
#include "image/cache.h"
#include "image/closure.h"
#include "image/configuration.h"
#include "image/kernel.h"
#include "image/newc.h"

#define DISK "/disk"

/* Where things go: files into `disk` if there is one, with a link to it in `root`. */
struct node {
    const struct vmm_image_request *request;
    const struct vmm_node *node;
    const char *arch;
    bool bare; /* no system: nothing is run but the kernel, no loader, no libraries */
    struct newc *root, *disk;
    struct closure closure;
    char *why;
    size_t why_size;
};

static int place(struct node *n, const char *to, const char *from, unsigned mode)
{
    char target[VMM_PATH_MAX];

    if (!n->disk)
        return newc_file(n->root, to, from, mode, n->why, n->why_size);
    if (newc_file(n->disk, to, from, mode, n->why, n->why_size) < 0)
        return -1;
    if (snprintf(target, sizeof(target), DISK "%s", to) >= (int)sizeof(target)) {
        snprintf(n->why, n->why_size, "%s: the path is too long", to);
        return -1;
    }
    return newc_link(n->root, to, target, n->why, n->why_size);
}

/* In $PATH, an executable file. */
static int in_path(const char *name, char out[VMM_PATH_MAX])
{
    const char *path = getenv("PATH");

    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        const size_t n = strcspn(p, ":");
        struct stat st;
        if (n > 0 && snprintf(out, VMM_PATH_MAX, "%.*s/%s", (int)n, p, name) < VMM_PATH_MAX &&
            stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0)
            return 0;
        p += n + (p[n] == ':');
    }
    return -1;
}

/* A bare name: /bin/NAME in the guest, from our programs or $PATH, unless a file brings it. */
static int add_command(struct node *n)
{
    char to[VMM_PATH_MAX], from[VMM_PATH_MAX], ignored[VMM_WHY_MAX];
    static const char *const folders[] = { "/bin", "/usr/bin", "/usr/local/bin", "/sbin",
                                           "/usr/sbin" };

    if (n->node->n_run == 0 || n->bare)
        return 0;
    const char *name = n->node->run[0];
    if (strchr(name, '/')) { /* must be among the files */
        if (newc_has(n->root, name))
            return 0;
        snprintf(n->why, n->why_size,
                 "node %s runs %s, which is not among its files (or give the bare name)",
                 n->node->name, name);
        return -1;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (snprintf(to, sizeof(to), "%s/%s", folders[i], name) < (int)sizeof(to) &&
            newc_has(n->root, to))
            return 0;
    snprintf(to, sizeof(to), "/bin/%s", name);
    if (vmm_image_program(name, n->arch, from, ignored, sizeof(ignored)) < 0 &&
        in_path(name, from) < 0) {
        snprintf(n->why, n->why_size,
                 "node %s runs %s, which is neither among its files nor a program of this host",
                 n->node->name, name);
        return -1;
    }
    return closure_add(&n->closure, from, n->why, n->why_size) < 0 ? -1 : place(n, to, from, 0755);
}

static int add_files(struct node *n)
{
    for (size_t i = 0; i < n->node->n_files; i++) {
        const struct vmm_file *f = &n->node->file[i];
        char why[VMM_WHY_MAX];
        struct stat st;
        const bool program = !n->bare && stat(f->from, &st) == 0 && S_ISREG(st.st_mode);

        if (place(n, f->to, f->from, 0) == 0 &&
            (!program || closure_add(&n->closure, f->from, n->why, n->why_size) == 0))
            continue;
        snprintf(why, sizeof(why), "%s", n->why);
        snprintf(n->why, n->why_size, "%s:%d: %s", n->request->topology->file, f->line, why);
        return -1;
    }
    return 0;
}

static int add_libraries(struct node *n)
{
    for (size_t i = 0; i < n->closure.n; i++)
        if (!newc_has(n->root, n->closure.item[i].to) &&
            place(n, n->closure.item[i].to, n->closure.item[i].from, 0755) < 0)
            return -1;
    return 0;
}

static int add_configuration(struct node *n)
{
    char *text = configuration_text(n->request->topology, n->request->node);
    int result = -1;

    if (text)
        result = newc_data(n->root, "/etc/slice/guest.json", text, strlen(text), 0644, n->why,
                           n->why_size);
    else
        snprintf(n->why, n->why_size, "node %s: no memory", n->node->name);
    free(text);
    for (size_t i = 0; i < n->request->n_extra && result == 0; i++) {
        const struct vmm_image_file *e = &n->request->extra[i];
        result = e->from ? newc_file(n->root, e->to, e->from, e->mode, n->why, n->why_size)
                         : newc_data(n->root, e->to, e->data, e->size, e->mode ? e->mode : 0644,
                                     n->why, n->why_size);
    }
    return result;
}

/* Bytes of `from` at the end of `fd`. */
static int append_file(int fd, const char *from, char *why, size_t why_size)
{
    struct stat st;
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    int result = in < 0 || fstat(in, &st) < 0 ? -1 : 0;

    for (off_t left = result == 0 ? st.st_size : 0; left > 0 && result == 0;) {
        const ssize_t n = sendfile(fd, in, NULL, (size_t)left);
        if (n > 0)
            left -= n;
        else if (n == 0 || errno != EINTR)
            result = -1;
    }
    if (result < 0)
        snprintf(why, why_size, "%s: %s", from, strerror(errno));
    if (in >= 0)
        close(in);
    return result;
}

/* base + own -> initrd; own alone if there is no base. */
static int join(const char *initrd, const char *base, const char *own, uint64_t *bytes, char *why,
                size_t why_size)
{
    char made[VMM_PATH_MAX + 8];
    struct stat st;

    snprintf(made, sizeof(made), "%s.new", initrd);
    unlink(made);
    const int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_size, "%s: %s", made, strerror(errno));
        return -1;
    }
    int result = *base ? append_file(fd, base, why, why_size) : 0;
    if (result == 0)
        result = append_file(fd, own, why, why_size);
    if (result == 0 && ((result = fstat(fd, &st)) < 0 || (result = rename(made, initrd)) < 0))
        snprintf(why, why_size, "%s: %s", initrd, strerror(errno));
    close(fd);
    if (result == 0)
        *bytes = (uint64_t)st.st_size;
    else
        unlink(made);
    return result;
}

static int fill(struct node *n)
{
    return add_files(n) < 0 || add_command(n) < 0 || add_libraries(n) < 0 ||
                   add_configuration(n) < 0
               ? -1
               : 0;
}

/* Writes `own` (and the disk); on success both are complete. */
static int write_own(struct node *n, const char *own, struct vmm_image_node *out)
{
    const struct vmm_image_request *r = n->request;
    int result = -1;

    if (n->node->disk &&
        (!r->disk || !(n->disk = newc_open(r->disk, NEWC_DISK, n->why, n->why_size)))) {
        if (!r->disk)
            snprintf(n->why, n->why_size, "node %s: no place for its disk", n->node->name);
        return -1;
    }
    n->root = newc_open(own, NEWC_INITRAMFS, n->why, n->why_size);
    if (n->root)
        result = fill(n);
    if (result == 0)
        result = newc_close(n->root, 0600, NULL, n->why, n->why_size);
    else
        newc_abandon(n->root);
    if (n->disk && result == 0)
        result = newc_close(n->disk, 0600, &out->disk_bytes, n->why, n->why_size);
    else
        newc_abandon(n->disk);
    return result;
}

int vmm_image_node(const struct vmm_image_request *request, struct vmm_image_node *out, char *why,
                   size_t why_size)
{
    char folder[VMM_PATH_MAX], own[VMM_PATH_MAX + 8];
    char sysroot[VMM_PATH_MAX];
    struct vmm_image_base base = { .bytes = 0 };
    struct node n = { .request = request, .why = why, .why_size = why_size };
    const struct recipe *r = recipe_find(request->system, why, why_size);

    *out = (struct vmm_image_node){ .initrd_bytes = 0 };
    if (!r || kernel_get(r, &out->kernel, folder, why, why_size) < 0 ||
        (!r->program && base_get(r, folder, &base, why, why_size) < 0))
        return -1;
    n.node = &request->topology->node[request->node];
    n.arch = r->arch;
    n.bare = r->program != NULL;
    if (cache_join(sysroot, folder, "sysroot", why, why_size) < 0)
        return -1;
    closure_init(&n.closure, r->arch, access(sysroot, R_OK) == 0 ? sysroot : NULL);
    snprintf(own, sizeof(own), "%s.own", request->initrd);
    int result = write_own(&n, own, out);
    closure_fini(&n.closure);
    if (result == 0)
        result = join(request->initrd, base.path, own, &out->initrd_bytes, why, why_size);
    unlink(own);
    if (result < 0)
        return -1;
    snprintf(out->initrd, sizeof(out->initrd), "%s", request->initrd);
    if (n.disk)
        snprintf(out->disk, sizeof(out->disk), "%s", request->disk);
    /* The archive and what it unpacks to are both there for a moment. */
    out->memory_least_bytes = r->memory_least_bytes + 2 * out->initrd_bytes;
    return 0;
}
