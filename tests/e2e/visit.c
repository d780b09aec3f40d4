/*
 * visit.c - one MoQT client that asks for one thing and says exactly what it got, for the tests of
 * who may do what.
 *
 * usage: visit port=N ca=FILE ns=NAMESPACE [KEY=VALUE]...
 *
 *     setup=FILE    token shown in SETUP, as it stands in the file
 *     request=FILE  token shown in the request
 *     publish=1     PUBLISH_NAMESPACE instead of SUBSCRIBE (to its track `catalog`)
 *     track=NAME    [catalog]
 *     again=HOW     a second after the first object: `forward` off, and on after another second;
 *                   `group`: a new group is asked for then
 *     times=N       ask so often, one after the other [1]
 *     hold=S        stay so long after it was accepted [until the first object]
 *     from=ADDRESS  of ours [127.0.0.1]
 *     cert=FILE key=FILE
 *
 * One JSON object: connected, setup (SETUP of the server came), accepted, objects, refused (codes
 * of REQUEST_ERROR), groups (that began after it was asked for again), reason, done (status of
 * PUBLISH_DONE, or null), closed (null, or kind and code), seconds until the end.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <moq/moq.h>
#include <moq/moq_tvl.h>
#include <tvl/ev.h>

#define TOKEN_FILE_MAX 8192
#define GIVE_UP_S 10.
#define TICK_S 0.02

struct options {
    const char *port, *ca, *ns, *setup, *request, *publish, *times, *hold, *from, *cert, *key,
        *track, *again;
};

struct visit {
    struct options o;
    struct ev_loop *loop;
    struct tvl_ev *driver;
    struct tvl_conn *conn;
    struct moq_session *moq;
    struct moq_tvl glue;
    uint8_t setup[TOKEN_FILE_MAX], request[TOKEN_FILE_MAX];
    size_t setup_len, request_len;
    tvl_time began, ends_at;
    unsigned asked, times, objects, accepted;
    json_t *refused, *done, *closed;
    char reason[256];
    struct moq_subscription *sub;
    tvl_time first_at;
    uint64_t group; /* the newest */
    unsigned groups;
    int step; /* of `again` */
    bool connected, met, leaving;
};

static void leave(struct visit *v)
{
    if (v->leaving)
        return;
    v->leaving = true;
    ev_break(v->loop, EVBREAK_ALL);
}

static void note(struct visit *v, const char *reason)
{
    snprintf(v->reason, sizeof v->reason, "%s", reason ? reason : "");
}

static void ask(struct visit *v)
{
    struct moq_name name;
    struct moq_subscribe_options o;
    struct moq_request *req;
    int result;
    if (v->asked == v->times) {
        leave(v);
        return;
    }
    v->asked++;
    if (moq_name_from_text(&name, v->o.ns,
                           v->o.publish ? ""
                           : v->o.track ? v->o.track
                                        : "catalog") != 0 &&
        !v->o.publish)
        leave(v);
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_LARGEST_OBJECT;
    result = v->o.publish ? moq_request(v->moq, MOQ_REQUEST_PUBLISH_NAMESPACE, &name, NULL, &req)
                          : moq_subscribe(v->moq, &name, &o, NULL, &v->sub);
    if (result < 0)
        note(v, moq_strerror(result)); /* it is being closed: that will be heard of */
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct visit *v = user;
    const struct moq_token t = { .value = { v->request, v->request_len } };
    (void)path, (void)authority;
    v->met = true;
    if (moq_session_set_token(v->moq, &t) != 0)
        note(v, "the token is too long for a request");
    ask(v);
}

static void accept_one(struct visit *v)
{
    v->accepted++;
    if (v->o.hold)
        v->ends_at = tvl_ev_now(v->driver) + (tvl_time)(atof(v->o.hold) * 1e6);
    else if (v->o.publish)
        leave(v);
}

static void refuse_one(struct visit *v, uint64_t code, const char *reason)
{
    json_array_append_new(v->refused, json_integer((json_int_t)code));
    note(v, reason);
    ask(v);
}

static void on_subscribed(void *user, struct moq_subscription *s,
                          const struct moq_location *largest)
{
    (void)s, (void)largest;
    accept_one(user);
}

static void on_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    (void)s;
    refuse_one(user, code, reason);
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    struct visit *v = user;
    (void)s;
    if (v->objects++ == 0)
        v->first_at = tvl_ev_now(v->driver);
    if (obj->group > v->group) {
        v->group = obj->group;
        v->groups += v->step == 2;
    }
    if (!v->o.hold)
        leave(v);
}

static void on_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    struct visit *v = user;
    (void)s;
    json_decref(v->done);
    v->done = json_integer((json_int_t)status);
    note(v, reason);
}

static void on_request_ok(void *user, struct moq_request *r)
{
    (void)r;
    accept_one(user);
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    (void)r;
    refuse_one(user, code, reason);
}

static const struct moq_handler handler = { .on_setup = on_setup,
                                            .on_subscribed = on_subscribed,
                                            .on_rejected = on_rejected,
                                            .on_object = on_object,
                                            .on_done = on_done,
                                            .on_request_ok = on_request_ok,
                                            .on_request_end = on_request_end };

static void begin(struct visit *v)
{
    char authority[64];
    struct moq_quic quic;
    const struct moq_session_config cfg = { .authority = authority,
                                            .path = "/",
                                            .implementation = "visit",
                                            .token = { .value = { v->setup, v->setup_len } } };
    v->connected = true;
    snprintf(authority, sizeof authority, "127.0.0.1:%s", v->o.port);
    moq_tvl_init(&v->glue, v->conn, &quic);
    if (moq_session_new(&v->moq, &cfg, &quic, &handler, v) != 0 || moq_session_start(v->moq) != 0) {
        note(v, "no session");
        leave(v);
    }
}

static void on_event(void *user, const struct tvl_event *ev)
{
    static const char *const kinds[] = { "local", "application", "transport", "error",
                                         "tls",   "idle",        "no answer", "reset" };
    struct visit *v = user;
    if (ev->type == TVL_EVENT_CONNECTED)
        begin(v);
    if (v->moq)
        moq_tvl_on_event(&v->glue, v->moq, ev, tvl_ev_now(v->driver));
    if (ev->type == TVL_EVENT_CLOSED && !v->leaving) {
        v->closed = json_pack("{s:s, s:I}", "kind", kinds[ev->closed.kind], "code",
                              (json_int_t)ev->closed.code);
        note(v, ev->closed.reason);
        leave(v);
    }
}

static void ask_again(struct visit *v)
{
    const bool group = strcmp(v->o.again, "group") == 0;
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    o.filter = MOQ_FILTER_LARGEST_OBJECT;
    o.forward = v->step == 1;
    if (group) {
        o.forward = o.has_new_group = true;
        o.new_group = v->group + 1;
        v->step = 1;
    }
    if (moq_subscription_update(v->sub, &o) < 0)
        leave(v);
    v->step++;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct visit *v = timer->data;
    (void)loop, (void)events;
    v->glue.now = tvl_ev_now(v->driver);
    if (v->moq)
        moq_session_tick(v->moq, v->glue.now);
    if (v->o.again && v->first_at && v->step < 2 &&
        v->glue.now >= v->first_at + (tvl_time)(1 + v->step) * 1000000u)
        ask_again(v);
    if (v->glue.now >= v->ends_at)
        leave(v);
    tvl_ev_kick(v->driver);
}

/* ---- set-up ---- */

static size_t read_token(const char *path, uint8_t out[TOKEN_FILE_MAX])
{
    FILE *f = path ? fopen(path, "rb") : NULL;
    size_t n = f ? fread(out, 1, TOKEN_FILE_MAX, f) : 0;
    if (f)
        fclose(f);
    while (n > 0 && out[n - 1] == '\n')
        n--;
    return n;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **value;
    } all[] = { { "port", &o->port },   { "ca", &o->ca },           { "ns", &o->ns },
                { "setup", &o->setup }, { "request", &o->request }, { "publish", &o->publish },
                { "times", &o->times }, { "hold", &o->hold },       { "from", &o->from },
                { "cert", &o->cert },   { "key", &o->key },         { "track", &o->track },
                { "again", &o->again } };
    for (int i = 1; i < argc; i++) {
        const size_t len = strcspn(argv[i], "=");
        bool known = false;
        for (size_t k = 0; argv[i][len] && k < sizeof all / sizeof all[0]; k++)
            if (strlen(all[k].name) == len && strncmp(all[k].name, argv[i], len) == 0) {
                *all[k].value = argv[i] + len + 1;
                known = true;
            }
        if (!known)
            return false;
    }
    return o->port && o->ca && o->ns;
}

static int open_connection(struct visit *v)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct tvl_tls_config tc = {
        .alpn = alpn, .ca_file = v->o.ca, .cert_file = v->o.cert, .key_file = v->o.key
    };
    struct tvl_ev_config cfg = { .loop = v->loop, .on_event = on_event, .user = v };
    const struct tvl_ev_path path = { .local = v->o.from ? v->o.from : "127.0.0.1" };
    struct tvl_tls *tls = NULL;
    char server[64];
    tvl_config_init(&cfg.tvl);
    snprintf(server, sizeof server, "127.0.0.1:%s", v->o.port);
    int result = tvl_tls_new(&tls, &tc, v->reason, sizeof v->reason);
    cfg.tvl.tls = tls;
    if (result == 0)
        result = tvl_ev_new(&v->driver, &cfg, v->reason, sizeof v->reason);
    tvl_tls_free(tls);
    return result == 0 ? tvl_ev_connect(v->driver, server, "localhost", &path, &v->conn, v->reason,
                                        sizeof v->reason)
                       : result;
}

static void say_goodbye(struct visit *v)
{
    if (v->closed)
        return;
    if (v->moq)
        moq_session_close(v->moq, MOQ_NO_ERROR, "");
    tvl_ev_kick(v->driver);
    for (int i = 0; i < 20; i++)
        ev_run(v->loop, EVRUN_NOWAIT);
}

int main(int argc, char **argv)
{
    static struct visit v;
    ev_timer tick;
    if (!read_options(&v.o, argc, argv)) {
        fprintf(stderr, "usage: visit port=N ca=FILE ns=NAMESPACE [KEY=VALUE]...\n");
        return 64;
    }
    v.setup_len = read_token(v.o.setup, v.setup);
    v.request_len = read_token(v.o.request, v.request);
    v.times = v.o.times ? (unsigned)atoi(v.o.times) : 1;
    v.refused = json_array();
    v.loop = ev_loop_new(EVFLAG_AUTO);
    if (open_connection(&v) < 0) {
        fprintf(stderr, "visit: %s\n", v.reason);
        return 1;
    }
    v.began = tvl_ev_now(v.driver);
    v.ends_at = v.began + (tvl_time)(GIVE_UP_S * 1e6);
    ev_timer_init(&tick, on_tick, TICK_S, TICK_S);
    tick.data = &v;
    ev_timer_start(v.loop, &tick);
    ev_run(v.loop, 0);
    const double seconds = (double)(tvl_ev_now(v.driver) - v.began) / 1e6;
    say_goodbye(&v);
    json_t *out = json_pack("{s:b, s:b, s:i, s:i, s:o, s:i, s:s, s:o, s:o, s:f}", "connected",
                            v.connected, "setup", v.met, "accepted", (int)v.accepted, "objects",
                            (int)v.objects, "refused", v.refused, "groups", (int)v.groups, "reason",
                            v.reason, "done", v.done ? v.done : json_null(), "closed",
                            v.closed ? v.closed : json_null(), "seconds", seconds);
    char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts(text);
    free(text);
    json_decref(out);
    moq_session_free(v.moq);
    tvl_ev_free(v.driver);
    ev_loop_destroy(v.loop);
    return 0;
}
