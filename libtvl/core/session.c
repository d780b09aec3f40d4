/*
 * session.c - see session.h.
 *
 * Exported form: a byte for the version of the form, then for each part in order its length in two
 * bytes and its bytes.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <tvl/tvl.h>

#include "varint.h"

#define FORM 1 /* of the exported bytes */

static const size_t part_max[TVL_SESSION_PARTS] = { TVL_SESSION_TICKET_MAX, TVL_SESSION_TOKEN_MAX };

_Static_assert(1 + 2 * TVL_SESSION_PARTS + TVL_SESSION_TICKET_MAX + TVL_SESSION_TOKEN_MAX <=
                   TVL_SESSION_MAX,
               "the largest session can be exported");

static void forget_part(struct tvl_session_bytes *b)
{
    if (b->bytes)
        OPENSSL_cleanse(b->bytes, b->len);
    free(b->bytes);
    *b = (struct tvl_session_bytes){ NULL, 0 };
}

static void forget(struct tvl_session *e)
{
    for (size_t i = 0; i < TVL_SESSION_PARTS; i++)
        forget_part(&e->part[i]);
    free(e->name);
    memset(e, 0, sizeof *e);
}

void tvl_sessions_init(struct tvl_sessions *s)
{
    memset(s, 0, sizeof *s);
}

void tvl_sessions_fini(struct tvl_sessions *s)
{
    for (size_t i = 0; i < TVL_SESSIONS_MAX; i++)
        forget(&s->entry[i]);
}

static const struct tvl_session *find(const struct tvl_sessions *s, const char *name)
{
    for (size_t i = 0; i < TVL_SESSIONS_MAX; i++)
        if (s->entry[i].name && strcmp(s->entry[i].name, name) == 0)
            return &s->entry[i];
    return NULL;
}

/* Where `name` is or shall be: its own entry, a free one, the oldest. NULL: no memory. */
static struct tvl_session *place(struct tvl_sessions *s, const char *name)
{
    const struct tvl_session *known = find(s, name);
    struct tvl_session *e = &s->entry[0];
    char *copy;

    if (known)
        return &s->entry[known - s->entry];
    for (size_t i = 1; i < TVL_SESSIONS_MAX && e->name; i++)
        if (!s->entry[i].name || s->entry[i].written < e->written)
            e = &s->entry[i];
    copy = strdup(name);
    if (!copy)
        return NULL;
    forget(e);
    e->name = copy;
    return e;
}

void tvl_sessions_put(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                      const uint8_t *bytes, size_t len)
{
    struct tvl_session *e;
    uint8_t *copy;

    if (len == 0 || len > part_max[part])
        return;
    copy = malloc(len);
    e = copy ? place(s, name) : NULL;
    if (!e) {
        free(copy);
        return;
    }
    memcpy(copy, bytes, len);
    forget_part(&e->part[part]);
    e->part[part] = (struct tvl_session_bytes){ copy, len };
    e->written = ++s->writes;
}

size_t tvl_sessions_take(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                         uint8_t *out, size_t cap)
{
    const struct tvl_session *known = find(s, name);
    struct tvl_session *e = known ? &s->entry[known - s->entry] : NULL;
    const size_t len = e ? e->part[part].len : 0;

    if (len == 0 || len > cap)
        return 0;
    memcpy(out, e->part[part].bytes, len);
    forget_part(&e->part[part]);
    return len;
}

size_t tvl_sessions_export(const struct tvl_sessions *s, const char *name, uint8_t *out, size_t cap)
{
    const struct tvl_session *e = find(s, name);
    struct tvl_wr w = tvl_wr_over(out, cap);
    size_t known = 0;

    tvl_wr_u8(&w, FORM);
    for (size_t i = 0; e && i < TVL_SESSION_PARTS; i++) {
        known += e->part[i].len;
        tvl_wr_u16(&w, (uint16_t)e->part[i].len);
        if (e->part[i].len)
            tvl_wr_bytes(&w, e->part[i].bytes, e->part[i].len);
    }
    return known == 0 || w.full ? 0 : (size_t)(w.p - out);
}

int tvl_sessions_import(struct tvl_sessions *s, const char *name, const uint8_t *bytes, size_t len)
{
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    const uint8_t *part[TVL_SESSION_PARTS] = { NULL };
    uint16_t part_len[TVL_SESSION_PARTS] = { 0 };

    if (tvl_rd_u8(&rd) != FORM)
        return TVL_ERR_ARG;
    for (size_t i = 0; i < TVL_SESSION_PARTS; i++) {
        part_len[i] = tvl_rd_u16(&rd);
        part[i] = tvl_rd_bytes(&rd, part_len[i]);
        if (rd.bad || part_len[i] > part_max[i])
            return TVL_ERR_ARG;
    }
    if (tvl_rd_left(&rd) > 0)
        return TVL_ERR_ARG;
    for (size_t i = 0; i < TVL_SESSION_PARTS; i++)
        tvl_sessions_put(s, name, (enum tvl_session_part)i, part[i], part_len[i]);
    return 0;
}
