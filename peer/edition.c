/* edition.c - see edition.h. */
#include "edition.h"

#include "log.h"

#include <stdlib.h>

struct edition *edition_read(const struct moq_object *obj, const struct subscription_wish *wish)
{
    char why[200];
    struct edition *e = malloc(sizeof *e);
    if (!e)
        return NULL;
    e->group = obj->group;
    if (msf_catalog_read(&e->catalog, (const char *)obj->payload.bytes, obj->payload.len, why,
                         sizeof why) == 0 &&
        subscription_decide(&e->plan, &e->catalog, wish, why, sizeof why) == 0)
        return e;
    log_text(LOG_LEVEL_WARN, "a later catalog is left out: %s", why);
    free(e);
    return NULL;
}
