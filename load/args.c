/* args.c - the command line: one table of options, and where each number goes. */
#include "args.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char args_help[] =
    "usage: svc-load moqt://HOST[:PORT]/NAMESPACE [option]...\n"
    "\n"
    "Watches a broadcast as many viewers at once, decodes nothing, and says what they got.\n"
    "\n"
    "  -n, --subscribers N  so many viewers [100]\n"
    "      --rate R         new ones a second until all are there [100]\n"
    "      --churn R        so many leave a second, each followed by a new one [0]\n"
    "      --settle S       seconds from when all have begun until it counts [3]\n"
    "      --duration S     seconds that are counted [10]\n"
    "      --threads N      threads of this program [1]\n"
    "      --per-socket N   viewers that share a socket of each path [64]\n"
    "      --path SPEC      a network path of each viewer; may be repeated: an interface, a local\n"
    "                       address, or dev=wlan0,local=10.0.0.2,to=192.0.2.1:4433,name=wifi\n"
    "                       [one, as the system routes]\n"
    "      --layers sXtY    highest spatial and temporal layer to ask for [all]\n"
    "      --no-audio       do not ask for the sound\n"
    "      --ca FILE        trust the authorities in FILE (PEM) [the system's]\n"
    "      --server-pid P   of a server on this machine: its CPU time and memory are told, too\n"
    "      --late MS        fail when the 99th percentile of lateness is above MS\n"
    "      --json FILE      write the report there; -: on standard output\n"
    "  -q, --quiet          no line a second on standard error\n"
    "  -h, --help           -V, --version\n"
    "\n"
    "Exit codes: 0 all were served, 1 something was not as it should, 2 nobody was, 64 usage.\n";

enum option_id {
    OPT_RATE = 256,
    OPT_CHURN,
    OPT_SETTLE,
    OPT_DURATION,
    OPT_THREADS,
    OPT_PER_SOCKET,
    OPT_PATH,
    OPT_LAYERS,
    OPT_NO_AUDIO,
    OPT_CA,
    OPT_SERVER_PID,
    OPT_LATE,
    OPT_JSON,
};

static const struct option options[] = {
    { "subscribers", required_argument, NULL, 'n' },
    { "rate", required_argument, NULL, OPT_RATE },
    { "churn", required_argument, NULL, OPT_CHURN },
    { "settle", required_argument, NULL, OPT_SETTLE },
    { "duration", required_argument, NULL, OPT_DURATION },
    { "threads", required_argument, NULL, OPT_THREADS },
    { "per-socket", required_argument, NULL, OPT_PER_SOCKET },
    { "path", required_argument, NULL, OPT_PATH },
    { "layers", required_argument, NULL, OPT_LAYERS },
    { "no-audio", no_argument, NULL, OPT_NO_AUDIO },
    { "ca", required_argument, NULL, OPT_CA },
    { "server-pid", required_argument, NULL, OPT_SERVER_PID },
    { "late", required_argument, NULL, OPT_LATE },
    { "json", required_argument, NULL, OPT_JSON },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static const struct number { /* an option with a number, its range, and where it goes */
    int id;
    const char *name;
    double least, most;
    size_t whole, real; /* offset in struct args of a uint32_t, or of a double; 0: not that */
} numbers[] = {
    { 'n', "subscribers", 1, ARGS_SUBSCRIBERS_MAX, offsetof(struct args, subscribers), 0 },
    { OPT_THREADS, "threads", 1, ARGS_THREADS_MAX, offsetof(struct args, threads), 0 },
    { OPT_PER_SOCKET, "per-socket", 1, 4096, offsetof(struct args, per_socket), 0 },
    { OPT_SERVER_PID, "server-pid", 1, 4194304, offsetof(struct args, server_pid), 0 },
    { OPT_RATE, "rate", 0.01, 100000, 0, offsetof(struct args, rate) },
    { OPT_CHURN, "churn", 0, 100000, 0, offsetof(struct args, churn) },
    { OPT_SETTLE, "settle", 0, 3600, 0, offsetof(struct args, settle_s) },
    { OPT_DURATION, "duration", 0.1, 1e6, 0, offsetof(struct args, duration_s) },
    { OPT_LATE, "late", 0.25, 14000, 0, offsetof(struct args, late_ms) },
};

struct reason {
    char *text;
    size_t size;
};

static int take_number(struct args *a, int id, const char *text, struct reason r)
{
    const struct number *n = numbers;
    char *end;
    const double value = strtod(text, &end);

    while (n->id != id)
        n++;
    if (end == text || *end || !isfinite(value) || value < n->least || value > n->most ||
        (n->whole && value != floor(value))) {
        snprintf(r.text, r.size, "--%s: \"%.60s\" is no %snumber from %g to %g", n->name, text,
                 n->whole ? "whole " : "", n->least, n->most);
        return -1;
    }
    if (n->whole)
        *(uint32_t *)(void *)((char *)a + n->whole) = (uint32_t)value;
    else
        *(double *)(void *)((char *)a + n->real) = value;
    return 0;
}

static int take_layers(struct args *a, const char *text, struct reason r)
{
    if (strlen(text) != 4 || text[0] != 's' || text[2] != 't' || text[1] < '0' || text[1] > '3' ||
        text[3] < '0' || text[3] > '3') {
        snprintf(r.text, r.size, "--layers: \"%.60s\" is not of the form s2t1", text);
        return -1;
    }
    a->max_spatial = text[1] - '0';
    a->max_temporal = text[3] - '0';
    return 0;
}

static int take_path(struct args *a, const char *text, struct reason r)
{
    char what[200];

    if (a->n_paths == ARGS_PATHS_MAX) {
        snprintf(r.text, r.size, "--path: at most %d", ARGS_PATHS_MAX);
        return -1;
    }
    if (path_spec_parse(&a->path[a->n_paths], text, what, sizeof what) != 0) {
        snprintf(r.text, r.size, "--path: %s", what);
        return -1;
    }
    a->n_paths++;
    return 0;
}

static int take_file(const char **out, const char *text, const char *name, struct reason r)
{
    if (*text) {
        *out = text;
        return 0;
    }
    snprintf(r.text, r.size, "--%s: an empty value", name);
    return -1;
}

static int take_option(struct args *a, int id, const char *text, struct reason r)
{
    switch (id) {
    case OPT_PATH:
        return take_path(a, text, r);
    case OPT_LAYERS:
        return take_layers(a, text, r);
    case OPT_CA:
        return take_file(&a->ca, text, "ca", r);
    case OPT_JSON:
        return take_file(&a->json, text, "json", r);
    case OPT_NO_AUDIO:
        a->no_audio = true;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    default:
        return take_number(a, id, text, r);
    }
}

enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size)
{
    struct args a = { .subscribers = 100,
                      .threads = 1,
                      .per_socket = 64,
                      .rate = 100,
                      .settle_s = 3,
                      .duration_s = 10,
                      .max_spatial = -1,
                      .max_temporal = -1 };
    int id;

    optind = 0; /* start afresh: GNU getopt */
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":n:qhV", options, NULL)) != -1) {
        if (id == 'h')
            return ARGS_HELP;
        if (id == 'V')
            return ARGS_VERSION;
        if (id == '?' || id == ':') {
            snprintf(why, why_size, id == '?' ? "unknown option %.100s" : "%.100s needs a value",
                     argv[optind - 1]);
            return ARGS_WRONG;
        }
        if (take_option(&a, id, optarg, (struct reason){ why, why_size }) != 0)
            return ARGS_WRONG;
    }
    if (argc - optind != 1) {
        snprintf(why, why_size, "which broadcast? give one moqt://HOST/NAMESPACE");
        return ARGS_WRONG;
    }
    if (uri_parse(&a.uri, argv[optind], why, why_size) != 0)
        return ARGS_WRONG;
    *out = a;
    return ARGS_RUN;
}
