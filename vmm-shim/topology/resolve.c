/* resolve.c - see resolve.h. */
#include "topology/resolve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topology/find.h"

#define MEDIA_FOLDER "/media" /* of nodes */

struct resolver {
    struct vmm_topology *t;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct resolver *r, int line,
                                                      const char *format, ...)
{
    int n = snprintf(r->why, r->why_size, "%s:%d: ", r->t->file, line);
    if (n < 0 || (size_t)n >= r->why_size)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(r->why + n, r->why_size - (size_t)n, format, args);
    va_end(args);
    return -1;
}

/* What stands behind `prefix` in `text`, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* A name as the reader left it, into the absolute path of what can be read. */
static int find_any(const struct resolver *r, char *path, size_t size, int line, const char *of,
                    struct stat *st)
{
    const char *program = behind(path, "program:"), *media = behind(path, "media:");
    char found[VMM_PATH_MAX], why[256];
    if (program && vmm_find_program(program, found, sizeof found, why, sizeof why) < 0)
        return fail(r, line, "%s: %s", of, why);
    if (media && vmm_find_media(media, found, sizeof found, why, sizeof why) < 0)
        return fail(r, line, "%s: %s", of, why);
    if (program || media) {
        if (strlen(found) >= size)
            return fail(r, line, "%s: %.128s is too long", of, found);
        strcpy(path, found);
    }
    if (stat(path, st) < 0 || access(path, R_OK) < 0)
        return fail(r, line, "%s: %.256s: %s", of, path, strerror(errno));
    return 0;
}

static int find(const struct resolver *r, char *path, size_t size, int line, const char *of)
{
    struct stat st;
    if (find_any(r, path, size, line, of, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode))
        return fail(r, line, "%s: %.256s is no file", of, path);
    return 0;
}

static int replace_word(const struct resolver *r, const struct vmm_node *n, char **word,
                        const char *text)
{
    char *kept = strdup(text);
    if (!kept)
        return fail(r, n->line, "out of memory");
    free(*word);
    *word = kept;
    return 0;
}

/* What a node's command names comes with the node, once. */
static int bring(const struct resolver *r, struct vmm_node *n, const char *from, const char *to)
{
    for (size_t i = 0; i < n->n_files; i++)
        if (strcmp(n->file[i].to, to) == 0)
            return 0;
    if (n->n_files == VMM_FILES_MAX)
        return fail(r, n->line, "node %s: more than %d files", n->name, VMM_FILES_MAX);
    struct vmm_file *f = &n->file[n->n_files++];
    f->line = n->line;
    strcpy(f->from, from);
    strcpy(f->to, to);
    return 0;
}

static int resolve_word(const struct resolver *r, struct vmm_node *n, size_t i)
{
    char **word = &n->run[i], path[VMM_PATH_MAX], to[VMM_PATH_MAX], of[64];
    const char *program = behind(*word, "program:"), *media = behind(*word, "media:");
    if (!program && !media)
        return 0;
    if (n->kind == VMM_GUEST && program && i == 0)
        return replace_word(r, n, word, program);
    if (strlen(*word) >= sizeof path)
        return fail(r, n->line, "node %s: run: a word is too long", n->name);
    strcpy(path, *word);
    snprintf(of, sizeof of, "node %s: run", n->name);
    if (find(r, path, sizeof path, n->line, of) < 0)
        return -1;
    snprintf(to, sizeof to, "%s", path);
    if (media)
        snprintf(to, sizeof to, MEDIA_FOLDER "/%.512s", media);
    if (!behind(to, "/usr/") && bring(r, n, path, to) < 0)
        return -1;
    return replace_word(r, n, word, to);
}

static int resolve_node(const struct resolver *r, struct vmm_node *n)
{
    char of[64];
    snprintf(of, sizeof of, "node %s", n->name);
    for (size_t i = 0; i < n->n_files; i++) {
        struct vmm_file *f = &n->file[i];
        struct stat st; /* a guest's image takes a folder with all that is in it */
        if (n->kind == VMM_GUEST ? find_any(r, f->from, sizeof f->from, f->line, of, &st) < 0
                                 : find(r, f->from, sizeof f->from, f->line, of) < 0)
            return -1;
    }
    for (size_t i = 0; i < n->n_run; i++)
        if (resolve_word(r, n, i) < 0)
            return -1;
    return 0;
}

static int resolve_traces(const struct resolver *r, struct vmm_setting *s, size_t n, const char *of)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].key, "trace") == 0 &&
            find(r, s[i].value, sizeof s[i].value, s[i].line, of) < 0)
            return -1;
    return 0;
}

int vmm_topology_resolve(struct vmm_topology *t, char *why, size_t why_size)
{
    struct resolver r = { t, why, why_size };
    for (size_t i = 0; i < t->n_nodes; i++)
        if (resolve_node(&r, &t->node[i]) < 0)
            return -1;
    for (size_t i = 0; i < t->n_links; i++) {
        struct vmm_link *l = &t->link[i];
        char of[64];
        snprintf(of, sizeof of, "link %s", l->name);
        if (resolve_traces(&r, l->up, l->n_up, of) < 0 ||
            resolve_traces(&r, l->down, l->n_down, of) < 0)
            return -1;
        if (l->program[0] && find(&r, l->program, sizeof l->program, l->line, of) < 0)
            return -1;
    }
    return 0;
}
