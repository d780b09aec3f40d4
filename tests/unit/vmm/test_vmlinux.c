/* test_vmlinux.c - the kernel in a bzImage comes out, however it is packed; others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/slurp.h"
#include "image/vmlinux.h"
#include "topology/topology.h"

#define KERNEL_BYTES 200000
#define IMAGE_MAX 400000

static char from[64], to[80], why[VMM_WHY_MAX];

/* An ELF with a PVH entry, and something behind that does not pack to nothing. */
static void make_kernel(uint8_t *out, uint32_t note)
{
    Elf64_Ehdr *e = (Elf64_Ehdr *)out;
    Elf64_Phdr *p = (Elf64_Phdr *)(out + sizeof *e);
    memset(out, 0, KERNEL_BYTES);
    memcpy(e->e_ident, ELFMAG, SELFMAG);
    e->e_ident[EI_CLASS] = ELFCLASS64;
    e->e_ident[EI_DATA] = ELFDATA2LSB;
    e->e_ident[EI_VERSION] = EV_CURRENT;
    e->e_type = ET_EXEC;
    e->e_machine = EM_X86_64;
    e->e_version = EV_CURRENT;
    e->e_phoff = e->e_ehsize = sizeof *e;
    e->e_phentsize = sizeof *p;
    e->e_phnum = 1;
    *p = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 256, .p_filesz = 20, .p_align = 4 };
    memcpy(out + 256, &(uint32_t[]){ 4, 4, note }, 12);
    memcpy(out + 268, "Xen", 4);
    for (size_t i = 1000; i < KERNEL_BYTES; i++)
        out[i] = (uint8_t)(i * i >> 7);
}

/* How: gzip has the size in itself, the others get it behind. */
static size_t pack(const uint8_t *kernel, int (*filter)(struct archive *), bool has_size,
                   uint8_t *out)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    const uint32_t size = KERNEL_BYTES;
    size_t used = 0;
    archive_write_set_format_raw(a);
    filter(a);
    archive_write_set_bytes_in_last_block(a, 1);
    assert_int_equal(archive_write_open_memory(a, out, IMAGE_MAX - 4096, &used), ARCHIVE_OK);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_write_header(a, e);
    assert_int_equal(archive_write_data(a, kernel, KERNEL_BYTES), KERNEL_BYTES);
    archive_entry_free(e);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    if (has_size)
        return used;
    memcpy(out + used, &size, 4);
    return used + 4;
}

static void write_image(const uint8_t *packed, size_t len)
{
    uint8_t *image = calloc(1, 1024 + 64 + len + 100);
    const uint32_t at = 64, n = (uint32_t)len;
    image[0x1f1] = 1; /* one sector of setup, beside the first */
    memcpy(image + 0x202, "HdrS\x0f\x02", 6);
    memcpy(image + 0x248, &at, 4);
    memcpy(image + 0x24c, &n, 4);
    memcpy(image + 1024 + 64, packed, len);
    assert_int_equal(spill(from, image, 1024 + 64 + len + 100, 0644, why, sizeof why), 0);
    free(image);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(from, "/tmp/vmm-vmlinux.XXXXXX");
    const int fd = mkstemp(from);
    snprintf(to, sizeof to, "%s.out", from);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(from);
    unlink(to);
    return 0;
}

static void however_it_is_packed(void **state)
{
    static const struct {
        int (*filter)(struct archive *);
        bool has_size;
    } ways[] = { { archive_write_add_filter_gzip, true },
                 { archive_write_add_filter_xz, false },
                 { archive_write_add_filter_lz4, false },
                 { archive_write_add_filter_zstd, false } };
    uint8_t *kernel = malloc(KERNEL_BYTES), *packed = malloc(IMAGE_MAX);
    (void)state;
    make_kernel(kernel, 18);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t len = 0;
        write_image(packed, pack(kernel, ways[i].filter, ways[i].has_size, packed));
        assert_int_equal(vmlinux_extract(from, to, why, sizeof why), 0);
        uint8_t *got = slurp(to, VMLINUX_MAX, &len, why, sizeof why);
        assert_int_equal(len, KERNEL_BYTES);
        assert_memory_equal(got, kernel, len);
        free(got);
    }
    free(kernel);
    free(packed);
}

static void others_are_refused(void **state)
{
    uint8_t *kernel = malloc(KERNEL_BYTES), *packed = malloc(IMAGE_MAX);
    (void)state;
    make_kernel(kernel, 17); /* another note: no way in */
    size_t n = pack(kernel, archive_write_add_filter_xz, false, packed);
    write_image(packed, n);
    assert_int_equal(vmlinux_extract(from, to, why, sizeof why), -1);
    assert_non_null(strstr(why, "PVH"));
    make_kernel(kernel, 18);
    n = pack(kernel, archive_write_add_filter_xz, false, packed);
    packed[n / 2] ^= 1;
    write_image(packed, n);
    assert_int_equal(vmlinux_extract(from, to, why, sizeof why), -1);
    packed[n - 1] = 0xff; /* says that it is of 4 GiB */
    write_image(packed, n);
    assert_int_equal(vmlinux_extract(from, to, why, sizeof why), -1);
    assert_non_null(strstr(why, "says that it unpacks to"));
    assert_int_equal(spill(from, "text", 4, 0644, why, sizeof why), 0);
    assert_int_equal(vmlinux_extract(from, to, why, sizeof why), -1);
    assert_non_null(strstr(why, "no Linux kernel"));
    assert_int_equal(access(to, F_OK), -1);
    free(kernel);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(however_it_is_packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
