/*
 * server_control.c - a stranger's request to the server's control interface, without HTTP's bytes
 * (those are libmicrohttpd's): five lines, METHOD PATH?QUERY, Host, Origin, Authorization,
 * Content-Type, then the body. Whatever it is, the answer is JSON or metrics with a fitting status,
 * and no hook is called with a value out of its range, nor for a page of another site.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control_api.h"
#include "control_guard.h"

#define TOKEN "0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned done; /* hooks called that change something */

static struct snapshot *take(void *user)
{
    const char *text = user;
    struct snapshot *s = calloc(1, sizeof *s);
    s->session = calloc(1, sizeof *s->session);
    s->source = calloc(1, sizeof *s->source);
    s->n_sessions = s->n_sources = 1;
    s->session->id = 1;
    s->session->n_paths = 1;
    s->session->n_tracks = 1;
    strncpy(s->session->implementation, text, sizeof s->session->implementation - 1);
    strncpy(s->session->ns, text, sizeof s->session->ns - 1);
    strncpy(s->source->ns, text, sizeof s->source->ns - 1);
    return s;
}

static enum control_result stop_session(void *user, uint64_t id, const char *reason,
                                        struct control_why *why)
{
    (void)user;
    (void)why;
    assert(strlen(reason) <= API_REASON_MAX);
    done++;
    return id == 1 ? CONTROL_OK : CONTROL_NOT_FOUND;
}

static enum control_result on_source(void *user, const char *ns, struct control_why *why)
{
    (void)user;
    (void)why;
    assert(ns[0] && strlen(ns) < SNAPSHOT_TEXT_MAX);
    done++;
    return CONTROL_CONFLICT;
}

static enum control_result refresh(void *user, const char *ns, unsigned spatial,
                                   struct control_why *why)
{
    assert(spatial < SVC_SPATIAL_MAX);
    return on_source(user, ns, why);
}

static void get_limits(void *user, struct control_limits *out)
{
    (void)user;
    *out = (struct control_limits){ .viewers_max = 1 };
}

static enum control_result set_limits(void *user, const struct control_limits *l,
                                      struct control_why *why)
{
    (void)user;
    (void)why;
    assert(l->viewers_max >= 1 && l->viewers_max <= 65536 && l->per_address <= 65536 &&
           l->per_token <= 65536 && l->rate_per_address <= 65536);
    done++;
    return CONTROL_OK;
}

static enum control_result whole(void *user, struct control_why *why)
{
    (void)user;
    (void)why;
    done++;
    return CONTROL_FAILED;
}

/* The next line of what is left, its end made a NUL. */
static char *line(char **rest)
{
    char *begin = *rest, *end = strchr(begin, '\n');
    *rest = end ? end + 1 : begin + strlen(begin);
    if (end)
        *end = 0;
    return begin;
}

static void split_query(struct control_call *call, char *query)
{
    for (char *p = strtok(query, "&"); p && call->n_params < API_PARAMS_MAX;
         p = strtok(NULL, "&")) {
        char *value = strchr(p, '=');
        if (value)
            *value++ = 0;
        call->param[call->n_params++] = (struct control_param){ p, value };
    }
}

static void judge(const struct control_reply *r)
{
    json_t *value = NULL;
    assert(r->status >= 200 && r->status < 600 && r->text);
    if (strcmp(r->type, "application/json") == 0) {
        value = json_loadb(r->text, r->len, 0, NULL);
        assert(value);
        assert((r->status < 400 || r->status == 503) || json_object_get(value, "error"));
    }
    json_decref(value);
}

static void handle(const struct control_route *route, const struct control_call *call,
                   struct control_reply *reply)
{
    const struct control_hooks hooks = { .user = (void *)(uintptr_t)call->body, /* only read */
                                         .snapshot = take,
                                         .stop_session = stop_session,
                                         .start_source = on_source,
                                         .stop_source = on_source,
                                         .refresh = refresh,
                                         .get_limits = get_limits,
                                         .set_limits = set_limits,
                                         .reload = whole,
                                         .drain = whole };
    struct control_api api;
    struct control_watch watch;
    control_api_init(&api, &hooks);
    if (!control_route_is_stream(route)) {
        control_api_handle(&api, route, call, 1, reply);
    } else if (control_watch_parse(&watch, call, reply) == 0 && view_refresh(&api.view, 1) == 0) {
        reply->status = 200;
        reply->type = "application/json";
        reply->text = control_watch_event(&api, &watch);
        reply->len = strlen(reply->text);
    }
    control_api_fini(&api);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *rest = text;
    memcpy(text, data, size);
    text[size] = 0;
    char *method = line(&rest), *host = line(&rest), *origin = line(&rest), *bearer = line(&rest),
         *type = line(&rest), *path = strchr(method, ' ');
    struct control_reply reply = { 0 };
    struct control_call call = {
        .who = "192.0.2.1:1", .method = method, .body = rest, .content_type = type[0] ? type : NULL
    };
    done = 0;
    call.body_len = strnlen(rest, API_BODY_MAX);
    if (path && guard_uri(path + 1)) {
        *path++ = 0;
        char *query = strchr(path, '?');
        if (query)
            *query++ = 0;
        call.path = path;
        if (query)
            split_query(&call, query);
        const bool own = guard_host(host) && guard_origin(origin[0] ? origin : NULL, NULL, host);
        const struct control_route *route = control_route_find(method, path, &reply);
        if (route && own && (control_route_is_open(route) || guard_bearer(bearer, TOKEN)))
            handle(route, &call, &reply);
        else if (route)
            control_reply_error(&reply, 403, "%s", host);
        judge(&reply);
        assert(!done || (strcmp(method, "POST") == 0 || strcmp(method, "DELETE") == 0));
        assert(!done || strstr(bearer, TOKEN));
        assert(!done || !strstr(origin, "evil"));
    }
    control_reply_fini(&reply);
    free(text);
    return 0;
}
