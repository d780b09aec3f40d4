/* closure.c - see closure.h. */
#include "image/closure.h"

#include <elf.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/needs.h"
#include "image/slurp.h"

#define FOLDERS_MAX 64
#define CONF_MAX 65536
#define DEPTH_MAX 32

struct machine {
    const char *arch, *triplet;
    unsigned machine;
    unsigned char bits;
};

static const struct machine machines[] = {
    { "amd64", "x86_64-linux-gnu", EM_X86_64, ELFCLASS64 },
    { "arm64", "aarch64-linux-gnu", EM_AARCH64, ELFCLASS64 },
};

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#else
#define HOST_ARCH ""
#endif

/* Who asks for a library: its DT_RPATH counts for what it needs, and for what that needs. */
struct asker {
    const struct asker *above;
    const struct elf_needs *needs;
    const char *path;
    unsigned depth;
};

struct folders {
    char *path[FOLDERS_MAX];
    size_t n;
};

void closure_init(struct closure *c, const char *arch, const char *sysroot)
{
    *c = (struct closure){ .arch = arch, .sysroot = sysroot };
}

void closure_fini(struct closure *c)
{
    free(c->item);
    c->item = NULL;
    c->n = 0;
}

static const struct machine *machine_of(const char *arch)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        if (strcmp(machines[i].arch, arch) == 0)
            return &machines[i];
    return NULL;
}

static bool has(const struct closure *c, const char *to)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->item[i].to, to) == 0)
            return true;
    return false;
}

static bool is_loader(const struct closure *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->item[i].loader && strcmp(strrchr(c->item[i].to, '/') + 1, name) == 0)
            return true;
    return false;
}

static int append(struct closure *c, const char *from, const char *to, char *why, size_t why_size)
{
    if (c->n == CLOSURE_MAX) {
        snprintf(why, why_size, "%s: more than %d libraries", from, CLOSURE_MAX);
        return -1;
    }
    if (c->n % 32 == 0) {
        void *more = realloc(c->item, (c->n + 32) * sizeof(*c->item));
        if (!more) {
            snprintf(why, why_size, "%s: no memory", from);
            return -1;
        }
        c->item = more;
    }
    struct closure_item *item = &c->item[c->n];
    item->loader = false;
    if (snprintf(item->from, sizeof(item->from), "%s", from) >= (int)sizeof(item->from) ||
        snprintf(item->to, sizeof(item->to), "%s", to) >= (int)sizeof(item->to)) {
        snprintf(why, why_size, "%.80s...: the path is too long", from);
        return -1;
    }
    c->n++;
    return 0;
}

static void folder(struct folders *f, const char *format, const char *a, const char *b)
{
    char *path = NULL;

    if (f->n < FOLDERS_MAX && asprintf(&path, format, a, b) >= 0)
        f->path[f->n++] = path;
}

static void folders_fini(struct folders *f)
{
    while (f->n > 0)
        free(f->path[--f->n]);
}

/* "A:B", with $ORIGIN as the folder of `object`. */
static void folders_of_path(struct folders *f, const char *list, const char *object)
{
    const char *slash = strrchr(object, '/');
    const int origin = slash ? (int)(slash - object) : 0;

    for (const char *p = list; p && *p;) {
        const size_t n = strcspn(p, ":");
        char *part = strndup(p, n), *rest = part;
        char *start = NULL;
        if (part && strncmp(part, "$ORIGIN", 7) == 0)
            rest = part + 7;
        else if (part && strncmp(part, "${ORIGIN}", 9) == 0)
            rest = part + 9;
        if (part && rest != part && asprintf(&start, "%.*s", origin, object) >= 0)
            folder(f, "%s%s", start, rest);
        else if (part && part[0] == '/')
            folder(f, "%s%s", part, "");
        free(start);
        free(part);
        p += n + (p[n] == ':');
    }
}

/* One folder a line, "include PATTERN", "# comment" (ldconfig(8)). */
static void folders_of_conf(struct folders *f, const char *path, unsigned depth)
{
    char why[VMM_WHY_MAX], *rest = NULL;
    size_t len = 0;
    char *text = (char *)slurp(path, CONF_MAX, &len, why, sizeof(why));

    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        line[strcspn(line, "#")] = '\0';
        for (size_t n = strlen(line); n > 0 && strchr(" \t", line[n - 1]); n--)
            line[n - 1] = '\0';
        glob_t found;
        if (line[0] == '/')
            folder(f, "%s%s", line, "");
        else if (strncmp(line, "include", 7) == 0 && depth < 4 &&
                 glob(line + 7 + strspn(line + 7, " \t"), 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++)
                folders_of_conf(f, found.gl_pathv[i], depth + 1);
            globfree(&found);
        }
    }
    free(text);
}

static void usual_folders(const struct closure *c, const struct machine *m, struct folders *f)
{
    for (int i = 0; i < 4 && c->sysroot; i++) {
        static const char *const below[] = { "/lib", "/usr/lib", "/usr/local/lib", "/lib64" };
        char *with_triplet = NULL;
        if (i < 2 && asprintf(&with_triplet, "%s/%s", below[i], m->triplet) >= 0)
            folder(f, "%s%s", c->sysroot, with_triplet);
        free(with_triplet);
        folder(f, "%s%s", c->sysroot, below[i]);
    }
    folder(f, "/lib/%s%s", m->triplet, "");
    folder(f, "/usr/lib/%s%s", m->triplet, "");
    if (strcmp(c->arch, HOST_ARCH) == 0) {
        folders_of_conf(f, "/etc/ld.so.conf", 0);
        folder(f, "%s%s", "/lib64", "");
        folder(f, "%s%s", "/usr/lib64", "");
        folder(f, "%s%s", "/lib", "");
        folder(f, "%s%s", "/usr/lib", "");
    } else
        folder(f, "/usr/%s/lib%s", m->triplet, "");
}

/* True: `path` is an ELF for `m`; others are passed over, as the loader does. */
static bool is_for(const char *path, const struct machine *m)
{
    unsigned char head[20];
    FILE *f = fopen(path, "re");
    const bool whole = f && fread(head, 1, sizeof(head), f) == sizeof(head);

    if (f)
        fclose(f);
    return whole && memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == m->bits &&
           (unsigned)(head[18] | head[19] << 8) == m->machine;
}

static bool look_in(const struct folders *f, const char *name, const struct machine *m,
                    char out[VMM_PATH_MAX])
{
    for (size_t i = 0; i < f->n; i++)
        if (snprintf(out, VMM_PATH_MAX, "%s/%s", f->path[i], name) < VMM_PATH_MAX && is_for(out, m))
            return true;
    return false;
}

/* ld.so(8): RPATH of the asker and of those above it unless it has RUNPATH; RUNPATH; the usual. */
static bool find_library(const struct closure *c, const struct asker *who, const char *name,
                         const struct machine *m, char out[VMM_PATH_MAX])
{
    struct folders f = { .n = 0 };

    if (!who->needs->runpath)
        for (const struct asker *a = who; a; a = a->above)
            folders_of_path(&f, a->needs->rpath, a->path);
    folders_of_path(&f, who->needs->runpath, who->path);
    usual_folders(c, m, &f);
    const bool found = look_in(&f, name, m, out);
    folders_fini(&f);
    return found;
}

static int add_object(struct closure *c, const char *path, const struct asker *above, char *why,
                      size_t why_size);

static int add_library(struct closure *c, const struct asker *who, const char *name,
                       const struct machine *m, char *why, size_t why_size)
{
    char from[VMM_PATH_MAX], to[VMM_PATH_MAX];
    const bool path = strchr(name, '/') != NULL;
    const int n = path ? snprintf(to, sizeof(to), "%s", name)
                       : snprintf(to, sizeof(to), "/lib/%s/%s", m->triplet, name);

    if (n >= (int)sizeof(to)) {
        snprintf(why, why_size, "%s needs a library with too long a name", who->path);
        return -1;
    }
    if (has(c, to) || is_loader(c, name))
        return 0;
    if (path)
        snprintf(from, sizeof(from), "%s", name);
    if (path ? name[0] != '/' || !is_for(from, m) : !find_library(c, who, name, m, from)) {
        snprintf(why, why_size, "%s needs %s, which is not on this host for %s", who->path, name,
                 c->arch);
        return -1;
    }
    return append(c, from, to, why, why_size) < 0 ? -1 : add_object(c, from, who, why, why_size);
}

/* The loader is a file like another, at the path that programs have in them. */
static int add_interpreter(struct closure *c, const struct asker *who, const struct machine *m,
                           char *why, size_t why_size)
{
    const char *to = who->needs->interpreter, *name = strrchr(to, '/') + 1;
    char from[VMM_PATH_MAX];

    if (has(c, to))
        return 0;
    snprintf(from, sizeof(from), "%s", to);
    if ((c->sysroot || !is_for(from, m)) && !find_library(c, who, name, m, from) &&
        !(snprintf(from, sizeof(from), "%s", to) > 0 && is_for(from, m))) {
        snprintf(why, why_size, "%s needs the loader %s, which is not on this host", who->path, to);
        return -1;
    }
    if (append(c, from, to, why, why_size) < 0)
        return -1;
    c->item[c->n - 1].loader = true;
    return 0;
}

/* "#!/bin/sh -e": the interpreter comes with what it needs. */
static int add_script(struct closure *c, const char *path, const char *text, size_t len, char *why,
                      size_t why_size)
{
    char program[256];
    const size_t skip = 2 + strspn(text + 2, " \t");
    const size_t n = strcspn(text + skip, " \t\r\n");

    if (skip + n > len || n == 0 || n >= sizeof(program) || text[skip] != '/')
        return 0;
    memcpy(program, text + skip, n);
    program[n] = '\0';
    if (has(c, program))
        return 0;
    if (access(program, R_OK) < 0) {
        snprintf(why, why_size, "%s is a script for %s, which is not on this host", path, program);
        return -1;
    }
    return append(c, program, program, why, why_size) < 0
               ? -1
               : add_object(c, program, NULL, why, why_size);
}

static int add_needs(struct closure *c, const char *path, const struct elf_needs *needs,
                     const struct asker *above, char *why, size_t why_size)
{
    const struct machine *m = machine_of(c->arch);
    const struct asker who = { above, needs, path, above ? above->depth + 1 : 0 };

    if (!m || needs->machine != m->machine || needs->bits != m->bits) {
        snprintf(why, why_size, "%s is not a program for %s", path, c->arch);
        return -1;
    }
    if (who.depth > DEPTH_MAX) {
        snprintf(why, why_size, "%s: its libraries need each other without end", path);
        return -1;
    }
    if (needs->interpreter && add_interpreter(c, &who, m, why, why_size) < 0)
        return -1;
    for (size_t i = 0; i < needs->n_needed; i++)
        if (add_library(c, &who, needs->needed[i], m, why, why_size) < 0)
            return -1;
    return 0;
}

/* A clip of a gigabyte is not read to learn that it is none. */
static bool needs_nothing(const char *path)
{
    unsigned char head[SELFMAG] = { 0 };
    FILE *f = fopen(path, "re");
    const size_t n = f ? fread(head, 1, sizeof(head), f) : sizeof(head);

    if (f)
        fclose(f);
    return f && memcmp(head, ELFMAG, SELFMAG) != 0 && (n < 2 || memcmp(head, "#!", 2) != 0);
}

static int add_object(struct closure *c, const char *path, const struct asker *above, char *why,
                      size_t why_size)
{
    if (needs_nothing(path))
        return 0;
    size_t len = 0;
    uint8_t *bytes = slurp(path, CLOSURE_ELF_MAX, &len, why, why_size);
    struct elf_needs *needs = malloc(sizeof(*needs));
    int result = -1;

    if (!bytes || !needs)
        goto done;
    switch (needs_read(bytes, len, needs)) {
    case ELF_GOOD:
        result = add_needs(c, path, needs, above, why, why_size);
        break;
    case ELF_NONE:
        result = len > 2 && memcmp(bytes, "#!", 2) == 0
                     ? add_script(c, path, (char *)bytes, len, why, why_size)
                     : 0;
        break;
    case ELF_BAD:
        snprintf(why, why_size, "%s begins like a program and is damaged", path);
        break;
    }
done:
    free(needs);
    free(bytes);
    return result;
}

int closure_add(struct closure *c, const char *program, char *why, size_t why_size)
{
    return add_object(c, program, NULL, why, why_size);
}
