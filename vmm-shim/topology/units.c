/* units.c - see units.h. */
#include "topology/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "topology/topology.h"

#define HINT_TEXT_MAX 32 /* bytes of names that are compared for a hint */

int vmm_parse_bytes(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = { { "K", 1 << 10 },   { "M", 1 << 20 },   { "G", 1 << 30 },
                  { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
    size_t digits = strspn(text, "0123456789.");
    char number[24], *end;
    if (digits == 0 || digits >= sizeof number)
        return -1;
    memcpy(number, text, digits);
    number[digits] = 0;
    double value = strtod(number, &end);
    if (*end || end == number)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcasecmp(text + digits, units[i].name) != 0)
            continue;
        if (value * units[i].factor > 1e15)
            return -1;
        *out = (uint64_t)(value * units[i].factor + 0.5);
        return 0;
    }
    return -1;
}

int vmm_parse_integer(const char *text, int64_t *out)
{
    size_t sign = text[0] == '-' ? 1 : 0, digits = strspn(text + sign, "0123456789");
    if (digits == 0 || digits > 18 || text[sign + digits])
        return -1;
    *out = strtoll(text, NULL, 10);
    return 0;
}

int vmm_parse_percent(const char *text, uint32_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6 || strcmp(text + digits, "%") != 0)
        return -1;
    *out = (uint32_t)strtoul(text, NULL, 10);
    return 0;
}

int vmm_parse_flag(const char *text, bool *out)
{
    static const char *const names[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *out = i % 2;
            return 0;
        }
    }
    return -1;
}

/* A CPU's number, below VMM_CPUS_MAX, at *text, which is moved behind it. -1: none. */
static int cpu_number(const char **text)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 3)
        return -1;
    int n = (int)strtol(*text, NULL, 10);
    *text += digits;
    return n < VMM_CPUS_MAX ? n : -1;
}

int vmm_parse_cpus(const char *text, uint64_t *out)
{
    uint64_t bits = 0;
    for (;;) {
        int first = cpu_number(&text), last = first;
        if (first >= 0 && *text == '-') {
            text++;
            last = cpu_number(&text);
        }
        if (first < 0 || last < first)
            return -1;
        for (int i = first; i <= last; i++)
            bits |= UINT64_C(1) << i;
        if (*text == 0)
            break;
        if (*text++ != ',')
            return -1;
        text += strspn(text, " ");
    }
    *out = bits;
    return 0;
}

int vmm_parse_subnet(const char *text, uint32_t *out)
{
    const char *slash = strchr(text, '/');
    char address[INET_ADDRSTRLEN];
    struct in_addr in;
    if (!slash || strcmp(slash, "/24") != 0 || (size_t)(slash - text) >= sizeof address)
        return -1;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    if (inet_pton(AF_INET, address, &in) != 1)
        return -1;
    uint32_t host = ntohl(in.s_addr);
    if (host & 0xff || host >> 24 == 0 || host >> 24 == 127 || host >> 24 >= 224)
        return -1;
    *out = host;
    return 0;
}

bool vmm_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strspn(text, letters);
    return len > 0 && len < VMM_NAME_MAX && text[len] == 0 && text[0] != '-';
}

const char *vmm_show_bytes(uint64_t bytes, char *out, size_t size)
{
    if (bytes >= 1u << 30 && bytes % (1u << 30) == 0)
        snprintf(out, size, "%uG", (unsigned)(bytes >> 30));
    else if (bytes >= 1u << 20)
        snprintf(out, size, "%.3gM", (double)bytes / (1 << 20));
    else
        snprintf(out, size, "%.4gK", (double)bytes / (1 << 10));
    return out;
}

const char *vmm_show_time(uint64_t ns, char *out, size_t size)
{
    if (ns >= 1000000000u)
        snprintf(out, size, "%.4g s", (double)ns / 1e9);
    else if (ns >= 100000u)
        snprintf(out, size, "%.4g ms", (double)ns / 1e6);
    else
        snprintf(out, size, "%.4g us", (double)ns / 1e3);
    return out;
}

/* Least number of letters to put in, leave out or change (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[HINT_TEXT_MAX + 1];
    size_t n = strlen(b);
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; *a; i++, a++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned changed = diagonal + (*a != b[j - 1]);
            unsigned put = row[j - 1] + 1, left_out = row[j] + 1;
            diagonal = row[j];
            row[j] = changed < put ? changed : put;
            row[j] = row[j] < left_out ? row[j] : left_out;
        }
    }
    return row[n];
}

const char *vmm_nearest_name(const char *text, const char *const *names)
{
    const char *best = NULL;
    size_t len = strlen(text);
    unsigned least = len < 2 ? 1 : len < 4 ? 2 : len < 8 ? 3 : 4; /* so many changes are too many */
    if (len > HINT_TEXT_MAX)
        return NULL;
    for (; *names; names++) {
        unsigned d = strlen(*names) > HINT_TEXT_MAX ? least : distance(text, *names);
        if (d < least) {
            least = d;
            best = *names;
        }
    }
    return best;
}
