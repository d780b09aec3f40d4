/*
 * yaml_tree.h - a YAML text as a small tree that knows the line of everything.
 *
 *     text ──► libyaml's events ──► struct vmm_yaml (scalars, lists, maps)
 *              bounded: bytes, depth, nodes as expanded by aliases, bytes of a scalar
 *
 * Aliases and merge keys (`<<: *defaults`) are followed; keys are plain texts and occur once.
 * Variables in scalars, ${NAME} and ${NAME:-default}, are replaced after the parsing, so that a
 * value can never become structure. Pure but for vmm_yaml_read(). Errors: -1, and
 * "NAME:LINE: what is wrong" in `why`.
 */
#ifndef VMM_YAML_TREE_H
#define VMM_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define VMM_YAML_BYTES_MAX (256u << 10) /* of a file */
#define VMM_YAML_DEPTH_MAX 12           /* maps and lists in one another */
#define VMM_YAML_NODES_MAX 8192         /* of a tree, what an alias stands for counted each time */
#define VMM_YAML_ANCHORS_MAX 64         /* of a file */
#define VMM_YAML_TEXT_MAX 4096          /* bytes of a scalar with NUL, variables replaced */

enum vmm_yaml_kind { VMM_YAML_TEXT, VMM_YAML_LIST, VMM_YAML_MAP };

struct vmm_yaml;
struct vmm_yaml_item {
    const char *key; /* of a map; NULL in a list */
    int line;        /* where the key, or the item of a list, stands */
    const struct vmm_yaml *value;
};

struct vmm_yaml {
    enum vmm_yaml_kind kind;
    int line;                   /* first is 1 */
    bool quoted;                /* a text in quotes */
    const char *text;           /* of a text; never NULL there */
    struct vmm_yaml_item *item; /* of a list or map, n of them in the file's order */
    size_t n;
};

/* Value of a variable, or NULL. */
struct vmm_yaml_lookup {
    const char *(*get)(const void *arg, const char *name);
    const void *arg;
};

struct vmm_yaml_doc;

/* `name` is for the errors; `lookup` may be NULL: then ${NAME} stays as it is. An empty text is an
 * empty map. 0: *out is to be freed. Nothing of the arguments is kept. */
int vmm_yaml_parse(struct vmm_yaml_doc **out, const char *name, const char *text, size_t len,
                   const struct vmm_yaml_lookup *lookup, char *why, size_t why_size);
/* The same of a file; errors of it are "NAME: why". */
int vmm_yaml_read(struct vmm_yaml_doc **out, const char *path, const struct vmm_yaml_lookup *lookup,
                  char *why, size_t why_size);
void vmm_yaml_free(struct vmm_yaml_doc *doc); /* NULL is fine */

const struct vmm_yaml *vmm_yaml_root(const struct vmm_yaml_doc *doc);
/* The item of a map, or NULL; also when `map` is none. */
const struct vmm_yaml_item *vmm_yaml_get(const struct vmm_yaml *map, const char *key);

#endif
