/*
 * test_relay.c - the relay as a whole without a network: two publishers and two subscribers, each a
 * session over a pipe, on two workers' halves; the main loop's half between them. What the clients
 * are told is written down, one line an event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <moq/loc.h>

#include "log.h"
#include "pipe.h"
#include "relay.h"
#include "relay_side.h"
#include "relay_thin.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define CLIENTS 4
#define WORKERS 2
#define LOG_MAX 8192
#define QUEUE_MAX 1024

enum { PUB, PUB2, SUB, SUB2 }; /* clients; PUB and SUB2 on worker 0, the others on worker 1 */

struct client {
    struct pipe pipe;
    struct moq_session *moq; /* the client's end */
    struct relay_member member;
    char log[LOG_MAX];
    size_t len;
    struct moq_request *request;
    struct moq_sending *sending;
    struct moq_subscription *sub;
    bool ours; /* the relay said: it is a broadcast of our own */
};

struct queued {
    bool up;
    unsigned worker;
    struct relay_note *note;
};

static struct world {
    struct relay *relay;
    struct relay_side *side[WORKERS];
    struct client client[CLIENTS];
    struct queued queue[QUEUE_MAX];
    size_t first, n;
    uint64_t backlog, rate_bps, now_us;
    struct wire wire; /* of SUB */
} w;

/* The relay's only word with the transport. */
uint64_t tvl_backlog(const struct tvl_conn *conn, uint64_t rank)
{
    (void)conn, (void)rank;
    return w.backlog;
}

void tvl_conn_get_stats(const struct tvl_conn *conn, struct tvl_conn_stats *out)
{
    (void)conn;
    *out = (struct tvl_conn_stats){ .rate_bps = w.rate_bps, .sure_bps = w.rate_bps };
}

/* Time of ours: the policy has patience. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    (void)id;
    *ts = (struct timespec){ .tv_sec = 1000 + (time_t)(w.now_us / 1000000),
                             .tv_nsec = (long)(w.now_us % 1000000) * 1000 };
    return 0;
}

void wire_note(struct wire *wire, uint8_t watch, size_t track, uint64_t picture)
{
    (void)wire, (void)watch, (void)track, (void)picture;
}

void log_line(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

/* ---- between the halves ---- */

static void put(bool up, unsigned worker, struct relay_note *n)
{
    assert_non_null(n);
    assert_true(w.n < QUEUE_MAX);
    w.queue[(w.first + w.n++) % QUEUE_MAX] = (struct queued){ up, worker, n };
}

static void post_down(void *user, unsigned worker, struct relay_note *n)
{
    (void)user;
    put(false, worker, n);
}

static void post_up(void *user, struct relay_note *n)
{
    put(true, (unsigned)(uintptr_t)user, n);
}

static bool is_ours(void *user, const char *ns)
{
    (void)user;
    return strcmp(ns, "own") == 0;
}

static bool is_publishable(void *user, const char *ns)
{
    (void)user;
    return strncmp(ns, "live", 4) == 0;
}

static void on_ours(void *user, struct relay_member *m, struct moq_sending *s,
                    const struct moq_name *name, uint64_t until_ms)
{
    (void)user, (void)name;
    assert_int_equal(until_ms, 77);
    ((struct client *)m->user)->ours = true;
    moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "ours");
}

/* Until nothing moves any more. */
static void settle(void)
{
    for (;;) {
        for (size_t i = 0; i < CLIENTS; i++)
            pipe_run(&w.client[i].pipe);
        if (w.n == 0)
            return;
        const struct queued q = w.queue[w.first];
        w.first = (w.first + 1) % QUEUE_MAX;
        w.n--;
        if (q.up)
            relay_read(w.relay, q.worker, q.note);
        else
            relay_side_read(w.side[q.worker], q.note);
        relay_note_free(q.note);
    }
}

/* ---- the server's ends: as viewer.c ---- */

static void s_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                        const struct moq_subscribe_options *o)
{
    struct client *c = user;
    if (!relay_subscribe(&c->member, s, name, o, 77))
        moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "not the relay's");
}

static void s_cancelled(void *user, struct moq_sending *s)
{
    assert_true(relay_cancelled(&((struct client *)user)->member, s));
}

static void s_publish(void *user, struct moq_subscription *s, const struct moq_name *name,
                      const struct moq_publish_options *o)
{
    relay_offered(&((struct client *)user)->member, s, name, o);
}

static void s_subscribed(void *user, struct moq_subscription *s, const struct moq_location *l)
{
    (void)user;
    relay_subscribed(s, l);
}

static void s_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    (void)user;
    relay_rejected(s, code, reason);
}

static void s_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    (void)user;
    relay_object(s, obj);
}

static void s_subgroup_end(void *user, struct moq_subscription *s, uint64_t group,
                           uint64_t subgroup, bool whole)
{
    (void)user;
    relay_subgroup_ended(s, group, subgroup, whole);
}

static void s_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    (void)user;
    relay_done(s, status, reason);
}

static void s_request(void *user, struct moq_request *r, const struct moq_name *name)
{
    relay_request(&((struct client *)user)->member, r, name);
}

static void s_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    (void)code, (void)reason;
    relay_request_end(&((struct client *)user)->member, r);
}

static void s_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                    const struct moq_fetch_options *o)
{
    if (!relay_fetch(&((struct client *)user)->member, f, name, o))
        moq_fetch_reject(f, MOQ_REQ_DOES_NOT_EXIST, "none");
}

static void s_update(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    relay_updated(&((struct client *)user)->member, s, o);
}

static const struct moq_handler server_handler = { .on_subscribe = s_subscribe,
                                                   .on_cancelled = s_cancelled,
                                                   .on_publish = s_publish,
                                                   .on_subscribed = s_subscribed,
                                                   .on_rejected = s_rejected,
                                                   .on_object = s_object,
                                                   .on_subgroup_end = s_subgroup_end,
                                                   .on_done = s_done,
                                                   .on_update = s_update,
                                                   .on_request = s_request,
                                                   .on_request_end = s_request_end,
                                                   .on_fetch = s_fetch };

/* ---- the clients' ---- */

__attribute__((format(printf, 2, 3))) static void note(struct client *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->len += (size_t)vsnprintf(c->log + c->len, LOG_MAX - c->len, format, args);
    va_end(args);
    assert_true(c->len + 2 < LOG_MAX);
    c->log[c->len++] = '\n';
    c->log[c->len] = '\0';
}

static void c_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                        const struct moq_subscribe_options *o)
{
    struct client *c = user;
    c->sending = s;
    note(c, "asked for %.*s%s", (int)name->track.len, (const char *)name->track.bytes,
         o->forward ? "" : " off");
}

static void c_update(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    (void)s;
    if (o->has_new_group)
        note(user, "new group %llu", (unsigned long long)o->new_group);
    else
        note(user, "forward %s", o->forward ? "on" : "off");
}

static void c_cancelled(void *user, struct moq_sending *s)
{
    (void)s;
    note(user, "cancelled");
}

static void c_published(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    (void)s;
    note(user, "published%s", o->forward ? "" : " off");
}

static void c_publish_refused(void *user, struct moq_sending *s, uint64_t code, const char *reason)
{
    (void)s, (void)reason;
    note(user, "publish refused %x", (unsigned)code);
}

static void c_subscribed(void *user, struct moq_subscription *s, const struct moq_location *l)
{
    note(user, "subscribed %d properties %d", l ? (int)l->group : -1,
         (int)moq_subscription_properties(s).len);
}

static void c_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    (void)s, (void)reason;
    note(user, "rejected %x", (unsigned)code);
}

static void note_object(struct client *c, const char *what, const struct moq_object *o)
{
    note(c, "%s %d.%d sub %d priority %d%s%s%s", what, (int)o->group, (int)o->object,
         (int)o->subgroup, o->priority, o->properties.len > 0 ? " properties" : "",
         o->datagram ? " datagram" : "", o->has_previous ? " follows" : "");
}

static void c_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    (void)s;
    note_object(user, "object", obj);
}

static void c_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    (void)s, (void)reason;
    note(user, "done %x", (unsigned)status);
}

static void c_fetch_object(void *user, struct moq_fetch *f, const struct moq_object *obj)
{
    (void)f;
    note_object(user, "fetched", obj);
}

static void c_fetch_unknown(void *user, struct moq_fetch *f, struct moq_location to)
{
    (void)f;
    note(user, "unknown to group %d", (int)to.group);
}

static void c_fetch_done(void *user, struct moq_fetch *f, bool whole, uint64_t code)
{
    (void)f, (void)code;
    note(user, "fetch %s", whole ? "whole" : "broken");
}

static void c_fetch_refused(void *user, struct moq_fetch *f, uint64_t code, const char *reason)
{
    (void)f, (void)reason;
    note(user, "fetch refused %x", (unsigned)code);
}

static void c_request_ok(void *user, struct moq_request *r)
{
    (void)r;
    note(user, "ok");
}

static void c_status(void *user, struct moq_request *r, const struct moq_location *l,
                     struct moq_bytes properties)
{
    (void)r, (void)properties;
    note(user, "status %d.%d", l ? (int)l->group : -1, l ? (int)l->object : -1);
}

static void c_namespace(void *user, struct moq_request *r, const struct moq_name *ns, bool there)
{
    char text[256];
    (void)r;
    assert_true(moq_namespace_text(ns, text, sizeof text));
    note(user, "%s %s", there ? "namespace" : "no namespace", text);
}

static void c_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    (void)r, (void)reason;
    note(user, "request over %x", (unsigned)code);
}

static void c_closed(void *user, uint64_t code, const char *reason)
{
    (void)user;
    fail_msg("closed %llx %s", (unsigned long long)code, reason);
}

static const struct moq_handler client_handler = { .on_closed = c_closed,
                                                   .on_subscribe = c_subscribe,
                                                   .on_update = c_update,
                                                   .on_cancelled = c_cancelled,
                                                   .on_published = c_published,
                                                   .on_publish_refused = c_publish_refused,
                                                   .on_subscribed = c_subscribed,
                                                   .on_rejected = c_rejected,
                                                   .on_object = c_object,
                                                   .on_done = c_done,
                                                   .on_fetch_object = c_fetch_object,
                                                   .on_fetch_unknown = c_fetch_unknown,
                                                   .on_fetch_done = c_fetch_done,
                                                   .on_fetch_refused = c_fetch_refused,
                                                   .on_request_ok = c_request_ok,
                                                   .on_track_status = c_status,
                                                   .on_namespace = c_namespace,
                                                   .on_request_end = c_request_end };

static int (*inner_open)(void *ctx, bool uni, uint64_t *id);

/* As wire.c hears it. */
static int hear_open(void *ctx, bool uni, uint64_t *id)
{
    const int result = inner_open(ctx, uni, id);
    if (result == 0 && uni) {
        w.wire.last_stream = *id;
        w.wire.last_rank = 1;
    }
    return result;
}

static int set_up(void **state)
{
    static const unsigned worker_of[CLIENTS] = { 0, 1, 1, 0 };
    (void)state;
    memset(&w, 0, sizeof w);
    w.relay = relay_new(&(struct relay_host){
        .workers = WORKERS, .post = post_down, .ours = is_ours, .publishable = is_publishable });
    for (unsigned i = 0; i < WORKERS; i++)
        w.side[i] = relay_side_new(&(struct relay_side_host){
            .user = (void *)(uintptr_t)i, .post = post_up, .ours = on_ours });
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *c = &w.client[i];
        pipe_init(&c->pipe, i + 1, 5000);
        struct moq_quic cq = pipe_quic(&c->pipe, PIPE_CLIENT),
                        sq = pipe_quic(&c->pipe, PIPE_SERVER);
        struct moq_session_config cc = { .path = "" }, sc = { .server = true };
        struct moq_session *server;
        inner_open = sq.open;
        sq.open = i == SUB ? hear_open : sq.open;
        assert_int_equal(moq_session_new(&c->moq, &cc, &cq, &client_handler, c), 0);
        assert_int_equal(moq_session_new(&server, &sc, &sq, &server_handler, c), 0);
        c->pipe.session[PIPE_CLIENT] = c->moq;
        c->pipe.session[PIPE_SERVER] = server;
        relay_join(w.side[worker_of[i]], &c->member, 100 + i, server, NULL, c);
        assert_int_equal(moq_session_start(c->moq), 0);
        assert_int_equal(moq_session_start(server), 0);
    }
    settle();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        relay_part(&w.client[i].member);
    settle();
    for (size_t i = 0; i < CLIENTS; i++)
        pipe_fini(&w.client[i].pipe);
    for (size_t i = 0; i < WORKERS; i++)
        relay_side_free(w.side[i]);
    struct relay_count count;
    relay_counts(w.relay, &count);
    relay_free(w.relay);
    return count.tracks == 0 && count.waiting == 0 && count.namespaces == 0 ? 0 : -1;
}

static void forget_log(int client)
{
    w.client[client].len = 0;
    w.client[client].log[0] = '\0';
}

static void expect(int client, const char *want)
{
    struct client *c = &w.client[client];
    settle();
    if (strcmp(c->log, want) != 0)
        fail_msg("client %d was told:\n%swanted:\n%s", client, c->log, want);
    forget_log(client);
}

static struct moq_name name_of(const char *ns, const char *track)
{
    struct moq_name name;
    assert_int_equal(moq_name_from_text(&name, ns, track), 0);
    return name;
}

static void announce(int client, const char *ns)
{
    struct client *c = &w.client[client];
    struct moq_name name = name_of(ns, "");
    assert_int_equal(moq_request(c->moq, MOQ_REQUEST_PUBLISH_NAMESPACE, &name, c, &c->request), 0);
}

static void subscribe(int client, const char *ns, enum moq_filter filter, uint64_t wait_ms)
{
    struct client *c = &w.client[client];
    struct moq_name name = name_of(ns, "video");
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    o.filter = filter;
    o.rendezvous_ms = wait_ms;
    assert_int_equal(moq_subscribe(c->moq, &name, &o, c, &c->sub), 0);
}

static struct moq_object object(uint64_t group, uint64_t id, uint64_t subgroup)
{
    static const uint8_t properties[] = { 0x10, 0x2a };
    return (struct moq_object){ .group = group,
                                .object = id,
                                .subgroup = subgroup,
                                .priority = (uint8_t)(10 + subgroup),
                                .properties = { properties, sizeof properties },
                                .payload = { (const uint8_t *)"x", 1 },
                                .more = true };
}

static void publish_object(int client, const struct moq_object *obj)
{
    assert_int_equal(moq_object_relay(w.client[client].sending, obj, 0), 0);
    settle();
}

/* One who publishes, one who watches: the usual. */
static void open_stream(void)
{
    static const uint8_t track_properties[] = { 0x0e, 0x40 };
    announce(PUB, "live/cam");
    expect(PUB, "ok\n");
    subscribe(SUB, "live/cam", MOQ_FILTER_NONE, 0);
    expect(PUB, "asked for video\n");
    expect(SUB, "");
    struct moq_bytes properties = { track_properties, sizeof track_properties };
    assert_int_equal(moq_accept(w.client[PUB].sending, NULL, properties), 0);
    expect(SUB, "subscribed -1 properties 2\n");
}

static void objects_pass_unchanged(void **state)
{
    (void)state;
    open_stream();
    struct moq_object a = object(4, 0, 0), b = object(4, 1, 1), c = object(4, 2, 0),
                      d = object(4, 3, 9);
    c.has_previous = true; /* after a, on its stream */
    d.datagram = true;
    d.properties.len = 0;
    publish_object(PUB, &a);
    publish_object(PUB, &b);
    publish_object(PUB, &c);
    publish_object(PUB, &d);
    expect(SUB, "object 4.0 sub 0 priority 10 properties\n"
                "object 4.1 sub 1 priority 11 properties\n"
                "object 4.2 sub 0 priority 10 properties follows\n"
                "object 4.3 sub 3 priority 19 datagram\n");
    assert_int_equal(pipe_newest(&w.client[SUB].pipe, PIPE_SERVER, true), 4 * 2 + 2 + 1);
    moq_subgroup_end(w.client[PUB].sending, 4, 0, true);
    moq_subgroup_end(w.client[PUB].sending, 4, 1, true);
    settle();
    /* who comes late, on the other worker, gets the newest group, and by FETCH as well */
    subscribe(SUB2, "live/cam", MOQ_FILTER_NONE, 0);
    settle();
    assert_non_null(strstr(w.client[SUB2].log, "subscribed"));
    assert_non_null(strstr(w.client[SUB2].log, "object 4.0 sub 0 priority 10 properties\n"));
    assert_non_null(strstr(w.client[SUB2].log, "object 4.2 sub 0 priority 10 properties"));
    w.client[SUB2].len = 0;
    w.client[SUB2].log[0] = '\0';
    struct moq_fetch_options o;
    struct moq_fetch *f;
    struct moq_name name = name_of("live/cam", "video");
    moq_fetch_options_init(&o);
    o.start.group = 2;
    assert_int_equal(moq_fetch(w.client[SUB2].moq, &name, &o, NULL, &f), 0);
    expect(SUB2, "unknown to group 3\nfetched 4.0 sub 0 priority 10 properties\n"
                 "fetched 4.1 sub 1 priority 11 properties\n"
                 "fetched 4.2 sub 0 priority 10 properties\n"
                 "fetched 4.3 sub 0 priority 19 datagram\nfetch whole\n");
    struct moq_request *r;
    assert_int_equal(moq_request(w.client[SUB2].moq, MOQ_REQUEST_TRACK_STATUS, &name, NULL, &r), 0);
    expect(SUB2, "status 4.3\n");
    /* the last to leave ends the subscription there */
    moq_unsubscribe(w.client[SUB].sub);
    expect(PUB, "");
    moq_unsubscribe(w.client[SUB2].sub);
    expect(PUB, "cancelled\n");
}

static void a_full_queue_leaves_out(void **state)
{
    (void)state;
    open_stream();
    struct moq_object a = object(4, 0, 0), b = object(4, 1, 0), c = object(4, 2, 0);
    b.has_previous = c.has_previous = true;
    c.previous = 1;
    publish_object(PUB, &a);
    w.backlog = UINT64_C(1) << 30;
    publish_object(PUB, &b);
    w.backlog = 0;
    publish_object(PUB, &c);
    expect(SUB, "object 4.0 sub 0 priority 10 properties\n"
                "object 4.2 sub 0 priority 10 properties\n"); /* on a stream of its own */
}

static void waiting_for_a_publisher(void **state)
{
    (void)state;
    subscribe(SUB, "live/later", MOQ_FILTER_NONE, 0);
    expect(SUB, "rejected 10\n");
    subscribe(SUB, "live/later", MOQ_FILTER_NONE, 5000);
    subscribe(SUB2, "live/never", MOQ_FILTER_NONE, 2000);
    settle();
    relay_tick(w.relay, 1000000);
    announce(PUB, "live/later");
    expect(PUB, "ok\nasked for video\n");
    assert_int_equal(moq_accept(w.client[PUB].sending, NULL, (struct moq_bytes){ 0 }), 0);
    expect(SUB, "subscribed -1 properties 0\n");
    relay_tick(w.relay, 2999999);
    expect(SUB2, "");
    relay_tick(w.relay, 3000000);
    expect(SUB2, "rejected 2\n");
    subscribe(SUB2, "own", MOQ_FILTER_NONE, 2000); /* a broadcast of the server's own */
    expect(SUB2, "rejected 10\n");
    assert_true(w.client[SUB2].ours);
}

static void the_newer_publisher_has_it(void **state)
{
    (void)state;
    open_stream();
    announce(PUB2, "live/cam"); /* as after a crash: the first is not known to be dead */
    expect(PUB2, "ok\nasked for video\n");
    expect(PUB, "cancelled\n");
    assert_int_equal(moq_accept(w.client[PUB2].sending, NULL, (struct moq_bytes){ 0 }), 0);
    struct moq_object a = object(7, 0, 0);
    settle();
    publish_object(PUB2, &a);
    expect(SUB, "object 7.0 sub 0 priority 10 properties\n");
    relay_part(&w.client[PUB].member); /* and now it is: nothing of it is left to end */
    expect(SUB, "");
    relay_part(&w.client[PUB2].member);
    expect(SUB, "done 0\n"); /* not the end of the track: somebody may publish it again */
}

static void what_may_be_published(void **state)
{
    (void)state;
    announce(PUB, "private");
    expect(PUB, "request over 20\n");
    struct moq_name name = name_of("private", "video");
    struct moq_publish_options o = { .forward = true };
    assert_int_equal(moq_publish(w.client[PUB].moq, &name, &o, NULL, &w.client[PUB].sending), 0);
    expect(PUB, "publish refused 20\n");
}

static void offered_tracks(void **state)
{
    (void)state;
    struct moq_name name = name_of("live/cam", "video");
    struct moq_publish_options o = { .forward = false };
    assert_int_equal(moq_publish(w.client[PUB].moq, &name, &o, NULL, &w.client[PUB].sending), 0);
    expect(PUB, "published off\n");
    subscribe(SUB2, "live/cam", MOQ_FILTER_NEXT_GROUP, 1000);
    expect(PUB, "forward on\n");
    expect(SUB2, "subscribed -1 properties 0\n");
    struct moq_object a = object(1, 0, 0);
    publish_object(PUB, &a);
    expect(SUB2, "object 1.0 sub 0 priority 10 properties\n");
    moq_unsubscribe(w.client[SUB2].sub);
    expect(PUB, "forward off\n");
    assert_int_equal(moq_done(w.client[PUB].sending, MOQ_DONE_TRACK_ENDED, ""), 0);
    settle();
    subscribe(SUB, "live/cam", MOQ_FILTER_NONE, 0);
    expect(SUB, "rejected 10\n");
}

static void namespaces_are_listed(void **state)
{
    (void)state;
    struct client *c = &w.client[SUB];
    struct moq_name prefix = name_of("live", ""), all = name_of("", "");
    relay_list_ours(w.relay, "own", true);
    announce(PUB, "live/cam");
    settle();
    assert_int_equal(moq_request(c->moq, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, &prefix, c, &c->request),
                     0);
    expect(SUB, "ok\nnamespace live/cam\n");
    announce(PUB2, "live/two");
    expect(SUB, "namespace live/two\n");
    moq_request_end(w.client[PUB2].request);
    expect(SUB, "no namespace live/two\n");
    struct client *d = &w.client[SUB2];
    assert_int_equal(moq_request(d->moq, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, &all, d, &d->request), 0);
    settle();
    assert_non_null(strstr(d->log, "namespace own\n"));
    assert_non_null(strstr(d->log, "namespace live/cam\n"));
    relay_list_ours(w.relay, "own", false);
    settle();
    assert_non_null(strstr(d->log, "no namespace own\n"));
}

/* ---- layers ---- */

static void subscribe_track(int client, const char *track)
{
    struct client *c = &w.client[client];
    struct moq_name name = name_of("live/cam", track);
    struct moq_subscribe_options o;
    struct moq_subscription *sub;
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_NONE;
    assert_int_equal(moq_subscribe(c->moq, &name, &o, c, &sub), 0);
    if (strcmp(track, "s0") == 0)
        c->sub = sub;
    settle();
    assert_int_equal(moq_accept(w.client[PUB].sending, NULL, MOQ_DYNAMIC_GROUPS), 0);
    settle();
}

static const char catalog[] =
    "{\"version\":\"draft-01\",\"tracks\":[{\"name\":\"s0\",\"packaging\":\"loc\",\"isLive\":true,"
    "\"role\":\"video\",\"codec\":\"av01\",\"bitrate\":300000,\"spatialId\":0,\"temporalId\":0},"
    "{\"name\":\"s1\",\"packaging\":\"loc\",\"isLive\":true,\"role\":\"video\",\"codec\":\"av01\","
    "\"bitrate\":3000000,\"spatialId\":1,\"temporalId\":0,\"depends\":[\"s0\"]}]}";

/* A picture's unit of one layer: keys in group beginnings, then each on the one before. */
static void publish_unit(struct moq_sending *s, uint8_t spatial, uint64_t picture)
{
    static uint8_t bytes[1000];
    uint8_t properties[160];
    const bool sync = picture == 0 && spatial > 0;
    const struct svc_read before = { .slot = sync ? 0 : spatial,
                                     .spatial = sync ? 0 : spatial,
                                     .picture = sync ? picture : picture - 1 };
    struct svc_deps deps = { .refreshes = (uint8_t)(1u << spatial),
                             .n_reads = picture > 0 || spatial > 0,
                             .reads = { before } };
    struct loc_properties p = { .has_marking = true,
                                .independent = picture == 0 && spatial == 0,
                                .layer_id = spatial,
                                .has_picture = true,
                                .picture = picture };
    int n = svc_deps_encode(&deps, picture, p.dependencies, sizeof p.dependencies);
    assert_true(n > 0);
    p.dependencies_len = (size_t)n;
    n = loc_properties_encode(&p, properties, sizeof properties);
    assert_true(n > 0);
    struct moq_object obj = { .group = 1,
                              .object = picture,
                              .subgroup = picture,
                              .priority = (uint8_t)(10 + spatial),
                              .properties = { properties, (size_t)n },
                              .payload = { bytes, sizeof bytes } };
    assert_int_equal(moq_object_relay(s, &obj, 0), 0);
    settle();
}

static size_t count_of(const char *log, const char *text)
{
    size_t n = 0;
    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

/* A session that follows catalog and two layers; `sending` is the publisher's. */
static void follow_layers(uint64_t rate_bps, struct moq_sending *sending[3])
{
    static const char *const tracks[] = { "catalog", "s0", "s1" };
    w.rate_bps = rate_bps;
    w.client[SUB].member.wire = &w.wire;
    announce(PUB, "live/cam");
    settle();
    for (size_t i = 0; i < 3; i++) {
        subscribe_track(SUB, tracks[i]);
        sending[i] = w.client[PUB].sending;
        struct moq_object c = { .payload = { (const uint8_t *)catalog, sizeof catalog - 1 } };
        if (i == 0)
            publish_object(PUB, &c);
    }
    forget_log(SUB);
}

/* What one session gets of both layers when its connection has this rate. */
static void play_layers(uint64_t rate_bps, uint64_t backlog, size_t *base, size_t *upper)
{
    struct moq_sending *sending[3];
    follow_layers(rate_bps, sending);
    publish_unit(sending[2], 1, 0); /* before its base: of no use */
    assert_string_equal(w.client[SUB].log, "");
    w.backlog = backlog;
    for (uint64_t picture = 0; picture < 60; picture++, w.now_us += 33000) {
        publish_unit(sending[1], 0, picture);
        publish_unit(sending[2], 1, picture);
    }
    *base = count_of(w.client[SUB].log, "priority 10");
    *upper = count_of(w.client[SUB].log, "priority 11");
}

static void layers_that_fit_go(void **state)
{
    size_t base, upper;
    (void)state;
    play_layers(20000000, 0, &base, &upper);
    assert_int_equal(base, 60);
    assert_int_equal(upper, 60);
}

static void layers_that_do_not_fit_stay_out(void **state)
{
    size_t base, upper;
    (void)state;
    play_layers(500000, 400000, &base, &upper); /* 6.4 s are queued */
    assert_int_equal(base, 60);
    assert_in_range(upper, 20, 40); /* a second of grace, then it is over */
}

/* Whoever lacks what a layer leans on is helped by its publisher: asked once a second. */
static void a_broken_layer_is_asked_for(void **state)
{
    struct moq_sending *sending[3];
    (void)state;
    follow_layers(20000000, sending);
    for (uint64_t picture = 0; picture < 50; picture++, w.now_us += 33000) {
        publish_unit(sending[1], 0, picture);
        if (picture == 10)
            forget_log(PUB); /* what was asked for until here is not of interest */
        else
            publish_unit(sending[2], 1, picture);
    }
    expect(PUB, "new group 2\nnew group 2\n");
}

/* A session that wants more again, or says so itself. */
static void a_subscriber_asks_for_a_new_group(void **state)
{
    struct moq_sending *sending[3];
    struct moq_subscribe_options o;
    (void)state;
    follow_layers(20000000, sending);
    publish_unit(sending[1], 0, 0);
    forget_log(PUB);
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_NONE;
    o.has_new_group = true;
    o.new_group = 1; /* is there */
    assert_int_equal(moq_subscription_update(w.client[SUB].sub, &o), 0);
    expect(PUB, "");
    o.new_group = 2;
    assert_int_equal(moq_subscription_update(w.client[SUB].sub, &o), 0);
    expect(PUB, "new group 2\n");
    w.now_us += 2000000;
    o.has_new_group = o.forward = false;
    assert_int_equal(moq_subscription_update(w.client[SUB].sub, &o), 0);
    o.forward = true;
    assert_int_equal(moq_subscription_update(w.client[SUB].sub, &o), 0);
    expect(PUB, "new group 2\n");
}

#define CAMERA(name, s, more)                                                          \
    "{\"name\":\"" name "\",\"packaging\":\"loc\",\"isLive\":true,\"role\":\"video\"," \
    "\"bitrate\":100000,\"spatialId\":" s ",\"temporalId\":0" more "}"

/* Each camera's layers by themselves, with what goes before them; the sounds with the first. */
static void videos_are_thinned_apart(void **state)
{
    static const char json[] =
        "{\"version\":\"draft-01\",\"tracks\":["
        "{\"name\":\"a0\",\"packaging\":\"loc\",\"isLive\":true,\"role\":\"audio\",\"bitrate\":"
        "64000},"
        "{\"name\":\"a1\",\"packaging\":\"loc\",\"isLive\":true,\"role\":\"audio\",\"bitrate\":"
        "24000}," CAMERA("v-s0t0", "0", "") "," CAMERA(
            "v-s1t0", "1",
            ",\"depends\":[\"v-s0t0\"]") "," CAMERA("v1-s0t0", "0",
                                                    "") "," CAMERA("v1-s1t0", "1",
                                                                   ",\"depends\":[\"v1-"
                                                                   "s0t0\"]") "]}";
    (void)state;
    struct relay_layers *first = relay_layers_read((const uint8_t *)json, strlen(json));
    assert_non_null(first);
    struct relay_layers *second = first->next;
    assert_non_null(second);
    assert_null(second->next);
    assert_int_equal(first->tracks.n, 4);
    assert_int_equal(second->tracks.n, 2);
    assert_ptr_equal(relay_layers_with(first, (const uint8_t *)"v1-s1t0", 7), second);
    assert_ptr_equal(relay_layers_with(first, (const uint8_t *)"a1", 2), first);
    assert_null(relay_layers_with(first, (const uint8_t *)"v2-s0t0", 7));
    assert_int_equal(second->tracks.track[1].needed_bps, 264000); /* and the larger sound */
    relay_layers_ref(second);
    relay_layers_unref(first);
    assert_int_equal(second->tracks.n, 2); /* of a track that still has it */
    relay_layers_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(videos_are_thinned_apart),
        cmocka_unit_test_setup_teardown(objects_pass_unchanged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_leaves_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_for_a_publisher, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newer_publisher_has_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_be_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(offered_tracks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(namespaces_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(layers_that_fit_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(layers_that_do_not_fit_stay_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_layer_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_subscriber_asks_for_a_new_group, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
