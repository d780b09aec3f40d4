/* report.c - keeps the rows of a report and turns them into JSON. */
#include "report.h"

#include <jansson.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stall {
    double at_s, ms;
};

struct happening {
    double t_s;
    char what[96];
};

struct rows { /* a growing array of one kind */
    void *row;
    size_t n, room, limit;
    uint64_t dropped;
};

struct report {
    struct rows shown, samples, stalls, events;
};

struct report *report_new(void)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->shown.limit = r->samples.limit = r->stalls.limit = REPORT_ROWS_MAX;
    r->events.limit = REPORT_EVENTS_MAX;
    return r;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    free(r->shown.row);
    free(r->samples.row);
    free(r->stalls.row);
    free(r->events.row);
    free(r);
}

static void push(struct rows *rows, const void *row, size_t size)
{
    if (rows->n == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 256;
        void *grown = rows->room < rows->limit ? realloc(rows->row, room * size) : NULL;
        if (!grown) {
            rows->dropped++;
            return;
        }
        rows->row = grown;
        rows->room = room;
    }
    memcpy((char *)rows->row + rows->n++ * size, row, size);
}

void report_add_shown(struct report *r, const struct report_shown *row)
{
    push(&r->shown, row, sizeof *row);
}

void report_add_sample(struct report *r, const struct report_sample *row)
{
    push(&r->samples, row, sizeof *row);
}

void report_add_stall(struct report *r, double at_s, double ms)
{
    struct stall row = { at_s, ms };
    push(&r->stalls, &row, sizeof row);
}

void report_add_event(struct report *r, double t_s, const char *what)
{
    struct happening row = { .t_s = t_s };
    snprintf(row.what, sizeof row.what, "%s", what);
    push(&r->events, &row, sizeof row);
}

const char *report_state_word(enum tvl_path_state state)
{
    static const char *const words[] = { "opening", "up", "suspect", "abandoned" };
    return (unsigned)state < 4 ? words[state] : "unknown";
}

/* Times to a thousandth: the file is for reading, too. */
static double rounded(double v)
{
    double scaled = v * 1000;
    return (double)(int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5)) / 1000;
}

static json_t *number_or_null(double v)
{
    return v < 0 ? json_null() : json_real(rounded(v));
}

static json_t *json_paths(const struct report_totals *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->n_paths; i++) {
        const struct report_path *p = &t->path[i];
        const struct tvl_path_stats *s = &p->stats;
        json_t *o = json_pack(
            "{s:I,s:I,s:s,s:s,s:b,s:I,s:I,s:f,s:f,s:f,s:I,s:I,s:I,s:s}", "id", (json_int_t)i,
            "quic_path_id", (json_int_t)s->id, "name", p->name, "state",
            report_state_word(s->state), "backup", (int)s->backup, "bytes_received",
            (json_int_t)s->bytes_received, "bytes_sent", (json_int_t)s->bytes_sent, "rate_bps_mean",
            rounded(p->rate_bps_mean), "srtt_ms", rounded((double)s->srtt / 1e3), "rtt_min_ms",
            rounded((double)s->rtt_min / 1e3), "packets_received", (json_int_t)s->packets_received,
            "packets_sent", (json_int_t)s->packets_sent, "packets_lost",
            (json_int_t)s->packets_lost, "cc", s->cc ? s->cc : "");
        json_object_set_new(o, "sender", sender_path_json(&p->sender));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_layers(const struct layers *l)
{
    json_t *list = json_array();
    for (unsigned s = 0; s < l->n_spatial; s++)
        for (unsigned t = 0; t < l->n_temporal; t++) {
            const struct layers_count *c = &l->count[s][t];
            json_array_append_new(
                list, json_pack("{s:i,s:i,s:b,s:I,s:I,s:I,s:I}", "s", (int)s, "t", (int)t,
                                "subscribed", (int)l->subscribed[s][t], "expected",
                                (json_int_t)c->expected, "arrived", (json_int_t)c->arrived,
                                "in_time", (json_int_t)c->in_time, "shown", (json_int_t)c->shown));
        }
    return list;
}

static json_t *json_shown(const struct rows *rows)
{
    json_t *list = json_array();
    const struct report_shown *row = rows->row;
    for (size_t i = 0; i < rows->n; i++, row++)
        json_array_append_new(list, json_pack("[I,I,i,i,I,f,f]", (json_int_t)row->picture,
                                              (json_int_t)row->pts_us, (int)row->layer.spatial,
                                              (int)row->layer.temporal, (json_int_t)row->crc32,
                                              rounded(row->wall_ms), rounded(row->latency_ms)));
    return list;
}

static json_t *json_sample(const struct report_sample *row, const struct layers *l)
{
    json_t *paths = json_array(), *layers = json_array();
    for (size_t i = 0; i < row->n_paths; i++) {
        const struct report_path_sample *p = &row->path[i];
        json_array_append_new(paths,
                              json_pack("{s:I,s:I,s:s,s:f}", "id", (json_int_t)p->id, "rate_bps",
                                        (json_int_t)p->rate_bps, "state",
                                        report_state_word(p->state), "rtt_ms", rounded(p->rtt_ms)));
    }
    for (unsigned s = 0; s < l->n_spatial; s++)
        for (unsigned t = 0; t < l->n_temporal; t++)
            json_array_append_new(layers, json_integer(row->arrived[s][t]));
    return json_pack("{s:f,s:o,s:o,s:i,s:I}", "t_s", rounded(row->t_s), "paths", paths, "layers",
                     layers, "top_spatial", row->top_spatial, "rate_bps",
                     (json_int_t)row->rate_bps);
}

static json_t *json_timeline(const struct rows *rows, const struct layers *l)
{
    json_t *list = json_array();
    const struct report_sample *row = rows->row;
    for (size_t i = 0; i < rows->n; i++)
        json_array_append_new(list, json_sample(row + i, l));
    return list;
}

static json_t *json_stalls(const struct rows *rows)
{
    json_t *list = json_array();
    const struct stall *row = rows->row;
    for (size_t i = 0; i < rows->n; i++, row++)
        json_array_append_new(
            list, json_pack("{s:f,s:f}", "at_s", rounded(row->at_s), "ms", rounded(row->ms)));
    return list;
}

static json_t *json_events(const struct rows *rows)
{
    json_t *list = json_array();
    const struct happening *row = rows->row;
    for (size_t i = 0; i < rows->n; i++, row++)
        json_array_append_new(list,
                              json_pack("{s:f,s:s}", "t_s", rounded(row->t_s), "what", row->what));
    return list;
}

static json_t *measured(double ms)
{
    return isnan(ms) ? json_null() : json_real(round(ms * 10) / 10);
}

/* Parts of the last second's pictures; null: not known. */
static json_t *json_delay(const struct delay *d)
{
    static const char *const names[DELAY_PARTS] = { "encode_ms", "queue_ms",  "network_ms",
                                                    "buffer_ms", "decode_ms", "display_ms" };
    json_t *out = json_object();
    for (int i = 0; i < DELAY_PARTS; i++)
        json_object_set_new(out, names[i],
                            i < DELAY_BUFFER && !d->has_capture ? json_null()
                                                                : measured(d->part_ms[i]));
    json_object_set_new(out, "total_ms", measured(d->total_ms));
    json_object_set_new(out, "clock_ms", measured(d->clock_ms));
    return out;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* From capture to display, as a share [0, 1] of the shown pictures did not exceed; null where the
 * sender does not say when it captured them. */
static void set_percentiles(json_t *root, const struct rows *shown, bool known)
{
    const struct report_shown *row = shown->row;
    double *ms = known && shown->n ? calloc(shown->n, sizeof *ms) : NULL;
    for (size_t i = 0; ms && i < shown->n; i++)
        ms[i] = row[i].latency_ms;
    if (ms)
        qsort(ms, shown->n, sizeof *ms, by_size);
    json_object_set_new(root, "capture_to_display_p50_ms",
                        measured(ms ? ms[shown->n / 2] : (double)NAN));
    json_object_set_new(root, "capture_to_display_p95_ms",
                        measured(ms ? ms[shown->n * 95 / 100] : (double)NAN));
    free(ms);
}

static json_t *json_startup(const struct report_totals *t)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "sockets_ms", number_or_null(t->startup.sockets_ms),
                     "connected_ms", number_or_null(t->startup.connected_ms), "setup_ms",
                     number_or_null(t->startup.setup_ms), "catalog_ms",
                     number_or_null(t->startup.catalog_ms), "first_unit_ms",
                     number_or_null(t->startup.first_unit_ms));
}

json_t *report_json(const struct report *r, const struct report_totals *t)
{
    uint64_t dropped =
        r->shown.dropped + r->samples.dropped + r->stalls.dropped + r->events.dropped;
    json_t *root = json_pack(
        "{s:o,s:o,s:o,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}",
        "startup_ms", number_or_null(t->startup_ms), "connect_ms", number_or_null(t->connect_ms),
        "duration_s", number_or_null(t->duration_s), "frames_shown", (json_int_t)t->frames_shown,
        "frames_skipped", (json_int_t)t->frames_skipped, "stall_ms_max", rounded(t->stall_ms_max),
        "base_layer_lost", (json_int_t)t->layers->base_lost, "rebuffers", (json_int_t)t->rebuffers,
        "units_late_healed", (json_int_t)t->units_late_healed, "units_refused",
        (json_int_t)t->units_refused, "demand_changes", (json_int_t)t->demand_changes,
        "audio_packets", (json_int_t)t->audio_packets, "audio_lost", (json_int_t)t->audio_lost,
        "rows_dropped", (json_int_t)dropped, "stalls", json_stalls(&r->stalls), "paths",
        json_paths(t), "layers", json_layers(t->layers), "events", json_events(&r->events), "shown",
        json_shown(&r->shown), "timeline", json_timeline(&r->samples, t->layers));
    json_object_set_new(root, "startup", json_startup(t));
    json_object_set_new(root, "wall_zero_ms", number_or_null(t->wall_zero_ms));
    json_object_set_new(root, "av_skew_ms", measured(t->av_skew_ms));
    json_object_set_new(root, "av_skew_ms_max", measured(t->av_skew_ms_max));
    set_percentiles(root, &r->shown, t->delay && t->delay->has_capture);
    json_object_set_new(root, "sender", t->sender ? sender_view_json(t->sender) : json_null());
    if (t->handed_over_to)
        json_object_set(root, "handed_over_to", t->handed_over_to);
    if (t->taken_over_from)
        json_object_set(root, "taken_over_from", t->taken_over_from);
    if (t->delay && t->delay->any)
        json_object_set_new(root, "delay", json_delay(t->delay));
    return root;
}

#define REPORT_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

static int write_stdout(json_t *root, char *why, size_t why_size)
{
    if (root && json_dumpf(root, stdout, REPORT_FLAGS) == 0 && putchar('\n') != EOF &&
        fflush(stdout) == 0)
        return 0;
    snprintf(why, why_size, "cannot write the report: %s", strerror(errno));
    return -1;
}

int report_write(const struct report *r, const struct report_totals *t, const char *file, char *why,
                 size_t why_size)
{
    char part[4096];
    int result = -1;
    json_t *root = report_json(r, t);
    if (strcmp(file, "-") == 0) {
        result = write_stdout(root, why, why_size);
        goto free_root;
    }
    if (!root || snprintf(part, sizeof part, "%s.part", file) >= (int)sizeof part) {
        snprintf(why, why_size, "cannot write %s: %s", file, root ? "name too long" : "no memory");
        goto free_root;
    }
    if (json_dump_file(root, part, REPORT_FLAGS) != 0 || rename(part, file) != 0) {
        snprintf(why, why_size, "cannot write %s: %s", file, strerror(errno));
        remove(part);
        goto free_root;
    }
    result = 0;
free_root:
    json_decref(root);
    return result;
}
