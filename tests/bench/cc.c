/*
 * cc.c - controllers over paths, on virtual time: a row of tab-separated figures for each.
 *
 *     cc paths [--traces DIR]    which there are
 *     cc table [--cc NAME] [--path NAME] [--traces DIR] [--part K/N]
 *     cc response [--thin]      windows against the published response functions
 *     cc swap         ten changes of the controller in one transfer; fails above 5 %
 *     cc step         an application that sends less, then more; fails where units come late
 *     cc choose [--knowledge FILE] [--path NAME] [--traces DIR] [--part K/N]    the selector
 *     cc choose --thin --knowledge FILE       over a few; fails if it is not worth its while
 *     cc learn [--traces DIR] [--part K/N] [--seed N]    records of a knowledge file
 *     cc model        what the path model says of links whose truth is known
 *     cc window --cc NAME --path NAME [--every MS]       the sender's state over time
 *
 * cc.py runs it on all cores and makes the report. --part K/N does every Nth row, beginning at K.
 */
#include <tvl/cc.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "paths.h"
#include "response.h"
#include "verbs.h"

struct options {
    const char *cc, *path, *traces, *knowledge;
    unsigned part, parts, every_ms;
    uint64_t seed;
    bool thin;
};

static void show_model(const char *cc, const struct tvl_path_model *m)
{
    struct tvl_prediction p = { .rate_bps = 0 };

    (void)tvl_predict(cc, m, 1452, &p);
    printf("\t%llu\t%.3f\t%.3f\t%.3f\t%.5f\t%.3f\t%.2f\t%.3f\t%.3f\t%llu\t%.3f\t",
           (unsigned long long)m->capacity_bps, (double)m->rtt_min / 1e3, (double)m->buffer / 1e3,
           (double)m->jitter / 1e3, m->loss, m->loss_congestive, m->loss_burst, m->change,
           (double)m->aggregation / 1e3, (unsigned long long)p.rate_bps, (double)p.queue / 1e3);
}

static int do_table(const struct options *o, const struct cc_paths *paths)
{
    unsigned row = 0;
    int bad = 0;

    /* what was changed of a recorded link is there for the selector to be judged by */
    printf("path\tkind\tvariant\theldout\tcc\twhole\tgoodput_bps\tcapacity_bps\tqueue_mean_"
           "ms\tqueue_p95_ms\t"
           "loss\tmarked\trtt_ms\tin_time\tmodel_capacity_bps\t"
           "model_rtt_min_ms\tmodel_buffer_ms\tmodel_jitter_ms\tmodel_loss\tmodel_congestive\t"
           "model_burst\tmodel_change\tmodel_gap_ms\tpredicted_bps\tpredicted_queue_ms\t");
    scores_head();
    printf("\n");
    for (unsigned i = 0; i < paths->n; i++)
        for (unsigned k = 0; tvl_cc_all[k]; k++) {
            const struct cc_path *p = &paths->path[i];
            const struct flow_job job = { .cc = tvl_cc_all[k]->name,
                                          .link = &p->link,
                                          .seed = o->seed,
                                          .span = p->span_s * 1000000u,
                                          .deadline = paths_deadline(p) };

            if ((o->cc && strcmp(o->cc, job.cc) != 0) || !paths_wanted(p, o->path) ||
                (!o->path && p->variant[0] && !p->heldout))
                continue;
            if (row++ % o->parts != o->part)
                continue;
            const struct run_result r = flow_run(&job);

            bad = bad || !r.whole;
            printf("%s\t%s\t%s\t%d\t%s\t%d\t%.0f\t%.0f\t%.3f\t%.3f\t%.6f\t%.6f\t%.3f\t%.5f",
                   p->name, p->kind, p->variant, p->heldout, job.cc, r.whole, r.goodput_bps,
                   r.capacity_bps, r.queue_mean_ms, r.queue_p95_ms, r.loss, r.marked,
                   (double)p->link.delay_ns * 2e-6, r.in_time);
            show_model(job.cc, &r.model);
            scores_show(p, &r);
            printf("\n");
            fflush(stdout);
        }
    return bad;
}

static void show_sample(void *user, const struct flow_sample *s)
{
    (void)user;
    printf("%.3f\t%llu\t%llu\t%.3f\t%.3f\t%llu\t%llu\n", (double)s->at / 1e6,
           (unsigned long long)s->cwnd, (unsigned long long)s->in_flight, (double)s->srtt / 1e3,
           (double)s->queue / 1e3, (unsigned long long)s->goodput_bps, (unsigned long long)s->lost);
}

static int do_window(const struct options *o, const struct cc_paths *paths)
{
    const struct cc_path *p = paths_find(paths, o->path ? o->path : "");

    if (!o->cc || !tvl_cc_find(o->cc) || !p) {
        fprintf(stderr, "cc: window wants --cc NAME and --path NAME that exist\n");
        return 64;
    }
    const struct flow_job job = { .cc = o->cc,
                                  .link = &p->link,
                                  .seed = o->seed,
                                  .span = p->span_s * 1000000u,
                                  .every = o->every_ms * 1000u,
                                  .sample = show_sample };

    printf("t_s\tcwnd\tin_flight\tsrtt_ms\tqueue_ms\tgoodput_bps\tlost\n");
    return flow_run(&job).whole ? 0 : 1;
}

static void show_ratio(const struct response_job *job, const struct response *r)
{
    printf("%s\t%.5f\t%.0f\t%d\t%.2f\t%.2f\t%.3f\n", job->cc, job->p, (double)job->rtt / 1e3,
           job->marks, r->window, r->formula, r->ratio);
    fflush(stdout);
}

static int do_response(const struct options *o, const struct cc_paths *paths)
{
    struct response_spread s;

    (void)paths;
    printf("cc\tp\trtt_ms\tmarks\twindow\tformula\tratio\n");
    if (!response_grid(o->thin, show_ratio, &s))
        return 1;
    fprintf(stderr, "ratio to the formula: least %.3f (%s), most %.3f (%s)\n", s.min, s.min_cc,
            s.max, s.max_cc);
    return s.min >= 0.8 && s.max <= 1.25 ? 0 : 1;
}

static int do_swap(const struct options *o, const struct cc_paths *paths)
{
    (void)paths;
    return swap_show(o->seed);
}

static int do_step(const struct options *o, const struct cc_paths *paths)
{
    (void)paths;
    return step_show(o->seed);
}

static int do_learn(const struct options *o, const struct cc_paths *paths)
{
    return learn_show(paths, o->seed, o->part, o->parts);
}

static int do_choose(const struct options *o, const struct cc_paths *paths)
{
    const struct choose_job job = { o->knowledge, o->path, o->seed, o->part, o->parts };

    return o->thin ? choose_check(paths, &job) : choose_show(paths, &job);
}

static int do_paths(const struct options *o, const struct cc_paths *paths)
{
    printf("path\tkind\tvariant\tgroup\theldout\n");
    for (unsigned i = 0; i < paths->n; i++)
        if (paths_wanted(&paths->path[i], o->path))
            printf("%s\t%s\t%s\t%s\t%d\n", paths->path[i].name, paths->path[i].kind,
                   paths->path[i].variant, paths->path[i].group, paths->path[i].heldout);
    return 0;
}

static int do_model(const struct options *o, const struct cc_paths *paths)
{
    return truth_show(paths, o->seed);
}

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "cc", required_argument, NULL, 'c' },
        { "path", required_argument, NULL, 'p' },
        { "traces", required_argument, NULL, 't' },
        { "part", required_argument, NULL, 'k' },
        { "every", required_argument, NULL, 'e' },
        { "seed", required_argument, NULL, 's' },
        { "knowledge", required_argument, NULL, 'w' },
        { "thin", no_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    *o = (struct options){ .parts = 1, .every_ms = 20, .seed = 1 };
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->cc = optarg;
            break;
        case 'p':
            o->path = optarg;
            break;
        case 't':
            o->traces = optarg;
            break;
        case 'w':
            o->knowledge = optarg;
            break;
        case 'e':
            o->every_ms = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            o->seed = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            o->thin = true;
            break;
        case 'k':
            if (sscanf(optarg, "%u/%u", &o->part, &o->parts) != 2 || o->parts == 0)
                return 64;
            break;
        default:
            return 64;
        }
    }
    return optind == argc - 1 ? 0 : 64;
}

int main(int argc, char **argv)
{
    static const struct verb {
        const char *name;
        int (*run)(const struct options *o, const struct cc_paths *paths);
    } verbs[] = { { "paths", do_paths }, { "table", do_table },       { "window", do_window },
                  { "swap", do_swap },   { "response", do_response }, { "step", do_step },
                  { "model", do_model }, { "learn", do_learn },       { "choose", do_choose } };
    struct options o;
    struct cc_paths paths;
    int status = 64;

    if (parse(&o, argc, argv) != 0) {
        fprintf(stderr,
                "usage: cc paths|table|window|response|swap|step|model|learn|choose [--thin] "
                "[--cc NAME] [--path NAME] [--traces DIR] [--knowledge FILE] "
                "[--part K/N] [--every MS] [--seed N]\n");
        return 64;
    }
    if (!paths_init(&paths, o.traces) ||
        (strcmp(argv[optind], "learn") == 0 && !paths_add_grid(&paths, o.seed))) {
        paths_fini(&paths);
        return 1;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[optind], verbs[i].name) == 0)
            status = verbs[i].run(&o, &paths);
    paths_fini(&paths);
    return status;
}
