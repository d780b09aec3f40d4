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
 *     cc    NAME rate_bps queue_us [w w w w w w w w]
 *                                           what NAME made of the path above; w: the thousandths
 *                                           of it that waited 5, 10, 20 ... 640 ms at most
 *
 * Several path lines in a row are one path, seen through the eyes of several controllers or at
 * several times; the cc lines that follow belong to it.
 *
 * Distance is Euclidean over the logarithms of what spans orders of magnitude, in octaves, weighted
 * by what moves the choice: the weights were found by leaving out one link after another of those
 * that the shipped base is built from. A path speaks through its nearest line, and rates go over as
 * multiples of the capacity of that line.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/cc.h>
#include <tvl/select.h>

#define LINES_MAX 65536 /* path lines */
#define LINE_MAX_BYTES 512
#define NAMES_MAX TVL_SELECT_MAX
#define NUMBER_DIGITS 15
#define MILLION 1000000u
#define WAITS 8           /* steps of the queue's distribution, by doubling from */
#define WAIT_LEAST 5000.0 /* us */
#define NEAREST 9         /* paths that speak for one */
#define OTHER_EYES 0.5    /* octaves: the model was seen by another controller */
#define CLOSE 1.0         /* octaves below which nearer is hardly better */

enum { DIMS = 8 };
struct view { /* a path line */
    float at[DIMS];
    float capacity_bps;
    uint32_t path;
    int seen_by; /* index of a name */
};

struct outcome {    /* of a controller on a path */
    float rate_bps; /* negative: not known */
    float queue_us;
    float within[WAITS]; /* shares; [0] negative: not known */
};

struct known_path {
    struct outcome of[NAMES_MAX];
    float rtt_min_us; /* shortest of its lines */
};

struct tvl_knowledge {
    struct view *view;
    size_t n, cap;
    struct known_path *path;
    size_t paths, paths_cap;
    bool open; /* the last record was a path line: another one is of the same path */
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

/* `array`, grown if it must be; NULL: too many, or no memory, and `array` is as it was. */
static void *room(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    const size_t more = *cap ? 2 * *cap : 64;
    void *grown = more > LINES_MAX ? NULL : realloc(array, more * size);

    if (grown)
        *cap = more;
    return grown;
}

static struct known_path *path_add(struct tvl_knowledge *k)
{
    struct known_path *grown = room(k->path, k->paths, &k->paths_cap, sizeof *k->path);

    if (!grown)
        return NULL;
    k->path = grown;
    struct known_path *p = &k->path[k->paths++];

    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < NAMES_MAX; i++)
        p->of[i].rate_bps = -1;
    return p;
}

static float octaves(double v, double floor)
{
    return (float)log2(v + floor);
}

/* Where a model lies in the space in which paths are near or far. */
static void locate(const struct tvl_path_model *m, float at[DIMS])
{
    const double random = m->loss * (1 - m->loss_congestive);
    const double full = m->loss > 1e-3 ? 1 : m->loss * 1e3; /* losses enough to say what they are */
    const float found[DIMS] = {
        0.3f * octaves((double)m->capacity_bps, 1e5),
        0.4f * octaves((double)m->rtt_min, 5e3),
        1.4f * octaves(random, 1e-4),
        1.4f * octaves((double)m->buffer, 1e4),
        1.0f * octaves((double)m->jitter, 2e3),
        0.2f * (float)(m->loss_congestive * full),
        2.5f * sqrtf((float)m->change),
        4.0f * (float)(m->marked > 0.1 ? 1 : 10 * m->marked),
    };

    memcpy(at, found, sizeof found);
}

/* The whole numbers behind the cursor: how many, at most `most`; negative: something else too. */
static int numbers(char **cursor, uint64_t *out, int most)
{
    const char *word;
    int n = 0;

    while ((word = strtok_r(NULL, " \t\r", cursor))) {
        if (n == most || strlen(word) > NUMBER_DIGITS || strspn(word, "0123456789") != strlen(word))
            return -1;
        out[n++] = strtoull(word, NULL, 10);
    }
    return n;
}

static const char *take_path(struct tvl_knowledge *k, char **cursor)
{
    const char *name = strtok_r(NULL, " \t\r", cursor);
    const int seen_by = name ? name_add(k, name) : -1;
    uint64_t v[10];

    if (seen_by < 0)
        return "too many controllers, or a name is missing or too long";
    if (numbers(cursor, v, 10) != 10)
        return "a path has ten whole numbers";
    if (v[0] < 1 || v[1] < 1 || v[3] > MILLION || v[5] > MILLION || v[8] > MILLION)
        return "capacity and rtt_min are at least 1, shares at most a million";
    struct view *grown = room(k->view, k->n, &k->cap, sizeof *k->view);

    k->view = grown ? grown : k->view;
    if (!grown || (!k->open && !path_add(k)))
        return "too many paths, or no memory";
    struct view *e = &k->view[k->n++];
    struct known_path *p = &k->path[k->paths - 1];
    const struct tvl_path_model m = { .capacity_bps = v[0],
                                      .rtt_min = v[1],
                                      .jitter = v[2],
                                      .loss = (double)v[3] / MILLION,
                                      .loss_burst = (double)v[4] / 1000,
                                      .loss_congestive = (double)v[5] / MILLION,
                                      .buffer = v[6],
                                      .aggregation = v[7],
                                      .marked = (double)v[8] / MILLION,
                                      .change = (double)v[9] / MILLION };

    locate(&m, e->at);
    e->capacity_bps = (float)v[0];
    e->path = (uint32_t)(k->paths - 1);
    e->seen_by = seen_by;
    if (p->rtt_min_us == 0 || (float)v[1] < p->rtt_min_us)
        p->rtt_min_us = (float)v[1];
    k->open = true;
    return NULL;
}

static const char *take_cc(struct tvl_knowledge *k, char **cursor)
{
    const char *name = strtok_r(NULL, " \t\r", cursor);
    const int which = name ? name_add(k, name) : -1;
    uint64_t v[2 + WAITS];

    if (k->paths == 0)
        return "a controller before the first path";
    if (which < 0)
        return "too many controllers, or a name is missing or too long";
    const int n = numbers(cursor, v, 2 + WAITS);

    if (n != 2 && n != 2 + WAITS)
        return "a controller has two whole numbers, or ten";
    struct outcome *o = &k->path[k->paths - 1].of[which];

    k->open = false;
    *o = (struct outcome){ .rate_bps = (float)v[0], .queue_us = (float)v[1], .within = { -1 } };
    for (int i = 0; i < n - 2; i++) {
        if (v[2 + i] > 1000 || (i > 0 && v[2 + i] < v[1 + i]))
            return "what waited is in thousandths that do not fall";
        o->within[i] = (float)v[2 + i] / 1000;
    }
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
        *begun =
            strcmp(word, "knowledge") == 0 && numbers(&cursor, &version, 1) == 1 && version == 1;
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
    free(k->view);
    free(k->path);
    free(k);
}

/* ---- asking ---- */

struct near {
    const struct view *v; /* the nearest line of a path */
    double distance, weight;
};

static double distance_of(const struct view *v, const float at[DIMS], int seen_by)
{
    float sum = 0;

    for (size_t i = 0; i < DIMS; i++)
        sum += (v->at[i] - at[i]) * (v->at[i] - at[i]);
    return sqrt((double)sum) + (seen_by >= 0 && v->seen_by != seen_by ? OTHER_EYES : 0);
}

static void keep(struct near out[NEAREST], size_t *n, const struct view *v, double distance)
{
    size_t at = *n;

    for (; at > 0 && out[at - 1].distance > distance; at--)
        if (at < NEAREST)
            out[at] = out[at - 1];
    if (at < NEAREST) {
        out[at] = (struct near){ v, distance, 1 / pow(distance + CLOSE, 2) };
        *n += *n < NEAREST;
    }
}

/* The nearest paths, each by its nearest line; `which` of the names must be known of it, -1: any */
static size_t nearest(const struct tvl_knowledge *k, int which, const char *seen_by,
                      const struct tvl_path_model *m, struct near out[NEAREST])
{
    const int eyes = seen_by ? name_of(k, seen_by) : -1;
    float at[DIMS];
    size_t n = 0;

    locate(m, at);
    for (size_t i = 0; i < k->n;) {
        const struct view *first = &k->view[i], *best = first;
        double least = distance_of(first, at, eyes);

        for (i++; i < k->n && k->view[i].path == first->path; i++) {
            const double d = distance_of(&k->view[i], at, eyes);

            if (d < least) {
                least = d;
                best = &k->view[i];
            }
        }
        if (which < 0 || k->path[first->path].of[which].rate_bps >= 0)
            keep(out, &n, best, least);
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
    const size_t n = nearest(k, which, seen_by, m, near);

    if (n == 0)
        return TVL_ERR_ARG;
    for (size_t i = 0; i < n; i++) {
        const struct outcome *o = &k->path[near[i].v->path].of[which];

        weights += near[i].weight;
        rate += near[i].weight * (double)(o->rate_bps / near[i].v->capacity_bps);
        queue += near[i].weight * (double)o->queue_us;
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

/* ---- towards an objective ---- */

double tvl_objective_score(enum tvl_objective objective, double share, double queue, double rtt_min,
                           double in_time)
{
    switch (objective) {
    case TVL_OBJECTIVE_DELAY: /* exp of log rate - 0.5 log (queue + rtt_min), 1 without a queue */
        return share * sqrt(rtt_min / (rtt_min + queue));
    case TVL_OBJECTIVE_VIDEO:
        return share * in_time;
    default:
        return share;
    }
}

/* Share of packets that waited `us` at most: straight between the steps, over the logarithm. */
static double waited_at_most(const struct outcome *o, double us)
{
    const double step = us > 0 ? log2(us / WAIT_LEAST) : -INFINITY;

    if (o->within[0] < 0) /* the mean is all there is: an exponential tail */
        return us > 0 ? 1 - exp(-us / ((double)o->queue_us + 1)) : 0;
    if (step < 0)
        return us > 0 ? (double)o->within[0] * us / WAIT_LEAST : 0;
    const size_t i = (size_t)step;

    if (i + 1 >= WAITS)
        return fmin(1, (double)o->within[WAITS - 1] +
                           (1 - (double)o->within[WAITS - 1]) * (step - (WAITS - 1)));
    return (double)o->within[i] + (double)(o->within[i + 1] - o->within[i]) * (step - (double)i);
}

/* Score of every name on a known path, the rate over the best one's; result: the best score. */
static double score_path(const struct tvl_knowledge *k, const struct known_path *p,
                         enum tvl_objective objective, tvl_time deadline, double score[NAMES_MAX],
                         double *top_rate)
{
    double top = 0, best = 0;

    for (size_t i = 0; i < k->names; i++)
        top = fmax(top, (double)p->of[i].rate_bps);
    for (size_t i = 0; i < k->names; i++) {
        const struct outcome *o = &p->of[i];
        const double rtt = (double)p->rtt_min_us;

        score[i] = -1;
        if (o->rate_bps < 0 || top <= 0)
            continue;
        score[i] = tvl_objective_score(objective, (double)o->rate_bps / top, (double)o->queue_us,
                                       rtt, waited_at_most(o, (double)deadline - rtt / 2));
        best = fmax(best, score[i]);
    }
    *top_rate = top;
    return best;
}

struct ranks {
    double sum[NAMES_MAX], weight[NAMES_MAX];
    double level, levels;
};

static void rank_add(const struct tvl_knowledge *k, size_t path, const struct view *v,
                     double weight, enum tvl_objective objective, tvl_time deadline,
                     struct ranks *r)
{
    double score[NAMES_MAX], top;
    const double best = score_path(k, &k->path[path], objective, deadline, score, &top);

    if (best <= 0)
        return; /* none is of any use: nothing is said */
    for (size_t i = 0; i < k->names; i++)
        if (score[i] >= 0) {
            r->sum[i] += weight * score[i] / best;
            r->weight[i] += weight;
        }
    r->levels += weight;
    r->level += weight * best * (v ? top / (double)v->capacity_bps : 1);
}

int tvl_knowledge_rank(const struct tvl_knowledge *k, const struct tvl_path_model *m,
                       const char *seen_by, enum tvl_objective objective, tvl_time deadline,
                       struct tvl_knowledge_rank *out)
{
    struct ranks r = { .levels = 0 };
    struct near near[NEAREST];
    size_t n = 0;

    if (m && (m->rtt_min == 0 || m->capacity_bps == 0))
        return TVL_ERR_STATE;
    if (m)
        n = nearest(k, -1, seen_by, m, near);
    for (size_t i = 0; i < n; i++)
        rank_add(k, near[i].v->path, near[i].v, near[i].weight, objective, deadline, &r);
    for (size_t i = 0; !m && i < k->paths; i++)
        rank_add(k, i, NULL, 1, objective, deadline, &r);
    if (r.levels <= 0)
        return TVL_ERR_ARG;
    out->level = r.level / r.levels;
    out->distance = m ? near[0].distance : 0;
    for (size_t i = 0; i < TVL_SELECT_MAX; i++)
        out->share[i] = -1;
    for (size_t i = 0; tvl_cc_all[i] && i < TVL_SELECT_MAX; i++) {
        const int which = name_of(k, tvl_cc_all[i]->name);

        if (which >= 0 && r.weight[which] > 0)
            out->share[i] = r.sum[which] / r.weight[which];
    }
    return 0;
}
