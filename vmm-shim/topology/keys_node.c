/* keys_node.c - the keys of nodes that are lists, files or commands. */
#include "topology/keys_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/units.h"

/* ---- the map of nodes ---- */

static int read_node(struct vmm_reader *r, const struct vmm_yaml_item *item)
{
    static const char *const kinds[] = { "guest", "process", "namespace" };
    struct vmm_topology *t = r->t;
    struct vmm_node *n = &t->node[t->n_nodes];
    if (!vmm_is_name(item->key))
        return vmm_reader_fail(r, item->line,
                               "a node's name has at most 15 of a-z, 0-9 and -, unlike \"%.64s\"",
                               item->key);
    if (t->n_nodes == VMM_NODES_MAX)
        return vmm_reader_fail(r, item->line, "more than %d nodes", VMM_NODES_MAX);
    t->n_nodes++; /* first, so that its command is freed whatever comes */
    strcpy(n->name, item->key);
    n->line = item->line;
    n->memory_bytes = UINT64_C(128) << 20;
    n->vcpus = 1;
    const struct vmm_yaml_item *kind = vmm_yaml_get(item->value, "kind");
    r->kind = 1u << VMM_GUEST;
    for (unsigned i = 0; kind && i < 3; i++)
        if (kind->value->kind == VMM_YAML_TEXT && strcmp(kind->value->text, kinds[i]) == 0)
            r->kind = 1u << i;
    snprintf(r->of, sizeof r->of, "node %s", n->name);
    if (vmm_read_keys(r, &vmm_node_keys, n, item->value, item->line) < 0 ||
        vmm_check_node(r, n, item->value) < 0)
        return -1;
    r->of[0] = 0;
    r->kind = 0;
    return 0;
}

int vmm_set_nodes(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    (void)base;
    if (item->value->kind != VMM_YAML_MAP)
        return -1;
    for (size_t i = 0; i < item->value->n; i++)
        if (read_node(r, &item->value->item[i]) < 0)
            return -1;
    return 0;
}

/* ---- small ones ---- */

int vmm_set_interface(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_node *n = base;
    (void)r;
    if (item->value->kind != VMM_YAML_TEXT)
        return -1;
    n->veth = strcmp(item->value->text, "veth") == 0;
    return n->veth || strcmp(item->value->text, "tap") == 0 ? 0 : -1;
}

int vmm_set_namespace(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_node *n = base;
    const char *text = item->value->kind == VMM_YAML_TEXT ? item->value->text : "";
    (void)r;
    /* A name of ip-netns(8), or a path. */
    if (!*text || strlen(text) >= sizeof n->namespace_ || (text[0] != '/' && strchr(text, '/')) ||
        strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return -1;
    strcpy(n->namespace_, text);
    return 0;
}

int vmm_set_cpus(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_share *s = base;
    const struct vmm_yaml *v = item->value;
    uint64_t all = 0, one;
    (void)r;
    if (v->kind == VMM_YAML_TEXT)
        return vmm_parse_cpus(v->text, &s->cpus);
    for (size_t i = 0; v->kind == VMM_YAML_LIST && i < v->n; i++) {
        if (v->item[i].value->kind != VMM_YAML_TEXT ||
            vmm_parse_cpus(v->item[i].value->text, &one) < 0)
            return -1;
        all |= one;
    }
    s->cpus = all;
    return all ? 0 : -1;
}

/* ---- files ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *colon = strchr(path, ':');
    return slash ? slash + 1 : colon ? colon + 1 : path;
}

static bool is_own(const char *from, const char *prefix)
{
    return strncmp(from, prefix, strlen(prefix)) == 0;
}

/* program:NAME and media:NAME stay for vmm_topology_resolve(); other names become absolute. */
static int keep_from(const struct vmm_reader *r, struct vmm_file *f, const char *text)
{
    if (!*text || text[strlen(text) - 1] == '/')
        return -1;
    if (!is_own(text, "program:") && !is_own(text, "media:"))
        return vmm_reader_path(r, text, f->from, sizeof f->from);
    const char *name = strchr(text, ':') + 1;
    if (!*name || strchr(name, '/') || strlen(text) >= sizeof f->from)
        return -1;
    strcpy(f->from, text);
    return 0;
}

int vmm_set_from(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    return item->value->kind == VMM_YAML_TEXT ? keep_from(r, base, item->value->text) : -1;
}

int vmm_set_to(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_file *f = base;
    const char *text = item->value->kind == VMM_YAML_TEXT ? item->value->text : "";
    size_t len = strlen(text);
    (void)r;
    if (text[0] != '/' || len < 2 || len >= sizeof f->to || text[len - 1] == '/' ||
        strstr(text, "/../") || strstr(text, "//") ||
        (len >= 3 && strcmp(text + len - 3, "/..") == 0))
        return -1;
    strcpy(f->to, text);
    return 0;
}

/* Where a file goes that has no `to`. `text`: its name as written. */
static int default_to(struct vmm_file *f, const char *text)
{
    const char *folder = is_own(text, "program:") ? "/bin" : is_own(text, "media:") ? "/media" : "";
    int n = text[0] == '/' ? snprintf(f->to, sizeof f->to, "%s", text)
                           : snprintf(f->to, sizeof f->to, "%s/%s", folder, base_name(f->from));
    return n > 0 && (size_t)n < sizeof f->to ? 0 : -1;
}

static int read_file(struct vmm_reader *r, struct vmm_node *n, const struct vmm_yaml_item *item)
{
    struct vmm_file *f = &n->file[n->n_files];
    if (n->n_files == VMM_FILES_MAX)
        return vmm_reader_fail(r, item->line, "more than %d files", VMM_FILES_MAX);
    f->line = item->line;
    if (item->value->kind == VMM_YAML_TEXT) {
        if (keep_from(r, f, item->value->text) < 0)
            return vmm_reader_fail(r, item->line,
                                   "\"%.64s\" is no name of a file, program:NAME or media:NAME",
                                   item->value->text);
    } else if (vmm_read_keys(r, &vmm_file_keys, f, item->value, item->line) < 0) {
        return -1;
    }
    if (!f->from[0])
        return vmm_reader_fail(r, item->line, "from is missing: which file of the host?");
    const struct vmm_yaml_item *from = vmm_yaml_get(item->value, "from");
    if (!f->to[0] && default_to(f, from ? from->value->text : item->value->text) < 0)
        return vmm_reader_fail(r, item->line, "the file's name is too long");
    for (size_t i = 0; i < n->n_files; i++)
        if (strcmp(n->file[i].to, f->to) == 0)
            return vmm_reader_fail(r, item->line, "%.128s is there twice, first by line %d", f->to,
                                   n->file[i].line);
    n->n_files++;
    return 0;
}

int vmm_set_files(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    const struct vmm_yaml *v = item->value;
    if (v->kind != VMM_YAML_LIST)
        return -1;
    for (size_t i = 0; i < v->n; i++)
        if (read_file(r, base, &v->item[i]) < 0)
            return -1;
    return 0;
}

/* ---- the command ---- */

static int add_word(struct vmm_reader *r, struct vmm_node *n, const char *word, size_t len,
                    int line)
{
    if (n->n_run == VMM_ARGS_MAX)
        return vmm_reader_fail(r, line, "a command of more than %d words", VMM_ARGS_MAX);
    char *kept = strndup(word, len);
    if (!kept)
        return vmm_reader_fail(r, line, "out of memory");
    n->run[n->n_run++] = kept;
    return 0;
}

/* A line into words: blanks part them, quotes of either kind keep what is between together. */
static int split_line(struct vmm_reader *r, struct vmm_node *n, const char *text, int line)
{
    static const char blanks[] = " \t\r\n";
    char word[VMM_YAML_TEXT_MAX]; /* no word is longer than the text */
    for (;;) {
        size_t len = 0;
        text += strspn(text, blanks);
        if (!*text)
            return 0;
        while (*text && !strchr(blanks, *text)) {
            char quote = *text;
            if (quote != '"' && quote != '\'') {
                word[len++] = *text++;
                continue;
            }
            const char *end = strchr(text + 1, quote);
            if (!end)
                return vmm_reader_fail(r, line, "run: a %c is not closed", quote);
            memcpy(word + len, text + 1, (size_t)(end - text) - 1);
            len += (size_t)(end - text) - 1;
            text = end + 1;
        }
        if (add_word(r, n, word, len, line) < 0)
            return -1;
    }
}

int vmm_set_run(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_node *n = base;
    const struct vmm_yaml *v = item->value;
    if (v->kind == VMM_YAML_TEXT && split_line(r, n, v->text, item->line) < 0)
        return -1;
    for (size_t i = 0; v->kind == VMM_YAML_LIST && i < v->n; i++) {
        const struct vmm_yaml *word = v->item[i].value;
        if (word->kind != VMM_YAML_TEXT)
            return vmm_reader_fail(r, v->item[i].line, "run: a word must be a text");
        if (add_word(r, n, word->text, strlen(word->text), v->item[i].line) < 0)
            return -1;
    }
    return n->n_run > 0 && n->run[0][0] ? 0 : -1;
}
