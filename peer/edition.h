/* edition.h - a later edition of a broadcast's catalog, and what of it is wished for. */
#ifndef PEER_EDITION_H
#define PEER_EDITION_H

#include "subscription.h"

#include <moq/moq.h>

struct edition {
    uint64_t group; /* of the catalog's track: rises */
    struct msf_catalog catalog;
    struct subscription_plan plan;
};

/* The caller's, to free(). NULL: it is not understood, or nothing of it is wished for, which the
 * log says: then what was before holds. */
struct edition *edition_read(const struct moq_object *obj, const struct subscription_wish *wish);

#endif
