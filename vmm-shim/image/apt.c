/* apt.c - see apt.h. */
#include "image/apt.h"

#include <openssl/evp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/command.h"

#define OPTIONS_MAX 16
#define OPTION_BYTES (VMM_PATH_MAX + 64)

/* apt's command line for one architecture: option[] is "-o", "KEY=VALUE", ... */
struct apt {
    const char *arch;
    char text[OPTIONS_MAX][OPTION_BYTES];
    size_t n;
};

static void option(struct apt *a, const char *key, const char *folder, const char *below)
{
    if (a->n < OPTIONS_MAX)
        snprintf(a->text[a->n++], OPTION_BYTES, "%s=%s%s", key, folder, below);
}

static int apt_run(struct apt *a, const char *program, const char *const words[], const char *dir,
                   char **out, char *why, size_t why_size)
{
    const char *argv[2 * OPTIONS_MAX + 16] = { program };
    size_t n = 1;

    for (size_t i = 0; i < a->n; i++) {
        argv[n++] = "-o";
        argv[n++] = a->text[i];
    }
    for (size_t i = 0; words[i] && n < 2 * OPTIONS_MAX + 15; i++)
        argv[n++] = words[i];
    argv[n] = NULL;
    return command_run(argv, dir, out, why, why_size);
}

/* The host's lists, its package cache left alone. */
static void host_apt(struct apt *a, const char *arch)
{
    *a = (struct apt){ .arch = arch };
    option(a, "Acquire::Retries", "1",
           ""); /* with pauses between them: without a network, too many */
    if (geteuid() == 0)
        option(a, "APT::Sandbox::User", "root", ""); /* _apt cannot write into our folder */
}

static int own_apt(struct apt *a, const char *cache, const char *arch, char *why, size_t why_size)
{
    char root[VMM_PATH_MAX], name[64], path[VMM_PATH_MAX];
    static const char *const folders[] = {
        "",       "/state",          "/state/lists",           "/state/lists/partial",
        "/cache", "/cache/archives", "/cache/archives/partial"
    };

    host_apt(a, arch);
    snprintf(name, sizeof(name), "apt-%s", arch);
    if (cache_join(root, cache, name, why, why_size) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%.900s%s", root, folders[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            goto no_folder;
    }
    snprintf(path, sizeof(path), "%.900s/status", root);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        goto no_folder;
    close(fd);
    option(a, "APT::Architecture", arch, "");
    option(a, "APT::Architectures", arch, "");
    option(a, "Dir::State", root, "/state");
    option(a, "Dir::State::status", root, "/status");
    option(a, "Dir::Cache", root, "/cache");
    option(a, "Acquire::Languages", "none", "");
    option(a, "APT::Update::Error-Mode", "any", ""); /* else it only warns, and ends well */
    option(a, "APT::Update::Post-Invoke", "", "");
    option(a, "APT::Update::Post-Invoke-Success", "", "");
    return 0;
no_folder:
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return -1;
}

/* Value of "Key: value" in what apt-cache show says; false: it has none or is too long. */
static bool field(const char *shown, const char *key, char *out, size_t size)
{
    const size_t n = strlen(key);

    for (const char *line = shown; line && *line;) {
        const char *end = strchrnul(line, '\n');
        if (strncmp(line, key, n) == 0 && line[n] == ':') {
            const char *value = line + n + 1 + strspn(line + n + 1, " ");
            if ((size_t)(end - value) >= size)
                return false;
            memcpy(out, value, (size_t)(end - value));
            out[end - value] = '\0';
            return true;
        }
        line = *end ? end + 1 : NULL;
    }
    return false;
}

/* From "linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1), ..." the first name of `meta`'s family. */
static bool first_of_family(const char *depends, const char *meta, char *out, size_t size)
{
    const char *dash = strchr(meta, '-');
    const size_t family = dash ? (size_t)(dash - meta) + 1 : strlen(meta);

    for (const char *p = depends; *p;) {
        p += strspn(p, " ,|");
        const size_t n = strcspn(p, " ,|(");
        if (n > family && n < size && strncmp(p, meta, family) == 0) {
            memcpy(out, p, n);
            out[n] = '\0';
            return true;
        }
        p += strcspn(p, ",|");
    }
    return false;
}

/* Version and hash of the package out->name. */
static int know(struct apt *a, struct apt_package *out, char *why, size_t why_size)
{
    char *shown = NULL;
    const char *const about[] = { "show", "--no-all-versions", out->name, NULL };

    if (apt_run(a, "apt-cache", about, NULL, &shown, why, why_size) < 0)
        return -1;
    const bool whole = field(shown, "Version", out->version, sizeof(out->version)) &&
                       field(shown, "SHA256", out->sha256, sizeof(out->sha256)) &&
                       field(shown, "Architecture", out->arch, sizeof(out->arch)) &&
                       strlen(out->sha256) == 64 && strcmp(out->arch, a->arch) == 0;
    free(shown);
    if (!whole)
        snprintf(why, why_size, "apt does not know %s for %s with a SHA-256", out->name, a->arch);
    return whole ? 0 : -1;
}

static int find(struct apt *a, const char *meta, struct apt_package *out, char *why,
                size_t why_size)
{
    char *shown = NULL, depends[2048] = "";
    const char *const about_meta[] = { "show", "--no-all-versions", meta, NULL };

    if (apt_run(a, "apt-cache", about_meta, NULL, &shown, why, why_size) < 0)
        return -1;
    const bool named = field(shown, "Depends", depends, sizeof(depends)) &&
                       first_of_family(depends, meta, out->name, sizeof(out->name));
    free(shown);
    if (!named) {
        snprintf(why, why_size, "apt knows no package %s", meta);
        return -1;
    }
    return know(a, out, why, why_size);
}

static int hash_file(const char *path, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE], piece[65536];
    unsigned len = 0;
    int result = -1;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (ctx && fd >= 0 && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1) {
        ssize_t n;
        while ((n = read(fd, piece, sizeof(piece))) > 0)
            EVP_DigestUpdate(ctx, piece, (size_t)n);
        if (n == 0 && EVP_DigestFinal_ex(ctx, digest, &len) == 1 && len == 32)
            result = 0;
    }
    for (unsigned i = 0; result == 0 && i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(ctx);
    if (fd >= 0)
        close(fd);
    return result;
}

/* Path of the only .deb in `folder`. */
static int the_deb(const char *folder, char out[VMM_PATH_MAX], char *why, size_t why_size)
{
    DIR *d = opendir(folder);
    int found = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        const size_t n = strlen(e->d_name);
        if (n > 4 && strcmp(e->d_name + n - 4, ".deb") == 0 &&
            cache_join(out, folder, e->d_name, why, why_size) == 0)
            found++;
    }
    if (d)
        closedir(d);
    if (found == 1)
        return 0;
    snprintf(why, why_size, "apt-get download left no package in %s", folder);
    return -1;
}

static int download(struct apt *a, const struct apt_package *p, const char *folder, char *why,
                    size_t why_size)
{
    char what[176], deb[VMM_PATH_MAX], hex[65] = "";
    const char *const words[] = { "-q", "download", what, NULL };

    snprintf(what, sizeof(what), "%s=%s", p->name, p->version);
    if (apt_run(a, "apt-get", words, folder, NULL, why, why_size) < 0 ||
        the_deb(folder, deb, why, why_size) < 0)
        return -1;
    if (hash_file(deb, hex) < 0 || strcmp(hex, p->sha256) != 0) {
        snprintf(why, why_size, "%s: its SHA-256 is not the one that apt knows; thrown away",
                 p->name);
        unlink(deb);
        return -1;
    }
    const char *const unpack[] = { "dpkg-deb", "-x", deb, folder, NULL };
    const int result = command_run(unpack, NULL, NULL, why, why_size);
    unlink(deb);
    return result;
}

static int find_and_download(struct apt *a, const char *meta, const char *folder,
                             struct apt_package *out, char *why, size_t why_size)
{
    return find(a, meta, out, why, why_size) < 0 ? -1 : download(a, out, folder, why, why_size);
}

int apt_unpack_newest(const char *cache, const char *arch, const char *meta, const char *folder,
                      struct apt_package *out, char *why, size_t why_size)
{
    struct apt a;
    char *host = NULL, ignored[VMM_WHY_MAX], cause[VMM_WHY_MAX];
    const char *const dpkg[] = { "dpkg", "--print-architecture", NULL };
    const char *const update[] = { "-q", "update", NULL };

    if (command_run(dpkg, NULL, &host, cause, sizeof(cause)) < 0) {
        snprintf(why, why_size, "kernels come as Debian packages, and this host has none: %.400s",
                 cause);
        return -1;
    }
    const bool native = strncmp(host, arch, strlen(arch)) == 0 && host[strlen(arch)] == '\n';
    free(host);
    host_apt(&a, arch);
    if (native && find_and_download(&a, meta, folder, out, ignored, sizeof(ignored)) == 0)
        return 0;
    if (own_apt(&a, cache, arch, why, why_size) < 0)
        return -1;
    /* Some lists may fail while the one that matters came. */
    const int updated = apt_run(&a, "apt-get", update, NULL, NULL, ignored, sizeof(ignored));
    if (find_and_download(&a, meta, folder, out, cause, sizeof(cause)) == 0)
        return 0;
    snprintf(why, why_size,
             "the package %.96s cannot be fetched (%.200s); is there a network, and do apt's "
             "sources have it?",
             meta, updated < 0 ? ignored : cause);
    return -1;
}

int apt_unpack_all(const char *cache, const char *arch, const char *const names[],
                   const char *folder, char *why, size_t why_size)
{
    struct apt a;

    if (own_apt(&a, cache, arch, why, why_size) < 0)
        return -1;
    for (size_t i = 0; names[i]; i++) {
        struct apt_package p;
        snprintf(p.name, sizeof(p.name), "%s", names[i]);
        if (know(&a, &p, why, why_size) < 0 || download(&a, &p, folder, why, why_size) < 0)
            return -1;
    }
    return 0;
}
