/*
 * control.c - see control.h. HTTP by libmicrohttpd, without threads: its epoll descriptor is one
 * watcher of the main loop.
 *
 *     request ─► guards (URI, Host, Origin, route, token) ─► body ─► control_api ─► reply
 *                                                        └► events: control_events, every second
 */
#include "control.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "control_api.h"
#include "control_events.h"
#include "control_guard.h"
#include "log.h"
#include "web.h"

#define CONNECTIONS_MAX 64
#define CONNECTION_BYTES 32768u /* for a request's headers */
#define IDLE_S 10u              /* of a connection that says and takes nothing */
#define BACKLOG 64
#define TICK_S 1.    /* between events */
#define FORGET_S 10. /* snapshots are kept after the last request; they are 6 KiB a viewer */
#define HEADERS_MAX 64

#define CSP                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'" \
    " data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"                        \
    " require-trusted-types-for 'script'"

struct control {
    struct ev_loop *loop;
    struct MHD_Daemon *daemon;
    int fd; /* listening */
    ev_io io;
    ev_timer timeout, tick, forget;
    char address[ADDRESS_TEXT_MAX];
    bool exposed; /* beyond this host */
    bool has_token;
    char token[GUARD_TOKEN_MAX + 1];
    struct control_api api;
    struct control_streams streams;
};

struct request {
    bool begun, answered, bad_uri;
    const struct control_route *route; /* NULL: a file of the dashboard */
    const struct web_file *file;
    struct control_call call;
    char who[ADDRESS_TEXT_MAX];
    char body[API_BODY_MAX];
    size_t body_len; /* may be beyond sizeof body: too much came */
};

/* ---- replies ---- */

static void add_headers(struct MHD_Response *r, const char *type, const char *cache)
{
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", cache);
    MHD_add_response_header(r, "Content-Security-Policy", CSP);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
}

/* Takes `r`. */
static enum MHD_Result queue(struct control *c, struct MHD_Connection *conn, struct request *req,
                             unsigned status, struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    req->answered = true;
    c->api.metrics.requests[status < METRICS_CODES_MAX ? status : 0]++;
    const enum MHD_Result result = MHD_queue_response(conn, status, r);
    MHD_destroy_response(r);
    return result;
}

/* Takes what is in `reply`. */
static enum MHD_Result answer(struct control *c, struct MHD_Connection *conn, struct request *req,
                              struct control_reply *reply)
{
    if (!reply->text)
        return MHD_NO; /* no memory: the connection ends */
    struct MHD_Response *r =
        MHD_create_response_from_buffer(reply->len, reply->text, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        control_reply_fini(reply);
        return MHD_NO;
    }
    add_headers(r, reply->type, "no-store");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, "Allow", reply->allow);
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"svc-server\"");
    return queue(c, conn, req, reply->status, r);
}

static enum MHD_Result answer_file(struct control *c, struct MHD_Connection *conn,
                                   struct request *req)
{
    const struct web_file *f = req->file;
    const char *known =
        MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    const bool same = known && strcmp(known, f->etag) == 0;
    struct MHD_Response *r = MHD_create_response_from_buffer(
        same ? 0 : f->len, (void *)f->data, MHD_RESPMEM_PERSISTENT); /* it only reads */
    if (!r)
        return MHD_NO;
    add_headers(r, f->type, "no-cache");
    MHD_add_response_header(r, "ETag", f->etag);
    return queue(c, conn, req, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r);
}

static enum MHD_Result answer_stream(struct control *c, struct MHD_Connection *conn,
                                     struct request *req)
{
    struct control_reply reply = { 0 };
    struct control_watch watch;
    if (control_watch_parse(&watch, &req->call, &reply) < 0)
        return answer(c, conn, req, &reply);
    if (c->streams.n >= EVENTS_STREAMS_MAX) {
        control_reply_error(&reply, MHD_HTTP_SERVICE_UNAVAILABLE, "%d streams are open already",
                            EVENTS_STREAMS_MAX);
        return answer(c, conn, req, &reply);
    }
    if (view_refresh(&c->api.view, clock_now_us()) < 0) {
        control_reply_error(&reply, MHD_HTTP_SERVICE_UNAVAILABLE, "no snapshot can be taken");
        return answer(c, conn, req, &reply);
    }
    struct MHD_Response *r = control_stream_new(&c->streams, conn, &c->api, &watch);
    if (!r)
        return MHD_NO;
    add_headers(r, "text/event-stream", "no-store");
    c->api.metrics.streams = c->streams.n;
    if (!ev_is_active(&c->tick)) {
        ev_timer_set(&c->tick, TICK_S, TICK_S);
        ev_timer_start(c->loop, &c->tick);
    }
    return queue(c, conn, req, MHD_HTTP_OK, r);
}

/* ---- guards ---- */

struct headers {
    const char *host, *origin, *fetch_site, *bearer, *type, *length;
    unsigned n, hosts;
};

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct headers *h = user;
    (void)kind;
    h->n++;
    if (!value)
        return MHD_YES;
    if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        h->host = value;
        h->hosts++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_ORIGIN) == 0) {
        h->origin = value;
    } else if (strcasecmp(key, "Sec-Fetch-Site") == 0) {
        h->fetch_site = value;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
        h->bearer = value;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_TYPE) == 0) {
        h->type = value;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        h->length = value;
    }
    return MHD_YES;
}

/* A link to the dashboard's page from elsewhere is no attack: nothing is asked of the server. */
static bool is_navigation(const struct request *req, const struct headers *h)
{
    return req->file && !h->origin && h->fetch_site;
}

static enum MHD_Result on_param(void *user, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    struct control_call *call = user;
    (void)kind;
    if (call->n_params < API_PARAMS_MAX)
        call->param[call->n_params] = (struct control_param){ key, value };
    call->n_params++;
    return MHD_YES;
}

/* 0, or -1 with the refusal in `out`. */
static int admit(const struct control *c, struct MHD_Connection *conn, struct request *req,
                 const char *url, const char *method, struct control_reply *out)
{
    struct headers h = { 0 };
    MHD_get_connection_values(conn, MHD_HEADER_KIND, on_header, &h);
    MHD_get_connection_values(conn, MHD_GET_ARGUMENT_KIND, on_param, &req->call);
    for (const struct web_file *f = web_files; f->path; f++)
        if (strcmp(url, f->path) == 0)
            req->file = f;
    if (req->bad_uri || h.n > HEADERS_MAX || req->call.n_params > API_PARAMS_MAX) {
        control_reply_error(out, MHD_HTTP_BAD_REQUEST, "not such a URI, or too much of it");
    } else if (h.hosts != 1 || !guard_host(h.host)) {
        control_reply_error(out, 421, "Host is an address or \"localhost\", never another name");
    } else if (!is_navigation(req, &h) && !guard_origin(h.origin, h.fetch_site, h.host)) {
        control_reply_error(out, MHD_HTTP_FORBIDDEN, "no page of another site may ask");
    } else if (req->file) {
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
            return 0;
        control_reply_error(out, MHD_HTTP_METHOD_NOT_ALLOWED, "allowed here: GET, HEAD");
        strcpy(out->allow, "GET, HEAD");
    } else if (!(req->route = control_route_find(method, url, out))) {
        /* said there */
    } else if (c->has_token && !control_route_is_open(req->route) &&
               !guard_bearer(h.bearer, c->token)) {
        control_reply_error(out, MHD_HTTP_UNAUTHORIZED, "a bearer token is required");
    } else if (h.length && strtoull(h.length, NULL, 10) > API_BODY_MAX) {
        control_reply_error(out, MHD_HTTP_CONTENT_TOO_LARGE, "a body is at most %d bytes",
                            API_BODY_MAX);
    } else {
        req->call.content_type = h.type;
        return 0;
    }
    return -1;
}

/* ---- requests ---- */

static void *on_uri(void *user, const char *uri, struct MHD_Connection *conn)
{
    (void)user;
    struct request *req = calloc(1, sizeof *req);
    if (!req)
        return NULL;
    req->bad_uri = !guard_uri(uri);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct sockaddr_storage peer = { 0 };
    if (info && info->client_addr)
        memcpy(&peer, info->client_addr,
               info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                        : sizeof(struct sockaddr_in));
    address_text(&peer, req->who);
    return req;
}

static void on_over(void *user, struct MHD_Connection *conn, void **state,
                    enum MHD_RequestTerminationCode why)
{
    struct control *c = user;
    (void)conn;
    (void)why;
    free(*state);
    *state = NULL;
    c->api.metrics.streams = c->streams.n;
}

static enum MHD_Result finish(struct control *c, struct MHD_Connection *conn, struct request *req,
                              const char *url, const char *method)
{
    struct control_reply reply = { 0 };
    if (req->file)
        return answer_file(c, conn, req);
    ev_timer_again(c->loop, &c->forget);
    req->call.method = method;
    req->call.path = url;
    req->call.who = req->who;
    req->call.body = req->body;
    req->call.body_len = req->body_len;
    if (req->body_len > sizeof req->body)
        control_reply_error(&reply, MHD_HTTP_CONTENT_TOO_LARGE, "a body is at most %d bytes",
                            API_BODY_MAX);
    else if (control_route_is_stream(req->route))
        return answer_stream(c, conn, req);
    else
        control_api_handle(&c->api, req->route, &req->call, clock_now_us(), &reply);
    return answer(c, conn, req, &reply);
}

/* First with the headers, then with each piece of the body, in the end without one. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct control *c = user;
    struct request *req = *state;
    (void)version;
    if (!req)
        return MHD_NO; /* no memory */
    if (!req->begun) {
        struct control_reply reply = { 0 };
        req->begun = true;
        return admit(c, conn, req, url, method, &reply) < 0 ? answer(c, conn, req, &reply)
                                                            : MHD_YES;
    }
    if (*size) {
        if (!req->answered && req->body_len <= sizeof req->body) {
            const size_t room = sizeof req->body - req->body_len;
            memcpy(req->body + req->body_len, data, *size < room ? *size : room);
            req->body_len += *size;
        }
        *size = 0;
        return MHD_YES;
    }
    return req->answered ? MHD_YES : finish(c, conn, req, url, method);
}

/* ---- the loop ---- */

static void drive(struct control *c)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    MHD_run(c->daemon);
    ev_timer_stop(c->loop, &c->timeout);
    if (MHD_get_timeout(c->daemon, &ms) == MHD_YES) {
        ev_timer_set(&c->timeout, (double)ms / 1000, 0.);
        ev_timer_start(c->loop, &c->timeout);
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    drive(io->data);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    drive(timer->data);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    (void)events;
    if (!c->streams.n)
        ev_timer_stop(loop, timer);
    else if (view_refresh(&c->api.view, clock_now_us()) == 0)
        control_streams_push(&c->streams, &c->api);
    drive(c);
}

static void on_forget(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct control *c = timer->data;
    (void)events;
    if (c->streams.n)
        return; /* it is asked all the time */
    ev_timer_stop(loop, timer);
    view_forget(&c->api.view);
}

static void on_mhd_log(void *user, const char *format, va_list args)
{
    char line[256];
    (void)user;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = 0;
    log_line(LOG_DEBUG, "control: %s", line);
}

/* ---- start and end ---- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
}

static struct addrinfo *resolve(const char *listen_on, char *why, size_t size)
{
    char host[ADDRESS_TEXT_MAX];
    const char *colon = strrchr(listen_on, ':');
    const size_t n = colon ? (size_t)(colon - listen_on) : 0;
    const bool is_v6 = n >= 2 && listen_on[0] == '[' && listen_on[n - 1] == ']';
    struct addrinfo *found = NULL;
    if (n == 0 || n >= sizeof host) {
        snprintf(why, size, "control: \"%s\" is not ADDRESS:PORT", listen_on);
        return NULL;
    }
    snprintf(host, sizeof host, "%.*s", (int)(is_v6 ? n - 2 : n), listen_on + is_v6);
    const int result =
        getaddrinfo(host, colon + 1,
                    &(struct addrinfo){ .ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE },
                    &found);
    if (result == 0)
        return found;
    snprintf(why, size, "control: \"%s\" is not ADDRESS:PORT: %s", listen_on, gai_strerror(result));
    return NULL;
}

static int open_socket(struct control *c, const struct config_control *cfg, char *why, size_t size)
{
    struct addrinfo *a = resolve(cfg->listen, why, size);
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    int result = -1;
    if (!a)
        return -1;
    c->exposed = !is_loopback(a->ai_addr);
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
        (a->ai_family == AF_INET6 &&
         setsockopt(c->fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)) < 0) ||
        bind(c->fd, a->ai_addr, a->ai_addrlen) < 0 || listen(c->fd, BACKLOG) < 0 ||
        getsockname(c->fd, (struct sockaddr *)&bound, &len) < 0) {
        snprintf(why, size, "control: %s: %s", cfg->listen, strerror(errno));
        goto free_address;
    }
    address_text(&bound, c->address);
    result = 0;
free_address:
    freeaddrinfo(a);
    return result;
}

int control_reload(struct control *c, const char *token_file, char *why, size_t size)
{
    char token[GUARD_TOKEN_MAX + 2] = "";
    struct stat about;
    if (!token_file && c->exposed) {
        snprintf(why, size, "control: %s is not this host's own address: a token is required",
                 c->address);
        return -1;
    }
    if (!token_file) {
        c->has_token = false;
        return 0;
    }
    FILE *file = fopen(token_file, "re");
    if (!file) {
        snprintf(why, size, "control: %s: %s", token_file, strerror(errno));
        return -1;
    }
    if (fstat(fileno(file), &about) == 0 && (about.st_mode & S_IROTH))
        log_line(LOG_WARN, "control: %s: everybody on this host can read the token", token_file);
    if (!fgets(token, sizeof token, file))
        token[0] = 0;
    fclose(file);
    const size_t n = strcspn(token, "\r\n");
    if (n < GUARD_TOKEN_MIN || n > GUARD_TOKEN_MAX || strcspn(token, " \t") < n) {
        snprintf(why, size, "control: %s: a token is %d to %d characters without blanks",
                 token_file, GUARD_TOKEN_MIN, GUARD_TOKEN_MAX);
        return -1;
    }
    token[n] = 0;
    strcpy(c->token, token);
    c->has_token = true;
    explicit_bzero(token, sizeof token);
    return 0;
}

static int start_daemon(struct control *c, char *why, size_t size)
{
    c->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, c,
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, c->fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, c,
        MHD_OPTION_NOTIFY_COMPLETED, on_over, c, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        c->daemon ? MHD_get_daemon_info(c->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        snprintf(why, size, "control: HTTP cannot be set up");
        return -1;
    }
    ev_io_init(&c->io, on_io, info->epoll_fd, EV_READ);
    ev_io_start(c->loop, &c->io);
    return 0;
}

int control_new(struct control **out, struct ev_loop *loop, const struct config_control *cfg,
                const struct control_hooks *hooks, char *why, size_t why_size)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(why, why_size, "control: no memory");
        return -1;
    }
    c->loop = loop;
    c->fd = -1;
    control_api_init(&c->api, hooks);
    ev_timer_init(&c->timeout, on_timeout, 0., 0.);
    ev_timer_init(&c->tick, on_tick, TICK_S, TICK_S);
    ev_timer_init(&c->forget, on_forget, FORGET_S, FORGET_S);
    c->io.data = c->timeout.data = c->tick.data = c->forget.data = c;
    if (open_socket(c, cfg, why, why_size) < 0 ||
        control_reload(c, cfg->token, why, why_size) < 0 || start_daemon(c, why, why_size) < 0) {
        control_free(c);
        return -1;
    }
    drive(c);
    *out = c;
    return 0;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    ev_io_stop(c->loop, &c->io);
    ev_timer_stop(c->loop, &c->timeout);
    ev_timer_stop(c->loop, &c->tick);
    ev_timer_stop(c->loop, &c->forget);
    control_streams_end(&c->streams);
    if (c->daemon)
        MHD_stop_daemon(c->daemon); /* closes the socket */
    else if (c->fd >= 0)
        close(c->fd);
    control_api_fini(&c->api);
    explicit_bzero(c->token, sizeof c->token);
    free(c);
}

const char *control_address(const struct control *c)
{
    return c->address;
}
