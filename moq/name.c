/* name.c - see name.h and the names part of <moq/moq.h>. */
#include "name.h"

#include <stdlib.h>
#include <string.h>

static bool bytes_equal(struct moq_bytes a, struct moq_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static bool bytes_are(struct moq_bytes a, const char *text)
{
    return bytes_equal(a,
                       (struct moq_bytes){ .bytes = (const uint8_t *)text, .len = strlen(text) });
}

int moq_name_from_text(struct moq_name *out, const char *ns, const char *track)
{
    struct moq_name name = { 0 };
    while (*ns != '\0') {
        size_t len = strcspn(ns, "/");
        if (name.n_ns == MOQ_NAMESPACE_FIELDS_MAX)
            return MOQ_ERR_ARG;
        name.ns[name.n_ns++] = (struct moq_bytes){ .bytes = (const uint8_t *)ns, .len = len };
        ns += len;
        if (*ns == '/' && *++ns == '\0')
            return MOQ_ERR_ARG; /* "a/" has an empty last field */
    }
    name.track = (struct moq_bytes){ .bytes = (const uint8_t *)track, .len = strlen(track) };
    if (!moq_name_valid(&name))
        return MOQ_ERR_ARG;
    *out = name;
    return 0;
}

bool moq_name_begins(const struct moq_name *name, const struct moq_name *prefix)
{
    if (prefix->n_ns > name->n_ns)
        return false;
    for (size_t i = 0; i < prefix->n_ns; i++)
        if (!bytes_equal(name->ns[i], prefix->ns[i]))
            return false;
    return true;
}

bool moq_name_equal(const struct moq_name *a, const struct moq_name *b)
{
    if (a->n_ns != b->n_ns)
        return false;
    for (size_t i = 0; i < a->n_ns; i++)
        if (!bytes_equal(a->ns[i], b->ns[i]))
            return false;
    return bytes_equal(a->track, b->track);
}

static size_t name_len(const struct moq_name *name)
{
    size_t sum = name->track.len;
    for (size_t i = 0; i < name->n_ns; i++)
        sum += name->ns[i].len;
    return sum;
}

bool moq_name_valid(const struct moq_name *name)
{
    if (name->n_ns > MOQ_NAMESPACE_FIELDS_MAX || name->track.len > MOQ_FULL_NAME_MAX)
        return false;
    for (size_t i = 0; i < name->n_ns; i++)
        if (name->ns[i].len == 0 || name->ns[i].len > MOQ_FULL_NAME_MAX)
            return false;
    return name_len(name) <= MOQ_FULL_NAME_MAX;
}

void moq_namespace_read(struct moq_reader *r, struct moq_name *name)
{
    *name = (struct moq_name){ 0 };
    uint64_t n = moq_read_vi64(r);
    if (n > MOQ_NAMESPACE_FIELDS_MAX)
        r->failed = true;
    for (uint64_t i = 0; i < n && !r->failed; i++)
        name->ns[name->n_ns++] = moq_read_prefixed(r, MOQ_FULL_NAME_MAX);
    if (!moq_name_valid(name))
        r->failed = true;
}

void moq_name_read(struct moq_reader *r, struct moq_name *name)
{
    moq_namespace_read(r, name);
    name->track = moq_read_prefixed(r, MOQ_FULL_NAME_MAX);
    if (!moq_name_valid(name))
        r->failed = true;
}

void moq_namespace_write(struct moq_writer *w, const struct moq_name *name)
{
    moq_write_vi64(w, name->n_ns);
    for (size_t i = 0; i < name->n_ns; i++)
        moq_write_prefixed(w, name->ns[i]);
}

void moq_name_write(struct moq_writer *w, const struct moq_name *name)
{
    moq_namespace_write(w, name);
    moq_write_prefixed(w, name->track);
}

static size_t coded_len(const struct moq_name *name)
{
    size_t len = name_len(name) + moq_vi64_len(name->n_ns) + moq_vi64_len(name->track.len);
    for (size_t i = 0; i < name->n_ns; i++)
        len += moq_vi64_len(name->ns[i].len);
    return len;
}

int moq_name_keep(struct moq_kept_name *out, const struct moq_name *name)
{
    size_t len = coded_len(name);
    uint8_t *bytes = malloc(len);
    if (!bytes)
        return MOQ_ERR_NOMEM;
    struct moq_writer w = moq_writer_of(bytes, len);
    moq_name_write(&w, name);
    *out = (struct moq_kept_name){ .bytes = bytes, .len = len };
    return 0;
}

void moq_kept_name_fini(struct moq_kept_name *k)
{
    free(k->bytes);
    *k = (struct moq_kept_name){ 0 };
}

void moq_kept_name_get(const struct moq_kept_name *k, struct moq_name *out)
{
    struct moq_reader r = moq_reader_of(k->bytes, k->len);
    moq_name_read(&r, out);
}

bool moq_kept_name_is(const struct moq_kept_name *k, const struct moq_name *name)
{
    struct moq_name kept;
    if (k->len != coded_len(name))
        return false;
    moq_kept_name_get(k, &kept);
    return moq_name_equal(&kept, name);
}

bool moq_name_reserved(const struct moq_name *name)
{
    return name->n_ns > 0 && (bytes_are(name->ns[0], ".") || bytes_are(name->ns[0], ".session"));
}

int moq_name_pack(const struct moq_name *name, uint8_t *out, size_t cap)
{
    struct moq_writer w = moq_writer_of(out, cap);
    moq_name_write(&w, name);
    return w.failed || !moq_name_valid(name) ? MOQ_ERR_ARG : (int)moq_writer_len(&w);
}

int moq_name_unpack(struct moq_name *out, const uint8_t *bytes, size_t len)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    moq_name_read(&r, out);
    return r.failed || moq_reader_left(&r) > 0 ? MOQ_ERR_WIRE : 0;
}

bool moq_namespace_text(const struct moq_name *name, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < name->n_ns; i++) {
        const struct moq_bytes f = name->ns[i];
        if (memchr(f.bytes, '/', f.len) || memchr(f.bytes, 0, f.len) || at + 2 + f.len > size)
            return false;
        if (i > 0)
            out[at++] = '/';
        memcpy(out + at, f.bytes, f.len);
        at += f.len;
    }
    if (size == 0)
        return false;
    out[at] = '\0';
    return true;
}
