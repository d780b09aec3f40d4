/*
 * rt.c - `vmm-shim rt set|show`: what nodes of a slice get of the host's CPUs and memory.
 */
#include "cmd/command.h"
#include "slice/client.h"

#include <stdio.h>
#include <string.h>

#define SETTINGS_MAX 512 /* bytes of all settings */

struct words {
    const char *what, *slice, *node;
    char settings[SETTINGS_MAX]; /* "a=1,b=2" */
    int json;
};

/* "0,1" of an array of CPUs; "any" of none. */
static void cpus(json_t *list, char *out, size_t size)
{
    size_t i;
    json_t *cpu;
    snprintf(out, size, "%s", json_array_size(list) ? "" : "any");
    json_array_foreach(list, i, cpu) snprintf(out + strlen(out), size - strlen(out), "%s%lld",
                                              i ? "," : "", (long long)json_integer_value(cpu));
}

static const char *text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "-";
}

static double number(json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* "fifo 50", "deadline 10/33 ms" */
static void policy(json_t *thread, char *out, size_t size)
{
    if (json_object_get(thread, "budget_ms"))
        snprintf(out, size, "%s %.4g/%.4g ms", text(thread, "policy"), number(thread, "budget_ms"),
                 number(thread, "period_ms"));
    else if (json_object_get(thread, "priority"))
        snprintf(out, size, "%s %.0f", text(thread, "policy"), number(thread, "priority"));
    else
        snprintf(out, size, "%s", text(thread, "policy"));
}

static void print_node(json_t *node)
{
    char where[256], how[96], quota[32] = "-", memory[32] = "-", share[32] = "-";
    size_t i;
    json_t *thread;
    cpus(json_object_get(node, "cpus"), where, sizeof where);
    if (number(node, "quota_percent") > 0)
        snprintf(quota, sizeof quota, "%.0f%%", number(node, "quota_percent"));
    if (number(node, "memory_bytes") > 0)
        snprintf(memory, sizeof memory, "%.0f", number(node, "memory_bytes") / (1 << 20));
    if (number(node, "real_time_percent") > 0)
        snprintf(share, sizeof share, "%.4g%%", number(node, "real_time_percent"));
    printf("%-16s %-9s %9s %-7s %7.0f %6s %8s %6.1f%% %s%s\n", text(node, "node"),
           text(node, "policy"), share, text(node, "bound"), number(node, "weight"), quota, memory,
           number(node, "cpu_percent"), where,
           json_is_true(json_object_get(node, "cpus_chosen")) ? " (chosen)" : "");
    json_array_foreach(json_object_get(node, "threads"), i, thread)
    {
        policy(thread, how, sizeof how);
        cpus(json_object_get(thread, "cpus"), where, sizeof where);
        printf("  %7.0f %-16s %-20s on %s\n", number(thread, "tid"), text(thread, "name"), how,
               where);
    }
}

static int show(const struct words *w)
{
    char why[512];
    struct vmm_ask_more more = { .exit_code = VMM_EXIT_FAILED };
    size_t i;
    json_t *node, *request = json_pack("{s:s}", "do", "rt-show");
    if (w->node)
        json_object_set_new(request, "node", json_string(w->node));
    json_t *ok = vmm_ask_with(w->slice, request, &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code, "%s", why);
    if (w->json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        printf("%-16s %-9s %9s %-7s %7s %6s %8s %7s %s\n", "NODE", "POLICY", "REAL TIME", "BOUND",
               "WEIGHT", "QUOTA", "MEM MIB", "USES", "CPUS");
        json_array_foreach(json_object_get(ok, "nodes"), i, node) print_node(node);
        if (strcmp(text(ok, "note"), "-") != 0 && text(ok, "note")[0])
            printf("%s\n", text(ok, "note"));
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

static int set(const struct words *w)
{
    char why[512];
    struct vmm_ask_more more = { .exit_code = VMM_EXIT_FAILED };
    if (!w->node || !w->settings[0])
        return vmm_complain(VMM_EXIT_USAGE, "rt set: a node and KEY=VALUE are wanted; --help");
    json_t *ok = vmm_ask_with(
        w->slice, json_pack("{s:s, s:s, s:s}", "do", "rt-set", "node", w->node, "set", w->settings),
        &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code, "%s", why);
    if (w->json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

static int take_words(struct words *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t have = strlen(w->settings);
        if (vmm_option_value(argc, argv, &i, "--slice", &w->slice))
            continue;
        if (vmm_option_flag(argv[i], "--json"))
            w->json = 1;
        else if (argv[i][0] == '-')
            return vmm_complain(VMM_EXIT_USAGE, "rt: '%s' is not understood; --help", argv[i]);
        else if (!w->what)
            w->what = argv[i];
        else if (!w->node)
            w->node = argv[i];
        else if ((size_t)snprintf(w->settings + have, sizeof w->settings - have, "%s%s",
                                  have ? "," : "", argv[i]) >= sizeof w->settings - have)
            return vmm_complain(VMM_EXIT_USAGE, "rt set: too many settings");
    }
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct words w = { 0 };
    int code = take_words(&w, argc, argv);
    if (code != VMM_EXIT_OK)
        return code;
    if (w.what && strcmp(w.what, "set") == 0)
        return set(&w);
    if (!w.what || strcmp(w.what, "show") != 0)
        return vmm_complain(VMM_EXIT_USAGE, "rt: set or show is wanted%s%s", w.what ? ", not " : "",
                            w.what ? w.what : "");
    if (w.settings[0])
        return vmm_complain(VMM_EXIT_USAGE, "rt show: '%s' is too much", w.settings);
    return show(&w);
}

const struct vmm_command vmm_command_rt = {
    .name = "rt",
    .usage = "set NODE KEY=VALUE[,KEY=VALUE]... | show [NODE]",
    .summary = "real time and shares of nodes, changed or shown",
    .help = "      --slice NAME   else the only one that runs\n"
            "      --json         for programs\n"
            "NODE may be `network`, the process that carries the slice's frames. KEYs:\n"
            "  policy=none|nice|fifo|deadline  priority=N  budget=TIME  period=TIME\n"
            "  pin=yes|no|CPUS  cpus=CPUS (1, 0-1, 0+3)  weight=N  quota=N%  memory=SIZE\n",
    .run = run,
};
