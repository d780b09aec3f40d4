/*
 * ram.c - a copy of a guest's RAM (ram.h): two mappings, page by page, holes left out.
 */
#include "move/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

struct vmm_ram {
    int live_fd, kept_fd;
    uint8_t *live, *kept;
    size_t size;
};

static int fail(char *why, size_t why_size)
{
    snprintf(why, why_size, "no copy of the guest's memory: %s", strerror(errno));
    return -1;
}

int vmm_ram_new(struct vmm_ram **out, int ram, char *why, size_t why_size)
{
    struct vmm_ram *r = calloc(1, sizeof *r);
    struct stat st;
    void *live, *kept;

    *out = NULL;
    if (!r || fstat(ram, &st) != 0) {
        free(r);
        return fail(why, why_size);
    }
    r->live_fd = ram;
    r->size = (size_t)st.st_size;
    r->kept_fd = memfd_create("guest RAM, kept", MFD_CLOEXEC);
    live = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, ram, 0);
    kept = r->kept_fd >= 0 && ftruncate(r->kept_fd, st.st_size) == 0
               ? mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->kept_fd, 0)
               : MAP_FAILED;
    r->live = live == MAP_FAILED ? NULL : live;
    r->kept = kept == MAP_FAILED ? NULL : kept;
    if (!r->live || !r->kept) {
        fail(why, why_size);
        vmm_ram_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

void vmm_ram_free(struct vmm_ram *r)
{
    if (!r)
        return;
    if (r->live)
        munmap(r->live, r->size);
    if (r->kept)
        munmap(r->kept, r->size);
    if (r->kept_fd >= 0)
        close(r->kept_fd);
    free(r);
}

/* The next part of `fd` that is no hole, from *begin on. False: there is none. */
static bool next_part(int fd, size_t size, off_t *begin, off_t *end)
{
    *begin = lseek(fd, *begin, SEEK_DATA);
    if (*begin < 0 || (size_t)*begin >= size)
        return false;
    *end = lseek(fd, *begin, SEEK_HOLE);
    if (*end < 0 || (size_t)*end > size)
        *end = (off_t)size;
    return true;
}

/* Makes `to` as `from` where `fd` has data; bytes that differed. */
static uint64_t copy_parts(int fd, size_t size, uint8_t *to, const uint8_t *from)
{
    uint64_t copied = 0;
    off_t begin = 0, end;

    for (; next_part(fd, size, &begin, &end); begin = end)
        for (size_t at = (size_t)begin; at < (size_t)end; at += PAGE) {
            const size_t len = size - at < PAGE ? size - at : PAGE;

            if (memcmp(to + at, from + at, len) != 0) {
                memcpy(to + at, from + at, len);
                copied += len;
            }
        }
    return copied;
}

uint64_t vmm_ram_keep(struct vmm_ram *r)
{
    return copy_parts(r->live_fd, r->size, r->kept, r->live);
}

void vmm_ram_restore(struct vmm_ram *r)
{
    /* What was a hole then reads as zeroes in the copy: all that is data now is compared. */
    copy_parts(r->live_fd, r->size, r->live, r->kept);
}
