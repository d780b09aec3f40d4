/* slurp.h - whole files in and out, with a bound. */
#ifndef VMM_IMAGE_SLURP_H
#define VMM_IMAGE_SLURP_H

#include <stddef.h>
#include <stdint.h>

/* To be freed; a NUL follows the bytes. NULL and `why`: not there, no file, or more than `max`. */
uint8_t *slurp(const char *path, size_t max, size_t *len, char *why, size_t why_size);
/* The same of a file that may be packed (.ko.xz, .ko.zst): what is in it. */
uint8_t *slurp_unpacked(const char *path, size_t max, size_t *len, char *why, size_t why_size);
/* A new file, complete or not there: written beside it and renamed. */
int spill(const char *path, const void *data, size_t len, unsigned mode, char *why,
          size_t why_size);

#endif
