/* image.c - `vmm-shim image build` and `clean`: kernels and base images, made ahead of `up`. */
#include "cmd/command.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "image/image.h"

#define SYSTEMS_MAX 16
#define MIB (1024. * 1024.)

struct image_row {
    const char *system;
    struct vmm_image_kernel kernel;
    struct vmm_image_base base; /* path "": has none */
};

static int make(const char *system, struct image_row *row, char *why, size_t why_size)
{
    *row = (struct image_row){ .system = system };
    if (vmm_image_kernel(system, &row->kernel, why, why_size) < 0)
        return -1;
    return row->kernel.package[0] ? vmm_image_base(system, &row->base, why, why_size) : 0;
}

static void print_head(void)
{
    printf("%-8s %-6s %-28s %10s %9s %8s  %s\n", "SYSTEM", "ARCH", "RELEASE", "KERNEL/MiB",
           "BASE/MiB", "MODULES", "FILE");
}

static void print_row(const struct image_row *r)
{
    char base[32] = "-", modules[16] = "-";

    if (r->base.path[0]) {
        snprintf(base, sizeof(base), "%.1f", (double)r->base.bytes / MIB);
        snprintf(modules, sizeof(modules), "%zu", r->base.n_modules);
    }
    printf("%-8s %-6s %-28s %10.1f %9s %8s  %s\n", r->system, r->kernel.arch, r->kernel.release,
           (double)r->kernel.bytes / MIB, base, modules, r->kernel.path);
    fflush(stdout);
}

static json_t *json_of(const struct image_row *r)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:I,s:I}", "system", r->system, "arch",
                     r->kernel.arch, "release", r->kernel.release, "package", r->kernel.package,
                     "kernel", r->kernel.path, "kernel_bytes", (json_int_t)r->kernel.bytes, "base",
                     r->base.path, "base_bytes", (json_int_t)r->base.bytes, "modules",
                     (json_int_t)r->base.n_modules);
}

/* All that can be made are made, also when one cannot. */
static int build(const char *const *systems, int fresh, int json)
{
    struct image_row row;
    char why[VMM_WHY_MAX];
    int code = VMM_EXIT_OK, rows = 0;
    json_t *all = json_array();

    for (size_t i = 0; systems[i]; i++) {
        if (fresh || !vmm_image_is_cached(systems[i]))
            fprintf(stderr, "%s: looking for its newest kernel\n", systems[i]);
        if ((fresh && vmm_image_renew(systems[i], why, sizeof(why)) < 0) ||
            make(systems[i], &row, why, sizeof(why)) < 0)
            code = vmm_complain(VMM_EXIT_FAILED, "image: %s: %s", systems[i], why);
        else if (json)
            json_array_append_new(all, json_of(&row));
        else {
            if (rows++ == 0)
                print_head();
            print_row(&row);
        }
    }
    if (json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return code;
}

static int clean(void)
{
    char why[VMM_WHY_MAX];
    uint64_t bytes = 0;

    if (vmm_image_clean(&bytes, why, sizeof(why)) < 0)
        return vmm_complain(VMM_EXIT_FAILED, "image: %s", why);
    printf("%.1f MiB freed\n", (double)bytes / MIB);
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    const char *named[SYSTEMS_MAX + 1] = { NULL };
    size_t n = 0;
    int json = 0, fresh = 0;

    if (argc == 2 && strcmp(argv[1], "clean") == 0)
        return clean();
    if (argc < 2 || strcmp(argv[1], "build") != 0)
        return vmm_complain(VMM_EXIT_USAGE, "image: it takes 'build' or 'clean'; see --help");
    for (int i = 2; i < argc; i++) {
        if (vmm_option_flag(argv[i], "--json"))
            json = 1;
        else if (vmm_option_flag(argv[i], "--fresh"))
            fresh = 1;
        else if (argv[i][0] == '-' || n == SYSTEMS_MAX)
            return vmm_complain(VMM_EXIT_USAGE, "image: what is '%s'? see --help", argv[i]);
        else
            named[n++] = argv[i];
    }
    return build(n ? named : vmm_image_systems(), fresh, json);
}

const struct vmm_command vmm_command_image = {
    .name = "image",
    .usage = "build [SYSTEM]... [--fresh] [--json] | clean",
    .summary = "fetch kernels and make the images that guests boot",
    .help = "  clean            remove kernels and images that newer ones have replaced\n"
            "  SYSTEM           cloud, rt, arm64, metal; all if none is named\n"
            "  --fresh          fetch the newest kernel again, though one is there\n"
            "  --json           an array of what there is\n",
    .run = run,
};
