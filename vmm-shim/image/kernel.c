/* kernel.c - see kernel.h: fetched once, under the lock of the cache, and then only read. */
#include "image/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/apt.h"
#include "image/cache.h"
#include "image/modules.h"
#include "image/slurp.h"
#include "image/vmlinux.h"

static int read_description(const struct recipe *r, const char *folder,
                            struct vmm_image_kernel *out)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];
    const char *release, *package;
    int revision = 0, result = -1;
    json_int_t bytes = -1; /* of the kernel, when it was made; -1: not noted by an older version */
    struct stat st;

    if (cache_join(path, folder, "kernel.json", why, sizeof(why)) < 0)
        return -1;
    json_t *j = json_load_file(path, 0, NULL);
    if (j &&
        json_unpack(j, "{s:i,s:s,s:s,s?I}", "revision", &revision, "release", &release, "package",
                    &package, "bytes", &bytes) == 0 &&
        revision == r->revision && cache_join(out->path, folder, "kernel", why, sizeof(why)) == 0 &&
        stat(out->path, &st) == 0 && st.st_size > 0 && (bytes < 0 || st.st_size == bytes)) {
        out->bytes = (uint64_t)st.st_size;
        snprintf(out->release, sizeof(out->release), "%s", release);
        snprintf(out->package, sizeof(out->package), "%s", package);
        result = 0;
    }
    json_decref(j);
    return result;
}

/* The version that CACHE/SYSTEM points to now; its real folder, which stays when another comes. */
static int cached(const char *cache, const struct recipe *r, struct vmm_image_kernel *out,
                  char folder[VMM_PATH_MAX])
{
    char link[VMM_PATH_MAX], target[256], why[VMM_WHY_MAX];

    if (cache_join(link, cache, r->system, why, sizeof(why)) < 0)
        return -1;
    const ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n <= 0 || memchr(target, '/', (size_t)n))
        return -1;
    target[n] = '\0';
    return cache_join(folder, cache, target, why, sizeof(why)) < 0
               ? -1
               : read_description(r, folder, out);
}

/* Name of the only folder below lib/modules. */
static int release_of(const char *package, char *out, size_t size, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    int found = 0;

    if (cache_join(path, package, "lib/modules", why, why_size) < 0)
        return -1;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && snprintf(out, size, "%s", e->d_name) < (int)size)
            found++;
    if (d)
        closedir(d);
    if (found == 1)
        return 0;
    snprintf(why, why_size, "the kernel package has %s modules",
             found ? "several releases' " : "no");
    return -1;
}

static int take_kernel(const struct recipe *r, const char *package, const char *release,
                       const char *made, char *why, size_t why_size)
{
    char name[160], from[VMM_PATH_MAX], to[VMM_PATH_MAX];

    snprintf(name, sizeof(name), "boot/%s-%s", r->image, release);
    if (cache_join(from, package, name, why, why_size) < 0 ||
        cache_join(to, made, "kernel", why, why_size) < 0)
        return -1;
    if (r->vmlinux)
        return vmlinux_extract(from, to, why, why_size);
    if (rename(from, to) == 0 && chmod(to, 0644) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", from, strerror(errno));
    return -1;
}

static int take_modules(const struct recipe *r, const char *package, const char *release,
                        const char *made, char *why, size_t why_size)
{
    char name[160], path[VMM_PATH_MAX];
    struct modules *m = calloc(1, sizeof(*m));
    char *order = NULL;
    size_t order_len = 0;
    FILE *list = open_memstream(&order, &order_len);
    int result = -1;

    snprintf(name, sizeof(name), "lib/modules/%s", release);
    if (!m || !list || cache_join(path, package, name, why, why_size) < 0 ||
        modules_order(m, path, r->module, why, why_size) < 0 ||
        cache_join(path, made, "modules", why, why_size) < 0)
        goto done;
    if (mkdir(path, 0755) < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        goto done;
    }
    result = 0;
    for (size_t i = 0; i < m->n && result == 0; i++) {
        size_t len = 0;
        uint8_t *ko = slurp_unpacked(m->m[i].path, MODULE_BYTES_MAX, &len, why, why_size);
        snprintf(name, sizeof(name), "modules/%s.ko", m->m[i].name);
        result = ko ? cache_join(path, made, name, why, why_size) : -1;
        if (result == 0)
            result = spill(path, ko, modules_unsigned(ko, len), 0644, why, why_size);
        free(ko);
        fprintf(list, "%s %s\n", recipe_when_name(m->m[i].when), m->m[i].name);
    }
done:
    if (list)
        fclose(list);
    if (result == 0)
        result = cache_join(path, made, "order", why, why_size);
    if (result == 0)
        result = spill(path, order, order_len, 0644, why, why_size);
    free(order);
    free(m);
    return result;
}

/* Libraries for another architecture: MADE/sysroot is looked through when a closure is made. */
static int take_libraries(const char *cache, const struct recipe *r, const char *made, char *why,
                          size_t why_size)
{
    char path[VMM_PATH_MAX];

    if (!r->libraries[0])
        return 0;
    if (cache_join(path, made, "sysroot", why, why_size) < 0)
        return -1;
    if (mkdir(path, 0755) < 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    return apt_unpack_all(cache, r->arch, r->libraries, path, why, why_size);
}

static int describe(const struct recipe *r, const struct apt_package *p, const char *release,
                    const char *made, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX], kernel[VMM_PATH_MAX], package[176];
    struct stat st;
    int result = -1;

    if (cache_join(kernel, made, "kernel", why, why_size) < 0)
        return -1;
    if (stat(kernel, &st) < 0) {
        snprintf(why, why_size, "%s: %s", kernel, strerror(errno));
        return -1;
    }

    snprintf(package, sizeof(package), "%s_%s", p->name, p->version);
    json_t *j = json_pack("{s:i,s:s,s:s,s:s,s:s,s:I}", "revision", r->revision, "system", r->system,
                          "release", release, "package", package, "sha256", p->sha256, "bytes",
                          (json_int_t)st.st_size);
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    if (text && cache_join(path, made, "kernel.json", why, why_size) == 0)
        result = spill(path, text, strlen(text), 0644, why, why_size);
    free(text);
    json_decref(j);
    return result;
}

static int make(const char *cache, const struct recipe *r, char *why, size_t why_size)
{
    char package[VMM_PATH_MAX], made[VMM_PATH_MAX], release[64], version[96];
    struct apt_package p;
    int result = -1;

    if (cache_begin(cache, package, why, why_size) < 0)
        return -1;
    if (cache_begin(cache, made, why, why_size) < 0) {
        cache_remove(package);
        return -1;
    }
    if (apt_unpack_newest(cache, r->arch, r->package, package, &p, why, why_size) == 0 &&
        release_of(package, release, sizeof(release), why, why_size) == 0 &&
        take_kernel(r, package, release, made, why, why_size) == 0 &&
        take_modules(r, package, release, made, why, why_size) == 0 &&
        take_libraries(cache, r, made, why, why_size) == 0 &&
        describe(r, &p, release, made, why, why_size) == 0) {
        snprintf(version, sizeof(version), "%s-r%d", p.version, r->revision);
        for (char *c = version; *c; c++)
            if (*c == '/')
                *c = '_';
        result = cache_commit(cache, made, r->system, version, why, why_size);
    }
    cache_remove(package);
    if (result < 0)
        cache_remove(made);
    return result;
}

static int own_program(const struct recipe *r, struct vmm_image_kernel *out, char *why,
                       size_t why_size)
{
    struct stat st;

    if (vmm_image_program(r->program, r->arch, out->path, why, why_size) < 0)
        return -1;
    if (stat(out->path, &st) == 0)
        out->bytes = (uint64_t)st.st_size;
    snprintf(out->release, sizeof(out->release), "%s", VMM_VERSION);
    return 0;
}

int kernel_get(const struct recipe *r, struct vmm_image_kernel *out, char folder[VMM_PATH_MAX],
               char *why, size_t why_size)
{
    char cache[VMM_PATH_MAX];

    *out = (struct vmm_image_kernel){ .memory_least_bytes = r->memory_least_bytes };
    snprintf(out->arch, sizeof(out->arch), "%s", r->arch);
    snprintf(out->append, sizeof(out->append), "%s", r->append);
    folder[0] = '\0';
    if (r->program)
        return own_program(r, out, why, why_size);
    if (cache_folder(cache, why, why_size) < 0)
        return -1;
    if (cached(cache, r, out, folder) == 0)
        return 0;
    const int lock = cache_lock(cache, why, why_size);
    if (lock < 0)
        return -1;
    int result = cached(cache, r, out, folder); /* another may just have made it */
    if (result < 0 && (result = make(cache, r, why, why_size)) == 0 &&
        (result = cached(cache, r, out, folder)) < 0)
        snprintf(why, why_size, "%s: what was just made there cannot be read", cache);
    close(lock);
    return result;
}

int vmm_image_kernel(const char *system, struct vmm_image_kernel *out, char *why, size_t why_size)
{
    char folder[VMM_PATH_MAX];
    const struct recipe *r = recipe_find(system, why, why_size);

    return r ? kernel_get(r, out, folder, why, why_size) : -1;
}

bool vmm_image_is_cached(const char *system)
{
    char cache[VMM_PATH_MAX], folder[VMM_PATH_MAX], why[VMM_WHY_MAX];
    struct vmm_image_kernel kernel;
    const struct recipe *r = recipe_find(system, why, sizeof(why));

    return !r || (r->program || (cache_folder(cache, why, sizeof(why)) == 0 &&
                                 cached(cache, r, &kernel, folder) == 0));
}

int vmm_image_renew(const char *system, char *why, size_t why_size)
{
    char cache[VMM_PATH_MAX];
    const struct recipe *r = recipe_find(system, why, why_size);

    if (r && r->program)
        return 0; /* it is ours */
    if (!r || cache_folder(cache, why, why_size) < 0)
        return -1;
    const int lock = cache_lock(cache, why, why_size);
    const int result = lock < 0 ? -1 : make(cache, r, why, why_size);
    if (lock >= 0)
        close(lock);
    return result;
}

int vmm_image_clean(uint64_t *bytes, char *why, size_t why_size)
{
    char cache[VMM_PATH_MAX];

    *bytes = 0;
    if (cache_folder(cache, why, why_size) < 0)
        return -1;
    const int lock = cache_lock(cache, why, why_size);
    if (lock < 0)
        return -1;
    for (const struct recipe *r = recipes; r->system; r++)
        if (!r->program)
            *bytes += cache_clean(cache, r->system, "base-");
    close(lock);
    return 0;
}
