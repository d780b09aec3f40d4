/*
 * vp9.h - VP9 frames: superframes, what an uncompressed header says, and whether a frame is shown
 * (VP9 bitstream specification 0.6, sections 6.2, 7.2 and annex B); the halves of the backend.
 */
#ifndef SVC_VP9_H
#define SVC_VP9_H

#include "codec.h"

#define SVC_VP9_FRAMES_MAX 8 /* of a superframe */

struct svc_span {
    const uint8_t *bytes;
    size_t len;
};
/* The frames of a superframe, or the one frame that `bytes` is. How many, or SVC_ERR_FORMAT. */
int svc_vp9_split(const uint8_t *bytes, size_t len, struct svc_span frames[SVC_VP9_FRAMES_MAX]);
/* Frames one behind the other get their index; one alone needs none. Bytes written at `out`, which
 * has room for SVC_VP9_INDEX_MAX, or SVC_ERR_ARG. */
#define SVC_VP9_INDEX_MAX 34
int svc_vp9_index(const size_t *lens, size_t n, uint8_t *out);

struct svc_vp9_size {
    uint16_t width, height; /* 0: nothing known */
};
struct svc_vp9_frame {
    bool key, intra_only, shown, shows_existing, error_resilient;
    uint8_t profile;
    uint8_t refreshes;
    uint8_t n_refs; /* 3 or 0 */
    uint8_t ref_slot[3];
    struct svc_vp9_size size;
    size_t header_bits; /* up to and with header_size_in_bytes; 0: the slots' sizes do not tell */
};
/* `slots`: sizes of what the reference slots hold. 0 or SVC_ERR_FORMAT. */
int svc_vp9_parse(struct svc_vp9_frame *f, const uint8_t *bytes, size_t len,
                  const struct svc_vp9_size slots[SVC_SLOTS]);
/*
 * The same frame, shown or not: players show one picture of a superframe, so files hide all layers
 * but the top one. Decodes to the same picture, since the frame is error resilient; others are left
 * as they are. `out` has room for len + 1. Bytes written, or SVC_ERR_FORMAT.
 */
int svc_vp9_show(const uint8_t *bytes, size_t len, const struct svc_vp9_size slots[SVC_SLOTS],
                 bool shown, uint8_t *out);
/* RFC 6381 form for the least level that bears it, e.g. "vp09.00.31.08" */
void svc_vp9_codec(uint8_t profile, uint16_t width, uint16_t height, double fps, char *out,
                   size_t size);

int svc_vp9_decoder_open(void **state, unsigned threads);
int svc_vp9_decode(void *state, const struct svc_unit *unit, struct svc_picture *out);
void svc_vp9_release(void *opaque);
void svc_vp9_flush(void *state);
void svc_vp9_decoder_close(void *state);

#endif
