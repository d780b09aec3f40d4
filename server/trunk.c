/* trunk.c - see trunk.h. */
#include "trunk.h"

#include <ev.h>
#include <moq/moq_tvl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/ev.h>

#include "log.h"
#include "rounds.h"

#define TICK_S 0.1
#define SERVER_MAX 256  /* "HOST:PORT" */
#define ADDRESSES_MAX 4 /* of its name that are tried */
#define SCHEME "moqt://"

struct trunk {
    struct trunk_config cfg;
    char server[SERVER_MAX], name[SERVER_MAX];
    struct tvl_tls *tls;
    struct tvl_ev *driver;
    struct tvl_conn *conn; /* NULL: none */
    struct moq_tvl glue;
    struct moq_session *moq; /* NULL: none */
    bool wanted, up;
    unsigned failures;    /* in a row */
    struct rounds rounds; /* of the server's addresses */
    ev_timer tick, retry;
};

static int take_uri(struct trunk *t, char *why, size_t why_size)
{
    const char *rest = t->cfg.uri + strlen(SCHEME);
    const size_t len = strcspn(rest, "/");
    const char *host = rest;
    if (strncmp(t->cfg.uri, SCHEME, strlen(SCHEME)) != 0 || len == 0 || len >= SERVER_MAX) {
        snprintf(why, why_size, "\"%.64s\" is not moqt://HOST:PORT", t->cfg.uri);
        return -1;
    }
    memcpy(t->server, rest, len);
    size_t n = len;
    for (size_t i = len; i-- > 0 && rest[i] != ']';)
        if (rest[i] == ':') {
            n = i;
            break;
        }
    if (host[0] == '[' && n >= 2) { /* IPv6 */
        host++;
        n -= 2;
    }
    memcpy(t->name, host, n);
    if (!strchr(rest, ':') && len + 5 < SERVER_MAX)
        strcat(t->server, ":443");
    return 0;
}

/* ---- a connection ---- */

static size_t read_token(const struct trunk *t, char *out, size_t size)
{
    FILE *f = t->cfg.token ? fopen(t->cfg.token, "r") : NULL;
    size_t n = f ? fread(out, 1, size, f) : 0;
    if (f)
        fclose(f);
    else if (t->cfg.token)
        log_line(LOG_WARN, "%s: %s cannot be read", t->cfg.what, t->cfg.token);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r' || out[n - 1] == ' '))
        n--;
    return n;
}

static int begin_session(struct trunk *t)
{
    char token[MOQ_TOKEN_MAX];
    struct moq_quic quic;
    struct moq_session_config cfg = { .authority = t->server,
                                      .path = "",
                                      .implementation = "svc-server " TVL_VERSION };
    cfg.token.value =
        (struct moq_bytes){ (const uint8_t *)token, read_token(t, token, sizeof token) };
    moq_tvl_init(&t->glue, t->conn, &quic);
    t->glue.now = tvl_ev_now(t->driver);
    const int rc = moq_session_new(&t->moq, &cfg, &quic, t->cfg.handler, t->cfg.user);
    return rc < 0 ? rc : moq_session_start(t->moq);
}

static void try_later(struct trunk *t)
{
    double wait_s = TRUNK_RETRY_MIN_S;
    for (unsigned i = 0; i < t->failures && wait_s < TRUNK_RETRY_MAX_S; i++)
        wait_s *= 2;
    t->failures++;
    ev_timer_stop(t->cfg.loop, &t->retry);
    ev_now_update(t->cfg.loop);
    ev_timer_set(&t->retry, wait_s < TRUNK_RETRY_MAX_S ? wait_s : TRUNK_RETRY_MAX_S, 0.);
    ev_timer_start(t->cfg.loop, &t->retry);
}

static void down(struct trunk *t, const char *why)
{
    const bool was_up = t->up;
    struct moq_session *moq = t->moq;
    t->conn = NULL;
    t->up = false;
    t->moq = NULL;
    if (t->wanted && (was_up || t->failures == 0)) /* once, not for each try */
        log_line(LOG_WARN, "%s: %s", t->cfg.what, why);
    if (t->wanted)
        try_later(t);
    t->cfg.on_down(t->cfg.user, why);
    moq_session_free(moq);
}

static void connect_now(struct trunk *t)
{
    char why[TRUNK_WHY_MAX] = "", address[ADDRESSES_MAX][TVL_EV_ADDRESS_MAX];
    ev_timer_stop(t->cfg.loop, &t->retry);
    if (t->conn)
        return;
    const int n = tvl_ev_resolve(t->server, address, ADDRESSES_MAX);
    if (tvl_ev_connect(t->driver, n > 0 ? address[rounds_take(&t->rounds, (size_t)n)] : t->server,
                       t->name, &(struct tvl_ev_path){ 0 }, &t->conn, why, sizeof why) < 0)
        down(t, why);
    else
        tvl_ev_kick(t->driver);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct trunk *t = user;
    char why[TRUNK_WHY_MAX];
    if (ev->conn != t->conn || !t->conn)
        return;
    if (ev->type == TVL_EVENT_CLOSED) {
        snprintf(why, sizeof why, "connection over (0x%llx) %.100s",
                 (unsigned long long)ev->closed.code, ev->closed.reason);
        down(t, why);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        rounds_stay(&t->rounds);
    if (ev->type == TVL_EVENT_CONNECTED && begin_session(t) < 0)
        tvl_close(t->conn, MOQ_INTERNAL_ERROR, "no session", tvl_ev_now(t->driver));
    if (t->moq)
        moq_tvl_on_event(&t->glue, t->moq, ev, tvl_ev_now(t->driver));
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct trunk *t = timer->data;
    (void)loop;
    (void)events;
    if (!t->moq)
        return;
    t->glue.now = tvl_ev_now(t->driver);
    moq_session_tick(t->moq, t->glue.now);
    tvl_ev_kick(t->driver);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    connect_now(timer->data);
}

/* ---- its owner ---- */

void trunk_set_up(struct trunk *t)
{
    t->up = true;
    t->failures = 0;
    log_line(LOG_INFO, "%s: connected", t->cfg.what);
    t->cfg.on_up(t->cfg.user, t->moq);
}

void trunk_want(struct trunk *t, bool wanted)
{
    if (t->wanted == wanted)
        return;
    t->wanted = wanted;
    t->failures = 0;
    if (wanted) {
        connect_now(t);
        return;
    }
    ev_timer_stop(t->cfg.loop, &t->retry);
    if (t->moq)
        moq_session_close(t->moq, MOQ_NO_ERROR, "");
    else if (t->conn)
        tvl_close(t->conn, MOQ_NO_ERROR, "", tvl_ev_now(t->driver));
    tvl_ev_kick(t->driver);
}

struct moq_session *trunk_moq(const struct trunk *t)
{
    return t->up ? t->moq : NULL;
}

const struct tvl_conn *trunk_conn(const struct trunk *t)
{
    return t->conn;
}

void trunk_kick(struct trunk *t)
{
    tvl_ev_kick(t->driver);
}

int trunk_new(struct trunk **out, const struct trunk_config *cfg, char *why, size_t why_size)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct tvl_tls_config tls = { .alpn = alpn, .ca_file = cfg->ca };
    struct tvl_ev_config ev = { .loop = cfg->loop, .on_event = on_event };
    struct trunk *t = calloc(1, sizeof *t);
    if (!t) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    t->cfg = *cfg;
    ev_timer_init(&t->tick, on_tick, TICK_S, TICK_S);
    ev_timer_init(&t->retry, on_retry, 0., 0.);
    t->tick.data = t->retry.data = t;
    if (take_uri(t, why, why_size) < 0 || tvl_tls_new(&t->tls, &tls, why, why_size) < 0)
        goto fail;
    tvl_config_init(&ev.tvl);
    ev.tvl.tls = t->tls;
    if (cfg->cc)
        ev.tvl.cc = cfg->cc;
    if (cfg->sched)
        ev.tvl.sched = cfg->sched;
    ev.user = t;
    if (tvl_ev_new(&t->driver, &ev, why, why_size) < 0)
        goto fail;
    ev_timer_start(cfg->loop, &t->tick);
    *out = t;
    return 0;
fail:
    trunk_free(t);
    return -1;
}

void trunk_free(struct trunk *t)
{
    if (!t)
        return;
    ev_timer_stop(t->cfg.loop, &t->tick);
    ev_timer_stop(t->cfg.loop, &t->retry);
    t->conn = NULL; /* its events find nobody */
    if (t->moq) {
        moq_session_close(t->moq, MOQ_NO_ERROR, "");
        tvl_ev_kick(t->driver);
    }
    moq_session_free(t->moq);
    tvl_ev_free(t->driver);
    tvl_tls_free(t->tls);
    free(t);
}
