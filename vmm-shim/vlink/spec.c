/* spec.c - see spec.h. One table row per key; a new key is one parser and one row. */
#include "spec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PPM 1e6
#define DURATION_MAX_NS (1e9 * 3600 * 24 * 365)
#define QUEUE_DEFAULT_NS 200000000u
#define REORDER_DEFAULT_NS 20000000u

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = { { "ns", 1 },  { "us", 1e3 },   { "ms", 1e6 },
                                         { "s", 1e9 }, { "min", 60e9 }, { NULL, 0 } };
static const struct unit rates[] = { { "", 1 },       { "bit", 1 },    { "kbit", 1e3 },
                                     { "mbit", 1e6 }, { "gbit", 1e9 }, { NULL, 0 } };
static const struct unit sizes[] = { { "", 1 },     { "b", 1 },      { "kb", 1e3 },
                                     { "mb", 1e6 }, { "kib", 1024 }, { "mib", 1048576 },
                                     { NULL, 0 } };
static const struct unit shares[] = { { "", PPM }, { "%", PPM / 100 }, { NULL, 0 } };

/* A plain decimal number, then one of `units`; "0" needs none. */
static int parse_number(const char *text, const struct unit *units, double max, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789.");
    char number[32];
    if (digits == 0 || digits >= sizeof number)
        return -1;
    memcpy(number, text, digits);
    number[digits] = 0;
    char *end;
    double value = strtod(number, &end);
    if (*end || end == number)
        return -1;
    const char *unit = text + digits;
    for (; units->name; units++) {
        if (strcasecmp(unit, units->name) != 0 && !(value == 0 && *unit == 0))
            continue;
        value *= units->factor;
        if (value > max)
            return -1;
        *out = (uint64_t)(value + 0.5);
        return 0;
    }
    return -1;
}

int vlink_parse_duration(const char *text, uint64_t *ns)
{
    return parse_number(text, durations, DURATION_MAX_NS, ns);
}

static int parse_share(const char *text, uint32_t *ppm)
{
    uint64_t value;
    if (parse_number(text, shares, PPM, &value) < 0)
        return -1;
    *ppm = (uint32_t)value;
    return 0;
}

/* ---- one function a key: 0 or -1, *c untouched on failure where the key has several parts ---- */

static int set_down(struct vlink_config *c, const char *v)
{
    c->down = true;
    return *v ? -1 : 0;
}

static int set_up(struct vlink_config *c, const char *v)
{
    c->down = false;
    return *v ? -1 : 0;
}

static int set_rate(struct vlink_config *c, const char *v)
{
    if (strcasecmp(v, "unlimited") == 0) {
        c->rate_bps = 0;
        return 0;
    }
    if (parse_number(v, rates, VLINK_RATE_MAX_BPS, &c->rate_bps) < 0)
        return -1;
    return c->rate_bps > 0 ? 0 : -1; /* a link of rate 0 is one that is down: say so */
}

static int set_delay(struct vlink_config *c, const char *v)
{
    return vlink_parse_duration(v, &c->delay_ns);
}

static int set_jitter(struct vlink_config *c, const char *v)
{
    return vlink_parse_duration(v, &c->jitter_ns);
}

static int set_loss(struct vlink_config *c, const char *v)
{
    return parse_share(v, &c->loss_ppm);
}

/* p:r:good:bad, or "off". */
static int set_ge(struct vlink_config *c, const char *v)
{
    if (strcasecmp(v, "off") == 0) {
        c->ge = false;
        return 0;
    }
    uint32_t *part[] = { &c->ge_p_ppm, &c->ge_r_ppm, &c->ge_good_ppm, &c->ge_bad_ppm };
    for (size_t i = 0; i < 4; i++) {
        size_t len = strcspn(v, ":");
        char text[24];
        if (len >= sizeof text || (v[len] == ':') != (i < 3))
            return -1;
        memcpy(text, v, len);
        text[len] = 0;
        if (parse_share(text, part[i]) < 0)
            return -1;
        v += len + 1;
    }
    c->ge = true;
    return 0;
}

/* A time or a size, told apart by the unit; "unlimited" leaves only the fixed bound. */
static int set_queue(struct vlink_config *c, const char *v)
{
    uint64_t value;
    bool all = strcasecmp(v, "unlimited") == 0;
    if (!all && strspn(v, "0.") == strlen(v))
        return -1; /* a queue of nothing would pass nothing */
    if (all) {
        c->queue_ns = c->queue_bytes = 0;
    } else if (vlink_parse_duration(v, &value) == 0) {
        c->queue_ns = value;
        c->queue_bytes = 0;
    } else if (parse_number(v, sizes + 1, 1e12, &value) == 0) {
        c->queue_bytes = value;
        c->queue_ns = 0;
    } else {
        return -1;
    }
    return all || value > 0 ? 0 : -1;
}

/* SHARE, or SHARE:HELD-BACK-BY. */
static int set_reorder(struct vlink_config *c, const char *v)
{
    size_t len = strcspn(v, ":");
    char share[24];
    if (len >= sizeof share)
        return -1;
    memcpy(share, v, len);
    share[len] = 0;
    c->reorder_ns = REORDER_DEFAULT_NS;
    if (v[len] == ':' && vlink_parse_duration(v + len + 1, &c->reorder_ns) < 0)
        return -1;
    return parse_share(share, &c->reorder_ppm);
}

static int set_duplicate(struct vlink_config *c, const char *v)
{
    return parse_share(v, &c->duplicate_ppm);
}

static int set_overhead(struct vlink_config *c, const char *v)
{
    uint64_t value;
    if (parse_number(v, sizes, 1000, &value) < 0)
        return -1;
    c->overhead_bytes = (uint32_t)value;
    return 0;
}

static const struct key {
    const char *name, *takes;
    int (*set)(struct vlink_config *c, const char *value);
} keys[] = {
    { "down", "no value", set_down },
    { "up", "no value", set_up },
    { "rate", "a rate like 3mbit, or unlimited", set_rate },
    { "delay", "a time like 40ms", set_delay },
    { "jitter", "a time like 5ms", set_jitter },
    { "loss", "a share like 0.5%", set_loss },
    { "ge", "P:R:GOOD:BAD, four shares like 1%:20%:0%:50%, or off", set_ge },
    { "queue", "a time like 200ms, a size like 64kB (with its unit), or unlimited", set_queue },
    { "reorder", "a share like 1%, or SHARE:TIME", set_reorder },
    { "duplicate", "a share like 1%", set_duplicate },
    { "overhead", "bytes a packet [0, 1000]", set_overhead },
    { NULL, NULL, NULL },
};

void vlink_config_init(struct vlink_config *c)
{
    *c = (struct vlink_config){ .queue_ns = QUEUE_DEFAULT_NS,
                                .reorder_ns = REORDER_DEFAULT_NS,
                                .overhead_bytes = VLINK_OVERHEAD_BYTES };
}

int vlink_config_set(struct vlink_config *c, const char *key, const char *value, char *why,
                     size_t why_size)
{
    for (const struct key *k = keys; k->name; k++) {
        if (strcmp(k->name, key) != 0)
            continue;
        struct vlink_config tried = *c;
        if (k->set(&tried, value) < 0) {
            snprintf(why, why_size, "%s takes %s, not \"%.64s\"", key, k->takes, value);
            return -1;
        }
        *c = tried;
        return 0;
    }
    snprintf(why, why_size, "unknown key \"%.32s\"", key);
    return -1;
}

/* "up." or "down." in front of a key chooses one way; the rest is the key. */
static unsigned split_way(const char **key)
{
    static const char *const names[VLINK_WAYS] = { "up.", "down." };
    for (unsigned way = 0; way < VLINK_WAYS; way++) {
        size_t len = strlen(names[way]);
        if (strncmp(*key, names[way], len) == 0) {
            *key += len;
            return 1u << way;
        }
    }
    return 1u << VLINK_UP | 1u << VLINK_DOWN;
}

/* A text into a field of `size` bytes; -1 when empty or too long. */
static int copy_text(char *field, size_t size, const char *text, size_t len)
{
    if (len == 0 || len >= size)
        return -1;
    memcpy(field, text, len);
    field[len] = 0;
    return 0;
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    return len > 0;
}

/* The keys that only a link's description has. 1: it was one and fits; 0: it is another; -1. */
static int set_place(struct vlink_spec *s, unsigned ways, const char *key, const char *value)
{
    size_t len = strlen(value);
    if (strcmp(key, "trace") == 0) {
        for (unsigned way = 0; way < VLINK_WAYS; way++)
            if (ways & 1u << way && copy_text(s->trace[way], VLINK_TEXT_MAX, value, len) < 0)
                return -1;
        return 1;
    }
    if (strcmp(key, "name") == 0)
        return is_name(value, len) && copy_text(s->name, sizeof s->name, value, len) == 0 ? 1 : -1;
    if (strcmp(key, "listen") == 0)
        return copy_text(s->listen, sizeof s->listen, value, len) == 0 ? 1 : -1;
    if (strcmp(key, "to") == 0)
        return copy_text(s->to, sizeof s->to, value, len) == 0 ? 1 : -1;
    return 0;
}

static int set_item(struct vlink_spec *s, char *item, char *why, size_t why_size)
{
    char *equals = strchr(item, '=');
    const char *value = equals ? equals + 1 : "";
    if (equals)
        *equals = 0;
    const char *key = item;
    unsigned ways = split_way(&key);
    int place = set_place(s, ways, key, value);
    if (place < 0)
        snprintf(why, why_size, "%.32s does not take \"%.64s\"", item, value);
    if (place != 0)
        return place < 0 ? -1 : 0;
    for (unsigned way = 0; way < VLINK_WAYS; way++)
        if (ways & 1u << way && vlink_config_set(&s->config[way], key, value, why, why_size) < 0)
            return -1;
    return 0;
}

static int check_whole(const struct vlink_spec *s, char *why, size_t why_size)
{
    const char *missing = !s->name[0] ? "name" : !s->listen[0] ? "listen" : !s->to[0] ? "to" : NULL;
    if (missing) {
        snprintf(why, why_size, "%s= is missing", missing);
        return -1;
    }
    for (unsigned way = 0; way < VLINK_WAYS; way++) {
        if (s->trace[way][0] && s->config[way].rate_bps) {
            snprintf(why, why_size, "rate and trace exclude each other");
            return -1;
        }
    }
    return 0;
}

int vlink_spec_parse(struct vlink_spec *out, const char *text, char *why, size_t why_size)
{
    struct vlink_spec s = { 0 };
    vlink_config_init(&s.config[VLINK_UP]);
    vlink_config_init(&s.config[VLINK_DOWN]);
    for (const char *at = text;;) {
        size_t len = strcspn(at, ",");
        char item[VLINK_TEXT_MAX + VLINK_KEY_MAX];
        if (copy_text(item, sizeof item, at, len) < 0) {
            snprintf(why, why_size, "%s item in \"%.64s\"", len ? "overlong" : "empty", text);
            return -1;
        }
        if (set_item(&s, item, why, why_size) < 0)
            return -1;
        if (at[len] == 0)
            break;
        at += len + 1;
    }
    if (check_whole(&s, why, why_size) < 0)
        return -1;
    *out = s;
    return 0;
}

int vlink_change_parse(struct vlink_change *out, const char *text, char *why, size_t why_size)
{
    struct vlink_change c = { 0 };
    size_t name = strcspn(text, ".");
    if (text[name] != '.' || !is_name(text, name) ||
        copy_text(c.link, sizeof c.link, text, name) < 0) {
        snprintf(why, why_size, "\"%.64s\" is not LINK.KEY or LINK.KEY=VALUE", text);
        return -1;
    }
    const char *key = text + name + 1;
    c.ways = split_way(&key);
    size_t len = strcspn(key, "=");
    const char *value = key[len] ? key + len + 1 : "";
    if (copy_text(c.key, sizeof c.key, key, len) < 0 ||
        (*value && copy_text(c.value, sizeof c.value, value, strlen(value)) < 0)) {
        snprintf(why, why_size, "unknown key \"%.32s\"", key);
        return -1;
    }
    struct vlink_config scratch;
    vlink_config_init(&scratch);
    if (vlink_config_set(&scratch, c.key, c.value, why, why_size) < 0)
        return -1;
    *out = c;
    return 0;
}

int vlink_change_parse_timed(struct vlink_change *out, const char *text, char *why, size_t why_size)
{
    size_t len = strcspn(text, ":");
    char time[32];
    uint64_t at_ns;
    if (text[len] != ':' || copy_text(time, sizeof time, text, len) < 0 ||
        vlink_parse_duration(time, &at_ns) < 0) {
        snprintf(why, why_size, "\"%.64s\" is not TIME:LINK.KEY, as in 10s:lte.down", text);
        return -1;
    }
    struct vlink_change c;
    if (vlink_change_parse(&c, text + len + 1, why, why_size) < 0)
        return -1;
    c.at_ns = at_ns;
    *out = c;
    return 0;
}
