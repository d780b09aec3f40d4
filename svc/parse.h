/*
 * parse.h - a packet of a file (a whole temporal unit) taken apart into layer units with their
 * dependencies, one table per codec. What the writer noted is taken; where nothing is noted (other
 * encoders; VP9 always) dependencies are derived from the headers.
 */
#ifndef SVC_PARSE_H
#define SVC_PARSE_H

#include "h264.h"
#include "obu.h"
#include "vp9.h"

#include <libavcodec/codec_id.h>

struct svc_parsed { /* one layer of a picture */
    struct svc_layer layer;
    bool key;
    size_t at, len; /* bytes in svc_parser.bytes */
    uint16_t width, height;
    struct svc_deps deps;
};

/* VP9 does not say which temporal layer a picture is of: which patterns its references fit. */
struct svc_pattern {
    uint64_t key;       /* picture number of the last key picture */
    uint64_t longest;   /* pictures from a key picture on */
    bool misfit[4];     /* [number of temporal layers] */
    uint8_t n_temporal; /* settled after a whole pass; 0: not yet */
};

struct svc_parser {
    const struct svc_parser_ops *ops;
    uint8_t *bytes; /* of the units given last */
    size_t cap;
    struct svc_tracker slots; /* for derived dependencies */
    struct svc_vp9_size sizes[SVC_SLOTS];
    uint32_t fps_num, fps_den; /* as noted in the stream, 0: not */

    struct svc_sequence sequence; /* AV1 */
    bool has_sequence;
    struct svc_pattern pattern; /* VP9 */
    uint8_t profile;
    struct svc_sps sps;  /* H.264 */
    uint8_t nal_length;  /* bytes of a NAL unit's length; 0: start codes */
    uint8_t *parameters; /* SPS and PPS with start codes, from the container */
    size_t parameters_len;
};

struct svc_parser_ops {
    enum AVCodecID id;
    /* What the container says of the codec. 0 or SVC_ERR_FORMAT, SVC_ERR_NOMEM. */
    int (*begin)(struct svc_parser *p, const uint8_t *extradata, size_t len);
    /* How many layers, by rising spatial layer, or SVC_ERR_FORMAT, SVC_ERR_NOMEM. p->bytes has room
     * for len + SVC_PARSE_MORE. */
    int (*picture)(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
                   struct svc_parsed out[SVC_SPATIAL_MAX]);
    /* RFC 6381 form, after a whole pass */
    void (*codec)(const struct svc_parser *p, const struct svc_stream_info *info, char *out,
                  size_t size);
};
#define SVC_PARSE_MORE 16

extern const struct svc_parser_ops svc_parser_av1, svc_parser_vp9, svc_parser_h264;

/* 0, or SVC_ERR_FORMAT: another codec. */
int svc_parser_init(struct svc_parser *p, enum AVCodecID id, const uint8_t *extradata, size_t len);
/* As svc_parser_ops.picture, of any bytes. */
int svc_parse(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
              struct svc_parsed out[SVC_SPATIAL_MAX]);
/* After a whole pass over the file: what it taught is used from now on. */
void svc_parser_settle_pattern(struct svc_parser *p);
/* The file begins anew. */
void svc_parser_rewind(struct svc_parser *p);
void svc_parser_fini(struct svc_parser *p);

/* For the tables: dependencies of a frame that reads `slots`, and what it leaves in its own. */
struct svc_deps svc_parser_derive(const struct svc_parser *p, uint8_t refreshes,
                                  const uint8_t *slots, size_t n);
void svc_parser_settle(struct svc_parser *p, const struct svc_parsed *part, uint8_t refreshes,
                       uint64_t picture);

#endif
