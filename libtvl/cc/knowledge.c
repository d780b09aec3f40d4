/*
 * knowledge.c - what was measured: path models and what each controller made of such a path; the
 * nearest of them speak for a new one. Contract in <tvl/select.h>.
 *
 * The file is text, a record a line, fields by white space, '#' to the end of a line is for people:
 *
 *     knowledge 1
 *     path  SEEN_BY capacity_bps rtt_min_us jitter_us loss burst congestive buffer_us
 *           aggregation_us marked change    (one line; shares in millionths, the burst in
 *                                           thousandths of a packet)
 *     cc    NAME rate_bps queue_us          what NAME made of the path above
 *
 * Distance is Euclidean over the logarithms of what spans orders of magnitude, in octaves; rates go
 * over as multiples of the capacity seen, queues as multiples of the buffer.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/cc.h>
#include <tvl/select.h>

#define PATHS_MAX 65536
#define LINE_MAX_BYTES 512
#define NAMES_MAX TVL_SELECT_MAX
#define NUMBER_DIGITS 15
#define MILLION 1000000u
#define NEAREST 4      /* that speak for a path */
#define OTHER_EYES 1.0 /* octaves: the model was seen by another controller */
#define CLOSE 0.05     /* octaves below which nearer is no better */

struct entry {
    struct tvl_path_model m;
    int seen_by;           /* index of a name */
    float rate[NAMES_MAX]; /* of the capacity seen; negative: not known */
    float queue_us[NAMES_MAX];
};

struct tvl_knowledge {
    struct entry *entry;
    size_t n, cap;
    char name[NAMES_MAX][24];
    size_t names;
};

/* ---- reading ---- */

static int name_of(const struct tvl_knowledge *k, const char *name)
{
    for (size_t i = 0; i < k->names; i++)
        if (strcmp(k->name[i], name) == 0)
            return (int)i;
    return -1;
}

static int name_add(struct tvl_knowledge *k, const char *name)
{
    const int known = name_of(k, name);

    if (known >= 0)
        return known;
    if (k->names == NAMES_MAX || strlen(name) >= sizeof k->name[0])
        return -1;
    memcpy(k->name[k->names], name, strlen(name) + 1);
    return (int)k->names++;
}

static struct entry *entry_add(struct tvl_knowledge *k)
{
    if (k->n == k->cap) {
        const size_t cap = k->cap ? 2 * k->cap : 64;
        struct entry *grown = cap > PATHS_MAX ? NULL : realloc(k->entry, cap * sizeof *grown);

        if (!grown)
            return NULL;
        k->entry = grown;
        k->cap = cap;
    }
    struct entry *e = &k->entry[k->n++];

    memset(e, 0, sizeof *e);
    for (size_t i = 0; i < NAMES_MAX; i++)
        e->rate[i] = -1;
    return e;
}

/* `n` whole numbers behind the cursor, and nothing else. */
static bool numbers(char **cursor, uint64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = strtok_r(NULL, " \t\r", cursor);

        if (!word || strlen(word) > NUMBER_DIGITS || strspn(word, "0123456789") != strlen(word))
            return false;
        out[i] = strtoull(word, NULL, 10);
    }
    return strtok_r(NULL, " \t\r", cursor) == NULL;
}

static const char *take_path(struct tvl_knowledge *k, char **cursor)
{
    const char *name = strtok_r(NULL, " \t\r", cursor);
    const int seen_by = name ? name_add(k, name) : -1;
    uint64_t v[10];

    if (seen_by < 0)
        return "too many controllers, or a name is missing or too long";
    if (!numbers(cursor, v, 10))
        return "a path has ten whole numbers";
    if (v[0] < 1 || v[1] < 1 || v[3] > MILLION || v[5] > MILLION || v[8] > MILLION)
        return "capacity and rtt_min are at least 1, shares at most a million";
    struct entry *e = entry_add(k);

    if (!e)
        return "too many paths, or no memory";
    e->seen_by = seen_by;
    e->m = (struct tvl_path_model){ .capacity_bps = v[0],
                                    .rtt_min = v[1],
                                    .jitter = v[2],
                                    .loss = (double)v[3] / MILLION,
                                    .loss_burst = (double)v[4] / 1000,
                                    .loss_congestive = (double)v[5] / MILLION,
                                    .buffer = v[6],
                                    .aggregation = v[7],
                                    .marked = (double)v[8] / MILLION,
                                    .change = (double)v[9] / MILLION };
    return NULL;
}

static const char *take_cc(struct tvl_knowledge *k, char **cursor)
{
    const char *name = strtok_r(NULL, " \t\r", cursor);
    const int which = name ? name_add(k, name) : -1;
    uint64_t v[2];

    if (k->n == 0)
        return "a controller before the first path";
    if (which < 0)
        return "too many controllers, or a name is missing or too long";
    if (!numbers(cursor, v, 2))
        return "a controller has two whole numbers";
    struct entry *e = &k->entry[k->n - 1];

    e->rate[which] = (float)((double)v[0] / (double)e->m.capacity_bps);
    e->queue_us[which] = (float)v[1];
    return NULL;
}

static const char *take_line(struct tvl_knowledge *k, char *line, bool *begun)
{
    char *cursor = NULL, *comment = strchr(line, '#');

    if (comment)
        *comment = '\0';
    const char *word = strtok_r(line, " \t\r", &cursor);
    uint64_t version;

    if (!word)
        return NULL;
    if (!*begun) {
        *begun = strcmp(word, "knowledge") == 0 && numbers(&cursor, &version, 1) && version == 1;
        return *begun ? NULL : "the first record is not 'knowledge 1'";
    }
    if (strcmp(word, "path") == 0)
        return take_path(k, &cursor);
    if (strcmp(word, "cc") == 0)
        return take_cc(k, &cursor);
    return "a record is 'path' or 'cc'";
}

static const char *take_text(struct tvl_knowledge *k, const char *text, size_t len, size_t *line)
{
    bool begun = false;

    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t n = end ? (size_t)(end - text) - at : len - at;
        char copy[LINE_MAX_BYTES];

        ++*line;
        if (n >= sizeof copy || memchr(text + at, '\0', n))
            return "the line is too long, or not text";
        memcpy(copy, text + at, n);
        copy[n] = '\0';
        const char *wrong = take_line(k, copy, &begun);

        if (wrong)
            return wrong;
        at += n + 1;
    }
    return begun ? NULL : "it is empty";
}

int tvl_knowledge_new(struct tvl_knowledge **out, const char *text, size_t len, char *why,
                      size_t why_size)
{
    struct tvl_knowledge *k = calloc(1, sizeof *k);
    size_t line = 0;

    if (!k)
        return TVL_ERR_NOMEM;
    const char *wrong = take_text(k, text, len, &line);

    if (wrong) {
        if (why_size)
            snprintf(why, why_size, "line %zu: %s", line, wrong);
        tvl_knowledge_free(k);
        return TVL_ERR_ARG;
    }
    *out = k;
    return 0;
}

void tvl_knowledge_free(struct tvl_knowledge *k)
{
    if (!k)
        return;
    free(k->entry);
    free(k);
}

/* ---- asking ---- */

static double octaves(double a, double b, double floor)
{
    return log2((a + floor) / (b + floor));
}

static double distance_of(const struct tvl_path_model *a, const struct tvl_path_model *b)
{
    /* weights: what moves the choice between controllers most counts most */
    const double d[] = {
        0.5 * octaves((double)a->capacity_bps, (double)b->capacity_bps, 1e5),
        octaves((double)a->rtt_min, (double)b->rtt_min, 5e3),
        0.7 * octaves(a->loss, b->loss, 1e-4),
        octaves((double)a->buffer, (double)b->buffer, 1e4),
        0.5 * octaves((double)a->jitter, (double)b->jitter, 2e3),
        2 * (a->loss_congestive - b->loss_congestive) * (a->loss > 1e-4 || b->loss > 1e-4),
        3 * (a->change - b->change),
        4 * (a->marked - b->marked),
    };
    double sum = 0;

    for (size_t i = 0; i < sizeof d / sizeof d[0]; i++)
        sum += d[i] * d[i];
    return sqrt(sum);
}

struct near {
    const struct entry *e;
    double distance;
};

static size_t nearest(const struct tvl_knowledge *k, int which, int seen_by,
                      const struct tvl_path_model *m, struct near out[NEAREST])
{
    size_t n = 0;

    for (size_t i = 0; i < k->n; i++) {
        const struct entry *e = &k->entry[i];

        if (e->rate[which] < 0)
            continue;
        const double d =
            distance_of(m, &e->m) + (seen_by >= 0 && e->seen_by != seen_by ? OTHER_EYES : 0);
        size_t at = n;

        for (; at > 0 && out[at - 1].distance > d; at--)
            if (at < NEAREST)
                out[at] = out[at - 1];
        if (at < NEAREST) {
            out[at] = (struct near){ e, d };
            n += n < NEAREST;
        }
    }
    return n;
}

int tvl_knowledge_predict(const struct tvl_knowledge *k, const char *cc, const char *seen_by,
                          const struct tvl_path_model *m, struct tvl_prediction *out,
                          double *distance)
{
    const int which = name_of(k, cc);
    struct near near[NEAREST];
    double weights = 0, rate = 0, queue = 0;

    if (m->rtt_min == 0 || m->capacity_bps == 0)
        return TVL_ERR_STATE;
    if (which < 0)
        return TVL_ERR_ARG;
    const size_t n = nearest(k, which, seen_by ? name_of(k, seen_by) : -1, m, near);

    if (n == 0)
        return TVL_ERR_ARG;
    for (size_t i = 0; i < n; i++) {
        const double weight = 1 / pow(near[i].distance + CLOSE, 2);
        const double buffers = (double)(m->buffer + 10000) / (double)(near[i].e->m.buffer + 10000);

        weights += weight;
        rate += weight * (double)near[i].e->rate[which];
        queue += weight * (double)near[i].e->queue_us[which] * buffers;
    }
    *out = (struct tvl_prediction){
        .rate_bps = (uint64_t)(rate / weights * (double)m->capacity_bps),
        .queue = (tvl_time)(queue / weights),
        .formula = "measured on the nearest paths of the knowledge base",
    };
    if (distance)
        *distance = near[0].distance;
    return 0;
}
