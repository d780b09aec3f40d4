/*
 * probe.c - `vmm-shim probe`: what works on this host, and what is missing.
 */
#include "cmd/command.h"
#include "guest/facts.h"
#include "slice/place.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void print_json(const struct vmm_fact *f, size_t n)
{
    json_t *all = json_object();

    for (size_t i = 0; i < n; i++) {
        json_t *one = json_pack("{s:b, s:s}", "works", f[i].works, "seen", f[i].text);

        if (*f[i].means)
            json_object_set_new(one, "means", json_string(f[i].means));
        json_object_set_new(all, f[i].name, one);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int run(int argc, char **argv)
{
    struct vmm_fact f[VMM_FACTS_MAX];
    char root[1024], why[512];
    size_t n;
    int json = 0;

    for (int i = 1; i < argc; i++) {
        if (!vmm_option_flag(argv[i], "--json"))
            return vmm_complain(VMM_EXIT_USAGE, "probe: '%s' is not understood", argv[i]);
        json = 1;
    }
    n = vmm_facts(f, vmm_place_root(root, sizeof root, why, sizeof why) == 0 ? root : NULL);
    if (json) {
        print_json(f, n);
        return VMM_EXIT_OK;
    }
    for (size_t i = 0; i < n; i++)
        printf("%-18s %-3s  %s%s%s\n", f[i].name, f[i].works ? "yes" : "no", f[i].text,
               *f[i].means ? ": " : "", f[i].means);
    return VMM_EXIT_OK;
}

const struct vmm_command vmm_command_probe = {
    .name = "probe",
    .usage = "[--json]",
    .summary = "what works on this host, and what is missing",
    .help = "  --json   as JSON: {NAME: {works, seen, means}}\n",
    .run = run,
};
