/* viewer.c - see viewer.h. */
#include "viewer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "clock.h"
#include "log.h"
#include "relay_thin.h"
#include "teller.h"

struct asked {               /* a FETCH of what the main loop has not told us about yet */
    struct moq_fetch *fetch; /* NULL: free */
    struct watch *watch;
    struct moq_fetch_options options;
    char name[MSF_NAME_MAX];
};

struct viewer {
    const struct viewer_host *host;
    struct moq_session *moq;
    struct wire wire;
    struct watch_way way;
    struct access_session *access;           /* NULL: not connected yet, or gone */
    struct watch *watch[VIEWER_WATCHES_MAX]; /* NULL: free */
    struct past past;
    struct asked *asked; /* VIEWER_ASKED_MAX of them, NULL before the first */
    uint8_t last;        /* the one that was asked for last */
    tvl_time since, checked;
    uint64_t publish_until_ms; /* of access_now_ms(); 0: it was never allowed to */
    bool setup, closing;
    struct relay_member relay;
    struct teller teller;
};

#define TOKEN_CACHE 8192  /* bytes of tokens that a peer may register */
#define CHECK_US 1000000u /* between looks at what has run out */

/* ---- what it watches ---- */

/* "a/b". False: too long for any of ours, or not to be told from another when written so. */
static bool write_ns(char *out, size_t size, const struct moq_name *name)
{
    size_t at = 0;
    for (size_t i = 0; i < name->n_ns; i++) {
        const struct moq_bytes f = name->ns[i];
        if (f.len == 0 || memchr(f.bytes, '/', f.len) || memchr(f.bytes, 0, f.len) ||
            at + 1 + f.len >= size)
            return false;
        if (i > 0)
            out[at++] = '/';
        memcpy(out + at, f.bytes, f.len);
        at += f.len;
    }
    out[at] = 0;
    return at > 0;
}

static bool has_asked(const struct viewer *v, const struct watch *w)
{
    for (size_t i = 0; v->asked && i < VIEWER_ASKED_MAX; i++)
        if (v->asked[i].fetch && v->asked[i].watch == w)
            return true;
    return false;
}

/* A place for one more: free, or of one that is over. VIEWER_WATCHES_MAX: none. */
static size_t find_place(struct viewer *v)
{
    size_t idle = VIEWER_WATCHES_MAX;
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        if (!v->watch[i])
            return i;
        if (watch_is_idle(v->watch[i]) && !has_asked(v, v->watch[i]))
            idle = i;
    }
    if (idle < VIEWER_WATCHES_MAX) {
        wire_forget(&v->wire, (uint8_t)idle);
        watch_free(v->watch[idle]);
        v->watch[idle] = NULL;
    }
    return idle;
}

/* NULL: there is no room for it. */
static struct watch *watch_of(struct viewer *v, const char *ns)
{
    for (uint8_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        if (v->watch[i] && strcmp(v->watch[i]->ns, ns) == 0) {
            v->last = i;
            return v->watch[i];
        }
    }
    const size_t place = find_place(v);
    if (place == VIEWER_WATCHES_MAX)
        return NULL;
    v->last = (uint8_t)place;
    v->watch[place] = watch_new(&v->way, v, (uint8_t)place, ns, v->since);
    return v->watch[place];
}

/* What it had of `w` is over. */
static void note_end(struct viewer *v, const struct watch *w)
{
    struct moq_name name;
    if (v->access && moq_name_from_text(&name, w->ns, "") == 0)
        access_done(v->access, ACCESS_SUBSCRIBE, &name, watch_bytes(w),
                    clock_now_us() - w->granted_at, NULL);
}

static void leave_if_idle(struct viewer *v, struct watch *w)
{
    struct follow *f = w->follow;
    if (!f || !watch_is_idle(w) || has_asked(v, w))
        return;
    note_end(v, w);
    watch_part(w);
    v->host->left(v->host->user, f);
}

static void tell_watched(const struct viewer *v, const struct watch *w, int track)
{
    if (track >= 0 && w->view->tracks.track[track].kind != TRACK_CATALOG)
        v->host->watched(v->host->user, w->follow, (size_t)track);
}

/* The session must end: `a` says so. */
static void turn_out(struct viewer *v, const struct access_verdict *a)
{
    viewer_close(v, a->close_code, a->reason, v->wire.tvl.now);
}

static void turn_out_if(struct viewer *v, const struct access_verdict *a)
{
    if (!a->allowed && a->close)
        turn_out(v, a);
}

/* With the tokens of the message that is being read. False: refused, to be answered; then
 * turn_out_if. */
static bool may(struct viewer *v, enum access_action action, const struct moq_name *name,
                struct access_verdict *a)
{
    const struct moq_token *tokens;
    const size_t n = moq_tokens(v->moq, &tokens);
    if (!v->access)
        *a = (struct access_verdict){ .request_code = MOQ_REQ_UNAUTHORIZED };
    else
        access_request(v->access, action, name, tokens, n, a);
    return a->allowed;
}

static bool may_watch(struct viewer *v, const struct moq_name *name, struct access_verdict *a)
{
    return may(v, ACCESS_SUBSCRIBE, name, a);
}

static bool may_publish(struct viewer *v, const struct moq_name *name, struct access_verdict *a)
{
    if (!may(v, ACCESS_PUBLISH, name, a))
        return false;
    if (a->until_ms > v->publish_until_ms)
        v->publish_until_ms = a->until_ms;
    return true;
}

static void subscribe_ours(struct viewer *v, struct moq_sending *s, const struct moq_name *name,
                           uint64_t until_ms)
{
    char ns[VIEW_NS_MAX];
    if (!write_ns(ns, sizeof ns, name)) {
        moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "no such namespace here");
        return;
    }
    struct watch *w = watch_of(v, ns);
    if (!w) {
        moq_reject(s, MOQ_REQ_EXCESSIVE_LOAD, "too many namespaces in one session");
        return;
    }
    if (!w->follow) {
        struct follow *f = v->host->follow(v->host->user, ns);
        if (!f) {
            moq_reject(s, MOQ_REQ_INTERNAL, "out of memory");
            return;
        }
        watch_join(w, f);
    }
    watch_grant(w, until_ms, v->wire.tvl.now);
    tell_watched(v, w, watch_subscribe(w, s, &name->track));
    leave_if_idle(v, w);
}

/* ---- what it is told about itself ---- */

static const struct watch *watching(const struct viewer *v, const char *ns)
{
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++)
        if (v->watch[i] && strcmp(v->watch[i]->ns, ns) == 0 && !watch_is_idle(v->watch[i]))
            return v->watch[i];
    return NULL;
}

/* It gets something of that namespace, ours or another's. */
static bool gets(const struct viewer *v, const char *ns)
{
    struct moq_name name;
    return watching(v, ns) ||
           (moq_name_from_text(&name, ns, "") == 0 && relay_takes(&v->relay, &name));
}

static bool is_session_track(const struct moq_name *name)
{
    return name->track.len == strlen(TRACKS_SESSION) &&
           memcmp(name->track.bytes, TRACKS_SESSION, name->track.len) == 0;
}

/* Made here, whoever the namespace is of: what another says of its own session would be wrong. */
static void subscribe_session(struct viewer *v, struct moq_sending *s, const struct moq_name *name)
{
    char ns[VIEW_NS_MAX];
    if (!moq_namespace_text(name, ns, sizeof ns) || !gets(v, ns))
        (void)moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "nothing of that namespace is subscribed to");
    else
        teller_subscribe(&v->teller, s, ns);
}

static void tell_session(struct viewer *v, tvl_time now)
{
    const char *ns = teller_due(&v->teller, now);
    struct snapshot_session is;
    if (!ns)
        return;
    if (!gets(v, ns)) {
        teller_done(&v->teller, MOQ_DONE_SUBSCRIPTION_ENDED, "nothing is subscribed to any more");
        return;
    }
    const struct watch *w = watching(v, ns);
    viewer_snapshot(v, now, &is);
    is.top = -1;
    is.n_tracks = 0;
    if (w)
        watch_snapshot(w, &is);
    teller_tell(&v->teller, &is, w, &v->way, v->host->chooses, now);
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct viewer *v = user;
    struct access_verdict a;
    if (!may_watch(v, name, &a)) {
        if (a.retry_ms)
            (void)moq_reject_for_now(s, a.request_code, a.reason, a.retry_ms);
        else
            (void)moq_reject(s, a.request_code, a.reason);
        turn_out_if(v, &a);
        return;
    }
    if (is_session_track(name))
        subscribe_session(v, s, name);
    else if (!relay_subscribe(&v->relay, s, name, o, a.until_ms))
        subscribe_ours(v, s, name, a.until_ms);
}

void viewer_subscribe_ours(void *user, struct relay_member *m, struct moq_sending *s,
                           const struct moq_name *name, uint64_t until_ms)
{
    (void)user;
    subscribe_ours(m->user, s, name, until_ms);
}

/* Forward on again is as good as a new subscription; a new group may be asked for. */
static void begin_anew(const struct viewer *v, struct subscription *sub,
                       const struct moq_subscribe_options *o)
{
    const struct watch *w = sub->watch;
    const bool on = o->forward && !sub->forward;
    sub->forward = o->forward;
    if (sub->track < 0 || !w->follow)
        return;
    if (on)
        tell_watched(v, w, sub->track);
    if (o->has_new_group && (o->new_group == 0 || !w->follow->has_largest[sub->track] ||
                             w->follow->largest[sub->track].group < o->new_group))
        v->host->anew(v->host->user, w->follow, (size_t)sub->track);
}

/* A newer token may come with an update: what it grants lasts longer. */
static void on_update(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    struct viewer *v = user;
    struct subscription *sub = moq_sending_user(s);
    const struct moq_token *tokens;
    struct access_verdict a;
    struct moq_name name;
    if (sub)
        begin_anew(v, sub, o);
    else
        relay_updated(&v->relay, s, o);
    if (moq_tokens(v->moq, &tokens) == 0)
        return;
    if (sub ? moq_name_from_text(&name, sub->watch->ns, "") < 0
            : !relay_sending_name(&v->relay, s, &name))
        return;
    if (!may_watch(v, &name, &a))
        turn_out_if(v, &a);
    else if (sub)
        watch_grant(sub->watch, a.until_ms, v->wire.tvl.now);
    else
        relay_grant(&v->relay, s, a.until_ms);
}

/* ---- the past ---- */

/* Fetches that waited for `w`: answered, where it has a view now, or refused. */
static void settle_asked(struct viewer *v, struct watch *w)
{
    for (size_t i = 0; v->asked && i < VIEWER_ASKED_MAX; i++) {
        struct asked *a = &v->asked[i];
        struct moq_fetch *f = a->fetch;
        if (!f || a->watch != w)
            continue;
        a->fetch = NULL;
        if (w->follow && w->view)
            watch_fetch(w, &v->past, f, a->name, &a->options);
        else
            moq_fetch_reject(f, MOQ_REQ_DOES_NOT_EXIST, "no such namespace here");
    }
}

static struct asked *place_to_ask(struct viewer *v)
{
    if (!v->asked)
        v->asked = calloc(VIEWER_ASKED_MAX, sizeof *v->asked);
    for (size_t i = 0; v->asked && i < VIEWER_ASKED_MAX; i++)
        if (!v->asked[i].fetch)
            return &v->asked[i];
    return NULL;
}

static void on_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o)
{
    struct viewer *v = user;
    struct access_verdict verdict;
    char ns[VIEW_NS_MAX];
    if (!may_watch(v, name, &verdict)) {
        moq_fetch_reject(f, verdict.request_code, verdict.reason);
        turn_out_if(v, &verdict);
        return;
    }
    if (relay_fetch(&v->relay, f, name, o))
        return;
    struct asked *a = place_to_ask(v);
    if (!write_ns(ns, sizeof ns, name) || name->track.len >= sizeof a->name) {
        moq_fetch_reject(f, MOQ_REQ_DOES_NOT_EXIST, "no such track here");
        return;
    }
    struct watch *w = a ? watch_of(v, ns) : NULL;
    if (w && !w->follow) {
        struct follow *follow = v->host->follow(v->host->user, ns);
        if (follow)
            watch_join(w, follow);
    }
    if (w)
        watch_grant(w, verdict.until_ms, v->wire.tvl.now);
    if (!w || !w->follow) {
        moq_fetch_reject(f, MOQ_REQ_EXCESSIVE_LOAD, "too much at once");
        return;
    }
    *a = (struct asked){ .fetch = f, .watch = w, .options = *o };
    memcpy(a->name, name->track.bytes, name->track.len);
    if (w->follow->view)
        settle_asked(v, w);
    leave_if_idle(v, w);
}

static void on_fetch_cancelled(void *user, struct moq_fetch *f)
{
    struct viewer *v = user;
    for (size_t i = 0; v->asked && i < VIEWER_ASKED_MAX; i++)
        if (v->asked[i].fetch == f)
            v->asked[i].fetch = NULL;
    past_cancelled(&v->past, f);
}

static uint64_t queued(void *ctx, uint64_t stream)
{
    const struct viewer *v = ctx;
    struct tvl_stream_stats stats;
    if (tvl_stream_get_stats(v->way.conn, stream, &stats) < 0)
        return 0;
    return stats.written - stats.acked;
}

void viewer_over(struct watch *w)
{
    settle_asked(w->owner, w);
}

void viewer_shown(struct watch *w)
{
    struct viewer *v = w->owner;
    const uint32_t accepted = watch_shown(w);
    settle_asked(v, w);
    for (int i = 0; i < TRACKS_MAX; i++)
        if ((accepted >> i & 1) != 0)
            tell_watched(v, w, i);
    leave_if_idle(v, w);
}

static void on_cancelled(void *user, struct moq_sending *s)
{
    struct viewer *v = user;
    struct subscription *sub = moq_sending_user(s);
    if (!sub) {
        if (!teller_cancelled(&v->teller, s))
            (void)relay_cancelled(&v->relay, s);
        return;
    }
    struct watch *w = sub->watch;
    watch_cancelled(sub);
    leave_if_idle(user, w);
}

static void forget_all(struct viewer *v)
{
    for (size_t i = 0; v->asked && i < VIEWER_ASKED_MAX; i++)
        v->asked[i].fetch = NULL;
    past_fini(&v->past);
    teller_forget(&v->teller);
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        if (!v->watch[i])
            continue;
        watch_forget(v->watch[i]);
        leave_if_idle(v, v->watch[i]);
    }
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct viewer *v = user;
    const struct moq_token *tokens;
    struct access_verdict a;
    const size_t n = moq_tokens(v->moq, &tokens);
    (void)path;
    (void)authority;
    v->setup = true;
    if (v->access)
        access_setup(v->access, tokens, n, &a);
    if (v->access && !a.allowed) {
        turn_out(v, &a);
        return;
    }
    log_line(LOG_INFO, "viewer %llu: session is up", (unsigned long long)viewer_id(v));
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct viewer *v = user;
    v->closing = true;
    forget_all(v);
    /* Of those who never had anything there may be very many: access sums them up. */
    log_line(code == MOQ_NO_ERROR || !viewer_watch(v) ? LOG_INFO : LOG_WARN,
             "viewer %llu: session over (0x%llx) %s", (unsigned long long)viewer_id(v),
             (unsigned long long)code, reason ? reason : "");
}

/* ---- what it publishes, and asks of others' ---- */

static void on_publish(void *user, struct moq_subscription *s, const struct moq_name *name,
                       const struct moq_publish_options *o)
{
    struct viewer *v = user;
    struct access_verdict a;
    if (may_publish(v, name, &a)) {
        relay_offered(&v->relay, s, name, o);
        return;
    }
    (void)moq_publish_reject(s, a.request_code, a.reason);
    turn_out_if(v, &a);
}

static void on_subscribed(void *user, struct moq_subscription *s, const struct moq_location *l)
{
    (void)user;
    relay_subscribed(s, l);
}

static void on_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    (void)user;
    relay_rejected(s, code, reason);
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    (void)user;
    relay_object(s, obj);
}

static void on_subgroup_end(void *user, struct moq_subscription *s, uint64_t group,
                            uint64_t subgroup, bool whole)
{
    (void)user;
    relay_subgroup_ended(s, group, subgroup, whole);
}

static void on_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    (void)user;
    relay_done(s, status, reason);
}

static void on_request(void *user, struct moq_request *r, const struct moq_name *name)
{
    struct viewer *v = user;
    const bool publishes = moq_request_kind(r) == MOQ_REQUEST_PUBLISH_NAMESPACE;
    struct access_verdict a;
    if (publishes ? may_publish(v, name, &a) : may_watch(v, name, &a)) {
        relay_request(&v->relay, r, name);
        return;
    }
    (void)moq_request_reject(r, a.request_code, a.reason);
    turn_out_if(v, &a);
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    struct viewer *v = user;
    (void)code;
    (void)reason;
    relay_request_end(&v->relay, r);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_closed = on_closed,
    .on_subscribe = on_subscribe,
    .on_update = on_update,
    .on_cancelled = on_cancelled,
    .on_fetch = on_fetch,
    .on_fetch_cancelled = on_fetch_cancelled,
    .on_publish = on_publish,
    .on_subscribed = on_subscribed,
    .on_rejected = on_rejected,
    .on_object = on_object,
    .on_subgroup_end = on_subgroup_end,
    .on_done = on_done,
    .on_request = on_request,
    .on_request_end = on_request_end,
};

/* ---- events ---- */

/* Something arrives: help will, too. */
static void tell_missed(const struct viewer *v, struct watch *w)
{
    const uint8_t missed = watch_take_missed(w);
    if (missed < SVC_SPATIAL_MAX && w->follow && w->view->coded)
        v->host->missed(v->host->user, w, missed);
}

static void end_of_stream(struct viewer *v, const struct tvl_event *ev, tvl_time now)
{
    const uint64_t stream = ev->stream.id;
    const struct wire_flight *f = wire_end(&v->wire, stream);
    if (f && f->watch >= RELAY_THIN_WATCH) {
        relay_stream_ended(&v->relay, f, ev->type == TVL_EVENT_STREAM_EXPIRED, now);
        return;
    }
    struct watch *w = f ? v->watch[f->watch] : NULL;
    if (!w)
        return;
    if (ev->type == TVL_EVENT_STREAM_EXPIRED) {
        watch_expired(w, f, stream, now);
    } else {
        watch_acked(w, f, stream, now);
        tell_missed(v, w);
    }
}

static void connected(struct viewer *v, tvl_time now)
{
    struct tvl_path_stats path;
    struct access_verdict a;
    const struct access_peer peer = { .id = v->way.id,
                                      .remote = &path.remote,
                                      .subject = tvl_conn_peer_subject(v->way.conn) };
    memset(&path, 0, sizeof path);
    (void)tvl_paths(v->way.conn, &path, 1);
    v->wire.tvl.now = now;
    v->access = access_join(v->host->access, &peer, now, &a);
    if (!v->access)
        turn_out(v, &a);
    else if (moq_session_start(v->moq) < 0)
        viewer_close(v, MOQ_INTERNAL_ERROR, "cannot start the session", now);
}

void viewer_on_event(struct viewer *v, const struct tvl_event *ev, tvl_time now)
{
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        connected(v, now);
        break;
    case TVL_EVENT_PATH:
        teller_hurry(&v->teller);
        for (size_t i = 0; ev->path.state == TVL_PATH_UP && i < VIEWER_WATCHES_MAX; i++)
            if (v->watch[i])
                watch_path_up(v->watch[i], now);
        break;
    case TVL_EVENT_CONTROLLER:
        teller_chosen(&v->teller, ev, now);
        log_line(LOG_INFO, "viewer %llu: path %u: %s -> %s: %s", (unsigned long long)viewer_id(v),
                 ev->controller.id, ev->controller.from, ev->controller.to, ev->controller.reason);
        break;
    case TVL_EVENT_STREAM_EXPIRED:
    case TVL_EVENT_STREAM_ACKED:
        end_of_stream(v, ev, now);
        past_pump(&v->past);
        break;
    default:
        break;
    }
    moq_tvl_on_event(&v->wire.tvl, v->moq, ev, now);
}

/* Tokens run out. */
static void check_access(struct viewer *v, tvl_time now)
{
    const uint64_t wall_ms = access_now_ms();
    struct access_verdict a;
    v->checked = now;
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        if (!v->watch[i] || watch_is_idle(v->watch[i]) || v->watch[i]->until_ms > wall_ms)
            continue;
        watch_done(v->watch[i], MOQ_DONE_UNAUTHORIZED, "the token has expired");
        leave_if_idle(v, v->watch[i]);
    }
    relay_expire(&v->relay, wall_ms);
    access_check(v->access, &a);
    if (!a.allowed)
        turn_out(v, &a);
    else if (v->publish_until_ms > 0 && v->publish_until_ms <= wall_ms)
        viewer_close(v, MOQ_EXPIRED_AUTH_TOKEN, "the right to publish has expired", now);
}

void viewer_tick(struct viewer *v, tvl_time now)
{
    v->wire.tvl.now = now;
    moq_session_tick(v->moq, now);
    past_pump(&v->past);
    if (!v->closing)
        tell_session(v, now);
    if (v->access && !v->closing && now >= v->checked + CHECK_US)
        check_access(v, now);
}

void viewer_ask_to_leave(struct viewer *v, uint64_t patience_ms)
{
    if (v->setup && !v->closing)
        (void)moq_goaway(v->moq, NULL, patience_ms);
}

/* ---- life ---- */

int viewer_new(struct viewer **out, const struct viewer_host *host, uint64_t id,
               struct tvl_conn *conn, tvl_time now)
{
    static const struct moq_session_config cfg = { .server = true,
                                                   .implementation = "svc-server " TVL_VERSION,
                                                   .token_cache = TOKEN_CACHE };
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return -1;
    struct moq_quic quic;
    v->host = host;
    v->since = now;
    v->way = (struct watch_way){
        .conn = conn, .wire = &v->wire, .id = id, .policy_log = host->policy_log
    };
    v->past = (struct past){ .queued = queued, .ctx = v };
    wire_init(&v->wire, conn, &quic);
    v->wire.tvl.now = now;
    if (moq_session_new(&v->moq, &cfg, &quic, &handler, v) < 0) {
        free(v);
        return -1;
    }
    relay_join(host->relay, &v->relay, id, v->moq, conn, v);
    v->relay.wire = &v->wire;
    *out = v;
    return 0;
}

void viewer_gone(struct viewer *v, const char *reason, tvl_time now)
{
    struct tvl_conn_stats stats;
    v->closing = true;
    forget_all(v);
    if (!v->access) {
        access_missed(v->host->access);
        return;
    }
    tvl_conn_get_stats(v->way.conn, &stats);
    access_leave(v->access, stats.bytes_sent, stats.bytes_received, reason, now);
    v->access = NULL;
}

void viewer_free(struct viewer *v)
{
    if (!v)
        return;
    v->closing = true;
    forget_all(v);
    access_leave(v->access, 0, 0, "the server has stopped", clock_now_us());
    tvl_conn_set_user(v->way.conn, NULL);
    relay_part(&v->relay);
    moq_session_free(v->moq);
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++)
        watch_free(v->watch[i]);
    wire_fini(&v->wire);
    teller_fini(&v->teller);
    free(v->asked);
    free(v);
}

void viewer_done(struct viewer *v, uint64_t status, const char *reason)
{
    teller_done(&v->teller, status, reason);
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        if (!v->watch[i])
            continue;
        watch_done(v->watch[i], status, reason);
        leave_if_idle(v, v->watch[i]);
    }
}

void viewer_close(struct viewer *v, uint64_t code, const char *reason, tvl_time now)
{
    if (v->closing)
        return;
    v->closing = true;
    v->wire.tvl.now = now;
    forget_all(v);
    if (v->setup)
        moq_session_close(v->moq, code, reason);
    else
        tvl_close(v->way.conn, code, reason, now);
}

/* ---- what is known of it ---- */

uint64_t viewer_id(const struct viewer *v)
{
    return v->way.id;
}

const struct tvl_conn *viewer_conn(const struct viewer *v)
{
    return v->way.conn;
}

const struct watch *viewer_watch(const struct viewer *v)
{
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++)
        if (v->watch[i] && !watch_is_idle(v->watch[i]))
            return v->watch[i];
    return v->watch[v->last];
}

void viewer_snapshot(const struct viewer *v, tvl_time now, struct snapshot_session *out)
{
    const struct watch *w = viewer_watch(v);
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(v->way.conn, &stats);
    *out = (struct snapshot_session){ .id = v->way.id,
                                      .age_us = now - v->since,
                                      .backlog_bytes = tvl_backlog(v->way.conn, UINT64_MAX),
                                      .rate_bps = stats.rate_bps,
                                      .sent_bytes = stats.bytes_sent,
                                      .resent_bytes = stats.stream_bytes_resent,
                                      .multipath = stats.multipath,
                                      .loss = stats.loss,
                                      .top = -1 };
    snprintf(out->implementation, sizeof out->implementation, "%s",
             moq_peer_implementation(v->moq));
    if (v->access)
        snprintf(out->subject, sizeof out->subject, "%s", access_subject(v->access));
    out->n_paths = tvl_paths(v->way.conn, out->path, SNAPSHOT_PATHS_MAX);
    if (out->n_paths > 0)
        address_text(&out->path[0].remote, out->remote);
    out->publishes = relay_describe(&v->relay, out->ns, sizeof out->ns);
    if (w)
        watch_snapshot(w, out);
}

void viewer_total(const struct viewer *v, struct snapshot_totals *sum)
{
    struct tvl_conn_stats stats;
    struct tvl_path_stats paths[TVL_PATHS_MAX];
    tvl_conn_get_stats(v->way.conn, &stats);
    sum->sent_bytes += stats.bytes_sent;
    sum->received_bytes += stats.bytes_received;
    sum->resent_bytes += stats.stream_bytes_resent;
    const size_t n = tvl_paths(v->way.conn, paths, TVL_PATHS_MAX);
    for (size_t i = 0; i < n; i++) {
        sum->packets_sent += paths[i].packets_sent;
        sum->packets_lost += paths[i].packets_lost;
    }
    for (size_t i = 0; i < VIEWER_WATCHES_MAX; i++) {
        for (size_t t = 0; v->watch[i] && t < TRACKS_MAX; t++) {
            const struct watch_count *c = &v->watch[i]->count[t];
            sum->units_offered += c->offered;
            sum->units_sent += c->fate[WATCH_SENT];
            sum->units_dropped_broken += c->fate[WATCH_DROP_BROKEN];
            sum->units_dropped_rate += c->fate[WATCH_DROP_RATE];
            sum->units_dropped_queue += c->fate[WATCH_DROP_QUEUE];
            sum->units_dropped_full += c->fate[WATCH_DROP_FULL];
            sum->units_expired += c->fate[WATCH_EXPIRED];
        }
    }
}
