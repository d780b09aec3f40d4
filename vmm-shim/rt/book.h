/*
 * book.h - what all slices of a host have been promised: ROOT/admission.json, one entry a slice.
 *
 *     open (locks, reads, forgets keepers that died) ─► held ─► decide ─► write ─► close (unlocks)
 *
 * Held for milliseconds; other keepers wait meanwhile. Errors: 0, or -1 and one line in `why`.
 */
#ifndef VMM_BOOK_H
#define VMM_BOOK_H

#include "rt/admit.h"

#include <jansson.h>
#include <sys/types.h>

struct vmm_book {
    char path[VMM_PATH_MAX];
    int lock;
    json_t *slices;         /* of others, as read */
    struct vmm_claim *held; /* theirs */
    size_t n_held;
};

/* The entry of `slice` is left out. A book that cannot be read is begun anew. */
int vmm_book_open(struct vmm_book *b, const char *root, const char *slice, char *why,
                  size_t why_size);
/* Writes what the others have and, where n > 0, an entry of `slice` held by this process. */
int vmm_book_write(struct vmm_book *b, const char *slice, const struct vmm_claim *own, size_t n,
                   char *why, size_t why_size);
/* Legal after a failed open. */
void vmm_book_close(struct vmm_book *b);

#endif
