/*
 * learn.c - what every controller makes of the paths that knowledge may be built from, as records
 * of a knowledge file (libtvl/cc/knowledge.c): for each path its models, as each controller in use
 * saw them early and at the end, and then what each one made of it.
 */
#include <tvl/cc.h>

#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "verbs.h"

#define EARLY 2000000u /* us: when a selector first chooses, */
#define EARLY_ROUNDS 6 /* or so many round trips if they take longer */

/* A model is seen by these only: they are the best on average, and so in use when the others are
 * judged; what else sees is not far from what one of them does. */
static const char *const eyes[] = { "bbr", "copa", "scream" };

static unsigned long long whole(double v)
{
    return (unsigned long long)(v + 0.5);
}

static void put_model(const char *cc, const struct tvl_path_model *m)
{
    bool wanted = false;

    for (size_t i = 0; i < sizeof eyes / sizeof eyes[0]; i++)
        wanted = wanted || strcmp(cc, eyes[i]) == 0;
    if (!wanted || m->rtt_min == 0 || m->capacity_bps == 0)
        return;
    printf("path %s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu\n", cc,
           (unsigned long long)m->capacity_bps, (unsigned long long)m->rtt_min,
           (unsigned long long)m->jitter, whole(m->loss * 1e6), whole(m->loss_burst * 1e3),
           whole(m->loss_congestive * 1e6), (unsigned long long)m->buffer,
           (unsigned long long)m->aggregation, whole(m->marked * 1e6), whole(m->change * 1e6));
}

static void put_result(const char *cc, const struct run_result *r)
{
    printf("cc %s %llu %llu", cc, whole(r->goodput_bps), whole(r->queue_mean_ms * 1e3));
    for (unsigned i = 0; i < FLOW_WAITS; i++)
        printf(" %llu", whole(r->within[i] * 1e3));
    printf("\n");
}

static bool learn_one(const struct cc_path *p, uint64_t seed)
{
    struct run_result r[TVL_SELECT_MAX];
    const tvl_time rounds = EARLY_ROUNDS * 2 * p->link.delay_ns / 1000;
    unsigned n = 0;
    bool good = true;

    for (; tvl_cc_all[n] && n < TVL_SELECT_MAX; n++) {
        const struct flow_job job = { .cc = tvl_cc_all[n]->name,
                                      .link = &p->link,
                                      .seed = seed,
                                      .span = p->span_s * 1000000u,
                                      .model_at = { rounds > EARLY ? rounds : EARLY } };

        r[n] = flow_run(&job);
        good = good && r[n].whole;
    }
    printf("# %s\n", p->name);
    for (unsigned i = 0; i < n; i++) {
        put_model(tvl_cc_all[i]->name, &r[i].model_at[0]);
        put_model(tvl_cc_all[i]->name, &r[i].model);
    }
    for (unsigned i = 0; i < n; i++)
        put_result(tvl_cc_all[i]->name, &r[i]);
    fflush(stdout);
    return good;
}

int learn_show(const struct cc_paths *paths, uint64_t seed, unsigned part, unsigned parts)
{
    unsigned row = 0;
    int bad = 0;

    for (unsigned i = 0; i < paths->n; i++) {
        const struct cc_path *p = &paths->path[i];

        if (p->heldout || (p->group[0] == '\0' && strcmp(p->kind, "grid") != 0))
            continue;
        if (row++ % parts == part && !learn_one(p, seed)) {
            fprintf(stderr, "learn: a transfer over %s was not whole\n", p->name);
            bad++;
        }
    }
    return bad ? 1 : 0;
}
