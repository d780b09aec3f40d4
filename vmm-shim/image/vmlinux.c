/* vmlinux.c - see vmlinux.h. */
#include "image/vmlinux.h"

#include <archive.h>
#include <archive_entry.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/slurp.h"

#define SETUP_SECTS 0x1f1
#define MAGIC 0x202
#define VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END 0x250
#define SECTOR 512
#define NOTE_PVH 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define PIECE (1u << 20)

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int vmlinux_payload(const uint8_t *image, size_t len, size_t *offset, size_t *payload_len)
{
    if (len < HEADER_END || memcmp(image + MAGIC, "HdrS", 4) != 0)
        return -1;
    if ((image[VERSION] | image[VERSION + 1] << 8) < 0x208)
        return -1;
    const size_t setup = image[SETUP_SECTS] ? image[SETUP_SECTS] : 4;
    const size_t at = (setup + 1) * SECTOR + le32(image + PAYLOAD_OFFSET);
    const size_t n = le32(image + PAYLOAD_LENGTH);

    if (at > len || n > len - at || n < 8)
        return -1;
    *offset = at;
    *payload_len = n;
    return 0;
}

static bool notes_have_pvh(Elf *elf, const GElf_Phdr *ph)
{
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_NHDR);
    size_t at = 0, name, desc;
    GElf_Nhdr note;

    while (data && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0)
        if (note.n_type == NOTE_PVH && note.n_namesz == 4 &&
            memcmp((char *)data->d_buf + name, "Xen", 4) == 0)
            return true;
    return false;
}

bool vmlinux_has_pvh(const uint8_t *image, size_t len)
{
    bool found = false;
    size_t n = 0;
    GElf_Ehdr head;
    GElf_Phdr ph;

    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)(uintptr_t)image, len);
    if (elf && gelf_getehdr(elf, &head) && head.e_machine == EM_X86_64 &&
        elf_getphdrnum(elf, &n) == 0)
        for (size_t i = 0; i < n && !found; i++)
            found =
                gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE && notes_have_pvh(elf, &ph);
    elf_end(elf);
    return found;
}

/* `len`: without the number at the end, which an unpacker would take for damage. */
static size_t unpack(const uint8_t *packed, size_t len, uint8_t *out, size_t out_size)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    size_t got = 0;
    la_ssize_t n = 0;

    if (!a)
        return 0;
    archive_read_support_filter_all(a);
    archive_read_support_format_raw(a);
    if (archive_read_open_memory(a, packed, len) == ARCHIVE_OK &&
        archive_read_next_header(a, &entry) == ARCHIVE_OK)
        while (got < out_size &&
               (n = archive_read_data(a, out + got,
                                      out_size - got < PIECE ? out_size - got : PIECE)) > 0)
            got += (size_t)n;
    archive_read_free(a);
    return got;
}

int vmlinux_extract(const char *from, const char *to, char *why, size_t why_size)
{
    size_t len = 0, at = 0, packed_len = 0;
    uint8_t *image = slurp(from, VMLINUX_PACKED_MAX, &len, why, why_size), *out = NULL;
    int result = -1;

    if (!image)
        return -1;
    if (vmlinux_payload(image, len, &at, &packed_len) < 0) {
        snprintf(why, why_size, "%s is no Linux kernel for x86", from);
        goto done;
    }
    /* The last four bytes are the size unpacked: put there by the kernel's build, or gzip's own. */
    const size_t size = le32(image + at + packed_len - 4);
    if (image[at] != 0x1f || image[at + 1] != 0x8b)
        packed_len -= 4;
    if (size > VMLINUX_MAX || !(out = malloc(size ? size : 1))) {
        snprintf(why, why_size, "%s says that it unpacks to %zu bytes", from, size);
        goto done;
    }
    if (unpack(image + at, packed_len, out, size) != size || !vmlinux_has_pvh(out, size)) {
        snprintf(why, why_size, "%s does not unpack to a kernel with a PVH entry", from);
        goto done;
    }
    result = spill(to, out, size, 0644, why, why_size);
done:
    free(out);
    free(image);
    return result;
}
