/* files.h - the initrd's files, opened by name and read. Results as of the system calls: a
 * negative errno. */
#ifndef METAL_FILES_H
#define METAL_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

int64_t files_open(const char *path, int flags); /* a number from 3 on */
int64_t files_read(int fd, void *out, size_t n); /* 0 (standard input): the end */
int64_t files_seek(int fd, int64_t offset, int whence);
int64_t files_stat(int fd, struct stat *out);
int64_t files_close(int fd);

#endif
