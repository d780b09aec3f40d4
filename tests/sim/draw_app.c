/* draw_app.c - what the ends of a world are told to do: configuration, TLS, application. */
#include <tvl/cc.h>
#include <tvl/sched.h>
#include <tvl/trace.h>

#include <stdlib.h>

#include "rng.h"
#include "swarm.h"

#define MS 1000u
#define SECOND 1000000u
#define REST SWARM_FAULTS

/* ---- configuration ---- */

static const char *pick_cc(struct vlink_rng *r)
{
    size_t n = 0;

    while (tvl_cc_all[n])
        n++;
    return tvl_cc_all[vlink_rng_below(r, n)]->name;
}

static const char *pick_sched(struct vlink_rng *r)
{
    size_t n = 0;

    while (tvl_sched_all[n])
        n++;
    return tvl_sched_all[vlink_rng_below(r, n)]->name;
}

static void draw_windows(struct vlink_rng *r, struct tvl_config *cfg)
{
    cfg->stream_window = swarm_log_between(r, 16u << 10, 1u << 20);
    cfg->conn_window = swarm_log_between(r, 64u << 10, 4u << 20);
    cfg->streams_bidi = swarm_between(r, 1, 8);
    cfg->streams_uni = swarm_between(r, 1, 8);
}

static void draw_admission(struct vlink_rng *r, struct tvl_config *cfg)
{
    cfg->conns_max = (uint32_t)swarm_between(r, 1, 4);
    cfg->handshakes_max = (uint32_t)swarm_between(r, 1, 4);
    cfg->conns_per_host = (uint32_t)swarm_between(r, 0, 2);
}

static void draw_balancer(struct vlink_rng *r, struct tvl_config *cfg)
{
    struct tvl_lb_config *lb = &cfg->lb;

    lb->config_id = (uint8_t)vlink_rng_below(r, 7);
    lb->server_id_len = (uint8_t)swarm_between(r, 1, TVL_SERVER_ID_MAX);
    lb->nonce_len = (uint8_t)swarm_between(r, 4, 19 - lb->server_id_len);
    lb->encrypted = vlink_rng_below(r, 2);
    for (size_t i = 0; i < sizeof lb->key; i++)
        lb->key[i] = (uint8_t)vlink_rng_next(r);
}

/* Looks at every record, and keeps nothing. */
static void on_trace(void *user, const struct tvl_trace_event *ev)
{
    (void)user;
    if (ev->type > TVL_TRACE_STREAM_STATE)
        abort();
}

static void draw_crypto(struct vlink_rng *r, struct tvl_tls_config *tc, bool server)
{
    static const char *const suites[] = { NULL, "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256" };
    const char *suite = suites[vlink_rng_below(r, 4)];
    const uint64_t groups = vlink_rng_below(r, 3);

    if (server) /* the client takes all of them */
        tc->suites = suite;
    if (server && groups == 1)
        tc->groups = "P-256"; /* not what the client guesses: HelloRetryRequest */
}

/* Whoever's address may change unnoticed must speak up by itself now and then. */
static bool needs_keepalive(const struct swarm *w)
{
    return swarm_has(w, SWARM_NAT) || swarm_has(w, SWARM_ADDRESS) || swarm_has(w, SWARM_SPOOF);
}

static void draw_options(const struct swarm *w, struct vlink_rng *r, struct tvl_config *cfg)
{
    cfg->no_ecn = vlink_rng_below(r, 2);
    cfg->no_spin = vlink_rng_below(r, 2);
    cfg->no_grease = vlink_rng_below(r, 2);
    cfg->no_resumption = vlink_rng_below(r, 2);
    cfg->mtu_max = (uint32_t)swarm_between(r, 1200, TVL_DATAGRAM_MAX);
    cfg->datagram_max = vlink_rng_below(r, 4) ? (uint32_t)swarm_between(r, 100, 1400) : 0;
    cfg->repair_span = vlink_rng_below(r, 4) ? (uint32_t)swarm_between(r, 16384, 1 << 20) : 0;
    cfg->max_path_id = (uint32_t)swarm_between(r, 0, 12);
    cfg->idle_timeout = swarm_log_between(r, 10, 60) * SECOND;
    cfg->keepalive = swarm_log_between(r, 100, 3000) * MS;
    if (vlink_rng_below(r, 2) && !needs_keepalive(w))
        cfg->keepalive = 0;
}

void swarm_draw_config(struct swarm *w, struct vlink_rng *rng, struct tvl_config *cfg,
                       struct tvl_tls_config *tc, bool server)
{
    static const char *const alpn[] = { "sim", NULL };
    struct tvl_config drawn;

    tc->alpn = alpn;
    if (server) {
        tc->cert_file = w->pki->server;
        tc->key_file = w->pki->server_key;
    } else {
        tc->ca_file = w->pki->ca;
    }
    tvl_config_init(cfg);
    cfg->handshake_timeout = 60 * SECOND;
    cfg->idle_timeout = 60 * SECOND;
    cfg->keepalive = 500 * MS;
    drawn = *cfg;
    drawn.cc = pick_cc(&rng[SWARM_PLUGINS]);
    drawn.sched = pick_sched(&rng[SWARM_PLUGINS]);
    if (swarm_has(w, SWARM_PLUGINS)) {
        cfg->cc = drawn.cc;
        cfg->sched = drawn.sched;
    }
    if (swarm_has(w, SWARM_WINDOWS))
        draw_windows(&rng[SWARM_WINDOWS], cfg);
    if (swarm_has(w, SWARM_OPTIONS))
        draw_options(w, &rng[SWARM_OPTIONS], cfg);
    if (swarm_has(w, SWARM_CRYPTO))
        draw_crypto(&rng[SWARM_CRYPTO], tc, server);
    if (swarm_has(w, SWARM_ADMISSION) && server)
        draw_admission(&rng[SWARM_ADMISSION], cfg);
    if (swarm_has(w, SWARM_CRYPTO) && server && vlink_rng_below(&rng[SWARM_CRYPTO], 2))
        draw_balancer(&rng[SWARM_CRYPTO], cfg);
    if (vlink_rng_below(&rng[REST], 4) == 0)
        cfg->trace = on_trace;
    if (swarm_has(w, SWARM_RETRY) && server)
        cfg->retry = TVL_RETRY_ALWAYS;
    if (swarm_has(w, SWARM_KEYS))
        cfg->key_update_packets = swarm_log_between(&rng[SWARM_KEYS], 20, 2000);
    if (swarm_has(w, SWARM_SINGLE) && vlink_rng_below(&rng[SWARM_SINGLE], 2))
        cfg->max_path_id = UINT32_MAX;
    w->no_keepalive = w->no_keepalive || cfg->keepalive == 0;
    if (cfg->idle_timeout < w->idle_min)
        w->idle_min = cfg->idle_timeout;
    if (cfg->idle_timeout > w->idle_max)
        w->idle_max = cfg->idle_timeout;
    w->handshake_max = cfg->handshake_timeout;
}

/* ---- streams ---- */

static void draw_half(struct swarm *w, struct vlink_rng *rng, struct app_half *h)
{
    struct vlink_rng *r = &rng[REST];
    tvl_time span = w->calm_at - w->began;

    h->exists = true;
    h->total = vlink_rng_chance(r, 50000)
                   ? 0
                   : swarm_log_between(r, 1, vlink_rng_chance(r, 20000) ? 2000000 : 150000);
    const bool large = vlink_rng_chance(&rng[SWARM_LONG], 150000);
    const uint64_t megabytes = swarm_log_between(&rng[SWARM_LONG], 1000000, 8000000);
    if (large && swarm_has(w, SWARM_LONG))
        h->total = megabytes;
    h->chunk = (uint32_t)swarm_log_between(r, 1000, 4096);
    h->gap = vlink_rng_chance(r, 250000) ? span * h->chunk / (h->total + h->chunk) : 0;
    h->reset_at = h->stop_at = SIM_NEVER;
    h->write_at = SIM_NEVER;
    const bool reset = vlink_rng_chance(&rng[SWARM_RESETS], 250000);
    const uint64_t reset_at = vlink_rng_below(&rng[SWARM_RESETS], h->total + 1);
    if (reset && swarm_has(w, SWARM_RESETS))
        h->reset_at = reset_at;
    const bool stop = vlink_rng_chance(&rng[SWARM_STOPS], 250000);
    const uint64_t stop_at = vlink_rng_below(&rng[SWARM_STOPS], h->total + 1);
    if (stop && swarm_has(w, SWARM_STOPS))
        h->stop_at = stop_at;
    const bool deadline = vlink_rng_chance(&rng[SWARM_DEADLINES], 400000);
    const tvl_time after = swarm_log_between(&rng[SWARM_DEADLINES], 10 * MS, 3 * SECOND);
    if (deadline && swarm_has(w, SWARM_DEADLINES))
        h->deadline = after;
    const bool slow = vlink_rng_chance(&rng[SWARM_SLOW], 400000);
    const uint32_t portion = (uint32_t)swarm_log_between(&rng[SWARM_SLOW], 500, 20000);
    const tvl_time every = swarm_log_between(&rng[SWARM_SLOW], 1 * MS, 100 * MS);
    if (slow && swarm_has(w, SWARM_SLOW)) {
        h->read_bytes = portion;
        h->read_gap = every;
    }
    w->bytes += h->total;
}

static void draw_stream(struct swarm *w, struct vlink_rng *rng, struct app *a)
{
    struct vlink_rng *r = &rng[REST];
    struct app_stream *t = &a->stream[a->n_streams++];

    t->at = a->start + vlink_rng_below(r, (w->calm_at - w->began) / (1 + vlink_rng_below(r, 4)));
    t->opener = (enum app_who)vlink_rng_below(r, 2);
    t->dir = vlink_rng_below(r, 2) ? TVL_UNI : TVL_BIDI;
    t->ranked = vlink_rng_below(r, 2);
    t->rank = vlink_rng_below(r, 4);
    t->flow = (uint32_t)vlink_rng_below(r, 4);
    draw_half(w, rng, &t->half[t->opener]);
    if (t->dir == TVL_BIDI)
        draw_half(w, rng, &t->half[1 - t->opener]);
}

static void draw_datagrams(struct swarm *w, struct vlink_rng *r, struct app *a)
{
    for (int who = 0; who < 2; who++) {
        struct app_datagrams *d = &a->datagrams[who];

        d->start = a->start + vlink_rng_below(r, SECOND);
        d->gap = swarm_log_between(r, 1, 50) * MS;
        d->count = vlink_rng_below(r, 4) ? (unsigned)swarm_between(r, 1, APP_DATAGRAMS_MAX) : 0;
        d->bytes = (size_t)swarm_between(r, 4, 1150);
        d->patience = vlink_rng_below(r, 2) ? swarm_log_between(r, 1, 500) * MS : 0;
        if (!swarm_has(w, SWARM_DATAGRAMS))
            d->count = 0;
    }
}

/* ---- actions ---- */

static void add_action(struct app *a, const struct app_action *x)
{
    size_t at = a->n_actions;

    if (a->n_actions == APP_ACTIONS_MAX)
        return;
    while (at > 0 && a->action[at - 1].at > x->at) {
        a->action[at] = a->action[at - 1];
        at--;
    }
    a->action[at] = *x;
    a->n_actions++;
}

static struct app_action draw_action(const struct swarm *w, struct vlink_rng *r,
                                     const struct app *a, enum app_do what)
{
    return (struct app_action){ .at = a->start + vlink_rng_below(r, w->calm_at - w->began),
                                .what = what,
                                .a = (unsigned)vlink_rng_below(r, 8),
                                .b = (unsigned)vlink_rng_below(r, 8),
                                .c = (unsigned)vlink_rng_below(r, 2) };
}

static void draw_actions(struct swarm *w, struct vlink_rng *rng, struct app *a)
{
    const unsigned ports = a->side[APP_CLIENT].host->node.n_ports;
    struct vlink_rng *r = &rng[SWARM_PATHS];

    for (unsigned i = 0; i < ports; i++) { /* a path over each interface, nearly always */
        const struct app_action x = { .at = a->start + vlink_rng_below(&rng[REST], 200 * MS),
                                      .what = APP_PATH_ADD,
                                      .a = i,
                                      .b = (unsigned)vlink_rng_below(&rng[REST], 4) };

        if (i != a->first_port && !vlink_rng_chance(&rng[REST], 100000))
            add_action(a, &x);
    }
    for (uint64_t n = vlink_rng_below(r, 8); n > 0; n--) {
        static const enum app_do some[] = { APP_PATH_ADD, APP_PATH_ABANDON, APP_PATH_BACKUP };
        const struct app_action x = draw_action(w, r, a, some[vlink_rng_below(r, 3)]);

        if (swarm_has(w, SWARM_PATHS))
            add_action(a, &x);
    }
    for (uint64_t n = vlink_rng_below(&rng[SWARM_MIGRATE], 4); n > 0; n--) {
        const struct app_action x = draw_action(w, &rng[SWARM_MIGRATE], a, APP_PATH_MIGRATE);

        if (swarm_has(w, SWARM_MIGRATE))
            add_action(a, &x);
    }
    for (uint64_t n = vlink_rng_below(&rng[SWARM_KEYS], 6); n > 0; n--) {
        const struct app_action x = draw_action(w, &rng[SWARM_KEYS], a, APP_KEYS);

        if (swarm_has(w, SWARM_KEYS))
            add_action(a, &x);
    }
    for (uint64_t n = vlink_rng_below(&rng[SWARM_FLOWS], 8); n > 0; n--) {
        const struct app_action x = draw_action(w, &rng[SWARM_FLOWS], a, APP_FLOW);

        if (swarm_has(w, SWARM_FLOWS))
            add_action(a, &x);
    }
    const struct app_action bye = draw_action(w, &rng[SWARM_CLOSES], a, APP_CLOSE);
    if (vlink_rng_chance(&rng[SWARM_CLOSES], 300000) && swarm_has(w, SWARM_CLOSES))
        add_action(a, &bye);
}

void swarm_draw_app(struct swarm *w, struct vlink_rng *rng, struct app *a)
{
    struct vlink_rng *r = &rng[REST];

    a->start = w->began + (vlink_rng_below(r, 2) ? vlink_rng_below(r, 2 * SECOND) : 0);
    a->udp_port = (uint16_t)(5000 + (vlink_rng_below(r, 2) ? a->number : 0));
    a->first_port = (unsigned)vlink_rng_below(r, a->side[APP_CLIENT].host->node.n_ports);
    a->first_server = (unsigned)vlink_rng_below(r, a->n_server);
    a->close_code = vlink_rng_below(r, 1000);
    for (uint64_t n = vlink_rng_below(r, 11); n > 0; n--)
        draw_stream(w, rng, a);
    draw_datagrams(w, &rng[SWARM_DATAGRAMS], a);
    draw_actions(w, rng, a);
}
