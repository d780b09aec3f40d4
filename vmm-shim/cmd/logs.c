/*
 * logs.c - `vmm-shim logs [NODE] [-f]`: a guest's console, what its command printed, what the
 * keeper did. Reads the files of the slice; works also after its keeper was killed.
 */
#include "cmd/command.h"
#include "slice/client.h"
#include "slice/place.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOGS_MAX 2
#define FOLLOW_NS 200000000 /* between looks at files that may have grown */

struct log {
    const char *name; /* "serial", "output", "keeper" */
    FILE *file;
};

struct logs {
    const char *slice, *node;
    struct log log[LOGS_MAX];
    size_t n;
    bool follow, json;
};

static int open_log(struct logs *l, const char *name, char *why, size_t why_size)
{
    char path[1024], what[128];
    if (l->node)
        snprintf(what, sizeof what, "node/%s/%s.log", l->node, name);
    else
        snprintf(what, sizeof what, "%s.log", name);
    if (vmm_place_in(l->slice, what, path, sizeof path, why, why_size) < 0)
        return -1;
    FILE *f = fopen(path, "re");
    if (f)
        l->log[l->n++] = (struct log){ name, f };
    return 0; /* a process has no console: nothing to show */
}

/* What is there of `log` and was not shown. */
static size_t show_rest(const struct log *log)
{
    char bytes[8192];
    size_t n, sum = 0;
    clearerr(log->file);
    while ((n = fread(bytes, 1, sizeof bytes, log->file)) > 0) {
        fwrite(bytes, 1, n, stdout);
        sum += n;
    }
    fflush(stdout);
    return sum;
}

static void follow(const struct logs *l)
{
    const struct timespec pause = { 0, FOLLOW_NS };
    for (;;) {
        bool alive = vmm_place_alive(l->slice, NULL);
        for (size_t i = 0; i < l->n; i++)
            show_rest(&l->log[i]);
        if (!alive)
            return;
        nanosleep(&pause, NULL);
    }
}

static void print_json(const struct logs *l)
{
    json_t *all = json_object();
    for (size_t i = 0; i < l->n; i++) {
        char *text = NULL;
        size_t size, n;
        char bytes[8192];
        FILE *out = open_memstream(&text, &size);
        while (out && (n = fread(bytes, 1, sizeof bytes, l->log[i].file)) > 0)
            fwrite(bytes, 1, n, out);
        if (out)
            fclose(out);
        json_t *value = json_string(text);
        json_object_set_new(all, l->log[i].name, value ? value : json_null());
        free(text);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int show(struct logs *l, const char *which)
{
    char why[512], path[1024];
    struct stat s;
    if (vmm_place_slice(l->slice, path, sizeof path, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_USAGE, "logs: %s", why);
    if (stat(path, &s) < 0)
        return vmm_complain(VMM_EXIT_NOTHING, "no slice %s is there; vmm-shim ps lists them",
                            l->slice);
    if (l->node) {
        snprintf(path + strlen(path), sizeof path - strlen(path), "/node/%s", l->node);
        if (strchr(l->node, '/') || stat(path, &s) < 0)
            return vmm_complain(VMM_EXIT_NOTHING, "slice %s has no node '%s'", l->slice, l->node);
    }
    static const char *const of_node[] = { "serial", "output", NULL };
    static const char *const of_slice[] = { "keeper", NULL };
    const char *const *names = l->node ? of_node : of_slice;
    for (size_t i = 0; names[i]; i++)
        if ((!which || strcmp(which, names[i]) == 0) && open_log(l, names[i], why, sizeof why) < 0)
            return vmm_complain(VMM_EXIT_FAILED, "logs: %s", why);
    if (l->json)
        print_json(l);
    else if (l->follow)
        follow(l);
    else
        for (size_t i = 0; i < l->n; i++)
            show_rest(&l->log[i]);
    for (size_t i = 0; i < l->n; i++)
        fclose(l->log[i].file);
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct logs l = { 0 };
    const char *which = NULL;
    char only[16], why[512];
    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &l.slice))
            continue;
        else if (vmm_option_flag(argv[i], "-f") || vmm_option_flag(argv[i], "--follow"))
            l.follow = true;
        else if (vmm_option_flag(argv[i], "--json"))
            l.json = true;
        else if (vmm_option_flag(argv[i], "--serial") || vmm_option_flag(argv[i], "--output"))
            which = argv[i] + 2;
        else if (argv[i][0] != '-' && !l.node)
            l.node = argv[i];
        else
            return vmm_complain(VMM_EXIT_USAGE, "logs: '%s' is not understood; --help", argv[i]);
    }
    if (!l.slice) {
        if (vmm_ask_only(only, sizeof only, why, sizeof why) < 0)
            return vmm_complain(VMM_EXIT_NOTHING, "%s", why);
        l.slice = only;
    }
    return show(&l, which);
}

const struct vmm_command vmm_command_logs = {
    .name = "logs",
    .usage = "[--slice NAME] [NODE] [-f] [--serial | --output] [--json]",
    .summary = "a node's console and output, or what the keeper did",
    .help = "      --slice NAME  else the only one that runs\n"
            "  -f, --follow      and what comes, until the slice ends\n"
            "      --serial      only the guest's console\n"
            "      --output      only what its command printed\n"
            "      --json        for programs\n",
    .run = run,
};
