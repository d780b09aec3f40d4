/*
 * session_listen.c - connections of those who call: a publisher offers its namespace, shows that it
 * may, and becomes the session's connection. What follows is as if we had called it.
 *
 *     handshake --> guest --offers what is wanted--> nobody is there:        taken
 *                     |                              one is there, silent:   taken, that one
 * dropped
 *                     +-- SESSION_GUEST_S: closed    one is there and heard: refused
 */
#include "credential.h"
#include "log.h"
#include "session_internal.h"

#include <moq/moq.h>

#include <stdio.h>
#include <string.h>

static void say(struct session *s, enum session_caller what, const char *address, const char *why)
{
    if (s->cfg.handler->on_caller)
        s->cfg.handler->on_caller(s->cfg.user, what, address, why);
}

static void address_of(const struct tvl_conn *conn, char out[PATH_SPEC_ADDRESS_MAX])
{
    struct tvl_path_stats path;
    snprintf(out, PATH_SPEC_ADDRESS_MAX, "?");
    if (tvl_paths(conn, &path, 1) == 1)
        path_spec_address(&path.remote, out);
}

/* ---- who may ---- */

/* Takes as long wherever they differ. */
static bool is_same(struct moq_bytes a, const char *b, size_t len)
{
    uint8_t differ = a.len != len;
    for (size_t i = 0; i < a.len && i < len; i++)
        differ = (uint8_t)(differ | (a.bytes[i] ^ (uint8_t)b[i]));
    return differ == 0;
}

bool session_may_publish(void *user, const struct moq_token *tokens, size_t n)
{
    const struct session *s = user;
    char token[CREDENTIAL_TOKEN_MAX + 1], why[160];
    if (!s->cfg.to.token)
        return true;
    const int len = credential_token(s->cfg.to.token, token, why, sizeof why);
    if (len < 0)
        log_text(LOG_LEVEL_WARN, "nobody may publish: %s", why);
    for (size_t i = 0; i < n && len > 0; i++)
        if (is_same(tokens[i].value, token, (size_t)len))
            return true;
    return false;
}

/* ---- guests ---- */

static struct guest *guest_of(struct session *s, const struct broadcast *b)
{
    for (size_t i = 0; i < s->n_guests; i++)
        if (s->guest[i].broadcast == b)
            return &s->guest[i];
    return NULL;
}

static void forget(struct session *s, struct guest *g)
{
    *g = s->guest[--s->n_guests];
}

static void turn_away(struct session *s, struct guest *g, uint64_t code, const char *why)
{
    tvl_close(g->conn, code, why, tvl_ev_now(s->driver));
    broadcast_free(g->broadcast);
    forget(s, g);
}

static void refused(struct session *s, const struct guest *g, const char *why)
{
    char address[PATH_SPEC_ADDRESS_MAX];
    address_of(g->conn, address);
    log_text(LOG_LEVEL_WARN, "publisher %s is refused: %s", address, why);
    say(s, SESSION_CALLER_REFUSED, address, why);
}

void session_on_offered(void *user, struct broadcast *b)
{
    struct session *s = user;
    struct guest *g = guest_of(s, b);
    if (g)
        g->offered = session_now(s);
}

void session_on_refused(void *user, struct broadcast *b, const char *why)
{
    const struct guest *g = guest_of(user, b);
    if (g)
        refused(user, g, why);
}

static void take(struct session *s, struct guest *g)
{
    struct broadcast *b = g->broadcast;
    struct tvl_conn *conn = g->conn;
    forget(s, g);
    if (s->conn)
        session_replace(s);
    session_begin(s, conn);
    s->broadcast = b;
    address_of(conn, s->caller);
    session_note(s, "publisher %s is taken", s->caller);
    s->cfg.handler->on_connected(s->cfg.user);
    say(s, SESSION_CALLER_ADDED, s->caller, "");
    broadcast_ask(b, s->top);
    broadcast_pause(b, s->paused);
    broadcast_ask_sender(b, s->ask_sender);
    const int result = broadcast_take(b);
    if (result != 0)
        session_lost(s, moq_strerror(result));
}

/* Result: it is a guest no more. */
static bool decide(struct session *s, struct guest *g, double now)
{
    if (g->offered == 0)
        return false;
    if (s->conn)
        (void)session_hears(s);
    if (!s->conn || now - s->heard_at >= session_silence_s(s)) {
        take(s, g);
        return true;
    }
    if (s->heard_at < g->offered + SESSION_BUSY_S)
        return false;
    static const char why[] = "another publisher is there";
    refused(s, g, why);
    broadcast_refuse(g->broadcast, MOQ_REQ_UNINTERESTED, why);
    g->offered = 0;
    return false;
}

static void come(struct session *s, struct tvl_conn *conn)
{
    struct broadcast *b = NULL;
    const bool over = s->closing || s->failed || s->ended;
    if (over || s->n_guests == SESSION_GUESTS_MAX || session_broadcast_new(s, conn, &b) != 0) {
        tvl_close(conn, MOQ_INTERNAL_ERROR, over ? "it is over" : "too many callers",
                  tvl_ev_now(s->driver));
        return;
    }
    s->guest[s->n_guests++] =
        (struct guest){ .conn = conn, .broadcast = b, .came = session_now(s) };
}

void session_guest_event(struct session *s, const struct tvl_event *ev)
{
    struct guest *g = NULL;
    if (ev->type == TVL_EVENT_CONNECTED)
        come(s, ev->conn);
    for (size_t i = 0; i < s->n_guests && !g; i++)
        if (s->guest[i].conn == ev->conn)
            g = &s->guest[i];
    if (!g)
        return; /* turned away, or dropped */
    broadcast_event(g->broadcast, ev, tvl_ev_now(s->driver));
    if (ev->type == TVL_EVENT_CLOSED) {
        broadcast_free(g->broadcast);
        forget(s, g);
        return;
    }
    (void)decide(s, g, session_now(s));
}

void session_listen_tick(struct session *s, double now)
{
    for (size_t i = 0; i < s->n_guests;) {
        struct guest *g = &s->guest[i];
        broadcast_tick(g->broadcast, tvl_ev_now(s->driver));
        if (decide(s, g, now))
            continue; /* another has its place */
        if (g->offered == 0 && now - g->came >= SESSION_GUEST_S)
            turn_away(s, g, MOQ_NO_ERROR, "nothing that is wanted here was offered");
        else
            i++;
    }
}

void session_caller_gone(struct session *s, const char *why)
{
    char address[PATH_SPEC_ADDRESS_MAX];
    if (!*s->caller)
        return;
    memcpy(address, s->caller, sizeof address);
    s->caller[0] = '\0';
    say(s, SESSION_CALLER_REMOVED, address, why);
}

void session_close_guests(struct session *s)
{
    while (s->n_guests > 0)
        turn_away(s, &s->guest[0], MOQ_NO_ERROR, "");
}
