/* config_value.c - one value from its text: see config_set in config_keys.h, and config_value.h. */
#include "config_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moq/moq.h>
#include <tvl/cc.h>
#include <tvl/sched.h>

#include "config_keys.h"
#include "options.h"

#define KBPS 1000u
#define BYTES_MAX 8

/* ---- checks ---- */

static int takes(char *why, size_t why_size, const char *what, const char *text)
{
    snprintf(why, why_size, "takes %s, not \"%.64s\"", what, text);
    return -1;
}

int config_check_codec(const char *text, char *why, size_t why_size)
{
    return svc_codec_name(text) ? 0 : takes(why, why_size, "av1, vp9 or h264", text);
}

int config_check_layers(const char *text, char *why, size_t why_size)
{
    struct svc_structure st;
    return svc_structure_parse(&st, text) == 0
               ? 0
               : takes(why, why_size, "L1T1 to L3T3, L4T1, L4T2, and those with _KEY", text);
}

int config_check_namespace(const char *text, char *why, size_t why_size)
{
    struct moq_name name;
    return text[0] && moq_name_from_text(&name, text, "catalog") == 0
               ? 0
               : takes(why, why_size, "names separated by /", text);
}

int config_check_prefix(const char *text, char *why, size_t why_size)
{
    return text[0] ? config_check_namespace(text, why, why_size) : 0;
}

/* "1.2.3.4:5" or "[::1]:5". */
int config_check_address(const char *text, char *why, size_t why_size)
{
    static const char what[] = "ADDRESS:PORT, [ADDRESS]:PORT for IPv6";
    const char *colon = strrchr(text, ':');
    const bool six = text[0] == '[';
    char host[INET6_ADDRSTRLEN] = "";
    struct in6_addr ip;
    uint32_t port;
    const size_t len = colon ? (size_t)(colon - text) : 0;
    if (!colon || (six && (len < 2 || colon[-1] != ']')) || len - 2u * six >= sizeof host)
        return takes(why, why_size, what, text);
    memcpy(host, text + six, len - 2u * six);
    return inet_pton(six ? AF_INET6 : AF_INET, host, &ip) == 1 &&
                   parse_uint(colon + 1, 0, 65535, &port)
               ? 0
               : takes(why, why_size, what, text);
}

int config_check_cc(const char *text, char *why, size_t why_size)
{
    if (tvl_cc_find(text))
        return 0;
    int at = snprintf(why, why_size, "knows no \"%.64s\"; there are:", text);
    for (const struct tvl_cc_ops *const *c = tvl_cc_all; *c && (size_t)at < why_size; c++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*c)->name);
    return -1;
}

int config_check_sched(const char *text, char *why, size_t why_size)
{
    if (tvl_sched_find(text))
        return 0;
    int at = snprintf(why, why_size, "knows no \"%.64s\"; there are:", text);
    for (const struct tvl_sched_ops *const *s = tvl_sched_all; *s && (size_t)at < why_size; s++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*s)->name);
    return -1;
}

/* ---- setters, one a kind of value ---- */

/* Index of `text` in a NULL-ended list, or -1 with what there is. */
static int find_name(const char *const *names, const char *text, char *why, size_t why_size)
{
    char what[200] = "";
    size_t at = 0;
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0)
            return i;
        const char *between = i == 0 ? "" : names[i + 1] ? ", " : " or ";
        at += (size_t)snprintf(what + at, sizeof what - at, "%s%s", between, names[i]);
    }
    return takes(why, why_size, what, text);
}

static int set_choice(const struct config_key *k, int *out, const char *text, char *why,
                      size_t why_size)
{
    const int found = find_name(k->names, text, why, why_size);
    if (found >= 0)
        *out = found;
    return found >= 0 ? 0 : -1;
}

static int set_text(const struct config_key *k, const char **out, const char *text, char *why,
                    size_t why_size)
{
    const bool may_be_empty = k->fallback && !k->fallback[0];
    if (!text[0] && !may_be_empty)
        return takes(why, why_size, "a text", text);
    if ((k->names && find_name(k->names, text, why, why_size) < 0) ||
        (k->check && k->check(text, why, why_size) < 0))
        return -1;
    char *copy = strdup(text);
    if (!copy) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    free((void *)(uintptr_t)*out);
    *out = copy;
    return 0;
}

static int set_flag(bool *out, const char *text, char *why, size_t why_size)
{
    static const char *const names[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i & 1;
            return 0;
        }
    }
    return takes(why, why_size, "true or false", text);
}

static int set_number(const struct config_key *k, void *out, const char *text, char *why,
                      size_t why_size)
{
    char what[80];
    uint32_t value;
    if (!parse_uint(text, (uint32_t)k->min, (uint32_t)k->max, &value)) {
        snprintf(what, sizeof what, "a number from %.0f to %.0f", k->min, k->max);
        return takes(why, why_size, what, text);
    }
    if (k->type == KEY_U8)
        *(uint8_t *)out = (uint8_t)value;
    else
        *(uint32_t *)out = value;
    return 0;
}

static int set_real(const struct config_key *k, double *out, const char *text, char *why,
                    size_t why_size)
{
    char what[80], *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < k->min || value > k->max ||
        strpbrk(text, "xXpP")) {
        snprintf(what, sizeof what, "a number from %g to %g", k->min, k->max);
        return takes(why, why_size, what, text);
    }
    *out = value;
    return 0;
}

static int set_kbps(const struct config_key *k, uint32_t *out, const char *text, char *why,
                    size_t why_size)
{
    uint32_t v[SVC_SPATIAL_MAX];
    const size_t n = parse_list(text, (uint32_t)k->min, (uint32_t)k->max, v, SVC_SPATIAL_MAX);
    if (n == 0)
        return takes(why, why_size, "kbit/s of each spatial layer, 8 to 100000: 300,900,2400",
                     text);
    for (size_t s = 0; s < SVC_SPATIAL_MAX; s++)
        out[s] = v[s < n ? s : n - 1] * KBPS;
    return 0;
}

static int set_bytes(uint8_t *out, uint8_t *len, const char *text, char *why, size_t why_size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t v[BYTES_MAX] = { 0 };
    const size_t n = strlen(text);
    bool good = n >= 2 && n <= 2 * sizeof v && n % 2 == 0;
    for (size_t i = 0; good && i < n; i++) {
        const char *d = strchr(digits, text[i] | 0x20);
        good = d && *d;
        if (good)
            v[i / 2] = (uint8_t)(v[i / 2] << 4 | (d - digits));
    }
    if (!good)
        return takes(why, why_size, "1 to 8 bytes as hexadecimal digits", text);
    memcpy(out, v, sizeof v);
    *len = (uint8_t)(n / 2);
    return 0;
}

int config_set(const struct config_key *k, void *base, const char *text, char *why, size_t why_size)
{
    void *at = (char *)base + k->offset;
    uint16_t *size = at;
    uint32_t *rate = at;
    switch (k->type) {
    case KEY_TEXT:
    case KEY_PATH:
        return set_text(k, at, text, why, why_size);
    case KEY_FLAG:
        return set_flag(at, text, why, why_size);
    case KEY_U8:
    case KEY_U32:
        return set_number(k, at, text, why, why_size);
    case KEY_REAL:
        return set_real(k, at, text, why, why_size);
    case KEY_CHOICE:
        return set_choice(k, at, text, why, why_size);
    case KEY_KBPS:
        return set_kbps(k, at, text, why, why_size);
    case KEY_SIZE:
        if (parse_size(text, &size[0], &size[1]))
            return 0;
        return takes(why, why_size, "WxH with even sides from 64 to 4096", text);
    case KEY_RATE:
        if (parse_rate(text, &rate[0], &rate[1]))
            return 0;
        return takes(why, why_size, "pictures per second from 1 to 240: 30, 29.97 or 30000/1001",
                     text);
    case KEY_BYTES:
        return set_bytes(at, (uint8_t *)base + k->count, text, why, why_size);
    case KEY_TEXTS:
    case KEY_TABLE:
    case KEY_TABLES:
        break;
    }
    return takes(why, why_size, "more than one value", text);
}
