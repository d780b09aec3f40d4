/* view.c - see view.h. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "window.h"

struct view *view_new(const struct view *head, const char *catalog, size_t catalog_len)
{
    struct view *v = malloc(sizeof *v + catalog_len);
    if (!v)
        return NULL;
    *v = *head;
    atomic_init(&v->refs, 1);
    if (v->window)
        window_ref(v->window);
    v->catalog_len = catalog_len;
    memcpy(v->catalog, catalog, catalog_len);
    return v;
}

struct view *view_ref(struct view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void view_unref(struct view *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    window_unref(v->window);
    free(v);
}
