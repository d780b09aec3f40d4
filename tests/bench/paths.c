/*
 * paths.c - see paths.h.
 *
 * A recorded link gives rates only. Round trip and buffer are set by the kind of link, at values
 * that are ordinary for it; the buffer is what the mean rate drains in that time, as real ones are
 * counted in bytes and do not shrink when the radio fades.
 */
#include "paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000u /* ns */
#define MBIT 1000000u
#define BUFFER_MIN 60000u      /* bytes of a recorded link */
#define TRACE_SPAN 40          /* s */
#define DEADLINE 200000u       /* us of a live video */
#define DEADLINE_LEAST 100000u /* us more than the bare way takes */
#define LOSSY_PPM 10000        /* of the variant "lossy" */
#define FAR_MS 150u            /* more of the round trip in "far": another continent */
#define SHALLOW 8u             /* part of the buffer in "shallow", at least: */
#define SHALLOW_MIN 15000u
#define FILE_MAX (8u << 20)

#define OVER .overhead_bytes = VLINK_OVERHEAD_BYTES
#define LINK(mbit, rtt_ms, buffer_ms)                                           \
    .rate_bps = (uint64_t)(mbit)*MBIT, .delay_ns = (rtt_ms) / 2 * (uint64_t)MS, \
    .queue_ns = (buffer_ms) * (uint64_t)MS, OVER

/* The fixed ones have a buffer of one round trip, at least 20 ms. */
static const struct cc_path made_up[] = {
    { .name = "1mbit-60ms",
      .kind = "fixed",
      .link = { LINK(1, 60, 500) } }, /* an uplink's buffer */
    { .name = "5mbit-20ms", .kind = "fixed", .link = { LINK(5, 20, 20) } },
    { .name = "5mbit-80ms", .kind = "fixed", .link = { LINK(5, 80, 80) } },
    { .name = "5mbit-200ms", .kind = "fixed", .link = { LINK(5, 200, 200) } },
    { .name = "20mbit-20ms", .kind = "fixed", .link = { LINK(20, 20, 20) } },
    { .name = "20mbit-80ms", .kind = "fixed", .link = { LINK(20, 80, 80) } },
    { .name = "20mbit-200ms", .kind = "fixed", .link = { LINK(20, 200, 200) } },
    { .name = "100mbit-20ms", .kind = "fixed", .link = { LINK(100, 20, 20) } },
    { .name = "100mbit-80ms", .kind = "fixed", .link = { LINK(100, 80, 80) } },
    { .name = "100mbit-200ms", .kind = "fixed", .link = { LINK(100, 200, 200) } },
    { .name = "loss-0.1%", .kind = "lossy", .link = { LINK(20, 40, 80), .loss_ppm = 1000 } },
    { .name = "loss-1%", .kind = "lossy", .link = { LINK(20, 40, 80), .loss_ppm = 10000 } },
    { .name = "loss-3%", .kind = "lossy", .link = { LINK(20, 40, 80), .loss_ppm = 30000 } },
    { .name = "loss-bursts", /* 1.6 % in bursts of five or so */
      .kind = "lossy",
      .link = { LINK(20, 40, 80), .ge = true, .ge_p_ppm = 3300, .ge_r_ppm = 100000,
                .ge_bad_ppm = 500000 } },
    { .name = "jitter-10ms", .kind = "jitter", .link = { LINK(20, 40, 80), .jitter_ns = 10 * MS } },
    { .name = "satellite", .kind = "satellite", .span_s = 90, .link = { LINK(20, 600, 300) } },
    { .name = "satellite-0.1%",
      .kind = "satellite",
      .span_s = 90,
      .link = { LINK(20, 600, 300), .loss_ppm = 1000 } },
    { .name = "deep-1s", .kind = "deep", .link = { LINK(20, 40, 1000) } },
    { .name = "shallow-10ms", .kind = "shallow", .link = { LINK(20, 40, 10) } },
    { .name = "shallow-100mbit", .kind = "shallow", .link = { LINK(100, 40, 10) } },
    { .name = "marks-1ms", .kind = "marks", .link = { LINK(50, 40, 100), .mark_ns = 1 * MS } },
};

static const struct habit { /* of a kind of link */
    const char *kind;
    uint32_t rtt_ms, buffer_ms;
} habits[] = {
    { "3g", 100, 800 },     { "lte", 50, 500 },   { "lte/5g", 50, 500 },
    { "lte-hsr", 80, 500 }, { "5g", 30, 300 },    { "5g-mmwave", 30, 300 },
    { "wifi", 16, 200 },    { "fixed", 20, 100 }, { "starlink", 46, 200 },
    { NULL, 50, 300 },
};

static char *read_file(const char *dir, const char *name, size_t *len)
{
    char path[512];
    char *text = malloc(FILE_MAX);

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = text ? fopen(path, "rb") : NULL;
    if (!f) {
        fprintf(stderr, "paths: cannot read %s\n", path);
        free(text);
        return NULL;
    }
    *len = fread(text, 1, FILE_MAX - 1, f);
    text[*len] = 0;
    fclose(f);
    return text;
}

/* The text value of `key` on a line of index.json that begins at `line`: one key a line. */
static bool value(const char *line, const char *key, char *out, size_t size)
{
    char head[32];
    const int n = snprintf(head, sizeof head, "\"%s\": \"", key);

    if (strncmp(line, head, (size_t)n) != 0)
        return false;
    const size_t len = strcspn(line + n, "\"\n");

    if (len >= size)
        return false;
    memcpy(out, line + n, len);
    out[len] = 0;
    return true;
}

/* Every other group is held out, and stays on its side when others are added: by a hash (FNV-1a).
 */
static bool hold_out(const char *group)
{
    uint32_t h = 2166136261u;

    for (; *group; group++)
        h = (h ^ (unsigned char)*group) * 16777619u;
    return (h ^ h >> 16) & 1;
}

static bool add_trace(struct cc_paths *p, const struct cc_path *as, const char *dir,
                      const char *file)
{
    struct cc_path *path = &p->path[p->n];
    const struct habit *h = habits;
    char why[128] = "";
    size_t len = 0;
    char *text = read_file(dir, file, &len);

    while (h->kind && strcmp(h->kind, as->kind) != 0)
        h++;
    *path = *as;
    if (!text || vlink_trace_parse(&path->trace, text, len, why, sizeof why) != 0) {
        fprintf(stderr, "paths: %s: %s\n", file, why);
        free(text);
        return false;
    }
    free(text);
    const uint64_t buffer = vlink_trace_mean_bps(&path->trace) / 8000 * h->buffer_ms;

    path->span_s = TRACE_SPAN;
    path->link = (struct vlink_config){ .trace = &path->trace,
                                        .delay_ns = h->rtt_ms / 2 * (uint64_t)MS,
                                        .queue_bytes = buffer > BUFFER_MIN ? buffer : BUFFER_MIN,
                                        OVER };
    p->n++;
    return true;
}

/* The same link under other circumstances, of which recordings tell nothing. */
static void add_variants(struct cc_paths *p)
{
    static const char *const variants[] = { "lossy", "far", "shallow" };
    const struct cc_path *base = &p->path[p->n - 1];

    for (size_t i = 0; i < sizeof variants / sizeof variants[0] && p->n < PATHS_MAX; i++) {
        struct cc_path *path = &p->path[p->n++];

        *path = *base;
        path->trace = (struct vlink_trace){ .n = 0 }; /* the base's is borrowed */
        path->variant = variants[i];
        snprintf(path->name, sizeof path->name, "%.50s+%s", base->name, variants[i]);
        if (i == 0)
            path->link.loss_ppm = LOSSY_PPM;
        else if (i == 1)
            path->link.delay_ns += FAR_MS / 2 * (uint64_t)MS;
        else
            path->link.queue_bytes = base->link.queue_bytes / SHALLOW > SHALLOW_MIN
                                         ? base->link.queue_bytes / SHALLOW
                                         : SHALLOW_MIN;
    }
}

static bool add_traces(struct cc_paths *p, const char *dir)
{
    struct cc_path next = { .variant = "" };
    char file[256] = "", group[PATH_NAME_MAX] = "";
    size_t len = 0;
    char *index = read_file(dir, "index.json", &len);
    bool good = index != NULL;

    for (char *line = index; good && line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == '{')
            group[0] = file[0] = 0;
        value(line, "name", next.name, sizeof next.name);
        value(line, "kind", next.kind, sizeof next.kind);
        value(line, "group", group, sizeof group);
        value(line, "file", file, sizeof file);
        if (*line == '}' && file[0] && p->n < PATHS_MAX) {
            snprintf(next.group, sizeof next.group, "%s", group[0] ? group : next.name);
            next.heldout = hold_out(next.group);
            good = add_trace(p, &next, dir, file);
            if (good)
                add_variants(p);
        }
    }
    free(index);
    return good;
}

bool paths_init(struct cc_paths *p, const char *traces)
{
    const unsigned n = sizeof made_up / sizeof made_up[0];

    *p = (struct cc_paths){ .path = calloc(PATHS_MAX, sizeof *p->path) };
    if (!p->path)
        return false;
    memcpy(p->path, made_up, sizeof made_up);
    p->n = n;
    for (unsigned i = 0; i < n; i++)
        p->path[i].variant = "";
    return !traces || add_traces(p, traces);
}

void paths_fini(struct cc_paths *p)
{
    for (unsigned i = 0; p->path && i < p->n; i++)
        vlink_trace_fini(&p->path[i].trace);
    free(p->path);
    *p = (struct cc_paths){ .n = 0 };
}

const struct cc_path *paths_find(const struct cc_paths *p, const char *name)
{
    for (unsigned i = 0; i < p->n; i++)
        if (strcmp(p->path[i].name, name) == 0)
            return &p->path[i];
    return NULL;
}

tvl_time paths_deadline(const struct cc_path *path)
{
    const tvl_time bare = path->link.delay_ns / 1000;

    return bare + DEADLINE_LEAST > DEADLINE ? bare + DEADLINE_LEAST : DEADLINE;
}

bool paths_wanted(const struct cc_path *path, const char *which)
{
    if (!which || strcmp(path->name, which) == 0)
        return true;
    if (strcmp(which, "made-up") == 0)
        return path->group[0] == '\0';
    if (strcmp(which, "heldout") == 0)
        return path->heldout;
    return strcmp(which, "recorded") == 0 && path->group[0] != '\0' && !path->heldout;
}
