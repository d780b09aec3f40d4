/* upstream.c - see upstream.h. */
#include "upstream.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "log.h"
#include "trunk.h"

#define SCHEME "moqt://"

struct pulled {
    LIST_ENTRY(pulled) link;
    struct upstream *upstream;
    uint64_t id;
    uint8_t *name; /* there, packed; owned */
    size_t name_len;
    struct moq_subscription *sub; /* NULL: not asked for now */
};

struct upstream {
    const struct config_source *cfg;
    struct ev_loop *loop;
    struct relay *relay;
    struct trunk *trunk;
    struct relay_local local;
    char what[320];
    size_t n_ns;    /* fields of the namespace here */
    const char *ns; /* there, "a/b" */
    LIST_HEAD(, pulled) pulled;
    size_t n_pulled;
    bool leaving; /* the server there will close: what ends now goes on with the next one */
    uint64_t objects, bytes;
    char why[TRUNK_WHY_MAX]; /* it is not up */
    ev_timer patience, linger;
};

/* ---- tracks ---- */

static void remove_pulled(struct pulled *p)
{
    LIST_REMOVE(p, link);
    p->upstream->n_pulled--;
    free(p->name);
    free(p);
}

static struct moq_subscribe_options options(void)
{
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_NONE; /* who subscribes here has one of his own */
    return o;
}

static void subscribe(struct pulled *p)
{
    struct upstream *u = p->upstream;
    const struct moq_subscribe_options o = options();
    struct moq_name name;
    int rc = moq_name_unpack(&name, p->name, p->name_len);
    if (rc == 0)
        rc = moq_subscribe(trunk_moq(u->trunk), &name, &o, p, &p->sub);
    if (rc == 0)
        return;
    const uint64_t id = p->id;
    log_line(LOG_WARN, "%s: SUBSCRIBE: %s", u->what, moq_strerror(rc));
    remove_pulled(p);
    relay_off(u->relay, id, MOQ_REQ_INTERNAL, "cannot be asked for");
}

/* The name there: its namespace instead of ours, then what follows. */
static int map_name(const struct upstream *u, const struct moq_name *name, struct pulled *p)
{
    struct moq_name there;
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    if (moq_name_from_text(&there, u->ns, "") < 0)
        return -1;
    for (size_t i = u->n_ns; i < name->n_ns && there.n_ns < MOQ_NAMESPACE_FIELDS_MAX; i++)
        there.ns[there.n_ns++] = name->ns[i];
    there.track = name->track;
    const int len = moq_name_pack(&there, packed, sizeof packed);
    p->name = len < 0 ? NULL : malloc((size_t)len);
    if (!p->name)
        return -1;
    memcpy(p->name, packed, (size_t)len);
    p->name_len = (size_t)len;
    return 0;
}

static void pull(void *user, uint64_t id, const struct moq_name *name)
{
    struct upstream *u = user;
    struct pulled *p = u->n_pulled < UPSTREAM_TRACKS_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p || map_name(u, name, p) < 0) {
        free(p);
        relay_off(u->relay, id, MOQ_REQ_EXCESSIVE_LOAD, "no room for another track");
        return;
    }
    p->upstream = u;
    p->id = id;
    LIST_INSERT_HEAD(&u->pulled, p, link);
    u->n_pulled++;
    ev_timer_stop(u->loop, &u->linger);
    if (trunk_moq(u->trunk)) {
        subscribe(p);
        trunk_kick(u->trunk);
        return;
    }
    if (!ev_is_active(&u->patience)) {
        ev_now_update(u->loop);
        ev_timer_set(&u->patience, UPSTREAM_PATIENCE_S, 0.);
        ev_timer_start(u->loop, &u->patience);
    }
    trunk_want(u->trunk, true);
}

static struct pulled *find_pulled(const struct upstream *u, uint64_t id)
{
    struct pulled *p;
    LIST_FOREACH(p, &u->pulled, link)
    {
        if (p->id == id)
            break;
    }
    return p;
}

static void anew(void *user, uint64_t id, uint64_t group)
{
    const struct upstream *u = user;
    const struct pulled *p = find_pulled(u, id);
    if (!p || !p->sub)
        return;
    struct moq_subscribe_options o = options();
    o.has_new_group = true;
    o.new_group = group;
    (void)moq_subscription_update(p->sub, &o);
    trunk_kick(u->trunk);
}

static void look_for_end(struct upstream *u)
{
    if (u->n_pulled > 0)
        return;
    ev_timer_stop(u->loop, &u->patience);
    ev_now_update(u->loop);
    ev_timer_set(&u->linger, UPSTREAM_LINGER_S, 0.);
    ev_timer_start(u->loop, &u->linger);
}

static void drop(void *user, uint64_t id)
{
    struct upstream *u = user;
    struct pulled *p = find_pulled(u, id);
    if (!p)
        return;
    if (p->sub) {
        moq_unsubscribe(p->sub);
        trunk_kick(u->trunk);
    }
    remove_pulled(p);
    look_for_end(u);
}

/* ---- the session there ---- */

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct upstream *u = user;
    (void)path;
    (void)authority;
    trunk_set_up(u->trunk);
}

static void on_up(void *user, struct moq_session *moq)
{
    struct upstream *u = user;
    struct pulled *p, *next;
    (void)moq;
    u->leaving = false;
    ev_timer_stop(u->loop, &u->patience);
    for (p = LIST_FIRST(&u->pulled); p; p = next) {
        next = LIST_NEXT(p, link);
        subscribe(p);
    }
}

static void on_down(void *user, const char *why)
{
    struct upstream *u = user;
    struct pulled *p;
    snprintf(u->why, sizeof u->why, "%s", why);
    LIST_FOREACH(p, &u->pulled, link)
    {
        p->sub = NULL;
    }
    if (u->n_pulled == 0 || ev_is_active(&u->patience))
        return;
    ev_now_update(u->loop);
    ev_timer_set(&u->patience, UPSTREAM_PATIENCE_S, 0.);
    ev_timer_start(u->loop, &u->patience);
}

static void on_subscribed(void *user, struct moq_subscription *sub, const struct moq_location *l)
{
    const struct upstream *u = user;
    const struct pulled *p = moq_subscription_user(sub);
    relay_on(u->relay, p->id, l, moq_subscription_properties(sub));
}

static void end_track(struct upstream *u, struct moq_subscription *sub, uint64_t code,
                      const char *reason)
{
    struct pulled *p = moq_subscription_user(sub);
    const uint64_t id = p->id;
    remove_pulled(p);
    relay_off(u->relay, id, code, reason);
    look_for_end(u);
}

static void on_rejected(void *user, struct moq_subscription *sub, uint64_t code, const char *reason)
{
    end_track(user, sub, code, reason);
}

static void on_done(void *user, struct moq_subscription *sub, uint64_t status, const char *reason)
{
    const struct upstream *u = user;
    struct pulled *p = moq_subscription_user(sub);
    if (u->leaving || status == MOQ_DONE_GOING_AWAY)
        p->sub = NULL; /* asked for again when the connection is back: on_up */
    else
        end_track(user, sub, status, reason);
}

static void on_goaway(void *user, struct moq_bytes uri, uint64_t timeout_ms)
{
    struct upstream *u = user;
    (void)uri;
    (void)timeout_ms;
    u->leaving = true;
}

static void on_object(void *user, struct moq_subscription *sub, const struct moq_object *obj)
{
    struct upstream *u = user;
    const struct pulled *p = moq_subscription_user(sub);
    u->objects++;
    u->bytes += obj->payload.len;
    relay_media(u->relay, p->id, obj);
}

static void on_subgroup_end(void *user, struct moq_subscription *sub, uint64_t group,
                            uint64_t subgroup, bool whole)
{
    const struct upstream *u = user;
    const struct pulled *p = moq_subscription_user(sub);
    relay_subgroup_end(u->relay, p->id, group, subgroup, whole);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_subscribed = on_subscribed,
    .on_rejected = on_rejected,
    .on_object = on_object,
    .on_subgroup_end = on_subgroup_end,
    .on_done = on_done,
    .on_goaway = on_goaway,
};

void upstream_snapshot(const struct upstream *u, struct snapshot_source *out)
{
    const bool up = trunk_moq(u->trunk) != NULL;
    *out = (struct snapshot_source){ .kind = "upstream",
                                     .state = up                ? SOURCE_RUNNING
                                              : u->n_pulled > 0 ? SOURCE_FAILED
                                                                : SOURCE_IDLE,
                                     .objects = u->objects,
                                     .bytes = u->bytes };
    snprintf(out->ns, sizeof out->ns, "%s", u->cfg->ns);
    if (out->state == SOURCE_FAILED)
        snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, u->why);
}

/* ---- life ---- */

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct upstream *u = timer->data;
    (void)loop;
    (void)events;
    if (trunk_moq(u->trunk))
        return;
    while (!LIST_EMPTY(&u->pulled)) {
        const uint64_t id = LIST_FIRST(&u->pulled)->id;
        remove_pulled(LIST_FIRST(&u->pulled));
        relay_lost(u->relay, id, "its server is not to be reached");
    }
    look_for_end(u);
}

static void on_linger(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct upstream *u = timer->data;
    (void)loop;
    (void)events;
    if (u->n_pulled == 0 && u->cfg->on_demand)
        trunk_want(u->trunk, false);
}

int upstream_new(struct upstream **out, struct ev_loop *loop, struct relay *relay,
                 const struct config_source *cfg, const struct config_transport *transport,
                 char *why, size_t why_size)
{
    struct moq_name ns;
    struct upstream *u = calloc(1, sizeof *u);
    const char *path = strchr(cfg->input + strlen(SCHEME), '/');
    if (!u || !path || moq_name_from_text(&ns, cfg->ns, "") < 0) {
        snprintf(why, why_size, "%s: %s", cfg->ns, u ? "not a namespace" : "out of memory");
        free(u);
        return -1;
    }
    snprintf(u->what, sizeof u->what, "upstream %.100s", cfg->input);
    u->cfg = cfg;
    u->loop = loop;
    u->relay = relay;
    u->n_ns = ns.n_ns;
    u->ns = path + 1;
    u->local = (struct relay_local){ .user = u, .pull = pull, .drop = drop, .anew = anew };
    LIST_INIT(&u->pulled);
    ev_timer_init(&u->patience, on_patience, 0., 0.);
    ev_timer_init(&u->linger, on_linger, 0., 0.);
    u->patience.data = u->linger.data = u;
    const struct trunk_config trunk = { .loop = loop,
                                        .what = u->what,
                                        .uri = cfg->input,
                                        .ca = cfg->ca,
                                        .token = cfg->token,
                                        .cc = transport->cc,
                                        .sched = transport->sched,
                                        .handler = &handler,
                                        .user = u,
                                        .on_up = on_up,
                                        .on_down = on_down };
    if (trunk_new(&u->trunk, &trunk, why, why_size) < 0) {
        free(u);
        return -1;
    }
    if (relay_publish(relay, &ns, &u->local) < 0) {
        snprintf(why, why_size, "%s: out of memory", cfg->ns);
        upstream_free(u);
        return -1;
    }
    if (!cfg->on_demand)
        trunk_want(u->trunk, true);
    *out = u;
    return 0;
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    relay_unpublish(u->relay, &u->local, "it is served no longer");
    ev_timer_stop(u->loop, &u->patience);
    ev_timer_stop(u->loop, &u->linger);
    while (!LIST_EMPTY(&u->pulled))
        remove_pulled(LIST_FIRST(&u->pulled));
    trunk_free(u->trunk);
    free(u);
}
