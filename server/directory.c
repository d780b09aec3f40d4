/* directory.c - see directory.h. */
#include "directory.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* a failed add leaves hh.tbl NULL */
#include <uthash.h>

struct entry {
    char *ns;
    struct broadcast *broadcast;
    UT_hash_handle hh; /* keeps their order, too */
};

struct directory {
    struct entry *entries;
};

struct directory *directory_new(void)
{
    return calloc(1, sizeof(struct directory));
}

static struct entry *find(const struct directory *d, const char *ns)
{
    struct entry *e;
    HASH_FIND_STR(d->entries, ns, e);
    return e;
}

static void drop(struct directory *d, struct entry *e)
{
    HASH_DEL(d->entries, e);
    free(e->ns);
    free(e);
}

void directory_free(struct directory *d)
{
    if (!d)
        return;
    while (d->entries)
        drop(d, d->entries);
    free(d);
}

int directory_add(struct directory *d, const char *ns, struct broadcast *b)
{
    if (find(d, ns))
        return -1;
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return -1;
    e->ns = strdup(ns);
    e->broadcast = b;
    if (e->ns)
        HASH_ADD_KEYPTR(hh, d->entries, e->ns, strlen(e->ns), e);
    if (e->ns && e->hh.tbl)
        return 0;
    free(e->ns);
    free(e);
    return -1;
}

void directory_remove(struct directory *d, const char *ns)
{
    struct entry *e = find(d, ns);
    if (e)
        drop(d, e);
}

struct broadcast *directory_find(const struct directory *d, const char *ns)
{
    const struct entry *e = find(d, ns);
    return e ? e->broadcast : NULL;
}

size_t directory_count(const struct directory *d)
{
    return HASH_COUNT(d->entries);
}

struct broadcast *directory_at(const struct directory *d, size_t i)
{
    const struct entry *e = d->entries;
    while (e && i-- > 0)
        e = e->hh.next;
    return e ? e->broadcast : NULL;
}
