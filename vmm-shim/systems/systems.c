/* systems.c - see systems.h. */
#include "systems/systems.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "topology/find.h"
#include "topology/keys.h"
#include "topology/units.h"

#define US 1e3
#define S 1e9
#define GIB (1024.0 * 1024 * 1024)

/* ---- the file's keys ---- */

#define FIGURE(field) .offset = offsetof(struct vmm_figures, field)
static const struct vmm_key figure_keys[] = {
    { "boot", VMM_TIME, FIGURE(boot_ns), .min = 1 * US, .max = 600 * S },
    { "wake", VMM_TIME, FIGURE(wake_p99_ns), .min = 1, .max = 10 * S },
    { "policy", VMM_LABEL, FIGURE(policy), .max = VMM_LABEL_MAX },
    { "round_trip", VMM_TIME, FIGURE(round_trip_ns), .min = 1, .max = 10 * S },
    { "memory", VMM_BYTES, FIGURE(memory_bytes), .min = 1024, .max = 1024 * GIB },
    { "source", VMM_LABEL, FIGURE(source), .max = VMM_LABEL_MAX },
    { 0 },
};
static const struct vmm_section figure_section = { "of figures", figure_keys };

#define SYSTEM(field) .offset = offsetof(struct vmm_system, field)
static const struct vmm_key system_keys[] = {
    { "title", VMM_LABEL, SYSTEM(title), .max = VMM_LABEL_MAX },
    { "arch", VMM_NAME, SYSTEM(arch) },
    { "files", VMM_FLAG, SYSTEM(files) },
    { "only", VMM_LABEL, SYSTEM(only), .max = VMM_LABEL_MAX },
    { "package", VMM_LABEL, SYSTEM(package), .max = VMM_LABEL_MAX },
    { "qemu", VMM_LABEL, SYSTEM(qemu), .max = VMM_LABEL_MAX },
    { "machine", VMM_LABEL, SYSTEM(machine), .max = VMM_LABEL_MAX },
    { "cpu", VMM_LABEL, SYSTEM(cpu), .max = VMM_NAME_MAX * 2 },
    { "figures", VMM_KEYS, SYSTEM(figures), .section = &figure_section,
      .takes = "figures, as {boot: 3s}" },
    { 0 },
};
static const struct vmm_section system_section = { "of a system", system_keys };

int vmm_systems_find(const struct vmm_systems *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->system[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int read_system(struct vmm_reader *r, struct vmm_systems *s,
                       const struct vmm_yaml_item *item)
{
    int known = vmm_systems_find(s, item->key);
    struct vmm_system *into = &s->system[known < 0 ? s->n : (size_t)known];
    if (!vmm_is_name(item->key))
        return vmm_reader_fail(r, item->line,
                               "a system's name has at most 15 of a-z, 0-9 and -, unlike \"%.64s\"",
                               item->key);
    if (known < 0 && s->n == VMM_SYSTEMS_MAX)
        return vmm_reader_fail(r, item->line, "more than %d systems", VMM_SYSTEMS_MAX);
    snprintf(r->of, sizeof r->of, "system %s", item->key);
    if (vmm_read_keys(r, &system_section, into, item->value, item->line) < 0)
        return -1;
    if (!into->arch[0])
        return vmm_reader_fail(r, item->line, "arch is missing");
    if (!into->qemu[0])
        return vmm_reader_fail(r, item->line, "qemu is missing");
    if (known < 0) {
        strcpy(into->name, item->key);
        into->line = item->line;
        s->n++;
    }
    r->of[0] = 0;
    return 0;
}

static int set_systems(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_systems *s = base;
    if (item->value->kind != VMM_YAML_MAP)
        return -1;
    for (size_t i = 0; i < item->value->n; i++)
        if (read_system(r, s, &item->value->item[i]) < 0)
            return -1;
    return 0;
}

static const struct vmm_key root_keys[] = {
    { "systems", VMM_OWN, .set = set_systems, .takes = "a map of systems, as NAME: {KEY: VALUE}" },
    { 0 },
};
static const struct vmm_section root_section = { "of a list of systems", root_keys };

static int read_file(struct vmm_systems *s, const char *path, char *why, size_t why_size)
{
    struct vmm_reader r = { .name = path, .why = why, .why_size = why_size };
    struct vmm_yaml_doc *doc;
    if (vmm_yaml_read(&doc, path, NULL, why, why_size) < 0)
        return -1;
    const struct vmm_yaml *root = vmm_yaml_root(doc);
    int done = vmm_read_keys(&r, &root_section, s, root, root->line);
    vmm_yaml_free(doc);
    return done;
}

/* ---- this host's figures ---- */

static int cache_path(const char *name, char *out, size_t size)
{
    const char *cache = getenv("VMM_SHIM_CACHE"), *home = getenv("HOME");
    int n = cache && *cache ? snprintf(out, size, "%s/%s", cache, name)
            : home && *home ? snprintf(out, size, "%s/.cache/vmm-shim/%s", home, name)
                            : snprintf(out, size, "/var/cache/vmm-shim/%s", name);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

static void overlay(struct vmm_figures *f, const struct vmm_figures *here)
{
    f->boot_ns = here->boot_ns ? here->boot_ns : f->boot_ns;
    f->round_trip_ns = here->round_trip_ns ? here->round_trip_ns : f->round_trip_ns;
    f->memory_bytes = here->memory_bytes ? here->memory_bytes : f->memory_bytes;
    if (here->wake_p99_ns) {
        f->wake_p99_ns = here->wake_p99_ns;
        strcpy(f->policy, here->policy);
    }
    if (here->source[0])
        strcpy(f->source, here->source);
    f->here = true;
}

/* Figures of systems that are known; the file may be of an older version, or not be there. */
static int read_here(struct vmm_systems *s, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    if (cache_path("systems.yaml", path, sizeof path) < 0 || access(path, R_OK) < 0)
        return 0;
    struct vmm_systems *here = calloc(1, sizeof *here);
    if (!here) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    int done = read_file(here, path, why, why_size);
    for (size_t i = 0; done == 0 && i < here->n; i++) {
        int known = vmm_systems_find(s, here->system[i].name);
        if (known >= 0)
            overlay(&s->system[known].figures, &here->system[i].figures);
    }
    free(here);
    return done;
}

static void find_host_arch(char out[VMM_NAME_MAX])
{
    struct utsname u;
    const char *machine = uname(&u) == 0 ? u.machine : "";
    const char *arch = strcmp(machine, "x86_64") == 0    ? "amd64"
                       : strcmp(machine, "aarch64") == 0 ? "arm64"
                                                         : machine;
    snprintf(out, VMM_NAME_MAX, "%.*s", VMM_NAME_MAX - 1, arch);
}

int vmm_systems_read(struct vmm_systems **out, const char *path, char *why, size_t why_size)
{
    char found[VMM_PATH_MAX];
    *out = NULL;
    if (!path && vmm_find_data("systems.yaml", found, sizeof found, why, why_size) < 0)
        return -1;
    struct vmm_systems *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    find_host_arch(s->host_arch);
    if (read_file(s, path ? path : found, why, why_size) < 0 ||
        (!path && read_here(s, why, why_size) < 0)) {
        free(s);
        return -1;
    }
    *out = s;
    return 0;
}

/* ---- keeping figures ---- */

/* A label as YAML has it: what would end the quotes is left out. */
static void put_label(FILE *f, const char *key, const char *text)
{
    if (!*text)
        return;
    fprintf(f, "      %s: \"", key);
    for (; *text; text++)
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
            putc(*text, f);
    fputs("\"\n", f);
}

static void put_time(FILE *f, const char *key, uint64_t ns)
{
    if (ns)
        fprintf(f, "      %s: %lluns\n", key, (unsigned long long)ns);
}

static void put_system(FILE *f, const struct vmm_system *s)
{
    fprintf(f, "  %s:\n    arch: %s\n    qemu: \"%s\"\n    figures:\n", s->name, s->arch, s->qemu);
    put_time(f, "boot", s->figures.boot_ns);
    put_time(f, "wake", s->figures.wake_p99_ns);
    put_time(f, "round_trip", s->figures.round_trip_ns);
    if (s->figures.memory_bytes)
        fprintf(f, "      memory: %lluK\n", (unsigned long long)s->figures.memory_bytes >> 10);
    put_label(f, "policy", s->figures.policy);
    put_label(f, "source", s->figures.source);
}

static int make_folder(const char *file)
{
    char path[VMM_PATH_MAX];
    snprintf(path, sizeof path, "%s", file);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return 0;
}

/* Complete or not there: written beside and renamed. */
static int write_here(const struct vmm_systems *s, const char *path)
{
    char made[VMM_PATH_MAX + 32];
    snprintf(made, sizeof made, "%s.%d", path, (int)getpid());
    if (make_folder(path) < 0)
        return -1;
    FILE *f = fopen(made, "we");
    if (!f)
        return -1;
    fputs(
        "# Measured on this host by vmm-shim match --measure; remove it to go by others' figures.\n"
        "systems:\n",
        f);
    for (size_t i = 0; i < s->n; i++)
        put_system(f, &s->system[i]);
    bool wrong = ferror(f);
    if (fclose(f) != 0 || wrong || rename(made, path) < 0) {
        unlink(made);
        return -1;
    }
    return 0;
}

int vmm_systems_keep(const char *name, const struct vmm_figures *f, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    struct vmm_systems *all = NULL, *here = calloc(1, sizeof *here);
    int done = -1;
    if (!here || cache_path("systems.yaml", path, sizeof path) < 0) {
        snprintf(why, why_size, "no room for figures: set VMM_SHIM_CACHE");
        free(here);
        return -1;
    }
    if (access(path, R_OK) == 0 && read_file(here, path, why, why_size) < 0)
        here->n = 0; /* not ours to keep */
    int at = vmm_systems_find(here, name);
    if (at < 0 && vmm_systems_read(&all, NULL, why, why_size) == 0) {
        int known = vmm_systems_find(all, name);
        if (known >= 0 && here->n < VMM_SYSTEMS_MAX) {
            at = (int)here->n++;
            here->system[at] = all->system[known];
            here->system[at].figures = (struct vmm_figures){ 0 };
        } else {
            snprintf(why, why_size, "no system \"%.32s\"", name);
        }
    }
    if (at >= 0) {
        overlay(&here->system[at].figures, f);
        done = write_here(here, path);
        if (done < 0)
            snprintf(why, why_size, "%s: %s", path, strerror(errno));
    }
    free(all);
    free(here);
    return done;
}

/* ---- needs ---- */

int vmm_need_parse(struct vmm_need *need, const char *text, char *why, size_t why_size)
{
    const char *equals = strchr(text, '=');
    char key[VMM_NAME_MAX];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof key) {
        snprintf(why, why_size, "\"%.64s\" is not KEY=VALUE, as in wake_latency=1ms", text);
        return -1;
    }
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = 0;
    if (vmm_key_set(&vmm_need_keys, need, key, equals + 1, why, why_size) < 0)
        return -1;
    need->any = true;
    return 0;
}
