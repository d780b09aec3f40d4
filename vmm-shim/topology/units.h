/*
 * units.h - values as people write them: "128M", "50%", "0-1,3", "yes". Pure. 0, or -1 and *out
 * untouched. Times are vlink's: vlink_parse_duration().
 */
#ifndef VMM_UNITS_H
#define VMM_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "128M", "1.5G", "512KiB": powers of 1024; a unit must be there. */
int vmm_parse_bytes(const char *text, uint64_t *out);
/* "50%", "150%": whole percent. */
int vmm_parse_percent(const char *text, uint32_t *out);
/* "-20", "97": decimal, nothing behind it. */
int vmm_parse_integer(const char *text, int64_t *out);
/* true, false, yes, no, on, off. */
int vmm_parse_flag(const char *text, bool *out);
/* "0", "0-1,3": numbers below 64, as bits. */
int vmm_parse_cpus(const char *text, uint64_t *out);
/* "10.77.3.0/24": host order; the part of the host must be 0 and the length 24. */
int vmm_parse_subnet(const char *text, uint32_t *out);
/* [a-z0-9][a-z0-9-]*, at most VMM_NAME_MAX - 1 bytes. */
bool vmm_is_name(const char *text);

/* The same back, short: "128M", "1.5 s". Text in out[size], which it returns. */
const char *vmm_show_bytes(uint64_t bytes, char *out, size_t size);
const char *vmm_show_time(uint64_t ns, char *out, size_t size);

/* The one of NULL-ended `names` that is most like `text`, or NULL if none is. */
const char *vmm_nearest_name(const char *text, const char *const *names);

#endif
