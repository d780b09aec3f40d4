/* newc.c - see newc.h. */
#include "image/newc.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "topology/topology.h"

#define PIECE (256u << 10)
#define PAD 512 /* the next archive of an initramfs begins at a multiple of 4 */

struct name {
    UT_hash_handle hh;
    bool folder;
    char path[];
};

struct newc {
    struct archive *archive;
    struct name *names;
    int64_t inode;
    int fd;
    char path[VMM_PATH_MAX], beside[VMM_PATH_MAX];
};

struct newc *newc_open(const char *path, enum newc_format format, char *why, size_t why_size)
{
    struct newc *a = calloc(1, sizeof(*a));

    if (!a || !(a->archive = archive_write_new())) {
        free(a);
        snprintf(why, why_size, "%s: no memory", path);
        return NULL;
    }
    a->fd = -1;
    if (snprintf(a->path, sizeof(a->path), "%s", path) >= (int)sizeof(a->path) ||
        snprintf(a->beside, sizeof(a->beside), "%s.new", path) >= (int)sizeof(a->beside)) {
        snprintf(why, why_size, "%.80s...: the path is too long", path);
        goto failed;
    }
    unlink(a->beside);
    a->fd = open(a->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (a->fd < 0) {
        snprintf(why, why_size, "%s: %s", a->beside, strerror(errno));
        goto failed;
    }
    int result;
    if (format == NEWC_INITRAMFS) {
        result = archive_write_set_format_cpio_newc(a->archive);
        archive_write_set_bytes_in_last_block(a->archive, PAD);
    } else
        result = archive_write_set_format_iso9660(a->archive) < ARCHIVE_OK
                     ? -1
                     : archive_write_set_options(a->archive, "rockridge=useful,!joliet,pad");
    if (result < ARCHIVE_WARN || archive_write_open_fd(a->archive, a->fd) != ARCHIVE_OK) {
        snprintf(why, why_size, "%s: %s", path, archive_error_string(a->archive));
        goto failed;
    }
    return a;
failed:
    newc_abandon(a);
    return NULL;
}

static struct name *name_of(const struct newc *a, const char *to)
{
    struct name *n;

    HASH_FIND_STR(a->names, to, n);
    return n;
}

int newc_has(const struct newc *a, const char *to)
{
    return name_of(a, to) != NULL;
}

/* 1: to be written. 0: a folder that is there. */
static int note(struct newc *a, const char *to, bool folder, char *why, size_t why_size)
{
    const size_t len = strlen(to);
    struct name *n = name_of(a, to);

    if (n && n->folder && folder)
        return 0;
    if (n || to[0] != '/' || len < 2 || len >= VMM_PATH_MAX || to[len - 1] == '/' ||
        strstr(to, "//") || strstr(to, "/../") || strstr(to, "/./")) {
        snprintf(why, why_size, "%s: %s", to,
                 n ? "comes twice in one guest" : "is no absolute path of a guest");
        return -1;
    }
    if (!(n = malloc(sizeof(*n) + len + 1))) {
        snprintf(why, why_size, "%s: no memory", to);
        return -1;
    }
    n->folder = folder;
    memcpy(n->path, to, len + 1);
    HASH_ADD_STR(a->names, path, n);
    return 1;
}

static int failed(struct newc *a, const char *to, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", to, archive_error_string(a->archive));
    return -1;
}

/* The header of one member; NULL and why. Freed by who gets it. */
static struct archive_entry *entry_new(struct newc *a, const char *to, unsigned type, unsigned mode,
                                       uint64_t size)
{
    struct archive_entry *e = archive_entry_new();

    if (!e)
        return NULL;
    archive_entry_set_pathname(e, to + 1);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, mode & 07777);
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_set_mtime(e, 0, 0);
    archive_entry_set_nlink(e, type == AE_IFDIR ? 2 : 1);
    archive_entry_set_ino64(e, ++a->inode);
    return e;
}

static int put(struct newc *a, struct archive_entry *e, const char *to, char *why, size_t why_size)
{
    const int result = e ? archive_write_header(a->archive, e) : ARCHIVE_FATAL;

    archive_entry_free(e);
    return result < ARCHIVE_WARN ? failed(a, to, why, why_size) : 0;
}

static int folders_above(struct newc *a, const char *to, char *why, size_t why_size)
{
    char above[VMM_PATH_MAX];
    const char *slash = to;

    if (to[0] != '/')
        return 0; /* note() refuses it */
    while ((slash = strchr(slash + 1, '/'))) {
        if ((size_t)(slash - to) >= sizeof(above))
            break;
        memcpy(above, to, (size_t)(slash - to));
        above[slash - to] = '\0';
        const int is_new = note(a, above, true, why, why_size);
        if (is_new < 0)
            return -1;
        if (is_new && put(a, entry_new(a, above, AE_IFDIR, 0755, 0), above, why, why_size) < 0)
            return -1;
    }
    return 0;
}

int newc_folder(struct newc *a, const char *to, unsigned mode, char *why, size_t why_size)
{
    if (folders_above(a, to, why, why_size) < 0)
        return -1;
    const int is_new = note(a, to, true, why, why_size);
    return is_new <= 0 ? is_new : put(a, entry_new(a, to, AE_IFDIR, mode, 0), to, why, why_size);
}

int newc_data(struct newc *a, const char *to, const void *data, size_t len, unsigned mode,
              char *why, size_t why_size)
{
    if (folders_above(a, to, why, why_size) < 0 || note(a, to, false, why, why_size) < 0 ||
        put(a, entry_new(a, to, AE_IFREG, mode, len), to, why, why_size) < 0)
        return -1;
    return len && archive_write_data(a->archive, data, len) != (la_ssize_t)len
               ? failed(a, to, why, why_size)
               : 0;
}

static int copy(struct newc *a, const char *to, const char *from, int fd, uint64_t size, char *why,
                size_t why_size)
{
    uint8_t *piece = malloc(PIECE);
    int result = piece ? 0 : -1;

    if (!piece)
        snprintf(why, why_size, "%s: no memory", from);
    while (size > 0 && result == 0) {
        const ssize_t n = read(fd, piece, size < PIECE ? size : PIECE);
        if (n <= 0) {
            snprintf(why, why_size, "%s: %s", from,
                     n < 0 ? strerror(errno) : "became shorter while it was read");
            result = -1;
        } else if (archive_write_data(a->archive, piece, (size_t)n) != n)
            result = failed(a, to, why, why_size);
        else
            size -= (uint64_t)n;
    }
    free(piece);
    return result;
}

static int regular(struct newc *a, const char *to, const char *from, unsigned mode, char *why,
                   size_t why_size)
{
    struct stat st;
    int result = -1;
    const int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        snprintf(why, why_size, "%s: %s", from, strerror(errno));
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > NEWC_FILE_MAX)
        snprintf(why, why_size, "%s: %s", from,
                 S_ISREG(st.st_mode) ? "is too large for a guest (2 GiB)"
                                     : "is neither a file nor a folder");
    else if (folders_above(a, to, why, why_size) == 0 && note(a, to, false, why, why_size) == 1 &&
             put(a, entry_new(a, to, AE_IFREG, mode ? mode : st.st_mode, (uint64_t)st.st_size), to,
                 why, why_size) == 0)
        result = copy(a, to, from, fd, (uint64_t)st.st_size, why, why_size);
    if (fd >= 0)
        close(fd);
    return result;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int tree(struct newc *a, const char *to, const char *from, char *why, size_t why_size)
{
    char *const paths[] = { (char *)(uintptr_t)from, NULL };
    FTS *t = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    int result = t ? 0 : -1;
    char path[VMM_PATH_MAX];

    if (!t)
        snprintf(why, why_size, "%s: %s", from, strerror(errno));
    for (FTSENT *e; result == 0 && (e = fts_read(t));) {
        const int n = snprintf(path, sizeof(path), "%s%s", to, e->fts_path + strlen(from));
        if (e->fts_info == FTS_DP)
            continue;
        if (n >= (int)sizeof(path) || e->fts_info == FTS_DC || e->fts_info == FTS_DNR ||
            e->fts_info == FTS_ERR || e->fts_info == FTS_NS || e->fts_info == FTS_SLNONE) {
            snprintf(why, why_size, "%s: cannot be read, or its path is too long", e->fts_path);
            result = -1;
        } else if (e->fts_info == FTS_D)
            result = newc_folder(a, path, 0755, why, why_size);
        else
            result = regular(a, path, e->fts_path, 0, why, why_size);
    }
    if (t)
        fts_close(t);
    return result;
}

int newc_file(struct newc *a, const char *to, const char *from, unsigned mode, char *why,
              size_t why_size)
{
    struct stat st;

    if (stat(from, &st) == 0 && S_ISDIR(st.st_mode))
        return tree(a, to, from, why, why_size);
    return regular(a, to, from, mode, why, why_size);
}

int newc_link(struct newc *a, const char *to, const char *target, char *why, size_t why_size)
{
    if (folders_above(a, to, why, why_size) < 0 || note(a, to, false, why, why_size) < 0)
        return -1;
    struct archive_entry *e = entry_new(a, to, AE_IFLNK, 0777, 0);
    if (e)
        archive_entry_set_symlink(e, target);
    return put(a, e, to, why, why_size);
}

int newc_device(struct newc *a, const char *to, unsigned major, unsigned minor, char *why,
                size_t why_size)
{
    if (folders_above(a, to, why, why_size) < 0 || note(a, to, false, why, why_size) < 0)
        return -1;
    struct archive_entry *e = entry_new(a, to, AE_IFCHR, 0600, 0);
    if (e) {
        archive_entry_set_rdevmajor(e, major);
        archive_entry_set_rdevminor(e, minor);
    }
    return put(a, e, to, why, why_size);
}

static void release(struct newc *a)
{
    struct name *n, *next;

    archive_write_free(a->archive);
    if (a->fd >= 0)
        close(a->fd);
    HASH_ITER(hh, a->names, n, next)
    {
        HASH_DEL(a->names, n);
        free(n);
    }
    free(a);
}

void newc_abandon(struct newc *a)
{
    if (!a)
        return;
    /* No archive_write_fail(): libarchive 3.6 then forgets to free its buffer. What it writes while
     * it closes goes into a file that has no name any more. */
    if (a->fd >= 0)
        unlink(a->beside);
    release(a);
}

int newc_close(struct newc *a, unsigned mode, uint64_t *bytes, char *why, size_t why_size)
{
    struct stat st;

    if (!a)
        return -1;
    if (archive_write_close(a->archive) != ARCHIVE_OK) {
        snprintf(why, why_size, "%s: %s", a->path, archive_error_string(a->archive));
        newc_abandon(a);
        return -1;
    }
    if (fstat(a->fd, &st) < 0 || fchmod(a->fd, mode) < 0 || rename(a->beside, a->path) < 0) {
        snprintf(why, why_size, "%s: %s", a->path, strerror(errno));
        newc_abandon(a);
        return -1;
    }
    if (bytes)
        *bytes = (uint64_t)st.st_size;
    release(a);
    return 0;
}
