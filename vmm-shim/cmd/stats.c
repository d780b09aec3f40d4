/*
 * stats.c - `vmm-shim stats`: counters of every link and direction, CPU and memory of every node.
 */
#include "cmd/command.h"
#include "cmd/links.h"
#include "slice/client.h"

#include <stdio.h>

static void print_nodes(json_t *nodes)
{
    size_t i;
    json_t *n;
    printf("\n%-16s %-10s %9s %7s %9s\n", "NODE", "STATE", "CPU S", "CPU %", "MEM MIB");
    json_array_foreach(nodes, i, n)
    {
        double cpu = json_number_value(json_object_get(n, "cpu_s"));
        double age = json_number_value(json_object_get(n, "age_s"));
        printf("%-16s %-10s %9.2f %7.1f %9.1f\n", json_string_value(json_object_get(n, "node")),
               json_string_value(json_object_get(n, "state")), cpu, age > 0 ? 100 * cpu / age : 0.0,
               (double)json_integer_value(json_object_get(n, "resident_bytes")) / (1 << 20));
    }
}

static int run(int argc, char **argv)
{
    const char *slice = NULL;
    char why[512];
    int json = 0;
    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &slice))
            continue;
        if (!vmm_option_flag(argv[i], "--json"))
            return vmm_complain(VMM_EXIT_USAGE, "stats: '%s' is not understood; --help", argv[i]);
        json = 1;
    }
    struct vmm_ask_more more = { 0 };
    json_t *ok = vmm_ask_with(slice, json_pack("{s:s}", "do", "stats"), &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code, "%s", why);
    if (json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        vmm_links_print(ok, NULL);
        print_nodes(json_object_get(ok, "nodes"));
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

const struct vmm_command vmm_command_stats = {
    .name = "stats",
    .usage = "[--slice NAME] [--json]",
    .summary = "counters of links, CPU and memory of nodes",
    .help = "      --slice NAME  else the only one that runs\n"
            "      --json        for programs\n",
    .run = run,
};
