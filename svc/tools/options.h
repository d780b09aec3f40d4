/* options.h - parsing that the tools share. Exit codes: 0 done, 1 failed, 64 usage. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE 64

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
