/*
 * root.c - mounts, and the few files of /etc.
 */
#include "process/root.h"
#include "image/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __aarch64__
#define ARCH "arm64"
#else
#define ARCH "amd64"
#endif

#define INNER_PATH_MAX (2 * VMM_PATH_MAX)

static int fail(const char *what, const char *path, char *why, size_t size)
{
    snprintf(why, size, "%s %s: %s", what, path, strerror(errno));
    return -1;
}

/* Folders above `path`, which begins with the new root's. */
static int make_parents(const char *path, size_t from)
{
    char part[INNER_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + from + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -1;
        *p = '/';
    }
    return 0;
}

/* Where `to` of the node is while the root is made. Parents are made. -1: too long or with "..". */
static int inner(const struct vmm_root *r, const char *to, char *out, size_t size)
{
    if (strstr(to, "..") ||
        snprintf(out, size, "%s%s%s", r->at, to[0] == '/' ? "" : "/", to) >= (int)size) {
        errno = EINVAL;
        return -1;
    }
    return make_parents(out, strlen(r->at));
}

static int set_flags(const char *path, uint64_t flags, unsigned how)
{
    struct mount_attr a = { .attr_set = flags };
    return mount_setattr(AT_FDCWD, path, how, &a, sizeof a);
}

/* A folder or file of the host, read-only. */
static int bind(const char *from, const char *path, bool devices)
{
    struct stat st;
    if (stat(from, &st) < 0)
        return -1;
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -1;
    } else {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
        if (fd < 0 && errno != EROFS && errno != EACCES)
            return -1;
        if (fd >= 0)
            close(fd);
    }
    if (mount(from, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    uint64_t flags = MOUNT_ATTR_NOSUID | (devices ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    return set_flags(path, flags | (devices ? 0 : MOUNT_ATTR_RDONLY), AT_RECURSIVE);
}

static int write_text(const struct vmm_root *r, const char *to, const char *text)
{
    char path[INNER_PATH_MAX];
    if (inner(r, to, path, sizeof path) < 0)
        return -1;
    FILE *f = fopen(path, "we");
    if (!f)
        return -1;
    fputs(text, f);
    return fclose(f) == 0 ? 0 : -1;
}

/* /bin and the like: links into /usr, or folders of their own. */
static int take_folder(const struct vmm_root *r, const char *folder)
{
    char path[INNER_PATH_MAX], target[256];
    struct stat st;
    if (lstat(folder, &st) < 0)
        return errno == ENOENT ? 0 : -1;
    if (inner(r, folder, path, sizeof path) < 0)
        return -1;
    if (!S_ISLNK(st.st_mode))
        return bind(folder, path, false);
    ssize_t n = readlink(folder, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = 0;
    return symlink(target, path);
}

static int take_host(const struct vmm_root *r, char *why, size_t size)
{
    static const char *const folders[] = { "/usr",   "/bin",   "/sbin",  "/lib",
                                           "/lib32", "/lib64", "/libx32" };
    static const char *const files[] = { "/etc/ld.so.cache", "/etc/alternatives" };
    char path[INNER_PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (take_folder(r, folders[i]) < 0)
            return fail("bind", folders[i], why, size);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (access(files[i], F_OK) == 0 &&
            (inner(r, files[i], path, sizeof path) < 0 || bind(files[i], path, false) < 0))
            return fail("bind", files[i], why, size);
    return 0;
}

static int make_etc(const struct vmm_root *r, char *why, size_t size)
{
    char passwd[256], group[128];
    snprintf(passwd, sizeof passwd,
             "root:x:0:0:root:/:/usr/sbin/nologin\nnode:x:%u:%u:node:/tmp:/usr/sbin/nologin\n",
             (unsigned)r->who.uid, (unsigned)r->who.gid);
    snprintf(group, sizeof group, "root:x:0:\nnode:x:%u:\n", (unsigned)r->who.gid);
    const char *const text[][2] = {
        { "/etc/passwd", passwd },
        { "/etc/group", group },
        { "/etc/hosts", r->hosts ? r->hosts : "127.0.0.1 localhost\n" },
        { "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
    };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        if (write_text(r, text[i][0], text[i][1]) < 0)
            return fail("write", text[i][0], why, size);
    return 0;
}

static int make_memory(const struct vmm_root *r, const char *folder, char *why, size_t size)
{
    char path[INNER_PATH_MAX], options[64];
    snprintf(options, sizeof options, "mode=1777,size=%u", VMM_ROOT_BYTES);
    if (inner(r, folder, path, sizeof path) < 0 || (mkdir(path, 0755) < 0 && errno != EEXIST) ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return fail("mount", folder, why, size);
    return 0;
}

static int make_dev(const struct vmm_root *r, char *why, size_t size)
{
    static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                           "/dev/urandom" };
    static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
                                            { "/proc/self/fd/0", "/dev/stdin" },
                                            { "/proc/self/fd/1", "/dev/stdout" },
                                            { "/proc/self/fd/2", "/dev/stderr" } };
    char path[INNER_PATH_MAX];
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (inner(r, devices[i], path, sizeof path) < 0 || bind(devices[i], path, true) < 0)
            return fail("bind", devices[i], why, size);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (inner(r, links[i][1], path, sizeof path) < 0 || symlink(links[i][0], path) < 0)
            return fail("link", links[i][1], why, size);
    return make_memory(r, "/dev/shm", why, size);
}

static int copy(const char *from, const char *path, const struct stat *st,
                const struct vmm_identity *who)
{
    char bytes[65536];
    ssize_t n = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (out >= 0 && (n = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)n) != n) {
            n = -1;
            break;
        }
    int error = errno;
    if (out >= 0) {
        if (n == 0 &&
            (fchown(out, who->uid, who->gid) < 0 || fchmod(out, st->st_mode & 0555) < 0)) {
            error = errno;
            n = -1;
        }
        close(out);
    }
    if (in >= 0)
        close(in);
    errno = error;
    return out >= 0 && n == 0 ? 0 : -1;
}

static int take_file(const struct vmm_root *r, const char *from, const char *to, char *why,
                     size_t size)
{
    char path[INNER_PATH_MAX];
    struct stat st;
    if (stat(from, &st) < 0)
        return fail("file", from, why, size);
    bool small = S_ISREG(st.st_mode) && st.st_size <= VMM_ROOT_COPY_MAX;
    if (inner(r, to, path, sizeof path) == 0 &&
        (small ? copy(from, path, &st, &r->who) : bind(from, path, false)) == 0)
        return 0;
    if (errno != EROFS)
        return fail("file", to, why, size);
    snprintf(why, size,
             "file %s: what the host has there is read-only for a process: another place", to);
    return -1;
}

static bool is_host_folder(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/lib", 4) == 0 ||
           strncmp(path, "/bin/", 5) == 0 || strncmp(path, "/sbin/", 6) == 0;
}

/* Libraries of a program that lie beside it, as in a build tree: where it looks for them. */
static int take_libraries(const struct vmm_root *r, const char *program, char *why, size_t size)
{
    struct closure c;
    int result = 0;
    closure_init(&c, ARCH, NULL);
    result = closure_add(&c, program, why, size);
    for (size_t i = 0; result == 0 && i < c.n; i++) {
        char place[INNER_PATH_MAX];
        const char *name = strrchr(c.item[i].to, '/'), *end = strrchr(c.item[i].from, '/');
        if (is_host_folder(c.item[i].from) || !name || !end)
            continue;
        char path[INNER_PATH_MAX];
        struct stat there;
        snprintf(place, sizeof place, "%.*s%s", (int)(end - c.item[i].from), c.item[i].from, name);
        if (inner(r, place, path, sizeof path) == 0 && lstat(path, &there) == 0)
            continue; /* another program has brought it */
        result = take_file(r, c.item[i].from, place, why, size);
    }
    closure_fini(&c);
    return result;
}

static int take_files(const struct vmm_root *r, char *why, size_t size)
{
    for (size_t i = 0; i < r->n_files; i++) {
        const struct vmm_file *f = &r->file[i];
        if (is_host_folder(f->from) && strcmp(f->from, f->to) == 0)
            continue; /* is there */
        if (take_file(r, f->from, f->to, why, size) < 0 ||
            (access(f->from, X_OK) == 0 && take_libraries(r, f->from, why, size) < 0))
            return -1;
    }
    for (size_t i = 0; i < r->n_extra; i++)
        if (take_file(r, r->extra[i].from, r->extra[i].to, why, size) < 0)
            return -1;
    return 0;
}

/* The new root becomes the only one. */
static int change_root(const struct vmm_root *r, char *why, size_t size)
{
    if (chdir(r->at) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return fail("root", r->at, why, size);
    if (set_flags("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0) < 0)
        return fail("read-only", "/", why, size);
    return 0;
}

int vmm_root_enter(const struct vmm_root *r, char *why, size_t size)
{
    char path[INNER_PATH_MAX], options[64];
    umask(022);
    snprintf(options, sizeof options, "mode=0755,size=%u", VMM_ROOT_BYTES);
    /* Slave: what is mounted here stays here, what the host unmounts goes. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("tmpfs", r->at, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return fail("mount", r->at, why, size);
    if (take_host(r, why, size) < 0 || make_etc(r, why, size) < 0 || make_dev(r, why, size) < 0 ||
        make_memory(r, "/tmp", why, size) < 0 || make_memory(r, "/run", why, size) < 0 ||
        take_files(r, why, size) < 0) /* last: they may lie in any of these */
        return -1;
    if (inner(r, "/proc", path, sizeof path) < 0 || mkdir(path, 0555) < 0 ||
        mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return fail("mount", "/proc", why, size);
    return change_root(r, why, size);
}
