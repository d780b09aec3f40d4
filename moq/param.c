/* param.c - see param.h. One row per parameter of draft-18, ascending by type. */
#include "param.h"

enum coding {
    CODING_VI64,
    CODING_U8,
    CODING_LOCATION,
    CODING_FILTER,
    CODING_TOKEN,
    CODING_NAMESPACE,
};

struct param_def {
    uint64_t type;
    uint32_t bit;
    enum coding coding;
    size_t offset;        /* of the value in struct moq_params */
    uint64_t least, most; /* CODING_U8: values allowed */
};

#define FIELD(name) offsetof(struct moq_params, name)

static const struct param_def defs[] = {
    { 0x02, MOQ_HAS_OBJECT_TIMEOUT, CODING_VI64, FIELD(object_timeout_ms), 0, 0 },
    { 0x03, MOQ_HAS_TOKEN, CODING_TOKEN, FIELD(tokens), 0, 0 },
    { 0x04, MOQ_HAS_RENDEZVOUS_TIMEOUT, CODING_VI64, FIELD(rendezvous_timeout_ms), 0, 0 },
    { 0x06, MOQ_HAS_SUBGROUP_TIMEOUT, CODING_VI64, FIELD(subgroup_timeout_ms), 0, 0 },
    { 0x08, MOQ_HAS_EXPIRES, CODING_VI64, FIELD(expires_ms), 0, 0 },
    { 0x09, MOQ_HAS_LARGEST, CODING_LOCATION, FIELD(largest), 0, 0 },
    { 0x0a, MOQ_HAS_FILL_TIMEOUT, CODING_VI64, FIELD(fill_timeout_ms), 0, 0 },
    { 0x10, MOQ_HAS_FORWARD, CODING_U8, FIELD(forward), 0, 1 },
    { 0x20, MOQ_HAS_PRIORITY, CODING_U8, FIELD(priority), 0, 255 },
    { 0x21, MOQ_HAS_FILTER, CODING_FILTER, FIELD(filter), 0, 0 },
    { 0x22, MOQ_HAS_GROUP_ORDER, CODING_U8, FIELD(group_order), 1, 2 },
    { 0x32, MOQ_HAS_NEW_GROUP, CODING_VI64, FIELD(new_group), 0, 0 },
    { 0x34, MOQ_HAS_PREFIX, CODING_NAMESPACE, FIELD(prefix), 0, 0 },
};
#define N_DEFS (sizeof defs / sizeof defs[0])

#define FILTER_BYTES_MAX 64 /* a type and three vi64 */

static const struct param_def *find_def(uint64_t type)
{
    for (size_t i = 0; i < N_DEFS; i++)
        if (defs[i].type == type)
            return &defs[i];
    return NULL;
}

static struct moq_location read_location(struct moq_reader *r)
{
    uint64_t group = moq_read_vi64(r);
    return (struct moq_location){ .group = group, .object = moq_read_vi64(r) };
}

static bool read_filter(struct moq_reader *outer, struct moq_param_filter *f)
{
    struct moq_bytes body = moq_read_prefixed(outer, FILTER_BYTES_MAX);
    struct moq_reader r = moq_reader_of(body.bytes, body.len);
    uint64_t type = moq_read_vi64(&r);
    if (type < MOQ_FILTER_NEXT_GROUP || type > MOQ_FILTER_ABSOLUTE_RANGE)
        return false;
    *f = (struct moq_param_filter){ .type = (enum moq_filter)type };
    if (type >= MOQ_FILTER_ABSOLUTE_START)
        f->start = read_location(&r);
    if (type == MOQ_FILTER_ABSOLUTE_RANGE) {
        uint64_t delta = moq_read_vi64(&r);
        if (delta > UINT64_MAX - f->start.group)
            return false;
        f->end_group = f->start.group + delta;
    }
    return !r.failed && moq_reader_left(&r) == 0;
}

static void write_filter(struct moq_writer *outer, const struct moq_param_filter *f)
{
    uint8_t body[FILTER_BYTES_MAX];
    struct moq_writer w = moq_writer_of(body, sizeof body);
    moq_write_vi64(&w, f->type);
    if (f->type >= MOQ_FILTER_ABSOLUTE_START) {
        moq_write_vi64(&w, f->start.group);
        moq_write_vi64(&w, f->start.object);
    }
    if (f->type == MOQ_FILTER_ABSOLUTE_RANGE)
        moq_write_vi64(&w, f->end_group - f->start.group);
    moq_write_prefixed(outer, (struct moq_bytes){ .bytes = body, .len = moq_writer_len(&w) });
}

/* 0, or the code to close the session with. */
static uint64_t read_token(struct moq_reader *r, struct moq_params *p)
{
    struct moq_bytes token = moq_read_prefixed(r, MOQ_MESSAGE_MAX);
    if (r->failed)
        return MOQ_PROTOCOL_VIOLATION;
    if (p->n_tokens == MOQ_TOKENS_MAX)
        return MOQ_INTERNAL_ERROR; /* our limit, not the draft's */
    p->tokens[p->n_tokens++] = token;
    return 0;
}

/* 0, or the code to close the session with. */
static uint64_t read_value(struct moq_reader *r, const struct param_def *def, struct moq_params *p)
{
    void *field = (char *)p + def->offset;
    switch (def->coding) {
    case CODING_VI64:
        *(uint64_t *)field = moq_read_vi64(r);
        break;
    case CODING_U8: {
        uint64_t v = moq_read_u8(r);
        if (!r->failed && (v < def->least || v > def->most))
            return MOQ_PROTOCOL_VIOLATION;
        *(uint64_t *)field = v;
        break;
    }
    case CODING_LOCATION:
        *(struct moq_location *)field = read_location(r);
        break;
    case CODING_FILTER:
        if (!read_filter(r, field))
            return MOQ_PROTOCOL_VIOLATION;
        break;
    case CODING_TOKEN:
        return read_token(r, p);
    case CODING_NAMESPACE:
        moq_namespace_read(r, field);
        break;
    }
    return r->failed ? MOQ_PROTOCOL_VIOLATION : 0;
}

int moq_params_read(struct moq_reader *r, struct moq_params *p, uint32_t allowed,
                    uint64_t *close_code)
{
    *p = (struct moq_params){ 0 };
    uint64_t n = moq_read_vi64(r), type = 0;
    *close_code = MOQ_PROTOCOL_VIOLATION;
    for (uint64_t i = 0; i < n; i++) { /* ends by itself: each turn takes a byte or fails */
        uint64_t delta = moq_read_vi64(r);
        if (r->failed || delta > UINT64_MAX - type)
            return MOQ_ERR_WIRE;
        type += delta;
        const struct param_def *def = find_def(type);
        if (!def || (def->bit & allowed) == 0)
            return MOQ_ERR_WIRE;
        if ((p->has & def->bit) != 0 && def->coding != CODING_TOKEN)
            return MOQ_ERR_WIRE;
        uint64_t code = read_value(r, def, p);
        if (code != 0) {
            *close_code = code;
            return MOQ_ERR_WIRE;
        }
        p->has |= def->bit;
    }
    return r->failed ? MOQ_ERR_WIRE : 0;
}

bool moq_params_within(const struct moq_params *p, uint32_t allowed)
{
    return (p->has & ~allowed) == 0;
}

static uint64_t count_params(const struct moq_params *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < N_DEFS; i++)
        if ((p->has & defs[i].bit) != 0)
            n += defs[i].coding == CODING_TOKEN ? p->n_tokens : 1;
    return n;
}

static void write_tokens(struct moq_writer *w, const struct moq_params *p)
{
    for (size_t i = 0; i < p->n_tokens; i++) {
        if (i > 0)
            moq_write_vi64(w, 0); /* the same type again */
        moq_write_prefixed(w, p->tokens[i]);
    }
}

void moq_params_write(struct moq_writer *w, const struct moq_params *p)
{
    moq_write_vi64(w, count_params(p));
    uint64_t last = 0;
    for (size_t i = 0; i < N_DEFS; i++) {
        if ((p->has & defs[i].bit) == 0 || (defs[i].coding == CODING_TOKEN && p->n_tokens == 0))
            continue;
        moq_write_vi64(w, defs[i].type - last);
        last = defs[i].type;
        const void *field = (const char *)p + defs[i].offset;
        const struct moq_location *at = field;
        switch (defs[i].coding) {
        case CODING_VI64:
            moq_write_vi64(w, *(const uint64_t *)field);
            break;
        case CODING_U8:
            moq_write_u8(w, (uint8_t) * (const uint64_t *)field);
            break;
        case CODING_LOCATION:
            moq_write_vi64(w, at->group);
            moq_write_vi64(w, at->object);
            break;
        case CODING_FILTER:
            write_filter(w, field);
            break;
        case CODING_TOKEN:
            write_tokens(w, p);
            break;
        case CODING_NAMESPACE:
            moq_namespace_write(w, field);
            break;
        }
    }
}
