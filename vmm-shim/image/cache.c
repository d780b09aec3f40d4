/* cache.c - see cache.h. */
#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new-"

int cache_join(char out[VMM_PATH_MAX], const char *folder, const char *name, char *why,
               size_t why_size)
{
    const int n = snprintf(out, VMM_PATH_MAX, "%s/%s", folder, name);

    if (n >= 0 && n < VMM_PATH_MAX)
        return 0;
    snprintf(why, why_size, "the path %.80s.../%s is too long", folder, name);
    return -1;
}

static int make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        const int result = mkdir(path, 0755);
        *p = '/';
        if (result < 0 && errno != EEXIST)
            return -1;
    }
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

int cache_folder(char out[VMM_PATH_MAX], char *why, size_t why_size)
{
    const char *own = getenv("VMM_SHIM_CACHE"), *home = getenv("HOME");
    int n;

    if (own && *own)
        n = snprintf(out, VMM_PATH_MAX, "%s", own);
    else if (home && home[0] == '/' && home[1])
        n = snprintf(out, VMM_PATH_MAX, "%s/.cache/vmm-shim", home);
    else if (geteuid() == 0)
        n = snprintf(out, VMM_PATH_MAX, "/var/cache/vmm-shim");
    else {
        snprintf(why, why_size, "no place for images: set HOME or VMM_SHIM_CACHE");
        return -1;
    }
    if (n < 0 || n >= VMM_PATH_MAX - 256) { /* room for the names below */
        snprintf(why, why_size, "the name of the image cache is too long");
        return -1;
    }
    if (make_folders(out) < 0) {
        snprintf(why, why_size, "%s: %s; VMM_SHIM_CACHE may name another folder for images", out,
                 strerror(errno));
        return -1;
    }
    return 0;
}

void cache_remove(const char *path)
{
    char *const paths[] = { (char *)(uintptr_t)path, NULL };
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);

    if (!tree)
        return;
    for (FTSENT *e; (e = fts_read(tree));) {
        if (e->fts_info == FTS_D && (e->fts_statp->st_mode & 0700) != 0700)
            chmod(e->fts_accpath, 0700);
        else if (e->fts_info == FTS_DP)
            rmdir(e->fts_accpath);
        else if (e->fts_info != FTS_D)
            unlink(e->fts_accpath);
    }
    fts_close(tree);
}

static uint64_t size_of(const char *path)
{
    char *const paths[] = { (char *)(uintptr_t)path, NULL };
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    uint64_t sum = 0;

    for (FTSENT *e; tree && (e = fts_read(tree));)
        if (e->fts_info == FTS_F)
            sum += (uint64_t)e->fts_statp->st_size;
    if (tree)
        fts_close(tree);
    return sum;
}

static uint64_t remove_counted(const char *folder, const char *name)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];

    if (cache_join(path, folder, name, why, sizeof(why)) < 0)
        return 0;
    const uint64_t bytes = size_of(path);
    cache_remove(path);
    return bytes;
}

/* All in `folder` whose names begin with `begin`, but for `keep`. */
static uint64_t remove_others(const char *folder, const char *begin, const char *keep)
{
    DIR *d = opendir(folder);
    uint64_t bytes = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, begin, strlen(begin)) == 0 && strcmp(e->d_name, keep) != 0)
            bytes += remove_counted(folder, e->d_name);
    if (d)
        closedir(d);
    return bytes;
}

static void newest(const char *folder, const char *begin, char *out, size_t size)
{
    DIR *d = opendir(folder);
    struct timespec best = { 0, 0 };
    struct stat st;

    out[0] = '\0';
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, begin, strlen(begin)) != 0 ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        const struct timespec t = st.st_mtim;
        if (out[0] &&
            (t.tv_sec < best.tv_sec || (t.tv_sec == best.tv_sec && t.tv_nsec <= best.tv_nsec)))
            continue;
        best = t;
        snprintf(out, size, "%s", e->d_name);
    }
    if (d)
        closedir(d);
}

uint64_t cache_clean(const char *folder, const char *name, const char *part)
{
    char link[VMM_PATH_MAX], current[VMM_PATH_MAX], begin[64], target[256], keep[256],
        why[VMM_WHY_MAX];
    uint64_t bytes = 0;

    snprintf(begin, sizeof(begin), "%s_", name);
    if (cache_join(link, folder, name, why, sizeof(why)) < 0)
        return 0;
    const ssize_t n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    bytes = remove_others(folder, begin, target);
    if (target[0] && cache_join(current, folder, target, why, sizeof(why)) == 0) {
        newest(current, part, keep, sizeof(keep));
        bytes += remove_others(current, part, keep);
    }
    return bytes;
}

static void remove_left_overs(const char *folder)
{
    DIR *d = opendir(folder);
    char path[VMM_PATH_MAX], why[1];

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, NEW, strlen(NEW)) == 0 &&
            cache_join(path, folder, e->d_name, why, sizeof(why)) == 0)
            cache_remove(path);
    closedir(d);
}

int cache_lock(const char *folder, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];

    if (cache_join(path, folder, "lock", why, why_size) < 0)
        return -1;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int result = fd;

    while (fd >= 0 && (result = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
        ;
    if (result < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    remove_left_overs(folder);
    return fd;
}

int cache_begin(const char *folder, char out[VMM_PATH_MAX], char *why, size_t why_size)
{
    if (cache_join(out, folder, NEW "XXXXXX", why, why_size) < 0)
        return -1;
    if (!mkdtemp(out) || chmod(out, 0755) < 0) {
        snprintf(why, why_size, "%s: %s", out, strerror(errno));
        return -1;
    }
    return 0;
}

int cache_commit(const char *folder, const char *made, const char *name, const char *version,
                 char *why, size_t why_size)
{
    char target[128], path[VMM_PATH_MAX], link[VMM_PATH_MAX], now[VMM_PATH_MAX];

    snprintf(target, sizeof(target), "%s_%s", name, version);
    if (cache_join(path, folder, target, why, why_size) < 0 ||
        cache_join(link, folder, NEW "link", why, why_size) < 0 ||
        cache_join(now, folder, name, why, why_size) < 0)
        return -1;
    cache_remove(path); /* of the same version: rebuilt because the old one was not whole */
    if (rename(made, path) < 0 || symlink(target, link) < 0 || rename(link, now) < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}
