/* slurp.c - see slurp.h. */
#include "image/slurp.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topology/topology.h"

#define PIECE 65536

uint8_t *slurp(const char *path, size_t max, size_t *len, char *why, size_t why_size)
{
    struct stat st;
    uint8_t *out = NULL;
    size_t got = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
        snprintf(why, why_size, "%s: %s", path,
                 S_ISREG(st.st_mode) ? "is too large" : "is no regular file");
        goto done;
    }
    if (!(out = malloc((size_t)st.st_size + 1))) {
        snprintf(why, why_size, "%s: no memory", path);
        goto done;
    }
    while (got < (size_t)st.st_size) {
        const ssize_t n = read(fd, out + got, (size_t)st.st_size - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    out[got] = '\0';
    *len = got;
done:
    if (fd >= 0)
        close(fd);
    return out;
}

uint8_t *slurp_unpacked(const char *path, size_t max, size_t *len, char *why, size_t why_size)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    uint8_t *out = malloc(max + 1);
    la_ssize_t n = -1;

    *len = 0;
    if (a && out) {
        archive_read_support_filter_all(a);
        archive_read_support_format_raw(a);
        if (archive_read_open_filename(a, path, PIECE) == ARCHIVE_OK &&
            archive_read_next_header(a, &entry) == ARCHIVE_OK)
            while (*len < max && (n = archive_read_data(a, out + *len, max - *len)) > 0)
                *len += (size_t)n;
    }
    if (n != 0) {
        snprintf(why, why_size, "%s: %s", path,
                 n > 0 ? "is too large"
                 : a   ? archive_error_string(a)
                       : "no memory");
        free(out);
        out = NULL;
    } else
        out[*len] = '\0';
    archive_read_free(a);
    return out;
}

int spill(const char *path, const void *data, size_t len, unsigned mode, char *why, size_t why_size)
{
    char beside[VMM_PATH_MAX + 16];
    const uint8_t *p = data;

    snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    const int fd = mkostemp(beside, O_CLOEXEC);
    while (fd >= 0 && len > 0) {
        const ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        p += n;
        len -= (size_t)n;
    }
    if (fd >= 0 && len == 0 && fchmod(fd, mode) == 0 && close(fd) == 0 && rename(beside, path) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(beside);
    }
    return -1;
}
