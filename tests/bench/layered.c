/*
 * layered.c - path schedulers under layered live video over recorded links (walks and drives),
 * against the best that could have been done.
 *
 *     layered [--traces DIR] [--cc NAME] [--sched NAME] [--group PART] [--load SHARE]
 *             [--rows FILE] [--calm]
 *
 * DIR holds Mahimahi traces (mm/NAME.mm) [../shared/traces]. Each group's links were measured at
 * the same time in the same place; one-way delays are half of the mean round trips of the ping
 * series recorded beside them. The stream has three spatial and two temporal layers, 30 pictures a
 * second, as much as SHARE [0.95] of the mean sum of the links. All schedulers get the same units,
 * the same rule for leaving some out, and the same controller [cubic]. --calm: only the links that
 * are made up, which need no traces. The last line is one JSON object.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/sched.h>

#include "layered.h"

#define MS 1000000u      /* ns */
#define LEAD 1400000u    /* us; in the traces whole seconds differ: a sync is not to fall on them */
#define WARM_UP 2000000u /* us: the controllers begin */
#define SPAN_MAX 60000000u
#define QUEUE_MS 250u      /* a link's queue, at its mean rate, */
#define QUEUE_LEAST 65536u /* and at least so many bytes */

enum net_kind { WIFI, LTE, ATT, TMOBILE, VERIZON, STARLINK, KINDS };
static const unsigned delay_ms[KINDS] = { 10, 32, 54, 50, 32, 21 };

struct group {
    const char *name;
    unsigned links, span_s, deadline_ms;
    struct {
        const char *trace;
        enum net_kind kind;
    } link[NET_LINKS_MAX];
};

#define WALK(id, s, d)                      \
    {                                       \
        "sbu-" id, 2, s, d,                 \
        {                                   \
            { "sbu-" id "-cellular", LTE }, \
            {                               \
                "sbu-" id "-wifi", WIFI     \
            }                               \
        }                                   \
    }
#define CAR(id, kind, what)          \
    {                                \
        "satcell-" id "-" what, kind \
    }
#define DRIVE(id, d)                                                                       \
    {                                                                                      \
        "satcell-" id, 4, 60, d,                                                           \
        {                                                                                  \
            CAR(id, ATT, "att"), CAR(id, TMOBILE, "tmobile"), CAR(id, VERIZON, "verizon"), \
                CAR(id, STARLINK, "starlink")                                              \
        }                                                                                  \
    }
#define PAIR(id, d, a, x, b, y)              \
    {                                        \
        "satcell-" id "-" x "+" y, 2, 60, d, \
        {                                    \
            CAR(id, a, x), CAR(id, b, y)     \
        }                                    \
    }

static const struct group groups[] = {
    WALK("7_3", 60, 300),
    WALK("8_5", 60, 250),
    WALK("13_2", 60, 400),
    WALK("13_3", 60, 300),
    WALK("21_1", 52, 400),
    WALK("23_3", 25, 300),
    DRIVE("0404-1131", 300),
    DRIVE("0404-1403", 350),
    DRIVE("0411-1604", 300),
    DRIVE("0412-1312", 400),
    PAIR("0404-1131", 300, ATT, "att", VERIZON, "verizon"),
    PAIR("0404-1403", 300, TMOBILE, "tmobile", STARLINK, "starlink"),
    PAIR("0411-1604", 250, TMOBILE, "tmobile", VERIZON, "verizon"),
    PAIR("0412-1312", 300, VERIZON, "verizon", STARLINK, "starlink"),
};
#define GROUPS (sizeof groups / sizeof groups[0])

/* "single" is the best single path: the one of the highest mean rate, alone. */
static const char *const contenders[] = { "layered",  "minrtt", "ecf",       "roundrobin",
                                          "weighted", "blest",  "redundant", "single" };
#define CONTENDERS (sizeof contenders / sizeof contenders[0])

struct options {
    const char *traces, *cc, *sched, *group, *rows;
    double load;
    bool calm;
    const struct test_pki *pki;
};

struct sum { /* of one scheduler over the groups */
    uint64_t base_units, base_in_time;
    double upper; /* sum of shares of the oracle's */
    double base_least, upper_least;
    double copied; /* sum of shares of bytes */
    unsigned n;
};

/* ---- links ---- */

static bool load_trace(struct vlink_trace *t, const char *dir, const char *name)
{
    char path[512], why[128] = "";
    char *text = NULL;
    size_t len = 0;
    bool good = false;

    snprintf(path, sizeof path, "%s/mm/%s.mm", dir, name);
    FILE *file = fopen(path, "r");

    if (!file) {
        fprintf(stderr, "layered: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 0) {
        len = (size_t)ftell(file);
        rewind(file);
        text = malloc(len);
        good = text && fread(text, 1, len, file) == len &&
               vlink_trace_parse(t, text, len, why, sizeof why) == 0;
    }
    if (!good)
        fprintf(stderr, "layered: %s: %s\n", path, why);
    free(text);
    fclose(file);
    return good;
}

static uint64_t mean_bps(const struct vlink_config *c)
{
    return c->trace ? vlink_trace_mean_bps(c->trace) : c->rate_bps;
}

static struct vlink_config link_over(const struct vlink_trace *t, enum net_kind kind)
{
    const uint64_t queue = vlink_trace_mean_bps(t) / 8000 * QUEUE_MS;

    return (struct vlink_config){ .trace = t,
                                  .delay_ns = (uint64_t)delay_ms[kind] * MS,
                                  .queue_bytes = queue > QUEUE_LEAST ? queue : QUEUE_LEAST,
                                  .overhead_bytes = VLINK_OVERHEAD_BYTES };
}

static unsigned best_link(const struct net_config *cfg)
{
    unsigned best = 0;

    for (unsigned i = 1; i < cfg->links; i++)
        if (mean_bps(&cfg->link[i]) > mean_bps(&cfg->link[best]))
            best = i;
    return best;
}

/* ---- one scheduler on one set of links ---- */

static struct fed contend(const struct options *o, const struct net_config *links,
                          const struct feed *f, const struct oracle *oracle, const char *name)
{
    struct net_config cfg = *links;
    const bool single = strcmp(name, "single") == 0;

    cfg.cc = o->cc;
    cfg.sched = single ? "minrtt" : name;
    cfg.seed = f->seed;
    cfg.pki = o->pki;
    if (single)
        cfg.skip = ~(UINT64_C(1) << best_link(links));
    return feed_run(&cfg, f, oracle);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 1;
}

static void add(struct sum *s, const struct fed *r, const struct oracle *oracle)
{
    const double base = ratio(r->base_in_time, r->base_units);
    const double upper = ratio(r->upper_in_time, oracle->upper_bytes);

    if (s->n++ == 0)
        s->base_least = s->upper_least = 1;
    s->base_units += r->base_units;
    s->base_in_time += r->base_in_time;
    s->upper += upper;
    s->base_least = base < s->base_least ? base : s->base_least;
    s->upper_least = upper < s->upper_least ? upper : s->upper_least;
    s->copied += ratio(r->copied, r->sent + r->copied);
}

static void say(const char *group, const char *name, const struct fed *r,
                const struct oracle *oracle, FILE *rows)
{
    const double base = ratio(r->base_in_time, r->base_units);
    const double upper = ratio(r->upper_in_time, oracle->upper_bytes);
    const double copied = ratio(r->copied, r->sent + r->copied);

    printf("  %-11s base in time %.4f (%llu of %llu missed)  upper %.3f of the oracle's  "
           "sent again %.3f%s\n",
           name, base, (unsigned long long)(r->base_units - r->base_in_time),
           (unsigned long long)r->base_units, upper, copied, r->whole ? "" : "  BROKEN OFF");
    fflush(stdout);
    if (rows)
        fprintf(rows, "%s,%s,%.5f,%.5f,%.5f\n", group, name, base, upper, copied);
}

static void run_all(const struct options *o, const char *group, const struct net_config *links,
                    const struct feed *f, struct sum *sum, FILE *rows)
{
    static struct oracle oracle; /* large */

    oracle_ask(&oracle, f, links->link, links->links);
    printf("%s: %u links, %.1f Mbit/s for %.0f s, %llu ms; some link carries %llu of %llu base "
           "units, %.1f Mbit/s of upper layers fit\n",
           group, links->links, (double)f->rate_bps / 1e6, (double)f->span / 1e6,
           (unsigned long long)f->deadline / 1000, (unsigned long long)oracle.base_could,
           (unsigned long long)oracle.base_units, (double)oracle.upper_bytes * 8 / (double)f->span);
    for (size_t i = 0; i < CONTENDERS; i++) {
        if (o->sched && strcmp(o->sched, contenders[i]) != 0)
            continue;
        const struct fed r = contend(o, links, f, &oracle, contenders[i]);

        say(group, contenders[i], &r, &oracle, rows);
        add(&sum[i], &r, &oracle);
    }
}

static bool run_group(const struct options *o, size_t at, struct sum *sum, FILE *rows)
{
    const struct group *g = &groups[at];
    struct vlink_trace trace[NET_LINKS_MAX] = { { .ms = NULL } };
    struct net_config links = { .links = g->links };
    struct feed f = { .deadline = g->deadline_ms * 1000,
                      .span = (tvl_time)g->span_s * 1000000,
                      .lead = LEAD,
                      .warm_up = WARM_UP,
                      .seed = at + 1 };
    bool good = true;

    if (f.span > SPAN_MAX - LEAD)
        f.span = SPAN_MAX - LEAD;
    for (unsigned i = 0; i < g->links && good; i++) {
        good = load_trace(&trace[i], o->traces, g->link[i].trace);
        if (good)
            links.link[i] = link_over(&trace[i], g->link[i].kind);
        f.rate_bps += good ? (uint64_t)(o->load * (double)mean_bps(&links.link[i])) : 0;
    }
    if (good)
        run_all(o, g->name, &links, &f, sum, rows);
    for (unsigned i = 0; i < g->links; i++)
        vlink_trace_fini(&trace[i]);
    return good;
}

/* ---- links that are made up ---- */

static void run_calm(const struct options *o, struct sum *sum)
{
    const struct net_config links = {
        .links = 2,
        .link = { { .rate_bps = 12000000,
                    .delay_ns = 15 * MS,
                    .jitter_ns = 2 * MS,
                    .loss_ppm = 1000,
                    .queue_ns = QUEUE_MS * MS,
                    .overhead_bytes = VLINK_OVERHEAD_BYTES },
                  { .rate_bps = 6000000,
                    .delay_ns = 35 * MS,
                    .jitter_ns = 3 * MS,
                    .loss_ppm = 1000,
                    .queue_ns = QUEUE_MS * MS,
                    .overhead_bytes = VLINK_OVERHEAD_BYTES } },
    };
    const struct feed f = { .rate_bps = (uint64_t)(o->load * 0.8 * 18000000),
                            .deadline = 300000,
                            .span = 20000000,
                            .lead = LEAD,
                            .warm_up = WARM_UP,
                            .seed = 7 };

    run_all(o, "calm", &links, &f, sum, NULL);
}

/* ---- the figures ---- */

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "traces", required_argument, NULL, 't' }, { "cc", required_argument, NULL, 'c' },
        { "sched", required_argument, NULL, 's' },  { "group", required_argument, NULL, 'g' },
        { "load", required_argument, NULL, 'l' },   { "rows", required_argument, NULL, 'r' },
        { "calm", no_argument, NULL, 'q' },         { NULL, 0, NULL, 0 },
    };
    int c;

    *o = (struct options){ .traces = "../shared/traces", .load = 0.95 };
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 't')
            o->traces = optarg;
        else if (c == 'c')
            o->cc = optarg;
        else if (c == 's')
            o->sched = optarg;
        else if (c == 'g')
            o->group = optarg;
        else if (c == 'l')
            o->load = strtod(optarg, NULL);
        else if (c == 'r')
            o->rows = optarg;
        else if (c == 'q')
            o->calm = true;
        else
            return 64;
    }
    return 0;
}

static void show(const struct sum *sum)
{
    printf("%-11s %12s %9s %13s %9s %10s\n", "scheduler", "base in time", "least", "upper/oracle",
           "least", "sent again");
    for (size_t i = 0; i < CONTENDERS; i++) {
        const struct sum *s = &sum[i];

        if (s->n > 0)
            printf("%-11s %12.5f %9.4f %13.3f %9.3f %10.3f\n", contenders[i],
                   ratio(s->base_in_time, s->base_units), s->base_least, s->upper / s->n,
                   s->upper_least, s->copied / s->n);
    }
}

static void json(const struct sum *sum, const struct sum *calm)
{
    const char *before = "{";

    for (size_t i = 0; i < CONTENDERS; i++) {
        const struct sum *s = &sum[i];

        if (s->n == 0)
            continue;
        const double base = ratio(s->base_in_time, s->base_units);

        if (i == 0)
            printf("%s\"base_in_time_share\": %.5f, \"layered_oracle_share\": %.4f, "
                   "\"layered_groups\": %u",
                   before, base, s->upper / s->n, s->n);
        else
            printf("%s\"base_in_time_share_%s\": %.5f, \"oracle_share_%s\": %.4f", before,
                   contenders[i], base, contenders[i], s->upper / s->n);
        before = ", ";
    }
    if (calm[0].n > 0)
        printf("%s\"layered_copies_calm\": %.4f", before, calm[0].copied / calm[0].n);
    else
        printf("%s", strcmp(before, "{") == 0 ? "{" : "");
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct sum sum[CONTENDERS] = { { .n = 0 } }, calm[CONTENDERS] = { { .n = 0 } };
    struct options o;
    struct test_pki pki;
    bool good = true;

    if (parse(&o, argc, argv) != 0)
        return 64;
    if (test_pki_init(&pki, &pc) != 0)
        return 1;
    o.pki = &pki;
    FILE *rows = o.rows ? fopen(o.rows, "w") : NULL;

    if (!o.group || o.calm)
        run_calm(&o, calm);
    for (size_t i = 0; i < GROUPS && !o.calm && good; i++)
        if (!o.group || strstr(groups[i].name, o.group))
            good = run_group(&o, i, sum, rows);
    if (!good)
        printf("no traces in %s: nothing measured there\n", o.traces);
    if (rows)
        fclose(rows);
    show(o.calm ? calm : sum);
    json(sum, calm);
    test_pki_fini(&pki);
    return good ? 0 : 1;
}
