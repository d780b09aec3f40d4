/* shift.c - see shift.h. */
#include "shift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_US 700000 /* the timeline, while the next stretch is not in it */

struct held {
    struct held *next;
    struct moq_object obj; /* points behind itself */
    int64_t pts;
};

struct lane { /* one track */
    struct shift_track track;
    struct moq_fetch *fetch; /* under way; NULL: none */
    struct held *first, **last;
    struct moq_location next; /* behind the last object that came */
    bool done;                /* LAST: the last of it was asked for */
};

enum state { IDLE, LOOKING, STRETCH, TAIL, LAST };

struct shift {
    struct moq_session *moq;
    char ns[1024], name[MSF_NAME_MAX], name_sound[MSF_NAME_MAX];
    const struct shift_handler *handler;
    void *user;
    struct lane lane[SHIFT_TRACKS_MAX];
    size_t n, base; /* of the lanes: the one of the base layer */
    struct timeline line, line_sound;
    struct moq_fetch *look, *look_sound;
    enum state state;
    int64_t target; /* LOOKING: media time that is wanted */
    int64_t newest; /* of what was received of the base */
    uint64_t group; /* of the stretch, its first */
    uint64_t live; /* LAST: the group that is live is sent by itself; up to it the past is wanted */
    bool is_last;  /* the newest group: nothing says yet where it ends */
    bool joins;    /* no place was wished for: whatever comes first will do */
    uint64_t asked_at, looked_at, now;
    size_t held_bytes;
};

/* ---- what waits ---- */

static void drop_held(struct shift *s, struct lane *l)
{
    while (l->first) {
        struct held *h = l->first;
        l->first = h->next;
        s->held_bytes -= h->obj.payload.len;
        free(h);
    }
    l->last = &l->first;
}

static void hold(struct shift *s, struct lane *l, const struct moq_object *obj, int64_t pts)
{
    struct held *h = malloc(sizeof *h + obj->payload.len + obj->properties.len);
    if (!h)
        return;
    uint8_t *bytes = (uint8_t *)(h + 1);
    *h = (struct held){ .obj = *obj, .pts = pts };
    memcpy(bytes, obj->payload.bytes, obj->payload.len);
    if (obj->properties.len)
        memcpy(bytes + obj->payload.len, obj->properties.bytes, obj->properties.len);
    h->obj.payload.bytes = bytes;
    h->obj.properties.bytes = bytes + obj->payload.len;
    *l->last = h;
    l->last = &h->next;
    s->held_bytes += obj->payload.len;
}

/* The lane whose first object comes first; NULL: nothing waits. */
static struct lane *earliest(struct shift *s)
{
    struct lane *least = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (s->lane[i].first && (!least || s->lane[i].first->pts < least->first->pts))
            least = &s->lane[i];
    return least;
}

static void give_out(struct shift *s, int64_t until)
{
    struct lane *l;
    while (s->state != IDLE && (l = earliest(s)) &&
           (l->first->pts <= until || s->held_bytes > SHIFT_HELD_BYTES_MAX)) {
        struct held *h = l->first;
        l->first = h->next;
        if (!l->first)
            l->last = &l->first;
        s->held_bytes -= h->obj.payload.len;
        if (s->state != LAST || l->track.sound || h->obj.group < s->live)
            s->handler->on_object(s->user, (size_t)(l - s->lane), &h->obj);
        free(h);
    }
}

/* ---- asking ---- */

static int fetch(struct shift *s, const char *track, struct moq_location start, uint64_t last_group,
                 uint8_t priority, struct moq_fetch **out)
{
    struct moq_fetch_options o;
    struct moq_name name;
    moq_fetch_options_init(&o);
    o.start = start;
    o.end = (struct moq_location){ last_group, 0 };
    o.priority = priority;
    int result = moq_name_from_text(&name, s->ns, track);
    return result == 0 ? moq_fetch(s->moq, &name, &o, s, out) : result;
}

void shift_look(struct shift *s)
{
    const struct moq_location all = { 0, 0 };
    s->looked_at = s->now;
    if (!s->look && fetch(s, s->name, all, UINT64_MAX >> 2, 0, &s->look) != 0)
        s->look = NULL;
    if (*s->name_sound && !s->look_sound &&
        fetch(s, s->name_sound, all, UINT64_MAX >> 2, 0, &s->look_sound) != 0)
        s->look_sound = NULL;
}

static void stop_fetches(struct shift *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct moq_fetch *f = s->lane[i].fetch;
        s->lane[i].fetch = NULL;
        if (f)
            moq_fetch_abort(f, MOQ_STREAM_CANCELLED);
        drop_held(s, &s->lane[i]);
    }
}

static void fail(struct shift *s, const char *why)
{
    if (s->state == IDLE)
        return;
    s->state = IDLE;
    stop_fetches(s);
    s->handler->on_failed(s->user, why);
}

/* The sound of the stretch: from what is heard with its first picture to what is with its last. */
static void ask_for_sound(struct shift *s, struct lane *l, int64_t from, int64_t to)
{
    const struct timeline *t = &s->line_sound;
    if (t->n == 0)
        return;
    struct moq_location start = { t->entry[timeline_at(t, from)].group, 0 };
    const uint64_t last = to < INT64_MAX ? t->entry[timeline_at(t, to)].group : UINT64_MAX >> 2;
    if (start.group < l->next.group)
        start = l->next;
    if (start.group <= last)
        (void)fetch(s, l->track.name, start, last, l->track.priority, &l->fetch);
}

/* Ask for entry `i` of the timeline, which begins a stretch. */
static void ask_for_stretch(struct shift *s, size_t i)
{
    const struct timeline_entry *e = &s->line.entry[i];
    s->is_last = i + 1 == s->line.n;
    s->group = e->group;
    s->asked_at = s->now;
    s->state = STRETCH;
    const uint64_t last = s->is_last ? UINT64_MAX >> 2 : e[1].group - 1;
    for (size_t k = 0; k < s->n; k++) {
        struct lane *l = &s->lane[k];
        if (l->track.sound) {
            ask_for_sound(s, l, e->pts_us, s->is_last ? INT64_MAX : e[1].pts_us);
            continue;
        }
        const struct moq_location start = { e->group, 0 };
        if (fetch(s, l->track.name, start, last, l->track.priority, &l->fetch) != 0 &&
            l->track.base) {
            fail(s, "the past cannot be asked for");
            return;
        }
    }
    if (s->is_last && s->state == STRETCH) {
        s->state = TAIL;
        s->handler->on_tail(s->user);
    }
}

/* What the newest group has had since it was last asked for. */
static void ask_for_more(struct shift *s)
{
    s->asked_at = s->now;
    for (size_t k = 0; k < s->n; k++) {
        struct lane *l = &s->lane[k];
        if (!l->track.sound && !l->fetch && l->next.group >= s->group)
            (void)fetch(s, l->track.name, l->next, UINT64_MAX >> 2, l->track.priority, &l->fetch);
    }
}

/* The timeline has come: there is a stretch to ask for, or not yet. */
static void go_on(struct shift *s)
{
    if (s->line.n == 0) {
        if (s->state == LOOKING)
            fail(s, "the server keeps nothing of this broadcast");
        return;
    }
    if (s->state == LOOKING) {
        const size_t at = timeline_at(&s->line, s->target);
        s->target = s->newest = s->line.entry[at].pts_us;
        ask_for_stretch(s, at);
        return;
    }
    if (s->state != STRETCH)
        return;
    const uint64_t had =
        s->lane[s->base].next.group > s->group ? s->lane[s->base].next.group : s->group;
    const size_t i = timeline_of_group(&s->line, had + 1);
    if (i < s->line.n)
        ask_for_stretch(s, i);
}

/* LAST: what the lane has not had of the groups before the live one. False: that is asked for. */
static bool is_done(struct shift *s, struct lane *l)
{
    if (l->fetch)
        return false;
    if (l->done || l->track.sound || l->next.group < s->group || l->next.group >= s->live)
        return true;
    l->done = true; /* afterwards */
    return fetch(s, l->track.name, l->next, s->live - 1, l->track.priority, &l->fetch) != 0;
}

/* LAST: it is over once each lane has what was before the live group. */
static void end_past(struct shift *s)
{
    bool done = true;

    give_out(s, INT64_MAX);
    for (size_t i = 0; i < s->n && s->state == LAST; i++)
        done = is_done(s, &s->lane[i]) && done;
    if (done && s->state == LAST)
        s->state = IDLE;
}

static bool is_asking(const struct shift *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->lane[i].fetch)
            return true;
    return false;
}

/* ---- from outside ---- */

int shift_seek(struct shift *s, int64_t pts_us)
{
    stop_fetches(s);
    for (size_t i = 0; i < s->n; i++)
        s->lane[i].next = (struct moq_location){ 0 };
    s->state = LOOKING;
    s->target = s->newest = pts_us;
    s->joins = pts_us == INT64_MAX;
    if (s->line.n > 0 && !s->look && !s->look_sound && s->now - s->looked_at < LOOK_AGAIN_US) {
        go_on(s); /* it was asked a moment ago */
        return s->state == IDLE ? MOQ_ERR_STATE : 0;
    }
    shift_look(s);
    if (s->look)
        return 0;
    s->state = IDLE;
    return MOQ_ERR_STATE;
}

void shift_stop(struct shift *s)
{
    s->state = IDLE;
    stop_fetches(s);
}

bool shift_is_idle(const struct shift *s)
{
    return s->state == IDLE;
}

bool shift_window(const struct shift *s, int64_t *from_us, int64_t *to_us)
{
    if (s->line.n == 0)
        return false;
    *from_us = s->line.entry[0].pts_us;
    *to_us = s->line.entry[s->line.n - 1].pts_us;
    return true;
}

void shift_tick(struct shift *s, int64_t position_us, uint64_t now)
{
    s->now = now;
    if (s->state == IDLE || s->state == LOOKING)
        return;
    if (s->state == LAST) {
        end_past(s);
        return;
    }
    if (position_us < s->target)
        position_us = s->target; /* nothing of the new place is shown yet */
    give_out(s, position_us + SHIFT_AHEAD_US);
    if (s->state == IDLE || is_asking(s))
        return;
    const bool near = s->newest - position_us < SHIFT_NEAR_US;
    if (s->state == TAIL && now - s->asked_at >= (near ? SHIFT_TAIL_NEAR_US : SHIFT_TAIL_US))
        ask_for_more(s);
    if (s->state == STRETCH && s->newest < position_us + 2 * SHIFT_AHEAD_US) {
        go_on(s);
        if (s->state == STRETCH && !is_asking(s) && now - s->looked_at >= LOOK_AGAIN_US)
            shift_look(s);
    }
}

void shift_live_key(struct shift *s, uint64_t group)
{
    if (s->state == IDLE || s->state == LAST)
        return;
    const bool nothing = s->state == LOOKING || s->lane[s->base].next.group < s->group;
    if (nothing && !s->joins)
        return; /* that place was wished for */
    if (nothing) {
        shift_stop(s);
    } else {
        s->state = LAST;
        s->live = group;
        for (size_t i = 0; i < s->n; i++)
            s->lane[i].done = false;
        end_past(s); /* what has come is before what is live */
    }
    s->handler->on_over(s->user);
}

void shift_on_object(struct shift *s, struct moq_fetch *f, const struct moq_object *obj)
{
    const char *json = (const char *)obj->payload.bytes;
    if (f == s->look)
        (void)timeline_read(&s->line, json, obj->payload.len);
    if (f == s->look_sound)
        (void)timeline_read(&s->line_sound, json, obj->payload.len);
    for (size_t i = 0; i < s->n; i++) {
        struct lane *l = &s->lane[i];
        if (l->fetch != f)
            continue;
        const int64_t pts = s->handler->pts_of(s->user, i, obj);
        l->next = (struct moq_location){ obj->group, obj->object + 1 };
        if (pts >= 0 && obj->payload.len > 0)
            hold(s, l, obj, pts);
        if (l->track.base && pts > s->newest)
            s->newest = pts;
    }
    if (s->state == LAST)
        give_out(s, INT64_MAX);
}

/* True: it was one of the timelines. */
static bool forget(struct shift *s, struct moq_fetch *f)
{
    const bool look = f == s->look || f == s->look_sound;
    s->look = f == s->look ? NULL : s->look;
    s->look_sound = f == s->look_sound ? NULL : s->look_sound;
    for (size_t i = 0; i < s->n; i++)
        if (s->lane[i].fetch == f)
            s->lane[i].fetch = NULL;
    return look;
}

void shift_on_done(struct shift *s, struct moq_fetch *f)
{
    if (forget(s, f) && !s->look && !s->look_sound)
        go_on(s);
    if (s->state == LAST)
        end_past(s);
}

void shift_on_refused(struct shift *s, struct moq_fetch *f, uint64_t code, const char *reason)
{
    const bool base = s->n > 0 && s->lane[s->base].fetch == f, looked = f == s->look;
    char why[160];
    forget(s, f);
    if (s->state == LAST) {
        end_past(s);
        return;
    }
    if (code == MOQ_REQ_INVALID_RANGE && !looked)
        return; /* nothing there, or nothing yet */
    if (!base && !looked) {
        if (!s->look && s->state == LOOKING)
            go_on(s); /* without sound */
        return;
    }
    snprintf(why, sizeof why, "the server does not give the past: %.100s", reason);
    fail(s, why);
}

/* ---- life ---- */

const char *shift_timeline_of(const struct msf_catalog *c, const char *role)
{
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        const int of = strcmp(t->packaging, "mediatimeline") == 0 && t->n_depends == 1
                           ? msf_track_find(c, t->depends[0])
                           : -1;
        if (of >= 0 && strcmp(c->tracks[of].role, role) == 0)
            return t->name;
    }
    return NULL;
}

int shift_new(struct shift **out, struct moq_session *moq, const char *ns,
              const struct shift_handler *handler, void *user)
{
    struct shift *s = calloc(1, sizeof *s);
    if (!s)
        return MOQ_ERR_NOMEM;
    s->moq = moq;
    s->handler = handler;
    s->user = user;
    snprintf(s->ns, sizeof s->ns, "%s", ns);
    *out = s;
    return 0;
}

void shift_set_timelines(struct shift *s, const char *timeline, const char *timeline_sound)
{
    snprintf(s->name, sizeof s->name, "%s", timeline);
    snprintf(s->name_sound, sizeof s->name_sound, "%s", timeline_sound ? timeline_sound : "");
    if (!timeline_sound)
        timeline_fini(&s->line_sound);
}

void shift_set_tracks(struct shift *s, const struct shift_track *track, size_t n)
{
    s->n = n < SHIFT_TRACKS_MAX ? n : SHIFT_TRACKS_MAX;
    for (size_t i = 0; i < s->n; i++) {
        s->lane[i] = (struct lane){ .track = track[i] };
        s->lane[i].last = &s->lane[i].first;
        if (track[i].base)
            s->base = i;
    }
}

void shift_free(struct shift *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        drop_held(s, &s->lane[i]);
    timeline_fini(&s->line);
    timeline_fini(&s->line_sound);
    free(s);
}
