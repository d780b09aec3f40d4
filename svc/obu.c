/* obu.c - walk over OBUs, split temporal units by layer, write and read the project's metadata. */
#include "obu.h"

#include <assert.h>
#include <string.h>

#define LEB128_MAX_BYTES 8
/* ITU-T T.35 metadata (AV1 specification 6.7.2): players pass over it in silence, whereas dav1d
 * logs an error for every unit with one of the "unregistered" types from 6 on. */
#define METADATA_ITUT_T35 4
#define NOTE_HAS_SIZE 0x01u
#define NOTE_HAS_RATE 0x02u
#define NOTE_TRAILER 0x80 /* trailing_one_bit */

/* Country code (extension escape, extension), then the project's key. */
static const uint8_t note_key[] = { METADATA_ITUT_T35, 0xff, 0xff, 'S', 'V', 'C', 'D' };

static int get_leb128(uint64_t *value, const uint8_t *at, const uint8_t *end)
{
    uint64_t v = 0;
    for (int i = 0; i < LEB128_MAX_BYTES && at + i < end; i++) {
        v |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80)) {
            *value = v;
            return i + 1;
        }
    }
    return SVC_ERR_FORMAT;
}

int svc_obu_next(const uint8_t **at, const uint8_t *end, struct svc_obu *out)
{
    const uint8_t *p = *at;
    if (p == end)
        return 0;
    struct svc_obu obu = { .start = p };
    uint8_t head = *p++;
    if (head & 0x80) /* obu_forbidden_bit */
        return SVC_ERR_FORMAT;
    obu.type = head >> 3 & 15;
    obu.has_extension = head >> 2 & 1;
    if (obu.has_extension) {
        if (p == end)
            return SVC_ERR_FORMAT;
        obu.layer.temporal = *p >> 5;
        obu.layer.spatial = *p >> 3 & 3;
        p++;
    }
    uint64_t size = (uint64_t)(end - p);
    if (head & 2) { /* obu_has_size_field */
        int n = get_leb128(&size, p, end);
        if (n < 0)
            return n;
        p += n;
    }
    if (size > (uint64_t)(end - p))
        return SVC_ERR_FORMAT;
    obu.payload = p;
    obu.payload_len = (size_t)size;
    obu.len = (size_t)(p - obu.start) + obu.payload_len;
    *at = p + size;
    *out = obu;
    return 1;
}

int svc_note_write(const struct svc_note *note, struct svc_layer layer, uint8_t *out, size_t cap)
{
    bool sized = note->width != 0;
    bool rated = note->fps_num != 0;
    size_t body = sizeof(note_key) + 1 + (sized ? 4u : 0u) + (rated ? 8u : 0u) + note->deps_len + 1;
    bool extended = layer.spatial != 0 || layer.temporal != 0;
    if (note->deps_len > SVC_DEPS_MAX_BYTES || cap < body + 3)
        return SVC_ERR_ARG;
    static_assert(sizeof(note_key) + 14 + SVC_DEPS_MAX_BYTES < 128, "the size is one leb128 byte");
    size_t n = 0;
    out[n++] = (uint8_t)(SVC_OBU_METADATA << 3 | (extended ? 4 : 0) | 2);
    if (extended)
        out[n++] = (uint8_t)(layer.temporal << 5 | layer.spatial << 3);
    out[n++] = (uint8_t)body;
    memcpy(out + n, note_key, sizeof(note_key));
    n += sizeof(note_key);
    out[n++] = (uint8_t)((sized ? NOTE_HAS_SIZE : 0) | (rated ? NOTE_HAS_RATE : 0));
    if (sized) {
        out[n++] = (uint8_t)(note->width >> 8);
        out[n++] = (uint8_t)note->width;
        out[n++] = (uint8_t)(note->height >> 8);
        out[n++] = (uint8_t)note->height;
    }
    for (int i = 0; rated && i < 8; i++)
        out[n++] = (uint8_t)((i < 4 ? note->fps_num : note->fps_den) >> (24 - 8 * (i % 4)));
    memcpy(out + n, note->deps, note->deps_len);
    n += note->deps_len;
    out[n++] = NOTE_TRAILER;
    return (int)n;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool svc_note_read(const struct svc_obu *obu, struct svc_note *note)
{
    const uint8_t *p = obu->payload;
    size_t len = obu->payload_len;
    if (obu->type != SVC_OBU_METADATA || len < sizeof(note_key) + 2 ||
        memcmp(p, note_key, sizeof(note_key)) != 0 || p[len - 1] != NOTE_TRAILER)
        return false;
    const uint8_t *end = p + len - 1;
    p += sizeof(note_key);
    uint8_t flags = *p++;
    *note = (struct svc_note){ 0 };
    if (flags & ~(NOTE_HAS_SIZE | NOTE_HAS_RATE))
        return false;
    if (flags & NOTE_HAS_SIZE) {
        if (end - p < 4)
            return false;
        note->width = (uint16_t)(p[0] << 8 | p[1]);
        note->height = (uint16_t)(p[2] << 8 | p[3]);
        p += 4;
    }
    if (flags & NOTE_HAS_RATE) {
        if (end - p < 8)
            return false;
        note->fps_num = get_u32(p);
        note->fps_den = get_u32(p + 4);
        if (!note->fps_num || !note->fps_den || note->fps_num / note->fps_den > 1000)
            return false;
        p += 8;
    }
    note->deps = p;
    note->deps_len = (size_t)(end - p);
    return true;
}

/* The state of one split: where the next OBU goes and which layer is being filled. */
struct split {
    struct svc_part *parts;
    int n;
    size_t out_len;
    size_t lead_at; /* where the OBUs in front of the next frame start */
    struct svc_part lead;
};

static int split_frame(struct split *s, const struct svc_obu *obu)
{
    struct svc_part *last = s->n ? &s->parts[s->n - 1] : NULL;
    if (last && last->layer.spatial == obu->layer.spatial)
        return 0;
    if (obu->type == SVC_OBU_TILE_GROUP || obu->payload_len < 1)
        return SVC_ERR_FORMAT;
    if (last &&
        (obu->layer.spatial < last->layer.spatial || obu->layer.temporal != last->layer.temporal))
        return SVC_ERR_FORMAT;
    if (obu->layer.temporal >= SVC_TEMPORAL_MAX)
        return SVC_ERR_FORMAT;
    if (last)
        last->len = s->lead_at - last->at;
    struct svc_part *part = &s->parts[s->n++];
    *part = s->lead;
    part->at = s->lead_at;
    part->layer = obu->layer;
    part->frame = obu->payload;
    part->frame_len = obu->payload_len;
    part->key_frame = (obu->payload[0] & 0xe0) == 0; /* not show_existing_frame, frame_type 0 */
    s->lead = (struct svc_part){ 0 };
    return 0;
}

static int split_one(struct split *s, const struct svc_obu *obu, uint8_t *out)
{
    struct svc_note note;
    bool frame = obu->type == SVC_OBU_FRAME || obu->type == SVC_OBU_FRAME_HEADER ||
                 obu->type == SVC_OBU_TILE_GROUP;
    if (obu->type == SVC_OBU_DELIMITER || obu->type == SVC_OBU_PADDING)
        return 0;
    if (svc_note_read(obu, &note)) {
        s->lead.has_note = true;
        s->lead.note = note;
        return 0;
    }
    if (frame) {
        int err = split_frame(s, obu);
        if (err < 0)
            return err;
    } else if (obu->type == SVC_OBU_SEQUENCE) {
        s->lead.has_sequence = true;
    }
    memcpy(out + s->out_len, obu->start, obu->len);
    s->out_len += obu->len;
    if (frame)
        s->lead_at = s->out_len;
    return 0;
}

int svc_obu_split(const uint8_t *bytes, size_t len, uint8_t *out,
                  struct svc_part parts[SVC_SPATIAL_MAX])
{
    struct split s = { .parts = parts };
    const uint8_t *at = bytes;
    struct svc_obu obu;
    int more;
    while ((more = svc_obu_next(&at, bytes + len, &obu)) == 1) {
        int err = split_one(&s, &obu, out);
        if (err < 0)
            return err;
    }
    if (more < 0 || s.n == 0)
        return SVC_ERR_FORMAT;
    parts[s.n - 1].len = s.out_len - parts[s.n - 1].at;
    return s.n;
}
