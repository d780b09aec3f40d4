/*
 * obu.h - AV1 open bitstream units: walk, split a temporal unit into layer units, and carry the
 * dependencies in a metadata OBU (docs/dependencies.md). AV1 specification, sections 5.3 to 5.9.
 */
#ifndef SVC_OBU_H
#define SVC_OBU_H

#include "svc/svc.h"

enum svc_obu_type {
    SVC_OBU_SEQUENCE = 1,
    SVC_OBU_DELIMITER = 2,
    SVC_OBU_FRAME_HEADER = 3,
    SVC_OBU_TILE_GROUP = 4,
    SVC_OBU_METADATA = 5,
    SVC_OBU_FRAME = 6,
    SVC_OBU_PADDING = 15,
};

struct svc_obu {
    uint8_t type;
    bool has_extension;
    struct svc_layer layer; /* 0,0 without extension */
    const uint8_t *start;   /* header included */
    size_t len;
    const uint8_t *payload;
    size_t payload_len;
};

/* 1: *out is the next OBU and *at is behind it. 0: the end. SVC_ERR_FORMAT. */
int svc_obu_next(const uint8_t **at, const uint8_t *end, struct svc_obu *out);

/* What the project's metadata OBU says about the unit behind it. */
struct svc_note {
    uint16_t width, height;    /* 0: not said */
    uint32_t fps_num, fps_den; /* 0: not said; where the container has no clock */
    const uint8_t *deps;       /* as svc_deps_encode wrote them */
    size_t deps_len;
};
#define SVC_NOTE_MAX_BYTES (SVC_DEPS_MAX_BYTES + 32)
/* Bytes written, or SVC_ERR_ARG. */
int svc_note_write(const struct svc_note *note, struct svc_layer layer, uint8_t *out, size_t cap);
/* True: `obu` is the project's metadata and *note points into it. */
bool svc_note_read(const struct svc_obu *obu, struct svc_note *note);

/* One layer of a split temporal unit. */
struct svc_part {
    struct svc_layer layer;
    bool has_sequence;
    bool key_frame;
    bool has_note;
    struct svc_note note;
    size_t at, len;       /* bytes in the output of svc_obu_split */
    const uint8_t *frame; /* payload of the first frame (header) OBU, in the input */
    size_t frame_len;
};
/*
 * Copies the OBUs of `bytes` except temporal delimiters, padding and the project's metadata to
 * `out` (room for `len`) and tells the layers apart. Number of parts, by rising spatial layer, or
 * SVC_ERR_FORMAT. parts[i].note points into `bytes`.
 */
int svc_obu_split(const uint8_t *bytes, size_t len, uint8_t *out,
                  struct svc_part parts[SVC_SPATIAL_MAX]);

struct svc_sequence {
    uint8_t profile;
    uint8_t level, tier; /* of operating point 0 */
    uint16_t operating_point_idc;
    uint16_t width, height; /* largest */
    uint8_t width_bits, height_bits;
    uint8_t id_bits, delta_id_bits; /* 0: frame ids are not present */
    bool reduced;                   /* reduced_still_picture_header */
    uint8_t order_hint_bits;
    uint8_t screen_content; /* 0, 1, 2: said by each frame */
    uint8_t integer_mv;     /* 0, 1, 2: said by each frame */
};
int svc_sequence_parse(struct svc_sequence *seq, const uint8_t *payload, size_t len);
/* RFC 6381 form, e.g. "av01.0.05M.08" */
void svc_sequence_codec(const struct svc_sequence *seq, char *out, size_t size);

/* What a frame header says about references, and its size where that is written out. */
struct svc_frame {
    bool key;
    bool shows_existing;
    uint8_t refreshes;
    uint8_t n_refs; /* 7 or 0 */
    uint8_t ref_slot[7];
    uint16_t width, height; /* 0: taken over from slot `size_slot` */
    uint8_t size_slot;
};
int svc_frame_parse(struct svc_frame *frame, const struct svc_sequence *seq, const uint8_t *payload,
                    size_t len);

#endif
