/* links.h - what vlink's "stats" say of links, for people: `link show` and `stats`. */
#ifndef VMM_LINKS_H
#define VMM_LINKS_H

#include <jansson.h>

/* `stats` is the keeper's answer; `only` NULL: all links. How many links were printed. */
int vmm_links_print(json_t *stats, const char *only);
/* The links alone, as JSON: one object if `only` names one. */
int vmm_links_json(json_t *stats, const char *only);

#endif
