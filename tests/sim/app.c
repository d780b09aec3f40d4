/* app.c - connections of a simulated application: paths, keys, goodbyes. Contract in app.h. */
#include "app_parts.h"

#include <inttypes.h>
#include <string.h>

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

/* ---- actions ---- */

static struct tvl_path_config path_config(const struct app *a, unsigned port, unsigned server,
                                          bool backup)
{
    const struct sim_host *h = a->side[APP_CLIENT].host;
    const struct sockaddr_storage remote = a->server[server % a->n_server];
    const unsigned p = port % h->node.n_ports;
    struct tvl_path_config c = { .remote = remote, .tag = p, .backup = backup };

    c.local = h->address[p][remote.ss_family == AF_INET ? SIM_IPV4 : SIM_IPV6];
    sim_set_port(&c.local, a->udp_port);
    return c;
}

/* The `nth` path that is not abandoned; false: there is none. `others`: up beside it. */
static bool nth_path(const struct app *a, unsigned nth, struct tvl_path_stats *out,
                     unsigned *others)
{
    struct tvl_path_stats p[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(a->side[APP_CLIENT].conn, p, 2 * TVL_PATHS_MAX);
    unsigned live = 0, up = 0;

    for (size_t i = 0; i < n; i++)
        live += p[i].state != TVL_PATH_ABANDONED;
    if (live == 0)
        return false;
    nth %= live;
    for (size_t i = 0; i < n; i++) {
        up += p[i].state == TVL_PATH_UP;
        if (p[i].state == TVL_PATH_ABANDONED)
            continue;
        if (nth-- == 0)
            *out = p[i];
    }
    *others = up - (out->state == TVL_PATH_UP);
    return true;
}

static void act_on_path(struct app *a, const struct app_action *x, tvl_time now)
{
    struct tvl_conn *conn = a->side[APP_CLIENT].conn;
    struct tvl_path_stats path = { .id = 0 };
    struct tvl_path_config to;
    unsigned others;
    int r = TVL_ERR_STATE;

    if (!nth_path(a, x->a, &path, &others))
        return;
    switch (x->what) {
    case APP_PATH_ABANDON:
        if (others > 0)
            r = tvl_path_abandon(conn, path.id, now);
        break;
    case APP_PATH_MIGRATE:
        to = path_config(a, x->b, path.remote.ss_family == AF_INET ? 0 : 1, false);
        to.remote = path.remote;
        r = tvl_path_migrate(conn, path.id, &to, now);
        a->migrations += r == 0;
        break;
    case APP_PATH_BACKUP:
        r = tvl_path_set_backup(conn, path.id, x->c != 0, now);
        break;
    default:
        break;
    }
    sim_note(a->graph, "path action", SIM_APP + a->number, (uint64_t)x->what << 32 | path.id,
             (uint64_t)-r);
}

/* What a flow may be told; none may keep a stream from ending. */
static const struct tvl_flow_config flow_rows[] = {
    { .protection = TVL_FLOW_REPAIR },
    { .protection = TVL_FLOW_REPAIR, .reliability = TVL_FLOW_RELIABLE },
    { .protection = TVL_FLOW_REPAIR, .share = 2 },
    { .protection = TVL_FLOW_REPAIR, .reliability = TVL_FLOW_UNRELIABLE, .code = APP_CODE_LOST },
    { .protection = TVL_FLOW_DUPLICATE },
    { .reliability = TVL_FLOW_UNRELIABLE, .code = APP_CODE_LOST },
    { .window = 20000, .share = 1, .priority = -2 },
    { .window = 0 },
};

static void act_on_flow(struct app_side *s, const struct app_action *x)
{
    const uint32_t flow = x->a & (APP_FLOWS - 1);
    const struct tvl_flow_config *cfg = &flow_rows[x->b & 7];
    const int r = s->conn ? tvl_flow_set(s->conn, flow, cfg) : TVL_ERR_STATE;

    if (s->conn && r != 0)
        app_fail(s->app, "app %u flow %u: %s", s->app->number, flow, tvl_strerror(r));
    s->unreliable[flow] |= r == 0 && cfg->reliability == TVL_FLOW_UNRELIABLE;
    sim_note(s->app->graph, "flow", SIM_APP + s->app->number, flow, x->b);
}

static void act(struct app *a, const struct app_action *x)
{
    struct app_side *client = &a->side[APP_CLIENT], *s = &a->side[x->a & 1];
    const tvl_time now = sim_host_now(client->host);
    struct tvl_path_config to;
    int r;

    switch (x->what) {
    case APP_PATH_ADD:
        to = path_config(a, x->a, x->b, x->c != 0);
        r = client->conn ? tvl_path_add(client->conn, &to, now) : TVL_ERR_STATE;
        sim_note(a->graph, "path add", SIM_APP + a->number, x->a,
                 r < 0 ? (uint64_t)-r : (uint64_t)r << 8);
        break;
    case APP_PATH_ABANDON:
    case APP_PATH_MIGRATE:
    case APP_PATH_BACKUP:
        if (client->conn)
            act_on_path(a, x, now);
        break;
    case APP_KEYS:
        if (s->conn) {
            r = tvl_conn_update_keys(s->conn, sim_host_now(s->host));
            sim_note(a->graph, "keys", SIM_APP + a->number, (uint64_t)s->who, (uint64_t)-r);
        }
        break;
    case APP_FLOW:
        act_on_flow(&a->side[x->c & 1], x);
        break;
    case APP_CLOSE:
        app_close(a, s->who);
        a->cut_short = a->cut_short || s->close_called;
        break;
    default:
        break;
    }
}

void app_close(struct app *a, enum app_who who)
{
    struct app_side *s = &a->side[who];

    if (!s->conn || s->closed)
        return;
    if (tvl_close(s->conn, a->close_code, "enough", sim_host_now(s->host)) == 0)
        s->close_called = true;
    sim_note(a->graph, "close", SIM_APP + a->number, (uint64_t)who, s->close_called);
}

void app_forget_server(struct app *a)
{
    struct app_side *s = &a->side[APP_SERVER];

    if (!s->conn)
        return;
    s->conn = NULL;
    s->closed = true;
    s->kind = TVL_CLOSED_RESET;
    a->restarted = a->cut_short = true;
}

static void start(struct app *a)
{
    struct app_side *c = &a->side[APP_CLIENT];
    const struct tvl_path_config path = path_config(a, a->first_port, a->first_server, false);

    a->started = true;
    const int r = tvl_connect(c->host->ep, &path, "localhost", &c->conn, sim_host_now(c->host));
    if (r != 0)
        app_fail(a, "app %u connect: %s", a->number, tvl_strerror(r));
    else
        tvl_conn_set_user(c->conn, c);
    sim_note(a->graph, "connect", SIM_APP + a->number, a->first_port, 0);
}

/* ---- events ---- */

static void on_closed(struct app_side *s, const struct tvl_event *ev)
{
    s->closed = true;
    s->conn = NULL;
    s->kind = ev->closed.kind;
    s->code = ev->closed.code;
    memcpy(s->reason, ev->closed.reason, sizeof s->reason);
    sim_note(s->app->graph, "closed", SIM_APP + s->app->number,
             (uint64_t)s->who << 32 | ev->closed.kind, ev->closed.code);
}

void app_on_event(struct app_side *s, const struct tvl_event *ev)
{
    struct app *a = s->app;

    if (s->closed) {
        app_fail(a, "app %u: event %d after the end", a->number, (int)ev->type);
        return;
    }
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        if (s->connected)
            app_fail(a, "app %u: connected twice", a->number);
        s->connected = true;
        sim_note(a->graph, "connected", SIM_APP + a->number, (uint64_t)s->who, 0);
        app_open_due(s);
        break;
    case TVL_EVENT_CLOSED:
        on_closed(s, ev);
        break;
    case TVL_EVENT_PATH:
        if (ev->path.state >= TVL_PATH_UP && s->who == APP_CLIENT)
            a->path_seen[ev->path.state - TVL_PATH_UP]++;
        sim_note(a->graph, "path", SIM_APP + a->number, (uint64_t)s->who << 32 | ev->path.id,
                 (uint64_t)ev->path.state);
        break;
    case TVL_EVENT_STREAMS:
        app_open_due(s);
        break;
    case TVL_EVENT_DATAGRAM:
        app_on_datagram(s, ev->datagram.bytes, ev->datagram.len);
        break;
    case TVL_EVENT_ACCEPTED:
        break;
    default:
        app_on_stream(s, ev);
        break;
    }
}

/* ---- time ---- */

tvl_time app_next_time(const struct app *a)
{
    tvl_time next = SIM_NEVER;

    if (a->side[APP_CLIENT].host->asleep)
        return next; /* its waking is an event of the world */
    if (!a->started)
        return a->start;
    if (a->next_action < a->n_actions)
        next = a->action[a->next_action].at;
    for (int who = 0; who < 2; who++) {
        const struct app_datagrams *d = &a->datagrams[who];

        if (app_can_act(&a->side[who]) && d->sent < d->count)
            next = earlier(next, d->start + d->sent * d->gap);
    }
    for (size_t i = 0; i < a->n_streams; i++)
        next = earlier(next, app_stream_next(a, &a->stream[i]));
    return next;
}

void app_run(struct app *a)
{
    const tvl_time now = a->graph->now;

    const bool awake = !a->side[APP_CLIENT].host->asleep;

    if (awake && !a->started && a->start <= now)
        start(a);
    while (awake && a->next_action < a->n_actions && a->action[a->next_action].at <= now)
        act(a, &a->action[a->next_action++]);
    for (int who = 0; who < 2; who++) {
        if (!app_can_act(&a->side[who]))
            continue;
        app_open_due(&a->side[who]);
        app_send_datagrams(&a->side[who]);
    }
    for (size_t i = 0; i < a->n_streams; i++)
        app_run_stream(a, &a->stream[i]);
}

/* ---- ends ---- */

bool app_is_over(const struct app *a)
{
    return a->started && a->side[APP_CLIENT].closed &&
           (a->side[APP_SERVER].closed || !a->side[APP_SERVER].conn);
}

bool app_is_content(const struct app *a)
{
    for (size_t i = 0; i < a->n_streams; i++)
        for (int who = 0; who < 2 && a->stream[i].opened; who++) {
            const struct app_half *h = &a->stream[i].half[who];

            if (h->exists && (h->sender == APP_OPEN || h->receiver == APP_OPEN))
                return false;
        }
    return true;
}

bool app_is_done(const struct app *a)
{
    if (!a->started)
        return false;
    if (a->cut_short || a->side[APP_CLIENT].closed || a->side[APP_SERVER].closed)
        return app_is_over(a);
    if (!a->side[APP_CLIENT].connected || !a->side[APP_SERVER].connected)
        return false;
    for (size_t i = 0; i < a->n_streams; i++) {
        if (!a->stream[i].opened)
            return false;
        for (int who = 0; who < 2; who++) {
            const struct app_half *h = &a->stream[i].half[who];

            if (h->exists && (h->sender == APP_OPEN || h->receiver == APP_OPEN))
                return false;
        }
    }
    return a->next_action == a->n_actions;
}

void app_explain(const struct app *a, char *text, size_t size)
{
    static const char *const who_name[] = { "client", "server" };

    if (!a->side[APP_CLIENT].connected || !a->side[APP_SERVER].connected) {
        (void)snprintf(text, size, "app %u: client %sconnected, server %sconnected", a->number,
                       a->side[0].connected ? "" : "not ", a->side[1].connected ? "" : "not ");
        return;
    }
    for (size_t i = 0; i < a->n_streams; i++)
        for (int who = 0; who < 2; who++) {
            const struct app_stream *t = &a->stream[i];
            const struct app_half *h = &t->half[who];

            if (!h->exists || (h->sender != APP_OPEN && h->receiver != APP_OPEN))
                continue;
            (void)snprintf(text, size,
                           "app %u stream %" PRIu64 " from %s%s: %" PRIu64 "/%" PRIu64
                           " written (%s), %" PRIu64 " read (%s)",
                           a->number, t->id, who_name[who], t->opened ? "" : " (not opened)",
                           h->written, h->total, app_end_name(h->sender), h->read,
                           app_end_name(h->receiver));
            return;
        }
    (void)snprintf(text, size, "app %u: not closed (client %d, server %d)", a->number,
                   a->side[0].closed, a->side[1].closed);
}

void app_init(struct app *a, struct sim_graph *g, struct sim_host *client, struct sim_host *server)
{
    a->graph = g;
    a->side[APP_CLIENT] = (struct app_side){ .app = a, .who = APP_CLIENT, .host = client };
    a->side[APP_SERVER] = (struct app_side){ .app = a, .who = APP_SERVER, .host = server };
}
