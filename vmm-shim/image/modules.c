/* modules.c - see modules.h. */
#include "image/modules.h"

#include <fts.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/slurp.h"

#define BUILTIN_MAX (4u << 20)
#define DEPTH_MAX 16
#define SUFFIXES 4
#define SIGNATURE_INFO 12

/* Contents of section `name`, or NULL. */
static const char *section(Elf *elf, const char *name, size_t *len)
{
    size_t names = 0;
    Elf_Scn *s = NULL;
    GElf_Shdr head;

    if (elf_getshdrstrndx(elf, &names) < 0)
        return NULL;
    while ((s = elf_nextscn(elf, s))) {
        const char *n = gelf_getshdr(s, &head) ? elf_strptr(elf, names, head.sh_name) : NULL;
        Elf_Data *d =
            n && strcmp(n, name) == 0 && head.sh_type == SHT_PROGBITS ? elf_rawdata(s, NULL) : NULL;
        if (d && d->d_buf) {
            *len = d->d_size;
            return d->d_buf;
        }
    }
    return NULL;
}

bool modules_info(const uint8_t *ko, size_t len, const char *key, size_t nth, char *out,
                  size_t size)
{
    const size_t key_len = strlen(key);
    size_t n = 0;
    bool found = false;

    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)(uintptr_t)ko, len);
    const char *info = elf && elf_kind(elf) == ELF_K_ELF ? section(elf, ".modinfo", &n) : NULL;
    for (size_t at = 0; info && at < n && !found;) {
        const size_t word = strnlen(info + at, n - at);
        if (word > key_len && info[at + key_len] == '=' && memcmp(info + at, key, key_len) == 0 &&
            nth-- == 0) {
            const size_t value = word - key_len - 1;
            found = value < size;
            if (!found)
                break;
            memcpy(out, info + at + key_len + 1, value);
            out[value] = '\0';
        }
        at += word + 1;
    }
    elf_end(elf);
    return found;
}

/* linux/module_signature.h: the ELF, the signature, 12 bytes with its length, a line of text. */
size_t modules_unsigned(const uint8_t *ko, size_t len)
{
    static const char end[] = "~Module signature appended~\n";
    const size_t tail = sizeof(end) - 1 + SIGNATURE_INFO;

    if (len < tail || memcmp(ko + len - (sizeof(end) - 1), end, sizeof(end) - 1) != 0)
        return len;
    const uint8_t *n = ko + len - (sizeof(end) - 1) - 4;
    const size_t signature = (size_t)n[0] << 24 | (size_t)n[1] << 16 | (size_t)n[2] << 8 | n[3];

    return signature <= len - tail ? len - tail - signature : len;
}

struct search {
    struct modules *out;
    const char *folder;
    char *builtin; /* modules.builtin */
    enum recipe_when when;
    bool soft; /* what is looked for now may be missing */
    char *why;
    size_t why_size;
};

static void underscored(char *name)
{
    for (; *name; name++)
        if (*name == '-')
            *name = '_';
}

/* True: file name `file` is of module `name`, dashes and underscores being the same. */
static bool is_of(const char *file, const char *name)
{
    static const char *const suffix[SUFFIXES] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };
    const size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (file[i] != name[i] && !(name[i] == '_' && file[i] == '-'))
            return false;
    for (size_t i = 0; i < SUFFIXES; i++)
        if (strcmp(file + n, suffix[i]) == 0)
            return true;
    return false;
}

static bool is_builtin(const char *list, const char *name)
{
    for (const char *line = list; line && *line;) {
        const char *end = strchrnul(line, '\n'), *slash = memrchr(line, '/', (size_t)(end - line));
        char file[MODULE_NAME_MAX + 8];
        if (slash &&
            snprintf(file, sizeof(file), "%.*s", (int)(end - slash - 1), slash + 1) <
                (int)sizeof(file) &&
            is_of(file, name))
            return true;
        line = *end ? end + 1 : NULL;
    }
    return false;
}

static int find_file(const char *folder, const char *name, char out[VMM_PATH_MAX])
{
    char *const paths[] = { (char *)(uintptr_t)folder, NULL };
    FTS *t = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int result = -1;

    for (FTSENT *e; t && result < 0 && (e = fts_read(t));)
        if (e->fts_info == FTS_F && is_of(e->fts_name, name) &&
            snprintf(out, VMM_PATH_MAX, "%s", e->fts_path) < VMM_PATH_MAX)
            result = 0;
    if (t)
        fts_close(t);
    return result;
}

static int add(struct search *s, const char *name, unsigned depth);

/* Each name of "a,b" or "pre: a b". */
static int add_all(struct search *s, char *names, unsigned depth)
{
    char *rest = NULL;

    for (char *n = strtok_r(names, ", ", &rest); n; n = strtok_r(NULL, ", ", &rest))
        if (add(s, n, depth) < 0)
            return -1;
    return 0;
}

static int add_needed(struct search *s, const char *name, const char *path, unsigned depth)
{
    char names[1024];
    size_t len = 0;
    uint8_t *ko = slurp_unpacked(path, MODULE_BYTES_MAX, &len, s->why, s->why_size);
    int result = 0;

    if (!ko)
        return -1;
    if (!modules_info(ko, len, "depends", 0, names, sizeof(names))) {
        snprintf(s->why, s->why_size, "module %s does not say what it depends on", name);
        result = -1;
    } else
        result = add_all(s, names, depth);
    for (size_t i = 0;
         result == 0 && i < 8 && modules_info(ko, len, "softdep", i, names, sizeof(names)); i++) {
        char *pre = strstr(names, "pre:"), *post = strstr(names, "post:");
        if (post && post > pre)
            *post = '\0';
        s->soft = true;
        if (pre)
            result = add_all(s, pre + 4, depth);
        s->soft = false;
    }
    free(ko);
    return result;
}

static int add(struct search *s, const char *name, unsigned depth)
{
    struct module m = { .when = s->when };

    if (snprintf(m.name, sizeof(m.name), "%s", name) >= (int)sizeof(m.name) || depth > DEPTH_MAX) {
        snprintf(s->why, s->why_size, "module %.40s: %s", name,
                 depth > DEPTH_MAX ? "what it depends on never ends" : "its name is too long");
        return -1;
    }
    underscored(m.name);
    for (size_t i = 0; i < s->out->n; i++)
        if (strcmp(s->out->m[i].name, m.name) == 0) {
            if (s->when == RECIPE_ALWAYS) /* wanted by a disk first, now by all */
                s->out->m[i].when = RECIPE_ALWAYS;
            return 0;
        }
    if (is_builtin(s->builtin, m.name))
        return 0;
    if (find_file(s->folder, m.name, m.path) < 0) {
        if (s->soft)
            return 0;
        snprintf(s->why, s->why_size, "this kernel has no module %s", m.name);
        return -1;
    }
    if (add_needed(s, m.name, m.path, depth + 1) < 0)
        return -1;
    if (s->out->n == MODULES_MAX) {
        snprintf(s->why, s->why_size, "more than %d modules", MODULES_MAX);
        return -1;
    }
    s->out->m[s->out->n++] = m;
    return 0;
}

int modules_order(struct modules *out, const char *folder, const struct recipe_module *want,
                  char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    size_t len = 0;
    struct search s = { .out = out, .folder = folder, .why = why, .why_size = why_size };
    int result = 0;

    out->n = 0;
    if (snprintf(path, sizeof(path), "%s/modules.builtin", folder) >= (int)sizeof(path) ||
        !(s.builtin = (char *)slurp(path, BUILTIN_MAX, &len, why, why_size)))
        return -1;
    /* All that is always wanted comes first, so that a condition never drags it along. */
    for (int pass = 0; pass < 2 && result == 0; pass++)
        for (size_t i = 0; want[i].name && result == 0; i++)
            if ((want[i].when == RECIPE_ALWAYS) == (pass == 0)) {
                s.when = want[i].when;
                result = add(&s, want[i].name, 0);
            }
    free(s.builtin);
    return result;
}
