/* config.c - see config.h and config_keys.h: what is done with all keys alike. */
#include "config_keys.h"

#include <stdlib.h>
#include <string.h>

static void *at_of(const struct config_key *k, const void *base)
{
    return (char *)(uintptr_t)base + k->offset;
}

static size_t *count_of(const struct config_key *k, const void *base)
{
    return (size_t *)(void *)((char *)(uintptr_t)base + k->count);
}

static void *entry(const struct config_key *k, const void *base, size_t i)
{
    return *(char **)at_of(k, base) + i * k->table->size;
}

int config_table_init(const struct config_table *t, void *base)
{
    char why[CONFIG_WHY_MAX];
    for (const struct config_key *k = t->key; k->name; k++) {
        if (k->type == KEY_TABLE ? config_table_init(k->table, at_of(k, base)) < 0
                                 : k->fallback && config_set(k, base, k->fallback, why, sizeof why))
            return -1;
    }
    return 0;
}

static void fini_key(const struct config_key *k, void *base)
{
    char **texts = at_of(k, base);
    switch (k->type) {
    case KEY_TEXT:
    case KEY_PATH:
        free(*texts);
        break;
    case KEY_TEXTS:
        for (size_t i = 0; i < *count_of(k, base); i++)
            free((*(char ***)at_of(k, base))[i]);
        free(*(char ***)at_of(k, base));
        break;
    case KEY_TABLE:
        config_table_fini(k->table, at_of(k, base));
        break;
    case KEY_TABLES:
        for (size_t i = 0; i < *count_of(k, base); i++)
            config_table_fini(k->table, entry(k, base, i));
        free(*(void **)at_of(k, base));
        break;
    case KEY_FLAG:
    case KEY_U8:
    case KEY_U32:
    case KEY_REAL:
    case KEY_CHOICE:
    case KEY_KBPS:
    case KEY_SIZE:
    case KEY_RATE:
    case KEY_BYTES:
        break;
    }
}

void config_table_fini(const struct config_table *t, void *base)
{
    for (const struct config_key *k = t->key; k->name; k++)
        fini_key(k, base);
    memset(base, 0, t->size);
}

/* One more of `size` bytes, zero. NULL: out of memory, or full. */
static void *grow(void **list, size_t *n, size_t size)
{
    if (*n == CONFIG_SOURCES_MAX)
        return NULL;
    char *grown = realloc(*list, (*n + 1) * size);
    if (!grown)
        return NULL;
    *list = grown;
    return memset(grown + (*n)++ * size, 0, size);
}

void *config_add(const struct config_key *k, void *base)
{
    void *added = grow(at_of(k, base), count_of(k, base), k->table->size);
    return added && config_table_init(k->table, added) == 0 ? added : NULL;
}

int config_add_text(const struct config_key *k, void *base, const char *text)
{
    char *copy = strdup(text);
    char **added = copy ? grow(at_of(k, base), count_of(k, base), sizeof(char *)) : NULL;
    if (!added) {
        free(copy);
        return -1;
    }
    *added = copy;
    return 0;
}

/* `out` has the bytes of `from` already; what they point to is made anew. -1: `out` owns nothing of
 * this key. */
static int copy_key(const struct config_key *k, void *out, const void *from)
{
    char **text = at_of(k, out);
    const size_t n = k->type == KEY_TEXTS || k->type == KEY_TABLES ? *count_of(k, from) : 0;
    switch (k->type) {
    case KEY_TEXT:
    case KEY_PATH:
        if (!*text)
            return 0;
        *text = strdup(*text);
        return *text ? 0 : -1;
    case KEY_TABLE:
        return config_table_copy(k->table, at_of(k, out), at_of(k, from));
    case KEY_TEXTS:
    case KEY_TABLES:
        *(void **)at_of(k, out) = NULL;
        *count_of(k, out) = 0;
        for (size_t i = 0; i < n; i++) {
            void *added = NULL;
            if (k->type == KEY_TEXTS
                    ? config_add_text(k, out, (*(char ***)at_of(k, from))[i]) < 0
                    : !(added = grow(at_of(k, out), count_of(k, out), k->table->size)) ||
                          config_table_copy(k->table, added, entry(k, from, i)) < 0) {
                fini_key(k, out);
                return -1;
            }
        }
        return 0;
    case KEY_FLAG:
    case KEY_U8:
    case KEY_U32:
    case KEY_REAL:
    case KEY_CHOICE:
    case KEY_KBPS:
    case KEY_SIZE:
    case KEY_RATE:
    case KEY_BYTES:
        break;
    }
    return 0;
}

int config_table_copy(const struct config_table *t, void *out, const void *from)
{
    memcpy(out, from, t->size);
    for (const struct config_key *k = t->key; k->name; k++) {
        if (copy_key(k, out, from) < 0) {
            while (k != t->key)
                fini_key(--k, out);
            memset(out, 0, t->size);
            return -1;
        }
    }
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Bytes at `offset`. */
static size_t size_of(const struct config_key *k)
{
    static const size_t bytes[] = { [KEY_TEXT] = sizeof(char *),
                                    [KEY_PATH] = sizeof(char *),
                                    [KEY_FLAG] = sizeof(bool),
                                    [KEY_U8] = 1,
                                    [KEY_U32] = 4,
                                    [KEY_REAL] = sizeof(double),
                                    [KEY_CHOICE] = sizeof(int),
                                    [KEY_KBPS] = SVC_SPATIAL_MAX * sizeof(uint32_t),
                                    [KEY_SIZE] = 2 * sizeof(uint16_t),
                                    [KEY_RATE] = 2 * sizeof(uint32_t),
                                    [KEY_BYTES] = 8,
                                    [KEY_TEXTS] = sizeof(char **),
                                    [KEY_TABLES] = sizeof(void *) };
    return k->type == KEY_TABLE ? k->table->size : bytes[k->type];
}

static void swap_bytes(void *a, void *b, size_t n)
{
    for (uint8_t *x = a, *y = b, held; n > 0; n--, x++, y++) {
        held = *x;
        *x = *y;
        *y = held;
    }
}

void config_key_swap(const struct config_key *k, void *a, void *b)
{
    swap_bytes(at_of(k, a), at_of(k, b), size_of(k));
    if (k->type == KEY_TEXTS || k->type == KEY_TABLES)
        swap_bytes(count_of(k, a), count_of(k, b), sizeof(size_t));
    if (k->type == KEY_BYTES)
        swap_bytes((char *)a + k->count, (char *)b + k->count, 1);
}

bool config_key_same(const struct config_key *k, const void *a, const void *b)
{
    if (k->type == KEY_TABLE)
        return config_table_same(k->table, at_of(k, a), at_of(k, b));
    if (k->type == KEY_TEXT || k->type == KEY_PATH)
        return same_text(*(char **)at_of(k, a), *(char **)at_of(k, b));
    if (k->type != KEY_TEXTS && k->type != KEY_TABLES)
        return memcmp(at_of(k, a), at_of(k, b), size_of(k)) == 0 &&
               (k->type != KEY_BYTES ||
                ((const uint8_t *)a)[k->count] == ((const uint8_t *)b)[k->count]);
    if (*count_of(k, a) != *count_of(k, b))
        return false;
    for (size_t i = 0; i < *count_of(k, a); i++)
        if (k->type == KEY_TEXTS
                ? !same_text((*(char ***)at_of(k, a))[i], (*(char ***)at_of(k, b))[i])
                : !config_table_same(k->table, entry(k, a, i), entry(k, b, i)))
            return false;
    return true;
}

bool config_table_same(const struct config_table *t, const void *a, const void *b)
{
    for (const struct config_key *k = t->key; k->name; k++)
        if (!config_key_same(k, a, b))
            return false;
    return true;
}

int config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    if (config_table_init(&config_root, c) == 0)
        return 0;
    config_fini(c);
    return -1;
}

void config_fini(struct config *c)
{
    config_table_fini(&config_root, c);
}

int config_copy(struct config *out, const struct config *c)
{
    if (config_table_copy(&config_root, out, c) < 0)
        return -1;
    out->ends_with_source = c->ends_with_source;
    return 0;
}
