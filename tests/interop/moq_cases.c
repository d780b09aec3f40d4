/*
 * moq_cases.c - the six cases of the MoQ interop runner (github.com/englishm/moq-interop-runner)
 * against a relay, over libtvl and moq: a publisher and a subscriber, each on a connection of its
 * own. Output is TAP. Beyond the runner's cases, three objects have to get through where a track is
 * subscribed to. Exit: 0 all passed, 1 not, 2 wrong usage.
 */
#include <ev.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moq/moq_tvl.h>
#include <tvl/ev.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define NAMESPACE "moq-test/interop"
#define TRACK "test-track"
#define OBJECTS 3
#define TICK_S 0.05
#define CASE_TICKS 80 /* time for a case: 4 s */
#define REST_TICKS 6  /* a session has to live on so long after the last message */
#define RENDEZVOUS_MS 3000
#define US_PER_S 1e6

enum role { PUBLISHER, SUBSCRIBER, ROLES };

struct run;

struct end { /* one connection */
    struct run *run;
    enum role role;
    struct tvl_conn *conn;
    struct moq_tvl glue;
    struct moq_session *moq;
    struct moq_request *published;
    struct moq_sending *sending;
    uint64_t object; /* next */
};

struct test {
    const char *name;
    bool publisher, subscriber;
    enum role first;         /* connects first; the other one when the test says so */
    const char *ns;          /* that is subscribed to */
    uint64_t rendezvous_ms;  /* of its SUBSCRIBE */
    bool withdraws, refused; /* the namespace is taken back; the SUBSCRIBE has to be refused */
};

struct run {
    struct ev_loop *loop;
    struct tvl_ev *driver;
    const char *server, *authority, *path, *name;
    const struct test *test;
    struct end end[ROLES];
    unsigned ticks, rest; /* rest: ticks since all that is asked for has come; 0: it has not */
    unsigned objects;
    bool subscribed, done, passed;
    bool again; /* the relay did not hold the SUBSCRIBE: it is sent again once there is something */
    char why[256];
};

static const struct test tests[] = {
    { .name = "setup-only", .publisher = true },
    { .name = "announce-only", .publisher = true, .ns = NULL },
    { .name = "publish-namespace-done", .publisher = true, .withdraws = true },
    { .name = "subscribe-error",
      .subscriber = true,
      .first = SUBSCRIBER,
      .ns = "nonexistent/namespace",
      .refused = true },
    { .name = "announce-subscribe", .publisher = true, .subscriber = true, .ns = NAMESPACE },
    { .name = "subscribe-before-announce",
      .publisher = true,
      .subscriber = true,
      .first = SUBSCRIBER,
      .ns = NAMESPACE,
      .rendezvous_ms = RENDEZVOUS_MS },
};

static void finish(struct run *r, bool passed, const char *why)
{
    if (r->done)
        return;
    r->done = true;
    r->passed = passed;
    snprintf(r->why, sizeof r->why, "%s", why);
    ev_break(r->loop, EVBREAK_ALL);
}

static void fail(struct run *r, const char *what, int error)
{
    char text[256];
    snprintf(text, sizeof text, "%s: %s", what, moq_strerror(error));
    finish(r, false, text);
}

/* All that is asked for has come; the session has to live on for a moment. */
static void good(struct run *r)
{
    r->rest = r->rest > 0 ? r->rest : 1;
}

static void connect_end(struct run *r, enum role role)
{
    struct end *e = &r->end[role];
    char why[200] = "";
    if (e->conn)
        return;
    *e = (struct end){ .run = r, .role = role };
    if (tvl_ev_connect(r->driver, r->server, r->name, &(struct tvl_ev_path){ 0 }, &e->conn, why,
                       sizeof why) < 0)
        finish(r, false, why);
}

/* ---- what the sessions say ---- */

static void announce(struct end *e)
{
    struct moq_name ns;
    int rc = moq_name_from_text(&ns, NAMESPACE, "");
    if (rc == 0)
        rc = moq_request(e->moq, MOQ_REQUEST_PUBLISH_NAMESPACE, &ns, e, &e->published);
    if (rc < 0)
        fail(e->run, "PUBLISH_NAMESPACE", rc);
}

static void subscribe(struct end *e)
{
    const struct test *t = e->run->test;
    struct moq_subscribe_options o;
    struct moq_subscription *sub;
    struct moq_name name;
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_NONE;
    o.rendezvous_ms = t->rendezvous_ms;
    int rc = moq_name_from_text(&name, t->ns, TRACK);
    if (rc == 0)
        rc = moq_subscribe(e->moq, &name, &o, e, &sub);
    if (rc < 0)
        fail(e->run, "SUBSCRIBE", rc);
    else if (t->first == SUBSCRIBER && t->publisher)
        connect_end(e->run, PUBLISHER);
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct end *e = user;
    (void)path, (void)authority;
    printf("# %s: SETUP of \"%s\"\n", e->role == PUBLISHER ? "publisher" : "subscriber",
           moq_peer_implementation(e->moq));
    if (e->role == SUBSCRIBER)
        subscribe(e);
    else if (e->run->test == &tests[0])
        good(e->run);
    else
        announce(e);
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct end *e = user;
    char text[256];
    snprintf(text, sizeof text, "session closed by us, code 0x%llx: %.100s",
             (unsigned long long)code, reason);
    finish(e->run, false, text);
}

static void on_request_ok(void *user, struct moq_request *request)
{
    struct end *e = user;
    struct run *r = e->run;
    if (r->test->withdraws) {
        moq_request_end(request);
        e->published = NULL;
    }
    if (!r->test->subscriber)
        good(r);
    else if (r->test->first == PUBLISHER)
        connect_end(r, SUBSCRIBER);
    else if (r->again)
        subscribe(&r->end[SUBSCRIBER]);
}

static void on_request_end(void *user, struct moq_request *request, uint64_t code,
                           const char *reason)
{
    struct end *e = user;
    char text[256];
    (void)request;
    snprintf(text, sizeof text, "namespace refused, code 0x%llx: %.100s", (unsigned long long)code,
             reason);
    finish(e->run, false, text);
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct end *e = user;
    struct moq_name want;
    (void)o;
    if (moq_name_from_text(&want, NAMESPACE, TRACK) < 0 || !moq_name_equal(name, &want))
        moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "no such track");
    else if (moq_accept(s, NULL, (struct moq_bytes){ 0 }) == 0)
        e->sending = s;
}

static void on_cancelled(void *user, struct moq_sending *s)
{
    struct end *e = user;
    if (e->sending == s)
        e->sending = NULL;
}

static void on_subscribed(void *user, struct moq_subscription *s, const struct moq_location *l)
{
    struct end *e = user;
    (void)s, (void)l;
    e->run->subscribed = true;
    if (e->run->test->refused)
        finish(e->run, false, "SUBSCRIBE_OK for a track that does not exist");
}

static void on_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    struct end *e = user;
    char text[256];
    (void)s;
    snprintf(text, sizeof text, "SUBSCRIBE refused, code 0x%llx: %.100s", (unsigned long long)code,
             reason);
    if (e->run->test->refused) {
        good(e->run);
    } else if (e->run->test->rendezvous_ms > 0 && code == MOQ_REQ_DOES_NOT_EXIST &&
               !e->run->again) { /* "SHOULD hold": the runner takes both */
        printf("# not held by the relay: %s\n", text);
        e->run->again = true;
        if (e->run->end[PUBLISHER].published)
            subscribe(e);
    } else
        finish(e->run, false, text);
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    struct end *e = user;
    (void)s;
    if (obj->payload.len != 5 || memcmp(obj->payload.bytes, "hello", 5) != 0)
        finish(e->run, false, "an object arrived changed");
    else if (++e->run->objects == OBJECTS)
        good(e->run);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_closed = on_closed,
    .on_request_ok = on_request_ok,
    .on_request_end = on_request_end,
    .on_subscribe = on_subscribe,
    .on_cancelled = on_cancelled,
    .on_subscribed = on_subscribed,
    .on_rejected = on_rejected,
    .on_object = on_object,
};

/* ---- the connections ---- */

static void connected(struct end *e)
{
    struct moq_quic quic;
    struct moq_session_config cfg = { .authority = e->run->authority,
                                      .path = e->run->path,
                                      .implementation = "libtvl moq_cases" };
    moq_tvl_init(&e->glue, e->conn, &quic);
    e->glue.now = tvl_ev_now(e->run->driver);
    int rc = moq_session_new(&e->moq, &cfg, &quic, &handler, e);
    if (rc == 0)
        rc = moq_session_start(e->moq);
    if (rc < 0)
        fail(e->run, "session", rc);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct run *r = user;
    struct end *e = NULL;
    for (size_t i = 0; i < ROLES; i++)
        if (r->end[i].conn == ev->conn)
            e = &r->end[i];
    if (!e)
        return;
    if (ev->type == TVL_EVENT_CLOSED) {
        char text[256];
        snprintf(text, sizeof text, "connection closed, code 0x%llx: %.100s",
                 (unsigned long long)ev->closed.code, ev->closed.reason);
        e->conn = NULL;
        finish(r, false, text);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        connected(e);
    if (e->moq)
        moq_tvl_on_event(&e->glue, e->moq, ev, tvl_ev_now(r->driver));
}

static void send_object(struct end *e)
{
    struct moq_object obj = { .group = e->object,
                              .priority = 128,
                              .payload = { (const uint8_t *)"hello", 5 } };
    if (e->sending && moq_object_write(e->sending, &obj, 0) == 0)
        e->object++;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct run *r = timer->data;
    (void)loop, (void)events;
    for (size_t i = 0; i < ROLES; i++)
        if (r->end[i].moq)
            moq_session_tick(r->end[i].moq, tvl_ev_now(r->driver));
    if (r->subscribed) /* until enough have come: those before the other end was ready do not */
        send_object(&r->end[PUBLISHER]);
    tvl_ev_kick(r->driver);
    if (r->rest > 0 && r->rest++ > REST_TICKS)
        finish(r, true, "");
    if (++r->ticks > CASE_TICKS)
        finish(r, false, r->subscribed ? "time is up: objects are missing" : "time is up");
}

/* ---- the program ---- */

static bool play(struct run *r, const struct tvl_ev_config *cfg, size_t number)
{
    ev_timer tick;
    r->test = &tests[number];
    if (tvl_ev_new(&r->driver, cfg, r->why, sizeof r->why) < 0) {
        r->passed = false;
        goto out;
    }
    ev_timer_init(&tick, on_tick, TICK_S, TICK_S);
    tick.data = r;
    ev_timer_start(r->loop, &tick);
    connect_end(r, r->test->first);
    tvl_ev_kick(r->driver);
    if (!r->done)
        ev_run(r->loop, 0);
    ev_timer_stop(r->loop, &tick);
    for (size_t i = 0; i < ROLES; i++) {
        if (r->end[i].moq && r->end[i].conn)
            moq_session_close(r->end[i].moq, MOQ_NO_ERROR, "");
        moq_session_free(r->end[i].moq);
    }
    tvl_ev_kick(r->driver);
    tvl_ev_free(r->driver);
out:
    printf("%s %zu - %s\n", r->passed ? "ok" : "not ok", number + 1, r->test->name);
    if (!r->passed)
        printf("  ---\n  message: \"%s\"\n  ...\n", r->why);
    fflush(stdout);
    return r->passed;
}

static const char usage[] = "usage: moq_cases --ca FILE [OPTION]... moqt://HOST:PORT[/PATH]\n"
                            "  --test CASE   only this one\n"
                            "  --name NAME   of the relay's certificate [localhost]\n"
                            "  --list        the cases\n";

static const struct option options[] = {
    { "ca", required_argument, NULL, 'c' },
    { "test", required_argument, NULL, 't' },
    { "name", required_argument, NULL, 'n' },
    { "list", no_argument, NULL, 'l' },
    { NULL, 0, NULL, 0 },
};

struct arguments {
    const char *ca, *test, *name;
    bool list;
    char server[256]; /* "HOST:PORT" */
    const char *path;
};

static int take_arguments(struct arguments *a, int argc, char **argv)
{
    int c;
    *a = (struct arguments){ .name = "localhost" };
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            a->ca = optarg;
        else if (c == 't')
            a->test = optarg;
        else if (c == 'n')
            a->name = optarg;
        else if (c == 'l')
            a->list = true;
        else
            return -1;
    }
    if (a->list)
        return 0;
    static const char scheme[] = "moqt://";
    if (optind + 1 != argc || !a->ca || strncmp(argv[optind], scheme, sizeof scheme - 1) != 0)
        return -1;
    const char *rest = argv[optind] + sizeof scheme - 1;
    size_t len = strcspn(rest, "/");
    if (len == 0 || len >= sizeof a->server)
        return -1;
    memcpy(a->server, rest, len);
    a->path = rest + len;
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments a;
    if (take_arguments(&a, argc, argv) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    struct tvl_tls_config tls_config = { .alpn = alpn, .ca_file = a.ca };
    struct tvl_tls *tls = NULL;
    char why[256] = "";
    if (!a.list && tvl_tls_new(&tls, &tls_config, why, sizeof why) < 0) {
        fprintf(stderr, "moq_cases: %s\n", why);
        return 2;
    }
    size_t run_of = 0, passed = 0;
    if (!a.list)
        printf("TAP version 14\n1..%zu\n", a.test ? (size_t)1 : N(tests));
    for (size_t i = 0; i < N(tests); i++) {
        if (a.list)
            printf("%s\n", tests[i].name);
        if (a.list || (a.test && strcmp(a.test, tests[i].name) != 0))
            continue;
        struct run r = { .loop = EV_DEFAULT,
                         .server = a.server,
                         .authority = a.server,
                         .path = a.path,
                         .name = a.name };
        struct tvl_ev_config cfg = { .loop = r.loop, .on_event = on_event, .user = &r };
        tvl_config_init(&cfg.tvl);
        cfg.tvl.tls = tls;
        run_of++;
        passed += play(&r, &cfg, i);
    }
    tvl_tls_free(tls);
    return passed == run_of ? 0 : 1;
}
