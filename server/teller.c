/* teller.c - see teller.h. */
#include "teller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tvl/select.h>

struct teller_choice {
    uint32_t path;
    tvl_time at;
    const char *from; /* static */
    char reason[TVL_REASON_MAX];
};

struct teller_asked {
    struct moq_sending *sending;
    char ns[VIEW_NS_MAX];
    tvl_time told_at; /* 0: not yet */
    bool hurry;
    struct snapshot_session was; /* when it was told; counts where it was */
    struct live_stats live_was;
    bool has_live;
    uint64_t run; /* view.id of the counters in `was`; 0: none */
};

void teller_fini(struct teller *t)
{
    free(t->asked);
    free(t->choice);
    *t = (struct teller){ 0 };
}

/* ---- controllers ---- */

static struct teller_choice *choice_of(const struct teller *t, uint32_t path)
{
    for (size_t i = 0; i < t->n_choices; i++)
        if (t->choice[i].path == path)
            return &t->choice[i];
    return NULL;
}

/* A place for the path: path IDs are not used again, so the oldest is of one that is over. */
static struct teller_choice *place_for(struct teller *t, uint32_t path)
{
    struct teller_choice *c = choice_of(t, path);
    if (c)
        return c;
    if (t->n_choices < SNAPSHOT_PATHS_MAX) {
        c = realloc(t->choice, (t->n_choices + 1u) * sizeof *c);
        if (!c)
            return NULL;
        t->choice = c;
        return &t->choice[t->n_choices++];
    }
    c = t->choice;
    for (size_t i = 1; i < t->n_choices; i++)
        if (t->choice[i].path < c->path)
            c = &t->choice[i];
    return c;
}

void teller_chosen(struct teller *t, const struct tvl_event *ev, tvl_time now)
{
    struct teller_choice *c = place_for(t, ev->controller.id);
    if (!c)
        return;
    *c =
        (struct teller_choice){ .path = ev->controller.id, .at = now, .from = ev->controller.from };
    memcpy(c->reason, ev->controller.reason, sizeof c->reason);
    teller_hurry(t);
}

void teller_hurry(struct teller *t)
{
    if (t->asked)
        t->asked->hurry = true;
}

/* ---- the subscription ---- */

void teller_subscribe(struct teller *t, struct moq_sending *s, const char *ns)
{
    if (t->asked) {
        (void)moq_reject(s, MOQ_REQ_DUPLICATE_SUBSCRIPTION, "subscribed already");
        return;
    }
    t->asked = calloc(1, sizeof *t->asked);
    if (!t->asked || moq_accept(s, NULL, (struct moq_bytes){ 0 }) < 0) {
        free(t->asked);
        t->asked = NULL;
        (void)moq_reject(s, MOQ_REQ_INTERNAL, "cannot accept");
        return;
    }
    moq_sending_set_user(s, NULL);
    t->asked->sending = s;
    snprintf(t->asked->ns, sizeof t->asked->ns, "%s", ns);
}

bool teller_cancelled(struct teller *t, const struct moq_sending *s)
{
    if (!t->asked || t->asked->sending != s)
        return false;
    teller_forget(t);
    return true;
}

void teller_forget(struct teller *t)
{
    free(t->asked);
    t->asked = NULL;
}

void teller_done(struct teller *t, uint64_t status, const char *reason)
{
    if (t->asked)
        (void)moq_done(t->asked->sending, status, reason);
    teller_forget(t);
}

/* ---- telling ---- */

const char *teller_due(const struct teller *t, tvl_time now)
{
    const struct teller_asked *a = t->asked;
    if (!a || now < a->told_at + (a->hurry ? TELLER_SOON_US : TELLER_PERIOD_US) ||
        !moq_sending_options(a->sending)->forward)
        return NULL;
    return a->ns;
}

static void explain(const struct teller *t, const struct tvl_conn *conn,
                    const struct tvl_path_stats *path, tvl_time now, struct session_reason *out)
{
    struct tvl_select_row row[TVL_SELECT_MAX];
    const struct teller_choice *c = choice_of(t, path->id);
    *out = (struct session_reason){ .ago = SESSION_TRACK_NEVER };
    if (c) {
        out->from = c->from;
        out->ago = now - c->at;
        memcpy(out->text, c->reason, sizeof out->text);
    } else if (tvl_path_explain(conn, path->id, row, out->text, sizeof out->text) == 0) {
        out->text[0] = 0;
    }
}

/* What is queued takes as long as the policy thinks. */
static uint32_t queue_us(const struct tvl_conn *conn, uint64_t sure_bps)
{
    const uint64_t bytes = tvl_backlog(conn, UINT64_MAX);
    const uint64_t us = !bytes ? 0 : sure_bps ? bytes * 8 * 1000000 / sure_bps : UINT32_MAX;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* For what is of the broadcast. */
static void add_watch(struct session_view *v, const struct teller_asked *a, const struct watch *w)
{
    const struct follow *f = w ? w->follow : NULL;
    if (!f || !w->view)
        return;
    v->tracks = &w->view->tracks;
    v->needed_bps = f->needed_bps;
    v->policy = &w->sender.policy;
    v->live = f->has_live ? &f->live : NULL;
    v->live_was = a->has_live && f->has_live ? &a->live_was : NULL;
}

static void remember(struct teller_asked *a, const struct snapshot_session *is,
                     const struct watch *w, tvl_time now)
{
    const struct follow *f = w ? w->follow : NULL;
    a->was = *is;
    a->hurry = a->told_at == 0; /* the first has no rates yet */
    a->told_at = now;
    a->has_live = f && f->has_live;
    if (a->has_live)
        a->live_was = f->live;
    a->run = w && w->view ? w->view->id : 0;
}

void teller_tell(struct teller *t, const struct snapshot_session *is, const struct watch *w,
                 const struct watch_way *way, bool chooses, tvl_time now)
{
    struct teller_asked *a = t->asked;
    struct session_reason reason[SNAPSHOT_PATHS_MAX];
    struct tvl_conn_stats stats;
    size_t len;
    tvl_conn_get_stats(way->conn, &stats);
    for (size_t i = 0; i < is->n_paths; i++)
        explain(t, way->conn, &is->path[i], now, &reason[i]);
    for (size_t i = 0; chooses && i < is->n_paths; i++)
        if (!*reason[i].text)
            snprintf(reason[i].text, sizeof reason[i].text, "to begin with; none was chosen yet");
    if (a->told_at && a->run != (w && w->view ? w->view->id : 0))
        a->was.n_tracks = 0; /* they counted something else */
    struct session_view v = { .ns = a->ns,
                              .is = is,
                              .was = a->told_at ? &a->was : NULL,
                              .now = now,
                              .span = a->told_at ? now - a->told_at : 0,
                              .sure_bps = stats.sure_bps,
                              .queue_us = queue_us(way->conn, stats.sure_bps),
                              .reason = reason };
    v.connection_len = tvl_conn_original_id(way->conn, v.connection);
    add_watch(&v, a, w);
    char *json = session_track_json(&v, &len);
    if (json) {
        const struct moq_object obj = { .group = t->group++,
                                        .priority = SESSION_TRACK_PRIORITY,
                                        .payload = { (const uint8_t *)json, len } };
        wire_aim(way->wire, TELLER_FLOW);
        (void)moq_object_write(a->sending, &obj, TELLER_LIVES_US); /* else the next one says it */
        free(json);
    }
    remember(a, is, w, now);
}
