/*
 * migrate.c - `vmm-shim migrate`: a guest that runs moves into another QEMU process.
 */
#include "cmd/command.h"
#include "slice/client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
    const char *slice, *node, *mode, *to, *with, *rate, *patience;
    int json, verbose, new_addresses;
};

/* "200" or "12.5" of a unit; -1: no number. */
static double number(const char *word)
{
    char *end;
    const double value = strtod(word, &end);

    return *word && !*end && value >= 0 && value < 1e12 ? value : -1;
}

static int migrate(const struct words *w)
{
    char why[1024], file[PATH_MAX];
    struct vmm_ask_more more = { .exit_code = VMM_EXIT_FAILED };
    json_t *request =
        json_pack("{s:s, s:s, s:b}", "do", "migrate", "node", w->node, "steps", w->verbose);
    json_t *ok;

    if (w->new_addresses)
        json_object_set_new(request, "new_addresses", json_true());
    if (w->mode)
        json_object_set_new(request, "mode", json_string(w->mode));
    if (w->to)
        json_object_set_new(request, "to", json_string(w->to));
    if (w->with) /* the keeper's working folder is not ours */
        json_object_set_new(request, "with", json_string(realpath(w->with, file) ? file : w->with));
    if (w->rate)
        json_object_set_new(request, "rate", json_integer((json_int_t)(number(w->rate) * 125000)));
    if (w->patience)
        json_object_set_new(request, "patience_ms", json_real(number(w->patience)));
    ok = vmm_ask_with(w->slice, request, &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code, "%s", why);
    if (w->json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        printf(
            "%s moved (%s) in %.0f ms; nobody ran for %.0f ms of them; %.1f MiB of memory sent\n",
            w->node, json_string_value(json_object_get(ok, "mode")),
            json_number_value(json_object_get(ok, "total_ms")),
            json_number_value(json_object_get(ok, "down_ms")),
            json_number_value(json_object_get(ok, "bytes")) / (1 << 20));
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct words w = { 0 };

    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &w.slice) ||
            vmm_option_value(argc, argv, &i, "--mode", &w.mode) ||
            vmm_option_value(argc, argv, &i, "--to", &w.to) ||
            vmm_option_value(argc, argv, &i, "--with", &w.with) ||
            vmm_option_value(argc, argv, &i, "--rate", &w.rate) ||
            vmm_option_value(argc, argv, &i, "--patience", &w.patience))
            continue;
        if (vmm_option_flag(argv[i], "--json"))
            w.json = 1;
        else if (vmm_option_flag(argv[i], "--new-addresses"))
            w.new_addresses = 1;
        else if (vmm_option_flag(argv[i], "--verbose"))
            w.verbose = 1;
        else if (argv[i][0] == '-' || w.node)
            return vmm_complain(VMM_EXIT_USAGE, "migrate: '%s' is not understood", argv[i]);
        else
            w.node = argv[i];
    }
    if (!w.node)
        return vmm_complain(VMM_EXIT_USAGE, "migrate: which node?");
    if (w.rate && number(w.rate) <= 0)
        return vmm_complain(VMM_EXIT_USAGE, "migrate: --rate wants Mbit/s, not '%s'", w.rate);
    if (w.patience && number(w.patience) <= 0)
        return vmm_complain(VMM_EXIT_USAGE, "migrate: --patience wants milliseconds, not '%s'",
                            w.patience);
    return migrate(&w);
}

const struct vmm_command vmm_command_migrate = {
    .name = "migrate",
    .usage = "NODE [--mode MODE] [--to NAMESPACE] [--with FILE] [--rate N] [--patience N]",
    .summary = "move a running guest into another QEMU",
    .help = "  --slice NAME     of this slice; left out: the only one that runs\n"
            "  --mode MODE      shared, postcopy, stop-and-copy or precopy (KVM only)\n"
            "  --to NAMESPACE   into this network namespace, as if it were another host\n"
            "  --with FILE      the topology file of there; what differs is refused\n"
            "  --rate N         copy with at most N Mbit/s\n"
            "  --patience N     wait N ms for the agent's answer from there [10000]\n"
            "  --new-addresses  its NICs have other addresses there\n"
            "  --verbose        say each step\n"
            "  --json           the figures as JSON\n",
    .run = run,
};
