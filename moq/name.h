/* name.h - full track names on the wire and in memory (draft-18 "Track Naming"). */
#ifndef MOQ_NAME_H
#define MOQ_NAME_H

#include "wire.h"

/* Borrow from the reader's input; the reader fails on an empty field or a name too large. */
void moq_name_read(struct moq_reader *r, struct moq_name *name);
void moq_name_write(struct moq_writer *w, const struct moq_name *name);
/* The same of a namespace alone; `track` is empty. */
void moq_namespace_read(struct moq_reader *r, struct moq_name *name);
void moq_namespace_write(struct moq_writer *w, const struct moq_name *name);
/* Whether the limits hold: fields not empty, sums in bounds. */
bool moq_name_valid(const struct moq_name *name);

/* A name that is held: as on the wire, in our own (minimal) coding, so that equal names are equal
 * bytes. All zero: none. */
struct moq_kept_name {
    uint8_t *bytes; /* owned */
    size_t len;
};
int moq_name_keep(struct moq_kept_name *out, const struct moq_name *name); /* 0, MOQ_ERR_NOMEM */
void moq_kept_name_fini(struct moq_kept_name *k);
void moq_kept_name_get(const struct moq_kept_name *k, struct moq_name *out); /* borrows from `k` */
bool moq_kept_name_is(const struct moq_kept_name *k, const struct moq_name *name);
/* First field "." or ".session": of no meaning here (draft-18 "Reserved Namespaces"). */
bool moq_name_reserved(const struct moq_name *name);

#endif
