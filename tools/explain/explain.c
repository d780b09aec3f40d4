/*
 * explain.c - tvl-explain: what every congestion controller would make of a path, and which is
 * chosen for it and why.
 *
 *     tvl-explain --rate 20 --rtt 40 --loss 1          a path by its figures
 *     tvl-explain --qlog FILE                          each path of a connection as it was
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tvl/cc.h>
#include <tvl/ev.h>
#include <tvl/select.h>

#include "record.h"

#define DATAGRAM 1452 /* bytes, an Ethernet's */

static const char help[] =
    "usage: tvl-explain [option]... --rate MBIT --rtt MS [figure]...\n"
    "       tvl-explain [option]... --qlog FILE\n"
    "\n"
    "What every congestion controller would make of a path, and which is chosen and why.\n"
    "\n"
    "figures of a path:\n"
    "  --rate MBIT          bottleneck, Mbit/s\n"
    "  --rtt MS             shortest round trip\n"
    "  --buffer MS          longest queue of the bottleneck [the round trip]\n"
    "  --loss PERCENT       packets lost at random [0]\n"
    "  --burst N            packets lost in a row, mean [1]\n"
    "  --congestive PERCENT share of the losses that come of a full buffer [0]\n"
    "  --jitter MS          mean difference of two round trips in a row [0]\n"
    "  --change PERCENT     mean change of the rate from second to second [0]\n"
    "  --ecn                the path carries ECN marks\n"
    "  --marked PERCENT     packets marked [0]\n"
    "\n"
    "options:\n"
    "  --objective NAME     throughput, delay or video [throughput; of the qlog: its own]\n"
    "  --deadline MS        from sending to use, for video [400]\n"
    "  --knowledge FILE     what was measured before [$TVL_KNOWLEDGE, or the installed one]\n"
    "  --seen-by NAME       the controller in use when the figures were taken\n"
    "  --qlog FILE          what was chosen in a connection: every change with its reason, and\n"
    "                       each path as it was in the end\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 64 usage.\n";

struct options {
    struct tvl_path_model m;
    int objective;     /* -1: not given */
    tvl_time deadline; /* us */
    const char *knowledge, *seen_by, *qlog;
    bool any_figure, buffer_set;
};

enum option_id {
    OPT_RATE = 1,
    OPT_RTT,
    OPT_BUFFER,
    OPT_LOSS,
    OPT_BURST,
    OPT_CONGESTIVE,
    OPT_JITTER,
    OPT_CHANGE,
    OPT_MARKED,
    OPT_DEADLINE,
    OPT_ECN,
    OPT_OBJECTIVE,
    OPT_KNOWLEDGE,
    OPT_SEEN_BY,
    OPT_QLOG,
    OPT_HELP,
    OPT_VERSION,
};

static const struct figure { /* [min, max] */
    double min, max;
} figures[] = {
    [OPT_RATE] = { 0.01, 100000 }, [OPT_RTT] = { 0.1, 10000 },   [OPT_BUFFER] = { 0, 60000 },
    [OPT_LOSS] = { 0, 100 },       [OPT_BURST] = { 1, 1000 },    [OPT_CONGESTIVE] = { 0, 100 },
    [OPT_JITTER] = { 0, 10000 },   [OPT_CHANGE] = { 0, 100 },    [OPT_MARKED] = { 0, 100 },
    [OPT_DEADLINE] = { 1, 60000 },
};

static const struct option longs[] = {
    { "rate", required_argument, NULL, OPT_RATE },
    { "rtt", required_argument, NULL, OPT_RTT },
    { "buffer", required_argument, NULL, OPT_BUFFER },
    { "loss", required_argument, NULL, OPT_LOSS },
    { "burst", required_argument, NULL, OPT_BURST },
    { "congestive", required_argument, NULL, OPT_CONGESTIVE },
    { "jitter", required_argument, NULL, OPT_JITTER },
    { "change", required_argument, NULL, OPT_CHANGE },
    { "marked", required_argument, NULL, OPT_MARKED },
    { "deadline", required_argument, NULL, OPT_DEADLINE },
    { "ecn", no_argument, NULL, OPT_ECN },
    { "objective", required_argument, NULL, OPT_OBJECTIVE },
    { "knowledge", required_argument, NULL, OPT_KNOWLEDGE },
    { "seen-by", required_argument, NULL, OPT_SEEN_BY },
    { "qlog", required_argument, NULL, OPT_QLOG },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static bool take_figure(struct options *o, int id, const char *text)
{
    char *end;
    const double v = strtod(text, &end);
    struct tvl_path_model *m = &o->m;

    if (end == text || *end || !(v >= figures[id].min && v <= figures[id].max))
        return false;
    o->any_figure = o->any_figure || id != OPT_DEADLINE;
    switch (id) {
    case OPT_RATE:
        m->capacity_bps = (uint64_t)(v * 1e6);
        return true;
    case OPT_RTT:
        m->rtt_min = m->rtt = (tvl_time)(v * 1e3);
        return true;
    case OPT_BUFFER:
        m->buffer = (tvl_time)(v * 1e3);
        o->buffer_set = true;
        return true;
    case OPT_LOSS:
        m->loss = v / 100;
        return true;
    case OPT_BURST:
        m->loss_burst = v;
        return true;
    case OPT_CONGESTIVE:
        m->loss_congestive = v / 100;
        return true;
    case OPT_JITTER:
        m->jitter = (tvl_time)(v * 1e3);
        return true;
    case OPT_CHANGE:
        m->change = v / 100;
        return true;
    case OPT_MARKED:
        m->marked = v / 100;
        return true;
    default:
        o->deadline = (tvl_time)(v * 1e3);
        return true;
    }
}

/* 0, or an exit code plus 1. */
static int usage(const char *format, const char *text)
{
    fprintf(stderr, "tvl-explain: ");
    fprintf(stderr, format, text);
    fprintf(stderr, "; try --help\n");
    return 65;
}

static int parse(struct options *o, int argc, char **argv)
{
    int id, at = -1;

    *o = (struct options){ .objective = -1, .deadline = 400000, .m.loss_burst = 1 };
    opterr = 0;
    while ((id = getopt_long(argc, argv, "", longs, &at)) != -1) {
        if (id > 0 && id <= OPT_DEADLINE) {
            if (!take_figure(o, id, optarg))
                return usage("a figure is out of range or no number: \"%.64s\"", optarg);
        } else if (id == OPT_ECN) {
            o->m.ecn = true;
        } else if (id == OPT_OBJECTIVE) {
            o->objective = tvl_objective_find(optarg);
            if (o->objective <= TVL_OBJECTIVE_NONE)
                return usage("--objective takes throughput, delay or video, not \"%.64s\"", optarg);
        } else if (id == OPT_KNOWLEDGE) {
            o->knowledge = optarg;
        } else if (id == OPT_SEEN_BY) {
            o->seen_by = optarg;
            if (!tvl_cc_find(optarg))
                return usage("--seen-by: no congestion control \"%.64s\"", optarg);
        } else if (id == OPT_QLOG) {
            o->qlog = optarg;
        } else if (id == OPT_HELP) {
            fputs(help, stdout);
            return 1;
        } else if (id == OPT_VERSION) {
            puts("tvl-explain " TVL_VERSION);
            return 1;
        } else {
            return usage("option \"%.64s\" is unknown or lacks its value", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return usage("what is \"%.64s\"?", argv[optind]);
    if (o->qlog ? o->any_figure : o->m.capacity_bps == 0 || o->m.rtt_min == 0)
        return usage("%s", o->qlog ? "a path is either in the qlog or given by figures"
                                   : "--rate and --rtt are needed, or --qlog");
    if (!o->buffer_set)
        o->m.buffer = o->m.rtt_min;
    return 0;
}

/* ---- what is said ---- */

static void show_model(const struct tvl_path_model *m)
{
    printf("%.2f Mbit/s, round trip %.1f ms, buffer %.1f ms, jitter %.1f ms, loss %.3g %%",
           (double)m->capacity_bps / 1e6, (double)m->rtt_min / 1e3, (double)m->buffer / 1e3,
           (double)m->jitter / 1e3, 100 * m->loss);
    if (m->loss > 0)
        printf(" (%.1f in a row, %.0f %% congestive)", m->loss_burst, 100 * m->loss_congestive);
    if (m->marked > 0)
        printf(", %.3g %% marked", 100 * m->marked);
    printf(", changing by %.0f %% a second\n\n", 100 * m->change);
}

static void show_score(double score)
{
    if (score < 0)
        printf("  %9s", "-");
    else
        printf("  %9.2f", score);
}

static void show_prediction(bool known, const struct tvl_prediction *p)
{
    if (known)
        printf("  %8.2f %7.1f", (double)p->rate_bps / 1e6, (double)p->queue / 1e3);
    else
        printf("  %8s %7s", "-", "-");
}

static void show_rows(const struct options *o, const struct tvl_knowledge *k,
                      const struct tvl_path_model *m, const struct tvl_select_row *row, size_t n)
{
    printf("%-11s %9s %9s %10s %10s   %16s  %16s\n%-11s %9s %9s %10s %10s   %16s  %16s\n", "", "",
           "by", "by", "by", "knowledge", "formula", "", "score", "knowledge", "formula",
           "experience", "Mbit/s  queue ms", "Mbit/s  queue ms");
    for (size_t i = 0; i < n; i++) {
        struct tvl_prediction a, b;
        const bool measured =
            k && tvl_knowledge_predict(k, row[i].cc, o->seen_by, m, &a, NULL) == 0;
        const bool formula = tvl_predict(row[i].cc, m, DATAGRAM, &b) == 0;

        printf("%c %-9s", row[i].chosen ? '*' : ' ', row[i].cc);
        show_score(row[i].score);
        show_score(row[i].by_knowledge);
        show_score(row[i].by_formula);
        show_score(row[i].by_experience);
        show_prediction(measured, &a);
        show_prediction(formula, &b);
        printf("\n");
    }
}

static int show_path(const struct options *o, const struct tvl_knowledge *k)
{
    const enum tvl_objective objective =
        o->objective < 0 ? TVL_OBJECTIVE_THROUGHPUT : (enum tvl_objective)o->objective;
    struct tvl_select_row row[TVL_SELECT_MAX];
    char reason[256] = "";
    const size_t n = tvl_select_explain(&o->m, k, o->seen_by, objective, o->deadline, row, reason,
                                        sizeof reason);

    printf("for %s: ", tvl_objective_name(objective));
    show_model(&o->m);
    show_rows(o, k, &o->m, row, n);
    printf("\n%s\n", reason);
    return n > 0 ? 0 : 1;
}

static int show_qlog(struct options *o, const struct tvl_knowledge *k)
{
    struct record *r = NULL;
    char why[256] = "";

    if (record_read(&r, o->qlog, why, sizeof why) != 0) {
        fprintf(stderr, "tvl-explain: %s\n", why);
        return 1;
    }
    for (size_t i = 0; i < r->n_changes; i++)
        printf("%9.3f s  path %u: %s -> %s: %s\n", r->change[i].at_ms / 1e3, r->change[i].path_id,
               r->change[i].from, r->change[i].to, r->change[i].reason);
    for (size_t i = 0; i < r->n_paths; i++) {
        const struct record_path *p = &r->path[i];

        o->seen_by = p->now;
        printf("\npath %u at %.3f s, %s, for %s: ", p->path_id, p->at_ms / 1e3, p->now,
               p->objective);
        show_model(&p->model);
        show_rows(o, k, &p->model, p->row, p->n_rows);
        printf("\n%s\n", p->reason);
    }
    if (r->n_paths == 0)
        printf("%s: nothing was chosen: the session has no objective\n", o->qlog);
    record_free(r);
    return 0;
}

int main(int argc, char **argv)
{
    struct tvl_knowledge *k = NULL;
    struct options o;
    char why[256] = "";
    const int stop = parse(&o, argc, argv);

    if (stop)
        return stop - 1;
    if (tvl_knowledge_read(&k, o.knowledge, why, sizeof why) != 0) {
        fprintf(stderr, "tvl-explain: %s%s\n", why, o.knowledge ? "" : "; by formulas alone");
        if (o.knowledge)
            return 1;
    }
    const int status = o.qlog ? show_qlog(&o, k) : show_path(&o, k);

    tvl_knowledge_free(k);
    return status;
}
