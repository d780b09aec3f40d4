/* tally.c - see tally.h. */
#include "tally.h"

#include <stdio.h>
#include <string.h>

void tally_init(struct tally *t)
{
    memset(t, 0, sizeof *t);
    t->late_least = INT64_MAX;
}

void tally_set_origin(struct tally *t, int64_t us)
{
    t->late.origin = us;
    t->has_origin = true;
}

void tally_restart(struct tally *t)
{
    const int64_t origin = t->late.origin;

    for (size_t i = 0; i < t->n_tracks; i++) {
        t->track[i].count = (struct course_count){ 0 };
        t->track[i].bytes = t->track[i].given_up = 0;
    }
    memset(&t->late, 0, sizeof t->late);
    t->late.origin = origin;
    memset(t->path_bytes, 0, sizeof t->path_bytes);
}

int tally_track(struct tally *t, const char *name)
{
    for (size_t i = 0; i < t->n_tracks; i++)
        if (strcmp(t->track[i].name, name) == 0)
            return (int)i;
    if (t->n_tracks == MSF_TRACKS_MAX)
        return -1;
    snprintf(t->track[t->n_tracks].name, sizeof t->track[0].name, "%s", name);
    return (int)t->n_tracks++;
}

void tally_object(struct tally *t, int track, struct course *course, uint64_t group,
                  uint64_t object, size_t bytes)
{
    board_note(&t->board[track], group, object);
    course_object(course, &t->board[track], group, object, &t->track[track].count);
    t->track[track].bytes += bytes;
}

void tally_late(struct tally *t, int64_t us)
{
    if (us < t->late_least)
        t->late_least = us;
    histogram_add(&t->late, us);
}

static void add_reason(struct tally *t, const char *text, uint64_t n)
{
    struct tally_reason *r = t->reason;

    while (r < &t->reason[TALLY_REASONS_MAX - 1] && r->n > 0 && strcmp(r->text, text) != 0)
        r++;
    if (r->n == 0)
        snprintf(r->text, sizeof r->text, "%s", text);
    r->n += n;
}

void tally_fail(struct tally *t, const char *reason)
{
    t->failed++;
    add_reason(t, reason, 1);
}

static void merge_track(struct tally *into, const struct tally_track *from)
{
    const int i = tally_track(into, from->name);

    if (i < 0)
        return;
    struct tally_track *t = &into->track[i];
    t->count.objects += from->count.objects;
    t->count.missing += from->count.missing;
    t->count.stale += from->count.stale;
    t->bytes += from->bytes;
    t->given_up += from->given_up;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->begun += from->begun;
    into->connected += from->connected;
    into->watching += from->watching;
    into->left += from->left;
    into->failed += from->failed;
    for (size_t i = 0; i < TALLY_REASONS_MAX; i++)
        if (from->reason[i].n > 0)
            add_reason(into, from->reason[i].text, from->reason[i].n);
    for (size_t i = 0; i < from->n_tracks; i++)
        merge_track(into, &from->track[i]);
    if (from->has_origin)
        tally_set_origin(into, from->late.origin);
    if (from->late_least < into->late_least)
        into->late_least = from->late_least;
    histogram_merge(&into->late, &from->late);
    histogram_merge(&into->connect, &from->connect);
    histogram_merge(&into->first, &from->first);
    for (size_t i = 0; i < ARGS_PATHS_MAX; i++)
        into->path_bytes[i] += from->path_bytes[i];
}

int64_t tally_late_share(const struct tally *t, double share)
{
    return t->late.n == 0 ? 0 : histogram_share(&t->late, share) - t->late_least;
}

struct course_count tally_objects(const struct tally *t, uint64_t *bytes, uint64_t *given_up)
{
    struct course_count sum = { 0 };

    *bytes = *given_up = 0;
    for (size_t i = 0; i < t->n_tracks; i++) {
        sum.objects += t->track[i].count.objects;
        sum.missing += t->track[i].count.missing;
        sum.stale += t->track[i].count.stale;
        *bytes += t->track[i].bytes;
        *given_up += t->track[i].given_up;
    }
    return sum;
}
