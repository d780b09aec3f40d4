/* session_paths.c - the paths of the session's connection: opened, opened again, switched on and
 * off. */
#include "log.h"
#include "session_internal.h"

#include <net/if.h>

#include <string.h>

#define NO_PATH UINT32_MAX

/* ---- switches of paths ---- */

/* What was asked for of the path of that name; NULL: nothing. */
static struct session_path_wish *use_of(const struct session *s, const char *name)
{
    for (size_t i = 0; i < s->n_uses; i++)
        if (strcmp(s->use[i].name, name) == 0)
            return (struct session_path_wish *)&s->use[i];
    return NULL;
}

bool session_path_is_off(const struct session *s, const char *name)
{
    const struct session_path_wish *u = use_of(s, name);
    return u && u->off;
}

static bool is_backup(const struct session *s, const struct path_spec *spec)
{
    const struct session_path_wish *u = use_of(s, spec->name);
    return u ? u->backup : spec->backup;
}

/* Where a path without an address of its own leads: where the server was found, or to another of
 * its addresses when that is of another family. NULL: not found yet. */
static const char *server_for(const struct session *s, const struct path_spec *spec)
{
    if (!*s->server || session_reaches(spec->local, s->server))
        return *s->server ? s->server : NULL;
    for (size_t i = 0; i < s->n_addresses; i++)
        if (session_reaches(spec->local, s->address[i]))
            return s->address[i];
    return s->server;
}

struct tvl_ev_path session_driver_path(const struct session *s, const struct path_spec *spec)
{
    return (struct tvl_ev_path){ .interface = *spec->interface ? spec->interface : NULL,
                                 .local = *spec->local ? spec->local : NULL,
                                 .remote = *spec->remote ? spec->remote : server_for(s, spec),
                                 .backup = is_backup(s, spec) };
}

/* ---- paths of the connection ---- */

static void join(struct session *s, struct way *w)
{
    struct tvl_ev_path path = session_driver_path(s, &w->spec);
    char why[200] = "";
    int id = tvl_ev_path_add(s->driver, s->conn, &path, why, sizeof why);
    if (id < 0) {
        session_note(s, "path %s cannot be opened: %s", w->spec.name,
                     *why ? why : tvl_strerror(id));
        w->retry_at = session_now(s) + SESSION_PATH_RETRY_S;
        return;
    }
    w->joined = true;
    w->path_id = (uint32_t)id;
}

/* From now on the driver opens and leaves paths as interfaces come and go. */
static int follow_interfaces(struct session *s)
{
    const char *off[SESSION_PATHS_MAX + 1] = { NULL }, *backup[SESSION_PATHS_MAX + 1] = { NULL };
    const char *const found[] = { s->server, NULL };
    const struct tvl_ev_watch watch = { .deny = off, .servers = found, .backup = backup };
    char why[200] = "";
    size_t n_off = 0, n_backup = 0;
    for (size_t i = 0; i < s->n_uses; i++) {
        if (s->use[i].off)
            off[n_off++] = s->use[i].name;
        if (s->use[i].backup)
            backup[n_backup++] = s->use[i].name;
    }
    if (tvl_ev_watch(s->driver, s->conn, &watch, why, sizeof why) == 0)
        return 0;
    session_note(s, "interfaces are not followed%s%s", *why ? ": " : "", why);
    return -1;
}

static const char *followed_name(const struct session *s, uint32_t path_id)
{
    const char *name = tvl_ev_path_interface(s->driver, s->conn, path_id);
    return *name ? name : "default";
}

void session_join_others(struct session *s)
{
    if (s->cfg.follow && follow_interfaces(s) == 0)
        return;
    for (size_t i = 0; i < s->n_ways; i++)
        if (!s->way[i].joined && !session_path_is_off(s, s->way[i].spec.name))
            join(s, &s->way[i]);
}

void session_path_changed(struct session *s, uint32_t id, enum tvl_path_state state)
{
    static const char *const words[] = { "opening", "up", "suspect", "abandoned" };
    if (s->cfg.follow) {
        session_note(s, "path %s %s", followed_name(s, id), words[state]);
        return;
    }
    if (s->cfg.listen)
        session_note(s, "path %u of %s %s", (unsigned)id, s->caller, words[state]);
    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (!w->joined || w->path_id != id)
            continue;
        session_note(s, "path %s %s", w->spec.name, words[state]);
        if (state == TVL_PATH_UP)
            w->retries = 0;
        if (state == TVL_PATH_ABANDONED)
            w->retry_at = session_now(s) + SESSION_PATH_RETRY_S;
        return;
    }
}

void session_retry_paths(struct session *s)
{
    double now = session_now(s);

    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (w->retry_at == 0 || now < w->retry_at || session_path_is_off(s, w->spec.name))
            continue;
        w->retry_at = 0;
        if (w->retries++ < SESSION_PATH_RETRIES_MAX)
            join(s, w);
    }
}

/* ---- which there are ---- */

static size_t list_path(struct session_path *out, const char *name,
                        const struct tvl_path_stats *stats, bool off)
{
    static const struct tvl_path_stats none = { .id = NO_PATH, .state = TVL_PATH_ABANDONED };
    *out = (struct session_path){ .stats = stats ? *stats : none, .off = off };
    snprintf(out->name, sizeof out->name, "%s", name);
    return 1;
}

static bool is_listed(const struct session_path *path, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(path[i].name, name) == 0)
            return true;
    return false;
}

/* Those of the connection by the interface they run over, then those that are switched off. */
static size_t followed_paths(const struct session *s, struct session_path *out, size_t cap)
{
    struct tvl_path_stats stats[2 * TVL_PATHS_MAX];
    size_t known = tvl_paths(s->conn, stats, sizeof stats / sizeof stats[0]), n = 0;
    for (size_t k = 0; k < known && n < cap; k++)
        if (stats[k].state != TVL_PATH_ABANDONED)
            n += list_path(&out[n], followed_name(s, stats[k].id), &stats[k], false);
    for (size_t i = 0; i < s->n_uses && n < cap; i++)
        if (s->use[i].off && !is_listed(out, n, s->use[i].name))
            n += list_path(&out[n], s->use[i].name, NULL, true);
    return n;
}

/* Those of a caller, by where they come from. */
static size_t callers_paths(const struct session *s, struct session_path *out, size_t cap)
{
    struct tvl_path_stats stats[2 * TVL_PATHS_MAX];
    const size_t known = s->conn ? tvl_paths(s->conn, stats, sizeof stats / sizeof stats[0]) : 0;
    size_t n = 0;
    for (size_t k = 0; k < known && n < cap; k++) {
        char name[PATH_SPEC_ADDRESS_MAX];
        if (stats[k].state == TVL_PATH_ABANDONED)
            continue;
        path_spec_address(&stats[k].remote, name);
        n += list_path(&out[n], name, &stats[k], false);
    }
    return n;
}

static const struct tvl_path_stats *stats_of(const struct way *w,
                                             const struct tvl_path_stats *stats, size_t n)
{
    for (size_t k = 0; k < n && w->joined; k++)
        if (stats[k].id == w->path_id)
            return &stats[k];
    return NULL;
}

size_t session_paths(const struct session *s, struct session_path *out, size_t cap)
{
    struct tvl_path_stats stats[2 * TVL_PATHS_MAX];
    if (s->cfg.listen)
        return callers_paths(s, out, cap);
    if (s->conn && s->cfg.follow)
        return followed_paths(s, out, cap);
    size_t known = s->conn ? tvl_paths(s->conn, stats, sizeof stats / sizeof stats[0]) : 0, n = 0;
    for (size_t i = 0; i < s->n_ways && n < cap; i++) {
        const struct way *w = &s->way[i];
        const struct tvl_path_stats *found = stats_of(w, stats, known);
        bool off = session_path_is_off(s, w->spec.name);
        if (found || off || !s->conn)
            n += list_path(&out[n], w->spec.name, off ? NULL : found, off);
        if (n > 0 && !s->conn && session_way_is_tried(s, w))
            out[n - 1].stats.state = TVL_PATH_OPENING;
    }
    return n;
}

/* Names of the paths that are tried, or of those that are up. */
void session_path_names(const struct session *s, char *out, size_t cap)
{
    struct session_path path[2 * SESSION_PATHS_MAX];
    size_t n = session_paths(s, path, sizeof path / sizeof path[0]), len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && len < cap; i++)
        if (!path[i].off && (!s->conn || path[i].stats.state == TVL_PATH_UP))
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? ", " : "", path[i].name);
}

/* ---- switches ---- */

/* Paths that would be left without this one. */
static size_t others_on(const struct session *s, const char *name)
{
    struct session_path path[2 * SESSION_PATHS_MAX];
    size_t n = session_paths(s, path, sizeof path / sizeof path[0]), others = 0;
    for (size_t i = 0; i < s->n_ways && !s->cfg.follow; i++)
        others +=
            strcmp(s->way[i].spec.name, name) != 0 && !session_path_is_off(s, s->way[i].spec.name);
    for (size_t i = 0; i < n && s->cfg.follow; i++)
        others += strcmp(path[i].name, name) != 0 && !path[i].off;
    return others;
}

static bool is_known(const struct session *s, const char *name)
{
    struct session_path path[2 * SESSION_PATHS_MAX];
    for (size_t i = 0; i < s->n_ways; i++)
        if (strcmp(s->way[i].spec.name, name) == 0)
            return true;
    return is_listed(path, session_paths(s, path, sizeof path / sizeof path[0]), name) ||
           (s->cfg.follow && if_nametoindex(name) != 0);
}

/* Makes one way as it is wanted now. */
static void use_way(struct session *s, struct way *w, const struct session_path_wish *u)
{
    tvl_time now = tvl_ev_now(s->driver);
    if (u->off)
        session_end_way(s, w);
    if (!s->conn)
        return;
    if (u->off && w->joined)
        (void)tvl_path_abandon(s->conn, w->path_id, now);
    if (u->off) {
        w->joined = false;
        w->retry_at = 0;
    } else if (!w->joined) {
        w->retries = 0;
        join(s, w);
    } else {
        (void)tvl_path_set_backup(s->conn, w->path_id, u->backup, now);
    }
}

int session_path_set(struct session *s, const char *name, enum session_path_use use, char *why,
                     size_t why_size)
{
    struct session_path_wish *u = use_of(s, name);
    if (!is_known(s, name)) {
        snprintf(why, why_size, "there is no path \"%.40s\"", name);
        return -1;
    }
    if (use == SESSION_PATH_OFF && others_on(s, name) == 0) {
        snprintf(why, why_size, "path %.40s is the only one", name);
        return -1;
    }
    if (!u && s->n_uses == sizeof s->use / sizeof s->use[0]) {
        snprintf(why, why_size, "too many paths");
        return -1;
    }
    if (!u) {
        u = &s->use[s->n_uses++];
        snprintf(u->name, sizeof u->name, "%.15s", name);
        for (size_t i = 0; i < s->n_ways; i++)
            if (strcmp(s->way[i].spec.name, name) == 0)
                u->backup = s->way[i].spec.backup;
    }
    u->backup = use == SESSION_PATH_BACKUP || (u->backup && (use == SESSION_PATH_OFF || u->off));
    u->off = use == SESSION_PATH_OFF;
    session_note(s, "path %s %s", name,
                 u->off      ? "switched off"
                 : u->backup ? "as backup"
                             : "switched on");
    for (size_t i = 0; i < s->n_ways; i++)
        if ((!s->conn || !s->cfg.follow) && strcmp(s->way[i].spec.name, name) == 0)
            use_way(s, &s->way[i], u);
    if (s->conn && s->cfg.follow)
        (void)follow_interfaces(s);
    tvl_ev_kick(s->driver);
    return 0;
}

size_t session_path_wishes(const struct session *s, struct session_path_wish *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_uses && n < cap; i++)
        if (s->use[i].off || s->use[i].backup)
            out[n++] = s->use[i];
    for (size_t i = 0; i < s->n_ways && n < cap; i++)
        if (s->way[i].spec.backup && !use_of(s, s->way[i].spec.name)) {
            out[n] = (struct session_path_wish){ .backup = true };
            memcpy(out[n++].name, s->way[i].spec.name, sizeof out->name);
        }
    return n;
}
