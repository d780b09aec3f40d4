/* options.c - see options.h. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int options_wrong(const struct tool *t, const char *what, const char *arg)
{
    fprintf(stderr, "%s: %s %s (try --help)\n", t->name, what, arg);
    return EXIT_USAGE;
}

int options_parse(const struct tool *t, void *user, int argc, char **argv)
{
    char letters[32];
    int c;

    snprintf(letters, sizeof(letters), ":hV%s", t->letters);
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, t->options, NULL)) != -1) {
        if (c == 'h') {
            fputs(t->help, stdout);
            return 0;
        }
        if (c == 'V') {
            printf("%s " SVC_VERSION "\n", t->name);
            return 0;
        }
        if (c == ':')
            return options_wrong(t, "a value is missing behind", argv[optind - 1]);
        if (c == '?')
            return options_wrong(t, "unknown option", argv[optind - 1]);
        if (!t->take(user, c, optarg))
            return options_wrong(t, "value outside its range:", optarg);
    }
    if (argc - optind == t->n_arguments)
        return OPTIONS_GO_ON;
    char what[64];

    snprintf(what, sizeof(what), "expected %s, got", t->arguments);
    return options_wrong(
        t, what, argc - optind < t->n_arguments ? "too few" : argv[optind + t->n_arguments]);
}

static bool parse_prefix(const char **text, uint32_t low, uint32_t high, uint32_t *out)
{
    if (**text < '0' || **text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long v = strtoul(*text, &end, 10);
    if (errno || v < low || v > high)
        return false;
    *out = (uint32_t)v;
    *text = end;
    return true;
}

bool parse_uint(const char *text, uint32_t low, uint32_t high, uint32_t *out)
{
    uint32_t v;
    if (!parse_prefix(&text, low, high, &v) || *text)
        return false;
    *out = v;
    return true;
}

size_t parse_list(const char *text, uint32_t low, uint32_t high, uint32_t *out, size_t max)
{
    for (size_t n = 0; n < max; n++) {
        if (!parse_prefix(&text, low, high, &out[n]))
            return 0;
        if (*text == '\0')
            return n + 1;
        if (*text++ != ',')
            return 0;
    }
    return 0;
}

bool parse_size(const char *text, uint16_t *width, uint16_t *height)
{
    uint32_t w, h;
    if (!parse_prefix(&text, 64, 4096, &w) || *text++ != 'x' ||
        !parse_prefix(&text, 64, 4096, &h) || *text || w % 2 || h % 2)
        return false;
    *width = (uint16_t)w;
    *height = (uint16_t)h;
    return true;
}

bool parse_rate(const char *text, uint32_t *num, uint32_t *den)
{
    char *end;
    double v = strtod(text, &end);
    if (*end == '/') {
        const char *rest = end + 1;
        uint32_t n, d;
        if (!parse_prefix(&text, 1, 1000000, &n) || !parse_uint(rest, 1, 100000, &d) ||
            n / d > 240 || n < d)
            return false;
        *num = n;
        *den = d;
        return true;
    }
    if (end == text || *end || !(v >= 1 && v <= 240))
        return false;
    bool whole = v == floor(v);
    /* 23.976, 29.97, 59.94: broadcasting's x * 1000 / 1001 */
    bool broadcast = !whole && fabs(v * 1.001 - round(v)) < 0.002;
    *num = (uint32_t)(whole ? v : round(v) * 1000);
    *den = whole ? 1 : broadcast ? 1001 : 1000;
    if (!whole && !broadcast)
        *num = (uint32_t)lround(v * 1000);
    return true;
}

bool parse_seconds(const char *text, double *out)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v > 0 && v <= 1e6))
        return false;
    *out = v;
    return true;
}
