/* view.h - a link's state and counts as JSON: the answer to "stats". */
#ifndef VLINK_VIEW_H
#define VLINK_VIEW_H

#include <jansson.h>

#include "net_link.h"

/* The caller's; NULL: no memory. */
json_t *vlink_view_link(const struct net_link *n);

#endif
