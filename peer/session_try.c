/*
 * session_try.c - a try to connect: handshakes on one path after another, and on each of them to
 * one address of the server's name after another, without waiting for the answer of the one before
 * (RFC 8305, section 5). The first that comes up wins.
 */
#include "log.h"
#include "session_internal.h"

#include <stdio.h>
#include <string.h>

#define NEXT_ADDRESS_S 0.25     /* then the next address of the name is tried beside (RFC 8305) */
#define RESUME_NEXT_PATH_S 0.25 /* as SESSION_NEXT_PATH_S, when a picture waits to go on */
#define TRY_S 3.0               /* one try, where further ones follow */
#define RESOLVE_EVERY 4         /* tries: the server's name is asked for again */

/* ---- whom to try ---- */

/* Asking for an address takes long where there is no network: what it was will do, mostly. */
static void find_server(struct session *s)
{
    if (*s->server && s->tries % RESOLVE_EVERY != 0) {
        snprintf(s->address[0], sizeof s->address[0], "%s", s->server);
        s->n_addresses = 1;
        return;
    }
    const int n = tvl_ev_resolve(s->cfg.to.uri.authority, s->address, SESSION_ADDRESSES_MAX);
    s->n_addresses = n > 0 ? (size_t)n : 0;
}

bool session_reaches(const char *local, const char *address)
{
    return !*local || !strchr(local, ':') == (*address != '[');
}

static void plan(struct session *s, size_t way, const char *address)
{
    s->attempt[s->n_attempts++] = (struct attempt){ .way = way, .address = address };
}

/* On each path each address that it can reach; without any, that of the name, which says why. */
static void plan_attempts(struct session *s)
{
    s->n_attempts = s->next_attempt = 0;
    for (size_t i = 0; i < s->n_ways; i++) {
        const struct path_spec *spec = &s->way[i].spec;
        const size_t before = s->n_attempts;
        for (size_t k = 0; k < s->n_addresses && !*spec->remote; k++)
            if (session_reaches(spec->local, s->address[k]))
                plan(s, i, s->address[k]);
        if (s->n_attempts == before)
            plan(s, i, s->n_addresses > 0 ? s->address[0] : s->cfg.to.uri.authority);
    }
}

static bool is_off(const struct session *s, const struct attempt *a)
{
    return session_path_is_off(s, s->way[a->way].spec.name);
}

static bool attempts_left(const struct session *s)
{
    for (size_t i = 0; i < s->n_attempts; i++)
        if (s->attempt[i].conn || (i >= s->next_attempt && !is_off(s, &s->attempt[i])))
            return true;
    return false;
}

/* ---- a try ---- */

/* Until the next one begins; the last has its time, too. */
static double step_s(const struct session *s, size_t way)
{
    const double step = s->played ? RESUME_NEXT_PATH_S : SESSION_NEXT_PATH_S;
    if (s->next_attempt == s->n_attempts)
        return 2 * step;
    return s->attempt[s->next_attempt].way == way ? NEXT_ADDRESS_S : step;
}

/* Begin the next handshake. 0, or -1 when there is none left. */
static int try_next(struct session *s)
{
    while (s->next_attempt < s->n_attempts) {
        struct attempt *a = &s->attempt[s->next_attempt++];
        const struct path_spec *spec = &s->way[a->way].spec;
        struct tvl_ev_path path = session_driver_path(s, spec);
        char why[200] = "";
        if (is_off(s, a))
            continue;
        if (!*spec->remote)
            path.remote = NULL;
        int result = tvl_ev_connect(s->driver, a->address, s->cfg.to.uri.host, &path, &a->conn, why,
                                    sizeof why);
        if (result == 0) {
            s->next_at = session_now(s) + step_s(s, a->way);
            return 0;
        }
        a->conn = NULL;
        snprintf(s->reason, sizeof s->reason, "path %s: %s", spec->name,
                 *why ? why : tvl_strerror(result));
        log_text(s->tries > 1 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "%s", s->reason);
    }
    return -1;
}

/* Attempts but `won` are of no use any more. */
void session_end_try(struct session *s, const struct tvl_conn *won)
{
    s->trying = false;
    for (size_t i = 0; i < s->n_attempts; i++) {
        struct attempt *a = &s->attempt[i];
        if (a->conn && a->conn != won)
            tvl_close(a->conn, 0, "", tvl_ev_now(s->driver));
        a->conn = NULL;
    }
}

void session_end_way(struct session *s, const struct way *w)
{
    for (size_t i = 0; i < s->n_attempts; i++) {
        struct attempt *a = &s->attempt[i];
        if (!a->conn || &s->way[a->way] != w)
            continue;
        tvl_close(a->conn, 0, "", tvl_ev_now(s->driver));
        a->conn = NULL;
    }
}

bool session_way_is_tried(const struct session *s, const struct way *w)
{
    for (size_t i = 0; i < s->n_attempts; i++)
        if (s->attempt[i].conn && &s->way[s->attempt[i].way] == w)
            return true;
    return false;
}

void session_wait_for_retry(struct session *s)
{
    if (s->cfg.listen) {
        session_enter(s, SESSION_WAITING); /* it is theirs to try */
        return;
    }
    const double wait_s = retry_wait(&s->retry);
    s->retry_at = session_now(s) + (wait_s > s->later_s ? wait_s : s->later_s);
    s->later_s = -1;
    if (!s->conn)
        session_enter(s, SESSION_WAITING);
}

static void try_failed(struct session *s)
{
    char line[SESSION_REASON_MAX + 64];
    session_end_try(s, NULL);
    if (!*s->reason)
        snprintf(s->reason, sizeof s->reason, "no answer from %.180s", s->cfg.to.uri.authority);
    if (s->cfg.reconnect_s != 0) {
        session_wait_for_retry(s);
        return;
    }
    snprintf(line, sizeof line, "%s", s->reason);
    if (strncmp(s->reason, "no answer", 9) == 0)
        snprintf(line, sizeof line, "%s in %.0f s on any path", s->reason, SESSION_GIVE_UP_S);
    session_fail(s, 2, line);
}

/* Where interfaces are followed: those that are there now. */
static void find_paths(struct session *s)
{
    struct path_spec found[SESSION_PATHS_MAX];
    if (!s->cfg.find_paths || s->tries == 0)
        return;
    s->n_ways = s->cfg.find_paths(&s->cfg.to.uri, found, SESSION_PATHS_MAX);
    memset(s->way, 0, sizeof s->way);
    for (size_t i = 0; i < s->n_ways; i++)
        s->way[i].spec = found[i];
}

void session_begin_try(struct session *s)
{
    if (!s->conn)
        find_paths(s); /* else the ways are in use, and these will do */
    s->tries++;
    s->trying = true;
    s->retry_at = 0;
    s->try_began = session_now(s);
    s->reason[0] = *s->reason && s->outage_began > 0 && s->tries == 1 ? *s->reason : '\0';
    find_server(s);
    plan_attempts(s);
    if (!s->conn)
        session_enter(s, SESSION_CONNECTING);
    if (try_next(s) != 0 && !attempts_left(s))
        try_failed(s);
}

void session_run_try(struct session *s, double now)
{
    const double most = s->cfg.reconnect_s != 0 ? TRY_S : SESSION_GIVE_UP_S;
    if (now < s->next_at)
        return;
    if (s->next_attempt < s->n_attempts)
        (void)try_next(s);
    else if (now - s->try_began >= most)
        try_failed(s);
}

struct way *session_won_by(struct session *s, const struct tvl_conn *conn)
{
    for (size_t i = 0; i < s->n_attempts && s->trying; i++)
        if (s->attempt[i].conn == conn) {
            snprintf(s->server, sizeof s->server, "%s", s->attempt[i].address);
            return &s->way[s->attempt[i].way];
        }
    return NULL;
}

void session_attempt_closed(struct session *s, const struct tvl_event *ev)
{
    bool ours = false;
    for (size_t i = 0; i < s->n_attempts; i++)
        if (s->attempt[i].conn == ev->conn) {
            s->attempt[i].conn = NULL;
            ours = true;
        }
    if (!ours || !s->trying)
        return; /* a path that lost the race, or a connection that we left */
    if (ev->closed.kind == TVL_CLOSED_TLS && !s->connected) {
        char line[SESSION_REASON_MAX + 64];
        /* another path leads to the same server: no use in trying it */
        snprintf(line, sizeof line, "the secure connection failed: %s",
                 *ev->closed.reason ? ev->closed.reason : "no reason given");
        session_fail(s, 2, strstr(ev->closed.reason, "certificate") ? ev->closed.reason : line);
        return;
    }
    if (ev->closed.kind != TVL_CLOSED_NO_ANSWER)
        snprintf(s->reason, sizeof s->reason, "%.100s refused the connection: %.128s",
                 s->cfg.to.uri.authority,
                 *ev->closed.reason ? ev->closed.reason : "no reason given");
    if (try_next(s) != 0 && !attempts_left(s))
        try_failed(s);
}
