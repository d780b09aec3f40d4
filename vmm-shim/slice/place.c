/*
 * place.c - folders and locks of slices. See place.h.
 *
 * A lock file is removed by whoever holds it as the last thing; whoever got a lock looks whether
 * the file is still the one of that name, since it may have waited for one that is gone.
 */
#include "slice/place.h"
#include "why.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 15   /* of a slice; docs/decisions/0015-slices.md */
#define PATH_BYTES 1024     /* of any file of ours */
#define SOCKET_PATH_MAX 107 /* bytes without NUL that a unix address holds */
#define LONGEST_INSIDE 41   /* "/net/" LINK "." NODE ".shim", names of 15 */
#define LOCK_TRIES 8        /* a slice that ends and starts that often meanwhile is not ours */
#define SLICES_MAX 1024
#define DEPTH_MAX 16 /* descriptors that the walk holds */

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n <= NAME_MAX_BYTES && s[n] == '\0' && s[0] != '-';
}

static int name_root(char *path, size_t size)
{
    const char *dir = getenv("VMM_SHIM_DIR");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;
    if (dir && dir[0])
        n = snprintf(path, size, "%s", dir);
    else if (geteuid() == 0)
        n = snprintf(path, size, "/run/vmm-shim");
    else if (runtime && runtime[0])
        n = snprintf(path, size, "%s/vmm-shim", runtime);
    else
        n = snprintf(path, size, "/tmp/vmm-shim-%u", (unsigned)geteuid());
    return n > 0 && (size_t)n < size ? 0 : -1;
}

int vmm_place_root(char *path, size_t size, char *why, size_t why_size)
{
    struct stat s;
    if (name_root(path, size) < 0)
        return vmm_why(why, why_size, "the folder of slices has too long a name");
    /* Guests run as somebody else and pass through to their own folder; nobody lists it. */
    if (mkdir(path, geteuid() == 0 ? 0711 : 0700) < 0 && errno != EEXIST)
        return vmm_why(why, why_size,
                       "cannot make the folder of slices %s: %s; VMM_SHIM_DIR names "
                       "another",
                       path, strerror(errno));
    if (lstat(path, &s) < 0 || !S_ISDIR(s.st_mode))
        return vmm_why(why, why_size, "%s is no folder; VMM_SHIM_DIR names another", path);
    if (s.st_uid != geteuid())
        return vmm_why(why, why_size, "%s belongs to another user; VMM_SHIM_DIR names another",
                       path);
    return 0;
}

int vmm_place_slice(const char *slice, char *path, size_t size, char *why, size_t why_size)
{
    char root[PATH_BYTES];
    if (!is_name(slice))
        return vmm_why(why, why_size,
                       "'%s' is no name of a slice: small letters, digits and -, at most %d", slice,
                       NAME_MAX_BYTES);
    if (name_root(root, sizeof root) < 0)
        return vmm_why(why, why_size, "the folder of slices has too long a name");
    int n = snprintf(path, size, "%s/%s", root, slice);
    if (n < 0 || (size_t)n >= size || n + LONGEST_INSIDE > SOCKET_PATH_MAX)
        return vmm_why(
            why, why_size,
            "%s/%s is too long for the sockets in it; VMM_SHIM_DIR names a shorter place", root,
            slice);
    return 0;
}

int vmm_place_in(const char *slice, const char *what, char *path, size_t size, char *why,
                 size_t why_size)
{
    if (vmm_place_slice(slice, path, size, why, why_size) < 0)
        return -1;
    size_t n = strlen(path);
    if (snprintf(path + n, size - n, "/%s", what) >= (int)(size - n))
        return vmm_why(why, why_size, "%s/%s is too long", path, what);
    return 0;
}

static int lock_path(const char *slice, char *path, size_t size, char *why, size_t why_size)
{
    char root[PATH_BYTES];
    if (!is_name(slice))
        return vmm_place_slice(slice, path, size, why, why_size);
    if (name_root(root, sizeof root) < 0 ||
        snprintf(path, size, "%s/.%s.lock", root, slice) >= (int)size)
        return vmm_why(why, why_size, "the folder of slices has too long a name");
    return 0;
}

static pid_t read_pid(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

static bool still_named(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

int vmm_place_hold(const char *slice, int lock, char *why, size_t why_size)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(lock, 0) == 0 && pwrite(lock, text, (size_t)n, 0) == n)
        return 0;
    return vmm_why(why, why_size, "cannot write the lock of slice %s: %s", slice, strerror(errno));
}

int vmm_place_lock(const char *slice, pid_t *holder, char *why, size_t why_size)
{
    char path[PATH_BYTES];
    *holder = 0;
    if (vmm_place_root(path, sizeof path, why, why_size) < 0 ||
        lock_path(slice, path, sizeof path, why, why_size) < 0)
        return -1;
    for (int try = 0; try < LOCK_TRIES; try++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return vmm_why(why, why_size, "cannot make %s: %s", path, strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            *holder = read_pid(fd);
            close(fd);
            return vmm_why(why, why_size, "slice %s runs already (process %d)", slice,
                           (int)*holder);
        }
        if (!still_named(fd, path)) {
            close(fd);
            continue;
        }
        if (vmm_place_hold(slice, fd, why, why_size) == 0)
            return fd;
        close(fd);
        return -1;
    }
    return vmm_why(why, why_size, "slice %s comes and goes; try again", slice);
}

void vmm_place_unlock(const char *slice, int lock)
{
    char path[PATH_BYTES], why[64];
    if (lock >= 0 && lock_path(slice, path, sizeof path, why, sizeof why) == 0)
        unlink(path);
    if (lock >= 0)
        close(lock);
}

bool vmm_place_alive(const char *slice, pid_t *pid)
{
    char path[PATH_BYTES], why[64];
    if (pid)
        *pid = 0;
    if (lock_path(slice, path, sizeof path, why, sizeof why) < 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (held && pid)
        *pid = read_pid(fd);
    close(fd);
    return held;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int vmm_place_list(char ***names, char *why, size_t why_size)
{
    char root[PATH_BYTES];
    int n = 0;
    *names = NULL;
    if (name_root(root, sizeof root) < 0)
        return vmm_why(why, why_size, "the folder of slices has too long a name");
    DIR *dir = opendir(root);
    if (!dir)
        return errno == ENOENT
                   ? 0
                   : vmm_why(why, why_size, "cannot read %s: %s", root, strerror(errno));
    char **list = calloc(SLICES_MAX, sizeof *list);
    struct dirent *e;
    while (list && n < SLICES_MAX && (e = readdir(dir)))
        if (is_name(e->d_name) && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) &&
            (list[n] = strdup(e->d_name)))
            n++;
    closedir(dir);
    if (!list)
        return vmm_why(why, why_size, "out of memory");
    qsort(list, (size_t)n, sizeof *list, by_name);
    *names = list;
    return n;
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int remove_but_logs(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    const char *name = path + ftw->base, *dot = strrchr(name, '.');
    (void)s;
    if (flag == FTW_DP)
        rmdir(path); /* one that holds a log stays */
    else if ((!dot || strcmp(dot, ".log") != 0) && strcmp(name, "topology.yaml") != 0)
        unlink(path);
    return 0;
}

int vmm_place_keep_logs(const char *slice, const char *ended)
{
    char path[PATH_BYTES], why[256];
    if (vmm_place_slice(slice, path, sizeof path, why, sizeof why) < 0 ||
        nftw(path, remove_but_logs, DEPTH_MAX, FTW_DEPTH | FTW_PHYS) < 0 ||
        vmm_place_in(slice, "ended", path, sizeof path, why, sizeof why) < 0)
        return -1;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, ended, strlen(ended));
    if (fd >= 0)
        close(fd);
    return n < 0 ? -1 : 0;
}

void vmm_place_ended(const char *slice, char *ended, size_t size)
{
    char path[PATH_BYTES], why[256];
    int fd = vmm_place_in(slice, "ended", path, sizeof path, why, sizeof why) < 0
                 ? -1
                 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, ended, size - 1);
    if (fd >= 0)
        close(fd);
    if (n > 0)
        ended[n] = '\0';
    else
        snprintf(ended, size, "its keeper was killed");
}

int vmm_place_clear(const char *slice, char *why, size_t why_size)
{
    char path[PATH_BYTES];
    if (vmm_place_slice(slice, path, sizeof path, why, why_size) < 0)
        return -1;
    if (nftw(path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return vmm_why(why, why_size, "cannot remove %s: %s", path, strerror(errno));
    return 0;
}
