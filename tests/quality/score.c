/* score.c - see score.h. */
#include "score.h"

#include <jansson.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Of `n` sorted values; between two of them in proportion. */
static double percentile(const double *v, size_t n, double share)
{
    if (n == 0)
        return -1;
    const double at = share * (double)(n - 1);
    const size_t i = (size_t)at;

    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

static double mean(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / (double)n : 0;
}

static void note_worst(struct score *s, const struct score_worst *w)
{
    unsigned at = s->n_worst;

    for (unsigned i = 0; i < s->n_worst; i++) /* near one that is noted: the worse of the two */
        if (w->wanted - s->worst[i].wanted < SCORE_WORST_APART) {
            if (w->ssim < s->worst[i].ssim)
                s->worst[i] = *w;
            return;
        }
    if (at == SCORE_WORST) {
        at = 0;
        for (unsigned i = 1; i < SCORE_WORST; i++)
            if (s->worst[i].ssim > s->worst[at].ssim)
                at = i;
        if (w->ssim >= s->worst[at].ssim)
            return;
    } else {
        s->n_worst++;
    }
    s->worst[at] = *w;
}

struct judging {
    struct score *s;
    struct likeness *l;
    const struct score_row *rows;
    size_t n;
    double *ssim, *psnr;
    uint64_t counted;
};

static void judge_picture(struct judging *j, uint64_t wanted, const struct score_row *on)
{
    const struct likeness_pair like = likeness_of(j->l, wanted, on->picture, on->spatial);
    const struct score_worst w = { wanted, on->picture, on->spatial, like.ssim };
    const bool fresh = on->picture == wanted;

    j->ssim[j->counted] = like.ssim;
    j->psnr[j->counted] = like.psnr;
    j->counted++;
    note_worst(j->s, &w);
    j->s->residency[fresh ? 1 + on->spatial : 0]++;
    if (!fresh && likeness_temporal(j->l, wanted) == 0)
        j->s->base_lost++;
}

static void judge_freeze(struct score *s, double gap_ms, double frame_ms)
{
    if (gap_ms <= SCORE_FREEZE_INTERVALS * frame_ms)
        return;
    s->freezes++;
    s->frozen_ms += gap_ms - frame_ms;
    s->longest_ms = gap_ms > s->longest_ms ? gap_ms : s->longest_ms;
}

static void judge_times(const struct judging *j, uint64_t end)
{
    const double frame_ms = 1000 / likeness_fps(j->l);
    const struct score_row *last = &j->rows[j->n - 1];

    for (size_t i = 1; i < j->n; i++) {
        judge_freeze(j->s, j->rows[i].at_ms - j->rows[i - 1].at_ms, frame_ms);
        j->s->switches += j->rows[i].spatial != j->rows[i - 1].spatial;
    }
    judge_freeze(j->s, (double)(end - last->picture) * frame_ms, frame_ms);
}

enum stage { STAGE_ALL, STAGE_CARRIED, STAGE_HELD };

static void judge_delay(const struct judging *j, double *v, enum stage stage, double *p50,
                        double *p95, double *p99)
{
    size_t n = 0;

    for (size_t i = 0; i < j->n; i++) {
        const struct score_row *r = &j->rows[i];

        if (r->delay_ms < 0 || (stage != STAGE_ALL && r->carried_ms < 0))
            continue;
        v[n++] = stage == STAGE_ALL       ? r->delay_ms
                 : stage == STAGE_CARRIED ? r->carried_ms
                                          : r->delay_ms - r->carried_ms;
    }
    qsort(v, n, sizeof *v, by_value);
    *p50 = percentile(v, n, 0.5);
    *p95 = percentile(v, n, 0.95);
    *p99 = percentile(v, n, 0.99);
}

static void sum_seconds(const struct judging *j)
{
    const double fps = likeness_fps(j->l);
    unsigned n = 0;

    for (uint64_t i = 0; i < j->counted; i++) {
        const unsigned second = (unsigned)((double)i / fps);

        if (second >= SCORE_SECONDS_MAX)
            break;
        n = second < j->s->seconds ? n + 1 : 1;
        j->s->seconds = second + 1;
        float *mean_so_far = &j->s->ssim_by_second[second];
        *mean_so_far += ((float)j->ssim[i] - *mean_so_far) / (float)n;
    }
}

static int by_likeness(const void *a, const void *b)
{
    const struct score_worst *x = a, *y = b;

    return x->ssim < y->ssim ? -1 : x->ssim > y->ssim;
}

static void sum_up(const struct judging *j, double *v)
{
    struct score *s = j->s;
    const size_t n = (size_t)j->counted;

    s->pictures = n;
    s->shown = j->n;
    s->ssim_mean = mean(j->ssim, n);
    s->ssim_db = -10 * log10(1 - s->ssim_mean < 1e-6 ? 1e-6 : 1 - s->ssim_mean);
    s->psnr_mean = mean(j->psnr, n);
    sum_seconds(j);
    qsort(s->worst, s->n_worst, sizeof *s->worst, by_likeness);
    qsort(j->ssim, n, sizeof *j->ssim, by_value);
    qsort(j->psnr, n, sizeof *j->psnr, by_value);
    s->ssim_p5 = percentile(j->ssim, n, 0.05);
    s->psnr_p5 = percentile(j->psnr, n, 0.05);
    for (unsigned i = 0; i <= SVC_SPATIAL_MAX; i++)
        s->residency[i] /= (double)n;
    judge_delay(j, v, STAGE_ALL, &s->delay_p50_ms, &s->delay_p95_ms, &s->delay_p99_ms);
    judge_delay(j, v, STAGE_CARRIED, &s->carried_p50_ms, &s->carried_p95_ms, &s->carried_p99_ms);
    judge_delay(j, v, STAGE_HELD, &s->held_p50_ms, &s->held_p95_ms, &s->held_p99_ms);
}

int score_rows(struct score *out, struct likeness *l, const struct score_row *rows, size_t n,
               uint64_t end)
{
    while (n > 0 && rows[n - 1].picture >= end)
        n--;
    *out = (struct score){ .pictures = 0 };
    if (n == 0)
        return -1;
    const size_t room = (size_t)(end - rows[0].picture) + n;
    struct judging j = { .s = out,
                         .l = l,
                         .rows = rows,
                         .n = n,
                         .ssim = calloc(room, sizeof(double)),
                         .psnr = calloc(room, sizeof(double)) };
    double *v = calloc(room, sizeof(double));
    const bool good = j.ssim && j.psnr && v;
    size_t on = 0;

    for (uint64_t wanted = rows[0].picture; good && wanted < end; wanted++) {
        while (on + 1 < n && rows[on + 1].picture <= wanted)
            on++;
        judge_picture(&j, wanted, &rows[on]);
    }
    if (good) {
        judge_times(&j, end);
        sum_up(&j, v);
    }
    free(j.ssim);
    free(j.psnr);
    free(v);
    return good ? 0 : -1;
}

static json_t *residency(const struct score *s, unsigned n_spatial)
{
    json_t *list = json_array();

    for (unsigned i = 0; i <= n_spatial && i <= SVC_SPATIAL_MAX; i++)
        json_array_append_new(list, json_real(s->residency[i]));
    return list;
}

static json_t *by_second(const struct score *s)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->seconds; i++)
        json_array_append_new(list, json_real((double)s->ssim_by_second[i]));
    return list;
}

static json_t *worst(const struct score *s)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->n_worst; i++)
        json_array_append_new(list, json_pack("{s:I,s:I,s:i,s:f}", "wanted",
                                              (json_int_t)s->worst[i].wanted, "shown",
                                              (json_int_t)s->worst[i].shown, "spatial",
                                              (int)s->worst[i].spatial, "ssim", s->worst[i].ssim));
    return list;
}

struct json_t *score_json(const struct score *s, unsigned n_spatial)
{
    return json_pack(
        "{s:I,s:I, s:f,s:f,s:f,s:f,s:f, s:I,s:I,s:f,s:f, s:f,s:f,s:f, s:f,s:f,s:f, s:f,s:f,s:f,"
        " s:o,s:I,s:o,s:o}",
        "pictures", (json_int_t)s->pictures, "shown", (json_int_t)s->shown, "ssim_mean",
        s->ssim_mean, "ssim_p5", s->ssim_p5, "ssim_db", s->ssim_db, "psnr_mean", s->psnr_mean,
        "psnr_p5", s->psnr_p5, "base_lost", (json_int_t)s->base_lost, "freezes",
        (json_int_t)s->freezes, "frozen_ms", s->frozen_ms, "longest_freeze_ms", s->longest_ms,
        "delay_p50_ms", s->delay_p50_ms, "delay_p95_ms", s->delay_p95_ms, "delay_p99_ms",
        s->delay_p99_ms, "carried_p50_ms", s->carried_p50_ms, "carried_p95_ms", s->carried_p95_ms,
        "carried_p99_ms", s->carried_p99_ms, "held_p50_ms", s->held_p50_ms, "held_p95_ms",
        s->held_p95_ms, "held_p99_ms", s->held_p99_ms, "residency", residency(s, n_spatial),
        "switches", (json_int_t)s->switches, "ssim_by_second", by_second(s), "worst", worst(s));
}
