/* timeline.c - see timeline.h. */
#include "timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUPS_MAX 200000 /* looked at: more than an hour of sound */
#define ENTRY_MAX 80      /* bytes: three numbers of at most 20 digits */

/* Those far enough apart, in place: how many. */
static size_t thin(struct window_time *t, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (kept == 0 || t[i].pts - t[kept - 1].pts >= TIMELINE_APART_US ||
            t[i].pts < t[kept - 1].pts)
            t[kept++] = t[i];
    return kept;
}

static size_t print(const struct window_time *t, size_t n, char *out, size_t cap)
{
    const size_t step = n / TIMELINE_ENTRIES_MAX + 1;
    size_t at = (size_t)snprintf(out, cap, "[");

    for (size_t i = 0; i < n; i += step)
        at += (size_t)snprintf(out + at, cap - at, "%s[%" PRId64 ",[%" PRIu64 ",0],%" PRIu64 "]",
                               i ? "," : "", t[i].pts / 1000, t[i].group, t[i].wall_ms);
    return at + (size_t)snprintf(out + at, cap - at, "]");
}

char *timeline_make(struct window *w, size_t of, size_t *len)
{
    struct window_time *t = malloc(GROUPS_MAX * sizeof *t);
    char *out = NULL;

    if (!t)
        return NULL;
    const size_t n = thin(t, window_groups(w, of, t, GROUPS_MAX));
    const size_t cap =
        (n < TIMELINE_ENTRIES_MAX ? n : TIMELINE_ENTRIES_MAX) * ENTRY_MAX + ENTRY_MAX;
    out = malloc(cap);
    if (out)
        *len = print(t, n, out, cap);
    free(t);
    return out;
}
