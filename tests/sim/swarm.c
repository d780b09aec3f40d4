/* swarm.c - lets a drawn world run, and judges it. Contract in swarm.h. */
#include "swarm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "entropy.h"
#include "memory.h"
#include "nodes.h"

#define BEGAN 1000000u /* us: graph time does not begin at zero */
#define SECOND 1000000u
#define LIVE_BASE (30 * SECOND)  /* after the calm, beside what the bytes themselves take */
#define END_BASE (10 * SECOND)   /* beyond the idle time-out, for every end to be known */
#define MEMORY_REST (256u << 10) /* bytes an endpoint may keep when no connection is left */

/* Faults that bring a Retry, and those after which its token may come too late or from elsewhere:
 * a client whose server has forgotten it, or said goodbye unheard, asks on for its time-out. */
#define RETRIES (SWARM_BIT(SWARM_RETRY) | SWARM_BIT(SWARM_ADMISSION))
#define HANDSHAKE_DRAGS                                                            \
    (SWARM_BIT(SWARM_NAT) | SWARM_BIT(SWARM_ADDRESS) | SWARM_BIT(SWARM_CLOCK) |    \
     SWARM_BIT(SWARM_RESTART) | SWARM_BIT(SWARM_CLOSES) | SWARM_BIT(SWARM_SLEEP) | \
     SWARM_BIT(SWARM_DOWN) | SWARM_BIT(SWARM_PARTITION))

#define fail(w, ...) sim_fail(&(w)->g, __VA_ARGS__)

/* ---- events of the library ---- */

/* A repeated Initial was let in before the one that answers a Retry: it is nobody's after all. */
static void disown(struct swarm *w, struct app_side *s)
{
    tvl_conn_set_user(s->conn, NULL);
    check_add_ghost(&w->check, s->conn);
    s->conn = NULL;
}

/* Whose connection is it that a client has begun? A repeated Initial belongs to nobody. */
static struct app_side *match(struct swarm *w, const struct tvl_conn *conn)
{
    for (unsigned i = 0; i < w->n_apps; i++) {
        const struct tvl_conn *client = w->app[i].side[APP_CLIENT].conn;
        struct app_side *s = &w->app[i].side[APP_SERVER];

        if (!client || (s->conn && (s->connected || !conn->retried)) ||
            client->original_dcid.len == 0 ||
            client->original_dcid.len != conn->original_dcid.len ||
            memcmp(client->original_dcid.b, conn->original_dcid.b, client->original_dcid.len) != 0)
            continue;
        if (s->conn)
            disown(w, s);
        return s;
    }
    return NULL;
}

static void on_event(struct swarm *w, struct sim_host *h, const struct tvl_event *ev)
{
    struct app_side *s = tvl_conn_user(ev->conn);

    if (ev->type == TVL_EVENT_ACCEPTED && h->server) {
        s = match(w, ev->conn);
        sim_note(&w->g, s ? "accepted" : "ghost", h->node.id, tvl_conn_id(ev->conn), 0);
        if (s && s->closed) { /* the client has not heard of the end, and begins anew */
            s->close_called = true;
            (void)tvl_close(ev->conn, s->app->close_code, "enough", sim_host_now(h));
            s = NULL;
        }
        if (s)
            s->conn = ev->conn;
        else
            check_add_ghost(&w->check, ev->conn);
        tvl_conn_set_user(ev->conn, s);
    }
    if (!s && ev->type == TVL_EVENT_CLOSED)
        check_drop_ghost(&w->check, ev->conn);
    if (!s)
        return;
    app_on_event(s, ev);
    if (ev->type == TVL_EVENT_CLOSED)
        check_closed(&w->check, s);
}

static bool poll_all(struct swarm *w, struct sim_host *h)
{
    struct tvl_event ev;
    bool any = false;
    sim_host_flush(h);
    const bool before = sim_memory_count(true);
    while (!h->asleep && tvl_endpoint_poll(h->ep, &ev) == 1) {
        on_event(w, h, &ev);
        any = true;
    }
    (void)sim_memory_count(before);
    return any;
}

/* Until nobody has anything more to say at this moment. */
static void settle(struct swarm *w)
{
    unsigned idle[SWARM_HOSTS_MAX] = { 0 };

    for (unsigned round = 0; round < SWARM_REST_MAX; round++) {
        bool again = false;

        for (unsigned i = 0; i < w->n_hosts && !w->g.why[0]; i++) {
            struct sim_host *h = w->host[i];
            bool any = poll_all(w, h);

            any = sim_host_drive(h) || any;
            any = poll_all(w, h) || any;
            if (!any && sim_host_due(h) <= w->g.now && ++idle[i] < SWARM_IDLE_TURNS_MAX)
                any = true; /* one more chance to do what is due */
            if (!any && sim_host_due(h) <= w->g.now)
                check_explain_timer(&w->check, h);
            again = again || any;
        }
        if (!again || w->g.why[0])
            return;
    }
    fail(w, "the hosts never come to rest");
}

/* ---- the timetable ---- */

static void happen(struct swarm *w, const struct swarm_event *e)
{
    struct sim_host *h = (struct sim_host *)e->node; /* where it is one */

    switch (e->what) {
    case SWARM_EV_LINK_DOWN:
    case SWARM_EV_LINK_UP:
        sim_note(&w->g, e->what == SWARM_EV_LINK_DOWN ? "goes down" : "comes up", e->node->id,
                 e->ways, 0);
        sim_link_down(e->node, e->ways, e->what == SWARM_EV_LINK_DOWN);
        break;
    case SWARM_EV_LINK_RATE:
        sim_note(&w->g, "rate", e->node->id, e->value, 0);
        sim_link_rate(e->node, e->value);
        break;
    case SWARM_EV_REBIND:
        sim_nat_rebind(e->node);
        break;
    case SWARM_EV_MTU:
        sim_mtu_set(e->node, (size_t)e->value);
        break;
    case SWARM_EV_GATE:
        sim_gate_shut(e->node, e->ways);
        break;
    case SWARM_EV_ADDRESS:
        sim_host_readdress(h, e->ways, (uint16_t)e->value);
        break;
    case SWARM_EV_CLOCK:
        sim_note(&w->g, "leap", e->node->id, e->value, 0);
        h->offset += (int64_t)e->value;
        break;
    case SWARM_EV_SLEEP:
        sim_host_sleep(h);
        break;
    case SWARM_EV_RESTART:
        sim_host_restart(h);
        check_drop_ghost(&w->check, NULL);
        for (unsigned i = 0; i < w->n_apps; i++)
            app_forget_server(&w->app[i]);
        break;
    case SWARM_EV_REFUSE:
        sim_note(&w->g, "refuse", e->node->id, e->value, 0);
        tvl_endpoint_refuse(h->ep, e->value != 0);
        break;
    case SWARM_EV_WAKE:
        sim_host_wake(h, e->value != 0);
        break;
    }
}

static void run_timetable(struct swarm *w)
{
    while (w->next_event < w->n_events && w->event[w->next_event].at <= w->g.now)
        happen(w, &w->event[w->next_event++]);
    if (!w->calm && w->g.now >= w->calm_at) {
        w->calm = true;
        sim_graph_calm(&w->g);
    }
}

static tvl_time next_time(const struct swarm *w, tvl_time limit)
{
    tvl_time next = sim_graph_next_time(&w->g);

    for (unsigned i = 0; i < w->n_hosts; i++) {
        const tvl_time t = sim_host_due(w->host[i]);

        next = t < next ? t : next;
    }
    for (unsigned i = 0; i < w->n_apps; i++) {
        const tvl_time t = app_next_time(&w->app[i]);

        next = t < next ? t : next;
    }
    if (w->next_event < w->n_events && w->event[w->next_event].at < next)
        next = w->event[w->next_event].at;
    if (!w->calm && w->calm_at < next)
        next = w->calm_at;
    next = next < limit ? next : limit;
    return next > w->g.now ? next : w->g.now + 1;
}

static void step(struct swarm *w, tvl_time limit)
{
    const bool before = sim_memory_count(false);

    w->g.now = next_time(w, limit);
    run_timetable(w);
    sim_graph_run(&w->g);
    (void)sim_memory_count(true);
    for (unsigned i = 0; i < w->n_apps; i++)
        app_run(&w->app[i]);
    (void)sim_memory_count(before);
    settle(w);
    check_step(&w->check);
    if (w->g.now >= w->stop_at)
        fail(w, "stopped as told");
    if (w->check.steps > SWARM_STEPS_MAX)
        fail(w, "more than %u steps", SWARM_STEPS_MAX);
}

/* ---- acts ---- */

static bool all_done(const struct swarm *w)
{
    for (unsigned i = 0; i < w->n_apps; i++)
        if (!app_is_done(&w->app[i]))
            return false;
    return true;
}

static bool all_over(const struct swarm *w)
{
    for (unsigned i = 0; i < w->n_apps; i++)
        if (!app_is_over(&w->app[i]))
            return false;
    return true;
}

static void explain(struct swarm *w, const char *what, bool (*is)(const struct app *))
{
    char text[160] = "";

    for (unsigned i = 0; i < w->n_apps && !text[0]; i++)
        if (!is(&w->app[i]))
            app_explain(&w->app[i], text, sizeof text);
    fail(w, "%s: %s", what, text);
}

/* Everything said and heard, or ended: within bounded time after the calm. */
static void talk(struct swarm *w)
{
    const tvl_time bytes = w->bytes * 8 * SECOND / w->slowest_bps;
    tvl_time limit = w->calm_at + LIVE_BASE + 3 * w->outage + 8 * bytes;

    /* a server that says goodbye in the handshake may not be heard, and then the client waits */
    if (w->check.may_lose_handshake || swarm_has(w, SWARM_CLOSES) || swarm_has(w, SWARM_RESTART) ||
        w->check.may_be_refused)
        limit += w->handshake_max;
    if (w->check.may_time_out || swarm_has(w, SWARM_RESTART))
        limit += w->idle_max;
    while (!all_done(w) && w->g.now < limit && !w->g.why[0])
        step(w, limit);
    if (!all_done(w))
        explain(w, "not done in time", app_is_done);
}

static void part(struct swarm *w)
{
    const tvl_time limit = w->g.now + w->idle_max + END_BASE;

    if (!w->calm) {
        w->calm = true;
        w->next_event = w->n_events;
        sim_graph_calm(&w->g);
    }
    (void)sim_memory_count(true);
    for (unsigned i = 0; i < w->n_apps; i++)
        if (!app_is_over(&w->app[i]))
            app_close(&w->app[i], w->closer);
    (void)sim_memory_count(false);
    settle(w);
    while (!all_over(w) && w->g.now < limit && !w->g.why[0])
        step(w, limit);
    if (!all_over(w))
        explain(w, "not closed in time", app_is_over);
}

/* No connection is left, ghosts included: no timer, and hardly any memory. */
static void rest(struct swarm *w)
{
    const tvl_time limit = w->g.now + w->idle_max + w->handshake_max + END_BASE;
    bool quiet = false;

    while (!quiet && w->g.now < limit && !w->g.why[0]) {
        step(w, limit);
        quiet = true;
        for (unsigned i = 0; i < w->n_hosts; i++)
            quiet = quiet && sim_host_due(w->host[i]) == SIM_NEVER;
    }
    if (!quiet)
        fail(w, "a timer is left when all connections are over");
    if (sim_memory_bytes() > w->n_hosts * MEMORY_REST)
        fail(w, "%zu bytes are left when all connections are over", sim_memory_bytes());
}

const char *const swarm_seen_name[SWARM_SEEN] = {
    [SWARM_SEEN_DROPPED] = "datagrams_dropped",
    [SWARM_SEEN_PATHS_UP] = "paths_up",
    [SWARM_SEEN_PATHS_SUSPECT] = "paths_suspect",
    [SWARM_SEEN_PATHS_ABANDONED] = "paths_abandoned",
    [SWARM_SEEN_PATHS_BACK] = "paths_back",
    [SWARM_SEEN_MTU_FALLS] = "mtu_falls",
    [SWARM_SEEN_REBINDINGS] = "rebindings",
    [SWARM_SEEN_DARK] = "ends_without_a_path",
    [SWARM_SEEN_LIVES_OF_A_MINUTE] = "lives_of_a_minute",
    [SWARM_SEEN_STREAMS_OF_A_MEGABYTE] = "streams_of_a_megabyte",
    [SWARM_SEEN_MIGRATIONS] = "migrations",
    [SWARM_SEEN_KEY_UPDATES] = "key_updates",
    [SWARM_SEEN_RESUMED] = "resumed",
    [SWARM_SEEN_STREAMS_DONE] = "streams_done",
    [SWARM_SEEN_STREAMS_RESET] = "streams_reset",
    [SWARM_SEEN_STREAMS_STOPPED] = "streams_stopped",
    [SWARM_SEEN_STREAMS_EXPIRED] = "streams_expired",
    [SWARM_SEEN_REPAIRED] = "bytes_repaired",
    [SWARM_SEEN_DATAGRAMS] = "datagram_frames_received",
    [SWARM_SEEN_ENDS_GOODBYE] = "ends_goodbye",
    [SWARM_SEEN_ENDS_RESET] = "ends_stateless_reset",
    [SWARM_SEEN_ENDS_TIMEOUT] = "ends_timeout",
    [SWARM_SEEN_ENDS_OTHER] = "ends_other",
};

static void count_half(const struct app_half *h, uint64_t *seen)
{
    seen[SWARM_SEEN_STREAMS_DONE] += h->sender == APP_DONE;
    seen[SWARM_SEEN_STREAMS_OF_A_MEGABYTE] += h->receiver == APP_DONE && h->read >= 1000000;
    seen[SWARM_SEEN_STREAMS_RESET] += h->sender == APP_RESET;
    seen[SWARM_SEEN_STREAMS_STOPPED] += h->sender == APP_STOPPED;
    seen[SWARM_SEEN_STREAMS_EXPIRED] += h->sender == APP_EXPIRED;
}

static enum swarm_seen end_of(const struct app_side *s)
{
    switch (s->kind) {
    case TVL_CLOSED_LOCAL:
    case TVL_CLOSED_PEER_APP:
        return SWARM_SEEN_ENDS_GOODBYE;
    case TVL_CLOSED_RESET:
        return SWARM_SEEN_ENDS_RESET;
    case TVL_CLOSED_IDLE:
    case TVL_CLOSED_NO_ANSWER:
        return SWARM_SEEN_ENDS_TIMEOUT;
    default:
        return SWARM_SEEN_ENDS_OTHER;
    }
}

static void count_app(const struct app *a, struct swarm_result *out)
{
    out->conns++;
    out->bytes += a->bytes;
    for (int i = 0; i < APP_PATH_SEEN; i++)
        out->seen[SWARM_SEEN_PATHS_UP + i] += a->path_seen[i];
    out->seen[SWARM_SEEN_MIGRATIONS] += a->migrations;
    out->seen[SWARM_SEEN_RESUMED] += a->resumed;
    for (int who = 0; who < 2; who++) {
        out->seen[SWARM_SEEN_KEY_UPDATES] += a->side[who].key_updates;
        out->seen[SWARM_SEEN_REPAIRED] += a->side[who].repaired;
        out->seen[SWARM_SEEN_DATAGRAMS] += a->datagrams[who].received;
        out->seen[end_of(&a->side[who])] += a->side[who].closed;
        for (size_t i = 0; i < a->n_streams; i++)
            count_half(&a->stream[i].half[who], out->seen);
    }
}

static void finish(struct swarm *w, struct swarm_result *out)
{
    for (unsigned i = 0; i < w->n_apps; i++)
        count_app(&w->app[i], out);
    out->seen[SWARM_SEEN_DROPPED] = w->g.packets_dropped;
    out->seen[SWARM_SEEN_PATHS_BACK] = w->check.paths_back;
    out->seen[SWARM_SEEN_MTU_FALLS] = w->check.mtu_falls;
    out->seen[SWARM_SEEN_REBINDINGS] = w->check.rebindings;
    out->seen[SWARM_SEEN_DARK] = w->check.darkened;
    out->seen[SWARM_SEEN_LIVES_OF_A_MINUTE] = w->g.now - w->began >= 60 * SECOND;
    for (unsigned i = 0; i < w->n_hosts; i++) {
        out->datagrams += w->host[i]->datagrams;
        sim_host_end(w->host[i]);
    }
    if (sim_memory_bytes() != 0)
        fail(w, "%zu bytes leaked", sim_memory_bytes());
    out->time = w->g.now - w->began;
    out->drawn = w->drawn;
    out->hash = w->g.hash;
    out->steps = w->check.steps;
    out->memory_peak = sim_memory_peak();
    memcpy(out->why, w->g.why, sizeof out->why);
    out->ok = !out->why[0];
}

void swarm_run(const struct swarm_order *order, struct swarm_result *out)
{
    struct swarm *w = calloc(1, sizeof *w);

    if (!w)
        abort();
    memset(out, 0, sizeof *out);
    sim_memory_reset();
    if (sim_entropy_seed(order->seed) != 0)
        abort();
    sim_graph_init(&w->g, BEGAN, order->log);
    w->seed = order->seed;
    w->without = order->without;
    w->pki = order->pki;
    w->stop_at = order->stop_at ? order->stop_at : SIM_NEVER;
    w->began = BEGAN;
    swarm_draw(w);
    check_init(&w->check, &w->g, w->host[0], w->app, w->n_apps);
    w->check.may_time_out = w->harsh || w->outage > w->idle_min / 4;
    w->check.may_fall_idle = w->no_keepalive;
    w->check.may_be_refused = swarm_has(w, SWARM_ADMISSION);
    w->check.may_lose_handshake = swarm_has(w, SWARM_NAT) || swarm_has(w, SWARM_ADDRESS);
    w->check.may_misread_versions = swarm_has(w, SWARM_CORRUPT);
    w->check.may_refuse_token = (w->drawn & RETRIES) && (w->drawn & HANDSHAKE_DRAGS);
    if (!w->g.why[0])
        talk(w);
    if (!w->g.why[0])
        part(w);
    if (!w->g.why[0])
        rest(w);
    if (w->g.why[0])
        check_dump(&w->check);
    finish(w, out);
    check_fini(&w->check);
    sim_graph_fini(&w->g);
    for (size_t i = 0; i < w->n_traces; i++)
        free(w->trace[i].ms);
    free(w);
}
