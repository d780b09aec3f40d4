/* topology.c - see topology.h: the file as a whole, and the questions about what it says. */
#include "topology/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/keys_internal.h"

/* ---- reading ---- */

struct variables {
    const struct vmm_variable *var;
    size_t n;
};

static const char *variable(const void *arg, const char *name)
{
    const struct variables *v = arg;
    for (size_t i = v->n; i-- > 0;) /* the last one of a name counts, as on a command line */
        if (strcmp(v->var[i].name, name) == 0)
            return v->var[i].value;
    return getenv(name);
}

int vmm_set_user(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct vmm_topology *t = base;
    const char *text = item->value->kind == VMM_YAML_TEXT ? item->value->text : "";
    size_t len = strspn(text, letters);
    (void)r;
    if (len == 0 || text[len] || len >= sizeof t->user || text[0] == '-')
        return -1;
    strcpy(t->user, text);
    return 0;
}

/* "configs/two-path.yaml" is called two-path; letters that a name cannot have become -. */
static void name_by_file(struct vmm_topology *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t n = 0;
    for (; base[n] && base[n] != '.' && n < sizeof t->name - 1; n++) {
        char c = base[n];
        bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        t->name[n] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : fits ? c : '-';
    }
    if (n == 0 || t->name[0] == '-')
        t->name[0] = 'x';
}

static void set_defaults(struct vmm_topology *t, const char *path)
{
    t->seed = 1;
    strcpy(t->user, "nobody");
    name_by_file(t, path);
}

/* 1-based line of where key `key` of the whole file stands; 1: nowhere. */
static int line_of(const struct vmm_yaml *root, const char *key)
{
    const struct vmm_yaml_item *item = vmm_yaml_get(root, key);
    return item ? item->line : 1;
}

/* The map without `links`, then those, which name nodes and lean on `parent`. */
static int read_root(struct vmm_reader *r, const struct vmm_yaml *root)
{
    static const char *const later = "links";
    if (root->kind != VMM_YAML_MAP)
        return vmm_reader_fail(r, root->line, "a topology is a map: nodes: ..., links: ...");
    struct vmm_yaml_item *item = calloc(root->n + 1, sizeof *item);
    struct vmm_yaml first = { .kind = VMM_YAML_MAP, .line = root->line, .item = item };
    const struct vmm_yaml_item *links = vmm_yaml_get(root, later);
    if (!item)
        return vmm_reader_fail(r, root->line, "out of memory");
    for (size_t i = 0; i < root->n; i++)
        if (&root->item[i] != links)
            item[first.n++] = root->item[i];
    if (links)
        item[first.n++] = *links;
    int done = vmm_read_keys(r, &vmm_root_keys, r->t, &first, root->line);
    free(item);
    if (done < 0)
        return -1;
    snprintf(r->of, sizeof r->of, "network");
    if (vmm_check_real_time(r, &r->t->network, line_of(root, "network")) < 0)
        return -1;
    r->of[0] = 0;
    return vmm_check_topology(r);
}

/* Where the file is: names in it are relative to that. */
static int place(struct vmm_reader *r, const char *path)
{
    char *absolute = realpath(path, NULL);
    char *slash = absolute ? strrchr(absolute, '/') : NULL;
    int done = -1;
    if (slash && strlen(absolute) < sizeof r->t->file) {
        strcpy(r->t->file, absolute);
        *slash = 0;
        strcpy(r->folder, absolute);
        done = 0;
    } else {
        snprintf(r->why, r->why_size, "%s: its path cannot be found, or is too long", path);
    }
    free(absolute);
    return done;
}

int vmm_topology_read(struct vmm_topology **out, const char *path, const struct vmm_variable *vars,
                      size_t n_vars, char *why, size_t why_size)
{
    struct variables v = { vars, n_vars };
    struct vmm_yaml_lookup lookup = { variable, &v };
    struct vmm_yaml_doc *doc = NULL;
    struct vmm_topology *t = calloc(1, sizeof *t);
    struct vmm_reader r = { .t = t, .name = path, .why = why, .why_size = why_size };
    *out = NULL;
    if (!t) {
        snprintf(why, why_size, "%s: out of memory", path);
        return -1;
    }
    set_defaults(t, path);
    if (vmm_yaml_read(&doc, path, &lookup, why, why_size) == 0 && place(&r, path) == 0 &&
        read_root(&r, vmm_yaml_root(doc)) == 0)
        *out = t;
    else
        vmm_topology_free(t);
    vmm_yaml_free(doc);
    return *out ? 0 : -1;
}

void vmm_topology_free(struct vmm_topology *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_nodes; i++)
        for (size_t j = 0; j < t->node[i].n_run; j++)
            free(t->node[i].run[j]);
    free(t);
}

/* ---- questions ---- */

int vmm_topology_node(const struct vmm_topology *t, const char *name)
{
    for (size_t i = 0; i < t->n_nodes; i++)
        if (strcmp(t->node[i].name, name) == 0)
            return (int)i;
    return -1;
}

int vmm_topology_link(const struct vmm_topology *t, const char *name)
{
    for (size_t i = 0; i < t->n_links; i++)
        if (strcmp(t->link[i].name, name) == 0)
            return (int)i;
    return -1;
}

int vmm_topology_port(const struct vmm_topology *t, size_t link, size_t node)
{
    for (size_t i = 0; i < t->link[link].n_ports; i++)
        if (t->link[link].port[i] == node)
            return (int)i;
    return -1;
}

uint32_t vmm_topology_address(const struct vmm_topology *t, size_t link, size_t port)
{
    return t->link[link].subnet + (uint32_t)port + 1;
}

/* 52:54:00 is QEMU's for locally administered ones. SS tells slices apart on a common switch. */
void vmm_topology_mac(const struct vmm_topology *t, size_t link, size_t port, uint8_t mac[6])
{
    uint8_t sum = 0;
    for (const char *c = t->name; *c; c++)
        sum = (uint8_t)(sum * 31 + (uint8_t)*c);
    const uint8_t made[6] = { 0x52, 0x54, 0, (uint8_t)link, (uint8_t)(port + 1), sum };
    memcpy(mac, made, sizeof made);
}
