/*
 * closure.h - a program and all that it needs to run in a guest: the loader, the libraries, theirs.
 *
 * Libraries are looked for as ld.so(8) does: DT_RPATH, DT_RUNPATH, the folders of ld.so.conf, the
 * usual ones; for another architecture in Debian's cross and multiarch folders and in a sysroot.
 * In the guest, which has no ld.so.cache, each goes to its system's usual folder under the name it
 * is asked for. What a program opens later by dlopen() is not seen: name such files in `files`.
 */
#ifndef VMM_IMAGE_CLOSURE_H
#define VMM_IMAGE_CLOSURE_H

#include "topology/topology.h"

#define CLOSURE_MAX 1024             /* files of one node */
#define CLOSURE_ELF_MAX (512u << 20) /* bytes of a program or library */

struct closure_item {
    char from[VMM_PATH_MAX], to[VMM_PATH_MAX];
    bool loader; /* runs programs; libraries that name it mean the one that runs */
};

struct closure {
    struct closure_item *item; /* libraries and loaders, each once */
    size_t n;
    const char *arch;    /* Debian's; programs for another are refused */
    const char *sysroot; /* where to look first for its libraries; NULL: nowhere. Borrowed */
};

void closure_init(struct closure *c, const char *arch, const char *sysroot);
void closure_fini(struct closure *c);

/*
 * Adds what `program` (a path of the host) needs, not itself. A file that is neither ELF nor a
 * script needs nothing. -1: a library is not there, or it is damaged or for another architecture.
 */
int closure_add(struct closure *c, const char *program, char *why, size_t why_size);

#endif
