/*
 * ps.c - `vmm-shim ps [SLICE]`: which slices there are.
 */
#include "cmd/command.h"
#include "slice/place.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int list_slices(int json)
{
    char why[512], **names;
    int n = vmm_place_list(&names, why, sizeof why);
    if (n < 0)
        return vmm_complain(VMM_EXIT_FAILED, "%s", why);
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        pid_t pid;
        int alive = vmm_place_alive(names[i], &pid);
        json_array_append_new(all, json_pack("{s:s, s:b, s:i}", "slice", names[i], "alive", alive,
                                             "keeper", (int)pid));
        if (!json)
            printf("%-16s %s\n", names[i],
                   alive ? "runs" : "left behind; vmm-shim down removes it");
        free(names[i]);
    }
    free(names);
    if (json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    int json = 0;
    for (int i = 1; i < argc; i++) {
        if (!vmm_option_flag(argv[i], "--json"))
            return vmm_complain(VMM_EXIT_USAGE, "ps: '%s' is not understood", argv[i]);
        json = 1;
    }
    return list_slices(json);
}

const struct vmm_command vmm_command_ps = {
    .name = "ps",
    .usage = "[--json]",
    .summary = "slices and their nodes",
    .help = "      --json  for programs\n",
    .run = run,
};
