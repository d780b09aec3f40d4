/*
 * svc.h - layered (scalable) video: units, dependencies, files, encoder, decoder.
 *
 * The noun is the layer unit: all OBUs of one spatial layer in one temporal unit (AV1 specification
 * 7.5). A unit says which layer it is, which reference slots it reads, what it expects to find in
 * them, and which slots it refreshes, so that anybody can tell what is decodable from what arrived
 * without parsing headers:
 *
 *     source --> svc_encoder --> svc_unit --> svc_writer --> file --> svc_reader --> svc_unit -->
 * ...
 *     ... --> svc_unit --> svc_tracker (is it decodable?) --> svc_decoder --> svc_picture
 *
 * Conventions: errors are 0 or a count, or a negative enum svc_error with nothing changed; x_new
 * makes, x_free takes (NULL allowed); borrowed pointers live for the call; one object, one thread
 * at a time; no global state. Times are microseconds.
 */
#ifndef SVC_SVC_H
#define SVC_SVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SVC_SPATIAL_MAX 4       /* spatial layers */
#define SVC_TEMPORAL_MAX 4      /* temporal layers */
#define SVC_SLOTS 8             /* reference slots of AV1 (NUM_REF_FRAMES) */
#define SVC_UNIT_MAX (4u << 20) /* bytes of one unit */
#define SVC_DEPS_MAX_BYTES 64   /* bytes of coded dependencies */

enum svc_error {
    SVC_ERR_ARG = -1, /* an argument is outside its stated range */
    SVC_ERR_NOMEM = -2,
    SVC_ERR_FILE = -3,    /* cannot be opened or read */
    SVC_ERR_FORMAT = -4,  /* not a layered file, damaged, or cut short */
    SVC_ERR_CODEC = -5,   /* the codec library refused */
    SVC_ERR_MISSING = -6, /* a reference is missing: the unit is not decodable */
};
const char *svc_strerror(int error); /* static text, never NULL */

/* ---- units ---- */

struct svc_layer {
    uint8_t spatial;  /* [0, SVC_SPATIAL_MAX) */
    uint8_t temporal; /* [0, SVC_TEMPORAL_MAX) */
};

struct svc_read {     /* one slot a unit reads, and what must be in it */
    uint8_t slot;     /* [0, SVC_SLOTS) */
    uint8_t spatial;  /* spatial layer of the unit expected there */
    uint64_t picture; /* picture number of the unit expected there */
};

struct svc_deps {
    uint8_t refreshes; /* bit i: slot i holds this unit afterwards */
    uint8_t n_reads;   /* [0, SVC_SLOTS]; 0: decodes alone */
    struct svc_read reads[SVC_SLOTS];
};

struct svc_unit {
    const uint8_t *bytes; /* OBUs of the layer, no temporal delimiter; owner is said at each call */
    size_t len;           /* [1, SVC_UNIT_MAX] */
    uint64_t picture;     /* temporal unit number in decode order, +1 each */
    int64_t pts;          /* us, presentation time */
    struct svc_layer layer;
    bool key; /* base-layer key frame: decoding may start here (carries the sequence header) */
    int64_t captured;   /* us since 1970 when the picture was taken; 0: not known, as of a file */
    uint32_t encode_us; /* from then until its bytes were there; 0: not known */
    struct svc_deps deps;
};

/*
 * Dependencies as bytes (docs/dependencies.md; modelled on the AV1 RTP Dependency Descriptor):
 * picture numbers are coded as distances. Encode: bytes written, or SVC_ERR_ARG if `cap` is too
 * small. Decode: 0 or SVC_ERR_FORMAT; `picture` is the unit's own number.
 */
int svc_deps_encode(const struct svc_deps *deps, uint64_t picture, uint8_t *out, size_t cap);
int svc_deps_decode(struct svc_deps *deps, uint64_t picture, const uint8_t *bytes, size_t len);

/* ---- reference structures ---- */

struct svc_structure {  /* W3C webrtc-svc 4: "L3T2", "L3T3_KEY" ... */
    uint8_t n_spatial;  /* [1, SVC_SPATIAL_MAX] */
    uint8_t n_temporal; /* [1, 3] */
    bool key_only;  /* k-SVC: spatial layers are predicted from each other in key pictures only */
    bool long_term; /* keep long-term references, where the slots suffice: L1, L2, L3T1, L3T2 */
};
/* 0 or SVC_ERR_ARG: not "LxTy" or "LxTy_KEY" of the ranges above, or it needs more than eight
 * slots. Long-term references are on. */
int svc_structure_parse(struct svc_structure *out, const char *name);
#define SVC_STRUCTURE_NAME_MAX 12
void svc_structure_name(const struct svc_structure *st, char out[SVC_STRUCTURE_NAME_MAX]);

/* ---- what a stream consists of ---- */

struct svc_layer_info {
    struct svc_layer layer;
    uint16_t width, height;   /* pixels */
    uint32_t bitrate_bps;     /* this layer's own mean, bits/s */
    uint32_t bitrate_max_bps; /* largest over one second */
};

struct svc_stream_info {
    char codec[32];    /* RFC 6381 form, e.g. "av01.0.05M.08" */
    char container[8]; /* of a file that is read: "mkv", "webm", "mp4", "ivf", "obu" */
    uint8_t n_spatial, n_temporal;
    uint16_t width, height;    /* of the top layer */
    uint32_t fps_num, fps_den; /* frames per second of the top layer, all temporal layers */
    bool unfinished;           /* of a file: its writer was ended before it; it plays up to there */
    uint64_t n_pictures;       /* 0: not known (live) */
    int64_t duration;          /* us; 0: not known */
    size_t n_layers;           /* n_spatial * n_temporal */
    struct svc_layer_info layers[SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX]; /* by temporal, then spatial:
                                 index = temporal * n_spatial + spatial */
    bool has_audio;
    uint32_t audio_rate;    /* Hz, 48000 */
    uint8_t audio_channels; /* 1 or 2 */
    uint32_t audio_bitrate_bps;
};

/*
 * ---- layered files: whole temporal units, sound as Opus (docs/dependencies.md, docs/codecs.md)
 * ----
 *
 * Kinds: MKV, WebM (AV1, VP9), MP4, IVF (AV1, VP9; no sound), OBU (AV1 "Section 5" stream; no
 * sound).
 */

enum svc_kind { SVC_VIDEO, SVC_AUDIO };

struct svc_packet { /* what svc_reader_next gives */
    enum svc_kind kind;
    struct svc_unit unit; /* SVC_VIDEO: bytes borrowed until the next call on the reader */
    const uint8_t *audio; /* SVC_AUDIO: one Opus packet, borrowed likewise */
    size_t audio_len;
    int64_t pts;         /* us */
    bool end_of_picture; /* SVC_VIDEO: last unit of its temporal unit */
};

struct svc_reader;
/* Opens and checks the whole index (mean rates need it). MKV and WebM that nobody finished, as when
 * a recording was killed, are read up to there. `why` (may be NULL) gets one line naming the file
 * on failure: SVC_ERR_FILE or SVC_ERR_FORMAT. */
int svc_reader_open(struct svc_reader **out, const char *path, char *why, size_t why_size);
const struct svc_stream_info *svc_reader_info(const struct svc_reader *r);
/* 1: a packet. 0: end of file. SVC_ERR_FORMAT: damaged here, reading may go on. Units of a picture
 * come by rising spatial layer; audio and video interleaved by pts. The first picture has pts 0. */
int svc_reader_next(struct svc_reader *r, struct svc_packet *out);
/* Back to the first packet, which is a key unit: picture numbers go on rising and pts go on from
 * the file's duration, as if the file were repeated endlessly. 0, SVC_ERR_FILE or SVC_ERR_FORMAT.
 */
int svc_reader_loop(struct svc_reader *r);
void svc_reader_free(struct svc_reader *r);

struct svc_writer;
/* By the path's ending .mkv, .webm, .mp4, .ivf or .obu; any other: MKV. SVC_ERR_ARG: `info` is out
 * of range, or such a file carries no such codec or no sound. */
int svc_writer_open(struct svc_writer **out, const char *path, const struct svc_stream_info *info,
                    char *why, size_t why_size);
/* Whether svc_writer_open would take that, without making the file: 0 or SVC_ERR_ARG. */
int svc_writer_check(const char *path, const struct svc_stream_info *info, char *why,
                     size_t why_size);
/* Whether a file of that name can carry sound. */
bool svc_writer_has_sound(const char *path);
/* All units of one picture, by rising spatial layer. */
int svc_writer_picture(struct svc_writer *w, const struct svc_unit *units, size_t n);
int svc_writer_audio(struct svc_writer *w, const uint8_t *opus, size_t len, int64_t pts);
int svc_writer_close(struct svc_writer *w); /* finishes the file; then free */
void svc_writer_free(struct svc_writer *w); /* without close: the file is left unfinished */

/* ---- tracker: what is decodable (pure) ---- */

struct svc_tracker { /* value type; zero is a fresh one */
    struct {
        bool valid;
        uint8_t spatial;
        uint64_t picture;
    } slot[SVC_SLOTS];
};
/* Whether every slot that `unit` reads holds what it expects. */
bool svc_tracker_decodable(const struct svc_tracker *t, const struct svc_unit *unit);
/* Whether a unit that comes late would take no slot from anything newer. */
bool svc_tracker_harmless(const struct svc_tracker *t, const struct svc_unit *unit);
/* The unit was decoded: its slots now hold it. A key frame clears the others' claims. */
void svc_tracker_decoded(struct svc_tracker *t, const struct svc_unit *unit);

/* ---- encoder ---- */

/* "av1" through libaom and dav1d; "vp9" through libvpx; "h264" through OpenH264 and libavcodec, of
 * temporal layers only and without long-term references. Ends with NULL. */
extern const char *const svc_codecs[];
/* The one of them that `codec` is: a name, or in RFC 6381 form. NULL: none. */
const char *svc_codec_name(const char *codec);
/* Whether its decoder takes pictures in order only: a late unit is of no use any more (H.264). */
bool svc_codec_in_order(const char *codec);

enum svc_matrix { /* from Y, U, V to red, green, blue (ITU-T H.273, MatrixCoefficients) */
                  SVC_MATRIX_UNKNOWN, /* the bitstream does not say */
                  SVC_MATRIX_BT601,
                  SVC_MATRIX_BT709,
                  SVC_MATRIX_BT2020,
                  SVC_MATRIX_SMPTE240,
};
/* Of a value of MatrixCoefficients, as AV1 and H.264 carry it. */
enum svc_matrix svc_matrix_of_h273(unsigned value);

struct svc_image {          /* 4:2:0, planes Y, U, V */
    uint16_t width, height; /* pixels */
    const uint8_t *plane[3];
    ptrdiff_t stride[3]; /* bytes */
    /* What a decoder found in the bitstream; zero is what encoders take. */
    uint8_t depth;             /* bits of a sample: 0 or 8; 10 or 12: two bytes each, as numbers of
                                  this machine */
    uint8_t matrix;            /* enum svc_matrix */
    bool full_range;           /* black is 0; else 16 << (depth - 8) */
    uint16_t par_num, par_den; /* width of a pixel over its height; 0: square */
};

struct svc_image_buffer { /* the same, to be written */
    uint16_t width, height;
    uint8_t *plane[3];
    ptrdiff_t stride[3];
};

struct svc_ratio {
    uint8_t num, den; /* [1, 16]; num / den in [1/16, 1] */
};

#define SVC_FIRST_PASS_MAX 10000000 /* pictures; 46 hours at 60 a second */

/*
 * What a first pass over a file found: with it the second spreads the bits over the whole file, so
 * that its pictures are about equally good, instead of giving each moment the same. Each layer then
 * meets its bitrate_bps over the file (within 2 % from about eight seconds on) and takes at
 * most 1.5 times that over any two seconds, as far as the first pass foretells them.
 *
 *     first pass:   svc_encoder_config_first_pass(&cfg), then every picture as usual; keep the
 *                   lengths of the units
 *     second pass:  the same pictures and the config as it was, with .first_pass
 */
struct svc_first_pass {
    size_t n;                                 /* pictures [1, SVC_FIRST_PASS_MAX] */
    const uint32_t (*bytes)[SVC_SPATIAL_MAX]; /* of each picture [n], by spatial layer; 0: none */
    uint8_t quantizer[SVC_SPATIAL_MAX];       /* [0, 63], as the first pass was configured */
};

struct svc_encoder_config {
    const char *codec; /* one of svc_codecs, default "av1" */
    uint16_t width,
        height; /* of the top layer [64, 4096], even; a multiple of 1 << n_spatial is best */
    uint32_t fps_num, fps_den;
    struct svc_structure structure; /* default L3T2 with long-term references */
    /* Sides of each spatial layer, as a share of the top one's, not falling; {0, 0} (default): half
     * of the one above. All 1/1: layers of quality (SNR). */
    struct svc_ratio ratio[SVC_SPATIAL_MAX];
    uint32_t bitrate_bps[SVC_SPATIAL_MAX]; /* each spatial layer's own target; 0: by quantizer */
    uint8_t quantizer[SVC_SPATIAL_MAX];    /* AV1 scale [0, 63]; used where bitrate_bps is 0 */
    /* NULL (default): there was none. Borrowed by svc_encoder_new alone. Only with a bit rate for
     * each spatial layer and without library_rate. Pictures beyond it are coded as its last one. */
    const struct svc_first_pass *first_pass;
    bool library_rate;     /* by the codec library's own rate control instead of ours, to compare */
    uint32_t key_interval; /* pictures between key frames; 0: only the first */
    uint32_t long_term_interval; /* T0 pictures from one long-term reference to the next [1, 64],
                                    default 8 */
    bool isolated;   /* the codec runs in a process of its own, so that its faults stay there
                        (default); the program then has a child that it must not wait for itself */
    uint8_t speed;   /* cpu-used [7, 10], default 9 */
    uint8_t threads; /* wish [1, 16]; cut to what the codec bears at this size (2 at 720p) */
};
void svc_encoder_config_init(struct svc_encoder_config *cfg);
/* Makes of a config that of the first pass before it: one quantizer for each layer throughout,
 * about the one that its rate asks for, and fast. */
void svc_encoder_config_first_pass(struct svc_encoder_config *cfg);

struct svc_encoder;
int svc_encoder_new(struct svc_encoder **out, const struct svc_encoder_config *cfg);
const struct svc_stream_info *svc_encoder_info(const struct svc_encoder *e);
/* One picture in, n_spatial units out (as many as are coded now). `units` has room for
 * SVC_SPATIAL_MAX; their bytes are borrowed until the next call. Result: how many. When the
 * isolated codec died of the picture it is coded once more, as a key picture, by a new one; if that
 * dies too: SVC_ERR_CODEC, and the next picture is tried likewise. 0, and the picture is not looked
 * at: svc_encoder_skips. */
int svc_encoder_encode(struct svc_encoder *e, const struct svc_image *img, int64_t pts,
                       bool force_key, struct svc_unit *units);
/* Where to write a picture for svc_encoder_encode without a further copy; of the encoder, for one
 * picture at a time. False: not isolated, any memory will do. */
bool svc_encoder_image(struct svc_encoder *e, struct svc_image_buffer *out);
/* Pictures that were copied on their way to the isolated codec: those that svc_encoder_image's
 * place did not hold. Where it is used picture bytes are copied no more, but by the codec's
 * library. */
uint64_t svc_encoder_copies(const struct svc_encoder *e);
/* Times the isolated codec had to be started again. */
uint64_t svc_encoder_restarts(const struct svc_encoder *e);
/* Own targets of the spatial layers from the next picture on, in bits/s. SVC_ERR_ARG: a layer that
 * is coded has 0, or was opened with a quantizer, or there was a first pass. */
int svc_encoder_set_rates(struct svc_encoder *e, const uint32_t bitrate_bps[SVC_SPATIAL_MAX]);
/* Code only the lowest `n_spatial` layers [1, as opened] from the next picture on. A layer that
 * returns begins with a refresh. */
int svc_encoder_set_top(struct svc_encoder *e, uint8_t n_spatial);
/* Code only the lowest `n_temporal` temporal layers [1, as opened]: fewer from the next picture on,
 * more from the next T0 picture on. What is left out takes its share of the bit rate with it. */
int svc_encoder_set_temporal(struct svc_encoder *e, uint8_t n_temporal);
/* Whether the next picture is of a temporal layer that is left out, unless a key picture is forced:
 * svc_encoder_encode then takes it without looking at it, and no unit comes of it. */
bool svc_encoder_skips(const struct svc_encoder *e);
/* As svc_encoder_config.speed, from the next picture on. SVC_ERR_ARG: outside [7, 10]. */
int svc_encoder_set_speed(struct svc_encoder *e, uint8_t speed);
/*
 * Layers from `spatial` up were lost on the way. At the next T0 picture each of them that the
 * receiver cannot follow is predicted anew: from its long-term reference where the receiver holds
 * that, else from the layer below (spatial 0: a key frame). `held`: what is known to be in the
 * receiver's slots; NULL: nothing.
 */
int svc_encoder_recover(struct svc_encoder *e, unsigned spatial, const struct svc_tracker *held);
void svc_encoder_free(struct svc_encoder *e);

/* ---- decoder: the codec's own, with a tracker in front ---- */

struct svc_picture {
    struct svc_image image; /* planes borrowed until svc_picture_release */
    uint64_t picture;
    int64_t pts;
    struct svc_layer layer; /* highest layer in it */
    void *opaque;
};

struct svc_decoder;
/* `codec`: a name of svc_codecs, or what svc_stream_info.codec says. SVC_ERR_ARG: unknown, or
 * `threads` outside [1, 16]. */
int svc_decoder_new(struct svc_decoder **out, const char *codec, unsigned threads);
/*
 * The units of one picture that arrived, by rising spatial layer, no duplicates. Those that are not
 * decodable are left out (and do not touch the slots). 1: *out is the best layer's picture.
 * 0: nothing was decodable. SVC_ERR_CODEC: damaged bits; the decoder waits for the next key frame.
 * Pictures go in decode order; one that comes after a later one is taken if its slots still fit
 * ("late units heal references") and its picture may be thrown away by the caller.
 */
int svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                       struct svc_picture *out);
void svc_picture_release(struct svc_decoder *d, struct svc_picture *p);
const struct svc_tracker *svc_decoder_tracker(const struct svc_decoder *d);
void svc_decoder_free(struct svc_decoder *d);

/* CRC-32 (IEEE) over the visible pixels, Y then U then V, rows top down: the picture's fingerprint.
 */
uint32_t svc_image_crc(const struct svc_image *img);

#ifdef __cplusplus
}
#endif
#endif
