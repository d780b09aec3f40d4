/*
 * bonding.c - the sum of the links, never less than the best one, and dead paths left in time.
 *
 *     bonding [share|live|profiles|death]...    these parts only (default: all)
 *     --seeds N    per figure [5]          --trials N    of death [100]
 *     --cc NAME, --sched NAME              instead of the library's defaults
 *     --check      exit 1 when a figure misses its demand
 *
 * All of it on virtual time over vlink's link core; the last line is one JSON object.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bonding.h"

#define LOSSY_CC "bbr" /* for links that lose packets without being full: decision 7 */
#define SHARE_BYTES 100000000u

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct spread spread_of(double *v, size_t n)
{
    if (n == 0)
        return (struct spread){ .median = 0 };
    qsort(v, n, sizeof *v, compare);
    return (struct spread){ .median = v[n / 2], .min = v[0], .max = v[n - 1] };
}

/* Stream bytes a second over the sum of the links' rates; `overhead` bytes are added per packet. */
static struct spread share(const struct plan *plan, uint32_t loss_ppm, uint32_t overhead)
{
    double v[PLAN_SEEDS_MAX];
    unsigned n = 0;

    for (; n < plan->seeds && n < PLAN_SEEDS_MAX; n++) {
        const struct net_config cfg = {
            .cc = plan->cc,
            .sched = plan->sched,
            .links = 2,
            .link = { { .rate_bps = 50 * MBIT, .delay_ns = 10 * MS, .queue_ns = 100 * MS },
                      { .rate_bps = 20 * MBIT, .delay_ns = 40 * MS, .queue_ns = 100 * MS } },
            .seed = n + 1,
            .pki = plan->pki,
        };
        struct net_config with = cfg;

        for (unsigned i = 0; i < 2; i++) {
            with.link[i].loss_ppm = loss_ppm;
            with.link[i].overhead_bytes = overhead;
        }
        const struct transferred r =
            transfer_run(&with, &(struct transfer){ .bytes = SHARE_BYTES, .limit = 600000000 });

        v[n] = r.goodput_bps / (70.0 * MBIT);
        if (plan->verbose)
            printf("  seed %u: %.3f, resent %.3f, %llu dropped by queues\n", n + 1, v[n],
                   r.resent_share, (unsigned long long)r.totals.queue_drops);
    }
    return spread_of(v, n);
}

enum part { PART_SHARE, PART_LIVE, PART_PROFILES, PART_DEATH, PARTS };

struct options {
    struct plan plan;
    bool check, part[PARTS];
};

static const char *const parts[PARTS] = { "share", "live", "profiles", "death" };

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "seeds", required_argument, NULL, 's' },
        { "trials", required_argument, NULL, 't' },
        { "cc", required_argument, NULL, 'c' },
        { "sched", required_argument, NULL, 'd' },
        { "check", no_argument, NULL, 'k' },
        { "verbose", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    int c;
    bool any = false;

    *o = (struct options){ .plan = { .seeds = 5, .trials = 100 } };
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o->plan.seeds = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 't':
            o->plan.trials = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'c':
            o->plan.cc = optarg;
            break;
        case 'd':
            o->plan.sched = optarg;
            break;
        case 'k':
            o->check = true;
            break;
        case 'v':
            o->plan.verbose = true;
            break;
        default:
            return 64;
        }
    }
    for (; optind < argc; optind++)
        for (unsigned i = 0; i < PARTS; i++)
            if (strcmp(argv[optind], parts[i]) == 0)
                any = o->part[i] = true;
    for (unsigned i = 0; i < PARTS; i++)
        o->part[i] = o->part[i] || !any;
    return 0;
}

static bool show_share(const struct plan *plan, FILE *json)
{
    static const struct {
        const char *key, *what;
        uint32_t loss_ppm, overhead;
        const char *cc; /* unless the command line names one; NULL: the library's default */
        double least;
    } rows[] = {
        { "bonding_share", "50 + 20 Mbit/s, no loss", 0, 0, NULL, 0.95 },
        { "bonding_share_loss1", "the same, 1 % loss on each", 10000, 0, LOSSY_CC, 0.85 },
        { "bonding_share_loss1_default", "the same, the default's", 10000, 0, NULL, 0 },
        { "bonding_share_ip", "no loss, links count IP and UDP headers", 0, VLINK_OVERHEAD_BYTES,
          NULL, 0 },
        { "bonding_share_loss1_ip", "1 % loss, links count IP and UDP headers", 10000,
          VLINK_OVERHEAD_BYTES, LOSSY_CC, 0 },
    };
    bool good = true;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan with = *plan;

        with.cc = plan->cc ? plan->cc : rows[i].cc;
        const struct spread s = share(&with, rows[i].loss_ppm, rows[i].overhead);

        printf("%-42s %-8s share of the sum %.3f (%.3f..%.3f)\n", rows[i].what,
               with.cc ? with.cc : "default", s.median, s.min, s.max);
        fprintf(json, "%s\"%s\": %.4f, \"%s_min\": %.4f, \"%s_max\": %.4f", i ? ", " : "",
                rows[i].key, s.median, rows[i].key, s.min, rows[i].key, s.max);
        good = good && s.median >= rows[i].least;
    }
    fprintf(json, ", \"bonding_loss1_cc\": \"%s\"", plan->cc ? plan->cc : LOSSY_CC);
    return good;
}

/* The deaths of the default, and of the controller for lossy links. */
static bool show_deaths(const struct plan *plan, FILE *json)
{
    struct plan lossy = *plan;
    const bool good = deaths_show(plan, "", json);

    if (plan->cc)
        return good;
    lossy.cc = LOSSY_CC;
    fprintf(json, ", ");
    printf("with " LOSSY_CC ": ");
    return deaths_show(&lossy, LOSSY_CC "_", json) && good;
}

static bool show_profiles(const struct plan *plan, FILE *json)
{
    const unsigned below = profiles_below_best(plan, json);

    fprintf(json, ", \"below_best_single\": %u", below);
    printf("%u of 16 profiles below the best single path\n", below);
    return below == 0;
}

static bool (*const show[PARTS])(const struct plan *plan, FILE *json) = { show_share, live_show,
                                                                          show_profiles,
                                                                          show_deaths };

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct options o;
    struct test_pki pki;
    char *text = NULL;
    size_t size = 0;
    const int bad = parse(&o, argc, argv);
    bool good = true;

    if (bad)
        return bad;
    FILE *json = open_memstream(&text, &size);
    if (!json || test_pki_init(&pki, &pc) != 0)
        return 1;
    o.plan.pki = &pki;
    for (unsigned i = 0; i < PARTS; i++) {
        if (!o.part[i])
            continue;
        fprintf(json, "%s", ftell(json) > 0 ? ", " : "");
        good = show[i](&o.plan, json) && good;
    }
    fclose(json);
    printf("{%s}\n", text);
    free(text);
    test_pki_fini(&pki);
    return good || !o.check ? 0 : 1;
}
