/*
 * options.h - the command line of the tools: one loop for all, and values that several of them
 * take. Exit codes: 0 done, 1 failed, 64 usage.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE 64

#define OPTIONS_GO_ON (-1)
/* The end of every table. */
#define OPTIONS_HELP_AND_VERSION                                               \
    { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, \
    {                                                                          \
        0                                                                      \
    }

struct tool {
    const char *name, *help;
    const char *letters; /* of getopt, besides h and V: "b:q" */
    const struct option *options;
    const char *arguments; /* what stands behind the options: "IN and OUT" */
    int n_arguments;
    /* Takes option `c`; `arg` is NULL where it has none. False: outside its range. */
    bool (*take)(void *user, int c, const char *arg);
};
/* OPTIONS_GO_ON: the arguments begin at argv[optind]. Else the exit code; what is wrong was said in
 * one line. */
int options_parse(const struct tool *t, void *user, int argc, char **argv);
/* One line about a wrong use; EXIT_USAGE. */
int options_wrong(const struct tool *t, const char *what, const char *arg);

/* Whole decimal numbers in [low, high], nothing behind them. */
bool parse_uint(const char *text, uint32_t low, uint32_t high, uint32_t *out);
/* "a,b,c": up to `max` numbers; how many, 0: malformed. */
size_t parse_list(const char *text, uint32_t low, uint32_t high, uint32_t *out, size_t max);
/* "WxH" with even sides in [64, 4096] */
bool parse_size(const char *text, uint16_t *width, uint16_t *height);
/* "30", "29.97" or "30000/1001" */
bool parse_rate(const char *text, uint32_t *num, uint32_t *den);
/* Seconds with decimals in (0, 1e6] */
bool parse_seconds(const char *text, double *out);

#endif
