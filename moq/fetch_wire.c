/* fetch_wire.c - fetch streams on the wire (draft-18 "Fetch Header"); see object.h. Flags say which
 * fields differ from the object before; we write subgroup and priority only where they do. */
#include "kvp.h"
#include "object.h"

enum {
    FLAG_SUBGROUP = 0x03, /* mask of the four below */
    SUBGROUP_ZERO = 0x00,
    SUBGROUP_PRIOR = 0x01,
    SUBGROUP_PRIOR_PLUS_1 = 0x02,
    SUBGROUP_PRESENT = 0x03,
    FLAG_OBJECT_DELTA = 0x04,
    FLAG_GROUP_DELTA = 0x08,
    FLAG_PRIORITY = 0x10,
    FLAG_PROPERTIES = 0x20,
    FLAG_DATAGRAM = 0x40,
    FLAGS_MAX = 0x7f,
    END_NOT_THERE = 0x8c,
    END_UNKNOWN = 0x10c
};

void moq_fetch_header_write(struct moq_writer *w, uint64_t request_id)
{
    moq_write_vi64(w, MOQ_STREAM_FETCH);
    moq_write_vi64(w, request_id);
}

int moq_fetch_header_parse(uint64_t *request_id, const uint8_t *bytes, size_t len)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    moq_read_vi64(&r);
    *request_id = moq_read_vi64(&r);
    return r.failed ? 0 : (int)(len - moq_reader_left(&r));
}

/* ---- reading ---- */

/* Group and object of what comes; false: not possible. */
static bool read_location(struct moq_reader *r, const struct moq_fetch_place *at, uint64_t flags,
                          struct moq_object *obj)
{
    bool has_group = (flags & FLAG_GROUP_DELTA) != 0, has_object = (flags & FLAG_OBJECT_DELTA) != 0;
    if (!at->any && (!has_group || !has_object))
        return false;
    obj->group = at->group;
    if (has_group) {
        uint64_t delta = moq_read_vi64(r), room = at->descending ? at->group : ~at->group;
        if (!at->any)
            obj->group = delta;
        else if (delta >= room)
            return r->failed;
        else
            obj->group = at->descending ? at->group - delta - 1 : at->group + delta + 1;
    }
    return true;
}

static bool read_object_id(struct moq_reader *r, const struct moq_fetch_place *at, uint64_t flags,
                           struct moq_object *obj)
{
    bool has_group = (flags & FLAG_GROUP_DELTA) != 0;
    uint64_t delta = (flags & FLAG_OBJECT_DELTA) != 0 ? moq_read_vi64(r) : 1;
    uint64_t base = has_group && (flags & FLAG_OBJECT_DELTA) != 0 ? 0 : at->object;
    if (delta > UINT64_MAX - base)
        return r->failed;
    obj->object = base + delta;
    return r->failed || has_group || !at->any || obj->object > at->object;
}

static bool read_subgroup(struct moq_reader *r, const struct moq_fetch_place *at, uint64_t flags,
                          struct moq_object *obj)
{
    obj->datagram = (flags & FLAG_DATAGRAM) != 0;
    uint64_t mode = obj->datagram ? SUBGROUP_ZERO : flags & FLAG_SUBGROUP;
    if (mode == SUBGROUP_PRESENT)
        obj->subgroup = moq_read_vi64(r);
    else if (mode != SUBGROUP_ZERO) {
        if (!at->any_object || (mode == SUBGROUP_PRIOR_PLUS_1 && at->subgroup == UINT64_MAX))
            return false;
        obj->subgroup = at->subgroup + (mode == SUBGROUP_PRIOR_PLUS_1 ? 1 : 0);
    }
    return true;
}

static void take_end(struct moq_fetch_place *at, const struct moq_object *obj)
{
    at->any = true;
    at->group = obj->group;
    at->object = obj->object;
}

static void take_object(struct moq_fetch_place *at, const struct moq_object *obj)
{
    take_end(at, obj);
    at->any_object = true;
    if (!obj->datagram)
        at->subgroup = obj->subgroup;
    at->priority = obj->priority;
}

/* Bytes taken; 0: more needed; negative: enum moq_error. Behind the object ID. */
static int read_rest(struct moq_reader *r, uint64_t flags, size_t len, struct moq_object *obj,
                     size_t *need)
{
    if ((flags & FLAG_PROPERTIES) != 0) {
        uint64_t n = moq_read_vi64(r);
        if (!r->failed && n > MOQ_PROPERTIES_MAX)
            return MOQ_ERR_FULL;
        if (!r->failed && n > moq_reader_left(r))
            *need = len - moq_reader_left(r) + (size_t)n;
        obj->properties = moq_read_bytes(r, n);
        if (!r->failed && !moq_kvp_valid(obj->properties))
            return MOQ_ERR_WIRE;
    }
    uint64_t size = moq_read_vi64(r);
    if (r->failed)
        return 0;
    if (size > MOQ_OBJECT_MAX)
        return MOQ_ERR_FULL;
    *need = len - moq_reader_left(r) + (size_t)size;
    if (len < *need)
        return 0;
    obj->payload = moq_read_bytes(r, size);
    return (int)*need;
}

int moq_fetch_item_parse(struct moq_fetch_place *at, const uint8_t *bytes, size_t len,
                         struct moq_fetch_item *item, size_t *need)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    *need = len + 1;
    *item = (struct moq_fetch_item){ .kind = FETCH_OBJECT };
    uint64_t flags = moq_read_vi64(&r);
    if (r.failed)
        return 0;
    bool end = flags == END_NOT_THERE || flags == END_UNKNOWN;
    if (flags > FLAGS_MAX && !end)
        return MOQ_ERR_WIRE;
    struct moq_object *obj = &item->obj;
    obj->priority = at->priority;
    if (!read_location(&r, at, end ? FLAG_GROUP_DELTA | FLAG_OBJECT_DELTA : flags, obj))
        return MOQ_ERR_WIRE;
    if (end) {
        item->kind = flags == END_UNKNOWN ? FETCH_UNKNOWN : FETCH_NOT_THERE;
        obj->object = moq_read_vi64(&r);
        if (r.failed)
            return 0;
        take_end(at, obj);
        return (int)(len - moq_reader_left(&r));
    }
    if (!read_subgroup(&r, at, flags, obj) || !read_object_id(&r, at, flags, obj))
        return r.failed ? 0 : MOQ_ERR_WIRE;
    if ((flags & FLAG_PRIORITY) != 0)
        obj->priority = moq_read_u8(&r);
    else if (!at->any_object)
        return MOQ_ERR_WIRE;
    int used = r.failed ? 0 : read_rest(&r, flags, len, obj, need);
    if (used > 0)
        take_object(at, obj);
    return used;
}

/* ---- writing ---- */

bool moq_fetch_follows(const struct moq_fetch_place *at, uint64_t group, uint64_t object)
{
    if (!at->any)
        return true;
    if (group == at->group)
        return object > at->object;
    return at->descending ? group < at->group : group > at->group;
}

static void write_location(struct moq_writer *w, const struct moq_fetch_place *at, bool has_group,
                           uint64_t group)
{
    if (!has_group)
        return;
    if (!at->any)
        moq_write_vi64(w, group);
    else
        moq_write_vi64(w, at->descending ? at->group - group - 1 : group - at->group - 1);
}

void moq_fetch_item_write(struct moq_writer *w, struct moq_fetch_place *at,
                          const struct moq_fetch_item *item)
{
    const struct moq_object *obj = &item->obj;
    bool has_group = !at->any || obj->group != at->group;
    if (item->kind != FETCH_OBJECT) {
        moq_write_vi64(w, item->kind == FETCH_UNKNOWN ? END_UNKNOWN : END_NOT_THERE);
        write_location(w, at, true, obj->group);
        moq_write_vi64(w, obj->object);
        take_end(at, obj);
        return;
    }
    bool next = at->any && !has_group && obj->object == at->object + 1;
    bool same_priority = at->any_object && obj->priority == at->priority;
    unsigned flags = has_group ? FLAG_GROUP_DELTA : 0;
    flags |= next ? 0 : FLAG_OBJECT_DELTA;
    flags |= same_priority ? 0 : FLAG_PRIORITY;
    flags |= obj->properties.len > 0 ? FLAG_PROPERTIES : 0;
    if (obj->datagram)
        flags |= FLAG_DATAGRAM;
    else if (obj->subgroup != 0)
        flags |=
            at->any_object && obj->subgroup == at->subgroup ? SUBGROUP_PRIOR : SUBGROUP_PRESENT;
    moq_write_vi64(w, flags);
    write_location(w, at, has_group, obj->group);
    if ((flags & (FLAG_SUBGROUP | FLAG_DATAGRAM)) == SUBGROUP_PRESENT)
        moq_write_vi64(w, obj->subgroup);
    if (!next)
        moq_write_vi64(w, has_group ? obj->object : obj->object - at->object);
    if (!same_priority)
        moq_write_u8(w, obj->priority);
    if (obj->properties.len > 0)
        moq_write_prefixed(w, obj->properties);
    moq_write_vi64(w, obj->payload.len);
    take_object(at, obj);
}
