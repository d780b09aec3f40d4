/*
 * control_stub.c - the control interface over a made-up server: sources, sessions and paths whose
 * figures are functions of time, and hooks that say on standard output how they were called.
 *
 *     control_stub [--listen ADDRESS:PORT] [--token FILE] [--sessions N] [--hostile] [--no-hooks]
 *
 * Prints "ready ADDRESS:PORT"; ends on SIGTERM, with "over". --hostile: every text that a peer
 * chooses is what a bad one would send.
 */
#include <arpa/inet.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "control.h"
#include "log.h"

#define SOURCES 4
#define SESSIONS_MAX 20000u
#define US 1e6

struct stub {
    struct ev_loop *loop;
    size_t n_sessions;
    bool hostile, draining;
    uint64_t began_us;
    bool stopped[SESSIONS_MAX];
    enum snapshot_state state[SOURCES];
    struct control_limits limits;
    struct config config;
    struct config_source source[2];
};

static const char *const namespaces[SOURCES] = { "studio/main", "clips/meadow", "field/cam2",
                                                 "stage/left" };

/* One line that the test reads. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* ---- figures ---- */

/* Between 0 and 1, the same for the same numbers. */
static double noise(unsigned a, unsigned b)
{
    unsigned x = a * 2654435761u ^ (b + 1) * 2246822519u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (double)(x % 10007u) / 10007.;
}

/* Bits/s that a path carries at `t` [s], and bytes by then: the integral. */
static double rate_at(double mean_bps, double depth, double period_s, double phase, double t)
{
    const double w = 2 * M_PI / period_s;
    return mean_bps * (1 + depth * sin(w * t + phase));
}

static double bytes_by(double mean_bps, double depth, double period_s, double phase, double t)
{
    const double w = 2 * M_PI / period_s;
    return mean_bps / 8 * (t - depth / w * (cos(w * t + phase) - cos(phase)));
}

static void address(struct sockaddr_storage *out, const char *host, unsigned port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &in.sin_addr);
    memcpy(out, &in, sizeof in);
}

static void fill_path(struct tvl_path_stats *p, unsigned session, unsigned k, double t)
{
    static const char *const cc[] = { "copa", "copa", "bbr", "cubic" };
    const double mean = (k == 0 ? 2.6e6 : 1.1e6) * (0.7 + 0.6 * noise(session, k));
    const double depth = 0.25 + 0.3 * noise(session, k + 10), phase = 6.28 * noise(session, k + 20);
    const double period = 14 + 22 * noise(session, k + 30);
    const double rtt_ms = (k == 0 ? 14 : 46) + 40 * noise(session, k + 40);
    char host[32];
    *p = (struct tvl_path_stats){ .id = k, .state = TVL_PATH_UP, .mtu = 1452, .validated = true };
    if (session % 9 == 4 && k == 1 && fmod(t, 40) > 25)
        p->state = TVL_PATH_SUSPECT;
    snprintf(host, sizeof host, "%s.%u.%u", k == 0 ? "192.0" : "198.51", 2 + session / 250,
             1 + session % 250);
    address(&p->remote, host, 40000 + session % 20000 + k);
    address(&p->local, "203.0.113.7", 4433);
    p->cc = cc[(session + k) % 4];
    p->cc_chosen = session % 3;
    p->srtt = (uint64_t)((rtt_ms + 9 * sin(t / 5 + phase) + 3 * noise((unsigned)t, k)) * 1000);
    p->rtt_min = (uint64_t)((rtt_ms - 10) * 1000);
    p->rttvar = 2400;
    p->pacing_bps = (uint64_t)(1.25 * rate_at(mean, depth, period, phase, t));
    p->delivery_bps = (uint64_t)rate_at(mean, depth, period, phase, t);
    p->cwnd = (uint64_t)(1.4 * (double)p->delivery_bps / 8 * (double)p->srtt / US);
    p->in_flight = p->cwnd * 7 / 10;
    p->bytes_sent = (uint64_t)bytes_by(mean, depth, period, phase, t);
    p->bytes_received = p->bytes_sent / 40;
    p->packets_sent = p->bytes_sent / 1200;
    p->packets_lost = (uint64_t)((double)p->packets_sent * 0.02 * noise(session, k + 50));
    p->ecn = k == 0;
    p->bottleneck = session % 7 == 3;
}

static void fill_track(struct snapshot_track *t, const struct tracks *all, size_t i,
                       unsigned session, double age)
{
    const struct track *what = &all->track[i];
    *t = (struct snapshot_track){ .track = (uint8_t)i, .takes = true };
    if (what->kind == TRACK_CATALOG)
        return;
    t->offered = (uint64_t)(age * (what->kind == TRACK_AUDIO ? 50 : 15));
    if (what->kind == TRACK_LAYER && what->layer.spatial == 2) {
        t->takes = session % 5 != 1;
        t->dropped_rate = (uint64_t)((double)t->offered * 0.12 * noise(session, 60));
        t->dropped_queue = t->dropped_rate / 4;
        t->expired = (uint64_t)((double)t->offered * 0.03 * noise(session, 61));
    }
    if (!t->takes)
        t->offered = t->dropped_rate = t->dropped_queue = t->expired = 0;
    t->sent = t->offered - t->dropped_rate - t->dropped_queue;
    static const uint32_t size[] = { 1300, 3800, 9000 };
    t->bytes = t->sent * (what->kind == TRACK_AUDIO ? 160 : size[what->layer.spatial]);
    t->delay_us = 28000 + 9000 * (uint64_t)i;
}

static void fill_session(const struct stub *st, struct snapshot_session *s, unsigned id, double t,
                         const struct tracks *tracks)
{
    static const char *const clients[] = { "svc-player 0.1.0", "svc-player 0.1.0", "imquic 0.9", "",
                                           "svc-load 0.1.0" };
    const double age = t + 40 + 900 * noise(id, 1);
    *s = (struct snapshot_session){ .id = id, .worker = id % 2, .age_us = (uint64_t)(age * US) };
    snprintf(s->ns, sizeof s->ns, "%s", namespaces[id % 3 == 2 ? 1 : 0]);
    snprintf(s->implementation, sizeof s->implementation, "%s", clients[id % 5]);
    if (id % 4 == 0)
        snprintf(s->subject, sizeof s->subject, "viewer-%u@example.org", id);
    s->publishes = id == 3;
    if (s->publishes)
        snprintf(s->ns, sizeof s->ns, "%s", namespaces[3]);
    if (st->hostile) {
        strcpy(s->implementation, "<img src=x onerror=alert(1)>\xff\xfe\n\"\\");
        strcpy(s->subject, "</script><script>alert(2)</script>");
        strcpy(s->ns, "a\"} evil 1\n\xc3");
    }
    s->n_paths = id % 6 == 5 ? 1 : 2;
    double loss = 0;
    for (unsigned k = 0; k < s->n_paths; k++) {
        fill_path(&s->path[k], id, k, age);
        s->rate_bps += s->path[k].cwnd * 8 * 1000000 / s->path[k].srtt;
        s->sent_bytes += s->path[k].bytes_sent;
        loss += 0.02 * noise(id, k + 50) / 2;
    }
    snprintf(s->remote, sizeof s->remote, "192.0.%u.%u:%u", 2 + id / 250, 1 + id % 250, 40000 + id);
    s->resent_bytes = s->sent_bytes / 150;
    s->loss = loss;
    s->backlog_bytes = (uint64_t)(9000 * noise(id, (unsigned)t));
    s->top = id % 5 == 1 ? 1 : 2;
    s->n_tracks = s->publishes ? 0 : tracks->n;
    for (size_t i = 0; i < s->n_tracks; i++)
        fill_track(&s->track[i], tracks, i, id, age);
}

static void make_tracks(struct tracks *out)
{
    *out = (struct tracks){ 0 };
    out->track[out->n++] = (struct track){ .kind = TRACK_CATALOG, .name = "catalog" };
    out->track[out->n++] =
        (struct track){ .kind = TRACK_AUDIO, .name = "a-0", .needed_bps = 64000 };
    for (uint8_t s = 0; s < 3; s++)
        for (uint8_t t = 0; t < 2; t++) {
            struct track *track = &out->track[out->n++];
            *track = (struct track){ .kind = TRACK_LAYER, .layer = { s, t } };
            snprintf(track->name, sizeof track->name, "v-s%ut%u", s, t);
            track->needed_bps = 64000 + (uint64_t)(s + 1) * (s + 1) * 240000 + t * 90000u;
        }
}

static void fill_source(const struct stub *st, struct snapshot_source *s, unsigned i, double t)
{
    static const char *const kinds[SOURCES] = { "live", "file", "upstream", "publish" };
    *s = (struct snapshot_source){ .kind = kinds[i], .state = st->state[i] };
    snprintf(s->ns, sizeof s->ns, "%s", namespaces[i]);
    if (s->state == SOURCE_FAILED)
        snprintf(s->why, sizeof s->why, "moqt://relay.example.net:4433: no answer in 5 s");
    if (s->state != SOURCE_RUNNING)
        return;
    make_tracks(&s->tracks);
    s->objects = (uint64_t)(t * 140);
    s->bytes = (uint64_t)bytes_by(2.4e6 + 3e5 * i, 0.15, 9, i, t);
    if (i == 0) {
        s->has_live = true;
        s->live = (struct live_stats){ .pictures = (uint64_t)(t * 30),
                                       .left_out_late = 3,
                                       .keys = 1 + (uint64_t)(t / 12),
                                       .refreshes = 7,
                                       .speed = 9,
                                       .n_temporal = 2,
                                       .n_spatial = 3,
                                       .load = 0.42 + 0.1 * sin(t / 4),
                                       .late_us = 900,
                                       .late_max_us = 14000,
                                       .took_us = 13400 };
        for (unsigned k = 0; k < 3; k++)
            s->live.bytes[k] = (uint64_t)bytes_by(2.6e5 + 7e5 * k, 0.2, 7, k, t);
        s->records = true;
        s->recorded_bytes = s->bytes;
        s->window_us = (uint64_t)(fmin(t, 600) * US);
    }
}

static struct snapshot *take(void *user)
{
    const struct stub *st = user;
    struct snapshot *s = calloc(1, sizeof *s);
    s->session = calloc(st->n_sessions + 1, sizeof *s->session);
    s->source = calloc(SOURCES, sizeof *s->source);
    s->up_us = clock_now_us() - st->began_us;
    s->wall_ms = clock_wall_ms();
    const double t = (double)s->up_us / US;
    struct tracks tracks;
    make_tracks(&tracks);
    s->ready = true;
    s->draining = st->draining;
    s->workers = 2;
    s->sessions_total = 1843;
    s->refused_total = 12;
    for (unsigned id = 1; id <= st->n_sessions; id++)
        if (!st->stopped[id])
            fill_session(st, &s->session[s->n_sessions++], id, t, &tracks);
    for (; s->n_sources < (st->n_sessions ? SOURCES : 0); s->n_sources++) {
        struct snapshot_source *source = &s->source[s->n_sources];
        fill_source(st, source, (unsigned)s->n_sources, t);
        for (size_t i = 0; i < s->n_sessions; i++)
            source->viewers +=
                !s->session[i].publishes && strcmp(s->session[i].ns, source->ns) == 0;
    }
    for (size_t i = 0; i < s->n_sessions; i++)
        for (size_t k = 0; k < s->session[i].n_paths; k++) {
            s->totals.sent_bytes += s->session[i].path[k].bytes_sent;
            s->totals.received_bytes += s->session[i].path[k].bytes_received;
            s->totals.packets_sent += s->session[i].path[k].packets_sent;
            s->totals.packets_lost += s->session[i].path[k].packets_lost;
        }
    for (size_t i = 0; i < s->n_sessions; i++)
        for (size_t k = 0; k < s->session[i].n_tracks; k++) {
            const struct snapshot_track *track = &s->session[i].track[k];
            s->totals.units_offered += track->offered;
            s->totals.units_sent += track->sent;
            s->totals.units_dropped_rate += track->dropped_rate;
            s->totals.units_dropped_queue += track->dropped_queue;
            s->totals.units_expired += track->expired;
        }
    s->totals.resent_bytes = s->totals.sent_bytes / 150;
    s->endpoint.conns = (uint32_t)s->n_sessions;
    s->endpoint.accepted = 1855;
    return s;
}

/* ---- hooks ---- */

static int find_source(const char *ns)
{
    for (int i = 0; i < SOURCES; i++)
        if (strcmp(namespaces[i], ns) == 0)
            return i;
    return -1;
}

static enum control_result stop_session(void *user, uint64_t id, const char *reason,
                                        struct control_why *why)
{
    struct stub *st = user;
    (void)why;
    if (id < 1 || id > st->n_sessions || st->stopped[id])
        return CONTROL_NOT_FOUND;
    st->stopped[id] = true;
    say("stop_session %llu %s", (unsigned long long)id, reason);
    return CONTROL_OK;
}

static enum control_result set_state(struct stub *st, const char *verb, const char *ns,
                                     enum snapshot_state state, struct control_why *why)
{
    const int i = find_source(ns);
    if (i < 0)
        return CONTROL_NOT_FOUND;
    if (st->state[i] == state) {
        snprintf(why->text, sizeof why->text, "it is %s already",
                 state == SOURCE_RUNNING ? "running" : "stopped");
        return CONTROL_CONFLICT;
    }
    st->state[i] = state;
    say("%s %s", verb, ns);
    return CONTROL_OK;
}

static enum control_result start_source(void *user, const char *ns, struct control_why *why)
{
    return set_state(user, "start_source", ns, SOURCE_RUNNING, why);
}

static enum control_result stop_source(void *user, const char *ns, struct control_why *why)
{
    return set_state(user, "stop_source", ns, SOURCE_IDLE, why);
}

static enum control_result refresh(void *user, const char *ns, unsigned spatial,
                                   struct control_why *why)
{
    const int i = find_source(ns);
    (void)user;
    if (i < 0)
        return CONTROL_NOT_FOUND;
    if (i != 0) {
        snprintf(why->text, sizeof why->text, "nothing is encoded for %s", ns);
        return CONTROL_CONFLICT;
    }
    say("refresh %s %u", ns, spatial);
    return CONTROL_OK;
}

static void get_limits(void *user, struct control_limits *out)
{
    *out = ((struct stub *)user)->limits;
}

static enum control_result set_limits(void *user, const struct control_limits *l,
                                      struct control_why *why)
{
    (void)why;
    ((struct stub *)user)->limits = *l;
    say("set_limits %u %u %u %u", l->viewers_max, l->per_address, l->per_token,
        l->rate_per_address);
    return CONTROL_OK;
}

static enum control_result reload(void *user, struct control_why *why)
{
    (void)user;
    say("reload");
    snprintf(why->text, sizeof why->text, "svc.yaml:7: no such key");
    return CONTROL_FAILED;
}

static enum control_result drain(void *user, struct control_why *why)
{
    struct stub *st = user;
    (void)why;
    if (st->draining)
        return CONTROL_CONFLICT;
    st->draining = true;
    say("drain");
    return CONTROL_OK;
}

static const struct config *get_config(void *user)
{
    return &((struct stub *)user)->config;
}

/* ---- the program ---- */

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int run(struct stub *st, const struct config_control *cfg, const struct control_hooks *hooks)
{
    char why[256];
    struct control *control;
    ev_signal term;
    st->loop = ev_loop_new(EVFLAG_AUTO);
    if (control_new(&control, st->loop, cfg, hooks, why, sizeof why) < 0) {
        say("%s", why);
        ev_loop_destroy(st->loop);
        return 1;
    }
    ev_signal_init(&term, on_term, SIGTERM);
    ev_signal_start(st->loop, &term);
    say("ready %s", control_address(control));
    ev_run(st->loop, 0);
    control_free(control);
    ev_loop_destroy(st->loop);
    say("over");
    return 0;
}

int main(int argc, char **argv)
{
    static struct stub st = {
        .n_sessions = 24,
        .limits = { 2000, 16, 4, 50 },
        .state = { SOURCE_RUNNING, SOURCE_RUNNING, SOURCE_FAILED, SOURCE_IDLE },
    };
    struct config_control cfg = { .listen = "127.0.0.1:0" };
    struct control_hooks hooks = { &st,         take,    stop_session, start_source,
                                   stop_source, refresh, get_limits,   set_limits,
                                   reload,      drain,   get_config };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--listen") == 0)
            cfg.listen = argv[++i];
        else if (strcmp(argv[i], "--token") == 0)
            cfg.token = argv[++i];
        else if (strcmp(argv[i], "--sessions") == 0)
            st.n_sessions = strtoul(argv[++i], NULL, 10) % SESSIONS_MAX;
        else if (strcmp(argv[i], "--hostile") == 0)
            st.hostile = true;
        else if (strcmp(argv[i], "--no-hooks") == 0)
            hooks = (struct control_hooks){ .user = &st, .snapshot = take };
    }
    st.began_us = clock_now_us();
    st.source[0] =
        (struct config_source){ .ns = "studio/main",
                                .kind = CONFIG_LIVE,
                                .input = "rtsp://user:secret@cam.example:554/x?key=secret" };
    st.source[1] = (struct config_source){ .ns = "clips/meadow", .input = "meadow.mkv" };
    st.config = (struct config){ .listen = "[::]:4433",
                                 .viewers_max = 2000,
                                 .source = st.source,
                                 .n_sources = 2,
                                 .control = cfg };
    log_set_level(LOG_INFO);
    return run(&st, &cfg, &hooks);
}
