/* object.h - objects on the wire: subgroup streams and datagrams (draft-18 "Data Streams and
 * Datagrams"). Parsers are fed whatever prefix of the stream is there and say what they took. */
#ifndef MOQ_OBJECT_H
#define MOQ_OBJECT_H

#include "wire.h"

#define MOQ_STREAM_FETCH 0x05
#define MOQ_STREAM_PADDING 0x132b3e28
#define MOQ_DATAGRAM_PADDING 0x132b3e29
#define MOQ_DEFAULT_PRIORITY 128 /* of publishers and of subscribers */
/* Bytes of a header and of one object's fields before its payload, both without properties. */
#define MOQ_SUBGROUP_OVERHEAD_MAX 64

struct moq_subgroup_header {
    uint64_t alias, group;
    bool has_subgroup; /* else 0 */
    bool subgroup_is_first_object;
    uint64_t subgroup;
    bool has_priority; /* else the track's default */
    uint8_t priority;
    bool has_properties, end_of_group, first_object;
};

bool moq_stream_type_is_subgroup(uint64_t type);
/* Bytes taken, 0 when more are needed, MOQ_ERR_WIRE. */
int moq_subgroup_header_parse(struct moq_subgroup_header *h, const uint8_t *bytes, size_t len);
void moq_subgroup_header_write(struct moq_writer *w, const struct moq_subgroup_header *h);

/* Where a subgroup stream stands; zero but for `header` at first. */
struct moq_subgroup {
    struct moq_subgroup_header header;
    bool any;      /* an object was read */
    uint64_t last; /* its ID */
    bool has_next; /* the fields of the next one were read, its payload was not */
    uint64_t next; /* its ID */
};

/*
 * Read the next object. Bytes taken (then `obj` borrows from `bytes`; its priority is the header's,
 * or MOQ_DEFAULT_PRIORITY); 0 when more are needed (*need bytes in all, a lower bound);
 * MOQ_ERR_WIRE; MOQ_ERR_FULL when the object is above our own limits.
 */
int moq_subgroup_object_parse(struct moq_subgroup *s, const uint8_t *bytes, size_t len,
                              struct moq_object *obj, size_t *need);
/* Fields of the next object of a stream, without the payload bytes; objects ascend. */
void moq_subgroup_object_write(struct moq_writer *w, struct moq_subgroup *s,
                               const struct moq_object *obj);

struct moq_datagram {
    bool padding; /* nothing else is set */
    uint64_t alias;
    bool has_priority; /* else the track's default; obj.priority is MOQ_DEFAULT_PRIORITY */
    bool end_of_group;
    struct moq_object obj; /* borrows; subgroup is the object's ID */
};
/* 0 or MOQ_ERR_WIRE. */
int moq_datagram_parse(struct moq_datagram *d, const uint8_t *bytes, size_t len);
/* All of it, with the payload. */
void moq_datagram_write(struct moq_writer *w, const struct moq_datagram *d);

/* ---- fetch streams ---- */

#define MOQ_FETCH_OVERHEAD_MAX 64 /* bytes of one object's fields before its properties */

void moq_fetch_header_write(struct moq_writer *w, uint64_t request_id);
/* Bytes taken, type included; 0 when more are needed. */
int moq_fetch_header_parse(uint64_t *request_id, const uint8_t *bytes, size_t len);

/* Where a fetch stream stands; zero but for `descending` at first. */
struct moq_fetch_place {
    bool descending;        /* groups */
    bool any;               /* something was read or written */
    bool any_object;        /* and not only ends of ranges: */
    uint64_t group, object; /* the last */
    uint64_t subgroup;      /* of the last object */
    uint8_t priority;       /* likewise */
};

struct moq_fetch_item {
    enum { FETCH_OBJECT, FETCH_NOT_THERE, FETCH_UNKNOWN } kind;
    struct moq_object obj; /* of the ends of ranges: group and object only */
};
/* As moq_subgroup_object_parse(). */
int moq_fetch_item_parse(struct moq_fetch_place *at, const uint8_t *bytes, size_t len,
                         struct moq_fetch_item *item, size_t *need);
/* Without the payload bytes. The caller has checked the order: see moq_fetch_follows(). */
void moq_fetch_item_write(struct moq_writer *w, struct moq_fetch_place *at,
                          const struct moq_fetch_item *item);
/* Whether that location may come next. */
bool moq_fetch_follows(const struct moq_fetch_place *at, uint64_t group, uint64_t object);

#endif
