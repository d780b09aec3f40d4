/* push.c - see push.h. */
#include "push.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/tvl.h>

#include "log.h"
#include "media.h"
#include "trunk.h"

#define BASE_LIVES 3 /* how many latencies an object of the base layer may take; others one */

struct sent { /* a subscription of the relay */
    struct push *push;
    struct moq_sending *sending; /* NULL: free */
    int track;                   /* -1: there is no run yet that has it or not */
    char name[MSF_NAME_MAX];
};

struct push {
    const struct config_push *cfg;
    struct trunk *trunk;
    struct broadcast *broadcast;
    struct broadcast_listener listener;
    char what[320];
    struct moq_request *announced; /* NULL: not now */
    struct sent sent[PUSH_TRACKS_MAX];
    size_t n_sent;
    bool holds; /* the broadcast is kept running */
    struct moq_location largest[TRACKS_MAX];
    bool has_largest[TRACKS_MAX];
};

/* ---- what the relay subscribes to ---- */

static void hold(struct push *p)
{
    const bool needed = p->n_sent > 0;
    if (needed == p->holds)
        return;
    p->holds = needed;
    if (needed)
        broadcast_hold(p->broadcast);
    else
        broadcast_release(p->broadcast);
}

static void forget(struct sent *s)
{
    s->sending = NULL;
    s->push->n_sent--;
}

static void send_catalog(const struct sent *s, const struct view *view)
{
    const struct moq_object obj = {
        .group = view->catalog_group,
        .payload = { (const uint8_t *)view->catalog, view->catalog_len },
    };
    (void)moq_object_write(s->sending, &obj, 0);
}

/* There is a run: the subscription is answered. */
static void answer(struct sent *s, const struct view *view)
{
    struct push *p = s->push;
    struct moq_sending *sending = s->sending;
    s->track = tracks_find(&view->tracks, s->name, strlen(s->name));
    if (s->track < 0) {
        forget(s);
        moq_reject(sending, MOQ_REQ_DOES_NOT_EXIST, "no such track");
        return;
    }
    const bool catalog = view->tracks.track[s->track].kind == TRACK_CATALOG;
    const struct moq_location *largest =
        !catalog && p->has_largest[s->track] ? &p->largest[s->track] : NULL;
    if (moq_accept(sending, largest, (struct moq_bytes){ 0 }) == 0 && catalog)
        send_catalog(s, view);
}

static bool is_ours(const struct push *p, const struct moq_name *name)
{
    struct moq_name ours;
    if (moq_name_from_text(&ours, p->cfg->ns, "") < 0)
        return false;
    ours.track = name->track;
    return moq_name_equal(&ours, name);
}

static void on_subscribe(void *user, struct moq_sending *sending, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct push *p = user;
    struct sent *s = NULL;
    (void)o;
    for (size_t i = 0; i < PUSH_TRACKS_MAX && !s; i++)
        if (!p->sent[i].sending)
            s = &p->sent[i];
    if (!is_ours(p, name) || name->track.len >= sizeof s->name) {
        moq_reject(sending, MOQ_REQ_DOES_NOT_EXIST, "no such track");
        return;
    }
    if (!s) {
        moq_reject(sending, MOQ_REQ_EXCESSIVE_LOAD, "too many tracks");
        return;
    }
    *s = (struct sent){ .push = p, .sending = sending, .track = -1 };
    memcpy(s->name, name->track.bytes, name->track.len);
    moq_sending_set_user(sending, s);
    p->n_sent++;
    hold(p); /* a run may begin here, and answer */
    if (s->sending && s->track < 0 && broadcast_view(p->broadcast))
        answer(s, broadcast_view(p->broadcast));
    hold(p);
}

static void on_cancelled(void *user, struct moq_sending *sending)
{
    struct sent *s = moq_sending_user(sending);
    if (s)
        forget(s);
    hold(user);
}

/* The catalog is all of the past that there is. */
static void on_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o)
{
    struct push *p = user;
    const struct view *view = broadcast_view(p->broadcast);
    const bool catalog = is_ours(p, name) && name->track.len == strlen(MSF_CATALOG_TRACK) &&
                         memcmp(name->track.bytes, MSF_CATALOG_TRACK, name->track.len) == 0;
    if (!catalog || !view || o->start.group > view->catalog_group) {
        moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "nothing of it is kept here");
        return;
    }
    const struct moq_object obj = {
        .group = view->catalog_group,
        .payload = { (const uint8_t *)view->catalog, view->catalog_len },
    };
    if (moq_fetch_accept(f, false, (struct moq_location){ view->catalog_group, 1 },
                         (struct moq_bytes){ 0 }) == 0 &&
        moq_fetch_write(f, &obj) == 0)
        (void)moq_fetch_end(f);
}

/* ---- the session there ---- */

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct push *p = user;
    (void)path;
    (void)authority;
    trunk_set_up(p->trunk);
}

static void on_up(void *user, struct moq_session *moq)
{
    struct push *p = user;
    struct moq_name ns;
    int rc = moq_name_from_text(&ns, p->cfg->ns, "");
    if (rc == 0)
        rc = moq_request(moq, MOQ_REQUEST_PUBLISH_NAMESPACE, &ns, p, &p->announced);
    if (rc < 0)
        log_line(LOG_WARN, "%s: PUBLISH_NAMESPACE: %s", p->what, moq_strerror(rc));
}

static void on_down(void *user, const char *why)
{
    struct push *p = user;
    (void)why;
    p->announced = NULL;
    for (size_t i = 0; i < PUSH_TRACKS_MAX; i++)
        p->sent[i].sending = NULL;
    p->n_sent = 0;
    hold(p);
}

static void on_request_ok(void *user, struct moq_request *r)
{
    const struct push *p = user;
    (void)r;
    log_line(LOG_INFO, "%s: published", p->what);
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    struct push *p = user;
    (void)r;
    p->announced = NULL;
    log_line(LOG_WARN, "%s: the relay does not take it (0x%llx) %s", p->what,
             (unsigned long long)code, reason);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_subscribe = on_subscribe,
    .on_cancelled = on_cancelled,
    .on_fetch = on_fetch,
    .on_request_ok = on_request_ok,
    .on_request_end = on_request_end,
};

/* ---- the broadcast ---- */

static void on_run(void *user, const struct view *view, const struct svc_stream_info *info)
{
    struct push *p = user;
    (void)info;
    memset(p->has_largest, 0, sizeof p->has_largest);
    for (size_t i = 0; i < PUSH_TRACKS_MAX; i++)
        if (p->sent[i].sending && p->sent[i].track < 0)
            answer(&p->sent[i], view);
    trunk_kick(p->trunk);
}

static uint64_t lifetime_of(const struct view *view, const struct media *m)
{
    const struct svc_layer layer = m->unit.layer;
    const bool base = !m->has_unit || (layer.spatial == 0 && layer.temporal == 0);
    return view->latency_us * (base ? BASE_LIVES : 1);
}

static void on_media(void *user, struct media *m)
{
    struct push *p = user;
    const struct moq_object *obj = &m->object.moq;
    const struct view *view = broadcast_view(p->broadcast);
    const struct tvl_conn *conn = trunk_conn(p->trunk);
    p->largest[m->object.track] = (struct moq_location){ obj->group, obj->object };
    p->has_largest[m->object.track] = true;
    if (!view || !conn || p->n_sent == 0 || tvl_backlog(conn, UINT64_MAX) > PUSH_BACKLOG_MAX)
        return;
    for (size_t i = 0; i < PUSH_TRACKS_MAX; i++)
        if (p->sent[i].sending && p->sent[i].track == (int)m->object.track)
            (void)moq_object_write(p->sent[i].sending, obj, lifetime_of(view, m));
    trunk_kick(p->trunk);
}

static void on_over(void *user, uint64_t status, const char *reason)
{
    struct push *p = user;
    for (size_t i = 0; i < PUSH_TRACKS_MAX; i++) {
        struct moq_sending *s = p->sent[i].sending;
        if (!s || p->sent[i].track < 0)
            continue; /* waits for the next run */
        forget(&p->sent[i]);
        (void)moq_done(s, status, reason);
    }
    hold(p);
    trunk_kick(p->trunk);
}

/* ---- life ---- */

int push_new(struct push **out, struct ev_loop *loop, const struct config_push *cfg,
             const struct config_transport *transport, struct broadcast *b, char *why,
             size_t why_size)
{
    struct push *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    p->cfg = cfg;
    p->broadcast = b;
    snprintf(p->what, sizeof p->what, "push %.100s to %.100s", cfg->ns, cfg->to);
    const struct trunk_config trunk = { .loop = loop,
                                        .what = p->what,
                                        .uri = cfg->to,
                                        .ca = cfg->ca,
                                        .token = cfg->token,
                                        .cc = transport->cc,
                                        .sched = transport->sched,
                                        .handler = &handler,
                                        .user = p,
                                        .on_up = on_up,
                                        .on_down = on_down };
    if (trunk_new(&p->trunk, &trunk, why, why_size) < 0) {
        free(p);
        return -1;
    }
    p->listener = (struct broadcast_listener){
        .on_run = on_run, .on_media = on_media, .on_over = on_over, .user = p
    };
    broadcast_listen(b, &p->listener);
    trunk_want(p->trunk, true);
    *out = p;
    return 0;
}

void push_free(struct push *p)
{
    if (!p)
        return;
    broadcast_unlisten(&p->listener);
    p->n_sent = 0;
    hold(p);
    trunk_free(p->trunk);
    free(p);
}
