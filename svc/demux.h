/*
 * demux.h - a container taken apart into packets: what reader.c reads files through. demux_av.c is
 * libavformat and reads all kinds; demux_ivf.c is ours, for builds without FFmpeg, and reads IVF.
 */
#ifndef SVC_DEMUX_H
#define SVC_DEMUX_H

#include "container.h"

#include <libavcodec/codec_id.h>

struct svc_demux;

struct svc_demux_info { /* constant once it is open */
    enum AVCodecID codec;
    const uint8_t *extradata; /* of the video; the demuxer's */
    size_t extradata_len;
    uint32_t fps_num, fps_den; /* as the container tells, 0: it does not */
    bool has_sound;            /* Opus */
    uint8_t sound_channels;    /* 1 or 2 */
};

struct svc_demux_packet {
    bool video; /* else sound */
    bool corrupt;
    bool has_pts;         /* else pts is 0 */
    const uint8_t *bytes; /* the demuxer's until its next call */
    size_t len;
    int64_t pts; /* us, of the file's own time */
};

/* From the beginning. 0, SVC_ERR_FILE, SVC_ERR_FORMAT (no video, or none that is known), _NOMEM. */
int svc_demux_open(struct svc_demux **out, const char *path, enum svc_container container);
const struct svc_demux_info *svc_demux_info(const struct svc_demux *d);
/* 1: a packet of video or sound. 0: the end. SVC_ERR_FORMAT: damaged. */
int svc_demux_next(struct svc_demux *d, struct svc_demux_packet *out);
void svc_demux_close(struct svc_demux *d); /* NULL allowed */

#endif
