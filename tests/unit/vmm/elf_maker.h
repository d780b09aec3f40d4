/*
 * elf_maker.h - small ELF files for tests: a program or library with what it needs, and nothing to
 * run. One PT_LOAD over the whole file, PT_DYNAMIC, PT_INTERP if wanted.
 */
#ifndef ELF_MAKER_H
#define ELF_MAKER_H

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELF_MADE_MAX 4096

struct elf_made {
    uint8_t bytes[ELF_MADE_MAX];
    size_t len;
};

struct elf_wish {
    uint16_t machine, type;
    const char *interpreter, *rpath, *runpath;
    const char *needed[16];
};

static inline size_t elf_put(char *strings, size_t *n, const char *text)
{
    const size_t at = *n;
    memcpy(strings + at, text, strlen(text) + 1);
    *n += strlen(text) + 1;
    return at;
}

static inline void elf_make(struct elf_made *out, const struct elf_wish *w)
{
    enum { BASE = 0x400000, PROGRAMS = 3, DYN_AT = 512, STR_AT = 1024, INTERP_AT = 3072 };
    Elf64_Ehdr *e = (Elf64_Ehdr *)out->bytes;
    Elf64_Phdr *p = (Elf64_Phdr *)(out->bytes + sizeof *e);
    Elf64_Dyn *d = (Elf64_Dyn *)(out->bytes + DYN_AT);
    char *strings = (char *)out->bytes + STR_AT;
    size_t n_str = 1, n = 0;

    memset(out, 0, sizeof *out);
    out->len = ELF_MADE_MAX;
    memcpy(e->e_ident, ELFMAG, SELFMAG);
    e->e_ident[EI_CLASS] = ELFCLASS64;
    e->e_ident[EI_DATA] = ELFDATA2LSB;
    e->e_ident[EI_VERSION] = EV_CURRENT;
    e->e_type = w->type ? w->type : ET_DYN;
    e->e_machine = w->machine ? w->machine : EM_X86_64;
    e->e_version = EV_CURRENT;
    e->e_phoff = sizeof *e;
    e->e_ehsize = sizeof *e;
    e->e_phentsize = sizeof *p;
    e->e_phnum = w->interpreter ? PROGRAMS : PROGRAMS - 1;
    for (size_t i = 0; w->needed[i]; i++)
        d[n++] = (Elf64_Dyn){ DT_NEEDED, { elf_put(strings, &n_str, w->needed[i]) } };
    if (w->rpath)
        d[n++] = (Elf64_Dyn){ DT_RPATH, { elf_put(strings, &n_str, w->rpath) } };
    if (w->runpath)
        d[n++] = (Elf64_Dyn){ DT_RUNPATH, { elf_put(strings, &n_str, w->runpath) } };
    d[n++] = (Elf64_Dyn){ DT_STRTAB, { BASE + STR_AT } };
    d[n++] = (Elf64_Dyn){ DT_NULL, { 0 } };
    p[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_vaddr = BASE, .p_filesz = ELF_MADE_MAX, .p_memsz = ELF_MADE_MAX
    };
    p[1] = (Elf64_Phdr){ .p_type = PT_DYNAMIC,
                         .p_offset = DYN_AT,
                         .p_vaddr = BASE + DYN_AT,
                         .p_filesz = n * sizeof *d,
                         .p_memsz = n * sizeof *d };
    if (w->interpreter) {
        strcpy((char *)out->bytes + INTERP_AT, w->interpreter);
        p[2] = (Elf64_Phdr){ .p_type = PT_INTERP,
                             .p_offset = INTERP_AT,
                             .p_filesz = strlen(w->interpreter) + 1 };
    }
}

static inline int elf_write(const char *path, const struct elf_wish *w)
{
    struct elf_made made;
    FILE *f = fopen(path, "we");
    elf_make(&made, w);
    const int whole = f && fwrite(made.bytes, 1, made.len, f) == made.len;
    return (f ? fclose(f) : -1) == 0 && whole ? 0 : -1;
}

#endif
