/*
 * sender_view.h - how the server serves us, as it says on its track "svc-session"
 * (docs/session-track.md): what its paths to us carry, and why a layer does not come. Read from
 * JSON that anybody may have written. Pure.
 */
#ifndef PEER_SENDER_VIEW_H
#define PEER_SENDER_VIEW_H

#include <svc/svc.h>
#include <tvl/tvl.h>

#define SENDER_PACKAGING "svc-session"
#define SENDER_BYTES_MAX 16384  /* of one object; a longer one is not read */
#define SENDER_STALE_US 5000000 /* nothing came for so long: what was said is no more so */
#define SENDER_TEXT_MAX 160

struct sender_path { /* numbers below 0: not said */
    bool known;
    uint32_t id;     /* of the path, the same at both ends */
    char client[64]; /* our address and port, as the server sees them; may be empty */
    double sending_bps, rate_bps,
        delivery_bps;                /* goes out; carries, says the controller; arrives */
    double rtt_ms, rtt_min_ms, loss; /* loss since the word before [0, 1] */
    double cwnd_bytes, in_flight_bytes;
    char cc[16], cc_from[16];       /* controller; which one was there before, may be empty */
    char cc_reason[TVL_REASON_MAX]; /* "configured", or a line */
    double cc_ago_s;                /* since it was chosen */
};

enum sender_why {                     /* a layer does not come */
                  SENDER_WHY_OTHER,   /* for a reason of later versions */
                  SENDER_WHY_SENT,    /* it does */
                  SENDER_WHY_OFF,     /* it is not asked for */
                  SENDER_WHY_IDLE,    /* there is none of it now */
                  SENDER_WHY_RATE,    /* needs more than there is */
                  SENDER_WHY_RETRY,   /* went badly; is tried again later */
                  SENDER_WHY_BELOW,   /* a lower spatial layer does not go well */
                  SENDER_WHY_BROKEN,  /* reads something that was not sent, or is lost */
                  SENDER_WHY_QUEUE,   /* would come too late */
                  SENDER_WHY_FULL,    /* no stream is to be had */
                  SENDER_WHY_EXPIRED, /* did not get through in its lifetime */
};

struct sender_layer {
    bool known;
    enum sender_why why;
    double needed_bps, sending_bps, retry_ms; /* below 0: not said */
    double left_out; /* share of what there was of it that was not sent, or given up [0, 1] */
};

struct sender_encoder {
    bool known;
    int speed; /* as the codec counts */
    unsigned n_spatial, n_temporal;
    double load, fps, late_ms; /* below 0: not said */
    double layer_bps[SVC_SPATIAL_MAX];
};

struct sender_view {
    bool known;
    bool silent;     /* it does not say anything about itself */
    int64_t came_us; /* by the clock of whoever keeps it */
    double rate_bps, sure_bps, queue_ms;
    int top; /* highest spatial layer going well; -1: none, or not said */
    size_t n_paths;
    struct sender_path path[TVL_PATHS_MAX];
    struct sender_layer layer[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    struct sender_encoder encoder;
};

enum sender_error {
    SENDER_WRONG = -1,  /* not understood */
    SENDER_OTHERS = -2, /* about another connection than that of `id`: somebody has relayed it */
};
/* All of `out` but came_us. 0 or enum sender_error; `out` is unchanged then. `id`:
 * tvl_conn_original_id. */
int sender_view_read(struct sender_view *out, const char *json, size_t len, const uint8_t *id,
                     size_t id_len);
/* NULL: it says nothing of it. */
const struct sender_path *sender_view_path(const struct sender_view *v, uint32_t id);

const char *sender_why_word(enum sender_why why); /* as in JSON; static */
/* For a person, `brief` in about 18 letters: "needs 2.4 of 1.9". Result: `out`. */
const char *sender_layer_text(const struct sender_view *v, struct svc_layer l, char *out,
                              size_t cap);
const char *sender_layer_brief(const struct sender_view *v, struct svc_layer l, char *out,
                               size_t cap);
/* "copa, configured", "bbr instead of copa for 12 s: ..." */
const char *sender_controller_text(const struct sender_path *p, char *out, size_t cap);

struct json_t;
/* New references that the caller owns; NULL or null: nothing known. */
struct json_t *sender_path_json(const struct sender_path *p);
struct json_t *sender_view_json(const struct sender_view *v); /* without the paths */

#endif
