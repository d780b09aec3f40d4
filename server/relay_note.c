/* relay_note.c - see relay_note.h. */
#include "relay_note.h"

#include <stdlib.h>
#include <string.h>

struct relay_note *relay_note_new(enum relay_note_kind kind, const struct moq_name *name,
                                  const struct moq_bytes *properties)
{
    struct relay_note *n = calloc(1, sizeof *n);
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    if (!n)
        return NULL;
    n->kind = kind;
    if (name) {
        const int len = moq_name_pack(name, packed, sizeof packed);
        n->name = len > 0 ? malloc((size_t)len) : NULL;
        if (!n->name)
            goto fail;
        memcpy(n->name, packed, (size_t)len);
        n->name_len = (size_t)len;
    }
    if (properties && properties->len > 0) {
        n->properties = malloc(properties->len);
        if (!n->properties)
            goto fail;
        memcpy(n->properties, properties->bytes, properties->len);
        n->properties_len = properties->len;
    }
    return n;
fail:
    relay_note_free(n);
    return NULL;
}

void relay_note_free(struct relay_note *n)
{
    if (!n)
        return;
    media_unref(n->media);
    free(n->name);
    free(n->properties);
    free(n);
}

int relay_keep(struct relay_kept *k, const uint8_t *bytes, size_t len)
{
    *k = (struct relay_kept){ 0 };
    if (len == 0)
        return 0;
    k->bytes = malloc(len);
    if (!k->bytes)
        return -1;
    memcpy(k->bytes, bytes, len);
    k->len = len;
    return 0;
}

int relay_keep_name(struct relay_kept *k, const struct moq_name *name)
{
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    const int len = moq_name_pack(name, packed, sizeof packed);
    return len < 0 ? -1 : relay_keep(k, packed, (size_t)len);
}

bool relay_kept_is(const struct relay_kept *k, const uint8_t *bytes, size_t len)
{
    return k->len == len && (len == 0 || memcmp(k->bytes, bytes, len) == 0);
}

void relay_name_of(const struct relay_kept *k, struct moq_name *out)
{
    *out = (struct moq_name){ 0 };
    (void)moq_name_unpack(out, k->bytes, k->len);
}
