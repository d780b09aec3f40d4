/*
 * cpio.h - reads archives in the format newc, as a Linux initramfs has: several may follow each
 * other, with zeroes between. Pure; nothing is copied.
 *
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 */
#ifndef METAL_CPIO_H
#define METAL_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio_file {
    const char *name; /* with NUL, as it stands there */
    const uint8_t *bytes;
    size_t size;
    uint32_t mode; /* of stat(2): kind and permissions */
};

/*
 * The entry at *at, which moves behind it; begin with 0. 1: one written. 0: no more. -1: damaged at
 * *at.
 */
int cpio_next(const uint8_t *archive, size_t size, size_t *at, struct cpio_file *out);

/*
 * The file at `path`, absolute or not; the last of that name counts, as it does for Linux. 0, or
 * -1: not there, or no plain file.
 */
int cpio_find(const uint8_t *archive, size_t size, const char *path, struct cpio_file *out);

#endif
