/*
 * publisher.h - a broadcast that is published from here: videos, sounds and whatever else as its
 * tracks, its catalog, and whoever subscribes to them over any number of connections - clients of
 * ours that call, or a relay that we called (PUBLISH_NAMESPACE). One object a stream, with the rank
 * of its layer and a lifetime. Each connection gets the layers that it carries, as from svc-server
 * (way.h); what was lost on the way is asked for. Without I/O: the owner gives events and time.
 *
 * Keeps nothing of the past but the catalog: who comes, begins with the next key picture.
 */
#ifndef PEER_PUBLISHER_H
#define PEER_PUBLISHER_H

#include "track_counts.h"
#include "tracks.h"

#include <moq/moq.h>
#include <tvl/tvl.h>

#define PUBLISHER_VIDEOS_MAX 4 /* as many as subscribers of ours take, subscription.h */
#define PUBLISHER_SOUNDS_MAX 8
#define PUBLISHER_OPAQUE_MAX 8 /* tracks of whatever else */
#define PUBLISHER_BACKLOG_MAX \
    (8u << 20)                   /* bytes queued on a connection; then objects are left out */
#define PUBLISHER_OPAQUE_LIVES 3 /* latencies that an object of whatever else may take */
#define PUBLISHER_REFRESH_APART_US 500000 /* between two on_missed of a layer */

struct publisher_note { /* for whoever chooses; UTF-8, "": not said */
    char label[MSF_LABEL_MAX];
    char lang[MSF_LANG_MAX]; /* BCP 47 */
};
struct publisher_video {
    struct svc_stream_info info; /* n_spatial 0: there is none; what it says of sound is ignored */
    struct publisher_note note;
};
struct publisher_sound { /* Opus */
    uint8_t channels;    /* 0: there is none */
    uint32_t rate;       /* Hz */
    uint32_t bitrate_bps;
    struct publisher_note note;
};
struct publisher_opaque {
    char name[MSF_NAME_MAX], codec[32]; /* codec: what the owner calls its kind */
    char caps[MSF_CAPS_MAX];            /* all that it says of it, UTF-8; "": nothing */
    struct publisher_note note;
};
/* What it consists of. The place of a video or sound is its number for as long as it is there:
 * its tracks' names come of it. */
struct publisher_tracks {
    struct publisher_video video[PUBLISHER_VIDEOS_MAX];
    struct publisher_sound sound[PUBLISHER_SOUNDS_MAX];
    struct publisher_opaque opaque[PUBLISHER_OPAQUE_MAX];
    size_t n_opaque;
};

struct publisher_config {
    const char *ns;       /* "a/b"; copied */
    uint64_t first_group; /* above those of any earlier run */
    uint32_t latency_ms;  /* target, of the catalog; lifetimes are of it */
    /* Somebody waits for a key picture of video number `video`. May come often. */
    void (*on_key_wanted)(void *user, size_t video);
    /* Layers of it from `spatial` up do not arrive at somebody, and are to be predicted anew: from
     * what all hold. May be NULL. */
    void (*on_missed)(void *user, size_t video, unsigned spatial, const struct svc_tracker *held);
    void *user;
};

struct publisher_stats { /* over all connections: an object counts once for each */
    uint64_t written;    /* objects */
    uint64_t bytes;      /* of their payload */
    uint64_t left_out;   /* for want of room or rate on a connection, or of what it leans on */
    uint64_t expired;    /* given up: their lifetime passed first */
};

struct publisher;
struct publisher_caller; /* one connection */

int publisher_new(struct publisher **out, const struct publisher_config *cfg); /* or MOQ_ERR_... */
void publisher_free(struct publisher *p); /* its callers, too, without a word */

/* It is now so late, on the connections' clock: before any of the following. */
void publisher_time(struct publisher *p, tvl_time now);
/* In place of the configuration's; the catalog says so from the next publisher_describe on. */
void publisher_set_latency(struct publisher *p, uint32_t latency_ms);
/* What it consists of. Again: a new edition of the catalog. 0 or negative: more than
 * MSF_TRACKS_MAX tracks, no memory; then all is as it was. */
int publisher_describe(struct publisher *p, const struct publisher_tracks *what, uint64_t now_ms);
bool publisher_described(const struct publisher *p);

/* To all who subscribe; of that video or sound, as packet->kind says. Borrowed for the call. */
void publisher_packet(struct publisher *p, size_t which, const struct svc_packet *packet);
void publisher_opaque_packet(struct publisher *p, size_t which, const uint8_t *bytes, size_t len,
                             int64_t pts_us);
/* It ends in order: PUBLISH_DONE on every track. */
void publisher_end(struct publisher *p);
struct publisher_stats publisher_stats(const struct publisher *p);
/* Of each track there was, by flow; what has no name is none. */
void publisher_counts(const struct publisher *p, struct track_counts *out);

struct publisher_end {     /* of a connection */
    bool server;           /* they called us */
    const char *authority; /* else: "host:port", and the URI's path */
    const char *path;
    const char *implementation;
    struct moq_bytes token; /* else: to show; may be empty */
};
/* A connection whose handshake is complete. 0 or negative. */
int publisher_add(struct publisher *p, struct tvl_conn *conn, const struct publisher_end *end,
                  struct publisher_caller **out);
void publisher_remove(struct publisher_caller *c); /* it is over; not inside its event */
void publisher_caller_event(struct publisher_caller *c, const struct tvl_event *ev, tvl_time now);
void publisher_caller_tick(struct publisher_caller *c, tvl_time now);
void publisher_caller_close(struct publisher_caller *c, tvl_time now);
/* We called, and were refused, or are not wanted any more: one line; NULL: not so. `for_now`: it
 * may be otherwise at another call. */
const char *publisher_caller_refused(const struct publisher_caller *c, bool *for_now);
/* We called, and our namespace was taken, or is subscribed to. */
bool publisher_caller_accepted(const struct publisher_caller *c);
size_t publisher_caller_tracks(const struct publisher_caller *c); /* that it subscribes to */

#endif
