/* cpio.c - see cpio.h. Calls nothing: the board uses it inside system calls. */
#include "cpio.h"

#include <stdbool.h>

#define HEADER 110u /* six letters and thirteen numbers of eight digits */
#define PLAIN 0100000u
#define KIND 0170000u

enum field { FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_NAME_SIZE = 11 };

static bool same(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

static bool number(const uint8_t *header, enum field which, uint32_t *out)
{
    const uint8_t *digit = header + 6 + 8 * (size_t)which;

    *out = 0;
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t c = digit[i] | 0x20;
        unsigned v;

        if (digit[i] >= '0' && digit[i] <= '9')
            v = digit[i] - '0';
        else if (c >= 'a' && c <= 'f')
            v = c - 'a' + 10u;
        else
            return false;
        *out = *out << 4 | v;
    }
    return true;
}

static size_t aligned(size_t at)
{
    return (at + 3) & ~(size_t)3;
}

int cpio_next(const uint8_t *archive, size_t size, size_t *at, struct cpio_file *out)
{
    for (;;) {
        uint32_t mode, bytes, name;
        size_t data, end;

        while (*at < size && archive[*at] == 0) /* between archives */
            (*at)++;
        if (*at == size)
            return 0;
        const uint8_t *header = archive + *at;
        if (size - *at < HEADER || !(same(header, "070701", 6) || same(header, "070702", 6)) ||
            !number(header, FIELD_MODE, &mode) || !number(header, FIELD_SIZE, &bytes) ||
            !number(header, FIELD_NAME_SIZE, &name))
            return -1;
        if (name == 0 || name > size - *at - HEADER || header[HEADER + name - 1] != 0)
            return -1;
        data = aligned(*at + HEADER + name);
        if (data > size || bytes > size - data)
            return -1;
        end = aligned(data + bytes);
        const bool trailer =
            name == sizeof "TRAILER!!!" && same(header + HEADER, "TRAILER!!!", name);
        *out = (struct cpio_file){ (const char *)header + HEADER, archive + data, bytes, mode };
        *at = end < size ? end : size;
        if (!trailer)
            return 1;
    }
}

/* "/etc/x", "./etc/x" and "etc/x" are one. */
static const char *relative(const char *path)
{
    for (;;) {
        if (path[0] == '/')
            path++;
        else if (path[0] == '.' && path[1] == '/')
            path += 2;
        else
            return path;
    }
}

static bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int cpio_find(const uint8_t *archive, size_t size, const char *path, struct cpio_file *out)
{
    const char *want = relative(path);
    struct cpio_file f;
    size_t at = 0;
    int found = -1;

    while (cpio_next(archive, size, &at, &f) == 1)
        if (same_text(relative(f.name), want)) {
            found = (f.mode & KIND) == PLAIN ? 0 : -1;
            *out = f;
        }
    return found;
}
