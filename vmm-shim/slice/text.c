/*
 * text.c - bytes as members of JSON. See text.h.
 */
#include "slice/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 16

static json_t *base64(const void *bytes, size_t n)
{
    unsigned char *text = malloc((n + 2) / 3 * 4 + 1);
    if (!text)
        return NULL;
    int length = EVP_EncodeBlock(text, bytes, (int)n);
    json_t *value = json_stringn((const char *)text, (size_t)length);
    free(text);
    return value;
}

int vmm_text_put(json_t *object, const char *key, const void *bytes, size_t n)
{
    char key64[KEY_MAX];
    /* jansson refuses what is not UTF-8; NUL would be kept but not every reader likes it. */
    json_t *plain = memchr(bytes, 0, n) ? NULL : json_stringn(bytes, n);
    if (plain)
        return json_object_set_new(object, key, plain);
    snprintf(key64, sizeof key64, "%s64", key);
    return json_object_set_new(object, key64, base64(bytes, n));
}

static char *from_base64(const char *text, size_t length, size_t *n)
{
    unsigned char *bytes = malloc(length / 4 * 3 + 1);
    int got = bytes && length % 4 == 0
                  ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length)
                  : -1;
    if (got < 0) {
        free(bytes);
        return NULL;
    }
    /* EVP_DecodeBlock counts the padding as bytes. */
    for (size_t i = length; i > 0 && length - i < 2 && text[i - 1] == '='; i--)
        got--;
    *n = (size_t)got;
    return (char *)bytes;
}

char *vmm_text_get(const json_t *object, const char *key, size_t *n)
{
    char key64[KEY_MAX];
    const json_t *plain = json_object_get(object, key);
    if (json_is_string(plain)) {
        char *copy = malloc(json_string_length(plain) + 1);
        if (copy)
            memcpy(copy, json_string_value(plain), json_string_length(plain) + 1);
        *n = json_string_length(plain);
        return copy;
    }
    snprintf(key64, sizeof key64, "%s64", key);
    const json_t *coded = json_object_get(object, key64);
    return json_is_string(coded)
               ? from_base64(json_string_value(coded), json_string_length(coded), n)
               : NULL;
}
