/* yaml_tree.c - see yaml_tree.h. */
#include "topology/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "topology/substitute.h"

/* All memory of a tree hangs in one list: aliases make it a graph, which nobody wants to free by
 * walking. */
struct block {
    struct block *next;
};

struct vmm_yaml_doc {
    struct block *blocks;
    const struct vmm_yaml *root;
};

/* A value and how many nodes it stands for. */
struct made {
    const struct vmm_yaml *node;
    size_t weight;
};

struct anchor {
    char name[64];
    struct made made;
};

struct builder {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one, owned */
    bool has_event;
    struct vmm_yaml_doc *doc;
    const struct vmm_yaml_lookup *lookup;
    struct anchor anchor[VMM_YAML_ANCHORS_MAX];
    size_t n_anchors;
    const char *name;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 3, 4))) static int fail(struct builder *b, int line,
                                                      const char *format, ...)
{
    int n = line > 0 ? snprintf(b->why, b->why_size, "%s:%d: ", b->name, line)
                     : snprintf(b->why, b->why_size, "%s: ", b->name);
    if (n < 0 || (size_t)n >= b->why_size)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(b->why + n, b->why_size - (size_t)n, format, args);
    va_end(args);
    return -1;
}

static void *allocate(struct builder *b, size_t size)
{
    struct block *block = calloc(1, sizeof *block + size);
    if (!block) {
        fail(b, 0, "out of memory");
        return NULL;
    }
    block->next = b->doc->blocks;
    b->doc->blocks = block;
    return block + 1;
}

static int event_line(const struct builder *b)
{
    return (int)b->event.start_mark.line + 1;
}

static int next_event(struct builder *b)
{
    if (b->has_event)
        yaml_event_delete(&b->event);
    b->has_event = yaml_parser_parse(&b->parser, &b->event) != 0;
    if (b->has_event)
        return 0;
    const yaml_parser_t *p = &b->parser;
    return fail(b, (int)p->problem_mark.line + 1, "not YAML: %s%s%s",
                p->problem ? p->problem : "out of memory", p->context ? " " : "",
                p->context ? p->context : "");
}

static int build(struct builder *b, unsigned depth, struct made *out);

static struct vmm_yaml *new_node(struct builder *b, enum vmm_yaml_kind kind)
{
    struct vmm_yaml *node = allocate(b, sizeof *node);
    if (node) {
        node->kind = kind;
        node->line = event_line(b);
    }
    return node;
}

/* ---- scalars ---- */

static const char *keep_text(struct builder *b, const char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = allocate(b, size);
    return kept ? memcpy(kept, text, size) : NULL;
}

static int build_text(struct builder *b, struct made *out)
{
    const char *text = (const char *)b->event.data.scalar.value;
    char replaced[VMM_YAML_TEXT_MAX], why[192];
    int line = event_line(b);
    if (strlen(text) != b->event.data.scalar.length)
        return fail(b, line, "a NUL in a text");
    if (strlen(text) >= VMM_YAML_TEXT_MAX)
        return fail(b, line, "a text longer than %d bytes", VMM_YAML_TEXT_MAX - 1);
    struct vmm_yaml *node = new_node(b, VMM_YAML_TEXT);
    if (!node)
        return -1;
    if (b->lookup) {
        if (vmm_substitute(text, b->lookup, replaced, sizeof replaced, why, sizeof why) < 0)
            return fail(b, line, "%s", why);
        text = replaced;
    }
    node->quoted = b->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = keep_text(b, text);
    *out = (struct made){ node, 1 };
    return node->text ? 0 : -1;
}

/* ---- anchors and aliases ---- */

static const struct anchor *find_anchor(const struct builder *b, const char *name)
{
    for (size_t i = b->n_anchors; i-- > 0;) /* the latest of a name counts */
        if (strcmp(b->anchor[i].name, name) == 0)
            return &b->anchor[i];
    return NULL;
}

/* Only what is complete can be referred to, so no value contains itself. */
static int keep_anchor(struct builder *b, const char *name, const struct made *made)
{
    struct anchor *a = &b->anchor[b->n_anchors];
    if (b->n_anchors == VMM_YAML_ANCHORS_MAX)
        return fail(b, made->node->line, "more than %d anchors", VMM_YAML_ANCHORS_MAX);
    if (strlen(name) >= sizeof a->name)
        return fail(b, made->node->line, "an anchor longer than %zu bytes", sizeof a->name - 1);
    strcpy(a->name, name);
    a->made = *made;
    b->n_anchors++;
    return 0;
}

static int build_alias(struct builder *b, struct made *out)
{
    const char *name = (const char *)b->event.data.alias.anchor;
    const struct anchor *a = find_anchor(b, name);
    if (!a)
        return fail(b, event_line(b), "*%.32s refers to nothing before it", name);
    *out = a->made;
    return 0;
}

/* ---- lists and maps ---- */

/* Room for one more, and its weight; both bounded by the tree's. */
static int add_item(struct builder *b, struct vmm_yaml *node, size_t *weight,
                    const struct vmm_yaml_item *item, size_t item_weight)
{
    *weight += item_weight;
    if (*weight > VMM_YAML_NODES_MAX)
        return fail(b, item->line, "more than %d values, what aliases stand for counted",
                    VMM_YAML_NODES_MAX);
    if ((node->n & (node->n - 1)) == 0) { /* full at each power of two: doubled, the old one stays
                                             in the list of blocks until the end */
        struct vmm_yaml_item *more = allocate(b, (node->n ? node->n * 2 : 1) * sizeof *more);
        if (!more)
            return -1;
        if (node->n)
            memcpy(more, node->item, node->n * sizeof *more);
        node->item = more;
    }
    node->item[node->n++] = *item;
    return 0;
}

static int build_list(struct builder *b, unsigned depth, struct made *out)
{
    struct vmm_yaml *node = new_node(b, VMM_YAML_LIST);
    size_t weight = 1;
    if (!node)
        return -1;
    for (;;) {
        struct made made = { 0 };
        if (next_event(b) < 0)
            return -1;
        if (b->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct vmm_yaml_item item = { NULL, event_line(b), NULL };
        if (build(b, depth, &made) < 0)
            return -1;
        item.value = made.node;
        if (add_item(b, node, &weight, &item, made.weight) < 0)
            return -1;
    }
    *out = (struct made){ node, weight };
    return 0;
}

/* `<<: *defaults` or `<<: [*a, *b]`: keys that the map itself has not. */
static int merge(struct builder *b, struct vmm_yaml *node, size_t *weight,
                 const struct vmm_yaml *from, int line)
{
    if (from->kind == VMM_YAML_LIST) {
        for (size_t i = 0; i < from->n; i++) {
            if (from->item[i].value->kind != VMM_YAML_MAP)
                return fail(b, line, "<< takes a map or a list of maps");
            if (merge(b, node, weight, from->item[i].value, line) < 0)
                return -1;
        }
        return 0;
    }
    if (from->kind != VMM_YAML_MAP)
        return fail(b, line, "<< takes a map or a list of maps");
    for (size_t i = 0; i < from->n; i++)
        if (!vmm_yaml_get(node, from->item[i].key) &&
            add_item(b, node, weight, &from->item[i], 1) < 0)
            return -1;
    return 0;
}

/* The key that the current event is. A merge key has no place in the map: *is_merge. */
static int read_key(struct builder *b, const struct vmm_yaml *node, struct vmm_yaml_item *item,
                    bool *is_merge)
{
    item->line = event_line(b);
    if (b->event.type != YAML_SCALAR_EVENT)
        return fail(b, item->line, "a key must be a text");
    if (b->event.data.scalar.length != strlen((const char *)b->event.data.scalar.value) ||
        b->event.data.scalar.length >= 64)
        return fail(b, item->line, "a key longer than 63 bytes, or with a NUL");
    item->key = keep_text(b, (const char *)b->event.data.scalar.value);
    if (!item->key)
        return -1;
    *is_merge = strcmp(item->key, "<<") == 0;
    const struct vmm_yaml_item *first = vmm_yaml_get(node, item->key);
    if (first)
        return fail(b, item->line, "\"%s\" is there twice, first in line %d", item->key,
                    first->line);
    return 0;
}

static int build_map(struct builder *b, unsigned depth, struct made *out)
{
    struct vmm_yaml *node = new_node(b, VMM_YAML_MAP);
    const struct vmm_yaml *merged = NULL;
    size_t weight = 1;
    int merge_line = 0;
    if (!node)
        return -1;
    for (;;) {
        struct vmm_yaml_item item;
        struct made made = { 0 };
        bool is_merge = false;
        if (next_event(b) < 0)
            return -1;
        if (b->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (read_key(b, node, &item, &is_merge) < 0 || next_event(b) < 0 ||
            build(b, depth, &made) < 0)
            return -1;
        item.value = made.node;
        if (is_merge) {
            if (merged)
                return fail(b, item.line, "\"<<\" is there twice, first in line %d", merge_line);
            merged = made.node;
            merge_line = item.line;
            weight += made.weight;
        } else if (add_item(b, node, &weight, &item, made.weight) < 0) {
            return -1;
        }
    }
    if (merged && merge(b, node, &weight, merged, merge_line) < 0)
        return -1;
    *out = (struct made){ node, weight };
    return 0;
}

/* The value that begins with the current event; its last event is the current one afterwards. */
static int build(struct builder *b, unsigned depth, struct made *out)
{
    const yaml_char_t *anchor = NULL;
    char name[80] = "";
    int done;
    if (depth == VMM_YAML_DEPTH_MAX)
        return fail(b, event_line(b), "maps and lists more than %d deep", VMM_YAML_DEPTH_MAX);
    if (b->event.type == YAML_SCALAR_EVENT)
        anchor = b->event.data.scalar.anchor;
    else if (b->event.type == YAML_SEQUENCE_START_EVENT)
        anchor = b->event.data.sequence_start.anchor;
    else if (b->event.type == YAML_MAPPING_START_EVENT)
        anchor = b->event.data.mapping_start.anchor;
    if (anchor)
        snprintf(name, sizeof name, "%s", (const char *)anchor);
    if (b->event.type == YAML_ALIAS_EVENT)
        done = build_alias(b, out);
    else if (b->event.type == YAML_SCALAR_EVENT)
        done = build_text(b, out);
    else if (b->event.type == YAML_SEQUENCE_START_EVENT)
        done = build_list(b, depth + 1, out);
    else
        done = build_map(b, depth + 1, out);
    if (done < 0)
        return -1;
    return name[0] ? keep_anchor(b, name, out) : 0;
}

static int build_document(struct builder *b)
{
    struct made made = { 0 };
    do { /* start of the stream, then of the document */
        if (next_event(b) < 0)
            return -1;
    } while (b->event.type == YAML_STREAM_START_EVENT ||
             b->event.type == YAML_DOCUMENT_START_EVENT);
    if (b->event.type == YAML_STREAM_END_EVENT) {
        b->doc->root = new_node(b, VMM_YAML_MAP);
        return b->doc->root ? 0 : -1;
    }
    if (build(b, 0, &made) < 0)
        return -1;
    b->doc->root = made.node;
    do {
        if (next_event(b) < 0)
            return -1;
    } while (b->event.type == YAML_DOCUMENT_END_EVENT);
    if (b->event.type != YAML_STREAM_END_EVENT)
        return fail(b, event_line(b), "a second document: one file is one document");
    return 0;
}

int vmm_yaml_parse(struct vmm_yaml_doc **out, const char *name, const char *text, size_t len,
                   const struct vmm_yaml_lookup *lookup, char *why, size_t why_size)
{
    struct builder *b = calloc(1, sizeof *b);
    struct vmm_yaml_doc *doc = calloc(1, sizeof *doc);
    int done = -1;
    *out = NULL;
    if (!b || !doc || !yaml_parser_initialize(&b->parser)) {
        snprintf(why, why_size, "%s: out of memory", name);
        free(b);
        free(doc);
        return -1;
    }
    b->doc = doc;
    b->lookup = lookup;
    b->name = name;
    b->why = why;
    b->why_size = why_size;
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
    if (len > VMM_YAML_BYTES_MAX)
        fail(b, 0, "larger than %u KiB", VMM_YAML_BYTES_MAX >> 10);
    else
        done = build_document(b);
    if (b->has_event)
        yaml_event_delete(&b->event);
    yaml_parser_delete(&b->parser);
    free(b);
    if (done == 0)
        *out = doc;
    else
        vmm_yaml_free(doc);
    return done;
}

int vmm_yaml_read(struct vmm_yaml_doc **out, const char *path, const struct vmm_yaml_lookup *lookup,
                  char *why, size_t why_size)
{
    char *text = malloc(VMM_YAML_BYTES_MAX + 1);
    FILE *f = fopen(path, "re");
    int done = -1;
    *out = NULL;
    if (!text || !f) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
    } else {
        size_t len = fread(text, 1, VMM_YAML_BYTES_MAX + 1, f);
        if (ferror(f))
            snprintf(why, why_size, "%s: %s", path, strerror(errno));
        else
            done = vmm_yaml_parse(out, path, text, len, lookup, why, why_size);
    }
    if (f)
        fclose(f);
    free(text);
    return done;
}

void vmm_yaml_free(struct vmm_yaml_doc *doc)
{
    if (!doc)
        return;
    while (doc->blocks) {
        struct block *next = doc->blocks->next;
        free(doc->blocks);
        doc->blocks = next;
    }
    free(doc);
}

const struct vmm_yaml *vmm_yaml_root(const struct vmm_yaml_doc *doc)
{
    return doc->root;
}

const struct vmm_yaml_item *vmm_yaml_get(const struct vmm_yaml *map, const char *key)
{
    if (!map || map->kind != VMM_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->item[i].key, key) == 0)
            return &map->item[i];
    return NULL;
}
