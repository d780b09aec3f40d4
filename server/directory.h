/* directory.h - which namespace is which broadcast. On the main loop. */
#ifndef SERVER_DIRECTORY_H
#define SERVER_DIRECTORY_H

#include <stddef.h>

struct broadcast;
struct directory;

struct directory *directory_new(void);    /* NULL: no memory */
void directory_free(struct directory *d); /* not the broadcasts; NULL allowed */

/* `ns` is copied. 0, or -1: it is taken, or no memory. */
int directory_add(struct directory *d, const char *ns, struct broadcast *b);
void directory_remove(struct directory *d, const char *ns); /* one that is not there: nothing */
struct broadcast *directory_find(const struct directory *d, const char *ns); /* NULL: none */
size_t directory_count(const struct directory *d);
/* In the order in which they came: number `i` of directory_count. */
struct broadcast *directory_at(const struct directory *d, size_t i);

#endif
