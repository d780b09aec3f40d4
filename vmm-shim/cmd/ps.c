/*
 * ps.c - `vmm-shim ps`: which slices there are, and what their nodes do.
 */
#include "cmd/command.h"
#include "slice/client.h"
#include "slice/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "-";
}

/* "10.77.0.1 10.77.1.1" */
static void addresses(json_t *node, char *out, size_t size)
{
    size_t i;
    json_t *a;
    out[0] = '\0';
    json_array_foreach(json_object_get(node, "addresses"), i, a)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", text(a, "address"));
}

/* What its threads have, as the kernel says: "fifo 50", "other"; several: the first and "+". */
static void policy(json_t *node, char *out, size_t size)
{
    size_t i;
    json_t *thread, *threads = json_object_get(json_object_get(node, "real_time"), "threads");
    snprintf(out, size, "-");
    json_array_foreach(threads, i, thread)
    {
        char one[64];
        json_int_t priority = json_integer_value(json_object_get(thread, "priority"));
        if (priority)
            snprintf(one, sizeof one, "%s %lld", text(thread, "policy"), (long long)priority);
        else
            snprintf(one, sizeof one, "%s", text(thread, "policy"));
        if (i == 0)
            snprintf(out, size, "%s", one);
        else if (strncmp(out, one, strlen(one)) != 0 && !strchr(out, '+'))
            snprintf(out + strlen(out), size - strlen(out), " +");
    }
}

static void state(json_t *node, char *out, size_t size)
{
    json_t *code = json_object_get(node, "exit");
    if (code)
        snprintf(out, size, "done (%lld)", (long long)json_integer_value(code));
    else
        snprintf(out, size, "%s", text(node, "state"));
}

static void print_slice(json_t *slice)
{
    size_t i;
    json_t *node;
    printf("%s: %s, keeper %lld, %s\n", text(slice, "slice"), text(slice, "phase"),
           (long long)json_integer_value(json_object_get(slice, "keeper")), text(slice, "file"));
    printf("  %-16s %-10s %-7s %-5s %7s %-11s %-12s %8s %8s %s\n", "NODE", "KIND", "SYSTEM",
           "ACCEL", "PID", "STATE", "POLICY", "CPU S", "MEM MIB", "ADDRESSES");
    json_array_foreach(json_object_get(slice, "nodes"), i, node)
    {
        char where[512], how[96], what[32];
        addresses(node, where, sizeof where);
        policy(node, how, sizeof how);
        state(node, what, sizeof what);
        printf("  %-16s %-10s %-7s %-5s %7lld %-11s %-12s %8.2f %8.1f %s\n", text(node, "node"),
               text(node, "kind"), text(node, "system"), text(node, "accel"),
               (long long)json_integer_value(json_object_get(node, "pid")), what, how,
               json_number_value(json_object_get(node, "cpu_s")),
               (double)json_integer_value(json_object_get(node, "resident_bytes")) / (1 << 20),
               where);
    }
}

static json_t *ask_or_left(const char *name)
{
    char why[512];
    json_t *ok = vmm_place_alive(name, NULL)
                     ? vmm_ask(name, json_pack("{s:s}", "do", "ps"), why, sizeof why)
                     : NULL;
    if (ok)
        return ok;
    vmm_place_ended(name, why, sizeof why);
    return json_pack("{s:s, s:s, s:s}", "slice", name, "phase", "left behind", "why", why);
}

static json_t *ask_all(char *why, size_t why_size)
{
    char **names;
    int n = vmm_place_list(&names, why, why_size);
    json_t *all = n < 0 ? NULL : json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(all, ask_or_left(names[i]));
        free(names[i]);
    }
    free(names);
    return all;
}

static void print(json_t *slice)
{
    if (strcmp(text(slice, "phase"), "left behind") == 0)
        printf("%s: %s; vmm-shim down %s clears it\n", text(slice, "slice"), text(slice, "why"),
               text(slice, "slice"));
    else
        print_slice(slice);
}

static int show(const char *slice, int json)
{
    char why[512];
    struct vmm_ask_more more = { .exit_code = VMM_EXIT_FAILED };
    size_t i;
    json_t *one,
        *said = slice ? vmm_ask_with(slice, json_pack("{s:s}", "do", "ps"), &more, why, sizeof why)
                      : ask_all(why, sizeof why);
    if (!said)
        return vmm_complain(more.exit_code, "%s", why);
    if (json) {
        json_dumpf(said, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (slice) {
        print(said);
    } else {
        json_array_foreach(said, i, one) print(one);
        if (i == 0)
            puts("no slice runs; vmm-shim up FILE starts one");
    }
    json_decref(said);
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    const char *slice = NULL;
    int json = 0;
    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &slice))
            continue;
        if (vmm_option_flag(argv[i], "--json"))
            json = 1;
        else if (argv[i][0] != '-' && !slice)
            slice = argv[i];
        else
            return vmm_complain(VMM_EXIT_USAGE, "ps: '%s' is not understood; --help", argv[i]);
    }
    return show(slice, json);
}

const struct vmm_command vmm_command_ps = {
    .name = "ps",
    .usage = "[SLICE] [--json]",
    .summary = "slices and their nodes",
    .help = "      --json  for programs: an array of slices, or the one that is named\n"
            "CPU and memory are those of QEMU or the confined process, on the host.\n",
    .run = run,
};
