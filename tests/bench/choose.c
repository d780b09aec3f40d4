/*
 * choose.c - the selector over paths, for every objective: a row of tab-separated figures for each,
 * with the same scores as `cc table` has for fixed controllers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "flow.h"
#include "verbs.h"

#define FILE_MAX (4u << 20)

static const struct aim {
    const char *name;
    enum tvl_objective objective;
} aims[] = { { "throughput", TVL_OBJECTIVE_THROUGHPUT },
             { "delay", TVL_OBJECTIVE_DELAY },
             { "video", TVL_OBJECTIVE_VIDEO } };

void scores_head(void)
{
    for (size_t i = 0; i < sizeof aims / sizeof aims[0]; i++)
        printf("%s%s", i ? "\t" : "", aims[i].name);
}

void scores_show(const struct cc_path *p, const struct run_result *r)
{
    const double share = r->capacity_bps > 0 ? r->goodput_bps / r->capacity_bps : 0;

    for (size_t i = 0; i < sizeof aims / sizeof aims[0]; i++)
        printf("%s%.5f", i ? "\t" : "",
               tvl_objective_score(aims[i].objective, share, r->queue_mean_ms,
                                   (double)p->link.delay_ns * 2e-6, r->in_time));
}

static struct tvl_knowledge *read_knowledge(const char *file)
{
    struct tvl_knowledge *k = NULL;
    char *text = malloc(FILE_MAX), why[128] = "cannot read it";
    FILE *f = fopen(file, "rb");

    if (text && f)
        (void)tvl_knowledge_new(&k, text, fread(text, 1, FILE_MAX, f), why, sizeof why);
    if (f)
        fclose(f);
    free(text);
    if (!k)
        fprintf(stderr, "cc: %s: %s\n", file, why);
    return k;
}

static bool choose_one(const struct cc_path *p, const struct aim *aim,
                       const struct tvl_knowledge *k, uint64_t seed)
{
    const struct flow_job job = { .objective = aim->objective,
                                  .knowledge = k,
                                  .link = &p->link,
                                  .seed = seed,
                                  .span = p->span_s * 1000000u,
                                  .deadline = paths_deadline(p) };
    const struct run_result r = flow_run(&job);

    printf("%s\t%s\t%s\t%s\t%d\t%s\t%d\t%llu\t%llu\t%.0f\t%s\t%.4f\t%.3f\t", p->name, p->kind,
           p->variant, p->group, p->heldout, aim->name, r.whole, (unsigned long long)r.swaps,
           (unsigned long long)r.swaps_later, (double)(job.span ? job.span : FLOW_SPAN) / 1e6,
           r.cc ? r.cc : "-", r.capacity_bps > 0 ? r.goodput_bps / r.capacity_bps : 0,
           r.queue_mean_ms);
    scores_show(p, &r);
    printf("\n");
    fflush(stdout);
    return r.whole;
}

int choose_show(const struct cc_paths *paths, const struct choose_job *job)
{
    struct tvl_knowledge *k = job->knowledge ? read_knowledge(job->knowledge) : NULL;
    unsigned row = 0;
    int bad = 0;

    if (job->knowledge && !k)
        return 1;
    printf("path\tkind\tvariant\tgroup\theldout\tobjective\twhole\tswaps\tswaps_"
           "later\tseconds\tlast\tshare\tque"
           "ue_ms\t");
    scores_head();
    printf("\n");
    for (unsigned i = 0; i < paths->n; i++)
        for (size_t a = 0; a < sizeof aims / sizeof aims[0]; a++)
            if (paths_wanted(&paths->path[i], job->path) && row++ % job->parts == job->part)
                bad += !choose_one(&paths->path[i], &aims[a], k, job->seed);
    tvl_knowledge_free(k);
    return bad ? 1 : 0;
}

/* ---- a thin evaluation that can fail ---- */

#define CHECK_SPAN 15000000u /* us */
#define CHECK_SHARE 0.93     /* of the best of `rivals` on each path, mean: a run is short */

static const char *const check_paths[] = { "1mbit-60ms",  "jitter-10ms", "loss-1%",
                                           "loss-bursts", "deep-1s",     "shallow-10ms" };
static const char *const rivals[] = { "bbr", "copa", "cubic", "scream" };

enum {
    PATHS = sizeof check_paths / sizeof check_paths[0],
    RIVALS = sizeof rivals / sizeof rivals[0],
    AIMS = sizeof aims / sizeof aims[0]
};

static bool run_one(struct flow_job *job, const struct cc_path *p, uint64_t seed,
                    double score[AIMS])
{
    job->link = &p->link;
    job->seed = seed;
    job->span = CHECK_SPAN;
    job->deadline = paths_deadline(p);
    const struct run_result r = flow_run(job);

    for (size_t a = 0; a < AIMS; a++)
        score[a] = tvl_objective_score(aims[a].objective, r.goodput_bps / r.capacity_bps,
                                       r.queue_mean_ms, (double)p->link.delay_ns * 2e-6, r.in_time);
    return r.whole;
}

/* Sums over the paths: of the selector, of its share of the best, of every rival. */
struct tally {
    double own, share, rival[RIVALS];
};

static bool check_path(const struct cc_path *p, const struct tvl_knowledge *k, uint64_t seed,
                       struct tally t[AIMS])
{
    double best[AIMS] = { 0 }, score[AIMS];
    bool good = true;

    for (size_t i = 0; i < RIVALS; i++) {
        struct flow_job job = { .cc = rivals[i] };

        good = run_one(&job, p, seed, score) && good;
        for (size_t a = 0; a < AIMS; a++) {
            t[a].rival[i] += score[a];
            best[a] = score[a] > best[a] ? score[a] : best[a];
        }
    }
    for (size_t a = 0; a < AIMS; a++) {
        struct flow_job job = { .objective = aims[a].objective, .knowledge = k };

        good = run_one(&job, p, seed, score) && good;
        t[a].own += score[a];
        t[a].share += score[a] / best[a];
    }
    return good;
}

int choose_check(const struct cc_paths *paths, const struct choose_job *job)
{
    struct tvl_knowledge *k = read_knowledge(job->knowledge ? job->knowledge : "");
    struct tally t[AIMS] = { { .own = 0 } };
    bool good = k != NULL;

    for (size_t i = 0; good && i < PATHS; i++)
        good = check_path(paths_find(paths, check_paths[i]), k, job->seed, t);
    for (size_t a = 0; good && a < AIMS; a++) {
        printf("%-10s of the best %.3f, mean %.3f:", aims[a].name, t[a].share / PATHS,
               t[a].own / PATHS);
        for (size_t i = 0; i < RIVALS; i++)
            printf(" %s %.3f", rivals[i], t[a].rival[i] / PATHS);
        printf("\n");
    }
    for (size_t a = 0; a < AIMS; a++)
        for (size_t i = 0; i < RIVALS; i++)
            good = good && t[a].share >= CHECK_SHARE * PATHS && t[a].own > t[a].rival[i];
    tvl_knowledge_free(k);
    return good ? 0 : 1;
}
