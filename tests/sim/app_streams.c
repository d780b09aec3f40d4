/*
 * app_streams.c - streams and datagrams of a simulated application: writes them, reads them, and
 * judges what becomes of each. Contract in app.h.
 */
#include "app_parts.h"

#include <inttypes.h>
#include <string.h>

#define CODE_RESET 1000
#define CODE_STOP 2000
#define CODE_DEADLINE 3000
#define WRITE_MAX 4096
#define DATAGRAM_HEAD 4

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
        app_fail(a, "app %u stream %" PRIu64 ": %s ends twice, %s and %s", a->number, t->id, who,
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
                app_fail(a, "app %u write on stream %" PRIu64 ": %" PRId64, a->number, t->id, r);
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
            app_fail(s->app, "app %u stream %" PRIu64 ": no deadline", s->app->number, t->id);
    }
    write_some(s, t);
}

void app_open_due(struct app_side *s)
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
            app_fail(a, "app %u opens a stream: %s", a->number, tvl_strerror(r));
            return;
        }
        t->opened = true;
        sim_note(a->graph, "open", SIM_APP + a->number, t->id, (uint64_t)s->who);
        if (tvl_stream_set_flow(s->conn, t->id, t->flow) != 0)
            app_fail(a, "app %u stream %" PRIu64 ": no flow", a->number, t->id);
        if (t->ranked && tvl_stream_set_rank(s->conn, t->id, t->rank) != 0)
            app_fail(a, "app %u stream %" PRIu64 ": no rank", a->number, t->id);
        start_half(s, t);
    }
}

/* ---- reading ---- */

static void read_end(struct app_side *s, struct app_stream *t)
{
    struct app *a = s->app;
    struct app_half *h = &t->half[other(s->who)];

    if (!h->fin_written || h->read != h->total)
        app_fail(a, "app %u stream %" PRIu64 " ends after %" PRIu64 " of %" PRIu64 " bytes",
                 a->number, t->id, h->read, h->total);
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
                app_fail(a, "app %u stream %" PRIu64 ": wrong byte at %" PRIu64, a->number, t->id,
                         h->read + (uint64_t)i);
                return;
            }
        h->read += (uint64_t)n;
        a->bytes += (uint64_t)n;
        left -= (uint64_t)n;
        if (h->read > h->written)
            app_fail(a, "app %u stream %" PRIu64 ": more read than written", a->number, t->id);
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
        app_fail(s->app, "app %u stream %" PRIu64 ": readable, but we are its sender",
                 s->app->number, t->id);
        return;
    }
    h->readable = true;
    if (!h->read_bytes)
        read_some(s, t);
    else if (h->read_at <= s->app->graph->now)
        h->read_at = s->app->graph->now + h->read_gap;
}

/* ---- datagrams ---- */

void app_send_datagrams(struct app_side *s)
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
            app_fail(a, "app %u datagram: %s", a->number, tvl_strerror(r));
        d->sent++;
    }
}

void app_on_datagram(struct app_side *s, const uint8_t *bytes, size_t len)
{
    struct app *a = s->app;
    struct app_datagrams *d = &a->datagrams[other(s->who)];
    const unsigned seq = len < DATAGRAM_HEAD ? 0 : (unsigned)bytes[2] << 8 | bytes[3];

    if (len != d->bytes || bytes[0] != a->number || bytes[1] != other(s->who) || seq >= d->sent) {
        app_fail(a, "app %u: a datagram nobody sent", a->number);
        return;
    }
    if (d->seen[seq])
        app_fail(a, "app %u: datagram %u came twice", a->number, seq);
    d->seen[seq] = true;
    d->received++;
    for (size_t i = DATAGRAM_HEAD; i < len; i++)
        if (bytes[i] != pattern(a, other(s->who), seq, i))
            app_fail(a, "app %u: datagram %u is damaged", a->number, seq);
}

/* ---- events ---- */

static struct app_stream *find(struct app *a, uint64_t id)
{
    for (size_t i = 0; i < a->n_streams; i++)
        if (a->stream[i].opened && a->stream[i].id == id)
            return &a->stream[i];
    return NULL;
}

/* Of the stream's half that `sender` sends; what answers a stream has flow 0. */
static bool may_be_lost(const struct app_side *sender, const struct app_stream *t)
{
    return sender->unreliable[t->opener == sender->who ? t->flow : 0];
}

static void on_reset(struct app_side *s, struct app_stream *t, uint64_t code)
{
    struct app_half *h = &t->half[other(s->who)];
    const bool right = (h->sender == APP_RESET && code == CODE_RESET + t->id) ||
                       (h->sender == APP_EXPIRED && code == CODE_DEADLINE + t->id) ||
                       (h->sender == APP_EXPIRED && code == APP_CODE_LOST &&
                        may_be_lost(&s->app->side[other(s->who)], t)) ||
                       (h->was_stopped && code == CODE_STOP + t->id);

    if (!right || h->told_reset)
        app_fail(s->app, "app %u stream %" PRIu64 ": reset with %" PRIu64 ", the sender's end: %s",
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
            app_fail(a, "app %u stream %" PRIu64 ": stopped by nobody", a->number, t->id);
    } else if (ev->type == TVL_EVENT_STREAM_EXPIRED) {
        how = APP_EXPIRED;
        if ((!h->deadline || sim_host_now(s->host) < h->deadline_at) && !may_be_lost(s, t))
            app_fail(a, "app %u stream %" PRIu64 ": expired early", a->number, t->id);
    } else if (!h->fin_written || h->written != h->total) {
        app_fail(a, "app %u stream %" PRIu64 ": acknowledged before its end", a->number, t->id);
    }
    /* a reset of ours and the peer's wish may cross each other */
    if (how == APP_STOPPED && h->sender == APP_RESET)
        return;
    end_half(a, t, &h->sender, how, "sender");
}

void app_on_stream(struct app_side *s, const struct tvl_event *ev)
{
    struct app *a = s->app;
    struct app_stream *t = find(a, ev->stream.id);

    if (!t) {
        app_fail(a, "app %u: event %d on stream %" PRIu64 " that nobody opened", a->number,
                 (int)ev->type, ev->stream.id);
        return;
    }
    if (t->opener != s->who && !t->told && ev->type != TVL_EVENT_STREAM_OPENED)
        app_fail(a, "app %u stream %" PRIu64 ": event %d before it was opened", a->number, t->id,
                 (int)ev->type);
    switch (ev->type) {
    case TVL_EVENT_STREAM_OPENED:
        if (t->told || t->opener == s->who)
            app_fail(a, "app %u stream %" PRIu64 " was opened twice", a->number, t->id);
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

/* ---- time ---- */

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

bool app_can_act(const struct app_side *s)
{
    return s->conn && s->connected && !s->host->asleep;
}

tvl_time app_stream_next(const struct app *a, const struct app_stream *t)
{
    tvl_time next = SIM_NEVER;

    for (int who = 0; who < 2; who++) {
        const struct app_half *h = &t->half[who];

        if (app_can_act(&a->side[who]) && h->started && h->sender == APP_OPEN && !h->fin_written &&
            h->gap)
            next = earlier(next, h->write_at);
        if (app_can_act(&a->side[other((enum app_who)who)]) && h->readable && h->read_bytes &&
            h->receiver == APP_OPEN)
            next = earlier(next, h->read_at);
    }
    if (!t->opened && app_can_act(&a->side[t->opener]) && t->at > a->graph->now)
        next = earlier(next, t->at);
    return next;
}

void app_run_stream(struct app *a, struct app_stream *t)
{
    const tvl_time now = a->graph->now;

    for (int who = 0; who < 2 && t->opened; who++) {
        struct app_half *h = &t->half[who];
        struct app_side *sender = &a->side[who], *receiver = &a->side[1 - who];

        if (app_can_act(sender) && h->started && h->write_at <= now)
            write_some(sender, t);
        if (app_can_act(receiver) && h->readable && h->read_bytes && h->read_at <= now) {
            h->read_at = now + h->read_gap;
            read_some(receiver, t);
        }
    }
}

const char *app_end_name(enum app_end end)
{
    return end_name[end];
}
