/* ends.c - see ends.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ends.h"

#define LINES_MAX 512

__attribute__((format(printf, 2, 3))) static void note(struct end *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(e->log + e->len, ENDS_LOG_MAX - e->len, format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n + 1 < ENDS_LOG_MAX - e->len);
    e->len += (size_t)n;
    e->log[e->len++] = '\n';
    e->log[e->len] = '\0';
}

static const char *text_of(const struct moq_name *name)
{
    static char text[2048];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < name->n_ns; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? "/" : "",
                               (int)name->ns[i].len, (const char *)name->ns[i].bytes);
    if (name->track.len > 0)
        snprintf(text + at, sizeof text - at, " %.*s", (int)name->track.len,
                 (const char *)name->track.bytes);
    return text;
}

static void note_tokens(struct end *e)
{
    const struct moq_token *token;
    size_t n = moq_tokens(e->session, &token);
    for (size_t i = 0; i < n; i++)
        note(e, "token %d %.*s", (int)token[i].type, (int)token[i].value.len,
             (const char *)token[i].value.bytes);
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    (void)path, (void)authority;
    note_tokens(user);
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct end *e = user;
    (void)reason;
    e->closed = true;
    e->closed_code = code;
    note(e, "closed %x", (unsigned)code);
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct end *e = user;
    e->sending = s;
    note(e, "subscribe %s%s%s", text_of(name), o->rendezvous_ms ? " waits" : "",
         o->has_new_group ? " new group" : "");
    note_tokens(e);
}

static void on_update(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    (void)s;
    note(user, "update%s%s", o->forward ? "" : " off", o->has_new_group ? " new group" : "");
}

static void on_cancelled(void *user, struct moq_sending *s)
{
    (void)s;
    note(user, "cancelled");
}

static void on_published(void *user, struct moq_sending *s, const struct moq_subscribe_options *o)
{
    (void)s;
    note(user, "published%s priority %d", o->forward ? "" : " off", o->priority);
}

static void on_publish_refused(void *user, struct moq_sending *s, uint64_t code, const char *reason)
{
    (void)s;
    note(user, "publish refused %x %s", (unsigned)code, reason);
}

static void on_subscribed(void *user, struct moq_subscription *s, const struct moq_location *l)
{
    note(user, "subscribed %d properties %d", l ? (int)l->group : -1,
         (int)moq_subscription_properties(s).len);
}

static void on_publish(void *user, struct moq_subscription *s, const struct moq_name *name,
                       const struct moq_publish_options *o)
{
    struct end *e = user;
    e->sub = s;
    note(e, "publish %s%s largest %d properties %d", text_of(name), o->forward ? "" : " off",
         o->has_largest ? (int)o->largest.group : -1, (int)moq_subscription_properties(s).len);
    note_tokens(e);
}

static void on_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    (void)s;
    note(user, "rejected %x %s", (unsigned)code, reason);
}

static void note_object(struct end *e, const char *what, const struct moq_object *o)
{
    note(e, "%s %d.%d sub %d priority %d%s%s%s%s%s %.*s", what, (int)o->group, (int)o->object,
         (int)o->subgroup, o->priority, o->properties.len > 0 ? " properties" : "",
         o->datagram ? " datagram" : "", o->first ? " first" : "",
         o->has_previous ? " follows" : "", o->end_of_group ? " closing" : "", (int)o->payload.len,
         (const char *)o->payload.bytes);
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    (void)s;
    note_object(user, "object", obj);
}

static void on_subgroup_end(void *user, struct moq_subscription *s, uint64_t group,
                            uint64_t subgroup, bool whole)
{
    (void)s;
    if (!whole) /* whether the end comes with the last object depends on the pipe */
        note(user, "subgroup %d.%d broken", (int)group, (int)subgroup);
}

static void on_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    (void)s;
    note(user, "done %x %s", (unsigned)status, reason);
}

static void on_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o)
{
    struct end *e = user;
    e->fetch = f;
    note(e, "fetch %s %d.%d to %d.%d %s", text_of(name), (int)o->start.group, (int)o->start.object,
         (int)o->end.group, (int)o->end.object, o->order == MOQ_ORDER_ASCENDING ? "up" : "down");
    note_tokens(e);
}

static void on_fetch_cancelled(void *user, struct moq_fetch *f)
{
    (void)f;
    note(user, "fetch cancelled");
}

static void on_fetch_accepted(void *user, struct moq_fetch *f, bool end_of_track,
                              struct moq_location end)
{
    (void)f;
    note(user, "fetch accepted to %d.%d%s", (int)end.group, (int)end.object,
         end_of_track ? " end of track" : "");
}

static void on_fetch_object(void *user, struct moq_fetch *f, const struct moq_object *obj)
{
    (void)f;
    note_object(user, "fetched", obj);
}

static void on_fetch_unknown(void *user, struct moq_fetch *f, struct moq_location to)
{
    (void)f;
    note(user, "unknown to %d.%d", (int)to.group, (int)to.object);
}

static void on_fetch_done(void *user, struct moq_fetch *f, bool whole, uint64_t code)
{
    (void)f;
    note(user, "fetch done %s %x", whole ? "whole" : "broken", (unsigned)code);
}

static void on_fetch_refused(void *user, struct moq_fetch *f, uint64_t code, const char *reason)
{
    (void)f;
    note(user, "fetch refused %x %s", (unsigned)code, reason);
}

static void on_request(void *user, struct moq_request *r, const struct moq_name *name)
{
    static const char *const kinds[] = { "publishes", "asks for namespaces of",
                                         "asks for tracks of", "asks for the status of" };
    struct end *e = user;
    e->request = r;
    note(e, "%s %s%s", kinds[moq_request_kind(r)], text_of(name),
         moq_request_forward(r) ? "" : " off");
    note_tokens(e);
}

static void on_request_ok(void *user, struct moq_request *r)
{
    (void)r;
    note(user, "ok");
}

static void on_track_status(void *user, struct moq_request *r, const struct moq_location *l,
                            struct moq_bytes properties)
{
    (void)r;
    note(user, "status %d properties %d", l ? (int)l->group : -1, (int)properties.len);
}

static void on_namespace(void *user, struct moq_request *r, const struct moq_name *ns, bool there)
{
    (void)r;
    note(user, "%s %s", there ? "namespace" : "no namespace", text_of(ns));
}

static void on_track_blocked(void *user, struct moq_request *r, const struct moq_name *name)
{
    (void)r;
    note(user, "blocked %s", text_of(name));
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    (void)r;
    note(user, "request over %x %s", (unsigned)code, reason);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_closed = on_closed,
    .on_subscribe = on_subscribe,
    .on_update = on_update,
    .on_cancelled = on_cancelled,
    .on_published = on_published,
    .on_publish_refused = on_publish_refused,
    .on_subscribed = on_subscribed,
    .on_publish = on_publish,
    .on_rejected = on_rejected,
    .on_object = on_object,
    .on_subgroup_end = on_subgroup_end,
    .on_done = on_done,
    .on_fetch = on_fetch,
    .on_fetch_cancelled = on_fetch_cancelled,
    .on_fetch_accepted = on_fetch_accepted,
    .on_fetch_object = on_fetch_object,
    .on_fetch_unknown = on_fetch_unknown,
    .on_fetch_done = on_fetch_done,
    .on_fetch_refused = on_fetch_refused,
    .on_request = on_request,
    .on_request_ok = on_request_ok,
    .on_track_status = on_track_status,
    .on_namespace = on_namespace,
    .on_track_blocked = on_track_blocked,
    .on_request_end = on_request_end,
};

void ends_open(struct ends *e, uint64_t seed, const struct moq_session_config *client,
               const struct moq_session_config *server)
{
    static const struct moq_session_config plain[2] = { { .path = "/" }, { .server = true } };
    static const size_t chunks[] = { 1, 7, 100, 5000 };
    const struct moq_session_config *cfg[2] = { client ? client : &plain[0],
                                                server ? server : &plain[1] };
    memset(e, 0, sizeof *e);
    pipe_init(&e->pipe, seed, chunks[seed % 4]);
    struct end *both[2] = { &e->client, &e->server };
    for (int i = 0; i < 2; i++) {
        struct moq_quic quic = pipe_quic(&e->pipe, i);
        assert_int_equal(moq_session_new(&both[i]->session, cfg[i], &quic, &handler, both[i]), 0);
        e->pipe.session[i] = both[i]->session;
        assert_int_equal(moq_session_start(both[i]->session), 0);
    }
    pipe_run(&e->pipe);
}

void ends_close(struct ends *e)
{
    if (e->client.closed || e->server.closed)
        fail_msg("closed: client %x, server %x", (unsigned)e->client.closed_code,
                 (unsigned)e->server.closed_code);
    pipe_fini(&e->pipe);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the lines of `text` in place, which is cut up. */
static size_t sort_lines(char *text, char *lines[LINES_MAX])
{
    size_t n = 0;
    for (char *at = text; *at != '\0';) {
        char *end = strchr(at, '\n');
        assert_true(end && n < LINES_MAX);
        *end = '\0';
        lines[n++] = at;
        at = end + 1;
    }
    qsort(lines, n, sizeof *lines, by_text);
    return n;
}

void ends_expect(struct ends *e, struct end *end, const char *want)
{
    pipe_run(&e->pipe);
    char *copy = strdup(want), *got = strdup(end->log);
    char *want_lines[LINES_MAX], *got_lines[LINES_MAX];
    size_t n = sort_lines(copy, want_lines), n_got = sort_lines(got, got_lines);
    bool same = n == n_got;
    for (size_t i = 0; i < n && same; i++)
        same = strcmp(want_lines[i], got_lines[i]) == 0;
    if (!same)
        fail_msg("told:\n%swanted:\n%s", end->log, want);
    free(copy);
    free(got);
    end->len = 0;
    end->log[0] = '\0';
}

struct moq_name ends_name(const char *ns, const char *track)
{
    struct moq_name name;
    assert_int_equal(moq_name_from_text(&name, ns, track), 0);
    return name;
}
