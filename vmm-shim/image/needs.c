/* needs.c - see needs.h. */
#include "image/needs.h"

#include <gelf.h>
#include <string.h>

#define HEADERS_MAX 256
#define DYNAMIC_MAX 4096

struct view {
    const uint8_t *bytes;
    size_t len;
    Elf *elf;
    GElf_Phdr ph[HEADERS_MAX];
    size_t n;
};

/* A string that ends within [at, end), or NULL. */
static const char *string_at(const struct view *v, uint64_t at, uint64_t end)
{
    if (end > v->len)
        end = v->len;
    if (at >= end || !memchr(v->bytes + at, '\0', end - at))
        return NULL;
    return (const char *)v->bytes + at;
}

/* Offset in the file of an address in memory; `end`: of what is loaded with it. */
static bool offset_of(const struct view *v, uint64_t address, uint64_t *at, uint64_t *end)
{
    for (size_t i = 0; i < v->n; i++) {
        const GElf_Phdr *p = &v->ph[i];
        if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz ||
            p->p_offset > v->len || p->p_filesz > v->len - p->p_offset)
            continue;
        *at = p->p_offset + (address - p->p_vaddr);
        *end = p->p_offset + p->p_filesz;
        return true;
    }
    return false;
}

static enum elf_verdict read_dynamic(const struct view *v, const GElf_Phdr *p,
                                     struct elf_needs *out)
{
    if (p->p_offset > v->len || p->p_filesz > v->len - p->p_offset || p->p_filesz == 0)
        return ELF_BAD;
    Elf_Data *d = elf_getdata_rawchunk(v->elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_DYN);
    GElf_Dyn dyn;
    uint64_t strings = 0, at = 0, end = 0;
    int n = 0;

    for (; d && n < DYNAMIC_MAX && gelf_getdyn(d, n, &dyn) && dyn.d_tag != DT_NULL; n++)
        if (dyn.d_tag == DT_STRTAB)
            strings = dyn.d_un.d_val;
    if (n == 0)
        return ELF_GOOD;
    if (!offset_of(v, strings, &at, &end))
        return ELF_BAD;
    for (int i = 0; i < n; i++) {
        const char **slot;
        if (!gelf_getdyn(d, i, &dyn))
            return ELF_BAD;
        if (dyn.d_tag == DT_NEEDED && out->n_needed == ELF_NEEDED_MAX)
            return ELF_BAD;
        slot = dyn.d_tag == DT_NEEDED    ? &out->needed[out->n_needed++]
               : dyn.d_tag == DT_RPATH   ? &out->rpath
               : dyn.d_tag == DT_RUNPATH ? &out->runpath
                                         : NULL;
        if (!slot)
            continue;
        *slot = dyn.d_un.d_val < end - at ? string_at(v, at + dyn.d_un.d_val, end) : NULL;
        if (!*slot)
            return ELF_BAD;
    }
    out->dynamic = true;
    return ELF_GOOD;
}

static enum elf_verdict read_headers(struct view *v, struct elf_needs *out)
{
    GElf_Ehdr head;
    enum elf_verdict verdict = ELF_GOOD;

    if (!v->elf || elf_kind(v->elf) != ELF_K_ELF || !gelf_getehdr(v->elf, &head) ||
        elf_getphdrnum(v->elf, &v->n) < 0 || v->n == 0 || v->n > HEADERS_MAX ||
        v->n != head.e_phnum || /* libelf counts none if they are beyond the end */
        (head.e_type != ET_EXEC && head.e_type != ET_DYN))
        return ELF_BAD;
    out->machine = head.e_machine;
    out->bits = head.e_ident[EI_CLASS];
    for (size_t i = 0; i < v->n; i++)
        if (!gelf_getphdr(v->elf, (int)i, &v->ph[i]))
            return ELF_BAD;
    for (size_t i = 0; i < v->n && verdict == ELF_GOOD; i++) {
        const GElf_Phdr *p = &v->ph[i];
        if (p->p_type == PT_DYNAMIC)
            verdict = read_dynamic(v, p, out);
        if (p->p_type != PT_INTERP)
            continue;
        if (p->p_offset > v->len || p->p_filesz > v->len - p->p_offset)
            return ELF_BAD;
        out->interpreter = string_at(v, p->p_offset, p->p_offset + p->p_filesz);
        if (!out->interpreter || out->interpreter[0] != '/')
            return ELF_BAD;
    }
    return verdict;
}

enum elf_verdict needs_read(const uint8_t *bytes, size_t len, struct elf_needs *out)
{
    static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };
    struct view v = { .bytes = bytes, .len = len };

    *out = (struct elf_needs){ .machine = EM_NONE };
    if (len < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
        return ELF_NONE;
    elf_version(EV_CURRENT);
    v.elf = elf_memory((char *)(uintptr_t)bytes, len);
    const enum elf_verdict verdict = read_headers(&v, out);
    elf_end(v.elf);
    return verdict;
}
