/* publish.c - see publish.h. */
#include "publish.h"

#include "credential.h"
#include "interfaces.h"
#include "layer_meta.h"
#include "net_log.h"
#include "path_stats.h"
#include "retry.h"
#include "rounds.h"

#include <stdio.h>
#include <string.h>
#include <tvl/qlog.h>

#define GST_CAT_DEFAULT tvl_debug_category()
#define TICK_S 0.05
#define LOOK_TICKS 5        /* figures every so many */
#define KEEPALIVE_US 500000 /* of silence on a path, then it is asked for a sign of life */
#define SILENCE_US 4000000  /* on all paths: then a relay is called anew, a viewer is gone */
#define LASTS_S 2.0         /* a connection that is closed sooner was turned out */
#define ADDRESSES_MAX 4     /* of the server's name that are tried */
#define REJOIN_S 1.0        /* an abandoned path is opened again after this long */

struct publish_way { /* one of the `paths` */
    struct path_spec spec;
    gboolean joined, up;
    uint32_t id;
    gdouble retry_at;
};

struct publish {
    gint refs;
    struct tvl_link *link;
    gint queued_bytes, queue_dropped; /* atomic */
    struct publish_config cfg;
    struct session_to to;
    struct ev_loop *loop;
    ev_timer tick;
    guint ticks;
    struct tvl_tls *tls;
    struct tvl_qlog *qlog;
    struct tvl_ev *driver;
    struct publisher *publisher;
    gboolean over, ended;
    gint64 key_asked_at[PUBLISHER_VIDEOS_MAX];
    gboolean key_wanted[PUBLISHER_VIDEOS_MAX]; /* and not asked for yet */
    /* a caller's */
    struct publish_way way[SESSION_PATHS_MAX];
    size_t n_ways;
    struct rounds rounds; /* of ways and addresses */
    gboolean follow;
    struct tvl_conn *conn; /* handshake under way, or up */
    struct publisher_caller *server;
    struct retry retry;
    gdouble retry_at, away_since; /* 0: no */
    gdouble up_at;
    gboolean was_up, ever_up, told_away; /* up: published, the relay has said so */
    char why[400];                       /* it is not up; "": not known */
    guint interruptions;
    /* a listener's */
    struct publish_caller {
        struct tvl_conn *conn;
        char address[PATH_SPEC_ADDRESS_MAX]; /* when it came */
    } caller[PUBLISH_CALLERS_MAX];
    size_t n_callers;
};

static void publish_unref(struct publish *p)
{
    if (!g_atomic_int_dec_and_test(&p->refs))
        return;
    tvl_settings_clear(&p->cfg.settings);
    if (p->cfg.user_gone)
        p->cfg.user_gone(p->cfg.user);
    g_free(p);
}

static gdouble seconds(const struct publish *p)
{
    return (gdouble)tvl_ev_now(p->driver) / 1e6;
}

static void failed(struct publish *p, const char *why)
{
    if (p->over)
        return;
    p->over = TRUE;
    p->cfg.handler->on_failed(p->cfg.user, why);
}

/* Whoever comes soon after another gets a key picture, too, but not at once. */
static void ask_for_keys(struct publish *p)
{
    const gint64 now = g_get_monotonic_time();
    for (size_t v = 0; v < G_N_ELEMENTS(p->key_wanted); v++) {
        gint64 *asked_at = &p->key_asked_at[v];
        if (!p->key_wanted[v] || (*asked_at && now - *asked_at < PUBLISH_KEY_WAIT_MS * 1000))
            continue;
        *asked_at = now;
        p->key_wanted[v] = FALSE;
        p->cfg.handler->on_key_wanted(p->cfg.user, v);
    }
}

static void on_key_wanted(void *user, size_t video)
{
    struct publish *p = user;
    p->key_wanted[video] = TRUE;
    ask_for_keys(p);
}

static void on_missed(void *user, size_t video, unsigned spatial, const struct svc_tracker *held)
{
    const struct publish *p = user;
    p->cfg.handler->on_missed(p->cfg.user, video, spatial, held);
}

/* ---- calling ---- */

static void try_later(struct publish *p, const char *why)
{
    const gdouble now = seconds(p);
    g_strlcpy(p->why, why, sizeof p->why);
    p->conn = NULL;
    p->server = NULL;
    for (size_t i = 0; i < p->n_ways; i++) {
        if (p->way[i].up)
            p->cfg.handler->on_path(p->cfg.user, p->way[i].spec.name, FALSE);
        p->way[i].joined = p->way[i].up = FALSE;
    }
    if (p->away_since == 0)
        p->away_since = now;
    const gdouble most = p->cfg.settings.reconnect_s;
    if (p->over || p->ended)
        return; /* nothing more will be published */
    const gboolean others = rounds_left(&p->rounds);
    if (most == 0 && !others) {
        failed(p, why);
        return;
    }
    GST_INFO("%s; trying again", why);
    if (p->was_up) {
        p->interruptions++;
        p->cfg.handler->on_interrupted(p->cfg.user, why);
    }
    p->was_up = FALSE;
    p->retry_at = now + (others ? 0 : retry_wait(&p->retry));
}

static void find_ways(struct publish *p)
{
    struct path_spec found[SESSION_PATHS_MAX];
    if (!p->follow)
        return;
    memset(p->way, 0, sizeof p->way);
    p->n_ways = interfaces_find(&p->to.uri, found, SESSION_PATHS_MAX);
    for (size_t i = 0; i < p->n_ways; i++)
        p->way[i].spec = found[i];
}

static struct tvl_ev_path ev_path(const struct path_spec *s)
{
    return (struct tvl_ev_path){ .interface = s->interface,
                                 .local = s->local,
                                 .remote = *s->remote ? s->remote : NULL,
                                 .backup = s->backup };
}

/* What is to be shown, as it is now. Its length, 0: nothing; negative: it cannot be had, which ends
 * all. */
static int read_token(struct publish *p, char token[CREDENTIAL_TOKEN_MAX + 1])
{
    char why[160];
    const int len = p->to.token ? credential_token(p->to.token, token, why, sizeof why) : 0;
    if (len < 0)
        failed(p, why);
    return len;
}

/* On one path after another, and to one address of the server's name after another, try by try. */
static void call(struct publish *p)
{
    char why[200] = "", line[300], token[CREDENTIAL_TOKEN_MAX + 1];
    char address[ADDRESSES_MAX][TVL_EV_ADDRESS_MAX];
    p->retry_at = 0;
    if (read_token(p, token) < 0)
        return;
    find_ways(p);
    const int n = tvl_ev_resolve(p->to.uri.authority, address, ADDRESSES_MAX);
    const size_t n_addresses = (size_t)MAX(n, 1);
    const size_t turn = rounds_take(&p->rounds, n_addresses * p->n_ways);
    const char *server = n > 0 ? address[turn % n_addresses] : p->to.uri.authority;
    struct publish_way *w = &p->way[turn / n_addresses];
    const struct tvl_ev_path path = ev_path(&w->spec);
    const int rc =
        tvl_ev_connect(p->driver, server, p->to.uri.host, &path, &p->conn, why, sizeof why);
    if (rc == 0) {
        w->joined = TRUE;
        w->id = 0;
        return;
    }
    g_snprintf(line, sizeof line, "path %s: %s", w->spec.name, *why ? why : tvl_strerror(rc));
    try_later(p, line);
}

static void join_others(struct publish *p)
{
    char why[200];
    if (p->follow) {
        const struct tvl_ev_watch all = { 0 };
        if (tvl_ev_watch(p->driver, p->conn, &all, why, sizeof why) != 0)
            GST_INFO("interfaces are not followed: %s", why);
        return;
    }
    for (size_t i = 0; i < p->n_ways; i++) {
        struct publish_way *w = &p->way[i];
        const struct tvl_ev_path path = ev_path(&w->spec);
        if (w->joined || w->retry_at > seconds(p))
            continue;
        const int id = tvl_ev_path_add(p->driver, p->conn, &path, why, sizeof why);
        w->joined = id >= 0;
        w->id = (uint32_t)MAX(id, 0);
        w->retry_at = seconds(p) + REJOIN_S;
    }
}

static void path_changed(struct publish *p, uint32_t id, enum tvl_path_state state)
{
    const gboolean up = state == TVL_PATH_UP;
    if (p->follow) {
        const char *name = tvl_ev_path_interface(p->driver, p->conn, id);
        if (up || state == TVL_PATH_ABANDONED)
            p->cfg.handler->on_path(p->cfg.user, *name ? name : "default", up);
        return;
    }
    for (size_t i = 0; i < p->n_ways; i++) {
        struct publish_way *w = &p->way[i];
        if (!w->joined || w->id != id)
            continue;
        if (w->up != up)
            p->cfg.handler->on_path(p->cfg.user, w->spec.name, up);
        w->up = up;
        w->joined = state != TVL_PATH_ABANDONED;
    }
}

static void connected(struct publish *p)
{
    char token[CREDENTIAL_TOKEN_MAX + 1], path[URI_NAMESPACE_MAX + 1];
    const int token_len = read_token(p, token);
    struct publisher_end end = { .authority = p->to.uri.authority,
                                 .path = path,
                                 .implementation = p->to.implementation };
    rounds_stay(&p->rounds);
    g_snprintf(path, sizeof path, "/%s", p->to.uri.ns);
    if (token_len < 0) {
        tvl_close(p->conn, MOQ_NO_ERROR, "", tvl_ev_now(p->driver));
        return;
    }
    if (token_len > 0)
        end.token = (struct moq_bytes){ (const uint8_t *)token, (size_t)token_len };
    if (publisher_add(p->publisher, p->conn, &end, &p->server) != 0) {
        tvl_close(p->conn, MOQ_INTERNAL_ERROR, "no session", tvl_ev_now(p->driver));
        return;
    }
    join_others(p);
}

static void closed(struct publish *p, const struct tvl_event *ev)
{
    char line[400];
    const gboolean turned_out =
        ev->closed.kind == TVL_CLOSED_TLS ||
        (ev->closed.kind == TVL_CLOSED_PEER_APP &&
         (ev->closed.code == MOQ_UNAUTHORIZED || ev->closed.code == MOQ_MALFORMED_AUTH_TOKEN ||
          ev->closed.code == MOQ_EXPIRED_AUTH_TOKEN));
    g_snprintf(line, sizeof line, "%s: %s", p->to.uri.authority,
               *ev->closed.reason                        ? ev->closed.reason
               : ev->closed.kind == TVL_CLOSED_NO_ANSWER ? "no answer"
                                                         : "the connection is over");
    publisher_remove(p->server);
    const gboolean lasted = p->was_up && seconds(p) - p->up_at >= LASTS_S;
    if (lasted)
        retry_reset(&p->retry); /* a token that runs out then may be another by now */
    else if (turned_out)
        failed(p, line);
    try_later(p, line);
}

/* ---- listening ---- */

static void caller_came(struct publish *p, struct tvl_conn *conn)
{
    const struct publisher_end end = { .server = true, .implementation = p->to.implementation };
    struct publisher_caller *c;
    if (p->n_callers == PUBLISH_CALLERS_MAX || publisher_add(p->publisher, conn, &end, &c) != 0) {
        tvl_close(conn, MOQ_INTERNAL_ERROR, "too many viewers", tvl_ev_now(p->driver));
        return;
    }
    tvl_conn_set_user(conn, c);
    struct publish_caller *k = &p->caller[p->n_callers++];
    struct tvl_path_stats path;
    *k = (struct publish_caller){ .conn = conn, .address = "?" };
    if (tvl_paths(conn, &path, 1) == 1)
        path_spec_address(&path.remote, k->address);
    p->cfg.handler->on_caller(p->cfg.user, k->address, TRUE);
}

static void caller_went(struct publish *p, struct tvl_conn *conn)
{
    for (size_t i = 0; i < p->n_callers; i++)
        if (p->caller[i].conn == conn) {
            p->cfg.handler->on_caller(p->cfg.user, p->caller[i].address, FALSE);
            p->caller[i] = p->caller[--p->n_callers];
            publisher_remove(tvl_conn_user(conn));
            tvl_conn_set_user(conn, NULL);
            return;
        }
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct publish *p = user;
    if (!p->cfg.listen && ev->conn != p->conn)
        return;
    if (ev->type == TVL_EVENT_CONNECTED && p->cfg.listen)
        caller_came(p, ev->conn);
    else if (ev->type == TVL_EVENT_CONNECTED)
        connected(p);
    if (ev->type == TVL_EVENT_PATH && !p->cfg.listen)
        path_changed(p, ev->path.id, ev->path.state);
    struct publisher_caller *c = p->cfg.listen ? tvl_conn_user(ev->conn) : p->server;
    if (c)
        publisher_caller_event(c, ev, tvl_ev_now(p->driver));
    if (ev->type == TVL_EVENT_CLOSED && p->cfg.listen)
        caller_went(p, ev->conn);
    else if (ev->type == TVL_EVENT_CLOSED)
        closed(p, ev);
}

/* ---- figures ---- */

/* By the name of the way that it was opened on, by its interface, or where a caller comes from. */
static const char *path_name(const struct publish *p, const struct tvl_conn *conn,
                             const struct tvl_path_stats *path, char remote[PATH_SPEC_ADDRESS_MAX])
{
    path_spec_address(&path->remote, remote);
    if (p->cfg.listen)
        return remote;
    for (size_t i = 0; i < p->n_ways && !p->follow; i++)
        if (p->way[i].joined && p->way[i].id == path->id)
            return p->way[i].spec.name;
    const char *interface = tvl_ev_path_interface(p->driver, conn, path->id);
    return *interface ? interface : "default";
}

static void append_paths(const struct publish *p, const struct tvl_conn *conn, const char *caller,
                         GValue *array)
{
    struct tvl_path_stats path[TVL_PATHS_MAX];
    char name[PATH_SPEC_ADDRESS_MAX];
    const size_t n = tvl_paths(conn, path, TVL_PATHS_MAX);
    for (size_t i = 0; i < n; i++)
        if (path[i].state != TVL_PATH_ABANDONED)
            tvl_path_stats_append(array, path_name(p, conn, &path[i], name), caller, &path[i]);
}

/* By the names that tracks.c and publisher.c give: as tvlsrc calls it, and by its pad. */
static GstStructure *layer_stats(const struct track_count *c)
{
    guint number = 0, spatial, temporal;
    gchar name[MSF_NAME_MAX], pad[32];
    g_strlcpy(name, c->name, sizeof name);
    if (sscanf(c->name, "v-s%ut%u", &spatial, &temporal) == 2 ||
        sscanf(c->name, "v%u-s%ut%u", &number, &spatial, &temporal) == 3) {
        g_snprintf(pad, sizeof pad, "svc_%u", number);
        g_snprintf(name, sizeof name, "s%ut%u", spatial, temporal);
    } else if (sscanf(c->name, "a%u", &number) == 1) {
        g_snprintf(pad, sizeof pad, "audio_%u", number);
        g_strlcpy(name, "audio", sizeof name);
    } else {
        g_snprintf(pad, sizeof pad, "data_%.20s", c->name + 1);
    }
    return gst_structure_new("layer", "name", G_TYPE_STRING, name, "pad", G_TYPE_STRING, pad,
                             "objects-sent", G_TYPE_UINT64, c->written, "bytes-sent", G_TYPE_UINT64,
                             c->bytes, "objects-in-time", G_TYPE_UINT64, c->in_time,
                             "objects-expired", G_TYPE_UINT64, c->expired, "objects-dropped",
                             G_TYPE_UINT64, c->left_out, NULL);
}

static void append_layers(const struct publish *p, GstStructure *out)
{
    struct track_counts counts;
    GValue layers = G_VALUE_INIT;
    g_value_init(&layers, GST_TYPE_ARRAY);
    publisher_counts(p->publisher, &counts);
    for (size_t i = 0; i < counts.n; i++) {
        GValue v = G_VALUE_INIT;
        if (!*counts.of[i].name || strcmp(counts.of[i].name, MSF_CATALOG_TRACK) == 0)
            continue;
        g_value_init(&v, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&v, layer_stats(&counts.of[i]));
        gst_value_array_append_and_take_value(&layers, &v);
    }
    gst_structure_take_value(out, "layers", &layers);
}

static GstStructure *stats_of(struct publish *p)
{
    const struct publisher_stats s = publisher_stats(p->publisher);
    GValue paths = G_VALUE_INIT;
    g_value_init(&paths, GST_TYPE_ARRAY);
    if (p->conn)
        append_paths(p, p->conn, NULL, &paths);
    for (size_t i = 0; i < p->n_callers; i++)
        append_paths(p, p->caller[i].conn, p->caller[i].address, &paths);
    GstStructure *out = gst_structure_new(
        "tvl-stats", "connected", G_TYPE_BOOLEAN, (gboolean)(p->was_up || p->n_callers > 0),
        "callers", G_TYPE_UINT, (guint)p->n_callers, "interruptions", G_TYPE_UINT, p->interruptions,
        "objects-sent", G_TYPE_UINT64, s.written, "bytes-sent", G_TYPE_UINT64, s.bytes,
        "objects-expired", G_TYPE_UINT64, s.expired, "objects-dropped", G_TYPE_UINT64,
        s.left_out + (guint64)g_atomic_int_get(&p->queue_dropped), NULL);
    gst_structure_take_value(out, "paths", &paths);
    append_layers(p, out);
    return out;
}

static gboolean has_waited(const struct publish *p)
{
    const gdouble most = p->cfg.settings.reconnect_s;
    return most > 0 && p->away_since > 0 && seconds(p) - p->away_since >= most;
}

static void failed_to_reach(struct publish *p)
{
    char line[400];
    g_snprintf(line, sizeof line, "no answer from %s; given up", p->to.uri.authority);
    failed(p, line);
}

static void look_for_server(struct publish *p)
{
    if (p->ever_up || p->told_away || seconds(p) - p->away_since < TVL_AWAY_S)
        return;
    p->told_away = TRUE;
    if (!*p->why)
        g_snprintf(p->why, sizeof p->why, "no answer from %s", p->to.uri.authority);
    p->cfg.handler->on_away(p->cfg.user, p->why);
}

/* What the relay makes of our namespace. */
static void see_to_answer(struct publish *p)
{
    char why[300];
    bool for_now;
    if (!p->server || p->over)
        return;
    const char *refused = publisher_caller_refused(p->server, &for_now);
    if (!p->was_up && publisher_caller_accepted(p->server)) {
        p->was_up = p->ever_up = TRUE;
        p->up_at = seconds(p);
        p->away_since = 0;
    }
    if (!refused)
        return;
    g_strlcpy(why, refused, sizeof why);
    if (!for_now) {
        failed(p, why);
        return;
    }
    publisher_caller_close(p->server, tvl_ev_now(p->driver));
    tvl_close(p->conn, MOQ_NO_ERROR, "", tvl_ev_now(p->driver));
    publisher_remove(p->server);
    try_later(p, why);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct publish *p = timer->data;
    const tvl_time now = tvl_ev_now(p->driver);
    (void)loop;
    (void)events;
    if (p->server)
        publisher_caller_tick(p->server, now);
    for (size_t i = 0; i < p->n_callers; i++)
        publisher_caller_tick(tvl_conn_user(p->caller[i].conn), now);
    see_to_answer(p);
    ask_for_keys(p);
    if (!p->over && p->server && !p->follow)
        join_others(p);
    if (!p->over && !p->cfg.listen && has_waited(p))
        failed_to_reach(p);
    if (!p->over && !p->cfg.listen)
        look_for_server(p);
    if (!p->over && !p->cfg.listen && p->retry_at > 0 && seconds(p) >= p->retry_at)
        call(p);
    if (p->ticks++ % LOOK_TICKS == 0)
        p->cfg.handler->on_stats(p->cfg.user, stats_of(p));
    tvl_ev_kick(p->driver);
}

/* ---- work from outside ---- */

struct description {
    struct publisher_tracks what;
    guint latency_ms;
};

static void describe(void *user, void *data)
{
    struct publish *p = user;
    const struct description *d = data;
    if (!p->publisher)
        return;
    publisher_time(p->publisher, tvl_ev_now(p->driver));
    publisher_set_latency(p->publisher, d->latency_ms);
    const int rc = publisher_describe(p->publisher, &d->what, (uint64_t)(g_get_real_time() / 1000));
    if (rc == MOQ_ERR_ARG)
        failed(p, "the layers of all videos, the sounds and the data are more tracks than the "
                  "catalog takes (" G_STRINGIFY(MSF_TRACKS_MAX) ")");
    else if (rc != 0)
        failed(p, "the catalog cannot be made");
    tvl_ev_kick(p->driver);
}

void publish_describe(struct publish *p, const struct publisher_tracks *what, guint latency_ms)
{
    struct description *d = g_new0(struct description, 1);
    d->what = *what;
    d->latency_ms = latency_ms;
    tvl_link_post(p->link, describe, d, g_free);
}

struct packet {
    struct publish *publish;
    enum publish_kind kind;
    gsize which;
    GstBuffer *buffer;
    gint64 pts;
    gint bytes;
};

static void packet_free(gpointer data)
{
    struct packet *k = data;
    g_atomic_int_add(&k->publish->queued_bytes, -k->bytes);
    gst_buffer_unref(k->buffer);
    publish_unref(k->publish);
    g_free(k);
}

static void send_packet(void *user, void *data)
{
    struct publish *p = user;
    const struct packet *k = data;
    GstMapInfo map;
    if (!p->publisher || p->ended || !gst_buffer_map(k->buffer, &map, GST_MAP_READ))
        return;
    publisher_time(p->publisher, tvl_ev_now(p->driver));
    const TvlLayerMeta *meta = tvl_buffer_get_layer_meta(k->buffer);
    struct svc_packet packet = { .kind = SVC_VIDEO, .pts = k->pts };
    if (k->kind == PUBLISH_OPAQUE) {
        publisher_opaque_packet(p->publisher, k->which, map.data, map.size, k->pts);
    } else if (k->kind == PUBLISH_SOUND) {
        packet.kind = SVC_AUDIO;
        packet.audio = map.data;
        packet.audio_len = map.size;
        publisher_packet(p->publisher, k->which, &packet);
    } else if (meta && map.size > 0) {
        tvl_layer_meta_unit(meta, map.data, map.size, k->pts, &packet.unit);
        publisher_packet(p->publisher, k->which, &packet);
    }
    gst_buffer_unmap(k->buffer, &map);
    tvl_ev_kick(p->driver);
}

gboolean publish_packet(struct publish *p, enum publish_kind kind, gsize which, GstBuffer *buffer,
                        gint64 pts_us)
{
    const gint bytes = (gint)MIN(gst_buffer_get_size(buffer), (gsize)MOQ_OBJECT_MAX) + 256;
    if (g_atomic_int_get(&p->queued_bytes) + bytes > (gint)PUBLISH_QUEUE_BYTES_MAX) {
        g_atomic_int_inc(&p->queue_dropped);
        return FALSE;
    }
    struct packet *k = g_new(struct packet, 1);
    g_atomic_int_inc(&p->refs);
    g_atomic_int_add(&p->queued_bytes, bytes);
    *k = (struct packet){ p, kind, which, gst_buffer_ref(buffer), pts_us, bytes };
    tvl_link_post(p->link, send_packet, k, packet_free);
    return TRUE;
}

static void end(void *user, void *data)
{
    struct publish *p = user;
    (void)data;
    if (!p->publisher || p->ended)
        return;
    p->ended = TRUE;
    publisher_time(p->publisher, tvl_ev_now(p->driver));
    publisher_end(p->publisher);
    tvl_ev_kick(p->driver);
}

void publish_end(struct publish *p)
{
    tvl_link_post(p->link, end, NULL, NULL);
}

/* ---- life ---- */

static gboolean open_driver(struct publish *p, char *why, size_t why_size)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct tvl_tls_config tls = { .alpn = alpn,
                                        .ca_file = p->to.ca_file,
                                        .cert_file = p->to.cert_file,
                                        .key_file = p->to.key_file,
                                        .server = p->cfg.listen };
    struct tvl_ev_config cfg = { .loop = p->loop, .on_event = on_event, .user = p };
    if (p->cfg.listen && !p->to.cert_file) {
        g_snprintf(why, why_size, "a listener needs tls-certificate and tls-key");
        return FALSE;
    }
    if (tvl_tls_new(&p->tls, &tls, why, why_size) != 0)
        return FALSE;
    tvl_config_init(&cfg.tvl);
    cfg.tvl.tls = p->tls;
    cfg.tvl.keepalive = KEEPALIVE_US;
    cfg.tvl.idle_timeout = SILENCE_US;
    cfg.tvl.handshake_timeout = PUBLISH_HANDSHAKE_MS * 1000;
    cfg.listen = p->cfg.listen ? p->to.uri.authority : NULL;
    cfg.tvl.cc = p->to.cc ? p->to.cc : PUBLISH_CC;
    cfg.tvl.sched = p->to.sched ? p->to.sched : PUBLISH_SCHEDULER;
    if (p->to.qlog_dir && tvl_qlog_new(&p->qlog, p->to.qlog_dir) != 0) {
        g_snprintf(why, why_size, "cannot write into %s", p->to.qlog_dir);
        return FALSE;
    }
    cfg.tvl.trace = p->qlog ? tvl_qlog_trace : NULL;
    cfg.tvl.trace_user = p->qlog;
    return tvl_ev_new(&p->driver, &cfg, why, why_size) == 0;
}

static gboolean open_ways(struct publish *p, char *why, size_t why_size)
{
    struct path_spec spec[SESSION_PATHS_MAX];
    const int n = tvl_settings_paths(&p->cfg.settings, spec, why, why_size);
    for (int i = 0; i < n; i++)
        p->way[i].spec = spec[i];
    p->n_ways = (size_t)MAX(n, 0);
    p->follow = n == 0;
    return n >= 0 &&
           (p->cfg.listen || session_check_interfaces(spec, p->n_ways, why, why_size) == 0);
}

static void on_start(void *user, struct ev_loop *loop)
{
    struct publish *p = user;
    char why[300] = "cannot be set up";
    p->loop = loop;
    ev_timer_init(&p->tick, on_tick, TICK_S, TICK_S);
    p->tick.data = p;
    if (!tvl_settings_to(&p->cfg.settings, &p->to, why, sizeof why) ||
        !open_ways(p, why, sizeof why) || !open_driver(p, why, sizeof why)) {
        failed(p, why);
        return;
    }
    const struct publisher_config cfg = { .ns = p->to.uri.ns,
                                          .first_group = (uint64_t)(g_get_real_time() / 1000),
                                          .latency_ms = p->cfg.latency_ms,
                                          .on_key_wanted = on_key_wanted,
                                          .on_missed = on_missed,
                                          .user = p };
    if (publisher_new(&p->publisher, &cfg) != 0) {
        failed(p, "no memory");
        return;
    }
    p->retry.seed = (uint64_t)tvl_ev_now(p->driver);
    ev_timer_start(loop, &p->tick);
    p->away_since = seconds(p);
    if (!p->cfg.listen)
        call(p);
    tvl_ev_kick(p->driver);
}

static void on_stop(void *user)
{
    struct publish *p = user;
    p->over = TRUE;
    if (!p->driver || !p->publisher)
        return;
    const tvl_time now = tvl_ev_now(p->driver);
    end(p, NULL);
    if (p->server)
        publisher_caller_close(p->server, now);
    else if (p->conn)
        tvl_close(p->conn, MOQ_NO_ERROR, "", now);
    for (size_t i = 0; i < p->n_callers; i++)
        publisher_caller_close(tvl_conn_user(p->caller[i].conn), now);
    tvl_ev_kick(p->driver);
}

static void on_free(void *user)
{
    struct publish *p = user;
    ev_timer_stop(p->loop, &p->tick);
    publisher_free(p->publisher);
    p->publisher = NULL;
    tvl_ev_free(p->driver);
    tvl_qlog_free(p->qlog);
    tvl_tls_free(p->tls);
    publish_unref(p);
}

static const struct tvl_link_ops link_ops = { on_start, on_stop, on_free };

struct publish *publish_start(struct publish_config *cfg)
{
    struct publish *p = g_new0(struct publish, 1);
    p->refs = 2;
    p->cfg = *cfg;
    p->link = tvl_link_new("tvlsink", &link_ops, p);
    if (p->link)
        return p;
    p->refs = 1;
    publish_unref(p);
    return NULL;
}

void publish_stop(struct publish *p)
{
    if (!p)
        return;
    tvl_link_stop(p->link);
    publish_unref(p);
}
