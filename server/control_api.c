/* control_api.c - see control_api.h. */
#include "control_api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_json.h"
#include "log.h"

#define JSON_TYPE "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define MESSAGE_MAX 512
#define DUMP (JSON_COMPACT | JSON_REAL_PRECISION(12))

struct job { /* one call on its way */
    struct control_api *api;
    const struct control_call *call;
    const char *arg; /* what the route's path has between its prefix and suffix */
    struct control_reply *out;
};

struct control_route {
    const char *method, *prefix, *suffix; /* suffix NULL: the path is the prefix, no argument */
    const char *what;
    void (*handle)(struct job *j); /* NULL: the stream of events */
    bool open, needs_view;
};

/* ---- replies ---- */

void control_reply_fini(struct control_reply *out)
{
    free(out->text);
    out->text = NULL;
}

static void reply_json(struct control_reply *out, unsigned status, json_t *value)
{
    control_reply_fini(out);
    out->status = status;
    out->type = JSON_TYPE;
    out->text = value ? json_dumps(value, DUMP) : NULL;
    out->len = out->text ? strlen(out->text) : 0;
    json_decref(value);
}

static const char *code_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *code;
    } codes[] = {
        { 400, "bad_request" }, { 401, "unauthorized" }, { 403, "forbidden" },
        { 404, "not_found" },   { 405, "bad_method" },   { 409, "conflict" },
        { 413, "too_large" },   { 415, "bad_type" },     { 421, "bad_host" },
        { 500, "failed" },      { 501, "not_offered" },  { 503, "unavailable" },
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == status)
            return codes[i].code;
    return "error";
}

void control_reply_error(struct control_reply *out, unsigned status, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    reply_json(out, status,
               json_pack("{s:{s:s, s:o}}", "error", "code", code_of(status), "message",
                         json_text(message)));
}

static void reply_done(struct job *j, enum control_result result, const struct control_why *why,
                       const char *otherwise)
{
    static const unsigned status[] = { [CONTROL_OK] = 200,
                                       [CONTROL_NOT_FOUND] = 404,
                                       [CONTROL_CONFLICT] = 409,
                                       [CONTROL_BAD] = 400,
                                       [CONTROL_FAILED] = 500 };
    view_expire(&j->api->view);
    if (result == CONTROL_OK)
        reply_json(j->out, 200, json_pack("{s:b}", "ok", 1));
    else
        control_reply_error(j->out, status[result], "%s", why->text[0] ? why->text : otherwise);
}

static void reply_not_offered(struct job *j)
{
    control_reply_error(j->out, 501, "this server does not offer it");
}

/* ---- what is asked ---- */

static int parse_id(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] < '0' || text[0] > '9' || *end || errno ? -1 : 0;
}

/* No query is asked for: 0, or -1 with 400. */
static int no_params(struct job *j)
{
    if (!j->call->n_params)
        return 0;
    control_reply_error(j->out, 400, "unknown parameter \"%s\"", j->call->param[0].key);
    return -1;
}

/* The body as an object, {} without one. NULL with 400 or 415 in the reply. */
static json_t *body_of(struct job *j)
{
    const struct control_call *c = j->call;
    json_error_t error;
    if (!c->body_len)
        return json_object();
    if (!c->content_type || strncasecmp(c->content_type, JSON_TYPE, sizeof JSON_TYPE - 1) != 0 ||
        !strchr("; ", c->content_type[sizeof JSON_TYPE - 1])) {
        control_reply_error(j->out, 415, "a body is " JSON_TYPE);
        return NULL;
    }
    json_t *body = json_loadb(c->body, c->body_len, JSON_REJECT_DUPLICATES, &error);
    if (body && json_is_object(body))
        return body;
    if (body)
        control_reply_error(j->out, 400, "the body is not a JSON object");
    else
        control_reply_error(j->out, 400, "the body is not JSON: %s", error.text);
    json_decref(body);
    return NULL;
}

/* Integer member in [least, most], where it is there. 1: it was, 0: not, -1 with 400. */
static int take_number(struct job *j, json_t *body, const char *key, json_int_t least,
                       json_int_t most, json_int_t *out)
{
    const json_t *value = json_object_get(body, key);
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > most) {
        control_reply_error(j->out, 400, "\"%s\" is an integer from %" PRId64 " to %" PRId64, key,
                            (int64_t)least, (int64_t)most);
        return -1;
    }
    *out = json_integer_value(value);
    json_object_del(body, key);
    return 1;
}

/* All members have been taken: 0, or -1 with 400. */
static int nothing_left(struct job *j, json_t *body)
{
    void *member = json_object_iter(body);
    if (!member)
        return 0;
    control_reply_error(j->out, 400, "unknown member \"%s\"", json_object_iter_key(member));
    return -1;
}

static int no_body(struct job *j)
{
    json_t *body = body_of(j);
    const int result = body ? nothing_left(j, body) : -1;
    json_decref(body);
    return result;
}

static int asks_nothing(struct job *j)
{
    return no_params(j) < 0 || no_body(j) < 0 ? -1 : 0;
}

/* ---- what is told ---- */

static void get_health(struct job *j)
{
    reply_json(j->out, 200, json_pack("{s:b}", "alive", 1));
}

static void get_ready(struct job *j)
{
    const struct snapshot *s = j->api->view.now.snapshot;
    reply_json(j->out, s->ready && !s->draining ? 200 : 503,
               json_pack("{s:b, s:b}", "ready", s->ready && !s->draining, "draining", s->draining));
}

static void get_metrics(struct job *j)
{
    struct process_stats process;
    process_stats_get(&process);
    control_reply_fini(j->out);
    j->out->text =
        metrics_text(j->api->view.now.snapshot, &j->api->metrics, &process, &j->out->len);
    j->out->status = 200;
    j->out->type = METRICS_TYPE;
}

static void get_status(struct job *j)
{
    if (no_params(j) == 0)
        reply_json(j->out, 200, json_status(&j->api->view));
}

static json_t *sessions_json(const struct control_view *v, const struct list_query *q)
{
    struct list_page page;
    if (list_page(q, v, &page) < 0)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < page.n; i++)
        json_array_append_new(list, json_session_brief(v, page.session[i]));
    json_t *out = json_pack(
        "{s:I, s:I, s:I, s:o}", "total", (json_int_t)v->now.snapshot->n_sessions, "matched",
        (json_int_t)page.matched, "offset", (json_int_t)q->offset, "sessions", list);
    list_page_fini(&page);
    return out;
}

static void get_sessions(struct job *j)
{
    struct control_watch w;
    if (control_watch_parse(&w, j->call, j->out) < 0)
        return;
    if (w.has_session)
        control_reply_error(j->out, 400, "unknown parameter \"session\"");
    else
        reply_json(j->out, 200, sessions_json(&j->api->view, &w.list));
}

static void get_session(struct job *j)
{
    uint64_t id;
    const struct snapshot_session *s =
        parse_id(j->arg, &id) == 0 ? view_session(&j->api->view.now, id) : NULL;
    if (no_params(j) < 0)
        return;
    if (s)
        reply_json(j->out, 200, json_session(&j->api->view, s));
    else
        control_reply_error(j->out, 404, "no session %s", j->arg);
}

static void get_sources(struct job *j)
{
    if (no_params(j) == 0)
        reply_json(j->out, 200, json_pack("{s:o}", "sources", json_sources(&j->api->view)));
}

static void get_source(struct job *j)
{
    const struct snapshot_source *s = view_source(&j->api->view.now, j->arg);
    if (no_params(j) < 0)
        return;
    if (s)
        reply_json(j->out, 200, json_source(&j->api->view, s));
    else
        control_reply_error(j->out, 404, "no source %s", j->arg);
}

static void get_limits(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_limits limits = { 0 };
    if (no_params(j) < 0)
        return;
    if (!h->get_limits) {
        reply_not_offered(j);
        return;
    }
    h->get_limits(h->user, &limits);
    reply_json(j->out, 200, json_limits(&limits));
}

static void get_config(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    if (no_params(j) < 0)
        return;
    if (h->config)
        reply_json(j->out, 200, json_config(h->config(h->user)));
    else
        reply_not_offered(j);
}

/* ---- what is done ---- */

static void delete_session(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    char reason[API_REASON_MAX + 1] = "stopped by the operator";
    uint64_t id;
    for (size_t i = 0; i < j->call->n_params; i++) {
        const struct control_param *p = &j->call->param[i];
        if (strcmp(p->key, "reason") != 0 || !p->value || strlen(p->value) > API_REASON_MAX) {
            control_reply_error(j->out, 400, "\"reason\" is at most %d bytes, and the only one",
                                API_REASON_MAX);
            return;
        }
        text_clean(reason, sizeof reason, p->value);
    }
    if (no_body(j) < 0)
        return;
    if (parse_id(j->arg, &id) < 0) {
        control_reply_error(j->out, 404, "no session %s", j->arg);
        return;
    }
    if (!h->stop_session) {
        reply_not_offered(j);
        return;
    }
    struct control_why why = { "" };
    log_line(LOG_INFO, "control: %s stops session %" PRIu64, j->call->who, id);
    reply_done(j, h->stop_session(h->user, id, reason, &why), &why, "no such session");
}

/* The name comes from outside: of the log's lines it makes one. */
static void log_source(const struct job *j, const char *verb)
{
    char clean[SNAPSHOT_TEXT_MAX];
    text_clean(clean, sizeof clean, j->arg);
    log_line(LOG_INFO, "control: %s %s source %s", j->call->who, verb, clean);
}

static void start_source(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_why why = { "" };
    if (asks_nothing(j) < 0)
        return;
    if (!h->start_source) {
        reply_not_offered(j);
        return;
    }
    log_source(j, "starts");
    reply_done(j, h->start_source(h->user, j->arg, &why), &why, "it cannot be started");
}

static void stop_source(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_why why = { "" };
    if (asks_nothing(j) < 0)
        return;
    if (!h->stop_source) {
        reply_not_offered(j);
        return;
    }
    log_source(j, "stops");
    reply_done(j, h->stop_source(h->user, j->arg, &why), &why, "it cannot be stopped");
}

static void refresh_source(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_why why = { "" };
    json_int_t spatial = 0;
    json_t *body = no_params(j) == 0 ? body_of(j) : NULL;
    if (!body)
        return;
    const bool good = take_number(j, body, "spatial", 0, SVC_SPATIAL_MAX - 1, &spatial) >= 0 &&
                      nothing_left(j, body) == 0;
    json_decref(body);
    if (!good)
        return;
    if (!h->refresh) {
        reply_not_offered(j);
        return;
    }
    log_source(j, "refreshes");
    reply_done(j, h->refresh(h->user, j->arg, (unsigned)spatial, &why), &why,
               "it cannot be refreshed");
}

static void set_limits(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_limits limits = { 0 };
    struct control_why why = { "" };
    if (!h->get_limits || !h->set_limits) {
        reply_not_offered(j);
        return;
    }
    json_t *body = no_params(j) == 0 ? body_of(j) : NULL;
    if (!body)
        return;
    h->get_limits(h->user, &limits);
    const struct {
        const char *key;
        json_int_t least;
        uint32_t *value;
    } members[] = {
        { "viewers_max", 1, &limits.viewers_max },
        { "per_address", 0, &limits.per_address },
        { "per_token", 0, &limits.per_token },
        { "rate_per_address", 0, &limits.rate_per_address },
    };
    bool good = true;
    for (size_t i = 0; good && i < sizeof members / sizeof *members; i++) {
        json_int_t value = *members[i].value;
        good = take_number(j, body, members[i].key, members[i].least, 65536, &value) >= 0;
        *members[i].value = (uint32_t)value;
    }
    good = good && nothing_left(j, body) == 0;
    json_decref(body);
    if (!good)
        return;
    log_line(LOG_INFO, "control: %s sets limits: %u viewers, %u an address, %u a token, %u new",
             j->call->who, limits.viewers_max, limits.per_address, limits.per_token,
             limits.rate_per_address);
    const enum control_result result = h->set_limits(h->user, &limits, &why);
    if (result == CONTROL_OK)
        get_limits(j);
    else
        reply_done(j, result, &why, "the limits cannot be set");
}

static void reload(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_why why = { "" };
    if (asks_nothing(j) < 0)
        return;
    if (!h->reload) {
        reply_not_offered(j);
        return;
    }
    log_line(LOG_INFO, "control: %s reloads the configuration", j->call->who);
    reply_done(j, h->reload(h->user, &why), &why, "the configuration cannot be read");
}

static void drain(struct job *j)
{
    const struct control_hooks *h = &j->api->hooks;
    struct control_why why = { "" };
    if (asks_nothing(j) < 0)
        return;
    if (!h->drain) {
        reply_not_offered(j);
        return;
    }
    log_line(LOG_INFO, "control: %s drains the server", j->call->who);
    reply_done(j, h->drain(h->user, &why), &why, "it drains already");
}

/* ---- routes ---- */

static void get_routes(struct job *j);

#define API "/api/v1"

static const struct control_route routes[] = {
    { "GET", "/health", NULL, "200 while the server runs", get_health, true, false },
    { "GET", "/ready", NULL, "200 when it takes viewers, else 503", get_ready, true, true },
    { "GET", "/metrics", NULL, "Prometheus text format 0.0.4", get_metrics, true, true },
    { "GET", API, NULL, "this list", get_routes, false, false },
    { "GET", API "/status", NULL, "the server as a whole", get_status, false, true },
    { "GET", API "/sessions", NULL, "sessions; q, sort, limit, offset", get_sessions, false, true },
    { "GET", API "/sessions/", "", "one session with its paths and tracks", get_session, false,
      true },
    { "DELETE", API "/sessions/", "", "stops it; reason", delete_session, false, false },
    { "GET", API "/sources", NULL, "sources", get_sources, false, true },
    { "POST", API "/sources/", "/start", "starts a source", start_source, false, false },
    { "POST", API "/sources/", "/stop", "stops a source", stop_source, false, false },
    { "POST", API "/sources/", "/refresh", "a key picture, or layers predicted anew",
      refresh_source, false, false },
    { "GET", API "/sources/", "", "one source", get_source, false, true },
    { "GET", API "/limits", NULL, "limits in force", get_limits, false, false },
    { "POST", API "/limits", NULL, "changes limits", set_limits, false, false },
    { "GET", API "/config", NULL, "configuration in force, without secrets", get_config, false,
      false },
    { "POST", API "/reload", NULL, "reads configuration, certificates and keys again", reload,
      false, false },
    { "POST", API "/drain", NULL, "takes no new viewers, ends when all have gone", drain, false,
      false },
    { "GET", API "/events", NULL,
      "server-sent events, one a second; session, q, sort, limit, offset", NULL, false, true },
};

#define N_ROUTES (sizeof routes / sizeof *routes)

static void get_routes(struct job *j)
{
    json_t *list = json_array();
    for (size_t i = 0; i < N_ROUTES; i++) {
        const struct control_route *r = &routes[i];
        const char *arg = !r->suffix ? "" : strstr(r->prefix, "sessions") ? "ID" : "NAMESPACE";
        json_t *path = json_sprintf("%s%s%s", r->prefix, arg, r->suffix ? r->suffix : "");
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:s}", "method", r->method, "path", path, "what", r->what));
    }
    if (no_params(j) == 0)
        reply_json(j->out, 200, json_pack("{s:o}", "routes", list));
    else
        json_decref(list);
}

/* Bytes of the argument in `path`; 0 where there is none and none is wanted, -1: another path. */
static ssize_t match(const struct control_route *r, const char *path)
{
    if (!r->suffix)
        return strcmp(path, r->prefix) == 0 ? 0 : -1;
    const size_t before = strlen(r->prefix), after = strlen(r->suffix), n = strlen(path);
    if (n <= before + after || strncmp(path, r->prefix, before) != 0 ||
        strcmp(path + n - after, r->suffix) != 0)
        return -1;
    return (ssize_t)(n - before - after);
}

const struct control_route *control_route_find(const char *method, const char *path,
                                               struct control_reply *out)
{
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    out->allow[0] = 0;
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (match(&routes[i], path) < 0)
            continue;
        if (strcmp(method, routes[i].method) == 0)
            return &routes[i];
        if (!strstr(out->allow, routes[i].method)) {
            if (out->allow[0])
                strcat(out->allow, ", ");
            strcat(out->allow,
                   strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
        }
    }
    if (out->allow[0])
        control_reply_error(out, 405, "allowed here: %s", out->allow);
    else
        control_reply_error(out, 404, "nothing here; GET " API " lists what there is");
    return NULL;
}

bool control_route_is_open(const struct control_route *r)
{
    return r->open;
}

bool control_route_is_stream(const struct control_route *r)
{
    return !r->handle;
}

void control_api_handle(struct control_api *a, const struct control_route *r,
                        const struct control_call *call, uint64_t clock_us,
                        struct control_reply *out)
{
    char arg[SNAPSHOT_TEXT_MAX] = "";
    const ssize_t n = match(r, call->path);
    if (n >= (ssize_t)sizeof arg) {
        control_reply_error(out, 404, "a name is at most %d bytes", SNAPSHOT_TEXT_MAX - 1);
        return;
    }
    if (n > 0)
        memcpy(arg, call->path + strlen(r->prefix), (size_t)n);
    if (r->needs_view && view_refresh(&a->view, clock_us) < 0) {
        control_reply_error(out, 503, "no snapshot can be taken");
        return;
    }
    r->handle(&(struct job){ .api = a, .call = call, .arg = arg, .out = out });
}

/* ---- events ---- */

int control_watch_parse(struct control_watch *w, const struct control_call *call,
                        struct control_reply *out)
{
    *w = (struct control_watch){ 0 };
    list_query_init(&w->list);
    for (size_t i = 0; i < call->n_params; i++) {
        const char *key = call->param[i].key, *value = call->param[i].value;
        int bad = !value;
        if (!bad && strcmp(key, "session") == 0) {
            bad = parse_id(value, &w->session);
            w->has_session = true;
        } else if (!bad) {
            bad = list_query_set(&w->list, key, value);
        }
        if (bad) {
            control_reply_error(out, 400, "unknown parameter \"%s\", or not such a value", key);
            return -1;
        }
    }
    return 0;
}

char *control_watch_event(const struct control_api *a, const struct control_watch *w)
{
    const struct control_view *v = &a->view;
    json_t *event = json_pack("{s:o, s:o, s:o}", "status", json_status(v), "sources",
                              json_sources(v), "list", sessions_json(v, &w->list));
    if (event && w->has_session) {
        const struct snapshot_session *s = view_session(&v->now, w->session);
        json_object_set_new(event, "session", s ? json_session(v, s) : json_null());
    }
    char *text = event ? json_dumps(event, DUMP) : NULL;
    json_decref(event);
    return text;
}

/* ---- life ---- */

void control_api_init(struct control_api *a, const struct control_hooks *hooks)
{
    *a = (struct control_api){ .hooks = *hooks };
    view_init(&a->view, &a->hooks);
}

void control_api_fini(struct control_api *a)
{
    view_fini(&a->view);
}
