/* files.c - see files.h. Reading only: this machine keeps nothing. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cpio.h"
#include "inside.h"

#define FIRST 3 /* after standard input, output and error */
#define OPEN_MAX_ 16

static struct open {
    struct cpio_file file;
    size_t at;
    bool used;
} open_files[OPEN_MAX_];

static struct open *file_of(int fd)
{
    if (fd < FIRST || fd >= FIRST + OPEN_MAX_ || !open_files[fd - FIRST].used)
        return NULL;
    return &open_files[fd - FIRST];
}

int64_t files_open(const char *path, int flags)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EROFS;
    for (int i = 0; i < OPEN_MAX_; i++) {
        struct open *o = &open_files[i];

        if (o->used)
            continue;
        if (!board.initrd || cpio_find(board.initrd, board.initrd_size, path, &o->file) != 0)
            return -ENOENT;
        o->at = 0;
        o->used = true;
        return FIRST + i;
    }
    return -EMFILE;
}

int64_t files_read(int fd, void *out, size_t n)
{
    struct open *o = file_of(fd);

    if (fd == STDIN_FILENO)
        return 0;
    if (!o)
        return -EBADF;
    if (o->at >= o->file.size)
        return 0;
    if (n > o->file.size - o->at)
        n = o->file.size - o->at;
    board_copy(out, o->file.bytes + o->at, n);
    o->at += n;
    return (int64_t)n;
}

int64_t files_seek(int fd, int64_t offset, int whence)
{
    struct open *o = file_of(fd);
    int64_t to;

    if (fd >= 0 && fd < FIRST)
        return -ESPIPE;
    if (!o)
        return -EBADF;
    to = offset + (whence == SEEK_CUR   ? (int64_t)o->at
                   : whence == SEEK_END ? (int64_t)o->file.size
                                        : 0);
    if (to < 0)
        return -EINVAL;
    o->at = (size_t)to;
    return to;
}

int64_t files_stat(int fd, struct stat *out)
{
    const struct open *o = file_of(fd);

    if (!o && (fd < 0 || fd >= FIRST))
        return -EBADF;
    board_zero(out, sizeof *out);
    out->st_mode = o ? o->file.mode : S_IFCHR | 0600;
    out->st_size = o ? (off_t)o->file.size : 0;
    out->st_blksize = 4096;
    out->st_nlink = 1;
    return 0;
}

int64_t files_close(int fd)
{
    struct open *o = file_of(fd);

    if (!o)
        return fd >= 0 && fd < FIRST ? 0 : -EBADF;
    o->used = false;
    return 0;
}
