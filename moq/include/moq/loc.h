/* loc.h - Low Overhead Container properties of one object (draft-ietf-moq-loc): times and marks
 * as Key-Value-Pairs beside the payload, which is the codec's bitstream and nothing else. */
#ifndef MOQ_LOC_H
#define MOQ_LOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOC_TIMESTAMP 0x10           /* vi64; 0x06 is accepted too (LOC -02, MoQT -18 peers) */
#define LOC_TIMESCALE 0x08           /* vi64, units per second */
#define LOC_VIDEO_FRAME_MARKING 0x09 /* RFC 9626 bytes */
#define LOC_TVL_DEPENDENCIES                                                                     \
    0x7b                         /* ours, application range 78-7F of draft-18: svc_deps_encode() \
                                  */
#define LOC_TVL_PICTURE 0x7a     /* ours: picture number, vi64 (MSF has 78 and 79) */
#define LOC_TVL_CAPTURED 0x7c    /* ours: us since 1970 when the picture was taken, vi64 */
#define LOC_TVL_ENCODE_TIME 0x7e /* ours: us from then until its bytes were there, vi64 */
#define LOC_DEPENDENCIES_MAX 64  /* bytes */

struct loc_properties {
    bool has_timestamp;
    uint64_t timestamp; /* us when timescale is 0 or absent, else in timescale units */
    uint64_t timescale; /* 0: absent */
    bool has_marking;
    bool independent, discardable, base_sync; /* I, D, B of RFC 9626 */
    uint8_t temporal_id;                      /* [0, 7] */
    uint8_t layer_id;                         /* spatial */
    bool has_picture;
    uint64_t picture;
    uint8_t dependencies[LOC_DEPENDENCIES_MAX];
    size_t dependencies_len; /* 0: absent */
    uint64_t captured;       /* us since 1970 by the sender's clock; 0: absent */
    uint64_t encode_us;      /* 0: absent */
};

/* Bytes written, or MOQ_ERR_ARG when `cap` is too small. Only what is present is written. */
int loc_properties_encode(const struct loc_properties *p, uint8_t *out, size_t cap);
/* 0 or MOQ_ERR_WIRE; unknown properties are skipped. */
int loc_properties_decode(struct loc_properties *p, const uint8_t *bytes, size_t len);
/* The object's time in us; false: it has none, or one out of all bounds (over 73,000 years). */
bool loc_media_time(const struct loc_properties *p, int64_t *pts_us);

#ifdef __cplusplus
}
#endif
#endif
