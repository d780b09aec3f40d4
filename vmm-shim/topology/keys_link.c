/* keys_link.c - the keys of links: ends, settings in both directions or one. */
#include "topology/keys_internal.h"

#include <stdio.h>
#include <string.h>

#include "topology/units.h"
#include "vlink/spec.h"

/* ---- the map of links ---- */

static int read_link(struct vmm_reader *r, const struct vmm_yaml_item *item)
{
    struct vmm_topology *t = r->t;
    struct vmm_link *l = &t->link[t->n_links];
    if (!vmm_is_name(item->key))
        return vmm_reader_fail(r, item->line,
                               "a link's name has at most 15 of a-z, 0-9 and -, unlike \"%.64s\"",
                               item->key);
    if (t->n_links == VMM_LINKS_MAX)
        return vmm_reader_fail(r, item->line, "more than %d links", VMM_LINKS_MAX);
    strcpy(l->name, item->key);
    l->line = item->line;
    l->weight = 1;
    l->subnet = UINT32_C(10) << 24 | 77u << 16 | (uint32_t)t->n_links << 8;
    snprintf(r->of, sizeof r->of, "link %s", l->name);
    if (vmm_read_keys(r, &vmm_link_keys, l, item->value, item->line) < 0 ||
        vmm_check_link(r, l) < 0)
        return -1;
    r->of[0] = 0;
    t->n_links++;
    return 0;
}

int vmm_set_links(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    (void)base;
    if (item->value->kind != VMM_YAML_MAP)
        return -1;
    for (size_t i = 0; i < item->value->n; i++)
        if (read_link(r, &item->value->item[i]) < 0)
            return -1;
    return 0;
}

static int unknown_node(struct vmm_reader *r, int line, const char *text)
{
    const char *names[VMM_NODES_MAX + 1] = { 0 };
    for (size_t i = 0; i < r->t->n_nodes; i++)
        names[i] = r->t->node[i].name;
    return vmm_reader_unknown(r, line, "between: no node", text, names, "the nodes are");
}

int vmm_set_between(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    const struct vmm_yaml *v = item->value;
    if (v->kind != VMM_YAML_LIST || v->n < 2)
        return -1;
    for (size_t i = 0; i < v->n; i++) {
        const struct vmm_yaml_item *end = &v->item[i];
        if (end->value->kind != VMM_YAML_TEXT)
            return -1;
        int node = vmm_topology_node(r->t, end->value->text);
        if (node < 0)
            return unknown_node(r, end->line, end->value->text);
        for (size_t j = 0; j < l->n_ports; j++)
            if (l->port[j] == (size_t)node)
                return vmm_reader_fail(r, end->line, "between: %s is there twice",
                                       end->value->text);
        if (l->n_ports == VMM_PORTS_MAX)
            return vmm_reader_fail(r, end->line, "between: more than %d nodes", VMM_PORTS_MAX);
        l->port[l->n_ports++] = (size_t)node;
    }
    return 0;
}

int vmm_set_program(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    if (item->value->kind != VMM_YAML_TEXT || !item->value->text[0])
        return -1;
    if (strncmp(item->value->text, "program:", 8) == 0 &&
        strlen(item->value->text) < sizeof l->program) {
        strcpy(l->program, item->value->text);
        return 0;
    }
    return vmm_reader_path(r, item->value->text, l->program, sizeof l->program);
}

int vmm_set_subnet(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    (void)r;
    return item->value->kind == VMM_YAML_TEXT ? vmm_parse_subnet(item->value->text, &l->subnet)
                                              : -1;
}

/* ---- settings ---- */

/* "up" and "down" are one setting, of which the latest word counts. */
static bool same_setting(const char *a, const char *b)
{
    bool state_a = strcmp(a, "up") == 0 || strcmp(a, "down") == 0;
    bool state_b = strcmp(b, "up") == 0 || strcmp(b, "down") == 0;
    return (state_a && state_b) || strcmp(a, b) == 0;
}

/* The item as vlink has it, checked by vlink. 0 or -1. */
static int make_setting(struct vmm_reader *r, struct vmm_setting *s,
                        const struct vmm_yaml_item *item)
{
    const char *text = item->value->text, *key = item->key;
    struct vlink_config scratch;
    char why[VLINK_WHY_MAX];
    if (item->value->kind != VMM_YAML_TEXT)
        return -1;
    *s = (struct vmm_setting){ .line = item->line };
    if (strcmp(key, "state") == 0) {
        if (strcmp(text, "up") != 0 && strcmp(text, "down") != 0)
            return -1;
        key = text;
        text = "";
    }
    strcpy(s->key, key); /* one of the table's, all short */
    if (strcmp(key, "trace") == 0) {
        if (!*text)
            return -1;
        if (vmm_reader_path(r, text, s->value, sizeof s->value) < 0)
            return vmm_reader_fail(r, item->line, "trace: a path longer than %d bytes",
                                   VMM_VALUE_MAX - 1);
        return 0;
    }
    if (strlen(text) >= sizeof s->value)
        return -1;
    strcpy(s->value, text);
    vlink_config_init(&scratch);
    if (vlink_config_set(&scratch, s->key, s->value, why, sizeof why) < 0)
        return vmm_reader_fail(r, item->line, "%s", why);
    return 0;
}

/* `override`: replaces one that is there, else leaves it. */
static void keep_setting(struct vmm_setting *all, size_t *n, const struct vmm_setting *s,
                         bool override)
{
    for (size_t i = 0; i < *n; i++) {
        if (!same_setting(all[i].key, s->key))
            continue;
        if (override)
            all[i] = *s;
        return;
    }
    all[(*n)++] = *s; /* no more of them than keys in the table, fewer than VMM_KEYS_MAX */
}

/* At the link itself: both directions, apart from what `up` or `down` say of theirs. */
int vmm_set_both(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    struct vmm_setting s;
    if (make_setting(r, &s, item) < 0)
        return -1;
    keep_setting(l->up, &l->n_up, &s, false);
    keep_setting(l->down, &l->n_down, &s, false);
    return 0;
}

int vmm_set_one(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_direction *d = base;
    struct vmm_setting s;
    if (make_setting(r, &s, item) < 0)
        return -1;
    keep_setting(d->setting, d->n, &s, true);
    return 0;
}

static int set_direction(struct vmm_reader *r, struct vmm_direction d,
                         const struct vmm_yaml_item *item)
{
    const struct vmm_yaml *v = item->value;
    if (v->kind == VMM_YAML_TEXT)
        return vmm_reader_fail(r, item->line,
                               "%s takes keys of one direction, as in "
                               "%s: {rate: 3mbit}; a link that is down: \"state: down\"",
                               item->key, item->key);
    return v->kind == VMM_YAML_MAP ? vmm_read_keys(r, &vmm_direction_keys, &d, v, item->line) : -1;
}

int vmm_set_up(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    return set_direction(r, (struct vmm_direction){ l->up, &l->n_up }, item);
}

int vmm_set_down(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)
{
    struct vmm_link *l = base;
    return set_direction(r, (struct vmm_direction){ l->down, &l->n_down }, item);
}
