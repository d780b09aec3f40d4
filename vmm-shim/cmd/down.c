/*
 * down.c - `vmm-shim down [SLICE]...`: ends slices and leaves nothing of them; also what a killed
 * keeper left.
 */
#include "cmd/command.h"
#include "slice/client.h"
#include "slice/leftover.h"
#include "slice/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHILDREN_MAX 64 /* of one slice that --all takes down */

/* It may have gone with its parent, or by itself. */
static bool is_there(const char *slice)
{
    char path[1024], why[512];
    struct stat s;
    return vmm_place_slice(slice, path, sizeof path, why, sizeof why) == 0 && stat(path, &s) == 0;
}

/* Whether `name` runs and lies in `parent`. */
static int is_child(const char *name, const char *parent)
{
    char why[512];
    struct vmm_ask_more more = { .quiet = true };
    if (strcmp(name, parent) == 0 || !vmm_place_alive(name, NULL))
        return 0;
    json_t *ok = vmm_ask_with(name, json_pack("{s:s}", "do", "ps"), &more, why, sizeof why);
    const char *of = json_string_value(json_object_get(ok, "parent"));
    int result = of && strcmp(of, parent) == 0;
    json_decref(ok);
    return result;
}

/* The name of a slice that runs inside `slice`; false: none does. */
static bool find_child(const char *slice, char *child, size_t size)
{
    char why[512], **names;
    bool found = false;
    int n = vmm_place_list(&names, why, sizeof why);
    for (int i = 0; i < n; i++) {
        if (!found && is_child(names[i], slice)) {
            snprintf(child, size, "%s", names[i]);
            found = true;
        }
        free(names[i]);
    }
    free(names);
    return found;
}

static int take_down(const char *slice)
{
    char path[1024], why[512], child[16];
    struct stat s;
    if (vmm_place_slice(slice, path, sizeof path, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_USAGE, "down: %s", why);
    if (!vmm_place_alive(slice, NULL)) {
        if (stat(path, &s) < 0)
            return vmm_complain(VMM_EXIT_NOTHING, "no slice %s is there; vmm-shim ps lists them",
                                slice);
        if (vmm_leftover_clear(slice, why, sizeof why) < 0)
            return vmm_complain(VMM_EXIT_FAILED, "%s", why);
        return VMM_EXIT_OK;
    }
    if (find_child(slice, child, sizeof child))
        return vmm_complain(VMM_EXIT_FAILED,
                            "slice %s runs inside %s and goes first: vmm-shim down %s", child,
                            slice, child);
    if (vmm_ask_down(slice, why, sizeof why) == 0)
        return VMM_EXIT_OK;
    return vmm_complain(VMM_EXIT_FAILED, "%s: %s", slice, why);
}

/* Those inside it first. */
static int take_family_down(const char *slice)
{
    char child[16];
    for (int i = 0; i < CHILDREN_MAX && find_child(slice, child, sizeof child); i++) {
        int code = take_family_down(child);
        if (code != VMM_EXIT_OK)
            return code;
    }
    return take_down(slice);
}

static int take_all_down(void)
{
    char why[512], **names;
    int code = VMM_EXIT_OK, n = vmm_place_list(&names, why, sizeof why);
    if (n < 0)
        return vmm_complain(VMM_EXIT_FAILED, "%s", why);
    for (int i = 0; i < n; i++) {
        int one = is_there(names[i]) ? take_family_down(names[i]) : VMM_EXIT_OK;
        if (one != VMM_EXIT_OK)
            code = one;
        free(names[i]);
    }
    free(names);
    return code;
}

static int run(int argc, char **argv)
{
    const char *slice = NULL;
    char only[16], why[512];
    int code = VMM_EXIT_OK, named = 0, all = 0;
    for (int i = 1; i < argc; i++) {
        if (vmm_option_flag(argv[i], "--all")) {
            all = 1;
        } else if (vmm_option_value(argc, argv, &i, "--slice", &slice) || argv[i][0] != '-') {
            const char *name = argv[i][0] != '-' && !slice ? argv[i] : slice;
            slice = NULL;
            if (!name)
                return vmm_complain(VMM_EXIT_USAGE, "down: --slice wants a name");
            int one = take_down(name);
            code = one != VMM_EXIT_OK ? one : code;
            named = 1;
        } else {
            return vmm_complain(VMM_EXIT_USAGE, "down: '%s' is not understood; --help", argv[i]);
        }
    }
    if (all)
        return take_all_down();
    if (named)
        return code;
    if (vmm_ask_only(only, sizeof only, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_NOTHING, "%s", why);
    return take_down(only);
}

const struct vmm_command vmm_command_down = {
    .name = "down",
    .usage = "[SLICE]... [--all]",
    .summary = "ends a slice and leaves nothing of it",
    .help = "      --all  every slice, also what killed keepers left\n"
            "Without a name: the only slice that runs.\n",
    .run = run,
};
