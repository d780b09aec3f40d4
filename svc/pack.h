/*
 * pack.h - the units of a picture made into one packet of a file, with their dependencies where the
 * codec has a place for them; one table per codec. The counterpart of parse.h.
 */
#ifndef SVC_PACK_H
#define SVC_PACK_H

#include "container.h"
#include "h264.h"
#include "obu.h"
#include "vp9.h"

#include <libavcodec/codec_id.h>

#define SVC_HEAD_MAX_BYTES 1024
#define SVC_PACK_MORE \
    (SVC_SEI_MAX_BYTES > SVC_NOTE_MAX_BYTES ? SVC_SEI_MAX_BYTES : SVC_NOTE_MAX_BYTES)

struct svc_packer {
    const struct svc_packer_ops *ops;
    const struct svc_stream_info *info;
    enum svc_container container;
    struct svc_vp9_size sizes[SVC_SLOTS]; /* VP9 */
};

struct svc_packer_ops {
    const char *rfc6381;
    enum AVCodecID id;
    /* What goes into the container's head, from the first key unit: bytes, or an error. NULL: none.
     */
    int (*head)(const struct svc_unit *key, uint8_t out[SVC_HEAD_MAX_BYTES]);
    /* `out` has room for SVC_PACK_MORE more than each unit has, and once more. Bytes or an error.
     */
    int (*pack)(struct svc_packer *p, const struct svc_unit *units, size_t n, uint8_t *out);
};

/* `info` stays the caller's for as long as the packer is used. 0 or SVC_ERR_ARG. */
int svc_packer_init(struct svc_packer *p, const struct svc_stream_info *info,
                    enum svc_container container);

#endif
