/*
 * needs.h - what a program or library asks of its loader: interpreter, libraries, where to look.
 *
 * Read by program headers alone, as the loader does; section headers may be gone. Pure: bytes in,
 * names out. The bytes may be anybody's: no offset in them is trusted.
 */
#ifndef VMM_IMAGE_NEEDS_H
#define VMM_IMAGE_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_NEEDED_MAX 256

struct elf_needs {
    unsigned machine;        /* e_machine */
    unsigned char bits;      /* ELFCLASS32, ELFCLASS64 */
    const char *interpreter; /* NULL: none. All strings are within the bytes given */
    const char *rpath, *runpath;
    const char *needed[ELF_NEEDED_MAX];
    size_t n_needed;
    bool dynamic; /* has a dynamic section */
};

enum elf_verdict {
    ELF_GOOD,
    ELF_NONE, /* no ELF at all: any other file */
    ELF_BAD,  /* begins like one and is damaged, or is no program or library */
};

/* The bytes need to stay while *out is used. */
enum elf_verdict needs_read(const uint8_t *bytes, size_t len, struct elf_needs *out);

#endif
