/* app.c - connections, streams and datagrams of a simulated application. Contract in app.h. */
#include "app.h"

#include <inttypes.h>
#include <string.h>

#define CODE_RESET 1000
#define CODE_STOP 2000
#define CODE_DEADLINE 3000
#define WRITE_MAX 4096
#define DATAGRAM_HEAD 4

#define fail(a, ...) sim_fail((a)->graph, __VA_ARGS__)

static const char *const end_name[] = { "open", "done", "reset", "stopped", "expired" };

static enum app_who other(enum app_who who)
{
    return who == APP_CLIENT ? APP_SERVER : APP_CLIENT;
}

static uint8_t pattern(const struct app *a, enum app_who from, uint64_t id, uint64_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 9) * 17 + id * 7 + a->number * 31 + from);
}

static void end_half(struct app *a, const struct app_stream *t, enum app_end *at, enum app_end how,
                     const char *who)
{
    if (*at != APP_OPEN)
        fail(a, "app %u stream %" PRIu64 ": %s ends twice, %s and %s", a->number, t->id, who,
             end_name[*at], end_name[how]);
    *at = how;
    sim_note(a->graph, who, SIM_APP + a->number, t->id, (uint64_t)how);
}

/* ---- writing ---- */

static void write_some(struct app_side *s, struct app_stream *t)
{
    struct app *a = s->app;
    struct app_half *h = &t->half[s->who];
    uint8_t bytes[WRITE_MAX];

    while (h->started && h->sender == APP_OPEN && !h->fin_written && s->conn) {
        if (h->reset_at <= h->written) {
            h->was_reset = tvl_stream_reset(s->conn, t->id, CODE_RESET + t->id) == 0;
            if (h->was_reset)
                end_half(a, t, &h->sender, APP_RESET, "sender");
            h->reset_at = SIM_NEVER;
            continue;
        }
        const uint64_t left = h->total - h->written;
        const size_t n = left < h->chunk ? (size_t)left : h->chunk;
        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(a, s->who, t->id, h->written + i);
        const int64_t r = tvl_stream_write(s->conn, t->id, bytes, n, n == left);
        if (r < 0 || r > (int64_t)n) {
            /* STATE: it was stopped, has expired or is closing; the event is on its way */
            if (r != TVL_ERR_STATE)
                fail(a, "app %u write on stream %" PRIu64 ": %" PRId64, a->number, t->id, r);
            h->write_at = SIM_NEVER;
            return;
        }
        h->written += (uint64_t)r;
        if ((size_t)r < n) {
            h->write_at = SIM_NEVER; /* WRITABLE will come */
            return;
        }
        h->fin_written = n == left;
        if (h->gap) {
            h->write_at = a->graph->now + h->gap;
            return;
        }
    }
    h->write_at = SIM_NEVER;
}

static void start_half(struct app_side *s, struct app_stream *t)
{
    struct app_half *h = &t->half[s->who];

    if (!h->exists || h->started)
        return;
    h->started = true;
    if (h->deadline) {
        h->deadline_at = sim_host_now(s->host) + h->deadline;
        if (tvl_stream_set_deadline(s->conn, t->id, h->deadline_at, CODE_DEADLINE + t->id) != 0)
            fail(s->app, "app %u stream %" PRIu64 ": no deadline", s->app->number, t->id);
    }
    write_some(s, t);
}

static void open_due(struct app_side *s)
{
    struct app *a = s->app;

    for (size_t i = 0; i < a->n_streams && s->conn && s->connected; i++) {
        struct app_stream *t = &a->stream[i];

        if (t->opened || t->opener != s->who || t->at > a->graph->now || a->cut_short)
            continue;
        const int r = tvl_stream_open(s->conn, t->dir, &t->id);
        if (r == TVL_ERR_FULL || r == TVL_ERR_STATE) /* TVL_EVENT_STREAMS or CLOSED will come */
            continue;
        if (r != 0) {
            fail(a, "app %u opens a stream: %s", a->number, tvl_strerror(r));
            return;
        }
        t->opened = true;
        sim_note(a->graph, "open", SIM_APP + a->number, t->id, (uint64_t)s->who);
        if (tvl_stream_set_flow(s->conn, t->id, t->flow) != 0)
            fail(a, "app %u stream %" PRIu64 ": no flow", a->number, t->id);
        if (t->ranked && tvl_stream_set_rank(s->conn, t->id, t->rank) != 0)
            fail(a, "app %u stream %" PRIu64 ": no rank", a->number, t->id);
        start_half(s, t);
    }
}

/* ---- reading ---- */

static void read_end(struct app_side *s, struct app_stream *t)
{
    struct app *a = s->app;
    struct app_half *h = &t->half[other(s->who)];

    if (!h->fin_written || h->read != h->total)
        fail(a, "app %u stream %" PRIu64 " ends after %" PRIu64 " of %" PRIu64 " bytes", a->number,
             t->id, h->read, h->total);
    end_half(a, t, &h->receiver, APP_DONE, "receiver");
}

static bool stop_is_due(struct app_side *s, struct app_stream *t)
{
    struct app_half *h = &t->half[other(s->who)];

    if (h->read < h->stop_at)
        return false;
    h->stop_at = SIM_NEVER;
    if (tvl_stream_stop(s->conn, t->id, CODE_STOP + t->id) != 0)
        return false;
    h->was_stopped = true;
    end_half(s->app, t, &h->receiver, APP_STOPPED, "receiver");
    return true;
}

static void read_some(struct app_side *s, struct app_stream *t)
{
    struct app *a = s->app;
    struct app_half *h = &t->half[other(s->who)];
    uint64_t left = h->read_bytes ? h->read_bytes : UINT64_MAX;
    uint8_t bytes[8192];

    h->readable = false;
    while (h->receiver == APP_OPEN && left > 0 && s->conn) {
        const size_t cap = left < sizeof bytes ? (size_t)left : sizeof bytes;
        bool fin = false;

        if (stop_is_due(s, t))
            return;
        const int64_t n = tvl_stream_read(s->conn, t->id, bytes, cap, &fin);
        if (n < 0) /* reset: the event says so */
            return;
        for (int64_t i = 0; i < n; i++)
            if (bytes[i] != pattern(a, other(s->who), t->id, h->read + (uint64_t)i)) {
                fail(a, "app %u stream %" PRIu64 ": wrong byte at %" PRIu64, a->number, t->id,
                     h->read + (uint64_t)i);
                return;
            }
        h->read += (uint64_t)n;
        a->bytes += (uint64_t)n;
        left -= (uint64_t)n;
        if (h->read > h->written)
            fail(a, "app %u stream %" PRIu64 ": more read than written", a->number, t->id);
        if (fin)
            read_end(s, t);
        else if (n == 0)
            return;
    }
    if (h->receiver == APP_OPEN)
        h->readable = true; /* a slow reader comes back by itself */
}

static void on_readable(struct app_side *s, struct app_stream *t)
{
    struct app_half *h = &t->half[other(s->who)];

    if (!h->exists) {
        fail(s->app, "app %u stream %" PRIu64 ": readable, but we are its sender", s->app->number,
             t->id);
        return;
    }
    h->readable = true;
    if (!h->read_bytes)
        read_some(s, t);
    else if (h->read_at <= s->app->graph->now)
        h->read_at = s->app->graph->now + h->read_gap;
}

/* ---- datagrams ---- */

static void send_datagrams(struct app_side *s)
{
    struct app *a = s->app;
    struct app_datagrams *d = &a->datagrams[s->who];

    while (s->conn && s->connected && d->sent < d->count &&
           d->start + d->sent * d->gap <= a->graph->now) {
        uint8_t bytes[TVL_DATAGRAM_MAX];

        for (size_t i = 0; i < d->bytes; i++)
            bytes[i] = pattern(a, s->who, d->sent, i);
        bytes[0] = (uint8_t)a->number;
        bytes[1] = (uint8_t)s->who;
        bytes[2] = (uint8_t)(d->sent >> 8);
        bytes[3] = (uint8_t)d->sent;
        const int r = d->patience ? tvl_datagram_write_until(s->conn, bytes, d->bytes,
                                                             sim_host_now(s->host) + d->patience)
                                  : tvl_datagram_write(s->conn, bytes, d->bytes);
        if (r != 0 && r != TVL_ERR_FULL && r != TVL_ERR_STATE && r != TVL_ERR_ARG)
            fail(a, "app %u datagram: %s", a->number, tvl_strerror(r));
        d->sent++;
    }
}

static void on_datagram(struct app_side *s, const uint8_t *bytes, size_t len)
{
    struct app *a = s->app;
    struct app_datagrams *d = &a->datagrams[other(s->who)];
    const unsigned seq = len < DATAGRAM_HEAD ? 0 : (unsigned)bytes[2] << 8 | bytes[3];

    if (len != d->bytes || bytes[0] != a->number || bytes[1] != other(s->who) || seq >= d->sent) {
        fail(a, "app %u: a datagram nobody sent", a->number);
        return;
    }
    if (d->seen[seq])
        fail(a, "app %u: datagram %u came twice", a->number, seq);
    d->seen[seq] = true;
    d->received++;
    for (size_t i = DATAGRAM_HEAD; i < len; i++)
        if (bytes[i] != pattern(a, other(s->who), seq, i))
            fail(a, "app %u: datagram %u is damaged", a->number, seq);
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
        fail(a, "app %u connect: %s", a->number, tvl_strerror(r));
    else
        tvl_conn_set_user(c->conn, c);
    sim_note(a->graph, "connect", SIM_APP + a->number, a->first_port, 0);
}

/* ---- events ---- */

static struct app_stream *find(struct app *a, uint64_t id)
{
    for (size_t i = 0; i < a->n_streams; i++)
        if (a->stream[i].opened && a->stream[i].id == id)
            return &a->stream[i];
    return NULL;
}

static void on_reset(struct app_side *s, struct app_stream *t, uint64_t code)
{
    struct app_half *h = &t->half[other(s->who)];
    const bool right = (h->sender == APP_RESET && code == CODE_RESET + t->id) ||
                       (h->sender == APP_EXPIRED && code == CODE_DEADLINE + t->id) ||
                       (h->was_stopped && code == CODE_STOP + t->id);

    if (!right || h->told_reset)
        fail(s->app, "app %u stream %" PRIu64 ": reset with %" PRIu64 ", the sender's end: %s",
             s->app->number, t->id, code, end_name[h->sender]);
    h->told_reset = true;
    if (h->receiver != APP_STOPPED)
        end_half(s->app, t, &h->receiver, APP_RESET, "receiver");
}

static void on_sender_end(struct app_side *s, struct app_stream *t, const struct tvl_event *ev)
{
    struct app *a = s->app;
    struct app_half *h = &t->half[s->who];
    enum app_end how = APP_DONE;

    if (ev->type == TVL_EVENT_STREAM_STOPPED) {
        how = APP_STOPPED;
        if (!h->was_stopped || ev->stream.code != CODE_STOP + t->id)
            fail(a, "app %u stream %" PRIu64 ": stopped by nobody", a->number, t->id);
    } else if (ev->type == TVL_EVENT_STREAM_EXPIRED) {
        how = APP_EXPIRED;
        if (!h->deadline || sim_host_now(s->host) < h->deadline_at)
            fail(a, "app %u stream %" PRIu64 ": expired early", a->number, t->id);
    } else if (!h->fin_written || h->written != h->total) {
        fail(a, "app %u stream %" PRIu64 ": acknowledged before its end", a->number, t->id);
    }
    /* a reset of ours and the peer's wish may cross each other */
    if (how == APP_STOPPED && h->sender == APP_RESET)
        return;
    end_half(a, t, &h->sender, how, "sender");
}

static void on_stream(struct app_side *s, const struct tvl_event *ev)
{
    struct app *a = s->app;
    struct app_stream *t = find(a, ev->stream.id);

    if (!t) {
        fail(a, "app %u: event %d on stream %" PRIu64 " that nobody opened", a->number,
             (int)ev->type, ev->stream.id);
        return;
    }
    if (t->opener != s->who && !t->told && ev->type != TVL_EVENT_STREAM_OPENED)
        fail(a, "app %u stream %" PRIu64 ": event %d before it was opened", a->number, t->id,
             (int)ev->type);
    switch (ev->type) {
    case TVL_EVENT_STREAM_OPENED:
        if (t->told || t->opener == s->who)
            fail(a, "app %u stream %" PRIu64 " was opened twice", a->number, t->id);
        t->told = true;
        start_half(s, t);
        break;
    case TVL_EVENT_STREAM_READABLE:
        on_readable(s, t);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        write_some(s, t);
        break;
    case TVL_EVENT_STREAM_RESET:
        on_reset(s, t, ev->stream.code);
        break;
    default:
        on_sender_end(s, t, ev);
        break;
    }
}

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
        fail(a, "app %u: event %d after the end", a->number, (int)ev->type);
        return;
    }
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        if (s->connected)
            fail(a, "app %u: connected twice", a->number);
        s->connected = true;
        sim_note(a->graph, "connected", SIM_APP + a->number, (uint64_t)s->who, 0);
        open_due(s);
        break;
    case TVL_EVENT_CLOSED:
        on_closed(s, ev);
        break;
    case TVL_EVENT_PATH:
        sim_note(a->graph, "path", SIM_APP + a->number, (uint64_t)s->who << 32 | ev->path.id,
                 (uint64_t)ev->path.state);
        break;
    case TVL_EVENT_STREAMS:
        open_due(s);
        break;
    case TVL_EVENT_DATAGRAM:
        on_datagram(s, ev->datagram.bytes, ev->datagram.len);
        break;
    case TVL_EVENT_ACCEPTED:
        break;
    default:
        on_stream(s, ev);
        break;
    }
}

/* ---- time ---- */

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

static bool can_act(const struct app_side *s)
{
    return s->conn && s->connected && !s->host->asleep;
}

static tvl_time stream_next(const struct app *a, const struct app_stream *t)
{
    tvl_time next = SIM_NEVER;

    for (int who = 0; who < 2; who++) {
        const struct app_half *h = &t->half[who];

        if (can_act(&a->side[who]) && h->started && h->sender == APP_OPEN && !h->fin_written &&
            h->gap)
            next = earlier(next, h->write_at);
        if (can_act(&a->side[other((enum app_who)who)]) && h->readable && h->read_bytes &&
            h->receiver == APP_OPEN)
            next = earlier(next, h->read_at);
    }
    if (!t->opened && can_act(&a->side[t->opener]) && t->at > a->graph->now)
        next = earlier(next, t->at);
    return next;
}

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

        if (can_act(&a->side[who]) && d->sent < d->count)
            next = earlier(next, d->start + d->sent * d->gap);
    }
    for (size_t i = 0; i < a->n_streams; i++)
        next = earlier(next, stream_next(a, &a->stream[i]));
    return next;
}

static void run_stream(struct app *a, struct app_stream *t)
{
    const tvl_time now = a->graph->now;

    for (int who = 0; who < 2 && t->opened; who++) {
        struct app_half *h = &t->half[who];
        struct app_side *sender = &a->side[who], *receiver = &a->side[1 - who];

        if (can_act(sender) && h->started && h->write_at <= now)
            write_some(sender, t);
        if (can_act(receiver) && h->readable && h->read_bytes && h->read_at <= now) {
            h->read_at = now + h->read_gap;
            read_some(receiver, t);
        }
    }
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
        if (!can_act(&a->side[who]))
            continue;
        open_due(&a->side[who]);
        send_datagrams(&a->side[who]);
    }
    for (size_t i = 0; i < a->n_streams; i++)
        run_stream(a, &a->stream[i]);
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
                           h->written, h->total, end_name[h->sender], h->read,
                           end_name[h->receiver]);
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
