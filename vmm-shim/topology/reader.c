/* reader.c - values into structs by the tables of keys.h, and the errors about them. */
#include "topology/keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "topology/units.h"
#include "vlink/spec.h"

#define NAMES_MAX 40 /* of a section's keys, for a hint */

static const char *const kind_names[] = { "guests", "processes", "namespaces" };

int vmm_reader_fail(struct vmm_reader *r, int line, const char *format, ...)
{
    int n = 0;
    if (r->name)
        n = snprintf(r->why, r->why_size, "%s:%d: %s%s", r->name, line, r->of,
                     r->of[0] ? ": " : "");
    if (n < 0 || (size_t)n >= r->why_size)
        return -1;
    va_list args;
    va_start(args, format);
    vsnprintf(r->why + n, r->why_size - (size_t)n, format, args);
    va_end(args);
    return -1;
}

/* ---- what a key takes, in words ---- */

static const char *join(const char *const *names, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; names[i] && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s",
                               i == 0         ? ""
                               : names[i + 1] ? ", "
                                              : " or ",
                               names[i]);
    return out;
}

const char *vmm_key_takes(const struct vmm_key *k, char out[VMM_READER_TEXT])
{
    char least[24], most[24];
    switch (k->type) {
    case VMM_FLAG:
        return "true or false";
    case VMM_INT:
    case VMM_UINT:
    case VMM_U64:
        snprintf(out, VMM_READER_TEXT, "a whole number [%.0f, %.0f]", k->min, k->max);
        return out;
    case VMM_TIME:
        snprintf(out, VMM_READER_TEXT, "a time like 40ms [%s, %s]",
                 vmm_show_time((uint64_t)k->min, least, sizeof least),
                 vmm_show_time((uint64_t)k->max, most, sizeof most));
        return out;
    case VMM_BYTES:
        snprintf(out, VMM_READER_TEXT, "a size like 128M [%s, %s]",
                 vmm_show_bytes((uint64_t)k->min, least, sizeof least),
                 vmm_show_bytes((uint64_t)k->max, most, sizeof most));
        return out;
    case VMM_PERCENT:
        snprintf(out, VMM_READER_TEXT, "percent like 50%% [%.0f%%, %.0f%%]", k->min, k->max);
        return out;
    case VMM_CHOICE:
        return join(k->names, out, VMM_READER_TEXT);
    case VMM_NAME:
        return "a name of at most 15 of a-z, 0-9 and -";
    case VMM_LABEL:
        snprintf(out, VMM_READER_TEXT, "a text of 1 to %.0f bytes", k->max - 1);
        return out;
    case VMM_KEYS:
    case VMM_OWN:
        break;
    }
    return k->takes;
}

/* ---- one value ---- */

static bool in_range(const struct vmm_key *k, double value)
{
    return value >= k->min && value <= k->max;
}

static int set_number(const struct vmm_key *k, void *field, const char *text)
{
    int64_t whole = 0;
    uint64_t big = 0;
    uint32_t percent = 0;
    switch (k->type) {
    case VMM_TIME:
        if (vlink_parse_duration(text, &big) < 0 || !in_range(k, (double)big))
            return -1;
        *(uint64_t *)field = big;
        return 0;
    case VMM_BYTES:
        if (vmm_parse_bytes(text, &big) < 0 || !in_range(k, (double)big))
            return -1;
        *(uint64_t *)field = big;
        return 0;
    case VMM_PERCENT:
        if (vmm_parse_percent(text, &percent) < 0 || !in_range(k, percent))
            return -1;
        *(uint32_t *)field = percent;
        return 0;
    default:
        break;
    }
    if (vmm_parse_integer(text, &whole) < 0 || !in_range(k, (double)whole))
        return -1;
    if (k->type == VMM_INT)
        *(int *)field = (int)whole;
    else if (k->type == VMM_UINT)
        *(uint32_t *)field = (uint32_t)whole;
    else
        *(uint64_t *)field = (uint64_t)whole;
    return 0;
}

static int set_text(const struct vmm_key *k, void *field, const char *text)
{
    switch (k->type) {
    case VMM_FLAG:
        return vmm_parse_flag(text, field);
    case VMM_NAME:
        if (!vmm_is_name(text))
            return -1;
        strcpy(field, text);
        return 0;
    case VMM_LABEL:
        if (!*text || strlen(text) >= (size_t)k->max)
            return -1;
        strcpy(field, text);
        return 0;
    case VMM_CHOICE:
        for (int i = 0; k->names[i]; i++) {
            if (strcmp(k->names[i], text) == 0) {
                *(int *)field = i;
                return 0;
            }
        }
        return -1;
    default:
        return set_number(k, field, text);
    }
}

/* "memory takes ..., not X", X as it was written, or what it is. */
static int refuse(struct vmm_reader *r, const struct vmm_key *k, const struct vmm_yaml_item *item)
{
    char takes[VMM_READER_TEXT];
    const struct vmm_yaml *v = item->value;
    const char *is = v->kind == VMM_YAML_LIST ? "a list" : v->kind == VMM_YAML_MAP ? "keys" : NULL;
    if (v->kind == VMM_YAML_TEXT && !v->quoted && !*v->text)
        is = "nothing";
    if (is)
        return vmm_reader_fail(r, item->line, "%s takes %s, not %s", k->name,
                               vmm_key_takes(k, takes), is);
    return vmm_reader_fail(r, item->line, "%s takes %s, not \"%.64s\"", k->name,
                           vmm_key_takes(k, takes), v->text);
}

static int set_key(struct vmm_reader *r, const struct vmm_key *k, void *base,
                   const struct vmm_yaml_item *item)
{
    char *field = (char *)base + k->offset;
    if (k->type == VMM_KEYS) {
        if (item->value->kind != VMM_YAML_MAP)
            return refuse(r, k, item);
        return vmm_read_keys(r, k->section, field, item->value, item->line);
    }
    r->why[0] = 0;
    int done = k->type == VMM_OWN                   ? k->set(r, base, item)
               : item->value->kind != VMM_YAML_TEXT ? -1
                                                    : set_text(k, field, item->value->text);
    if (done < 0 && !r->why[0])
        refuse(r, k, item);
    return done;
}

/* ---- all keys of a map ---- */

int vmm_reader_unknown(struct vmm_reader *r, int line, const char *what, const char *text,
                       const char *const *names, const char *takes)
{
    const char *near = vmm_nearest_name(text, names);
    char all[320];
    if (near)
        return vmm_reader_fail(r, line, "%s \"%.64s\" (did you mean %s?)", what, text, near);
    if (!names[0])
        return vmm_reader_fail(r, line, "%s \"%.64s\"; there is none", what, text);
    return vmm_reader_fail(r, line, "%s \"%.64s\"; %s %s", what, text, takes,
                           join(names, all, sizeof all));
}

static int unknown_key(struct vmm_reader *r, const struct vmm_section *s, const char *key, int line)
{
    const char *names[NAMES_MAX + 1];
    char takes[96];
    size_t n = 0;
    for (const struct vmm_key *k = s->key; k->name && n < NAMES_MAX; k++)
        if (!k->kinds || !r->kind || k->kinds & r->kind)
            names[n++] = k->name;
    names[n] = NULL;
    if (strcmp(key, "both") == 0 && s == &vmm_link_keys)
        return vmm_reader_fail(r, line,
                               "unknown key \"both\"; what holds in both directions stands "
                               "at the link itself");
    snprintf(takes, sizeof takes, "the keys %s are", s->title);
    return vmm_reader_unknown(r, line, "unknown key", key, names, takes);
}

int vmm_read_keys(struct vmm_reader *r, const struct vmm_section *s, void *base,
                  const struct vmm_yaml *map, int line)
{
    if (map->kind != VMM_YAML_MAP)
        return vmm_reader_fail(r, line, "here are the keys %s expected, as KEY: VALUE", s->title);
    for (size_t i = 0; i < map->n; i++) {
        const struct vmm_yaml_item *item = &map->item[i];
        const struct vmm_key *k = s->key;
        while (k->name && strcmp(k->name, item->key) != 0)
            k++;
        if (!k->name)
            return unknown_key(r, s, item->key, item->line);
        if (k->kinds && r->kind && !(k->kinds & r->kind)) {
            const char *names[4] = { 0 };
            char text[64];
            size_t n = 0;
            for (unsigned kind = 0; kind < 3; kind++)
                if (k->kinds & 1u << kind)
                    names[n++] = kind_names[kind];
            return vmm_reader_fail(r, item->line, "%s is only for %s", k->name,
                                   join(names, text, sizeof text));
        }
        if (set_key(r, k, base, item) < 0)
            return -1;
    }
    return 0;
}

int vmm_key_set(const struct vmm_section *s, void *base, const char *key, const char *value,
                char *why, size_t why_size)
{
    struct vmm_reader r = { .why = why, .why_size = why_size };
    const struct vmm_yaml text = {
        .kind = VMM_YAML_TEXT, .line = 1, .quoted = true, .text = value
    };
    struct vmm_yaml_item item = { key, 1, &text };
    const struct vmm_yaml map = { .kind = VMM_YAML_MAP, .line = 1, .item = &item, .n = 1 };
    return vmm_read_keys(&r, s, base, &map, 1);
}

int vmm_reader_path(const struct vmm_reader *r, const char *text, char *out, size_t size)
{
    bool absolute = text[0] == '/';
    int n = snprintf(out, size, "%s%s%s", absolute ? "" : r->folder, absolute ? "" : "/", text);
    return n > 0 && (size_t)n < size ? 0 : -1;
}
