/*
 * main.c - tvl-sim: run scenarios under seeds.
 *
 *     tvl-sim                                  every scenario under seed 1
 *     tvl-sim --scenario death --seed 7        one run; --log FILE writes what happened
 *     tvl-sim --scenario death --count 200     seeds 1..200; a failing one prints its replay
 *     ... --twice                              each run again: the same events, or it fails
 *     ... --share 0.85                         fail below this goodput share
 *
 *     tvl-sim --swarm --seed 7                 a world drawn from the seed; --log FILE
 *     tvl-sim --swarm --count 10000 --jobs 2   seeds 1..10000 in two processes
 *     ... --without loss --without nat         without these faults; --faults lists them
 *     ... --shrink                             which faults does this failure need?
 *     ... --stop US                            end there, with the state in the log
 *     ... --report FILE                        JSON
 */
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "world.h"

struct options {
    const char *scenario, *log, *report;
    uint64_t seed, count, without, stop;
    unsigned jobs;
    bool twice, swarm, shrink, faults;
    double share;
};

static int add_without(struct options *o, const char *name)
{
    for (int f = 0; f < SWARM_FAULTS; f++)
        if (strcmp(swarm_fault_name[f], name) == 0) {
            o->without |= SWARM_BIT(f);
            return 0;
        }
    fprintf(stderr, "tvl-sim: no fault \"%s\"; --faults lists them\n", name);
    return 64;
}

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "scenario", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' },
        { "count", required_argument, NULL, 'n' },    { "log", required_argument, NULL, 'l' },
        { "twice", no_argument, NULL, 't' },          { "share", required_argument, NULL, 'g' },
        { "swarm", no_argument, NULL, 'w' },          { "jobs", required_argument, NULL, 'j' },
        { "without", required_argument, NULL, 'x' },  { "shrink", no_argument, NULL, 'k' },
        { "faults", no_argument, NULL, 'f' },         { "report", required_argument, NULL, 'o' },
        { "stop", required_argument, NULL, 'u' },     { NULL, 0, NULL, 0 },
    };
    int c;

    *o = (struct options){ .seed = 1, .count = 1, .jobs = 1 };
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o->scenario = optarg;
            break;
        case 'r':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            o->count = strtoull(optarg, NULL, 0);
            break;
        case 'l':
            o->log = optarg;
            break;
        case 't':
            o->twice = true;
            break;
        case 'g':
            o->share = strtod(optarg, NULL);
            break;
        case 'w':
            o->swarm = true;
            break;
        case 'j':
            o->jobs = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'x':
            if (add_without(o, optarg) != 0)
                return 64;
            break;
        case 'k':
            o->shrink = true;
            break;
        case 'f':
            o->faults = true;
            break;
        case 'u':
            o->stop = strtoull(optarg, NULL, 0);
            break;
        case 'o':
            o->report = optarg;
            break;
        default:
            return 64;
        }
    }
    if (o->jobs < 1 || o->jobs > JOBS_MAX)
        return 64;
    if (o->scenario && !sim_find(o->scenario)) {
        fprintf(stderr, "tvl-sim: no scenario \"%s\"\n", o->scenario);
        return 64;
    }
    return 0;
}

static bool run_one(const struct options *o, const struct sim_scenario *s, uint64_t seed,
                    const struct test_pki *pki)
{
    struct sim_result r, again;
    FILE *log = o->log ? fopen(o->log, "w") : NULL;

    sim_run(s, seed, pki, log, &r);
    if (log)
        fclose(log);
    if (r.ok && o->twice) {
        sim_run(s, seed, pki, NULL, &again);
        if (again.hash != r.hash) {
            r.ok = false;
            (void)snprintf(r.why, sizeof r.why, "a second run differs");
        }
    }
    if (r.ok && r.goodput_share < o->share) {
        r.ok = false;
        (void)snprintf(r.why, sizeof r.why, "goodput is %.3f of the links' sum", r.goodput_share);
    }
    if (!r.ok)
        printf("FAIL %s: %s\n     replay: tvl-sim --scenario %s --seed %" PRIu64 " --log sim.log\n",
               s->name, r.why, s->name, seed);
    else if (o->count == 1)
        printf("ok   %-16s seed %" PRIu64 "  %7.3f s  %" PRIu64 " bytes  share %.3f  %" PRIu64
               " datagrams, %" PRIu64 " lost  %016" PRIx64 "\n",
               s->name, seed, (double)r.time / 1e6, r.bytes, r.goodput_share, r.datagrams, r.lost,
               r.hash);
    return r.ok;
}

/* The same violation, whatever its numbers. */
static bool same_kind(const char *a, const char *b)
{
    for (;;) {
        while (isxdigit((unsigned char)*a))
            a++;
        while (isxdigit((unsigned char)*b))
            b++;
        if (*a != *b || !*a)
            return *a == *b;
        a++;
        b++;
    }
}

/* Leave out one fault after the other as long as the seed still fails in the same way. */
static uint64_t shrink(const struct options *o, const struct test_pki *pki)
{
    struct swarm_order order = { .seed = o->seed, .without = o->without, .pki = pki };
    struct swarm_result r, last;

    swarm_run(&order, &last);
    for (int f = 0; f < SWARM_FAULTS && !last.ok; f++) {
        if (!(last.drawn >> f & 1))
            continue;
        order.without |= SWARM_BIT(f);
        swarm_run(&order, &r);
        if (r.ok || !same_kind(r.why, last.why))
            order.without &= ~SWARM_BIT(f);
        else
            last = r;
    }
    if (last.ok)
        printf("seed %" PRIu64 " does not fail\n", o->seed);
    else
        printf("needs:");
    for (int f = 0; f < SWARM_FAULTS; f++)
        if (!last.ok && last.drawn >> f & 1)
            printf(" %s", swarm_fault_name[f]);
    printf("\n");
    return order.without;
}

static int run_swarm(const struct options *o, const struct test_pki *pki)
{
    struct jobs_config c = { .first = o->seed,
                             .count = o->count,
                             .without = o->without,
                             .jobs = o->jobs,
                             .twice = o->twice,
                             .progress = true,
                             .report = o->report,
                             .stop_at = o->stop,
                             .log = o->count == 1 ? o->log : NULL };

    if (o->shrink)
        c.without = shrink(o, pki);
    return jobs_run(&c, pki) ? 1 : 0;
}

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct options o;
    struct test_pki pki;
    uint64_t failed = 0, runs = 0;
    const int bad = parse(&o, argc, argv);

    if (bad)
        return bad;
    for (int f = 0; f < SWARM_FAULTS && o.faults; f++)
        printf("%s\n", swarm_fault_name[f]);
    if (o.faults)
        return 0;
    if (test_pki_init(&pki, &pc) != 0) {
        fprintf(stderr, "tvl-sim: cannot make certificates\n");
        return 1;
    }
    if (o.swarm) {
        const int r = run_swarm(&o, &pki);

        test_pki_fini(&pki);
        return r;
    }
    for (const struct sim_scenario *s = sim_scenarios; s->name; s++) {
        if (o.scenario && strcmp(o.scenario, s->name) != 0)
            continue;
        for (uint64_t seed = o.seed; seed < o.seed + o.count; seed++, runs++)
            failed += !run_one(&o, s, seed, &pki);
    }
    test_pki_fini(&pki);
    printf("%" PRIu64 " runs, %" PRIu64 " failed\n", runs, failed);
    return failed ? 1 : 0;
}
