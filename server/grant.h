/*
 * grant.h - which namespaces a prefix covers: those that begin with its fields. "live" and "live/"
 * cover "live" and "live/a", not "lively"; "" covers all. A field with a '/' in it is covered by
 * no prefix that would have to name it.
 */
#ifndef SERVER_GRANT_H
#define SERVER_GRANT_H

#include <moq/moq.h>

bool grant_covers(const char *prefix, const struct moq_name *ns);
/* Fields joined by '/', what is not plain ASCII or would mislead as \xHH; cut to fit `size`. */
void grant_name_text(const struct moq_name *ns, char *out, size_t size);

#endif
