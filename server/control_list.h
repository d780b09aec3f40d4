/* control_list.h - which sessions a list shows: searched, sorted, one page of them. Pure. */
#ifndef SERVER_CONTROL_LIST_H
#define SERVER_CONTROL_LIST_H

#include "control_view.h"

#define LIST_SEARCH_MAX 256
#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 1000

struct list_query {
    char search[LIST_SEARCH_MAX]; /* in what names a session; case does not matter; "": all */
    const struct list_order *order;
    bool descending;
    size_t limit, offset; /* [1, LIST_LIMIT_MAX], [0, ...) */
};

void list_query_init(struct list_query *q); /* all, by ID */
/* One of "q", "sort" (a name, '-' before it: descending), "limit", "offset". 0, or -1: no such key,
 * or not such a value. */
int list_query_set(struct list_query *q, const char *key, const char *value);

struct list_page {
    size_t matched, n;                       /* of all; in `session` */
    const struct snapshot_session **session; /* owned by the page */
};

/* 0, or -1: no memory. */
int list_page(const struct list_query *q, const struct control_view *v, struct list_page *out);
void list_page_fini(struct list_page *p);

#endif
