/* desk.c - see desk.h. */
#include "desk.h"

#include <stdlib.h>
#include <string.h>

#include "config_diff.h"
#include "configure.h"
#include "control.h"
#include "log.h"
#include "operate.h"
#include "server_internal.h"

#define WHY_MAX 8192 /* a line for each problem */

struct desk {
    struct server *server;
    struct configure *how; /* NULL: nothing to be read again */
    struct operate *operate;
    struct control *control; /* NULL: none */
};

/* ---- sources and sessions ---- */

static enum control_result say(struct control_why *why, enum control_result result,
                               const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return result;
}

static struct snapshot *take_snapshot(void *user)
{
    struct desk *d = user;
    return server_snapshot(d->server);
}

static bool has_session(struct server *s, uint64_t id)
{
    struct snapshot *now = server_snapshot(s);
    bool has = false;
    for (size_t i = 0; now && i < now->n_sessions; i++)
        has |= now->session[i].id == id;
    snapshot_free(now);
    return has;
}

static enum control_result stop_session(void *user, uint64_t id, const char *reason,
                                        struct control_why *why)
{
    struct desk *d = user;
    if (id == 0 || !has_session(d->server, id))
        return say(why, CONTROL_NOT_FOUND, "no such session");
    log_line(LOG_INFO, "viewer %llu: stopped by order: %s", (unsigned long long)id, reason);
    server_post_all(d->server, LETTER_STOP, id, MOQ_NO_ERROR, reason);
    return CONTROL_OK;
}

static enum control_result start_source(void *user, const char *ns, struct control_why *why)
{
    struct desk *d = user;
    struct broadcast *b = directory_find(d->server->directory, ns);
    if (!b)
        return say(why, CONTROL_NOT_FOUND, "no such source");
    if (broadcast_view(b))
        return say(why, CONTROL_CONFLICT, "it is running");
    return broadcast_start(b) == 0 ? CONTROL_OK : say(why, CONTROL_FAILED, broadcast_why(b));
}

static enum control_result stop_source(void *user, const char *ns, struct control_why *why)
{
    struct desk *d = user;
    struct broadcast *b = directory_find(d->server->directory, ns);
    if (!b)
        return say(why, CONTROL_NOT_FOUND, "no such source");
    if (broadcast_is_stopped(b))
        return say(why, CONTROL_CONFLICT, "it is stopped already");
    broadcast_stop(b, "the source was stopped");
    log_line(LOG_INFO, "%s: stopped by order", ns);
    return CONTROL_OK;
}

static enum control_result refresh(void *user, const char *ns, unsigned spatial,
                                   struct control_why *why)
{
    struct desk *d = user;
    struct broadcast *b = directory_find(d->server->directory, ns);
    if (!b)
        return say(why, CONTROL_NOT_FOUND, "no such source");
    return broadcast_refresh(b, spatial) == 0
               ? CONTROL_OK
               : say(why, CONTROL_CONFLICT, "nothing is encoded, or there is no such layer");
}

/* ---- limits ---- */

static void get_limits(void *user, struct control_limits *out)
{
    const struct desk *d = user;
    const struct config *c = d->server->cfg;
    *out = (struct control_limits){ .viewers_max = c->viewers_max,
                                    .per_address = c->access.per_address,
                                    .per_token = c->access.per_token,
                                    .rate_per_address = c->access.rate_per_address };
}

static enum control_result set_limits(void *user, const struct control_limits *l,
                                      struct control_why *why)
{
    struct desk *d = user;
    struct config *c = d->server->cfg;
    struct config_access access = c->access;
    if (l->viewers_max < 1 || l->viewers_max > 65536 || l->per_address > 65536 ||
        l->per_token > 65536 || l->rate_per_address > 65536)
        return say(why, CONTROL_BAD, "a limit is out of range");
    access.per_address = l->per_address;
    access.per_token = l->per_token;
    access.rate_per_address = l->rate_per_address;
    if (access_reload(d->server->access, &access, why->text, sizeof why->text) < 0)
        return CONTROL_FAILED;
    c->access = access;
    c->viewers_max = l->viewers_max;
    atomic_store(&d->server->worker_host.viewers_max, l->viewers_max);
    return CONTROL_OK;
}

/* ---- reload ---- */

/* Files that are read again whether their names have changed or not. */
static int read_files(struct desk *d, const struct config *next, char *why, size_t why_size)
{
    return port_reload(&d->server->port, next, why, why_size) < 0 ||
                   access_reload(d->server->access, &next->access, why, why_size) < 0 ||
                   (d->control &&
                    control_reload(d->control, next->control.token, why, why_size) < 0)
               ? -1
               : 0;
}

static void warn_refused(const struct config_diff *diff)
{
    for (size_t i = 0; i < diff->n_refused; i++)
        log_line(LOG_WARN, "%s: has changed, and needs a restart", diff->refused[i]);
}

static int reload(struct desk *d, char *why, size_t why_size)
{
    struct server *s = d->server;
    struct config next;
    struct config_diff diff;
    if (!d->how) {
        snprintf(why, why_size, "there is nothing to be read again");
        return -1;
    }
    switch (configure(d->how, &next, why, why_size)) {
    case CONFIGURE_RUN:
        break;
    case CONFIGURE_USAGE:
    case CONFIGURE_BAD:
        return -1;
    default: /* not from the words that have started a server */
        config_fini(&next);
        return -1;
    }
    if (config_diff(&diff, s->cfg, &next) < 0) {
        config_fini(&next);
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    if (read_files(d, &next, why, why_size) < 0) {
        config_diff_fini(&diff);
        config_fini(&next);
        return -1;
    }
    warn_refused(&diff);
    log_set_level((enum log_level)next.log_level);
    log_set_json(next.log_json);
    atomic_store(&s->worker_host.viewers_max, next.viewers_max);
    server_apply_sources(s, &next, &diff);
    config_diff_fini(&diff);
    config_diff_keep(s->cfg, &next); /* what runs points into it */
    config_fini(s->cfg);
    *s->cfg = next;
    return 0;
}

static void log_problems(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        log_line(LOG_ERROR, "reload: %s", line);
}

static enum control_result reload_by_order(void *user, struct control_why *why)
{
    char text[WHY_MAX] = "";
    if (reload(user, text, sizeof text) == 0) {
        log_line(LOG_INFO, "the configuration was read again");
        return CONTROL_OK;
    }
    snprintf(why->text, sizeof why->text, "%.*s", (int)strcspn(text, "\n"), text);
    log_problems(text);
    return CONTROL_FAILED;
}

static void on_reload(void *user)
{
    struct desk *d = user;
    struct control_why why = { "" };
    access_reopen_log(d->server->access);
    if (reload_by_order(d, &why) == CONTROL_OK)
        operate_reloaded(d->operate, "the configuration was read again");
    else
        operate_reloaded(d->operate, why.text);
}

/* ---- life ---- */

static enum control_result drain(void *user, struct control_why *why)
{
    struct desk *d = user;
    if (d->server->phase != SERVER_SERVING)
        return say(why, CONTROL_CONFLICT, "it is stopping already");
    server_leave(d->server);
    return CONTROL_OK;
}

static const struct config *config(void *user)
{
    const struct desk *d = user;
    return d->server->cfg;
}

int desk_open(struct desk **out, struct server *s, struct configure *how, char *why,
              size_t why_size)
{
    struct desk *d = calloc(1, sizeof *d);
    if (!d) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    const struct operate_hooks hooks = { .on_reload = on_reload, .user = d };
    d->server = s;
    d->how = how;
    d->operate = operate_new(s->loop, &hooks);
    if (!d->operate) {
        snprintf(why, why_size, "out of memory");
        desk_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

int desk_ready(struct desk *d, char *why, size_t why_size)
{
    const struct control_hooks hooks = { .user = d,
                                         .snapshot = take_snapshot,
                                         .stop_session = stop_session,
                                         .start_source = start_source,
                                         .stop_source = stop_source,
                                         .refresh = refresh,
                                         .get_limits = get_limits,
                                         .set_limits = set_limits,
                                         .reload = reload_by_order,
                                         .drain = drain,
                                         .config = config };
    const struct config_control *c = &d->server->cfg->control;
    if (c->listen && control_new(&d->control, d->server->loop, c, &hooks, why, why_size) < 0)
        return -1;
    operate_ready(d->operate);
    return 0;
}

const char *desk_address(const struct desk *d)
{
    return d->control ? control_address(d->control) : NULL;
}

void desk_tick(struct desk *d)
{
    operate_status(d->operate, "%u viewers, %zu sources",
                   atomic_load(&d->server->worker_host.viewers),
                   directory_count(d->server->directory));
}

void desk_stopping(struct desk *d, unsigned patience_s)
{
    operate_stopping(d->operate, patience_s);
}

void desk_close(struct desk *d)
{
    if (!d)
        return;
    control_free(d->control);
    d->control = NULL;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    desk_close(d);
    operate_free(d->operate);
    free(d);
}
