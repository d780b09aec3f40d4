/* report.c - see report.h. Keys of the JSON report are in svc-load(1). */
#include "report.h"

#include <inttypes.h>
#include <jansson.h>

#define US_PER_MS 1e3
#define SHARE_HALF 0.5
#define SHARE_P95 0.95
#define SHARE_P99 0.99

static double ms(int64_t us)
{
    return (double)us / US_PER_MS;
}

/* CPU seconds that one viewer costs the server in a second. */
static double cpu_per_viewer(const struct report *r)
{
    const double viewer_s = r->watching * r->counted_s;

    return viewer_s > 0 ? (r->to.cpu_s - r->from.cpu_s) / viewer_s : 0;
}

static double kib_per_viewer(const struct report *r)
{
    return r->watching > 0 ? ((double)r->to.private_kib - (double)r->idle.private_kib) / r->watching
                           : 0;
}

int report_verdict(const struct report *r)
{
    const struct tally *t = r->tally;
    uint64_t bytes, given_up;

    if (tally_objects(t, &bytes, &given_up).objects == 0)
        return 2;
    const bool late = r->args->late_ms > 0 && ms(tally_late_share(t, SHARE_P99)) > r->args->late_ms;
    return t->failed > 0 || late ? 1 : 0;
}

/* ---- for people ---- */

static void print_server(const struct report *r, FILE *to)
{
    const double cpu = cpu_per_viewer(r);

    if (!r->has_server)
        return;
    fprintf(to, "server      %.1f %% of a core, %.2f ms of it a second for each viewer",
            (r->to.cpu_s - r->from.cpu_s) / r->counted_s * 100, cpu * US_PER_MS);
    if (cpu > 0)
        fprintf(to, ": %.0f of them to a core", 1 / cpu);
    fprintf(to, "\n            %" PRIu64 " KiB, %.1f more for each viewer\n", r->to.private_kib,
            kib_per_viewer(r));
}

void report_print(const struct report *r, FILE *to)
{
    const struct tally *t = r->tally;
    uint64_t bytes, given_up;
    const struct course_count sum = tally_objects(t, &bytes, &given_up);

    fprintf(to, "viewers     %.1f of %" PRIu32 ", %" PRIu64 " connected ever, %" PRIu64 " failed\n",
            r->watching, r->args->subscribers, t->connected, t->failed);
    for (size_t i = 0; i < TALLY_REASONS_MAX && t->reason[i].n > 0; i++)
        fprintf(to, "            %" PRIu64 " times: %s\n", t->reason[i].n, t->reason[i].text);
    fprintf(to, "in          %.1f s, %.1f Mbit/s of media, %" PRIu64 " objects\n", r->counted_s,
            r->counted_s > 0 ? (double)bytes * 8 / 1e6 / r->counted_s : 0, sum.objects);
    fprintf(to, "missing     %" PRIu64 " objects, %" PRIu64 " of them given up on their way\n",
            sum.missing, given_up);
    fprintf(to, "lateness    %.2f ms half of them, 95 %% %.2f, 99 %% %.2f, all %.2f\n",
            ms(tally_late_share(t, SHARE_HALF)), ms(tally_late_share(t, SHARE_P95)),
            ms(tally_late_share(t, SHARE_P99)), ms(tally_late_share(t, 1)));
    fprintf(to, "handshake   %.2f ms half of them, 99 %% %.2f; first object %.2f, 99 %% %.2f\n",
            ms(histogram_share(&t->connect, SHARE_HALF)),
            ms(histogram_share(&t->connect, SHARE_P99)), ms(histogram_share(&t->first, SHARE_HALF)),
            ms(histogram_share(&t->first, SHARE_P99)));
    print_server(r, to);
    fprintf(to, "svc-load    %.1f %% of a core; %" PRIu64 " datagrams found a full socket\n",
            r->counted_s > 0 ? r->own_cpu_s / r->counted_s * 100 : 0, r->udp_overflows);
}

/* ---- for programs ---- */

static json_t *share_of(const struct histogram *h)
{
    return json_pack("{s:f, s:f, s:f}", "p50", ms(histogram_share(h, SHARE_HALF)), "p99",
                     ms(histogram_share(h, SHARE_P99)), "max", ms(histogram_share(h, 1)));
}

static json_t *late_of(const struct tally *t)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "p50", ms(tally_late_share(t, SHARE_HALF)), "p95",
                     ms(tally_late_share(t, SHARE_P95)), "p99", ms(tally_late_share(t, SHARE_P99)),
                     "max", ms(tally_late_share(t, 1)));
}

static json_t *tracks_of(const struct tally *t)
{
    json_t *all = json_object();

    for (size_t i = 0; i < t->n_tracks; i++) {
        const struct tally_track *k = &t->track[i];

        json_object_set_new(
            all, k->name,
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "objects", (json_int_t)k->count.objects, "bytes",
                      (json_int_t)k->bytes, "missing", (json_int_t)k->count.missing, "stale",
                      (json_int_t)k->count.stale, "given_up", (json_int_t)k->given_up));
    }
    return all;
}

static json_t *reasons_of(const struct tally *t)
{
    json_t *all = json_object();

    for (size_t i = 0; i < TALLY_REASONS_MAX && t->reason[i].n > 0; i++)
        json_object_set_new(all, t->reason[i].text, json_integer((json_int_t)t->reason[i].n));
    return all;
}

static json_t *paths_of(const struct report *r)
{
    json_t *all = json_object();

    for (size_t i = 0; i < r->args->n_paths; i++)
        json_object_set_new(all, r->args->path[i].name,
                            json_integer((json_int_t)r->tally->path_bytes[i]));
    return all;
}

static void add_server(const struct report *r, json_t *to)
{
    if (!r->has_server)
        return;
    json_object_set_new(to, "server_cpu_s", json_real(r->to.cpu_s - r->from.cpu_s));
    json_object_set_new(to, "server_cpu_s_per_viewer_s", json_real(cpu_per_viewer(r)));
    json_object_set_new(to, "server_kib", json_integer((json_int_t)r->to.private_kib));
    json_object_set_new(to, "server_kib_idle", json_integer((json_int_t)r->idle.private_kib));
    json_object_set_new(to, "server_kib_per_viewer", json_real(kib_per_viewer(r)));
    json_object_set_new(to, "server_threads", json_integer((json_int_t)r->to.threads));
}

int report_write(const struct report *r, FILE *to)
{
    const struct tally *t = r->tally;
    uint64_t bytes, given_up;
    const struct course_count sum = tally_objects(t, &bytes, &given_up);
    json_t *all = json_pack(
        "{s:I, s:f, s:I, s:I, s:I, s:I, s:o, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o, "
        "s:o, s:o, s:f, s:I}",
        "subscribers", (json_int_t)r->args->subscribers, "watching", r->watching, "begun",
        (json_int_t)t->begun, "connected", (json_int_t)t->connected, "left", (json_int_t)t->left,
        "failed", (json_int_t)t->failed, "reasons", reasons_of(t), "seconds", r->counted_s, "bytes",
        (json_int_t)bytes, "rate_bps", r->counted_s > 0 ? (double)bytes * 8 / r->counted_s : 0,
        "objects", (json_int_t)sum.objects, "missing", (json_int_t)sum.missing, "stale",
        (json_int_t)sum.stale, "given_up", (json_int_t)given_up, "late_ms", late_of(t),
        "handshake_ms", share_of(&t->connect), "first_object_ms", share_of(&t->first), "tracks",
        tracks_of(t), "path_bytes", paths_of(r), "own_cpu_s", r->own_cpu_s, "udp_overflows",
        (json_int_t)r->udp_overflows);

    if (!all)
        return -1;
    add_server(r, all);
    const int result = json_dumpf(all, to, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(all);
    return result == 0 && fputc('\n', to) != EOF && fflush(to) == 0 ? 0 : -1;
}
