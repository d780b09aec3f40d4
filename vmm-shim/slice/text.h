/*
 * text.h - bytes that a command prints or reads, as members of JSON: "out" while they are UTF-8,
 * "out64" (base64) else. KEY is "out", "err" or "in".
 */
#ifndef VMM_TEXT_H
#define VMM_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* Sets KEY or KEY64 of `object` to the bytes. 0, or -1. */
int vmm_text_put(json_t *object, const char *key, const void *bytes, size_t n);

/* The bytes of KEY or KEY64; NULL: neither is there, or the base64 is none. To be freed. */
char *vmm_text_get(const json_t *object, const char *key, size_t *n);

#endif
