/* control_view.c - see control_view.h. */
#include "control_view.h"

#include <stdlib.h>
#include <string.h>

static void moment_free(struct view_moment *m)
{
    snapshot_free(m->snapshot);
    free(m->sessions);
    *m = (struct view_moment){ 0 };
}

void view_init(struct control_view *v, const struct control_hooks *hooks)
{
    *v = (struct control_view){ .hooks = hooks };
}

void view_fini(struct control_view *v)
{
    moment_free(&v->now);
    moment_free(&v->before);
}

static int by_id(const void *a, const void *b)
{
    const struct snapshot_session *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static int moment_take(struct view_moment *m, const struct control_hooks *hooks)
{
    struct snapshot *s = hooks->snapshot ? hooks->snapshot(hooks->user) : NULL;
    if (!s)
        return -1;
    struct snapshot_session **list = calloc(s->n_sessions + 1, sizeof(struct snapshot_session *));
    if (!list) {
        snapshot_free(s);
        return -1;
    }
    for (size_t i = 0; i < s->n_sessions; i++)
        list[i] = &s->session[i];
    qsort(list, s->n_sessions, sizeof(struct snapshot_session *), by_id);
    *m = (struct view_moment){ .snapshot = s, .sessions = list };
    return 0;
}

int view_refresh(struct control_view *v, uint64_t clock_us)
{
    if (v->now.snapshot && v->taken_us && clock_us - v->taken_us < VIEW_FRESH_US)
        return 0;
    struct view_moment taken;
    if (moment_take(&taken, v->hooks) < 0)
        return -1;
    const uint64_t up = taken.snapshot->up_us;
    if (v->now.snapshot && up - v->now.snapshot->up_us >= VIEW_APART_US) {
        moment_free(&v->before);
        v->before = v->now;
    } else {
        moment_free(&v->now);
    }
    if (v->before.snapshot && up - v->before.snapshot->up_us > VIEW_BEFORE_US)
        moment_free(&v->before);
    v->now = taken;
    v->taken_us = clock_us;
    return 0;
}

void view_forget(struct control_view *v)
{
    view_fini(v);
    v->taken_us = 0;
}

void view_expire(struct control_view *v)
{
    v->taken_us = 0;
}

const struct snapshot_session *view_session(const struct view_moment *m, uint64_t id)
{
    if (!m->snapshot)
        return NULL;
    const struct snapshot_session key = { .id = id }, *wanted = &key;
    struct snapshot_session *const *found =
        bsearch(&wanted, m->sessions, m->snapshot->n_sessions, sizeof *m->sessions, by_id);
    return found ? *found : NULL;
}

const struct snapshot_source *view_source(const struct view_moment *m, const char *ns)
{
    for (size_t i = 0; m->snapshot && i < m->snapshot->n_sources; i++)
        if (strcmp(m->snapshot->source[i].ns, ns) == 0)
            return &m->snapshot->source[i];
    return NULL;
}

const struct tvl_path_stats *view_path(const struct snapshot_session *s, uint32_t id)
{
    for (size_t i = 0; s && i < s->n_paths; i++)
        if (s->path[i].id == id)
            return &s->path[i];
    return NULL;
}

const struct snapshot_track *view_track(const struct snapshot_session *s, uint8_t track)
{
    for (size_t i = 0; s && i < s->n_tracks; i++)
        if (s->track[i].track == track)
            return &s->track[i];
    return NULL;
}

uint64_t view_span(const struct control_view *v)
{
    return v->now.snapshot && v->before.snapshot
               ? v->now.snapshot->up_us - v->before.snapshot->up_us
               : 0;
}
