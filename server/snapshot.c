/* snapshot.c - see snapshot.h. */
#include "snapshot.h"

#include <stdlib.h>

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->session);
    free(s->source);
    free(s);
}
