/*
 * newc.h - an archive that becomes a guest's files: newc cpio for an initramfs, ISO 9660 with Rock
 * Ridge for a read-only disk; both by libarchive.
 *
 * Paths are absolute in the guest; folders above a path come by themselves. The same input gives
 * the same bytes: no times, no owners but root. A path added twice: the first stays and the second
 * is an error, unless both are folders.
 */
#ifndef VMM_IMAGE_NEWC_H
#define VMM_IMAGE_NEWC_H

#include <stddef.h>
#include <stdint.h>

#define NEWC_FILE_MAX (2ull << 30) /* bytes of one file */

struct newc;

enum newc_format { NEWC_INITRAMFS, NEWC_DISK };

/* NULL and `why`. The file is written as `path` + ".new" until newc_close. */
struct newc *newc_open(const char *path, enum newc_format format, char *why, size_t why_size);
/* Each: 0 or -1 with `why`. `from` is followed if it is a link; a folder comes with what is in it.
 */
int newc_folder(struct newc *a, const char *to, unsigned mode, char *why, size_t why_size);
int newc_data(struct newc *a, const char *to, const void *data, size_t len, unsigned mode,
              char *why, size_t why_size);
int newc_file(struct newc *a, const char *to, const char *from, unsigned mode, char *why,
              size_t why_size);
int newc_link(struct newc *a, const char *to, const char *target, char *why, size_t why_size);
int newc_device(struct newc *a, const char *to, unsigned major, unsigned minor, char *why,
                size_t why_size);
/* 1: it is there already. */
int newc_has(const struct newc *a, const char *to);
/* Ends the archive and gives it its name, mode `mode`; NULL and failed ones are only freed. */
int newc_close(struct newc *a, unsigned mode, uint64_t *bytes, char *why, size_t why_size);
void newc_abandon(struct newc *a);

#endif
