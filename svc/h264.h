/*
 * h264.h - H.264 access units as byte streams (ITU-T H.264 annex B): NAL units, the sequence
 * parameter set, dependencies in an SEI message; the halves of the backend.
 */
#ifndef SVC_H264_H
#define SVC_H264_H

#include "codec.h"

enum svc_nal_type {
    SVC_NAL_SLICE = 1,
    SVC_NAL_IDR = 5,
    SVC_NAL_SEI = 6,
    SVC_NAL_SPS = 7,
    SVC_NAL_PPS = 8,
    SVC_NAL_DELIMITER = 9,
};

struct svc_nal {
    uint8_t type, ref_idc;
    const uint8_t *start; /* with start code */
    size_t len;
    const uint8_t *body; /* NAL header first */
    size_t body_len;
};
/* 1: *out is the next NAL unit and *at is behind it. 0: the end. SVC_ERR_FORMAT. */
int svc_nal_next(const uint8_t **at, const uint8_t *end, struct svc_nal *out);

struct svc_sps {
    uint8_t profile, constraints, level;
    uint16_t width, height; /* cropped */
};
/* `body` as of a NAL unit. 0 or SVC_ERR_FORMAT. */
int svc_sps_parse(struct svc_sps *sps, const uint8_t *body, size_t len);
/* "avc3.42C01E": the parameter sets travel in the stream (ISO/IEC 14496-15, annex E) */
void svc_sps_codec(const struct svc_sps *sps, char *out, size_t size);

#define SVC_SEI_MAX_BYTES (2 * SVC_DEPS_MAX_BYTES + 64)
/* The project's user data (docs/dependencies.md) as an SEI NAL unit. Bytes or SVC_ERR_ARG. */
int svc_sei_write(const struct svc_unit *unit, uint8_t *out, size_t cap);
/* True: `nal` is the project's SEI; *layer and *deps of picture number `picture` are set. */
bool svc_sei_read(const struct svc_nal *nal, uint64_t picture, struct svc_layer *layer,
                  struct svc_deps *deps);

int svc_h264_decoder_open(void **state, unsigned threads);
int svc_h264_decode(void *state, const struct svc_unit *unit, struct svc_picture *out);
void svc_h264_release(void *opaque);
void svc_h264_flush(void *state);
void svc_h264_decoder_close(void *state);

#endif
