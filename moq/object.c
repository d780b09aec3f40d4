/* object.c - see object.h. */
#include "object.h"

#include "kvp.h"

enum {
    SUBGROUP_PROPERTIES = 0x01,
    SUBGROUP_MODE = 0x06,
    SUBGROUP_END_OF_GROUP = 0x08,
    SUBGROUP_ALWAYS = 0x10,
    SUBGROUP_DEFAULT_PRIORITY = 0x20,
    SUBGROUP_FIRST_OBJECT = 0x40,
    SUBGROUP_TYPE_MAX = 0x7f
};
enum { MODE_ZERO = 0x00, MODE_FIRST_OBJECT = 0x02, MODE_EXPLICIT = 0x04, MODE_RESERVED = 0x06 };

enum {
    DATAGRAM_PROPERTIES = 0x01,
    DATAGRAM_END_OF_GROUP = 0x02,
    DATAGRAM_ZERO_OBJECT = 0x04,
    DATAGRAM_DEFAULT_PRIORITY = 0x08,
    DATAGRAM_STATUS = 0x20,
    DATAGRAM_TYPE_BITS = 0x2f
};

enum { STATUS_NORMAL = 0, STATUS_END_OF_GROUP = 3, STATUS_END_OF_TRACK = 4 };

static bool status_valid(uint64_t status)
{
    return status == STATUS_NORMAL || status == STATUS_END_OF_GROUP ||
           status == STATUS_END_OF_TRACK;
}

bool moq_stream_type_is_subgroup(uint64_t type)
{
    return type <= SUBGROUP_TYPE_MAX && (type & SUBGROUP_ALWAYS) != 0 &&
           (type & SUBGROUP_MODE) != MODE_RESERVED;
}

int moq_subgroup_header_parse(struct moq_subgroup_header *h, const uint8_t *bytes, size_t len)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    uint64_t type = moq_read_vi64(&r);
    if (r.failed)
        return 0;
    if (!moq_stream_type_is_subgroup(type))
        return MOQ_ERR_WIRE;
    *h = (struct moq_subgroup_header){
        .has_subgroup = (type & SUBGROUP_MODE) == MODE_EXPLICIT,
        .subgroup_is_first_object = (type & SUBGROUP_MODE) == MODE_FIRST_OBJECT,
        .has_priority = (type & SUBGROUP_DEFAULT_PRIORITY) == 0,
        .priority = MOQ_DEFAULT_PRIORITY,
        .has_properties = (type & SUBGROUP_PROPERTIES) != 0,
        .end_of_group = (type & SUBGROUP_END_OF_GROUP) != 0,
        .first_object = (type & SUBGROUP_FIRST_OBJECT) != 0,
    };
    h->alias = moq_read_vi64(&r);
    h->group = moq_read_vi64(&r);
    if (h->has_subgroup)
        h->subgroup = moq_read_vi64(&r);
    if (h->has_priority)
        h->priority = moq_read_u8(&r);
    return r.failed ? 0 : (int)(len - moq_reader_left(&r));
}

void moq_subgroup_header_write(struct moq_writer *w, const struct moq_subgroup_header *h)
{
    unsigned type = SUBGROUP_ALWAYS;
    type |= h->has_properties ? SUBGROUP_PROPERTIES : 0;
    type |= h->has_subgroup               ? MODE_EXPLICIT
            : h->subgroup_is_first_object ? MODE_FIRST_OBJECT
                                          : MODE_ZERO;
    type |= h->end_of_group ? SUBGROUP_END_OF_GROUP : 0;
    type |= h->has_priority ? 0 : SUBGROUP_DEFAULT_PRIORITY;
    type |= h->first_object ? SUBGROUP_FIRST_OBJECT : 0;
    moq_write_vi64(w, type);
    moq_write_vi64(w, h->alias);
    moq_write_vi64(w, h->group);
    if (h->has_subgroup)
        moq_write_vi64(w, h->subgroup);
    if (h->has_priority)
        moq_write_u8(w, h->priority);
}

/* 1: read; 0: more needed (*need); negative: enum moq_error. Starts at the length. */
static int read_properties(struct moq_reader *r, struct moq_bytes *out, size_t len, size_t *need)
{
    uint64_t n = moq_read_vi64(r);
    if (r->failed)
        return 0;
    if (n > MOQ_PROPERTIES_MAX)
        return MOQ_ERR_FULL;
    if (n > moq_reader_left(r)) {
        *need = len - moq_reader_left(r) + (size_t)n;
        return 0;
    }
    *out = moq_read_bytes(r, n);
    return moq_kvp_valid(*out) ? 1 : MOQ_ERR_WIRE;
}

int moq_subgroup_object_parse(struct moq_subgroup *s, const uint8_t *bytes, size_t len,
                              struct moq_object *obj, size_t *need)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    *need = len + 1;
    uint64_t id = moq_read_vi64(&r);
    if (r.failed)
        return 0;
    if (s->any) {
        if (s->last == UINT64_MAX || id > UINT64_MAX - s->last - 1)
            return MOQ_ERR_WIRE;
        id += s->last + 1;
    }
    s->has_next = true;
    s->next = id;
    if (!s->any && s->header.subgroup_is_first_object)
        s->header.subgroup = id;
    *obj = (struct moq_object){ .group = s->header.group,
                                .object = id,
                                .subgroup = s->header.subgroup,
                                .priority = s->header.priority };
    if (s->header.has_properties) {
        int got = read_properties(&r, &obj->properties, len, need);
        if (got <= 0)
            return got;
    }
    uint64_t size = moq_read_vi64(&r);
    uint64_t status = !r.failed && size == 0 ? moq_read_vi64(&r) : STATUS_NORMAL;
    if (r.failed)
        return 0;
    if (!status_valid(status) || (status != STATUS_NORMAL && obj->properties.len > 0))
        return MOQ_ERR_WIRE;
    if (size > MOQ_OBJECT_MAX)
        return MOQ_ERR_FULL;
    *need = len - moq_reader_left(&r) + (size_t)size;
    if (len < *need)
        return 0;
    obj->status = (uint8_t)status;
    obj->payload = moq_read_bytes(&r, size);
    s->any = true;
    s->last = id;
    s->has_next = false;
    return (int)*need;
}

void moq_subgroup_object_write(struct moq_writer *w, struct moq_subgroup *s,
                               const struct moq_object *obj)
{
    moq_write_vi64(w, s->any ? obj->object - s->last - 1 : obj->object);
    if (s->header.has_properties)
        moq_write_prefixed(w, obj->properties);
    moq_write_vi64(w, obj->payload.len);
    if (obj->payload.len == 0)
        moq_write_vi64(w, obj->status);
    s->any = true;
    s->last = obj->object;
}

void moq_datagram_write(struct moq_writer *w, const struct moq_datagram *d)
{
    unsigned type = d->obj.properties.len > 0 ? DATAGRAM_PROPERTIES : 0;
    bool has_status = d->obj.status != STATUS_NORMAL;
    type |= d->end_of_group && !has_status ? DATAGRAM_END_OF_GROUP : 0;
    type |= d->has_priority ? 0 : DATAGRAM_DEFAULT_PRIORITY;
    type |= has_status ? DATAGRAM_STATUS : 0;
    moq_write_vi64(w, type);
    moq_write_vi64(w, d->alias);
    moq_write_vi64(w, d->obj.group);
    moq_write_vi64(w, d->obj.object);
    if (d->has_priority)
        moq_write_u8(w, d->obj.priority);
    if (d->obj.properties.len > 0)
        moq_write_prefixed(w, d->obj.properties);
    if (has_status)
        moq_write_vi64(w, d->obj.status);
    else
        moq_write_bytes(w, d->obj.payload);
}

int moq_datagram_parse(struct moq_datagram *d, const uint8_t *bytes, size_t len)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    uint64_t type = moq_read_vi64(&r);
    *d = (struct moq_datagram){ .padding = !r.failed && type == MOQ_DATAGRAM_PADDING };
    if (d->padding)
        return 0;
    bool has_status = (type & DATAGRAM_STATUS) != 0;
    d->end_of_group = (type & DATAGRAM_END_OF_GROUP) != 0;
    if (r.failed || type > DATAGRAM_TYPE_BITS || (type & ~(uint64_t)DATAGRAM_TYPE_BITS) != 0 ||
        (has_status && d->end_of_group))
        return MOQ_ERR_WIRE;
    d->alias = moq_read_vi64(&r);
    d->obj.group = moq_read_vi64(&r);
    d->obj.object = (type & DATAGRAM_ZERO_OBJECT) != 0 ? 0 : moq_read_vi64(&r);
    d->obj.subgroup = d->obj.object;
    d->has_priority = (type & DATAGRAM_DEFAULT_PRIORITY) == 0;
    d->obj.priority = d->has_priority ? moq_read_u8(&r) : MOQ_DEFAULT_PRIORITY;
    if ((type & DATAGRAM_PROPERTIES) != 0) {
        d->obj.properties = moq_read_prefixed(&r, MOQ_PROPERTIES_MAX);
        if (d->obj.properties.len == 0 || !moq_kvp_valid(d->obj.properties))
            return MOQ_ERR_WIRE;
    }
    uint64_t status = has_status ? moq_read_vi64(&r) : STATUS_NORMAL;
    if (!status_valid(status) || (status != STATUS_NORMAL && d->obj.properties.len > 0))
        return MOQ_ERR_WIRE;
    d->obj.status = (uint8_t)status;
    if (!has_status)
        d->obj.payload = moq_read_rest(&r);
    return r.failed || moq_reader_left(&r) > 0 ? MOQ_ERR_WIRE : 0;
}
