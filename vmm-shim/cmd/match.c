/*
 * match.c - `vmm-shim match`: which system an endpoint gets, and why; without an endpoint, what
 * there is to choose from.
 */
#include "cmd/command.h"
#include "cmd/measure.h"
#include "systems/match.h"
#include "topology/units.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 32

/* The command line. */
struct asked {
    const char *file, *program;
    struct vmm_need need;
    bool json, measure;
    int64_t runs; /* of a measurement */
};

/* ---- as JSON ---- */

static void put_ms(json_t *o, const char *key, uint64_t ns)
{
    if (ns)
        json_object_set_new(o, key, json_real((double)ns / 1e6));
}

static json_t *system_json(const struct vmm_system *s)
{
    const struct vmm_figures *f = &s->figures;
    json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:b}", "system", s->name, "title", s->title, "arch",
                          s->arch, "files", s->files, "measured_here", f->here);
    if (s->only[0])
        json_object_set_new(o, "only", json_string(s->only));
    put_ms(o, "boot_ms", f->boot_ns);
    put_ms(o, "wake_p99_ms", f->wake_p99_ns);
    put_ms(o, "round_trip_ms", f->round_trip_ns);
    if (f->memory_bytes)
        json_object_set_new(o, "memory_bytes", json_integer((json_int_t)f->memory_bytes));
    json_object_set_new(o, "policy", json_string(f->policy));
    json_object_set_new(o, "source", json_string(f->source));
    return o;
}

static json_t *choice_json(const struct vmm_systems *s, const struct vmm_choice *c,
                           const char *sentence)
{
    json_t *candidates = json_array();
    for (size_t i = 0; i < s->n && c->candidate[i].reason[0]; i++) {
        json_t *o = system_json(&s->system[i]);
        json_object_set_new(o, "fits", json_boolean(c->candidate[i].fits));
        json_object_set_new(o, "reason", json_string(c->candidate[i].reason));
        json_array_append_new(candidates, o);
    }
    return json_pack("{s:s?, s:s?, s:s, s:o}", "chosen",
                     c->chosen < 0 ? NULL : s->system[c->chosen].name, "nearest",
                     c->nearest < 0 ? NULL : s->system[c->nearest].name, "sentence", sentence,
                     "candidates", candidates);
}

static void print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

/* ---- what there is ---- */

static const char *time_or_dash(uint64_t ns, char out[SHOWN_MAX])
{
    return ns ? vmm_show_time(ns, out, SHOWN_MAX) : "-";
}

static int list(const struct vmm_systems *s, bool json)
{
    json_t *all = json_array();
    char boot[SHOWN_MAX], wake[SHOWN_MAX], trip[SHOWN_MAX], memory[SHOWN_MAX];
    if (!json)
        printf("%-8s %-6s %9s %9s %10s %7s  %s\n", "system", "arch", "boot", "wake p99",
               "round trip", "memory", "what it is; measured on");
    for (size_t i = 0; i < s->n; i++) {
        const struct vmm_system *y = &s->system[i];
        const struct vmm_figures *f = &y->figures;
        json_array_append_new(all, system_json(y));
        if (json)
            continue;
        vmm_show_bytes(f->memory_bytes, memory, sizeof memory);
        printf("%-8s %-6s %9s %9s %10s %7s  %s; %s\n", y->name, y->arch,
               time_or_dash(f->boot_ns, boot), time_or_dash(f->wake_p99_ns, wake),
               time_or_dash(f->round_trip_ns, trip), f->memory_bytes ? memory : "-", y->title,
               f->source[0] ? f->source : "nothing yet");
    }
    if (json)
        print_json(all);
    else
        json_decref(all);
    return VMM_EXIT_OK;
}

/* ---- one need, or a file's nodes ---- */

static int match_need(const struct vmm_systems *s, const struct asked *a)
{
    struct vmm_choice c;
    vmm_match(&c, s, &a->need, a->program);
    if (a->json)
        print_json(choice_json(s, &c, c.sentence));
    else if (c.chosen >= 0)
        puts(c.sentence);
    if (c.chosen >= 0)
        return VMM_EXIT_OK;
    return a->json ? VMM_EXIT_FAILED : vmm_complain(VMM_EXIT_FAILED, "match: %s", c.sentence);
}

static int match_file(const struct vmm_systems *s, const struct asked *a)
{
    struct vmm_topology *t;
    char why[VMM_WHY_MAX];
    int code = VMM_EXIT_OK;
    if (vmm_topology_read(&t, a->file, NULL, 0, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_FAILED, "%s", why);
    json_t *all = json_object();
    for (size_t i = 0; i < t->n_nodes; i++) {
        struct vmm_choice c;
        if (t->node[i].kind != VMM_GUEST)
            continue;
        int at = vmm_match_node(s, t, i, &c, why, sizeof why);
        json_object_set_new(all, t->node[i].name, choice_json(s, &c, at < 0 ? why : c.sentence));
        if (at < 0)
            code = a->json ? VMM_EXIT_FAILED : vmm_complain(VMM_EXIT_FAILED, "%s", why);
        else if (!a->json)
            printf("%-15s %s\n", t->node[i].name, c.sentence);
    }
    if (a->json)
        print_json(all);
    else
        json_decref(all);
    vmm_topology_free(t);
    return code;
}

/* ---- measuring ---- */

/* All systems, or the one that is named in the place of FILE. */
static int measure(struct vmm_systems *s, const struct asked *a)
{
    int code = VMM_EXIT_OK, only = a->file ? vmm_systems_find(s, a->file) : -1;
    char why[VMM_WHY_MAX];
    if (a->file && only < 0)
        return vmm_complain(VMM_EXIT_NOTHING, "match: no system \"%s\"", a->file);
    for (size_t i = 0; i < s->n; i++) {
        struct vmm_figures *f = &s->system[i].figures, measured;
        if (only >= 0 && (size_t)only != i)
            continue;
        if (!a->json)
            fprintf(stderr, "%s: runs of about 10 s: %d\n", s->system[i].name, (int)a->runs);
        if (vmm_measure(&s->system[i], (size_t)a->runs, &measured, why, sizeof why) < 0 ||
            vmm_systems_keep(s->system[i].name, &measured, why, sizeof why) < 0) {
            code = vmm_complain(VMM_EXIT_FAILED, "match: %s", why);
            continue;
        }
        *f = measured;
        f->here = true;
    }
    list(s, a->json);
    return code;
}

static int parse(struct asked *a, int argc, char **argv)
{
    char why[VMM_WHY_MAX];
    for (int i = 1; i < argc; i++) {
        const char *need = NULL;
        if (vmm_option_flag(argv[i], "--json")) {
            a->json = true;
        } else if (vmm_option_flag(argv[i], "--measure")) {
            a->measure = true;
        } else if (vmm_option_value(argc, argv, &i, "--runs", &need)) {
            if (!need || vmm_parse_integer(need, &a->runs) < 0 || a->runs < 1 ||
                a->runs > VMM_MEASURE_RUNS_MAX)
                return vmm_complain(VMM_EXIT_USAGE, "match: --runs takes 1 to %d",
                                    VMM_MEASURE_RUNS_MAX);
        } else if (vmm_option_value(argc, argv, &i, "--need", &need)) {
            if (!need)
                return vmm_complain(VMM_EXIT_USAGE, "match: --need takes KEY=VALUE");
            if (vmm_need_parse(&a->need, need, why, sizeof why) < 0)
                return vmm_complain(VMM_EXIT_USAGE, "match: --need: %s", why);
        } else if (vmm_option_value(argc, argv, &i, "--program", &a->program)) {
            if (!a->program)
                return vmm_complain(VMM_EXIT_USAGE, "match: --program takes a name");
        } else if (argv[i][0] == '-' || a->file) {
            return vmm_complain(VMM_EXIT_USAGE, "match: '%s' is not understood", argv[i]);
        } else {
            a->file = argv[i];
        }
    }
    if (a->measure && (a->need.any || a->program))
        return vmm_complain(VMM_EXIT_USAGE, "match: --measure takes a system, or nothing for all");
    if (a->file && (a->need.any || a->program))
        return vmm_complain(VMM_EXIT_USAGE, "match: FILE says what its nodes need: leave out %s",
                            a->need.any ? "--need" : "--program");
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct asked a = { .runs = VMM_MEASURE_RUNS };
    struct vmm_systems *s;
    char why[VMM_WHY_MAX];
    int code = parse(&a, argc, argv);
    if (code != VMM_EXIT_OK)
        return code;
    if (vmm_systems_read(&s, NULL, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_FAILED, "%s", why);
    if (a.measure)
        code = measure(s, &a);
    else if (a.file)
        code = match_file(s, &a);
    else if (a.need.any || a.program)
        code = match_need(s, &a);
    else
        code = list(s, a.json);
    free(s);
    return code;
}

const struct vmm_command vmm_command_match = {
    .name = "match",
    .usage =
        "[FILE | --need KEY=VALUE... [--program NAME] | --measure [SYSTEM] [--runs N]] [--json]",
    .summary = "which system an endpoint gets by what it needs, and why",
    .help =
        "      FILE              each guest of a topology; without FILE and --need: all systems\n"
        "      --need KEY=VALUE  wake_latency=1ms, boot=500ms, memory=64M, arch=arm64, files=true\n"
        "      --program NAME    what shall run there\n"
        "      --json            for programs\n",
    .run = run,
};
