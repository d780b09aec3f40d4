/* find.c - see find.h. */
#include "topology/find.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEVELS_MAX 3 /* folders between an executable and the root of its build tree */

/* Where the executable is, and the tree that it was built in, if it is still there. */
struct place {
    char folder[PATH_MAX];
    char build[PATH_MAX]; /* "": installed */
    char source[PATH_MAX];
};

/* What is looked for. */
struct search {
    const char *what; /* "program" */
    const char *name;
    int mode; /* of access(2) */
    char *out;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static bool join(char *out, size_t size, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, size, format, args);
    va_end(args);
    return n > 0 && (size_t)n < size;
}

/* The build writes where its source is; nothing of it is compiled in. */
static bool read_source(struct place *p)
{
    char path[PATH_MAX];
    FILE *f = join(path, sizeof path, "%s/vmm-shim/topology/source-root", p->build)
                  ? fopen(path, "re")
                  : NULL;
    if (!f)
        return false;
    bool read = fgets(p->source, sizeof p->source, f) != NULL;
    p->source[strcspn(p->source, "\n")] = 0;
    fclose(f);
    return read;
}

static void find_place(struct place *p)
{
    *p = (struct place){ 0 };
    ssize_t n = readlink("/proc/self/exe", p->folder, sizeof p->folder - 1);
    p->folder[n > 0 ? n : 0] = 0;
    char *slash = strrchr(p->folder, '/');
    if (!slash)
        return;
    *slash = 0;
    strcpy(p->build, p->folder);
    for (int level = 0; level <= LEVELS_MAX; level++) {
        if (read_source(p))
            return;
        slash = strrchr(p->build, '/');
        if (!slash)
            break;
        *slash = 0;
    }
    p->build[0] = p->source[0] = 0;
}

/* FOLDER/NAME, if that is a file that may be used. */
static bool try_folder(const struct search *s, const char *folder)
{
    struct stat st;
    char path[PATH_MAX], real[PATH_MAX];
    if (!folder[0] || !join(path, sizeof path, "%s/%s", folder, s->name) || stat(path, &st) < 0 ||
        !S_ISREG(st.st_mode) || access(path, s->mode) < 0 || !realpath(path, real) ||
        strlen(real) >= s->size)
        return false;
    strcpy(s->out, real);
    return true;
}

static bool try_list(const struct search *s, const char *list)
{
    char folder[PATH_MAX];
    while (list && *list) {
        size_t len = strcspn(list, ":");
        if (len < sizeof folder) {
            memcpy(folder, list, len);
            folder[len] = 0;
            if (try_folder(s, folder))
                return true;
        }
        list += len + (list[len] == ':');
    }
    return false;
}

static bool try_below(const struct search *s, const char *root, const char *const *folders)
{
    char path[PATH_MAX];
    for (; root[0] && *folders; folders++)
        if (join(path, sizeof path, "%s/%s", root, *folders) && try_folder(s, path))
            return true;
    return false;
}

static bool is_plain(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int not_found(const struct search *s, const struct place *p, const char *variable, char *why,
                     size_t why_size)
{
    snprintf(why, why_size, "no %s %.64s in $%s, %s%s", s->what, s->name, variable,
             p->build[0] ? "the build tree" : "the installation",
             s->mode == X_OK ? " or $PATH" : "");
    return -1;
}

int vmm_find_program(const char *name, char *out, size_t size, char *why, size_t why_size)
{
    static const char *const rooms[] = {
        "server",       "client",         "load",           "moq", "svc", "echo", "media", "tools",
        "vmm-shim/cmd", "vmm-shim/vlink", "vmm-shim/metal", NULL
    };
    static const char *const installed[] = { "../libexec/vmm-shim", NULL };
    struct search s = { "program", name, X_OK, out, size };
    struct place p;
    find_place(&p);
    if (is_plain(name) &&
        (try_list(&s, getenv("VMM_SHIM_PATH")) || try_folder(&s, p.folder) ||
         try_below(&s, p.build, rooms) || (!p.build[0] && try_below(&s, p.folder, installed)) ||
         try_list(&s, getenv("PATH"))))
        return 0;
    return not_found(&s, &p, "VMM_SHIM_PATH", why, why_size);
}

static int find_data(const struct search *s, const char *variable, const char *const *built,
                     const char *const *source, const char *const *installed, char *why,
                     size_t why_size)
{
    struct place p;
    find_place(&p);
    bool plain = is_plain(s->name);
    if (plain && try_list(s, getenv(variable)))
        return 0;
    if (plain && (try_below(s, p.build, built) || try_below(s, p.source, source)))
        return 0;
    if (plain && !p.build[0] && try_below(s, p.folder, installed))
        return 0;
    return not_found(s, &p, variable, why, why_size);
}

int vmm_find_media(const char *name, char *out, size_t size, char *why, size_t why_size)
{
    static const char *const built[] = { "media", NULL }, *const source[] = { "media", NULL };
    static const char *const installed[] = { "../share/svc-suite/media", NULL };
    struct search s = { "clip", name, R_OK, out, size };
    return find_data(&s, "VMM_SHIM_MEDIA", built, source, installed, why, why_size);
}

int vmm_find_data(const char *name, char *out, size_t size, char *why, size_t why_size)
{
    static const char *const none[] = { NULL }, *const source[] = { "configs", NULL };
    static const char *const installed[] = { "../share/svc-suite", NULL };
    struct search s = { "file", name, R_OK, out, size };
    return find_data(&s, "VMM_SHIM_DATA", none, source, installed, why, why_size);
}
