/* config_file.c - see config_file.h: a YAML document walked along the table of keys. */
#include "config_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config_keys.h"

#define LINE_MAX_ 1024
#define NAME_MAX_ 128
#define PATH_TEXT_MAX 4096

struct reading {
    const char *path;
    size_t folder; /* bytes of `path` up to the last slash, with it */
    yaml_document_t *doc;
    struct problems *to;
};

static void __attribute__((format(printf, 3, 4)))
say(struct reading *r, size_t line, const char *format, ...)
{
    char text[LINE_MAX_];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (line)
        problems_add(r->to, "%.256s:%zu: %s", r->path, line, text);
    else
        problems_add(r->to, "%.256s: %s", r->path, text);
}

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static const char *scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* "key:" with nothing behind it. */
static bool is_empty(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Its elements with commas between them; NULL: not a list of scalars, or too long. */
static const char *joined(struct reading *r, const yaml_node_t *node, char *out, size_t size)
{
    size_t at = 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return scalar(node);
    out[0] = '\0';
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const char *text = scalar(yaml_document_get_node(r->doc, *i));
        if (!text || at + strlen(text) + 2 > size)
            return NULL;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? "," : "", text);
    }
    return out;
}

/* `text`, or the same in the file's folder. */
static const char *beside(const struct reading *r, const char *text, char *out, size_t size)
{
    if (text[0] == '/' || text[0] == '\0' || strcmp(text, "-") == 0 || r->folder == 0)
        return text;
    snprintf(out, size, "%.*s%s", (int)r->folder, r->path, text);
    return out;
}

static void read_table(struct reading *r, const struct config_table *t, void *base,
                       const yaml_node_t *node, const char *name);

static void read_scalar(struct reading *r, const struct config_key *k, void *base,
                        const yaml_node_t *node, const char *name)
{
    char list[NAME_MAX_], moved[PATH_TEXT_MAX], why[CONFIG_WHY_MAX];
    const char *text = k->type == KEY_KBPS ? joined(r, node, list, sizeof list) : scalar(node);
    if (!text) {
        say(r, line_of(node), "%s takes one value, not a %s", name,
            node->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
        return;
    }
    if (k->type == KEY_PATH)
        text = beside(r, text, moved, sizeof moved);
    if (config_set(k, base, text, why, sizeof why) < 0)
        say(r, line_of(node), "%s %s", name, why);
}

static void read_texts(struct reading *r, const struct config_key *k, void *base,
                       const yaml_node_t *node, const char *name)
{
    char moved[PATH_TEXT_MAX];
    if (node->type != YAML_SEQUENCE_NODE) {
        say(r, line_of(node), "%s takes a list", name);
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(r->doc, *i);
        const char *text = scalar(item);
        if (!text || !text[0])
            say(r, line_of(item), "%s takes a list of texts", name);
        else if (config_add_text(k, base, beside(r, text, moved, sizeof moved)) < 0)
            say(r, line_of(item), "%s has more than %d entries", name, CONFIG_SOURCES_MAX);
    }
}

/* A plain file as input is named as all files are. */
static void finish_source(const struct reading *r, struct config_source *s)
{
    char moved[PATH_TEXT_MAX], why[CONFIG_WHY_MAX];
    const char *file = config_input_file(s);
    if (file)
        (void)config_set(config_key_find(&config_source_table, "input"), s,
                         beside(r, file, moved, sizeof moved), why, sizeof why);
}

static void read_tables(struct reading *r, const struct config_key *k, void *base,
                        const yaml_node_t *node, const char *name)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        say(r, line_of(node), "%s takes a list", name);
        return;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(r->doc, *i);
        void *added = config_add(k, base);
        if (!added) {
            say(r, line_of(item), "%s has more than %d entries", name, CONFIG_SOURCES_MAX);
            return;
        }
        read_table(r, k->table, added, item, name);
        if (k->table == &config_source_table)
            finish_source(r, added);
    }
}

static void say_unknown(struct reading *r, const struct config_table *t, size_t line,
                        const char *name)
{
    char known[LINE_MAX_ / 2] = "";
    size_t at = 0;
    for (const struct config_key *k = t->key; k->name && at + NAME_MAX_ < sizeof known; k++)
        at += (size_t)snprintf(known + at, sizeof known - at, " %s", k->name);
    say(r, line, "unknown key %s; there are:%s", name, known);
}

static bool said_before(struct reading *r, const yaml_node_t *node, const yaml_node_pair_t *pair,
                        const char *key)
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < pair; p++) {
        const char *other = scalar(yaml_document_get_node(r->doc, p->key));
        if (other && strcmp(other, key) == 0)
            return true;
    }
    return false;
}

static void read_pair(struct reading *r, const struct config_table *t, void *base,
                      const yaml_node_t *node, const yaml_node_pair_t *pair, const char *prefix)
{
    const yaml_node_t *left = yaml_document_get_node(r->doc, pair->key);
    const yaml_node_t *right = yaml_document_get_node(r->doc, pair->value);
    const char *key = scalar(left);
    char name[NAME_MAX_];
    snprintf(name, sizeof name, "%s%s%.64s", prefix, prefix[0] ? "." : "", key ? key : "?");
    const struct config_key *k = key ? config_key_find(t, key) : NULL;
    if (!k)
        say_unknown(r, t, line_of(left), name);
    else if (said_before(r, node, pair, key))
        say(r, line_of(left), "%s is there twice", name);
    else if (k->type >= KEY_TEXTS && is_empty(right))
        return; /* all in it is commented out */
    else if (k->type == KEY_TABLE)
        read_table(r, k->table, (char *)base + k->offset, right, name);
    else if (k->type == KEY_TABLES)
        read_tables(r, k, base, right, name);
    else if (k->type == KEY_TEXTS)
        read_texts(r, k, base, right, name);
    else
        read_scalar(r, k, base, right, name);
}

static void read_table(struct reading *r, const struct config_table *t, void *base,
                       const yaml_node_t *node, const char *name)
{
    if (node->type != YAML_MAPPING_NODE) {
        say(r, line_of(node), "%s takes keys with values", name[0] ? name : "the file");
        return;
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++)
        read_pair(r, t, base, node, p, name);
}

static void read_document(struct reading *r, struct config *c, yaml_parser_t *parser)
{
    yaml_document_t doc, more;
    if (!yaml_parser_load(parser, &doc)) {
        say(r, parser->problem_mark.line + 1, "no YAML: %s",
            parser->problem ? parser->problem : "cannot be read");
        return;
    }
    r->doc = &doc;
    const yaml_node_t *root = yaml_document_get_root_node(&doc);
    if (root)
        read_table(r, &config_root, c, root, "");
    yaml_document_delete(&doc);
    if (!root)
        return;
    if (!yaml_parser_load(parser, &more)) {
        say(r, parser->problem_mark.line + 1, "no YAML: %s",
            parser->problem ? parser->problem : "cannot be read");
        return;
    }
    root = yaml_document_get_root_node(&more);
    if (root)
        say(r, line_of(root), "a second document");
    yaml_document_delete(&more);
}

void config_file_read(struct config *c, const char *path, struct problems *to)
{
    const char *slash = strrchr(path, '/');
    struct reading r = { .path = path, .folder = slash ? (size_t)(slash - path) + 1 : 0, .to = to };
    yaml_parser_t parser;
    FILE *file = fopen(path, "re");
    char *text = malloc(CONFIG_FILE_BYTES_MAX);
    const size_t n = file && text ? fread(text, 1, CONFIG_FILE_BYTES_MAX, file) : 0;
    if (!file || !text || ferror(file))
        say(&r, 0, "%s", strerror(errno));
    else if (n == CONFIG_FILE_BYTES_MAX)
        say(&r, 0, "more than %d bytes", CONFIG_FILE_BYTES_MAX - 1);
    else if (!yaml_parser_initialize(&parser))
        say(&r, 0, "out of memory");
    else {
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
        read_document(&r, c, &parser);
        yaml_parser_delete(&parser);
    }
    if (file)
        fclose(file);
    free(text);
}
