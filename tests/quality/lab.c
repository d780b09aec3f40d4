/*
 * lab.c - one run of the quality laboratory: a layered clip over a scenario of links by one
 * configuration of server and player, on virtual time; what was seen of it as one JSON object.
 *
 *     lab --clip LAYERED --source FILE --cache PATH --link SPEC [--link SPEC]... [option]...
 *
 *     --at TIME:CHANGE   as vlink's; time 0 is when the player begins to connect
 *     --paths A,B        names of the links the player uses, the first for the handshake [all]
 *     --seconds S        of the broadcast that are judged [15]
 *     --latency MS       the server's [400]
 *     --seed N           [1]
 *     --size WxH         of the display [the top layer's]
 *     --sched, --cc NAME of the server [the transport's defaults]
 *     --harm base|ranks  the base layer unprotected; all objects of one rank
 *     --decode           decode in the player as well, and compare with what was expected
 *     --oracle --zero MS ask foresight.h instead; the broadcast begins at MS
 *     --report FILE      judge this report of a real svc-player instead
 *     --player FILE      write the player's report there
 *     --policy FILE      write the receiver's decisions there, for svc-player --replay-policy
 *     --out FILE         [standard output]
 *
 * Exit codes: 0 done, 1 failed, 64 usage.
 */
#include "broadcast.h"
#include "foresight.h"
#include "links.h"
#include "loop.h"
#include "score.h"
#include "watcher.h"

#include "test_pki.h"

#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WHY_MAX 600
#define TAIL_US 2000000      /* for the last pictures, beyond their latency */
#define PATIENCE_US 30000000 /* for the first */
#define WATCH_S 0.05

struct options {
    const char *clip, *source, *cache, *paths, *sched, *cc, *report, *player, *policy, *out;
    double seconds, zero_ms;
    unsigned latency_ms;
    uint64_t seed;
    uint16_t width, height;
    enum broadcast_harm harm;
    bool decode, oracle;
    struct links_config links;
};

struct run {
    const struct options *o;
    struct likeness *like;
    struct watcher *watcher;
    ev_timer watch;
    struct tvl_conn_stats sent; /* the server's, at the end */
    struct links_count link[LINKS_MAX];
    bool whole;
    struct score_row *rows;
    size_t n;
    uint64_t broken; /* shown with pixels other than expected (--decode) */
    json_t *report;
};

static uint64_t end_of(const struct options *o, const struct likeness *l)
{
    return (uint64_t)(o->seconds * likeness_fps(l) + 0.5);
}

/* ---- one broadcast ---- */

static void on_watch(struct ev_loop *loop, ev_timer *t, int events)
{
    struct run *r = t->data;
    const int64_t zero = broadcast_zero(), now = loop_now();
    const int64_t until =
        zero ? zero + (int64_t)(r->o->seconds * 1e6) + r->o->latency_ms * INT64_C(1000) + TAIL_US
             : LOOP_BEGIN_US + PATIENCE_US;

    (void)loop;
    (void)events;
    if (now < until && !*watcher_failure(r->watcher))
        return;
    r->whole = zero && now >= until;
    if (links_server_conn())
        tvl_conn_get_stats(links_server_conn(), &r->sent);
    for (unsigned i = 0; i < r->o->links.n; i++)
        r->link[i] = links_count(i);
    loop_stop();
}

static size_t choose_paths(const struct options *o, struct watcher_path *out)
{
    char names[256], *save = NULL;
    size_t n = 0;

    for (unsigned i = 0; !o->paths && i < o->links.n; i++)
        out[n++] = (struct watcher_path){ o->links.link[i].name, i };
    snprintf(names, sizeof names, "%s", o->paths ? o->paths : "");
    for (char *name = strtok_r(names, ",", &save); name && n < LINKS_MAX;
         name = strtok_r(NULL, ",", &save)) {
        const int i = links_find(&o->links, name);

        if (i >= 0)
            out[n++] = (struct watcher_path){ o->links.link[i].name, (unsigned)i };
    }
    return n;
}

static int play(struct run *r, char *why, size_t why_size)
{
    const struct test_pki_config how = { .kind = TEST_PKI_ED25519 };
    const struct options *o = r->o;
    struct watcher_path paths[LINKS_MAX];
    struct test_pki pki;
    const size_t n = choose_paths(o, paths);
    int result = -1;

    snprintf(why, why_size, "no links, or no certificates");
    if (n == 0 || test_pki_init(&pki, &how) != 0)
        return -1;
    const struct watcher_config watch = { .ca = pki.ca,
                                          .paths = paths,
                                          .n_paths = n,
                                          .decode = o->decode,
                                          .width = o->width,
                                          .height = o->height,
                                          .policy = o->policy };
    if (links_open(&o->links) == 0 && watcher_new(&r->watcher, &watch, why, why_size) == 0) {
        const struct broadcast_plan plan = { .file = o->clip,
                                             .cert = pki.server,
                                             .key = pki.server_key,
                                             .cc = o->cc,
                                             .sched = o->sched,
                                             .latency_ms = o->latency_ms,
                                             .harm = o->harm };
        ev_timer_init(&r->watch, on_watch, WATCH_S, WATCH_S);
        r->watch.data = r;
        ev_timer_start(ev_loop_new(0), &r->watch);
        result = broadcast_run(&plan, why, why_size);
        r->report = watcher_report(r->watcher);
        if (!r->whole)
            snprintf(why, why_size, "broken off: %s", watcher_failure(r->watcher));
    }
    test_pki_fini(&pki);
    return r->whole && r->report ? result : -1;
}

/* ---- what was shown ---- */

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* When the last unit of what is on display had come, by the loop's clock; 0: not known. */
static int64_t carried_at(const struct run *r, uint64_t picture, unsigned spatial)
{
    int64_t last = 0;

    for (unsigned s = 0; r->watcher && s <= spatial; s++) {
        const int64_t at = watcher_arrival(r->watcher, picture, s);

        last = at > last ? at : last;
    }
    return last;
}

static void add_row(struct run *r, const json_t *shown, double first_ms, double zero_ms)
{
    const double at = first_ms + json_number_value(json_array_get(shown, 5));
    const double born = zero_ms + json_number_value(json_array_get(shown, 1)) / 1e3;
    struct score_row *row = &r->rows[r->n];

    *row = (struct score_row){ .picture = (uint64_t)json_integer_value(json_array_get(shown, 0)),
                               .spatial = (unsigned)json_integer_value(json_array_get(shown, 2)),
                               .at_ms = at,
                               .delay_ms = zero_ms > 0 ? at - born : -1,
                               .carried_ms = -1 };
    if (row->spatial >= likeness_spatial(r->like) ||
        (r->n > 0 && row->picture <= r->rows[r->n - 1].picture))
        return;
    const int64_t carried = carried_at(r, row->picture, row->spatial);
    if (carried && zero_ms > 0)
        row->carried_ms = (double)carried / 1e3 - born;
    if (r->o->decode || r->o->report)
        r->broken += likeness_crc(r->like, row->picture, row->spatial) !=
                     (uint32_t)json_integer_value(json_array_get(shown, 4));
    r->n++;
}

static int read_rows(struct run *r)
{
    const json_t *shown = json_object_get(r->report, "shown");
    const double began_ms = r->watcher ? (double)watcher_began(r->watcher) / 1e3 : 0;
    const double first_ms = began_ms + number(r->report, "wall_zero_ms");
    size_t i;
    const json_t *row;

    r->rows = calloc(json_array_size(shown) + 1, sizeof *r->rows);
    if (!r->rows)
        return -1;
    json_array_foreach(shown, i, row)
        add_row(r, row, first_ms, r->watcher ? (double)broadcast_zero() / 1e3 : 0);
    return 0;
}

/* ---- what came of it ---- */

static json_t *links_json(const struct run *r)
{
    json_t *list = json_object();

    for (unsigned i = 0; r->watcher && i < r->o->links.n; i++) {
        const struct links_count *c = &r->link[i];

        json_object_set_new(list, r->o->links.link[i].name,
                            json_pack("{s:I,s:I,s:I,s:f,s:f}", "sent_bytes",
                                      (json_int_t)c->sent[VLINK_DOWN], "delivered_bytes",
                                      (json_int_t)c->delivered[VLINK_DOWN], "dropped",
                                      (json_int_t)c->dropped, "queue_p50_ms", c->queue_p50_ms,
                                      "queue_p95_ms", c->queue_p95_ms));
    }
    return list;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static json_t *transport_json(const struct run *r)
{
    const double fresh = (double)r->sent.stream_bytes_sent;
    const double scale = fresh > 0 ? 1 / fresh : 0;

    return json_pack("{s:I,s:f,s:f,s:f}", "stream_bytes", (json_int_t)r->sent.stream_bytes_sent,
                     "resent_share", (double)r->sent.stream_bytes_resent * scale, "repair_share",
                     (double)r->sent.repair_bytes_sent * scale, "overhead_share",
                     ((double)r->sent.bytes_sent - fresh) * scale);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* What the player itself knows of the delay: from a picture's first unit to the display. */
static double held_p95_ms(const json_t *report)
{
    const json_t *shown = json_object_get(report, "shown"), *row;
    const size_t n = json_array_size(shown);
    double *v = calloc(n + 1, sizeof *v), result = -1;
    size_t i;

    if (!v || n == 0) {
        free(v);
        return result;
    }
    json_array_foreach(shown, i, row) v[i] = json_number_value(json_array_get(row, 6));
    qsort(v, n, sizeof *v, by_value);
    result = v[n * 95 / 100];
    free(v);
    return result;
}

static json_t *paths_json(const json_t *report)
{
    const json_t *paths = json_object_get(report, "paths"), *path;
    json_t *out = json_object();
    size_t i;

    json_array_foreach(paths, i, path)
        json_object_set(out, json_string_value(json_object_get(path, "name")),
                        json_object_get(path, "bytes_received"));
    return out;
}

/* What there is of a report, real or not. */
static void add_player(json_t *out, const json_t *report)
{
    static const char *const same[] = { "startup_ms", "rebuffers", "demand_changes", "audio_lost" };

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        json_object_set(out, same[i], json_object_get(report, same[i]));
    json_object_set_new(out, "player_p95_ms", json_real(held_p95_ms(report)));
    json_object_set_new(out, "path_bytes", paths_json(report));
}

static int judge(struct run *r, double cpu, json_t **out)
{
    struct rusage u;
    struct score s;

    if (score_rows(&s, r->like, r->rows, r->n, end_of(r->o, r->like)) != 0)
        return -1;
    *out = score_json(&s, likeness_spatial(r->like));
    getrusage(RUSAGE_SELF, &u);
    json_object_set_new(*out, "first_picture", json_integer((json_int_t)r->rows[0].picture));
    json_object_set_new(*out, "memory_peak_kib", json_integer(u.ru_maxrss));
    json_object_set_new(*out, "cpu_s", json_real(cpu));
    json_object_set_new(*out, "links", links_json(r));
    if (r->o->decode || r->o->report)
        json_object_set_new(*out, "broken", json_integer((json_int_t)r->broken));
    if (!r->report)
        return 0;
    add_player(*out, r->report);
    if (r->watcher) {
        json_object_set_new(*out, "source_zero_ms",
                            json_real((double)(broadcast_zero() - LOOP_BEGIN_US) / 1e3));
        json_object_set_new(*out, "transport", transport_json(r));
    }
    return 0;
}

static int foresee(struct run *r, char *why, size_t why_size)
{
    const struct foresight_job job = { .layered = r->o->clip,
                                       .links = &r->o->links,
                                       .zero_us = LOOP_BEGIN_US + (int64_t)(r->o->zero_ms * 1e3),
                                       .pictures = end_of(r->o, r->like),
                                       .latency_ms = r->o->latency_ms };

    return foresight_ask(&job, &r->rows, &r->n, why, why_size);
}

static int run(const struct options *o, json_t **out, char *why, size_t why_size)
{
    const struct likeness_config like = { o->clip, o->source, o->cache, o->width, o->height };
    struct run r = { .o = o };
    json_error_t e;
    int result = -1;

    if (likeness_new(&r.like, &like, why, why_size) != 0)
        return -1;
    const double before = cpu_s();
    if (o->report) {
        r.report = json_load_file(o->report, 0, &e);
        result = r.report ? 0 : -1;
        snprintf(why, why_size, "%s: no report", o->report);
    } else {
        result = o->oracle ? foresee(&r, why, why_size) : play(&r, why, why_size);
    }
    const double cpu = cpu_s() - before;
    if (result == 0 && r.report)
        result = read_rows(&r);
    if (result == 0 && (result = judge(&r, cpu, out)) != 0)
        snprintf(why, why_size, "nothing was shown");
    if (result == 0 && o->player && r.report)
        result = json_dump_file(r.report, o->player, JSON_COMPACT);
    watcher_free(r.watcher);
    links_close();
    json_decref(r.report);
    free(r.rows);
    likeness_free(r.like);
    return result;
}

/* ---- the command line ---- */

enum { OPT_ORACLE = 256, OPT_ZERO, OPT_REPORT, OPT_PLAYER, OPT_POLICY, OPT_HARM };

static const struct option longs[] = {
    { "clip", required_argument, NULL, 'c' },
    { "source", required_argument, NULL, 's' },
    { "cache", required_argument, NULL, 'k' },
    { "link", required_argument, NULL, 'l' },
    { "at", required_argument, NULL, 'a' },
    { "paths", required_argument, NULL, 'p' },
    { "seconds", required_argument, NULL, 't' },
    { "latency", required_argument, NULL, 'm' },
    { "seed", required_argument, NULL, 'n' },
    { "size", required_argument, NULL, 'w' },
    { "sched", required_argument, NULL, 'q' },
    { "cc", required_argument, NULL, 'b' },
    { "harm", required_argument, NULL, OPT_HARM },
    { "decode", no_argument, NULL, 'd' },
    { "oracle", no_argument, NULL, OPT_ORACLE },
    { "zero", required_argument, NULL, OPT_ZERO },
    { "report", required_argument, NULL, OPT_REPORT },
    { "player", required_argument, NULL, OPT_PLAYER },
    { "policy", required_argument, NULL, OPT_POLICY },
    { "out", required_argument, NULL, 'o' },
    { NULL, 0, NULL, 0 },
};

static int set_harm(struct options *o, const char *name)
{
    o->harm = strcmp(name, "base") == 0    ? BROADCAST_BASE_UNPROTECTED
              : strcmp(name, "ranks") == 0 ? BROADCAST_NO_RANKS
                                           : BROADCAST_WHOLE;
    return o->harm == BROADCAST_WHOLE ? -1 : 0;
}

static const char **text_option(struct options *o, int c)
{
    switch (c) {
    case 'c':
        return &o->clip;
    case 's':
        return &o->source;
    case 'k':
        return &o->cache;
    case 'p':
        return &o->paths;
    case 'q':
        return &o->sched;
    case 'b':
        return &o->cc;
    case OPT_REPORT:
        return &o->report;
    case OPT_PLAYER:
        return &o->player;
    case OPT_POLICY:
        return &o->policy;
    case 'o':
        return &o->out;
    default:
        return NULL;
    }
}

static int set_option(struct options *o, int c, char *why, size_t why_size)
{
    const char **text = text_option(o, c);

    if (text) {
        *text = optarg;
        return 0;
    }
    snprintf(why, why_size, "%s is not understood", optarg ? optarg : "an option");
    switch (c) {
    case 'l':
        return links_add(&o->links, optarg, why, why_size);
    case 'a':
        return links_at(&o->links, optarg, why, why_size);
    case 't':
        o->seconds = strtod(optarg, NULL);
        return o->seconds > 0 && o->seconds <= 3600 ? 0 : -1;
    case 'm':
        o->latency_ms = (unsigned)strtoul(optarg, NULL, 10);
        return o->latency_ms >= 50 && o->latency_ms <= 10000 ? 0 : -1;
    case 'n':
        o->seed = strtoull(optarg, NULL, 10);
        return 0;
    case 'w':
        return sscanf(optarg, "%hux%hu", &o->width, &o->height) == 2 ? 0 : -1;
    case OPT_ZERO:
        o->zero_ms = strtod(optarg, NULL);
        return 0;
    case OPT_HARM:
        return set_harm(o, optarg);
    case 'd':
        o->decode = true;
        return 0;
    case OPT_ORACLE:
        o->oracle = true;
        return 0;
    default:
        return -1;
    }
}

static int parse(struct options *o, int argc, char **argv, char *why, size_t why_size)
{
    int c;

    o->seconds = 15;
    o->latency_ms = 400;
    o->seed = 1;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (set_option(o, c, why, why_size) != 0)
            return -1;
    o->links.seed = o->seed;
    snprintf(why, why_size, "--clip, --source and --cache are needed, and --link or --report");
    return o->clip && o->source && o->cache && (o->links.n > 0 || o->report) && optind == argc ? 0
                                                                                               : -1;
}

/* The server says on standard output that it is ready: that is not for ours. */
static FILE *keep_stdout(const char *file)
{
    FILE *out = file ? fopen(file, "we") : fdopen(dup(STDOUT_FILENO), "w");
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null >= 0) {
        (void)dup2(null, STDOUT_FILENO);
        close(null);
    }
    return out;
}

int main(int argc, char **argv)
{
    static struct options o; /* large */
    char why[WHY_MAX] = "";
    json_t *result = NULL;

    if (parse(&o, argc, argv, why, sizeof why) != 0) {
        fprintf(stderr, "lab: %s\n", why);
        return 64;
    }
    av_log_set_level(AV_LOG_QUIET);
    FILE *out = keep_stdout(o.out);
    bool good = out && run(&o, &result, why, sizeof why) == 0;
    if (good)
        good = json_dumpf(result, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
               fputc('\n', out) == '\n';
    else
        fprintf(stderr, "lab: %s\n", why);
    if (out)
        good = fclose(out) == 0 && good;
    json_decref(result);
    links_config_fini(&o.links);
    return good ? 0 : 1;
}
