/* name.h - full track names on the wire and in memory (draft-18 "Track Naming"). */
#ifndef MOQ_NAME_H
#define MOQ_NAME_H

#include "wire.h"

/* Borrow from the reader's input; the reader fails on an empty field or a name too large. */
void moq_name_read(struct moq_reader *r, struct moq_name *name);
void moq_name_write(struct moq_writer *w, const struct moq_name *name);
/* Whether the limits hold: fields not empty, sums in bounds. */
bool moq_name_valid(const struct moq_name *name);
/* Deep copy; free(*storage) frees it. 0 or MOQ_ERR_NOMEM. */
int moq_name_copy(struct moq_name *out, uint8_t **storage, const struct moq_name *name);
/* First field "." or ".session": of no meaning here (draft-18 "Reserved Namespaces"). */
bool moq_name_reserved(const struct moq_name *name);

#endif
