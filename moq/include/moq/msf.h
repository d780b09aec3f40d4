/* msf.h - the MSF catalog (draft-ietf-moq-msf): which tracks a broadcast has. JSON on track
 * "catalog"; object 0 of a group is a complete catalog. */
#ifndef MOQ_MSF_H
#define MOQ_MSF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MSF_CATALOG_TRACK "catalog"
#define MSF_VERSION "draft-01"
#define MSF_TRACKS_MAX 64     /* own limit */
#define MSF_DEPENDS_MAX 8     /* own limit, per track */
#define MSF_NAME_MAX 64       /* bytes with NUL, own limit */
#define MSF_LABEL_MAX 64      /* likewise */
#define MSF_LANG_MAX 36       /* likewise */
#define MSF_CAPS_MAX 1024     /* likewise */
#define MSF_CATALOG_MAX 65536 /* bytes of JSON, own limit */

struct msf_track {
    char name[MSF_NAME_MAX];
    char packaging[16]; /* "loc" */
    bool is_live;
    char role[16]; /* "video", "audio" */
    char codec[32];
    char
        label[MSF_LABEL_MAX]; /* for people; "": absent, or longer than we keep, as with the next */
    char lang[MSF_LANG_MAX];  /* BCP 47, "de" */
    char caps[MSF_CAPS_MAX];  /* "gstCaps", a field of ours: an opaque track's caps as GStreamer
                                 writes them */
    uint32_t render_group;    /* 0: absent */
    uint32_t bitrate;         /* bits/s, own maximum; 0: absent */
    uint16_t width, height;   /* 0: absent */
    double framerate;         /* 0: absent */
    uint32_t samplerate;      /* 0: absent */
    char channel_config[8];   /* "2" */
    uint32_t target_latency_ms; /* 0: absent */
    uint64_t timescale;         /* 0: absent */
    bool has_spatial_id, has_temporal_id;
    uint8_t spatial_id, temporal_id;
    char depends[MSF_DEPENDS_MAX][MSF_NAME_MAX];
    size_t n_depends;
};

struct msf_catalog {
    uint64_t generated_at_ms; /* 0: absent */
    bool is_complete;
    size_t n_tracks;
    struct msf_track tracks[MSF_TRACKS_MAX];
};

/* JSON text into `out` with NUL; its length, or MOQ_ERR_ARG when `cap` is too small. */
int msf_catalog_write(const struct msf_catalog *c, char *out, size_t cap);
/* 0 or MOQ_ERR_WIRE with one line in `why` (may be NULL). Unknown fields are ignored; a version
 * that is neither MSF_VERSION nor "1" is refused; `depends` must name tracks of the catalog and be
 * free of cycles. */
int msf_catalog_read(struct msf_catalog *c, const char *json, size_t len, char *why,
                     size_t why_size);
/* Index of the track called `name`, or -1. */
int msf_track_find(const struct msf_catalog *c, const char *name);
/* Bit i set for track i itself and everything it depends on. */
uint64_t msf_track_closure(const struct msf_catalog *c, size_t track);

#ifdef __cplusplus
}
#endif
#endif
