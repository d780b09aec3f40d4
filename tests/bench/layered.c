/*
 * layered.c - path schedulers under layered live video over recorded links (walks and drives),
 * against the best that could have been done.
 *
 *     layered [--traces DIR] [--cc NAME] [--sched NAME] [--group PART] [--load SHARE]
 *             [--rows FILE] [--calm] [--pairs] [--thick] [--alone] [--check]
 *
 * DIR holds Mahimahi traces (mm/NAME.mm) [../shared/traces]. Each group's links were measured at
 * the same time in the same place; one-way delays are half of the mean round trips of the ping
 * series recorded beside them. The stream has three spatial and two temporal layers, 30 pictures a
 * second, as much as SHARE [0.95] of the mean sum of the links; --thick: more of it is base layer;
 * --alone: nothing but the base layer is sent, which shows what no care for it could save.
 * All schedulers get the same units, the same rule for leaving some out, and the same controller
 * [copa, which keeps queues short]. --pairs: two of each drive's four links, instead of all.
 * --calm: only the links that are made up, which need no traces; --check: status 1 if layered does
 * not do there what it is for. The last line is one JSON object.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/sched.h>

#include "layered.h"

#define MS 1000000u /* ns */
#define SKIPPED 77  /* exit status: no traces */
/* --check */
#define CALM_UPPER 0.97
#define CALM_COPIED 0.05
#define ROUGH_BASE 0.995
#define ROUGH_UPPER 0.895
#define LEAD 1400000u    /* us; in the traces whole seconds differ: a sync is not to fall on them */
#define WARM_UP 2000000u /* us: the controllers begin */
#define QUEUE_MS 250u    /* a link's queue, at its mean rate, */
#define QUEUE_LEAST 65536u /* and at least so many bytes */

enum net_kind { WIFI, LTE, ATT, TMOBILE, VERIZON, STARLINK, KINDS };
static const unsigned delay_ms[KINDS] = { 10, 32, 54, 50, 32, 21 };

struct group { /* seconds [from, to) of recordings of the same time and place */
    const char *name;
    unsigned links, from_s, to_s, deadline_ms;
    struct {
        const char *trace;
        enum net_kind kind;
    } link[NET_LINKS_MAX];
};

#define WALK(id, part, from, to, d)         \
    {                                       \
        "sbu-" id part, 2, from, to, d,     \
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
        "satcell-" id, 4, 0, 60, d,                                                        \
        {                                                                                  \
            CAR(id, ATT, "att"), CAR(id, TMOBILE, "tmobile"), CAR(id, VERIZON, "verizon"), \
                CAR(id, STARLINK, "starlink")                                              \
        }                                                                                  \
    }
#define PAIR(id, d, a, x, b, y)                 \
    {                                           \
        "satcell-" id "-" x "+" y, 2, 0, 60, d, \
        {                                       \
            CAR(id, a, x), CAR(id, b, y)        \
        }                                       \
    }

/* No second of any recording is in two of them: the walks that are long enough give two each. */
static const struct group sections[] = {
    WALK("7_3", ":0-50", 0, 50, 300),  WALK("7_3", ":50-100", 50, 100, 300),
    WALK("8_5", ":0-50", 0, 50, 250),  WALK("8_5", ":50-100", 50, 100, 250),
    WALK("13_2", ":0-50", 0, 50, 400), WALK("13_2", ":50-100", 50, 100, 400),
    WALK("13_3", ":0-50", 0, 50, 300), WALK("13_3", ":50-100", 50, 100, 300),
    WALK("21_1", "", 0, 54, 400),      WALK("23_3", "", 0, 27, 300),
    DRIVE("0404-1131", 300),           DRIVE("0404-1403", 350),
    DRIVE("0411-1604", 300),           DRIVE("0412-1312", 400),
};

/* Two of a drive's four: the same seconds again, but not the same task. */
static const struct group pairs[] = {
    PAIR("0404-1131", 300, ATT, "att", VERIZON, "verizon"),
    PAIR("0404-1403", 300, TMOBILE, "tmobile", STARLINK, "starlink"),
    PAIR("0411-1604", 250, TMOBILE, "tmobile", VERIZON, "verizon"),
    PAIR("0412-1312", 300, VERIZON, "verizon", STARLINK, "starlink"),
};
#define SECTIONS (sizeof sections / sizeof sections[0])
#define PAIRS (sizeof pairs / sizeof pairs[0])

/* "single" is the best single path: the one of the highest mean rate, alone. */
static const char *const contenders[] = { "layered",  "minrtt", "ecf",       "roundrobin",
                                          "weighted", "blest",  "redundant", "single" };
#define CONTENDERS (sizeof contenders / sizeof contenders[0])

struct options {
    const char *traces, *cc, *sched, *group, *rows;
    double load;
    bool calm, pairs, thick, alone, check;
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

/* Milliseconds (from, to] of the trace become all there is. */
static void cut(struct vlink_trace *t, uint32_t from, uint32_t to)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        if (t->ms[i] > from && t->ms[i] <= to)
            t->ms[n++] = t->ms[i] - from;
    n -= n == t->n; /* one opportunity at the end says how long it is */
    t->ms[n] = to - from;
    t->n = n + 1;
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

static uint64_t seed_of(const char *name)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

static bool run_group(const struct options *o, const struct group *g, struct sum *sum, FILE *rows)
{
    struct vlink_trace trace[NET_LINKS_MAX] = { { .ms = NULL } };
    struct net_config links = { .links = g->links };
    struct feed f = { .deadline = g->deadline_ms * 1000,
                      .span =
                          (tvl_time)(g->to_s - g->from_s) * 1000000 - LEAD - g->deadline_ms * 1000,
                      .lead = LEAD,
                      .warm_up = WARM_UP,
                      .seed = seed_of(g->name),
                      .alone = o->alone,
                      .thick = o->thick };
    bool good = true;

    for (unsigned i = 0; i < g->links && good; i++) {
        good = load_trace(&trace[i], o->traces, g->link[i].trace);
        if (!good)
            break;
        cut(&trace[i], g->from_s * 1000, g->to_s * 1000);
        links.link[i] = link_over(&trace[i], g->link[i].kind);
        f.rate_bps += (uint64_t)(o->load * (double)mean_bps(&links.link[i]));
    }
    if (good)
        run_all(o, g->name, &links, &f, sum, rows);
    for (unsigned i = 0; i < g->links; i++)
        vlink_trace_fini(&trace[i]);
    return good;
}

static bool run_groups(const struct options *o, const struct group *g, size_t n, struct sum *sum,
                       FILE *rows)
{
    bool good = true;

    for (size_t i = 0; i < n && good; i++)
        if (!o->group || strstr(g[i].name, o->group))
            good = run_group(o, &g[i], sum, rows);
    return good;
}

/* ---- links that are made up ---- */

#define MADE_S 20

static const struct feed made_feed = {
    .deadline = 300000, .span = MADE_S * 1000000, .lead = LEAD, .warm_up = WARM_UP, .seed = 7
};

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
    struct feed f = made_feed;

    f.rate_bps = (uint64_t)(o->load * 0.8 * 18000000);
    f.thick = o->thick;
    run_all(o, "calm", &links, &f, sum, NULL);
}

/* Mbit/s by second, over and over: what one loses the other has, but nobody says when. */
static const double swings[2][5] = { { 18, 18, 1, 12, 18 }, { 5, 5, 6, 0.1, 6 } };

static bool make_trace(struct vlink_trace *t, const double *mbps, size_t seconds)
{
    double due = 0;

    *t = (struct vlink_trace){ .ms = calloc(seconds * 4000, sizeof *t->ms) };
    if (!t->ms)
        return false;
    for (uint32_t ms = 1; ms <= seconds * 1000; ms++)
        for (due += mbps[(ms - 1) / 1000] * 1000 / 8 / VLINK_TRACE_BYTES; due >= 1; due--)
            t->ms[t->n++] = ms;
    t->ms[t->n++] = (uint32_t)seconds * 1000;
    return true;
}

static void run_rough(const struct options *o, struct sum *sum)
{
    struct vlink_trace trace[2] = { { .ms = NULL } };
    struct net_config links = { .links = 2 };
    struct feed f = made_feed;

    f.thick = o->thick;
    for (unsigned i = 0; i < 2; i++)
        if (!make_trace(&trace[i], swings[i], 5))
            return;
    for (unsigned i = 0; i < 2; i++) {
        links.link[i] = link_over(&trace[i], i ? LTE : WIFI);
        f.rate_bps += (uint64_t)(o->load * (double)mean_bps(&links.link[i]));
    }
    run_all(o, "rough", &links, &f, sum, NULL);
    for (unsigned i = 0; i < 2; i++)
        vlink_trace_fini(&trace[i]);
}

/* ---- the figures ---- */

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "traces", required_argument, NULL, 't' }, { "cc", required_argument, NULL, 'c' },
        { "sched", required_argument, NULL, 's' },  { "group", required_argument, NULL, 'g' },
        { "load", required_argument, NULL, 'l' },   { "rows", required_argument, NULL, 'r' },
        { "calm", no_argument, NULL, 'q' },         { "pairs", no_argument, NULL, 'p' },
        { "thick", no_argument, NULL, 'k' },        { "alone", no_argument, NULL, 'a' },
        { "check", no_argument, NULL, 'x' },        { NULL, 0, NULL, 0 },
    };
    int c;

    *o = (struct options){ .traces = "../shared/traces", .cc = "copa", .load = 0.95 };
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
        else if (c == 'p')
            o->pairs = true;
        else if (c == 'k')
            o->thick = true;
        else if (c == 'a')
            o->alone = true;
        else if (c == 'x')
            o->check = true;
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

static void json(const struct sum *sum, const struct sum *calm, const struct sum *rough)
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
        printf("%s\"layered_copies_calm\": %.4f, \"base_in_time_share_rough\": %.5f", before,
               calm[0].copied / calm[0].n, ratio(rough[0].base_in_time, rough[0].base_units));
    else
        printf("%s", strcmp(before, "{") == 0 ? "{" : "");
    printf("}\n");
}

/* What the made-up links are to show, on any machine and without traces. */
static bool is_good(const struct sum *calm, const struct sum *rough)
{
    return calm->base_in_time == calm->base_units && calm->base_units > 0 &&
           calm->upper > CALM_UPPER && calm->copied < CALM_COPIED &&
           ratio(rough->base_in_time, rough->base_units) > ROUGH_BASE && rough->upper > ROUGH_UPPER;
}

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct sum sum[CONTENDERS] = { { .n = 0 } }, calm[CONTENDERS] = { { .n = 0 } };
    struct sum rough[CONTENDERS] = { { .n = 0 } };
    struct options o;
    struct test_pki pki;
    bool good = true;

    if (parse(&o, argc, argv) != 0)
        return 64;
    if (test_pki_init(&pki, &pc) != 0)
        return 1;
    o.pki = &pki;
    FILE *rows = o.rows ? fopen(o.rows, "w") : NULL;

    if (!o.group || o.calm) {
        run_calm(&o, calm);
        run_rough(&o, rough);
    }
    if (!o.calm)
        good = o.pairs ? run_groups(&o, pairs, PAIRS, sum, rows)
                       : run_groups(&o, sections, SECTIONS, sum, rows);
    if (!good)
        printf("skipped: no traces in %s, nothing measured over recorded links\n", o.traces);
    if (rows)
        fclose(rows);
    show(o.calm ? rough : sum);
    json(sum, calm, rough);
    test_pki_fini(&pki);
    if (o.check && !is_good(&calm[0], &rough[0]))
        return 1;
    return good ? 0 : SKIPPED;
}
