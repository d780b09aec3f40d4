/* subscription.h - which tracks to ask for, and in which order they matter. Pure. */
#ifndef PEER_SUBSCRIPTION_H
#define PEER_SUBSCRIPTION_H

#include <moq/msf.h>
#include <svc/svc.h>

/* Subscriber priorities, smaller first: no picture is worth a gap in the sound. */
#define SUBSCRIPTION_PRIORITY_CATALOG 0
#define SUBSCRIPTION_PRIORITY_AUDIO 8
#define SUBSCRIPTION_PRIORITY_VIDEO 16 /* plus 8 per spatial and 1 per temporal layer */
#define SUBSCRIPTION_PRIORITY_DATA 64  /* plus one a track */
#define SUBSCRIPTION_PRIORITY_SESSION 200

#define SUBSCRIPTION_VIDEOS_MAX 4 /* of more the first */
#define SUBSCRIPTION_SOUNDS_MAX 8

struct subscription_wish {
    int max_spatial, max_temporal; /* -1: all */
    uint32_t max_pixels;           /* what the decoder bears per picture; 0: no limit */
    bool audio;
    bool all_kinds;   /* every video and every sound, opaque tracks, too, and a broadcast without
                         video will do; else one of each: */
    unsigned video;   /* the one with that number, from 0, in the order of the catalog */
    const char *lang; /* the first sound in that language, "de" also for "de-AT"; where there is
                         none, or NULL: the first; borrowed */
};

enum subscription_kind { SUBSCRIPTION_VIDEO, SUBSCRIPTION_AUDIO, SUBSCRIPTION_DATA };

struct subscription_item {
    size_t track; /* index into the catalog */
    size_t base;  /* of a layer that of its video's base layer: those with the same are of one
                     video; else `track` */
    enum subscription_kind kind;
    struct svc_layer layer; /* SUBSCRIPTION_VIDEO */
    uint8_t priority;
};

struct subscription_plan {
    size_t n;
    struct subscription_item item[MSF_TRACKS_MAX]; /* by rising priority */
    uint8_t n_spatial, n_temporal;                 /* of the one or first video, wanted or not */
    bool has_audio;
    const char *codec; /* likewise: one of svc_codecs; NULL: no video */
};

/* The catalog's index of the base layer of the video that a layer track is of; -1: it is no layer
 * of any. */
int subscription_base_of(const struct msf_catalog *catalog, size_t track);

/*
 * Every layer within the wish whose dependencies are within it too, of one video, and one
 * sound; where all kinds are wished for of every video, every sound, and the opaque tracks
 * (role "data"). 0, or -1 with one line when no base layer of
 * a known codec is on offer, or, of all kinds, nothing.
 */
int subscription_decide(struct subscription_plan *out, const struct msf_catalog *catalog,
                        const struct subscription_wish *wish, char *why, size_t why_size);

/* A refusal (REQUEST_ERROR code, draft-ietf-moq-transport) that waiting may mend: it is not there
 * yet, or there is no room now. */
bool subscription_may_come(uint64_t code);

#endif
