/* record.c - see record.h. */
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR '\x1e' /* RFC 7464 */
#define MS 1000.0        /* us */

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));

    return t ? t : "";
}

static tvl_time us(const json_t *o, const char *key)
{
    const double ms = number(o, key);

    return ms > 0 ? (tvl_time)(ms * MS) : 0;
}

static struct tvl_path_model model_of(const json_t *o)
{
    return (struct tvl_path_model){
        .capacity_bps = (uint64_t)number(o, "capacity"),
        .rtt_min = us(o, "min_rtt"),
        .rtt = us(o, "smoothed_rtt"),
        .jitter = us(o, "jitter"),
        .loss = number(o, "loss"),
        .loss_burst = number(o, "loss_burst"),
        .loss_congestive = number(o, "loss_congestive"),
        .buffer = us(o, "buffer"),
        .aggregation = us(o, "aggregation"),
        .marked = number(o, "marked"),
        .change = number(o, "change"),
    };
}

static double score(const json_t *o, const char *key)
{
    return json_object_get(o, key) ? number(o, key) : -1;
}

static size_t rows_of(const json_t *scores, const char *now,
                      struct tvl_select_row row[TVL_SELECT_MAX])
{
    size_t n = 0;

    for (; n < json_array_size(scores) && n < TVL_SELECT_MAX; n++) {
        const json_t *s = json_array_get(scores, n);

        row[n] = (struct tvl_select_row){ .cc = text(s, "controller"),
                                          .score = number(s, "score"),
                                          .by_knowledge = score(s, "by_knowledge"),
                                          .by_formula = score(s, "by_formula"),
                                          .by_experience = score(s, "by_experience"),
                                          .chosen = strcmp(text(s, "controller"), now) == 0 };
    }
    return n;
}

static struct record_path *path_of(struct record *r, uint32_t path_id)
{
    for (size_t i = 0; i < r->n_paths; i++)
        if (r->path[i].path_id == path_id)
            return &r->path[i];
    struct record_path *grown = realloc(r->path, (r->n_paths + 1) * sizeof *grown);

    if (!grown)
        return NULL;
    r->path = grown;
    memset(&grown[r->n_paths], 0, sizeof *grown);
    grown[r->n_paths].path_id = path_id;
    return &grown[r->n_paths++];
}

static int take(struct record *r, const json_t *event)
{
    const json_t *data = json_object_get(event, "data");
    const uint32_t path_id = (uint32_t)number(event, "path_id");
    struct record_path *p = path_of(r, path_id);

    if (!p)
        return -1;
    p->at_ms = number(event, "time");
    p->now = text(data, "new");
    p->objective = text(data, "objective");
    p->reason = text(data, "reason");
    p->model = model_of(json_object_get(data, "model"));
    p->n_rows = rows_of(json_object_get(data, "scores"), p->now, p->row);
    if (strcmp(text(data, "old"), p->now) == 0)
        return 0;
    struct record_change *grown = realloc(r->change, (r->n_changes + 1) * sizeof *grown);

    if (!grown)
        return -1;
    r->change = grown;
    grown[r->n_changes++] =
        (struct record_change){ p->at_ms, path_id, text(data, "old"), p->now, p->reason };
    return 0;
}

/* One record of the sequence; others than ours are passed over unread. */
static int take_line(struct record *r, const char *line, size_t len, const char **why)
{
    json_error_t error;

    if (!memmem(line, len, "\"tvl:controller_chosen\"", 23))
        return 0;
    json_t *event = json_loadb(line, len, 0, &error);

    *why = "damaged";
    if (!event)
        return -1;
    json_array_append_new(r->events, event);
    *why = "out of memory";
    return take(r, event);
}

static int take_all(struct record *r, FILE *f, const char **why)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int result = 0;
    bool begun = false;

    while (result == 0 && (len = getdelim(&line, &cap, SEPARATOR, f)) > 0) {
        if (line[len - 1] == SEPARATOR)
            len--;
        begun = begun || memmem(line, (size_t)len, "\"file_schema\"", 13);
        result = take_line(r, line, (size_t)len, why);
    }
    free(line);
    if (result == 0 && !begun) {
        *why = "no qlog in JSON text sequences";
        return -1;
    }
    return result;
}

int record_read(struct record **out, const char *file, char *why, size_t why_size)
{
    struct record *r = calloc(1, sizeof *r);
    FILE *f = fopen(file, "rbe");
    const char *wrong = f ? "out of memory" : strerror(errno);
    int result = -1;

    if (r && f && (r->events = json_array()))
        result = take_all(r, f, &wrong);
    if (f)
        fclose(f);
    if (result == 0) {
        *out = r;
        return 0;
    }
    snprintf(why, why_size, "%s: %s", file, wrong);
    record_free(r);
    return -1;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    json_decref(r->events);
    free(r->change);
    free(r->path);
    free(r);
}
