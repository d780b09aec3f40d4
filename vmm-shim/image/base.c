/*
 * base.c - the initramfs that all nodes of a system share: /init, modules, folders to mount on.
 *
 * Named by a hash of what is in it, so that a new agent has a new one.
 */
#include "image/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/kernel.h"
#include "image/modules.h"
#include "image/newc.h"
#include "image/slurp.h"

#define LAYOUT "1" /* another layout of the archive is another hash */
#define AGENT_MAX (64u << 20)
#define ORDER_MAX 65536

static int name_by_hash(char *out, size_t size, const uint8_t *agent, size_t agent_len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int result = -1;

    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(ctx, LAYOUT, sizeof(LAYOUT)) == 1 &&
        EVP_DigestUpdate(ctx, agent, agent_len) == 1 &&
        EVP_DigestFinal_ex(ctx, digest, &len) == 1 && len >= 8)
        result =
            snprintf(out, size, "base-%02x%02x%02x%02x%02x%02x%02x%02x.cpio", digest[0], digest[1],
                     digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]);
    EVP_MD_CTX_free(ctx);
    return result < 0 ? -1 : 0;
}

static int add_modules(struct newc *a, const char *folder, const char *order, char *why,
                       size_t why_size)
{
    char from[VMM_PATH_MAX], to[VMM_PATH_MAX], name[MODULE_NAME_MAX], file[MODULE_NAME_MAX + 16];

    for (const char *line = order; line && *line;) {
        const char *end = strchrnul(line, '\n');
        if (sscanf(line, "%*15s %55s", name) == 1) {
            snprintf(file, sizeof(file), "modules/%s.ko", name);
            snprintf(to, sizeof(to), "/lib/modules/%s.ko", name);
            if (cache_join(from, folder, file, why, why_size) < 0 ||
                newc_file(a, to, from, 0644, why, why_size) < 0)
                return -1;
        }
        line = *end ? end + 1 : NULL;
    }
    return newc_data(a, "/lib/modules/order", order, strlen(order), 0644, why, why_size);
}

static int write_base(const char *path, const char *folder, const char *order, const uint8_t *agent,
                      size_t agent_len, char *why, size_t why_size)
{
    static const char *const folders[] = { "/dev",  "/proc",      "/sys", "/run",  "/tmp",
                                           "/root", "/etc/slice", "/bin", "/disk", "/var/tmp" };
    struct newc *a = newc_open(path, NEWC_INITRAMFS, why, why_size);
    int result = a ? 0 : -1;

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && result == 0; i++)
        result =
            newc_folder(a, folders[i], strstr(folders[i], "tmp") ? 01777 : 0755, why, why_size);
    if (result == 0)
        result = newc_device(a, "/dev/console", 5, 1, why, why_size);
    if (result == 0)
        result = newc_data(a, "/init", agent, agent_len, 0755, why, why_size);
    if (result == 0)
        result = add_modules(a, folder, order, why, why_size);
    if (result == 0)
        return newc_close(a, 0644, NULL, why, why_size);
    newc_abandon(a);
    return -1;
}

/* As it was written to its end: an archive that was cut boots into a panic. */
static bool is_whole(const char *path, struct stat *st)
{
    char end[1024];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, st) == 0)
        n = pread(fd, end, sizeof(end),
                  st->st_size > (off_t)sizeof(end) ? st->st_size - (off_t)sizeof(end) : 0);
    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(end, (size_t)n, "TRAILER!!!", 10);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

int base_get(const struct recipe *r, const char *folder, struct vmm_image_base *out, char *why,
             size_t why_size)
{
    char path[VMM_PATH_MAX], name[64];
    uint8_t *agent = NULL;
    char *order = NULL;
    size_t agent_len = 0, order_len = 0;
    struct stat st;
    int result = -1;

    *out = (struct vmm_image_base){ .bytes = 0 };
    if (vmm_image_program("vmm-agent", r->arch, path, why, why_size) < 0 ||
        !(agent = slurp(path, AGENT_MAX, &agent_len, why, why_size)) ||
        cache_join(path, folder, "order", why, why_size) < 0 ||
        !(order = (char *)slurp(path, ORDER_MAX, &order_len, why, why_size)))
        goto done;
    if (name_by_hash(name, sizeof(name), agent, agent_len) < 0) {
        snprintf(why, why_size, "the base image cannot be hashed");
        goto done;
    }
    if (cache_join(out->path, folder, name, why, why_size) < 0)
        goto done;
    out->n_modules = count_lines(order);
    if (!is_whole(out->path, &st)) {
        char cache[VMM_PATH_MAX];
        int lock = -1;
        if (cache_folder(cache, why, why_size) < 0 || (lock = cache_lock(cache, why, why_size)) < 0)
            goto done;
        result = is_whole(out->path, &st)
                     ? 0
                     : write_base(out->path, folder, order, agent, agent_len, why, why_size);
        close(lock);
        if (result < 0)
            goto done;
    }
    result = stat(out->path, &st);
    if (result < 0)
        snprintf(why, why_size, "%s: %s", out->path, strerror(errno));
    out->bytes = (uint64_t)st.st_size;
done:
    free(agent);
    free(order);
    return result;
}

int vmm_image_base(const char *system, struct vmm_image_base *out, char *why, size_t why_size)
{
    char folder[VMM_PATH_MAX];
    struct vmm_image_kernel kernel;
    const struct recipe *r = recipe_find(system, why, why_size);

    if (!r || kernel_get(r, &kernel, folder, why, why_size) < 0)
        return -1;
    if (r->program) {
        snprintf(why, why_size, "%s needs no base image: its kernel is all there is", system);
        return -1;
    }
    return base_get(r, folder, out, why, why_size);
}
